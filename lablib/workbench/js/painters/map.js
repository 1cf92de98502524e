// Lens: the map that the consumers draw. Each sender is a truck on a route of its own; it stands at the last position that was handled.
// A message handled after a later one of its sender is a jump back: a red kink that stays, from that one.
import { box, circle, fitting, text, width } from "../glyph.js";
import { alpha, plural } from "../theme.js";

const COLOURS = 12;

/** A route for each truck: a smooth loop, made of two waves; from a position's number to a point in [0, 1]². */
function route(i, n) {
  const phase = (i / n) * Math.PI * 2, r = 0.18 + 0.25 * ((i * 0.618) % 1);   // neighbours in the circle are far apart in size
  return (s) => {
    const a = phase + s * 0.17;
    return [0.5 + (r + 0.06 * Math.sin(3 * a + i)) * Math.cos(a), 0.5 + (r + 0.07 * Math.cos(2 * a + i * 2)) * Math.sin(a) * 0.95];
  };
}

/** What was handled when, in order: {t, m, truck, seq, from, newest, back}; `back`: after a later one of the same sender. */
export const handled = (run) => run.once("handled", () => {
  const last = new Map(), latest = new Map();
  return run.list.filter((k) => k.state === "held" && k.wu !== null && run.hue(k.m) >= 0).sort((a, b) => a.wu - b.wu).map((k) => {
    const truck = run.hue(k.m), seq = run.nth(k.m), from = last.get(truck) ?? seq, newest = latest.get(truck) ?? seq;
    last.set(truck, seq); latest.set(truck, Math.max(seq, newest));
    return { t: k.wu, m: k.m, truck, seq, from, newest, back: seq < newest, holder: k.holder };
  });
});

export const map = {
  wide: 0.31, most: 520, square: true,
  paint(g, b, lane, v) {
    const { col, t } = v, { run } = lane, n = Math.max(1, run.hues?.count ?? 1), fs = b.fs,
      routes = run.once("routes", () => Array.from({ length: n }, (_, i) => route(i, n)));
    box(g, b.x, b.y, b.w, b.h, 12, { fill: col.card, stroke: col.edge, line: 1.4 });
    g.save(); g.beginPath(); g.roundRect(b.x + 1, b.y + 1, b.w - 2, b.h - 2, 11); g.clip();
    g.strokeStyle = alpha(col.edge, 0.16); g.lineWidth = 1; g.beginPath();
    for (let x = b.x; x < b.x + b.w; x += 34) { g.moveTo(x, b.y); g.lineTo(x, b.y + b.h); }
    for (let y = b.y; y < b.y + b.h; y += 34) { g.moveTo(b.x, y); g.lineTo(b.x + b.w, y); }
    g.stroke();
    const point = (i, s) => { const [x, y] = routes[i](s); return [b.x + 12 + x * (b.w - 24), b.y + 14 + y * (b.h - 28)]; };
    const at = new Map();
    let jumps = 0;
    for (const d of handled(run)) { if (d.t > t) break; at.set(d.truck, d); jumps += d.back; }
    g.lineJoin = "round"; g.lineCap = "round";
    for (const [i, d] of at) {
      const from = Math.max(0, d.seq - 6), parts = Math.max(2, Math.ceil((d.seq - from) * 4));
      g.beginPath();
      for (let k = 0; k <= parts; k++) { const [x, y] = point(i, from + ((d.seq - from) * k) / parts); if (k) g.lineTo(x, y); else g.moveTo(x, y); }
      g.strokeStyle = alpha(col.groups[i % COLOURS], 0.32); g.lineWidth = 4; g.stroke();
    }
    for (const d of handled(run)) if (d.back && d.t <= t) kink(g, point(d.truck, d.newest), point(d.truck, d.seq), v, d);
    g.lineCap = "butt";
    for (const [i, d] of at) truck(g, point, i, d, v);
    g.restore();
    if (n > COLOURS && b.h > fs * 16) {
      const words = fitting(g, [`${n} trucks: ${COLOURS} colours come again`, `${n} trucks, ${COLOURS} colours`], b.w - 24, fs - 2);
      box(g, b.x + 8, b.y + b.h - 12 - fs * 0.6, width(g, words, fs - 2) + 8, fs * 1.2, 4, { fill: alpha(col.card, 0.88) });
      text(g, words, b.x + 12, b.y + b.h - 12, { size: fs - 2, color: col.soft });
    }
    const said = jumps ? `${plural(jumps, "jump")} back` : "no jump back", w = width(g, said, fs, 650), title = fitting(g, ["The map", ""], b.w - w - 32, fs + 1, 650);
    box(g, b.x + b.w - w - 17, b.y + 15 - fs * 0.65, w + 10, fs * 1.3, 4, { fill: alpha(col.card, 0.88) });
    if (title) text(g, title, b.x + 12, b.y + 15, { size: fs + 1, weight: 650, color: col.ink });
    text(g, said, b.x + b.w - 12, b.y + 15, { size: fs, weight: 650, color: jumps ? col.again : col.done, align: "right" });
  },
  curve(run) {
    const jumps = handled(run).filter((d) => d.back);
    return { label: "jumps back", color: "again", t: [0, ...jumps.map((d) => d.t)], y: [0, ...jumps.map((_, i) => i + 1)] };
  },
  events: (run) => handled(run).filter((d) => d.back).map((d) => ({ t: d.t, kind: "jump back", big: 1, lens: true, message: d.m, place: -1,
    actor: d.holder,
    text: `${run.hues.names[d.truck]} jumps back: position ${d.seq} is drawn after ${d.newest}.` })),
  say: (runs, t) => runs.map((run, i) => { const n = handled(run).filter((d) => d.back && d.t <= t).length;
    return `${runs.length > 1 ? `${"AB"[i]}: ` : ""}${n ? `${plural(n, "jump")} back` : runs.length > 1 ? "no jump back" : "No jump back: each truck's positions are drawn in order"}.`; }).join("  "),
  anchor: (e, lane) => (e.lens ? { x: lane.lensBox.x + lane.lensBox.w / 2, y: lane.lensBox.y + 34, r: 2 } : null),
};

