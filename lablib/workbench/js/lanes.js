// Lanes: single messages, one line each, over virtual time. They follow the same cursor as everything else.
import { STATUS, WAITING, DELAYED, WORKING, RETRY, VAIN, DONE, clock, tell } from "./state.js";
import { again, ending, followed, hidings, isHeld, stayAt, stays, usualWindow, windowFrom, windows } from "./stays.js";
import { button, h, refill } from "./dom.js";
import { drawMark, look } from "./marks.js";
import { table } from "./foot.js";

const COUNT = 12, ROW = 19, INSET = 18, NEAR = 7;

export class Lanes {
  /** `choose(message)` shows a message's life; `life(message)` fetches it; `seek(t)` moves the cursor. */
  constructor({ choose, life, seek }) {
    this.pins = []; this.lives = new Map(); this.choose = choose; this.life = life; this.seek = seek; this.font = 12;
    this.canvas = h("canvas", { class: "ml-lanes-canvas", "aria-hidden": "true" });
    this.g = this.canvas.getContext("2d");
    this.names = h("div", { class: "ml-lane-names", role: "group", "aria-label": "Messages in the lanes; Enter tells a message's life and keeps its lane" });
    this.rows = Array.from({ length: COUNT }, (_, i) => this.names.appendChild(h("button", { type: "button", class: "ml-lane-name", onclick: () => this.pin(this.shown[i]) })));
    this.tip = h("div", { class: "ml-tip", hidden: true, "aria-hidden": "true" });
    this.scale = h("span", { class: "ml-hint" });
    this.body = h("div", { class: "ml-scroll", tabIndex: 0, "aria-label": "The lanes as a table" });
    this.details = h("details", { ontoggle: () => this.tell() }, h("summary", {}, "The lanes as a table"), this.body);
    this.element = h("section", { class: "ml-lanes", hidden: true, "aria-label": "Lanes: single messages over time" },
      h("div", { class: "ml-lanes-head" }, this.key = h("span", { class: "ml-lanes-key" }), this.scale,
        button("−", () => this.zoom(-1), { "aria-label": "Show more time" }), button("+", () => this.zoom(1), { "aria-label": "Show less time" })),
      h("div", { class: "ml-lanes-field" }, this.names, this.canvas, this.tip), this.details);
    this.canvas.addEventListener("pointermove", (e) => this.hover(e.offsetX, e.offsetY));
    this.canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    this.canvas.addEventListener("click", (e) => { const i = Math.floor(e.offsetY / ROW); if (this.shown?.[i] >= 0) this.pin(this.shown[i], true); else this.seek(this.at(e.offsetX)); });
  }

  /** `name`: which run of a comparison it is, or "". */
  show(run, name = "") {
    this.name = name && `run ${name}, `;
    if (this.run !== run) { this.lives.clear(); this.made = new Map(); this.tip.hidden = true; }
    this.pins = this.pins.filter((message) => message < run.messages);
    if (!this.width || this.run?.duration !== run.duration) this.width = usualWindow(run, COUNT);
    this.run = run;
    this.next = -1;
    if (this.colours && this.tries !== run.ever[RETRY]) this.legend(this.colours);
  }

  open(on) { this.element.hidden = !on; this.next = -1; }

  /** Keeps a message's lane, or lets it go; a message that gets a lane tells its life. */
  pin(message, stay = false) {
    if (message === undefined) return;
    const had = this.pins.includes(message);
    if (had && !stay) this.pins = this.pins.filter((x) => x !== message);
    else { if (!had) this.pins = [...this.pins, message].slice(-(COUNT - 2)); this.choose(message); }
    this.next = -1;
  }

  zoom(by) {
    const all = windows(this.run.duration), i = all.findIndex((width) => width <= this.width * 1.001);
    this.width = all[Math.min(all.length - 1, Math.max(0, i + by))];
    this.next = -1; this.again();
  }

  story(message) {
    if (!this.made.has(message)) this.made.set(message, { stays: stays(this.run, message), hidings: hidings(this.run, message), end: ending(this.run, message), again: again(this.run, message) });
    return this.made.get(message);
  }

