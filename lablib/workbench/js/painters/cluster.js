// A stage: three nodes and a queue of which a majority decides; shops that wait for confirms. A mark in a node is a message on its disk: filled when
// a majority has it, hollow when it has not. The lens of the same name is the curve: how many orders wait for a confirm.
import { box, circle, curve, fitting, laneName, mark, ring, text } from "../glyph.js";
import { alpha, clamp, plural, seconds } from "../theme.js";
import { steps } from "../model.js";

const within = (spans, t) => spans.find(([from, to]) => from <= t && t < to);
/** How many messages a node has on its disk at t. */
export const inNode = (run, name, t) => run.lens.copies[name].filter(([at]) => at <= t).at(-1)?.[1] ?? 0;
const newest = (list, name, t) => list.filter(([at, who]) => at <= t && who === name).at(-1);

const LATE = 0.5;                                       // seconds: an order that has no confirm yet is told of

/** What a node does at t: {is: "leads" | "follows" | "paused" | "gone", since, cut}. */
export function nodeAt(run, n, t) {
  const { nodes, up, leads, paused, cuts } = run.lens, name = nodes[n], now = within(up[name], t), led = within(leads, t);
  const cut = newest(cuts, name, t)?.[2] === "cut";
  if (!now) {
    const ended = up[name].filter((s) => s[1] <= t).at(-1)?.[1] ?? 0;
    return { is: paused.some(([at, who]) => who === name && Math.abs(at - ended) < 1e-6) ? "paused" : "gone", since: ended, cut };
  }
  return led?.[2] === name ? { is: "leads", since: led[0], cut } : { is: "follows", since: now[0], cut };
}

/** How many messages are safe at t: what the second fullest node has, or the only one of a classic queue. */
export function safe(run, t) {
  const counts = run.lens.nodes.map((name) => inNode(run, name, t)).sort((a, b) => b - a);
  return run.lens.quorum ? counts[1] : counts[0];
}

/** How many nodes reach another one at t, and words for it. A node that is cut off is there, and reaches nobody. */
export function together(run, t) {
  const all = run.lens.nodes.map((name, n) => ({ name, ...nodeAt(run, n, t) })), up = all.filter((k) => k.is === "leads" || k.is === "follows"),
    cut = up.filter((k) => k.cut), reach = up.length - cut.length > 1 ? up.length - cut.length : 0;
  const but = !cut.length || up.length < 2 ? "" : reach ? `, but ${cut[0].name} is cut off` : ", but none reaches another";
  return { reach, words: `${up.length} of ${all.length} nodes ${up.length === 1 ? "is" : "are"} there${but}` };
}

/** How many orders are made at t and not confirmed. */
export const waiting = (run, t) => run.lens.shops.reduce((sum, shop) =>
  sum + shop.orders.filter(([made, done]) => made <= t && (done === null || done > t)).length, 0);

function place(lane, y, H, W, big) {
  const { run } = lane, { nodes, shops } = run.lens, fs = big ? 16 : W < 760 ? 12 : 13, narrow = W < 760;
  const top = y + (lane.label ? fs * 1.7 : 4), h = H - (top - y) - 6, cw = narrow ? 132 : big ? 270 : 220, cx = cw + (narrow ? 44 : 118);
  const step = h / Math.max(1, shops.length), cells = shops.map((_, i) => ({ x: 1, y: top + i * step, w: cw, h: Math.min(104, step - Math.min(10, step * 0.14)) }));
  const gap = Math.min(narrow ? 10 : 22, h * 0.06), nh = (h - gap * (nodes.length - 1)) / nodes.length, nw = Math.min(Math.max(760, (W - cx) * 0.8), W - cx - (narrow ? 8 : 60));
  const b = nodes.map((_, i) => ({ x: cx, y: top + i * (nh + gap), w: nw, h: nh }));
  lane.cluster = { fs, narrow, b, cells, top, h, W, nh, s: clamp(nh * 0.16, 7, big ? 20 : 15) };
}

