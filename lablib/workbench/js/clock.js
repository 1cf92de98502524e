// Virtual time. Plays at a speed, slows down at the first event of a kind, and knows how far the run was watched.
import { TIME, clamp } from "./theme.js";

const LONGEST = 0.5;                                    // seconds of a frame: after a longer silence time goes on from where it was
const SPEEDS = [0.001, 0.005, 0.01, 0.05, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000];

export class Clock {
  /** `reduced()`: is motion unwanted? Then time goes on in still frames, twice a second. */
  constructor(reduced = () => false) {
    Object.assign(this, { reduced, t: 0, duration: 1, speed: 1, playing: false, watched: 0, since: 0, slowLeft: 0, quiet: 0, owed: 0 });
    this.events = []; this.told = new Set(); this.slowing = true; this.tell = () => {};
  }

  /** Another run: the instant stays, and so does how far was watched; `from`: what lies after it is new. */
  show(duration, events, from = Infinity) {
    if (this.duration !== duration) this.speed = SPEEDS.find((speed) => speed >= duration / 60) ?? SPEEDS.at(-1);
    const all = this.watched >= this.duration - 1e-6;
    Object.assign(this, { duration, events, t: Math.min(this.t, duration), watched: all ? duration : Math.min(this.watched, from, duration) });
    this.watched = Math.max(this.watched, this.t);
  }

  get pace() { return this.speed / (this.slowLeft > 0 ? TIME.slow : 1); }
  get over() { return this.t >= this.duration - 1e-6; }
  get fog() { return this.watched < this.duration - 1e-6; }

  play(on = !this.playing) {
    if (on && this.over) this.t = 0;
    this.playing = on; this.since = 0;
  }

  /** Lets `seconds` of the wall pass; true when the instant moved. A frame may have begun before the click that asked for it: time never goes back. */
  tick(seconds) {
    const dt = clamp(seconds, 0, LONGEST);
    this.since += dt; this.quiet -= dt;
    if (!this.playing) return false;
    this.slowLeft -= dt;
    let step = dt * this.pace;
    if (this.reduced()) {
      this.owed += dt;
      if (this.owed < 0.5) return false;
      step = this.owed * this.speed; this.owed = 0;
    }
    let next = Math.min(this.duration, this.t + step);
    const event = this.events.find((e) => e.big && e.t > this.t && e.t <= next && (this.quiet <= 0 || !this.told.has(e.kind)));
    if (event) {
      if (this.slowing && !this.reduced() && !this.told.has(event.kind)) { this.slowLeft = TIME.slowFor; next = Math.min(next, event.t + 1e-4); }
      this.told.add(event.kind); this.quiet = TIME.quiet;
      this.tell(event);
    }
    this.t = next; this.since = 0; this.watched = Math.max(this.watched, next);
    if (this.over) this.playing = false;
    return true;
  }

  /** To an instant; only as far as was watched, unless `free`, which counts as watching. */
  seek(t, free = false) {
    this.t = clamp(t, 0, free ? this.duration : this.watched);
    this.since = 0; this.slowLeft = 0; this.watched = Math.max(this.watched, this.t);
  }

  lift() { this.watched = this.duration; }

  faster(by) {
    const i = SPEEDS.findIndex((s) => s >= this.speed);
    this.speed = SPEEDS[clamp(i + by, 0, SPEEDS.length - 1)];
  }
}

/** A speed in words: 5×, 1/5×. */
export const paceWords = (pace) => `${pace < 0.34 ? `1/${Math.round(1 / pace)}` : Number(pace.toFixed(1))}×`;
