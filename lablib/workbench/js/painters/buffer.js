// A buffer with two limits, size and time. Two bars of one length say how much of each is used up: the one that is full first closes the
// buffer, and all that is in it leaves together. What the bars show comes with the lens: {limits, level, since, closed, failed}.
import { bar, box, fitting, mark, ring, text, width } from "../glyph.js";
import { alpha, brief, clamp, plural, rateOf, seconds, span } from "../theme.js";
import { stepAt } from "../model.js";

const MIB = 1 << 20;                                    // what AWS calls MB in `SizeInMBs`, and in its documents MiB
export const bytesOf = (bytes) => (bytes >= MIB ? `${brief(Number((bytes / MIB).toPrecision(2)))} MiB` : `${brief(Math.round(bytes / 1000))} kB`);
export const causeColor = (why, col) => (why === "size" ? col.waiting : why === "time" ? col.hand : col.control);

/** How much of both limits is used up at t: {size, time, bytes, waited}, shares of 1; null where nobody tells. */
export function filled(run, t) {
  const d = run.lens?.buffer;
  if (!d) return null;
  const bytes = stepAt(d.level, t), since = stepAt(d.since, t, -1), waited = since < 0 ? 0 : t - since;
  return { size: bytes / d.limits[0], time: waited / d.limits[1], bytes, waited };
}

export const buffer = {
  place(b, lane) {
    const n = Math.max(12, lane.run.slots[b.place]);
    b.tight = b.h < b.fs * 11;
    b.top = b.y + b.head + (b.tight ? 0 : b.fs * (lane.run.lens?.buffer?.transform ? 6.8 : 4.6));
    const w = b.w - 24, foot = b.y + b.h - 8, h = Math.max(8, foot - b.top - b.fs * (b.tight ? 0.4 : 1.8));
    let p = 15;
    while (p > 2.5 && Math.floor(w / p) * Math.floor(h / p) < n) p -= 0.5;
    b.pitch = p; b.cols = Math.max(1, Math.floor(w / p));
    b.spot = (k) => [b.x + 12 + ((k.slot ?? 0) % b.cols + 0.5) * p, Math.max(b.top + 2, foot - (Math.floor((k.slot ?? 0) / b.cols) + 0.5) * p)];
  },
  ground(g, b, lane, v) {
    const { col, t } = v, { run } = lane, id = `${lane.i}q${b.place}`, on = v.focus === id || v.hover?.id === id, f = filled(run, t);
    box(g, b.x, b.y, b.w, b.h, 12, { fill: col.tray, stroke: on ? col.ink : col.edge, line: on ? 1.8 : 1.4 });
    v.hits.push({ x: b.x, y: b.y, w: b.w, h: b.head, id, pick: { place: b.place, lane: lane.i } });
    const inside = run.count("waiting", t, b.place), late = run.count("retrying", t, b.place), title = run.places[b.place].label;
    const room = b.w - width(g, title, b.fs + 1, 650) - 40, words = fitting(g, [`${brief(inside + late)} collected`, brief(inside + late)], room, b.fs, 600);
    text(g, title, b.x + 12, b.y + b.head / 2 + 2, { size: b.fs + 1, weight: 650, color: col.ink, max: b.w - 28 - width(g, words, b.fs, 600), least: 8.5 });
    text(g, words, b.x + b.w - 12, b.y + b.head / 2 + 2,
      { size: b.fs, weight: 600, color: inside + late ? col.waiting : col.soft, align: "right" });
    if (!f) return;
    const { limits, closed } = run.lens.buffer, last = closed.findLast((c) => c[0] <= t), fresh = last && v.since(last[0]) >= 0 && v.since(last[0]) < 1.4;
    if (b.tight) {
      bar(g, b.x + 12, b.y + b.head - 3, b.w / 2 - 16, 5, f.size, col.waiting, alpha(col.waiting, 0.16));
      bar(g, b.x + b.w / 2 + 4, b.y + b.head - 3, b.w / 2 - 16, 5, f.time, col.hand, alpha(col.hand, 0.16));
      return;
    }
    const way = run.lens.buffer.transform, y = b.y + b.head + b.fs * (way ? 2.9 : 0.7);
    if (way) {
      const since = stepAt(way, t, -1), waited = since < 0 ? 0 : t - since;
      limit(g, b, b.y + b.head + b.fs * 0.7, "transform", waited / way.limit, [`${seconds(waited)} of ${way.limit} s`, seconds(waited)], false, false, col);
    }
    limit(g, b, y, "size", f.size, [`${bytesOf(f.bytes)} of ${bytesOf(limits[0])}`, bytesOf(f.bytes)], f.size >= f.time, fresh && last[1], col);
    const time = f.waited < 600 ? [`${seconds(f.waited)} of ${brief(limits[1])} s`, seconds(f.waited)] : [`${span(f.waited)} of ${span(limits[1])}`, span(f.waited)];
    limit(g, b, y + b.fs * 2.2, "time", f.time, time, f.time > f.size, fresh && last[1], col);
  },
  paint(g, b, lane, v) {
    const { col, t } = v, { run } = lane, s = Math.max(2, b.pitch * 0.78);
    gone(g, b, lane, v);
    if (lane.blocks) return crowd(g, b, lane, v);
    for (const m of lane.marksIn(b.place)) {
      const [x, y] = b.spot(m.k), again = m.k.state === "retrying";
      g.globalAlpha = v.lit(m) ? 1 : 0.25;
      if (s >= 6) mark(g, x, y, s, { shape: again ? "diamond" : "dot", color: again ? col.again : lane.hue(m, col) });
      else box(g, x - s / 2, y - s / 2, s, s, 1, { fill: again ? col.again : lane.hue(m, col) });
      v.halo(g, m, x, y, s / 2 + 2);
      g.globalAlpha = 1;
      v.hits.push({ x, y, r: Math.max(5, s * 0.6), id: `${lane.i}m${m.m}`, pick: { m: m.m, lane: lane.i } });
    }
    return waiting(g, b, run, t, col);
  },
  about(run, place, t, back) {
    const f = filled(run, t), late = run.count("retrying", t, place), n = run.count("waiting", t, place) + late, limits = run.lens?.buffer?.limits;
    const sizes = f && n ? `It has ${bytesOf(f.bytes)} of ${bytesOf(limits[0])}, and its oldest waits for ${span(f.waited)} of ${span(limits[1])}.` : "";
    return [`${plural(n, run.unit)} collected${late ? `, ${brief(late)} of them could not be delivered yet` : ""}.`, sizes,
      `In the last ${span(back)} ${rateOf(run.rate("came", t, back, place))} came. Nobody takes one out: all leave together.`];
  },
};

