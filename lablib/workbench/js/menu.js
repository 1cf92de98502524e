// A click on a consumer: what can be done to it, there and now.
import { button, h, refill } from "./dom.js";

/** The actions that can hit `target`, of what a scenario declares. Pure; tested in Node. */
export const actionsFor = (canDo, target) => canDo.filter((spec) => spec.kind !== "set" && spec.targets.includes(target));

const words = ({ label, value }) => `${label.replace(/^(\w+) a consumer$/, "$1 it")}${value ? ` for ${value.value} ${value.unit}` : ""}`;

/** A small menu in the picture. `ask(message)` talks to Python. Returns {element, open(target, x, y, canDo), close()}. */
export function menu(ask) {
  const element = h("div", { class: "ml-menu", role: "group", hidden: true });
  let back = null;
  function close() {
    if (element.hidden) return;
    if (element.contains(document.activeElement)) back?.focus();
    element.hidden = true;
  }
  element.addEventListener("keydown", (event) => { if (event.key === "Escape") { close(); event.stopPropagation(); } });
  return {
    element, close,
    open(target, x, y, canDo) {
      const list = actionsFor(canDo, target);
      if (!list.length) return close();
      back = element.closest(".ml-workbench");
      element.setAttribute("aria-label", `What to do to ${target}`);
      refill(element, h("strong", {}, target), list.map((spec) => button(words(spec), () => { close(); ask({ do: "act", kind: spec.kind, target, value: spec.value ? spec.value.value : null }); }, { title: spec.help })));
      element.hidden = false;
      element.style.left = `${Math.max(4, Math.min(x, element.parentElement.clientWidth - element.offsetWidth - 6))}px`;
      element.style.top = `${Math.min(y + 8, element.parentElement.clientHeight - 30)}px`;
      element.querySelector("button").focus();
    },
  };
}
