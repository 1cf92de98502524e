// Below the picture: what happened, one message's life, the comparison, many runs, sharing, the data.
import { STATUS, WAITING, DELAYED, HELD, WORKING, DONE, LOST, DEAD, HERE, RETRY, FILTERED, DELIVERED, brief, clock, stateAt, upTo, valueAt } from "./state.js";
import { button, h, iconButton, refill, select, tabs } from "./dom.js";

/** A table: heads, rows of cells (words or elements); `id` names the first column as row heads. */
export const table = (caption, heads, rows) => h("table", { class: "ml-table" }, h("caption", {}, caption),
  h("thead", {}, h("tr", {}, heads.map((x) => h("th", { scope: "col" }, x)))),
  h("tbody", {}, rows.map(([first, ...others]) => h("tr", {}, h("th", { scope: "row" }, first), others.map((x) => h("td", {}, x))))));

/** The numbers at the instant shown. */
export function numbers() {
  const element = h("dl", { class: "ml-numbers", "aria-label": "At this instant" });
  const cards = new Map();
  function card(label, value, unit, tone, second) {
    if (!cards.has(label)) {
      const dd = h("dd", {}), box = h("div", { class: `ml-card ${tone ?? ""}` }, h("dt", {}, label), dd);
      cards.set(label, { dd, box });
      element.append(box);
    }
    const { dd } = cards.get(label), key = `${value} ${second ?? ""}`;
    dd.parentElement.classList.toggle("ml-zero", key.trim() === "0" || key === "0 0");
    if (dd.dataset.key !== key) { dd.dataset.key = key; dd.replaceChildren(value, second == null ? "" : h("span", { class: "ml-second", title: "run B" }, ` / ${second}`), unit ? h("small", {}, ` ${unit}`) : ""); }
  }
  /** `states`: what is where in run A, and in run B when there are two. */
  function refresh(run, states, t) {
    const put = (label, value, tone) => { const [a, b] = states.map((s) => brief(value(s))); card(label, a, "", tone, b); };
    const ever = (status) => states.some((s) => s.run.ever[status]);
    if (ever(HERE)) put("published", (s) => s.published);
    put(ever(HERE) ? "copies sent" : "sent", (s) => s.sent);
    put("waiting", (s) => s.total[WAITING], "ml-waiting");
    put("in flight", (s) => s.total[HELD] + s.total[WORKING], "ml-flight");
    if (ever(DELAYED)) put("delayed", (s) => s.total[DELAYED]);
    put("done", (s) => s.total[DONE], "ml-ok");
    for (const series of run.series ?? []) card(series.label, brief(valueAt(series, t)), series.unit, "", series.other && brief(valueAt(series.other, t)));
    if (states.some((s) => s.run.ever.again)) put("delivered again", (s) => s.duplicates, "ml-bad");
    if (ever(DEAD)) put("dead letters", (s) => s.total[DEAD]);
    if (ever(RETRY)) put("to try again", (s) => s.total[RETRY], "ml-bad");
    if (ever(FILTERED)) put("filtered out", (s) => s.total[FILTERED]);
    if (ever(DELIVERED)) put("delivered outside", (s) => s.total[DELIVERED], "ml-ok");
    if (ever(LOST)) put("lost", (s) => s.total[LOST], "ml-bad");
  }
  return { element, refresh, clear: () => { cards.clear(); refill(element); } };
}

const jump = (player, t, words) => h("button", { type: "button", class: "ml-jump", onclick: () => { player.play(false); player.seek(t); } }, words ?? clock(t, player.run.duration));

/** The transcript of notable events. */
function events(player) {
  const list = h("ol", { class: "ml-events", tabIndex: 0, "aria-label": "Events of interest" }), note = h("p", { class: "ml-hint" });
  let at = -2;
  return {
    panel: h("div", {}, note, list),
    show(run) {
      const { t, text, kind } = run.notable, most = 400;
      note.textContent = t.length ? `${t.length} events of interest${t.length > most ? `; the first ${most} are listed` : ""}. A time is a link to that instant; N goes to the next one.` : "Nothing out of the ordinary happened in this run.";
      refill(list, text.slice(0, most).map((words, i) => h("li", { class: `ml-k-${kind[i]}` }, jump(player, t[i]), h("span", {}, words))));
      at = -2;
    },
    time(run, t) {
      const now = upTo(run.notable.t, t) - 1;
      if (now === at) return;
      list.children[at]?.removeAttribute("aria-current"); at = now;
      const item = list.children[now];
      if (!item) return;
      item.setAttribute("aria-current", "true");
      if (!list.matches(":hover, :focus-within")) list.scrollTop = Math.max(0, item.offsetTop - list.offsetTop - list.clientHeight / 2);
    },
  };
}

