// The page's model and painters, in Node: node --test. RUNS names a file that lists files that Python packed, with what must be drawn at some
// instants, counted from the trace alone (see test_flow.py).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as layout from "../../lablib/workbench/js/layout.js";
import * as model from "../../lablib/workbench/js/model.js";
import { Clock, paceWords } from "../../lablib/workbench/js/clock.js";
import { PALETTE, brief, clock, nice, span } from "../../lablib/workbench/js/theme.js";
import { Scrub } from "../../lablib/workbench/js/scrub.js";
import { Stage } from "../../lablib/workbench/js/stage.js";
import { actionsFor } from "../../lablib/workbench/js/touch.js";
import { followed, laneOf } from "../../lablib/workbench/js/lanes.js";
import { fromSlider, tidy, toSlider } from "../../lablib/workbench/js/settings.js";
import { hands } from "../../lablib/workbench/js/painters/hands.js";
import { handled, map } from "../../lablib/workbench/js/painters/map.js";
import { isMet, replyTo, whyNot } from "../../lablib/workbench/js/missions.js";
import { momentOf, sayNow } from "../../lablib/workbench/js/told.js";
import { KIT } from "../../lablib/workbench/js/kit.js";
import { page, recorder, view } from "./canvas.mjs";
import { register } from "../../lablib/workbench/js/painters.js";
import { nodeAt, owner, unconnected } from "../../lablib/workbench/js/painters/brokers.js";
import { lines } from "../../lablib/workbench/js/painters/lines.js";
import { inNode, nodeAt as memberAt } from "../../lablib/workbench/js/painters/cluster.js";
import { spent } from "../../lablib/workbench/js/painters/works.js";
import { actorCard, whyNow } from "../../lablib/workbench/js/card.js";
import toy from "../toy/painter.js";

const files = process.env.RUNS ? JSON.parse(readFileSync(process.env.RUNS)) : [];
const open = (file) => model.openRun(model.unpack(readFileSync(file)));

const inside = (a, b, slack) => a.x >= b.x - slack && a.y >= b.y - slack && a.x + a.w <= b.x + b.w + slack && a.y + a.h <= b.y + b.h + slack;

/** What is drawn at t, in the form in which Python counts. */
function drawn(run, t) {
  const heaps = {}, hands = [];
  for (const m of model.marksAt(run, t)) {
    if (m.holder >= 0) { hands.push([run.actors[m.holder].name, m.m + 1, m.sign, m.hollow, m.k.wf !== null && m.k.wf <= t && !(m.k.wu !== null && m.k.wu <= t)]); continue; }
    const sign = { socket: "held", orphan: "nobody" }[m.sign] ?? m.sign;
    (heaps[run.places[m.place].id] ??= []).push([m.m + 1, sign]);
  }
  const order = (a, b) => { for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1; return 0; };
  for (const list of Object.values(heaps)) list.sort(order);
  return { t, heaps, hands: hands.sort(order), sent: run.count("sent", t), done: run.count("done", t) };
}

for (const { name, file, checks, crowded, counted } of files) {
  if (counted) test(`${name}: what is drawn at random instants is what the trace says`, () => {
    const run = open(file);
    for (const wanted of checks) {
      const found = drawn(run, wanted.t);
      if (crowded) { delete found.heaps; delete wanted.heaps; }
      assert.deepEqual(found, wanted, `at ${wanted.t} s`);
    }
  });

  test(`${name}: each mark is painted once, in its place, at every size; seeking needs no history`, () => {
    const run = open(file), stage = new Stage(), other = new Stage();
    for (const [W, H, big] of [[1240, 520, false], [1880, 760, true], [660, 420, false]]) {
      stage.layout(W, H, big); stage.show([{ run }]);
      other.layout(W, H, big); other.show([{ run }]);
      for (const { t } of checks.slice(0, 4)) {
        const g = recorder(), v = view(t, PALETTE.light), h = recorder(), late = view(run.duration * 0.9, PALETTE.light), again = view(t, PALETTE.light);
        stage.draw(g, v);
        other.draw(recorder(), late); other.draw(h, again);
        assert.deepEqual(g.calls, h.calls, "the frame is a function of the view");
        const marks = model.marksAt(run, t), held = new Map();   // a function has a message of two batches twice
        for (const { m, holder } of marks) if (holder >= 0) held.set(`${m}/${holder}`, (held.get(`${m}/${holder}`) ?? 0) + 1);
        for (const m of marks) {
          const lane = stage.lanes[0], b = lane.boxes.get(m.place);
          if (!b || (lane.blocks && m.holder < 0)) continue;
          const mine = v.hits.filter((x) => x.pick?.m === m.m && (m.holder >= 0 ? x.id.includes(`h${m.holder}m`) : x.id === `0m${m.m}`) &&
            (m.holder >= 0 || (x.x >= b.x - 2 && x.x <= b.x + b.w + 2)));   // a record is in its stream, and in a buffer behind it
          const [x, y] = b.spot(m.k);
          const words = b.low ? 7.4 * b.fs + 14 + lane.size / 2 : 7 * b.fs;
          if (x < b.x + words && m.holder < 0) continue;   // more than a small box holds
          assert.equal(mine.length, held.get(`${m.m}/${m.holder}`) ?? 1, `message ${m.m + 1} at ${t} s is drawn once`);
          assert.ok(x >= b.x - 2 && x <= b.x + b.w + 2 && y >= b.y - 2 && y <= b.y + b.h + 2, `message ${m.m + 1} lies in its box`);
        }
        for (const b of stage.lanes[0].boxes.values()) assert.ok(b.x >= 0 && b.x + b.w <= W + 1 && b.w > 20 && b.h > 8, `${run.places[b.place].label} stands in the picture`);
      }
    }
  });

  test(`${name}: cards, lanes and sentences hold at every instant`, () => {
    const run = open(file);
    for (const { t } of checks) {
      assert.ok(sayNow([{ run, i: 0 }], t).length > 3);
      momentOf(run, t);
      for (const m of [...run.of.keys()].slice(0, 60)) {
        const why = whyNow(run, m, t), lane = laneOf(run, m);
        assert.ok(why && !/undefined|NaN|Infinity/.test(why), why);
        if (!run.of.get(m).some((k) => k.t0 <= t && t < k.t1)) assert.doesNotMatch(why, /^Since .*(being passed on|waiting)/);
        for (const bar of [...lane.work, ...lane.hidden, ...lane.waits]) assert.ok(bar.to >= bar.from - 1e-6 && bar.to <= run.duration + 1e-6);
      }
      assert.ok(followed(run, t, 12, [], 0).length <= 12);
    }
  });
}

