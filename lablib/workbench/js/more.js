// Behind "More": what happened, the numbers, the comparison, many runs, sharing, the data. What was not watched is not told.
import { button, h, iconButton, refill, select, table, tabs } from "./dom.js";
import { clock, plural } from "./theme.js";
import { upTo } from "./model.js";
import { said } from "./settings.js";
import { inRows } from "./told.js";

const FOG = "Watch the run to its end first, or show all of it: what comes of it is told then.";

const jump = (on, t, duration, words) => h("button", { type: "button", class: "ml-jump", onclick: () => on.seek(t) }, words ?? clock(t, duration));

/** The events of interest, as far as the run was watched: many of a kind in one row, with its last. */
function events(on) {
  const list = h("ol", { class: "ml-events", tabIndex: 0, "aria-label": "Events of interest" }), note = h("p", { class: "ml-hint" });
  let rows = [], shown = -1, at = -2, length = 0;
  const seen = (row, t) => upTo(row.all, t);
  const tell = (row, n) => [jump(on, row.t, length), h("span", {}, row.words, n > 1 ? [` ${n} of this kind, the last at `, jump(on, row.all[n - 1], length), "."] : [])];
  return {
    panel: h("div", {}, note, list),
    show(found, duration) { rows = inRows(found, duration); length = duration; shown = -1; at = -2; refill(list); },
    time(t, watched) {
      const counts = rows.map((row) => seen(row, watched)), count = counts.reduce((a, b) => a + b, 0);
      if (count !== shown) {
        if (count < shown || shown < 0) refill(list);
        rows.forEach((row, i) => {
          if (!counts[i]) return;
          const item = list.children[i] ?? list.appendChild(h("li", {}));
          if (item.dataset.count === String(counts[i])) return;
          item.dataset.count = counts[i]; refill(item, tell(row, counts[i]));
        });
        shown = count; at = -2;
        note.textContent = count ? `${plural(count, "event")} of interest so far. A time is a link to that instant; N goes to the next one.` : "Nothing out of the ordinary so far.";
      }
      const times = rows.map((row) => row.all[seen(row, Math.min(t, watched)) - 1] ?? -1), latest = Math.max(-1, ...times), now = latest < 0 ? -1 : times.lastIndexOf(latest);
      if (now === at) return;
      list.children[at]?.removeAttribute("aria-current"); at = now;
      const item = list.children[now];
      if (!item) return;
      item.setAttribute("aria-current", "true");
      if (!list.matches(":hover, :focus-within")) list.scrollTop = Math.max(0, item.offsetTop - list.offsetTop - list.clientHeight / 2);
    },
  };
}

/** A message by its number. */
function find(on) {
  const field = h("input", { type: "number", class: "ml-number", min: "1", value: "1", "aria-label": "Number of the message",
    onkeydown: (e) => { if (e.key === "Enter") ask(0); } });
  const ask = (by) => { const to = Math.min(on.messages(), Math.max(1, (field.valueAsNumber || 1) + by)); field.value = to; on.choose(to - 1); };
  return { panel: h("div", {}, h("div", { class: "ml-row" }, h("span", {}, "Message"), field, button("Ask why", () => ask(0)),
    iconButton("back", "The message before", () => ask(-1)), iconButton("step", "The message after", () => ask(1))),
    h("p", { class: "ml-hint" }, "A click on a mark in the picture does the same. The card beside the mark tells the message's life.")) };
}

/** The comparison with another run. */
function compare(form, ask, on) {
  const pick = select("Setting to change", form.params.map((p) => [p.name, p.label]), form.params[0]?.name, () => suit());
  const field = h("input", { type: "number", class: "ml-number", step: "any", "aria-label": "Value in the other run" }),
    choice = h("select", { class: "ml-select", "aria-label": "Value in the other run" });
  let values = {}, names = null, duration = 0;
  function suit() {
    const p = form.params.find((x) => x.name === pick.value), words = p.kind === "bool" ? ["true", "false"] : p.choices;
    field.hidden = words.length; choice.hidden = !words.length;
    if (words.length) refill(choice, words.filter((c) => c !== String(values[p.name])).map((c) => h("option", { value: c }, c)));
    else field.value = said(p, values[p.name]);
  }
  const go = () => {
    const p = form.params.find((x) => x.name === pick.value);
    const value = p.kind === "bool" ? choice.value === "true" : p.choices.length ? choice.value : p.whole ? Math.round(field.valueAsNumber) : field.valueAsNumber / (p.scale ?? 1);
    if (Number.isNaN(value)) return suit();            // an empty field gets its value back
    return ask({ do: "compare", name: p.name, value });
  };
  const stop = button("Stop comparing", () => ask({ do: "stop_comparing" }));
  const controls = h("div", { class: "ml-row" }, button("Keep this run, then change something", () => ask({ do: "keep" })),
    h("span", {}, "or compare with"), pick, h("span", {}, "="), field, choice, button("Compare", go), stop);
  const result = fetched(ask, "comparison", (c) => [h("p", { class: "ml-verdict" }, c.sentence),
    c.divergence ? h("p", {}, "They part at ", jump(on, c.divergence.t, duration), ": ", c.divergence.text) : null,
    table("The two runs in numbers", ["", `A: ${names[0]}`, `B: ${names[1]}`],
      c.rows.map(([label, a, b, differs]) => [label, a, differs ? h("strong", {}, b) : b]))], h("div", {}));
  return {
    ...result, panel: h("div", {}, controls, result.panel), controls,
    refresh(state, length, fog) {
      [{ values, names }, duration] = [state, length];
      if (!controls.contains(document.activeElement) && form.params.length) suit();
      stop.hidden = !names;
      result.refresh(names ? fog && FOG : "Two runs side by side: the same seed and load, one thing different.");
    },
  };
}

