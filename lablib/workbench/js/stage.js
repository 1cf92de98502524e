// The picture of one or two lanes: lays out, then paints pipes, grounds, the way of what is selected, traces, marks, flights. A frame
// is a function of the view alone, so that seeking needs no history.
import { HANDS, HEAPS, TAPES, arrange } from "./layout.js";
import { box, curve, fitting, laneName, mark, pipe, streak, text, way, width } from "./glyph.js";
import { TIME, alpha } from "./theme.js";
import { lensOf, painterOf, stageOf } from "./painters.js";
import { marksAt, there } from "./model.js";

const NOTHING = [], FLIES = new Set(["waiting", "delayed", "held", "passing"]);

/** A lane: a run with its places on the page. */
class Lane {
  constructor({ run, label = "", strong = true }, i, touchRing) {
    Object.assign(this, { run, label, strong, i, touchRing, boxes: new Map(), cells: new Map(), pipes: [] });
    this.direct = run.places.some((p) => p.role === "direct");
    this.actors = run.places.map((_, p) => run.actors.map((_a, a) => a).filter((a) => run.actors[a].place === p));
    this.at(0);
  }

  actorsAt(place) { return this.actors[place] ?? NOTHING; }

  /** What is drawn at t, sorted by place and by hand. */
  at(t) {
    if (this.t === t) return this;
    this.t = t; this.marks = marksAt(this.run, t); this.here = new Map(); this.held = new Map();
    for (const m of this.marks) {
      const [by, key] = m.holder >= 0 ? [this.held, m.holder] : [this.here, m.place];
      if (!by.has(key)) by.set(key, []);
      by.get(key).push(m);
    }
    return this;
  }

  /** The marks that lie in a place, or for a place of workers those in their hands. */
  marksIn(place) {
    const actors = this.actorsAt(place);
    return actors.length &&
      HANDS.has(this.run.places[place].role) ? actors.flatMap((a) => this.held.get(a) ?? NOTHING) : this.here.get(place) ?? NOTHING;
  }
  marksOf(actor) { return this.held.get(actor) ?? NOTHING; }

  /** The hue of a mark: its key or group where there is one, else the state's colour. */
  hue(m, col, other = col.waiting) { const hue = this.run.hue(m.m); return hue < 0 ? other : col.groups[hue % 12]; }

  spot(k) { return (this.boxes.get(k.place)?.spot ?? (() => this.heart()))(k); }
  heart() { const b = this.boxes.values().next().value; return b ? [b.x + b.w / 2, b.y + b.h / 2] : [0, 0]; }
}

export class Stage {
  constructor() { this.lanes = []; this.lens = null; this.own = null; this.size = [0, 0, false]; }

  /** `lanes`: [{run, label, strong}]; `touchRing`: may a visibility timeout be changed by pulling the end of its ring? */
  show(lanes, touchRing = false) {
    this.lanes = lanes.map((lane, i) => new Lane(lane, i, touchRing));
    this.lens = lensOf(lanes[0].run.lens);
    this.own = stageOf(lanes[0].run.layout);
    this.layout(...this.size);
  }

  layout(W, H, big) {
    this.size = [W, H, big];
    if (!W || !this.lanes.length) return;
    if (this.own) { this.own.layout(this.lanes, W, H, big); return; }
    arrange(this.lanes, W, H, { big, lens: this.lens });
    for (const lane of this.lanes) {
      lane.cells.clear();
      for (const b of lane.boxes.values()) { b.paint = painterOf(lane, b); b.paint.place?.(b, lane); }
      if (lane.lensBox) this.lens.place?.(lane.lensBox, lane);
      lane.pipes = pipes(lane);
    }
  }

  draw(g, v) {
    v.halo ??= (canvas, m, x, y, r) => halo(canvas, v, m, x, y, r);
    if (this.own) { this.own.draw(g, this.lanes, v); return; }
    for (const lane of this.lanes) this.lane(g, lane, laneView(v, lane));
  }

