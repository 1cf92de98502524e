// The workbench in the browser: puts the parts together, owns the clock, talks to Python (or does without, on a saved page).
import { openRun, stateAt, unpack } from "./state.js";
import { branches } from "./layout.js";
import { Stage } from "./draw.js";
import { legend, palette } from "./marks.js";
import { h, numberField, refill, select } from "./dom.js";
import { Player, Speaker, keys, transport } from "./transport.js";
import { menu } from "./menu.js";
import { Chart } from "./chart.js";
import { side } from "./side.js";
import { foot, numbers, sentence } from "./foot.js";
import { Lanes } from "./lanes.js";
import { predict } from "./predict.js";

const STILL = matchMedia("(prefers-reduced-motion: reduce)"), DARK = matchMedia("(prefers-color-scheme: dark)");
const PATIENCE = 20000;                               // ms without an answer after which the kernel is called silent
const FRAME = 0.5;                                     // seconds between frames where motion is not wanted

/** Light or dark: JupyterLab's theme, else the system's. */
const theme = () => {
  const light = document.body?.dataset.jpThemeLight;
  return light === "false" || (light === undefined && DARK.matches) ? "dark" : "light";
};

/**
 * Builds the workbench in `root`. `store`: get(name), on(names, changed), ask(message) -> promise of a reply, live (is there a
 * kernel?), source() -> promise of plotly.js, tell(cursor). Returns the function that takes it all away again.
 */