  x(t) { return INSET + ((t - this.from) / this.width) * (this.w - INSET - 10); }
  at(x) { return this.from + ((x - INSET) / (this.w - INSET - 10)) * this.width; }

  /** Draws instant t. `state`: what is where then; `c`: the colours; `chosen`: the message whose life is shown. */
  draw(t, state, c, chosen, playing) {
    if (this.element.hidden || !this.run) return;
    this.again = () => this.draw(t, state, c, chosen, playing);
    const { clientWidth: w, clientHeight: height } = this.canvas, ratio = window.devicePixelRatio || 1;
    if (!w || !height) return;
    if (this.w !== w || this.ratio !== ratio) { this.w = w; this.ratio = ratio; this.canvas.width = Math.round(w * ratio); this.canvas.height = Math.round(height * ratio); }
    const { g } = this;
    g.setTransform(ratio, 0, 0, ratio, 0, 0); g.clearRect(0, 0, w, height);
    this.t = t; this.from = windowFrom(this.run, t, this.width);
    if (this.next !== state.next) {
      this.next = state.next;
      this.shown = followed(this.run, state.next, COUNT, this.pins, this.from);
    }
    this.label(t, state, chosen, playing);
    this.axis(c);
    g.save(); g.beginPath(); g.rect(INSET, 0, w - INSET, height); g.clip();
    this.shown.forEach((message, i) => this.lane(message, i * ROW, c, message === chosen));
    const now = this.x(t);
    g.globalAlpha = 0.6; g.fillStyle = c.card; g.fillRect(now, 0, w - now, COUNT * ROW);
    g.globalAlpha = 1; g.fillStyle = c.ink; g.fillRect(now - 0.75, 0, 1.5, COUNT * ROW);
    g.restore();
    this.shown.forEach((message, i) => this.mark(state, message, i * ROW + ROW / 2, c));
  }

  mark(state, message, y, c) {
    const move = state.last[message], { s, n } = this.run.moves, group = this.run.groups?.of[message] ?? -1;
    if (move >= 0 && s[move] !== DONE) drawMark(this.g, look(s[move], n[move], group), 8, y, 5, c);
  }

  lane(message, top, c, chosen) {
    const { g } = this, middle = top + ROW / 2, { stays: list, hidings: hidden, end, again: twice } = this.story(message), to = this.from + this.width;
    if (chosen) { g.fillStyle = c.well; g.fillRect(INSET, top, this.w, ROW - 1); }
    g.fillStyle = c.line; g.fillRect(INSET, top + ROW - 1, this.w, 0.5);
    for (const stay of list) {
      if (stay.to < this.from || stay.from > to) continue;
      const a = this.x(stay.from), b = this.x(stay.to);
      if (!isHeld(stay.status)) {
        g.strokeStyle = c[stay.status === DELAYED ? "delayed" : stay.status === RETRY ? "again" : "waiting"]; g.lineWidth = 2; g.setLineDash(stay.status === WAITING ? [] : [3, 3]);
        g.beginPath(); g.moveTo(a, middle); g.lineTo(b, middle); g.stroke(); g.setLineDash([]);
        continue;
      }
      const solid = stay.status === WORKING, high = solid ? 13 : 7;
      g.fillStyle = c[stay.status === VAIN ? "lost" : stay.n > 1 ? "again" : "flight"]; g.globalAlpha = solid ? 1 : 0.5;
      const cut = this.x(Math.min(stay.to, stay.cut));
      g.fillRect(a, middle - high / 2, Math.max(1, cut - a), high); g.globalAlpha = 0.35;
      g.fillRect(cut, middle - 3.5, b - cut, 7); g.globalAlpha = 1;
      if (solid) this.word(this.run.actors[stay.actor]?.name ?? "", a + (stay.n > 1 ? 8 : 0), cut, middle, c);
      if (stay.cut < stay.to) drawMark(g, { shape: "cross", colour: "again" }, cut, middle, 6, c);
    }
    for (const { from, until, extended } of hidden) {
      if (extended !== null) { this.notch(this.x(extended), middle, c); continue; }
      const held = list.filter((stay) => isHeld(stay.status) && stay.from <= until + 1e-6 && stay.to > from).at(-1);
      this.bracket(this.x(Math.min(until, held?.to ?? until)), this.x(until), middle, c);
    }
    for (const move of twice) drawMark(g, { ...look(2, 2), edge: true }, this.x(this.run.moves.t[move]), middle, 5.5, c);
    if (end) drawMark(g, look(end.status, 1), this.x(end.t), middle, 4.5, c);
  }

