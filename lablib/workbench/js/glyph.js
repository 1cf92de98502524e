// The signs. Each is a function on a canvas; none knows a service. Shape = state, hue = key or state, ring = a clock that runs
// out, bar = work done, dashed = not really there, hatch = takes nothing new, cross = dead.
import { FONT, alpha, clamp } from "./theme.js";

const font = (size, weight, italic) => `${italic ? "italic " : ""}${weight} ${size}px ${FONT}`;

// Widths of words by font: frame by frame they are the same, and to measure them was a fifth of the work of a frame.
const widths = new Map();

export function width(g, s, size = 13, weight = 400, italic = false) {
  const as = font(size, weight, italic), key = `${as} ${s}`;
  if (!widths.has(key)) {
    if (widths.size >= 5000) widths.clear();
    g.font = as;
    widths.set(key, g.measureText(s).width);
  }
  return widths.get(key);
}

/** Words; those that do not fit in `max` get smaller, down to `least`, and are cut then. `color`, `align`, `size` as on a canvas. Returns their width. */
export function text(g, s, x, y, { size = 13, weight = 400, color = "#000", align = "left", max = 0, least = size, italic = false } = {}) {
  const wide = (words) => width(g, words, size, weight, italic);
  while (max > 0 && size > least && wide(s) > max) size = Math.max(least, size - 0.5);   // step by step: letters do not shrink evenly
  if (max && wide(s) > max) {
    let k = s.length;
    while (k > 1 && wide(`${s.slice(0, k)}…`) > max) k--;
    s = `${s.slice(0, k).trimEnd()}…`;
  }
  g.font = font(size, weight, italic); g.fillStyle = color; g.textAlign = align; g.textBaseline = "middle";
  g.fillText(s, x, y);
  return wide(s);
}

/** The first of several forms, longest first, that fits; the last one when none does. */
export const fitting = (g, forms, max, size, weight) => forms.find((s) => width(g, s, size, weight) <= max) ?? forms.at(-1);

/** The name of a lane: what is different in its run, as much of it as there is room for. */
export function laneName(g, { label, strong }, x, y, size, max, col) {
  const parts = label.replace(/, and \d+ more$/, "").split(/(?=, |; )/), all = parts.length + Number(/, and (\d+) more$/.exec(label)?.[1] ?? 0);
  const forms = [label, ...parts.map((_, i) => `${parts.slice(0, i + 1).join("")}, and ${all - i - 1} more`).slice(0, -1).reverse()];
  text(g, fitting(g, forms, max, size, 680), x, y, { size, weight: 680, color: strong ? col.ink : col.soft, max, least: size - 4 });
}

export function box(g, x, y, w, h, r, { fill, stroke, line = 1.25, dash } = {}) {
  g.beginPath(); g.roundRect(x, y, Math.max(0, w), Math.max(0, h), typeof r === "number" ? Math.max(0, r) : r);
  if (fill) { g.fillStyle = fill; g.fill(); }
  if (stroke) { g.strokeStyle = stroke; g.lineWidth = line; g.setLineDash(dash || []); g.stroke(); g.setLineDash([]); }
}

export function circle(g, x, y, r, { fill, stroke, line = 1.25, dash } = {}) {
  g.beginPath(); g.arc(x, y, r, 0, 7);
  if (fill) { g.fillStyle = fill; g.fill(); }
  if (stroke) { g.strokeStyle = stroke; g.lineWidth = line; g.setLineDash(dash || []); g.stroke(); g.setLineDash([]); }
}

export function hatch(g, x, y, w, h, r, color, gap = 7) {
  g.save(); g.beginPath(); g.roundRect(x, y, w, h, r); g.clip();
  g.strokeStyle = color; g.lineWidth = 1.3; g.beginPath();
  for (let i = -h; i < w; i += gap) { g.moveTo(x + i, y + h); g.lineTo(x + i + h, y); }
  g.stroke(); g.restore();
}

function outline(g, x, y, s, shape) {
  g.beginPath();
  if (shape === "square") { const a = s * 0.44; g.roundRect(x - a, y - a, 2 * a, 2 * a, s * 0.16); }
  else if (shape === "diamond") { const a = s * 0.6; g.moveTo(x, y - a); g.lineTo(x + a, y); g.lineTo(x, y + a); g.lineTo(x - a, y); g.closePath(); }
  else if (shape === "cross") { const a = s * 0.36; g.moveTo(x - a, y - a); g.lineTo(x + a, y + a); g.moveTo(x + a, y - a); g.lineTo(x - a, y + a); }
  else g.arc(x, y, s / 2, 0, 7);
}

/** A mark: one message in one place or hand. shape: dot waits, square is held, diamond comes again, cross is dead; `n`: its number. */
export function mark(g, x, y, s, { shape = "dot", color, hollow = false, ground = null, n = null, ink = "#fff" } = {}) {
  outline(g, x, y, s, shape);
  if (shape === "cross") { g.strokeStyle = color; g.lineWidth = Math.max(1.6, s * 0.17); g.lineCap = "round"; g.stroke(); g.lineCap = "butt"; return;
    }
  if (hollow) {
    if (ground) { g.fillStyle = ground; g.fill(); }
    g.strokeStyle = color; g.lineWidth = Math.max(1.4, s * 0.09); g.stroke();
  } else { g.fillStyle = color; g.fill(); }
  if (n === null || !numbered(s, n)) return;
  text(g, String(n), x, y + s * 0.03, { size: Math.round(s * (n > 99 ? 0.36 : 0.46)), weight: 700, color: hollow ? color : ink, align: "center" });
}

