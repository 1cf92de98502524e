// A prefix of a bucket, with the objects that a buffer wrote: a crate each, as large as its bytes, with the cause in its corner (which of the
// two limits was reached). Many small crates are the small-files problem. Objects come with the lens: {place: [[t, records, bytes, why], ...]}.
import { box, circle, fitting, mark, ring, text, width } from "../glyph.js";
import { alpha, brief, plural, span } from "../theme.js";
import { bytesOf, causeColor } from "./buffer.js";

const objectsOf = (run, place) => run.lens?.objects?.[run.places[place].id] ?? [];
/** The sizes of some objects, in words: "6 kB to 1 MiB". */
const fromTo = (all) => [...new Set([Math.min(...all.map((o) => o[2])), Math.max(...all.map((o) => o[2]))].map(bytesOf))].join(" to ");
const largest = (run) => run.once("largest object", () => Math.max(1, ...Object.values(run.lens?.objects ?? {}).flat().map((o) => o[2])));

export const shelf = {
  place(b, lane) {
    const n = Math.max(4, objectsOf(lane.run, b.place).length), w = b.w - 20, h = Math.max(10, b.h - b.head - b.fs * 0.6);
    let p = Math.min(92, h);
    while (p > 11 && Math.floor(w / p) * Math.floor(h / p) < n) p -= 1;
    Object.assign(b, { cell: p, across: Math.max(1, Math.floor(w / p)), down: Math.max(1, Math.floor(h / p)) });
    b.spot = () => [b.x + b.w / 2, b.y + b.h / 2];
  },
  paint(g, b, lane, v) {
    const { col, t } = v, { run } = lane, all = objectsOf(run, b.place).filter((o) => o[0] <= t), id = `${lane.i}q${b.place}`;
    const on = v.focus === id || v.hover?.id === id, broken = run.places[b.place].id === "errors";
    box(g, b.x, b.y, b.w, b.h, 10, { fill: col.card, stroke: on ? col.ink : col.edge, line: 1.4 });
    v.hits.push({ x: b.x, y: b.y, w: b.w, h: b.h, id, pick: { place: b.place, lane: lane.i } });
    const title = run.places[b.place].label, room = b.w - 30 - width(g, title, b.fs, 650);
    text(g, title, b.x + 11, b.y + b.head / 2 + 1, { size: b.fs, weight: 650, color: col.ink, max: b.w - 20, least: 8.5 });
    const forms = all.length ? [`${plural(all.length, "object")}, ${fromTo(all)}`, plural(all.length, "object"), brief(all.length), ""] : ["empty", "0", ""];
    text(g, fitting(g, forms, room, b.fs - 1),
      b.x + b.w - 11, b.y + b.head / 2 + 1, { size: b.fs - 1, color: broken && all.length ? col.again : col.soft, align: "right" });
    const most = b.across * b.down, first = Math.max(0, all.length - most);
    all.slice(first).forEach((o, i) => crate(g, b, o, i, run, v, broken));
  },
  about(run, place, t) {
    const all = objectsOf(run, place).filter((o) => o[0] <= t), n = all.reduce((sum, o) => sum + o[1], 0);
    return all.length ? [`${plural(all.length, "object")} with ${plural(n, run.unit)}.`, `${fromTo(all)} each. The last came ${span(t - all.at(-1)[0])} ago.`] : ["Empty so far."];
  },
};

function crate(g, b, [at, n, bytes, why], i, run, v, broken) {
  const { col } = v, p = b.cell, s = Math.max(7, (p - 8) * Math.sqrt(bytes / largest(run))), age = v.since(at);
  const left = v.reduced || age < 0 || age > 0.7 ? 0 : (1 - age / 0.7) ** 2;   // of its way from the pipe, on the screen's clock
  const towards = (from, to) => to + (from - to) * left;
  const x = towards(b.x + s / 2 + 2, b.x + 10 + ((i % b.across) + 0.5) * p);
  const y = towards(Math.max(b.y + b.h / 2, b.y + b.head + s / 2), b.y + b.head + (Math.floor(i / b.across) + 0.5) * p + (p - 8 - s) / 2);
  const color = broken ? col.again : causeColor(why === "size" ? why : "time", col);
  box(g, x - s / 2, y - s / 2, s, s, Math.min(5, s / 6), { fill: alpha(color, 0.2), stroke: color, line: s > 20 ? 1.7 : 1.2 });
  if (s > 18) text(g, brief(n), x, y + 1, { size: Math.min(b.fs, s * 0.36), weight: 650, color: col.ink, align: "center" });
  if (broken && s <= 18) mark(g, x, y, s * 0.7, { shape: "cross", color });
  if (s <= 30) return;
  const cx = x + s / 2 - 2, cy = y - s / 2 + 2;
  if (broken) mark(g, cx, cy, 10, { shape: "cross", color });
  else if (why === "size") { box(g, cx - 5, cy - 5, 10, 10, 2, { fill: col.card, stroke: color, line: 1.5 }); box(g, cx - 3, cy - 3, 6, 6, 1, { fill: color }); }
  else { circle(g, cx, cy, 6.5, { fill: col.card }); ring(g, cx, cy, 4.6, 0.7, color, alpha(color, 0.3), 2.4); }
}
