// A study: a broker pair that shares one store, and a failover. Hand-made tokens; a stage with a layout of its own.
// A module as a scenario brings it along: it gets the page's kit and gives painters.

export default function study(kit) {
  const { alpha, along, bar, box, clamp, curve, lock, mark, pipe, ring, seconds, socket, streak, text, way } = kit;

  // A store apart from its brokers: a drum. What lies in it survives. A house holds what is only in memory: hollow marks.

  const drum = {
    shape(g, x, y, w, h, ry) { g.beginPath(); g.ellipse(x + w / 2, y + ry, w / 2, ry, 0, Math.PI, 0); g.lineTo(x + w, y + h - ry); g.ellipse(x + w / 2, y + h - ry, w / 2, ry, 0, 0, Math.PI); g.closePath(); },
    paint(g, b, label, marks, v) {
      const { col } = v, ry = 13;
      this.shape(g, b.x, b.y, b.w, b.h, ry); g.fillStyle = col.tray; g.fill(); g.strokeStyle = col.ink; g.lineWidth = 1.8; g.stroke();
      g.beginPath(); g.ellipse(b.x + b.w / 2, b.y + ry, b.w / 2, ry, 0, 0, 7); g.fillStyle = col.well; g.fill(); g.stroke();
      text(g, label, b.x + b.w / 2, b.y + ry + 1, { size: b.fs + 0.5, weight: 650, color: col.ink, align: 'center' });
      const s = b.s, per = Math.floor((b.w - 40) / (s * 1.35));
      marks.forEach((m, i) => {
        const x = b.x + 22 + s / 2 + (i % per) * s * 1.35, y = b.y + 2 * ry + 16 + Math.floor(i / per) * s * 1.35;
        m.held ? socket(g, x, y, s, m.again ? col.again : col.edge, 1.6) : mark(g, x, y, s, { color: m.again ? col.again : col.waiting, shape: m.again ? 'diamond' : 'dot', n: m.n, ink: col.onmark });
        if (m.held) text(g, String(m.n), x, y + 0.5, { size: s * 0.42, color: col.soft, align: 'center' });
        m.xy(x, y);
      });
    },
  };

  const house = {
    paint(g, b, v, { name, zone, state, words, hue, dash }) {
      const { col } = v, roof = 16;
      g.beginPath(); g.moveTo(b.x, b.y + roof); g.lineTo(b.x + b.w / 2, b.y); g.lineTo(b.x + b.w, b.y + roof); g.lineTo(b.x + b.w, b.y + b.h); g.lineTo(b.x, b.y + b.h); g.closePath();
      g.fillStyle = state === 'dead' ? alpha(col.again, 0.07) : state === 'active' ? alpha(col.done, 0.07) : col.card; g.fill();
      g.strokeStyle = hue; g.lineWidth = state === 'standby' ? 1.4 : 2.2; g.lineJoin = 'round'; g.setLineDash(dash || []); g.stroke(); g.setLineDash([]);
      text(g, name, b.x + 14, b.y + roof + 16, { size: b.fs + 1.5, weight: 680, color: hue });
      text(g, words, b.x + 14, b.y + roof + 36, { size: b.fs, weight: 600, color: hue });
    },
  };

  /** The stage of one document. */
  function make(doc) {

    const st = {};
    function layout(W, H, big) {
      const fs = big ? 16 : 13, cw = big ? 250 : 210, hw = Math.min(290, (W - cw * 1 - 170) * 0.36), cx = cw + 150;
      Object.assign(st, { fs, s: big ? 24 : 20, W, H });
      const gap = (W - cx - hw * 2 - 20) * 0.34, x1 = cx + (W - cx - hw * 2 - gap) / 2, hh = Math.min(168, H * 0.36);
      st.b = { 1: { x: x1, y: 26, w: hw, h: hh, fs }, 2: { x: x1 + hw + gap, y: 26, w: hw, h: hh, fs } };
      const dw = Math.min(560, W - cx - 40), dh = Math.min(150, H * 0.32);
      st.drum = { x: x1 + hw + gap / 2 - dw / 2, y: H - dh - 8, w: dw, h: dh, fs, s: st.s };
      const ch = (H - 30 - 3 * 10) / 4; st.client = Object.fromEntries(doc.clients.map((c, i) => [c.name, { x: 1, y: 26 + i * (ch + 10), w: cw, h: ch }]));
      st.stores = { 1: curve2(st.b[1], st.drum, 0.3), 2: curve2(st.b[2], st.drum, 0.7) };
    }
    function curve2(b, d, at) { const x0 = b.x + b.w / 2, y0 = b.y + b.h, x3 = d.x + d.w * at, y3 = d.y + 4; return { x0, y0, x1: x0, y1: y0 + (y3 - y0) * 0.5, x2: x3, y2: y3 - (y3 - y0) * 0.5, x3, y3 }; }
    // A client's line to a broker: to the first one straight, to the second one below the first, so that it crosses no words.
    function port(name, n) {
      const c = st.client[name], b = st.b[n], i = doc.clients.findIndex((q) => q.name === name), x0 = c.x + c.w, y0 = c.y + c.h / 2, y3 = b.y + 52 + i * ((b.h - 72) / 3);
      if (n === 1) { const k = curve(x0, y0, b.x, y3); return { parts: [k], at: way(k), x3: b.x, y3 }; }
      const b1 = st.b[1], xa = b1.x - 6, xm = b1.x + b1.w - 6, ym = b1.y + b1.h + 9 + i * 7, k1 = curve(x0, y0, xa, ym, 0.5), k2 = curve(xa, ym, xm, ym), k3 = curve(xm, ym, b.x, y3, 0.55);
      return { parts: [k1, k2, k3], at: way(k1, k2, k3), x3: b.x, y3 };
    }
    const stroke = (g, c) => { g.beginPath(); g.moveTo(c.parts[0].x0, c.parts[0].y0); for (const k of c.parts) g.bezierCurveTo(k.x1, k.y1, k.x2, k.y2, k.x3, k.y3); g.stroke(); };

    function draw(g, W, H, v) {
      const { col, t } = v, fs = st.fs, dead = t >= doc.dies, locked2 = t >= doc.lock, up2 = t >= doc.up, s = st.s;
      // zones
      for (const n of [1, 2]) { const b = st.b[n]; box(g, b.x - 26, 2, b.w + 52, b.y + b.h + 26, 14, { stroke: alpha(col.edge, 0.6), line: 1.2, dash: [3, 4] }); text(g, `availability zone ${n === 1 ? 'a' : 'b'}`, b.x + b.w + 18, 14, { size: fs - 2, color: col.soft, align: 'right' }); }
      // pipes to the store; the lock sits on one of them
      for (const n of [1, 2]) { const on = n === 1 ? !dead : up2; pipe(g, st.stores[n], on ? 12 : 9, col, { state: n === 1 && dead ? 'broken' : 'open', edge: on ? col.done : n === 1 && dead ? col.again : col.edge }); }
      const move = clamp((t - doc.lock) / 0.5, 0, 1), e = v.reduced ? (move >= 1 ? 1 : 0) : move * move * (3 - 2 * move), p1 = along(st.stores[1], 0.5), p2 = along(st.stores[2], 0.5), lx = p1[0] + (p2[0] - p1[0]) * e, ly = p1[1] + (p2[1] - p1[1]) * e - Math.sin(Math.PI * e) * 24, free = dead && !locked2;
      box(g, lx - 19, ly - 19, 38, 38, 10, { fill: col.page, stroke: free ? col.again : col.done, line: 1.8, dash: free ? [4, 3] : null }); lock(g, lx, ly - 3, 24, free ? col.again : col.done, free);
      const lockWords = !dead ? 'the lock: one broker only' : free ? `the lock runs out in ${seconds(doc.lock - t)}` : move < 1 ? 'the lock moves' : 'the lock is here now';
      text(g, lockWords, lx + 28, ly, { size: fs - 0.5, weight: 600, color: free ? col.again : col.done });
      if (free) ring(g, lx, ly, 25, (doc.lock - t) / (doc.lock - doc.dies), col.again, alpha(col.again, .2), 3);
      // connections
      for (const l of doc.links) {
        if (t < l.t0 || t >= l.t1) continue;
        const c = port(l.client, l.broker);
        if (l.state === 'up') { const fresh = v.since(l.t0) < 1 && l.t0 > 0; g.strokeStyle = col.done; g.lineWidth = fresh ? 4.5 : 2.6; stroke(g, c); g.beginPath(); g.arc(c.x3, c.y3, 4.5, 0, 7); g.fillStyle = col.done; g.fill(); }
        else {
          const u = v.reduced ? 1 : clamp(v.since(l.t0) / 0.5, 0, 1); g.save(); g.strokeStyle = col.again; g.lineWidth = 1.8; g.setLineDash([5, 6]); g.globalAlpha = l.t0 === doc.dies ? Math.max(0.45, 1 - u * 0.6) : 0.45; stroke(g, c); g.restore();
          const k = st.client[l.client], rx = k.x + k.w + 22, ry = k.y + k.h / 2; g.fillStyle = col.page; g.beginPath(); g.arc(rx, ry, 15, 0, 7); g.fill(); ring(g, rx, ry, 11, (l.t1 - t) / (l.t1 - l.t0), col.again, alpha(col.again, .2), 3.2);
          text(g, `tries in ${(l.t1 - t).toFixed(1)} s`, rx + 18, ry - 1, { size: fs - 1, weight: 600, color: col.again });
        }
      }
      // houses
      house.paint(g, st.b[1], v, { name: 'Broker 1', state: dead ? 'dead' : 'active', words: dead ? `gone for ${seconds(t - doc.dies)}` : 'active', hue: dead ? col.again : col.done, dash: dead ? [6, 5] : null });
      house.paint(g, st.b[2], v, { name: 'Broker 2', state: up2 ? 'active' : 'standby', words: up2 ? `active for ${seconds(t - doc.up)}` : locked2 ? `reads the store: ${seconds(doc.up - t)}` : 'waits for the lock', hue: up2 ? col.done : locked2 ? col.hand : col.soft });
      // messages
      const inStore = [], soft = []; st.hits = [];
      for (const m of doc.messages) {
        if (t < m.made || (m.acked !== null && t >= m.acked)) continue;
        const hand = m.hands.find((h) => h.t0 <= t && t < h.t1), again = m.hands.some((h) => h.why === 'connection lost' && t >= h.t1);
        if (t < m.arrived) continue;
        if (m.lost !== null && t >= m.lost) continue;
        if (m.persistent) inStore.push({ n: m.n, held: !!hand, again, xy() {} }); else soft.push({ m, held: !!hand });
      }
      drum.paint(g, st.drum, 'shared store', inStore, v);
      text(g, `${inStore.length} persistent messages: safe`, st.drum.x + st.drum.w / 2, st.drum.y + st.drum.h - 12, { size: fs - 1, color: col.soft, align: 'center', italic: true });
      const home = st.b[up2 ? 2 : 1];
      soft.forEach(({ m, held }, i) => { const x = home.x + 26 + i * s * 1.4, y = home.y + home.h - 44; mark(g, x, y, s, { color: held ? col.edge : col.waiting, hollow: true, ground: col.card, n: m.n, dash: held ? [3, 3] : null }); });
      if (soft.length) text(g, 'only in memory', home.x + 16, home.y + home.h - 18, { size: fs - 1.5, color: col.soft, italic: true });
      const lost = doc.messages.filter((m) => m.lost !== null && t >= m.lost);
      if (dead) { const b = st.b[1]; lost.forEach((m, i) => { const x = b.x + 26 + i * s * 1.4, y = b.y + b.h - 44; g.globalAlpha = 0.9; mark(g, x, y, s, { color: alpha(col.again, 0.55), hollow: true, ground: col.page, dash: [3, 3] }); mark(g, x, y, s * 0.9, { shape: 'cross', color: col.again }); g.globalAlpha = 1; }); if (lost.length) text(g, `${lost.length} lost: only in memory`, b.x + 16, b.y + b.h - 18, { size: fs - 1.5, weight: 600, color: col.again }); }
      // clients
      for (const c of doc.clients) {
        const b = st.client[c.name], mid = b.y + b.h / 2, link = doc.links.find((l) => l.client === c.name && l.t0 <= t && t < l.t1), on = link && link.state === 'up';
        box(g, b.x, b.y, b.w, b.h, 10, { fill: col.well, stroke: on ? col.edge : col.again, line: on ? 1.2 : 1.8, dash: on ? null : [6, 4] });
        text(g, c.name, b.x + 12, b.y + 17, { size: fs, weight: 650, color: on ? col.ink : col.again }); text(g, c.role === 'sends' ? 'sends' : `receives · ${doc.messages.filter((q) => q.hands.some((h) => h.holder === c.name && h.why === 'acknowledged' && h.t1 <= t)).length} done`, b.x + b.w - 12, b.y + 17, { size: fs - 1.5, color: col.soft, align: 'right' });
        if (c.role === 'sends') {
          const pile = doc.messages.filter((m) => m.from === c.name && m.made <= t && t < m.left);
          pile.slice(0, 8).forEach((m, i) => mark(g, b.x + 24 + i * s * 1.12, mid + 8, s, { color: col.waiting, hollow: !m.persistent, ground: col.well, n: m.n, ink: col.onmark }));
          text(g, pile.length ? `${pile.length} sent while dark: kept here` : `${doc.messages.filter((m) => m.from === c.name && m.left <= t).length} sent`, b.x + 12, b.y + b.h - 14, { size: fs - 1.5, weight: pile.length ? 600 : 400, color: pile.length ? col.again : col.soft });
        } else {
          const m = doc.messages.find((q) => q.hands.some((h) => h.holder === c.name && h.t0 <= t && t < h.t1));
          if (m) { const h = m.hands.find((x) => x.holder === c.name && x.t0 <= t && t < x.t1); mark(g, b.x + 32, mid + 4, s + 2, { shape: h.again ? 'diamond' : 'square', color: h.again ? col.again : col.hand, n: m.n, ink: col.onmark }); text(g, h.again ? `message ${m.n} again` : `message ${m.n}`, b.x + 56, mid + 4, { size: fs - 0.5, weight: 600, color: h.again ? col.again : col.ink }); bar(g, b.x + 10, b.y + b.h - 9, b.w - 20, 5, (t - h.t0) / ((h.why === 'connection lost' ? h.t0 + 2.4 : h.t1) - h.t0), col.done, alpha(col.edge, .22)); }
          else text(g, on ? 'waits for a message' : 'no connection', b.x + 12, mid + 4, { size: fs - 1, italic: true, color: on ? col.soft : col.again });
        }
      }
      // flights: to the broker and on to the store; to a receiver
      for (const m of doc.messages) {
        const to = t >= doc.up ? 2 : 1, c = port(m.from, m.arrived >= doc.dies ? 2 : 1);
        if (t >= m.left && t < m.arrived) { const [x, y] = c.at((t - m.left) / (m.arrived - m.left)); mark(g, x, y, s * 0.8, { color: col.waiting, hollow: !m.persistent, ground: col.page }); }
        const u = v.run(m.arrived); if (u >= 0 && u < 1 && m.persistent) streak(g, way(st.stores[m.arrived >= doc.dies ? 2 : 1]), u, s * 0.4, col.waiting);
        for (const h of m.hands) { const q = v.run(h.t0); if (q >= 0 && q < 1) { const k = port(h.holder, h.t0 >= doc.dies ? 2 : 1); streak(g, (z) => k.at(1 - z), q, s * 0.4, h.again ? col.again : col.hand); } }
      }
      if (dead && t < Math.max(...Object.values(doc.attach))) { const back = Object.values(doc.attach).filter((x) => x <= t).length; text(g, `${back} of 4 clients are back`, W - 2, st.drum.y - 8, { size: fs, weight: 650, color: col.again, align: 'right' }); }
    }
    let size = [0, 0];
    return { layout: (runs, W, H, big) => { size = [W, H]; layout(W, H, big); }, draw: (g, runs, v) => draw(g, ...size, v), anchor: (e) => e.place === 'b1' ? { x: st.b[1].x + st.b[1].w / 2, y: st.b[1].y + 6, r: 2 } : e.place === 'b2' ? { x: st.b[2].x + st.b[2].w / 2, y: st.b[2].y + 6, r: 2 } : e.place === 'lock' ? { x: along(st.stores[2], 0.5)[0] - 40, y: along(st.stores[2], 0.5)[1] - 20, r: 2 } : { x: st.client[e.place].x + 110, y: st.client[e.place].y, r: 2 }, say: (t) => t < doc.dies ? '<strong>Broker 1 has the lock and serves; broker 2 waits.</strong> A study: hand-made data.' : t < doc.lock ? `<strong>Dark for ${seconds(t - doc.dies)}:</strong> nobody has the lock, nobody serves.` : t < doc.up ? '<strong>Broker 2 has the lock and reads the store.</strong> Still dark.' : '<strong>Broker 2 serves.</strong> What was not acknowledged comes again.', curve: () => ({ label: 'sent, not yet done', color: 'waiting', ...doc.curve }) };
  }

  const made = new Map(), of = (run) => { if (!made.has(run)) made.set(run, make(run.study)); return made.get(run); };
  return {
    stages: { mq: {
      layout: (lanes, W, H, big) => of(lanes[0].run).layout(lanes, W, H, big), draw: (g, lanes, v) => of(lanes[0].run).draw(g, lanes, v),
      anchor: (e, lane) => of(lane.run).anchor(e),
    } },
    lenses: { mq: { wide: 0, curve: (run) => of(run).curve(), say: ([run], t) => of(run).say(t).replace(/<[^>]*>/g, '') } },
  };
}
