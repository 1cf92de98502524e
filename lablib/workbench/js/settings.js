// The drawer: settings, actions, seed and quotas. Built once from what the scenario declares, then kept in step.
import { clock } from "./theme.js";
import { button, freshId, h, icon, numberField, refill, select } from "./dom.js";

const STEPS = 1000;
const OPEN = 7;                                       // settings in view; the others are one click away

/** Where a value stands on a slider of 0..1000, and back; `log` settings move by factors. */
export const toSlider = (spec, value) => STEPS * (spec.log && spec.low > 0
  ? Math.log(value / spec.low) / Math.log(spec.high / spec.low) : (value - spec.low) / (spec.high - spec.low));
export function fromSlider(spec, x) {
  const part = x / STEPS, raw = spec.log && spec.low > 0 ? spec.low * (spec.high / spec.low) ** part : spec.low + part * (spec.high - spec.low);
  return tidy(spec, raw);
}

/** A value on the setting's grid and in its range. */
export function tidy(spec, raw) {
  const step = spec.whole ? Math.max(1, spec.step ?? 1) : spec.log ? null : spec.step ?? (spec.high - spec.low) / 200;
  const near = step ? spec.low + Math.round((raw - spec.low) / step) * step : Number(raw.toPrecision(3));
  return Math.min(spec.high, Math.max(spec.low, Number(near.toFixed(6))));
}

/** A value as it is shown and typed: a share in %. */
export const said = (spec, value) => (value === undefined ? value : Number((value * (spec.scale ?? 1)).toPrecision(9)));

/** The unit of a value as it is said: 1 call, 2 calls. */
export const unitOf = (spec, value) => (said(spec, value) === 1 ? spec.one : spec.unit);

/** What somebody typed, as a value. What is out of range stays as it is: Python says what is allowed. */
export function meant(spec, typed) {
  const value = typed / (spec.scale ?? 1);
  return value < spec.low || value > spec.high ? value : tidy(spec, value);
}

/** One setting's control. `change(value)` is called on every move. Returns {element, set(value)}. */
function control(spec, change, explain) {
  const id = freshId(), note = { onfocusin: () => explain(spec), onpointerenter: () => explain(spec), onpointerleave: () => explain(null),
    onfocusout: () => explain(null) };
  if (spec.choices.length) {
    const list = select(spec.label, spec.choices.map((c) => [c, c]), spec.value, change);
    list.id = id; list.removeAttribute("aria-label");
    return { element: h("div", { class: "ml-setting ml-one", ...note }, h("label", { htmlFor: id }, spec.label), list),
      set: (v) => { list.value = v; } };
  }
  if (spec.kind === "bool") {
    const box = h("input", { type: "checkbox", id, onchange: () => change(box.checked) });
    return { element: h("div", { class: "ml-setting ml-one", ...note }, h("label", { htmlFor: id }, spec.label), box),
      set: (v) => { box.checked = v; } };
  }
  const slider = h("input", { type: "range", id, min: "0", max: String(STEPS), step: "any",
    oninput: () => { const v = fromSlider(spec, slider.valueAsNumber); show(v); change(v); },
    onkeydown: (event) => nudge(event) });
  const field = numberField((typed) => { const before = now, v = Number.isNaN(typed) ? now : meant(spec, typed); show(v); if (v !== before) change(v);
    },
    { min: String(said(spec, spec.low)), max: String(said(spec, spec.high)), step: "any", "aria-label": `${spec.label}, exact value` });
  const unit = h("span", { class: "ml-unit" }, spec.unit);
  let now = spec.value;
  function show(value) {
    now = value;
    slider.value = toSlider(spec, value); field.show(said(spec, value));
    slider.style.setProperty("--done", `${toSlider(spec, value) / 10}%`);
    slider.setAttribute("aria-valuetext", `${said(spec, value)} ${unitOf(spec, value)}`);
    unit.textContent = unitOf(spec, value);
  }
  function nudge(event) {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (!by) return;
    event.preventDefault();
    const grid = spec.whole ? 1 : spec.step ?? (spec.high - spec.low) / 100;
    const to = spec.log && !spec.whole ? fromSlider(spec, Math.min(STEPS, Math.max(0, slider.valueAsNumber + by * 10))) : tidy(spec, now + by * grid);
    if (to !== now) { show(to); change(to); }
  }
  return { element: h("div", { class: "ml-setting", ...note }, h("label", { htmlFor: id }, spec.label),
    h("span", { class: "ml-value" }, field, unit), slider), set: show };
}

