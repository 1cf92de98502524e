// The pure half of the flow animation, in Node: node --test. RUN names files that Python packed (see test_flow.py).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as flow from "../../lablib/workbench/js/state.js";
import * as layout from "../../lablib/workbench/js/layout.js";
import { fromSlider, tidy, toSlider } from "../../lablib/workbench/js/side.js";
import { actionsFor } from "../../lablib/workbench/js/menu.js";
import { CENTRES, HUES, look } from "../../lablib/workbench/js/marks.js";
import * as lives from "../../lablib/workbench/js/stays.js";
import { Player, keys } from "../../lablib/workbench/js/transport.js";

const files = JSON.parse(process.env.RUNS ?? "[]");
const open = (file) => flow.openRun(flow.unpack(readFileSync(file)));
const pick = ({ t, next, sent, published, from, duplicates, last, at, flying, total }) => ({ t, next, sent, published, from: [...from], duplicates, last: [...last], at: [...at], flying: [...flying], total: [...total] });

/** A small run by hand: two messages; the second is received twice. */
function small() {
  const moves = {
    t: [1, 2, 2, 3, 5, 9, 10], m: [0, 0, 1, 0, 1, 1, 1], p: [1, 2, 1, 3, 2, 1, 2], a: [-1, 0, -1, 0, 0, -1, 1], o: [0, -1, 0, -1, -1, -1, -1],
    s: [0, 2, 0, 4, 2, 0, 2], n: [1, 1, 1, 1, 1, 1, 2], q: [1, 1, 1, 1, 1, 1, 1], k: [0, 1, 0, 2, 1, 3, 1], d: [0, 0, 0, 0, 0, 0, 1],
  };
  return flow.openRun({
    duration: 12, messages: 2, kinds: ["Sent", "Received", "Deleted", "BecameVisible"],
    places: ["producer", "queue", "consumer", "done"].map((role) => ({ role, label: role })), links: [[0, 1], [1, 2], [2, 1], [2, 3]],
    actors: [{ name: "consumer-1", place: 2 }, { name: "consumer-2", place: 2 }], actorStates: ["up", "down", "frozen"],
    moves: Object.fromEntries(Object.entries(moves).map(([name, list]) => [name, name === "t" ? Float64Array.from(list) : Int32Array.from(list)])),
    marks: { t: [2, 6, 8], a: [0, 0, 0], s: [0, 1, 0] }, servers: { t: [4, 7], p: [1, 1], n: [3, 3], up: [0, 1] },
    groups: null, holds: { t: [2, 5, 10], m: [0, 1, 1], u: [8, 9, 40] },
    notable: { t: Float64Array.from([6, 10]), kind: ["crash", "duplicate"], text: ["consumer-1 crashes.", "delivered again"] },
  });
}

test("what is where at an instant", () => {
  const run = small(), at = (t) => flow.stateAt(run, t);
  assert.deepEqual([...at(0).total], Array(flow.STATUS.length).fill(0));
  assert.equal(at(1).total[flow.WAITING], 1, "an instant includes what happens at it");
  assert.equal(at(2).flying[1], 1);
  assert.equal(at(2).at[1 * flow.STATUS.length + flow.WAITING], 1);
  assert.equal(at(4).total[flow.DONE], 1);
  assert.equal(at(9.5).duplicates, 0);
  assert.equal(at(10).duplicates, 1);
  assert.equal(at(12).sent, 2);
});

test("the marks of an instant, in groups by place and actor", () => {
  const found = flow.groups(flow.stateAt(small(), 2)).map(({ place, actor, moves }) => [place, actor, [...moves]]);
  assert.deepEqual(found, [[2, 0, [1]], [1, -1, [2]]]);
});

test("actors, servers, words", () => {
  const run = small();
  assert.deepEqual(flow.actorsAt(run, 1), ["", ""]);
  assert.deepEqual(flow.actorsAt(run, 7), ["down", ""]);
  assert.deepEqual(flow.actorsAt(run, 8), ["up", ""]);
  assert.deepEqual([...flow.serversDownAt(run, 5)], ["1/3"]);
  assert.equal(flow.serversDownAt(run, 7).size, 0);
  assert.equal(flow.tell(run, 6), "consumer-2 received message 2 again (receive 2)");
  assert.equal(flow.tell(run, 0), "producer sent message 1");
  assert.equal(flow.tellAt(run, 2), "consumer-1 received message 1; producer sent message 2.", "oldest first");
  assert.equal(flow.tellAt(run, 6), "consumer-1 crashes.", "one full stop");
  assert.equal(flow.tellAt(run, 4.5), "");
});

