"use strict";
/** The page starts: it unpacks its data, makes the store, and tells every part about it. */
(() => {
  const { $ } = Dom;
  const LEAST_BETWEEN = 80;
  /** @type {Data} */
  const data = JSON.parse($("data").textContent);

  /** @param {string} text */
  const floats = (text) => new Float32Array(Archive.bytes(text).buffer);

  /** The picture of the page. @returns {Input} */
  function unpacked() {
    const [count, height, width] = data.shape;
    const { kind, divisor, data: text } = data.pixels;
    const flat = kind === "u8" ? Float32Array.from(Archive.bytes(text)).map((level) => level / divisor) : floats(text);
    const channels = Array.from({ length: count }, (_, at) => flat.slice(at * height * width, (at + 1) * height * width));
    return {
      picture: { height, width, channels },
      names: data.channels, low: data.low, high: data.high, activations: data.activations,
      source: { path: data.path, words: data.reading },
    };
  }

  const first = unpacked();
  /** @type {Step[]} */
  const given = data.network ? data.layers : data.layers.map((step) => ({
    ...step,
    parameters: Object.fromEntries(Object.entries(step.parameters).map(([name, text]) => [name, floats(text)])),
  }));
  const effect = data.network ? Archive.effect(given) : data.single ? Compute.layer(data, given) : Compute.network(given);
  const store = Store.create(data, first, effect);

  /** Say how many kernels and maps there are: the counts lead to all of them, which stand below the stage. @param {string} text */
  function count(text) {
    const box = $("sentence");
    if (box.textContent === text) return;
    box.replaceChildren(...text.split(/(\d+ two-dimensional kernels?|\d+ feature maps?)/).map((part, at) => {
      if (at % 2 === 0) return part;
      const link = Dom.element("button", { type: "button", className: "link", title: "see all of them" }, part);
      const section = $(part.includes("kernel") ? "filtersSection" : "mapsSection");
      link.addEventListener("click", () => section.scrollIntoView({ block: "start" }));
      return link;
    }));
  }

  /** What the page says about the whole: a sentence, the shape, the command, the program. @param {Now} now */
  function words({ state, input: from, shown }) {
    const { source } = from;
    const { step, conv, weights, inputs: [input], output } = /** @type {Shown} */ (shown);
    if (step) {
      const shapes = data.network
        ? [[input.channels.length, input.height, input.width]]
        : step.inputs.map((name) => given.find((one) => one.name === name)?.shape || data.shape);
      Dom.set($("sentence"), { textContent: `${step.name}: ${shapes.map((shape) => shape.join("x")).join(" and ")} -> ${step.shape.join("x")}` });
      Dom.set($("command"), { textContent: Words.netCommand(state, data, source) });
      Dom.set($("code"), { textContent: data.network?.code || Words.netCode(data.network?.steps || given, data, source) });
    } else if (conv && weights) {
      const shapeOf = (/** @type {Picture} */ { channels, height, width }) => [channels.length, height, width];
      count(Words.sentence(conv, shapeOf(input), shapeOf(output)));
      Dom.set($("command"), { textContent: Words.command(state, data, weights, source) });
      Dom.set($("code"), { textContent: Words.code(state, data, weights, { ...from, picture: input }) });
    }
    $("shapeTab").hidden = !conv;
    if (!conv && !$("shapePanel").hidden) tabs($("commandTab"));
    if (conv) Dom.set($("shape"), { textContent: Words.shape(conv, input.height, input.width) });
    $("saveKernels").hidden = !(data.single && /kernels\.json/.test($("command").textContent + $("code").textContent));
    const typed = Object.keys(state.edits).length;
    Dom.set($("typedNote"), { textContent: typed && step ? `${Words.many(typed, "weight")} typed: the command uses those of the file.` : "" });
  }

  const tabs = Tabs.start(/** @type {HTMLElement} */ (document.querySelector('[role="tablist"]')));
  let remembered = 0;
  let waiting = 0;

  /** Write what is chosen into the address; browsers complain about more than 20 changes a second. */
  function remember() {
    // The frame of a notebook has no address of its own.
    if (location.protocol === "about:") return;
    clearTimeout(waiting);
    const now = store.now();
    const rest = remembered + LEAST_BETWEEN - performance.now();
    if (rest > 0) return void (waiting = window.setTimeout(remember, rest));
    remembered = performance.now();
    history.replaceState(null, "", Tour.address(now) || Upload.address(Settings.address(now.state, now.pinned, data.state), now));
  }

  Looks.start(data.tables);
  $("layersSection").hidden = data.single;
  // First what stands above the stage: the stage takes the room that is left.
  Drawer.start(data, store);
  Upload.start(data, store, first);
  Sketch.start(data, store);
  Chain.start(data, /** @type {any} */ (given), store);
  store.subscribe((now, before) => {
    if (!now.shown) {
      if (now.trouble.text) Dom.set($("sentence"), { textContent: "" });
      return;
    }
    if (now.shown !== before.shown) {
      words(now);
      Strip.build(now, data, store);
    }
    // The browser takes its time to write an address: the picture comes first.
    if (now.small && (now.small !== before.small || now.pinned !== before.pinned)) remember();
  });
  Stage.start(data, store);
  Maps.start(store);
  Filters.start(store);
  Play.start(store);
  Export.start(store);
  Tour.start(data, store, first);
  Keys.start(store);
  Progress.start();

  /** Show the state that the address holds, or the first one if it is not legal. */
  function enter() {
    const step = Tour.stepOf(location.hash);
    if (step) return Tour.go(step);
    const { input } = Tour.end() || store.now();
    const { state, pinned } = Settings.read(location.hash.slice(1), data.state);
    const map = data.single ? Math.min(state.map, state.outChannels - 1) : state.map;
    const missing = Upload.missing(location.hash);
    if (store.attempt({ ...state, map }, "", input, { pinned })) return void (missing && store.tell(missing));
    const text = missing || store.now().trouble.text;
    store.pin(null);
    if (!store.now().shown) store.attempt(data.state);
    store.tell(text);
  }
  window.addEventListener("hashchange", enter);
  enter();

  // For tests, and for anyone who wants to look deeper.
  Object.assign(window, {
    convviz: {
      store, state: () => store.now().state, shown: () => store.now().shown, settled: store.settled,
      focus: () => Inspector.focus(store.now()),
      net: () => store.now().shown?.net?.answer, svg: () => Export.svg(store.now()), seen: Panes.seen,
    },
  });
})();