  /** The end of a visibility timeout; dotted where the message was gone before. */
  bracket(a, b, y, c) {
    const { g } = this;
    g.strokeStyle = c.soft; g.lineWidth = 1;
    if (b - a > 2) { g.globalAlpha = 0.6; g.setLineDash([1, 3]); g.beginPath(); g.moveTo(a, y); g.lineTo(b, y); g.stroke(); g.setLineDash([]); g.globalAlpha = 1; }
    g.lineWidth = 1.5; g.beginPath(); g.moveTo(b - 3, y - 7); g.lineTo(b, y - 7); g.lineTo(b, y + 7); g.lineTo(b - 3, y + 7); g.stroke();
  }

  /** The timeout was changed here. */
  notch(x, y, c) { const { g } = this; g.fillStyle = c.ink; g.beginPath(); g.moveTo(x - 3.5, y - 8); g.lineTo(x + 3.5, y - 8); g.lineTo(x, y - 3); g.fill(); }

  word(name, a, b, y, c) {
    const { g } = this, from = Math.max(a, INSET), room = Math.min(b, this.w) - from - 6;
    g.font = `600 ${this.font - 2}px ${this.family ?? "sans-serif"}`; g.textAlign = "left";
    const short = name.replace(/^.*?(\d+)$/, "$1"), words = [name, short].find((x) => g.measureText(x).width <= room);
    if (words) { g.fillStyle = c.card; g.fillText(words, from + 3, y + this.font * 0.3); }
  }