/** What was in it for 24 hours is lost: how many, below the attempt that failed. */
function gone(g, b, lane, v) {
  const n = lane.run.count("lost", v.t);
  if (n) text(g, fitting(g, [`${plural(n, "record")} lost: too old`, `${brief(n)} lost`], b.w - 24, b.fs, 700), b.x + b.w / 2, b.tight ? b.y + b.h - b.fs : b.top + b.fs * 3.2,
    { size: b.fs, weight: 700, color: v.col.again, align: "center" });
}

/** One of the two limits: its name, how much of it is used up, and whether it was the one that closed the buffer just now. */
function limit(g, b, y, name, share, words, leads, fresh, col) {
  const color = causeColor(name, col), hit = fresh === name || (fresh === "change" && name === "time"), x = b.x + 13, w = b.w - 26, fs = b.fs;
  const last = name === "transform" ? "first" : hit ? `${name} was full` : name, least = width(g, last, fs - 1, 700) + 8, weight = leads || hit ? 700 : 450;
  const said = fitting(g, [...words, ""], w - least, fs - 1, 450);
  const names = name === "transform" ? ["first, for the transform", name] : hit ? [`${name} was full: all left`] : [];
  text(g, fitting(g, [...names, last, name], w - width(g, said, fs - 1, 450) - 8, fs - 1, weight), x, y, { size: fs - 1, weight, color: leads || hit ? color : col.soft });
  text(g, said, x + w, y, { size: fs - 1, weight: 450, color: col.soft, align: "right" });
  bar(g, x, y + fs * 0.75, w, fs * 0.62, clamp(share, 0, 1), leads || hit ? color : alpha(color, 0.5), alpha(color, 0.14));
}

/** An attempt that failed, and the pause before the next. */
function waiting(g, b, run, t, col) {
  const failed = run.lens?.buffer?.failed.findLast((x) => x[0] <= t && t < x[1]);
  if (!failed || b.tight) return;
  const [from, until, attempt] = failed, y = b.top + b.fs * 1.2, r = b.fs * 0.5;
  box(g, b.x + 10, y - b.fs * 0.95, b.w - 20, b.fs * 1.9, 6, { fill: col.card, stroke: col.again, line: 1.3 });
  ring(g, b.x + 22, y, r, (until - t) / (until - from), col.again, alpha(col.again, 0.25), 2.4);
  const left = `attempt ${attempt} failed, the next in ${seconds(until - t)}`;
  text(g, fitting(g, [left, `next in ${seconds(until - t)}`], b.w - 58, b.fs - 1, 650), b.x + 36, y, { size: b.fs - 1, weight: 650, color: col.again });
}

/** Too many to count: the level, and how many. */
function crowd(g, b, lane, v) {
  const { col, t } = v, { run } = lane, n = run.count("waiting", t, b.place) + run.count("retrying", t, b.place), foot = b.y + b.h - 8;
  const top = Math.max(1, run.once(`crowd ${b.place}`, () => run.most("waiting", b.place) + run.most("retrying", b.place)));
  const h = (foot - b.top - b.fs * 2.6) * clamp(n / top, 0, 1), late = run.count("retrying", t, b.place);
  box(g, b.x + 12, foot - h, b.w - 24, h * (1 - late / Math.max(1, n)), 4, { fill: alpha(col.waiting, 0.4) });
  if (late) box(g, b.x + 12, foot - (h * late) / n, b.w - 24, (h * late) / n, 4, { fill: alpha(col.again, 0.4) });
  const forms = late ? [`${plural(n, "record")}, ${brief(late)} on the way again`, `${brief(n)}, ${brief(late)} again`, brief(n)] : [plural(n, "record"), brief(n)];
  const again = (h * late) / Math.max(1, n), [part, middle] = again > h / 2 ? [again, foot - again / 2] : [h - again, foot - (h + again) / 2];   // in the larger part, not across both
  if (part > b.fs * 1.3) text(g, fitting(g, forms, b.w - 30, b.fs, 650), b.x + b.w / 2, middle, { size: b.fs, weight: 650, color: col.ink, align: "center" });
  waiting(g, b, lane.run, t, col);
}