/** Has a mark of this size room for this number? */
export const numbered = (s, n) => s >= (n > 999 ? Infinity : n > 99 ? 22 : 15);

export const socket = (g, x, y, s, color, line = 1.3) => circle(g, x, y, s / 2, { stroke: color, line, dash: [s * 0.14, s * 0.14] });

/** A ring: a clock that runs out. share goes from 1 to 0, clockwise from twelve. */
export function ring(g, x, y, r, share, color, track, line = 3) {
  if (track) circle(g, x, y, r, { stroke: track, line });
  share = clamp(share, 0, 1);
  if (!share) return;
  g.beginPath(); g.arc(x, y, r, -Math.PI / 2 + (1 - share) * 2 * Math.PI, 1.5 * Math.PI);
  g.lineWidth = line; g.strokeStyle = color; g.lineCap = "round"; g.stroke(); g.lineCap = "butt";
}

export function bar(g, x, y, w, h, share, color, track) {
  if (track) box(g, x, y, w, h, h / 2, { fill: track });
  if (share > 0) box(g, x, y, Math.max(h, w * clamp(share, 0, 1)), h, h / 2, { fill: color });
}

export function lock(g, x, y, s, color, open = false) {
  const d = open ? s * 0.22 : 0;
  g.strokeStyle = color; g.lineWidth = s * 0.16; g.lineCap = "round";
  g.beginPath(); g.arc(x + d, y - s * 0.14, s * 0.25, Math.PI, open ? 1.85 * Math.PI : 2 * Math.PI);
  if (!open) { g.moveTo(x + s * 0.25, y - s * 0.14); g.lineTo(x + s * 0.25, y); }
  g.moveTo(x - s * 0.25 + d, y - s * 0.14); g.lineTo(x - s * 0.25 + d, y); g.stroke(); g.lineCap = "butt";
  box(g, x - s * 0.4, y - s * 0.02, s * 0.8, s * 0.58, s * 0.1, { fill: color });
}

// ---- pipes: cubic curves between ports ----

export const curve = (x0, y0, x1, y1, bend = 0.5) =>
  ({ x0, y0, x1: x0 + (x1 - x0) * bend, y1: y0, x2: x1 - (x1 - x0) * bend, y2: y1, x3: x1, y3: y1 });

export function along(c, u) {
  const v = 1 - u, a = v * v * v, b = 3 * v * v * u, d = 3 * v * u * u, e = u * u * u;
  return [a * c.x0 + b * c.x1 + d * c.x2 + e * c.x3, a * c.y0 + b * c.y1 + d * c.y2 + e * c.y3];
}

const trace = (g, c) => { g.beginPath(); g.moveTo(c.x0, c.y0); g.bezierCurveTo(c.x1, c.y1, c.x2, c.y2, c.x3, c.y3); };

/**
 * A pipe of width `w` (its capacity). `fill` (0..1): how much of its capacity is used. `load` (0..1): dots that move with `phase`, `loadColor` theirs.
 * `state`: "open", "broken" (dashed) or "throttled" (orange edge).
 */
export function pipe(g, c, w, col, { fill = 0, load = 0, loadColor = col.waiting, state = "open", phase = 0 } = {}) {
  const stroke = (color, line, dash = [], offset = 0) => {
    trace(g, c); g.strokeStyle = color; g.lineWidth = line; g.setLineDash(dash); g.lineDashOffset = offset; g.stroke();
    g.setLineDash([]); g.lineDashOffset = 0;
  };
  g.lineCap = "butt";
  if (state === "broken") return stroke(col.again, 1.8, [5, 5]);
  stroke(state === "throttled" ? col.again : col.edge, w);
  stroke(col.pipe, w - 2.4);
  if (fill > 0) stroke(loadColor, Math.max(1, (w - 2.4) * Math.min(1, fill)));
  if (load <= 0.01) return undefined;
  stroke(alpha(loadColor, 0.35), Math.max(2, (w - 2.4) * Math.min(1, load)));
  g.lineCap = "round"; stroke(loadColor, Math.max(2.4, (w - 4) * 0.6), [1, 13], -phase * 14); g.lineCap = "butt";
  return undefined;
}

/** The trace of an arrival: it spans the way at first, then its tail runs to the head. The mark itself is already there. */
export function streak(g, way, u, w, color) {
  const tail = 1 - (1 - u) ** 2.2, n = 26;
  let [px, py] = way(tail);
  g.lineCap = "round";
  for (let i = 1; i <= n; i++) {
    const k = i / n, [x, y] = way(tail + (1 - tail) * k);
    g.beginPath(); g.moveTo(px, py); g.lineTo(x, y);
    g.strokeStyle = alpha(color, (0.06 + 0.8 * k * k) * (1 - u * 0.55)); g.lineWidth = Math.max(1.2, w * (0.18 + 0.82 * k)); g.stroke();
    px = x; py = y;
  }
  g.lineCap = "butt";
}

/** A way made of points and curves: a function from the share of its length to a point. */
export function way(...parts) {
  const points = parts.flatMap((p) => (Array.isArray(p) ? [p] : Array.from({ length: 15 }, (_, i) => along(p, i / 14))));
  const length = [0];
  for (let i = 1; i < points.length; i++) length.push(length[i - 1] + Math.hypot(points[i][0] - points[i - 1][0], points[i][1] - points[i - 1][1]));
  return (u) => {
    const want = u * (length.at(-1) || 1);
    let i = 1;
    while (i < length.length - 1 && length[i] < want) i++;
    const k = (want - length[i - 1]) / (length[i] - length[i - 1] || 1), [ax, ay] = points[i - 1], [bx, by] = points[i];
    return [ax + (bx - ax) * k, ay + (by - ay) * k];
  };
}
