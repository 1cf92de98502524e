// Workers: one cell each. A mark here is a message in this hand. Ring: until it is visible again (a direct call: until the caller
// gives up). Bar: the share of the work done, pale from where the receipt had expired. A hollow mark: its right has run out.
import { bar, box, circle, fitting, mark, ring, text, width } from "../glyph.js";
import { NUMBERED, alpha, brief, cap, plural, seconds } from "../theme.js";
import { behind } from "./tape.js";
import { shared } from "../model.js";

const COUNTED = ["", "", "two", "three", "four", "five", "six"];

export const hands = {
  place(b, lane) {
    const actors = lane.actorsAt(b.place), n = Math.max(1, actors.length), top = b.low ? 0 : b.head - 6;
    const gap = Math.min(8, Math.max(b.h * 0.035, 4), 0.2 * Math.sqrt((b.w * (b.h - top)) / n));   // a crowd has as much of its box as a few
    const fit = (cols) => (b.h - top - gap * (Math.ceil(n / cols) - 1)) / Math.ceil(n / cols);
    let cols = 1;
    while (fit(cols) < Math.min(b.h - top, Math.max(b.low ? 26 : 32, lane.handSize * (b.low ? 1.2 : 1.7))) && cols < n) cols++;
    const across = (cols) => (b.w - gap * (cols - 1)) / cols;
    while (cols > 1 && across(cols) < Math.min(26, fit(cols))) cols--;   // no cell is a slit
    const rows = Math.ceil(n / cols);
    cols = Math.ceil(n / rows);                        // none stays empty
    const ch = Math.min(b.fs * 7.4, fit(cols)), cw = across(cols),
      y0 = b.y + top + (b.h - top - ch * rows - gap * (rows - 1)) / 2;
    b.crowd = cols > 1 && cw < b.fs * 15;              // small cells: number, mark, ring, bar; the words are in the card
    b.shared = cols > 1;                               // one pipe for all
    b.tight = b.crowd && cw < 60 ? 5 : 10;             // from the left edge to the number
    b.longest = Math.max(1, ...actors.map((a) => lane.run.actors[a].name.split(/[-.]/).pop().length + (b.low ? 1 : 0)));
    const beside = cw - b.tight * 1.6 - b.fs * 1.2 - 3;  // for the ring: as much larger than its mark as `reach` says
    b.handSize = Math.max(Math.min(6, cw * 0.65, ch * 0.65), Math.min(lane.handSize, (ch - 12) * 0.64, b.crowd ? Math.min(beside - 9, beside / 1.48) : Infinity));
    const words = Math.max(0, ...actors.map((a) => lane.run.actors[a].name.length)) * b.fs * 0.66;
    actors.forEach((a, i) => {
      const [column, row] = cols > rows ? [i % cols, Math.floor(i / cols)] : [Math.floor(i / rows), i % rows];   // read along the longer side
      const c = { x: b.x + column * (cw + gap), y: y0 + row * (ch + gap), w: cw, h: ch, actor: a, b };
      c.mx = b.crowd ? Math.max(c.x + c.w / 2, c.x + c.w - b.tight * 0.6 - reach(b)) : c.x + 10 + Math.min(words, cw * 0.38) + 10 + reach(b);
      c.my = c.y + (c.h - Math.min(6, c.h * 0.2)) / 2;
      lane.cells.set(a, c);
    });
    b.spot = (k) => { const c = lane.cells.get(k.holder); return c ? [c.mx, c.my] : [b.x + b.w / 2, b.y + b.h / 2]; };
  },

  ground(g, b, lane, v) {
    const { col, t } = v, { run } = lane, actors = lane.actorsAt(b.place),
      busy = new Set(lane.marksIn(b.place).filter((m) => run.isAtWork(m, t)).map((m) => m.holder)).size;
    const alive = actors.filter((a) => !["", "gone"].includes(run.stateOf(a, t).state));
    if (!b.low) {
      const late = actors.every((a) => onlyReads(run, a)) ? [...behind(run, t)].reduce((n, [a, x]) => n + (actors.includes(a) ? x : 0), 0) : -1;
      const forms = late < 0 ? [`${busy} of ${alive.length} busy`, `${busy}/${alive.length}`] : [`${brief(late)} records not read yet`, `${brief(late)} not read`, brief(late), ""];
      const { label } = run.places[b.place], names = [label, label.replace(/^.* (?=[a-z])/, "")].map(cap);
      const words = fitting(g, forms, Math.min(b.w * 0.5, b.w - 16 - width(g, names[1], 10, 650)), b.fs);
      text(g, words, b.x + b.w - 2, b.y + 10, { size: b.fs, color: col.soft, align: "right" });
      const room = b.w - width(g, words, b.fs) - 14;
      text(g, fitting(g, names, room, b.fs + 1, 650), b.x + 2, b.y + 10, { size: b.fs + 1, weight: 650, color: col.ink, max: room, least: 9 });
    }
    const fleet = `${lane.i}q${b.place}`, lit = v.focus === fleet || v.hover?.id === fleet, top = b.low ? 0 : b.head - 8;
    if (top) v.hits.push({ x: b.x, y: b.y - 2, w: b.w, h: top, id: fleet, touch: { place: b.place, lane: lane.i, at: { x: b.x, y: b.y - 8, w: b.w, h: 36 } },
      pick: { place: b.place, lane: lane.i } });
    if (top && lit) box(g, b.x - 3, b.y - 3, b.w + 6, top, 6, { stroke: col.ink, line: 1.4 });
    for (const a of actors) {
      const c = lane.cells.get(a), st = run.stateOf(a, t).state, id = `${lane.i}a${a}`, on = v.focus === id || v.hover?.id === id,
        absent = st === "" || st === "gone";
      g.globalAlpha = v.litActor(a, lane) ? 1 : 0.3;
      const stroke = st === "down" ? col.again : ["frozen", "blocked"].includes(st) ? col.control : on ? col.ink : absent ? alpha(col.edge, 0.6) : col.edge;
      box(g, c.x, c.y, c.w, c.h, 9, { fill: absent || st === "down" ? col.card : col.well, stroke,
        line: st === "down" || st === "frozen" || on ? 1.8 : 1.2, dash: st === "down" ? [6, 4] : absent ? [2, 4] : null });
      v.hits.push({ x: c.x, y: c.y, w: c.w, h: c.h, id, touch: absent ? null : { actor: a, place: top ? undefined : b.place, lane: lane.i, at: c }, pick: { actor: a, lane: lane.i } });
    }
    g.globalAlpha = 1;
  },

  paint(g, b, lane, v) {
    for (const a of lane.actorsAt(b.place)) cell(g, lane.cells.get(a), a, lane, v);
    if (!b.crowd && !b.low && !v.aggregate && v.select?.m === undefined) brackets(g, b, lane, v);
  },
};

