// A shard: a tape on which time is length. Records come in at the right and move to the left as they grow old; they stay
// when they were read. A flag stands where a reader is: all that is left of it was read. Amount is area: where a second has more records than
// fit one above the other, a mark is several, and the title says how many. What is older than the tape is long is counted there, too.
import { upTo } from "../model.js";
import { box, fitting, hatch, text, width } from "../glyph.js";
import { alpha, brief, cap, plural, rateOf, span } from "../theme.js";

const SPAN = 30;                                        // seconds that the tape shows
const UNITS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** The records of a shard in the order of their arrival: {t, of: tokens, rank: place within its second}. */
const records = (run, place) => run.once(`tape ${place}`, () => {
  const of = run.list.filter((k) => k.place === place && k.state === "kept"), rank = [];
  of.forEach((k, i) => rank.push(i && Math.floor(of[i - 1].t0) === Math.floor(k.t0) ? rank[i - 1] + 1 : 0));
  return { t: of.map((k) => k.t0), of, rank, at: new Map(of.map((k, i) => [k.m, i])) };
});

/** Where readers stand at t: [actor, number of the record that was read last]. A shard has one reader of an application: who reads on is it. */
const readers = (run, place, t) => {
  const found = new Map(), { at } = records(run, place);
  for (const k of run.at(t)) if (k.state === "reading" && at.has(k.m)) {
    const whose = run.actors[k.holder].place;
    if (!(found.get(whose)?.t0 > k.t0)) found.set(whose, k);
  }
  return [...found.values()].map((k) => [k.holder, at.get(k.m)]);
};

/** How many records of a shard each of its readers has not read yet at t: [actor, number]. */
const behindIn = (run, place, t) => readers(run, place, t).map(([actor, i]) => [actor, upTo(records(run, place).t, t) - 1 - i]);

/** How many records each reader has not read yet at t, of all the shards that it reads: Map actor -> number. */
export function behind(run, t) {
  const found = new Map();
  run.places.forEach((p, place) => { if (p.role === "shard") for (const [actor, left] of behindIn(run, place, t)) found.set(actor,
    (found.get(actor) ?? 0) + left); });
  return found;
}

/** The most records that came to a shard in one second. */
const busiest = (run, place) => run.once(`busiest second ${place}`, () => 1 + records(run, place).rank.reduce((a, b) => Math.max(a, b), 0));

/** One size for all tapes of all lanes: so many records a mark, and so high, that the fullest second fits. Needs the boxes of the lanes. */
export function tapeScale(lanes) {
  const all = lanes.flatMap((lane) => [...lane.boxes.values()].filter((b) => b.role === "shard").map((b) => ({ b, most: busiest(lane.run, b.place) })));
  if (!all.length) return;
  const most = Math.max(...all.map((x) => x.most)), high = Math.max(4, ...[Math.min(...all.map(({ b }) => footOf(b) - topOf(b)))]);
  const unit = UNITS.find((u) => Math.ceil(most / u) * 2.5 <= high) ?? UNITS.at(-1);
  for (const lane of lanes) lane.tape = { unit, step: Math.min(9, high / Math.ceil(most / unit)) };
}

const flat = (b) => b.h < b.fs * 2.4;                  // its name stands beside the marks, not above them
const topOf = (b) => b.y + (flat(b) ? 3 : b.h < b.fs * 4 ? b.fs * 1.7 : b.head + 2), footOf = (b) => b.y + b.h - (b.h < b.fs * 4 ? 3 : 8);

const closedFrom = (run, place) => run.once(`closed ${place}`, () => run.events.find((e) => ["split", "merge"].includes(e.kind) &&
  e.place === place)?.t ?? Infinity);

