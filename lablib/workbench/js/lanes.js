// Lanes: single messages, one line each, over virtual time. Where it waits, how long it was hidden, and who worked on it are three
// things: two workers on one message are two bars.
import { button, h, refill, table } from "./dom.js";
import { NUMBERED, alpha, cap, clock, span } from "./theme.js";
import { box, text, width } from "./glyph.js";
import { upTo } from "./model.js";

const COUNT = 12, ROW = 24, LEFT = 4;
const ZOOMS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/**
 * One message's lane: {waits: [{from, to, again}], hidden: [{from, to, until}], work: [{from, to, actor, late, outcome, row}], kept: {from, to}
 * or null (before it was taken, while its sender was blocked), end}. A visibility
 * bar lasts until the message is visible again or gone; a work bar until the worker stops or crashes, whatever the queue thinks. Pure.
 */
export function laneOf(run, m) {
  const tokens = run.of.get(m) ?? [], T = run.duration, waits = [], hidden = [], work = [], free = [];
  for (const k of tokens) {
    if (k.state === "hidden") {
      const last = hidden.at(-1);
      if (last && last.until === k.vu && Math.abs(last.to - k.t0) < 1e-6) last.to = Math.min(T, k.t1);
      else hidden.push({ from: k.t0, to: Math.min(T, k.t1), until: k.vu });
    } else if (k.state === "held" && k.wf !== null) {
      const last = work.findLast((w) => w.actor === k.holder && w.from === k.wf);
      const to = Math.min(T, k.wu ?? k.t1), outcome = run.outcome(k), late = k.vu !== null && k.vu < to ? Math.max(k.wf, k.vu) : null;
      if (last) { Object.assign(last, { to, outcome, late }); continue; }
      let row = free.findIndex((until) => until <= k.wf + 1e-9);
      if (row < 0) row = free.length;
      free[row] = to;
      work.push({ from: k.wf, to, actor: k.holder, late, outcome, row, copy: k.copy, ended: k.ended });
    } else if (k.holder < 0 && k.state !== "lost" && k.state !== "hidden") waits.push({ from: k.t0, to: Math.min(T, k.t1), again: k.copy > 0,
      state: k.state });
  }
  const done = tokens.find((k) => run.outcome(k) === "done"), gone = tokens.find((k) => k.state === "lost");
  const end = done ? { t: done.t1, kind: "done" } : gone ? { t: gone.t0, kind: "lost", why: gone.ended } : null;
  const handed = run.lens?.held?.[m], kept = handed === undefined ? null : { from: handed, to: run.born(m) };
  return { waits, hidden, work, kept, rows: Math.max(1, free.length), end };
}

/** The messages to show at t: pinned ones, then those to which something happened last, then those that come next. */
export function followed(run, t, count, pins, from) {
  const chosen = new Set(pins), i = upTo(run.starts, t), gone = (m) => run.of.get(m).every((k) => k.t1 < from);
  const waits = (k) => run.places[k.place]?.role !== "topic" && run.places[k.place]?.role !== "bucket" && k.state !== "asking";
  for (let n = i - 1; n >= 0 && chosen.size < count; n--) if (waits(run.list[n]) && !gone(run.list[n].m)) chosen.add(run.list[n].m);
  for (let n = i; n < run.list.length && chosen.size < count; n++) if (waits(run.list[n])) chosen.add(run.list[n].m);
  return [...chosen].sort((a, b) => a - b);
}