/**
 * The drawer. `ask(message)` talks to Python; `duration()` is the run's. Returns {element, refresh(state), time(t), controlsFor(names)}: further
 * controls for some settings and actions, which are kept in step too.
 */
export function settings(form, ask, duration) {
  const help = h("p", { class: "ml-help" }), idle = "Every change runs the same load again, from the same seed.";
  const explain = (spec) => refill(help, spec ? [spec.help || spec.label, spec.aws && " ", spec.aws && h("span", { class: "ml-aws" }, `AWS: ${spec.aws}`)] : idle);
  explain(null);
  const sent = new Map();                              // changes under way, by setting: an older answer must not move the knob
  let state = null, extra = [], doing = [];
  const make = (spec) => {
    const made = control(spec, async (value) => {
      sent.set(spec.name, (sent.get(spec.name) ?? 0) + 1);
      await ask({ do: "set", name: spec.name, value });
      sent.set(spec.name, sent.get(spec.name) - 1);
      if (!sent.get(spec.name)) for (const c of [...controls, ...extra]) if (c.spec === spec) c.set(state.values[spec.name]);
    }, explain);
    const other = () => spec.choices.find((c) => c !== state.values[spec.name]);
    const value = () => (spec.choices.length ? other() : spec.kind === "bool" ? !state.values[spec.name] : state.values[spec.name]);
    const compare = button("A|B", () => ask({ do: "compare", name: spec.name, value: value() }),
      { class: "ml-ab", "aria-label": `Compare with another ${spec.label}`,
        title: spec.choices.length ||
          spec.kind === "bool" ? "Compare with the other value" : "Keep this value as run A; what you change now is run B" });
    const field = made.element.querySelector(".ml-value, select, input[type=checkbox]"), both = h("span", { class: "ml-field" });
    field.replaceWith(both);                           // both go to the next line together
    both.append(field, compare);
    return { spec, ...made };
  };
  const controls = form.params.map(make);
  const first = controls.slice(0, controls.length > OPEN + 1 ? OPEN : controls.length), rest = controls.slice(first.length);
  const box = h("fieldset", { class: "ml-settings" }, h("legend", {}, "What if"), first.map(({ element }) => element),
    rest.length ? h("details", {}, h("summary", {}, `${rest.length} more settings`), rest.map(({ element }) => element)) : null, help);
  const seed = numberField((typed) => { const value = Math.round(typed); if (Number.isNaN(value)) seed.show(state.seed);
    else if (value !== state.seed) ask({ do: "set", name: "seed", value }); },
    { step: "1", "aria-label": "Seed", title: "The seed of all chance. The same seed gives the same run." });
  const limits = select("Quotas of AWS", [["2023", "AWS in 2023"], ["today", "AWS today"]], "2023",
    (value) => ask({ do: "set", name: "limits", value }));
  const chance = h("div", { class: "ml-row" }, h("label", {}, "seed ", seed),
    form.limits?.length ? h("label", { title: form.limits.join("\n") }, "quotas ", limits) : null,
    button("Begin again", () => ask({ do: "begin_again" }), { title: "Settings, seed and actions as at first. What you have met stays met." }));
  const when = h("strong", {}), now = actionForm(form, ask);
  const actions = h("fieldset", { class: "ml-actions" }, h("legend", {}, "Do something now"), now.element,
    h("p", { class: "ml-hint" }, "At ", when, " the future forks; the past stays. What was done stands as a flag on the curve."));
  return {
    element: h("aside", { class: "ml-side", "aria-label": "Settings and actions", hidden: true }, box, actions, chance),
    refresh(next) {
      state = next;
      for (const { spec, set } of [...controls, ...extra]) if (!sent.get(spec.name)) set(state.values[spec.name]);
      for (const one of [now, ...doing]) one.refresh(state);
      seed.show(state.seed);
      limits.value = state.limits; actions.hidden = !state.canDo.length;
    },
    time: (t) => { when.textContent = clock(t, duration()); },
    controlsFor(names) {
      extra = form.params.filter((p) => names.includes(p.name)).map(make);
      doing = names.filter((name) => !form.params.some((p) => p.name === name)).map((kind) => actionForm(form, ask, kind));
      if (state) { for (const { spec, set } of extra) set(state.values[spec.name]); for (const one of doing) one.refresh(state); }
      return [...extra, ...doing].map(({ element }) => element);
    },
  };
}