  axis(c) {
    const { g } = this, rough = this.width / 6, power = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].map((x) => x * power).find((x) => x >= rough), y = COUNT * ROW;
    g.font = `${this.font - 1}px ${this.family ?? "sans-serif"}`; g.textAlign = "center"; g.fillStyle = c.soft;
    for (let t = Math.ceil(this.from / step) * step; t <= this.from + this.width + 1e-9; t += step) {
      const x = this.x(t), words = this.run.duration <= 900 ? `${Number(t.toFixed(3))} s` : clock(t, this.run.duration);
      g.globalAlpha = 0.5; g.fillRect(x, 0, 0.5, y); g.globalAlpha = 1;
      if (x > INSET + 8 && x < this.w - 14) g.fillText(words, x, y + 13);
    }
  }

  label(t, state, chosen, playing) {
    this.rows.forEach((row, i) => {
      const message = this.shown[i], pinned = this.pins.includes(message), words = message === undefined ? "" : String(message + 1);
      row.hidden = message === undefined;
      if (row.textContent !== words) row.textContent = words;
      row.classList.toggle("ml-pinned", pinned); row.classList.toggle("ml-chosen", message === chosen);
      row.setAttribute("aria-pressed", pinned);
      if (!playing && message !== undefined) row.setAttribute("aria-label", `Message ${this.said(message, t).join(", ")}`);
    });
    const words = `${this.name}${Number(this.width.toPrecision(3))} s wide`;
    if (this.scale.textContent !== words) this.scale.textContent = words;
    if (!playing && this.details.open) this.tell();
  }

  /** A lane in words: number, what it is now, since when, who has it, until when it is hidden, how often received. */
  said(message, t) {
    const { stays: list, hidings: hidden, end } = this.story(message), now = stayAt(list, t), at = (x) => clock(x, this.run.duration);
    if (!now) return [`${message + 1}`, end && end.t <= t ? STATUS[end.status] : "not sent yet", end && end.t <= t ? at(end.t) : "", "", "", ""];
    const hold = isHeld(now.status) && hidden.filter((x) => x.from <= t).at(-1);
    return [`${message + 1}`, STATUS[now.status], `since ${at(now.from)}`, this.run.actors[now.actor]?.name ?? "", hold ? `hidden until ${at(hold.until)}` : "", now.n ? `received ${now.n} times`.replace("1 times", "once") : ""];
  }

  tell() {
    if (!this.details.open || !this.shown) return;
    const rows = this.shown.map((message) => this.said(message, this.t)), key = rows.join("|");
    if (this.told !== key) refill(this.body, table("", ["message", "now", "since", "held by", "hidden", "deliveries"], rows));
    this.told = key;
  }

  /** What happened nearest to a point, in words; why a message was delivered again is asked of Python. */
  async hover(x, y) {
    const message = this.shown?.[Math.floor(y / ROW)];
    if (message === undefined) { this.tip.hidden = true; return; }
    const { stays: list, hidings: hidden, end, again: twice } = this.story(message), near = (t) => Math.abs(this.x(t) - x) < NEAR, at = this.at(x);
    const copy = twice.find((move) => near(this.run.moves.t[move]));
    const until = hidden.find((hold) => hold.extended === null && near(hold.until)), stay = stayAt(list, at);
    const words = copy !== undefined ? tell(this.run, copy) : end && near(end.t) ? tell(this.run, end.move)
      : until ? `message ${message + 1}: its visibility timeout ends at ${clock(until.until, this.run.duration)}`
      : stay && near(stay.cut) ? `${this.run.actors[stay.actor].name} crashed at ${clock(stay.cut, this.run.duration)}, with message ${message + 1} in hand`
      : stay ? `${tell(this.run, stay.move)} at ${clock(stay.from, this.run.duration)}; ${STATUS[stay.status]} for ${(stay.to - stay.from).toFixed(1)} s` : "";
    this.say(words, x, y);
    if (copy === undefined) return;
    if (!this.lives.has(message)) this.lives.set(message, this.life(message));
    const life = await this.lives.get(message), time = this.run.moves.t[copy];
    const why = life?.again?.find(([t]) => Math.abs(t - time) < 1e-6)?.[1];
    if (why && this.tip.textContent === words) this.say(why, x, y);
  }

  say(words, x, y) {
    this.tip.hidden = !words; this.tip.textContent = words;
    this.tip.style.left = `${Math.min(x + 60, this.w - 200)}px`; this.tip.style.top = `${y + 16}px`;
  }

  /** What the lanes' signs mean. */
  legend(c) {
    this.colours = c; this.tries = this.run?.ever[RETRY];
    const sign = (draw, words) => { const canvas = h("canvas", { width: 44, height: 28, "aria-hidden": "true" }), g = canvas.getContext("2d"); g.scale(2, 2); const kept = this.g; this.g = g; draw(g); this.g = kept; return h("span", {}, canvas, words); };
    const bar = (colour, high, alpha = 1) => (g) => { g.globalAlpha = alpha; g.fillStyle = colour; g.fillRect(1, 7 - high / 2, 20, high); };
    const dashes = (g) => { g.strokeStyle = c.again; g.lineWidth = 2; g.setLineDash([3, 3]); g.beginPath(); g.moveTo(1, 7); g.lineTo(21, 7); g.stroke(); };
    refill(this.key, sign(bar(c.waiting, 2), "waiting"), this.run?.ever[RETRY] ? sign(dashes, "waits for the next attempt") : null, sign(bar(c.flight, 7, 0.5), "in flight"), sign(bar(c.flight, 12), "working"),
      sign(() => this.bracket(3, 16, 7, c), "timeout ends"), sign((g) => drawMark(g, { shape: "cross", colour: "again" }, 11, 7, 6, c), "crash"), sign(() => this.notch(11, 12, c), "timeout changed"), sign((g) => drawMark(g, { ...look(2, 2), edge: true }, 11, 7, 5, c), "delivered again"), sign((g) => drawMark(g, look(DONE, 1), 11, 7, 4, c), "deleted"));
  }
}
