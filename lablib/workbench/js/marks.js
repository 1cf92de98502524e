// What the marks look like: shape says the state, colour says the state too or, where messages have groups, the group.
import { WAITING, DELAYED, HELD, DONE, DEAD, LOST, VAIN, HERE, RETRY, FILTERED } from "./state.js";
import { h } from "./dom.js";

const COLOURS = ["ink", "soft", "line", "card", "well", "waiting", "delayed", "flight", "again", "dead", "done", "lost", "accent"];
export const HUES = 8, CENTRES = 3;      // Okabe and Ito's eight, each solid, with a hole, with a bar: 24 looks, then again
const NAMED = 8;                         // so many groups are named in the legend

/** The colours in force, from the style sheet; read again when the theme changes. */
export function palette(element) {
  const style = getComputedStyle(element), names = [...COLOURS, ...Array.from({ length: HUES }, (_, i) => `g${i}`)];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--ml-${name}`).trim()]));
}

/**
 * What a mark looks like: {colour, shape, centre}. Shape says the state, for those who do not see the colour. `group`: the number
 * of the message's group, or -1; the same group has the same colour and centre in every state.
 */
export function look(status, times, group = -1) {
  const [colour, shape] = plain(status, times);
  if (group < 0 || shape === "cross") return { colour, shape, centre: 0 };
  return { colour: `g${group % HUES}`, shape, centre: Math.floor(group / HUES) % CENTRES, edge: true };
}

function plain(status, times) {
  if (status === DEAD) return ["dead", "cross"];
  if (status === LOST) return ["lost", "cross"];
  if (status === DONE) return ["done", "dot"];
  if (status === VAIN) return ["lost", "ring"];
  if (status === FILTERED) return ["soft", "triangle"];
  if (status === RETRY) return ["again", "ring"];
  if (status >= HERE) return ["ink", "dot"];
  if (times > 1) return ["again", "diamond"];
  if (status === DELAYED) return ["delayed", "ring"];
  return status === WAITING ? ["waiting", "dot"] : ["flight", "square"];
}

/** Draws one mark. `c`: the colours in force. */
export function drawMark(g, { shape, colour, centre, edge }, x, y, r, c) {
  g.fillStyle = g.strokeStyle = c[colour];
  g.beginPath();
  if (shape === "dot" || shape === "ring") g.arc(x, y, shape === "ring" ? r - 1 : r, 0, 6.2832);
  else if (shape === "square") g.roundRect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8, r * 0.35);
  else if (shape === "diamond") polygon(g, x, y, r * 1.25, [[0, -1], [1, 0], [0, 1], [-1, 0]]);
  else if (shape === "triangle") polygon(g, x, y, r, [[-1, -0.8], [1, -0.8], [0, 1]]);
  else { const d = r * 0.8; g.moveTo(x - d, y - d); g.lineTo(x + d, y + d); g.moveTo(x + d, y - d); g.lineTo(x - d, y + d); }
  if (shape === "ring" || shape === "cross") { g.lineWidth = Math.max(1.5, r * 0.4); g.stroke(); return; }
  g.fill();
  if (edge) { g.lineWidth = shape === "diamond" ? 1.6 : 0.8; g.strokeStyle = c.ink; g.stroke(); }
  if (!centre || r < 2.5) return;
  g.fillStyle = c.card;
  g.beginPath();
  if (centre === 1) g.arc(x, y, r * 0.42, 0, 6.2832); else g.rect(x - r * 0.72, y - r * 0.2, r * 1.44, r * 0.4);
  g.fill();
}

function polygon(g, x, y, d, corners) {
  corners.forEach(([dx, dy], i) => (i ? g.lineTo(x + dx * d, y + dy * d) : g.moveTo(x + dx * d, y + dy * d)));
  g.closePath();
}

/** Marks drawn once and stamped from then on: five hundred paths a frame are too many. New colours begin anew. */
export class Stamps {
  constructor() { this.made = new Map(); }

  draw(g, mark, x, y, r, c, ratio) {
    if (this.colours !== c || this.ratio !== ratio || this.made.size > 600) { this.made.clear(); this.colours = c; this.ratio = ratio; }
    const size = Math.round(r * 4) / 4, key = `${mark.shape}${mark.colour}${mark.centre}${mark.edge ? "e" : ""}${size}`;
    let stamp = this.made.get(key);
    if (!stamp) {
      const side = Math.ceil(2 * (size * 1.25 + 2));
      stamp = { side, canvas: h("canvas", { width: Math.ceil(side * ratio), height: Math.ceil(side * ratio) }) };
      const own = stamp.canvas.getContext("2d");
      own.scale(ratio, ratio);
      drawMark(own, mark, side / 2, side / 2, size, c);
      this.made.set(key, stamp);
    }
    g.drawImage(stamp.canvas, x - stamp.side / 2, y - stamp.side / 2, stamp.side, stamp.side);
  }
}

const PLAIN = [
  ["waiting", WAITING, 1], ["delayed", DELAYED, 1], ["in flight", HELD, 1], ["received more than once", HELD, 2], ["dead letter", DEAD, 1],
  ["worked on in vain", VAIN, 1], ["being passed on", HERE, 1], ["waits for the next attempt", RETRY, 1], ["filtered out", FILTERED, 1],
];

function swatch(mark, colours, words, title) {
  const canvas = h("canvas", { width: 28, height: 28, "aria-hidden": "true" }), g = canvas.getContext("2d");
  g.scale(2, 2);
  drawMark(g, mark, 7, 7, 4.6, colours);
  return h("span", { title }, canvas, words);
}

/** What the marks mean; only what occurs in the runs shown. */
export function legend(runs, colours) {
  const occurs = (status, n) => runs.some((run) => (n > 1 ? run.ever.again : run.ever[status]));
  const groups = runs.map((run) => run.groups).filter(Boolean).sort((a, b) => b.count - a.count)[0];
  const states = PLAIN.filter(([, status, n]) => occurs(status, n)).map(([words, status, n]) => {
    const mark = look(status, n);
    return swatch(groups && mark.shape !== "cross" ? { ...mark, colour: "soft" } : mark, colours, words);
  });
  if (!groups) return states;
  const looks = HUES * CENTRES, names = groups.names.slice(0, groups.count > NAMED ? 4 : NAMED);
  const rule = groups.count > looks ? `${groups.count} groups share ${looks} looks: click a message to see its group`
    : "colour and centre say the message group";
  return [...states, h("span", { class: "ml-groups", title: rule }, h("em", {}, groups.count > NAMED ? `${groups.count} groups:` : "groups:"),
    names.map((name, i) => swatch(look(HELD, 1, i), colours, name.length > 14 ? `${name.slice(0, 8)}…` : name, name)), groups.count > names.length ? `… ${groups.count > looks ? `(${looks} looks)` : ""}` : "")];
}