/** One message's life. `choose(lane, message)` asks for it. */
function why(player, choose) {
  const answer = h("div", { class: "ml-life", "aria-live": "polite" }, h("p", { class: "ml-hint" }, "Click a message in the picture, or give its number, to see its life and what caused each step."));
  const field = h("input", { type: "number", class: "ml-number", min: "1", value: "1", "aria-label": "Number of the message", onkeydown: (e) => { if (e.key === "Enter") ask(0); } });
  const ask = (by) => {
    const to = Math.min(player.run.messages, Math.max(1, (field.valueAsNumber || 1) + by));
    field.value = to;
    choose(0, to - 1);
  };
  return {
    panel: h("div", {}, h("div", { class: "ml-row" }, h("span", {}, "Message"), field, button("Ask why", () => ask(0)), iconButton("back", "The message before", () => ask(-1)), iconButton("step", "The message after", () => ask(1))), answer),
    show(message, life) {
      field.value = message + 1;
      refill(answer, h("p", { class: "ml-verdict" }, life.sentence),
        life.group ? h("p", {}, "Message group: ", h("strong", {}, life.group)) : null,
        life.kin?.length ? h("p", { class: "ml-kin" }, life.kin.map(([other, words]) => button(`message ${other + 1}: ${words}`, () => choose(0, other)))) : null,
        h("ol", { class: "ml-clauses" }, life.clauses.map(([t, words, api]) => h("li", {}, jump(player, t, clock(t, player.run.duration, player.run.duration <= 900)), h("span", {}, words), api ? h("code", {}, api) : null))),
        h("p", { class: "ml-hint" }, `MessageId ${life.subject}`));
    },
  };
}

/** The comparison with another run. */
function compare(form, ask) {
  const result = h("div", {}), pick = select("Setting to change", form.params.map((p) => [p.name, p.label]), form.params[0]?.name, () => suit());
  const field = h("input", { type: "number", class: "ml-number", step: "any", "aria-label": "Value in the other run" }), choice = h("select", { class: "ml-select", "aria-label": "Value in the other run" });
  let values = {};
  function suit() {
    const p = form.params.find((x) => x.name === pick.value), words = p.kind === "bool" ? ["true", "false"] : p.choices;
    field.hidden = words.length; choice.hidden = !words.length;
    if (words.length) refill(choice, words.filter((c) => c !== String(values[p.name])).map((c) => h("option", { value: c }, c)));
    else field.value = values[p.name];
  }
  const go = () => {
    const p = form.params.find((x) => x.name === pick.value);
    const value = p.kind === "bool" ? choice.value === "true" : p.choices.length ? choice.value : p.whole ? Math.round(field.valueAsNumber) : field.valueAsNumber;
    if (Number.isNaN(value)) return suit();            // an empty field gets its value back
    ask({ do: "compare", name: p.name, value });
  };
  const stop = button("Stop comparing", () => ask({ do: "stop_comparing" }));
  const panel = h("div", {}, h("div", { class: "ml-row" }, button("Keep this run, then change something", () => ask({ do: "keep" })), h("span", {}, "or compare with"), pick, h("span", {}, "="), field, choice, button("Compare", go), stop), result);
  return {
    panel,
    refresh(state, player) {
      values = state.values;
      if (!panel.contains(document.activeElement)) suit();
      const c = state.comparison;
      stop.hidden = !c;
      if (!c) return refill(result, h("p", { class: "ml-hint" }, "Two runs side by side: the same seed and load, one thing different."));
      refill(result, h("p", { class: "ml-verdict" }, c.sentence),
        c.divergence ? h("p", {}, "They part at ", jump(player, c.divergence.t), ": ", c.divergence.text) : null,
        table("The two runs in numbers", ["", `A: ${c.names[0]}`, `B: ${c.names[1]}`], c.rows.map(([label, a, b, differs]) => [label, a, differs ? h("strong", {}, b) : b])));
    },
  };
}

/** One run lies: the band over many seeds. */
function many(ask) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Runs done" }), words = h("span", { role: "status" });
  const box = h("input", { type: "checkbox", role: "switch", onchange: () => ask({ do: "many", on: box.checked }) });
  const stop = button("Call it off", () => ask({ do: "many", on: false }));
  return {
    panel: h("div", {}, h("label", { class: "ml-row" }, box, "Show 30 seeds behind this run"), h("div", { class: "ml-row" }, bar, words, stop), h("p", { class: "ml-hint" }, "One run lies: it is one throw of the dice. The band holds the middle 80 % of 30 runs with other seeds; a difference smaller than the band is luck.")),
    refresh(state) {
      const { on, part, text } = state.many;
      box.checked = on; bar.hidden = stop.hidden = !on || part >= 1; bar.value = part; words.textContent = text;
    },
  };
}

