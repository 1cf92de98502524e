// Colours, sizes and times of the whole page. Okabe-Ito's hues, darkened or lightened until a sign has 3:1 on its ground.

export const PALETTE = {
  light: {
    name: "light", page: "#ffffff", card: "#ffffff", well: "#f3f6f9", tray: "#f8fafc", ink: "#17222d", soft: "#55626f", edge: "#84909c",
    faint: "#dde3e9", pipe: "#e6ebf0", waiting: "#0072b2", hand: "#b07000", again: "#d55e00", done: "#00805b", vain: "#8b7355",
    lost: "#444c55", control: "#7650b0", pale: "#9f8765", onmark: "#ffffff", fog: "#eef1f5", fogline: "#c5cdd6",
    groups: ["#0072b2", "#b07800", "#00946b", "#d55e00", "#b85c92", "#2f8bc8", "#858500", "#17222d", "#6a51a3", "#8c510a", "#01665e", "#c51b7d"],
  },
  dark: {
    name: "dark", page: "#11161c", card: "#1a2129", well: "#1f2831", tray: "#161d24", ink: "#e9eef3", soft: "#a3afbb", edge: "#74828f",
    faint: "#323d48", pipe: "#29333d", waiting: "#56b4e9", hand: "#e69f00", again: "#f58442", done: "#2fc49b", vain: "#a89478",
    lost: "#b4bdc6", control: "#b79aec", pale: "#8f7f6c", onmark: "#0e1419", fog: "#1a222b", fogline: "#3b4754",
    groups: ["#56b4e9", "#e69f00", "#2fc49b", "#f58442", "#d993b8", "#8fd0f5", "#f0e442", "#e9eef3", "#b79aec", "#d8a25e", "#5fc7bd", "#ff8ac4"],
  },
};

export const TIME = {                                  // seconds on the wall
  streak: 0.5,                                          // that the trace of an arrival stays on its pipe
  flight: 0.25,                                         // a flight that lasts longer is drawn as one
  shortest: 0.15,                                       // when the median work is shorter, single marks give way to rates
  slow: 5, slowFor: 1.3,                                // at a notable event the clock runs so many times slower, for so long
  bubble: 3.2, quiet: 3.5,                              // that words stay at their place; between two of them
  ghost: 2, met: 9,                                     // that the old future stays after a change; that the words of a met mission stay
};

export const SIZES = [40, 34, 30, 26, 22, 18, 15, 12, 10, 8, 6];   // diameters of a mark, px; above 26 with larger type only
export const NUMBERED = 18;                             // from this size on, a mark carries its message's number
export const BLOCKS_ABOVE = 400;                        // more than this at once: blocks of 100
export const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';

export const alpha = (hex, a) => {
  const v = parseInt(hex.slice(1), 16);
  return `rgba(${v >> 16},${(v >> 8) & 255},${v & 255},${a})`;
};
export const clamp = (x, low, high) => Math.max(low, Math.min(high, x));
export const seconds = (s) => `${s >= 9.95 ? s.toFixed(0) : s.toFixed(1)} s`;

const two = (x) => String(x).padStart(2, "0");

/** A time of the run for people: 42.1 s, then 1:02:03, then 3 d 04:05. */
export function clock(t, duration, fine = false) {
  if (duration <= 900) return `${t.toFixed(fine ? 3 : 1)} s`;
  const whole = Math.floor(t + 1e-9), minutes = two(Math.floor(whole / 60) % 60), hours = Math.floor(whole / 3600);
  return duration > 172800 ? `${Math.floor(hours / 24)} d ${two(hours % 24)}:${minutes}` : `${hours}:${minutes}:${two(whole % 60)}`;
}

/** A length of time in words: 8 s, 3 min, 4 h, 2 d. */
export function span(s) {
  if (!Number.isFinite(s)) return "–";
  const [unit, name] = [[86400, "d"], [3600, "h"], [120, "min"], [0, "s"]].find(([from]) => s >= from);
  const value = s / ({ d: 86400, h: 3600, min: 60, s: 1 })[name];
  return `${value >= 9.95 ? value.toFixed(0) : Number(value.toFixed(1))} ${name}`;
}

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });   // made once: making one takes a millisecond

/** A number with at most three figures that matter; NaN is a dash. */
export function brief(x) {
  if (!Number.isFinite(x)) return "–";
  if (Number.isInteger(x) || Math.abs(x) >= 100) return Math.abs(x) < 1000 ? String(Math.round(x)) : grouped.format(x);
  return String(Number(x.toPrecision(x < 1 ? 2 : 3)));
}

export const cap = (s) => s && s[0].toUpperCase() + s.slice(1);
/** A rate (a second), in words: a small one is told by the hour. */
export const rateOf = (rate) => (rate && rate < 0.05 ? `${brief(Math.round(rate * 3600))} an hour` : `${rate.toFixed(1)} a second`);
export const plural = (n, word) => `${brief(n)} ${word}${n === 1 ? "" : "s"}`;

/** The first of 1, 2, 3, 4, 5, 6, 8, 10 times a power of ten that is at least x. */
export function nice(x) {
  const power = 10 ** Math.floor(Math.log10(x || 1));
  return [1, 2, 3, 4, 5, 6, 8, 10].map((k) => k * power).find((k) => k >= x * 0.999999) ?? x;
}

/** Sets the theme's colours on the page's box, where the style sheet finds them. */
export function dress(box, col) {
  box.dataset.theme = col.name;
  for (const [name, value] of Object.entries(col)) if (typeof value === "string") box.style.setProperty(`--ml-${name}`, value);
}
