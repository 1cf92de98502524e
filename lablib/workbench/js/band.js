// One run's marks: where each message's mark is wanted at an instant, and how it glides there.
import { HERE, LOST, RETRY, FILTERED, DELIVERED, aggregate, groups, hasLeft, stateAt } from "./state.js";
import { area, boxes, cells, pitchFor, slot } from "./layout.js";
import { look } from "./marks.js";

const GLIDE = 10;                       // how fast a mark closes in on its place, per second
const CROWD = 1500;                     // marks drawn at most; beyond, each stands for several messages
const GHOSTS = 80;                      // moves since the last frame up to which those that only pass by are shown

/** One run drawn in one horizontal band of the canvas. */
export class Band {
  constructor(run, label) { this.run = run; this.label = label; this.sprites = new Map(); this.seen = -1; this.tells = tells(run); }

  place(x, y, w, h, font) {
    this.frame = { x, y, w, h }; this.font = font;
    const head = this.label ? font + 8 : 0;
    this.boxes = boxes(this.run.places, this.run.links, w, h - head).map((b) => ({ ...b, x: b.x + x, y: b.y + y + head }));
    this.cells = this.run.actors.map(() => null);
    this.boxes.forEach((box, p) => {
      const here = this.run.actors.flatMap((actor, i) => (actor.place === p ? [i] : []));
      if (["consumer", "server"].includes(this.run.places[p].role)) cells(box, here.length).forEach((cell, n) => { this.cells[here[n]] = cell; });
    });
    this.seen = -1;
  }

  look(move) {
    const { m, s, n } = this.run.moves, { groups } = this.run;
    return look(s[move], n[move], groups ? groups.of[m[move]] : -1);
  }

  /** Moves every mark's target to where its message is at t. */
  aim(t, snap) {
    const state = (this.state = stateAt(this.run, t, this.state));
    if (state.next === this.seen) return;
    if (!snap && this.seen >= 0) this.ghosts(this.seen, state.next);
    this.seen = state.next;
    this.crowds = [];
    const wanted = new Map(), all = groups(state), { m } = this.run.moves;
    const share = Math.min(1, CROWD / Math.max(1, all.reduce((sum, group) => sum + group.moves.length, 0)));
    for (const { place, actor, moves } of all) {
      const box = this.boxes[place], cell = actor >= 0 ? this.cells[actor] : null, queue = this.run.places[place].role !== "consumer";
      const spot = cell ? inCell(cell, this.nameWidth(cell), moves.length) : area(box, this.footer(place), box.under ? this.font + 3 : 0);
      const fit = pitchFor(spot, moves.length), few = aggregate(moves, Math.max(1, Math.floor(fit.room * (moves.length > fit.room ? 1 : share))), m);
      if (few.each > 1) this.crowds.push({ place, each: few.each, box });
      few.moves.forEach((move, i) => {
        const at = slot(spot, i, fit.pitch, !cell && queue);
        wanted.set(m[move], { ...at, r: fit.pitch * 0.36, look: this.look(move), move });
      });
    }
    this.wanted = wanted;
  }

  /** What is delivered outside or filtered out within one instant has no stay anywhere: its mark is let go from the topic. */
  ghosts(from, to) {
    const { m, s, o } = this.run.moves;
    for (let move = from; move < to && to - from < GHOSTS; move++) {
      const begin = this.middle(o[move]);
      if (begin && (s[move] === DELIVERED || s[move] === FILTERED) && !this.sprites.has(m[move]))
        this.sprites.set(m[move], { x: begin.x, y: begin.y, alpha: 1, r: 5, move, look: this.look(move), flash: 0 });
    }
  }

  nameWidth(cell) { return cell.w > 11 * this.font ? 6.5 * this.font : cell.w > 6 * this.font ? 2 * this.font : 4; }
  footer(place) { return this.run.places[place].parts && this.boxes[place].h > 110 ? 20 : 0; }
  middle(place) { const b = this.boxes[place]; return b ? { x: b.x + b.w / 2, y: b.y + b.h / 2 } : null; }

  /** Brings the marks nearer to their targets by dt seconds; true while any is still on its way. */
  glide(dt, snap) {
    const { o, p, s } = this.run.moves, step = snap ? 1 : 1 - Math.exp(-dt * GLIDE), prev = this.run.prev;
    let moving = false;
    for (const [message, goal] of this.wanted) {
      let sprite = this.sprites.get(message);
      if (!sprite) {
        const before = prev[goal.move], from = snap ? null : this.middle(o[goal.move] >= 0 ? o[goal.move] : before >= 0 ? p[before] : -1);
        this.sprites.set(message, (sprite = { x: (from ?? goal).x, y: (from ?? goal).y, alpha: 1, r: goal.r, flash: 0 }));
      }
      if (sprite.move !== goal.move && !snap && s[goal.move] === RETRY) sprite.flash = 1;
      sprite.look = goal.look; sprite.alpha = 1; sprite.move = goal.move;
      if (sprite.flash > 0) { sprite.flash = snap ? 0 : sprite.flash - dt * 1.5; moving = true; }
      const dx = goal.x - sprite.x, dy = goal.y - sprite.y;
      if (Math.abs(dx) + Math.abs(dy) + Math.abs(goal.r - sprite.r) < 0.4) { sprite.x = goal.x; sprite.y = goal.y; sprite.r = goal.r; continue; }
      sprite.x += dx * step; sprite.y += dy * step; sprite.r += (goal.r - sprite.r) * step;
      moving = true;
    }
    for (const [message, sprite] of this.sprites) if (!this.wanted.has(message)) moving = this.leave(message, sprite, dt, snap, step) || moving;
    return moving;
  }

  /** A mark that is no longer wanted goes where its message went, and fades. */
  leave(message, sprite, dt, snap, step) {
    const { p, s } = this.run.moves, move = this.state.last[message];
    if (snap || move < 0 || !hasLeft(s[move]) || sprite.alpha <= 0) { this.sprites.delete(message); return false; }
    const box = this.boxes[p[move]], goal = s[move] === FILTERED && box ? { x: box.x + box.w / 2, y: box.y + box.h + 6 } : this.middle(p[move]) ?? sprite;
    if (s[move] < HERE || s[move] === LOST) sprite.look = this.look(move);
    sprite.move = move; sprite.flash = 0;
    sprite.x += (goal.x - sprite.x) * step * 0.8; sprite.y += (goal.y - sprite.y) * step * 0.8;
    sprite.alpha -= dt * 2;
    return true;
  }
}

/** What a producer does, in a word: what it hands to a topic or a bucket is not sent yet. */
function tells({ places, links }) {
  const role = places[links.find(([from]) => places[from].role === "producer")?.[1]]?.role;
  return { topic: "published", bucket: "stored" }[role] ?? "sent";
}

/** Where the marks lie in an actor's cell: beside its name, in one row at half height when they fit. */
function inCell(cell, name, count) {
  const spot = { x: cell.x + name, y: cell.y, w: Math.max(8, cell.w - name - 4), h: cell.h }, pitch = Math.min(17, cell.h);
  return count * pitch <= spot.w ? { ...spot, y: cell.y + (cell.h - pitch) / 2, h: pitch } : spot;
}
