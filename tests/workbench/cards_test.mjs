// What cards and sentences say of the runs of test_flow.py, in Node. RUNS names a file that lists files that Python packed.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as model from "../../lablib/workbench/js/model.js";
import { PALETTE } from "../../lablib/workbench/js/theme.js";
import { actorCard, placeCard, standBeside } from "../../lablib/workbench/js/card.js";
import { Spoken, inRows, sayNow } from "../../lablib/workbench/js/told.js";
import { Scrub } from "../../lablib/workbench/js/scrub.js";
import { unitOf } from "../../lablib/workbench/js/settings.js";
import { Stage } from "../../lablib/workbench/js/stage.js";
import { page, recorder, view } from "./canvas.mjs";

const files = process.env.RUNS ? JSON.parse(readFileSync(process.env.RUNS)) : [];
const named = (name) => files.find((f) => f.name === name);
const open = (name) => model.openRun(model.unpack(readFileSync(named(name).file)));

/** The words and the colours of the bars of an actor's card. */
function card(run, actor, t) {
  globalThis.document = page;
  const parts = actorCard(run, actor, { t, col: PALETTE.light }).filter(Boolean);
  delete globalThis.document;
  const every = (x) => (typeof x === "object" ? [x, ...x.children.flatMap(every)] : []);
  const bars = parts.flatMap(every).filter((x) => x.attributes?.rx === 1.5).map((x) => x.attributes.fill);
  return { words: parts.map((x) => x.textContent).join(" "), colors: new Set(bars) };
}

test("the card of a function names each colour of its bars, and no other", { skip: !named("function") }, () => {
  const { done, pale, hand } = PALETTE.light, words = { [done]: /work that counted/, [pale]: /work for nothing/, [hand]: /at work now|in its hands now/ }, seen = new Set();
  for (const name of ["function", "outlasts", "expires", "crash", "heartbeat", "failover"]) {
    const run = open(name);
    for (let t = 3; t < run.duration; t += 7) run.actors.forEach((_, a) => {
      const { words: said, colors } = card(run, a, t);
      for (const color of colors) { assert.ok(words[color], color); seen.add(color); }
      for (const [color, what] of Object.entries(words)) assert.equal(what.test(said), colors.has(color), `${name}, ${run.actors[a].name} at ${t}: ${said}`);
    });
  }
  assert.equal(seen.size, 3);
});

test("work that failed is none that goes on", { skip: !named("function") }, () => {
  const run = open("function"), actor = run.actors.findIndex((a) => run.places[a.place].role === "function"), t = run.duration;
  const failed = new Set(run.ends.filter((k) => run.outcome(k) === "failed").map((k) => `${k.m}/${k.wf}`)).size;
  assert.ok(failed > 5 && card(run, actor, t - 0.01).words.includes(`, ${failed} tries failed`), card(run, actor, t - 0.01).words);
});

test("receipts expire for messages, and not for the calls of a function", { skip: !named("expires") }, () => {
  const run = open("expires"), said = Array.from({ length: run.duration }, (_, t) => sayNow([{ run, i: 0 }], t)).filter((words) => words.includes("expired"));
  assert.ok(said.length > 3, "receipts expire in this run");
  for (const words of said) assert.match(words, /^One call of the function runs\. (One message in it has|\S+ messages in it have) an expired receipt\./);
});

test("many events of a kind are one row, few are told one by one, and a pause begins another series", () => {
  const at = (kind, ...times) => times.map((t) => ({ t, kind, lane: 0, words: `${kind} at ${t}` }));
  const rows = inRows([...at("again", 1, 2, 3, 29, 31, 100), ...at("crash", 5, 6, 7), ...at("again", 4).map((e) => ({ ...e, lane: 1 }))].sort((a, b) => a.t - b.t), 300);
  assert.deepEqual(rows.map(({ words, all }) => [words, all.length]), [["again at 1", 5], ["again at 4", 1], ["crash at 5", 1], ["crash at 6", 1], ["crash at 7", 1],
    ["again at 100", 1]]);
  assert.deepEqual(inRows(at("again", 0, 100, 200, 300), 86400).map((row) => row.all.at(-1)), [300], "in a run of a day a pause is longer");
  assert.deepEqual(inRows([], 300), []);
});

test("the events of a function with bad orders can be read at one look", { skip: !named("function") }, () => {
  for (const name of ["function", "outlasts"]) {
    const run = open(name), rows = inRows(run.events.map((e) => ({ ...e, lane: 0, words: e.text })), run.duration);
    assert.ok(run.events.length > 60 && rows.length < 20, `${name}: ${run.events.length} events in ${rows.length} rows`);
    assert.equal(rows.reduce((n, row) => n + row.all.length, 0), run.events.length);
  }
});

