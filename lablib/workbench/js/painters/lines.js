// A FIFO queue: one line a group. The head is at the right. While one of the group is in a hand, the line is locked.
import { box, fitting, lock, mark, socket, text } from "../glyph.js";
import { NUMBERED, alpha } from "../theme.js";
import { heapGround } from "./bag.js";

const MOST = 24;                                        // more groups than this share one bag

export const lines = {
  /** Does this place keep lines that can be told apart? */
  suits: (run, place) => Boolean(run.groups && run.groups.count <= MOST && !run.crowded.has(place) && run.list.some((k) => k.place === place && run.group(k.m) >= 0)),
  place(b, lane) {
    const n = lane.run.groups.count, high = (b.h - b.head - 6) / n;
    b.line = (i) => b.y + b.head + high * (i + 0.5);
    b.high = high;
    b.size = Math.min(lane.size, b.w * 0.11);
    b.lock = Math.min(16, high * 0.82);
    const front = b.x + b.w - 22 - b.lock / 2 - b.size / 2;              // the first of a line stands beside the lock, in a narrow place too
    b.full = Math.min(b.x + Math.max(b.w * 0.3, b.fs * 4), front - b.size / 2 - 1); // no marks from here to the left: a name, and how many more
    b.spot = (k) => [front - (k.rank ?? 0) * b.size * 1.45, b.line(lane.run.group(k.m))];
  },
  ground(g, b, lane, v) {
    heapGround(g, b, lane, v);
    const { col } = v, locked = new Set(lane.marksIn(b.place).filter((m) => ["socket", "orphan"].includes(m.sign)).map((m) => lane.run.group(m.m)));
    lane.run.groups.names.forEach((name, i) => {
      const y = b.line(i), hue = col.groups[i % 12];
      box(g, b.x + 8, y - b.high / 2 + 1, b.w - 16, b.high - 2, 4, { fill: alpha(hue, 0.07) });
      const size = Math.min(b.fs - 1.5, b.high - 2), room = Math.max(b.full - b.x - 36, size * 1.7);
      const tall = b.high > 4 * size, above = tall ? size - b.high / 2 : 0, wide = tall ? b.w - 50 : room;     // above its marks, where there is room
      if (b.high > 8) text(g, fitting(g, [name, name.split("-").pop()], wide, size, 600), b.x + Math.min(14, b.w * 0.14), y + above, { size, color: hue, weight: 600, max: wide });
      lock(g, b.x + b.w - 20, y + 1, b.lock, locked.has(i) ? hue : alpha(col.edge, 0.75), !locked.has(i));
    });
  },
  paint(g, b, lane, v) {
    const ranks = new Map(), left = new Map(), { col } = v, s = b.size;
    const here = [...lane.marksIn(b.place)].sort((x, y) => x.m - y.m);
    for (const m of here) {
      const group = lane.run.group(m.m), hue = col.groups[group % 12], rank = ranks.get(group) ?? 0;
      ranks.set(group, rank + 1);
      m.k.rank = rank;
      const [x, y] = b.spot(m.k);
      if (x - s / 2 - 1 < b.full) { left.set(group, (left.get(group) ?? 0) + 1); continue; }
      g.globalAlpha = v.lit(m) ? 1 : 0.25;
      if (m.sign === "socket") socket(g, x, y, s, hue, 1.6);
      else if (m.sign === "orphan") { socket(g, x, y, s, col.again, 1.8);
        if (s >= NUMBERED) text(g, `${Math.ceil(m.left ?? 0)}`, x, y, { size: s * 0.42, weight: 700, color: col.again, align: "center" });
        else if (here.filter((o) => lane.run.group(o.m) === group).at(-1) === m) text(g, `${Math.ceil(m.left ?? 0)} s`, x - s, y, { size: b.fs - 2, weight: 700, color: col.again, align: "right" }); }
      else mark(g, x, y, s, { color: hue, shape: m.sign });
      v.halo(g, m, x, y, s / 2 + 3);
      g.globalAlpha = 1;
      v.hits.push({ x, y, r: Math.max(8, s * 0.6), id: `${lane.i}m${m.m}`, pick: { m: m.m, lane: lane.i } });
    }
    for (const [group, n] of left) text(g, `+${n}`, b.full, b.line(group), { size: Math.min(b.fs - 1.5, b.high - 2), weight: 700,
      color: col.groups[group % 12], align: "right" });
  },
};
