// What belongs to the page around a workbench: its theme, the focus, and a prediction in a cell of its own.
import { PALETTE, dress } from "./theme.js";
import { h, keepKeys } from "./dom.js";
import { predict } from "./predict.js";

export const STILL = matchMedia("(prefers-reduced-motion: reduce)");
export const DARK = matchMedia("(prefers-color-scheme: dark)");

/** Light or dark: JupyterLab's theme, else the system's. */
export const theme = () => {
  const light = document.body?.dataset.jpThemeLight;
  return PALETTE[light === "false" || (light === undefined && DARK.matches) ? "dark" : "light"];
};

export const bytesOf = (x) => (x instanceof DataView ? new Uint8Array(x.buffer, x.byteOffset, x.byteLength) : x);

/** The height that is seen at once: of the notebook, else of the window. */
export const seenHeight = (element) => Math.min(innerHeight, element.closest(".jp-WindowedPanel-outer, .jp-Notebook")?.clientHeight || innerHeight);

/** After Shift+Enter the cell below is the active one: then the workbench stays in view and has the focus. */
export function takeFocus(box) {
  const cell = box.closest(".jp-Cell"), active = document.querySelector(".jp-Notebook .jp-Cell.jp-mod-active");
  if (!cell || !active || (active !== cell && active.previousElementSibling !== cell)) return;
  box.scrollIntoView({ block: "nearest" });
  box.focus({ preventScroll: true });
}

/** A prediction in a cell of its own. */
export function mountPrediction(root, store) {
  const card = h("div", { class: "ml-predict", role: "group", "aria-label": "Prediction" }),
    alarm = h("div", { class: "ml-alarm", role: "alert", hidden: true });
  const box = h("div", { class: "ml-workbench" }, card, alarm), free = keepKeys(box);
  const show = () => {
    const state = store.get("state");
    dress(box, theme());
    alarm.textContent = state.alarm ?? ""; alarm.hidden = !state.alarm;
    predict(card, state.question, store.ask);
  };
  const forget = store.on(show), themes = new MutationObserver(show);
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  root.append(box);
  show();
  return () => { free(); forget(); themes.disconnect(); box.remove(); };
}
