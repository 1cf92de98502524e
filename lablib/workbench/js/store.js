// Where the page gets its run and sends its wishes: a live kernel, or a page that was saved.

const PATIENCE = 20000;                                 // ms without an answer after which the kernel is called silent
const TRAITS = ["run", "other", "state", "selected"];
const TOLD = 1000;                                      // ms between two messages that say where a run that plays is

/** The model, when its state has come: a view can be made before that, and of a model that was closed meanwhile (then it never comes). */
export const arrived = (model) => new Promise((done) => {
  const look = () => { if (!Object.keys(model.get("_state") ?? {}).length) return; model.off("change:_state", look); done(model); };
  model.on("change:_state", look);
  look();
});

/** The store of a live notebook: traits of the widget, and messages with answers. Moves of a slider overtake each other. */
export function liveStore(model) {
  const waiting = new Map(), queue = [], idle = [];
  let serial = 0, busy = 0, told = 0, later = 0, patience = 0, here = model.get("cursor"), silent = () => {};
  const heard = (reply, buffers) => {
    if (!waiting.has(reply.id)) return;
    waiting.get(reply.id)({ ...reply, buffers });
    waiting.delete(reply.id);
    if (reply.id === busy) { busy = 0; clearTimeout(patience); silent(false); pump(); }
    if (!busy) idle.splice(0).forEach((done) => done());
  };
  const pump = () => {
    if (busy || !queue.length) return;
    const { message, done } = queue.shift();
    busy = serial += 1;
    waiting.set(busy, done);
    clearTimeout(patience);
    patience = setTimeout(() => silent(true), PATIENCE);
    model.send({ ...message, id: busy });
  };
  model.on("msg:custom", heard);
  const ask = (message) => new Promise((done) => {
    const old = message.do === "set" ? queue.find((q) => q.message.do === "set" && q.message.name === message.name) : null;
    if (old) { old.message = message; const first = old.done; old.done = (reply) => { first(reply); done(reply); };
      } else queue.push({ message, done });
    pump();
  });
  const fetched = async (what) => {
    const reply = await ask({ do: what });
    if (!reply.buffers?.length) throw new Error(`the kernel did not send it (${what})`);
    return reply.buffers[0];
  };
  return {
    live: true, ask, whenSilent: (f) => { silent = f; }, get: (name) => model.get(name === "cursor" ? name : `_${name}`),
    /** A promise: no message is on its way. */
    quiet: () => (busy || queue.length ? new Promise((done) => idle.push(done)) : Promise.resolve()),
    source: () => fetched("plotly"), figure: () => fetched("figure"),
    select(message) { if (model.get("_selected") !== undefined && model.get("_selected") !== message) { model.set("_selected", message);
      model.save_changes(); } },
    /** Where this view is. The other views of the model follow at once, Python now and then. */
    tell(t, playing) {
      clearTimeout(later);
      here = t;
      if (model.get("cursor") !== t) model.set("cursor", t);
      if (playing && performance.now() - told < TOLD) return;
      later = setTimeout(() => { told = performance.now(); model.save_changes(); }, playing ? 0 : 250);
    },
    on(changed) {
      const names = new Set();
      const note = (name) => () => {
        if (!names.size) queueMicrotask(() => { const all = new Set(names); names.clear(); changed(all); });
        names.add(name);
      };
      const listen = (name, f) => { model.on(`change:${name}`, f); return () => model.off(`change:${name}`, f); };
      const moved = note("cursor"), offs = TRAITS.map((name) => listen(`_${name}`, note(name)));
      offs.push(listen("cursor", () => { if (model.get("cursor") !== here) { here = model.get("cursor"); moved(); } }));
      return () => { offs.forEach((off) => off()); model.off("msg:custom", heard); clearTimeout(later); clearTimeout(patience); };
    },
  };
}

/** The store of a part of a workbench that is a widget of its own: that of the workbench, which shows `only` this part. */
export async function partStore(model) {
  const whole = liveStore(await arrived(await model.widget_manager.get_model(model.get("bench").replace("IPY_MODEL_", ""))));
  const instead = { form: (form) => ({ ...form, only: model.get("part") }), state: (state) => ({ ...state, missions: [], question: null }) };
  return { ...whole, get: (name) => (instead[name] ?? ((value) => value))(whole.get(name)) };
}

/** The store of a page without a kernel: everything is in it. */
export function savedStore(saved) {
  const answers = { why: (m) => saved.lives?.[m.lane ?? 0]?.[m.message], table: () => saved.table, comparison: () => saved.comparison, numbers: () => ({ summary: saved.summary }) };
  return {
    live: false, get: (name) => saved[name], on: () => () => {}, tell: () => {}, select: () => {}, quiet: () => Promise.resolve(),
    figure: async () => saved.figure, source: () => saved.plotly(),
    ask: async (message) => answers[message.do]?.(message) ?? {},
  };
}
