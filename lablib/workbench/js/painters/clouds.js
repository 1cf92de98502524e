// Lens: how long did each record wait until it was where it is of use? A dot a record, on one axis from a tenth of a second to a quarter of
// an hour, or to days: a decade is always as wide. A reader of a stream and a buffer make two clouds, far apart.
import { box, fitting, text } from "../glyph.js";
import { alpha, brief, clamp, plural, span } from "../theme.js";
import { stepAt, upTo } from "../model.js";
import { causeColor } from "./buffer.js";

const LOW = 0.05, CAUSES = ["", "time", "size"];
const TICKS = [[0.1, "0.1 s"], [1, "1 s"], [10, "10 s"], [60, "1 min"], [600, "10 min"]];
const LONG = 7200;                                       // seconds: a run of more is told in hours
const HOURS = [[1, "1 s"], [60, "1 min"], [600, "10 min"], [3600, "1 h"], [36000, "10 h"]];
const colorOf = (kind, col) => (kind ? causeColor(CAUSES[kind], col) : col.done);
const MOST = 1500;                                      // dots that are drawn: more look the same

/** The waits so far, apart for your code (false) and for S3 (true): {n, half, most}. */
export function sofar(run, t, delivered) {
  const w = run.lens?.waits, found = [];
  for (let i = 0, n = w ? upTo(w.t, t) : 0; i < n; i++) if (w.kind[i] > 0 === delivered) found.push(w.wait[i]);
  found.sort((a, b) => a - b);
  return { n: found.length, half: found[found.length >> 1], most: found.at(-1) };
}

/** The age of the oldest record that is not where it is of use, second by second. */
const freshness = (run) => run.once("freshness", () => {
  const { waits: w, buffer: d } = run.lens, ts = [], ys = [], steps = Math.max(60, Math.min(600, Math.ceil(run.duration)));
  const came = Array.from(w.t, (t, i) => [t - w.wait[i], t]).sort((a, b) => a[0] - b[0]);
  for (let k = 0; k <= steps; k++) {
    const t = (run.duration * k) / steps, oldest = came.find(([from, to]) => from <= t && t < to)?.[0] ?? t, i = upTo(d.since.t, t) - 1;
    const inside = i >= 0 && d.since.y[i] >= 0 ? d.since.y[i] : t, first = d.transform ? stepAt(d.transform, t, -1) : -1;
    ts.push(t); ys.push(Math.max(0, t - Math.min(oldest, inside, first < 0 ? t : first)));
  }
  return { t: ts, y: ys };
});

const NAMES = ["read by your code", "delivered to S3"];