const named = (name) => files.find((f) => f.name === name);
const marked = (run, t) => model.marksAt(run, t).map((m) => [m.holder >= 0 ? run.actors[m.holder].name : run.places[m.place].id, m.m + 1, m.sign, m.hollow]).sort();

test("four workers on one message: each is a mark, and those whose receipt has expired are hollow", { skip: !named("four") }, () => {
  const run = open(named("four").file), marks = model.marksAt(run, 26), hands = marks.filter((m) => m.holder >= 0);
  assert.equal(hands.length, 4);
  assert.deepEqual([...new Set(hands.map((m) => m.m + 1))].sort(), [1, 2]);
  assert.equal(model.shared(marks).length, 2, "both are in two hands");
  assert.deepEqual(marked(run, 26).filter(([, , , hollow]) => hollow).length, 2);
  for (const m of hands) { assert.ok(m.bar > 0 && m.bar < 1); assert.equal(m.hollow, m.ring === null); }
  assert.match(sayNow([{ run, i: 0 }], 26), /Four of four workers busy, on only two different messages/);
});

test("a crashed worker's message is hidden, in nobody's hands, with seconds left; its work bar ends", { skip: !named("crash") }, () => {
  const run = open(named("crash").file), [orphan] = model.marksAt(run, 41.5).filter((m) => m.sign === "orphan");
  assert.ok(orphan && orphan.left > 30 && orphan.ring > 0 && orphan.ring < 1);
  assert.equal(model.marksAt(run, 41.5).filter((m) => m.holder >= 0 && run.actors[m.holder].name === "consumer-1").length, 0);
  const lane = laneOf(run, orphan.m), cut = lane.work.find((w) => w.outcome === "crashed");
  assert.ok(Math.abs(cut.to - 38) < 0.01, "the work ends with the crash");
  assert.ok(lane.hidden.some((x) => x.to > cut.to + 30), "the message stays hidden");
  assert.match(whyNow(run, orphan.m, 41.5), /Nobody works on it\. consumer-1 crashed with it in hand/);
  assert.ok(spent(run, 60).dark > 20 && spent(run, 60).crashed > 0);
  assert.match(sayNow([{ run, i: 0 }], 41.5), /busy\. One has crashed\. One message is hidden/);
});

test("the work of a frozen worker stands still, counts for nobody, and takes as much longer", { skip: !named("frozen") }, () => {
  const run = open(named("frozen").file), mark = (t) => model.marksAt(run, t).find((m) => m.holder >= 0 && run.actors[m.holder].name === "consumer-4");
  const [before, first, last, near] = [49.9, 50, 79.9, 84.9].map((t) => mark(t).bar), actor = mark(50).holder;
  assert.ok(before < first && first < 0.75 && first === last && near > 0.95 && near < 1, [before, first, last, near].join());
  const total = (t) => { const { good, now } = spent(run, t); return good + now - run.actors.reduce((s, _, a) => s + (a === actor ? 0 : run.busy(a, 0, t) * t), 0); };
  assert.ok(Math.abs(total(79.9) - total(50)) < 1e-6 && Math.abs(run.busy(actor, 50, 80)) < 1e-9);
  const others = new Set(model.marksAt(run, 52).filter((m) => m.holder >= 0 && m.holder !== actor).map((m) => m.holder)).size;
  assert.match(sayNow([{ run, i: 0 }], 52), new RegExp(`^${["No worker is", "One of four workers"][others]} busy. One is frozen. One message is hidden, in nobody's hands.`));
  assert.match(whyNow(run, mark(52).m, 52), /consumer-4 has it, and is frozen: nobody works on it\. Nobody else can see it for 46 s more/);
});

test("work that failed was for nothing", { skip: !named("function") }, () => {
  const run = open(named("function").file), s = spent(run, run.duration);
  assert.ok(s.again > 0 && s.good > s.again, JSON.stringify(s));
});

