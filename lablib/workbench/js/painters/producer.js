// Who sends. And who was sent away, or went: the place for what is lost.
import { box, circle, curve, fitting, mark, streak, text, way, width } from "../glyph.js";
import { brief } from "../theme.js";
import { upTo } from "../model.js";

export const producer = {
  place(b) { b.spot = (k) => [b.x + 14 + ((k.slot ?? 0) * 13) % Math.max(13, b.w - 24), b.y + b.h - 12]; },
  paint(g, b, lane, v) {
    const { col } = v, { run } = lane, n = brief(run.count("sent", v.t, b.place)), fs = b.fs, middle = b.y + b.h / 2;
    const down = lane.actorsAt(b.place).some((a) => run.stateOf(a, v.t).state === "down"), blocked = down ? 0 : run.blocked(v.t, b.place).length, key = `${lane.i}p${b.place}`,
      on = v.focus === key || v.hover?.id === key;
    box(g, b.x, b.y, b.w, b.h, 9, { fill: col.card, stroke: down ? col.again : blocked ? col.control : on ? col.ink : col.edge,
      dash: down ? [6, 4] : null, line: on || blocked ? 1.8 : 1.25 });
    text(g, run.places[b.place].label, b.x + 10, b.y + Math.min(17, b.h * 0.2),
      { size: fs, weight: 650, color: down ? col.again : col.ink, max: b.w - 14, least: 8.5 });
    const size = Math.min(34, b.h * 0.32, (b.w - 20) / (0.62 * n.length));
    text(g, n, b.x + b.w / 2, middle + fs * 0.4, { size, weight: 700, color: col.ink, align: "center" });
    if (b.h > fs * 5) text(g, down ? "crashed" : fitting(g, blocked ? [`sent, ${blocked} blocked`, "blocked"] : [run.lens?.sent ?? "sent", "sent"], b.w - 12, fs - 1),
      b.x + b.w / 2, middle + size * 0.62 + fs,
      { size: fs - 1, weight: down || blocked ? 700 : 400, color: down ? col.again : blocked ? col.control : col.soft, align: "center" });
    for (const m of lane.marksIn(b.place)) {             // what a program sends itself, and could not deliver yet
      if (run.delivers(m.k)) continue;
      const [x, y] = b.spot(m.k);
      mark(g, x, y, 11, { shape: "diamond", color: col.again });
      v.hits.push({ x, y, r: 9, id: `${lane.i}m${m.m}`, pick: { m: m.m, lane: lane.i } });
    }
    if (run.hues && b.h > fs * 11) hues(g, b, run.hues.names, col, middle + size * 0.62 + fs * 2.4);
    v.hits.push({ x: b.x, y: b.y, w: b.w, h: b.h, id: key, touch: { place: b.place, lane: lane.i, at: b }, pick: { place: b.place, lane: lane.i } });
  },
};

/** The colours of the senders, a small box each. */
function hues(g, b, names, col, top) {
  const per = Math.min(22, (b.w - 16) / 4);
  names.slice(0, 12).forEach((_, i) => {
    const y = top + Math.floor(i / 4) * 16;
    if (y < b.y + b.h - 12) box(g, b.x + 12 + (i % 4) * per, y, 13, 9, 2, { fill: col.groups[i % 12] });
  });
}

export const lost = {
  paint(g, b, lane, v) {
    const { col } = v, { run } = lane, fs = b.fs, n = run.count("lost", v.t, b.place), hue = n ? col.again : col.soft;
    box(g, b.x, b.y, b.w, b.h, 9, { fill: col.card, stroke: n ? col.again : col.edge });
    text(g, run.places[b.place].label, b.x + 10, b.y + 14, { size: fs - 0.5, weight: 650, color: hue, max: b.w - 14 });
    const why = run.once("why lost", () => [...new Set(run.list.filter((k) => k.state === "lost").map((k) => k.ended))]);
    const lines = why.filter((e) => run.count(`lost:${e}`, v.t)).map((e) => `${brief(run.count(`lost:${e}`, v.t))} ${run.said[e] ?? e}`);
    const size = Math.min(26, b.h * 0.28), drop = size * 0.62 + (b.h < 90 ? 3 : 8), many = b.h > 22 + size + (fs + 1) * lines.length;
    const y = b.y + 22 + (b.h - 26 - (many ? (fs + 1) * lines.length : 0)) / 2;
    text(g, brief(n), b.x + b.w / 2, y, { size, weight: 700, color: hue, align: "center" });
    if (many) lines.forEach((s, i) => text(g, s, b.x + b.w / 2, y + drop + i * (fs + 1),
      { size: fs - 1.5, color: col.ink, align: "center", max: b.w - 6 }));
  },

  /** What was refused goes to the door and back; a caller that gives up leaves from where it stood. */
  traces(g, b, lane, v) {
    for (const k of lane.run.began(v.t, v.back * 1.6)) {
      if (k.state !== "lost") continue;
      const u = v.run(k.t0) / 1.6, door = [...lane.boxes.values()].find((x) => x.column > b.column), from = b.under;
      if (u >= 1 || u < 0 || !door || !from) continue;
      if (lane.run.of.get(k.m).length > 1) {
        const x = from.x + from.w * 0.28 + ((k.m * 37) % Math.max(10, from.w * 0.5)), e = Math.min(1, u * 2.2);
        g.globalAlpha = 1 - Math.max(0, u * 1.8 - 0.8);
        mark(g, x, from.y + from.h - 12 + e * (b.y - from.y - from.h + 16), 11, { shape: "cross", color: v.col.again });
        g.globalAlpha = 1;
        continue;
      }
      const back = curve(door.x - 4, from.y + from.h / 2, b.x + b.w, b.y + b.h * 0.5, 0.6), [x, y] = way(back)(1 - (1 - u) ** 2);
      streak(g, way(back), Math.min(1, u), lane.size * 0.5, v.col.again);
      mark(g, x, y, Math.max(10, Math.min(16, lane.size)), { shape: "cross", color: v.col.again });
    }
  },
};

