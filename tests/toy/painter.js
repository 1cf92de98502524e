// A painter that a scenario brings along: a place of the role "tray" shows what waits in it as a row of marks.

export default function toy({ box, mark, text }) {
  const tray = {
    place(b) { b.spot = (k) => [b.x + 14 + (k.slot ?? 0) * 18, b.y + b.h / 2]; },
    ground(g, b, lane, v) {
      box(g, b.x, b.y, b.w, b.h, 4, { fill: v.col.tray, stroke: v.col.edge });
      text(g, lane.run.places[b.place].label, b.x + 8, b.y + 12, { color: v.col.ink });
    },
    paint(g, b, lane, v) {
      for (const m of lane.marksIn(b.place)) {
        const [x, y] = b.spot(m.k);
        mark(g, x, y, 14, { color: lane.hue(m, v.col) });
        v.hits.push({ x, y, r: 9, id: `${lane.i}m${m.m}`, pick: { m: m.m, lane: lane.i } });
      }
    },
  };
  return { roles: { tray } };
}