export class Lanes {
  /** `choose(message)` opens its card; `seek(t)` moves the cursor. */
  constructor({ choose, seek }) {
    Object.assign(this, { pins: [], choose, seek, made: new Map() });
    this.canvas = h("canvas", { class: "ml-lanes-canvas", "aria-hidden": "true" });
    this.names = h("div",
      { class: "ml-lane-names", role: "group", "aria-label": "Messages in the lanes; Enter opens a message's card and keeps its lane" });
    this.rows = Array.from({ length: COUNT }, (_, i) => this.names.appendChild(h("button",
      { type: "button", class: "ml-lane-name", onclick: () => this.pin(this.shown[i]) })));
    this.scale = h("span", { class: "ml-hint" });
    this.key = h("span", { class: "ml-lanes-key" });
    this.body = h("div", { class: "ml-scroll", tabIndex: 0, role: "region", "aria-label": "The lanes as a table" });
    this.details = h("details", { ontoggle: () => this.tell() }, h("summary", {}, "The lanes as a table"), this.body);
    this.element = h("section", { class: "ml-lanes", hidden: true, "aria-label": "Lanes: single messages over time" },
      h("div", { class: "ml-lanes-head" }, this.key, this.scale, button("−", () => this.zoom(-1), { "aria-label": "Show more time" }),
        button("+", () => this.zoom(1), { "aria-label": "Show less time" })),
      h("div", { class: "ml-lanes-field" }, this.names, this.canvas), this.details);
    this.canvas.addEventListener("click", (e) => { const m = this.shown?.[Math.floor(e.offsetY / ROW)]; if (m !== undefined) this.pin(m, true);
      else this.seek(this.at(e.offsetX)); });
  }

  show(run, name = "") {
    Object.assign(this, { run, name, made: new Map() });
    this.pins = this.pins.filter((m) => run.of.has(m));
    const lengths = [...run.of.values()].map((list) => Math.min(run.duration, list.at(-1).t1) - list[0].t0).sort((a, b) => a - b);
    const wanted = Math.max(3 * (lengths[lengths.length >> 1] ?? 1), (1.5 * COUNT * run.duration) / Math.max(1, run.of.size));
    if (this.duration !== run.duration) this.width = ZOOMS.map((z) => run.duration / z).findLast((w) => w >= wanted) ?? run.duration;
    this.duration = run.duration;
  }

  open(on) { this.element.hidden = !on; }

  pin(m, stay = false) {
    if (m === undefined) return;
    const had = this.pins.includes(m);
    if (had && !stay) this.pins = this.pins.filter((x) => x !== m);
    else { if (!had) this.pins = [...this.pins, m].slice(-(COUNT - 2)); this.choose(m); }
    this.again?.();
  }

  zoom(by) {
    const all = ZOOMS.map((z) => this.run.duration / z), i = all.findIndex((w) => w <= this.width * 1.001);
    this.width = all[Math.min(all.length - 1, Math.max(0, i + by))];
    this.again?.();
  }

  story(m) { if (!this.made.has(m)) this.made.set(m, laneOf(this.run, m)); return this.made.get(m); }
  x(t) { return LEFT + ((t - this.from) / this.width) * (this.w - LEFT - 8); }
  at(x) { return this.from + ((x - LEFT) / (this.w - LEFT - 8)) * this.width; }

  /** Draws instant t; what lies after `watched` is not drawn. */
  draw(t, watched, col, chosen, playing, ratio) {
    if (this.element.hidden || !this.run) return;
    this.again = () => this.draw(t, watched, col, chosen, playing, ratio);
    const { clientWidth: w, clientHeight: height } = this.canvas, g = this.canvas.getContext("2d"), { run } = this;
    if (!w || !height) return;
    if (this.w !== w || this.ratio !== ratio) { Object.assign(this, { w, ratio }); this.canvas.width = Math.round(w * ratio);
      this.canvas.height = Math.round(height * ratio); }
    g.setTransform(ratio, 0, 0, ratio, 0, 0); g.clearRect(0, 0, w, height);
    Object.assign(this, { t, watched, from: Math.min(Math.max(0, t - 0.66 * this.width), Math.max(0, run.duration - this.width)) });
    this.shown = followed(run, t, COUNT, this.pins, this.from).filter((m) => run.born(m) <= Math.max(watched, t));
    this.label(chosen, playing);
    this.axis(g, col);
    g.save(); g.beginPath(); g.rect(LEFT, 0, Math.max(0, Math.min(w, this.x(Math.max(watched, t))) - LEFT), COUNT * ROW); g.clip();
    this.shown.forEach((m, i) => this.lane(g, m, i * ROW, col, m === chosen));
    g.restore();
    const now = this.x(t);
    g.globalAlpha = 0.6; g.fillStyle = col.page; g.fillRect(now, 0, w - now, COUNT * ROW); g.globalAlpha = 1;
    g.fillStyle = col.ink; g.fillRect(now - 0.75, 0, 1.5, COUNT * ROW);
    if (this.dressed !== col.name || this.keyOf !== this.run) this.legend(col);
  }

