// Lens: how long did they wait? A histogram of the waits so far, this run's over the other's, on one scale; and who is done.
import { box, fitting, text, width } from "../glyph.js";
import { alpha, brief, nice, span } from "../theme.js";
import { upTo } from "../model.js";

const BINS = 14;

/** The waits of a run: [when it ended, its length, was it of use], in the order of their ends. */
const waitsOf = (run) => run.once("waits", () => run.list.filter((k) => k.state === "waiting" && k.t1 < Infinity &&
  run.places[k.place].role !== "dead-letter")
  .map((k) => [k.t1, k.t1 - run.born(k.m)]).sort((a, b) => a[0] - b[0]));

function bins(run, t, top) {
  const all = waitsOf(run), n = upTo(run.once("wait times", () => all.map(([at]) => at)), t), counts = new Array(BINS).fill(0);
  let sum = 0, most = 0;
  for (let i = 0; i < n; i++) { const w = all[i][1]; counts[Math.min(BINS - 1, Math.floor((w / top) * BINS))] += 1; sum += w;
    most = Math.max(most, w); }
  return { counts, n, mean: sum / n, most };
}

const longest = (runs) => nice(Math.max(1, ...runs.map((run) => run.once("longest wait", () => Math.max(1, ...waitsOf(run).map(([, w]) => w))))));

export const waits = {
  wide: 0.19, most: 300,
  paint(g, b, lane, v, lanes) {
    const { col, t } = v, { run } = lane, fs = b.fs, top = longest(lanes.map((l) => l.run)), mine = bins(run, t, top);
    const other = lanes.length > 1 ? bins(lanes[1 - lane.i].run, t, top) : null, high = Math.max(1, ...mine.counts, ...(other?.counts ?? [])),
      done = brief(run.count("done", t));
    box(g, b.x, b.y, b.w, b.h, 10, { fill: col.card, stroke: col.edge });
    if (!b.below) text(g, "Done", b.x + 11, b.y + 16, { size: fs + 0.5, weight: 650, color: col.ink });
    const size = b.below ? 0 : Math.min(30, b.h * 0.17), x = b.x + 12, y = b.y + b.h - fs * 2.4, w = b.w - 24,
      head = b.below ? 0 : fs * 2 + size * 1.1, h = y - b.y - head - fs * 2.2;
    if (!b.below) text(g, done, b.x + 11, b.y + fs * 1.6 + size * 0.7, { size, weight: 750, color: col.done });
    const vain = run.count("vain", t);
    if (vain && !b.below) {
      const words = `${brief(vain)} in vain`, beside = width(g, done, size, 750) + width(g, words, fs - 1, 600) < b.w - 30;
      text(g, words, b.x + b.w - 11, beside ? b.y + fs * 1.6 + size * 0.75 : b.y + 16, { size: fs - 1, weight: 600, color: col.again, align: "right" });
    }
    if (h < 24) return;
    const mean = span(mine.mean), forms = mine.n ? [`waited ${mean} on average`, `${mean} on average`, `mean ${mean}`] : ["how long they waited", ""];
    text(g, fitting(g, forms, w, fs - 1), x, y - h - fs * 0.7, { size: fs - 1, color: col.soft, max: w });
    const bw = w / BINS;
    mine.counts.forEach((n, i) => { const k = (h * n) / high; if (n) box(g, x + i * bw + 0.5, y - Math.max(1.5, k), bw - 1, Math.max(1.5, k),
      [2, 2, 0, 0], { fill: col.waiting }); });
    if (other?.n) {
      g.beginPath(); g.moveTo(x, y);
      other.counts.forEach((n, i) => { const yy = y - (h * n) / high; g.lineTo(x + i * bw, yy); g.lineTo(x + (i + 1) * bw, yy); });
      g.strokeStyle = alpha(col.soft, 0.9); g.lineWidth = 1.3; g.setLineDash([3, 2]); g.stroke(); g.setLineDash([]);
    }
    g.fillStyle = col.edge; g.fillRect(x, y, w, 1);
    text(g, "0", x, y + fs * 0.8, { size: fs - 2, color: col.soft });
    text(g, span(top), x + w, y + fs * 0.8, { size: fs - 2, color: col.soft, align: "right" });
    if (other) text(g, `dashed: ${lane.i ? "A" : "B"}`, x + w / 2, y + fs * 0.8, { size: fs - 2, color: col.soft, align: "center", italic: true });
  },
};
