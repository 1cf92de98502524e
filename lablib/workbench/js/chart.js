// The live plotly figure: drawn from the figure that Python sends, with a time cursor over it that moves at every frame.
import { h } from "./dom.js";
import { clamp } from "./theme.js";

const CONFIG = { displayModeBar: false, responsive: true, doubleClick: false, showTips: false };

/**
 * plotly.js, once for the whole page (it is 5 MB): found in the page, or fetched with `fetchSource` from the kernel.
 * The global slot holds a promise; a failure empties it, so that the next workbench tries again.
 */
export function plotly(fetchSource) {
  const slot = Symbol.for("messaging-lab.plotly");
  globalThis[slot] ??= (async () => {
    if (globalThis.Plotly?.react) return globalThis.Plotly;
    const source = await fetchSource();
    const url = URL.createObjectURL(new Blob(["const module = {exports: {}};\n", source, "\nexport default module.exports;"],
      { type: "text/javascript" }));
    try { return (await import(/* webpackIgnore: true */ url)).default; } finally { URL.revokeObjectURL(url); }
  })().catch((error) => { delete globalThis[slot]; throw error; });
  return globalThis[slot];
}

export class Chart {
  /** `seek(t)` is called when the figure is clicked or dragged. */
  constructor(fetchSource, seek) {
    this.fetchSource = fetchSource; this.seek = seek;
    this.plot = h("div", { class: "ml-plot" });
    this.line = h("div", { class: "ml-cursor", "aria-hidden": "true" });
    this.fog = h("div", { class: "ml-fog", "aria-hidden": "true" });
    this.element = h("div",
      { class: "ml-figure", role: "group",
        "aria-label": "Figure: measures over time. Click to move in time; the Data tab has the same as a table." }, this.plot, this.fog, this.line);
    this.element.addEventListener("pointerdown", (event) => this.drag(event));
  }

  /** Draws a figure {data, layout}; traces get the colour that their `meta` names, of the theme in force. */
  async draw(figure, colours) {
    this.latest = [figure, colours];
    if (this.busy) return;
    this.busy = true;
    try {
      this.lib ??= await plotly(this.fetchSource);
      while (this.latest) {
        const [next, theme] = this.latest;
        this.latest = null;
        const layout = JSON.parse(JSON.stringify(next.layout).replace(/\{\{(\w+)\}\}/g, (_, name) => theme[name]));
        const size = this.large ? 16 : 12;
        for (const note of layout.annotations) note.font = { size };
        for (const name of Object.keys(layout)) if (/^[xy]axis/.test(name)) Object.assign(layout[name], { gridcolor: theme.faint, zerolinecolor: theme.faint });
        Object.assign(layout, { font: { size, color: theme.soft, family: this.family }, height: layout.height * (this.large ? 1.3 : 1) });
        if (this.large) for (const side of "ltbr") layout.margin[side] *= 1.4;
        this.plot.style.height = `${layout.height}px`;   // plotly asks its box for the height when the width changes
        this.scale = next.scale;
        await this.lib.react(this.plot, next.data.map((trace) => paint(trace, theme)), layout, CONFIG);
        this.place(this.t ?? 0, this.watched);
      }
    } finally { this.busy = false; }
  }

  axis() {
    const full = this.plot._fullLayout, axis = full?.xaxis;
    return axis?._length ? { left: axis._offset, width: axis._length, range: axis.range.map(Number), top: full._size.t, height: full._size.h } : null;
  }

  /** Puts the cursor at t, and fog over what lies after `watched`. */
  place(t, watched = Infinity) {
    this.t = t; this.watched = watched;
    const axis = this.axis();
    this.line.hidden = !axis;
    if (!axis) { this.fog.hidden = true; return; }
    const [from, to] = axis.range, at = (x) => axis.left + clamp((x * (this.scale ?? 1) - from) / (to - from), 0, 1) * axis.width,
      end = axis.left + axis.width;
    this.line.style.transform = `translateX(${at(t).toFixed(1)}px)`;
    this.line.style.top = this.fog.style.top = `${axis.top}px`; this.line.style.height = this.fog.style.height = `${axis.height}px`;
    this.fog.hidden = at(watched) >= end - 0.5;
    this.fog.style.left = `${at(watched).toFixed(1)}px`; this.fog.style.width = `${(end - at(watched)).toFixed(1)}px`;
  }

  drag(event) {
    const axis = this.axis(), rect = this.plot.getBoundingClientRect();
    if (!axis || event.button) return;
    const go = (e) => {
      const part = (e.clientX - rect.left - axis.left) / axis.width;
      this.seek((axis.range[0] + part * (axis.range[1] - axis.range[0])) / (this.scale ?? 1));
    };
    const stop = () => { removeEventListener("pointermove", go); removeEventListener("pointerup", stop); removeEventListener("pointercancel", stop);
      };
    addEventListener("pointermove", go); addEventListener("pointerup", stop); addEventListener("pointercancel", stop);
    go(event);
  }

  /** The box may change its width while the window does not (a side bar closes), which plotly would not notice. */
  resize() {
    const width = this.element.clientWidth, drawn = this.plot._fullLayout;
    if (!drawn || !width || this.busy || Math.abs(width - drawn.width) < 2) return;
    this.lib.Plots.resize(this.plot).then(() => this.place(this.t ?? 0, this.watched));
  }

  close() { if (this.lib && this.plot._fullLayout) this.lib.purge(this.plot); }
}

/** A trace in the theme's colours: `meta` is the colour's name; a fill is the same colour, thin. */
function paint(trace, colours) {
  const colour = colours[trace.meta];
  if (!colour) return trace;
  const painted = { ...trace, line: { ...trace.line, color: trace.line?.width === 0 ? "rgba(0,0,0,0)" : colour } };
  if (trace.fill) painted.fillcolor = colour + "30";
  return painted;
}