/** How far the ring around a mark reaches from its middle. */
const reach = (b) => b.handSize * 0.5 + Math.max(4.5, b.handSize * 0.24);

/** Has this worker of a stream no shard at t, or read no record of it yet? */
function readsNothing(lane, a, t) {
  if (!lane.run.places.some((p) => p.role === "shard")) return false;
  if (lane.reads?.t !== t) lane.reads = { t, of: behind(lane.run, t) };
  return !lane.reads.of.has(a);
}

/** Does this actor read a stream, and never has anything in hand? */
export const onlyReads = (run, actor) => run.once(`only reads ${actor}`, () => run.hands.get(actor).length > 0 && run.hands.get(actor).every((k) => k.state === "reading"));

/** How far brackets reach into a cell from the right. */
function tiedIn(c, lane) {
  const reach = shared(lane.marksIn(c.b.place)).slice(0, 4).map(([, actors], n) => {
    const ys = actors.map((a) => lane.cells.get(a).my);
    return c.my >= Math.min(...ys) && c.my <= Math.max(...ys) ? 18 + 13 * n : 0;
  });
  return Math.max(0, ...reach);
}

/** One message in several hands: a bracket ties them. */
function brackets(g, b, lane, v) {
  const { col } = v;
  shared(lane.marksIn(b.place)).slice(0, 4).forEach(([m, actors], n) => {
    const cells = actors.map((a) => lane.cells.get(a)), x = b.x + b.w - 14 - 13 * n, ys = [...new Set(cells.map((c) => c.my))].sort((p, q) => p - q);
    g.strokeStyle = col.again; g.lineWidth = 2; g.lineJoin = "round"; g.beginPath();
    for (const y of ys) { g.moveTo(x, y); g.lineTo(x - 7, y); }
    g.moveTo(x, ys[0]); g.lineTo(x, ys.at(-1)); g.stroke();
    for (const y of ys) circle(g, x - 8, y, 3, { fill: col.again });
    const label = `${lane.run.unit} ${m + 1} in ${COUNTED[actors.length] ?? actors.length} hands`, w = width(g, label, b.fs - 1, 650) + 14,
      mid = (ys[0] + (ys[1] ?? ys[0])) / 2;
    if (b.w - (cells[0].mx - b.x) <= w + 150) return;
    box(g, x - w + 5, mid - 10, w, 20, 10, { fill: col.page, stroke: col.again, line: 1.3 });
    text(g, label, x - w / 2 + 5, mid + 0.5, { size: b.fs - 1, weight: 650, color: col.again, align: "center" });
  });
}

