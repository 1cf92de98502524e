// The workbench in the browser: puts the parts together, owns the loop, talks to Python (or does without, on a saved page).
import { Chart } from "./chart.js";
import { Clock, paceWords } from "./clock.js";
import { Lanes } from "./lanes.js";
import { FONT, TIME, clamp, clock, dress } from "./theme.js";
import { Scrub } from "./scrub.js";
import { Stage } from "./stage.js";
import { actionsFor, touch } from "./touch.js";
import { actorCard, messageCard, orderCard, placeCard, standBeside } from "./card.js";
import { allInstants, instants, neighbour, openRun, unpack } from "./model.js";
import { button, h, icon, iconButton, keepKeys, refill } from "./dom.js";
import { HANDS } from "./layout.js";
import { KIT } from "./kit.js";
import { Spoken, curveOf, momentOf, sayNow } from "./told.js";
import { help } from "./help.js";
import { lensOf, register } from "./painters.js";
import { heard } from "./late.js";
import { arrived, liveStore, savedStore } from "./store.js";
import { missions } from "./missions.js";
import { more } from "./more.js";
import { DARK, STILL, bytesOf, mountPrediction, seenHeight, takeFocus, theme } from "./page.js";
import { predict } from "./predict.js";
import { settings } from "./settings.js";


const REST = 1;                                        // seconds after the last movement in which traces still fade
const LINE = 90;                                       // em: in a narrower one the sentence below the picture may need a second line
const FADES = 80;                                      // ms from frame to frame while only the old curve fades: the kernel works meanwhile

/**
 * Builds the workbench in `root`. `store`: get(name), on(changed), ask(message) -> promise of a reply, live (is there a kernel?), source() ->
 * promise of plotly.js, tell(cursor, playing), select(message), quiet() -> promise. Returns the function that takes it all away again.
 */
