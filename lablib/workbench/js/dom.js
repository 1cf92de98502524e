// Small helpers to build the page: elements, icons, buttons. Nothing here knows what a run is.

/** An element: h("button", {class: "x", onclick: f, "aria-label": "Play"}, children...). */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && !key.includes("-") && !["list", "type", "role"].includes(key)) element[key === "class" ? "className" : key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  if (props.class) element.className = props.class;
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const PATHS = {
  play: "M7 4.5v15l12-7.5z", pause: "M7 5h3.5v14H7zM13.5 5H17v14h-3.5z", start: "M6 5h2.5v14H6zM19 5v14L9.5 12z",
  back: "M15.5 5v14L7 12z", step: "M8.5 5v14l8.5-7z", next: "M5 5v14l8-7zM13 5v14l6-7-6-7z",
    close: "M6 7.4 7.4 6 12 10.6 16.6 6 18 7.4 13.4 12l4.6 4.6-1.4 1.4-4.6-4.6L7.4 18 6 16.6l4.6-4.6z",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24"); svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

export const iconButton = (name, label, onclick, extra = {}) =>
  h("button", { type: "button", class: "ml-icon", "aria-label": label, title: label, onclick, ...extra }, icon(name));

export const button = (label, onclick, extra = {}) => h("button", { type: "button", class: "ml-button", onclick, ...extra }, label);

/**
 * A field for a number. `take(value)` gets what was typed, when Enter is pressed or the field is left; NaN where it is empty.
 * `show(value)` writes a number into it, and leaves alone what somebody is typing: news may come between two keys.
 */
export function numberField(take, extra = {}) {
  let typing = false;
  const done = () => { typing = false; take(field.valueAsNumber); };
  const field = h("input", { type: "number", class: "ml-number", oninput: () => { typing = true; }, onchange: done, onblur: () => { typing = false; },
    ...extra,
    // the notebook keeps Enter's own change event
    onkeydown: (event) => { if (event.key === "Enter") { event.preventDefault(); done(); } } });
  field.show = (value) => { if (!typing) field.value = value; };
  return field;
}

/**
 * An id that nothing else on the page has, for labels that name their control. The count belongs to the page: each
 * widget there runs this module once more, and with a count of its own all would have the same ids.
 */
export const freshId = () => `ml-${(globalThis.messagingLabIds = (globalThis.messagingLabIds ?? 0) + 1)}`;

export function select(label, options, value, onchange) {
  return h("select", { "aria-label": label, class: "ml-select", onchange: (e) => onchange?.(e.target.value) },
    options.map(([key, words]) => h("option", { value: key, selected: key === value }, words)));
}

/** A table: heads, rows of cells (words or elements); the first cell of a row is its head. */
export const table = (caption, heads, rows) => h("table", { class: "ml-table" }, h("caption", {}, caption),
  h("thead", {}, h("tr", {}, heads.map((x) => (x ? h("th", { scope: "col" }, x) : h("td", {}))))),
  h("tbody", {}, rows.map(([first, ...others]) => h("tr", {}, h("th", { scope: "row" }, first), others.map((x) => h("td", {}, x))))));

/** Puts new children in place of the old. */
export function refill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A row of tabs over panels: [{id, label, panel}]; arrow keys move between tabs. Returns {element, open(id)}. */
export function tabs(label, list) {
  const open = (id) => {
    for (const { id: key, tab, panel, shown } of made) {
      const on = key === id;
      tab.setAttribute("aria-selected", on); tab.tabIndex = on ? 0 : -1; panel.hidden = !on;
      if (on) shown?.();
    }
  };
  const made = list.map((item) => {
    const name = freshId();
    const tab = h("button", { type: "button", role: "tab", id: name, class: "ml-tab", onclick: () => open(item.id) }, item.label);
    item.panel.setAttribute("role", "tabpanel"); item.panel.setAttribute("aria-labelledby", name);
    return { ...item, tab };
  });
  const move = (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key], at = made.findIndex(({ tab }) => tab === event.target);
    if (!by || at < 0) return;
    const to = made[(at + by + made.length) % made.length];
    open(to.id); to.tab.focus(); event.preventDefault(); event.stopPropagation();
  };
  const element = h("div", { class: "ml-tabs" },
    h("div", { role: "tablist", "aria-label": label, class: "ml-tablist", onkeydown: move }, made.map(({ tab }) => tab)),
      list.map(({ panel }) => panel));
  open(list[0].id);
  return { element, open };
}

/**
 * Keys that are typed in an element are not JupyterLab's commands; but those with Ctrl or Cmd are (save, search, palette),
 * save for the ones that edit what stands in a field. The window hears a key before the document, where JupyterLab does.
 */
export function keepKeys(element) {
  const mark = (event) => {
    const theirs = (event.ctrlKey || event.metaKey) && !event.altKey && /^[^acvxyz]$/i.test(event.key);
    element.toggleAttribute("data-lm-suppress-shortcuts", !theirs);
  };
  addEventListener("keydown", mark, true);
  return () => removeEventListener("keydown", mark, true);
}
