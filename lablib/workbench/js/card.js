// The answer beside the mark: one sentence, the life as a small lane, the facts in order. What was not watched is not told.
import { brief, cap, clamp, clock, plural, rateOf, seconds, span } from "./theme.js";
import { painterOf } from "./painters.js";
import { behind } from "./painters/tape.js";
import { h } from "./dom.js";
import { HANDS } from "./layout.js";
import { onlyReads } from "./painters/hands.js";
import { marksAt, upTo, waitOf } from "./model.js";

const W = 386, LEFT = 96;
const HIGH = 440;                                       // px: so high a card may be, over what stands `above` a low picture
const SVG = "http://www.w3.org/2000/svg";

/** An element of a picture: s("rect", {x: 1}, children or words). */
function s(tag, props, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(props)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Puts a card beside {x, y, r} in a picture of w x h, never over it. `above`: the px above the picture that a high card may cover. */
export function standBeside(card, at, w, h, above) {
  const room = 16 + at.r, least = (space, size) => Math.max(4, space - size - 4);
  card.style.width = `${clamp(Math.max(at.x, w - at.x) - room - 8, 400, 480)}px`;
  card.style.maxHeight = `${Math.max(h, Math.min(HIGH, h + above)) - 8}px`;
  const x = at.x + room + card.offsetWidth < w - 4 ? at.x + room : at.x - room - card.offsetWidth;
  card.style.left = `${clamp(x, 4, least(w, card.offsetWidth))}px`;
  card.style.top = `${Math.min(clamp(at.y - 40, 4, least(h, card.offsetHeight)), h - card.offsetHeight - 4)}px`;
}

/** Why a message is where it is at t, in one sentence, from its tokens alone. */
export function whyNow(run, m, t) {
  const tokens = (run.of.get(m) ?? []).filter((k) => k.t0 <= t), now = tokens.filter((k) => t < k.t1),
    inState = (state) => now.filter((k) => k.state === state);
  if (!tokens.length) return "Not sent yet.";
  const held = inState("held"), [hidden] = inState("hidden"), [waits] = inState("waiting"), [delayed] = inState("delayed"),
    direct = tokens.some((k) => k.state === "asking");
  const end = tokens.find((k) => run.outcome(k) === "done" && k.t1 <= t), gone = tokens.find((k) => k.state === "lost");
  if (gone && !held.length) {
    const why = run.said[gone.ended] ?? gone.ended;
    return run.born(m) < gone.t0 - 1e-3 ? `Lost: ${why}. Nobody gets an answer for it.` : `${cap(why)} at once. Nobody will do this work.`;
  }
  if (held.length) return whoHas(run, held, t, direct);
  if (hidden) return whyHidden(run, hidden, tokens, t);
  if (waits) return whyWaiting(run, waits, t, direct);
  if (delayed) return `Delayed: it is visible at ${clock(delayed.t1, run.duration)}.`;
  if (end) return howDone(run, m, tokens, end);
  const last = tokens.at(-1);
  if (last.ended && last.t1 <= t) return `${cap(run.said[last.ended] ?? last.ended)} at ${clock(last.t1, run.duration)}.`;
  return `Since ${clock(last.t0, run.duration)}: ${run.said[last.state] ?? last.state}.`;
}

const nameOf = (run, k) => run.actors[k.holder]?.name ?? "somebody";

function whoHas(run, held, t, direct) {
  const [k] = held, name = nameOf(run, k), mark = marksAt(run, t).find((x) => x.k === k), left = mark?.left ?? null;
  if (held.length > 1 && held.every((x) => x.holder === k.holder)) {
    return `${cap(name)} has it ${held.length === 2 ? "twice" : `${held.length} times`}: in a batch that is not done, and in a later one. `
      + "It was received again because it was visible again.";
  }
  if (held.length > 1) {
    return `${held.length} hands have it at the same time: ${held.map((x) => nameOf(run, x)).join(" and ")}. `
      + "Each began because the message was visible again when it asked.";
  }
  if (mark?.hollow && direct) return `${name} works on it, though its caller has gone: in vain.`;
  if (mark?.hollow) return `${name} still has it, but its receipt has expired: if another one takes the message, the delete of ${name} will be ignored.`;
  const more = left === null ? "" : ` for ${seconds(left)} more`;
  const frozen = run.stateOf(k.holder, t).state === "frozen";
  if (run.of.get(k.m).some((x) => x.state === "kept")) return `${name} ${frozen ? "has it, and is frozen" : "works on it"}. It stays in its shard: others can read it, too.`;
  if (frozen) return `${name} has it, and is frozen: nobody works on it. Nobody else can see it${more}.`;
  return direct ? `${name} works on it; the caller waits${more}.` : `${name} has it. Nobody else can see it${more}.`;
}

function whyHidden(run, hidden, tokens, t) {
  const last = tokens.filter((k) => k.state === "held").at(-1), left = `It stays hidden for ${seconds((hidden.vu ?? t) - t)} more.`;
  if (hidden.orphan === null || hidden.orphan > t) return `The answer with it is on its way. ${left}`;
  const did = last?.ended === "crashed" ? "crashed with it in hand" : "has let it go";
  return `Nobody works on it. ${last ? `${nameOf(run, last)} ${did}; the queue does not know. ` : ""}${left}`;
}

function whyWaiting(run, waits, t, direct) {
  const { ahead, hands } = waitOf(run, waits, t), place = run.places[waits.place], since = clock(waits.t0, run.duration);
  if (direct && waits.vu !== null &&
    t >= waits.vu) return `Its caller gave up at ${clock(waits.vu, run.duration)}. It still waits, and will be worked on in vain.`;
  if (["topic", "bucket"].includes(place.role)) return `The ${place.role} passes it on.`;
  if (place.role === "dead-letter") return whyDead(run, waits);
  const handed = run.lens?.held?.[waits.m], kept = handed === undefined ? "" : `, after ${span(run.born(waits.m) - handed)} in a connection that was blocked`;
  const first = waits.copy ? `Waiting again since ${since}: nobody deleted it before its visibility timeout ended.` : `Waiting for ${span(t - waits.t0)} in ${place.label}${kept}.`;
  const group = run.group(waits.m), mine = group < 0 ? [] : marksAt(run, t).filter((x) => x.place === waits.place && x.m < waits.m && run.group(x.m) === group);
  const before = new Set(mine.map((x) => x.m)).size;
  if (before) return `${first} Before it, ${before === 1 ? `one ${run.unit}` : plural(before, run.unit)} of its group must be deleted.`;
  if (t - waits.t0 < 2 * run.medianWork || !hands) return first;
  return `${first} ${ahead ? `${plural(ahead, run.unit)} waited already when it came, for ${plural(hands, "worker")}.` : `There are ${plural(hands, "worker")}.`}`;
}

/** It waits for nobody there; where it was received before, that is why it came. */
function whyDead(run, waits) {
  const all = run.of.get(waits.m), since = clock(Math.min(...all.filter((k) => k.place === waits.place).map((k) => k.t0)), run.duration);
  const received = all.some((k) => k.state === "hidden" && k.t0 < waits.t0 && run.places[k.place].role === "queue");
  return `In the dead-letter queue since ${since}${received ? ": it was received too often without a delete" : ""}.`;
}

/** A place's name where there is little room: its kind is left out, or its end. */
function brieflyCalled({ label, role }) {
  const short = label.length <= 16 ? label : role === "dead-letter" ? "Dead letters" : cap(label.replace(/^(Queue|Topic) /, ""));
  return short.length > 16 ? `${short.slice(0, 15)}…` : short;
}

function howDone(run, m, tokens, end) {
  const hands = tokens.filter((k) => k.state === "held"), born = run.born(m), wait = hands.length ? hands[0].t0 - born : 0;
  const waited = wait > 0.05 ? `, of which it waited ${span(wait)}` : "";
  return `Done after ${span(end.t1 - born)}${waited}.${hands.length > 1 ? ` ${hands.length} deliveries: some of the work was done twice.` : ""}`;
}

/** The life of a message as a small lane, as far as it was watched. */
function life(run, m, t, watched, col) {
  const known = run.of.get(m).filter((k) => k.t0 <= watched && k.state !== "lost"), from = known[0]?.t0 ?? 0;
  if (!known.length) return null;
  const stop = Math.max(...known.map((k) => Math.min(k.t1, run.duration, watched))), to = Math.max(stop, t, from + 1),
    X = (x) => LEFT + ((W - LEFT - 8) * (x - from)) / (to - from);
  const rows = [...new Set(known.map((k) => (k.holder >= 0 ? `a${k.holder}` : `p${k.place}`)))], height = rows.length * 17 + 20;
  const label = (key) => (key[0] === "a" ? brieflyCalled({ label: run.actors[key.slice(1)].name }) : brieflyCalled(run.places[key.slice(1)]));
  const bar = (x0, x1, y, high, fill, more = {}) => s("rect", { x: X(x0).toFixed(1), y, width: Math.max(1.5, X(x1) - X(x0)).toFixed(1), height: high,
    rx: 2, fill, ...more });
  const parts = rows.flatMap((key, i) => {
    const y = 4 + i * 17;
    return [s("text", { x: 0, y: y + 10, "font-size": 11, fill: col.soft }, label(key)),
      ...known.filter((k) => (k.holder >= 0 ? `a${k.holder}` : `p${k.place}`) === key).flatMap((k) => {
      const end = Math.min(k.t1, to);
      if (k.state === "hidden") return [bar(k.t0, end, y + 1.5, 9, "none", { stroke: col.edge, "stroke-dasharray": "3 2" })];
      if (k.holder < 0) return [bar(k.t0, end, y + 1, 10, k.copy ? col.again : k.state === "waiting" ? col.waiting : col.soft)];
      const cut = k.vu === null ? end : Math.min(end, Math.max(k.t0, k.vu)), sign = end < to || k.t1 <= t;
      const hue = k.copy > 1 ? col.again : col.hand,
        begun = run.places[k.place]?.role === "function" ? Math.min(cut, k.wf ?? Infinity) : k.t0;   // before, no call works on it
      return [begun > k.t0 ? bar(k.t0, begun, y + 1, 9, "none", { stroke: hue }) : null, begun < cut ? bar(begun, cut, y, 11, hue) : null,
        cut < end ? bar(cut, end, y, 11, col.pale) : null,
        sign && k.t1 <= to ? ending(run, k, X(k.t1), y + 5.5, col) : null];
    })].filter(Boolean);
  });
  return s("svg", { viewBox: `0 0 ${W} ${height}`, role: "img", "aria-label": "Its life so far" }, ...parts,
    s("line", { x1: X(t), x2: X(t), y1: 0, y2: height - 16, stroke: col.ink, "stroke-width": 1.5 }),
    s("text", { x: LEFT, y: height - 4, "font-size": 10.5, fill: col.soft }, clock(from, run.duration)),
    s("text", { x: W - 8, y: height - 4, "font-size": 10.5, "text-anchor": "end", fill: col.soft }, clock(to, run.duration)));
}

const ending = (run, k, x, y, col) => (run.outcome(k) === "done" ? s("circle", { cx: x, cy: y, r: 4.5, fill: col.done })
  : s("path", { d: `M${x - 4} ${y - 4}l8 8m0-8l-8 8`, stroke: col.again, "stroke-width": 2.4 }));

/**
 * A message's card. `told`: its life in Python's words {clauses, kin, sentence, group}, once it has come; `on`: step(by),
 * choose(message), follow().
 */
export function messageCard(run, m, { t, watched, col, told, on, following }) {
  const clauses = (told?.clauses ?? []).filter(([at]) => at <= watched + 1e-3), now = upTo(clauses.map(([at]) => at), t + 1e-3) - 1;
  const whole = told && (told.clauses.at(-1)?.[0] ?? 0) <= watched, kin = (told?.kin ?? []).filter(([other]) => run.born(other) <= watched);
  return [
    h("h4", {}, cap(run.called(m)), run.hues ? h("small", {}, ` ${run.unit} ${m + 1}`) : null,
      told?.group ? h("small", {}, ` group ${told.group}`) : null),
    h("p", { class: "ml-why" }, whyNow(run, m, t)), life(run, m, t, watched, col),
    kin.length ? h("p", { class: "ml-kin" }, kin.slice(0, 6).map(([other, words]) => h("button",
      { type: "button", class: "ml-button", onclick: () => on.choose(other) }, `${run.unit} ${other + 1}: ${words}`))) : null,
    clauses.length ? h("ol", { class: "ml-clauses", tabIndex: 0, "aria-label": "What happened to it", style: `min-height: ${1.4 * Math.min(4, clauses.length)}em` }, clauses.map(([at, words, api], i) =>
      h("li", { class: at > t + 1e-3 ? "ml-later" : i === now ? "ml-current" : "", "aria-current": i === now ? "true" : null, title: api || null },
        h("b", {}, clock(at, run.duration)), h("span", {}, words)))) : null,
    whole && told.sentence ? h("p", { class: "ml-hint" }, told.sentence) : null,
    h("p", { class: "ml-row" }, h("button", { type: "button", class: "ml-button", "aria-label": "Its event before", onclick: () => on.step(-1) },
      "‹"),
      h("button", { type: "button", class: "ml-button", onclick: () => on.step(1) }, "next in its life ›"),
      h("button", { type: "button", class: "ml-button", "aria-pressed": String(Boolean(following)), onclick: on.follow }, "follow")),
  ];
}

/** Who only sends: is it blocked, why, and for how much of its time it was. */
function senderCard(run, a, { t, col }) {
  const { name, spans } = run.actors[a], now = run.stateOf(a, t), mine = spans.filter(([from, , state]) => from < t && state === "blocked");
  const X = (x) => (W * x) / Math.max(t, 1), end = (to) => Math.min(to ?? t, t), all = mine.reduce((s, [from, to]) => s + end(to) - from, 0);
  return [h("h4", {}, name), h("p", { class: "ml-why" },
    h("strong", {}, now.state === "blocked" ? `Blocked for ${span(t - now.from)}: ${now.why}.` : "Not blocked."),
    ` ${now.state === "blocked" ? "What it sends waits in its connection until there is room. " : ""}It was blocked for ${span(all)} of ${span(t)}.`),
    s("svg", { viewBox: `0 0 ${W} 34`, role: "img", "aria-label": "When it was blocked" },
      s("rect", { x: 0, y: 4, width: W, height: 16, rx: 3, fill: col.faint }),
      ...mine.map(([from, to]) => s("rect", { x: X(from).toFixed(1), y: 4, width: Math.max(1, X(end(to)) - X(from)).toFixed(1), height: 16, fill: col.control })),
      s("text", { x: 0, y: 33, "font-size": 10.5, fill: col.soft }, "0 s"),
      s("text", { x: W, y: 33, "font-size": 10.5, "text-anchor": "end", fill: col.soft }, clock(t, run.duration)))];
}

/** A worker's card: what it did with its time so far. */
export function actorCard(run, a, { t, col }) {
  if (run.places[run.actors[a].place]?.role === "producer") return senderCard(run, a, { t, col });
  const had = run.hands.get(a).filter((k) => k.t0 <= t && k.state !== "reading"), worked = had.filter((k) => k.wf !== null && k.wf <= t);
  const works = [...new Map(worked.map((k) => [`${k.m}/${k.wf}`, k])).values()];   // a heartbeat ends a stay, and not the work
  const mine = works.length ? works : had, over = mine.filter((k) => k.t1 <= t),   // what only lay in its hands took none of its time
    n = (what) => over.filter((k) => run.outcome(k) === what).length;
  const X = (x) => (W * x) / Math.max(t, 1), kind = (k) => (k.t1 <= t ? (run.outcome(k) === "done" ? "work that counted" : "work for nothing") : works.length ? "at work now" : "in its hands now");
  const colors = { "work that counted": col.done, "work for nothing": col.pale, "at work now": col.hand, "in its hands now": col.hand }, seen = new Set(mine.map(kind));
  const key = Object.entries(colors).filter(([words]) => seen.has(words)).map(([words, fill]) => h("span", {}, h("i", { style: `background: ${fill}` }), words));
  const bars = mine.map((k) => s("rect", { x: X(k.wf ?? k.t0).toFixed(1), y: 4, width: Math.max(1, X(Math.min(k.wu ?? k.t1, t)) - X(k.wf ?? k.t0) - 0.8).toFixed(1),
    height: 16, rx: 1.5, fill: colors[kind(k)] }));
  const down = run.actors[a].spans.filter(([from, , state]) => from <= t && ["down", "frozen"].includes(state)).map(([from, to]) =>
    s("rect", { x: X(from), y: 4, width: Math.max(2, X(Math.min(to ?? t, t)) - X(from)), height: 16, fill: "none", stroke: col.again,
      "stroke-dasharray": "4 3", "stroke-width": 1.6 }));
  const busy = run.busy(a, 0, t), calls = run.places[run.actors[a].place]?.role === "function", lost = calls ? upTo(run.lens?.lost ?? [], t) : 0;
  const tries = n("failed") - lost, parts = [plural(n("done"), run.unit) + " done", lost ? `${lost} lost` : "", tries ? (tries === 1 ? "1 try failed" : `${tries} tries failed`) : "", n("vain") ? `${n("vain")} in vain` : "",
    n("crashed") ? `${n("crashed")} cut off by a crash` : ""].filter(Boolean).join(", ");
  return [h("h4", {}, run.actors[a].name), h("p", { class: "ml-why" },
    h("strong", {}, onlyReads(run, a) ? `${plural(behind(run, t).get(a) ?? 0, "record")} not read yet.` : calls ? `On average, ${brief(busy)} calls at the same time.` : `Busy ${Math.round(busy * 100)} % of its time.`),
    ` ${parts}.`), key.length ? h("p", { class: "ml-hint ml-key" }, key) : null,
    s("svg", { viewBox: `0 0 ${W} 34`, role: "img", "aria-label": "Its time so far" },
      s("rect", { x: 0, y: 4, width: W, height: 16, rx: 3, fill: col.faint }), ...bars, ...down,
      s("text", { x: 0, y: 33, "font-size": 10.5, fill: col.soft }, "0 s"),
        s("text", { x: W, y: 33, "font-size": 10.5, "text-anchor": "end", fill: col.soft }, clock(t, run.duration)))];
}

/** A place's card: what its lens or its painter says `about` it ([what matters, more...]), or what goes in and out, and how old the oldest is. */
export function placeCard(run, p, { t }, told = null) {
  const place = run.places[p], w = Math.min(t, Math.max(20, run.duration / 100)) || 1;
  const about = told ?? painterOf({ run }, { place: p, role: place.role }).about?.(run, p, t, w);
  if (about) return [h("h4", {}, place.label), h("p", { class: "ml-why" }, h("strong", {}, about[0]), ` ${about.slice(1).filter(Boolean).join(" ")}`)];
  const waiting = run.count("waiting", t, p), hidden = run.count("hidden", t, p);
  if (place.role === "producer") return [h("h4", {}, place.label), h("p", { class: "ml-why" },
    `${plural(run.count("sent", t), run.unit)} sent; ${rateOf(run.rate("sent", t, w))} in the last ${span(w)}.`,
    run.blocked(t, p).length ? ` ${cap(run.blocked(t, p)[0].name)}${run.blocked(t, p).length > 1 ? ` and ${run.blocked(t, p).length - 1} more are` : " is"} blocked.` : "")];
  if (HANDS.has(place.role)) {
    const there = run.actors.map((_, a) => a).filter((a) => run.actors[a].place === p && !["", "gone"].includes(run.stateOf(a, t).state));
    const busy = new Set(marksAt(run, t).filter((m) => m.place === p && run.isAtWork(m, t)).map((m) => m.holder)).size;
    return [h("h4", {}, place.label), h("p", { class: "ml-why" }, h("strong", {}, `${busy} of ${there.length} busy.`),
      ` In the last ${span(w)} they took ${rateOf(run.rate("taken", t, w, p)).replace(" ", ` ${run.unit}s `)}.`)];
  }
  const now = run.at(t).filter((k) => k.place === p && k.holder < 0), oldest = now.length ? Math.max(...now.map((k) => t - run.born(k.m))) : 0;
  const to = run.links.filter(([a, b]) => a === p && HANDS.has(run.places[b].role)).map(([, b]) => b),
    all = (what) => to.reduce((sum, b) => sum + run.rate(what, t, w, b), 0), again = all("taken again"), more = waiting - run.count("waiting", t - w, p);
  const dark = marksAt(run, t).filter((m) => m.place === p && m.sign === "orphan").length, lent = hidden - dark;
  const whose = [lent ? `${dark ? `${lent} ` : ""}lent to workers` : "", dark ? `${lent ? `${dark} ` : ""}in nobody's hands` : ""].filter(Boolean).join(", ");
  return [h("h4", {}, place.label), h("p", { class: "ml-why" }, h("strong", {},
    `${waiting} ${waiting === 1 ? "waits" : "wait"}${hidden ? `, ${hidden} ${hidden === 1 ? "is" : "are"} hidden: ${whose}` : ""}.`), oldest ? ` The oldest came ${span(oldest)} ago.` : ""),
    h("p", { class: "ml-why" },
      `In the last ${span(w)}: ${rateOf(run.rate("came", t, w, p))} came and ${rateOf(all("taken"))} were taken${again ? `, ${rateOf(again)} of them again` : ""}. ${
        Math.abs(more) < Math.max(1, 0.15 * w) ? "It keeps its length." : more > 0 ? "It grows." : "It shrinks."}`)];
}

// What an order's card says, unless the scenario's lens has `words.card` of its own.
const ORDER = { born: "a customer orders", told: "told", not: "not yet", never: "never told", all: "The shop told of it without a crash.",
  open: "The shop told of it without a crash." };

/** An order's card, of the board. */
export function orderCard(run, i, { t, watched }) {
  const o = run.lens.orders[i], words = run.lens.words?.card ?? ORDER, seen = (at) => (at ?? null) !== null && at <= watched;
  const over = seen(o.ended) || (!o.open && seen(o.settled)), missed = over && o.told.some((at, r) => o.wanted[r] && !seen(at));
  const rows = run.lens.receivers.map(({ label }, r) => [seen(o.told[r]) ? o.told[r] : null,
    `${label}: ${seen(o.told[r]) ? words.told : !o.wanted[r] ? "does not want it" : over ? words.never : words.not}`]);
  return [h("h4", {}, o.name ?? `Order ${i + 1}`),
    h("p", { class: "ml-why" }, seen(o.ended) ? "The shop crashed while it told of this order. Nobody repeats the rest." : missed && o.says ? o.says
      : o.told.every((at, r) => !o.wanted[r] || seen(at)) ? words.all : words.open),
    h("ol", { class: "ml-clauses" }, h("li", {}, h("b", {}, clock(o.t, run.duration)), h("span", {}, words.born)),
      rows.map(([at, told]) => h("li", {}, h("b", {}, at === null ? "–" : clock(at, run.duration)), h("span", {}, told))),
      seen(o.ended) ? h("li", { class: "ml-current" }, h("b", {}, clock(o.ended, run.duration)), h("span", {}, "the shop crashes")) : null)];
}