export const clouds = {
  wide: 0.3, most: 470, low: (run) => (run.lens.waits.kind.some((k) => k) ? 8.5 : 7),
  paint(g, b, lane, v, lanes) {
    const { col, t } = v, { run } = lane, fs = b.fs, w = run.lens.waits, kinds = new Set(Array.from(w.kind, (k) => (k ? 1 : 0)));
    box(g, b.x, b.y, b.w, b.h, 10, { fill: col.card, stroke: col.edge });
    const x0 = b.x + 14, x1 = b.x + b.w - 14, y0 = b.y + fs * 2.4, y1 = b.y + b.h - fs * (kinds.has(1) && b.h > fs * 11 ? 3 : 1.7), bands = kinds.size === 2 ? [0, 1] : [...kinds];
    const long = lanes.some((other) => other.run.duration > LONG), low = long ? 0.3 : LOW, most = long ? 2e5 : 1500;
    const at = (s) => x0 + clamp(Math.log(s / low) / Math.log(most / low), 0, 1) * (x1 - x0);
    (long ? HOURS : TICKS).forEach(([s, words], i) => {
      g.fillStyle = alpha(col.edge, 0.28); g.fillRect(at(s), y0, 1, y1 - y0);
      if (b.w > fs * 20 || i % 2 === 0) text(g, words, at(s), y1 + fs * 0.85, { size: fs - 2, color: col.soft, align: "center" });
    });
    const tall = (y1 - y0) / Math.max(1, bands.length), flat = bands.length > 1 && tall < fs * 3.4 && b.w > fs * 30;  // flat: its words stand where the title was
    const from = fs * (flat ? 0.3 : 1.7), high = tall - fs * (flat ? 0.6 : 2.2), room = flat ? (x1 - x0) / 2 - fs : b.w - 28;
    if (!flat) text(g, fitting(g, ["How long each record waited", "How long records waited", "Waits"], b.w - 22, fs + 0.5, 650), b.x + 11, b.y + fs * 1.2,
      { size: fs + 0.5, weight: 650, color: col.ink });
    bands.forEach((kind, row) => {
      const top = y0 + row * tall, found = sofar(run, t, kind === 1), said = flat ? [x0 + (row * (x1 - x0)) / 2, b.y + fs * 1.2] : [x0, top + fs * 0.7];
      if (lanes.length > 1) for (const other of lanes) if (other !== lane) dots(g, other.run, t, null, at, top + from, high, col, true);
      dots(g, run, t, kind, at, top + from, high, col, false);
      if (!found.n) { text(g, fitting(g, [`${NAMES[kind]}: none yet`, "none yet"], room - 6, fs - 1), ...said, { size: fs - 1, color: col.soft, italic: true }); return; }
      const forms = [`${brief(found.n)} ${NAMES[kind]}: half within ${span(found.half)}, all within ${span(found.most)}`,
        `${NAMES[kind]}: half within ${span(found.half)}`, `half within ${span(found.half)}`];
      text(g, fitting(g, forms, room, fs - 1, 600), ...said, { size: fs - 1, weight: 600, color: kind ? col.ink : col.done });
      g.strokeStyle = col.ink; g.lineWidth = 2; g.beginPath(); g.moveTo(at(found.half), top + from - fs * 0.2); g.lineTo(at(found.half), top + tall - fs * 0.4);
      g.stroke();
    });
    if (kinds.has(1) && b.h > fs * 11) legend(g, x0, b.y + b.h - fs * 0.9, fs, col, b.w < fs * 15);
  },
  curve(run) {
    const { t, y } = freshness(run), long = run.duration > LONG;
    return { label: `age of the oldest record on its way, ${long ? "h" : "s"}`, color: "hand", t, y: long ? y.map((s) => s / 3600) : y };
  },
  say: (runs, t) => runs.map((run, i) => {
    const parts = [[false, "your code"], [true, "S3"]].map(([delivered, who]) => [sofar(run, t, delivered), who]).filter(([f]) => f.n);
    const gone = run.count("lost", t), lost = gone ? `; ${brief(gone)} ${gone === 1 ? "is" : "are"} lost` : "";
    const said = (parts.map(([f, who]) => `${who} has ${plural(f.n, run.unit)}, half within ${span(f.half)}`).join("; ") || "nothing has arrived yet") + lost;
    return `${runs.length > 1 ? `${"AB"[i]}: ` : ""}${said[0].toUpperCase()}${said.slice(1)}.`;
  }).join("  "),
};

/** The dots of one kind (null: of all, pale). The height means nothing: it only spreads them. */
function dots(g, run, t, kind, at, top, high, col, pale) {
  const w = run.lens?.waits, n = w ? upTo(w.t, t) : 0, step = Math.max(1, Math.ceil(n / MOST));
  for (let i = n % step; i < n; i += step) {
    if (kind !== null && (w.kind[i] ? 1 : 0) !== kind) continue;
    g.fillStyle = pale ? alpha(col.edge, 0.3) : alpha(colorOf(w.kind[i], col), 0.55);
    g.beginPath(); g.arc(at(w.wait[i]), top + ((i * 0.618034) % 1) * Math.max(4, high), pale ? 2 : 2.8, 0, 7); g.fill();
  }
}

function legend(g, x, y, fs, col, short) {
  for (const why of ["time", "size"]) {
    g.fillStyle = causeColor(why, col); g.beginPath(); g.arc(x + 4, y, 3.4, 0, 7); g.fill();
    x += 12 + text(g, short ? why : `left by ${why}`, x + 11, y, { size: fs - 2, color: col.soft }) + 14;
  }
}