  lane(g, lane, v) {
    const { col, t } = v, { run } = lane.at(t), boxes = [...lane.boxes.values()].filter((b) => there(run.places[b.place], t));
    if (lane.label) laneName(g, lane, 2, lane.y + lane.labelH / 2 - 1, lane.fs + 1, this.size[0] - 8, col);
    for (const z of lane.zones) {
      box(g, z.x, z.y, z.w, z.h, 12, { stroke: alpha(col.edge, 0.7), line: 1.1, dash: [3, 4] });
      text(g, z.name, z.x + z.w - 8, z.y + lane.fs * 0.7, { size: lane.fs - 2, color: col.soft, align: "right", max: z.w - 16 });
    }
    g.globalAlpha = v.select ? 0.35 : 1;
    const window = Math.max(2, v.speed), open = lane.pipes.filter((p) => isOpen(run, p, t)), size = lane.fs - 1;
    const full = (p) => p.words && run.refusedLately(p.to, t, v.playing ? Math.max(1, v.speed / 5) : 1);
    for (const p of open) {
      const rate = v.aggregate ? rateOf(lane, p, t, window) : 0;
      pipe(g, p.c, p.w, col, { load: rate && !p.capacity ? 0.85 : 0, fill: usedOf(run, p, t), loadColor: col[p.color], phase: v.wall * 2.2,
        state: full(p) ? "throttled" : "open" });
    }
    for (const p of open) {                            // above all pipes: none goes through a number
      const rate = v.aggregate && p.words ? rateOf(lane, p, t, window) : 0;
      if (full(p)) tag(g, "full", p.capacity ? [p.c.x3 - width(g, "full", size, 700) / 2 - 4, p.c.y3 - p.w - 5] : p.words, size, col.again, col);
      else if (rate) tag(g, fitting(g, [...paceForms(rate), ""], Math.abs(p.c.x3 - p.c.x0) - 2, size, 650), p.words, size, col[p.color], col);
    }
    g.globalAlpha = 1;
    for (const b of boxes) b.paint.ground?.(g, b, lane, v);
    if (lane.lensBox) this.lens.paint(g, lane.lensBox, lane, v, this.lanes);
    if (v.select?.m !== undefined) path(g, lane, v);
    if (!v.aggregate) traces(g, lane, v);
    for (const b of boxes) b.paint.paint?.(g, b, lane, v);
    if (!v.aggregate) { deliveries(g, lane, v); flights(g, lane, v); for (const b of boxes) b.paint.traces?.(g, b, lane, v); }
  }

  /** Where something happened: {x, y, r} of an event. */
  anchor(e) {
    const lane = this.lanes[e.lane ?? 0] ?? this.lanes[0];
    if (this.own?.anchor) return this.own.anchor(e, lane);
    const cell = lane.run.places[e.place]?.role === "lost" ? null : lane.cells.get(e.actor),
      spot = e.message >= 0 ? this.find(e.message, lane.i, e.t + 1e-6) : null;
    if (lane.lensBox && this.lens.anchor?.(e, lane)) return this.lens.anchor(e, lane);
    if (cell) return { x: cell.mx + 26, y: cell.y, r: 4 };
    if (spot && (cell || lane.run.places[e.place]?.role !== "lost")) return spot;
    const b = lane.boxes.get(e.place) ?? [...lane.boxes.values()].find((x) => HEAPS.has(x.role)) ?? [...lane.boxes.values()][0];
    return b ? { x: b.x + b.w / 2, y: b.y + Math.min(30, b.h / 2), r: 4 } : { x: 60, y: 40, r: 4 };
  }

  /** Where a message's mark is at t: in its last hand, else in its slot, else where it was last; null when it was never drawn. */
  find(m, i, t) {
    const lane = this.lanes[i], tokens = (lane?.run.of.get(m) ?? []).filter((k) => k.t0 <= t && lane.boxes.has(k.place));
    if (!tokens.length) return null;
    const alive = tokens.filter((k) => t < k.t1), k = alive.find((x) => x.holder >= 0) ?? alive.at(-1) ?? tokens.at(-1), b = lane.boxes.get(k.place);
    if (!b.spot || (lane.blocks && k.holder < 0)) return { x: b.x + b.w / 2, y: b.y + Math.min(40, b.h / 2), r: 8 };
    const [x, y] = b.spot(k);
    return { x, y, r: k.holder >= 0 ? lane.handSize : lane.size * 0.7 };
  }
}

/** The view with what depends on the lane. */
function laneView(v, lane) {
  const { run } = lane, short = run.medianWork / v.speed < TIME.shortest;
  const lit = (m) => !v.select || v.select.m === m.m || (v.select.m === undefined &&
    (v.select.place !== undefined || v.select.actor === m.holder || m.holder < 0));
  return {
    ...v, lit, lane: lane.i, aggregate: short && !v.select && (v.playing || run.medianWork / v.speed < 0.02),
    litActor: (a) => !v.select || v.select.place !== undefined || v.select.actor === a || lane.marksOf(a).some((m) => m.m === v.select.m),
  };
}

function halo(g, v, m, x, y, r) {
  const chosen = v.select?.m === m.m;
  if (!chosen && v.hover?.pick?.m !== m.m) return;
  g.beginPath(); g.arc(x, y, r + 1, 0, 7); g.strokeStyle = chosen ? v.col.ink : alpha(v.col.ink, 0.55); g.lineWidth = chosen ? 2.2 : 1.6; g.stroke();
}

/** A rate in words, and shorter. */
const paceForms = (rate) => (rate < 0.05 ? [`${Math.round(rate * 3600)}/h`] : [`${rate.toFixed(rate < 10 ? 1 : 0)}/s`, `${rate.toFixed(rate < 0.95 ? 1 : 0)}/s`]);