/**
 * What can be done now: pick a kind, whom it hits and how much, and do it. `only`: this kind alone, and the button says what it does.
 * Returns {element, refresh(state)}.
 */
function actionForm(form, ask, only = "") {
  let specs = [], values = {};
  const find = (name) => form.params.find((p) => p.name === name), spec = () => specs.find((s) => s.kind === kind.value);
  const kind = h("select", { class: "ml-select ml-kind", "aria-label": "What to do", onchange: () => suit() });
  const target = h("select", { class: "ml-select", "aria-label": "To what", onchange: () => fit() });
  let typed = "";                                      // what an amount was typed for: news leaves it alone
  const agree = () => { unit.textContent = field.valueAsNumber === 1 ? param().one : param().unit; };
  const about = () => `${kind.value} ${target.value}`;
  const field = h("input", { type: "number", class: "ml-number", step: "any", "aria-label": "How much", oninput: () => { typed = about(); agree(); } }),
    unit = h("span", { class: "ml-unit" });
  const choice = h("select", { class: "ml-select", "aria-label": "New value" });
  const param = () => (spec()?.kind === "set" ? find(target.value) : spec()?.value);
  function suit() {
    const names = spec()?.targets ?? [];
    refill(target, names.map((name) => h("option", { value: name }, spec().kind === "set" ? find(name)?.label ?? name : name)));
    target.hidden = names.length < 2; go.title = spec()?.help ?? "";
    fit();
  }
  function fit() {
    const p = param(), some = p?.choices?.length;
    field.hidden = unit.hidden = !p || some; choice.hidden = !some;
    if (some) refill(choice, p.choices.map((c) => h("option", { value: c }, c)));
    else if (p) { field.min = said(p, p.low); field.max = said(p, p.high);
      if (typed !== about()) { typed = ""; field.value = said(p, spec().kind === "set" ? values[p.name] ?? p.value : p.value); } }
    if (p && !some) agree();
  }
  const act = () => {
    const p = param(), value = !p ? null : p.choices.length ? choice.value : p.whole ? Math.round(field.valueAsNumber) : field.valueAsNumber / (p.scale ?? 1);
    typed = "";
    if (Number.isNaN(value)) return fit();             // an empty field gets its value back
    ask({ do: "act", kind: kind.value, target: target.value, value });
  };
  const go = button("Do it", act, { class: "ml-button ml-do" });
  const whom = h("div", { class: "ml-whom" }, target, h("span", { class: "ml-value" }, field, choice, unit)),
    element = h("div", { class: "ml-action" }, ...(only ? [go, whom] : [kind, whom, go]));
  return {
    element,
    refresh(state) {
      const before = JSON.stringify([specs, values]);
      const chosen = [kind.value, target.value];
      specs = state.canDo.filter((s) => !only || s.kind === only); values = state.values;
      if (only) { element.hidden = !specs.length; go.textContent = specs[0]?.label ?? ""; }
      if (before === JSON.stringify([specs, values])) return;
      refill(kind, specs.map((s) => h("option", { value: s.kind }, s.label)));
      if (specs.some((s) => s.kind === chosen[0])) kind.value = chosen[0];
      suit();
      if (spec()?.targets.includes(chosen[1])) { target.value = chosen[1]; fit(); }
    },
  };
}
