// The pure half of the flow animation: a run as arrays, and what is where at an instant. No DOM, no clock; tested in Node.
//
// A run's `moves` are parallel arrays, one entry for each time a message changed place or status, in the order of time:
//   t time (s), m message, p place, o place it came from (-1), a actor (-1), s status, n how often received so far,
//   q its queue's place (-1), k kind (an index into run.kinds), d 1 where the message is delivered a second time.
// `messages` is how many there are; `groups` (or null) gives each message's group in `of`; `holds` says when (t) a message (m)
// was hidden until when (u).

export const STATUS = ["waiting", "delayed", "in flight", "working", "done", "dead letter", "lost", "worked on in vain",
  "being passed on", "waiting for the next attempt", "filtered out", "passed on", "delivered outside"];
// VAIN counts as LOST too: the caller gave up. From HERE on: what topics and buckets do; none of it is a message in a queue.
export const [WAITING, DELAYED, HELD, WORKING, DONE, DEAD, LOST, VAIN, HERE, RETRY, FILTERED, PASSED, DELIVERED] = STATUS.keys();
const LEFT = new Set([DONE, LOST, FILTERED, PASSED, DELIVERED]);   // no mark stays behind
const KINDS = { f8: Float64Array, f4: Float32Array, i4: Int32Array, i2: Int16Array, i1: Int8Array, u1: Uint8Array };

/** Does a message with this status lie nowhere any more? */
export const hasLeft = (status) => LEFT.has(status);

/** Reads what payload.pack() in Python wrote: JSON in which {"$": i} stands for the i-th typed array behind it. */
export function unpack(bytes) {
  const { buffer, byteOffset } = bytes;
  const view = new DataView(buffer, byteOffset);
  const size = view.getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, byteOffset + 4, size)));
  const start = byteOffset + Math.ceil((4 + size) / 8) * 8;
  const arrays = head.arrays.map(([kind, offset, length]) => {
    const type = KINDS[kind], from = start + offset;
    return from % type.BYTES_PER_ELEMENT
      ? new type(buffer.slice(from, from + length * type.BYTES_PER_ELEMENT))
      : new type(buffer, from, length);
  });
  const fill = (x) => {
    if (Array.isArray(x)) return x.map(fill);
    if (x === null || typeof x !== "object") return x;
    if ("$" in x) return arrays[x.$];
    return Object.fromEntries(Object.entries(x).map(([key, value]) => [key, fill(value)]));
  };
  return fill(head.doc);
}

/** How many entries of a sorted array are at or before x. */
export function upTo(sorted, x) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= x) low = middle + 1; else high = middle;
  }
  return low;
}

/** Adds to an unpacked run what playing it needs: each move's predecessor, each message's first and final move, and the instants at which anything happened. */
export function openRun(run) {
  const { t, m } = run.moves, last = new Int32Array(run.messages).fill(-1);
  run.prev = new Int32Array(t.length);
  run.first = new Int32Array(run.messages);
  for (let i = 0; i < t.length; i++) {
    run.prev[i] = last[m[i]]; last[m[i]] = i;
    if (run.prev[i] < 0) run.first[m[i]] = i;
  }
  run.final = last;
  const instants = new Set([0, run.duration, ...t, ...run.notable.t, ...run.servers.t]);
  run.instants = Float64Array.from(instants).sort();
  run.ever = STATUS.map((_, status) => run.moves.s.includes(status));   // which statuses occur at all
  run.everAt = new Uint8Array(run.places.length * STATUS.length);     // ... and at which place
  run.moves.p.forEach((p, i) => { if (p >= 0) run.everAt[p * STATUS.length + run.moves.s[i]] = 1; });
  run.ever.again = run.moves.n.some((times) => times > 1);
  return run;
}

function freshState(run) {
  return {
    run, t: 0, next: 0, sent: 0, published: 0, duplicates: 0,
    last: new Int32Array(run.messages).fill(-1),            // each message's latest move
    at: new Int32Array(run.places.length * STATUS.length),         // messages by place and status
    flying: new Int32Array(run.places.length),                     // in flight, by the queue they belong to
    from: new Int32Array(run.places.length),                       // messages that began there
    total: new Int32Array(STATUS.length),
  };
}

