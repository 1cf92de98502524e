// A function: a cell for each call that runs, with the batch that it was called with, a ring (until the batch is visible again) and a bar
// (the share of the work done). Above the cells: what Lambda has received and still gathers for the next batch, and events that it keeps
// until it tries them again.
import { bar, box, circle, fitting, mark, ring, text, width } from "../glyph.js";
import { NUMBERED, alpha, brief, clamp, plural } from "../theme.js";
import { executionsOf } from "../model.js";

const LEAST = 24, GAP = 4;                              // the lowest cell, and what lies between two

/** The largest marks with which `n` of them fit in w x h: {s, per (a row), holds (that many fit)}. */
function fit(n, w, h, most) {
  for (let s = most; s > 3; s -= 0.5) {
    const step = s * 1.25, per = Math.floor(w / step);
    if (per > 0 && per * Math.floor(h / step) >= n) return { s, per, holds: n };
  }
  const per = Math.max(1, Math.floor(w / 3.75));
  return { s: 3, per, holds: per * Math.max(0, Math.floor(h / 3.75)) };
}

/** What is gathered has a strip above the cells: as high as marks of 6 need, but the cells keep more than half; a line of words where some stay out. */
function stripOf(n, w, h, fs, low) {
  if (!n) return { strip: 0, small: fit(1, w, 6, 12) };
  const strip = clamp(Math.ceil(n / Math.max(1, Math.floor(w / 7.5))) * 7.5 + 4, low ? fs : fs * 1.9, Math.max(h * 0.42, low ? fs : 0)), all = fit(n, w, strip - 4, 12);
  return { strip, small: all.holds >= n ? all : fit(n, w, strip - 4 - fs * 1.2, 12) };
}

export const executions = {
  place(b, lane) {
    const { run } = lane, { most, largest, gathers } = executionsOf(run, b.place), fs = b.fs, [actor] = lane.actorsAt(b.place);
    const head = b.low ? fs * 1.5 : b.head, { strip, small } = stripOf(gathers, b.w - 20, b.h - head, fs, b.low), room = b.h - head - strip - 6, n = Math.max(1, most);
    let cols = 1;
    while ((room + GAP) / Math.ceil(n / cols) - GAP < LEAST && b.w / (cols + 1) > 44) cols++;
    const rows = Math.max(1, Math.min(Math.ceil(n / cols), Math.floor((room + GAP) / (LEAST / 2))));
    const h = clamp((room - GAP * (rows - 1)) / rows, 6, fs * 4.6), w = (b.w - 12 - GAP * (cols - 1)) / cols, ringed = w > 90 && h >= 18;
    const size = Math.min(lane.handSize, 24), left = ringed ? fs * 1.9 : 4;
    Object.assign(b, { shared: true, calls: { rows, cols, w, h, ringed, left, y: b.y + head + strip, strip, fits: rows * cols,
      ...fit(Math.max(1, largest), w - left - 4, h - 8, size), small } });
    lane.cells.set(actor, { x: b.x, y: b.y, w: b.w, h: b.h, mx: b.x + b.w / 2, my: b.y + b.h / 2, actor, b });
    b.spot = (k) => {
      const { calls: c } = b, call = k.call && lane.t >= k.wf ? k.call : null;
      if (!call) { const { s, per, holds } = c.small, i = Math.min(k.gather ?? 0, Math.max(0, holds - 1)); return [b.x + 10 + ((i % per) + 0.5) * s * 1.25, b.y + head + (Math.floor(i / per) + 0.5) * s * 1.25]; }
      const [x, y] = cellOf(b, call), i = Math.min(call.tokens.indexOf(k), Math.max(0, c.holds - 1)), step = c.s * 1.25, high = Math.ceil(Math.min(call.tokens.length, c.holds) / c.per);
      return [x + c.left + ((i % c.per) + 0.5) * step, y + (c.h - 6 - high * step) / 2 + (Math.floor(i / c.per) + 0.5) * step];
    };
  },

  ground(g, b, lane, v) {
    const { col, t } = v, { run } = lane, fs = b.fs, { list, most } = executionsOf(run, b.place), now = list.filter((c) => c.from <= t && t < c.to).length;
    const [actor] = lane.actorsAt(b.place), id = `${lane.i}a${actor}`, on = v.focus === id || v.hover?.id === id, label = run.places[b.place].label;
    box(g, b.x, b.y, b.w, b.h, 10, { fill: col.well, stroke: on ? col.ink : col.edge, line: on ? 1.8 : 1.3 });
    v.hits.push({ x: b.x, y: b.y, w: b.w, h: b.h, id, touch: { actor, lane: lane.i, at: b }, pick: { actor, lane: lane.i } });
    const y = b.y + (b.low ? fs * 0.95 : b.head / 2 + 2), short = label.replace(/^Function /, ""), beside = (size) => b.w - 34 - width(g, short, size, 650);
    const later = run.count("retrying", t, b.place), calls = plural(now, "call");
    const words = (later ? [`${calls}, ${later} wait for another try`, `${calls}, ${later} wait`, `${later} wait`] : [now === 1 ? calls : `${calls} at the same time`, calls]).find((s) => width(g, s, fs, 600) <= Math.min(b.w * (later ? 1 : 0.5), beside(fs + 0.5)))
      ?? fitting(g, [`${now}`, ""], beside(8.5), fs, 600);
    const room = b.w - 30 - text(g, words, b.x + b.w - 11, y, { size: fs, weight: now ? 600 : 400, color: now ? col.hand : col.soft, align: "right" });
    text(g, fitting(g, [label, short], room, fs + 0.5, 650), b.x + 11, y, { size: fs + 0.5, weight: 650, color: col.ink, max: room, least: 8.5 });
    for (let i = 0; i < Math.min(most, b.calls.fits); i++) { const [x, top] = cellOf(b, { slot: i });
      box(g, x, top, b.calls.w, b.calls.h, 6, { stroke: alpha(col.edge, 0.5), line: 1, dash: [2, 4] }); }
  },

  paint(g, b, lane, v) {
    const { col, t } = v, c = b.calls, { run } = lane, calls = new Map(), [actor] = lane.actorsAt(b.place), { list } = executionsOf(run, b.place);
    const gathered = [...(lane.here.get(b.place) ?? [])];
    for (const m of lane.marksIn(b.place)) if (m.k.call && t >= m.k.wf) calls.set(m.k.call, [...(calls.get(m.k.call) ?? []), m]); else gathered.push(m);
    const inside = gathered.filter((m) => (m.k.gather ?? 0) < c.small.holds), outside = gathered.length - inside.length;
    for (const m of inside) one(g, b, lane, v, m, c.small.s, actor);
    const late = gathered.some((m) => m.k.state === "retrying"), n = brief(gathered.length),
      said = late ? [`${n} wait for another try`, `${n} wait`] : [`${n} gathered`];   // events that failed wait; messages are gathered for a call
    if (outside) text(g, fitting(g, [`${said[0]}, ${brief(outside)} not drawn`, ...said, n], b.w - 20, b.fs - 1, 650), b.x + 10, c.y - Math.min(b.fs * 0.75, c.strip / 2),
      { size: b.fs - 1, weight: 650, color: late ? col.again : col.hand, max: b.w - 20, least: 8 });
    if (v.aggregate) { share(g, b, list, v); return; }
    let unseen = 0;
    for (const [call, marks] of calls) {
      if (call.slot >= c.fits) { unseen += 1; continue; }
      const [x, y] = cellOf(b, call), [first] = marks, flat = c.h < 14, again = marks.some((m) => m.again), hue = again ? col.again : col.hand;
      box(g, x, y, c.w, c.h, 6, { fill: flat && marks.length === 1 ? hue : col.card, stroke: first.hollow ? col.again : col.edge, line: 1.2 });
      if (c.ringed && first.ring !== null) ring(g, x + b.fs * 0.95, y + (c.h - 6) / 2, Math.min(8, c.h * 0.3), first.ring, hue, alpha(hue, 0.2), 2.6);
      else if (c.ringed) circle(g, x + b.fs * 0.95, y + (c.h - 6) / 2, Math.min(8, c.h * 0.3), { stroke: col.pale, line: 1.4, dash: [2.5, 3.5] });
      if (first.bar !== null && !flat) bar(g, x + 5, y + c.h - 6, c.w - 10, 3.5, first.bar, first.hollow ? col.pale : col.done, alpha(col.edge, 0.22));
      if (marks.length <= c.holds) for (const m of marks) one(g, b, lane, v, m, c.s, actor);
      else if (!flat || marks.length > 1) text(g, `${marks.length}`, x + c.w / 2, y + (c.h - 6) / 2, { size: Math.min(b.fs, c.h - 8), weight: 650, color: hue, align: "center" });   // more than it has room for
    }
    if (unseen) text(g, `${plural(unseen, "call")} more`, b.x + b.w - 11, b.y + b.h - 9, { size: b.fs - 1, weight: 650, color: col.hand, align: "right" });
  },
};

