// Where everything stands: columns along the links, rows where they branch, one size of mark for all lanes. Pure.
import { BLOCKS_ABOVE, SIZES, clamp } from "./theme.js";
import { blocksWide } from "./painters/bag.js";
import { lines } from "./painters/lines.js";
import { tapeScale } from "./painters/tape.js";

const CONTROL = "control";                             // the zone of what steers the others: a row above the flow
export const HANDS = new Set(["consumer", "server", "function"]);
export const HEAPS = new Set(["queue", "direct", "dead-letter"]);
export const TAPES = new Set(["shard", "buffer", "shelf"]);   // as wide as a heap, and no marks of the scene's size

/**
 * The columns of a run: lists of places, by the longest way to them. Links back are left out. In a column what lies in one `zone` stands together,
 * and `row` orders it; what stands at the `side` of another place, or steers, is in no column.
 */
export function columns({ places, links }) {
  const depth = new Map(), on = new Set();
  const forward = links.filter(([a, b]) => !places[b].side && !(HANDS.has(places[a].role) && HEAPS.has(places[b].role)));
  const of = (p) => {
    if (depth.has(p) || on.has(p)) return depth.get(p) ?? 0;
    on.add(p);
    depth.set(p, Math.max(0, ...forward.filter(([, to]) => to === p).map(([from]) => of(from) + 1)));
    on.delete(p);
    return depth.get(p);
  };
  places.forEach((place, p) => { if (!place.side && place.zone !== CONTROL) of(p); });
  const last = Math.max(0, ...[...depth].filter(([p]) => places[p].role !== "done").map(([, d]) => d)), found = [];
  for (const [p, d] of depth) (found[places[p].role === "done" ? last + 1 : d] ??= []).push(p);
  const kept = found.filter(Boolean);
  const zones = ["", ...new Set(places.map((place) => place.zone ?? ""))], zone = (p) => zones.indexOf(places[p].zone ?? "");
  for (const column of kept) column.sort((a, b) => zone(a) - zone(b) || (places[a].row ?? a) - (places[b].row ?? b));
  return { columns: kept, forward };
}

/** The frames of zones around their boxes: [{name, x, y, w, h}]. */
export function frames(run, boxes) {
  const names = new Set(run.places.map((place) => place.zone).filter((zone) => zone && zone !== CONTROL));
  return [...names].flatMap((name) => {
    const mine = [...boxes.values()].filter((b) => run.places[b.place].zone === name);
    if (!mine.length) return [];
    const x = Math.min(...mine.map((b) => b.x)) - 4, y = Math.min(...mine.map((b) => b.y)) - 4;
    return [{ name, x, y, w: Math.max(...mine.map((b) => b.x + b.w)) + 4 - x, h: Math.max(...mine.map((b) => b.y + b.h)) + 4 - y }];
  });
}

/** The rows of each place as shares of the height [from, to]: a place stands where what comes before it stands. */
export function rows(list, forward) {
  const at = new Map();
  for (const column of list) {
    const wanted = column.map((p) => {
      const before = forward.filter(([, to]) => to === p).map(([from]) => at.get(from)).filter(Boolean);
      return before.length ? [Math.min(...before.map((s) => s[0])), Math.max(...before.map((s) => s[1]))] : [0, 1];
    });
    const same = new Map();
    column.forEach((p, i) => { const key = wanted[i].join(); same.set(key, [...(same.get(key) ?? []), p]); });
    const spans = [...same.keys()].map((key) => key.split(",").map(Number)).sort((a, b) => a[0] - b[0]);
    if (spans.some((s, i) => i && s[0] < spans[i - 1][1] - 1e-9)) column.forEach((p, i) => at.set(p, [i / column.length, (i + 1) / column.length]));
    else for (const [key, group] of same) {
      const [from, to] = key.split(",").map(Number);
      group.forEach((p, i) => at.set(p, [from + ((to - from) * i) / group.length, from + ((to - from) * (i + 1)) / group.length]));
    }
  }
  return at;
}

