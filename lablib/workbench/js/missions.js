// Missions: three to five things to bring about, above the picture. The run says when one is met; each shows only the controls it needs.
import { h, refill } from "./dom.js";

/** Is a mission met? Python tells `met` and from which instant on (`at`); on the page it counts once that was watched. Pure. */
export const isMet = (mission, { watched, opened }) => Boolean(mission.met) && (mission.at ?? 0) <= watched + 1e-6 && (!mission.ask || opened);

/**
 * Returns {element, controls, show(list), check(view)}: `check` gives the words of a mission that was just met.
 * `controlsFor(names)` makes controls.
 */
export function missions(controlsFor) {
  const element = h("ol", { class: "ml-missions", "aria-label": "Missions", hidden: true }),
    controls = h("div", { class: "ml-mission-controls", hidden: true });
  const met = new Set();
  let list = [], shown = "";
  function paint(fresh = -1) {
    const now = list.findIndex((m, i) => !met.has(i)), key = `${list.map((m) => m.text).join("|")}${[...met]}`;
    if (key === shown) return;
    shown = key;
    refill(element, list.map((m, i) => h("li", { class: `${met.has(i) ? "ml-met" : i === now ? "ml-todo" : ""} ${i === fresh ? "ml-pop" : ""}`,
      "aria-current": i === now ? "step" : null, title: m.text },
      h("span", {}, m.text), met.has(i) ? h("span", { class: "ml-veil" }, " (met)") : null)));
    const wanted = list[now]?.controls ?? [];
    refill(controls, controlsFor(wanted));
    controls.hidden = !controls.children.length; element.hidden = !list.length;
  }
  return {
    element, controls,
    show(next) {
      if (next?.map((m) => m.text).join("|") !== list.map((m) => m.text).join("|")) met.clear();
      list = next ?? [];
      list.forEach((m, i) => { if (m.kept && !m.met) met.add(i); });
      paint();
    },
    /** The first open mission that is met now: its words, or "". */
    check(view) {
      const now = list.findIndex((m, i) => !met.has(i));
      if (now < 0 || !isMet(list[now], view)) return "";
      met.add(now);
      paint(now);
      return list[now].said || "Done.";
    },
  };
}
