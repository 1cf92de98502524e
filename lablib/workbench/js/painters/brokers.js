// A stage: two brokers, one store and its lock; clients whose connections break and come back. What lies in the store survives; what is
// only in the memory of a broker is hollow, and goes with it. The lens of the same name is the curve: how many clients have no broker.
import { bar, box, circle, curve, fitting, laneName, lock, mark, pipe, ring, socket, streak, text, way, width, along } from "../glyph.js";
import { alpha, brief, clamp, plural, seconds } from "../theme.js";
import { stepAt, steps } from "../model.js";

const within = (spans, t) => spans.find(([from, to]) => from <= t && t < to);
const roleOf = (run, role) => run.places.map((p, i) => (p.role === role ? i : -1)).filter((i) => i >= 0);

/** What a node does at t: {is: "serves" | "reads" | "waits" | "gone", since}. */
export function nodeAt(run, n, t) {
  const { nodes, serves, reads, starts } = run.lens, name = nodes[n], mine = serves.filter((s) => s[2] === name), now = within(mine, t);
  if (now) return { is: "serves", since: now[0] };
  const began = starts.filter(([at, who]) => who === name && at <= t).at(-1)?.[0] ?? -1, ended = mine.filter((s) => s[1] <= t).at(-1)?.[1] ?? -1;
  if (ended >= began && ended >= 0) return { is: "gone", since: ended };
  const read = reads.filter(([at, who]) => who === name && at <= t).at(-1)?.[0] ?? -1;
  return read >= began && read >= 0 && read > ended ? { is: "reads", since: read } : { is: "waits", since: Math.max(began, 0) };
}

/** Who has the lock: the number of a node, or -1. */
export const owner = (run, t) => run.lens.nodes.findIndex((_, n) => ["serves", "reads"].includes(nodeAt(run, n, t).is));

/** How many clients have no broker at t, of those that had one. */
export function unconnected(run, t) {
  return run.lens.clients.filter((c) => c.up.length && c.up[0][0] <= t && !within(c.up, t)).length;
}

function place(lane, y, H, W, big) {
  const { run } = lane, { clients, nodes } = run.lens, fs = big ? 16 : W < 760 ? 12 : 13, narrow = W < 760, n = clients.length;
  const top = y + (lane.label ? fs * 1.7 : 4), h = H - (top - y) - 4, tiny = W < 440,
    cw = tiny ? 108 : narrow ? (big ? 164 : 132) : big ? 260 : 212, cx = cw + (tiny ? 34 : narrow ? 66 : 126);   // tiny: a clock has no room for its seconds
  const flat = h < fs * 17, zone = tiny ? 4 : narrow || flat ? 8 : 18, room = W - cx - 4,   // flat: a low lane, with room for words and little else
    hw = Math.min(Math.max(290, room * 0.3), (room - (nodes.length > 1 ? 4 : 2) * zone - 10) / nodes.length),
    dh = flat ? clamp(h * 0.36, 34, 64) : clamp(h * 0.3, 58, 150), free = clamp(h * 0.17, 12, 34), bh = flat ? h - dh - free : clamp(h * 0.4, 74, 176);
  const gap = nodes.length > 1 ? Math.min(Math.max(110, room * 0.16), room - 2 * hw - 2 * zone) : 0,
    left = cx + (room - nodes.length * hw - gap) / 2;
  const b = nodes.map((_, i) => ({ x: left + i * (hw + gap), y: top + (flat ? 0 : narrow ? 8 : 20), w: hw, h: bh }));
  const dw = Math.min(Math.max(620, room * 0.62), room - 8), drum = { x: cx + (room - dw) / 2, y: top + h - dh, w: dw, h: dh, ry: flat ? 8 : 11, clear: flat ? 4 : 8 };
  const step = h / Math.max(1, n), cells = clients.map((c, i) => ({ x: 1, y: top + i * step, w: cw, h: Math.min(112, step - Math.min(8, step * 0.14)) }));
  const down = b.map((k, i) => { const x0 = k.x + k.w / 2, y0 = k.y + k.h, x3 = drum.x + drum.w * (nodes.length > 1 ? (i ? 0.7 : 0.3) : 0.5), y3 = drum.y + 5;
    return { x0, y0, x1: x0, y1: y0 + (y3 - y0) * 0.5, x2: x3, y2: y3 - (y3 - y0) * 0.5, x3, y3 }; });
  const s = sizeOf(run, flat ? 9 : big ? 24 : h < 300 ? 15 : 19, drum, b[0], fs), below = drum.y - b[0].y - bh;
  lane.brokers = { fs, flat, narrow, tiny, b, drum, cells, down, zone, top, h, s, W, free: below, ring: Math.min(9, step * 0.4), small: Math.max(8.5, Math.min(fs, step * 0.64)) };
}

