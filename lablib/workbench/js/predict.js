// Predict first: the question that covers the picture, and the reveal that lays the answer beside the result.
import { brief } from "./theme.js";
import { button, freshId, h, refill } from "./dom.js";

/** Bars that are drawn by pointer or by arrow keys: a curve in coarse steps. Returns {element, values(), touched()}. */
export function sketch({ label, unit, high, xs }, start) {
  const values = [...(start ?? xs.map(() => 0))];
  let touched = false;
  const bars = xs.map((x, i) => h("div", { class: "ml-bar", role: "slider", tabIndex: 0, "aria-label": `${label} at ${x}`, "aria-valuemin": "0",
    "aria-valuemax": String(high),
    onkeydown: (e) => { const by = { ArrowUp: 1, ArrowDown: -1, PageUp: 5, PageDown: -5 }[e.key];
      if (by) { put(i, values[i] + (by * high) / 20); e.preventDefault(); e.stopPropagation(); } } }, h("i", {})));
  const put = (i, value) => {
    touched = true;
    values[i] = Math.min(high, Math.max(0, Number(value.toPrecision(3))));
    bars[i].firstChild.style.height = `${(100 * values[i]) / high}%`;
    bars[i].setAttribute("aria-valuenow", values[i]); bars[i].setAttribute("aria-valuetext", `${brief(values[i])} ${unit}`);
  };
  const draw = (e) => {
    if (!(e.buttons & 1)) return;
    const box = field.getBoundingClientRect(), i = Math.floor(((e.clientX - box.left) / box.width) * xs.length);
    if (bars[i]) put(i, (1 - (e.clientY - box.top) / box.height) * high);
  };
  const field = h("div", { class: "ml-bars", onpointerdown: (e) => { field.setPointerCapture?.(e.pointerId); draw(e); }, onpointermove: draw }, bars);
  values.forEach((v, i) => put(i, v));
  touched = Boolean(start);
  const element = h("div", { class: "ml-sketch" }, h("div", { class: "ml-hint" },
    `${label}, up to ${brief(high)} ${unit}. Drag across the field, or use Tab and the arrow keys.`), field,
    h("div", { class: "ml-axis" }, h("span", {}, xs[0]), h("span", {}, xs.at(-1))));
  return { element, values: () => values, touched: () => touched };
}

/** Guess and result of a curve, side by side. */
function overlay({ high, xs }, guess, result) {
  const top = Math.max(high, ...result, ...guess) || 1, bar = (value, name) => h("i", { class: name, style: `height:${(100 * value) / top}%` });
  return h("div", { class: "ml-sketch" }, h("div", { class: "ml-bars ml-both", role: "img",
    "aria-label": `Guess ${guess.map(brief).join(", ")}; result ${result.map(brief).join(", ")}` },
    xs.map((_, i) => h("div", { class: "ml-bar" }, guess.length ? bar(guess[i], "ml-guess") : null, bar(result[i], "ml-result")))),
  h("div", { class: "ml-axis" }, h("span", {}, xs[0]), h("span", { class: "ml-key" }, h("i", { class: "ml-guess" }), " your guess  ",
    h("i", { class: "ml-result" }), " the run"), h("span", {}, xs.at(-1))));
}

function form(question, ask) {
  const send = (value) => ask({ do: "answer", value }), wanting = h("p", { class: "ml-hint", role: "status", hidden: true }),
    want = (words) => { wanting.textContent = `${words} Or press Skip.`; wanting.hidden = false; };
  const skip = button("Skip", () => ask({ do: "skip" }), { class: "ml-button ml-quiet" });
  if (question.kind === "choice") {
    const name = freshId();
    const list = question.options.map(([key, words]) => h("label", { class: "ml-option" }, h("input", { type: "radio", name, value: key }),
      h("span", {}, words)));
    const go = button("That is my guess", () => { const on = box.querySelector("input:checked"); if (on) send(on.value); else want("Choose an answer first."); },
      { class: "ml-button ml-primary" });
    const box = h("div", { role: "radiogroup", "aria-label": question.text }, list);
    return [box, h("div", { class: "ml-row" }, go, skip), wanting];
  }
  if (question.kind === "number") {
    const field = h("input", { type: "number", class: "ml-number", step: "any", "aria-label": "Your guess",
      onkeydown: (e) => { if (e.key === "Enter") go.click(); } });
    const go = button("That is my guess", () => { if (field.value !== "") send(field.valueAsNumber); else { want("Write a number first."); field.focus(); } },
      { class: "ml-button ml-primary" });
    return [h("div", { class: "ml-row" }, field, h("span", { class: "ml-unit" }, question.unit)), h("div", { class: "ml-row" }, go, skip), wanting];
  }
  const drawn = sketch(question);
  const go = button("That is my guess", () => { if (drawn.touched()) send(drawn.values()); else want("Draw first."); }, { class: "ml-button ml-primary" });
  return [drawn.element, h("div", { class: "ml-row" }, go, skip), wanting];
}

/** The form of a curve that is drawn on the scrub bar: `drawn()` gives the values, or null while they are not complete. */
function onTheCurve(question, ask, drawn) {
  const words = h("p", { class: "ml-hint" },
    `Draw it below, in the fog on the curve: ${question.label}. Or press 1 (stays low), 2 (rises and stays), 3 (rises and falls).`);
  const go = button("That is my guess", () => { const value = drawn(); if (value) ask({ do: "answer", value });
    else words.textContent = "Draw from the left end of the curve to the right end first."; }, { class: "ml-button ml-primary" });
  return [words, h("div", { class: "ml-row" }, go, button("Skip", () => ask({ do: "skip" }), { class: "ml-button ml-quiet" }))];
}

/**
 * Fills `card` for the question's state; true while the picture has to stay covered. `seen`: was the run watched, so that it may say the truth?
 * `drawn`: where there is a scrub bar to draw a curve on.
 */
export function predict(card, question, ask, { seen = true, drawn = null } = {}) {
  const told = question?.shown !== false && seen, key = JSON.stringify([question ?? null, told]), drawing = question?.kind === "curve" && drawn;
  const open = question?.state === "open", covers = open && !drawing;
  if (card.dataset.key === key) return covers;
  card.dataset.key = key;
  card.hidden = !question || question.state === "skipped" || (drawing && question.state === "answered");
  if (card.hidden) { refill(card); return false; }
  card.classList.toggle("ml-open", open); card.classList.toggle("ml-slim", Boolean(drawing));
  const said = ["You said ", h("strong", {}, question.said), "."],
    later = drawn ? "Press Play: the run will say." : "Now run on. What the run shows is compared with your guess here.";
  const body = open ? (drawing ? onTheCurve(question, ask, drawn) : form(question, ask)) : !told ? [h("p", {}, said, " ",
    h("span", { class: "ml-hint" }, later))] : [
    question.kind === "curve" ? overlay(question, question.answer, question.result) : h("p", {}, said, " The run says ",
      h("strong", {}, question.truth), ".", question.first ? ` Your first guess was: ${question.first}.` : ""),
    h("p", { class: "ml-verdict" }, question.reply)];
  refill(card, h("div", { class: "ml-kicker" }, open ? "Predict first" : "Your prediction"), h("p", { class: "ml-question" }, question.text), body,
    open ? null : h("div", { class: "ml-row" }, button("Close", () => ask({ do: "skip" }), { class: "ml-button ml-quiet" }),
      button("Ask me again", () => ask({ do: "ask_again" }), { class: "ml-button ml-quiet" })));
  return covers;
}