test("one event forward and back undo each other; the ends hold", () => {
  const run = small();
  assert.equal(flow.nextInstant(run, 2, 1), 3);
  for (const t of run.instants.slice(0, -1)) assert.equal(flow.nextInstant(run, flow.nextInstant(run, t, 1), -1), t);
  assert.equal(flow.nextInstant(run, 0, -1), 0);
  assert.equal(flow.nextInstant(run, 12, 1), 12);
  assert.equal(flow.nextInstant(run, 2.5, -1), 2);
  assert.equal(flow.nextNotable(run, 0, 1), 6);
  assert.equal(flow.nextNotable(run, 6, 1), 10);
  assert.equal(flow.nextNotable(run, 10, 1), 10);
});

test("values of steps and of lines", () => {
  const t = [0, 10, 10, 20], y = [1, 5, 2, 4];
  assert.equal(flow.valueAt({ t, y, shape: "step" }, 9), 1);
  assert.equal(flow.valueAt({ t, y, shape: "line" }, 5), 3);
  assert.equal(flow.valueAt({ t, y, shape: "line" }, 10), 2, "after the jump");
  assert.equal(flow.valueAt({ t, y, shape: "line" }, 99), 4);
  assert.ok(Number.isNaN(flow.valueAt({ t, y }, -1)));
});

test("times and numbers for people", () => {
  assert.equal(flow.clock(42.1234, 300), "42.1 s");
  assert.equal(flow.clock(42.1234, 300, true), "42.123 s");
  assert.equal(flow.clock(3723.5, 7200), "1:02:03");
  assert.equal(flow.clock(300000, 345600), "3 d 11:20");
  assert.deepEqual([NaN, 0, 7, 1234.5, 0.01234, 12.345].map(flow.brief), ["–", "0", "7", "1,235", "0.012", "12.3"]);
  assert.equal(flow.usualSpeed(300), 10);
});

test("more marks than room: each stands for several, and they are always the same", () => {
  const moves = Array.from({ length: 1003 }, (_, i) => i), few = flow.aggregate(moves, 100, moves);
  assert.equal(few.each, 16);
  assert.ok(few.moves.length <= 100 && few.moves.length * few.each >= moves.length);
  assert.equal(flow.aggregate(moves.slice(0, 100), 100, moves).each, 1);
  const later = flow.aggregate(moves.slice(5), 100, moves), half = flow.aggregate(moves, 50, moves);
  assert.ok(half.moves.every((move) => few.moves.includes(move)), "fewer marks are some of those before");
  assert.deepEqual(later.moves, few.moves.slice(1), "who is shown does not change when others leave");
});

test("places: columns in the order of flow, inside the canvas, without overlap; losses beneath", () => {
  const roles = ["producer", "queue", "consumer", "done", "lost"], links = [[0, 1], [1, 2], [2, 1], [2, 3], [1, 4]];
  const places = roles.map((role) => ({ role }));
  assert.deepEqual(layout.ranks(places, links), [0, 1, 2, 3, 1]);
  for (const [w, h] of [[320, 160], [700, 190], [1400, 460]]) {
    const boxes = layout.boxes(places, links, w, h);
    for (const [i, a] of boxes.entries()) {
      assert.ok(a.x >= 0 && a.y >= 0 && a.x + a.w <= w + 0.01 && a.y + a.h <= h + 0.01, `${roles[i]} is inside`);
      for (const b of boxes.slice(i + 1))
        assert.ok(a.x + a.w <= b.x + 0.01 || b.x + b.w <= a.x + 0.01 || a.y + a.h <= b.y + 0.01 || b.y + b.h <= a.y + 0.01, "no overlap");
    }
    assert.ok(boxes[4].y > boxes[1].y);
    for (const count of [1, 3, 12, 50]) {
      const made = layout.cells(boxes[2], count);
      assert.equal(made.length, count);
      for (const c of made) assert.ok(c.w > 0 && c.h > 0 && c.x >= boxes[2].x && c.x + c.w <= boxes[2].x + boxes[2].w && c.y + c.h <= boxes[2].y + boxes[2].h);
    }
  }
});

test("a head of two lines pushes the marks down by its second line", () => {
  const box = { x: 0, y: 50, w: 120, h: 200 }, one = layout.area(box), two = layout.area(box, 0, 15);
  assert.deepEqual([two.y - one.y, one.h - two.h, two.x, two.w], [15, 15, one.x, one.w]);
  assert.equal(two.y + two.h, box.y + box.h - 8);
});