  lane(g, m, top, col, chosen) {
    const { waits, hidden, work, kept, rows, end } = this.story(m), middle = top + ROW / 2, to = this.from + this.width;
    if (chosen) { g.fillStyle = col.well; g.fillRect(LEFT, top, this.w, ROW - 1); }
    g.fillStyle = col.faint; g.fillRect(LEFT, top + ROW - 1, this.w, 0.7);
    if (kept && kept.to >= this.from) box(g, this.x(kept.from), middle - 3, Math.max(1, this.x(kept.to) - this.x(kept.from)), 6, 0,
      { fill: col.page, stroke: col.control });
    for (const k of waits) if (k.to >= this.from && k.from <= to) { g.fillStyle = k.again ? col.again : col.waiting;
      g.fillRect(this.x(k.from), middle - 1, Math.max(1, this.x(k.to) - this.x(k.from)), 2.4); }
    for (const k of hidden) {                          // the visibility bar: a bracket above the work
      const a = this.x(k.from), b = this.x(k.to);
      g.strokeStyle = col.soft; g.lineWidth = 1.2; g.setLineDash([3, 2]); g.beginPath(); g.moveTo(a, top + 4.5); g.lineTo(b, top + 4.5); g.stroke();
      g.setLineDash([]);
      if (k.until !== null && Math.abs(k.until - k.to) < 0.05) { g.lineWidth = 1.8; g.strokeStyle = col.again; g.beginPath(); g.moveTo(b, top + 2);
        g.lineTo(b, top + ROW - 3); g.stroke(); }
    }
    const high = (ROW - 9) / rows;
    for (const k of work) {
      const y = top + 7 + k.row * high, cut = k.late ?? k.to;
      g.fillStyle = k.copy > 1 ? col.again : col.hand; g.fillRect(this.x(k.from), y, Math.max(1.2, this.x(cut) - this.x(k.from)), high - 1.5);
      if (cut < k.to) { g.fillStyle = col.pale; g.fillRect(this.x(cut), y, this.x(k.to) - this.x(cut), high - 1.5); }
      let clear = cut;                                 // the name stands before what is frozen
      for (const [from, to, state] of this.run.actors[k.actor]?.spans ?? []) if (state === "frozen" && from < k.to && (to ?? k.to) > k.from) {
        const a = this.x(Math.max(from, k.from)), b = this.x(Math.min(to ?? k.to, k.to));
        box(g, a, y + 1, Math.max(1, b - a), high - 3.5, 0, { fill: col.page, stroke: col.control });
        clear = Math.min(clear, Math.max(from, k.from)); }
      const name = this.run.actors[k.actor]?.name ?? "", room = this.x(clear) - Math.max(this.x(k.from), LEFT) - 8;
      if (high >= 9 && room > 12) text(g, [name, name.split("-").pop()].find((s) => width(g, s, 10.5, 600) < room) ?? "", Math.max(this.x(k.from), LEFT) + 4,
        y + high / 2 - 0.5, { size: 10.5, weight: 600, color: col.onmark });
      if (k.outcome === "crashed" || k.outcome === "vain") this.cross(g, this.x(k.to), y + high / 2 - 0.7, col.again);
    }
    if (end) { g.fillStyle = end.kind === "done" ? col.done : col.again;
      if (end.kind === "done") { g.beginPath(); g.arc(this.x(end.t), middle, 4.5, 0, 7); g.fill(); } else this.cross(g, this.x(end.t), middle,
        col.again); }
  }

  cross(g, x, y, color) { g.strokeStyle = color; g.lineWidth = 2.2; g.beginPath();
    for (const d of [-1, 1]) { g.moveTo(x - 4, y - 4 * d); g.lineTo(x + 4, y + 4 * d); } g.stroke(); }