/** Words for what a node does at t, longest first; `bad`: it can decide nothing. */
function doing(run, n, t) {
  const { is, since, cut } = nodeAt(run, n, t), alone = !run.lens.quorum && !run.lens.mirrored ? "has the queue" : "leads";
  if (is === "follows") {
    if (!run.lens.leads.some(([from]) => from <= t)) return { forms: [""] };   // it is not declared yet
    if (!run.lens.quorum || (!cut && within(run.lens.leads, t))) return { forms: [run.lens.quorum ? "follows" : run.lens.mirrored ? "mirrors it" : "has no copy"] };
    return { bad: true, forms: cut || !together(run, t).reach ? ["no majority: decides nothing", "no majority"] : ["misses its leader: an election", "no leader"] };
  }
  return { forms: { leads: since > 1.5 && t - since < 600 ? [`${alone} for ${seconds(t - since)}`, alone] : [alone],
    paused: [`sees a minority, and pauses: ${seconds(t - since)}`, "pauses: a minority"], gone: [`no power for ${seconds(t - since)}`, "no power"] }[is] };
}

function node(g, lane, v, n) {
  const { col, t } = v, { run } = lane, st = lane.cluster, b = st.b[n], { is, cut } = nodeAt(run, n, t), fs = st.fs, name = run.lens.nodes[n];
  const hue = { leads: col.done, follows: col.ink, paused: col.control, gone: col.again }[is], id = `${lane.i}n${n}`, off = is === "gone" || is === "paused";
  const p = run.places.findIndex((q) => q.label === name);
  box(g, b.x, b.y, b.w, b.h, 9, { fill: is === "leads" ? alpha(col.done, 0.08) : is === "gone" ? alpha(col.again, 0.07) : col.card, stroke: hue,
    line: is === "leads" ? 2.6 : v.hover?.id === id ? 2.4 : 1.4, dash: off ? [6, 5] : null });
  const { forms, bad } = doing(run, n, t);
  const at = b.x + 12 + text(g, name, b.x + 12, b.y + fs * 1.1, { size: fs + 1.5, weight: 680, color: hue }) + 14;
  const wide = text(g, fitting(g, forms, b.w * 0.42, fs, 600), at, b.y + fs * 1.1, { size: fs, weight: 600, color: bad ? col.again : hue });
  if (cut) text(g, fitting(g, ["cut off from the others", "cut off"], b.x + b.w - at - wide - 30, fs, 650), b.x + b.w - 12, b.y + fs * 1.1,
    { size: fs, weight: 650, color: col.again, align: "right" });
  const count = inNode(run, name, t), sure = safe(run, t), s = st.s, step = s * 1.3, per = Math.max(1, Math.floor((b.w - 24) / step));
  const rows = Math.max(1, Math.floor((b.h - fs * 4.2) / step)), top = Math.min(fs * 2.3, (b.h + fs * 0.25 - s) / 2), shown = Math.min(count, per * rows), first = count - shown;
  for (let k = 0; k < shown; k++) {
    const x = b.x + 12 + s / 2 + (k % per) * step, y = b.y + top + s / 2 + Math.floor(k / per) * step;
    g.globalAlpha = is === "gone" ? 0.45 : 1;
    if (first + k < sure) mark(g, x, y, s, { color: off ? col.soft : col.waiting });
    else mark(g, x, y, s, { color: col.again, hollow: true, ground: col.card });
  }
  g.globalAlpha = 1;
  const behind = sure - count, tail = behind > 0 ? `, ${behind} missing` : count > sure ? `, ${count - sure} not on a majority` : "";
  const head = `${plural(count, "message")} on its disk`, newest = first ? `, the newest ${shown} drawn` : "", some = first ? `, ${shown} drawn` : "";
  text(g, fitting(g, [head + newest + tail, head + some + tail, head + tail], b.w - 24, fs - 1), b.x + 12, b.y + b.h - fs * 0.85,
    { size: fs - 1, italic: true, color: tail ? col.again : col.soft, max: b.w - 24 });
  v.hits.push({ x: b.x, y: b.y, w: b.w, h: b.h, id, touch: { place: p, lane: lane.i, at: b }, pick: { place: p, lane: lane.i } });
}