function count(state, move, by) {
  const { p, s, q } = state.run.moves, status = s[move];
  state.total[status] += by;
  if (status === VAIN) state.total[LOST] += by;
  if (p[move] >= 0) state.at[p[move] * STATUS.length + status] += by;
  if ((status === HELD || status === WORKING) && q[move] >= 0) state.flying[q[move]] += by;
}

function turn(state, move, by) {
  const { run, last } = state, { m, d, s, o } = run.moves, before = run.prev[move];
  count(state, move, by);
  if (before >= 0) count(state, before, -by);
  else {
    if (s[move] < HERE) state.sent += by; else if (s[move] === HERE) state.published += by;
    if (o[move] >= 0 && s[move] <= HERE) state.from[o[move]] += by;
  }
  state.duplicates += by * d[move];
  last[m[move]] = by > 0 ? move : before;
}

/**
 * What is where at time t. The same answer whatever `state` it starts from; handing in the last one makes it quick, forward
 * and back, since only the moves between are applied or undone.
 */
export function stateAt(run, t, state) {
  if (!state || state.run !== run) state = freshState(run);
  const until = upTo(run.moves.t, t);
  while (state.next < until) turn(state, state.next++, 1);
  while (state.next > until) turn(state, --state.next, -1);
  state.t = t;
  return state;
}

/** The messages to draw, in groups of one place and one actor, each in the order of arrival there. */
export function groups(state) {
  const { run, last } = state, { p, a, s } = run.moves, found = new Map();
  const shown = last.filter((move) => move >= 0 && !LEFT.has(s[move]) && p[move] >= 0).sort();
  for (const move of shown) {
    const key = `${p[move]}/${a[move]}`;
    if (!found.has(key)) found.set(key, { place: p[move], actor: a[move], moves: [] });
    found.get(key).moves.push(move);
  }
  return [...found.values()];
}

/**
 * At most `room` of the moves, when there are more: those of every `each`-th message, by its number (`message[move]`), so that
 * the same messages are shown as others come and go. Each mark then stands for about `each` messages, a power of two: when it
 * grows, half of the marks stay where they are.
 */
export function aggregate(moves, room, message) {
  const each = 2 ** Math.max(0, Math.ceil(Math.log2(moves.length / Math.max(1, room))));
  return { each, moves: each === 1 ? moves : moves.filter((move) => message[move] % each === 0).slice(0, room) };
}

/** Each actor's state at t: "" (not seen yet), "up", "down", "frozen" or "gone". */
export function actorsAt(run, t) {
  const { t: times, a, s } = run.marks, now = run.actors.map(() => "");
  for (let i = 0, n = upTo(times, t); i < n; i++) now[a[i]] = run.actorStates[s[i]];
  return now;
}

/** The servers of a queue that are unavailable at t, as "place/number". */
export function serversDownAt(run, t) {
  const { t: times, p, n, up } = run.servers, down = new Set();
  for (let i = 0, m = upTo(times, t); i < m; i++) up[i] ? down.delete(`${p[i]}/${n[i]}`) : down.add(`${p[i]}/${n[i]}`);
  return down;
}

/** A series' value at t; NaN before it begins. A step series keeps its value to the next point, a line goes straight there. */
export function valueAt({ t: times, y, shape }, t) {
  const i = upTo(times, t) - 1;
  if (i < 0) return NaN;
  if (shape !== "line" || i + 1 >= times.length || times[i + 1] === times[i]) return y[i];
  return y[i] + ((y[i + 1] - y[i]) * (t - times[i])) / (times[i + 1] - times[i]);
}

/** The instant after t (by = 1) or before it (by = -1) in a sorted array; t itself where there is none. */
export function neighbour(instants, t, by) {
  const i = by > 0 ? upTo(instants, t) : upTo(instants, t) - 1;
  if (by > 0) return i < instants.length ? instants[i] : t;
  const before = i >= 0 && instants[i] === t ? i - 1 : i;
  return before >= 0 ? instants[before] : t;
}

export const nextInstant = (run, t, by) => neighbour(run.instants, t, by);
export const nextNotable = (run, t, by) => neighbour(run.notable.t, t, by);

