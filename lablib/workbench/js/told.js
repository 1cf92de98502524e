// What the page says of a run at an instant: the curve in the scrub bar, the sentence below the picture, what a step did.
import { HANDS, HEAPS } from "./layout.js";
import { brief, cap, plural } from "./theme.js";
import { lensOf } from "./painters.js";
import { executionsOf, marksAt, upTo } from "./model.js";

const NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
const said = (n) => NUMBERS[n] ?? String(n);

/** The one measure of a run: its lens's, or how many messages wait. */
function measure(run) {
  const own = lensOf(run.lens)?.curve?.(run);
  return own ?? { label: run.curve?.label ?? "messages waiting", color: "waiting",
    ...run.series(run.curve?.name ?? "waiting") };
}

/** The curves of the scrub bar: the kept run pale, the one that is being changed strong. */
export function curveOf(lanes, state) {
  const names = state.names ?? ["", ""], found = lanes.map(measure);
  return { label: found.at(-1).label, series: found.map((s, i) => ({ ...s, name: "AB"[i], label: lanes.length > 1 ? `${"AB"[i]} ${names[i]}` : "",
    strong: i === lanes.length - 1 })) };
}

/** How many calls of functions run at t; null where there is no function. */
function callsAt(run, t) {
  const places = run.places.map((_, p) => p).filter((p) => run.places[p].role === "function");
  return places.length ? places.flatMap((p) => executionsOf(run, p).list).filter((c) => c.from <= t && t < c.to).length : null;
}

const STAYS = 4000;                                     // ms in which words with a time are read while it plays

/** Words of an instant: they are said as long as the run stands there. `dated`: they say of when they are, so they may stay while time goes on. */
export class Spoken {
  constructor(now = () => performance.now()) { Object.assign(this, { now, words: "", dated: false, since: 0, of: 0 }); }
  say(words, t, dated = false) { Object.assign(this, { words, dated, since: this.now(), of: t }); }
  get young() { return this.dated && this.now() - this.since < STAYS; }
  /** Who stops to read finds them still there. */
  stop(t) { if (this.young) this.of = t; }
  /** The words to show at t, or "". */
  at(t, playing) { return this.of === t || (playing && this.young) ? this.words : ""; }
}

/** What is remarkable in a run at t: not its counters. */
function remarkable(run, t) {
  const role = (actor) => run.places[run.actors[actor]?.place]?.role, calls = callsAt(run, t);
  const marks = marksAt(run, t), working = marks.filter((m) => run.isAtWork(m, t)), atWork = working.filter((m) => role(m.holder) !== "function"),
    busy = new Set(atWork.map((m) => m.holder)).size, different = new Set(atWork.map((m) => m.m)).size;
  const states = run.actors.map((_, i) => (HANDS.has(role(i)) && role(i) !== "function" ? run.stateOf(i, t).state : ""));
  const all = states.filter((state) => !["", "gone"].includes(state)).length, [down, frozen] = ["down", "frozen"].map((x) => states.filter((state) => state === x).length);
  const late = atWork.filter((m) => m.hollow).length, stale = working.filter((m) => m.hollow).length - late, orphans = marks.filter((m) => m.sign === "orphan").length, lost = run.count("lost", t) + upTo(run.lens?.lost ?? [], t),
    sent = run.count("sent", t), blocked = run.blocked(t).length;
  const waiting = run.places.reduce((n, place, p) => n + (HEAPS.has(place.role) && place.role !== "dead-letter" ? run.count("waiting", t, p) : 0),
    0), direct = run.places.some((p) => p.role === "direct");
  const parts = [];
  if (!sent) return t < run.duration ? "Nothing has been sent yet." : `No ${run.unit} was stored in this run.`;
  const few = different < atWork.length ? `, on only ${said(different)} different ${run.unit}${different === 1 ? "" : "s"}` : "";
  if (all) parts.push(busy ? `${cap(said(busy))} of ${said(all)} worker${all === 1 ? "" : "s"} busy${few}.` : down + frozen ? "No worker is busy." : "All workers wait for work.");
  if (down) parts.push(`${cap(said(down))} ${down === 1 ? "has" : "have"} crashed.`);
  if (frozen) parts.push(`${cap(said(frozen))} ${frozen === 1 ? "is" : "are"} frozen.`);
  if (blocked) parts.push(`${cap(said(blocked))} sender${blocked === 1 ? " is" : "s are"} blocked.`);
  if (calls !== null) parts.push(calls ? `${cap(said(calls))} call${calls === 1 ? " of the function runs" : "s of the function run"}.` : "No call of the function runs.");
  const some = late === 1 ? "One of them works" : `${cap(said(late))} of them work`;
  if (late) parts.push(`${some} ${direct ? "for a caller who has gone" : "with an expired receipt"}.`);
  if (stale) parts.push(`${cap(said(stale))} ${run.unit}${stale === 1 ? "" : "s"} in ${calls === 1 ? "it" : "them"} ha${stale === 1 ? "s" : "ve"} an expired receipt.`);
  if (orphans) parts.push(`${cap(said(orphans))} ${run.unit}${orphans === 1 ? " is" : "s are"} hidden, in nobody's hands.`);
  if (waiting) parts.push(`${brief(waiting)} wait${waiting === 1 ? "s" : ""}.`);
  if (lost) parts.push(`${brief(lost)} of ${brief(sent)} lost.`);
  return parts.join(" ");
}