function share(ask) {
  const text = h("input", { class: "ml-text", readOnly: true, "aria-label": "Text that holds this run", onfocus: async () => { await fresh(); text.select(); } });
  let shown = -1, later = 0;
  const fresh = async () => { const reply = await ask({ do: "share" }); if (reply?.text) text.value = reply.text; };
  const back = h("input", { class: "ml-text", placeholder: "paste a text here", "aria-label": "Text to restore", onkeydown: (e) => { if (e.key === "Enter") restore(); } });
  const restore = () => ask({ do: "restore", text: back.value });
  const copy = button("Copy", async () => { await fresh(); text.select(); try { await navigator.clipboard.writeText(text.value); } catch { document.execCommand("copy"); } copy.textContent = "Copied"; setTimeout(() => { copy.textContent = "Copy"; }, 1500); });
  return {
    panel: h("div", {}, h("p", { class: "ml-hint" }, "This text holds scenario, settings, seed, actions and instant. Whoever pastes it sees the very same picture."),
      h("div", { class: "ml-row" }, text, copy), h("div", { class: "ml-row" }, back, button("Restore", restore)),
      h("p", { class: "ml-hint" }, "To keep the whole page, animation included: ", h("code", {}, "w.run.to_html(\"run.html\")"))),
    shown: fresh,
    refresh(state) { text.value = state.share; },
    /** The text holds the instant: it follows a cursor that rests. */
    time(t, playing) {
      if (t === shown || text.closest("[hidden]")) return;
      clearTimeout(later);
      if (!playing) later = setTimeout(() => { shown = t; fresh(); }, 300);
    },
  };
}

function data(ask) {
  const body = h("div", { class: "ml-scroll", tabIndex: 0, "aria-label": "Data table" });
  return {
    panel: h("div", {}, body),
    async shown() {
      const found = await ask({ do: "table" });
      if (found?.rows) refill(body, table(found.caption, found.heads, found.rows));
    },
  };
}

/** The results of the whole run, fetched when they are looked at. */
function results(ask) {
  const panel = h("div", { class: "ml-columns" });
  return {
    panel,
    async shown() {
      const found = await ask({ do: "numbers" });
      if (found?.summary) refill(panel, table("The whole run", ["", "value"], found.summary));
    },
  };
}

/** All tabs. Returns {element, open, show(run), refresh(state), time(run, t), life(message, life)}. */
export function foot(form, ask, player, choose, live) {
  const parts = { events: events(player), why: why(player, choose), numbers: results(ask), compare: compare(form, ask), many: many(ask), share: share(ask), data: data(ask) };
  const looked = () => { for (const part of [parts.data, parts.numbers]) if (!part.panel.hidden && part.seen) part.shown(); };
  const fetched = (id) => () => { parts[id].seen = true; parts[id].shown(); };
  const list = [["events", "What happened"], ["why", "Ask why"], ["numbers", "Numbers"], ["compare", "Compare"], ["many", "Many runs"], ["share", "Share"], ["data", "Data"]];
  const kept = live ? list : list.filter(([id]) => ["events", "why", "numbers", "compare", "data"].includes(id));
  const { element, open } = tabs("More about this run", kept.map(([id, label]) => ({ id, label, panel: parts[id].panel, shown: parts[id].shown && fetched(id) })));
  if (!live) parts.compare.panel.firstChild.hidden = true;
  return {
    element: h("section", { class: "ml-foot", "aria-label": "More about this run" }, element), open,
    show: (run) => { parts.events.show(run); looked(); },
    refresh(state) {
      parts.compare.refresh(state, player); parts.many.refresh(state); parts.share.refresh(state);
    },
    time(run, t) { parts.events.time(run, t); if (live) parts.share.time(t, player.playing); }, life: parts.why.show,
  };
}

/** The instant in one sentence, for the picture's name. */
export function sentence(run, t) {
  const state = stateAt(run, t), said = STATUS.map((name, s) => [name, state.total[s]]).filter(([, n]) => n);
  return `At ${clock(t, run.duration)}: ${said.map(([name, n]) => `${n} ${name}`).join(", ") || "nothing yet"}.`;
}