/** Who reaches whom, at the right edge: a line between two nodes, broken where one is gone or cut off. */
function wires(g, lane, v) {
  const { col, t } = v, st = lane.cluster, all = lane.run.lens.nodes.map((_, n) => nodeAt(lane.run, n, t));
  if (st.narrow) return;
  for (const [a, z, far] of [[0, 1, 16], [1, 2, 16], [0, 2, 40]]) {
    const p = st.b[a], q = st.b[z], x = p.x + p.w, y0 = p.y + p.h * 0.6, y1 = q.y + q.h * 0.4, bad = [all[a], all[z]].some((k) => k.is === "gone" || k.cut);
    g.beginPath(); g.moveTo(x, y0); g.bezierCurveTo(x + far, y0, x + far, y1, x, y1);
    g.strokeStyle = bad ? col.again : alpha(col.edge, 0.9); g.lineWidth = bad ? 1.4 : 2.2; g.setLineDash(bad ? [3, 5] : []); g.stroke(); g.setLineDash([]);
  }
}

function shop(g, lane, v, i) {
  const { col, t } = v, { run } = lane, st = lane.cluster, c = run.lens.shops[i], b = st.cells[i], low = b.h < st.fs * 3.4, fs = st.fs, mid = b.y + b.h / 2;
  const actor = run.once(`actor ${c.name}`, () => run.actors.findIndex((a) => a.name === c.name)), state = actor >= 0 ? run.stateOf(actor, t) : {};
  const now = within(c.up, t), full = now && state.state === "blocked", n = now ? run.lens.nodes.indexOf(now[2]) : -1, there = n >= 0 && ["leads", "follows"].includes(nodeAt(run, n, t).is);
  if (now && n >= 0) {
    const k = st.b[n], w = curve(b.x + b.w, mid, k.x, k.y + k.h * ((i + 1) / (run.lens.shops.length + 1)));
    g.beginPath(); g.moveTo(w.x0, w.y0); g.bezierCurveTo(w.x1, w.y1, w.x2, w.y2, w.x3, w.y3);
    g.strokeStyle = !there ? col.again : full ? col.control : col.done; g.lineWidth = there ? 2.2 : 1.6; g.setLineDash(there ? [] : [5, 6]); g.stroke(); g.setLineDash([]);
    if (there && full) box(g, w.x3 - 6, w.y3 - 7, 4, 14, 1, { fill: col.control });   // it is shut
    else circle(g, w.x3, w.y3, 3.4, { fill: there ? col.done : col.again });
  }
  const wait = now ? null : within(c.waits, t), made = c.orders.filter(([at]) => at <= t), done = made.filter(([, at]) => at !== null && at <= t).length, kept = made.length - done;
  const oldest = made.filter(([, at]) => at === null || at > t).reduce((least, [at]) => Math.min(least, at), t), late = t - oldest > LATE;
  const id = `${lane.i}s${i}`, p = run.places.findIndex((q) => q.role === "producer");
  box(g, b.x, b.y, b.w, b.h, Math.min(8, b.h / 3), { fill: col.well, stroke: full ? col.control : late ? col.again : col.edge, line: late || full ? 1.8 : 1.2, dash: now || !made.length ? null : [6, 4] });
  v.hits.push({ x: b.x, y: b.y, w: b.w, h: b.h, id, touch: { place: p, lane: lane.i, actor, at: b }, pick: actor >= 0 ? { actor, lane: lane.i } : { place: p, lane: lane.i } });
  const y1 = low ? mid : b.y + fs * 1.05;
  text(g, c.name, b.x + 10, y1, { size: fs, weight: 650, color: full ? col.control : late ? col.again : col.ink, max: b.w * 0.4, least: 9 });
  text(g, fitting(g, low && full ? [`blocked, ${done} confirmed`, "blocked"] : [`${done} confirmed`, `${done}`], b.w * 0.55, fs - 1), b.x + b.w - 9, y1,
    { size: fs - 1, weight: low && full ? 650 : 400, color: low && full ? col.control : col.soft, align: "right" });
  if (wait) {
    ring(g, b.x + b.w + 16, mid, 9, (wait[1] - t) / (wait[1] - wait[0]), col.again, alpha(col.again, 0.2), 3);
    if (!st.narrow) text(g, "nobody answers", b.x + b.w + 30, mid, { size: fs - 1, weight: 600, color: col.again, max: 84, least: 8 });
  }
  if (low) return;
  if (late) {
    const s = Math.max(5, Math.min(14, b.h * 0.24, (b.w - 20) / 1.15 / kept)), fits = Math.max(1, Math.floor((b.w - 20) / (s * 1.15)));
    for (let k = 0; k < Math.min(kept, fits); k++) mark(g, b.x + 10 + s / 2 + k * s * 1.15, mid + fs * 0.1, s,
      { color: full ? col.control : col.again, hollow: true, ground: col.well });
  }
  const waits = `${kept} wait${kept === 1 ? "s" : ""}`, long = seconds(t - oldest);
  const shut = [`blocked, ${state.why}: ${waits}`, `blocked: ${waits}`, "blocked"];
  if (full) text(g, fitting(g, shut, b.w - 20, fs - 1, 600), b.x + 10, b.y + b.h - fs * 0.85, { size: fs - 1, weight: 600, color: col.control, max: b.w - 18 });
  else text(g, late ? fitting(g, [`${waits} for a confirm: ${long}`, `${waits}: ${long}`], b.w - 20, fs - 1) : now ? "" : made.length ? "no connection" : "",
    b.x + 10, b.y + b.h - fs * 0.85, { size: fs - 1, italic: true, color: col.again, max: b.w - 18 });
}