export const tape = {
  taken(run, shard, place, t, window) {
    const times = run.once(`taken from ${shard} to ${place}`, () => run.list.filter((k) => k.state === "held" && k.place === place &&
      records(run, shard).at.has(k.m)).map((k) => k.t0).sort((a, b) => a - b));
    return (upTo(times, t) - upTo(times, Math.max(0, t - window))) / Math.min(window, Math.max(t, 1e-6));
  },

  place(b, lane) {
    b.low = b.h < b.fs * 4;
    const left = b.x + (flat(b) ? b.fs * 2 : 10), right = b.x + b.w - 12, { unit, step } = lane.tape;
    b.x0 = left; b.x1 = right; b.foot = footOf(b); b.step = step;
    b.at = (time, now) => right - ((now - time) / SPAN) * (right - left);
    b.spot = (k) => {
      const r = records(lane.run, b.place), i = r.at.get(k.m);
      return [Math.max(left, b.at(Math.floor(k.t0) + 0.5, lane.t)), b.foot - (Math.floor((r.rank[i] ?? 0) / unit) + 0.5) * step];
    };
  },
  ground(g, b, lane, v) {
    const { col, t } = v, { run } = lane, r = records(run, b.place), id = `${lane.i}q${b.place}`, on = v.focus === id || v.hover?.id === id;
    const closed = closedFrom(run, b.place) <= t;
    box(g, b.x, b.y, b.w, b.h, 10, { fill: col.tray, stroke: on ? col.ink : col.edge, line: on ? 1.8 : 1.4 });
    if (closed) hatch(g, b.x, b.y, b.w, b.h, 10, alpha(col.edge, 0.4));
    v.hits.push({ x: b.x, y: b.y, w: b.w, h: b.fs * 1.6, id, pick: { place: b.place, lane: lane.i } });
    const rate = upTo(r.t, t) - upTo(r.t, t - 5), label = run.places[b.place].label;
    const { unit } = lane.tape, old = upTo(r.t, t - SPAN), n = brief(upTo(r.t, t)), many = unit > 1 ? [`a mark is ${unit} records`, `■ = ${unit} records`, `■ = ${unit}`] : [];
    const kept = `${n} kept`, full = `${kept} · ${(rate / Math.min(5, Math.max(t, 1))).toFixed(1)}/s`, aside = old ? `${full} · ${brief(old)} older than ${SPAN} s` : full;
    const forms = unit > 1 ? [...[aside, full, kept].flatMap((s) => many.map((m) => `${m} · ${s}`)), ...many] : [aside, full, kept, n];
    if (flat(b)) { text(g, label.replace(/^Shard /, ""), b.x + 8, b.y + b.h / 2, { size: b.fs - 1, weight: 650, color: col.ink, max: b.fs * 1.6, least: 8 }); return; }
    const names = closed ? [`${label}, closed`, label] : [label], short = label.startsWith("Shard ") ? names.map((s) => s.slice(6)) : [];
    const beside = (title) => b.w - 28 - width(g, title, b.fs, 650), fits = (words, title) => width(g, words, b.fs - 1) <= beside(title);
    const title = [...names, ...short].find((s) => forms.some((words) => fits(words, s))), words = title ? fitting(g, forms, beside(title), b.fs - 1) : "";
    text(g, words, b.x + b.w - 12, b.y + b.fs * 0.95, { size: b.fs - 1, color: col.soft, align: "right" });
    const rest = b.w - 28 - width(g, words, b.fs - 1);
    text(g, title ?? short.at(-1) ?? label, b.x + 11, b.y + b.fs * 0.95, { size: b.fs, weight: 650, color: col.ink, max: rest, least: 8.5 });
  },
  about(run, place, t, back) {
    const n = upTo(records(run, place).t, t), come = (n - upTo(records(run, place).t, t - back)) / back, of = behindIn(run, place, t);
    const read = of.map(([actor, left]) => `${run.actors[actor].name} has ${left ? `${brief(left)} not read yet` : "read all"}`).join(", ");
    return [`${plural(n, run.unit)} kept: who reads takes nothing away.`, closedFrom(run, place) <= t ? "It is closed, and takes nothing more."
      : `In the last ${span(back)} ${rateOf(come)} came.`, read ? `${read}.` : "Nobody has read here yet."];
  },
  paint(g, b, lane, v) {
    const { col, t } = v, { run } = lane, r = records(run, b.place), s = b.step * 0.82;
    const flags = readers(run, b.place, t), read = Math.max(-1, ...flags.map(([, i]) => i));
    const { unit } = lane.tape, end = upTo(r.t, t), wide = Math.min(s, ((b.x1 - b.x0) / SPAN) * 0.86), chosen = v.select?.m;
    for (let i = upTo(r.t, t - SPAN), next; i < end; i = next) {   // a mark is one record, or `unit` of them that came in one second
      next = i + 1;
      while (next < end && r.rank[next] % unit && r.rank[next]) next++;
      const mine = r.of.slice(i, next), [x, y] = b.spot(r.of[i]), hues = new Set(mine.map((k) => lane.hue({ m: k.m }, col))), w = (wide * mine.length) / unit;
      g.globalAlpha = (chosen !== undefined && !mine.some((k) => k.m === chosen) ? 0.25 : 1) * (next - 1 <= read ? 0.45 : 1);
      box(g, x - wide / 2, y - s / 2, Math.max(1, w), s, Math.min(wide, s) / 3, { fill: hues.size === 1 ? [...hues][0] : col.waiting });
      g.globalAlpha = 1;
      for (const k of mine) {
        v.halo(g, { m: k.m }, x, y, s / 2 + 2);
        v.hits.push({ x, y, r: Math.max(5, s * 0.7), id: `${lane.i}m${k.m}`, pick: { m: k.m, lane: lane.i } });
      }
    }
    const groups = [];                                  // readers that stand close together share their words
    for (const [actor, i] of flags.sort((x, y) => x[1] - y[1])) {
      const x = Math.max(b.x0, b.at(r.t[i], t)), name = shortName(run.actors[actor]?.name ?? ""), last = groups.at(-1);
      if (last && x - last.x < b.fs * 1.7) { last.xs.push(x); last.names.push(name); } else groups.push({ x, xs: [x], names: [name] });
    }
    groups.forEach((group, row) => flag(g, b, group, row, v));
  },
};

