// No two boxes of a picture lie on each other, and none is out of it. RUNS names a file that lists the files of runs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as model from "../../lablib/workbench/js/model.js";
import { Stage } from "../../lablib/workbench/js/stage.js";

const files = process.env.RUNS ? JSON.parse(readFileSync(process.env.RUNS)) : [];
for (const [W, H] of [[840, 340], [1000, 520], [1880, 860]]) test(`boxes in ${W} x ${H}`, () => {
  for (const file of files) {
    const run = model.openRun(model.unpack(readFileSync(file))), stage = new Stage();
    stage.layout(W, H, false); stage.show([{ run, label: "" }]);
    const boxes = [...stage.lanes[0].boxes.values()], name = (b) => `${file}: ${run.places[b.place].label}`;
    for (const [i, a] of boxes.entries()) {
      assert.ok(a.x >= -1 && a.y >= -1 && a.x + a.w <= W + 1 && a.y + a.h <= H + 1, `${name(a)} is out of the picture`);
      for (const b of boxes.slice(0, i)) assert.ok(Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x) <= 1 ||
        Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y) <= 1, `${name(a)} lies on ${name(b)}`);
    }
  }
});