test("the card of a queue says who has what is hidden, and whether it grew", { skip: !named("function") }, () => {
  const seen = new Set();
  for (const name of ["function", "crash", "trouble"]) {
    const run = open(name), place = run.places.findIndex((p) => p.role === "queue");
    for (let t = 25; t < run.duration; t += 5) {
      globalThis.document = page;
      const words = placeCard(run, place, { t }).map((x) => x.textContent).join(" ");
      delete globalThis.document;
      const signs = model.marksAt(run, t).filter((m) => m.place === place).map((m) => m.sign), n = (sign) => signs.filter((x) => x === sign).length;
      const lent = n("socket"), dark = n("orphan"), hidden = words.match(/, (\d+) (?:is|are) hidden: ([^.]+)\./);
      assert.equal(Number(hidden?.[1] ?? 0), lent + dark, words);
      assert.equal(/in nobody's hands/.test(words), dark > 0, words);
      assert.equal(/lent to workers/.test(words), lent > 0, words);
      if (lent && dark) assert.equal(hidden[2], `${lent} lent to workers, ${dark} in nobody's hands`);
      const more = run.count("waiting", t, place) - run.count("waiting", t - 20, place), way = Math.abs(more) < 3 ? "keeps its length" : more > 0 ? "grows" : "shrinks";
      assert.ok(words.endsWith(`It ${way}.`), `${more} more: ${words}`);
      assert.equal(/ of them again/.test(words), run.list.some((k) => k.state === "held" && k.copy > 1 && k.t0 > t - 20 && k.t0 <= t), words);
      [dark && "dark", lent && "lent", way].forEach((x) => seen.add(x));
    }
  }
  for (const x of ["dark", "lent", "grows", "shrinks", "keeps its length"]) assert.ok(seen.has(x), `${x} comes about`);
});

test("a crash loses nothing: what it cut off comes again", { skip: !named("crash") }, () => {
  const run = open("crash"), said = run.actors.map((_, a) => card(run, a, run.duration).words).join(" ");
  assert.match(said, /, 1 cut off by a crash\./);
  assert.doesNotMatch(said, /lost/);
});

test("while nothing has come yet, nobody is told that next to nothing of a guess is right", () => {
  const said = (watched) => {
    const g = recorder(), series = [{ strong: true, t: [0, 50], y: [0, 100] }], guess = Array.from({ length: 300 }, (_, b) => (b < 100 ? 2 : 80));
    const scrub = { guess, series, question: { mine: true }, time: { duration: 100, watched, fog: true }, top: 100, X: (t) => t, Y: (y) => y, score: Scrub.prototype.score };
    Scrub.prototype.guessed.call(scrub, g, PALETTE.light, { x: 0, y: 0, w: 500, h: 60 }, 12, watched, series[0]);
    return g.texts.filter((words) => words.endsWith("right so far"));
  };
  assert.deepEqual(said(20), []);
  assert.match(said(90)[0], /^[5-9]\d % right so far$/);
});

test("an event names its message: who stops a little later finds another one in that worker's hands", { skip: !named("crash") }, () => {
  for (const name of ["crash", "function", "trouble"]) {
    const again = open(name).events.filter((e) => e.text.includes("is delivered again"));
    assert.ok(again.length > 0);
    for (const e of again) assert.ok(e.text.startsWith(`Message ${e.message + 1} is delivered again: `), e.text);
  }
});

test("words of an instant are gone when time goes on; those with their time stay for a while, and for who stops to read", () => {
  let now = 0;
  const spoken = new Spoken(() => now);
  spoken.say("shop-3 is blocked", 5);
  assert.equal(spoken.at(5, false), "shop-3 is blocked");
  assert.equal(spoken.at(5.1, true), "");
  spoken.stop(5.1);
  assert.equal(spoken.at(5.1, false), "");
  spoken.say("At 5.0 s: shop-3 is blocked", 5, true);
  now = 3000;
  assert.match(spoken.at(9, true), /^At 5/);
  assert.equal(spoken.at(9, false), "", "who goes elsewhere reads of that place");
  spoken.stop(9);
  now = 9000;
  assert.match(spoken.at(9, false), /^At 5/);
  assert.equal(spoken.at(9.1, true), "");
});

test("a card in a low picture is higher than it, and ends where it ends", () => {
  const card = { style: {}, offsetWidth: 400, get offsetHeight() { return Math.min(420, parseFloat(this.style.maxHeight)); } }, top = (...where) => { standBeside(card, ...where); return parseFloat(card.style.top); };
  assert.equal(top({ x: 100, y: 60, r: 8 }, 840, 280, 160) + card.offsetHeight, 276);
  assert.ok(card.offsetHeight > 410);
  assert.ok(top({ x: 100, y: 60, r: 8 }, 840, 280, 20) >= -20, "not above the page's box");
  assert.ok(top({ x: 100, y: 300, r: 8 }, 840, 520, 160) >= 4, "in a high picture it stands in it");
});

test("the unit agrees with the number as it is shown", () => {
  const calls = { unit: "calls", one: "call", scale: 1 }, share = { unit: "%", one: "%", scale: 100 };
  assert.deepEqual([0, 1, 2].map((n) => unitOf(calls, n)), ["calls", "call", "calls"]);
  assert.deepEqual([0.01, 1].map((n) => unitOf(share, n)), ["%", "%"]);
});

test("blocks of a crowd stand in the box of their queue, also beside a lens and in two low lanes", { skip: !named("crowd") }, () => {
  for (const name of ["crowd", "one group for all"]) for (const [W, H] of [[1092, 310], [840, 340], [1240, 620], [1880, 860]]) {
    const run = open(name), stage = new Stage(), g = recorder(), t = run.duration * 0.99;
    stage.layout(W, H, false); stage.show([{ run, label: "A" }, { run, label: "B" }]); stage.draw(g, view(t, PALETTE.light));
    for (const lane of stage.lanes) for (const b of lane.boxes.values()) if (b.role === "queue") {
      const side = lane.unit * 10, mine = g.calls.filter(([name, , y, w]) => name === "roundRect" && Math.abs(w - side) < 0.01 && y >= b.y && y <= b.y + b.h);
      assert.ok(mine.length >= Math.floor(run.count("waiting", t, b.place) / 100), "each block is drawn");
      for (const [, x] of mine) assert.ok(x >= b.x + 3, `${name} in ${W} x ${H}: a block at ${x} is out of the box at ${b.x}`);
    }
  }
});

test("fast time shows of each worker its number and how busy it was, in cells of every size", { skip: !named("crowd") }, () => {
  const run = open("one group for all");
  for (const [W, H] of [[1092, 310], [1240, 620], [1880, 860]]) {
    const stage = new Stage(), g = recorder(), t = run.duration * 0.9;
    stage.layout(W, H, false); stage.show([{ run, label: "A" }, { run, label: "B" }]); stage.draw(g, view(t, PALETTE.light, { aggregate: true, speed: 100 }));
    for (const [a, c] of stage.lanes[0].cells) {
      const inside = (x, y) => x >= c.x && x <= c.x + c.w && y >= c.y && y <= c.y + c.h;
      assert.ok(g.calls.some(([name, words, x, y]) => name === "fillText" && words === run.actors[a].name.split("-")[1] && inside(x, y)), `${run.actors[a].name} has its number in ${W} x ${H}`);
      assert.ok(g.calls.some(([name, x, y, , h]) => name === "roundRect" && h < c.h / 2 && inside(x, y)), `${run.actors[a].name} has a bar`);
    }
  }
});

test("a low function says how many events wait for another try, and its lines do not lie on each other", { skip: !named("tried again") }, () => {
  const run = open("tried again"), stage = new Stage(), t = 200;
  stage.layout(1092, 337, false); stage.show([{ run, label: "A" }, { run, label: "B" }]);
  const b = [...stage.lanes[0].boxes.values()].find((one) => one.role === "function"), late = run.count("retrying", t, b.place);
  for (const aggregate of [false, true]) {
    const g = recorder();
    stage.draw(g, view(t, PALETTE.light, { aggregate, speed: aggregate ? 50 : 1 }));
    const mine = g.calls.filter(([name, , x, y]) => name === "fillText" && x >= b.x && x <= b.x + b.w && y >= b.y && y <= b.y + b.h), rows = [...new Set(mine.map(([, , , y]) => y))].sort((p, q) => p - q);
    assert.ok(late > 20 && mine.some(([, words]) => words.startsWith(`${late} wait`)), mine.map(([, words]) => words).join("; "));
    for (const [i, y] of rows.slice(1).entries()) assert.ok(y - rows[i] >= b.fs * 0.9, `lines at ${rows[i]} and ${y}`);
  }
});

test("a short name leaves room for the marks of its queue, also in a narrow box", { skip: !named("orders") }, () => {
  for (const [W, H] of [[1092, 300], [840, 281]]) {
    const stage = new Stage(), v = view(61, PALETTE.light);
    stage.layout(W, H, false); stage.show([{ run: open("orders"), label: "A" }, { run: open("one by one"), label: "B" }]); stage.draw(recorder(), v);
    for (const lane of stage.lanes) for (const b of lane.boxes.values()) if (b.role === "queue" && lane.run.places[b.place].id === "mail") {
      const here = lane.marksIn(b.place).map((m) => m.m), drawn = v.hits.filter((x) => x.id === `${lane.i}m${x.pick?.m}` && here.includes(x.pick.m));
      assert.ok(here.length > 2);
      assert.ok(drawn.length >= (W > 1000 ? here.length : 3), `${drawn.length} of ${here.length} in ${W} x ${H}`);
    }
  }
});
