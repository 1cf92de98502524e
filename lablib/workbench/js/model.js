// A run for the page: its tokens, indexed. A token is one stay of one message in one place or in one hand; a message may have
// several at once. Everything that is drawn at t follows from here, as data. Pure; tested in Node against the trace.
import { BLOCKS_ABOVE, cap } from "./theme.js";

const KINDS = { f8: Float64Array, f4: Float32Array, i4: Int32Array, i2: Int16Array, i1: Int8Array, u1: Uint8Array, u2: Uint16Array };
const BUCKETS = 100;                                    // more of them are longer to fill than what is in one takes to look through
const SPARSE = { left: "left", vu: "visible_until", wf: "work_from", wu: "work_until", planned: "work_end", orphan: "orphan_from" };

/** What `document.pack` wrote: a JSON document in which {"$": i} stands for the i-th typed array behind it. */
export function unpack(bytes) {
  const { buffer, byteOffset } = bytes, size = new DataView(buffer, byteOffset).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, byteOffset + 4, size))), start = byteOffset + Math.ceil((4 + size) / 8) * 8;
  const arrays = head.arrays.map(([kind, offset, length]) => {
    const type = KINDS[kind], from = start + offset;
    return from % type.BYTES_PER_ELEMENT ? new type(buffer.slice(from, from + length * type.BYTES_PER_ELEMENT)) : new type(buffer, from, length);
  });
  const fill = (x) => {
    if (Array.isArray(x)) return x.map(fill);
    if (x === null || typeof x !== "object") return x;
    return "$" in x ? arrays[x.$] : Object.fromEntries(Object.entries(x).map(([key, value]) => [key, fill(value)]));
  };
  return fill(head.doc);
}

/** How many entries of a sorted array are at or before x. */
export function upTo(sorted, x) {
  let low = 0, high = sorted.length;
  while (low < high) { const middle = (low + high) >> 1; if (sorted[middle] <= x) low = middle + 1; else high = middle; }
  return low;
}

/** Is a place, or a link, there at t? `t_from` null: never; `t_to` null: to the end. */
export const there = ({ t_from = 0, t_to = null }, t) => t_from !== null && t_from <= t && (t_to === null || t < t_to);

/** The value of a step series {t, y} at t. */
export const stepAt = ({ t, y }, at, start = 0) => y[upTo(t, at) - 1] ?? start;

/** A series' value at t; NaN before it begins. A step series keeps its value to the next point, a line goes straight there. */
export function valueAt({ t: times, y, shape }, t) {
  const i = upTo(times, t) - 1;
  if (i < 0) return NaN;
  if (shape !== "line" || i + 1 >= times.length || times[i + 1] === times[i]) return y[i];
  return y[i] + ((y[i + 1] - y[i]) * (t - times[i])) / (times[i + 1] - times[i]);
}

/** A step series from [time, by] pairs, in any order. */
export function steps(pairs) {
  pairs.sort((a, b) => a[0] - b[0]);
  const t = [0], y = [0];
  let now = 0;
  for (const [time, by] of pairs) {
    now += by;
    if (time <= t.at(-1)) y[y.length - 1] = now; else { t.push(time); y.push(now); }
  }
  return { t, y };
}

export class Run {
  /** `doc`: as `document.describe` makes it. Its tokens are read into objects: {m, copy, state, place, holder, left, t0, t1, ...}. */
  constructor(doc) {
    Object.assign(this, { unit: "message" }, doc);
    this.list = tokens(doc);
    this.cache = new Map();
    this.of = new Map();
    for (const k of this.list) { if (!this.of.has(k.m)) this.of.set(k.m, []); this.of.get(k.m).push(k); }
    for (const list of this.of.values()) join(this, list);
    this.events = this.events.map((e) => (e.message >= 0 ? { ...e, text: e.text.replace(/^A message /, `${cap(this.name(e.message))} `) } : e));
    this.starts = this.list.map((k) => k.t0);
    this.ends = this.list.filter((k) => k.t1 < Infinity).sort((a, b) => a.t1 - b.t1);
    this.endTimes = this.ends.map((k) => k.t1);
    this.hands = new Map(this.actors.map((a, i) => [i, this.list.filter((k) => k.holder === i)]));
    this.medianWork = median(this.list.filter((k) => k.wu !== null && k.state === "held").map((k) => k.wu - k.wf)) || 1;
    this.quickest = median(this.list.filter((k) => k.left !== null && k.t0 > k.left).map((k) => k.t0 - k.left)) || 0.01;
    const places = this.places.map((_, p) => p);
    this.crowded = new Set(places.filter((p) => this.most("waiting", p) > BLOCKS_ABOVE));
    this.slots = places.map((p) => slots(this, p));    // how many slots each place needs
    for (const p of places) if (this.places[p].role === "function") executionsOf(this, p);
    this.width = this.duration / BUCKETS || 1;            // a case may end at once
    this.buckets = Array.from({ length: BUCKETS + 1 }, () => []);
    for (const k of this.list) {
      if (k.state === "waiting" && this.crowded.has(k.place)) continue;
      const until = Math.min(BUCKETS, Math.floor(Math.min(k.t1, this.duration) / this.width));
      for (let b = Math.floor(k.t0 / this.width); b <= until; b++) this.buckets[b].push(k);
    }
  }

