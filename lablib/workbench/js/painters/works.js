// Lens: what was the work for? Seconds of work that counted, that failed or was done twice, that a crash lost; and how long messages lay
// hidden though nobody worked on them. The bars of work have one scale in both lanes, and so have those of what lay hidden.
import { box, fitting, text, width } from "../glyph.js";
import { brief, clamp, nice, span } from "../theme.js";
import { partOf, upTo } from "../model.js";

/** The seconds of work and of waiting so far: {good, again (it failed, or was done twice), crashed, dark}. */
export function spent(run, t) {
  const found = { good: 0, again: 0, crashed: 0, dark: 0, now: 0 };
  for (const k of run.list) {
    if (k.t0 > t) break;
    if (k.state === "hidden" && k.orphan !== null && k.orphan < t) found.dark += Math.min(k.t1, t) - k.orphan;
    if (k.wf === null || k.wf > t) continue;
    const s = run.worked(k, k.wf, t) * partOf(k), kind = k.t1 > t ? "" : run.outcome(k);
    found[{ done: "good", vain: "again", failed: "again", crashed: "crashed" }[kind] ?? "now"] += s;
  }
  return found;
}

const totals = (run) => run.once("spent", () => spent(run, run.duration));

export const works = {
  wide: 0.2, most: 310, high: 19,
  paint(g, b, lane, v, lanes) {
    const { col, t } = v, { run } = lane, fs = b.fs, s = spent(run, t), lost = upTo(run.lens.lost ?? [], t), done = brief(run.count("done", t)),
      size = b.below ? 0 : Math.min(32, b.h * 0.16);
    const all = lanes.map((l) => totals(l.run)), top = nice(Math.max(30, ...all.map((x) => Math.max(x.good, x.again + x.crashed)))),
      most = nice(Math.max(30, ...all.map((x) => x.dark)));   // a scale of its own: messages lie hidden for hours while work takes seconds
    box(g, b.x, b.y, b.w, b.h, 10, { fill: col.card, stroke: col.edge });
    if (!b.below) text(g, "Done", b.x + 11, b.y + 16, { size: fs + 0.5, weight: 650, color: col.ink });
    if (!b.below) text(g, done, b.x + 11, b.y + fs * 1.6 + size * 0.7, { size, weight: 750, color: col.done });
    const again = run.count("again", t);
    const beside = b.w - 34 - width(g, done, size, 750), above = b.w - 34 - width(g, "Done", fs + 0.5, 650),
      what = lost ? `${brief(lost)} lost` : again ? `${brief(again)} came again` : "", wide = width(g, what, fs - 1, 650);
    if (what && !b.below && (lost || wide < Math.max(beside, above))) text(g, what, b.x + b.w - 11, wide < beside ? b.y + fs * 1.6 + size * 0.75 : b.y + 16,
      { size: fs - 1, weight: 650, color: col.again, align: "right" });
    const rows = [[["work that counted", "counted"], s.good, col.done, top], [["work for nothing", "for nothing"], s.again + s.crashed, col.again, top],
      [["hidden, in nobody's hands", "in nobody's hands", "in no hands"], s.dark, col.vain, most]];
    const y0 = b.y + (b.below ? 6 : fs * 2.4 + size * 1.1), room = Math.min(fs * 4.2, (b.y + b.h - y0 - 6) / rows.length),
      h = clamp(room - fs * 1.6, 4, 16);
    if (room < fs * 1.6) return;
    rows.forEach(([labels, value, color, full], i) => {
      const y = y0 + i * room, space = b.w - 32 - width(g, span(value), fs - 1, 650);
      text(g, fitting(g, labels, space, fs - 1.5), b.x + 11, y + fs * 0.6, { size: fs - 1.5, color: value ? col.ink : col.soft, max: space });
      text(g, span(value), b.x + b.w - 11, y + fs * 0.6, { size: fs - 1, weight: 650, color: value ? color : col.soft, align: "right" });
      box(g, b.x + 11, y + fs * 1.35, b.w - 22, h, 3, { fill: col.well });
      if (value > 0) box(g, b.x + 11, y + fs * 1.35, Math.max(2, (b.w - 22) * clamp(value / full, 0, 1)), h, 3, { fill: color });
    });
  },
};
