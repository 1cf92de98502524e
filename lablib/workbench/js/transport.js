// Time: the player (which instant is shown) and the bar that controls it. The browser owns the clock.
import { SPEEDS, brief, clock, nextInstant, nextNotable, tellAt, upTo, usualSpeed } from "./state.js";
import { h, iconButton, refill } from "./dom.js";

/** Which instant is shown, and how it moves. `changed(why)` is called after every change: "play", "seek", "step", "mode". */
export class Player {
  constructor(run, changed) {
    this.run = run; this.changed = changed; this.t = 0; this.playing = false; this.speed = usualSpeed(run.duration);
  }

  /** The same instant of another run. */
  show(run) {
    this.run = run;
    this.t = Math.min(this.t, run.duration);
  }

  play(on = !this.playing) {
    if (on && this.t >= this.run.duration) this.t = 0;
    this.playing = on;
    this.changed("mode");
  }

  /** Lets `dt` real seconds pass. */
  advance(dt) {
    if (!this.playing) return;
    this.t = Math.min(this.run.duration, this.t + dt * this.speed);
    if (this.t >= this.run.duration) this.playing = false;
    this.changed(this.playing ? "play" : "mode");
  }

  seek(t) { this.t = Math.min(this.run.duration, Math.max(0, t)); this.changed("seek"); }
  step(by) { this.playing = false; this.t = nextInstant(this.run, this.t, by); this.changed("step"); }
  jump(by) {
    const to = nextNotable(this.run, this.t, by), stuck = to === this.t;
    this.playing = false; this.t = to;
    this.changed(!stuck ? "step" : by > 0 ? "none later" : "none earlier");
  }
}

/** The transport bar. Returns {element, refresh()}. */
export function transport(player) {
  const play = iconButton("play", "Play (Space)", () => player.play(), { class: "ml-icon ml-play" });
  const now = h("span", { class: "ml-now" });
  const ticks = h("div", { class: "ml-ticks", "aria-hidden": "true" });
  const bar = h("input", { type: "range", class: "ml-scrub", min: "0", max: "1000", step: "any", "aria-label": "Time in the run",
    oninput: () => player.seek((bar.valueAsNumber / 1000) * player.run.duration) });
  const rate = h("span", { class: "ml-rate", "aria-hidden": "true" });
  const speed = h("input", { type: "range", class: "ml-speed", min: "0", max: String(SPEEDS.length - 1), step: "1", "aria-label": "Speed",
    title: "Speed: how much faster than real time", oninput: () => { player.speed = SPEEDS[speed.valueAsNumber]; refresh(); } });
  const element = h("div", { class: "ml-transport", role: "group", "aria-label": "Time" },
    iconButton("start", "Back to the start (Home)", () => player.seek(0)),
    iconButton("back", "One event back (Left arrow)", () => player.step(-1)),
    play,
    iconButton("step", "One event forward (Right arrow)", () => player.step(1)),
    iconButton("next", "Next event of interest (N)", () => player.jump(1)),
    now, h("div", { class: "ml-track" }, bar, ticks), h("label", { class: "ml-speeds" }, speed, rate));
  let shown = null, state = null;

  const put = (element, words) => { if (element.textContent !== words) element.textContent = words; };

  function refresh() {
    const { run, t, playing } = player;
    if (shown !== run) {
      shown = run;
      const count = run.notable.t.length, some = [...run.notable.t].filter((_, i) => count < 240 || i % Math.ceil(count / 240) === 0);
      refill(ticks, some.map((x) => h("i", { style: `left:${(100 * x) / run.duration}%` })));
    }
    if (state !== playing) {
      state = playing;
      const label = playing ? "Pause (Space)" : "Play (Space)";
      play.replaceChildren(...iconButton(playing ? "pause" : "play", label).children);
      play.setAttribute("aria-label", label); play.title = label;
    }
    const words = clock(t, run.duration, !playing);
    put(now, words);
    bar.value = (1000 * t) / run.duration;
    bar.style.setProperty("--done", `${(100 * t) / run.duration}%`);
    bar.setAttribute("aria-valuetext", `${words} of ${clock(run.duration, run.duration)}`);
    speed.value = SPEEDS.indexOf(player.speed);
    put(rate, `${brief(player.speed)}×`);
    speed.setAttribute("aria-valuetext", `${player.speed} times real time`);
  }
  return { element, refresh };
}

/** Speaks what happens into a live region: what a step did, and while playing at most one event of interest in 1.5 s. */
export class Speaker {
  constructor() { this.element = h("div", { class: "ml-spoken", role: "status", "aria-live": "polite" }); this.heard = 0; this.wait = 0; }

  say(words) { this.element.textContent = this.element.title = words; }

  tell(player, why, dt = 0) {
    const { run, t } = player;
    this.wait -= dt;
    if (why === "step") this.say(tellAt(run, t) || (t >= run.duration ? "The run ends here." : ""));
    else if (why === "none later") this.say("No more events of interest.");
    else if (why === "none earlier") this.say("No earlier events of interest.");
    else if (why === "seek" || why === "data") this.say("");
    const count = upTo(run.notable.t, t);
    if (why === "play" && count > this.heard && this.wait <= 0) {
      this.wait = 1.5;
      this.say(`${clock(run.notable.t[count - 1], run.duration)}: ${run.notable.text[count - 1]}`);
    }
    this.heard = count;
  }
}

/** Space, arrows, Home, End, N, P: what the keys do when the focus is in the workbench but not in a field. */
export function keys(player) {
  const acts = {
    " ": () => player.play(), ArrowRight: () => player.step(1), ArrowLeft: () => player.step(-1), Home: () => player.seek(0),
    End: () => player.seek(player.run.duration), n: () => player.jump(1), p: () => player.jump(-1),
  };
  return (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key], tag = event.target.tagName;
    const typing = tag === "SELECT" || tag === "TEXTAREA" || (tag === "INPUT" && event.target.type !== "checkbox" && !(event.target.type === "range" && event.key === " "));
    const pressing = event.key === " " && (tag === "BUTTON" || tag === "SUMMARY" || event.target.type === "checkbox" || event.target.type === "radio");
    if (!act || typing || pressing) return;
    event.preventDefault();
    act();
  };
}