  /** The tokens that exist at t, in the order in which they began; without those that wait in a crowd. */
  at(t) { return this.buckets[Math.max(0, Math.min(BUCKETS, Math.floor(t / this.width)))].filter((k) => k.t0 <= t && t < k.t1); }

  /** The tokens that began, or ended, in the `back` seconds before t. */
  began(t, back) { return this.list.slice(upTo(this.starts, t - back), upTo(this.starts, t)); }
  ended(t, back) { return this.ends.slice(upTo(this.endTimes, t - back), upTo(this.endTimes, t)); }

  /** Made once, when it is first asked for. */
  once(key, make) { if (!this.cache.has(key)) this.cache.set(key, make()); return this.cache.get(key); }

  /**
   * A step series: "waiting", "delayed", "hidden", "open" (one of these three), "held", "working" (at `place`, or everywhere), or one that
   * only grows: "sent", "done", "vain", "crashed", "again" (messages received a second time), "lost" (or "lost:" and why). What lies in a
   * dead-letter queue waits for nobody: it counts there only.
   */
  series(name, place = -1) {
    const dead = (p) => ["waiting", "open"].includes(name) && this.places[p]?.role === "dead-letter";
    return this.once(`${name}/${place}`, () => steps(pairsOf(this, name).filter(([, , p]) => place < 0 ? !dead(p) : p === place)));
  }
  count(name, t, place = -1) { return stepAt(this.series(name, place), t); }
  most(name, place = -1) { return this.once(`most ${name}/${place}`, () => this.series(name, place).y.reduce((a, b) => Math.max(a, b), 0)); }
  rate(name, t, w, place = -1) { return (this.count(name, t, place) - this.count(name, Math.max(0, t - w), place)) / Math.min(w, Math.max(t, 1e-6)); }

  /** Seconds of work on a token between two instants: without those in which its holder was frozen. */
  worked(k, from, to) {
    const a = Math.max(from, k.wf), b = Math.min(to, k.wu ?? k.t1, k.t1);
    const frozen = this.once(`frozen ${k.holder}`, () => (this.actors[k.holder]?.spans ?? []).filter(([, , state]) => state === "frozen"));
    return Math.max(0, b - a - frozen.reduce((s, [begin, end]) => s + Math.max(0, Math.min(b, end ?? b) - Math.max(a, begin)), 0));
  }

  /** The share of the time between two instants in which an actor worked; for a function, how many calls ran at a time. */
  busy(actor, from, to) {
    let s = 0;
    const calls = new Set();
    for (const k of this.hands.get(actor)) if (k.call) calls.add(k.call); else if (k.wf !== null) s += this.worked(k, from, to);
    for (const call of calls) s += Math.max(0, Math.min(call.until, to) - Math.max(call.from, from));
    return s / Math.max(1e-6, to - from);
  }

  /** Is a mark, of those at t, in a hand that works on it now? */
  isAtWork(mark, t) { return mark.bar !== null && !["down", "frozen"].includes(this.stateOf(mark.holder, t).state); }

  /** An actor's state at t, {state, from, until, why}; "" before it exists, "gone" after. */
  stateOf(actor, t) {
    for (const [from, to, state, why] of this.actors[actor].spans) if (from <= t && t < (to ?? Infinity)) return { state, from, until: to, why };
    return { state: this.actors[actor].spans.some(([from]) => from <= t) ? "gone" : "", from: 0, until: null };
  }

  /** The senders at t of whom nobody takes anything: of all, or at a place. */
  blocked(t, place = -1) { return this.actors.filter((a, i) => (place < 0 || a.place === place) && this.stateOf(i, t).state === "blocked"); }

  group(m) { return this.groups?.of[m] ?? -1; }
  hue(m) { return (this.hues ?? this.groups)?.of[m] ?? -1; }

  /** The number of a message among those of its hue, from 1. */
  nth(m) {
    return this.once("nth", () => { const n = []; return Array.from(this.hues?.of ?? [], (h) => { n[h] = (n[h] ?? 0) + 1; return n[h]; });
      })[m] ?? m + 1;
  }