/** The most messages that lie in the store, and in a broker's memory alone, at the same time. */
const crowds = (run) => run.once("crowds of brokers", () => {
  const stored = new Set(run.lens.stored), queue = roleOf(run, "queue")[0];
  const of = (safe) => Math.max(0, ...steps(run.list.filter((k) => k.place === queue && k.holder < 0 && stored.has(k.m) === safe)
    .flatMap((k) => [[k.t0, 1], ...(k.t1 < Infinity ? [[k.t1, -1]] : [])])).y);
  return { stored: of(true), memory: of(false) };
});

const grid = (d, s, fs) => [Math.max(1, Math.floor((d.w - 36) / (s * 1.32))), Math.max(0, Math.floor((d.h - 2 * d.ry - d.clear - fs * 1.5 - 2) / (s * 1.32)))];
const gridIn = (b, s, fs) => [Math.max(1, Math.floor((b.w - 24) / (s * 1.32))), Math.max(0, Math.floor((b.h - fs * 5 - 6) / (s * 1.32)))];

/** One size of mark for the whole run: the largest with which the fullest store and the fullest memory have room. */
function sizeOf(run, most, drum, home, fs) {
  const n = crowds(run), fits = ([per, high], count) => per * high >= count, none = ([, high]) => !high;
  for (let s = most; s > 4; s -= 1) if (fits(grid(drum, s, fs), n.stored) && (none(gridIn(home, s, fs)) || fits(gridIn(home, s, fs), n.memory))) return s;
  return 4;
}

/** A client's way to a node: to the first one straight, to the second one below the first, so that it crosses no words. */
function line(st, i, n) {
  const c = st.cells[i], b = st.b[n], x0 = c.x + c.w, y0 = c.y + c.h / 2, lead = st.flat ? 6 : 30, y3 = b.y + lead + (i + 0.5) * ((b.h - lead - 10) / st.cells.length);
  if (!n) return [curve(x0, y0, b.x, y3)];
  const a = st.b[0], edge = Math.min(8, st.free * 0.2), apart = Math.min(6, Math.min(40, st.free - 2 * edge) / st.cells.length);
  const low = a.y + a.h + edge + i * apart, xa = a.x - 6, xm = a.x + a.w + 4;
  return [curve(x0, y0, xa, low), curve(xa, low, xm, low), curve(xm, low, b.x, y3, 0.55)];
}

function stroke(g, parts) {
  g.beginPath(); g.moveTo(parts[0].x0, parts[0].y0);
  for (const k of parts) g.bezierCurveTo(k.x1, k.y1, k.x2, k.y2, k.x3, k.y3);
  g.stroke();
}

function theLock(g, lane, v) {
  const { col, t } = v, st = lane.brokers, has = owner(lane.run, t), { lens } = lane.run;
  st.down.forEach((c, n) => pipe(g, c, has === n ? 12 : 8, col, { state: nodeAt(lane.run, n, t).is === "gone" ? "broken" : "open" }));
  const home = has < 0 ? lens.serves.filter((s) => s[1] <= t).at(-1) : null;
  const n = has >= 0 ? has : Math.max(0, lens.nodes.indexOf(home?.[2])), [x, y] = along(st.down[n], 0.5), hue = has < 0 ? col.again : col.done;
  const side = Math.min(34, st.free);
  box(g, x - side / 2, y - side / 2, side, side, side / 4, { fill: col.page, stroke: hue, line: 1.8, dash: has < 0 ? [4, 3] : null });
  lock(g, x, y - side * 0.09, side * 0.65, hue, has < 0);
  const words = has < 0 ? ["the lock is free", "free", ""] : lens.nodes.length > 1 ? ["the lock: one broker only", "the lock", ""] : ["the lock", ""];
  const clear = (at) => st.drum.y + 12 - at > st.fs * 1.2;   // in a low picture the sign stands alone, and not over the store's name
  const ways = st.down.map((c) => along(c, 0.5)[0]), room = (from) => Math.min(st.W, ...ways.filter((at) => at > from).map((at) => at - 18)) - from - 4;
  if (clear(y)) text(g, fitting(g, words, room(x + 24), st.fs, 600), x + 24, y, { size: st.fs - 0.5, weight: 600, color: hue });
  for (const [i, name] of lens.nodes.entries()) {
    const poll = lens.polls?.[name];
    if (nodeAt(lane.run, i, t).is !== "waits" || !poll || t >= poll[0]) continue;
    const left = (poll[0] - t) % poll[1], [px, py] = along(st.down[i], 0.5);
    const r = Math.min(10, st.free * 0.4);
    circle(g, px, py, r + 3, { fill: col.page }); ring(g, px, py, r, left / poll[1], col.control, alpha(col.control, 0.2), 3);
    if (clear(py)) text(g, fitting(g, [`tries the lock in ${seconds(left)}`, seconds(left), ""], room(px + 17), st.fs - 1),
      px + 17, py, { size: st.fs - 1, color: col.control });
  }
}