test("slots: all that fit lie inside, each at its own spot", () => {
  const area = { x: 10, y: 20, w: 200, h: 90 };
  for (const count of [1, 40, 300]) {
    const { pitch, room } = layout.pitchFor(area, count), spots = new Set();
    for (let i = 0; i < Math.min(room, count); i++) {
      const { x, y } = layout.slot(area, i, pitch);
      assert.ok(x >= area.x && x <= area.x + area.w && y >= area.y && y <= area.y + area.h);
      spots.add(`${x}/${y}`);
    }
    assert.equal(spots.size, Math.min(room, count));
  }
});

test("settings: there and back, on the grid, in range", () => {
  const plain = { low: 0.1, high: 20, step: 0.1 }, whole = { low: 1, high: 10, step: 1, whole: true }, log = { low: 0.01, high: 600, log: true };
  for (const [spec, values] of [[plain, [0.1, 2.5, 20]], [whole, [1, 7, 10]], [log, [0.01, 1, 600]]])
    for (const v of values) assert.equal(fromSlider(spec, toSlider(spec, v)), v);
  assert.equal(tidy(whole, 99), 10);
  assert.equal(tidy(plain, -5), 0.1);
  assert.equal(tidy(whole, 3.4), 3);
});

test("play, pause, edit, play again: the player never dies", () => {
  const run = small(), seen = [], player = new Player(run, (why) => seen.push(why));
  player.speed = 10;
  player.play(); player.advance(0.5);
  assert.equal(player.t, 5);
  player.play(); player.advance(0.5);
  assert.equal(player.t, 5, "paused");
  player.show({ ...run, duration: 3 });
  assert.equal(player.t, 3, "a shorter run ends the cursor");
  player.play();
  assert.equal(player.t, 0, "play at the end begins again");
  player.advance(9);
  assert.equal(player.playing, false);
  player.seek(-4); assert.equal(player.t, 0);
  player.step(1); assert.equal(player.t, 1);
  player.step(-1); assert.equal(player.t, 0);
  player.jump(1); assert.deepEqual([player.t, seen.at(-1)], [6, "step"]);
  player.jump(1); player.jump(1);
  assert.deepEqual([player.t, seen.at(-1)], [10, "none later"], "nothing comes after, though the run goes on");
  assert.ok(seen.includes("play") && seen.includes("mode") && seen.includes("seek") && seen.includes("step"));
});

test("keys act on time, but not while somebody types", () => {
  const calls = [], on = keys({ play: () => calls.push("play"), step: (by) => calls.push(by), jump: () => calls.push("jump"), seek: (t) => calls.push(`to ${t}`), run: { duration: 9 } });
  const press = (key, tagName = "DIV", more = {}) => on({ key, target: { tagName, ...more }, preventDefault() {}, ...more });
  press(" "); press("ArrowRight"); press("ArrowLeft"); press("N"); press("End");
  press("n", "INPUT", { type: "text" }); press(" ", "BUTTON"); press("ArrowRight", "SELECT"); press("n", "DIV", { ctrlKey: true });
  assert.deepEqual(calls, ["play", 1, -1, "jump", "to 9"]);
});

test("a message's stays, what hides it, and how it ends", () => {
  const run = small(), told = lives.stays(run, 1).map(({ from, to, status, actor, n, cut }) => [from, to, status, actor, n, cut]);
  assert.deepEqual(told, [[2, 5, 0, -1, 1, Infinity], [5, 9, 2, 0, 1, 6], [9, 10, 0, -1, 1, Infinity], [10, 12, 2, 1, 2, Infinity]]);
  assert.deepEqual(lives.ending(run, 0), { t: 3, status: flow.DONE, move: 3 });
  assert.equal(lives.ending(run, 1), null);
  assert.deepEqual(lives.hidings(run, 1), [{ from: 5, until: 9, extended: null }, { from: 10, until: 40, extended: null }]);
  assert.equal(lives.stayAt(lives.stays(run, 1), 9.5).status, flow.WAITING);
  assert.deepEqual(lives.movesOf(run, 0), [0, 1, 3]);
});

test("which messages have lanes: pinned ones, those of the latest events, then those to come", () => {
  const run = small();
  assert.deepEqual(lives.followed(run, 0, 1), [0]);
  assert.deepEqual(lives.followed(run, 7, 1), [1]);
  assert.deepEqual(lives.followed(run, 7, 1, [0]), [0]);
  assert.deepEqual(lives.followed(run, 1, 12), [0, 1]);
  assert.deepEqual(lives.followed(run, 7, 2, [], 4), [1], "what ended before the window is not followed");
  assert.equal(lives.windowFrom(run, 0, 4), 0);
  assert.equal(lives.windowFrom(run, 12, 4), 8);
  assert.ok(lives.windows(12).includes(lives.usualWindow(run, 12)));
});