const WORDS = {
  Sent: "{actor} sent {message}", Received: "{actor} received {message}{again}", Deleted: "{actor} deleted {message}",
  BecameVisible: "{message} is visible again", Available: "{message}: its delay is over", Expired: "{message} expired",
  CopyReturned: "a copy of {message} came back from a server", WorkStarted: "{actor} began to work on {message}",
  WorkEnded: "{actor} ended the work on {message}", MovedToDeadLetterQueue: "{message} moved to the dead-letter queue",
  Requested: "{actor} asked for {message}", Accepted: "{message} was accepted", Refused: "{message} was refused",
  Answered: "{message} was answered", TimedOut: "the caller gave up on {message}", Redriven: "{message} was redriven",
  Published: "{actor} published {message}", ObjectCreated: "{actor} stored an object, {message}", FilteredOut: "a filter policy keeps {message} out",
  PassedOn: "the topic has passed on {message}", DeliveryFailed: "an attempt to deliver {message} failed", Delivered: "{message} was delivered",
  DeliveredAtLast: "{message} was delivered at last", SentToDeadLetterQueue: "{message} goes to the dead-letter queue of its subscription",
  DeliveryDropped: "{message} is lost: the topic tries no more", EventDelivered: "the bucket has told of {message}", EventDropped: "the event of {message} is lost",
  InvocationStarted: "{actor} began with {message}", InvocationEnded: "{actor} is done with {message}", InvocationFailed: "{message} failed",
  InvocationThrottled: "{message} was throttled",
};

/** One move in words. */
export function tell(run, move) {
  const { m, a, n, k, o } = run.moves, kind = run.kinds[k[move]];
  const words = WORDS[kind] ?? `{message}: ${kind.replace(/(?!^)([A-Z])/g, (c) => " " + c.toLowerCase())}`;
  const again = n[move] > 1 ? ` again (receive ${n[move]})` : "";
  return words.replace("{actor}", run.actors[a[move]]?.name ?? run.places[o[move]]?.label ?? "somebody").replace("{again}", again)
    .replace("{message}", `message ${m[move] + 1}`);
}

/** What happened at exactly t, in words: the events of interest, then the moves, oldest first; at most three things. */
export function tellAt(run, t) {
  const said = [], { notable, moves } = run, from = (times) => { let i = upTo(times, t); while (i > 0 && times[i - 1] === t) i--; return i; };
  for (let i = from(notable.t); notable.t[i] === t; i++) said.push(notable.text[i].replace(/\.$/, ""));
  for (let i = from(moves.t); moves.t[i] === t; i++) said.push(tell(run, i));
  const more = said.length - 3, words = said.slice(0, 3).join("; ") + (more > 0 ? `; and ${more} more` : "");
  return words && `${words}.`;
}

const two = (x) => String(x).padStart(2, "0");

/** A time of the run for people: 42.1 s, then 1:02:03, then 3 d 04:05; `fine` adds what is finer. */
export function clock(t, duration, fine = false) {
  if (duration <= 900) return `${t.toFixed(fine ? 3 : 1)} s`;
  const whole = Math.floor(t + 1e-9), s = two(whole % 60), min = two(Math.floor(whole / 60) % 60), h = Math.floor(whole / 3600);
  const part = fine ? Math.max(0, t - whole).toFixed(3).slice(1) : "";
  return duration > 172800 ? `${Math.floor(h / 24)} d ${two(h % 24)}:${min}${fine ? `:${s}${part}` : ""}` : `${h}:${min}:${s}${part}`;
}

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });   // made once: making one takes a millisecond

/** A number with at most three figures that matter; NaN is a dash. */
export function brief(x) {
  if (!Number.isFinite(x)) return "–";
  if (Number.isInteger(x) || Math.abs(x) >= 100) return Math.abs(x) < 1000 ? String(Math.round(x)) : grouped.format(x);
  return String(Number(x.toPrecision(x < 1 ? 2 : 3)));
}

export const SPEEDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000];

/** The speed at which a run takes about half a minute. */
export const usualSpeed = (duration) => SPEEDS.find((speed) => speed >= duration / 40) ?? SPEEDS.at(-1);