/** Words for what a node does at t, longest first. */
function doing(run, n, t) {
  const { is, since } = nodeAt(run, n, t), words = { serves: since > 0 ? `active for ${seconds(t - since)}` : "active", reads: `reads the store: ${seconds(t - since)}`,
    waits: "standby: waits for the lock", gone: `gone for ${seconds(t - since)}` }[is];
  return [words, words.split(":")[0], words.split(/[ :]/)[0]];
}

const inQueue = (lane) => lane.here.get(roleOf(lane.run, "queue")[0]) ?? [];

/** What is only in a broker's memory at t (of what is `here`, in the queue), how many messages it lost with its memory, and words for either, longest first. */
function memory(run, t, n, here) {
  const { is } = nodeAt(run, n, t), name = run.lens.nodes[n], stored = run.once("stored", () => new Set(run.lens.stored));
  const soft = owner(run, t) === n ? here.filter((m) => !stored.has(m.m)) : [];
  const lost = is === "serves" ? 0 : run.lens.gone.filter(([at, who]) => at <= t && who === name).length;
  return { soft, lost, words: soft.length ? [`${soft.length} only in memory`, `${soft.length} in memory`] : lost ? [`${lost} lost with its memory`, `${lost} lost`] : [] };
}

const kB = (bytes) => (bytes < 1 << 20 ? `${brief(Math.round(bytes / 1024))} kB` : `${brief(Number((bytes / (1 << 20)).toPrecision(3)))} MB`);

/** How much of its memory for messages node n has used at t: {bytes, limit, share}; null where it does not serve, or never comes near the limit. */
function room(run, n, t) {
  const { limit, ...used } = run.lens.room ?? { limit: 0, y: [] };
  if (Math.max(0, ...used.y) < limit * 0.05 || nodeAt(run, n, t).is !== "serves") return null;
  const bytes = stepAt(used, t);
  return { bytes, limit, share: bytes / limit };
}

/** The shops of which the broker reads nothing at t. */
const stopped = (run, t) => run.blocked(t).map((a) => a.name);

/** The memory of a broker: how much of it is used, of how much. Beside its name, or where that is too long (`beside` > 0), beside its state, which is so wide. */
function gauge(g, b, fs, { bytes, limit, share }, full, col, beside) {
  const w = beside ? b.w - 34 - beside : b.w * 0.46, x = b.x + b.w - 12 - w, hue = full ? col.control : col.soft, [some, all] = [kB(bytes), kB(limit)];
  const of = some.endsWith(all.slice(-2)) ? `${some.slice(0, -3)} of ${all}` : `${some} of ${all}`, ground = alpha(full ? col.control : col.waiting, 0.16);
  text(g, fitting(g, full ? [`memory full: ${of}`, `full: ${of}`, "full", ""] : [`memory: ${of}`, of, some, ""], w, fs - 1, full ? 650 : 450), x + w,
    b.y + (beside ? 17 + fs * 1.35 : 16), { size: fs - 1, weight: full ? 650 : 450, color: hue, align: "right" });
  const filled = clamp(share, 0, 1), color = full ? col.control : col.waiting;
  if (beside) bar(g, b.x + 12, Math.min(b.y + 17 + fs * 2, b.y + b.h - 5), b.w - 24, 3, filled, color, ground);
  else bar(g, x, b.y + 17 + fs, w, fs * 0.62, filled, color, ground);
}