/** One run lies: the band over many seeds. */
function many(ask) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Runs done" }), words = h("span", { role: "status" });
  const box = h("input", { type: "checkbox", role: "switch", onchange: () => ask({ do: "many", on: box.checked }) });
  const stop = button("Call it off", () => ask({ do: "many", on: false }));
  return {
    panel: h("div", {}, h("label", { class: "ml-row" }, box, "Show 30 seeds behind this run"), h("div", { class: "ml-row" }, bar, words, stop),
      h("p", { class: "ml-hint" },
        "One run lies: it is one throw of the dice. The band holds the middle 80 % of 30 runs with other seeds; a difference smaller than the band is luck.")),
    refresh(state) {
      const { on, part, text } = state.many;
      box.checked = on; bar.hidden = stop.hidden = !on || part >= 1; bar.value = part; words.textContent = text;
    },
  };
}

function share(ask) {
  const text = h("input", { class: "ml-text", readOnly: true, "aria-label": "Text that holds this run",
    onfocus: async () => { await fresh(); text.select(); } });
  let shown = -1, later = 0;
  const fresh = async () => { const reply = await ask({ do: "share" }); if (reply?.text) text.value = reply.text; };
  const back = h("input", { class: "ml-text", placeholder: "paste a text here", "aria-label": "Text to restore",
    onkeydown: (e) => { if (e.key === "Enter") restore(); } });
  const restore = () => ask({ do: "restore", text: back.value });
  const copy = button("Copy", async () => { await fresh(); text.select();
    try { await navigator.clipboard.writeText(text.value); } catch { document.execCommand("copy"); } copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500); });
  return {
    panel: h("div", {}, h("p", { class: "ml-hint" },
      "This text holds scenario, settings, seed, actions and instant. Whoever pastes it sees the very same picture."),
      h("div", { class: "ml-row" }, text, copy), h("div", { class: "ml-row" }, back, button("Restore", restore)),
      h("p", { class: "ml-hint" }, "To keep the whole page, animation included: ", h("code", {}, "bench.to_html(\"run.html\")"),
        ", with the name that you gave the workbench in place of bench")),
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

/**
 * What is fetched when it is looked at: the data, the numbers of the whole run. `refresh(instead)`: words to show instead, as long as the run
 * was not watched to its end; `again()`: the run is another.
 */
function fetched(ask, what, make, box) {
  let words = FOG, turn = 0;
  const shown = async () => {
    const mine = turn += 1;
    if (words) return refill(box, h("p", { class: "ml-hint" }, words));
    const found = await ask({ do: what });
    return mine === turn ? refill(box, found && !found.error ? make(found) : []) : null;
  };
  const again = () => { if (turn && !box.closest("[hidden]")) shown(); };
  return { panel: h("div", {}, box), shown, again, refresh(instead) { const changed = instead !== words; words = instead; if (changed && turn) shown(); } };
}

/**
 * All tabs. `on`: seek(t), choose(message), messages(). Returns {element, open(id), show(events, duration), refresh(state, fog),
 * time(t, watched, playing)}.
 */
export function more(form, ask, on, live) {
  let duration = 0, state = null;
  const parts = {
    events: events(on), why: find(on), compare: compare(form, ask, on), many: many(ask), share: share(ask),
    numbers: fetched(ask, "numbers", (found) => table(state?.names ? "The whole run B" : "The whole run", ["", "value"], found.summary ?? []), h("div", { class: "ml-columns" })),
    data: fetched(ask, "table", (found) => table(found.caption, found.heads, found.rows),
      h("div", { class: "ml-scroll", tabIndex: 0, role: "region", "aria-label": "Data table" })),
  };
  const list = [["events", "What happened"], ["why", "Ask why"], ["numbers", "Numbers"], ["compare", "Compare"], ["many", "Many runs"],
    ["share", "Share"], ["data", "Data"]];
  const kept = live ? list : list.filter(([id]) => ["events", "why", "numbers", "compare", "data"].includes(id));
  const made = tabs("More about this run", kept.map(([id, label]) => ({ id, label, panel: parts[id].panel, shown: parts[id].shown })));
  parts.compare.controls.hidden = !live;
  const element = h("section", { class: "ml-more", "aria-label": "More about this run", hidden: true }, made.element);
  const fog = (on) => { for (const part of [parts.numbers, parts.data]) part.refresh(on && FOG); if (state) parts.compare.refresh(state, duration, on); };
  return {
    element, fog, open: made.open,
    show(found, length) { duration = length; parts.events.show(found, length); for (const part of [parts.numbers, parts.compare, parts.data]) part.again(); },
    refresh(next, fogged) { state = next; parts.many.refresh(state); parts.share.refresh(state); fog(fogged); },
    time(t, watched, playing) { if (element.hidden) return; parts.events.time(t, watched); if (live) parts.share.time(t, playing); },
  };
}
