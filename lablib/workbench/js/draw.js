// Draws runs at an instant on a canvas: places as boxes, messages as marks that glide to where they belong.
import { STATUS, WAITING, DELAYED, HELD, WORKING, DONE, DEAD, LOST, VAIN, HERE, RETRY, FILTERED, PASSED, DELIVERED, actorsAt, serversDownAt, brief } from "./state.js";
import { HEAD, PAD, branches } from "./layout.js";
import { Band } from "./band.js";
import { Stamps } from "./marks.js";

export class Stage {
  constructor(canvas) {
    this.canvas = canvas; this.g = canvas.getContext("2d"); this.lanes = []; this.chosen = null; this.font = 12; this.widths = new Map(); this.stamps = new Stamps();
  }

  /** `runs`: [{run, label}], one lane each, top to bottom. */
  show(runs) {
    this.lanes = runs.map(({ run, label }) => new Band(run, label));
    this.resize();
  }

  resize() {
    const { clientWidth: w, clientHeight: h } = this.canvas, ratio = window.devicePixelRatio || 1;
    if (!w || !h) return;
    this.ratio = ratio;
    this.canvas.width = Math.round(w * ratio); this.canvas.height = Math.round(h * ratio);
    this.g.setTransform(ratio, 0, 0, ratio, 0, 0); this.fontNow = "";
    const count = this.lanes.length, gap = 10, each = (h - gap * (count - 1)) / Math.max(1, count);
    this.lanes.forEach((lane, i) => { lane.sprites.clear(); lane.place(1, i * (each + gap) + 1, w - 2, each - 2, this.font); });
    this.size = { w, h };
    this.fresh = true;
  }

  /** Draws instant t. `dt`: real seconds since the last frame; `snap`: no gliding. True while marks are still moving. */
  draw(t, dt, snap, colours) {
    if (!this.size) return false;
    this.g.clearRect(0, 0, this.size.w, this.size.h);
    let moving = false;
    for (const lane of this.lanes) {
      if (this.fresh) lane.boxes.forEach((box, p) => { box.under = this.under(lane, p, box); });
      lane.aim(t, snap || this.fresh);
      if (lane.glide(dt, snap || this.fresh)) moving = true;
      this.drawLane(lane, t, colours);
    }
    this.fresh = false;
    return moving;
  }

  drawLane(lane, t, c) {
    const { g } = this, { run } = lane;
    if (lane.label) this.text(lane.label, lane.frame.x + 2, lane.frame.y + this.font - 2, c.ink, `600 ${this.font}px`);
    this.links(lane, c);
    const actors = actorsAt(run, t), down = serversDownAt(run, t);
    lane.boxes.forEach((box, p) => this.box(lane, p, box, c, down));
    run.actors.forEach((actor, i) => lane.cells[i] && this.cell(lane.cells[i], actor, actors[i], c));
    for (const [message, sprite] of lane.sprites) {
      g.globalAlpha = Math.max(0, Math.min(1, sprite.alpha));
      this.stamps.draw(g, sprite.look, sprite.x, sprite.y, sprite.r, c, this.ratio);
      if (sprite.flash > 0) {
        g.globalAlpha = sprite.flash; g.lineWidth = 2; g.strokeStyle = c.again;
        g.beginPath(); g.arc(sprite.x, sprite.y, sprite.r + 9 * (1 - sprite.flash), 0, 6.2832); g.stroke();
      }
      if (this.chosen === message) {
        g.lineWidth = 2; g.strokeStyle = c.ink; g.beginPath(); g.arc(sprite.x, sprite.y, sprite.r + 4, 0, 6.2832); g.stroke();
      }
    }
    g.globalAlpha = 1;
    for (const { each, box } of lane.crowds) this.note(`1 mark ≈ ${each} messages`, box, c);
  }

  links(lane, c) {
    const { g } = this;
    g.strokeStyle = g.fillStyle = c.line; g.lineWidth = 1.5;
    for (const [from, to] of lane.run.links) {
      const a = lane.boxes[from], b = lane.boxes[to];
      if (b.x < a.x) continue;                       // the way back: marks show it
      const below = b.y >= a.y + a.h;
      const [x1, y1] = below ? [Math.min(b.x + b.w / 2, a.x + a.w - 12), a.y + a.h] : [a.x + a.w, a.y + a.h / 2];
      const [x2, y2] = below ? [b.x + b.w / 2, b.y] : [b.x, b.y + b.h / 2];
      g.beginPath(); g.moveTo(x1, y1);
      const half = (x1 + x2) / 2, turn = (y1 + y2) / 2;
      if (below) { g.lineTo(x1, turn); g.lineTo(x2, turn); g.lineTo(x2, y2); } else g.bezierCurveTo(half, y1, half, y2, x2 - 5, y2);
      g.stroke();
      if (!below) { g.beginPath(); g.moveTo(x2, y2); g.lineTo(x2 - 7, y2 - 4); g.lineTo(x2 - 7, y2 + 4); g.fill(); }
    }
  }