function house(g, lane, v, n) {
  const { col, t } = v, st = lane.brokers, b = st.b[n], { is } = nodeAt(lane.run, n, t), fs = st.fs, p = roleOf(lane.run, "broker")[n];
  const hue = { serves: col.done, reads: col.hand, waits: col.soft, gone: col.again }[is], id = `${lane.i}b${n}`;
  if (!st.narrow && !st.flat) {
    box(g, b.x - st.zone, b.y - 19, b.w + 2 * st.zone, b.h + 30, 12, { stroke: alpha(col.edge, 0.6), line: 1.1, dash: [3, 4] });
    text(g, `availability zone ${"ab"[n]}`, b.x + b.w + st.zone - 7, b.y - 9, { size: fs - 2, color: col.soft, align: "right" });
  }
  box(g, b.x, b.y, b.w, b.h, 9, { fill: is === "serves" ? alpha(col.done, 0.07) : is === "gone" ? alpha(col.again, 0.07) : col.card, stroke: hue,
    line: is === "waits" ? 1.3 : v.hover?.id === id ? 2.8 : 2.1, dash: is === "gone" ? [6, 5] : null });
  const [words, short, word] = doing(lane.run, n, t), used = room(lane.run, n, t), { label } = lane.run.places[p];
  const half = b.w * 0.5 - 16, under = used && width(g, label, fs + 1.5, 680) > half, wide = used && !under ? half : b.w - 20;
  text(g, label, b.x + 12, b.y + 16, { size: fs + 1.5, weight: 680, color: hue, max: wide, least: fs - (st.tiny ? 4 : 3) });
  const told = used || gridIn(b, st.s, fs)[1] ? [] : memory(lane.run, t, n, inQueue(lane)).words;   // no room for marks: their number beside the state
  const forms = told.length ? [...told.map((x) => `${short}, ${x}`), told.at(-1)] : [words, short, word];
  const said = text(g, under ? word : fitting(g, forms, wide, fs, 600), b.x + 12, b.y + 17 + fs * 1.35, { size: fs, weight: 600, color: hue, max: wide });
  if (used) gauge(g, b, fs, used, stopped(lane.run, t).length > 0, col, under ? said : 0);
  v.hits.push({ x: b.x, y: b.y, w: b.w, h: b.h, id, touch: is === "serves" ? { place: p, lane: lane.i, at: b } : null,
    pick: { place: p, lane: lane.i } });
}

/** Messages that wait: those of the store in the drum, the rest in the memory of who serves; what was lost with a memory stays as a cross. */
function messages(g, lane, v) {
  const { col, t } = v, { run } = lane, st = lane.brokers, { drum: d, s, fs } = st;
  const stored = run.once("stored", () => new Set(run.lens.stored)), served = within(run.lens.serves, t);
  const safe = inQueue(lane).filter((m) => stored.has(m.m)), { ry } = d, step = s * 1.32;
  g.beginPath(); g.ellipse(d.x + d.w / 2, d.y + ry, d.w / 2, ry, 0, Math.PI, 0); g.lineTo(d.x + d.w, d.y + d.h - ry);
  g.ellipse(d.x + d.w / 2, d.y + d.h - ry, d.w / 2, ry, 0, 0, Math.PI); g.closePath();
  g.fillStyle = col.tray; g.fill(); g.strokeStyle = col.ink; g.lineWidth = 1.7; g.stroke();
  g.beginPath(); g.ellipse(d.x + d.w / 2, d.y + ry, d.w / 2, ry, 0, 0, 7); g.fillStyle = col.well; g.fill(); g.stroke();
  text(g, run.lens.nodes.length > 1 ? "shared store" : "store", d.x + d.w / 2, d.y + ry + 1, { size: fs, weight: 650, color: col.ink, align: "center" });
  const sit = (list, x0, y0, per, rows, hollow) => {
    list.slice(0, per * rows).forEach((m, i) => {
      const x = x0 + (i % per) * step, y = y0 + Math.floor(i / per) * step, held = served && m.k.state === "hidden";
      g.globalAlpha = v.select?.m !== undefined && v.select.m !== m.m ? 0.35 : 1;
      if (held) socket(g, x, y, s, hollow ? col.waiting : m.again ? col.again : col.edge, 1.5);
      else mark(g, x, y, s, { color: m.again ? col.again : col.waiting, hollow, ground: col.card, shape: m.again ? "diamond" : "dot",
        n: s > 17 ? m.m + 1 : null, ink: col.onmark });
      v.hits.push({ x, y, r: s * 0.6, id: `${lane.i}m${m.m}`, pick: { m: m.m, lane: lane.i } });
    });
    g.globalAlpha = 1;
    return Math.max(0, list.length - per * rows);
  };
  const [per, rows] = grid(d, s, fs);
  const more = sit(safe, d.x + 18 + s / 2, d.y + 2 * ry + d.clear + s / 2, per, rows, false);
  const inStore = `${plural(safe.length, "message")} on the disk`, onDisk = `${safe.length} on the disk`;
  text(g, fitting(g, more && rows ? [`${inStore}, ${more} not drawn`, inStore, onDisk] : [inStore, onDisk], (d.w - 20) * 0.96, fs - 1), d.x + d.w / 2, d.y + d.h - fs * 0.9,
    { size: fs - 1, color: col.soft, align: "center", italic: true });
  for (const [i, b] of st.b.entries()) {
    const [wide, high] = gridIn(b, s, fs), { soft, lost, words } = memory(run, t, i, inQueue(lane)), y0 = b.y + fs * 3.1 + 8 + s / 2;
    if (!high || !words.length) continue;
    const extra = soft.length ? sit(soft, b.x + 14 + s / 2, y0, wide, high, true) : 0, fresh = soft.length > 0;
    for (let k = 0; !fresh && k < Math.min(lost, wide * high); k++) {
      const x = b.x + 14 + s / 2 + (k % wide) * step, y = y0 + Math.floor(k / wide) * step;
      circle(g, x, y, s / 2, { stroke: alpha(col.again, 0.55), dash: [3, 3] }); mark(g, x, y, s * 0.85, { shape: "cross", color: col.again });
    }
    const forms = extra ? [`${words[0]}, ${extra} not drawn`, ...words] : words, room = (b.w - 20) * 0.96;   // slanted words are a little wider
    text(g, fitting(g, forms, room, fs - 1, fresh ? 400 : 650), b.x + 12, b.y + b.h - fs * 0.85,
      { size: fs - 1, weight: fresh ? 400 : 650, color: fresh ? col.soft : col.again, italic: fresh, max: b.w - 20, least: 8 });
  }
}