/** The corner of a call's cell. */
export function cellOf(b, { slot }) {
  const { calls: c } = b, i = Math.min(slot, c.fits - 1);
  return [b.x + 6 + Math.floor(i / c.rows) * (c.w + GAP), c.y + (i % c.rows) * (c.h + GAP)];
}

function one(g, b, lane, v, m, s, actor) {
  const { col } = v, [x, y] = b.spot(m.k), color = m.hollow ? col.vain : lane.hue(m, col, m.again || m.holder < 0 ? col.again : col.hand);
  g.globalAlpha = v.lit(m) ? 1 : 0.3;
  mark(g, x, y, s, { shape: m.sign, color, hollow: m.hollow, ground: col.card, n: s >= NUMBERED ? m.m + 1 : null, ink: col.onmark });
  v.halo(g, m, x, y, s * 0.5 + 3);
  g.globalAlpha = 1;
  v.hits.push({ x, y, r: Math.max(4, s * 0.6), id: `${lane.i}${m.holder < 0 ? "" : `h${actor}`}m${m.m}`,
    touch: { message: m.m, lane: lane.i, actor, at: b }, pick: { m: m.m, lane: lane.i } });
}

/** Calls too short to see: for each cell the share of the last while in which a call ran there. */
function share(g, b, list, v) {
  const from = Math.max(0, v.t - Math.max(1, v.speed)), by = [];
  for (const { slot, from: a, to } of list) if (a < v.t && to > from) by[slot] = (by[slot] ?? 0) + Math.min(to, v.t) - Math.max(a, from);
  by.slice(0, b.calls.fits).forEach((s, slot) => { const [x, y] = cellOf(b, { slot });
    const high = Math.min(8, b.calls.h);
    bar(g, x + 6, y + (b.calls.h - high) / 2, b.calls.w - 12, high, s / Math.max(0.001, v.t - from), v.col.hand, alpha(v.col.edge, 0.25)); });
}