/** Words on a pipe, unless there is no room for any. */
function tag(g, words, [x, y], size, color, col) {
  if (!words) return;
  const w = width(g, words, size, 650) + 6;
  box(g, x - w / 2, y - size * 0.7, w, size * 1.4, 4, { fill: alpha(col.page, 0.88) });
  text(g, words, x, y, { size, weight: 650, color, align: "center" });
}

/** Is a pipe there at t? Its link is, and the worker to whom it leads. */
const isOpen = (run, p, t) => there(p, t) && (p.actor < 0 || !["", "gone"].includes(run.stateOf(p.actor, t).state));

/** The share of its capacity that a pipe carries: what came through it in the last second. */
export const usedOf = (run, p, t) => (p.capacity ? (run.count("came", t, p.to) - run.count("came", t - 1, p.to)) / p.capacity : 0);

/** The pipes of a lane: one to each worker, a shared one to a crowd. */
function pipes(lane) {
  const found = [], { run } = lane;
  const edge = (b, right) => [right ? b.x + b.w : b.x, HANDS.has(b.role) && b.shared ? nearest(lane, b, right) : b.y + b.h / 2];
  for (const [from, to, t_from, t_to, capacity = null] of lane.forward) {
    const a = lane.boxes.get(from), goal = lane.boxes.get(to) ?? (run.places[to].role === "done" ? lane.lensBox : null);
    if (!a || !goal) continue;
    const [x0, y0] = edge(a, true), [x1, y1] = edge(goal, false), color = goal.role === "done" ||
      goal.role === "lens" ? "done" : HANDS.has(goal.role) ? "hand" : "waiting";
    const thin = Math.min(8, Math.max(4, (goal.h / Math.max(1, lane.actorsAt(to).length)) * 0.2));
    const add = (c, w, actor, words) => found.push({ from, to, t_from, t_to, capacity, c, w, color, actor, words });
    if (HANDS.has(goal.role) && !goal.shared && !TAPES.has(a.role) && lane.actorsAt(to).length) {
      lane.actorsAt(to).forEach((p, i) => { const c = lane.cells.get(p);
        add(curve(x0, y0, c.x, c.my), thin, p, i ? null : [(x0 + c.x) / 2 - 6, Math.max(lane.y + lane.labelH + 10, Math.min(y0, c.my) - 16)]); });
    } else if (HANDS.has(a.role) && !a.shared && lane.actorsAt(from).length) {
      for (const p of lane.actorsAt(from)) { const c = lane.cells.get(p); add(curve(c.x + c.w, c.my, x1, y1), thin, p, null); }
    } else add(curve(x0, y0, x1, y1), HANDS.has(goal.role) || HANDS.has(a.role) ? 7 : capacity ? 12 : 9, -1,
      HANDS.has(a.role) ? null : [(x0 + x1) / 2, (y0 + y1) / 2 - 13]);
  }
  return found;
}

/** The height at which a pipe meets a crowd: its middle, or where a cell stands that is near it. */
function nearest(lane, b, right) {
  const cells = lane.actorsAt(b.place).map((a) => lane.cells.get(a)), side = Math[right ? "max" : "min"](...cells.map((c) => c.x)), middle = b.y + b.h / 2;
  const away = (c) => Math.max(0, c.y + 4 - middle, middle - c.y - c.h + 4), column = cells.filter((c) => c.x === side).sort((p, q) => away(p) - away(q));
  return column.length && away(column[0]) ? column[0].my : middle;
}

/** How much passes along a pipe a second. */
function rateOf(lane, p, t, window) {
  const { run } = lane;
  if (p.color === "done") return run.rate("done", t, window);
  if (p.color !== "hand") return run.rate("came", t, window, p.to);
  return lane.boxes.get(p.from)?.paint.taken?.(run, p.from, p.to, t, window) ?? run.rate("taken", t, window, p.to);
}

/** The pipe by which a token came to where it is; `k.from` is the place where it was. */
function pipeTo(lane, k) {
  return lane.pipes.find((p) => p.to === k.place && (p.actor < 0 || p.actor === k.holder));
}

/** The way of a token from where it was to where it is. */
function wayOf(lane, k) {
  const p = pipeTo(lane, k);
  if (!p || (k.state === "waiting" && lane.run.parent?.[k.m] >= 0)) return null;   // the copy of a delivery: that came along the pipe
  const before = k.holder >= 0 && lane.boxes.get(p.from)?.spot ? [sourceSpot(lane, k, p)] : [];
  return way(...before, p.c, ...(p.actor >= 0 ? [] : [lane.spot(k)]));   // into a cell no further than its edge: words stand there
}