/** A shop or a packer, with what it keeps; and its connection. */
function client(g, lane, v, i) {
  const { col, t } = v, { run } = lane, st = lane.brokers, c = run.lens.clients[i], b = st.cells[i], low = b.h < st.fs * 3.25, fs = low ? st.small : st.fs, mid = b.y + b.h / 2;
  const now = within(c.up, t), born = c.up.length && c.up[0][0] <= t, actor = run.once(`actor ${c.name}`, () => run.actors.findIndex((a) => a.name === c.name));
  const down = actor >= 0 && run.stateOf(actor, t).state === "down", on = now || !born;
  const full = actor >= 0 && !down && now && run.stateOf(actor, t).state === "blocked", stuck = full ? c.held.filter(([from, to]) => from <= t && t < to).length : 0;
  const before = c.up.filter((u) => u[1] <= t).at(-1), n = now ? run.lens.nodes.indexOf(now[2]) : before ? run.lens.nodes.indexOf(before[2]) : 0;
  if (now) {
    const fresh = now[0] > 1 && v.since(now[0]) < 1, parts = line(st, i, n);
    g.strokeStyle = full ? col.control : col.done; g.lineWidth = fresh ? 4 : st.cells.length > 8 ? 1.6 : 2.4; stroke(g, parts);
    const { x3, y3 } = parts.at(-1);
    const gate = Math.min(7, (st.b[n].h * 0.36) / st.cells.length);
    if (full) box(g, x3 - 6, y3 - gate, 4, 2 * gate, 1, { fill: col.control });   // it is shut
    else circle(g, x3, y3, 3.6, { fill: col.done });
  } else if (born && !down) {
    const u = clamp(v.since(before[1]) / 0.8, 0, 1);
    g.save(); g.globalAlpha = v.reduced ? 0.3 : 0.75 - 0.5 * u; g.strokeStyle = col.again; g.lineWidth = 1.6; g.setLineDash([5, 6]);
    stroke(g, line(st, i, Math.max(0, n))); g.restore();
    const wait = c.tries.find(([from, to]) => from <= t && t < to), x = b.x + b.w + 18, w = st.narrow ? 36 : 96;
    if (wait) {
      circle(g, x, mid, st.ring + 3, { fill: col.page });   // the line begins behind the ring
      ring(g, x, mid, st.ring, (wait[1] - t) / (wait[1] - wait[0]), col.again, alpha(col.again, 0.2), Math.min(3, st.ring / 3));
      if (!st.tiny && (!low || st.cells.length < 14)) text(g, fitting(g, [`tries in ${seconds(wait[1] - t)}`, seconds(wait[1] - t)], w, fs - 1, 600), x + 14, mid,
        { size: fs - 1, weight: 600, color: col.again });
    }
  }
  const id = `${lane.i}c${i}`, place = run.places.findIndex((p) => p.role === (c.sends ? "producer" : "consumer"));
  const well = on && !down, tight = b.h < 16 && v.hover?.id !== id;   // a dashed frame would lie over the words of a low cell
  box(g, b.x, b.y, b.w, b.h, Math.min(8, b.h / 3), { fill: tight && !well ? alpha(col.again, 0.12) : col.well, stroke: full ? col.control : well ? col.edge : tight ? null : col.again,
    line: v.hover?.id === id ? 2.2 : full ? 1.8 : on ? 1.2 : 1.7, dash: well ? null : [6, 4] });
  v.hits.push({ x: b.x, y: b.y, w: b.w, h: b.h, id, touch: { place, lane: lane.i, actor, at: b }, pick: actor >= 0 ? { actor, lane: lane.i } :
    { place, lane: lane.i } });
  const y1 = low ? mid : b.y + fs * 1.05, right = b.x + b.w - 9;
  const room = b.w - 26 - text(g, c.name, b.x + 10, y1, { size: fs, weight: 650, color: on && !down ? col.ink : col.again, max: b.w * 0.45, least: 9 });
  if (c.sends) {
    const kept = c.orders.filter(([made, gone]) => made <= t && (gone === null || gone > t + 0.05)).length, sent = c.orders.filter(([, gone]) =>
      gone !== null && gone <= t).length, vain = run.lens.lost.filter(([at, who]) => at <= t && who === c.name).length;
    const shut = [`blocked, ${stuck} in its connection`, `blocked, ${stuck} wait${stuck === 1 ? "s" : ""}`, "blocked"];
    const [forms, wide, hue, weight] = low && full ? [shut, room, col.control, 650]
      : low && vain ? [[`${vain} into a dead connection`, `${vain} sent in vain`, `${vain} in vain`], room, col.again, 650]
      : kept ? [[`${kept} kept here`, `${kept} kept`], b.w * 0.48, full ? col.control : col.again, 650] : [[`${sent} sent`, `${sent}`], room, col.soft, 400];
    text(g, fitting(g, forms, wide, fs - 1, weight), right, y1, { size: fs - 1, weight, color: hue, align: "right" });
    if (low) return;
    const three = vain || full, gap = b.h - fs * 3.1;       // between two lines of words
    const s = Math.min(14, three ? gap : b.h * 0.24, (b.w - 20) / 1.15 / Math.max(8, kept)), fits = Math.floor((b.w - 20) / (s * 1.15)),
      y = three ? b.y + fs * 1.65 + gap / 2 : mid + fs * 0.5, drawn = s < 7 ? 0 : fits;   // smaller ones are specks over the words
    for (let k = 0; k < Math.min(kept || stuck, drawn); k++) mark(g, b.x + 10 + s / 2 + k * s * 1.15, y, s, { color: col.waiting });
    if (full) {
      const told = [`blocked for ${seconds(t - run.stateOf(actor, t).from)}: ${stuck} in its connection`, ...shut];
      text(g, fitting(g, told, b.w - 18, fs - 1.5, 600), b.x + 10, b.y + b.h - fs * 0.8, { size: fs - 1.5, weight: 600, color: col.control, max: b.w - 16 });
    } else if (vain) {
      for (let k = 0; !kept && k < Math.min(vain, drawn); k++) mark(g, b.x + 10 + s / 2 + k * s * 1.15, y, s * 0.8, { shape: "cross", color: col.again });
      text(g, fitting(g, [`${vain} sent into a dead connection`, `${vain} sent in vain`], b.w - 18, fs - 1.5, 600), b.x + 10, b.y + b.h - fs * 0.8, { size: fs - 1.5, weight: 600, color: col.again, max: b.w - 16 });
    }
    return;
  }
  const mine = actor < 0 ? [] : lane.marksOf(actor), busy = mine.find((m) => m.bar !== null && m.bar < 1) ?? mine.find((m) => m.k.wf !== null && m.k.wu === null),
    rest = mine.length - (busy ? 1 : 0), done = c.done.filter((x) => x <= t).length;
  const gone = (run.lens.dropped ?? []).filter(([at, who]) => at <= t && who === c.name).length, lost = gone ? `${gone} lost` : "";
  const held = low && mine.length ? [`${mine.length} in hand · ${done} done`, `${mine.length} in hand`, `${mine.length} held`, `${mine.length}`] : [`${done} done`, `${done}`];
  const bad = down || (gone && !(low && mine.length)), forms = !bad ? held : gone ? [...(low && down ? [`crashed · ${lost}`] : [`${lost} · ${done} done`]), lost]
    : [`crashed · ${done} done`, "crashed"];
  text(g, fitting(g, forms, room, fs - 1), right, y1, { size: fs - 1, weight: bad ? 650 : 400, color: bad ? col.again : col.soft, align: "right" });
  if (down && gone && !low) text(g, fitting(g, ["crashed: what it had in hand is lost", "crashed"], b.w - 20, fs - 1), b.x + 10, b.y + fs * 2.2,
    { size: fs - 1, italic: true, color: col.again });
  if (low || down) return;
  const s = st.s, y = b.h < fs * 4 ? b.y + fs * 2.2 : mid + fs * 0.3;
  let taken = b.w * 0.55;
  if (busy) {
    mark(g, b.x + 12 + s / 2, y, s, { shape: busy.again ? "diamond" : "square", color: busy.again ? col.again : col.hand, n: s > 17 ? busy.m + 1 : null, ink: col.onmark });
    v.hits.push({ x: b.x + 12 + s / 2, y, r: s * 0.7, id: `${lane.i}m${busy.m}`, pick: { m: busy.m, lane: lane.i } });
    const words = busy.again ? [`message ${busy.m + 1} again`, `${busy.m + 1} again`] : [`message ${busy.m + 1}`, `${busy.m + 1}`];
    const told = fitting(g, words, b.w * 0.5, fs - 0.5, 600);
    text(g, told, b.x + 20 + s, y, { size: fs - 0.5, weight: 600, color: busy.again ? col.again : col.ink });
    taken = 20 + s + width(g, told, fs - 0.5, 600);
    if (busy.bar !== null) bar(g, b.x + 9, b.y + b.h - 8, b.w - 18, 4, busy.bar, col.done, alpha(col.edge, 0.22));
  } else text(g, on ? "waits for a message" : "no connection", b.x + 10, y, { size: fs - 1, italic: true, color: on ? col.soft : col.again });
  if (rest) text(g, fitting(g, [`${rest} more in hand`, `+${rest}`], right - b.x - taken - 8, fs - 1), right, y,
    { size: fs - 1, color: col.hand, align: "right" });
}

