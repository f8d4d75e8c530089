"use strict";
/**
 * The stage: a row for each channel (picture, lens, kernel, products, partial sum), the map, and the sum that makes one of
 * its values. It is built when something was computed or the window changed its size, and marked when the user looks at
 * another place.
 *
 * `Built` is what stands on it: `plan` its sizes, `rows` and `parts` its rows, `tiles` the channels without a row,
 * `labelColour` the colour of the indices beside the lenses; a `vector` is one row of values.
 *
 * @typedef {{plan: Plan, rows: Row[], parts: Parts[], tiles: Map<number, {bar: HTMLElement, button: HTMLElement}>,
 *   biasField: HTMLInputElement|null, labelColour: string, vector: boolean}} Built
 */
const Stage = (() => {
  const { $, element } = Dom;
  const { short } = Words;
  // Of the rows, on low screens; and what stands below them, the scale of the channels.
  const LEAST_HEIGHT = 330;
  const BELOW = 30;
  const HEADS = 24;
  const LETTER = 6.9; // the width of a letter above the parts

  /** @type {Data} */
  let data;
  /** @type {Stored} */
  let store;
  /** @type {Built} */
  const built = { plan: /** @type {any} */ (null), rows: [], parts: [], tiles: new Map(), biasField: null, labelColour: "", vector: false };
  let form = ""; // of the rows that are there
  let sizes = ""; // of the pictures on it

  /** @param {string} className @param {Record<string, any>} [properties] */
  const part = (className, properties = {}) => element("div", { className, ...properties });

  // --- building

  /** The room for the rows and the map. @param {Now} now @param {number} count @returns {Room} */
  function roomOf({ shown }, count, terms = 0, waiting = 0) {
    const { conv, inputs: [input] } = /** @type {Shown} */ (shown);
    const top = $("told").getBoundingClientRect().bottom + window.scrollY + HEADS;
    const window0 = Inspector.reading(/** @type {Shown} */ (shown), [0, 0]).window;
    const [up, down, before, after] = conv ? conv.padding : [0, 0, 0, 0];
    return {
      width: $("stage").clientWidth,
      height: Math.max(LEAST_HEIGHT, window.innerHeight - top - BELOW),
      rows: count,
      kernel: conv ? conv.kernel : [1, 1],
      span: window0 ? [window0.height, window0.width] : [1, 1],
      extent: [input.height + up + down, input.width + before + after],
      conv: conv !== null,
      terms, tiles: waiting,
    };
  }

  let building = false;

  /** Build the stage. Fields that lose the focus meanwhile must not mark what is half built. @param {Now} now */
  function build(now) {
    building = true;
    try {
      rebuild(now);
    } finally {
      building = false;
    }
  }

  /** @param {Now} now */
  function rebuild(now) {
    const shown = /** @type {Shown} */ (now.shown);
    const { step, conv, weights, inputs, output } = shown;
    built.labelColour = getComputedStyle($("columns")).color;
    Looks.refresh(now.state);
    const focused = document.activeElement;
    const key = Dom.keyOf(focused);
    Panes.clear();
    // First what stands above the rows, for their room begins below it.
    Dom.set($("lead"), { textContent: Inspector.lead(shown) });
    built.rows = Inspector.rowsOf(now);
    const { rows } = built;
    const waiting = Inspector.tilesOf(now, rows);
    const before = JSON.stringify(built.plan);
    built.plan = Plan.of(roomOf(now, rows.length, rows.length + (weights?.bias ? 1 : 0) + (waiting.length ? 1 : 0), waiting.length));
    built.vector = inputs[0].height === 1 && inputs[0].channels.length === 1 && !!step;
    // Rows with the same form are kept: the user may be typing in one.
    const wanted = JSON.stringify([rows, conv && [conv.kernel, conv.groups], now.state.at, built.vector, now.input.names, built.plan.pictures]);
    const fresh = wanted !== form;
    const lengths = JSON.stringify([...inputs, output].map(({ height, width }) => [height, width]));
    if (fresh || before !== JSON.stringify(built.plan) || lengths !== sizes) Lines.move();
    [form, sizes] = [wanted, lengths];
    if (fresh && $("stage").contains($("why"))) $("troubles").append($("why"));
    if (fresh) {
      built.parts = rows.map((row) => Rows.build(now, row, built));
      $("columns").replaceChildren(...built.parts.map(({ lens }) => /** @type {HTMLElement} */ (lens.parentElement)));
    }
    $("sigma").hidden = !conv;
    size(built.vector || output.height === 1, conv ? conv.kernel[1] : 1);
    heads(now);
    for (const one of built.parts) Rows.fill(now, one, built);
    scaleBar(now);
    const all = Inspector.channelsOf(shown).length;
    Dom.set($("more"), { textContent: !conv && all > rows.length ? `${rows.length} of ${all} channels are shown` : "" });
    buildMap(now);
    buildTiles(now, waiting);
    if (key && document.activeElement !== focused) Dom.keyed(key)?.focus();
  }

  /** Tell the style sheet the sizes. @param {boolean} vector @param {number} wide  Columns of a kernel. */
  function size(vector, wide) {
    const stage = $("stage");
    const { plan, parts } = built;
    stage.classList.toggle("stacked", plan.stacked);
    stage.classList.toggle("vector", vector);
    const { rows: tall, columns, width, height } = plan.lens;
    // Few rows stand beside the middle of the map.
    const high = Math.max(tall * height + Plan.GUTTER.top, plan.picture + 18) + 10;
    const lengths = {
      picture: plan.picture, partial: plan.partial, map: plan.map, lens: columns * width + Plan.GUTTER.left + 2,
      "lens-height": tall * height + Plan.GUTTER.top + 2, cell: plan.kernel.width, "cell-height": plan.kernel.height,
      font: Cells.fontOf(plan.kernel.width, plan.kernel.height).font, "kernel-width": wide * plan.kernel.width,
      result: plan.result, gap: plan.gap, shift: vector ? 0 : Math.max(0, (plan.map - parts.length * high) / 2),
    };
    for (const [name, value] of Object.entries(lengths)) stage.style.setProperty(`--${name}`, `${value}px`);
  }

  /** Words above the parts, shorter ones above narrow parts. @param {Now} now */
  function heads(now) {
    const { conv, step, map, inputs } = /** @type {Shown} */ (now.shown);
    const many = conv && inputs[0].channels.length > 1 ? "s" : "";
    const { plan } = built;
    const wide = (conv ? conv.kernel[1] : 1) * plan.kernel.width;
    const { window: lensed } = Inspector.reading(/** @type {Shown} */ (now.shown), [0, 0]);
    /** @type {[string, number, string[]][]} */
    const words = [
      ["channel", plan.picture, conv ? [`input channel${many}`, `channel${many}`] : [`what ${step?.name} reads`, "input"]],
      ...(lensed ? /** @type {[string, number, string[]][]} */ ([["lens", plan.lens.columns * plan.lens.width, ["around the window", "window", ""]]]) : []),
      ...(conv ? /** @type {[string, number, string[]][]} */ ([
        ["kernel", wide, [`× kernel of filter ${map}`, "× kernel", "×"]], ["products", wide, ["= products", "="]], ["partial", plan.partial, ["partial map"]],
      ]) : []),
    ];
    const made = words.map(([name, width, texts]) => part(`head ${name}`, {
      textContent: texts.find((text) => text.length * LETTER <= width) || texts[texts.length - 1],
    }));
    const html = made.map(({ outerHTML }) => outerHTML).join("");
    if ($("heads").innerHTML !== html) $("heads").replaceChildren(...made);
  }

  /** The scale of the channels, where they share one. @param {Now} now */
  function scaleBar(now) {
    const bars = now.state.channelScale === "own" ? [] : built.rows.slice(0, 1).map(({ index, channel }) => {
      const { tone, colormap } = Looks.ofChannel(now, index, channel);
      return Looks.bar(colormap, tone);
    });
    $("channelScaleBar").replaceChildren(...bars);
  }

  /** @param {Now} now */
  function buildMap(now) {
    const { output, map, step, weights } = /** @type {Shown} */ (now.shown);
    const values = output.channels[map];
    const figure = $("output");
    figure.querySelector(".scale")?.remove();
    const tone = Looks.toneOf(now, values, output);
    const pane = Panes.add(figure, {
      kind: "output", channel: map, key: values, paint: () => Looks.look(now.state, values, output.height, output.width, tone), values,
      label: `feature map ${map}, ${output.height} by ${output.width}; arrow keys move`, most: built.plan.map,
    });
    const { low, high } = pane.look;
    Dom.set(figure.querySelector("figcaption"), { textContent: `map ${map}, ${output.height}x${output.width}: ${short(low, 3)} to ${short(high, 3)}` });
    pane.canvas.after(Looks.bar(now.state.colormap, tone));
    Object.assign(pane.canvas, { id: "mapCanvas", tabIndex: 0 });
    pane.canvas.setAttribute("role", "application");
    Dom.set($("mapName"), { textContent: step && step.kind !== "Conv2d" ? `what ${step.name} makes` : "feature map" });
    if (weights?.bias && !built.biasField) {
      built.biasField = /** @type {HTMLInputElement} */ (element("input", { id: "biasValue", inputMode: "decimal", ariaLabel: "bias" }));
      Rows.typing(built.biasField, () => `b${/** @type {Shown} */ (store.now().shown).map}`);
    }
    if (weights?.bias && built.biasField) {
      // As many digits as the other terms of the sum have.
      Rows.write(built.biasField, weights.bias[map], short(weights.bias[map]));
      Rows.markTyped(built.biasField, now, `b${map}`);
    }
    $("bars").replaceChildren(...(output.height === 1 && step ? [Inspector.bars(/** @type {Shown} */ (now.shown), data)] : []));
  }

  /** The channels without a row: their kernels, small, and bars for their partial sums. @param {Now} now @param {number[]} waiting */
  function buildTiles(now, waiting) {
    const { conv, weights, inputs, map } = /** @type {Shown} */ (now.shown);
    const { tiles } = built;
    tiles.clear();
    $("tiles").hidden = !waiting.length;
    if (!conv || !weights || !waiting.length) return $("tiles").replaceChildren();
    const [kh, kw] = conv.kernel;
    const all = Inspector.channelsOf(/** @type {Shown} */ (now.shown));
    const inGroup = inputs[0].channels.length / conv.groups;
    const kernels = weights.weight.subarray(map * inGroup * kh * kw, (map + 1) * inGroup * kh * kw);
    let peak = 0;
    for (const value of kernels) peak = Math.max(peak, Math.abs(value));
    $("tiles").replaceChildren(...waiting.map((channel) => {
      const at = channel - all[0].channel;
      const bar = element("span", { className: "bar" }, element("i"));
      const picture = Panes.canvasOf(Paint.signed(kernels.subarray(at * kh * kw, (at + 1) * kh * kw), kh, kw, peak));
      const button = element("button", { type: "button", ariaLabel: `show the ${Inspector.nameOf(now, 0, channel)} channel in full` }, picture, bar);
      button.dataset.key = `tile${channel}`;
      button.addEventListener("click", () => store.bring(channel));
      tiles.set(channel, { bar: bar.firstChild, button });
      return button;
    }));
  }

  /** @param {Now} now */
  const mark = (now) => Marks.mark(now, built);

  // --- moving

  /** Pin an output and bring it into view. @param {number} y @param {number} x */
  function go(y, x) {
    const { output } = /** @type {Shown} */ (store.now().shown);
    if (Panes.zoomed()) Panes.centre((y + 0.5) / output.height, (x + 0.5) / output.width);
    store.pin({ kind: "output", place: [y, x] });
  }

  /** @param {number} factor */
  function zoom(factor) {
    Panes.zoom(factor);
    const { output } = /** @type {Shown} */ (store.now().shown);
    const [y, x] = Inspector.settled(store.now());
    if (Panes.zoomed()) Panes.centre((y + 0.5) / output.height, (x + 0.5) / output.width);
    mark(store.now());
  }

  /** @param {Data} given @param {Stored} asked */
  function start(given, asked) {
    [data, store] = [given, asked];
    Rows.start(asked);
    $("zoomIn").addEventListener("click", () => zoom(2));
    $("zoomOut").addEventListener("click", () => zoom(0.5));
    $("whole").addEventListener("click", () => zoom(0));
    Panes.hear({
      point: store.point,
      click: (what) => {
        const { pinned } = store.now();
        store.pin(pinned && what && pinned.kind === what.kind && String(pinned.place) === String(what.place) ? null : what);
      },
      moved: () => mark(store.now()),
    });
    const again = () => {
      Lines.move();
      const now = store.now();
      if (!now.shown) return;
      build(now);
      mark(now);
    };
    new ResizeObserver(() => {
      if (built.plan && roomOf(store.now(), 1).width !== wide) again();
      wide = $("stage").clientWidth;
    }).observe($("stage"));
    window.addEventListener("resize", again);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    store.subscribe((now, before) => {
      if (!now.shown || building) return;
      // The rows stay while the pointer moves; another pinned output may need other ones.
      const other = (now.pinned !== before.pinned || now.brought !== before.brought) && String(Inspector.rowsOf(now).map(({ channel }) => channel)) !== String(built.rows.map(({ channel }) => channel));
      if (now.shown !== before.shown || other) build(now);
      Panes.map().cover = now.filled === null ? null : now.filled + 1;
      if (now.shown !== before.shown || other || now.pinned !== before.pinned || now.pointed !== before.pointed || now.filled !== before.filled) mark(now);
    });
  }
  let wide = 0;

  return { start, go, zoom };
})();