export const clusterStage = {
  layout(lanes, W, H, big) {
    const h = H / lanes.length;
    lanes.forEach((lane, i) => place(lane, i * h, h - (i < lanes.length - 1 ? 8 : 0), W, big));
  },
  draw(g, lanes, v) {
    for (const lane of lanes) {
      const st = lane.cluster;
      lane.at(v.t);
      if (lane.label) laneName(g, lane, 2, st.top - st.fs * 0.8, st.fs + 1, st.W - 8, v.col);
      wires(g, lane, v);
      st.b.forEach((_, n) => node(g, lane, v, n));
      st.cells.forEach((_, i) => shop(g, lane, v, i));
    }
  },
  anchor(e, lane) {
    const st = lane.cluster, n = Math.max(0, lane.run.lens.nodes.findIndex((x) => e.text?.includes(x)));
    return { x: st.b[n].x + st.b[n].w / 2, y: st.b[n].y + 6, r: 2 };
  },
};

export const clusterLens = {
  wide: 0,
  about(run, p, t) {
    const n = run.lens.nodes.indexOf(run.places[p].label);
    if (n < 0) return null;
    const [words] = doing(run, n, t).forms, has = inNode(run, run.lens.nodes[n], t), behind = safe(run, t) - has, cut = nodeAt(run, n, t).cut;
    const shops = run.lens.shops.filter((c) => within(c.up, t)?.[2] === run.lens.nodes[n]).length;
    return [`${words ? `${words[0].toUpperCase()}${words.slice(1)}` : "Waits"}${cut ? ", cut off from the others" : ""}.`,
      `${plural(has, "message")} on its disk${behind > 0 ? `, ${behind} missing` : ""}. ${plural(shops, "shop")} connected.`];
  },
  curve(run) {                                         // each confirm takes a moment: a curve of those would be a solid block
    const pairs = run.lens.shops.flatMap((s) => s.orders.filter(([made, done]) => (done ?? run.duration) > made + LATE)
      .flatMap(([made, done]) => [[made + LATE, 1], ...(done === null ? [] : [[done, -1]])]));
    return { label: `orders without a confirm after ${LATE} s`, color: "again", ...steps([[0, 0], ...pairs]) };
  },
  say: (runs, t) => runs.map((run, i) => {
    const head = runs.length > 1 ? `${"AB"[i]}: ` : "", led = within(run.lens.leads, t), late = waiting(run, t), { words } = together(run, t), shut = run.blocked(t);
    const tail = (shut.length ? ` ${plural(shut.length, "shop")} ${shut.length === 1 ? "is" : "are"} blocked: ${run.stateOf(run.actors.indexOf(shut[0]), t).why}.` : "") +
      (late ? ` ${plural(late, "order")} wait${late === 1 ? "s" : ""} for a confirm.` : "");
    if (led) return `${head}${led[2]} ${run.lens.quorum || run.lens.mirrored ? "leads" : "has the queue"}; ${words}.${tail}`;
    return `${head}${run.lens.leads.some(([at]) => at <= t) ? `Nobody leads: ${words}.` : "The queue is not declared yet."}${tail}`;
  }).join("  "),
};
