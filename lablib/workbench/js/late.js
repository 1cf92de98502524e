// anywidget gives a module two seconds to load (runtime.ts, 0.9.14 to 0.11). Then its `ready` is rejected, and nothing
// that the kernel sends reaches that model again. A busy machine needs longer; the page would look alive, and be deaf.

/**
 * A widget's module, whose model hears the kernel also when the module came late: it asks for its state once more.
 * A widget that only looks at messages, never at changes of its state, begins when the `whole` state is there.
 */
export const heard = (widget, whole = false) => ({
  ...widget,
  async initialize(given) {
    const model = itself(given.model);
    setTimeout(showAgain, 2500, model.widget_manager);
    if (await late(model)) {
      const caughtUp = listenAgain(model);
      if (whole) await caughtUp;
    }
    return widget.initialize?.(given);
  },
});

/**
 * Plotly asks how wide a figure's box is when it draws, mostly before the box stands in the page, and again only when
 * the window changes.
 */
export const fitted = (widget) => ({
  ...widget,
  async render(given) {
    let wide = 0;
    const fit = () => { if (wide !== given.el.clientWidth) { wide = given.el.clientWidth; dispatchEvent(new Event("resize")); } };
    const drawn = await widget.render(given);
    new ResizeObserver(fit).observe(given.el);
    return drawn;
  },
});

/** A module is given only a few methods of its model; an event names the model. */
function itself(few) {
  let model;
  const found = (named) => { model = named; };
  few.on("change:_found", found);
  few.set("_found", true);
  few.off("change:_found", found);
  few.set("_found", undefined);
  return model;
}

/**
 * A message that says nothing is rejected when it was too late, and waits for this module otherwise. No timer here: a page in the background
 * slows them, and it could be too late meanwhile.
 */
async function late(model) {
  let rejected = false;
  Promise.resolve(model._handle_comm_msg({ content: { data: {} }, buffers: [] })).catch(() => { rejected = true; });
  for (let turn = 0; turn < 50 && !rejected; turn++) await null;
  return rejected;
}

/** From now on the base class takes the messages. A promise: the whole state has come. */
const listenAgain = (model) => new Promise((done) => {
  const handle = Object.getPrototypeOf(Object.getPrototypeOf(model))._handle_comm_msg;
  if (!model.comm) return done();
  model.comm.on_msg((message) => {
    const handled = Promise.resolve(handle.call(model, message));
    if (message.content.data.state?._esm) handled.then(done);
    return handled;
  });
  model.comm.send({ method: "request_state" }, model.callbacks());
});

/**
 * An output waits two seconds for its model (jupyterlab_widgets 3.0.16, `get_model`). When the page stands still for so
 * long, it does not look once more, and says for good that there is none. Its wait began before this module was loaded,
 * and timers end in the order in which they are due, so what it says is said by now.
 */
function showAgain(manager) {
  const gone = [...document.querySelectorAll(".jp-OutputArea-output.jupyter-widgets")];
  if (!manager.context || !gone.some((box) => box.textContent.endsWith("model not found"))) return;
  for (const { outputs } of manager.context.model.cells) {
    for (let n = 0; n < (outputs?.length ?? 0); n++) {
      const output = outputs.get(n);
      const shown = output.data["application/vnd.jupyter.widget-view+json"]?.model_id;
      if (shown && manager.has_model(shown)) {
        manager.get_model(shown).then((model) => {
          if (!Object.keys(model.views ?? {}).length) outputs.set(n, output.toJSON());
        });
      }
    }
  }
}