/** What goes along the connections: to the broker and, when it is stored, on to the disk; to a packer. */
function moves(g, lane, v) {
  const { col } = v, { run } = lane, st = lane.brokers, queue = roleOf(run, "queue")[0], s = st.s;
  const index = run.once("client of", () => new Map(run.lens.clients.map((c, i) => [c.name, i]))), stored = run.once("stored", () => new Set(run.lens.stored));
  for (const k of run.began(v.t, v.back)) {
    const u = v.run(k.t0);
    if (u < 0 || u >= 1) continue;
    if (k.holder >= 0 && k.state === "held" && k.wf === null) {
      const i = index.get(run.actors[k.holder].name), now = i === undefined ? null : within(run.lens.clients[i].up, v.t);
      if (now) streak(g, (z) => way(...line(st, i, run.lens.nodes.indexOf(now[2])))(1 - z), u, s * 0.4, k.copy > 1 ? col.again : col.hand);
    } else if (k.place === queue && k.state === "waiting") {
      const n = owner(run, v.t), from = run.lens.from?.[k.m], i = index.get(from);
      if (n < 0) continue;
      if (i !== undefined && within(run.lens.clients[i].up, v.t) && run.of.get(k.m)[0] === k) streak(g, way(...line(st, i, n)), u, s * 0.4, col.waiting);
      if (stored.has(k.m)) streak(g, way(st.down[n]), u, s * 0.4, col.waiting);
    }
  }
}