/** How high each lane and its parts are, and how big the marks: the same for all lanes. `lens`: {wide} or null. */
export function arrange(lanes, W, H, { big = false, lens = null } = {}) {
  const fs = big ? clamp(W / 78, 15, 24) : W < 760 ? 12 : clamp(W / 115, 13, 16), n = lanes.length;
  const labelH = lanes.some((lane) => lane.label) ? fs * 1.6 : 2, gap = n > 1 ? 8 : 0, lh = (H - gap * (n - 1)) / n - labelH;
  const all = lanes.map((lane) => ({ lane, ...columns(lane.run) }));
  const wanted = Math.max(...all.map((it) => it.columns.filter((column) => it.lane.run.places[column[0]].role !== "done").length)) * fs * 11.5;
  const most = lens ? Math.min(W * lens.wide, lens.most ?? 700) : 0, spare = W - wanted;   // what the flow leaves for the lens
  // a narrow picture has its lens below; what is as high as wide is where it is larger
  const least = Math.max(most * 0.75, lens?.square ? W * 0.28 : Math.min(W * 0.28, fs * 19));
  const below = lens && lh > 250 && (W < 820 || spare < most * 0.75) && !(lens.square && Math.min(Math.max(spare, least), lh) > lh * 0.36);
  if (lens && W < 500 && !below) lens = null;
  const flowH = below ? lh - clamp((lens.low?.(all[0].lane.run) ?? 0) * fs, lh * 0.38, lh * 0.48) : lh;
  const lensW = lens && !below ? clamp(spare, least, Math.max(least, most)) : 0;
  const blocks = lanes.some((lane) => lane.run.crowded.size > 0), head = fs * 2.3;
  const plans = all.map((it) => plan(it, W, flowH, { fs, head, lensW, lens, below }));
  const heaps = plans.flatMap((p) => p.boxes.filter((b) => HEAPS.has(b.role) && b.role !== "dead-letter").map((b) => ({ b, p })));
  let size = 12, pitch = 16, unit = 3, need = 0;
  const rowsOf = (b, step) => Math.max(1, Math.floor((b.h - (b.low ? 8 : b.head + 10)) / step));
  const lined = heaps.filter(({ b, p }) => b.painter === "queue" && lines.suits(p.run, b.place));
  for (size of SIZES) {
    if (size > (big ? 40 : 26) || lined.some(({ b, p }) => size * 1.2 > (b.h - b.head - 6) / p.run.groups.count)) continue;
    pitch = size * (size >= 18 ? 1.75 : 1.32);
    need = Math.max(0, ...heaps.map(({ b, p }) => Math.ceil(lanesMost(p, b) / rowsOf(b, pitch)) * pitch + 30 + (b.low ? fs * 7 : 0)));
    const many = Math.max(0, ...heaps.map(({ b, p }) => lanesMost(p, b)));
    const fits = heaps.every(({ b, p }) => need <= p.room * (many > 40 ? 0.66 : 0.52) && size * 2 < Math.max(24, b.h / (b.low ? 1.3 : 4)));
    if (fits && (many < 60 || size <= (big ? 22 : 18))) break;
  }
  if (blocks) {
    size = 15; pitch = size * 1.32;
    for (unit of [6, 5, 4, 3.5, 3, 2.5, 2, 1.5, 1]) {
      need = Math.max(...heaps.map(({ b, p }) => blocksWide(b, p.run.places[b.place], unit, p.run.most("waiting", b.place))));
      if (heaps.every(({ p }) => need < Math.min(p.room * 0.72, widest(p, fs)))) break;
    }
  }
  let y = 0;
  plans.forEach((p, i) => {
    const lane = lanes[i], top = y + labelH;
    Object.assign(lane, { y, h: lh, labelH, fs, size, pitch, blocks, unit, handSize: clamp(size, big ? 24 : 18, 30) });
    widths(p, W, need, { fs, lensW });
    for (const b of p.boxes) { b.y += top; b.big = big; }
    if (lens) {
      const high = Math.min(lh - 1, (lens.high ?? Infinity) * fs);
      const room = below ? { x: 1, y: top + flowH + 8, w: W - 2, h: lh - flowH - 9, below } : { x: W - lensW - 1, y: top + (lh - 1 - high) / 2, w: lensW, h: high };
      lane.lensBox = { ...room, fs, head, big, role: "lens", place: p.boxes.find((b) => b.role === "done")?.place ?? -1 };
    } else lane.lensBox = null;
    lane.boxes = new Map(p.boxes.map((b) => [b.place, b]));
    lane.forward = p.forward;
    lane.zones = frames(lane.run, lane.boxes);
    y += lh + labelH + gap;
  });
  tapeScale(lanes);
}

const lanesMost = (p, b) => Math.min(p.run.slots[b.place] || p.run.most("waiting", b.place), BLOCKS_ABOVE);

