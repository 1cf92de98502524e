// Keys and signs: what the keys do, and each sign with its name.
import { alpha } from "./theme.js";
import { bar, lock, mark, ring, socket } from "./glyph.js";
import { button, h, refill } from "./dom.js";

const KEYS = [
  ["Space", "play, pause"], ["← →", "one instant back, on; with Shift: further"], ["N P", "next, previous event of interest"],
    ["+ −", "faster, slower"],
  ["Home End", "the beginning; as far as was watched"], ["1 2 3", "draw a guess without a pointer: stays low, rises and stays, rises and falls"],
    ["A ?", "larger type; these keys"],
  ["Tab, Enter, ↓", "through the things in the picture; ask about one; what can be done to it"], ["Esc", "close the card"],
];
const SIGNS = [
  ["waits", (g, c) => mark(g, 14, 14, 15, { color: c.waiting })], ["in a hand", (g, c) => mark(g, 14, 14, 16, { shape: "square", color: c.hand })],
  ["comes again", (g, c) => mark(g, 14, 14, 15, { shape: "diamond", color: c.again })],
    ["refused, lost, or in vain", (g, c) => mark(g, 14, 14, 15, { shape: "cross", color: c.again })],
  ["its right has run out: receipt expired, caller gone", (g, c) => mark(g, 14, 14, 16, { shape: "square", color: c.vain, hollow: true })],
  ["ring: until it is visible again, or its caller gives up", (g, c) => { ring(g, 14, 14, 11, 0.65, c.hand, alpha(c.hand, 0.2), 3);
    mark(g, 14, 14, 12, { shape: "square", color: c.hand }); }],
  ["hidden in the queue, in somebody's hand", (g, c) => socket(g, 14, 14, 16, c.edge)],
  ["hidden, in nobody's hands: seconds left", (g, c) => { socket(g, 14, 14, 14, c.again, 1.8);
    ring(g, 14, 14, 11, 0.6, c.again, alpha(c.again, 0.2), 2.4); }],
  ["share of the work done", (g, c) => bar(g, 2, 12, 24, 5, 0.6, c.done, alpha(c.edge, 0.3))],
  ["work after the receipt expired, or the caller left", (g, c) => bar(g, 2, 12, 24, 5, 0.6, c.pale, alpha(c.edge, 0.3))],
  ["work too fast to see: its share of the time", (g, c) => bar(g, 2, 10, 24, 8, 0.6, c.hand, alpha(c.edge, 0.25))],
    ["one at a time: a FIFO group", (g, c) => lock(g, 14, 14, 18, c.ink)],
];

/** Returns {element, open(colours)}. */
export function help() {
  const body = h("div", {}), dialog = h("dialog", { class: "ml-help", "aria-label": "Keys and signs" }, body, button("Close", () => dialog.close()));
  return {
    element: dialog,
    open(col) {
      refill(body, h("h4", {}, "Signs"), h("ul", { class: "ml-signs" }, SIGNS.map(([words, draw]) => {
        const canvas = h("canvas", { width: 56, height: 56, "aria-hidden": "true" }), g = canvas.getContext("2d");
        g.scale(2, 2); draw(g, col);
        return h("li", {}, canvas, words);
      })), h("h4", {}, "Keys"), h("dl", {}, KEYS.map(([key, words]) => [h("dt", {}, key), h("dd", {}, words)])));
      dialog.showModal();
    },
  };
}
