// The scrub bar is the curve: the one measure that matters, A and B with the space between filled; events and actions are flags on
// it. What was not watched lies in fog, on which the learner draws a guess.
import { TIME, alpha, brief, clamp, clock, nice } from "./theme.js";
import { h, refill } from "./dom.js";
import { stepAt, valueAt } from "./model.js";
import { text, width } from "./glyph.js";

const BINS = 240;
const FLAG = 19;                                       // px from one row of flags to the next

export class Scrub {
  /** `on`: seek(t), moved(index, t) and removed(index) for an action, changed() after each change of the guess. `clock`: the Clock. */
  constructor(time, on) {
    Object.assign(this, { time, on, series: [], events: [], guess: null, question: null, ghost: null, top: 1, label: "", made: null, drag: null, roof: 0 });
    this.canvas = h("canvas", { class: "ml-scrub", tabIndex: 0, role: "slider", "aria-label": "Time in the run", "aria-valuemin": "0" });
    this.flags = h("ol", { class: "ml-flags", "aria-label": "Actions in this run" });
    this.element = h("div", { class: "ml-curve" }, this.canvas, this.flags);
    this.canvas.addEventListener("pointerdown", (e) => { if (e.button) return; this.canvas.setPointerCapture?.(e.pointerId); this.touch(e, true); });
    this.canvas.addEventListener("pointermove", (e) => { if (this.drag) this.touch(e, false); });
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end,
      () => { this.drag = null; this.last = undefined; this.on.changed(); });
  }

  /** The curves [{name, label, t, y, color, strong}], their `label`, the events {t, last, kind, big}, whether the old curves stay as a ghost. */
  show({ label, series, events, smooth = false }, keep = false) {
    if (keep && this.series.length && this.time.watched > 0) this.ghost = { series: this.series.filter((s) => s.strong), until: this.time.watched, at: performance.now() };
    Object.assign(this, { label, series, events, smooth, made: null });
    this.rescale();
  }

  /** The height for what was watched: the scale tells nothing of what is still in the fog. */
  rescale() {
    this.scaled = this.time.fog ? this.time.watched : Infinity;
    const highest = (s) => {
      let most = valueAt(s, this.scaled) || 0;
      for (let i = 0; i < s.t.length && s.t[i] <= this.scaled; i++) most = Math.max(most, s.y[i]);
      return most;
    };
    const top = nice(Math.max(Math.max(1, ...this.series.map(highest)) * 1.02, this.question?.mine ? this.question.high : 0));
    if (top !== this.top) this.made = null;
    this.top = top;
  }

  /** A question {kind: "curve", high, xs, state, answer, mine}: while it is open, the fog takes a drawing. `mine`: is it about this run? */
  asks(question) {
    const same = ["text", "state", "mine"].every((key) => this.question?.[key] === question?.[key]);
    this.question = question?.kind === "curve" ? question : null;
    if (!same && (!this.question || this.question.state === "open" || this.question.state === "skipped")) this.guess = null;
    if (this.question?.state === "answered" && !this.guess) this.guess = spread(this.question.answer);
    if (!same) this.rescale();
  }
  get drawing() { return this.question?.state === "open"; }
  get live() { return this.drawing && !this.guess || (this.ghost && performance.now() - this.ghost.at < TIME.ghost * 1000 + 100); }
  /** The drawing as the mean of each of the question's columns; null while something is missing. */
  answer() {
    const n = this.question.xs.length;
    if (!this.guess || this.guess.filter((x) => x !== null).length < BINS * 0.6) return null;
    let last = this.guess.find((x) => x !== null) ?? 0;
    const full = this.guess.map((x) => (last = x ?? last));
    return Array.from({ length: n }, (_, i) => mean(full.slice(Math.round((i * BINS) / n),
      Math.max(Math.round((i * BINS) / n) + 1, Math.round(((i + 1) * BINS) / n)))))
      .map((x) => Number(Math.min(this.question.high, x).toFixed(3)));
  }

  /** A drawing without a pointer: 1 stays low, 2 goes up and stays, 3 goes up and down again. */
  shape(n) {
    if (!this.drawing) return;
    const high = this.question.high,
      form = (u) => (n === 1 || u < 0.2 ? 0.04 : u < 0.32 ? 0.04 + (0.7 * (u - 0.2)) / 0.12 : n === 2 ? 0.74 : Math.max(0.04,
        0.74 - (0.7 * (u - 0.32)) / 0.3));
    this.guess = Array.from({ length: BINS + 1 }, (_, b) => high * form(b / BINS));
    this.on.changed();
  }

  /** The share of the area that guess and truth have in common, and the two peaks, as far as was watched; null without a guess. */
  score() {
    const truth = this.series.find((s) => s.strong) ?? this.series[0];
    if (!this.guess || !this.question?.mine || !truth) return null;
    let off = 0, all = 0, mine = [0, 0], real = [0, 0], n = 0;
    this.guess.forEach((p, b) => {
      const t = (b / BINS) * this.time.duration;
      if (p === null || t > this.time.watched) return;
      const y = stepAt(truth, t);
      off += Math.abs(p - y); all += Math.max(p, y); n += 1;
      if (p > mine[0]) mine = [p, t];
      if (y > real[0]) real = [y, t];
    });
    return n ? { share: all ? 1 - off / all : 1, mine, real } : null;
  }

  area() { return { x: 6, w: Math.max(10, this.W - 12), y: 18, h: Math.max(10, this.H - 36) }; }
  X(t) { const a = this.area(); return a.x + (t / this.time.duration) * a.w; }
  Y(v) { const a = this.area(); return a.y + a.h - clamp(v / this.top, 0, 1.02) * (a.h - this.roof); }
  timeAt(clientX) { const r = this.canvas.getBoundingClientRect(), a = this.area();
    return clamp((clientX - r.left - a.x) / a.w, 0, 1) * this.time.duration; }

  touch(e, first) {
    const a = this.area(), t = this.timeAt(e.clientX), y = e.clientY - this.canvas.getBoundingClientRect().top;
    if (first) this.drag = this.drawing && y > a.y - 8 ? "draw" : "seek";
    if (this.drag === "seek") { this.on.seek(t); return; }
    const v = Math.min(this.question.high, clamp((a.y + a.h - y) / (a.h - this.roof), 0, 1) * this.top),
      b = clamp(Math.round((t / this.time.duration) * BINS), 0, BINS);
    this.guess ??= new Array(BINS + 1).fill(null);
    const from = this.last ?? [b, v], d = b >= from[0] ? 1 : -1;
    for (let k = from[0]; k !== b + d; k += d) this.guess[k] = b === from[0] ? v : from[1] + ((v - from[1]) * (k - from[0])) / (b - from[0]);
    this.last = [b, v];
    this.on.changed(true);
  }

  /** Actions as flags: [{at, words}]; each can be dragged in time, or taken away. `live`: can anything be changed? */
  plant(actions, live) {
    this.actions = actions;
    refill(this.flags, actions.map((action, i) => this.flag(action, i, live)));
    this.settle();
  }

  flag({ at, words }, index, live) {
    const name = h("button", { type: "button", class: "ml-flagname", title: live ? "Drag it in time, or use the arrow keys" : words,
      "aria-label": `${words}, at ${at.toFixed(1)} s` }, words);
    const remove = live && h("button", { type: "button", class: "ml-flagoff", "aria-label": `Take back: ${words}`, title: "Take back",
      onclick: () => this.on.removed(index) }, "×");
    const item = h("li", {}, name, remove);
    let start = null, left = 0;   // it moves by as much as the pointer does, wherever it is held
    const to = (e) => clamp(at + ((e.clientX - start) / this.area().w) * this.time.duration, 0, this.time.duration);
    name.addEventListener("pointerdown", (e) => { if (live) { start = e.clientX; left = item.offsetLeft; name.setPointerCapture?.(e.pointerId); } });
    name.addEventListener("pointermove", (e) => { if (start !== null && Math.abs(e.clientX - start) > 3)
      item.style.left = `${left + this.X(to(e)) - this.X(at)}px`; });
    name.addEventListener("pointerup", (e) => {
      if (start !== null && Math.abs(e.clientX - start) > 3) this.on.moved(index, to(e)); else if (start !== null) this.on.seek(at);
      start = null;
    });
    name.addEventListener("keydown", (e) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      if (by && live) { this.on.moved(index, clamp(at + (by * this.time.duration) / 100, 0, this.time.duration)); e.preventDefault();
        e.stopPropagation(); }
      if (e.key === "Delete" && live) { this.on.removed(index); e.preventDefault(); e.stopPropagation(); }
    });
    return item;
  }

  /** Puts the flags where they belong, one that would cover another in a row of its own; many are cut, so that all have room. */
  settle() {
    if (!this.W) return;
    const flags = [...this.actions ?? []].map((a, i) => ({ x: this.X(a.at), item: this.flags.children[i] })).sort((a, b) => a.x - b.x);
    const ends = new Array(clamp(Math.floor((this.H - 36) / FLAG), 1, 3)).fill(0), most = clamp((0.6 * ends.length * this.W) / flags.length - 3, 26, 420);
    for (const { item } of flags) item.style.maxWidth = `${most}px`;
    let rows = 0;
    for (const flag of flags) flag.w = Math.ceil(flag.item.getBoundingClientRect().width);   // rounded down, the last letters are cut
    for (const { x, item, w } of flags) {
      const wanted = Math.max(0, Math.min(x, this.W - w)), free = ends.findIndex((end) => end <= wanted),
        row = free < 0 ? ends.indexOf(Math.min(...ends)) : free, left = Math.min(Math.max(wanted, ends[row]), this.W - 26), room = Math.max(26, Math.min(w, this.W - left));
      item.style.left = `${left}px`; item.style.top = `${row * FLAG}px`; item.style.maxWidth = `${room}px`;
      ends[row] = left + room + 3; rows = Math.max(rows, row + 1);
    }
    const roof = Math.min(rows * FLAG, this.area().h * 0.6);   // the flags' part of the height: the curve and the cursor stay below
    if (roof !== this.roof) Object.assign(this, { roof, made: null });
  }

  resize(ratio) {
    const { clientWidth: w, clientHeight: height } = this.element;
    if (this.W === w && this.H === height && this.ratio === ratio) return;
    Object.assign(this, { W: w, H: height, ratio, made: null });
    this.canvas.width = Math.round(w * ratio); this.canvas.height = Math.round(height * ratio);
    this.settle();
  }

  line(g, s, to, close) {
    let last = this.Y(0);
    g.beginPath();
    if (close) g.moveTo(this.X(0), last);
    for (let i = 0; i < s.t.length && s.t[i] <= to; i++) {
      const x = this.X(s.t[i]), y = this.Y(s.y[i]);
      if (!this.smooth && i) g.lineTo(x, last);
      if (i || close) g.lineTo(x, y); else g.moveTo(x, y);
      last = y;
    }
    g.lineTo(this.X(to), last);
    if (close) g.lineTo(this.X(to), this.Y(0));
  }

  /** The whole curve and the fog, each painted once on a canvas of its own; a frame shows the part that was watched. */
  kit(col) {
    const key = `${col.name}${this.W}${this.H}${this.ratio}`;
    if (this.made?.key === key) return this.made;
    const a = this.area(), T = this.time.duration, [strong, pale] = this.pair();
    const sheet = () => {
      const c = document.createElement("canvas");
      c.width = this.canvas.width; c.height = this.canvas.height;
      const g = c.getContext("2d"); g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      return [c, g];
    };
    const [curve, g] = sheet(), [fog, f] = sheet();
    if (pale) {
      this.line(g, pale, T, true); g.fillStyle = alpha(col[pale.color], 0.1); g.fill();
      g.beginPath();
      for (let x = 0; x <= a.w; x += 1) g.lineTo(a.x + x, this.Y(stepAt(strong, (x / a.w) * T)));
      for (let x = a.w; x >= 0; x -= 1) g.lineTo(a.x + x, this.Y(stepAt(pale, (x / a.w) * T)));
      g.closePath(); g.fillStyle = alpha(col[strong.color], 0.3); g.fill();
    } else if (strong) { this.line(g, strong, T, true); g.fillStyle = alpha(col[strong.color], 0.2); g.fill(); }
    for (const s of this.series) {
      this.line(g, s, T, false);
      g.strokeStyle = s === strong ? col[s.color] : alpha(col[s.color], 0.72); g.lineWidth = s === strong ? 2.2 : 1.6; g.lineJoin = "round";
      g.stroke();
    }
    f.beginPath(); f.roundRect(a.x - 4, a.y - 2, a.w + 8, a.h + 3, 6); f.clip();
    f.fillStyle = col.fog; f.fillRect(0, 0, this.W, this.H); f.strokeStyle = col.fogline; f.lineWidth = 1; f.globalAlpha = 0.5; f.beginPath();
    for (let x = a.x - this.H; x < this.W; x += 9) { f.moveTo(x, this.H); f.lineTo(x + this.H, 0); }
    f.stroke();
    return (this.made = { key, curve, fog });
  }

  pair() { const strong = this.series.find((s) => s.strong) ?? this.series[0]; return [strong, this.series.find((s) => s !== strong)]; }

  draw(col, wall, { big = false, reduced = false } = {}) {
    const g = this.canvas.getContext("2d"), { time } = this, T = time.duration, a = this.area(), fs = big ? 14 : clamp(a.w / 130, 11.5, 13.5), [strong] = this.pair();
    if (!this.W || !this.H || !strong) return;
    if (time.fog ? time.watched !== this.scaled : this.scaled !== Infinity) this.rescale();
    const kit = this.kit(col), at = this.X(time.watched), cut = Math.round((time.fog ? at : this.W) * this.ratio),
      { width: cw, height: ch } = this.canvas;
    g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0); g.clearRect(0, 0, this.W, this.H);
    g.fillStyle = col.well; g.beginPath(); g.roundRect(a.x - 4, a.y - 2, a.w + 8, a.h + 3, 6); g.fill();
    g.save(); g.setTransform(1, 0, 0, 1, 0, 0);
    if (cut > 0) g.drawImage(kit.curve, 0, 0, cut, ch, 0, 0, cut, ch);
    if (time.fog && cut < cw) g.drawImage(kit.fog, cut, 0, cw - cut, ch, cut, 0, cw - cut, ch);
    g.restore();
    const age = this.ghost ? (performance.now() - this.ghost.at) / 1000 : Infinity;
    if (age < TIME.ghost) {
      g.save(); g.globalAlpha = 1 - age / TIME.ghost; g.strokeStyle = col.soft; g.lineWidth = 2; g.setLineDash([4, 4]);
      for (const s of this.ghost.series) { this.line(g, s, Math.max(this.ghost.until, 0.01), false); g.stroke(); }
      g.restore();
    }
    if (time.fog || this.drawing) this.mist(g, col, a, at, fs, wall, reduced);
    if (this.guess && this.question?.mine) this.guessed(g, col, a, fs, at, strong);
    this.axis(g, col, a, fs, strong, T);
    for (const e of this.events) {
      if (!e.big || e.t > time.watched + 1e-3) continue;
      const x = this.X(e.t), y = a.y + a.h - 1, wide = this.X(Math.min(e.last ?? e.t, time.watched)) - x;
      g.fillStyle = col.again; g.fillRect(x, y - 2, wide, 2);   // a series goes on as far as its line
      g.beginPath(); g.moveTo(x, y - 5.5); g.lineTo(x + 3, y); g.lineTo(x - 3, y); g.closePath(); g.fill();
    }
    for (const action of this.actions ?? []) { const x = this.X(action.at); g.strokeStyle = col.ink; g.lineWidth = 1.6; g.beginPath();
      g.moveTo(x, a.y - 2); g.lineTo(x, a.y + a.h); g.stroke(); }
    const x = this.X(time.t), y = this.Y(stepAt(strong, time.t));
    g.strokeStyle = col.ink; g.lineWidth = 1.6; g.beginPath(); g.moveTo(x, a.y - 4); g.lineTo(x, a.y + a.h + 3); g.stroke();
    g.beginPath(); g.arc(x, y, 5.5, 0, 7); g.fillStyle = col[strong.color]; g.fill(); g.strokeStyle = col.page; g.lineWidth = 2; g.stroke();
    g.beginPath(); g.moveTo(x - 5, a.y + a.h + 7); g.lineTo(x + 5, a.y + a.h + 7); g.lineTo(x, a.y + a.h + 1); g.closePath();
    g.fillStyle = col.ink; g.fill();
  }

  mist(g, col, a, at, fs, wall, reduced) {
    const room = a.x + a.w - at, x = at + room / 2, y = a.y + a.h / 2;
    if (this.drawing && !this.guess) {
      text(g, `Draw here: ${this.question.label}`, x, y - 10, { size: fs + 2.5, weight: 650, color: col.ink, align: "center", max: room - 20 });
      const w = Math.min(220, room * 0.4), n = reduced ? 40 : Math.floor(40 * Math.min(1, ((wall % 3) / 3) * 1.4));
      g.strokeStyle = col.ink; g.lineWidth = 2.4; g.lineCap = "round"; g.beginPath();
      for (let i = 0; i <= n; i++) { const u = i / 40, px = x - w / 2 + u * w, py = y + 14 - Math.sin(u * 9) * 5 * (1 - u * 0.3);
        if (i) g.lineTo(px, py); else g.moveTo(px, py); }
      g.stroke(); g.lineCap = "butt";
    } else if (!(this.guess && this.question?.mine) && room > 110) text(g, "not watched yet", x, y, { size: fs + 1, color: col.soft, align: "center", italic: true });
  }

  /** The guess, and its distance from the truth as far as that was watched. */
  guessed(g, col, a, fs, at, truth) {
    const T = this.time.duration, known = (b) => this.guess[b] !== null && (b / BINS) * T <= this.time.watched && !this.drawing;
    g.beginPath();
    for (let b = 0; b <= BINS; b++) if (known(b)) { const t = (b / BINS) * T, x = this.X(t); g.moveTo(x, this.Y(this.guess[b]));
      g.lineTo(x, this.Y(stepAt(truth, t))); }
    g.strokeStyle = alpha(col.again, 0.3); g.lineWidth = Math.max(1, (a.w / BINS) * 0.42); g.stroke();
    let open = false, last = [a.x, a.y];
    g.beginPath();
    this.guess.forEach((v, b) => { if (v === null) { open = false; return; } last = [this.X((b / BINS) * T), this.Y(v)]; if (open) g.lineTo(...last);
      else g.moveTo(...last); open = true; });
    g.strokeStyle = col.ink; g.lineWidth = 2.4; g.setLineDash([1, 4.5]); g.lineCap = "round"; g.stroke(); g.setLineDash([]); g.lineCap = "butt";
    text(g, "you", Math.min(last[0] + 4, a.x + a.w - 26), clamp(last[1] - 9, a.y + 6, a.y + a.h - 6),
      { size: fs + 0.5, weight: 700, color: col.ink });
    const k = this.score(), tells = k && Math.max(k.mine[0], k.real[0]) > this.top / 20;   // of next to nothing no share is right
    if (tells && !this.drawing && this.time.fog && this.time.watched > T * 0.03) text(g, `${Math.round(k.share * 100)} % right so far`, at + 8, a.y + 9,
      { size: fs + 0.5, weight: 650, color: col.again });
  }

  axis(g, col, a, fs, strong, T) {
    const named = this.series.length > 1 ? this.series.filter((s) => s.label) : [], whole = (s) => s.label, short = (s) => s.label.split(" ")[0];
    const need = (words) => named.reduce((sum, s) => sum + 35 + width(g, words(s), fs), 0), room = a.w - 40;
    const words = width(g, this.label, fs, 600) + need(whole) <= room ? whole : short;   // short: A, B, as above the lanes
    let x = a.x + text(g, this.label, a.x, 8, { size: fs, weight: 600, color: col.soft, max: room - need(words) }) + 14;
    for (const s of named) {
      g.fillStyle = s === strong ? col[s.color] : alpha(col[s.color], 0.72); g.fillRect(x, 6.2, 16, s === strong ? 3.6 : 2.2);
      x += 35 + text(g, words(s), x + 21, 8, { size: fs, color: col.soft });
    }
    const top = brief(this.top), wide = width(g, top, fs - 1) + 4;   // readable where the curve goes through it, too
    const right = a.x + a.w, now = this.X(this.time.t), edge = now > right - wide - 3 ? now - 5 : right;   // beside the cursor, not under it
    g.fillStyle = alpha(col.fog, 0.85); g.fillRect(edge - wide, a.y + this.roof, wide, fs + 1);
    text(g, top, edge - 1, a.y + this.roof + 6, { size: fs - 1, color: col.soft, align: "right" });
    const step = T > 7200 ? nice(T / 3600 / 7) * 3600 : nice(T / 7);
    for (let t = 0; t <= T + 1e-6; t += step) {
      const at = this.X(t), label = T > 172800 ? `${Math.round(t / 8640) / 10} d` : T > 7200 ? `${Math.round(t / 360) / 10} h` : T > 900 ? clock(t,
        T) : String(Number(t.toFixed(Math.max(1, Math.ceil(-Math.log10(step))))));
      g.fillStyle = col.edge; g.fillRect(at - 0.5, a.y + a.h + 1, 1, 4);
      text(g, label, at, this.H - 5, { size: fs - 1, color: col.soft, align: t < 1e-6 ? "left" : T - t < step / 4 ? "right" : "center" });
    }
  }
}

const mean = (list) => list.reduce((a, b) => a + b, 0) / Math.max(1, list.length);

/** A kept guess of a few columns, as a line. */
function spread(columns) {
  const n = columns?.length ?? 0;
  if (!n) return null;
  return Array.from({ length: BINS + 1 }, (_, b) => {
    const u = (b / BINS) * n - 0.5, i = clamp(Math.floor(u), 0, n - 1), j = Math.min(n - 1, i + 1);
    return columns[i] + (columns[j] - columns[i]) * clamp(u - i, 0, 1);
  });
}