function sourceSpot(lane, k, p) {
  const source = lane.run.of.get(k.m).find((x) => x.place === p.from && x.t1 >= k.t0 - 1e-6 && x.slot !== undefined);
  return lane.blocks || !source ? [p.c.x0 - 20, p.c.y0] : lane.spot(source);
}

/** Where things came from: traces of the last half second; they never stand for a message. */
function traces(g, lane, v) {
  const { col, t } = v, { run } = lane;
  for (const k of run.began(t, v.back)) {
    const u = v.run(k.t0), fresh = k.left !== null && FLIES.has(k.state);
    if (u >= 1 || u < 0 || !fresh || k.t1 <= t || (lane.blocks && k.holder < 0)) continue;
    const w = wayOf(lane, k), m = { m: k.m };
    if (w) streak(g, w, u, (k.holder >= 0 ? lane.handSize : lane.size) * 0.5,
      lane.hue(m, col, k.holder < 0 ? col.waiting : k.copy > 1 && !lane.direct ? col.again : col.hand));
  }
  for (const k of run.ended(t, v.back)) {
    const u = v.run(k.t1);
    if (run.outcome(k) !== "done" || u >= 1 || u < 0) continue;
    const p = lane.pipes.find((x) => x.from === k.place && x.color === "done" && (x.actor < 0 || x.actor === k.holder));
    if (p) streak(g, way(p.c), u, lane.handSize * 0.5, lane.hue({ m: k.m }, col, col.done));
  }
}

/** Deliveries leave their topic, one along each pipe: in virtual time where that is slow enough, else as traces. Filtered ones stop half way. */
function deliveries(g, lane, v) {
  const { col, t } = v, { run } = lane;
  for (const k of run.to ? run.began(t + 1e-9, Math.max(3, v.back * 1.5)) : NOTHING) {
    const p = run.delivers(k) && lane.pipes.find((x) => x.from === k.place && x.to === run.to[k.m]);
    if (!p || (k.t1 === Infinity && run.outcome(k) !== "told")) continue;
    const size = Math.max(11, Math.min(lane.size, 16)), color = lane.hue({ m: k.m }, col), half = run.outcome(k) !== "told",
      slow = (k.t1 - k.t0) / v.speed > TIME.flight;
    const u = slow && !half ? (t - k.t0) / (k.t1 - k.t0) : -1, past = v.run(half ? k.t0 : k.t1);
    if (u >= 0 && u < 1) { const [x, y] = way(p.c)(u); mark(g, x, y, size, { color }); }
    else if (half && past >= 0 && past < 1.4 && k.ended) {
      const [x, y] = way(p.c)(0.5 * Math.min(1, past * 2));
      g.globalAlpha = 1 - past / 1.4; mark(g, x, y, size * 0.9, { color: col.edge, hollow: true, ground: col.page }); g.globalAlpha = 1;
    } else if (!half && !slow && past >= 0 && past < 1) streak(g, way(p.c), past, size * 0.55, color);
  }
}

/** Slow enough to see: what is on its way, in virtual time. */
function flights(g, lane, v) {
  const { col, t } = v, { run } = lane, slow = (s) => s / v.speed > TIME.flight;
  if (!slow(Math.max(run.quickest, 0.02))) return;
  for (const k of run.began(t + 1, 1.4)) {
    if (k.left === null || k.left > t || t >= k.t0 || !slow(k.t0 - k.left) || !FLIES.has(k.state)) continue;
    const w = wayOf(lane, k);
    if (!w) continue;
    const [x, y] = w((t - k.left) / (k.t0 - k.left)), again = k.copy > 1 || (k.holder < 0 && k.copy > 0);
    const size = Math.max(11, Math.min(lane.size, 18)), color = lane.hue({ m: k.m }, col,
      again && !lane.direct ? col.again : k.holder >= 0 ? col.hand : col.waiting);
    mark(g, x, y, size, { shape: again ? "diamond" : k.holder >= 0 ? "square" : "dot", color });
    v.hits.push({ x, y, r: size * 0.7, id: `${lane.i}m${k.m}`, pick: { m: k.m, lane: lane.i } });
  }
}

/** The chosen message: the way it went so far. */
function path(g, lane, v) {
  const { col, t } = v;
  g.strokeStyle = alpha(col.ink, 0.75); g.lineWidth = 1.8; g.setLineDash([2, 4]); g.lineCap = "round";
  for (const k of lane.run.of.get(v.select.m) ?? NOTHING) {
    const w = k.t0 <= t && (k.holder >= 0 || k.left !== null) ? wayOf(lane, k) : null;
    if (!w) continue;
    g.beginPath();
    for (let i = 0; i <= 30; i++) { const [x, y] = w(i / 30); if (i) g.lineTo(x, y); else g.moveTo(x, y); }
    g.stroke();
  }
  g.setLineDash([]); g.lineCap = "butt";
}
