"use strict";
/**
 * The stage: a row for each channel (picture, lens, kernel, products, partial sum), the map, and the sum that makes one of
 * its values. It is built when something was computed or the window changed its size, and marked when the user looks at
 * another place.
 *
 * @typedef {{row: Row, at: number, picture: Pane, lens: HTMLCanvasElement, fields: HTMLInputElement[], kernel: HTMLElement,
 *   products: HTMLElement, cells: HTMLElement[], partial: Pane|null, sum: HTMLElement|null}} Parts
 * @typedef {{picture: Rect, lens: Rect, partial: Rect|null}} Places
 */
const Stage = (() => {
  const { $, element } = Dom;
  const { short } = Words;
  const FED = "#0f857c";
  const WINDOW = "window";
  // From this size of a cell on, every cell of a dilated window has a frame of its own.
  const LEAST_CELL = 6;
  // Padding that is wider than the picture is not drawn in full.
  const MOST_PADDING = 1;
  // Of the rows, on low screens; and what stands below them, the scale of the channels.
  const LEAST_HEIGHT = 330;
  const BELOW = 30;
  const HEADS = 24;
  const LETTER = 6.9; // the width of a letter above the parts

  /** @type {Data} */
  let data;
  /** @type {Stored} */
  let store;
  let built = ""; // the form of the rows that are there
  /** @type {Shown|null} */
  let thumbed = null; // the result whose maps are there, small
  let sized = ""; // the sizes of the pictures on it
  /** @type {Plan} */
  let plan;
  /** @type {Row[]} */
  let rows = [];
  /** @type {Parts[]} */
  let parts = [];
  /** @type {{rows: Places[], map: Rect, sum: Rect, reason: Rect|null}|null} */
  let places = null; // where the parts are on the screen, until something moves
  /** @type {Map<number, {bar: HTMLElement, button: HTMLElement}>} */
  let tiles = new Map();
  /** @type {HTMLInputElement|null} */
  let biasField = null;

  // --- building

  /** @param {string} className @param {Record<string, any>} [properties] */
  const part = (className, properties = {}) => element("div", { className, ...properties });

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
  let labelColour = "";

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
    const { step, conv, weights, inputs, map } = shown;
    labelColour = getComputedStyle($("columns")).color;
    Looks.refresh(now.state);
    const focused = document.activeElement;
    const key = Dom.keyOf(focused);
    Panes.clear();
    // First what stands above the rows, for their room begins below it.
    $("lead").textContent = Inspector.lead(shown);
    rows = Inspector.rowsOf(now);
    const waiting = Inspector.tilesOf(now, rows);
    const before = JSON.stringify(plan);
    plan = Plan.of(roomOf(now, rows.length, rows.length + (weights?.bias ? 1 : 0) + (waiting.length ? 1 : 0), waiting.length));
    const vector = inputs[0].height === 1 && inputs[0].channels.length === 1 && !!step;
    // Rows with the same form are kept: the user may be typing in one.
    const form = JSON.stringify([rows, conv && [conv.kernel, conv.groups], map, now.state.at, now.state.flip, vector, now.input.names, plan.pictures]);
    const fresh = form !== built;
    const sizes = JSON.stringify(inputs.map(({ height, width }) => [height, width]).concat([[shown.output.height, shown.output.width]]));
    if (fresh || before !== JSON.stringify(plan) || sizes !== sized) places = null;
    sized = sizes;
    if (fresh && $("stage").contains($("why"))) $("troubles").append($("why"));
    if (fresh) {
      parts = rows.map((row, at) => rowOf(now, row, at));
      $("columns").replaceChildren(...parts.map(({ lens }) => /** @type {HTMLElement} */ (lens.parentElement)));
    }
    built = form;
    $("sigma").hidden = !conv;
    size(vector || shown.output.height === 1, conv ? conv.kernel[1] : 1);
    heads(now);
    parts.forEach((one) => fill(now, one, vector));
    scaleBar(now);
    const all = Inspector.channelsOf(shown).length;
    $("more").textContent = !conv && all > rows.length ? `${rows.length} of ${all} channels are shown` : "";
    buildMap(now);
    buildTiles(now, waiting);
    thumbnails(now);
    if (key && document.activeElement !== focused) Dom.keyed(key)?.focus();
  }

  /** Tell the style sheet the sizes. @param {boolean} vector @param {number} wide  Columns of a kernel. */
  function size(vector, wide) {
    const stage = $("stage");
    stage.classList.toggle("stacked", plan.stacked);
    stage.classList.toggle("vector", vector);
    const { rows: tall, columns, width, height } = plan.lens;
    // Few rows stand beside the middle of the map.
    const high = Math.max(tall * height + Plan.GUTTER.top, plan.picture + 18) + 10;
    const sizes = {
      picture: plan.picture, partial: plan.partial, map: plan.map, lens: columns * width + Plan.GUTTER.left + 2,
      "lens-height": tall * height + Plan.GUTTER.top + 2, cell: plan.kernel.width, "cell-height": plan.kernel.height,
      font: Cells.fontOf(plan.kernel.width, plan.kernel.height).font, "kernel-width": wide * plan.kernel.width,
      result: plan.result, gap: plan.gap, shift: vector ? 0 : Math.max(0, (plan.map - parts.length * high) / 2),
    };
    for (const [name, value] of Object.entries(sizes)) stage.style.setProperty(`--${name}`, `${value}px`);
  }

  /** Words above the parts, shorter ones above narrow parts. @param {Now} now */
  function heads(now) {
    const { conv, step, map, inputs } = /** @type {Shown} */ (now.shown);
    const many = conv && inputs[0].channels.length > 1 ? "s" : "";
    const wide = (conv ? conv.kernel[1] : 1) * plan.kernel.width;
    const { window: lensed } = Inspector.reading(/** @type {Shown} */ (now.shown), [0, 0]);
    /** @type {[string, number, string[]][]} */
    const words = [
      ["channel", plan.picture, conv ? [`input channel${many}`, `channel${many}`] : [`what ${step?.name} reads`, "input"]],
      ...(lensed ? /** @type {[string, number, string[]][]} */ ([["lens", plan.lens.columns * plan.lens.width, ["window, enlarged", "window", ""]]]) : []),
      ...(conv ? /** @type {[string, number, string[]][]} */ ([
        ["kernel", wide, [`× kernel of filter ${map}`, "× kernel", "×"]], ["products", wide, ["= products", "="]], ["partial", plan.partial, ["partial map"]],
      ]) : []),
    ];
    $("heads").replaceChildren(...words.map(([name, width, texts]) => part(`head ${name}`, {
      textContent: texts.find((text) => text.length * LETTER <= width) || texts[texts.length - 1],
    })));
  }

  /** The elements of a row. @param {Now} now @param {Row} row @param {number} at @returns {Parts} */
  function rowOf(now, row, at) {
    const { conv } = /** @type {Shown} */ (now.shown);
    const name = Inspector.nameOf(now, row.index, row.channel);
    const lens = element("canvas", { className: "lens" });
    lens.setAttribute("role", "img");
    const box = part("row", { ariaLabel: `${name} channel` });
    box.setAttribute("role", "group");
    box.append(element("figure", { className: "channel" }, element("figcaption")), lens);
    const kernel = part("kernel");
    const products = part("products");
    /** @type {Parts} */
    const made = { row, at, lens, kernel, products, fields: [], cells: [], picture: /** @type {any} */ (null), partial: null, sum: null };
    listenToLens(made);
    if (!conv) {
      box.append(element("p", { className: "reason" }));
      return made;
    }
    made.at = row.channel - Inspector.channelsOf(/** @type {Shown} */ (now.shown))[0].channel;
    if (plan.pictures) pictures(now, made, name);
    else tables(now, made, name);
    const sum = element("strong", { className: "amount" });
    made.sum = sum;
    box.append(element("span", { className: "op" }, "×"), kernel, element("span", { className: "op" }, "="), products,
      element("span", { className: "op" }, "→"), element("figure", { className: "partial" }, sum));
    return made;
  }

  /** A field takes numbers for a weight. @param {HTMLInputElement} field @param {(field: HTMLInputElement) => string} index */
  function typing(field, index) {
    field.addEventListener("change", () => {
      // What was seen is shortened, so it may differ from the weight.
      if (field.value === field.dataset.seen) return;
      if (!store.edit(index(field), field.value, Dom.keyOf(field))) field.value = field.dataset.seen || "";
    });
  }

  /** Write a weight into its field, unless the user types in it. @param {HTMLInputElement} field @param {number} value @param {number} chars */
  function write(field, value, chars) {
    const text = Words.fit(value, chars);
    if (field !== document.activeElement || field.value === field.dataset.seen) field.value = text;
    field.dataset.seen = text;
    field.dataset.value = String(value);
    field.title = short(value, 9);
  }

  /** Mark a weight that was typed. @param {HTMLInputElement} field @param {Now} now @param {string} index */
  function markTyped(field, { state }, index) {
    const typed = `${state.at}:${index}` in state.edits;
    field.classList.toggle("typed", typed);
    field.setAttribute("aria-description", typed ? "edited" : "");
  }

  /** The index of a weight that is shown at a place; a rotated kernel is typed as it is shown. @param {Now} now @param {number[]} place */
  function indexOf({ shown, state }, [at, y, x]) {
    const { conv, map, inputs } = /** @type {Shown} */ (shown);
    const [kh, kw] = /** @type {Layer} */ (conv).kernel;
    const inGroup = inputs[0].channels.length / /** @type {Layer} */ (conv).groups;
    const place = y * kw + x;
    return (map * inGroup + at) * kh * kw + (state.flip ? kh * kw - 1 - place : place);
  }

  /** A kernel and its products as tables of numbers. @param {Now} now @param {Parts} made @param {string} name */
  function tables(now, made, name) {
    const [kh, kw] = /** @type {Layer} */ (/** @type {Shown} */ (now.shown).conv).kernel;
    const [weights, products] = [element("table"), element("table")];
    for (let y = 0; y < kh; y++) {
      const [upper, lower] = [weights.insertRow(), products.insertRow()];
      for (let x = 0; x < kw; x++) {
        const place = [made.at, y, x];
        const field = element("input", { inputMode: "decimal", ariaLabel: `weight of the ${name} channel, row ${y}, column ${x}` });
        field.dataset.key = field.dataset.place = place.join(",");
        typing(field, () => String(indexOf(store.now(), place)));
        upper.insertCell().append(field);
        const cell = lower.insertCell();
        cell.dataset.product = place.join(",");
        for (const [one, enter, leave] of /** @type {[HTMLElement, string[], string[]][]} */ ([
          [field, ["pointerenter", "focus"], ["pointerleave", "blur"]], [cell, ["pointerenter"], ["pointerleave"]],
        ])) {
          for (const event of enter) one.addEventListener(event, () => store.point({ kind: "weight", place }));
          for (const event of leave) one.addEventListener(event, () => store.point(null));
        }
        made.fields.push(field);
        made.cells.push(cell);
      }
    }
    made.kernel.append(weights);
    made.products.append(products);
  }

  /** A large kernel and its products as pictures; one field for the weight that is looked at. @param {Now} now @param {Parts} made @param {string} name */
  function pictures(now, made, name) {
    const field = element("input", { inputMode: "decimal", ariaLabel: `weight of the ${name} channel` });
    field.dataset.key = `weight${made.at}`;
    typing(field, ({ dataset }) => String(indexOf(store.now(), (dataset.place || "").split(",").map(Number))));
    made.fields.push(field);
    for (const [box, label] of /** @type {[HTMLElement, string][]} */ ([[made.kernel, "kernel"], [made.products, "products"]])) {
      const canvas = element("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${label} of the ${name} channel`);
      const place = (/** @type {PointerEvent} */ event) => {
        const [kh, kw] = /** @type {Layer} */ (/** @type {Shown} */ (store.now().shown).conv).kernel;
        const [y, x] = Cells.cellAt(canvas, event, plan.kernel.width, plan.kernel.height, false);
        return y >= 0 && x >= 0 && y < kh && x < kw ? /** @type {Place} */ ({ kind: "weight", place: [made.at, y, x] }) : null;
      };
      canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => store.point(place(event)));
      canvas.addEventListener("pointerleave", () => store.point(null));
      canvas.addEventListener("click", (/** @type {PointerEvent} */ event) => store.pin(place(event)));
      box.append(canvas);
    }
    made.kernel.append(element("label", { className: "one" }, element("span"), field));
    made.products.append(part("named"));
  }

  /** Pointing into the lens: a weight inside the window, a pixel beside it. @param {Parts} made */
  function listenToLens(made) {
    /** @param {MouseEvent} event @returns {Place|null} */
    const place = (event) => {
      const now = store.now();
      const { conv, inputs } = /** @type {Shown} */ (now.shown);
      const [row, column] = Cells.cellAt(made.lens, event, plan.lens.width, plan.lens.height, true);
      const seen = Inspector.reading(/** @type {Shown} */ (now.shown), settled(now)).window;
      if (!seen) return null;
      const { top, left } = lensAt(now, seen, made.row.index);
      const [y, x] = [top + row, left + column];
      if (conv) {
        const [ky, kx] = [(y - seen.top) / conv.dilation[0], (x - seen.left) / conv.dilation[1]];
        if (Number.isInteger(ky) && Number.isInteger(kx) && ky >= 0 && kx >= 0 && ky < conv.kernel[0] && kx < conv.kernel[1])
          return { kind: "weight", place: [made.at, ky, kx] };
      }
      const { height, width } = inputs[made.row.index];
      return y >= 0 && x >= 0 && y < height && x < width ? { kind: "input", place: [y, x] } : null;
    };
    made.lens.addEventListener("pointermove", (event) => store.point(place(event)));
    made.lens.addEventListener("pointerleave", () => store.point(null));
    made.lens.addEventListener("click", (event) => store.pin(place(event)));
  }

  /** The output on the stage while the pointer is not on the map. @param {Now} now */
  const settled = (now) => Inspector.focus({ ...now, pointed: null });

  /** Where the lens begins: around the window, inside the padded input. @param {Now} now @param {Box} seen @param {number} index */
  function lensAt({ shown }, seen, index) {
    const { conv, inputs } = /** @type {Shown} */ (shown);
    const { height, width } = inputs[index];
    const [top, bottom, left, right] = conv ? conv.padding : [0, 0, 0, 0];
    const { rows: tall, columns: wide } = plan.lens;
    const within = (/** @type {number} */ low, /** @type {number} */ value, /** @type {number} */ high) => Math.max(low, Math.min(value, high));
    return {
      top: within(-top, seen.top - Math.floor((tall - seen.height) / 2), height + bottom - tall),
      left: within(-left, seen.left - Math.floor((wide - seen.width) / 2), width + right - wide),
    };
  }

  /** Channels with their padding. @type {WeakMap<Float32Array, {form: string, values: Float32Array, height: number, width: number}>} */
  const padded = new WeakMap();

  /** @param {Float32Array} values @param {string} form @param {() => {values: Float32Array, height: number, width: number}} make */
  function paddedOf(values, form, make) {
    const known = padded.get(values);
    if (known?.form === form) return known;
    const found = { form, ...make() };
    padded.set(values, found);
    return found;
  }

  /** Draw what of a row does not depend on the output. @param {Now} now @param {Parts} one @param {boolean} vector */
  function fill(now, one, vector) {
    const { conv, weights, inputs, output, map, partials } = /** @type {Shown} */ (now.shown);
    const { index, channel } = one.row;
    const { height, width, channels } = inputs[index];
    const name = Inspector.nameOf(now, index, channel);
    const figure = /** @type {HTMLElement} */ (one.lens.previousElementSibling);
    const look = Looks.ofChannel(now, index, channel);
    const most = MOST_PADDING * Math.max(height, width);
    const padding = /** @type {Padding} */ ((conv ? conv.padding : [0, 0, 0, 0]).map((side) => Math.min(side, most)));
    const some = padding.some(Boolean);
    const form = [...padding, some && conv?.mode].join();
    const all = paddedOf(channels[channel], form, () => Convolve.padded(channels[channel], height, width, padding, conv ? conv.mode : "zeros"));
    figure.querySelector("canvas")?.remove();
    one.picture = Panes.add(figure, {
      kind: "input", channel, key: channels[channel], form,
      paint: () => {
        const found = look.paint(all.values, all.height, all.width);
        if (some) haze(found, padding);
        return found;
      },
      values: all.values, label: `${name} channel, ${height} by ${width}`, most: vector ? Math.min(700, $("rows").clientWidth - 20) : plan.picture,
      before: [padding[0], padding[2]], edge: some ? [height, width] : null,
    });
    const { low, high } = one.picture.look;
    /** @type {any} */ (figure.querySelector("figcaption")).textContent = now.state.channelScale === "own" ? `${name}: ${short(low, 3)} to ${short(high, 3)}` : name;
    if (!conv || !weights) return;
    const [kh, kw] = conv.kernel;
    const count = kh * kw;
    const inGroup = inputs[0].channels.length / conv.groups;
    const kernels = weights.weight.subarray(map * inGroup * count, (map + 1) * inGroup * count);
    let peak = 0;
    for (const value of kernels) peak = Math.max(peak, Math.abs(value));
    if (!plan.pictures) {
      const { chars } = Cells.fontOf(plan.kernel.width, plan.kernel.height);
      one.fields.forEach((field, at) => {
        const value = kernels[one.at * count + at];
        write(field, value, chars);
        markTyped(field, now, String(indexOf(now, [one.at, Math.floor(at / kw), at % kw])));
        const shade = Paint.colour(value, peak);
        field.style.background = `rgb(${shade.join()})`;
        field.style.color = Paint.ink(shade);
      });
    }
    const box = /** @type {HTMLElement} */ (one.sum?.parentElement);
    box.querySelector("canvas")?.remove();
    const values = partials[one.at];
    const tone = Looks.toneOf(now, values, output);
    one.partial = Panes.add(box, {
      kind: "output", channel, key: values, paint: () => Looks.look(now.state, values, output.height, output.width, tone), values: null,
      label: `partial map of the ${name} channel`, most: plan.partial,
    });
  }

  /** Fade the padding around a picture, in a pattern. @param {Look} look @param {Padding} padding */
  function haze({ pixels, height, width }, [top, bottom, left, right]) {
    for (let y = 0; y < height; y++) {
      const inside = y >= top && y < height - bottom;
      for (let x = 0; x < width; x++) {
        if (inside && x === left) x = width - right;
        if (x >= width) break;
        const at = 4 * (y * width + x);
        for (let part = at; part < at + 3; part++) pixels[part] = Cells.hazy(pixels[part]);
      }
    }
  }

  /** The scale of the channels, where they share one. @param {Now} now */
  function scaleBar(now) {
    const bars = now.state.channelScale === "own" ? [] : rows.slice(0, 1).map(({ index, channel }) => {
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
    for (const old of figure.querySelectorAll("canvas, .scale")) old.remove();
    const tone = Looks.toneOf(now, values, output);
    const pane = Panes.add(figure, {
      kind: "output", channel: map, key: values, paint: () => Looks.look(now.state, values, output.height, output.width, tone), values,
      label: `feature map ${map}, ${output.height} by ${output.width}; arrow keys move`, most: plan.map,
    });
    const { low, high } = pane.look;
    figure.querySelector("figcaption").textContent = `map ${map}, ${output.height}x${output.width}: ${short(low, 3)} to ${short(high, 3)}`;
    pane.canvas.after(Looks.bar(now.state.colormap, tone));
    Object.assign(pane.canvas, { id: "mapCanvas", tabIndex: 0 });
    pane.canvas.setAttribute("role", "application");
    $("mapName").textContent = step && step.kind !== "Conv2d" ? `what ${step.name} makes` : "feature map";
    if (weights?.bias && !biasField) {
      biasField = /** @type {HTMLInputElement} */ (element("input", { id: "biasValue", inputMode: "decimal", ariaLabel: "bias" }));
      typing(biasField, () => `b${/** @type {Shown} */ (store.now().shown).map}`);
    }
    if (weights?.bias && biasField) {
      write(biasField, weights.bias[map], 7);
      markTyped(biasField, now, `b${map}`);
    }
    $("bars").replaceChildren(...(output.height === 1 && step ? [Inspector.bars(/** @type {Shown} */ (now.shown), data)] : []));
  }

  /** The channels without a row: their kernels, small, and bars for their partial sums. @param {Now} now @param {number[]} waiting */
  function buildTiles(now, waiting) {
    const { conv, weights, inputs, map } = /** @type {Shown} */ (now.shown);
    tiles = new Map();
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

  /** One button per map. @param {Now} now */
  function thumbnails(now) {
    if (thumbed === now.shown) return;
    thumbed = now.shown;
    const { small, output, map } = /** @type {Shown} */ (now.shown);
    const count = output.channels.length;
    const choice = $("map");
    if (choice.length !== count)
      choice.replaceChildren(...Array.from({ length: count }, (_, at) => new Option(String(at), String(at))));
    choice.value = String(map);
    choice.hidden = count === 1;
    $("thumbs").hidden = count === 1;
    $("mapsHead").textContent = count === 1 ? "The map" : `All ${count} maps`;
    $("thumbs").replaceChildren(...(count === 1 ? [] : small.map((one, at) => {
      const button = element("button", { type: "button", ariaLabel: `map ${at}` }, Looks.thumbnail(now, one, output), String(at));
      button.setAttribute("aria-pressed", String(at === map));
      button.dataset.key = `map${at}`;
      button.addEventListener("click", () => store.change({ map: at }));
      return button;
    })));
  }

  // --- marking

  /** Show the output that the user looks at, and what is linked with it. @param {Now} now */
  function mark(now) {
    const shown = /** @type {Shown} */ (now.shown);
    const place = Inspector.focus(now);
    const seen = Inspector.reading(shown, place);
    const what = now.pointed || now.pinned;
    const linked = what?.kind === "weight" && shown.conv ? what.place : null;
    const marks = marksOf(now, place, seen);
    Panes.drawAll((pane) => marks.filter(({ kind, channel }) => kind === pane.kind && (channel === undefined || channel === pane.channel)));
    let peak = 0;
    if (seen.sum) for (const { channel, cells } of seen.sum.channels)
      if (rows.some((row) => row.channel === channel)) for (const { product } of cells) peak = Math.max(peak, Math.abs(product));
    for (const one of parts) markRow(now, one, seen, peak, linked && linked[0] === one.at ? linked : null);
    $("told").textContent = Inspector.text(now, seen, rows);
    sums(now, seen, place);
    connect(now, seen, place);
  }

  /** @param {Now} now @param {Parts} one @param {Reading} seen @param {number} peak @param {number[]|null} linked */
  function markRow(now, one, seen, peak, linked) {
    const shown = /** @type {Shown} */ (now.shown);
    lens(now, one, seen, linked);
    if (shown.step && !shown.conv && one === parts[0]) {
      const [y, x] = Inspector.focus(now);
      const value = shown.output.channels[shown.map][y * shown.output.width + x];
      /** @type {any} */ (one.lens.nextElementSibling).textContent =
        `${Layers.reason(shown.step, shown.inputs, { map: shown.map, y, x })} = ${short(value)}`;
    }
    const found = seen.sum?.channels.find(({ channel }) => channel === one.row.channel);
    if (!found || !shown.conv) return;
    if (one.sum) one.sum.textContent = short(found.sum);
    if (plan.pictures) return largeProducts(shown, one, found.cells, peak, linked);
    const { chars } = Cells.fontOf(plan.kernel.width, plan.kernel.height);
    found.cells.forEach(({ y, x, product }, at) => {
      const lit = linked !== null && linked[1] === y && linked[2] === x;
      const cell = one.cells[at];
      const shade = Paint.colour(product, peak);
      cell.textContent = Words.fit(product, chars);
      cell.title = short(product, 7);
      cell.style.background = `rgb(${shade.join()})`;
      cell.style.color = Cells.inkOn(shade);
      cell.classList.toggle("lit", lit);
      one.fields[at].parentElement?.classList.toggle("lit", lit);
    });
  }

  /** @param {Shown} shown @param {Parts} one @param {Cell[]} cells @param {number} peak @param {number[]|null} linked */
  function largeProducts({ conv }, one, cells, peak, linked) {
    const [kh, kw] = /** @type {Layer} */ (conv).kernel;
    const lit = linked && { top: linked[1], left: linked[2], height: 1, width: 1 };
    const { width, height } = plan.kernel;
    const values = [cells.map(({ weight }) => weight), cells.map(({ product }) => product)].map((some) => Float32Array.from(some));
    const most = values[0].reduce((found, value) => Math.max(found, Math.abs(value)), 0);
    [one.kernel, one.products].forEach((box, at) => {
      const look = Paint.signed(values[at], kh, kw, at ? peak : most);
      Cells.draw(/** @type {HTMLCanvasElement} */ (box.querySelector("canvas")), { look, values: values[at], width, height, lit, plain: true });
    });
    const best = cells.reduce((found, cell) => (Math.abs(cell.product) > Math.abs(found.product) ? cell : found));
    const [y, x] = linked ? linked.slice(1) : [best.y, best.x];
    const [field] = one.fields;
    if (field !== document.activeElement) {
      field.dataset.place = [one.at, y, x].join(",");
      write(field, cells[y * kw + x].weight, 9);
      /** @type {any} */ (field.previousElementSibling).textContent = `${y},${x}`;
    }
    /** @type {any} */ (one.products.querySelector(".named")).replaceChildren(
      ...Inspector.largest(cells).map((text) => part("", { textContent: text })));
  }

  /** The neighbourhood of the window, as numbers. @param {Now} now @param {Parts} one @param {Reading} seen @param {number[]|null} linked */
  function lens(now, one, { window: box, channel }, linked) {
    const { conv, inputs } = /** @type {Shown} */ (now.shown);
    one.lens.hidden = !box || (channel !== undefined && channel !== one.row.channel);
    if (!box) return;
    const { height, width, channels } = inputs[one.row.index];
    const { top, left } = lensAt(now, box, one.row.index);
    const { rows: tall, columns: wide } = plan.lens;
    const values = new Float32Array(tall * wide);
    /** @type {boolean[]} */
    const faint = [];
    const mode = conv ? conv.mode : "zeros";
    const across = Array.from({ length: wide }, (_, x) => Convolve.source(left + x, width, mode));
    for (let y = 0; y < tall; y++) {
      const row = Convolve.source(top + y, height, mode);
      for (let x = 0; x < wide; x++) {
        values[y * wide + x] = row < 0 || across[x] < 0 ? 0 : channels[one.row.channel][row * width + across[x]];
        faint.push(top + y < 0 || left + x < 0 || top + y >= height || left + x >= width);
      }
    }
    const frames = [{ ...box, top: box.top - top, left: box.left - left }];
    if (conv && Math.max(...conv.dilation) > 1)
      for (let y = 0; y < conv.kernel[0]; y++)
        for (let x = 0; x < conv.kernel[1]; x++)
          frames.push({ top: frames[0].top + y * conv.dilation[0], left: frames[0].left + x * conv.dilation[1], height: 1, width: 1 });
    const lit = linked && conv
      ? { top: frames[0].top + linked[1] * conv.dilation[0], left: frames[0].left + linked[2] * conv.dilation[1], height: 1, width: 1 }
      : null;
    Cells.draw(one.lens, {
      look: Looks.ofChannel(now, one.row.index, one.row.channel).paint(values, tall, wide), values, faint, frames, lit,
      width: plan.lens.width, height: plan.lens.height, labels: { top, left }, labelColour,
      edge: faint.some(Boolean) ? { top: -top, left: -left, height, width } : null,
    });
    one.lens.setAttribute("aria-label", `window of the ${Inspector.nameOf(now, one.row.index, one.row.channel)} channel: ` +
      `rows ${box.top} to ${box.top + box.height - 1}, columns ${box.left} to ${box.left + box.width - 1}`);
  }

  /** The sum and the bars of the other channels. @param {Now} now @param {Reading} seen @param {number[]} place */
  function sums(now, { sum }, place) {
    const box = $("ledger");
    const { output, map } = /** @type {Shown} */ (now.shown);
    if (!sum) {
      const value = output.channels[map][place[0] * output.width + place[1]];
      return box.replaceChildren(...Inspector.ledger(now, [], value, null));
    }
    const terms = Inspector.terms(now, sum, rows);
    const names = terms.map(({ name }) => name).join();
    if (box.dataset.names !== names || !box.contains(biasField)) {
      box.dataset.names = names;
      box.replaceChildren(...Inspector.ledger(now, terms, sum.total, biasField));
    } else Inspector.relabel(now, box, terms, sum.total);
    const most = Math.max(...sum.channels.map((one) => Math.abs(one.sum))) || 1;
    for (const { channel, sum: value } of sum.channels) {
      const tile = tiles.get(channel);
      if (!tile) continue;
      tile.bar.style.width = `${(100 * Math.abs(value)) / most}%`;
      tile.bar.className = value < 0 ? "negative" : "positive";
      tile.button.title = `${Inspector.nameOf(now, 0, channel)}: ${short(value, 3)}`;
    }
  }

  /** @param {Now} now @param {number[]} place @param {Reading} seen @returns {(Mark & {kind: string, channel?: number})[]} */
  function marksOf(now, place, { window: box, channel }) {
    const { conv, inputs, output } = /** @type {Shown} */ (now.shown);
    const { height, width } = inputs[0];
    const at = (/** @type {number[]} */ [y, x]) => ({ rows: [y, y], columns: [x, x] });
    /** @type {(Mark & {kind: string, channel?: number})[]} */
    const found = [{ kind: "output", ...at(place), colour: WINDOW, width: 2 }];
    if (box) {
      if (conv && Math.max(...conv.dilation) > 1 && parts[0]?.picture.scale >= LEAST_CELL)
        for (let y = 0; y < conv.kernel[0]; y++)
          for (let x = 0; x < conv.kernel[1]; x++)
            found.push({ kind: "input", ...at([box.top + y * conv.dilation[0], box.left + x * conv.dilation[1]]), colour: WINDOW, width: 0.7 });
      found.push({
        kind: "input", channel, rows: [box.top, box.top + box.height - 1], columns: [box.left, box.left + box.width - 1], colour: WINDOW, width: 2,
      });
    }
    const what = now.pointed || now.pinned;
    if (what?.kind === "input") {
      const fed = conv ? Convolve.fed(conv, height, width, what.place[0], what.place[1]) : [];
      found.push({ kind: "input", ...at(what.place), colour: Cells.LIT, width: 3 });
      for (const { y, x } of fed) found.push({ kind: "output", ...at([y, x]), colour: FED, width: 2 });
    }
    if (what?.kind === "weight" && conv) {
      const [, ky, kx] = what.place;
      const first = Inspector.channelsOf(/** @type {Shown} */ (now.shown))[0].channel;
      const [top, left] = [ky * conv.dilation[0] - conv.padding[0], kx * conv.dilation[1] - conv.padding[2]];
      const read = [Math.max(0, top), Math.min(height - 1, top + (output.height - 1) * conv.stride[0])];
      const across = [Math.max(0, left), Math.min(width - 1, left + (output.width - 1) * conv.stride[1])];
      found.push({ kind: "input", channel: first + what.place[0], rows: read, columns: across, colour: FED, width: 3 });
    }
    return found;
  }

  // --- lines

  /** @param {Now} now @param {Reading} seen @param {number[]} place */
  function connect(now, { window: box, channel }, place) {
    const svg = $("lines");
    if (plan.stacked) return svg.replaceChildren();
    const stage = $("stage");
    places = places || {
      rows: parts.map(({ picture, lens: canvas, sum, partial }) => ({
        picture: Lines.rectOf(picture.canvas, stage),
        lens: Lines.rectOf(canvas, stage),
        partial: sum && partial ? Lines.rectOf(partial.canvas, stage) : null,
      })),
      map: Lines.rectOf(Panes.map().canvas, stage),
      sum: Lines.rectOf($("sigma"), stage),
      reason: null,
    };
    // The reason of another value has another length.
    const reason = stage.querySelector(".reason");
    if (reason) places.reason = Lines.rectOf(reason, stage);
    /** @param {Pane} pane @param {Rect} rect @param {Mark} mark @returns {Rect} */
    const on = (pane, rect, mark) => {
      const found = Panes.boxOf(pane, mark);
      const inside = (/** @type {number} */ value, /** @type {number} */ most) => Math.max(0, Math.min(value, most));
      const [x, y] = [inside(found.x, rect.width), inside(found.y, rect.height)];
      return { x: rect.x + x + 2, y: rect.y + y + 2, width: inside(found.width, rect.width - x), height: inside(found.height, rect.height - y) };
    };
    const plain = { colour: "", width: 0 };
    const cell = on(Panes.map(), places.map, { rows: [place[0], place[0]], columns: [place[1], place[1]], ...plain });
    const drawn = [];
    for (const [at, one] of parts.entries()) {
      const { picture, lens: where, partial } = places.rows[at];
      if (box && !one.lens.hidden && (channel === undefined || channel === one.row.channel)) {
        const [top, left] = [box.top, box.left];
        const from = on(one.picture, picture, { rows: [top, top + box.height - 1], columns: [left, left + box.width - 1], ...plain });
        const { left: gutter, top: above } = Plan.GUTTER;
        drawn.push(Lines.zoom(from, { x: where.x + gutter / 5, y: where.y + above, width: 0, height: where.height - above }));
      }
      if (partial) drawn.push(Lines.flow(partial, places.sum));
      else if (box && !one.lens.hidden && at === 0) drawn.push(Lines.flow(places.reason || where, cell));
    }
    if (places.sum.width) drawn.push(Lines.flow(places.sum, cell));
    svg.replaceChildren(...drawn);
  }

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
    const [y, x] = settled(store.now());
    if (Panes.zoomed()) Panes.centre((y + 0.5) / output.height, (x + 0.5) / output.width);
    mark(store.now());
  }

  /** @param {Data} given @param {Stored} asked */
  function start(given, asked) {
    [data, store] = [given, asked];
    $("map").addEventListener("change", () => store.change({ map: Number($("map").value) }));
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
      places = null;
      const now = store.now();
      if (!now.shown) return;
      build(now);
      mark(now);
    };
    new ResizeObserver(() => {
      if (plan && roomOf(store.now(), 1).width !== wide) again();
      wide = $("stage").clientWidth;
    }).observe($("stage"));
    window.addEventListener("resize", again);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    store.subscribe((now, before) => {
      if (!now.shown || building) return;
      // The rows stay while the pointer moves; another pinned output may need other ones.
      const other = (now.pinned !== before.pinned || now.brought !== before.brought) && String(Inspector.rowsOf(now).map(({ channel }) => channel)) !== String(rows.map(({ channel }) => channel));
      if (now.shown !== before.shown || other) build(now);
      Panes.map().cover = now.filled === null ? null : now.filled + 1;
      if (now.shown !== before.shown || other || now.pinned !== before.pinned || now.pointed !== before.pointed || now.filled !== before.filled) mark(now);
    });
  }
  let wide = 0;

  return { start, go, zoom, settled };
})();
