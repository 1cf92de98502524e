// What the painters of labs 02b, 05, 06 and 07 paint, read from the canvas and from what can be touched, against a count from the trace alone.
// RUNS names a file that lists scenes: one run or two, and what must be painted at some instants (see counts.py, test_labs_drawn.py).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as model from "../../lablib/workbench/js/model.js";
import { PALETTE } from "../../lablib/workbench/js/theme.js";
import { Stage } from "../../lablib/workbench/js/stage.js";
import { behind, tape as shard } from "../../lablib/workbench/js/painters/tape.js";
import { cellOf } from "../../lablib/workbench/js/painters/executions.js";
import { bytesOf, filled } from "../../lablib/workbench/js/painters/buffer.js";
import { brokersLens, nodeAt, owner, unconnected } from "../../lablib/workbench/js/painters/brokers.js";
import { clusterLens } from "../../lablib/workbench/js/painters/cluster.js";
import { placeCard } from "../../lablib/workbench/js/card.js";
import { lensOf } from "../../lablib/workbench/js/painters.js";
import { spent } from "../../lablib/workbench/js/painters/works.js";
import { curveOf } from "../../lablib/workbench/js/told.js";
import { page, recorder, view } from "./canvas.mjs";

const scenes = process.env.RUNS ? JSON.parse(readFileSync(process.env.RUNS)) : [];
const order = (list) => [...list].sort((a, b) => a - b);
const inside = ({ x, y }, b) => x >= b.x - 1 && x <= b.x + b.w + 1 && y >= b.y - 1 && y <= b.y + b.h + 1;
const wordsIn = (g, b) => g.calls.filter(([name, , x, y]) => name === "fillText" && inside({ x, y }, b)).map(([, words]) => words);
const number = (words, pattern) => { const found = words.map((s) => s.match(pattern)).find(Boolean); return found ? Number(found[1].replaceAll(",", "")) : null; };
const placed = (lane, role) => [...lane.boxes.values()].filter((b) => b.role === role);
/** The messages that can be touched in a box, by their numbers. */
const touched = (v, lane, b) => order(v.hits.filter((x) => x.id === `${lane.i}m${x.pick?.m}` && inside(x, b)).map((x) => x.pick.m + 1));

/** The widths of the lines of pipes that end at the left edge of a box: wall, inside, filling. */
const pipesTo = (g, b) => g.calls.flatMap(([name, , , , , x, y], i) =>
  (name === "bezierCurveTo" && Math.hypot(x - b.x, y - b.y - b.h / 2) < 0.01 ? [g.calls.slice(i).find(([next]) => next === "stroke")[1]] : []));
/** As painted: a pipe is 12 wide and its walls 1.2, its least filling is 1 wide. */
const filling = (share) => (share ? Math.round(100 * Math.max(1, 9.6 * Math.min(1, share))) / 100 : 0);

/** On a projector nothing is left empty to the right. */
const usesTheWidth = ({ b, W }) => assert.ok(b.at(-1).x + b.at(-1).w > 0.82 * W || b.length === 1, "the last box is near the right edge");