test("groups: the same look in every state, and as many looks as there can be", () => {
  const looks = new Set(Array.from({ length: 100 }, (_, group) => { const { colour, centre } = look(flow.WAITING, 1, group); return `${colour}/${centre}`; }));
  assert.equal(looks.size, HUES * CENTRES);
  assert.equal(look(flow.HELD, 1, 3).colour, look(flow.WAITING, 1, 3).colour);
  assert.notEqual(look(flow.HELD, 1, 3).shape, look(flow.WAITING, 1, 3).shape);
  assert.equal(look(flow.HELD, 2, 3).shape, look(flow.HELD, 2).shape, "shape says the state, with groups and without");
});

test("a fan-out: each branch is a row, nothing overlaps, losses lie beneath", () => {
  const roles = ["producer", "topic", "queue", "queue", "endpoint", "consumer", "consumer", "done", "lost", "dead-letter"];
  const links = [[0, 1], [1, 2], [1, 3], [1, 4], [2, 5], [3, 6], [5, 7], [6, 7], [1, 8], [1, 9]], places = roles.map((role) => ({ role }));
  assert.equal(layout.branches(places, links), 3);
  for (const [w, h] of [[640, 240], [1200, 360]]) {
    const made = layout.boxes(places, links, w, h);
    assert.equal(made[2].y, made[5].y); assert.equal(made[3].y, made[6].y);
    for (const [i, a] of made.entries())
      for (const [j, b] of made.entries())
        if (j > i) assert.ok(a.x + a.w <= b.x + 0.01 || b.x + b.w <= a.x + 0.01 || a.y + a.h <= b.y + 0.01 || b.y + b.h <= a.y + 0.01, `${roles[i]} and ${roles[j]}`);
    for (const b of made) assert.ok(b.x >= 0 && b.x + b.w <= w + 0.01 && b.y + b.h <= h + 0.01);
  }
});

test("what can be done to a consumer", () => {
  const canDo = [{ kind: "crash", targets: ["consumer-1"] }, { kind: "set", targets: ["consumer-1"] }, { kind: "burst", targets: [] }];
  assert.deepEqual(actionsFor(canDo, "consumer-1").map((x) => x.kind), ["crash"]);
  assert.deepEqual(actionsFor(canDo, "consumer-9"), []);
});

test("what waits for another attempt has a lane; what a topic only passes on has none", () => {
  let seen = 0;
  for (const { file } of files) {
    const run = open(file), { m, s } = run.moves, waiting = new Set(m.filter((_, move) => s[move] === flow.RETRY));
    const shown = lives.followed(run, m.length, run.messages);
    for (const message of waiting) assert.ok(shown.includes(message));
    for (const message of shown) assert.ok(s[run.first[message]] < flow.HERE || waiting.has(message));
    seen += waiting.size;
  }
  assert.ok(seen || !files.length);
});

for (const { file, checks } of files) {
  test(`${file.split("/").at(-1)}: any order of seeking gives the same state`, () => {
    const run = open(file);
    let state, x = 1;
    for (let i = 0; i < 60; i++) {
      x = (x * 48271) % 2147483647;
      const t = (x / 2147483647) * run.duration;
      state = flow.stateAt(run, t, state);
      assert.deepEqual(pick(state), pick(flow.stateAt(run, t)));
      for (const n of [...state.at, ...state.total, ...state.flying]) assert.ok(n >= 0, "no count is negative");
      const known = state.last.filter((move) => move >= 0).length;
      if (!run.ever[flow.HERE]) assert.equal(state.sent, known);
      assert.equal(state.total.reduce((a, b) => a + b) - state.total[flow.VAIN], known, "every message is somewhere once");
    }
  });

  test(`${file.split("/").at(-1)}: the counters are those of the measures`, () => {
    const run = open(file);
    for (const [t, expected] of checks) {
      const { total, duplicates, sent } = flow.stateAt(run, t);
      const got = { sent, waiting: total[flow.WAITING], delayed: total[flow.DELAYED], flight: total[flow.HELD] + total[flow.WORKING], done: total[flow.DONE], lost: total[flow.LOST], duplicates };
      for (const [name, value] of Object.entries(expected)) assert.equal(got[name], value, `${name} at ${t}`);
    }
  });
}