test("a call is one call, though some of its messages are visible again before it ends", { skip: !named("outlasts") }, () => {
  const run = open(named("outlasts").file), place = run.places.findIndex((p) => p.role === "function"), actor = run.actors.findIndex((a) => a.place === place);
  const { list, most } = model.executionsOf(run, place), early = run.list.filter((k) => k.call && k.vu < Math.min(k.call.until, run.duration));
  assert.ok(early.length > 50 && list.length < 25, `${early.length} are visible early, ${list.length} calls`);
  assert.ok(early.every((k) => k.t1 >= k.call.until), "none of them leaves its call");
  assert.ok(list.length <= new Set(list.map((c) => c.from)).size + 1, "hardly two of these calls begin at the same instant");
  assert.ok(run.busy(actor, 0, run.duration) < most && most < 10, `${most} at the same time`);
});

test("the card of a function counts the work that was lost as lost", { skip: !named("not asked") }, () => {
  const run = open(named("not asked").file), place = run.places.findIndex((p) => p.role === "function"), actor = run.actors.findIndex((a) => a.place === place);
  const lost = run.lens.lost.filter((t) => t <= 200).length, done = run.count("done", 200);
  globalThis.document = page;
  const said = actorCard(run, actor, { t: 200, col: PALETTE.light }).map((x) => x.textContent).join(" ");
  delete globalThis.document;
  assert.ok(lost > 10 && done > 10 && said.includes(`${done} messages done, ${lost} lost.`), said);
});

test("events that Lambda keeps for another try have each a place at its function", { skip: !named("tried again") }, () => {
  const run = open(named("tried again").file), place = run.places.findIndex((p) => p.role === "function"), { gathers } = model.executionsOf(run, place);
  const kept = model.marksAt(run, 200).filter((m) => m.place === place && m.holder < 0);
  assert.ok(kept.length > 10 && gathers >= kept.length);
  assert.equal(new Set(kept.map((m) => m.k.gather)).size, kept.length);
});

test("a position waits for those of its group that came before it, and for no other", { skip: !named("groups") }, () => {
  const run = open(named("groups").file), done = (k, t) => run.outcome(k) === "done" && k.t1 <= t, seen = new Set();
  const before = (m, t) => [...run.of].filter(([x, tokens]) => x < m && run.group(x) === run.group(m) && tokens[0].t0 <= t && !tokens.some((k) => done(k, t))).length;
  for (let t = 5; t < 60; t += 0.5) {
    for (const { m } of model.marksAt(run, t).filter((x) => x.holder < 0 && x.k.state === "waiting")) {
      const n = before(m, t), why = whyNow(run, m, t);
      seen.add(Math.min(n, 2));
      if (n) assert.match(why, n === 1 ? /Before it, one message of its group/ : new RegExp(`Before it, ${n} messages of its group`));
      else assert.doesNotMatch(why, /of its group/);
    }
  }
  assert.ok(seen.has(1) && seen.has(2), [...seen].join());
});

test("blocks leave room for the servers that are away", { skip: !named("crowd") }, () => {
  const run = open(named("crowd").file), stage = new Stage(), g = recorder();
  run.serversDown = () => new Set([1]);
  stage.layout(1240, 520, false); stage.show([{ run }]); stage.draw(g, view(300, PALETTE.light));
  const at = (words) => g.calls.find(([name, s]) => name === "fillText" && words.test(s))[3];
  assert.ok(Math.abs(at(/ of 100, and /) - at(/ away/)) > 12);
});

test("amount is area: one size for both lanes, blocks of 100 for a crowd", { skip: !named("crowd") }, () => {
  const many = open(named("crowd").file), few = open(named("queue").file), stage = new Stage();
  stage.layout(1240, 520, false); stage.show([{ run: few }, { run: many }]);
  const [a, b] = stage.lanes;
  assert.equal(a.size, b.size); assert.ok(a.blocks && b.blocks); assert.equal(a.unit, b.unit);
  const g = recorder();
  stage.draw(g, view(300, PALETTE.dark));
  const blocks = Math.floor(many.count("waiting", 300) / 100);
  assert.ok(g.texts.some((s) => s.startsWith(`${blocks} blocks of 100`)), g.texts.join("; "));
  const size = (run) => { const s = new Stage(); s.layout(1240, 520, false); s.show([{ run: few }, { run }]); return s.lanes.map((l) => l.size); };
  assert.equal(new Set(size(few)).size, 1);
});

test("a slot is kept for life", { skip: !named("trouble") }, () => {
  const run = open(named("trouble").file);
  for (const tokens of run.of.values()) {
    for (let i = 1; i < tokens.length; i++) {
      const [a, b] = [tokens[i - 1], tokens[i]];
      if (a.slot !== undefined && b.slot !== undefined && a.place === b.place && Math.abs(a.t1 - b.t0) < 1e-6) assert.equal(a.slot, b.slot);
    }
  }
  for (const t of [40, 90, 140, 200]) {
    const used = model.marksAt(run, t).filter((m) => m.holder < 0).map((m) => `${m.place}/${m.k.slot}`);
    assert.equal(new Set(used).size, used.length, "two messages never share a slot");
  }
});