function cell(g, c, a, lane, v) {
  const { col, t } = v, { run } = lane, { b } = c, fs = b.fs, st = run.stateOf(a, t), mine = lane.marksOf(a), name = run.actors[a].name, mid = c.my;
  g.globalAlpha = v.litActor(a, lane) ? 1 : 0.3;
  const space = Math.max(12, c.mx - reach(b) - c.x - b.tight - 4), own = name.split(onlyReads(run, a) ? "." : "-").pop(),
    short = b.low && own !== name ? name[0] + own : own;   // no heading says whose worker it is
  const shown = b.crowd ? short : fitting(g, [name, short], space, fs, 600),
    color = st.state === "down" ? col.again : mine.length ? col.ink : col.soft;
  const font = { size: fs - (b.crowd ? (b.tight < 10 ? 2 : 1) : 0), weight: mine.length ? 600 : 400, color, least: 8 },
    wide = (size) => width(g, "8".repeat(b.longest), size), tiny = b.crowd && b.tight + wide(font.size) > c.w;   // as wide as the cell, or not written
  const marked = mine.length > 0 && !v.aggregate;      // no mark stands where its number would be
  const beside = !b.crowd || (st.state === "down" ? c.x + b.tight + wide(font.size) < c.mx - b.handSize / 2 : !marked || c.w > fs * 2.8);
  if (beside && !tiny) text(g, shown, c.x + b.tight, mid, { ...font, max: Math.max(space, fs * 1.2) });
  else if (tiny && !marked && st.state !== "down" && wide(8) <= c.w - 2) text(g, shown, c.x + c.w / 2, mid, { ...font, max: c.w - 2, align: "center" });
  if (st.state === "down") { crashed(g, c, lane, v, st); g.globalAlpha = 1; return; }
  if (v.aggregate) {
    const busy = run.busy(a, Math.max(0, t - Math.max(1, v.speed)), t), x = b.crowd ? c.x + 26 : c.mx - b.handSize / 2,
      w = b.crowd ? c.w - 34 : c.x + c.w - fs * 4 - x;
    if (w >= 10) bar(g, x, mid - 5, w, 10, busy, col.hand, alpha(col.edge, 0.25));   // rounder than long, it would be no bar
    else if (c.w >= 14) bar(g, c.x + 4, c.y + c.h - 6, c.w - 8, 3, busy, col.hand, alpha(col.edge, 0.25));
    if (!b.crowd) text(g, `${Math.round(busy * 100)} %`, c.x + c.w - 10, mid, { size: fs, weight: 600, color: col.ink, align: "right" });
    g.globalAlpha = 1;
    return;
  }
  const frozen = st.state === "frozen";
  if (b.crowd && c.w > fs * 4.4 && onlyReads(run, a)) text(g, brief(behind(run, t).get(a) ?? 0), c.x + c.w - 8, mid, { size: fs - 1, color: col.soft, align: "right" });
  if (!mine.length && !b.crowd && st.state !== "" && st.state !== "gone") {
    const idle = onlyReads(run, a) ? `${brief(behind(run, t).get(a) ?? 0)} not read yet` : lane.direct || readsNothing(lane, a, t) ? "idle" : `waits for a ${lane.run.unit}`;
    const forms = frozen ? [`frozen, ${seconds((st.until ?? t) - t)} more`, "frozen"] : [idle, idle.split(" ")[0]];
    text(g, fitting(g, [...forms, ""], c.x + c.w - 6 - c.mx + b.handSize / 2, fs - 1), c.mx - b.handSize / 2, mid,
      { size: fs - 1, color: frozen ? col.control : col.soft, italic: true });
  }
  const step = Math.min(b.handSize * 2.2, (c.x + c.w - 8 - c.mx) / Math.max(1, mine.length));
  mine.forEach((m, i) => held(g, c, lane, v, m, b.crowd ? c.mx - i * Math.min(step, b.handSize) : c.mx + i * step, i, mine.length,
    frozen ? st : null));
  for (const k of run.ended(t, v.back * 2)) {            // a delete that came too late: a cross that stays for a moment
    if (k.holder !== a || run.outcome(k) !== "vain") continue;
    const u = v.run(k.t1) / 2;
    if (u >= 1 || u < 0) continue;
    g.globalAlpha = 1 - u;
    mark(g, c.x + c.w - 14, c.h > 60 ? c.y + 16 : mid, 13, { shape: "cross", color: col.again });
    if (!b.crowd && (!mine.length || c.w > fs * 24)) text(g, run.said[k.ended] ?? "in vain", c.x + c.w - 28, c.h > 60 ? c.y + 16 : mid,
      { size: fs - 1, weight: 650, color: col.again, align: "right" });
  }
  g.globalAlpha = 1;
}