  /** What a message is called: by its number, or by its sender and place in the sender's order. */
  called(m) { const name = this.hues?.names[this.hues.of[m]]; return name ? `${name}, ${this.nth(m)}` : this.name(m); }
  /** Is this an attempt of a delivery on its way, from a topic, a bucket, a function or a program to the place it is for? */
  delivers(k) { return k.state === "passing" && this.to?.[k.m] >= 0; }
  /** Did a delivery arrive with the end of this stay? The first attempt or a later one. */
  arrives(k) { return this.to?.[k.m] >= 0 && this.outcome(k) === "told"; }
  born(m) { return this.of.get(m)?.[0].t0 ?? Infinity; }
  /** What came of the work on a token; a message that was deleted undone was not done. */
  outcome(k) {
    const found = this.outcomes[k.ended] ?? "";
    return found === "done" && this.once("undone", () => new Set(this.lens?.undone)).has(k.m) ? "failed" : found;
  }

  /** A message's number for people, and what kind of thing it is. */
  name(m) { return `${this.of.get(m)?.[0].state === "asking" ? "request" : this.unit} ${m + 1}`; }

  /** Did a place refuse something in the `back` seconds before t, because it was full? */
  refusedLately(place, t, back = 1) {
    const times = this.once(`refused ${place}`, () => Array.from(this.refused?.t ?? []).filter((_, i) => this.refused.place[i] === place));
    return upTo(times, t) > upTo(times, t - back);
  }

  /** The servers of a queue that are unavailable at t, as numbers. */
  serversDown(place, t) {
    const down = new Set();
    for (const [at, p, n, up] of this.servers ?? []) if (p === place && at <= t) if (up) down.delete(n); else down.add(n);
    return down;
  }
}

export const openRun = (doc) => new Run(doc);

const orNull = (x) => (x === undefined || Number.isNaN(x) ? null : x);
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

function tokens({ tokens: c, states, reasons, duration, actions = [], events = [], actors = [] }) {
  const known = [...actions.map((a) => a.at), ...events.map((e) => e.t), ...actors.flatMap((a) => a.spans.flatMap(([from, to]) => [from, to ?? from]))];
  const exact = new Map(known.map((t) => [Math.fround(t), t])), at = (t) => exact.get(t) ?? t;   // tokens have single precision: else all is one instant late
  const list = Array.from(c.message, (m, i) => ({
    m, i, copy: c.delivery[i], state: states[c.state[i]], place: c.place[i], holder: c.holder[i], t0: at(c.t0[i]), t1: orNull(at(c.t1[i])) ?? Infinity,
    ended: reasons[c.ended[i]] ?? "", left: null, vu: null, ring: 0, wf: null, wu: null, planned: null, orphan: null,
  }));
  for (const [name, column] of Object.entries(SPARSE)) c.sparse[column]?.at.forEach((i, j) => { list[i][name] = orNull(at(c.sparse[column].value[j])); });
  list.sort((a, b) => a.t0 - b.t0 || a.i - b.i);
  const rings = new Map();                             // a clock goes on through tokens that differ in other things
  for (const k of list) {
    if (k.t1 >= duration) k.t1 = Infinity;
    k.ring = k.t0;
    if (k.vu === null) continue;
    const key = `${k.m}/${k.copy}/${k.state}/${k.holder}/${k.vu}`;
    k.ring = rings.get(key) ?? k.t0;
    rings.set(key, k.ring);
  }
  return list;
}

/** What the tokens of one message tell each other: how long its caller waits, why it was lost, how long its work was going to take. */
function join(run, list) {
  const asked = list.find((k) => k.state === "asking"), known = list.find((k) => k.wu !== null);
  for (const k of list) {
    if (asked && ["waiting", "held"].includes(k.state)) { k.vu ??= asked.vu; k.ring = asked.t0; }
    if (k.state === "lost" && !k.ended) k.ended = list.filter((x) => x !== k && x.t1 <= k.t0 + 1e-6).sort((a, b) => a.t1 - b.t1).at(-1)?.ended ?? "";
    const like = k.wu === null ? known : k;
    if (k.wf !== null && k.planned === null && like) k.planned = k.wf + run.worked(like, like.wf, like.wu);
  }
}

/** Is it sent by a producer, where there is one? A copy, an object, a test event of a service are not. */
function isSent(run, m) {
  const known = run.from && run.places.some((p) => p.role === "producer");
  return !(run.parent?.[m] >= 0) && (!known || run.places[run.from[m]]?.role === "producer");
}