test("who serves, who has no broker, and what is on the disk is what the trace says", { skip: !named("failover") }, () => {
  for (const { file, checks } of files.filter((f) => f.name.startsWith("failover"))) {
    const run = open(file), queue = run.places.findIndex((p) => p.role === "queue"), stored = new Set(run.lens.stored);
    for (const { t, ...wanted } of checks) {
      const n = owner(run, t), now = n >= 0 && nodeAt(run, n, t).is === "serves" ? run.lens.nodes[n] : "";
      const disk = model.marksAt(run, t).filter((m) => m.place === queue && stored.has(m.m)).length;
      const blocked = run.blocked(t).map((a) => a.name).sort();
      assert.deepEqual({ serves: now, dark: unconnected(run, t), stored: disk, blocked }, wanted, `at ${t} s`);
      const said = Number(sayNow([{ run, i: 0 }], t).match(/memory is full: (\d+) shops? (?:is|are) blocked/)?.[1] ?? 0);
      assert.equal(said, blocked.length);
      for (const name of blocked) {                    // its card says for how long, and why
        const a = run.actors.findIndex((x) => x.name === name);
        globalThis.document = page;
        const words = actorCard(run, a, { t, col: PALETTE.light }).map((x) => x.textContent).join(" ");
        delete globalThis.document;
        assert.match(words, /Blocked for [\d.]+ s: the broker's memory is full\. .* It was blocked for [\d.]+ s of [\d.]+ s\./);
      }
    }
  }
});

test("which nodes are there, what each has, and what is confirmed is what the trace says", { skip: !named("cluster") }, () => {
  for (const { file, checks } of files.filter((f) => f.name === "cluster")) {
    const run = open(file), { nodes, shops } = run.lens;
    for (const { t, ...wanted } of checks) {
      const there = nodes.filter((_, n) => ["leads", "follows"].includes(memberAt(run, n, t).is));
      const confirmed = shops.reduce((sum, s) => sum + s.orders.filter(([, done]) => done !== null && done <= t).length, 0);
      assert.deepEqual({ there, disks: nodes.map((name) => inNode(run, name, t)), confirmed }, wanted, `at ${t} s`);
    }
  }
});

test("the number of a worker stands beside what it holds, and trucks stand in their map", { skip: !named("thirty at work") }, () => {
  let numbers = 0, trucks = 0;
  for (const name of ["thirty at work", "a hundred at work"]) for (const [W, H] of [[1240, 520], [1120, 500], [700, 420]]) {
    const { file, checks } = named(name), run = open(file), stage = new Stage();
    stage.layout(W, H, false); stage.show(W === 1120 ? [{ run, label: "A" }, { run, label: "B" }] : [{ run }]);
    for (const { t } of checks.slice(0, 8)) {
      const g = recorder(), v = view(t, PALETTE.light);
      stage.draw(g, v);
      const lane = stage.lanes[0], m = lane.lensBox;
      for (const held of v.hits.filter((x) => x.id.startsWith("0h"))) {
        const c = lane.cells.get(held.touch.actor), r = held.r - 4;
        if (2 * r > c.w) { assert.ok(Math.abs(held.x - c.x - c.w / 2) < 1); continue; }   // no room for a ring: a mark only
        assert.ok(held.x - r >= c.x - 0.5 && held.x + r <= c.x + c.w + 0.5, `${name}, ${W}: the ring lies in its cell`);
        const own = g.calls.filter(([call, words, x, y]) => call === "fillText" && /^\d+$/.test(words) && x >= c.x && x < held.x - r && Math.abs(y - c.my) < 3);
        for (const [, words, x] of own) { numbers += 1; assert.ok(x + words.length * 6.8 <= held.x - r, `${name}, ${W}: ${words} is not below the ring`); }
      }
      for (const truck of v.hits.filter((x) => m && x.id.startsWith("0truck"))) {
        trucks += 1;
        assert.ok(truck.x - 10 >= m.x && truck.x + 10 <= m.x + m.w && truck.y - 10 >= m.y && truck.y + 10 <= m.y + m.h, `${truck.id} at ${t} s`);
      }
    }
  }
  assert.ok(numbers > 20 && trucks > 500, `${numbers} numbers, ${trucks} trucks`);
});

test("the numbers of a crowd do not run into each other: each is inside its cell, or not written", { skip: !named("a hundred at work") }, () => {
  for (const [W, H] of [[950, 341], [574, 341]]) {
    const { file, checks } = named("a hundred at work"), run = open(file), stage = new Stage(), g = recorder();
    stage.layout(W, H, false); stage.show([{ run, label: "A" }, { run, label: "B" }]);
    stage.draw(g, view(checks[3].t, PALETTE.light));
    for (const c of stage.lanes[0].cells.values()) for (const [call, words, x, y] of g.calls) {
      if (call !== "fillText" || !/^\d+$/.test(words) || !inside({ x, y, w: 0, h: 0 }, c, 0)) continue;
      const beyond = x > c.x + 5.5 ? words.length * 3 : words.length * 6;    // in the middle of its cell, or from its left edge
      assert.ok(x + beyond <= c.x + c.w, `${W}: ${words} does not leave its cell of ${c.w.toFixed(0)}`);
    }
  }
});

test("however many workers, and however small their box: a cell of its own for each, with its mark inside, and a ring only where it fits", () => {
  for (const n of [1, 2, 7, 20, 50, 100, 200]) for (const w of [70, 125, 240, 600]) for (const h of [90, 230, 700]) for (const low of [false, true]) {
    const actors = Array.from({ length: n }, (_, a) => a), b = { x: 3, y: 5, w, h, fs: 13, head: 30, low, place: 0 };
    const lane = { handSize: 18, cells: new Map(), actorsAt: () => actors, run: { actors: actors.map((a) => ({ name: `worker-${a + 1}` })) } };
    hands.place(b, lane);
    const cells = [...lane.cells.values()], said = `${n} workers in ${w} x ${h}`;
    assert.ok(b.handSize >= 2, `${said}: a mark of ${b.handSize}`);
    for (const c of cells) {
      assert.ok(c.w > 0 && c.h > 0 && inside(c, b, 0.01), `${said}: a cell leaves its box`);
      const half = b.handSize / 2;
      assert.ok(inside({ x: c.mx - half, y: c.my - half, w: b.handSize, h: b.handSize }, c, 1), `${said}: a mark leaves its cell`);
    }
    for (const [i, c] of cells.entries()) for (const d of cells.slice(i + 1)) {
      assert.ok(c.x + c.w <= d.x + 0.01 || d.x + d.w <= c.x + 0.01 || c.y + c.h <= d.y + 0.01 || d.y + d.h <= c.y + 0.01, `${said}: two cells lie on each other`);
    }
  }
});

test("a crowd has no empty column, is read line by line where it is wide, and its pipes end at cells", () => {
  for (const n of [5, 7, 16, 20]) for (const w of [240, 330, 600]) for (const h of [90, 230]) {
    const actors = Array.from({ length: n }, (_, a) => a), b = { x: 0, y: 0, w, h, fs: 13, head: 30, low: false, place: 0 };
    hands.place(b, { handSize: 18, cells: (b.cells = new Map()), actorsAt: () => actors, run: { actors: actors.map((a) => ({ name: `worker-${a + 1}` })) } });
    const cells = [...b.cells.values()], rows = new Set(cells.map((c) => c.y)).size, columns = new Set(cells.map((c) => c.x)).size, said = `${n} workers in ${w} x ${h}`;
    assert.ok(Math.abs(Math.max(...cells.map((c) => c.x + c.w)) - w) < 0.01, `${said}: there is a column without a cell`);
    if (columns > rows) assert.equal(cells[1].y, cells[0].y, `${said}: the second stands beside the first`);
  }
  const run = open(named("thirty at work").file), stage = new Stage();
  for (const [W, H] of [[1240, 470], [860, 230], [700, 400]]) for (const n of [4, 5, 7, 16]) {
    const few = Object.create(run, { actors: { value: run.actors.slice(0, n) } });
    stage.layout(W, H, false); stage.show([{ run: few }]);
    const [lane] = stage.lanes, b = [...lane.boxes.values()].find((x) => x.shared && layout.HANDS.has(x.role));
    for (const p of b ? lane.pipes.filter((x) => x.from === b.place || x.to === b.place) : []) {
      const [x, y] = p.from === b.place ? [p.c.x0, p.c.y0] : [p.c.x3, p.c.y3];
      assert.ok([...lane.cells.values()].some((c) => x >= c.x - 1 && x <= c.x + c.w + 1 && y >= c.y && y <= c.y + c.h), `${n} workers in ${W} x ${H}: a pipe ends beside the cells`);
    }
  }
});

test("a pipe is called full while something is refused there, and not for long after", { skip: !named("direct") }, () => {
  const run = open(named("direct").file), stage = new Stage(), last = Math.max(...run.refused.t), says = (t, more) => { const g = recorder();
    stage.draw(g, view(t, PALETTE.light, { speed: 5, ...more })); return g.texts.includes("full"); };
  stage.layout(1200, 400, false); stage.show([{ run }]);
  assert.ok(says(last + 0.1) && says(last + 0.1, { playing: true }), "it was full a moment ago");
  assert.ok(!says(last + 1.1) && !says(last + 1.1, { playing: true }), "it is full no longer");
});

test("what is lost stands inside its box, also in a low one", { skip: !named("direct") }, () => {
  const run = open(named("direct").file), stage = new Stage();
  for (let H = 300; H <= 520; H += 10) {
    const g = recorder(), v = view(run.duration, PALETTE.light);
    stage.layout(860, H, false); stage.show([{ run }, { run }]); stage.draw(g, v);
    for (const b of stage.lanes.flatMap((lane) => [...lane.boxes.values()].filter((x) => x.role === "lost"))) {
      const lowest = Math.max(...g.calls.filter(([name, , x, y]) => name === "fillText" && x > b.x && x < b.x + b.w && y > b.y && y < b.y + b.h).map(([, , , y]) => y));
      assert.ok(lowest + 0.5 * b.fs <= b.y + b.h - 2, `${H}: ${b.y + b.h - lowest} px to the edge`);
    }
  }
});

test("the words of a crowded buffer stand in the larger part of it", { skip: !named("buffer with a crowd") }, () => {
  const run = open(named("buffer with a crowd").file);
  let seen = 0;
  for (const [W, H] of [[860, 210], [1240, 220], [1880, 430]]) for (let t = 5; t < run.duration; t += 5) {
    const stage = new Stage(), g = recorder();
    stage.layout(W, H, false); stage.show([{ run }]); stage.draw(g, view(t, PALETTE.light));
    const [lane] = stage.lanes, b = [...lane.boxes.values()].find((x) => x.role === "buffer"), inBox = (x, y) => x > b.x && x < b.x + b.w && y > b.y && y < b.y + b.h;
    const words = g.calls.find(([name, s, x, y]) => name === "fillText" && / again$/.test(s) && inBox(x, y));
    if (!words) continue;
    seen += 1;
    const parts = g.calls.filter(([name, x, y, w]) => name === "roundRect" && Math.abs(x - b.x - 12) < 0.01 && Math.abs(w - b.w + 24) < 0.01 && y > b.top);
    assert.ok(parts.some(([, , y, , h]) => words[3] - 6 >= y - 0.01 && words[3] + 6 <= y + h + 0.01), `${W} x ${H}, ${t} s: ${words[1]}`);
  }
  assert.ok(seen > 10, `${seen} of them were seen`);
});

test("a truck that jumps back is told", { skip: !named("standard") }, () => {
  const jumps = handled(open(named("standard").file)).filter((d) => d.back);
  assert.ok(jumps.length > 0);
  for (const d of jumps) assert.ok(d.seq < d.newest);
  for (const { text } of map.events(open(named("standard").file))) {
    const [, truck, seq, newer] = /^(truck-\d+) jumps back: position (\d+) is drawn after (\d+)\.$/.exec(text) ?? [];
    assert.ok(truck && Number(seq) < Number(newer), text);
  }
  assert.equal(handled(open(named("groups").file)).filter((d) => d.back).length, 0, "FIFO keeps the order");
});

test("a scenario brings its own painter along, for a role that the page does not know", () => {
  register(toy(KIT));
  const column = (list, type = Int16Array) => type.from(list);
  const tokens = {
    message: column([0, 1]), delivery: column([0, 0]), state: column([0, 0]), place: column([1, 1]), holder: column([-1, -1]), ended: column([-1, -1]),
    t0: column([1, 2], Float32Array), t1: column([NaN, NaN], Float32Array), sparse: {},
  };
  const run = new model.Run({
    duration: 10, states: ["waiting"], reasons: [], outcomes: {}, said: {}, messages: 2, groups: null, events: [], actors: [], tokens, lens: null,
    places: [{ id: "a", label: "Sender", role: "producer" }, { id: "b", label: "Tray", role: "tray" }], links: [[0, 1]],
  });
  const stage = new Stage(), g = recorder(), v = view(5, PALETTE.light);
  stage.layout(900, 300, false); stage.show([{ run }]);
  stage.draw(g, v);
  assert.ok(g.texts.includes("Tray"));
  assert.deepEqual(v.hits.filter((x) => x.pick?.m !== undefined).map((x) => x.pick.m), [0, 1]);
});

test("series, steps, neighbours", () => {
  const s = model.steps([[2, 1], [1, 1], [3, -1], [2, 1]]);
  assert.deepEqual(s, { t: [0, 1, 2, 3], y: [0, 1, 3, 2] });
  assert.equal(model.stepAt(s, 2.5), 3); assert.equal(model.stepAt(s, 0.5), 0);
  const line = { t: [1, 3], y: [0, 4], shape: "line" };
  assert.ok(Number.isNaN(model.valueAt(line, 0))); assert.equal(model.valueAt(line, 2), 2); assert.equal(model.valueAt(line, 9), 4);
  const all = [0, 1, 2, 5];
  assert.deepEqual([model.neighbour(all, 1, 1), model.neighbour(all, 5, 1), model.neighbour(all, 2, -1), model.neighbour(all, 1.5, -1), model.neighbour(all, 0, -1)], [2, 5, 1, 1, 0]);
});

test("a dead letter waits for nobody: the curve has what the sentence counts", () => {
  const column = (list, type = Int16Array) => type.from(list);
  const tokens = {
    message: column([0, 1]), delivery: column([0, 0]), state: column([0, 0]), place: column([0, 1]), holder: column([-1, -1]), ended: column([-1, -1]),
    t0: column([1, 2], Float32Array), t1: column([NaN, NaN], Float32Array), sparse: {},
  };
  const run = new model.Run({
    duration: 10, states: ["waiting"], reasons: [], outcomes: {}, said: {}, messages: 2, groups: null, events: [], actors: [], tokens, lens: null,
    places: [{ id: "a", label: "Orders", role: "queue" }, { id: "b", label: "Dead letters", role: "dead-letter" }], links: [[0, 1]],
  });
  assert.deepEqual([run.count("waiting", 9), run.count("waiting", 9, 0), run.count("waiting", 9, 1)], [1, 1, 1]);
});

test("time slows down at the first event of a kind only, and the future is fog until it was watched", () => {
  const time = new Clock(), told = [];
  time.show(100, [{ t: 10, kind: "crash", big: 1 }, { t: 40, kind: "crash", big: 1 }, { t: 60, kind: "poll", big: 0 }]);
  time.tell = (e) => told.push(e.t);
  time.speed = 5; time.play(true);
  const paces = [];
  while (time.playing) { time.tick(0.05); paces.push([time.t, time.pace]); }
  assert.deepEqual(told, [10, 40]);
  assert.ok(paces.some(([t, p]) => t < 12 && p === 1) && paces.every(([t, p]) => t < 12 || p === 5));
  const fresh = new Clock();
  fresh.show(100, []);
  fresh.seek(50); assert.equal(fresh.t, 0, "nobody goes where nobody has watched");
  fresh.seek(50, true); fresh.seek(20); assert.equal(fresh.watched, 50);
  fresh.show(100, [], 30); assert.equal(fresh.watched, 30, "what follows an action is new");
  fresh.lift(); fresh.show(100, [], 30); assert.ok(!fresh.fog, "who lifted the fog sees each new future");
  assert.equal(paceWords(0.2), "1/5×"); assert.equal(paceWords(20), "20×");
});

test("time never goes back, whenever a frame began, and after a long silence it does not jump", () => {
  const time = new Clock();
  time.show(1000, []); time.speed = 10; time.play(true);
  time.tick(0.1); assert.equal(time.t, 1);
  time.tick(-0.3); assert.equal(time.t, 1);
  time.tick(0.4); assert.equal(time.t, 5, "a slow page shows few frames, at the speed that it says");
  time.tick(60); assert.equal(time.t, 10);
});

test("without motion, time goes on in still frames twice a second", () => {
  const time = new Clock(() => true);
  time.show(100, []); time.speed = 2; time.play(true);
  let moved = 0;
  for (let i = 0; i < 32; i++) moved += time.tick(0.0625);
  assert.equal(moved, 4); assert.equal(time.t, 4);
});

test("columns follow the links, rows the branches", () => {
  const places = ["producer", "topic", "queue", "queue", "endpoint", "consumer", "consumer", "done", "lost"].map((role) => ({ role, side: role === "lost" }));
  const links = [[0, 1], [1, 2], [1, 3], [1, 4], [2, 5], [5, 2], [3, 6], [5, 7], [6, 7], [1, 8]];
  const { columns, forward } = layout.columns({ places, links });
  assert.deepEqual(columns, [[0], [1], [2, 3, 4], [5, 6], [7]]);
  const at = layout.rows(columns, forward);
  assert.deepEqual(at.get(5), at.get(2), "a fleet stands beside its queue");
  assert.deepEqual(at.get(7).map((x) => Math.round(100 * x)), [0, 67]);
  const hinted = layout.columns({ places: places.map((p, i) => ({ ...p, row: i === 4 ? -1 : null })), links });
  assert.equal(hinted.columns[2][0], 4, "a row hint orders a column");
  const zoned = layout.columns({ places: places.map((p, i) => ({ ...p, zone: { 2: "b", 3: "a", 4: "b" }[i] ?? "" })), links });
  assert.deepEqual(zoned.columns[2], [2, 4, 3], "what lies in one zone stands together");
});

test("zones have a frame, and what steers stands in a row above the flow", () => {
  const empty = Int16Array.from([]), tokens = { sparse: {}, t0: Float32Array.from([]), t1: Float32Array.from([]) };
  for (const name of ["message", "delivery", "state", "place", "holder", "ended"]) tokens[name] = empty;
  const places = [{ id: "a", label: "Front end", role: "producer", zone: "" }, { id: "b", label: "One", role: "queue", zone: "zone-a" },
    { id: "c", label: "Two", role: "queue", zone: "zone-b" }, { id: "d", label: "Scaler", role: "producer", zone: "control" }];
  const run = new model.Run({ duration: 10, states: ["waiting"], reasons: [], outcomes: {}, said: {}, messages: 0, groups: null, events: [], actors: [], tokens,
    lens: null, places, links: [[0, 1], [0, 2]] });
  const stage = new Stage(), g = recorder();
  stage.layout(900, 400, false); stage.show([{ run }]); stage.draw(g, view(5, PALETTE.light));
  const [lane] = stage.lanes, [a, b] = lane.zones, boxes = [...lane.boxes.values()], steers = boxes.find((x) => x.place === 3);
  assert.deepEqual([a.name, b.name], ["zone-a", "zone-b"]);
  assert.ok(a.y + a.h <= b.y + 1, "two zones do not lie over each other");
  assert.ok(g.texts.includes("zone-a") && g.texts.includes("zone-b") && g.texts.includes("Scaler"));
  for (const x of boxes) assert.ok(x === steers || x.y >= steers.y + steers.h, "the flow begins below it");
});

test("settings: sliders and the grid of values", () => {
  const log = { low: 0.1, high: 10, log: true }, whole = { low: 1, high: 9, whole: true, step: 1 };
  assert.equal(fromSlider(log, toSlider(log, 1)), 1);
  assert.equal(tidy(whole, 3.4), 3); assert.equal(tidy(whole, 99), 9);
  assert.equal(tidy({ low: 0, high: 1, step: 0.1 }, 0.1 + 0.2), 0.3);
});

test("what can be done to a thing", () => {
  const value = { value: 30, unit: "s", name: "value" };
  const canDo = [{ kind: "crash", label: "Crash a consumer", targets: ["consumer-1"], at: "producer", value: null }, { kind: "freeze", label: "Freeze a consumer", targets: ["consumer-1"], at: "producer", value }, { kind: "burst", label: "Burst", targets: [], at: "producer", value: { value: 30, unit: "messages" } },
    { kind: "set", label: "Change a parameter", targets: ["consumers", "rate"], at: "producer", value: null }];
  const run = { actors: [{ name: "consumer-1", place: 2 }, { name: "consumer-2", place: 2 }], places: [{ role: "producer" }, { role: "queue" }, { role: "consumer" }], values: { consumers: 2 } };
  const params = [{ name: "consumers", high: 20 }], of = (what) => actionsFor(canDo, params, run, what).map(({ kind, target, value: v }) => [kind, target, v]);
  assert.deepEqual(of({ actor: 0 }), [["crash", "consumer-1", null], ["freeze", "consumer-1", 30]]);
  assert.deepEqual(of({ actor: 1 }), []);
  const label = (words, name) => actionsFor([{ kind: "x", label: words, targets: [name], at: "", value: null }], params, { ...run, places: [{ id: name }] }, { place: 0 })[0].label;
  assert.equal(label("Cut a node off", "node-1"), "Cut node-1 off");
  assert.equal(label("Take a queue's policy away", "mail"), "Take mail's policy away");
  assert.deepEqual(of({ place: 0 }), [["burst", "", 30]]);
  assert.deepEqual(of({ place: 0, actor: -1 }), [["burst", "", 30]], "a program that nobody saw yet");
  assert.deepEqual(of({ place: 2 }), [["set", "consumers", 3]]);
  const more = { ...run, actions: [{ kind: "set", target: "consumers", value: 5, at: 10 }] }, plus = (t) => actionsFor(canDo, params, more, { place: 2 }, t)[0].value;
  assert.deepEqual([plus(9), plus(10)], [3, 6], "one more than there are now");
  assert.deepEqual(of({ place: 1 }), []);
});

test("an action is offered at the place where it belongs", () => {
  const canDo = [["split", ["shard-1", "shard-2"]], ["replay", [], "consumer"], ["s3_away", [], "bucket"], ["burst", [], "producer"], ["cut_off", ["node-a"]]]
    .map(([kind, targets, at = "producer"]) => ({ kind, label: kind, targets, at, value: null }));
  const places = [["front", "producer"], ["positions/7", "shard", "Shard 1"], ["code", "consumer"], ["bucket", "shelf"], ["errors", "shelf"], ["n1", "broker", "node-a"]]
    .map(([id, role, label = id]) => ({ id, role, label }));
  const of = (place) => actionsFor(canDo, [], { actors: [], places, values: {} }, { place }).map(({ kind, target }) => [kind, target]);
  assert.deepEqual(places.map((_, i) => of(i)), [[["burst", ""]], [["split", "shard-1"]], [["replay", ""]], [["s3_away", ""]], [], [["cut_off", "node-a"]]]);
});

test("a mission is met when the run says so and the learner has watched it", () => {
  assert.equal(isMet({ met: true, at: 40 }, { watched: 30 }), false);
  assert.equal(isMet({ met: true, at: 40 }, { watched: 41 }), true);
  assert.equal(isMet({ met: false }, { watched: 99 }), false);
  assert.equal(isMet({ met: true, ask: true }, { watched: 99, opened: false }), false);
  assert.equal(replyTo({ at: 40, said: "So." }, { t: 41, duration: 300 }), "So.");
  assert.equal(replyTo({ at: 40, said: "So." }, { t: 30, duration: 300 }), "At 40.0 s: So.", "it is still to be seen");
  assert.equal(replyTo({ at: 300, said: "So." }, { t: 30, duration: 300 }), "At the end: So.");
  assert.equal(whyNot({ why: "2 videos lost" }, { watched: 299, duration: 300 }), "", "what is still to come is not told");
  assert.equal(whyNot({ why: "2 videos lost" }, { watched: 300, duration: 300 }), "Not yet: 2 videos lost.");
  assert.equal(whyNot({ why: "" }, { watched: 300, duration: 300 }) + whyNot(undefined, { watched: 300, duration: 300 }), "");
});

test("numbers and times for people", () => {
  assert.deepEqual([clock(42.06, 300), clock(3723, 5000), clock(266700, 400000)], ["42.1 s", "1:02:03", "3 d 02:05"]);
  assert.deepEqual([span(8), span(180), span(90000), span(432003)], ["8 s", "3 min", "1 d", "5 d"]);
  assert.deepEqual([brief(1234567), brief(0.12345), brief(NaN), brief(12)], ["1,234,567", "0.12", "–", "12"]);
  assert.deepEqual([nice(0.7), nice(11), nice(450)], [0.8, 20, 500]);
});

test("the curve names both runs, however narrow it is", () => {
  for (const width of [900, 500, 380]) {
    const g = recorder(), run = (label, strong) => ({ label, strong, color: "again" }), series = [run("A the bucket tells a topic", false), run("B one queue", true)];
    Scrub.prototype.axis.call({ roof: 0, label: "photos that only some have worked on", series, top: 2, H: 90, time: { t: 0 }, X: (t) => t }, g, PALETTE.light ?? PALETTE,
      { x: 0, y: 20, w: width, h: 50 }, 11.5, series[1], 60);
    for (const letter of ["A", "B"]) {
      const named = g.calls.filter(([name, words]) => name === "fillText" && words.startsWith(letter));
      assert.equal(named.length, 1, `${letter} of ${g.texts}`);
      for (const [, words, x] of named) assert.ok(x + 7 * words.length <= width - 30, `${words} at ${x}`);
    }
  }
});

test("how many more wait in a FIFO line stands beside its marks, and not on them", () => {
  for (let w = 90; w < 400; w += 7) {
    const g = recorder(), b = { x: 0, y: 0, w, h: 240, head: 26, fs: 12 }, marks = Array.from({ length: 99 }, (_, m) => ({ m, k: {}, sign: "dot" }));
    const lane = { i: 0, size: 15, run: { groups: { count: 1, names: ["trucks"] }, group: () => 0 }, marksIn: () => marks };
    lines.place(b, lane);
    lines.paint(g, b, lane, { col: PALETTE.light ?? PALETTE, lit: () => true, halo() {}, hits: [] });
    const drawn = g.calls.filter(([name]) => name === "arc").map(([, x, , r]) => x - r), [, words, right] = g.calls.find(([name]) => name === "fillText");
    assert.ok(drawn.length >= 1 && Math.min(...drawn) >= right, `${w}: ${words} ends at ${right}, the marks begin at ${Math.min(...drawn)}`);
    assert.equal(Number(words.slice(1)) + drawn.length, 99);
  }
});
