// What can be done to a thing in the picture: buttons at the thing under the pointer or the focus, in either lane.
import { h, refill } from "./dom.js";
import { said, unitOf } from "./settings.js";

const ICONS = {
  crash: "M11.5 1 4 11.5h5L7.5 19 16 8h-5.2z",
  freeze: "M10 1.5v17M2.6 5.8l14.8 8.4M17.4 5.8 2.6 14.2M7.7 2.8 10 5l2.3-2.2M7.7 17.2 10 15l2.3 2.2",
  burst: "M10 1v6M10 13v6M1 10h6M13 10h6M3.6 3.6l4 4M12.4 12.4l4 4M16.4 3.6l-4 4M7.6 12.4l-4 4",
  add: "M10 3v14M3 10h14", split: "M2 10h6M8 10l9-6M8 10l9 6", replay: "M4.5 12a6 6 0 1 0 1.5-6.5M6 1v4.5h4.5",
  reboot: "M15.5 12a6 6 0 1 1-1.5-6.5M14 1v4.5H9.5", power: "M10 2v8M5.8 5.2a7 7 0 1 0 8.4 0", cut: "M4 4l12 12M16 4 4 16", other: "M4 10h.01M10 10h.01M16 10h.01",
};
const FILLED = new Set(["crash"]);

/**
 * What can be done to a thing: [{kind, target, value, label, icon}]. `canDo`: the actions that the scenario knows; a worker or a place is the
 * target of those that name it, a place of those that belong there, the fleet of a change of the number of workers; `t`: now. Pure.
 */
export function actionsFor(canDo, params, run, { actor, place }, t = Infinity) {
  const sign = (spec) => spec.kind.split("_")[0];
  const of = (spec, target, value) => ({ kind: spec.kind, target, value, help: spec.help, icon: ICONS[sign(spec)] ?? ICONS.other, filled: FILLED.has(sign(spec)),
    label: `${target ? spec.label.replace(/\ban? [a-z]+/, target) : spec.label}${spec.value ? ` (${said(spec.value, spec.value.value)} ${unitOf(spec.value, spec.value.value)})`.replace(" )", ")") : ""}` });
  if (actor >= 0) {                                    // a program of which nothing was seen yet is no actor of the run
    const name = run.actors[actor].name, mine = canDo.filter((s) => s.kind !== "set" && s.targets.includes(name)).map((s) => of(s, name, s.value?.value ?? null));
    return place === undefined ? mine : [...mine, ...actionsFor(canDo, params, run, { place }, t)];   // a fleet so low that it has no title
  }
  const { id, role, label } = run.places[place] ?? {}, called = label?.toLowerCase().replaceAll(" ", "-");   // shard-1 is "Shard 1"
  const here = canDo.filter((s) => s.kind !== "set").flatMap((s) => {
    const belongs = s.at.split(" ").some((x) => x === id || x === role);
    const target = s.targets.length ? s.targets.find((x) => [id, label, called].includes(x)) : belongs ? "" : undefined;
    return target === undefined ? [] : [of(s, target, s.value?.value ?? null)];
  });
  if (role !== "consumer") return here;
  const set = canDo.find((s) => s.kind === "set" && s.targets.includes("consumers")), param = params.find((p) => p.name === "consumers"),
    last = run.actions?.findLast((a) => a.kind === "set" && a.target === "consumers" && a.at <= t + 1e-6), now = last?.value ?? run.values?.consumers;
  if (!set || !param) return here;
  const n = Math.min(param.high, (now ?? run.actors.filter((a) => a.place === place).length) + 1);
  return [...here, { kind: "set", target: "consumers", value: n, help: "One worker more from now on.", icon: ICONS.add, filled: false,
    label: `One worker more: ${n}` }];
}

/** The buttons. `act({kind, target, value}, lane)` does it. Returns {element, show(list, x, y, lane), hide()}. */
export function touch(act) {
  const element = h("div", { class: "ml-touch", role: "group", "aria-label": "What can be done here", hidden: true });
  let key = "", later = 0;
  const svg = ({ icon, filled }) => {
    const NS = "http://www.w3.org/2000/svg", root = document.createElementNS(NS, "svg"), path = document.createElementNS(NS, "path");
    root.setAttribute("viewBox", "0 0 20 20"); root.setAttribute("aria-hidden", "true"); path.setAttribute("d", icon);
    if (!filled) for (const [name, value] of [["fill", "none"], ["stroke", "currentColor"], ["stroke-width", "1.8"],
      ["stroke-linecap", "round"]]) path.setAttribute(name, value);
    root.append(path);
    return root;
  };
  const hide = () => { clearTimeout(later); later = setTimeout(() => {
    if (!element.matches(":hover, :focus-within")) { element.hidden = true; key = ""; } }, 160); };
  element.addEventListener("pointerleave", hide);
  element.addEventListener("focusout", hide);
  return {
    element, hide,
    show(list, x, y, lane, id) {
      clearTimeout(later);
      if (!list.length) return hide();
      if (key !== id) refill(element, list.map((a) => h("button", { type: "button", title: a.label, "aria-label": a.label,
        onclick: () => { element.hidden = true; key = ""; act(a, lane); } }, svg(a))));
      key = id;
      element.hidden = false;
      const room = element.parentElement.clientWidth;
      element.style.left = `${Math.max(2, Math.min(x, room - element.offsetWidth - 2))}px`; element.style.top = `${y}px`;
      return undefined;
    },
    focus: () => element.querySelector("button")?.focus(),
  };
}