function crashed(g, c, lane, v, st) {
  const { col, t } = v, { b } = c, fs = b.fs;
  if (b.crowd) { mark(g, c.mx, c.my, b.handSize * 0.9, { shape: "cross", color: col.again }); return; }
  const wide = width(g, "crashed", fs, 700), left = Math.min(c.mx - b.handSize / 2, c.x + c.w - 8 - wide);
  if (left < c.x + b.tight + fs * 1.4) { mark(g, c.mx, c.my, b.handSize * 0.9, { shape: "cross", color: col.again }); return; }
  text(g, "crashed", left, c.my, { size: fs, weight: 700, color: col.again });
  if (st.until === null) return;
  const still = st.until - t, r = Math.min(9, c.h * 0.2), x = c.x + c.w - 18, room = x - r - 14 - left - wide,
    below = c.my + fs * 0.6 + r + 5;                     // a narrow cell has its ring under the word, and a low one none
  if (room < -10 && below + r > c.y + c.h - 2) return;
  ring(g, x, room < -10 ? below : c.my, r, still / Math.max(1e-6, st.until - st.from), col.again, alpha(col.again, 0.2), 2.6);
  text(g, fitting(g, [`starts again in ${seconds(still)}`, seconds(still), ""], room, fs - 1), x - r - 7, c.my,
    { size: fs - 1, color: col.soft, align: "right" });
}

