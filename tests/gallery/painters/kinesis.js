// A study: Kinesis Data Streams. Hand-made tokens; a stage with a layout of its own.
// A module as a scenario brings it along: it gets the page's kit and gives painters.

export default function study(kit) {
  const { alpha, along, box, clamp, curve, mark, pipe, seconds, streak, text, way } = kit;

  function flag(g, x, top, bottom, letter, color, { ink = '#fff', size = 15, dash = null, left = false } = {}) {
    g.strokeStyle = color; g.lineWidth = 2.2; g.setLineDash(dash || []); g.beginPath(); g.moveTo(x, top); g.lineTo(x, bottom); g.stroke(); g.setLineDash([]);
    const d = left ? -1 : 1;
    g.beginPath(); g.moveTo(x, top); g.lineTo(x + d * size * 1.7, top + size * 0.5); g.lineTo(x, top + size); g.closePath(); g.fillStyle = color; g.fill();
    text(g, letter, x + d * size * 0.48, top + size * 0.52, { size: size * 0.66, weight: 700, color: ink, align: 'center' });
  }

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

    const bisect = (a, x, f) => { let lo = 0, hi = a.length; while (lo < hi) { const m = (lo + hi) >> 1; if (f(a[m]) <= x) lo = m + 1; else hi = m; } return lo; };
    const st = {
      own: false, doc, window: 45, flagX: {}, replay: {},
      of: doc.shards.map((_, i) => doc.records.filter((r) => r[2] === i).map((r) => [r[0], r[1], r[3]])),
      byKey: doc.keys.map((_, i) => doc.records.filter((r) => r[1] === i).map((r) => r[0])),
      highs: doc.readers.map((r) => { let m = 0; return r.steps.map(([t, p]) => [t, (m = Math.max(m, p))]); }),
      X(time, t) { return this.x1 - (t - time) * this.pxs; },
      Y(h) { return this.top + h * (this.bottom - this.top); },
      rate(i, t) { const a = this.of[i], n = bisect(a, t, (r) => r[0]) - bisect(a, t - 2, (r) => r[0]); return n / 2; },
      keyRate(i, t) { const a = this.byKey[i]; return (bisect(a, t, (x) => x) - bisect(a, t - 3, (x) => x)) / 3; },
      original(i, t) { const s = doc.readers[i].steps, k = bisect(s, t, (x) => x[0]); if (!k) return null; const [t0, p0] = s[k - 1], n = s[k]; return n && n[1] >= p0 ? p0 + (n[1] - p0) * clamp((t - t0) / (n[0] - t0), 0, 1) : p0; },
      position(i, t) { const p = this.original(i, t), o = this.replay[i]; if (p === null || !o || t < o.t0) return p; return Math.min(p, o.p0 + 3 * (t - o.t0)); },
      high(i, t) { const s = this.highs[i], k = bisect(s, t, (x) => x[0]); return k ? s[k - 1][1] : 0; },
      check(i, t) { const c = doc.readers[i].checkpoints, k = bisect(c, t, (x) => x[0]); return k ? c[k - 1][1] : null; },
    };

    function layout(W, H, big) {
      Object.assign(st, { fs: big ? 15 : 12, W, H, top: 30, bottom: H - 26, s: clamp((H - 90) / 58, 6, 9) });
      st.cars = { x: 1, y: 20, w: big ? 130 : 112, h: H - 44 };
      st.ring = st.cars.w + 92; st.gate = st.ring + 36; st.x0 = st.gate + 42; st.apps = { x: W - (big ? 190 : 168), w: big ? 189 : 167 }; st.x1 = st.apps.x - 84; st.pxs = (st.x1 - st.x0) / st.window;
      st.carY = (i) => st.cars.y + 34 + i * ((st.cars.h - 44) / 6) + (st.cars.h - 44) / 12;
      st.order = doc.keys.map((k, i) => i).sort((a, b) => doc.keys[a].hash - doc.keys[b].hash);   // fewest crossings: cars stand in the order of their hash
      st.rowOf = doc.keys.map((_, i) => st.order.indexOf(i));
      st.wires = doc.keys.map((k, i) => curve(st.cars.x + st.cars.w - 8, st.carY(st.rowOf[i]), st.ring, st.Y(k.hash)));
      st.A = { x: st.apps.x, y: 20, w: st.apps.w, h: (H - 44) * 0.44 }; st.B = { x: st.apps.x, y: 20 + (H - 44) * 0.5, w: st.apps.w, h: (H - 44) * 0.5 };
    }

    function draw(g, W, H, v) {
      const { col, t } = v, fs = st.fs;
      box(g, st.cars.x, st.cars.y, st.cars.w, st.cars.h, 9, { fill: col.card, stroke: col.edge });
      text(g, 'Producers', st.cars.x + 11, st.cars.y + 16, { size: fs + 0.5, weight: 650, color: col.ink });
      text(g, 'hash of the key', st.ring + 24, 8, { size: fs - 1, color: col.soft, align: 'right' }); text(g, 'limits', st.gate + 13, 8, { size: fs - 1, color: col.soft, align: 'center' });
      doc.keys.forEach((k, i) => {
        const y = st.carY(st.rowOf[i]), r = st.keyRate(i, t), w = st.wires[i], hue = col.groups[i];
        g.beginPath(); g.moveTo(w.x0, w.y0); g.bezierCurveTo(w.x1, w.y1, w.x2, w.y2, w.x3, w.y3); g.strokeStyle = alpha(hue, 0.55); g.lineWidth = clamp(0.8 + r * 1.3, 1.1, 7); g.stroke();
        mark(g, st.cars.x + 20, y, 13, { color: hue }); text(g, k.name, st.cars.x + 34, y - 6, { size: fs, weight: 600, color: col.ink }); text(g, `${Math.round(r * doc.mark)}/s`, st.cars.x + 34, y + 8, { size: fs - 1.5, color: col.soft });
      });
      ringbar.paint(g, st, v);
      doc.shards.forEach((_, i) => gate.paint(g, st, i, v));
      // pipes to the applications
      const open = doc.shards.map((s, i) => ({ s, i })).filter(({ s }) => t >= s.born && (s.closed === null || t < s.closed));
      open.forEach(({ s, i }, k) => {
        const y = (st.Y(s.from) + st.Y(s.to)) / 2;
        pipe(g, curve(st.x1, y - 9, st.A.x, st.A.y + st.A.h * (0.35 + 0.4 * k / Math.max(1, open.length - 1))), 8, col, { load: 0.55, loadColor: col.ink, phase: v.playing || v.t ? t * 1.6 : 0 });
        const c = curve(st.x1, y + 9, st.B.x, st.B.y + st.B.h * (0.3 + 0.36 * k / Math.max(1, open.length - 1)));
        if (st.own) { pipe(g, c, 8, col, { load: 0.55, loadColor: col.groups[4], phase: t * 1.6 }); return; }
        g.beginPath(); g.moveTo(c.x0, c.y0); g.bezierCurveTo(c.x1, c.y1, c.x2, c.y2, c.x3, c.y3); g.strokeStyle = col.groups[4]; g.lineWidth = 3; g.lineCap = 'round'; g.setLineDash([0.1, 6.5]); g.stroke(); g.setLineDash([]); g.lineCap = 'butt';
        const u = (t * 5) % 1; if (!v.reduced && v.playing) { const [px, py] = along(c, u); mark(g, px, py, 6, { color: col.groups[4] }); }
      });
      // tapes
      doc.shards.forEach((_, i) => tape.paint(g, st, i, v));
      for (const k of doc.shards) if (k.closed !== null && t >= k.closed) { const x = st.X(k.closed, t) + 4; if (x > st.x0) { const a = doc.shards.filter((s) => s.parent === doc.shards.indexOf(k)); a.forEach((s) => { const y = (st.Y(s.from) + st.Y(s.to)) / 2; g.beginPath(); g.arc(x + 2, y, 4, 0, 7); g.fillStyle = col.ink; g.fill(); }); } }
      st.flagX = {};
      doc.shards.forEach((_, i) => tape.flags(g, st, i, v));
      // axis: seconds ago
      for (let s = 0; s <= 30; s += 10) { const x = st.x1 - s * st.pxs; text(g, s ? `${s} s ago` : 'now', x, st.bottom + 14, { size: fs - 1, color: col.soft, align: s ? 'center' : 'right' }); }
      if (st.x1 - st.x0 > 480) text(g, '← kept for 24 h', st.x0 + 2, st.bottom + 14, { size: fs - 1, color: col.soft, italic: true });
      // arrivals and refusals
      const from = bisect(doc.records, t - v.back, (r) => r[0]);
      for (let k = from; k < doc.records.length && doc.records[k][0] <= t; k++) { const [tp, key, s] = doc.records[k], u = v.run(tp); if (u < 1) { const y = st.Y(doc.shards[s].from) + 9; streak(g, way(st.wires[key], [st.ring + 22, st.Y(doc.keys[key].hash)], [st.gate + 30, y + 4], [st.x0 + 20, y], [st.x1 - 14, y], [st.x1 - 6, y + 16]), u, 4.5, col.groups[key]); } }
      for (const [tr, key, s] of doc.refused) {
        if (tr > t || v.since(tr) > 1.1) continue;
        const u = v.since(tr) / 1.1, w = st.wires[key], e = 1 - Math.pow(1 - u, 2), arc = Math.sin(Math.PI * u) * -26, [x, y] = along(w, 1 - e);
        mark(g, x + (u < 0.1 ? 16 : 0), y + arc, 13, { shape: 'diamond', color: col.again });
      }
      const bounced = bisect(doc.refused, t, (r) => r[0]), recent = doc.refused.filter((r) => r[0] <= t && r[0] > t - 5).length;
      if (bounced) text(g, `${(bounced * doc.mark).toLocaleString('en')} refused`, st.cars.x + st.cars.w / 2, st.cars.y + st.cars.h - 12, { size: fs - 0.5, weight: 650, color: recent ? col.again : col.soft, align: 'center' });
      // applications
      const down = t >= doc.crash[0] && t < doc.crash[1], worst = Math.max(0, ...doc.shards.map((s, i) => { const p = st.position(i, t); return p === null || (s.closed !== null && p >= s.closed - 1e-6) || t < s.born ? 0 : t - p; }));
      const app = (b, name, lines, hue, dashed) => { box(g, b.x, b.y, b.w, b.h, 10, { fill: col.card, stroke: hue, line: 1.6, dash: dashed ? [6, 4] : null }); text(g, name, b.x + 13, b.y + 19, { size: fs + 2, weight: 680, color: hue }); lines.forEach(([s, c, w, z], i) => text(g, s, b.x + 13, b.y + 42 + i * (fs + 7), { size: z || fs, weight: w || 400, color: c || col.soft, max: b.w - 20 })); };
      app(st.A, 'Application A', [['a pipe of its own'], ['2 MB/s a shard, pushed'], ['0.1 s behind', col.ink, 650, fs + 2]], col.ink);
      app(st.B, 'Application B', [[st.own ? 'a pipe of its own' : 'the shared pipe'], [st.own ? '2 MB/s a shard, pushed' : '2 MB/s for all, polled 5/s'], [down ? 'worker down' : worst < 1 ? 'up to date' : `${seconds(worst)} behind`, down || worst > 12 ? col.again : col.groups[4], 680, fs + 3], [down ? `starts again in ${seconds(doc.crash[1] - t)}` : '', col.soft]], down ? col.again : col.groups[4], down);
      text(g, st.own ? 'click: share the pipe again' : 'click: a pipe of its own', st.B.x + 13, st.B.y + st.B.h - 14 - fs * 1.5, { size: fs - 1, italic: true, color: col.soft, max: st.B.w - 20 });
      v.hits.push({ ...st.B, id: 'appB', pick: { own: true } });
      text(g, 'drag flag B left: replay', st.B.x + 13, st.B.y + st.B.h - 14, { size: fs - 1, italic: true, color: col.soft, max: st.B.w - 20 });
    }
    let size = [0, 0];
    return { layout: (runs, W, H, big) => { size = [W, H]; layout(W, H, big); }, draw: (g, runs, v) => draw(g, ...size, v), anchor: (e) => e.key !== undefined ? { x: st.ring + 12, y: st.Y(doc.keys[e.key].hash), r: 8 } : e.kind === 'refused' ? { x: st.gate + 14, y: st.Y(doc.shards[1].from) + 20, r: 4 } : e.kind === 'split' ? { x: st.x1 - 60, y: st.Y(0.36), r: 2 } : { x: st.B.x + st.B.w * 0.4, y: st.B.y, r: 2 }, say: (t) => { if (st.own) return '<strong>B has a pipe of its own now, and is as far behind as before:</strong> its worker is too slow, not the pipe.'; const hot = doc.shards.map((s, i) => (t >= s.born && (s.closed === null || t < s.closed) ? st.rate(i, t) : 0)), m = Math.max(...hot), i = hot.indexOf(m); return m >= doc.limit * 0.96 ? `<strong>${doc.shards[i].id[0].toUpperCase() + doc.shards[i].id.slice(1)} is full; the others have room.</strong> One mark stands for ${doc.mark} records.` : `<strong>Each record goes to the shard of its key's hash.</strong> One mark stands for ${doc.mark} records. A study: hand-made data.`; }, curve: () => ({ label: 'how far behind, s', smooth: true, color: 'again', ...doc.age }) };
  }

  const made = new Map(), of = (run) => { if (!made.has(run)) made.set(run, make(run.study)); return made.get(run); };
  return {
    stages: { kinesis: {
      layout: (lanes, W, H, big) => of(lanes[0].run).layout(lanes, W, H, big), draw: (g, lanes, v) => of(lanes[0].run).draw(g, lanes, v),
      anchor: (e, lane) => of(lane.run).anchor(e),
    } },
    lenses: { kinesis: { wide: 0, curve: (run) => of(run).curve(), say: ([run], t) => of(run).say(t).replace(/<[^>]*>/g, '') } },
  };
}