/** A name for a small place: worker-3 is w3, dashboard-1.4 is d1, firehose/riders is Firehose. */
const shortName = (name) => (name.includes("/") ? cap(name.split("/")[0]) : name.replace(/^(\w)\w*-(\d+)(\.\d+)?$/, "$1$2"));

/** Readers: a pole each, and their names; the way from there to the right end is what they have not read. */
function flag(g, b, { x, xs, names }, row, { col }) {
  const y = b.y + (b.low ? b.fs * 1.6 : b.head) + (row % 3) * b.fs * 1.05, size = b.fs - 2.5;
  g.strokeStyle = col.hand; g.lineWidth = 2; g.beginPath();
  for (const one of xs) { g.moveTo(one, Math.min(y, b.foot)); g.lineTo(one, b.foot + 3); }
  g.stroke();
  const right = x - b.x < b.fs * 3, room = right ? b.x + b.w - Math.max(...xs) - 12 : x - b.x - 8;   // beside the pole, in the box
  const words = fitting(g, [names.join(" "), plural(names.length, "reader"), String(names.length)], room, size, 650);
  if (b.low) return;
  const wide = width(g, words, size, 650), at = right ? Math.max(...xs) + 4 : x - 4;
  box(g, (right ? at : at - wide) - 1, y + b.fs * 0.3 - size * 0.6, wide + 2, size * 1.2, 3, { fill: alpha(col.tray, 0.85) });   // readable above records, too
  text(g, words, at, y + b.fs * 0.3, { size, weight: 650, color: col.hand, align: right ? "left" : "right" });
}