/** What is finished: a number; below it what was paid for nothing. */
export const done = {
  paint(g, b, lane, v) {
    const { col } = v, { run } = lane, n = brief(run.count("done", v.t)), fs = b.fs;
    box(g, b.x, b.y, b.w, b.h, 9, { fill: col.card, stroke: col.edge });
    text(g, run.places[b.place].label, b.x + 10, b.y + Math.min(17, b.h * 0.2), { size: fs + 0.5, weight: 650, color: col.ink, max: b.w - 14 });
    text(g, n, b.x + b.w / 2, b.y + b.h * 0.5 + 4, { size: Math.min(42, b.h * 0.34, (b.w - 22) / (0.64 * Math.max(2, n.length))), weight: 750,
      color: col.done, align: "center" });
    const vain = run.count("vain", v.t);
    if (vain && b.h > fs * 6) text(g, `${brief(vain)} in vain`, b.x + b.w / 2, b.y + b.h - 14,
      { size: fs - 1, weight: 600, color: col.again, align: "center", max: b.w - 6 });
  },
};

/** A topic or a bucket: a node that passes on, and keeps nothing (a topic) or everything (a bucket). */
export const node = {
  place(b) { b.spot = (k) => [b.x + b.w * 0.42, b.y + b.h * 0.5 + ((k.m * 29) % 5 - 2) * Math.min(7, b.h * 0.05)]; },
  paint(g, b, lane, v) {
    const { col } = v, k = Math.min(14, b.w * 0.2), label = lane.run.places[b.place].label, space = label.indexOf(" ");
    g.beginPath(); g.moveTo(b.x, b.y); g.lineTo(b.x + b.w - k, b.y); g.lineTo(b.x + b.w, b.y + b.h / 2); g.lineTo(b.x + b.w - k, b.y + b.h);
    g.lineTo(b.x, b.y + b.h);
    g.closePath(); g.fillStyle = col.tray; g.fill(); g.strokeStyle = col.edge; g.lineWidth = 1.4; g.stroke();
    text(g, space > 0 ? label.slice(0, space) : label, b.x + 8, b.y + 14, { size: b.fs, weight: 650, color: col.ink, max: b.w - k - 8, least: 8.5 });
    if (space > 0) text(g, label.slice(space + 1), b.x + 8, b.y + 14 + b.fs * 1.2, { size: b.fs - 1, color: col.soft, max: b.w - k - 8, least: 8.5 });
    for (const x of lane.run.began(v.t, v.back)) if (x.place === b.place && v.since(x.t0) >= 0 && v.since(x.t0) < 0.5 && x.t1 <= v.t) mark(g,
      ...b.spot(x), Math.min(15, lane.handSize), { color: col.waiting });
    const here = lane.marksIn(b.place).filter((m) => !lane.run.delivers(m.k)), s = Math.min(11, lane.handSize), step = s * 1.3;   // the others are on their way
    const top = b.y + 14 + b.fs * (space > 0 ? 1.9 : 0.8), cols = Math.max(1, Math.floor((b.w - k - 12) / step)),
      rows = Math.max(1, Math.floor((b.y + b.h - 4 - top) / step)), most = here.length > cols * rows ? Math.max(1, cols * rows - Math.ceil(20 / step)) : here.length;
    here.slice(0, most).forEach((m, i) => {
      const x = b.x + 8 + s / 2 + (i % cols) * step, y = Math.min(top + s / 2 + Math.floor(i / cols) * step, b.y + b.h - s / 2 - 3), again = m.k.state === "retrying";
      mark(g, x, y, s, { color: again ? col.again : lane.hue(m, col), shape: again ? "diamond" : m.sign });
      v.halo(g, m, x, y, s / 2 + 2);
      v.hits.push({ x, y, r: s * 0.65, id: `${lane.i}m${m.m}`, pick: { m: m.m, lane: lane.i } });
    });
    if (here.length > most) text(g, `+${here.length - most}`, b.x + b.w - k - 2, Math.min(top + s / 2 + (rows - 1) * step, b.y + b.h - s / 2 - 3),
      { size: b.fs - 2, weight: 700, color: col.again, align: "right" });
  },
  about(run, place, t) {
    const came = run.once(`came to ${place}`, () => {    // not what is on its way from here: the deliveries of it
      const here = new Set(run.list.filter((k) => k.place === place).map((k) => k.m));
      return [...here].filter((m) => !here.has(run.parent?.[m])).map((m) => run.born(m)).sort((x, y) => x - y);
    });
    const late = run.count("retrying", t, place), bucket = run.places[place].role === "bucket";
    return [`${brief(upTo(came, t))} came.`, bucket ? "It keeps each." : "It passes each on at once, and keeps none.",
      late ? `${late === 1 ? "1 delivery" : `${brief(late)} deliveries`} could not be made yet, and will be tried again.` : ""];
  },
};

