// Lens: a board of orders x receivers. A cell fills when that receiver has the news; an order that only some know stays red for good.
import { box, fitting, mark, text, width } from "../glyph.js";
import { alpha } from "../theme.js";

// What it says, unless the scenario's lens has `words` of its own.
const WORDS = { title: "Who knows which order", short: "Who knows", foot: "cross: the shop crashed · dot: not wanted", all: "known to all", some: "to some", nobody: "to nobody",
  curve: "orders that only some know", one: "order that only some know", many: "orders that only some know", none: "no order that only some know" };
const wordsOf = (run) => run.lens.words ?? WORDS;

/**
 * What each order's receivers know and when: [{t, wanted, told: Map receiver -> t, state, settled}]. `lens.orders`: [{t, ended,
 * wanted, told}], by receiver; `open`: it may still come to more of them; `settled`: when that was over; `says`: what to say when only some
 * have it in the end.
 */
const ordersOf = (run) => run.once("orders", () => run.lens.orders.map((o) => {
  const must = run.lens.receivers.map((r, i) => i).filter((i) => run.lens.receivers[i].must && o.wanted[i]),
    told = must.filter((i) => o.told[i] !== null);
  const state = o.open ? "open" : told.length === must.length ? "all" : told.length ? "some" : "nobody";
  return { ...o, state, settled: Math.max(o.t, o.ended ?? 0, o.settled ?? 0, ...told.map((i) => o.told[i])) };
}));

/** How many orders are known to all, to some, to nobody at t, and of how many that is still open. */
export function known(run, t) {
  const n = { all: 0, some: 0, nobody: 0, open: 0 };
  for (const o of ordersOf(run)) if (o.t <= t) n[o.settled <= t && (o.state !== "nobody" || o.ended !== null) ? o.state : "open"] += 1;
  return n;
}

function halfWords(run, o, i) {
  const names = (wanted) => run.lens.receivers.filter((r, k) => r.must && (o.told[k] !== null) === wanted).map((r) => r.label).join(" and ");
  return `The shop crashes in order ${i + 1}: ${names(true)} know${names(true).includes(" and ") ? "" : "s"} it, ${names(false)} never will.`;
}

