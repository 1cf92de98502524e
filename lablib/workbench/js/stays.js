// Single messages over time: which to follow at an instant, and the stays of each. Pure; tested in Node.
import { DONE, DEAD, LOST, HELD, WORKING, VAIN, HERE, RETRY, hasLeft } from "./state.js";

const ZOOMS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];   // parts of the run that fill the width

/** A message's moves, first to last. */
export function movesOf(run, message) {
  const found = [];
  for (let move = run.final[message] ?? -1; move >= 0; move = run.prev[move]) found.push(move);
  return found.reverse();
}

/**
 * The messages whose lanes are shown when the moves before `next` have happened: those pinned, then those to which something
 * happened last, then those to which something will happen. At most `count`, in the order of their numbers. Of what topics pass
 * on, those that wait for another attempt have lanes. What came to its end before `from` is not followed.
 */
export function followed(run, next, count, pinned = [], from = -Infinity) {
  const { m, s, t } = run.moves, chosen = new Set(pinned.slice(0, count));
  run.waits ??= waits(run);
  const gone = (message) => t[run.final[message]] < from && hasLeft(s[run.final[message]]);
  for (let move = next - 1; move >= 0 && chosen.size < count; move--) if (run.waits[m[move]] && !gone(m[move])) chosen.add(m[move]);
  for (let move = next; move < m.length && chosen.size < count; move++) if (run.waits[m[move]]) chosen.add(m[move]);
  return [...chosen].sort((a, b) => a - b);
}

/** Which messages lie in a queue, or wait to be tried again. */
function waits(run) {
  const { m, s } = run.moves, found = Uint8Array.from(run.first, (move) => Number(s[move] < HERE));
  s.forEach((status, move) => { if (status === RETRY) found[m[move]] = 1; });
  return found;
}

/** Is the message with a receive or at work? */
export const isHeld = (status) => status === HELD || status === WORKING || status === VAIN;

/**
 * A message's stays {from, to, status, actor, n, move, cut}; the last one of a message that stays somewhere lasts to the end.
 * `cut`: when the actor that held it crashed meanwhile, else Infinity.
 */
export function stays(run, message) {
  const { t, s, a, n } = run.moves, moves = movesOf(run, message);
  return moves.filter((move) => !hasLeft(s[move]) && s[move] !== DEAD).map((move) => {
    const after = moves[moves.indexOf(move) + 1];
    const to = after === undefined ? run.duration : t[after], cut = isHeld(s[move]) ? crash(run, a[move], t[move], to) : Infinity;
    return { from: t[move], to, status: s[move], actor: a[move], n: n[move], move, cut };
  });
}

/** The first crash of an actor from one time to another; Infinity when there is none. */
function crash(run, actor, from, to) {
  const { t, a, s } = run.marks, i = t.findIndex((time, k) => a[k] === actor && time >= from && time < to && run.actorStates[s[k]] === "down");
  return i < 0 ? Infinity : t[i];
}

/** What ends it, {t, status, move}: done, lost, a dead letter; null while there is no end. */
export function ending(run, message) {
  const move = run.final[message], status = run.moves.s[move];
  return [DONE, LOST, DEAD].includes(status) ? { t: run.moves.t[move], status, move } : null;
}

/** When it was hidden: {from, until, extended}; `extended` where the timeout was changed before it ended. */
export function hidings(run, message) {
  const { t, m, u } = run.holds, found = [];
  run.heldAt ??= index(m, run.messages);
  for (const i of run.heldAt[message] ?? []) {
    const before = found.at(-1);
    if (before && t[i] < before.until) before.extended = t[i];
    found.push({ from: t[i], until: u[i], extended: null });
  }
  return found;
}

function index(m, count) {
  const found = Array.from({ length: count }, () => null);
  m.forEach((message, i) => { (found[message] ??= []).push(i); });
  return found;
}

/** The stay at t, or null. */
export const stayAt = (list, t) => list.find((stay) => stay.from <= t && t < stay.to) ?? null;

/** The moves in which a message is delivered again. */
export const again = (run, message) => movesOf(run, message).filter((move) => run.moves.s[move] === HELD && run.moves.n[move] > 1 && run.kinds[run.moves.k[move]] === "Received");

/** The widths of the window that can be chosen (s), widest first. */
export const windows = (duration) => ZOOMS.map((zoom) => duration / zoom);

/** The usual width: `count` messages and their stays fit in. */
export function usualWindow(run, count) {
  const { t } = run.moves, lengths = [];
  for (let message = 0; message < run.messages; message++) if (run.final[message] >= 0) lengths.push(t[run.final[message]] - t[run.first[message]]);
  lengths.sort((a, b) => a - b);
  const typical = 3 * (lengths[Math.floor(lengths.length / 2)] ?? 0), dense = (1.5 * count * run.duration) / Math.max(1, run.messages);
  return windows(run.duration).findLast((width) => width >= Math.max(typical, dense)) ?? run.duration;
}

/** Where a window of this width begins when t is shown: the cursor stands still at two thirds, except at the ends. */
export const windowFrom = (run, t, width) => Math.min(Math.max(0, t - 0.66 * width), Math.max(0, run.duration - width));