function kink(g, [x0, y0], [x1, y1], v, d) {
  const { col } = v, dx = x1 - x0, dy = y1 - y0, length = Math.hypot(dx, dy) || 1, mx = (x0 + x1) / 2 - (dy / length) * 13,
    my = (y0 + y1) / 2 + (dx / length) * 13;
  const a = Math.atan2(y1 - my, x1 - mx), age = v.since(d.t);
  g.strokeStyle = col.again; g.lineWidth = 2.6; g.beginPath(); g.moveTo(x0, y0); g.quadraticCurveTo(mx, my, x1, y1);
  for (const turn of [-0.5, 0.5]) { g.moveTo(x1, y1); g.lineTo(x1 - 8 * Math.cos(a + turn), y1 - 8 * Math.sin(a + turn)); }
  g.stroke();
  if (age >= 0 && age < 0.9 && !v.reduced) circle(g, (x0 + x1) / 2, (y0 + y1) / 2, 10 + age * 26,
    { stroke: alpha(col.again, 0.7 * (1 - age / 0.9)), line: 2 });
  v.hits.push({ x: (x0 + x1) / 2, y: (y0 + y1) / 2, r: 12, id: `jump${d.m}${d.t}`, pick: { m: d.m, lane: v.lane } });
}

function truck(g, point, i, d, v) {
  const { col } = v, glide = v.reduced ? 1 : Math.max(0, Math.min(1, v.since(d.t) / 0.18));
  const [x, y] = point(i, d.back ? d.seq : d.from + (d.seq - d.from) * glide), [ax, ay] = point(i, d.seq + 0.4), hue = col.groups[i % COLOURS];
  g.save(); g.translate(x, y); g.rotate(Math.atan2(ay - y, ax - x));
  box(g, -9, -5.5, 13, 11, 2.5, { fill: hue, stroke: col.card, line: 1.4 });
  box(g, 4.5, -4.5, 6, 9, 2, { fill: hue, stroke: col.card, line: 1.2 });
  g.restore();
  v.hits.push({ x, y, r: 10, id: `${v.lane}truck${i}`, pick: { m: d.m, lane: v.lane } });
}