  box(lane, p, box, c, down) {
    const { g } = this, place = lane.run.places[p], at = (status) => lane.state.at[p * STATUS.length + status];
    g.fillStyle = c.card; g.strokeStyle = c.line; g.lineWidth = 1;
    g.beginPath(); g.roundRect(box.x, box.y, box.w, box.h, 8); g.fill(); g.stroke();
    const y = box.y + this.font + 5;
    if (place.role === "done" || place.role === "lost") return this.tally(lane, box, place, place.role === "done" ? at(DONE) : lane.state.total[LOST], c);
    const wide = box.w - 2 * PAD, bold = this.shrink(place.label, wide, "600 "), title = this.fit(place.label, wide, bold);
    this.text(title, box.x + PAD, y, c.ink, bold);
    const words = this.counters(lane, place, { at, from: lane.state.from[p], flying: lane.state.flying[p] });
    const room = box.under ? wide : wide - PAD - this.width(title, bold);
    const small = (line) => this.shrink(line, room);
    const told = words.map((_, i) => words.slice(0, words.length - i).join(" · ")).find((w) => this.width(w, small(w)) <= room);
    const lines = told ? [told] : place.role === "producer" ? words[0].split(" ") : words.slice(0, 1);   // no marks lie in a producer
    if (box.under) lines.forEach((line, i) => this.text(this.fit(line, room, small(line)), box.x + PAD, y + (i + 1) * (this.font + 3), c.soft, small(line)));
    else if (told) this.text(told, box.x + box.w - PAD, y, c.soft, small(told), "right");
    if (lane.footer(p)) this.serverRow(lane, box, place.parts, p, down, c);
  }

  /**
   * Does a place need a second line for its numbers, below its name? It does when they could grow too long to stand beside it;
   * consumers have no room below, nor has a low place that needs it for its marks. So the line does not come and go, and the marks beneath stay where they are.
   */
  under(lane, p, box) {
    const { run } = lane, place = run.places[p], most = run.messages;
    if (["done", "lost", "consumer", "dead-letter"].includes(place.role)) return false;
    if (box.h < HEAD + 2 * this.font + 16 && !["producer", "endpoint"].includes(place.role)) return false;
    const words = this.counters(lane, place, { at: (status) => (run.everAt[p * STATUS.length + status] ? most : 0), from: most, flying: most }).join(" · ");
    return this.width(place.label, `600 ${this.font}px`) + this.width(words) > box.w - 3 * PAD;
  }

  /** What a place's head says, the most important first. `at(status)`: how many are there with it; `from`: how many began there. */
  counters(lane, place, { at, from, flying }) {
    const n = brief, held = at(HELD) + at(WORKING) + at(VAIN), left = at(WAITING);
    const some = (count, words) => (count ? [`${n(count)} ${words}`] : []);
    switch (place.role) {
      case "producer": return [`${n(from)} ${lane.tells}`];
      case "consumer": return [`${n(held)} held`];
      case "server": return [`${n(held + left)} here`];
      case "dead-letter": return [n(at(DEAD))];
      case "endpoint": return [`${n(at(DELIVERED))} received`];
      case "function": return [`${n(held)} running`, ...some(at(RETRY), "to retry")];
      case "topic": return [...some(at(RETRY), "to retry"), `${n(at(HERE))} here`, ...some(at(FILTERED), "filtered")];
      case "bucket": return [`${n(at(HERE) + at(PASSED))} objects`];
      default: return [`${n(left)} waiting`, ...some(flying, "in flight"), ...some(at(DELAYED), "delayed")];
    }
  }

  tally(lane, box, place, n, c) {
    const big = Math.min(30, box.h / 3, box.w / 3.6), colour = place.role === "done" ? c.done : n ? c.again : c.soft;
    if (box.h < 70) {
      this.text(place.label, box.x + PAD, box.y + box.h / 2 + 4, c.ink, `600 ${this.font}px`);
      this.text(brief(n), box.x + box.w - PAD, box.y + box.h / 2 + 5, colour, `600 ${this.font + 3}px`, "right");
      return;
    }
    this.text(this.fit(place.label, box.w - 2 * PAD, `600 ${this.font}px`), box.x + PAD, box.y + this.font + 5, c.ink, `600 ${this.font}px`);
    this.text(brief(n), box.x + box.w / 2, box.y + box.h / 2 + big / 2, colour, `600 ${big}px`, "center");
  }

  serverRow(lane, box, parts, p, down, c) {
    const { g } = this, size = Math.min(16, (box.w - 2 * PAD - 60) / parts - 3), y = box.y + box.h - 8 - 10;
    if (size < 4) return;
    const off = Array.from({ length: parts }, (_, i) => down.has(`${p}/${i + 1}`));
    const gone = off.filter(Boolean).length;
    if (gone || !lane.crowds.some((crowd) => crowd.place === p)) this.text(gone ? `${gone} of ${parts} servers down` : `${parts} servers`, box.x + PAD + parts * (size + 3) + 5, y + 9, gone ? c.again : c.soft, `${this.font - 1}px`);
    off.forEach((dead, i) => {
      const x = box.x + PAD + i * (size + 3);
      g.fillStyle = dead ? c.card : c.well; g.strokeStyle = dead ? c.again : c.line; g.lineWidth = dead ? 1.5 : 1;
      g.beginPath(); g.roundRect(x, y, size, 10, 2); g.fill(); g.stroke();
      if (dead) { g.beginPath(); g.moveTo(x, y + 10); g.lineTo(x + size, y); g.stroke(); }
    });
  }