export const board = {
  wide: 0.42, most: 640, low: (run) => 4 + run.lens.receivers.length * 1.15,
  paint(g, b, lane, v) {
    const { col, t } = v, { run } = lane, fs = b.fs, orders = ordersOf(run), { receivers } = run.lens, names = Math.min(b.w * (b.w < 300 ? 0.34 : 0.24), fs * 6.6);
    const cw = (b.w - names - 14) / Math.max(20, orders.length), top = b.y + fs * 2.3,
      flat = b.h < fs * (4.9 + receivers.length * 1.1), rh = (b.h - fs * 2.3 - (flat ? 15 : fs * 2.6)) / receivers.length, n = known(run, t);   // flat: no legend
    box(g, b.x, b.y, b.w, b.h, 12, { fill: col.card, stroke: col.edge, line: 1.4 });
    receivers.forEach(({ label }, r) => text(g, label, b.x + 11, top + (r + 0.5) * rh, { size: Math.min(fs - 0.5, rh - 1), color: col.soft, max: names - 14, least: 8 }));
    orders.forEach((o, i) => { if (o.t <= t) column(g, v, lane, { o, i, x: b.x + names + i * cw, cw, top, rh, receivers }); });
    let x = b.x + b.w - 12;
    const words = wordsOf(run);
    const short = b.w < fs * 24, said = (state) => `${short ? words[state].split(" ").pop() : words[state]} ${n[state]}`;
    const states = [words.open ? "open" : "nobody", "some", "all"], size = fs - (b.w < 420 ? 1 : 0);
    const most = states.reduce((left, state) => left - width(g, said(state), size, 700) - (short ? 8 : 14), x);   // for the title, the same in both lanes
    for (const [state, color, weight] of [[words.open ? "open" : "nobody", col.soft, 500], ["some", n.some ? col.again : col.soft, n.some ? 700 : 500], ["all", col.waiting, 650]]) {
      x -= text(g, said(state), x, b.y + 15, { size, weight, color, align: "right" }) + (short ? 8 : 14);
    }
    const title = fitting(g, [words.title, words.short, ""].filter((s) => s !== undefined), most - b.x - 16, fs + 1, 650);
    text(g, title, b.x + 11, b.y + 15, { size: fs + 1, weight: 650, color: col.ink });
    if (flat || b.w < fs * 20) return;
    const wide = width(g, words.foot, fs - 2) > b.w - names - 10;    // the words have the whole width where they need it
    text(g, words.foot, b.x + (wide ? 11 : names), b.y + b.h - 9, { size: fs - 2, color: col.soft, italic: true, max: b.w - (wide ? 18 : names + 10), least: 8 });
  },
  curve(run) {
    const half = ordersOf(run).filter((o) => o.state === "some").map((o) => o.settled).sort((a, b) => a - b);
    return { label: wordsOf(run).curve, color: "again", t: [0, ...half], y: [0, ...half.map((_, i) => i + 1)] };
  },
  events: (run) => ordersOf(run).flatMap((o, i) => (o.state !== "some" ? [] : [{ t: o.settled, kind: "half known", big: 1, order: i, message: -1,
    place: -1, actor: -1, text: o.says ?? halfWords(run, o, i) }])),
  say: (runs, t) => runs.map((run, i) => { const n = known(run, t).some, words = wordsOf(run), said = n ? `${n} ${n === 1 ? words.one : words.many}`
    : words.none; return `${runs.length > 1 ? `${"AB"[i]}: ${said}` : said[0].toUpperCase() + said.slice(1)}.`; }).join("  "),
  anchor: (e, lane) => (e.order >= 0 ? { x: lane.lensBox.x + 80, y: lane.lensBox.y + 30, r: 4 } : null),
};

function column(g, v, lane, { o, i, x, cw, top, rh, receivers }) {
  const { col, t } = v, half = t >= o.settled && o.state === "some", none = o.ended !== null && t >= o.ended && o.state === "nobody",
    high = rh * receivers.length;
  if (half) { g.fillStyle = alpha(col.again, 0.2); g.fillRect(x - 1, top - 3, cw + 1, high + 6); }
  const id = `${lane.i}o${i}`;
  if (v.hover?.id === id || (v.select?.order === i && v.select.lane === lane.i)) { g.strokeStyle = col.ink; g.lineWidth = 1.4;
    g.strokeRect(x - 1.5, top - 4, cw + 1, high + 8); }
  receivers.forEach(({ must }, r) => {
    const told = o.told[r], y = top + r * rh + 2, h = rh - 4, w = Math.max(2, cw - 1.4);
    if (told !== null && t >= told) {
      g.fillStyle = !v.reduced && v.since(told) < 0.7 ? col.ink : must ? col.waiting : alpha(col.waiting, 0.75);
      g.fillRect(x, y, w, h);
    } else if (!o.wanted[r]) { g.fillStyle = alpha(col.edge, 0.55); g.fillRect(x + w / 2 - 1, y + h / 2 - 1, 2, 2); }
    else if (must && (half || none)) { g.strokeStyle = half ? col.again : alpha(col.edge, 0.9); g.lineWidth = half ? 1.6 : 1;
      g.strokeRect(x + 0.7, y + 0.7, w - 1.4, h - 1.4); }
  });
  if (o.ended !== null && t >= o.ended) mark(g, x + cw / 2, top + high + 8, 8, { shape: "cross", color: half ? col.again : col.soft });
  v.hits.push({ x: x - 0.5, y: top - 4, w: cw, h: high + 14, id, pick: { order: i, lane: lane.i, x: x + cw / 2, y: top + rh * 2 } });
}