export const brokersStage = {
  layout(lanes, W, H, big) {
    const h = H / lanes.length;
    lanes.forEach((lane, i) => place(lane, i * h, h - (i < lanes.length - 1 ? 8 : 0), W, big));
  },
  draw(g, lanes, v) {
    for (const lane of lanes) {
      const { col, t } = v, st = lane.brokers;
      lane.at(t);
      if (lane.label) laneName(g, lane, 2, st.top - st.fs * 0.8, st.fs + 1, st.W - 8, col);
      st.b.forEach((_, n) => house(g, lane, v, n));
      theLock(g, lane, v);
      messages(g, lane, v);
      st.cells.forEach((_, i) => client(g, lane, v, i));
      moves(g, lane, v);
      const dark = unconnected(lane.run, t), all = lane.run.lens.clients.filter((c) => c.up.length).length;
      if (dark && st.h > 420 && st.W > 1000) text(g, `${all - dark} of ${all} clients have a broker`, st.W - 4, st.drum.y - st.fs * 0.7,
        { size: st.fs, weight: 650, color: col.again, align: "right" });
    }
  },
  anchor(e, lane) {
    const st = lane.brokers, i = lane.run.lens.clients.findIndex((c) => e.text?.startsWith(c.name)), n = lane.run.lens.nodes.findIndex((x) => e.text?.includes(x));
    if (i >= 0) return { x: st.cells[i].x + st.cells[i].w - 20, y: st.cells[i].y + 6, r: 2 };
    return { x: st.b[Math.max(0, n)].x + st.b[Math.max(0, n)].w / 2, y: st.b[Math.max(0, n)].y + 6, r: 2 };
  },
};