/** The sentence below the picture, for one run or two. */
export function sayNow(lanes, t) {
  const own = lensOf(lanes[0].run.lens)?.say?.(lanes.map((l) => l.run), t);
  return own ?? lanes.map((l) => (lanes.length > 1 ? `${"AB"[l.i]}: ` : "") + remarkable(l.run, t)).join("  ");
}

const QUIET = 30, FEW = 3;                              // seconds that end a series of events, or a hundredth of the run; more than so many are told as one

/** Events (in the order of time) in rows {words, t, all: their times}: many of one kind, in one lane, that follow each other are one row. Pure. */
export function inRows(events, duration) {
  const last = new Map(), series = [];
  for (const e of events) {
    const key = `${e.lane} ${e.kind}`, before = last.get(key);
    if (before && e.t - before.at(-1).t <= Math.max(QUIET, duration / 100)) { before.push(e); continue; }
    last.set(key, [e]); series.push(last.get(key));
  }
  const rows = series.flatMap((all) => (all.length > FEW ? [all] : all.map((e) => [e])));
  return rows.map((all) => ({ words: all[0].words, t: all[0].t, all: all.map((e) => e.t) })).sort((a, b) => a.t - b.t);
}

/** What happened at exactly t, in words: the events of interest, else what began or ended then; at most three things. */
export function momentOf(run, t) {
  const near = (x) => Math.abs(x - t) < 1e-6, found = run.events.filter((e) => near(e.t)).map((e) => e.text.replace(/\.$/, ""));
  if (!found.length) {
    for (let i = upTo(run.starts, t + 1e-6) - 1; i >= 0 && near(run.starts[i]); i--) {
      const k = run.list[i], place = run.places[k.place]?.label ?? "";
      if (k.state === "held" &&
        k.left !== null) found.unshift(`${run.actors[k.holder]?.name ?? "somebody"} has ${run.name(k.m)}${k.copy > 1 ? ` again (receive ${k.copy})` : ""}`);
      else if (k.holder < 0 && k.state !== "hidden") found.unshift(`${run.name(k.m)}: ${run.said[k.state] ?? k.state}${place ? `, ${place}` : ""}`);
    }
    for (const k of run.ended(t + 1e-6, 2e-6)) if (k.holder >= 0 &&
      k.ended) found.push(`${run.actors[k.holder]?.name ?? "somebody"}, ${run.name(k.m)}: ${run.said[k.ended] ?? k.ended}`);
  }
  const more = found.length - 3, words = found.slice(0, 3).join("; ") + (more > 0 ? `; and ${more} more` : "");
  return words && `${cap(words)}.`;
}
