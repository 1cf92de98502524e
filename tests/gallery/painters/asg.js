// A study: auto scaling. Data flows below, control flows above, in purple. Hand-made tokens; two cooldowns.
// A module as a scenario brings it along: it gets the page's kit and gives painters.

export default function study(kit) {
  const { alpha, bar, box, clamp, curve, hatch, mark, pipe, ring, seconds, text } = kit;

  const bag = {
    // amounts: blocks of 100 marks, the last one counted out
    blocks(g, b, lane, v, n) {
      const { col } = v, u = lane.unit, side = u * 10, gap = Math.max(3, u * 1.3), rows = Math.max(1, Math.floor((b.h - b.head - 20 + gap) / (side + gap)));
      const full = Math.floor(n / 100), rest = n % 100, y0 = b.y + b.head + 4, at = (i) => [b.x + b.w - 14 - side - Math.floor(i / rows) * (side + gap), y0 + (i % rows) * (side + gap)];
      for (let i = 0; i < full; i++) { const [x, y] = at(i); box(g, x, y, side, side, 2.5, { fill: col.waiting }); }
      const [x, y] = at(full); g.fillStyle = col.waiting; for (let k = 0; k < rest; k++) g.fillRect(x + side - u * (1 + Math.floor(k / 10)), y + (k % 10) * u, u - 0.7, u - 0.7);
      box(g, x - 0.5, y - 0.5, side + 1, side + 1, 2.5, { stroke: alpha(col.edge, 0.8), line: 1, dash: [2, 2] });
      text(g, n >= 100 ? `${full} block${full > 1 ? 's' : ''} of 100, and ${rest}` : `${n}: not one block of 100`, b.x + 13, b.y + b.h - 12, { size: b.fs - 1, color: col.soft, italic: true });
    },
  };

  // A fleet that grows and shrinks: a row of slots, itself a bar chart. Dashed with a ring: boots. Hatch: drains. Empty: room.

  const fleet = {
    paint(g, b, v, { list, max, min, desired, t, boot, busy = 99 }) {
      const { col } = v, gap = 7, w = (b.w - gap * (max - 1)) / max, h = Math.min(w * 0.95, b.h - 44), y = b.y + 24;
      const by = new Map(); for (const k of list) if (k.born <= t && (k.gone === null || t < k.gone)) by.set(k.slot, k);
      let up = 0, boots = 0, drains = 0;
      for (let i = 0; i < max; i++) {
        const x = b.x + i * (w + gap), k = by.get(i);
        if (!k) { box(g, x, y, w, h, 7, { stroke: alpha(col.edge, 0.55), line: 1.1, dash: [1.5, 4] }); continue; }
        if (t < k.up) { boots++; box(g, x, y, w, h, 7, { fill: col.card, stroke: col.waiting, line: 1.6, dash: [5, 4] }); ring(g, x + w / 2, y + h / 2, h * 0.27, (k.up - t) / boot, col.waiting, alpha(col.waiting, 0.2), 3.4); text(g, String(Math.ceil(k.up - t)), x + w / 2, y + h / 2 + 1, { size: h * 0.24, weight: 700, color: col.waiting, align: 'center' }); continue; }
        const drain = k.drain !== null && t >= k.drain; drain ? drains++ : up++;
        box(g, x, y, w, h, 7, { fill: col.well, stroke: col.ink, line: 1.3 }); if (drain) hatch(g, x + 1, y + 1, w - 2, h - 2, 6, alpha(col.edge, 0.8), 8);
        const works = drain || up <= busy; if (!works) { text(g, 'idle', x + w / 2, y + h * 0.5, { size: b.fs - 1, color: col.soft, italic: true, align: 'center' }); continue; }
        mark(g, x + w / 2, y + h * 0.42, h * 0.3, { shape: 'square', color: drain ? col.vain : col.hand });
        bar(g, x + 5, y + h - 10, w - 10, 5, ((t + k.id * 0.7) % 2.5) / 2.5, drain ? col.pale : col.done, alpha(col.edge, 0.25));
      }
      const ry = y + h + 9, X = (n) => b.x + n * (w + gap) - gap / 2;
      g.strokeStyle = col.edge; g.lineWidth = 1.3; g.beginPath(); g.moveTo(b.x, ry); g.lineTo(b.x + b.w, ry); g.stroke();
      for (const [n, label, hue, big] of [[min, `min ${min}`, col.soft], [max, `max ${max}`, col.soft], [desired, `desired ${desired}`, col.control, true]]) {
        const x = Math.min(X(n), b.x + b.w - 6); g.fillStyle = hue; g.beginPath(); const k = big ? 7 : 4.5; g.moveTo(x, ry - 2); g.lineTo(x - k, ry + k * 1.3); g.lineTo(x + k, ry + k * 1.3); g.closePath(); g.fill();
        if (big || Math.abs(X(desired) - x) > 90) text(g, label, n === max && !big ? x : x, ry + (big ? 18 : 15), { size: b.fs - (big ? 0 : 1.5), weight: big ? 700 : 400, color: hue, align: x > b.x + b.w - 40 ? 'right' : 'center' });
      }
      text(g, 'Fleet', b.x, b.y + 10, { size: b.fs + 0.5, weight: 650, color: col.ink }); text(g, [`${up} serving`, boots ? `${boots} booting` : '', drains ? `${drains} draining` : ''].filter(Boolean).join(' · '), b.x + b.w, b.y + 10, { size: b.fs, color: col.soft, align: 'right' });
      return { x: Math.min(X(desired), b.x + b.w - 6), y: ry, top: b.y };
    },
  };

  /** The stage of one document. */
  function make(doc) {

    const lanes = doc.runs.map((run, i) => ({ run, i, label: `${'AB'[i]}: cooldown ${run.cooldown} s` }));
    const at = (run, t) => run.rows[Math.min(run.rows.length - 1, Math.floor(t / 5))];
    function layout(W, H, big) {
      const fs = big ? 15 : 12.5, L = big ? 24 : 20, lh = (H - 14) / 2 - L, ch = Math.min(84, lh * 0.36), qw = Math.min(W * 0.24, 290), gap = 40;
      for (const lane of lanes) { const y = lane.i * (lh + L + 14) + L; Object.assign(lane, { y: y - L, L, fs, metric: { x: 1, y, w: W * 0.42, h: ch }, alarm: { x: W * 0.42 + gap, y, w: 150, h: ch }, policy: { x: W * 0.42 + gap * 2 + 150, y, w: W - W * 0.42 - gap * 2 - 152, h: ch }, queue: { x: 1, y: y + ch + 16, w: qw, h: lh - ch - 17, fs, head: 26 }, fleet: { x: qw + gap + 14, y: y + ch + 18, w: W - qw - gap - 16, h: lh - ch - 18, fs }, unit: 4 }); lane.unit = clamp((lane.queue.h - 70) / 3 / 11.4, 2.4, 4.4); }
    }
    function draw(g, W, H, v) { for (const lane of lanes) one(g, lane, v); }
    function one(g, lane, v) {
      const { col, t } = v, run = lane.run, fs = lane.fs, [, backlog, per, desired, up, rate] = at(run, t), P = col.control;
      text(g, lane.label, 2, lane.y + lane.L / 2 - 1, { size: fs + 1.5, weight: 680, color: lane.i ? col.ink : col.soft });
      const m = lane.metric, a = lane.alarm, p = lane.policy, mid = m.y + m.h / 2;
      g.strokeStyle = P; g.lineWidth = 2; for (const [x0, x1] of [[m.x + m.w, a.x], [a.x + a.w, p.x]]) { g.beginPath(); g.moveTo(x0, mid); g.lineTo(x1 - 7, mid); g.stroke(); g.fillStyle = P; g.beginPath(); g.moveTo(x1, mid); g.lineTo(x1 - 9, mid - 5); g.lineTo(x1 - 9, mid + 5); g.fill(); }
      for (const b of [m, a, p]) box(g, b.x, b.y, b.w, b.h, 9, { fill: col.card, stroke: P, line: 1.5 });
      // the metric: one point a minute, and the line
      text(g, 'backlog per worker', m.x + 11, m.y + 14, { size: fs, weight: 650, color: P }); text(g, String(Math.round(per)), m.x + m.w - 11, m.y + 14, { size: fs + 1, weight: 700, color: per > doc.line ? col.again : P, align: 'right' });
      const top = Math.max(40, ...run.points.filter(([q]) => q <= t && q >= t - 600).map(([, q]) => q)), X = (s) => m.x + 12 + ((s - Math.max(0, t - 600)) / 600) * (m.w - 56), Y = (q) => m.y + m.h - 8 - Math.sqrt(clamp(q / top, 0, 1)) * (m.h - 32);
      g.strokeStyle = col.again; g.lineWidth = 1.3; g.setLineDash([5, 4]); g.beginPath(); g.moveTo(m.x + 10, Y(doc.line)); g.lineTo(m.x + m.w - 34, Y(doc.line)); g.stroke(); g.setLineDash([]); text(g, String(doc.line), m.x + m.w - 29, Y(doc.line), { size: fs - 1.5, color: col.again });
      const pts = run.points.filter(([s]) => s <= t && s >= t - 600); g.beginPath(); pts.forEach(([s, q], i) => (i ? g.lineTo(X(s), Y(q)) : g.moveTo(X(s), Y(q)))); g.strokeStyle = P; g.lineWidth = 2.2; g.lineJoin = 'round'; g.stroke(); for (const [s, q] of pts) { g.beginPath(); g.arc(X(s), Y(q), 2.6, 0, 7); g.fillStyle = q > doc.line ? col.again : P; g.fill(); }
      // the alarm: three lamps
      const last = run.points.filter(([s]) => s <= t).slice(-3), over = last.filter(([, q]) => q > doc.line).length, under = last.filter(([, q]) => q < doc.low).length;
      text(g, 'alarm', a.x + 11, a.y + 14, { size: fs, weight: 650, color: P }); text(g, over >= 2 ? '2 of 3 over' : under >= 2 ? '2 of 3 under' : 'quiet', a.x + a.w - 11, a.y + 14, { size: fs - 1, weight: 600, color: over >= 2 ? col.again : under >= 2 ? P : col.soft, align: 'right' });
      const s = Math.min(26, a.h - 36); for (let i = 0; i < 3; i++) { const q = last[i], x = a.x + a.w / 2 + (i - 1) * (s + 10) - s / 2, hi = q && q[1] > doc.line, lo = q && q[1] < doc.low; box(g, x, a.y + 26 + (a.h - 32 - s) / 2, s, s, 6, { fill: hi ? col.again : lo ? P : col.card, stroke: hi ? col.again : P, line: 1.5 }); }
      // the policy: step and cooldown
      const c = run.changes.filter((k) => k[0] <= t).pop(), left = c ? c[0] + run.cooldown - t : 0, r = Math.min(17, p.h * 0.26), px = p.x + p.w - r - 18;
      text(g, 'policy', p.x + 11, p.y + 14, { size: fs, weight: 650, color: P }); text(g, 'over: +2    under: −1', p.x + 11, p.y + p.h / 2 + 4, { size: fs, color: col.ink }); text(g, left > 0 ? `does nothing for ${seconds(left)}` : 'ready', p.x + 11, p.y + p.h - 13, { size: fs - 1, color: left > 0 ? col.soft : P, weight: 600 });
      ring(g, px, p.y + p.h / 2, r, left / run.cooldown, P, alpha(P, 0.2), 4.5);
      // below: the data
      const q = lane.queue, f = lane.fleet; g.strokeStyle = P; g.lineWidth = 1.8; g.setLineDash([4, 4]); g.beginPath(); g.moveTo(q.x + q.w / 2, q.y); g.lineTo(q.x + q.w / 2, m.y + m.h); g.stroke(); g.setLineDash([]);
      box(g, q.x, q.y, q.w, q.h, 10, { fill: col.tray, stroke: col.edge, line: 1.3 }); text(g, 'Queue', q.x + 11, q.y + 15, { size: fs + 0.5, weight: 650, color: col.ink }); text(g, `${backlog} waiting`, q.x + q.w - 11, q.y + 15, { size: fs, weight: 600, color: backlog ? col.waiting : col.soft, align: 'right' });
      bag.blocks(g, q, { unit: lane.unit, scene: { blockNote: true } }, v, backlog);
      const pos = fleet.paint(g, f, v, { list: run.fleet, max: doc.max, min: doc.min, desired, t, boot: run.boot, busy: backlog > 2 ? 99 : Math.ceil(rate / 0.4) });
      let cost = 0; for (const r of run.rows) { if (r[0] > t) break; cost += r[4] * 5 / 3600; }
      text(g, `paid so far: ${cost.toFixed(2)} worker-hours`, f.x + f.w, lane.y + lane.L / 2 - 1, { size: fs, color: col.soft, align: 'right', weight: 600 });
      pipe(g, curve(q.x + q.w, q.y + q.h / 2, f.x - 6, f.y + f.h / 2), 10, col, { load: backlog ? 0.9 : 0.3, phase: v.t * 0.6 });
      const fresh = c && v.since(c[0]) < 1.6; g.strokeStyle = P; g.lineWidth = fresh ? 4 : 1.8; g.beginPath(); const ax = Math.min(pos.x, p.x + p.w - 40); g.moveTo(p.x + 30, p.y + p.h); g.bezierCurveTo(p.x + 30, p.y + p.h + 20, pos.x, p.y + p.h - 6, pos.x, f.y + 18); g.stroke();
      g.fillStyle = P; g.beginPath(); g.moveTo(pos.x, f.y + 25); g.lineTo(pos.x - 5, f.y + 16); g.lineTo(pos.x + 5, f.y + 16); g.fill(); lane.pos = pos;
    }
    const serving = (run) => ({ t: run.rows.map((r) => r[0]), y: run.rows.map((r) => r[4]) });
    const events = lanes.flatMap((l) => l.run.events.map((e) => ({ ...e, kind: e.kind + l.i, lane: l.i }))).sort((a, b) => a.t - b.t);
    let size = [0, 0];
    return { layout: (runs, W, H, big) => { size = [W, H]; layout(W, H, big); }, draw: (g, runs, v) => draw(g, ...size, v), anchor: (e) => { const l = lanes[e.lane]; return { x: l.policy.x + 40, y: l.policy.y, r: 2 }; }, say: (t) => { const [a, b] = doc.runs.map((r) => at(r, t)); return `<strong>A serves with ${a[4]}, B with ${b[4]}.</strong> ${a[5]} jobs arrive a second; each worker does 0.4. A study: hand-made data.`; }, curve: () => ({ label: 'workers that serve', color: 'waiting', ...serving(doc.runs[1]) }) };
  }

  const made = new Map(), of = (run) => { if (!made.has(run)) made.set(run, make(run.study)); return made.get(run); };
  return {
    stages: { asg: {
      layout: (lanes, W, H, big) => of(lanes[0].run).layout(lanes, W, H, big), draw: (g, lanes, v) => of(lanes[0].run).draw(g, lanes, v),
      anchor: (e, lane) => of(lane.run).anchor(e),
    } },
    lenses: { asg: { wide: 0, curve: (run) => of(run).curve(), say: ([run], t) => of(run).say(t).replace(/<[^>]*>/g, '') } },
  };
}