export function mount(root, store) {
  const parse = (bytes) => (bytes?.byteLength ? openRun(unpack(bytes)) : null);
  const form = store.get("form"), ask = (message) => store.ask({ ...message, cursor: player.t });
  let run = parse(store.get("run")), other = parse(store.get("other")), state = store.get("state"), figure = null, colours = {};
  let asked = 0, visible = true, frame = 0, last = 0, owed = 0, dirty = null, ticking = false, seekAt = state.seek?.n ?? 0;

  const speaker = new Speaker();
  const player = new Player(run, (why) => { dirty = why; wake(); });
  if (state.seek) player.t = state.seek.t;

  // ---- the page ----
  const canvas = h("canvas", { class: "ml-canvas", role: "img" }), stage = new Stage(canvas), bar = transport(player);
  const bigPlay = h("button", { type: "button", class: "ml-big", onclick: () => { player.play(true); box.focus(); } }, "▶  Watch the run");
  const offer = menu(ask);
  const card = h("div", { class: "ml-predict", hidden: true, role: "group", "aria-label": "Prediction" });
  const chart = new Chart(store.source, (t) => player.seek(t)), counters = numbers();
  const panel = side(form, ask, player), below = foot(form, ask, player, choose, store.live);
  const marks = h("div", { class: "ml-legend", "aria-label": "What the marks mean" });
  const alarm = h("div", { class: "ml-alarm", role: "alert", hidden: true }), headline = h("p", { class: "ml-headline" });
  const seed = numberField((typed) => { const value = Math.round(typed); if (Number.isNaN(value)) seed.value = state.seed; else if (value !== state.seed) ask({ do: "set", name: "seed", value }); },
    { step: "1", "aria-label": "Seed", title: "The seed of all chance. The same seed gives the same run." });
  const limits = select("Figures of AWS", [["2023", "notes 2023"], ["today", "AWS today"]], state.limits, (value) => ask({ do: "set", name: "limits", value }));
  const large = h("button", { type: "button", class: "ml-button ml-quiet", "aria-pressed": "false", title: "Larger type, for a projector", onclick: () => enlarge() }, "Aa");
  const lives = new Lanes({ choose: (message) => choose(0, message, true), life: (message) => ask({ do: "why", message, lane: 0 }), seek: (t) => player.seek(t) });
  const lanesOn = h("button", { type: "button", class: "ml-button ml-quiet", "aria-pressed": "false", title: "Follow single messages over time", onclick: () => openLanes(lives.element.hidden) }, "Lanes");
  const tools = h("div", { class: "ml-tools" }, store.live && [h("label", {}, "seed ", seed), form.limits.length ? h("label", { title: form.limits.join("\n") }, "quotas ", limits) : null], lanesOn, large);
  const head = h("header", { class: "ml-head" }, h("div", {}, h("h3", {}, form.title), headline), tools);
  const box = h("div", { class: "ml-workbench", tabIndex: -1, "data-lm-suppress-shortcuts": "true", role: "region", "aria-label": form.title },
    head, alarm,
    h("div", { class: "ml-main" }, store.live ? panel.element : null,
      h("div", { class: "ml-view" }, card, h("div", { class: "ml-stage" }, canvas, bigPlay, offer.element), bar.element, h("div", { class: "ml-under" }, marks, speaker.element), lives.element, counters.element, chart.element)),
    below.element);
  root.append(box);

  // ---- showing ----
  async function choose(lane, message, fromLanes = false) {
    stage.chosen = message;
    if (!lane && !fromLanes && !lives.element.hidden) return lives.pin(message, true);
    below.open("why");
    wake("choose");
    const life = await store.ask({ do: "why", message, lane });
    if (life?.clauses) below.life(message, life);
  }

  function show() {
    run.series = figure?.series;
    player.show(run);
    const lanes = other ? [run, other].map((it, i) => ({ run: it, label: `${"AB"[i]}: ${state.comparison?.names[i] ?? ""}` })) : [{ run }];
    box.classList.toggle("ml-two", lanes.length > 1);
    const rows = Math.max(...lanes.map((lane) => branches(lane.run.places, lane.run.links)));
    const high = `calc(var(--ml-stage) * ${(0.42 * rows + 0.3).toFixed(2)})`;   // but no more than a screen shows with the transport bar
    canvas.parentElement.style.height = rows > 2 ? `min(${high}, max(calc(var(--ml-size) * ${(lanes.length * (3.6 * rows + 4.2)).toFixed(1)}), 100vh - 330px))` : "";
    stage.show(lanes);
    refill(marks, legend(lanes.map((lane) => lane.run), colours));
    counters.clear();
    lives.show(run, other ? "A" : "");
    below.show(run);
  }

  function refresh() {
    headline.textContent = state.headline;
    if (alarm.textContent !== state.alarm) complain(state.alarm);
    if (document.activeElement !== seed) seed.value = state.seed;
    limits.value = state.limits;
    panel.refresh(state); below.refresh(state);
    box.classList.toggle("ml-veiled", predict(card, state.question, ask));
    for (const part of [below.element, panel.element]) part.inert = state.question?.state === "open";
    if ((state.seek?.n ?? 0) !== seekAt) { seekAt = state.seek.n; player.playing = false; player.seek(state.seek.t); }
    if (state.focus && state.focus !== asked) { asked = state.focus; below.open(state.focus.split("/")[0]); }
  }

  /** What is wrong, in view: beside the control below the picture that it is about, else at the top. */
  function complain(words) {
    const near = box.contains(document.activeElement) ? document.activeElement.closest(".ml-foot .ml-row, .ml-action") : null;
    (near ?? head).after(alarm);
    alarm.textContent = words; alarm.hidden = !words;
  }

  function paint() {
    box.dataset.theme = theme();
    colours = palette(box);
    stage.family = chart.family = lives.family = getComputedStyle(box).fontFamily;
    lives.legend(colours);
    if (run) refill(marks, legend(other ? [other, run] : [run], colours));
    draw();
    wake("theme");
  }

  const draw = () => figure && colours.ink && chart.draw(figure, colours).catch((error) => complain(`The figure cannot be shown: ${error.message}`));

  function openLanes(on) {
    lives.open(on); lanesOn.setAttribute("aria-pressed", on);
    wake("size");
  }

  function enlarge() {
    const on = box.classList.toggle("ml-large");
    large.setAttribute("aria-pressed", on);
    stage.font = on ? 16 : 12; chart.large = on;
    stage.resize(); draw(); wake("size");
  }

  // ---- the clock ----
  function wake(why) {
    if (why) dirty ??= why;
    if (!frame && !ticking && visible) { last = performance.now(); frame = requestAnimationFrame(tick); }
  }

  function tick(now) {
    frame = 0;
    ticking = true;                                    // what advancing sets off must not ask for frames of its own
    let dt = Math.min(0.1, (now - last) / 1000);
    last = now;
    if (STILL.matches && player.playing) {
      owed += dt;
      if (owed < FRAME) { ticking = false; frame = requestAnimationFrame(tick); return; }
      dt = owed; owed = 0;
    }
    player.advance(dt);
    const why = dirty;
    dirty = null;
    const moving = stage.draw(player.t, dt, STILL.matches || why === "size", colours);
    if (why) instant(why, dt);
    ticking = false;
    if (visible && (player.playing || moving)) frame = requestAnimationFrame(tick);
  }

  /** Everything that follows the cursor, besides the marks. */
  function instant(why, dt) {
    const { t } = player, states = stage.lanes.map((lane) => lane.state ?? stateAt(lane.run, t));
    bar.refresh(); chart.place(t); panel.time(t); below.time(run, t); speaker.tell(player, why, dt);
    counters.refresh(run, states, t);
    lives.draw(t, states[0], colours, stage.chosen, player.playing);
    bigPlay.hidden = player.playing || t > 0 || box.classList.contains("ml-veiled");
    if (!bigPlay.hidden) { const { x, y } = stage.heart(); bigPlay.style.left = `${x}px`; bigPlay.style.top = `${y}px`; }
    if (!player.playing) canvas.setAttribute("aria-label", [sentence(run, t), ...stage.aggregates()].join(" "));
    store.tell(t, player.playing);
  }

  // ---- what comes from outside ----
  const changed = (names) => {
    if (names.has("state")) state = store.get("state");
    if (names.has("figure")) figure = unpack(store.get("figure"));
    if (names.has("run")) run = parse(store.get("run"));
    if (names.has("other")) other = parse(store.get("other"));
    if (names.has("run") || names.has("other") || names.has("figure")) { show(); draw(); }
    refresh();
    wake("data");
  };
  const forget = store.on(changed);
  store.whenSilent?.((silent) => {
    complain(silent ? "The kernel does not answer. It is busy, or it was restarted: then run this cell again." : state.alarm);
  });
  canvas.addEventListener("click", (event) => {
    const at = [event.offsetX, event.offsetY], hit = stage.pick(...at), actor = hit ? null : stage.actorAt(...at);
    offer.close();
    if (hit) choose(hit.lane, hit.message);
    else if (actor && store.live) offer.open(actor, ...at, state.canDo);
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = [event.offsetX, event.offsetY];
    canvas.style.cursor = stage.pick(...at) || (store.live && stage.actorAt(...at)) ? "pointer" : "";
  });
  box.addEventListener("keydown", keys(player));
  const sizes = new ResizeObserver(() => {
    if (!colours.ink) paint();                         // styles exist only once the box is in the page
    box.classList.toggle("ml-narrow", box.clientWidth < 760);
    stage.resize(); chart.resize(); wake("size");
  });
  sizes.observe(canvas); sizes.observe(box);
  const sight = new IntersectionObserver(([entry]) => { visible = entry.isIntersecting; if (visible) { stage.fresh = true; wake("sight"); } });
  sight.observe(box);
  const themes = new MutationObserver(paint);
  if (document.body) themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  DARK.addEventListener("change", paint);

  figure = store.get("figure")?.byteLength ? unpack(store.get("figure")) : null;
  show(); refresh(); paint(); openLanes(Boolean(form.lanes));
  return () => {
    cancelAnimationFrame(frame); frame = -1;
    forget(); sizes.disconnect(); sight.disconnect(); themes.disconnect(); DARK.removeEventListener("change", paint);
    chart.close(); box.remove();
  };
}

