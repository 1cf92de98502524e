// What cards and sentences say of the runs of test_flow.py, in Node. RUNS names a file that lists files that Python packed.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as model from "../../lablib/workbench/js/model.js";
import { PALETTE } from "../../lablib/workbench/js/theme.js";
import { actorCard } from "../../lablib/workbench/js/card.js";
import { sayNow } from "../../lablib/workbench/js/told.js";
import { page } from "./canvas.mjs";

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