/** Heights: the boxes of one lane, with y from its top. */
function plan({ lane, columns: list, forward }, W, H, { fs, head, lensW, lens, below }) {
  const { run } = lane, { places, links } = run, at = rows(list, forward), boxes = [], numbers = places.map((_, p) => p);
  const control = numbers.filter((p) => places[p].zone === CONTROL), strip = control.length ? fs * 4.4 : 0, under = numbers.filter((p) => places[p].side);
  H -= strip;
  const single = H > 330;
  const dropped = lens && !below;                      // the lens takes the place of what is done
  const shown = list.map((column) => column.filter((p) => !(dropped && places[p].role === "done"))).filter((column) => column.length);
  const kind = (column) => (column.some((p) => HEAPS.has(places[p].role) || TAPES.has(places[p].role)) ? "heap"
    : column.some((p) => HANDS.has(places[p].role)) ? "hands" : "fixed");
  const wide = (column) => Math.max(...column.map((p) => ({ producer: 8.4, topic: 7, bucket: 7, done: 8.3, endpoint: 13 })[places[p].role] ?? 9)) * fs;
  const gap = (column, c) => (!c ? 0 : kind(column) === "hands" ? Math.max(44, W * 0.055) : Math.max(34, Math.min(50, W * 0.04)));
  /** The share of their width that columns of one width have: where there are many in a narrow picture, all of them shrink. */
  const part = () => {
    const least = shown.filter((column) => kind(column) !== "fixed").length * fs * 8.5,
      wanted = shown.reduce((sum, column, c) => sum + gap(column, c) + (kind(column) === "fixed" ? wide(column) : 0), 0);
    return (W - lensW - 2 - least) / Math.max(1, wanted);
  };
  while (dropped && part() < 0.62 && shown.length > 2 && kind(shown[0]) === "fixed") shown.shift();   // how it comes there gives way to the lens
  shown.forEach((column, c) => column.forEach((p) => {
    const [from, to] = at.get(p), role = places[p].role, space = column.length > 1 ? 6 : 0, full = (to - from) * H - space;
    const b = { place: p, role, column: c, x: 0, w: 0, fs, head, painter: places[p].painter ?? role };
    const h = role === "producer" && full > fs * 13 ? fs * 11.5 : ["done", "topic", "bucket"].includes(role) &&
      single ? Math.min(full, fs * 13) : ["topic", "bucket"].includes(role) ? Math.min(full, fs * 9) : HEAPS.has(role) ? Math.min(full, 620) : full;
    Object.assign(b, { h: h - 1, y: from * H + (full - h) / 2 + space / 2 });
    b.low = b.h < fs * 6.2;
    boxes.push(b);
  }));
  for (const p of under) {
    const source = places[p].role === "lost" ? boxes.findLast((b) => b.role === "producer") ?? boxes[0]
      : boxes.find((b) => links.some(([a, to]) => to === p && a === b.place)) ?? boxes.at(-1);
    if (!source || (places[p].role === "lost" && !run.list.some((k) => k.place === p))) continue;
    const share = places[p].role === "lost" ? Math.max(fs * 4.6, H * 0.34) : fs * 4.4,
      alone = source.role === "producer" && !boxes.some((b) => b !== source && b.column === source.column), bottom = alone ? H - 1 : source.y + source.h;
    const h = Math.min(share, (alone || places[p].role !== "lost" ? H : source.h) * 0.46);
    const top = alone ? Math.min(source.y, H - h - 9 - Math.min(source.h, H - h - 10)) : source.y;
    source.y = Math.max(0, top); source.h = Math.min(source.h, bottom - h - 8 - source.y); source.low = source.h < fs * 6.2;
    boxes.push({ place: p, role: places[p].role, column: source.column, under: source, x: 0, w: 0, y: bottom - h, h, fs, head, low: true,
      painter: places[p].painter ?? places[p].role });
  }
  const steers = (W - lensW - 2) / Math.max(1, control.length);
  for (const b of boxes) b.y += strip;
  control.forEach((p, i) => boxes.push({ place: p, role: places[p].role, column: -1, x: 1 + i * steers, w: steers - 8, y: 0, h: strip - 8, fs, head, low: true,
    painter: places[p].painter ?? places[p].role }));
  const flexible = shown.map(kind), share = Math.min(1, Math.max(0.3, part())), gaps = shown.map(gap);
  if (dropped) gaps.push(flexible.at(-1) === "hands" ? 48 : 24);
  const fixed = shown.map((column) => wide(column) * share), taken = fixed.reduce((sum, w, c) => sum + (flexible[c] === "fixed" ? w : 0), 0);
  return { run, boxes, forward, fixed, flexible, gaps: gaps.map((w) => w * share), room: W - lensW - 2 - taken - gaps.reduce((a, b) => a + b, 0) * share };
}

const kinds = (p, kind) => p.flexible.filter((f) => f === kind).length;

/** What the hands need at least, each; and how wide a heap can be beside them. */
const narrowest = (p, fs) => (kinds(p, "hands") ? Math.min(fs * 15.5, (p.room * 0.5) / kinds(p, "hands")) : 0);
const widest = (p, fs) => (p.room - narrowest(p, fs) * kinds(p, "hands")) / Math.max(1, kinds(p, "heap"));

/** Widths: the queue gets what its fullest pile needs, the hands the rest up to a limit. */
function widths(p, W, need, { fs }) {
  const heaps = kinds(p, "heap"), hands = kinds(p, "hands");
  const heap = heaps ? Math.min(widest(p, fs), Math.max(need, (p.room * (hands ? 0.36 : 1)) / heaps,
    Math.min(250, p.room * 0.42))) : 0;
  const hand = hands ? Math.min((p.room - heap * heaps) / hands, fs * 41) : 0;
  const spare = Math.max(0, p.room - heap * heaps - hand * hands) / Math.max(1, heaps || hands);
  let x = 1;
  p.flexible.forEach((kind, c) => {
    x += p.gaps[c];
    const w = kind === "heap" ? heap + spare : kind === "hands" ? hand + (heaps ? 0 : spare) : p.fixed[c];
    for (const b of p.boxes) if (b.column === c) Object.assign(b, { x, w });
    x += w;
  });
}