/** The store of a live notebook: traits of the widget, and messages with answers. Moves of a slider overtake each other. */
function liveStore(model) {
  const waiting = new Map(), queue = [];
  let serial = 0, busy = 0, told = 0, later = 0, patience = 0, silent = () => {};
  const heard = (reply, buffers) => {
    if (!waiting.has(reply.id)) return;
    waiting.get(reply.id)({ ...reply, buffers });
    waiting.delete(reply.id);
    if (reply.id === busy) { busy = 0; clearTimeout(patience); silent(false); pump(); }
  };
  const pump = () => {
    if (busy || !queue.length) return;
    const { message, done } = queue.shift();
    busy = serial += 1;
    waiting.set(busy, done);
    clearTimeout(patience);
    patience = setTimeout(() => silent(true), PATIENCE);
    model.send({ ...message, id: busy });
  };
  model.on("msg:custom", heard);
  const ask = (message) => new Promise((done) => {
    const old = message.do === "set" ? queue.find((q) => q.message.do === "set" && q.message.name === message.name) : null;
    if (old) { old.message = message; const first = old.done; old.done = (reply) => { first(reply); done(reply); }; } else queue.push({ message, done });
    pump();
  });
  return {
    live: true, ask, whenSilent: (f) => { silent = f; }, get: (name) => model.get(`_${name}`),
    source: async () => {
      const reply = await ask({ do: "plotly" });
      if (!reply.buffers?.length) throw new Error("the kernel did not send plotly.js");
      return reply.buffers[0];
    },
    tell(t, playing) {
      clearTimeout(later);
      if (playing && performance.now() - told < 1000) return;
      later = setTimeout(() => { told = performance.now(); if (model.get("cursor") !== t) { model.set("cursor", t); model.save_changes(); } }, playing ? 0 : 250);
    },
    on(changed) {
      const names = new Set();
      const note = (name) => () => {
        if (!names.size) queueMicrotask(() => { const all = new Set(names); names.clear(); changed(all); });
        names.add(name);
      };
      const offs = ["run", "other", "figure", "state"].map((name) => { const f = note(name); model.on(`change:_${name}`, f); return () => model.off(`change:_${name}`, f); });
      return () => { offs.forEach((off) => off()); model.off("msg:custom", heard); clearTimeout(later); clearTimeout(patience); };
    },
  };
}