function held(g, c, lane, v, m, x, i, n, frozen) {
  const { col, t } = v, { run } = lane, { b } = c, fs = b.fs, s = b.handSize, y = c.my, rr = reach(b);
  const hue = lane.hue(m, col, m.again && !lane.direct ? col.again : col.hand), color = m.hollow ? col.vain : hue;
  g.globalAlpha = !v.lit(m) ? 0.3 : frozen ? 0.45 : 1;
  const round = 2 * rr <= c.w;                         // a cell of a great crowd has no room for a ring
  if (round && m.ring !== null && !frozen) ring(g, x, y, rr, m.ring, hue, alpha(hue, 0.2), Math.max(2.2, s * 0.13));
  else if (round && m.hollow) circle(g, x, y, rr, { stroke: col.pale, line: 1.4, dash: [2.5, 3.5] });
  mark(g, x, y, s, { shape: m.sign, color, hollow: m.hollow, ground: col.well, n: s >= NUMBERED ? m.m + 1 : null, ink: col.onmark });
  g.globalAlpha = v.lit(m) ? 1 : 0.3;
  v.halo(g, m, x, y, rr + 4);
  if (i === 0 && !b.crowd) words(g, c, lane, v, m, x + rr + 9 + (n - 1) * Math.min(s * 2.2, 30), hue, frozen);
  if (i === 0 && m.bar !== null) work(g, c, lane, v, m, frozen);
  const end = [x + rr * Math.sin((1 - (m.ring ?? 0)) * 2 * Math.PI), y - rr * Math.cos((1 - (m.ring ?? 0)) * 2 * Math.PI)];
  const grip = m.ring !== null && !frozen && !lane.direct && lane.touchRing;
  if (grip && v.hover?.touch?.message === m.m) circle(g, ...end, 4.5, { fill: col.page, stroke: hue, line: 2 });
  v.hits.push({ x, y, r: rr + 4, id: `${lane.i}h${c.actor}m${m.m}`, touch: { message: m.m, lane: lane.i, actor: c.actor, at: c,
    ring: grip ? { x, y, r: rr, mark: m } : null }, pick: { m: m.m, lane: lane.i } });
}

function words(g, c, lane, v, m, x, hue, frozen) {
  const { col, t } = v, { run } = lane, fs = c.b.fs, tied = !c.b.low && !v.aggregate && v.select?.m === undefined ? tiedIn(c, lane) : 0;
  const room = c.x + c.w - 10 - x - tied;
  if (room < 24) return;
  const copy = m.k.copy > 1 && !lane.direct ? `, delivery ${m.k.copy}` : "";
  const long = frozen ? `frozen, ${seconds((frozen.until ?? t) - t)} more` : m.ring === null &&
    !m.hollow ? "" : lane.direct ? (m.hollow ? "its caller is gone: in vain" : `caller waits ${seconds(m.left)} more`)
    : m.hollow ? "receipt expired" : `hidden ${seconds(m.left)} more`;
  const short = frozen ? "frozen" : !long ? "" : m.hollow ? (lane.direct ? "in vain" : "expired") : seconds(m.left);
  const color = frozen ? col.control : m.hollow ? col.vain : hue, fine = { size: fs - 1, weight: m.hollow ? 600 : 400, color, max: room };
  if (c.h <= fs * 3.6 || c.b.handSize < NUMBERED || room < 90) {
    const key = run.hues ? run.called(m.m) : long, own = { size: fs - 1, weight: 600, color, max: room };
    text(g, fitting(g, [key, run.hues ? "" : short, ""].filter((s, i) => s || i), room, fs - 1, 600), x, c.my, own);
    return;
  }
  text(g, fitting(g, [run.called(m.m) + copy, run.called(m.m), `${m.m + 1}`, ""], room, fs, 600), x, c.my - (long ? fs * 0.62 : 0),
    { size: fs, weight: 600, color: m.hollow ? col.vain : col.ink, max: room });
  text(g, fitting(g, [long, short, ""], room, fs - 1, 600), x, c.my + fs * 0.68, fine);
}

function work(g, c, lane, v, m, frozen) {
  const { col } = v, inset = Math.min(8, c.w * 0.15), x = c.x + inset, w = c.w - 2 * inset, y = c.y + c.h - (c.h > 40 ? 9 : Math.min(6, c.h * 0.25)), h = c.h > 40 ? 5 : 3;
  bar(g, x, y, w, h, m.bar, frozen ? alpha(col.control, 0.5) : m.hollow ? col.pale : col.done, alpha(col.edge, 0.22));
  if (m.cut === null || m.cut <= 0 || m.cut >= 1) return;
  bar(g, x, y, w * m.cut, h, Math.min(1, m.bar / m.cut), frozen ? alpha(col.control, 0.5) : col.done);
  g.fillStyle = col.again; g.fillRect(x + w * m.cut - 1, y - 2.5, 2, h + 5);
}

export const busyWords = (n, of) => `${n} of ${plural(of, "worker")} busy`;
