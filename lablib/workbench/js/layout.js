// Where the places of a topology go on the canvas, and where each mark sits in its place. Pure; tested in Node.

const WEIGHT = { producer: 1.15, topic: 2, queue: 2.9, direct: 2.9, server: 2, consumer: 2.3, done: 1 };
const SIDE = new Set(["lost", "dead-letter"]);               // drawn below the place that feeds them
export const GAP = 26, HEAD = 24, PAD = 10;

/** Each place's column: the longest way to it. Places are listed in the order of flow, so a link to an earlier one leads back. */
export function ranks(places, links) {
  const rank = places.map(() => 0), onward = links.filter(([from, to]) => from < to).sort(([a], [b]) => a - b);
  for (const [from, to] of onward) if (!SIDE.has(places[to].role)) rank[to] = Math.max(rank[to], rank[from] + 1);
  for (const [from, to] of onward) if (SIDE.has(places[to].role)) rank[to] = rank[from];
  const used = [...new Set(rank)].sort((a, b) => a - b);
  return rank.map((r) => used.indexOf(r));
}

/** How many branches stand below each other at most: a fan-out needs a higher picture. */
export function branches(places, links) {
  const rank = ranks(places, links), count = {};
  places.forEach((place, i) => { if (!SIDE.has(place.role)) count[rank[i]] = (count[rank[i]] ?? 0) + 1; });
  return Math.max(1, ...Object.values(count));
}

/** A box {x, y, w, h} for each place: columns by rank from left to right; dead letters and losses beneath. */
export function boxes(places, links, width, height) {
  const rank = ranks(places, links), columns = Math.max(0, ...rank) + 1;
  const members = Array.from({ length: columns }, (_, c) => places.map((_, i) => i).filter((i) => rank[i] === c));
  const weight = members.map((list) => Math.max(0.9, ...list.map((i) => WEIGHT[places[i].role] ?? 1)));
  const sum = weight.reduce((a, b) => a + b, 0), gap = width < 640 ? 14 : GAP, least = width < 640 ? 40 : 0;
  const free = width - gap * (columns - 1), result = [], branching = branches(places, links) > 1;
  const strips = members.map((list) => (list.some((i) => SIDE.has(places[i].role)) ? Math.min(58, branching ? Math.max(30, height * 0.15) : height * 0.3) : 0));
  const wide = (c) => least + ((free - least * columns) * weight[c]) / sum;   // what is narrow needs room for its name
  let x = 0;
  const deepest = branching ? Math.max(...strips) : 0;
  members.forEach((list, c) => {
    const w = wide(c);
    const below = list.filter((i) => SIDE.has(places[i].role)), main = list.filter((i) => !SIDE.has(places[i].role));
    const strip = strips[c], taken = Math.max(strip, deepest), top = taken ? height - taken - 8 : height;
    rows(main, places, links, result, top, branching).forEach(([from, to], n) => { result[main[n]] = { x, y: from, w, h: to - from }; });
    const across = branching && below.length > 1 && c + 1 < columns && !strips[c + 1] ? w + gap + wide(c + 1) : w;
    below.forEach((i, n) => {
      const part = (across - 8 * (below.length - 1)) / below.length;
      result[i] = { x: x + n * (part + 8), y: main.length ? height - strip : 0, w: part, h: main.length ? strip : height };
    });
    x += w + gap;
  });
  return result;
}

/**
 * From where to where each place of a column reaches, down: beside what feeds it where each is fed by one of several, so that a
 * branch is a row; else in equal parts.
 */
function rows(main, places, links, made, height, branching) {
  const feeder = main.map((i) => links.filter(([from, to]) => to === i && from < i).map(([from]) => from)).map((list) => (list.length === 1 ? made[list[0]] : null));
  const apart = main.length > 1 && feeder.every(Boolean) && new Set(feeder).size === main.length;
  if (apart) return feeder.map((box) => [box.y, box.y + box.h]);
  const alone = branching && main.length === 1 && feeder[0] && feeder[0].h < height / 1.5 ? feeder[0] : null;
  if (alone) return [[alone.y, alone.y + alone.h]];
  const each = (height - 8 * (main.length - 1)) / main.length;
  return main.map((_, n) => [n * (each + 8), n * (each + 8) + each]);
}

/** Cells for the actors of a place, in a grid that keeps them readable: {x, y, w, h} for each. */
export function cells(box, count) {
  if (!count) return [];
  const inner = { x: box.x + PAD, y: box.y + HEAD, w: box.w - 2 * PAD, h: box.h - HEAD - (box.h < 60 ? 3 : PAD) };
  let columns = 1;
  while (columns < count && inner.h / Math.ceil(count / columns) < 21 && inner.w / (columns + 1) > 26) columns++;
  const rows = Math.ceil(count / columns), w = inner.w / columns, h = Math.min(38, inner.h / rows);
  const top = inner.y + Math.max(0, (inner.h - h * rows) / 2);
  return Array.from({ length: count }, (_, i) => ({
    x: inner.x + (i % columns) * w, y: top + Math.floor(i / columns) * h, w: w - 4, h: h - (h < 20 ? 1 : 4),
  }));
}

/** The pitch (px from mark to mark) for `count` marks in an area, and how many fit at the smallest pitch. */
export function pitchFor(area, count, largest = 17, smallest = 6) {
  for (let pitch = largest; pitch > smallest; pitch--)
    if (Math.floor(area.w / pitch) * Math.floor(area.h / pitch) >= count) return { pitch, room: count };
  return { pitch: smallest, room: Math.max(1, Math.floor(area.w / smallest) * Math.floor(area.h / smallest)) };
}

/** Where the i-th mark sits: columns fill from the right, so that the front of a queue is beside who takes from it. */
export function slot(area, i, pitch, fromRight = true) {
  const rows = Math.max(1, Math.floor(area.h / pitch)), column = Math.floor(i / rows), row = i % rows;
  const used = (area.h - rows * pitch) / 2;
  const x = fromRight ? area.x + area.w - (column + 0.5) * pitch : area.x + (column + 0.5) * pitch;
  return { x, y: area.y + used + (row + 0.5) * pitch };
}

/** The part of a place in which marks lie: below its head, above its foot. `second`: the height of the head's second line. */
export function area(box, footer = 0, second = 0) {
  const head = HEAD + second;
  return { x: box.x + PAD, y: box.y + head + 2, w: Math.max(8, box.w - 2 * PAD), h: Math.max(8, box.h - head - PAD - footer) };
}
