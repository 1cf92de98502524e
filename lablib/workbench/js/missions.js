// Missions: three to five things to bring about, above the picture. The run says when one is met; each shows only the controls it needs.
import { h, refill } from "./dom.js";
import { clock } from "./theme.js";

/** Is a mission met? Python tells `met` and from which instant on (`at`); on the page it counts once that was watched. Pure. */
export const isMet = (mission, { watched, opened }) => Boolean(mission.met) && (mission.at ?? 0) <= watched + 1e-6 && (!mission.ask || opened);

/** What to say of a mission that is met. What comes after the instant that is shown is said with its time: the fog may be lifted. Pure. */
export function replyTo(mission, { t, duration }) {
  const at = mission.at ?? 0, said = mission.said || "Done.";
  return at <= t + 1e-6 ? said : `${at >= duration - 1e-6 ? "At the end" : `At ${clock(at, duration)}`}: ${said}`;
}

/** Why the mission that is next is not met, once the whole run was watched; "" before that. Pure. */
export const whyNot = (mission, { watched, duration }) => (mission?.why && watched >= duration - 1e-6 ? `Not yet: ${mission.why}.` : "");

/** How wide the first words of a text are on the page, cut or not. */
function widthOf(text, count) {
  const range = document.createRange();
  range.setStart(text, 0);
  range.setEnd(text, text.data.split(" ").slice(0, count).join(" ").length);
  return range.getBoundingClientRect().width;
}

/**
 * Returns {element, controls, show(list), check(view), again(view), fit()}: `check` gives the words of missions that were just met; `fit` is to be called when
 * there is more or less room. `controlsFor(names)` makes controls, `keep(key)` remembers that a mission was met.
 */
export function missions(controlsFor, keep) {
  const element = h("ol", { class: "ml-missions", "aria-label": "Missions", hidden: true }),
    controls = h("div", { class: "ml-mission-controls", hidden: true }), why = h("span", { class: "ml-near", role: "status" });
  const met = new Set();
  let list = [], told = [], shown = "";
  function paint(fresh = -1) {
    const now = list.findIndex((m, i) => !met.has(i)), key = `${list.map((m) => m.text).join("|")}${[...met]}`;
    if (key === shown) return;
    shown = key;
    refill(element, list.map((m, i) => h("li", { class: `${met.has(i) ? "ml-met" : i === now ? "ml-todo" : ""} ${i === fresh ? "ml-pop" : ""}`,
      "aria-current": i === now ? "step" : null },
      h("span", { class: "ml-mission" }, m.text), met.has(i) ? h("span", { class: "ml-veil" }, " (met)") : null)));
    const wanted = list[now]?.controls ?? [];
    const needed = controlsFor(wanted);
    refill(controls, needed.length ? [...needed, why] : []);   // its room is kept: what is said later moves nothing
    controls.hidden = !needed.length; element.hidden = !list.length;
    fit();
  }
  /** Where one of the others has no room for two words, all of them are numbers, and say their words to the pointer and the keyboard. */
  function fit() {
    element.classList.remove("ml-brief");
    const others = [...element.querySelectorAll("li:not(.ml-todo)")], words = (li) => li.querySelector(".ml-mission");
    const brief = others.some((li) => words(li).clientWidth < Math.min(words(li).scrollWidth, widthOf(words(li).firstChild, 2)));
    element.classList.toggle("ml-brief", brief);
    for (const li of others) {
      li.tabIndex = brief ? 0 : -1; li.title = brief ? "" : words(li).textContent;
      li.classList.toggle("ml-right", li.offsetLeft > element.clientWidth / 2);
    }
  }
  return {
    element, controls, fit,
    show(next) {
      const first = next?.map((m) => m.text).join("|") !== list.map((m) => m.text).join("|");
      if (first) met.clear();
      list = next ?? [];
      list.forEach((m, i) => { if (m.kept && (first || !m.met)) met.add(i); });   // what is met now, too, is told by `check`
      paint();
    },
    /** The open missions that are met now, up to the first that is not: their words, or "". */
    check(view) {
      const words = [], before = met.size;
      for (let now; (now = list.findIndex((m, i) => !met.has(i))) >= 0 && isMet(list[now], view);) {
        met.add(now);
        if (!list[now].kept) keep(list[now].key);
        paint(now);
        words.push(replyTo(list[now], view));
      }
      if (met.size > before) told = [...met].slice(before);
      why.textContent = why.title = whyNot(list.find((m, i) => !met.has(i)), view);
      return words.join(" ✓ ");
    },
    /** What `check` said last, of those that this run meets, too: a slider that moves on brings another run. */
    again: (view) => told.filter((i) => list[i] && isMet(list[i], view)).map((i) => replyTo(list[i], view)).join(" ✓ "),
  };
}