  cell(cell, actor, state, c) {
    const { g } = this, wide = cell.w > 11 * this.font, off = state === "down" || state === "frozen";
    g.globalAlpha = state === "" ? 0.35 : 1;
    g.fillStyle = c.well; g.strokeStyle = off ? c.again : c.line; g.lineWidth = off ? 1.5 : 1; g.setLineDash(off ? [4, 3] : []);
    g.beginPath(); g.roundRect(cell.x, cell.y, cell.w, cell.h, 5); g.fill(); g.stroke(); g.setLineDash([]);
    const name = wide ? actor.name : actor.name.replace(/^.*?(\d+)$/, "$1"), y = cell.y + cell.h / 2 + this.font * 0.35;
    if (cell.w > 6 * this.font) this.text(this.fit(name, wide ? 6.1 * this.font : 1.7 * this.font, `${this.font - 1}px`), cell.x + 6, y, off ? c.again : c.soft, `${this.font - 1}px`);
    if (off) this.text(state === "down" ? "crashed" : "frozen", cell.x + cell.w - 6, y, c.again, `600 ${this.font - 1}px`, "right");
    g.globalAlpha = 1;
  }

  note(text, box, c) {
    const w = this.width(text, `${this.font - 1}px`) + 10, { g } = this;
    g.fillStyle = c.card; g.globalAlpha = 0.88; g.fillRect(box.x + box.w - PAD - w, box.y + box.h - 14 - PAD, w, 16); g.globalAlpha = 1;
    this.text(text, box.x + box.w - PAD, box.y + box.h - PAD + 1, c.ink, `${this.font - 1}px`, "right");
  }

  text(words, x, y, colour, font, align = "left") {
    const { g } = this;
    this.setFont(font); g.textAlign = align; g.fillStyle = colour; g.fillText(words, x, y);
  }

  /** Measured once: setting a font and measuring costs more than drawing a mark. */
  width(words, font = `${this.font}px`) {
    const key = `${font}/${words}`;
    if (this.widths.size > 2000) this.widths.clear();
    if (!this.widths.has(key)) { this.setFont(font); this.widths.set(key, this.g.measureText(words).width); }
    return this.widths.get(key);
  }

  setFont(font) {
    const full = `${font} ${this.family ?? "system-ui, sans-serif"}`;
    if (this.fontNow !== full) this.g.font = this.fontNow = full;
  }

  /** The font in which words fit into the room: a little smaller where they must. */
  shrink(words, room, weight = "") {
    const fonts = [0, 1, 2].map((less) => `${weight}${this.font - less}px`);
    return fonts.find((font) => this.width(words, font) <= room) ?? fonts[2];
  }

  fit(words, room, font) {
    if (this.width(words, font) <= room) return words;
    let cut = words;
    while (cut.length > 1 && this.width(cut + "…", font) > room) cut = cut.slice(0, -1);
    return cut.trimEnd() + "…";
  }

  /** In words, where a mark stands for several messages. */
  aggregates() {
    return this.lanes.flatMap((lane) => (lane.crowds ?? []).map(({ place, each }) => `${lane.run.places[place].label}: each mark stands for about ${each} messages.`));
  }

  /** Where there is room at the start, {x, y}: in the widest place, or beside what lies below where branches fill the picture. */
  heart() {
    const lane = this.lanes[0], list = lane?.boxes;
    if (!list?.length) return { x: 0, y: 0 };
    const { places, links } = lane.run, widest = list.reduce((a, b) => (b.w > a.w ? b : a));
    const below = branches(places, links) > 1 ? list.filter((_, p) => ["lost", "dead-letter"].includes(places[p].role)) : [];
    if (below.length) return { x: Math.max(...below.map((b) => b.x + b.w)) + 11 * this.font, y: below[0].y + below[0].h / 2 };
    return { x: widest.x + widest.w / 2, y: lane.frame.y + 0.38 * this.size.h / this.lanes.length };
  }

  /** The name of the actor whose cell a point is in; null for none. In the upper picture only: there actions act. */
  actorAt(x, y) {
    const lane = this.lanes[0], i = lane?.cells?.findIndex((cell) => cell && x >= cell.x && x <= cell.x + cell.w && y >= cell.y && y <= cell.y + cell.h) ?? -1;
    return i < 0 ? null : lane.run.actors[i].name;
  }

  /** The message whose mark is nearest to a point of the canvas, at most 14 px away: {lane, message} or null. */
  pick(x, y) {
    let best = null, least = 14;
    this.lanes.forEach((lane, number) => {
      for (const [message, sprite] of lane.sprites) {
        const far = Math.hypot(sprite.x - x, sprite.y - y);
        if (far < least) { least = far; best = { lane: number, message }; }
      }
    });
    return best;
  }
}