/** An inbox outside: how many it answered, and whether the last attempt was taken. */
export const inbox = {
  place(b) { b.spot = () => [b.x + b.w - 18, b.y + b.h / 2]; },
  paint(g, b, lane, v) {
    const { col } = v, { run } = lane, n = run.count("told", v.t, b.place),
      last = run.once(`to ${b.place}`, () => run.ends.filter((k) => ["passing", "retrying"].includes(k.state) && run.to?.[k.m] === b.place))
        .findLast((k) => k.t1 <= v.t);
    box(g, b.x, b.y, b.w, b.h, 9, { fill: col.card, stroke: col.edge, line: 1.3 });
    const whole = run.places[b.place].label, low = b.h < b.fs * 2.9, owner = whole.split("'")[0], count = `${brief(n)} taken`;
    const both = width(g, owner, b.fs, 650) + width(g, count, b.fs - 1) + 44 <= b.w, words = low && !both ? brief(n) : count;
    const room = b.w - (low ? (b.w < b.fs * 12 ? 24 : 44) + width(g, words, b.fs - 1) : 16), tall = b.h > b.fs * 5;
    const label = tall ? whole : fitting(g, [whole, owner], room, low ? b.fs : 8.5, 650), cut = label.indexOf(" "),
      two = tall && cut > 0 && width(g, label, b.fs, 650) > room;
    (two ? [label.slice(0, cut), label.slice(cut + 1)] : [label]).forEach((line, i, all) => text(g, line, b.x + 10,
      b.y + (low ? b.h / 2 : b.h / 2 - b.fs * (0.6 + 1.2 * (all.length - 1 - i))), { size: b.fs, weight: 650, color: col.ink, max: room, least: 8.5 }));
    text(g, words, low ? b.x + b.w - (b.w < b.fs * 12 ? 8 : 28) : b.x + 10, b.y + (low ? b.h / 2 : b.h / 2 + b.fs * 0.7),
      { size: b.fs - 1, color: col.soft, align: low ? "right" : "left" });
    const open = low ? [] : lane.marks.filter((m) => run.delivers(m.k) && run.to[m.m] === b.place && v.t - m.k.t0 > 1), y = b.y + b.h / 2 + b.fs * 0.7,
      left = b.x + 16 + width(g, words, b.fs - 1), fit = Math.max(0, Math.floor((b.x + b.w - 6 - left) / 11)), most = open.length > fit ? Math.max(0, fit - 2) : open.length;
    open.slice(0, most).forEach((m, i) => {               // it has these, and has not answered
      const x = b.x + b.w - 12 - i * 11;
      mark(g, x, y, 9, { color: col.waiting, hollow: true, ground: col.card });
      v.hits.push({ x, y, r: 6, id: `${lane.i}m${m.m}`, pick: { m: m.m, lane: lane.i } });
    });
    if (open.length > most) text(g, `+${open.length - most}`, b.x + b.w - 8 - most * 11, y, { size: b.fs - 2, weight: 700, color: col.waiting, align: "right" });
    if (last && v.since(last.t1) < 0.6) circle(g, ...b.spot(), 6, { fill: run.outcome(last) === "told" ? col.done : col.again });
  },
  about(run, place, t) {
    const open = run.at(t).filter((k) => run.delivers(k) && run.to[k.m] === place && t - k.t0 > 1).length;
    return [`${brief(run.count("told", t, place))} taken.`, open ? `It has ${brief(open)} more, and has not answered yet.` : ""];
  },
};
