// A queue that keeps no order: a bag. One slot a message, kept from its first moment to its last; a hole is filled again. A
// hidden message leaves a dashed socket; if nobody works on it, the socket has a ring: the seconds until it is visible.
import { box, fitting, mark, numbered, ring, socket, text, width } from "../glyph.js";
import { NUMBERED, alpha, brief, cap } from "../theme.js";

/** The box of a heap with its name and amounts; shared with lines. Returns nothing. */
export function heapGround(g, b, lane, v) {
  const { col, t } = v, { run } = lane, id = `${lane.i}q${b.place}`, on = v.focus === id || v.hover?.id === id;
  box(g, b.x, b.y, b.w, b.h, 12, { fill: col.tray, stroke: on ? col.ink : col.edge, line: on ? 1.8 : 1.4 });
  v.hits.push({ x: b.x, y: b.y, w: b.w, h: b.low ? b.h : b.head, id, pick: { place: b.place, lane: lane.i } });
  const dead = b.role === "dead-letter", waiting = run.count("waiting", t, b.place), hidden = run.count("hidden", t, b.place);
  const delayed = run.count("delayed", t, b.place), hue = dead ? (waiting ? col.again : col.soft) : waiting ? col.waiting : col.soft;
  const forms = [[`${brief(waiting)} ${dead ? "dead" : "waiting"}`, hidden ? `${brief(hidden)} hidden` : "",
    delayed ? `${brief(delayed)} delayed` : ""].filter(Boolean).join(" · "),
    `${brief(waiting)} ${dead ? "dead" : "waiting"}`, brief(waiting)];
  const label = run.places[b.place].label, bold = { weight: 650, color: col.ink },
    down = run.places[b.place].parts ? run.serversDown(b.place, t) : null;
  const short = dead ? "Dead letters" : cap(label.replace(/^(Queue|Topic) /, "")), bare = dead ? "Dead" : cap(short.replace(/\.fifo$/, "").replace(/^\S+'s? /, ""));
  b.free = b.x + 6;                                    // marks begin to the right of it
  if (b.low && b.h < b.fs * 2.9) {
    b.free = b.x + b.fs * 7;
    const w = text(g, fitting(g, [short, bare], Math.min(b.fs * 6, b.w - 40), b.fs, 650), b.x + 9, b.y + b.h / 2, { size: b.fs, ...bold, max: Math.min(b.fs * 6, b.w - 40), least: 8 });
    const wide = width(g, brief(waiting), b.fs, 600), narrow = b.w < b.fs * 10.5,   // there the number stands close to the name, and marks behind it
      at = Math.min(b.x + b.w - 6 - wide, b.x + 9 + Math.max(w + 8, narrow ? 0 : b.fs * 5.4));
    if (w < b.fs * 5.6) text(g, brief(waiting), at, b.y + b.h / 2, { size: b.fs, weight: 600, color: hue });
    if (narrow) b.free = Math.min(b.free, at + wide + 5);
    return;
  }
  if (b.low) {
    const most = Math.min(b.fs * 7.4, b.w - 18);
    const wide = [text(g, fitting(g, [label, short, bare], most, b.fs, 650), b.x + 10, b.y + b.h / 2 - b.fs * 0.62, { size: b.fs, ...bold, max: most, least: 8.5 }),
      text(g, fitting(g, forms, most, b.fs - 1, 600), b.x + 10, b.y + b.h / 2 + b.fs * 0.7, { size: b.fs - 1, weight: 600, color: hue })];
    b.free = b.x + 14 + Math.max(...wide);
    return;
  }
  const pad = b.w < b.fs * 10 ? 7 : 13, most = Math.max(b.w * 0.6, b.w - 2 * pad - 8 - width(g, forms.at(-1), b.fs, 600)), title = fitting(g, [label, short, bare], b.w * 0.6, b.fs + 1, 650);
  const w = text(g, title, b.x + pad, b.y + b.head / 2 + 3, { size: b.fs + 1, ...bold, max: most, least: 8 });
  const first = fitting(g, forms, b.w - w - 2 * pad - 6, b.fs, 600);
  text(g, first, b.x + b.w - pad, b.y + b.head / 2 + 3, { size: b.fs, weight: 600, color: hue, align: "right" });
  if (down) servers(g, b, run.places[b.place].parts, down, col);
}

/** The servers of a queue, a small box each at the foot: orange and open while one is away. */
function servers(g, b, n, down, col) {
  if (!down.size) return;
  const size = b.fs - 1.5, forms = [`${down.size} of ${n} servers away`, `${down.size} of ${n} away`, `${down.size} away`, `${down.size}`];
  const step = Math.max(4, Math.min(12, (b.w - 30 - width(g, forms[2], size, 600)) / n)), x0 = b.x + 17 + n * step, room = b.x + b.w - 13 - x0;
  for (let i = 0; i < n; i++) {
    const away = down.has(i), x = b.x + 13 + i * step;
    box(g, x, b.y + b.h - 14, step - 3, 7, 2, { fill: away ? null : col.edge, stroke: away ? col.again : null, dash: away ? [2, 2] : null, line: 1.4 });
  }
  text(g, fitting(g, forms, room, size, 600), x0, b.y + b.h - 10, { size, color: col.again, weight: 600, max: Math.max(8, room) });
}

export const bag = {
  place(b, lane) {
    const pitch = lane.pitch, head = b.low ? 0 : b.head, count = Math.max(1, Math.floor((b.h - head - (b.low ? 8 : 10)) / pitch));
    const y0 = b.y + head + (b.h - head - count * pitch) / 2 + pitch / 2 - (b.low ? 0 : 2);
    b.spot = (k) => [b.x + b.w - 12 - pitch / 2 - Math.floor((k.slot ?? 0) / count) * pitch, y0 + ((k.slot ?? 0) % count) * pitch];
  },
  ground: heapGround,
  paint(g, b, lane, v) {
    const waiting = lane.run.count("waiting", v.t, b.place);
    if (lane.blocks && b.role !== "dead-letter") return blocks(g, b, lane, v, waiting);
    const here = lane.marksIn(b.place);
    for (const m of here) one(g, b, lane, v, m);
    if (!here.length && !b.low) text(g, "empty", b.x + b.w / 2, b.y + b.head + (b.h - b.head) / 2,
      { size: b.fs, color: v.col.soft, align: "center", italic: true });
    return undefined;
  },
};

function one(g, b, lane, v, m) {
  const { col } = v, s = Math.min(lane.size, b.h - 8), [x, y] = b.spot(m.k), id = `${lane.i}m${m.m}`,
    hit = { x, y, r: Math.max(8, s * 0.55), id, pick: { m: m.m, lane: lane.i } };
  if ((b.low ? x - s / 2 : x) < b.free) return;         // more than the box holds: the number beside its name tells
  g.globalAlpha = v.lit(m) ? 1 : 0.22;
  if (m.sign === "socket") {
    socket(g, x, y, s, lane.hue(m, col, col.edge));
    if (s >= NUMBERED && numbered(s, m.m + 1)) text(g, String(m.m + 1), x, y + 0.5,
      { size: s * (m.m > 98 ? 0.34 : 0.42), color: col.soft, align: "center" });
  } else if (m.sign === "orphan") {
    const thick = Math.max(1.4, s * 0.13), r = Math.min(s * (s >= 15 ? 0.72 : 0.68), (lane.pitch - thick - 1) / 2), inner = Math.min(s, 2 * (r - thick - 0.6));   // no ring over the next one
    if (inner >= 5) socket(g, x, y, inner, col.again, Math.min(1.8, inner * 0.14));
    ring(g, x, y, r, m.ring ?? 0, col.again, alpha(col.again, 0.2), thick);
    if (s >= NUMBERED) text(g, `${Math.ceil(m.left ?? 0)}`, x, y + 1, { size: s * 0.42, weight: 700, color: col.again, align: "center" });
    Object.assign(hit, { r: r + 3, touch: { message: m.m, lane: lane.i, ring: { x, y, r, mark: m } } });
  } else {
    const age = v.since(m.k.t0), grown = v.reduced || age > 0.22 || age < 0 ? 1 : 0.5 + 0.5 * (age / 0.22);
    const color = m.hollow ? col.vain : lane.hue(m, col, m.k.state === "delayed" ? col.soft : m.again ? col.again : col.waiting);
    mark(g, x, y, s * grown, { shape: m.sign, color, hollow: m.hollow || m.k.state === "delayed", ground: col.tray,
      n: s >= NUMBERED ? m.m + 1 : null, ink: col.onmark });
  }
  v.halo(g, m, x, y, s * 0.5 + 4);
  g.globalAlpha = 1;
  v.hits.push(hit);
}

const stamps = new Map();                               // one block of 100, painted once for a size and a colour

function stamp(u, color, page) {
  const key = `${u}${color}${page}`;
  if (stamps.has(key) || typeof document === "undefined") return stamps.get(key);
  const c = document.createElement("canvas"), side = u * 10, ratio = 2;
  c.width = c.height = Math.round(side * ratio);
  const g = c.getContext("2d"); g.scale(ratio, ratio);
  box(g, 0, 0, side, side, 2.5, { fill: color });
  g.strokeStyle = alpha(page, 0.5); g.lineWidth = 0.7; g.beginPath();
  for (let k = 1; k < 10; k++) { g.moveTo(k * u, 0); g.lineTo(k * u, side); g.moveTo(0, k * u); g.lineTo(side, k * u); }
  g.stroke();
  stamps.set(key, c);
  return c;
}

/** Blocks in the box of a place, `u` for each mark: their side, the gap between them, how many stand one below the other, where the servers stand. */
function blocksIn(b, place, u) {
  const side = u * 10, gap = Math.max(2, u * 1.3), foot = place.parts ? 16 : 0;
  return { side, gap, foot, count: Math.max(1, Math.floor((b.h - b.head - 20 - foot + gap) / (side + gap))) };
}

/** How wide a box must be for so many marks in blocks. */
export function blocksWide(b, place, u, most) {
  const { side, gap, count } = blocksIn(b, place, u);
  return Math.ceil((Math.floor(most / 100) + 1) / count) * (side + gap) + 22;
}

/** Amounts, not individuals: blocks of 100 marks, the last one counted out mark by mark. */
function blocks(g, b, lane, v, n) {
  const { col } = v, u = lane.unit, { side, gap, foot, count } = blocksIn(b, lane.run.places[b.place], u);
  const full = Math.floor(n / 100), rest = n % 100, y0 = b.y + b.head + 4;
  const at = (i) => [b.x + b.w - 14 - side - Math.floor(i / count) * (side + gap), y0 + (i % count) * (side + gap)];
  const made = stamp(u, col.waiting, col.page);
  for (let i = 0; i < full; i++) { const [x, y] = at(i); if (made) g.drawImage(made, x, y, side, side);
    else box(g, x, y, side, side, 2.5, { fill: col.waiting }); }
  const [x, y] = at(full);
  g.fillStyle = col.waiting;
  for (let k = 0; k < rest; k++) g.fillRect(x + side - u * (1 + Math.floor(k / 10)), y + (k % 10) * u, u * 0.8, u * 0.8);
  box(g, x - 0.5, y - 0.5, side + 1, side + 1, 2.5, { stroke: alpha(col.edge, 0.8), line: 1, dash: [2, 2] });
  const forms = n >= 100 ? [`${full} block${full > 1 ? "s" : ""} of 100, and ${rest}`, `${full} × 100, and ${rest}`] : ["a full block is 100", "block: 100"], room = (b.w - 24) * 0.96;   // slanted words are a little wider
  text(g, fitting(g, forms, room, b.fs - 1), b.x + 13, b.y + b.h - 11 - foot, { size: b.fs - 1, color: col.soft, italic: true, max: room, least: 8 });
}
