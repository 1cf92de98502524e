// A canvas that draws nothing and remembers what it was asked to draw: for painters in Node.

/** A 2D context whose calls are kept as [name, ...arguments, {fillStyle, ...}]; `texts` are the words that were written. */
export function recorder() {
  const calls = [], texts = [];
  const g = new Proxy({ calls, texts, globalAlpha: 1 }, {
    get(target, name) {
      if (name in target) return target[name];
      if (name === "measureText") return (s) => ({ width: s.length * 7 });
      return (...args) => {
        for (const x of args) if (typeof x === "number" && !Number.isFinite(x)) throw new Error(`${String(name)}(${args}) is not a number`);
        const radii = name === "arc" ? [args[2]] : name === "roundRect" ? [args[4] ?? 0].flat() : [];
        if (radii.some((r) => r < 0)) throw new Error(`${String(name)}(${args}): a radius is negative`);   // as a browser does
        calls.push(name === "stroke" ? [name, target.lineWidth, target.strokeStyle] : [name, ...args]);
        if (name === "fillText") texts.push(args[0]);
      };
    },
    set(target, name, value) { target[name] = value; return true; },
  });
  return g;
}

/** Elements that only remember what stands in them: for cards. */
class Words {
  constructor() { this.children = []; this.attributes = {}; }
  setAttribute(name, value) { this.attributes[name] = value; }
  addEventListener() {}
  append(...more) { this.children.push(...more); }
  get textContent() { return this.children.map((x) => (typeof x === "object" ? x.textContent : String(x))).join(""); }
}
export const page = { createElement: () => new Words(), createElementNS: () => new Words() };

/** A view for the stage at t. */
export function view(t, col, more = {}) {
  return {
    t, col, speed: 1, wall: 0, big: false, select: null, hover: null, focus: null, hits: [], playing: false, reduced: true,
    run: () => 2, since: (t0) => t - t0, back: 0.5, ...more,
  };
}