/** What became of the messages of the broker that went last: lost with its memory, and still in the hands of who had them. */
function left(run, t) {
  const node = run.lens.serves.filter((s) => s[1] <= t).at(-1)?.[2], gone = run.lens.gone.filter(([at, who]) => at <= t && who === node).length;
  const held = run.at(t).filter((k) => k.state === "held").length;
  return `${gone ? ` ${plural(gone, run.unit)} lost with its memory.` : ""}${held ? ` ${plural(held, run.unit)} ${held === 1 ? "is" : "are"} in the packers' hands.` : ""}`;
}

export const brokersLens = {
  wide: 0,
  about(run, p, t) {
    const n = roleOf(run, "broker").indexOf(p), queue = roleOf(run, "queue")[0];
    if (n < 0) return null;
    const [words] = doing(run, n, t), here = run.at(t).filter((k) => k.place === queue && k.holder < 0), [more] = memory(run, t, n, here).words;
    const clients = run.lens.clients.filter((c) => within(c.up, t)?.[2] === run.lens.nodes[n]).length;
    const used = room(run, n, t), shops = stopped(run, t), full = used && shops.length ? ` It is full: nothing is read from ${shops.join(", ")} until an order is done.` : "";
    return [`${words[0].toUpperCase()}${words.slice(1)}.`, `${plural(clients, "client")} connected.${more ? ` Messages: ${more}.` : ""}`,
      used ? `Memory for messages: ${kB(used.bytes)} of ${kB(used.limit)}.${full}` : ""];
  },
  curve(run) {
    const ends = run.lens.clients.flatMap((c) => c.up.flatMap(([from, to], i) => [...(i ? [[from, -1]] : []), ...(to < run.duration ? [[to, 1]] : [])]));
    const shut = run.actors.flatMap((a) => a.spans.flatMap(([from, to, state]) => (state === "blocked" ? [[from, 1], ...(to === null ? [] : [[to, -1]])] : [])));
    return { label: shut.length ? "clients without a broker, or blocked" : "clients without a broker", color: "again", ...steps([[0, 0], ...ends, ...shut]) };
  },
  say: (runs, t) => runs.map((run, i) => {
    const n = owner(run, t), dark = unconnected(run, t), head = runs.length > 1 ? `${"AB"[i]}: ` : "";
    const last = run.lens.serves.filter((s) => s[1] <= t).at(-1)?.[1];
    const name = run.places[roleOf(run, "broker")[n]]?.label ?? "The broker", alone = dark ? ` ${plural(dark, "client")} ha${dark === 1 ? "s" : "ve"} no connection.` : "";
    if (n < 0) return `${head}Nobody serves${last === undefined ? "" : `, for ${seconds(t - last)}`}.${left(run, t)}${alone}`;
    if (nodeAt(run, n, t).is === "reads") return `${head}${name} has the lock and reads the store.${alone}`;
    const shut = stopped(run, t).length, full = shut ? ` Its memory is full: ${plural(shut, "shop")} ${shut === 1 ? "is" : "are"} blocked.` : "";
    return `${head}${name} serves.${full}${alone}`;
  }).join("  "),
};