/** The changes [time, by, place] of a counter. */
function pairsOf(run, name) {
  const found = [], seen = new Set();
  const once = (m) => !seen.has(m) && seen.add(m);
  const [what, why] = name.split(":");
  for (const k of run.list) {
    if (what === "sent") { if (isSent(run, k.m) && once(k.m)) found.push([k.t0, 1, run.from?.[k.m] ?? k.place]); }
    else if (what === "lost" && k.state === "lost" && (!why || k.ended === why)) found.push([k.t0, 1, k.place]);
    else if (what === "came" ? ["waiting", "kept"].includes(k.state) && !k.copy : what === "taken" && k.state === "held") found.push([k.t0, 1, k.place]);
    else if (what === "taken again" && k.state === "held" && k.copy > 1) found.push([k.t0, 1, k.place]);
    else if (what === "told" && run.arrives(k)) found.push([k.t1, 1, run.to[k.m]]);
    else if (what === "again" && k.state === "held" && k.copy > 1 && once(k.m)) found.push([k.t0, 1, k.place]);
    else if (what === "working" && k.state === "held" && k.wf !== null) found.push([k.wf, 1, k.place], [Math.min(k.wu ?? k.t1, k.t1), -1, k.place]);
    else if (["done", "vain", "crashed"].includes(what)) continue;
    else if (what === "open" && ["waiting", "delayed", "hidden"].includes(k.state)) found.push([k.t0, 1, k.place], [k.t1, -1, k.place]);
    else if (k.state === what && what !== "lost") found.push([k.t0, 1, k.place], [k.t1, -1, k.place]);
  }
  for (const k of ["done", "vain", "crashed"].includes(what) ? run.ends : []) if (run.outcome(k) === what &&
    (what !== "done" || once(k.m))) found.push([k.t1, 1, k.place]);
  return found.filter(([t]) => t < Infinity);
}

/** A slot for life in a place: the lowest free one, from the first moment of a stay to the last. Stays that touch are one. */
function slots(run, place) {
  const lives = [], open = new Map();
  for (const k of run.list) {
    if (k.place !== place || k.holder >= 0) continue;
    const life = open.get(k.m);
    if (life && k.t0 <= life.to + 1e-6) { life.to = Math.max(life.to, k.t1); life.tokens.push(k); continue; }
    open.set(k.m, { from: k.t0, to: k.t1, tokens: [k] });
    lives.push(open.get(k.m));
  }
  if (run.crowded.has(place)) return 0;                // a crowd has no slots: it is drawn as blocks
  const needed = lowest(lives.sort((a, b) => a.from - b.from));
  for (const { tokens: mine, slot } of lives) for (const k of mine) k.slot = slot;
  return needed;
}

/** The part that a message has in the work on its batch: a call of a function works on all of them. */
export const partOf = (k) => (k.call ? 1 / k.call.tokens.length : 1);

/**
 * The calls of the function at a place: {list: [{from, to, until (its work ends), tokens, slot}], most (at the same time), largest (batch), gathers (the most that
 * are gathered for a batch, or wait for another try)}. The messages of a call begin together; one that is visible again before the call ends
 * leaves it early, the others end together. Each token knows its call, or its place while it has none.
 */
export const executionsOf = (run, place) => run.once(`calls ${place}`, () => {
  const calls = [], begun = new Map(), gathered = [], held = run.list.filter((k) => k.place === place && ["held", "retrying"].includes(k.state));
  const early = (k) => k.wu === null && k.t1 < Infinity;
  for (const k of held) if (k.wf === null || k.wf > k.t0) gathered.push({ from: k.t0, to: k.wf ?? k.t1, k });
  for (const k of held.filter((k) => k.wf !== null).sort((a, b) => early(a) - early(b))) {
    const others = begun.get(k.wf) ?? [], until = k.wu ?? k.t1;
    let call = others.find((c) => (early(k) ? c.until >= until || c.open : c.until === until));
    if (!call) { call = { from: k.wf, to: k.t1, until, open: early(k), tokens: [] }; calls.push(call); begun.set(k.wf, [...others, call]); }
    call.to = Math.max(call.to, k.t1); call.tokens.push(k);
    if (call.open) call.until = Math.max(call.until, until);
    k.call = call;
  }
  const list = calls.sort((a, b) => a.from - b.from), most = lowest(list);
  const gathers = lowest(gathered);
  for (const { k, slot } of gathered) k.gather = slot;
  return { list, most, gathers, largest: Math.max(0, ...list.map((c) => c.tokens.length)) };
});