const PAINTED = {
  subscribed({ g, lane }) {
    const inner = [...lane.boxes.values()].filter((b) => !["producer", "topic"].includes(b.role) && lane.pipes.some((p) => p.to === b.place && lane.boxes.get(p.from)?.role === "topic"));
    return { fed: inner.filter((b) => pipesTo(g, b).length).map((b) => lane.run.places[b.place].id).sort() };
  },
  called({ g, v, lane, t }) {
    const [queue] = placed(lane, "queue"), [fn] = placed(lane, "function"), [dead] = placed(lane, "dead-letter"), here = new Set(touched(v, lane, queue));
    const marks = lane.marksIn(queue.place).filter((m) => here.has(m.m + 1)), named = (signs) => order(marks.filter((m) => signs.includes(m.sign)).map((m) => m.m + 1));
    const [actor] = lane.actorsAt(fn.place), held = v.hits.filter((x) => x.id.startsWith(`${lane.i}h${actor}m`)), calls = [];
    for (let slot = 0; slot < fn.calls.fits; slot++) {
      const [x, y] = cellOf(fn, { slot }), mine = held.filter((k) => inside(k, { x, y, w: fn.calls.w, h: fn.calls.h }));
      if (mine.length) calls.push(order(mine.map((k) => k.pick.m + 1)));
    }
    assert.equal(number(wordsIn(g, fn), /^(\d+) calls?/), calls.length, "the title counts the calls");
    const words = wordsIn(g, queue), many = lane.blocks;   // a crowd is counted, not drawn one by one
    const { good, again, crashed } = spent(lane.run, t), [curve] = curveOf([lane.run], {}).series, tenths = (s) => Math.round(10 * s) / 10;
    return { open: model.stepAt(curve, t), counted: tenths(good), for_nothing: tenths(again + crashed),
      waiting: many ? number(words, /^([\d,]+) waiting/) : named(["dot", "diamond"]), hidden: many ? number(words, /([\d,]+) hidden/) ?? 0 : named(["socket", "orphan"]), dead: dead ? number(wordsIn(g, dead), /^([\d,]+) dead/) : 0,
      gathered: number(wordsIn(g, fn), /^([\d,]+) gathered/) ?? order(held.filter((k) => k.y < fn.calls.y).map((k) => k.pick.m + 1)), calls: calls.sort((a, b) => a[0] - b[0]),
      done: number(wordsIn(g, lane.lensBox), /^([\d,]+)$/), lost: number(wordsIn(g, lane.lensBox), /^([\d,]+) lost$/) ?? 0 };
  },
  streamed({ g, v, lane, t }) {
    const { run } = lane, kept = {}, tape = {}, work = {}, fed = {}, full = [], taken = {}, workers = run.places.findIndex((p) => p.id === "workers");
    const tags = g.calls.filter(([name, words]) => name === "fillText" && words === "full").map(([, , , y]) => y);
    for (const b of placed(lane, "shard")) {
      const id = run.places[b.place].id, drawn = touched(v, lane, b), n = number(wordsIn(g, b), /([\d,]+) kept/);
      if (n) kept[id] = n;
      const late = Math.round(5 * shard.taken(run, b.place, workers, t, 5) * Math.min(1, t / 5));
      if (late) taken[id] = late;
      if (drawn.length) tape[id] = drawn;
      const [wall, , fill = 0] = pipesTo(g, b);
      if (wall) fed[id] = Math.round(100 * fill) / 100;
      if (tags.some((y) => Math.abs(y + 17 - b.y - b.h / 2) < 1)) full.push(id);
    }
    assert.equal(tags.length, full.length, "each word stands at a shard");
    for (const x of v.hits) if (x.touch?.message !== undefined && lane.marksOf(x.touch.actor).some((m) => m.m === x.touch.message && m.bar !== null && !(m.k.wu <= t && m.k.wu !== null)))
      work[run.actors[x.touch.actor].name] = x.touch.message + 1;
    const trucks = new Set(v.hits.filter((x) => x.id.startsWith(`${lane.i}truck`)).map(({ x, y }) => `${x} ${y}`)).size;   // no two at one spot
    const idle = [...lane.cells].filter(([, c]) => wordsIn(g, c).includes("idle")).map(([a]) => run.actors[a].name).sort();
    return { kept, tape, taken, idle, work, fed, full: full.sort(), trucks, back: number(wordsIn(g, lane.lensBox), /^([\d,]+) jumps? back/) ?? 0,
      behind: Object.fromEntries([...behind(run, t)].map(([actor, n]) => [run.actors[actor].name, n])) };
  },
  collected({ g, v, lane, t }) {
    const { run } = lane, [buffer] = placed(lane, "buffer"), words = wordsIn(g, lane.lensBox);
    for (const b of placed(lane, "shelf")) {
      const over = g.calls.filter(([name, x, y, w, h]) => name === "roundRect" && x > b.x && x + w < b.x + b.w && y + h > b.y && y < b.y + b.head - 1);
      assert.deepEqual(over, [], "an object lies below the title, also while it comes");
    }
    const objects = Object.fromEntries(placed(lane, "shelf").map((b) => [run.places[b.place].id, number(wordsIn(g, b), /^([\d,]+) objects?/) ?? 0]));
    const title = buffer ? number(wordsIn(g, buffer), /^([\d,]+) collected/) : 0, size = buffer && !buffer.tight ? wordsIn(g, buffer).find((s) => / of [\d.]+ MiB$/.test(s)) : null;
    if (size !== null) assert.equal(size, `${bytesOf(filled(run, t).bytes)} of ${bytesOf(run.lens.buffer.limits[0])}`, "what is used up of the size, also just after it was full");
    return { inside: buffer && !lane.blocks ? touched(v, lane, buffer) : title, title, bytes: buffer ? filled(run, t).bytes : 0, objects,
      stored: number(words, /^([\d,]+) delivered to S3/) ?? 0, read: number(words, /^([\d,]+) read by your code/) ?? 0 };
  },
  told({ g, v, lane, t }) {
    const { run } = lane, waiting = {}, hidden = {}, hands = {}, [fn] = placed(lane, "function"), [producer] = placed(lane, "producer");
    for (const b of placed(lane, "queue")) {
      const id = run.places[b.place].match, here = new Set(touched(v, lane, b)), marks = lane.marksIn(b.place).filter((m) => here.has(m.m + 1));
      const named = (signs) => order(marks.filter((m) => signs.includes(m.sign)).map((m) => m.m + 1));
      const [visible, taken] = [named(["dot", "diamond"]), named(["socket", "orphan"])];
      if (visible.length) waiting[id] = visible;
      if (taken.length) hidden[id] = taken;
    }
    run.actors.forEach((actor, a) => {
      const mine = v.hits.filter((x) => x.id.startsWith(`${lane.i}h${a}m`)).map((x) => x.pick.m + 1);
      if (mine.length && run.places[actor.place].role === "consumer") hands[actor.name] = order(mine);
    });
    return { waiting, hidden, hands, calls: fn ? number(wordsIn(g, fn), /^(\d+) call/) : 0, stored: number(wordsIn(g, producer), /^([\d,]+)$/) };
  },
  clustered({ g, lane, t }) {
    usesTheWidth(lane.cluster);
    const { run } = lane, st = lane.cluster, disks = {}, confirmed = {}, there = [], blocked = [];
    let leader = "";
    run.lens.nodes.forEach((name, n) => {
      const words = wordsIn(g, st.b[n]);
      disks[name] = number(words, /^([\d,]+) messages? on its disk/);
      if (words.some((s) => /^(leads|has the queue)/.test(s))) leader = name;
      if (!words.some((s) => /^(no power|sees a minority|pauses)/.test(s))) there.push(name);
    });
    run.lens.shops.forEach((shop, i) => { if (wordsIn(g, st.cells[i]).some((s) => /^blocked/.test(s))) blocked.push(shop.name);
      const n = number(wordsIn(g, st.cells[i]), /^([\d,]+) confirmed/); if (n) confirmed[shop.name] = n; });
    const stopped = Number(clusterLens.say([run], t).match(/(\d+) shops? (?:is|are) blocked: low on memory/)?.[1] ?? 0);
    const said = clusterLens.say([run], t).match(/(\d) of 3 nodes (?:is|are) there(?:, but (\S+) is cut off)?/);
    const cut = said?.[2] ? [said[2]] : [];
    return { leader, there: there.sort(), disks, confirmed, said: said ? Number(said[1]) : null, cut, blocked: blocked.sort(), stopped };
  },
  brokered({ g, v, lane, t }) {
    const { run } = lane, st = lane.brokers, n = owner(run, t), hands = {}, done = {}, blocked = {}, lost = {}, shops = {};
    usesTheWidth(st);
    run.lens.clients.forEach((c, i) => {
      const cell = st.cells[i], words = wordsIn(g, cell);
      if (c.sends) {
        const waits = number(words, /^blocked, (\d+) (?:in its connection|waits?)$/) ?? number(words, /^blocked for [\d.]+ s: (\d+) in its connection$/);
        if (words.some((s) => s.startsWith("blocked"))) blocked[c.name] = waits;
        const kept = number(words, /^([\d,]+) kept/), sent = number(words, /^([\d,]+) sent$/);
        if (kept ?? sent) shops[c.name] = kept === null ? { sent, kept: 0 } : { kept };
        return;
      }
      const more = number(words, /^([\d,]+) more in hand/) ?? number(words, /^\+(\d+)$/) ?? 0, low = number(words, /^([\d,]+) in hand/);
      const held = low ?? more + touched(v, lane, cell).length;
      if (held) hands[c.name] = held;
      const count = number(words, /([\d,]+) done$/), gone = number(words, /(\d+) lost/);
      if (gone) lost[c.name] = gone;
      if (count) done[c.name] = count;
    });
    const all = Object.values(hands).reduce((sum, mine) => sum + mine, 0), told = number([brokersLens.say([run], t)], /(\d+) messages? (?:is|are) in the packers' hands/);
    if (n < 0) assert.equal(told ?? 0, all, "the sentence counts what is in hand");
    return { serves: n >= 0 && nodeAt(run, n, t).is === "serves" ? run.lens.nodes[n] : "", dark: unconnected(run, t), disk: touched(v, lane, st.drum),
      memory: order(st.b.flatMap((b) => touched(v, lane, b))), hands, done, blocked, lost, shops,
      used: st.b.map((b) => number(wordsIn(g, b), /^(?:memory: |memory full: |full: )?(\d+)(?: kB)? of/)).find((x) => x !== null) ?? null };
  },
};

/** What the card of each place says is what was counted there; of a place where nothing waits it does not say that something does. */
function cardsTell(kind, { t, ...wanted }, { run, boxes }) {
  for (const b of boxes.values()) {
    const { role, id, label } = run.places[b.place] ?? {};
    if (!role || ["done", "lost", "lens"].includes(role)) continue;
    globalThis.document = page;                         // while the card is made: painters ask whether there is one
    const words = placeCard(run, b.place, { t }, lensOf(run.lens)?.about?.(run, b.place, t)).map((x) => x.textContent).join(" ").slice(label.length + 1);
    delete globalThis.document;
    assert.ok(["queue", "direct", "dead-letter"].includes(role) || !/\bwaits?\.|were taken|keeps its length/.test(words), `${label}: ${words}`);
    assert.ok(!/undefined|NaN|null/.test(words), words);
    const told = number([words], /^([\d,]+) (?:records?|objects?|waits?)/) ?? 0;
    if (role === "shard" && wanted.kept) assert.equal(told, wanted.kept[id] ?? 0, words);
    if (role === "buffer") assert.equal(told, wanted.inside.length, words);
    if (role === "shelf") assert.equal(told, wanted.objects[id] ?? 0, words);
  }
}

/** What was counted, in the form in which it is painted: a number where no single marks are. */
function asPainted(kind, { t, ...wanted }, found) {
  if (kind === "clustered" && found.said === null) Object.assign(wanted, { said: null, cut: [] });   // the queue is not declared yet
  if (kind === "called") for (const name of ["waiting", "hidden", "dead", "gathered"]) if (typeof found[name] === "number") wanted[name] = wanted[name].length;
  if (kind === "collected") {
    wanted.title = wanted.inside.length;
    if (typeof found.inside === "number") wanted.inside = wanted.inside.length;
    wanted.objects = Object.fromEntries(Object.keys(found.objects).map((id) => [id, wanted.objects[id]]));
    if (wanted.bytes === null) wanted.bytes = found.bytes;
  }
  if (kind === "streamed") wanted.fed = Object.fromEntries(Object.entries(wanted.fed).map(([id, share]) => [id, filling(share)]));
  if (kind === "brokered") for (const [shop, n] of Object.entries(wanted.shops)) if (n.kept) delete n.sent;
  if (kind === "brokered") wanted.hands = Object.fromEntries(Object.entries(wanted.hands).map(([who, mine]) => [who, mine.length]));
  return wanted;
}

/** In a low lane, too, nothing lies over anything else: brokers, the ways to the second one, the lock, the store; and a shop's signs over its words. */
for (const [W, H, count] of [[470, 300, 2], [940, 300, 2], [940, 330, 1], [700, 420, 2], [1300, 620, 2], [560, 250, 1], [556, 376, 1]]) {
  for (const scene of scenes.filter((s) => s.kind === "brokered" && s.files.length === count)) test(`${scene.name} in ${W} x ${H}, ${count} lanes`, () => {
    const stage = new Stage(), g = recorder(), v = view(60, PALETTE.light);
    stage.layout(W, H, false);
    stage.show(scene.files.map((file, i) => ({ run: model.openRun(model.unpack(readFileSync(file))), label: count > 1 ? "AB"[i] : "" })));
    stage.draw(g, v);
    for (const lane of stage.lanes) {
      const { b, drum, free, cells, ring, top, h, s } = lane.brokers, bottom = b[0].y + b[0].h;
      assert.ok(free >= 12 && bottom + free <= drum.y + 0.01, `${free} px between brokers and store`);
      assert.ok(b[0].y >= top - 0.01 && drum.y + drum.h <= top + h + 0.01, "all of it is in its lane");
      assert.ok(b.every((k) => k.h >= 40), "a broker has room for its name and its state");
      b.forEach((k, n) => {
        const words = wordsIn(g, k);
        assert.ok(words.includes(lane.run.lens.nodes[n]), `its name stands whole in it, also beside its memory: ${words}`);
        assert.ok(!words.some((x) => x.endsWith("…")), `nothing is cut: ${words}`);
      });
      cells.forEach((k) => {
        const words = wordsIn(g, k).find((x) => x.startsWith("blocked,"));
        assert.ok(!words || /in its connection$|(?<!\b1) wait$|\b1 waits$/.test(words), words);
      });
      const [, words, , middle] = g.calls.find(([name, text, x, y]) => name === "fillText" && /on the disk/.test(text) && inside({ x, y }, drum));
      const low = Math.max(0, ...v.hits.filter((x) => x.pick?.m !== undefined && inside(x, drum)).map((x) => x.y + s / 2));
      assert.ok(low <= middle - 4, `${words}: its words begin above ${middle}, its marks end at ${low}`);
      assert.ok(cells.length < 2 || cells[1].y - cells[0].y >= 2 * ring, "a clock does not lie over the next one");
    }
  });
}

/** What a function gathers lies in its strip, a batch in its cell, at every size; what has no room is counted in words. */
test("rings of what nobody works on do not lie over each other, and work has a scale of its own", () => {
  const { files } = scenes.find((s) => s.name === "a function and bad orders"), runs = files.map((file) => model.openRun(model.unpack(readFileSync(file))));
  for (const [W, H] of [[860, 450], [1240, 480], [1880, 900]]) {
    const stage = new Stage(), g = recorder(), t = 80;
    stage.layout(W, H, false); stage.show(runs.map((run) => ({ run }))); stage.draw(g, view(t, PALETTE.light));
    const [lane] = stage.lanes, [queue] = placed(lane, "queue"), arcs = g.calls.filter(([name, x, y]) => name === "arc" && inside({ x, y }, queue) && y > queue.y + queue.head);
    assert.ok(arcs.length > 50 && arcs.every(([, , , r]) => r <= lane.pitch / 2 - 1), `${W} x ${H}: radius ${Math.max(...arcs.map((a) => a[3]))}, pitch ${lane.pitch}`);
    const b = lane.lensBox, rows = g.calls.filter(([name, x, y, , high]) => name === "roundRect" && x === b.x + 11 && y > b.y && y < b.y + b.h && high <= 16).map(([, , , w]) => w);
    const whole = Math.max(...runs.map((run) => { const s = spent(run, run.duration); return Math.max(s.good, s.again + s.crashed); })), { good } = spent(lane.run, t);
    assert.ok(rows[1] / rows[0] > (0.4 * good) / whole, `${W} x ${H}: ${rows[1]} of ${rows[0]} px are ${good} of ${whole} s of work`);
  }
});

for (const [W, H] of [[560, 130], [840, 340], [840, 300], [1300, 620]]) for (const scene of scenes.filter((s) => s.kind === "called")) test(`${scene.name} in ${W} x ${H}`, () => {
  const stage = new Stage();
  let numbers = 0;
  stage.layout(W, H, false);
  stage.show(scene.files.map((file, i) => ({ run: model.openRun(model.unpack(readFileSync(file))), label: scene.files.length > 1 ? "AB"[i] : "" })));
  for (const [{ t }] of scene.checks) {
    const g = recorder(), v = view(t, PALETTE.light);
    stage.draw(g, v);
    for (const lane of stage.lanes) {
      const [fn] = placed(lane, "function"), { calls: c } = fn, marks = lane.marksIn(fn.place), words = wordsIn(g, fn).join("; ");
      const [loose, called] = [marks.filter((m) => !(m.k.call && t >= m.k.wf)), marks.filter((m) => m.k.call && t >= m.k.wf)].map((list) => new Set(list.map((m) => m.m)));
      const hits = v.hits.filter((x) => x.id.startsWith(`${lane.i}h`)), half = (s) => s / 2 - 0.01, drawn = hits.filter((x) => loose.has(x.pick.m));
      for (const { x, y } of drawn) {
        assert.ok(y + half(c.small.s) <= c.y && x + half(c.small.s) <= fn.x + fn.w, `a mark at ${x}, ${y} is out of the strip above ${c.y}, ${fn.x + fn.w}`);
      }
      if (drawn.length < loose.size) assert.match(words, new RegExp(`(^|; )${loose.size.toLocaleString("en-US")}( gathered|;|$)`));
      const cells = Array.from({ length: c.fits }, (_, slot) => cellOf(fn, { slot }));
      for (const { x, y } of hits.filter((x) => called.has(x.pick.m))) {
        assert.ok(cells.some(([left, top]) => x - half(c.s) >= left && x + half(c.s) <= left + c.w && y - half(c.s) >= top && y + half(c.s) <= top + c.h), `a mark at ${x}, ${y} is in no cell`);
      }
      for (const call of new Set(marks.filter((m) => called.has(m.m)).map((m) => m.k.call))) {
        const [x, y] = cellOf(fn, call), size = marks.filter((m) => m.k.call === call).length;
        if (call.slot < c.fits && size > c.holds) { numbers += 1; assert.ok(wordsIn(g, { x, y, w: c.w, h: c.h }).includes(`${size}`), "a batch that does not fit is a number"); }
      }
      assert.ok(cells.every(([x, y]) => x + c.w <= fn.x + fn.w + 0.01 && y + c.h <= fn.y + fn.h + 0.01), "the cells are in the box");
    }
  }
  assert.ok(numbers || H > 130 || !scene.name.includes("large batches"), "a small cell has no room for its batch");
});

for (const { name, kind, files, checks } of scenes) test(`${name}: what is painted at random instants is what the trace says`, () => {
  const stage = new Stage(), lanes = files.map((file, i) => ({ run: model.openRun(model.unpack(readFileSync(file))), label: files.length > 1 ? "AB"[i] : "" }));
  stage.layout(1880, 860, false); stage.show(lanes);
  for (const wanted of checks) {
    const { t } = wanted[0], g = recorder(), v = view(t, PALETTE.light, { reduced: kind !== "collected" });
    stage.draw(g, v);
    wanted.forEach((counted, i) => {
      const found = PAINTED[kind]({ g, v, lane: stage.lanes[i], t });
      assert.deepEqual(found, asPainted(kind, counted, found), `lane ${i} at ${t} s`);
      cardsTell(kind, counted, stage.lanes[i]);
    });
  }
});