export function mount(root, store) {
  const form = store.get("form"), only = form.only ?? "", parse = (bytes) => (bytes?.byteLength ? openRun(unpack(bytes)) : null);
  let run = parse(store.get("run")), other = parse(store.get("other")), state = store.get("state"), figure = null, col = theme(), W = 0, H = 0;
  let select = null, hover = null, focus = null, hits = [], opened = false, following = false, seenAll = false, pull = null, big = false, wide = null;
  let frame = 0, last = 0, dirty = true, visible = true, asked = "", metUntil = 0, bubbleUntil = 0, told = new Map(), waiting = [],
    many = state.many.text;

  const time = new Clock(() => STILL.matches), stage = new Stage(), spoken = new Spoken();
  const ask = (message) => store.ask({ ...message, cursor: time.t });
  time.show(run.duration, []);
  if (store.get("cursor")) time.seek(store.get("cursor"), true);

  // ---- the page ----
  const canvas = h("canvas", { class: "ml-canvas", "aria-hidden": "true" }), bubble = h("div", { class: "ml-bubble", "aria-hidden": "true" });
  const card = h("section", { class: "ml-card", hidden: true, "aria-label": "About what was chosen", tabIndex: -1 });
  const hand = touch((action, lane) => act(action, lane));
  const things = h("div", { class: "ml-veil", role: "group", "aria-label": "Things in the picture" });
  const guess = h("div", { class: "ml-predict", hidden: true, role: "group", "aria-label": "Prediction" });
  const picture = h("div", { class: "ml-stage", role: "group", "aria-label": "Picture" }, canvas, bubble, hand.element, card, guess, things);
  const scrub = new Scrub(time, {
    seek: (t) => { time.play(false); seek(t); }, moved: (index, at) => ask({ do: "move", index, at }),
      removed: (index) => ask({ do: "take_back", index }),
    changed: (quiet) => { if (!quiet) say(); wake(); },
  });
  const play = iconButton("play", "Play (Space)", () => go(), { class: "ml-play" }), now = h("div", { class: "ml-now" }), pace = h("b", {});
  const drive = h("div", { class: "ml-drive", role: "group", "aria-label": "Time" }, iconButton("start", "To the beginning (Home)", () => seek(0)),
    play, iconButton("next", "Next event of interest (N)", () => jump(1)), now);
  const speed = h("div", { class: "ml-pace", role: "group", "aria-label": "Speed" },
    button("+", () => faster(1), { class: "", "aria-label": "Faster (+)" }), pace,
      button("−", () => faster(-1), { class: "", "aria-label": "Slower (−)" }));
  const sentence = h("span", { class: "ml-sentence", role: "status", "aria-live": "polite" }),
    lift = button("Show all", () => { time.lift(); tellTime("lift"); wake(); }, { class: "ml-lift" });
  const head = h("div", { class: "ml-head" }), alarm = h("div", { class: "ml-alarm", role: "alert", hidden: true });
  const panel = settings(form, ask, () => run.duration),
    tasks = missions(store.live ? panel.controlsFor : () => [], (key) => ask({ do: "met", key }));
  const behind = more(form, ask, { seek: (t) => { time.play(false); seek(t, true); }, choose: (m) => choose({ m, lane: mine() }),
    messages: () => run.messages }, store.live);
  const lives = new Lanes({ choose: (m) => choose({ m, lane: mine() }), seek: (t) => { time.play(false); seek(t); } });
  const chart = new Chart(store.source, (t) => { time.play(false); seek(t); });
  const signs = help();
  const toggle = (label, title, on) => {
    const b = button(label, (e) => { const next = b.getAttribute("aria-pressed") !== "true"; b.setAttribute("aria-pressed", next); const part = on(next);
      size(); wake(); if (next && e.isTrusted && part) requestAnimationFrame(() => part.scrollIntoView({ block: "nearest" })); }, { class: "ml-button ml-quiet", "aria-pressed": "false", title });
    return b;
  };
  const drawer = toggle("What if", "Settings, and things to do to the run", (on) => { panel.element.hidden = !on; });
  const lanesOn = toggle("Lanes", "Follow single messages over time", (on) => { lives.open(on); return lives.element; });
  const curves = toggle("Curves", "More curves of this run", (on) => { wide = on; plot(); return chart.element; });
  const moreOn = toggle("More", "What happened, numbers, compare, share, data", (on) => { behind.element.hidden = !on; tellTime("more"); return behind.element; });
  const large = toggle("Aa", "Larger type, for a projector (A)", (on) => { big = on; box.classList.toggle("ml-large", on); plot(); });
  const tools = h("div", { class: "ml-tools" }, store.live ? drawer : null, lanesOn, curves, moreOn, large,
    button("?", () => signs.open(col), { class: "ml-button ml-quiet", "aria-label": "Keys and signs (?)", title: "Keys and signs" }));
  head.append(h("h3", {}, form.title), tools);
  const foot = h("div", { class: "ml-foot" }, drive, scrub.element, speed), line = h("div", { class: "ml-say" }, sentence, lift);
  const main = h("div", { class: "ml-main" }, h("div", { class: "ml-view" }, picture, foot, line), store.live ? panel.element : null);
  const box = h("div", { class: `ml-workbench ${only ? "ml-only" : ""}`, tabIndex: -1, role: "region",
    "aria-label": form.title },
    only ? null : head, tasks.element, tasks.controls, alarm, main,
    lives.element, chart.element, behind.element, signs.element);
  root.append(box);
  // ---- what is shown ----
  const mine = () => (other ? 1 : 0), lanes = () => (other ? [other, run] : [run]);
  const toPython = (lane) => (lane === mine() ? 0 : 1);

  async function show(keep) {
    await bring(run);
    const names = state.names ?? ["", ""], list = lanes();
    run.values = state.values;
    stage.show(list.map((r, i) => ({ run: r, label: other ? `${"AB"[i]}: ${names[i]}` : "", strong: i === mine() })), Boolean(store.live));
    const found = list.flatMap((r, i) => [...r.events, ...(lensOf(r.lens)?.events?.(r) ?? [])].map((e) => ({ ...e, lane: i,
      text: e.text.replace(/ \(\d+ in all\)/, ""), words: `${other ? `${"AB"[i]}: ` : ""}${e.text.replace(/ \(\d+ in all\)/, "")}` }))).sort((a,
        b) => a.t - b.t);
    const since = keep && run.actions.length ? Math.min(...run.actions.map((a) => a.at).filter((at) => at >= time.t - 1e-6), Infinity) : Infinity;
    time.show(run.duration, found, since);
    if (!keep && state.seen && state.question?.state !== "open") time.lift();   // the cell has run before
    scrub.show({ ...curveOf(list, state), events: found }, keep);
    scrub.plant(run.actions.map((a, i) => ({ at: a.at, words: (state.actions[i] ?? a.kind).replace(/^[\d.,]+ s: /, "") })), store.live);
    behind.show(found, run.duration);
    lives.show(run, other ? "run B, " : "");
    told.clear();
    keys();
    if (select && (select.m ?? 0) >= run.messages) close();
    else if (select) choose(select, true);
    tellTime("data");
  }

  /** Painters that a scenario brings along are loaded once. */
  async function bring({ painters: sources }) {
    for (const source of sources ?? []) {
      if (bring.known?.has(source)) continue;
      (bring.known ??= new Set()).add(source);
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      try { register((await import(/* webpackIgnore: true */ url)).default(KIT)); } finally { URL.revokeObjectURL(url); }
    }
  }

  function refresh() {
    if (alarm.textContent !== state.alarm) complain(state.alarm);
    panel.refresh(state); behind.refresh(state, time.fog); tasks.show(state.missions);
    scrub.asks(state.question);
    const covered = predict(guess, state.question, ask, { seen: !time.fog, drawn: () => scrub.answer() }), open = state.question?.state === "open";
    box.classList.toggle("ml-veiled", covered);
    for (const part of [behind.element, panel.element, tasks.controls]) part.inert = open;
    if (state.focus && state.focus !== asked) { asked = state.focus; moreOn.setAttribute("aria-pressed", "true"); behind.element.hidden = false;
      behind.open(state.focus.split("/")[0]); }
    tellTime("state");
  }

  /** What is wrong, in view: beside the control that it is about, else at the top. */
  function complain(words) {
    const near = box.contains(document.activeElement) ? document.activeElement.closest(".ml-more .ml-row, .ml-action, .ml-setting") : null;
    if (near) near.after(alarm); else main.before(alarm);
    alarm.textContent = words; alarm.hidden = !words;
    if (words && store.live) alarm.scrollIntoView({ block: "nearest" });
  }

  /** The figure: fetched and drawn where there is room for it, or where it was asked for. `stale`: the run has changed. */
  async function plot(stale = false) {
    plot.stale ||= stale; chart.large = big; chart.family = FONT;
    const view = box.querySelector(".ml-view"), on = wide ?? (!only && seenHeight(box) - view.offsetHeight - head.offsetHeight > 330);
    chart.element.hidden = !on;
    curves.setAttribute("aria-pressed", on);
    if (!on || !visible) return;
    try {
      if (plot.stale !== false) { plot.stale = false; figure = unpack(bytesOf(await store.figure())); }
      const colours = { ...col, flight: col.hand, line: col.faint, accent: col.waiting, delayed: col.soft, dead: col.control };
      if (figure) await chart.draw(figure, colours);
      chart.place(time.t, time.fog ? time.watched : Infinity);
    } catch (error) { complain(`The figure cannot be shown: ${error.message}`); }
  }
  plot.stale = true;
  // ---- time ----
  function wake() { dirty = true; if (!frame && visible) { last = performance.now(); frame = requestAnimationFrame(tick); } }

  function go(on = !time.playing) {
    const question = state.question;
    if (on && question?.state === "open") {
      const drawn = question.kind === "curve" ? scrub.answer() : null;
      if (!drawn) { say("Guess first: nothing is played before. Or press Skip."); guess.querySelector("button, input")?.focus(); return; }
      ask({ do: "answer", value: drawn });
    }
    time.play(on);
    if (!on) spoken.stop(time.t);
    tellTime("mode"); wake();
  }
  function seek(t, free = false) { time.seek(t, free); bubbleUntil = 0; tellTime("seek"); wake(); }
  function faster(by) { time.faster(by); wake(); }
  function step(by) { time.play(false); seek(neighbour(allInstants(run), time.t, by), true); tellTime("step"); }
  function jump(by) {
    const of = time.events.filter((e) => e.big), list = of.length ? of : time.events,
      e = by > 0 ? list.find((x) => x.t > time.t + 1e-3) : list.findLast((x) => x.t < time.t - 1e-2);
    time.play(false);
    if (!e) { say(by > 0 ? "No more events of interest." : "No earlier events of interest."); wake(); return; }
    seek(e.t + 1e-4, true); time.told.add(e.kind); note(e);
  }

  /** Words at the place where something happened; below the picture too, unless `quiet`. */
  function note(e, quiet = false) {
    const at = stage.anchor(e);
    bubble.textContent = e.text;
    if (at && W) {
      const half = Math.min(135, W / 2 - 6), x = clamp(at.x, half + 4, W - half - 4), below = at.y < 64;
      bubble.style.left = `${x}px`; bubble.style.setProperty("--tail", `${clamp(at.x - x, -half + 16, half - 16)}px`);
      bubble.style.top = below ? `${at.y + (at.r || 14) + 8}px` : ""; bubble.style.bottom = below ? "" : `${H - at.y + (at.r || 14) + 6}px`;
      bubble.classList.toggle("ml-below", below);
      bubbleUntil = performance.now() + TIME.bubble * 1000;
    }
    if (!quiet) say(`${other ? `${"AB"[e.lane]}, at` : "At"} ${clock(e.t, run.duration)}: ${e.text}`, true);
    wake();
  }
  time.tell = (e) => note(e, performance.now() < metUntil);          // why a mission was met stays long enough to be read
  const say = (words = "", dated = false) => spoken.say(words, time.t, dated);

  /** Everything in words that follows the cursor. */
  function tellTime(why = "") {
    behind.time(time.t, time.watched, time.playing); behind.fog(time.fog); panel.time(time.t);
    lift.hidden = !time.fog || state.question?.state === "open";
    if (why !== "frame" && state.question) predict(guess, state.question, ask, { seen: !time.fog, drawn: () => scrub.answer() });
    const words = tasks.check(seen());
    if (words) { say(`✓ ${words}`); metUntil = performance.now() + TIME.met * 1000; }
    if (why === "step" && !words) say(momentOf(run, time.t) || (time.over ? "The run ends here." : ""));
    if (why === "seek" && !words) say();
    if (!time.fog && state.seen === false && !seenAll) { seenAll = true; store.ask({ do: "seen" }); }
    store.tell(time.t, time.playing);
  }

  /** How much of the run was seen, for the missions. */
  const seen = () => ({ watched: time.watched, opened, t: time.t, duration: run.duration });

  // ---- what is chosen ----
  async function choose(pick, quiet = false) {
    if (!pick) return;
    select = pick; opened ||= pick.m !== undefined;
    bubbleUntil = 0;
    fill(quiet);
    const reveal = () => { if (!quiet) card.scrollIntoView({ block: "nearest" }); };
    reveal();
    if (pick.m !== undefined) {
      if (pick.lane === mine()) store.select(pick.m);
      const key = `${pick.lane}/${pick.m}`;
      if (!told.has(key)) told.set(key, store.ask({ do: "why", message: pick.m, lane: toPython(pick.lane) }));
      const life = await told.get(key);
      if (select === pick && life?.clauses) { pick.told = life; fill(quiet); reveal(); }
    }
    tellTime("choose"); wake();
  }

  /** Fills the card and puts it beside its mark, never over it. */
  function fill(quiet = false) {
    const { m, actor, place, order, lane } = select, r = lanes()[lane] ?? run, view = { t: time.t, watched: Math.max(time.watched, time.t), col };
    const on = { step: (by) => stepLife(by), choose: (other) => choose({ m: other, lane }),
      follow: () => { following = !following; if (following) go(true); fill(); } };
    const parts = m !== undefined ? messageCard(r, m, { ...view, told: select.told, on, following }) : actor !== undefined ? actorCard(r, actor,
      view) : order !== undefined ? orderCard(r, order, view) : placeCard(r, place, view, lensOf(r.lens)?.about?.(r, place, time.t));
    const kept = card.contains(document.activeElement) ? document.activeElement.textContent : null;
    refill(card, iconButton("close", "Close (Escape)", () => { close(); box.focus({ preventScroll: true }); }, { class: "ml-icon ml-x" }), ...parts);
    card.hidden = false;
    if (kept !== null) ([...card.querySelectorAll("button")].find((b) => b.textContent === kept) ?? box).focus({ preventScroll: true });
    const cell = actor !== undefined ? stage.lanes[lane]?.cells.get(actor) : null,
      b = place !== undefined ? stage.lanes[lane]?.boxes.get(place) : null;
    const at = m !== undefined ? stage.find(m, lane, time.t) ?? { x: W / 2, y: 30, r: 10 } : cell ? { x: cell.mx, y: cell.my,
      r: 20 } : b ? { x: b.x + Math.min(90, b.w / 2), y: b.y + 26, r: 8 } : { x: select.x ?? W / 2, y: select.y ?? 60, r: 8 };
    standBeside(card, at, W, H, picture.offsetTop);
    select.at = at;
    const current = card.querySelector("[aria-current]");
    if (current) current.parentElement.scrollTop = current.offsetTop - (current.parentElement.clientHeight - current.offsetHeight) / 2;
    if (!quiet && m !== undefined) lives.pin(m, true);
  }
  lives.choose = async (m) => { if (select?.m === m) return; await choose({ m, lane: mine() }, true); card.scrollIntoView({ block: "nearest" }); };

  function close() { select = null; following = false; card.hidden = true; opened = false; wake(); }

  function stepLife(by) {
    const list = instants(lanes()[select.lane], select.m),
      next = by > 0 ? list.find((t) => t > time.t + 0.02) : list.findLast((t) => t < time.t - 0.05);
    time.play(false);
    if (next !== undefined) seek(next + 0.006, true);
    fill();
  }

  /** Does something to a thing: in both lanes as long as they go together, in one when it is done there with Shift, or the lanes are apart. */
  function act({ kind, target, value }, lane) {
    const message = { do: "act", kind, target, value };
    if (other) message.lane = toPython(lane);
    ask(message);
  }

  /** The things in the picture as buttons, for who has no pointer. */
  function keys() {
    refill(things, stage.lanes.flatMap((lane) => lane.run.places.flatMap((p, place) => [
      !["done", "lost"].includes(p.role) ? thing(lane, { place }, `${lane.label} ${p.label}`.trim()) : null,
      ...(HANDS.has(p.role) ? lane.actorsAt(place) : []).map((actor) => thing(lane, { actor }, `${lane.label} ${lane.run.actors[actor].name}`.trim())),
    ])));
  }

  function thing(lane, what, label) {
    const key = what.actor !== undefined ? `${lane.i}a${what.actor}` : `${lane.i}${lane.run.places[what.place].role === "producer" ? "p" : "q"}${what.place}`;
    return button(label, () => {
      const held = what.actor !== undefined ? lane.at(time.t).marksOf(what.actor)[0] : null;
      choose(held && !(select?.m === held.m) ? { m: held.m, lane: lane.i } : { ...what, lane: lane.i });
    }, {
      title: "Enter asks about it; Down goes to what can be done to it",
      onfocus: () => { focus = key; const hit = hits.find((x) => x.id === key); if (hit) offer(hit); wake(); },
      onblur: () => { focus = null; hand.hide(); wake(); },
      onkeydown: (e) => { if (e.key === "ArrowDown") { hand.focus(); e.preventDefault(); e.stopPropagation(); } },
    });
  }

  function offer(hit) {
    const what = hit?.touch === undefined && hit?.w && hit.pick?.place !== undefined ? { ...hit.pick, at: hit } : hit?.touch;
    if (!what || !store.live || state.question?.state === "open") return hand.hide();
    const r = stage.lanes[what.lane]?.run, list = r ? actionsFor(state.canDo, form.params, r, what, time.t) : [], b = what.at;
    if (!list.length || !b) return hand.hide();
    const w = list.length * 36, right = Math.max(b.x + 2, b.x + b.w - w - 6);
    const covered = hits.filter(({ x, r, touch: own }) => own?.message !== undefined && own.lane === what.lane && own.actor === what.actor && x + r > right);
    const left = Math.min(...covered.map(({ x, r }) => x - r)) - w;           // a click on a message is to ask about it
    const y = b.y + Math.min(b.h / 2 - 14, b.h - 30), outside = b.x + b.w - 8;
    const free = outside + w < W && !hits.some((h) => h !== hit && h.w && h.x < outside + w && h.x + h.w > outside + 8 && h.y < y + 28 && h.y + h.h > y);
    if (b.w < w + 100 && free) return hand.show(list, outside, y, what.lane, hit.id);   // its words stay to be read
    return hand.show(list, covered.length && left > b.x - w ? left : right, y, what.lane, hit.id);
  }

  // ---- the loop ----
  function view() {
    return {
      t: time.t, col, speed: time.pace, wall: performance.now() / 1000, big, select, hover, focus, hits, playing: time.playing,
        reduced: STILL.matches,
      run: (t0) => (STILL.matches ? 2 : ((time.t - t0) / time.pace + (time.playing ? 0 : time.since)) / TIME.streak),
      since: (t0) => (time.t - t0) / time.pace + (time.playing ? 0 : time.since), back: TIME.streak * time.pace,
    };
  }

  function tick(wall) {
    frame = 0;
    const moved = time.tick((wall - last) / 1000);
    last = Math.max(last, wall);
    try {
      if (moved || dirty || time.since < REST || wall < Math.max(bubbleUntil, metUntil) + 300) { dirty = false; paint(wall); }
      else if (scrub.live && (scrub.drawing || wall - curve.at > FADES)) curve(wall);   // the scene stands still: to paint it takes time from what runs in the kernel
      if (moved) tellTime(time.playing ? "frame" : "mode");
    } catch (error) {                                  // it does not end the frames to come, and it is said
      const words = `This instant cannot be drawn: ${error.message}`;
      if (alarm.textContent !== words) { reportError(error); complain(words); }
    }
    const moving = time.playing || time.since < REST || dirty, live = moving || scrub.live || performance.now() < Math.max(bubbleUntil, metUntil);
    if (!moving) settle();
    if (live && visible) frame = requestAnimationFrame(tick);
  }

  function curve(wall) { curve.at = wall; scrub.draw(col, wall / 1000, { big, reduced: STILL.matches }); }

  function paint(wall) {
    const g = canvas.getContext("2d"), ratio = Math.min(2, devicePixelRatio || 1), v = view();
    if (!W || !stage.lanes.length) return;           // painters that the run brings along are on their way
    g.setTransform(ratio, 0, 0, ratio, 0, 0); g.clearRect(0, 0, W, H);
    hits = v.hits = [];
    stage.draw(g, v);
    if (select && !card.hidden && select.m !== undefined) {
      const at = stage.find(select.m, select.lane, time.t) ?? select.at, x = card.offsetLeft, right = x > at.x, ex = right ? x : x + card.offsetWidth;
      if ((right && ex > at.x + at.r + 6) || (!right && ex < at.x - at.r - 6)) {
        g.beginPath(); g.moveTo(at.x + (right ? 1 : -1) * (at.r + 5), at.y);
        g.lineTo(ex, clamp(at.y, card.offsetTop + 14, card.offsetTop + card.offsetHeight - 14));
        g.strokeStyle = col.ink; g.lineWidth = 1.5; g.stroke();
      }
      if (following && time.playing && performance.now() - (fill.last ?? 0) > 400) { fill.last = performance.now(); fill(true); }
    }
    curve(wall);
    lives.draw(time.t, Math.max(time.watched, time.t), col, select?.m, time.playing, ratio);
    chart.place(time.t, time.fog ? time.watched : Infinity);
    const put = (element, words) => { if (element.textContent !== words) element.textContent = words; },
      words = clock(time.t, run.duration, !time.playing);
    put(now, words); put(pace, paceWords(time.pace));
    pace.classList.toggle("ml-slowed", time.slowLeft > 0);
    if (play.dataset.playing !== String(time.playing)) {
      play.dataset.playing = time.playing;
      play.replaceChildren(icon(time.playing ? "pause" : "play"));
      play.setAttribute("aria-label", time.playing ? "Pause (Space)" : "Play (Space)");
    }
    scrub.canvas.setAttribute("aria-valuemax", run.duration); scrub.canvas.setAttribute("aria-valuenow", time.t.toFixed(3));
    scrub.canvas.setAttribute("aria-valuetext", `${words} of ${clock(run.duration, run.duration)}`);
    bubble.classList.toggle("ml-on", performance.now() < bubbleUntil);
    const told = (performance.now() < metUntil ? spoken.words : spoken.at(time.t, time.playing)) || lensWords();
    if (sentence.textContent !== told) refill(sentence, told.split(/(\S*-\S*)/).map((part, i) => (i % 2 ? h("span", { class: "ml-name" }, part) : part)));   // warehouse-2 on one line
  }

  /** The sentence below the picture: the score of a guess, else what is remarkable now. */
  function lensWords() {
    const score = scrub.score();
    if (score && !time.fog && time.over) {
      const d = score.real[1] - score.mine[1];
      return `You and the truth share ${Math.round(score.share * 100)} % of the area. The peak was ${Math.round(score.real[0])} at ${clock(score.real[1], run.duration)}; yours ${Math.round(score.mine[0])}`
        + `${Math.abs(d) < run.duration / 100 ? ", at the right time" : `, ${clock(Math.abs(d), run.duration)} too ${d > 0 ? "early" : "late"}`}.`;
    }
    if (scrub.drawing && scrub.guess && !scrub.answer()) return "Draw on, to the right end of the curve.";
    if (scrub.drawing) return scrub.guess ? "That is your guess. Press Play: the truth will be drawn over it." : state.question.text;
    return sayNow(stage.lanes, time.t);
  }

  /** A promise that no message is on its way, no time runs and no trace fades. For tests, and for pictures. */
  const settled = async () => {
    await store.quiet();
    await new Promise((done) => { waiting.push(done); wake(); });
    return true;
  };
  function settle() { for (const done of waiting.splice(0)) done(); }

  // ---- sizes ----
  function size() {
    box.classList.toggle("ml-narrow", box.clientWidth < 820);
    tasks.fit();
    const ratio = Math.min(2, devicePixelRatio || 1), two = lanes().length > 1;
    line.classList.toggle("ml-two", two || line.clientWidth < LINE * parseFloat(getComputedStyle(line).fontSize));
    const rest = head.offsetHeight + tasks.element.offsetHeight + tasks.controls.offsetHeight + foot.offsetHeight + line.offsetHeight + alarm.offsetHeight + 26;
    const seen = seenHeight(box) - (store.live ? 24 : 34), most = only ? form.height ?? 360 : Math.max(two ? 300 : 250, seen - rest);
    const most2 = Math.min(most, two ? 900 : 560);
    picture.style.height = `${Math.round(most2)}px`;
    W = picture.clientWidth; H = picture.clientHeight;
    const wide = Math.round(W * ratio), high = Math.round(H * ratio), resized = canvas.width !== wide || canvas.height !== high;
    if (resized) Object.assign(canvas, { width: wide, height: high });
    stage.layout(W, H, big); scrub.resize(ratio); chart.resize();
    if (select) fill(true);
    wake();
    if (resized && frame) { cancelAnimationFrame(frame); tick(performance.now()); }   // a canvas of a new size is empty until it is painted
  }

  function repaint() {
    col = theme();
    dress(box, col);
    plot(); if (select) fill(true);
    wake();
  }

  // ---- what comes from outside ----
  const forget = store.on(async (names) => {
    if (names.has("cursor")) { time.play(false); seek(store.get("cursor"), true); }
    if (names.has("state")) { if (state.question?.state !== store.get("state").question?.state) say(); state = store.get("state"); }
    if (names.has("run")) run = parse(store.get("run"));
    if (names.has("other")) other = parse(store.get("other"));
    const met = spoken.words.startsWith("✓") && (performance.now() < metUntil || spoken.at(time.t, time.playing) !== "");
    if (names.has("run") || names.has("other")) { say(); await show(true); }   // what was said, was said of another run
    if (names.has("run") || names.has("other") || many !== state.many.text) { many = state.many.text; plot(true); }
    if (names.has("selected")) { const m = store.get("selected"); if (m >= 0 && m !== select?.m) choose({ m, lane: mine() });
      else if (m < 0 && select?.m !== undefined) close(); }
    refresh(); size();
    if (met) { const words = tasks.again(seen()); say(words && `✓ ${words}`); }
  });
  store.whenSilent?.((silent) => complain(silent ? "The kernel does not answer. It is busy, or it was restarted: then run this cell again." : state.alarm));

  const find = (e) => {
    let best = null, near = Infinity;
    for (const hit of hits) {
      if (hit.w) { if (e.offsetX >= hit.x && e.offsetX <= hit.x + hit.w && e.offsetY >= hit.y && e.offsetY <= hit.y + hit.h && near >= 1e4) {
        best = hit; near = 1e4; } continue; }
      const d = Math.hypot(e.offsetX - hit.x, e.offsetY - hit.y);
      if (d <= hit.r + 4 && d < near) { best = hit; near = d; }
    }
    return best;
  };
  /** Is the pointer at the end of a ring? Then pulling it changes the visibility timeout. */
  const ringAt = (e) => hits.find((x) => x.touch?.ring && store.live &&
    Math.abs(Math.hypot(e.offsetX - x.touch.ring.x, e.offsetY - x.touch.ring.y) - x.touch.ring.r) < 6);
  canvas.addEventListener("pointermove", (e) => {
    if (pull) {
      const { x, y, mark } = pull.ring, angle = (Math.atan2(e.offsetX - x, y - e.offsetY) / (2 * Math.PI) + 1) % 1, total = mark.k.vu - mark.k.ring;
      const turn = angle - pull.angle; pull.turns += turn > 0.5 ? -1 : turn < -0.5 ? 1 : 0; pull.angle = angle;
      pull.seconds = Math.max(0, Math.round(total * (1 + pull.start - angle - pull.turns)));
      bubble.textContent = `visibility timeout ${pull.seconds} s, from now on`; bubble.style.left = `${x}px`;
      bubble.style.top = `${y + pull.ring.r + 14}px`; bubble.style.bottom = ""; bubble.classList.add("ml-below");
      bubbleUntil = performance.now() + 1500; wake();
      return;
    }
    const hit = find(e);
    if (hit?.id !== hover?.id) { hover = hit; wake(); }
    canvas.style.cursor = canChange() && ringAt(e) ? "grab" : hit?.pick ? "pointer" : "";
    offer(hit);
  });
  const canChange = () => state.canDo?.some((s) => s.kind === "set" && s.targets.includes("visibility_timeout"));
  canvas.addEventListener("pointerdown", (e) => {
    const hit = canChange() ? ringAt(e) : null;
    if (!hit || e.button) return;
    const { x, y } = hit.touch.ring, angle = (Math.atan2(e.offsetX - x, y - e.offsetY) / (2 * Math.PI) + 1) % 1;
    pull = { ring: hit.touch.ring, lane: hit.touch.lane, angle, start: angle, turns: 0, from: [e.offsetX, e.offsetY] };
    time.play(false); canvas.setPointerCapture?.(e.pointerId);
  });
  canvas.addEventListener("pointerup", () => { if (pull?.seconds !== undefined) {
    act({ kind: "set", target: "visibility_timeout", value: pull.seconds }, pull.lane); pull.done = true; } setTimeout(() => { pull = null; }); });
  canvas.addEventListener("click", (e) => {
    if (pull?.done) return;
    const hit = find(e);
    if (hit?.pick) { time.play(false); choose(hit.pick); } else if (select) close();
  });
  picture.addEventListener("pointerleave", () => { hover = null; hand.hide(); wake(); });

  const acts = {
    " ": () => go(), ArrowRight: (e) => (e.shiftKey ? (time.play(false), seek(time.t + run.duration / 20, true)) : step(1)),
      ArrowLeft: (e) => (e.shiftKey ? (time.play(false), seek(time.t - run.duration / 20)) : step(-1)),
    Home: () => seek(0), End: () => seek(time.watched), n: () => jump(1), p: () => jump(-1), "+": () => faster(1), "-": () => faster(-1),
      a: () => large.click(), "?": () => signs.open(col),
    1: () => scrub.shape(1), 2: () => scrub.shape(2), 3: () => scrub.shape(3),
  };
  box.addEventListener("keydown", (e) => {
    if (e.key === "Escape" && select) { close(); box.focus({ preventScroll: true }); return; }
    const found = acts[e.key.length === 1 ? e.key.toLowerCase() : e.key], tag = e.target.tagName;
    const typing = tag === "SELECT" || tag === "TEXTAREA" || (tag === "INPUT" && e.target.type !== "checkbox" &&
      !(e.target.type === "range" && e.key === " "));
    const pressing = e.key === " " && (tag === "BUTTON" || tag === "SUMMARY" || e.target.type === "checkbox" || e.target.type === "radio");
    if (!found || typing || pressing || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    found(e);
  });

  const free = keepKeys(box), sizes = new ResizeObserver(() => size());
  sizes.observe(box); sizes.observe(foot);
  const sight = new IntersectionObserver((news) => { visible = news.at(-1).isIntersecting; if (visible) { plot(); wake(); } else settle(); });
  sight.observe(box);
  const themes = new MutationObserver(repaint);
  if (document.body) themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  DARK.addEventListener("change", repaint);
  addEventListener("resize", size);

  box.workbench = { stage, time, scrub, settled, view, get hits() { return hits; }, get run() { return run; }, get other() { return other; } };
  dress(box, col);
  if (form.lanes) lanesOn.click();
  show(false).then(() => { refresh(); size(); plot(); takeFocus(box); });
  return () => {
    cancelAnimationFrame(frame); frame = -1; settle();
    free(); forget(); sizes.disconnect(); sight.disconnect(); themes.disconnect(); DARK.removeEventListener("change", repaint);
    removeEventListener("resize", size);
    chart.close(); box.remove();
  };
}

export { mountPrediction, savedStore };

export default heard({ render: async ({ model, el }) => mount(el, liveStore(await arrived(model))) });