/** Gives each stay {from, to}, in the order of `from`, the lowest slot that is free; how many slots there are. */
function lowest(stays) {
  const until = [];
  for (const stay of stays) {
    let i = until.findIndex((end) => end <= stay.from);
    if (i < 0) i = until.length;
    until[i] = stay.to;
    stay.slot = i;
  }
  return until.length;
}

const DRAWN = new Set(["waiting", "delayed", "hidden", "held", "passing", "retrying", "kept"]);

/**
 * What is drawn at t, one entry a mark: {k, m, place, holder, sign, hollow, again, ring, left, bar, cut}. sign: "dot" (waits), "diamond" (waits
 * again, or is in a hand again), "square" (in a hand), "socket" (hidden in the queue, in somebody's hand), "orphan" (hidden, and in nobody's hand).
 * `ring`: the share of the time left until it is visible again (for a direct call: until its caller gives up), `left` the seconds; null where no
 * clock runs. `hollow`: its right has run out. `bar`: the share of the work done; `cut`: the share at which the right ran out.
 */
export function marksAt(run, t) {
  const marks = [];
  for (const k of run.at(t)) {
    if (k.place < 0 || !DRAWN.has(k.state)) continue;
    const direct = run.places[k.place]?.role === "direct", late = k.vu !== null && t >= k.vu, clockRuns = k.vu !== null && !late;
    const base = { k, m: k.m, place: k.place, holder: k.holder, hollow: false, again: k.copy > 1, ring: null, left: null, bar: null, cut: null };
    const ticking = { ring: clockRuns ? (k.vu - t) / Math.max(1e-9, k.vu - k.ring) : null, left: clockRuns ? k.vu - t : null };
    if (k.state === "held") marks.push({ ...base, ...ticking, sign: k.copy > 1 ? "diamond" : "square", hollow: late,
      ...workOf(run, k, t, late) });
    else if (k.state === "hidden") marks.push({ ...base, ...ticking, sign: k.orphan !== null && k.orphan <= t ? "orphan" : "socket" });
    else marks.push({ ...base, ...(direct ? ticking : {}), sign: k.copy > 0 || k.state === "retrying" ? "diamond" : "dot", again: k.copy > 0,
      hollow: direct && late });
  }
  return marks;
}

/** How far the work is, and where in it the message's right ended. */
function workOf(run, k, t, late) {
  if (k.wf === null || t < k.wf) return { bar: null, cut: null };
  const whole = Math.max(1e-9, (k.planned ?? k.wf + run.medianWork) - k.wf);
  const part = (until) => (k.wu !== null && until >= k.wu ? 1 : Math.min(1, run.worked(k, k.wf, until) / whole));
  return { bar: part(t), cut: late ? part(k.vu) : null };
}

/** The messages that several hold at t: [message, actors]. */
export function shared(marks) {
  const by = new Map();
  for (const k of marks) if (k.holder >= 0) by.set(k.m, [...(by.get(k.m) ?? []), k.holder]);
  return [...by].filter(([, actors]) => new Set(actors).size > 1);
}

/** The instants in a message's life, in order. */
export function instants(run, m) {
  const times = new Set();
  for (const k of run.of.get(m) ?? []) {
    times.add(k.t0);
    if (k.t1 < run.duration) times.add(k.t1);
    if (k.vu !== null && k.vu < Math.min(k.t1, run.duration)) times.add(k.vu);
  }
  return [...times].sort((a, b) => a - b).filter((x, i, all) => !i || x - all[i - 1] > 0.02);
}

/** All instants at which anything begins or ends. */
export const allInstants = (run) => run.once("instants", () =>
  Float64Array.from(new Set([0, run.duration, ...run.starts, ...run.endTimes.filter((t) => t <= run.duration),
    ...run.events.map((e) => e.t)])).sort());

/** The instant after t (by = 1) or before it (by = -1) in a sorted array; t itself where there is none. */
export function neighbour(sorted, t, by) {
  const i = upTo(sorted, t);
  if (by > 0) return i < sorted.length ? sorted[i] : t;
  const before = i > 0 && sorted[i - 1] === t ? i - 2 : i - 1;
  return before >= 0 ? sorted[before] : t;
}

/** Why a wait at t was long: how many were ahead when it began, and how many hands there were. */
export function waitOf(run, token, t) {
  const ahead = run.count("waiting", token.t0 - 1e-9, token.place), to = run.links.filter(([from]) => from === token.place).map(([, place]) => place);
  const hands = run.actors.filter((a, i) => to.includes(a.place) && ["up", "blocked"].includes(run.stateOf(i, token.t0).state)).length;
  return { waited: Math.min(t, token.t1) - token.t0, ahead, hands };
}
