// A study: the same records through Data Streams and through Firehose. Hand-made tokens.
// A module as a scenario brings it along: it gets the page's kit and gives painters.

export default function study(kit) {
  const { alpha, box, clamp, curve, mark, pipe, ring, seconds, streak, text, way } = kit;

  function flag(g, x, top, bottom, letter, color, { ink = '#fff', size = 15, dash = null, left = false } = {}) {
    g.strokeStyle = color; g.lineWidth = 2.2; g.setLineDash(dash || []); g.beginPath(); g.moveTo(x, top); g.lineTo(x, bottom); g.stroke(); g.setLineDash([]);
    const d = left ? -1 : 1;
    g.beginPath(); g.moveTo(x, top); g.lineTo(x + d * size * 1.7, top + size * 0.5); g.lineTo(x, top + size); g.closePath(); g.fillStyle = color; g.fill();
    text(g, letter, x + d * size * 0.48, top + size * 0.52, { size: size * 0.66, weight: 700, color: ink, align: 'center' });
  }

  // A buffer: a vessel with a level (bytes) and a fuse (time). Whichever is full first tips it; a crate leaves, with its cause.

  const vessel = {
    paint(g, b, v, { inside, limit, unit, share, fuse, total, label }) {
      const { col } = v, cols = 10, rows = 10, p = Math.min((b.w - 24) / cols, (b.h - 44) / rows), x0 = b.x + (b.w - p * cols) / 2, y1 = b.y + b.h - 8;
      g.beginPath(); g.moveTo(b.x, b.y + 22); g.lineTo(b.x, b.y + b.h - 12); g.quadraticCurveTo(b.x, b.y + b.h, b.x + 12, b.y + b.h); g.lineTo(b.x + b.w - 12, b.y + b.h); g.quadraticCurveTo(b.x + b.w, b.y + b.h, b.x + b.w, b.y + b.h - 12); g.lineTo(b.x + b.w, b.y + 22);
      g.fillStyle = col.tray; g.fill(); g.strokeStyle = col.ink; g.lineWidth = 2; g.stroke();
      const top = y1 - rows * p, h = clamp(share, 0, 1) * rows * p; g.fillStyle = alpha(col.waiting, 0.12); g.fillRect(b.x + 2, y1 - h, b.w - 4, h + 6);
      g.strokeStyle = col.waiting; g.lineWidth = 1.6; g.setLineDash([5, 4]); g.beginPath(); g.moveTo(b.x + 3, top - 3); g.lineTo(b.x + b.w - 3, top - 3); g.stroke(); g.setLineDash([]);
      text(g, `${limit} ${unit}`, b.x + b.w - 8, top - 12, { size: b.fs - 1, weight: 600, color: col.waiting, align: 'right' });
      text(g, label, b.x + 4, b.y + 8, { size: b.fs + 0.5, weight: 650, color: col.ink });
      inside.forEach((c, i) => mark(g, x0 + p * ((i % cols) + 0.5), y1 - p * (Math.floor(i / cols) + 0.5), p * 0.76, { color: col.groups[c] }));
      const r = Math.min(30, b.h * 0.16), fx = b.x + b.w + r + 24, fy = b.y + b.h * 0.46, left = fuse === null ? 1 : 1 - fuse / total;
      ring(g, fx, fy, r, left, left < 0.2 ? col.again : col.hand, alpha(col.hand, 0.2), 5.5);
      text(g, fuse === null ? '–' : `${Math.ceil(total - fuse)}`, fx, fy + 1, { size: r * 0.72, weight: 700, color: col.ink, align: 'center' }); text(g, `of ${total} s`, fx, fy + r + 14, { size: b.fs - 1.5, color: col.soft, align: 'center' });
      return { x: b.x + b.w, y: b.y + b.h * 0.46, fx, fy, r };
    },
  };

  const crate = (g, x, y, w, { n, why, colours, col, fs }) => {
    box(g, x - w / 2, y - w / 2, w, w, 4, { fill: col.card, stroke: col.ink, line: 1.6 });
    const p = (w - 8) / 10; colours.slice(0, 100).forEach((c, i) => { g.fillStyle = col.groups[c]; g.fillRect(x - w / 2 + 4 + (i % 10) * p, y + w / 2 - 4 - p * (Math.floor(i / 10) + 1), p * 0.8, p * 0.8); });
    const sx = x + w / 2 - 2, sy = y - w / 2 + 2; g.beginPath(); g.arc(sx, sy, 9, 0, 7); g.fillStyle = col.page; g.fill();
    if (why === 'fuse') ring(g, sx, sy, 6, 0.3, col.again, alpha(col.again, 0.25), 2.6); else { box(g, sx - 6, sy - 6, 12, 12, 2, { stroke: col.waiting, line: 1.5 }); g.fillStyle = col.waiting; g.fillRect(sx - 4.5, sy - 3.5, 9, 8); }
    if (fs) text(g, String(n), x, y + w / 2 + fs * 0.8, { size: fs, weight: 600, color: col.soft, align: 'center' });
  };

  // A shard: a tape. The newest record is at the right end; time is length, so a flag's distance from the end is its age.
  // A record never moves on its tape and never leaves when it is read: flags do.

  // Records of one second stand in one column, so that the tape is also a bar chart of its load.
  function columns(g, list, { t, x0, x1, end, base, rows, s, pxs, window, dim = 1, col, twice = null }) {
    let sec = -1, n = 0, lo = 0, hi = list.length;
    while (lo < hi) { const m = (lo + hi) >> 1; if (list[m][0] < Math.floor(t - window - 2)) lo = m + 1; else hi = m; }
    for (; lo < list.length && list[lo][0] <= t; lo++) {
      const [tp, key] = list[lo], q = Math.floor(tp);
      if (q !== sec) { sec = q; n = 0; } else n++;
      const x = Math.min(x1 - (t - q - 0.5) * pxs, end - s * 0.7), y = base - Math.min(n, rows) * (s + 1.5), again = twice && twice(tp);
      g.globalAlpha = clamp((x - x0) / 60, 0.15, 1) * dim;
      mark(g, x, y, s, { color: col.groups[key], shape: again ? 'diamond' : 'dot' });
    }
    g.globalAlpha = 1;
  }

  const tape = {
    // rect of a shard's tape at t: a closed one ends at its cap, and slides left; its children begin there
    rect(st, shard, t) {
      const y = st.Y(shard.from) + 3, h = st.Y(shard.to) - st.Y(shard.from) - 6;
      const x0 = Math.max(st.x0, st.x1 - (t - shard.born) * st.pxs), x1 = shard.closed !== null && t >= shard.closed ? st.x1 - (t - shard.closed) * st.pxs : st.x1;
      return { x: shard.born === 0 ? st.x0 : x0, y, w: x1 - (shard.born === 0 ? st.x0 : x0), h, closed: shard.closed !== null && t >= shard.closed };
    },
    paint(g, st, i, v) {
      const { col, t } = v, d = st.doc, shard = d.shards[i];
      if (t < shard.born) return;
      const r = this.rect(st, shard, t);
      if (r.w < 2) return;
      box(g, r.x, r.y, r.w, r.h, r.closed ? [8, 0, 0, 8] : 8, { fill: r.closed ? col.well : col.tray, stroke: col.edge, line: 1.3 });
      g.save(); g.beginPath(); g.rect(r.x, r.y, r.w + 1, r.h); g.clip();
      const s = st.s, per = st.pxs, rows = Math.max(1, Math.floor((r.h - 22) / (s + 1.5)));
      const hw = st.high(i, t), p = st.position(i, t), again = p !== null && hw - p > 0.05;
      if (again) { const xa = st.X(p, t), xb = st.X(hw, t); g.fillStyle = alpha(col.again, 0.13); g.fillRect(xa, r.y + 1, xb - xa, r.h - 2); }
      columns(g, st.of[i], { t, x0: st.x0, x1: st.x1, end: r.x + r.w, base: r.y + r.h - 9, rows, s, pxs: per, window: st.window, dim: v.select ? 0.4 : 1, col, twice: again ? (tp) => tp >= p && tp < hw : null });
      g.globalAlpha = 1; g.restore();
      if (r.closed ? r.w > 60 : true) text(g, shard.id, r.closed ? r.x + 10 : r.x + r.w - 34, r.y + 13, { size: st.fs + 0.5, weight: 650, color: r.closed ? col.soft : col.ink, align: r.closed ? 'left' : 'right' });
      if (r.closed) { g.fillStyle = col.ink; g.beginPath(); g.roundRect(r.x + r.w - 2, r.y - 3, 6, r.h + 6, 2); g.fill(); if (r.w > 190) text(g, 'closed', r.x + 66, r.y + 13, { size: st.fs - 1, color: col.soft }); }
    },
    flags(g, st, i, v) {
      const { col, t } = v, d = st.doc, shard = d.shards[i];
      if (t < shard.born) return;
      const r = this.rect(st, shard, t), down = t >= d.crash[0] && t < d.crash[1], colB = col.groups[4];
      if (!r.closed) flag(g, st.x1 - 3, r.y + 2, r.y + r.h - 2, 'A', col.ink, { ink: col.page, size: 13, left: true });
      const p = st.position(i, t);
      if (p === null) return;
      const done = r.closed && p >= shard.closed - 1e-6;
      if (done) return;
      const x = clamp(st.X(p, t), st.x0 + 2, r.x + r.w), age = t - p, check = st.check(i, t);
      if (check !== null && st.X(check, t) > st.x0 && x - st.X(check, t) > 2) { const cx = st.X(check, t); g.fillStyle = colB; g.beginPath(); g.moveTo(cx, r.y + r.h); g.lineTo(cx - 5, r.y + r.h + 7); g.lineTo(cx + 5, r.y + r.h + 7); g.closePath(); g.fill(); }
      const yb = r.y + 21, hue = age > 12 ? col.again : colB;
      if (age > 1.5) {   // the bracket: from the flag to the newest record; its length is the age
        g.strokeStyle = hue; g.lineWidth = 2; g.beginPath(); g.moveTo(x, yb); g.lineTo(st.x1 - 4, yb); g.moveTo(st.x1 - 4, yb - 4); g.lineTo(st.x1 - 4, yb + 4); g.stroke();
        const label = `${seconds(age)} behind`, lx = x + 27; g.font = `650 ${st.fs}px sans-serif`; const w = g.measureText(label).width + 8;
        if (r.closed && x - w > st.x0) { box(g, x - w - 6, yb - 17, w, 15, 4, { fill: alpha(col.page, 0.88) }); text(g, label, x - 10, yb - 9, { size: st.fs, weight: 650, color: hue, align: 'right' }); }
        else if (lx + w < st.x1 - 92) { box(g, lx - 4, yb - 17, w, 15, 4, { fill: alpha(col.page, 0.88) }); text(g, label, lx, yb - 9, { size: st.fs, weight: 650, color: hue }); }
      }
      flag(g, x, r.y + (x > st.x1 - 60 ? 20 : 4), r.y + r.h - 2, 'B', down ? col.again : colB, { ink: col.page, size: 13, dash: down ? [4, 3] : null, left: x > st.x1 - 30 });
      v.hits.push({ x, y: r.y + r.h / 2, r: Math.min(30, r.h / 2), id: `flag${i}`, flag: i });
      st.flagX[i] = { x, y0: r.y, y1: r.y + r.h };
    },
  };

  // The hash range, unrolled: which key falls where.
  const ringbar = {
    paint(g, st, v) {
      const { col, t } = v, d = st.doc, x = st.ring, w = 22;
      d.shards.forEach((s) => {
        if (t < s.born || (s.closed !== null && t >= s.closed)) return;
        const y = st.Y(s.from) + 2, h = st.Y(s.to) - st.Y(s.from) - 4, hot = st.rate(d.shards.indexOf(s), t) >= d.limit * 0.96;
        box(g, x, y, w, h, 5, { fill: hot ? alpha(col.again, 0.14) : col.well, stroke: hot ? col.again : col.ink, line: 1.4 });
      });
      d.keys.forEach((k, i) => { const y = st.Y(k.hash), rate = st.keyRate(i, t), th = clamp(2 + rate * 1.6, 2.5, 10); g.fillStyle = col.groups[i]; g.fillRect(x + 1, y - th / 2, w - 2, th); });
      text(g, '0', x + w / 2, st.Y(0) - 8, { size: st.fs - 1, color: col.soft, align: 'center' }); text(g, '2¹²⁸', x + w / 2, st.Y(1) + 10, { size: st.fs - 1, color: col.soft, align: 'center' });
    },
  };

  // A gate: how much of a limit is used. Full is orange.
  const gate = {
    paint(g, st, i, v) {
      const { col, t } = v, d = st.doc, s = d.shards[i];
      if (t < s.born || (s.closed !== null && t >= s.closed)) return;
      const y = st.Y(s.from) + 16, h = st.Y(s.to) - st.Y(s.from) - 32, x = st.gate, rate = st.rate(i, t);
      [[rate / d.limit, `${Math.round(rate * d.mark)}`], [rate / d.limit * 0.42, '']].forEach(([u, label], k) => {
        const gx = x + k * 15, full = u >= 0.96, w = 11;
        box(g, gx, y, w, h, 3, { fill: col.card, stroke: full ? col.again : col.edge, line: full ? 2 : 1.2 });
        const fh = (h - 4) * clamp(u, 0, 1); g.fillStyle = full ? col.again : col.done; g.fillRect(gx + 2, y + h - 2 - fh, w - 4, fh);
        if (label) text(g, label, gx + 12, y - 7, { size: st.fs - 1.5, weight: 600, color: full ? col.again : col.soft, align: 'center' });
      });
    },
  };

  /** The stage of one document. */
  function make(doc) {

    const crateOf = new Array(doc.records.length).fill(-1);
    doc.crates.forEach((c, i) => { for (let k = c.first; k < c.first + c.n; k++) crateOf[k] = i; });
    const WINDOW = 40, st = { list: doc.records.map((x, i) => [x, doc.colours[i]]) };
    function layout(W, H, big) {
      const fs = big ? 15 : 12.5, plot = Math.min(330, W * 0.27), L = big ? 26 : 20, hA = Math.min(150, (H - 2 * L) * 0.34), hB = H - 2 * L - hA - 16, sw = 104, x1 = W - plot - 40;
      Object.assign(st, { fs, L, W, H, hA, hB, yA: L, yB: 2 * L + hA + 14, sw, plot: { x: W - plot, w: plot - 8 }, x1 });
      st.tape = { x: sw + 60, y: st.yA + 4, w: x1 - sw - 60 - 62 - 128, h: hA - 8 }; st.code = { x: x1 - 128, y: st.yA + 4, w: 128, h: hA - 8 };
      const vw = Math.min(hB - 44, 330), vh = Math.min(hB - 4, vw + 40); st.vessel = { x: sw + 60, y: st.yB + (hB - vh) / 2, w: vw, h: vh, fs }; st.shelf = { x: Math.max(x1 - 330, sw + 60 + vw + 200), y: st.yB + (hB - vh) / 2 + 4, h: vh - 4, fs }; st.shelf.w = x1 - st.shelf.x;
    }
    const PX = (s) => st.plot.x + clamp(Math.log10(s / 0.1) / 3, 0, 1) * st.plot.w;

    function draw(g, W, H, v) {
      const { col, t } = v, fs = st.fs, n = doc.records.filter((x) => x <= t).length;
      text(g, 'A: Data Streams: a reader follows', 2, st.L / 2, { size: fs + 1.5, weight: 680, color: col.soft }); text(g, 'B: Firehose: fills, then tips', 2, st.yB - st.L / 2 - 1, { size: fs + 1.5, weight: 680, color: col.ink });
      for (const [y, h] of [[st.yA, st.hA], [st.yB, st.hB]]) { const mid = y + h / 2; box(g, 1, mid - 45, st.sw, 90, 9, { fill: col.card, stroke: col.edge }); text(g, 'Sensors', 12, mid - 28, { size: fs + 0.5, weight: 650, color: col.ink }); text(g, String(n), 1 + st.sw / 2, mid + 6, { size: 26, weight: 700, color: col.ink, align: 'center' }); text(g, 'records', 1 + st.sw / 2, mid + 29, { size: fs - 1, color: col.soft, align: 'center' }); }
      // A
      const a = st.tape, px = a.w / WINDOW, midA = a.y + a.h / 2, inA = curve(1 + st.sw, st.yA + st.hA / 2, a.x, midA), outA = curve(a.x + a.w, midA, st.code.x, midA);
      pipe(g, inA, 10, col); pipe(g, outA, 10, col);
      box(g, a.x, a.y, a.w, a.h, 9, { fill: col.tray, stroke: col.edge, line: 1.3 }); text(g, 'shard', a.x + 10, a.y + 14, { size: fs, weight: 650, color: col.ink });
      g.save(); g.beginPath(); g.rect(a.x + 1, a.y, a.w - 2, a.h); g.clip();
      columns(g, st.list, { t, x0: a.x + 8, x1: a.x + a.w - 8, end: a.x + a.w - 4, base: a.y + a.h - 12, rows: Math.floor((a.h - 34) / 12.5), s: 11, pxs: px, window: WINDOW - 1, col });
      g.restore();
      flag(g, a.x + a.w - 10 - 0.45 * px, a.y + 4, a.y + a.h - 4, 'A', col.ink, { ink: col.page, size: 14, left: true });
      box(g, st.code.x, st.code.y, st.code.w, st.code.h, 9, { fill: col.well, stroke: col.edge }); text(g, 'Your code', st.code.x + 11, st.code.y + 16, { size: fs, weight: 650, color: col.ink });
      const k = doc.code.findLastIndex((c) => c[1] <= t); if (k >= 0 && v.since(doc.code[k][1]) < 0.6) mark(g, st.code.x + st.code.w / 2, st.code.y + st.code.h / 2 + 3, 18, { shape: 'square', color: col.hand });
      text(g, `${doc.code.filter((c) => c[1] <= t).length} done`, st.code.x + st.code.w / 2, st.code.y + st.code.h - 14, { size: fs - 1, weight: 600, color: col.done, align: 'center' });
      // B
      const done = doc.crates.filter((c) => c.t <= t), from = done.length ? done[done.length - 1].first + done[done.length - 1].n : 0, inside = []; for (let i = from; i < n; i++) inside.push(doc.colours[i]);
      const b = st.vessel, inB = curve(1 + st.sw, st.yB + st.hB / 2, b.x, b.y + b.h * 0.5);
      pipe(g, inB, 10, col);
      const p = vessel.paint(g, b, v, { inside, limit: doc.limit, unit: 'MB', share: inside.length * doc.size / doc.limit, fuse: inside.length ? t - doc.records[from] : null, total: doc.fuse, label: 'buffer' });
      const outB = curve(p.fx + p.r + 8, p.fy, st.shelf.x, p.fy); pipe(g, outB, 12, col);
      for (const i of [n - 1, n - 2, n - 3]) if (i >= 0) { const u = v.run(doc.records[i]); if (u < 1) { streak(g, way(inA), u, 6, col.groups[doc.colours[i]]); streak(g, way(inB), u, 6, col.groups[doc.colours[i]]); } }
      const s = st.shelf; box(g, s.x, s.y, s.w, s.h, 9, { fill: col.card, stroke: col.edge }); text(g, 'S3', s.x + 12, s.y + 16, { size: fs + 0.5, weight: 650, color: col.ink }); text(g, `${done.length} object${done.length === 1 ? '' : 's'}`, s.x + s.w - 12, s.y + 16, { size: fs, color: col.soft, align: 'right' });
      const cw = Math.min(96, (s.h - 60) / 2 - 16, (s.w - 24) / 2 - 20), per = Math.max(2, Math.floor((s.w - 24) / (cw + 20)));
      for (let q = 0; q < per * 2; q++) { const x = s.x + 24 + cw / 2 + (q % per) * (cw + 20), y = s.y + 34 + cw / 2 + Math.floor(q / per) * (cw + 26); g.strokeStyle = col.edge; g.lineWidth = 1.4; g.beginPath(); g.moveTo(x - cw / 2 - 8, y + cw / 2 + 1); g.lineTo(x + cw / 2 + 8, y + cw / 2 + 1); g.stroke(); }
      done.forEach((c, i) => {
        const x = s.x + 24 + cw / 2 + (i % per) * (cw + 20), y = s.y + 34 + cw / 2 + Math.floor(i / per) * (cw + 26), cs = doc.colours.slice(c.first, c.first + c.n), u = v.reduced ? 1 : clamp(v.since(c.t) / 0.9, 0, 1);
        if (u < 1) { const [cx, cy] = way([p.fx - p.r - 10, p.fy], [p.fx + p.r, p.fy], outB, [s.x + 20, p.fy], [x, y])(u * u * (3 - 2 * u)); crate(g, cx, cy, cw * 0.8, { n: c.n, why: c.why, colours: cs, col }); text(g, c.why === 'fuse' ? 'the fuse' : 'the level', cx, cy - cw * 0.55, { size: fs - 1, weight: 650, color: c.why === 'fuse' ? col.again : col.waiting, align: 'center' }); } else crate(g, x, y, cw, { n: c.n, why: c.why, colours: cs, col, fs: fs - 1.5 });
      });
      // how long each record waited
      const pl = st.plot; text(g, 'how long each record waited', pl.x, st.L / 2, { size: fs, weight: 650, color: col.ink });
      for (const s2 of [0.1, 1, 10, 100]) { const x = PX(s2); g.strokeStyle = alpha(col.edge, 0.35); g.lineWidth = 1; g.beginPath(); g.moveTo(x, st.yA); g.lineTo(x, H - 24); g.stroke(); text(g, `${s2} s`, x, H - 10, { size: fs - 1.5, color: col.soft, align: s2 === 0.1 ? 'left' : s2 === 100 ? 'right' : 'center' }); }
      const dot = (w, y0, h, i, hue) => { const x = PX(w), y = y0 + 10 + ((i * 0.618034) % 1) * (h - 20); g.fillStyle = alpha(hue, 0.55); g.beginPath(); g.arc(x, y, 3, 0, 7); g.fill(); };
      doc.code.forEach(([x, y], i) => { if (y <= t) dot(y - x, st.yA, st.hA, i, col.ink); });
      doc.records.forEach((x, i) => { const c = doc.crates[crateOf[i]]; if (c && c.t <= t) dot(Math.max(0.1, c.t - x), st.yB, st.hB - 20, i, c.why === 'fuse' ? col.again : col.waiting); });
      if (done.length) { text(g, 'tipped by the fuse', pl.x + 4, st.yB + 12, { size: fs - 1, color: col.again, weight: 600 }); text(g, 'by the level', pl.x + 4, st.yB + 28, { size: fs - 1, color: col.waiting, weight: 600 }); }
    }

    const level = (() => { const t = [0], y = [0]; let c = 0, n = 0; for (let i = 0; i < doc.records.length; i++) { const x = doc.records[i]; while (c < doc.crates.length && doc.crates[c].t <= x && i >= doc.crates[c].first + doc.crates[c].n) { t.push(doc.crates[c].t); y.push(0); n = 0; c++; } n++; t.push(x); y.push(+(n * doc.size).toFixed(2)); } return { t, y }; })();
    let size = [0, 0];
    return { layout: (runs, W, H, big) => { size = [W, H]; layout(W, H, big); }, draw: (g, runs, v) => draw(g, ...size, v), anchor: () => ({ x: st.vessel.x + st.vessel.w + 50, y: st.vessel.y + st.vessel.h * 0.24, r: 2 }), say: (t) => { const d = doc.crates.filter((c) => c.t <= t).pop(); return d ? `<strong>The last object: ${d.n} records, tipped by the ${d.why}.</strong> A study: hand-made data.` : '<strong>The buffer fills; the fuse burns.</strong> A study: hand-made data.'; }, curve: () => ({ label: 'in the buffer, MB', color: 'waiting', ...level }) };
  }

  const made = new Map(), of = (run) => { if (!made.has(run)) made.set(run, make(run.study)); return made.get(run); };
  return {
    stages: { firehose: {
      layout: (lanes, W, H, big) => of(lanes[0].run).layout(lanes, W, H, big), draw: (g, lanes, v) => of(lanes[0].run).draw(g, lanes, v),
      anchor: (e, lane) => of(lane.run).anchor(e),
    } },
    lenses: { firehose: { wide: 0, curve: (run) => of(run).curve(), say: ([run], t) => of(run).say(t).replace(/<[^>]*>/g, '') } },
  };
}