  axis(g, col) {
    const rough = this.width / 6, power = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].map((x) => x * power).find((x) => x >= rough),
      y = COUNT * ROW;
    for (let t = Math.ceil(this.from / step) * step; t <= this.from + this.width + 1e-9; t += step) {
      const x = this.x(t);
      g.fillStyle = alpha(col.edge, 0.4); g.fillRect(x, 0, 0.7, y);
      if (x > LEFT + 8 && x < this.w - 20) text(g, this.run.duration <= 900 ? `${Number(t.toFixed(3))} s` : clock(t, this.run.duration), x, y + 10,
        { size: 11, color: col.soft, align: "center" });
    }
  }

  label(chosen, playing) {
    this.rows.forEach((row, i) => {
      const m = this.shown[i], words = m === undefined ? "" : String(m + 1);
      row.hidden = m === undefined;
      if (row.textContent !== words) row.textContent = words;
      row.classList.toggle("ml-pinned", this.pins.includes(m)); row.classList.toggle("ml-chosen", m === chosen);
      row.setAttribute("aria-pressed", this.pins.includes(m));
      if (!playing && m !== undefined) row.setAttribute("aria-label", `${cap(this.run.unit)} ${this.said(m).filter(Boolean).join(", ")}`);
    });
    const words = `${this.name}${span(this.width)} wide`;
    if (this.scale.textContent !== words) this.scale.textContent = words;
    if (!playing && this.details.open) this.tell();
  }

  /** A lane in words: number, what it is now, since when, who has it, hidden until, how often received. */
  said(m) {
    const { t, run } = this, now = (run.of.get(m) ?? []).filter((k) => k.t0 <= t && t < k.t1), held = now.filter((k) => k.state === "held"),
      hidden = now.find((k) => k.state === "hidden"), at = (x) => clock(x, run.duration);
    const { end } = this.story(m), k = held[0] ?? now[0], copies = Math.max(0, ...run.of.get(m).filter((x) => x.t0 <= t).map((x) => x.copy)),
      received = copies ? `received ${copies === 1 ? "once" : `${copies} times`}` : "";
    if (!k) return [`${m + 1}`, end && end.t <= t ? end.kind : "not sent yet", end && end.t <= t ? at(end.t) : "", "", "", received];
    return [`${m + 1}`, run.said[k.state] ?? k.state, `since ${at(k.t0)}`, [...new Set(held.map((x) => run.actors[x.holder].name))].join(" and "),
      hidden?.vu ? `hidden until ${at(hidden.vu)}` : "", received];
  }

  tell() {
    if (!this.details.open || !this.shown) return;
    const rows = this.shown.map((m) => this.said(m)), key = rows.join("|");
    if (this.told !== key) refill(this.body, table("", [this.run.unit, "now", "since", "held by", "hidden", "deliveries"], rows));
    this.told = key;
  }

  legend(col) {
    Object.assign(this, { dressed: col.name, keyOf: this.run });
    const sign = (words, style) => h("span", {}, h("i", { style }), words);
    refill(this.key, sign("waits", `height:3px;background:${col.waiting}`), sign("hidden", `height:0;border-top:2px dashed ${col.soft}`),
      sign("work", `height:${NUMBERED - 8}px;background:${col.hand}`),
      sign("again", `height:10px;background:${col.again}`), sign("receipt expired", `height:10px;background:${col.pale}`),
      ...(this.run.actors.some((a) => a.spans.some(([, , state]) => state === "frozen")) ? [sign("frozen", `height:10px;border:1px solid ${col.control}`)] : []),
      ...(Object.keys(this.run.lens?.held ?? {}).length ? [sign("sender blocked", `height:6px;border:1px solid ${col.control}`)] : []),
        h("span", {}, h("b", { style: `color:${col.again}` }, "✕ "), "crash, in vain"),
          h("span", {}, h("b", { style: `color:${col.done}` }, "● "), "done"));
  }
}