/** A prediction in a cell of its own. */
export function mountPrediction(root, store) {
  const card = h("div", { class: "ml-predict", role: "group", "aria-label": "Prediction" }), alarm = h("div", { class: "ml-alarm", role: "alert", hidden: true });
  const box = h("div", { class: "ml-workbench", "data-lm-suppress-shortcuts": "true" }, card, alarm);
  const show = () => {
    const { question, alarm: wrong } = store.get("state");
    box.dataset.theme = theme();
    alarm.textContent = wrong; alarm.hidden = !wrong;
    predict(card, question, store.ask);
  };
  const forget = store.on(show), themes = new MutationObserver(show);
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  root.append(box);
  show();
  return () => { forget(); themes.disconnect(); box.remove(); };
}

/** The store of a page without a kernel: everything is in it. */
export function savedStore(saved) {
  return {
    live: false, get: (name) => saved[name], on: () => () => {}, tell: () => {},
    source: async () => { throw new Error("plotly.js is missing from this page"); },
    ask: async (message) => (message.do === "why" ? saved.lives[message.lane ?? 0]?.[message.message] : message.do === "table" ? saved.table : message.do === "numbers" ? { summary: saved.summary } : {}),
  };
}

export default { render: ({ model, el }) => mount(el, liveStore(model)) };
