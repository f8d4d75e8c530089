"use strict";
/**
 * The page: it takes what is chosen, asks for what follows, and shows it.
 *
 * `conv` and `bank` are there where the layer is a Conv2d; `layer` where it is one of a net.
 *
 * @typedef {{layer: Placed|null, conv: Layer|null, bank: Bank|null, inputs: Picture[], output: Picture, map: number,
 *   parts: Float32Array[], small: Small[]}} Shown
 */
(() => {
  const MARK = "#d55e00";
  const OTHER = "#0f857c";
  const MOST_PLANES = 16;
  const MOST_CELLS = 25;
  const MOST_BARS = 20;
  // Maps of so many values along a side are drawn as numbers on a sheet, so nothing of them is cut.
  const MOST_AS_NUMBERS = 26;
  const STEP_MILLISECONDS = 400;

  /** @type {(id: string) => any} */
  const $ = (id) => document.getElementById(id);
  /** @type {Data} */
  const data = JSON.parse($("data").textContent);

  /** @type {Picture} */
  let picture;
  let names = data.channels;
  let [low, high] = [data.low, data.high];
  /** @type {Source} */
  const own = { path: data.path, words: data.reading };
  let source = own;
  /** @type {Placed[]} */
  let given = []; // the layers as they came
  /** @type {State} */
  let state = data.state;
  /** @type {Place|null} */
  let pinned = null;
  /** @type {Place|null} */
  let pointed = null;
  /** @type {Shown|null} */
  let shown = null;
  /** @type {{picture: Picture, edits: string, layers: Placed[], answer: NetAnswer}|null} */
  let net = null;
  let timer = 0;

  const { short } = Words;

  /** @param {string} name @param {Record<string, any>} [properties] @param {(Node|string)[]} children @returns {any} */
  function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  /** @param {string} text */
  const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);

  /** Red, green and blue of each level, by the names of the scales. @type {Record<string, Uint8Array>} */
  const tables = Object.fromEntries(Object.entries(data.tables).map(([name, text]) =>
    [name, Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]));

  // --- choosing

  function fill() {
    for (const id of Settings.NUMBERS) $(id).value = state[id];
    for (const id of Settings.CHOICES) $(id).value = state[id];
    for (const id of Settings.SWITCHES) $(id).checked = state[id];
  }

  /** Take the form. @param {string} changed */
  function take(changed) {
    /** @type {any} */
    const wanted = { ...state };
    for (const id of Settings.NUMBERS) wanted[id] = $(id).value === "" ? NaN : Number($(id).value);
    for (const id of Settings.CHOICES) wanted[id] = $(id).value;
    for (const id of Settings.SWITCHES) wanted[id] = $(id).checked;
    attempt(Settings.follow(state, wanted, changed, data, picture), $(changed));
  }

  const why = $("why");
  const home = why.parentElement;

  /**
   * Say what is wrong, at the field where it was asked for, or take that back.
   *
   * @param {string} text @param {HTMLElement|null} [field]
   */
  function tell(text, field) {
    for (const one of document.querySelectorAll("[aria-invalid]"))
      for (const name of ["aria-invalid", "aria-describedby"]) one.removeAttribute(name);
    // Nothing is seen in settings that are folded.
    const place = text && field && !field.closest("details:not([open])") && field.closest("fieldset label, figure, h2");
    if (place && field) {
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", "why");
      place.after(why);
    } else home.append(why);
    why.textContent = text;
  }

  /**
   * Go on with a state if it is legal, else say why not, at the field that asked for it.
   *
   * @param {State} wanted @param {HTMLElement|null} [field]
   */
  function attempt(wanted, field = null) {
    const wrong = Settings.reason(wanted, data, picture);
    tell(wrong && `Not taken: ${wrong}`, field);
    if (wrong) return false;
    state = wanted;
    fill();
    compute(field);
    return true;
  }

  /** A weight was typed. @param {HTMLInputElement} box @param {string} index */
  function edit(box, index) {
    const value = Math.fround(Number(box.value.replace(",", ".")));
    if (box.value.trim() === "" || !Number.isFinite(value)) {
      tell(`Not taken: a weight is a number, not '${box.value}'.`, box);
      box.value = box.dataset.seen || "";
      return;
    }
    // As it was seen: short, and so perhaps not quite what it is.
    if (box.value === box.dataset.seen) return;
    attempt({ ...state, edits: { ...state.edits, [`${state.at}:${index}`]: value } }, box);
  }

  // --- computing

  let running = false;
  let again = false;
  /** @type {Promise<void>} */
  let settled = Promise.resolve();

  /** @type {HTMLElement|null} */
  let asking = null; // the field that asked last
  /** @type {{found: Shown, state: State, before: {picture: Picture, names: string[], low: number, high: number, source: Source}}|null} */
  let good = null; // what was shown last

  /**
   * Compute what is chosen; what was chosen meanwhile is computed after it, the last alone. What cannot be computed or
   * shown is told, and the page goes on with what it showed before.
   *
   * @param {HTMLElement|null} field
   */
  function compute(field) {
    again = true;
    asking = field;
    if (running) return;
    running = true;
    settled = (async () => {
      while (again) {
        again = false;
        try {
          const found = data.single ? await layerAlone() : await layerOfNet();
          if (again) continue;
          show(found);
          good = { found, state, before: { picture, names, low, high, source } };
        } catch (error) {
          if (!again) fail(error);
        }
      }
      running = false;
    })();
  }

  /** @param {unknown} error */
  function fail(error) {
    const words = error instanceof RangeError ? "this browser does not have the memory for these maps; make them smaller." : `${error}.`;
    if (good) {
      state = good.state;
      ({ picture, names, low, high, source } = good.before);
      show(good.found);
    } else $("sentence").textContent = "";
    tell(`Not computed: ${words}`, asking);
  }

  /** @returns {Promise<Shown>} */
  async function layerAlone() {
    const own = { weight: given[0].numbers.weight, bias: given[0].numbers.bias || null };
    const conv = Settings.layerOf(state);
    const bank = Settings.bankOf(state, data, own, picture.planes.length);
    return convolved(null, conv, bank, picture, state.map);
  }

  /** @param {Placed|null} layer @param {Layer} conv @param {Bank} bank @param {Picture} input @param {number} map */
  async function convolved(layer, conv, bank, input, map) {
    const { filters, small } = await Work.filters(input, conv, bank, map);
    const output = { height: filters.height, width: filters.width, planes: filters.maps };
    return { layer, conv, bank, inputs: [input], output, map, parts: filters.parts, small };
  }

  /** @returns {Promise<Shown>} */
  async function layerOfNet() {
    const edits = JSON.stringify(state.edits);
    if (!net || net.picture !== picture || net.edits !== edits) {
      const layers = given.map((layer, at) => {
        const numbers = Object.fromEntries(Object.entries(layer.numbers).map(([name, values]) => [name, values.slice()]));
        if (layer.kind === "Conv2d") Settings.typed(state, at, { weight: numbers.weight, bias: numbers.bias || null });
        return { ...layer, numbers };
      });
      const answer = await Work.net(picture, layers);
      // A worker gives a copy back.
      answer.outputs.set("input", picture);
      net = { picture, edits, layers, answer };
    }
    const { outputs, small } = net.answer;
    const layer = net.layers[Math.min(state.at, net.layers.length - 1)];
    const inputs = layer.inputs.map((name) => /** @type {Picture} */ (outputs.get(name)));
    const output = /** @type {Picture} */ (outputs.get(layer.name));
    const map = Math.min(state.map, output.planes.length - 1);
    if (layer.kind === "Conv2d") {
      const bank = { weight: layer.numbers.weight, bias: layer.numbers.bias || null };
      return convolved(layer, layer.options, bank, inputs[0], map);
    }
    const { height, width, planes } = output;
    const thumbs = planes.map((values, at) => small.get(layer.name)?.[at] || Paint.small(values, height, width, 96));
    return { layer, conv: null, bank: null, inputs, output, map, parts: [], small: thumbs };
  }

  // --- showing

  /** @param {Shown} found */
  function show(found) {
    shown = found;
    $("original").hidden = picture === first;
    if (pinned && !isInside(pinned)) pinned = null;
    words(found);
    build(found);
    redraw();
    explain();
    remember();
  }

  function remember() {
    history.replaceState(null, "", Settings.address(state, pinned, data.state));
  }

  /** @param {Place} place */
  function isInside({ kind, place }) {
    const { inputs, output, conv } = /** @type {Shown} */ (shown);
    if (kind === "output") return place[0] < output.height && place[1] < output.width;
    if (kind === "input") return place[0] < inputs[0].height && place[1] < inputs[0].width;
    return conv !== null && place[0] < inputs[0].planes.length / conv.groups && place[1] < conv.kernel[0] && place[2] < conv.kernel[1];
  }

  /** @param {Picture} of */
  const shapeOf = ({ planes, height, width }) => [planes.length, height, width];

  /** @param {Shown} found */
  function words({ layer, conv, bank, inputs, output }) {
    if (layer) {
      const shapes = layer.inputs.map((name) => given.find((one) => one.name === name)?.shape || data.shape);
      $("sentence").textContent = `${layer.name}: ${shapes.map((shape) => shape.join("x")).join(" and ")} -> ${layer.shape.join("x")}`;
      $("command").textContent = Words.netCommand(state, data, source);
      $("code").textContent = Words.netCode(given, data, source);
    } else if (conv && bank) {
      $("sentence").textContent = Words.sentence(conv, shapeOf(inputs[0]), shapeOf(output));
      $("command").textContent = Words.command(state, data, bank, source);
      $("code").textContent = Words.code(state, bank, inputs[0]);
    }
    $("shapeSection").hidden = !conv;
    if (conv) $("shape").textContent = Words.shape(conv, inputs[0].height, inputs[0].width);
    const typed = Object.keys(state.edits).length;
    $("saveKernels").hidden = !(data.single && /kernels\.json/.test($("command").textContent + $("code").textContent));
    if (!why.textContent && typed && layer) why.textContent = `${Words.many(typed, "weight")} typed: the command has those of the file.`;
  }

  /** What the planes of an input are called. @param {Placed|null} layer @param {number} index @param {number} plane */
  function nameOf(layer, index, plane) {
    if (!layer || layer.inputs[index] === "input") return names[plane] || String(plane);
    return shown?.inputs[index].planes.length === 1 ? layer.inputs[index] : `${layer.inputs[index]} ${plane}`;
  }

  /**
   * Say below a canvas what it shows, with its least and its greatest value; of a map a bar shows the ends of the scale.
   *
   * @param {Pane} pane @param {string} what @param {Tone} [tone]
   */
  function caption({ canvas, look: { low: least, high: most } }, what, tone) {
    const figure = /** @type {HTMLElement} */ (canvas.parentElement);
    /** @type {any} */ (figure.querySelector("figcaption")).textContent = `${what}: ${short(least, 3)} to ${short(most, 3)}`;
    figure.querySelector(".scale")?.remove();
    if (tone) canvas.after(bar(tone));
  }

  /** The colours of a scale between its ends, with a line at 0. @param {Tone} tone */
  function bar({ low: least, high: most, signed }) {
    const table = tables[state.colormap];
    const stops = Array.from({ length: 17 }, (_, at) => {
      const level = Math.max(signed ? 1 : 0, Math.round((255 * at) / 16));
      return `rgb(${table.subarray(3 * level, 3 * level + 3).join()})`;
    });
    const colours = element("div", { className: "colours" });
    colours.style.background = `linear-gradient(to right, ${stops.join()})`;
    if (least < 0 && most > 0) {
      const zero = element("div", { className: "zero" });
      zero.style.left = `${(-100 * least) / (most - least)}%`;
      colours.append(zero);
    }
    const label = `scale from ${short(least, 3)} to ${short(most, 3)}`;
    const made = element("div", { className: "scale", title: label }, element("span", {}, short(least, 3)), colours, element("span", {}, short(most, 3)));
    made.setAttribute("role", "img");
    made.setAttribute("aria-label", label);
    return made;
  }

  // --- painting maps

  /** The scale that maps share, by the maps. @type {WeakMap<object, Tone>} */
  let tones = new WeakMap();
  let painted = "";

  /** Begin anew where maps are painted in another way than before. */
  function repaint() {
    const looks = [state.colormap, state.limits, state.scale].join();
    if (looks !== painted) {
      tones = new WeakMap();
      Panes.forget();
    }
    painted = looks;
  }

  /** The scale of one map of a layer, or that which it shares. @param {Float32Array} values @param {Picture} of @returns {Tone} */
  function toneOf(values, of) {
    const every = state.scale === "global" && net ? [...net.answer.outputs].filter(([name]) => name !== "input").map(([, one]) => one) : [of];
    const key = state.scale === "map" ? values : every[0].planes;
    const known = tones.get(key);
    if (known) return known;
    const arrays = state.scale === "map" ? [values] : every.flatMap(({ planes }) => planes);
    const found = Paint.tone(arrays, state, every.every(({ height, width }) => Math.max(height, width) <= MOST_AS_NUMBERS));
    tones.set(key, found);
    return found;
  }

  /** A small map, with a scale of its own where maps do not share one. @param {Small} one @param {Picture} of */
  const thumbnail = ({ values, height, width }, of) =>
    Panes.canvasOf(Paint.toned(values, height, width, toneOf(values, of), tables[state.colormap]));

  /** Which planes of the inputs matter for a map. @param {Shown} found @returns {{index: number, plane: number}[]} */
  function planesOf({ layer, conv, inputs, map }) {
    const every = inputs[0].planes.map((_, plane) => ({ index: 0, plane }));
    if (conv || !layer || ["ConvTranspose2d", "Flatten", "Linear", "Softmax"].includes(layer.kind)) return every;
    if (layer.kind === "Concat") {
      const all = inputs.flatMap(({ planes }, index) => planes.map((_, plane) => ({ index, plane })));
      return [all[map]];
    }
    return inputs.map((_, index) => ({ index, plane: map }));
  }

  let built = "";

  /** @param {Shown} found */
  function build(found) {
    const { layer, conv, inputs, output, map } = found;
    repaint();
    const focused = document.activeElement;
    const key = focused instanceof HTMLElement ? focused.dataset.key || focused.id : "";
    Panes.clear();
    const all = planesOf(found);
    const planes = all.slice(0, MOST_PLANES);
    const vector = inputs[0].planes.length === 1 && inputs[0].height === 1 && !!layer;
    const colour = inputs[0] === picture && picture.planes.length >= 3;
    // Columns are kept while they have the same form, for somebody may be typing in one.
    const form = JSON.stringify([planes, conv && conv.kernel, conv && conv.groups, map, state.at, vector, colour, names]);
    const columns = $("columns");
    if (form !== built && columns.contains(why)) home.append(why);
    if (form !== built) columns.replaceChildren(...(colour ? [column("colour")] : []), ...planes.map(({ plane }) => column(String(plane))));
    columns.style.gridTemplateColumns = vector ? "minmax(0, 1fr)" : "";
    $("planesHead").textContent = conv
      ? `Channels, the kernels of filter ${map}, and what each channel adds`
      : `What ${layer?.name} reads`;
    $("more").textContent = all.length > planes.length ? `${planes.length} of ${all.length} channels are shown` : "";
    if (colour) {
      const { height, width } = picture;
      const figure = figureOf(columns.children[0], "plane");
      /** @type {any} */ (figure.querySelector("figcaption")).textContent = `input ${height}x${width}`;
      Panes.add(figure, "input", -1, picture, () => Paint.colours(picture, low, high), null, `input, ${height} by ${width} pixels`, 340);
    }
    planes.forEach(({ index, plane }, at) => {
      const box = columns.children[at + (colour ? 1 : 0)];
      const { height, width, planes: values } = inputs[index];
      const name = nameOf(layer, index, plane);
      const figure = figureOf(box, "plane");
      const tone = inputs[index] === picture ? undefined : toneOf(values[plane], inputs[index]);
      const paint = () => tone
        ? Paint.toned(values[plane], height, width, tone, tables[state.colormap])
        : Paint.grey(values[plane], height, width, low, high);
      caption(Panes.add(figure, "input", plane, values[plane], paint, values[plane], `${name} channel`, vector ? 900 : 340), `${name} channel`, tone);
      if (conv) addends(found, box, plane, name, form !== built);
    });
    built = form;
    const values = output.planes[map];
    const figure = $("output");
    const label = `feature map ${map}, ${output.height} by ${output.width}; arrow keys move`;
    figure.querySelector("canvas")?.remove();
    const tone = toneOf(values, output);
    const paint = () => Paint.toned(values, output.height, output.width, tone, tables[state.colormap]);
    const pane = Panes.add(figure, "output", map, values, paint, values, label, 480);
    caption(pane, `map ${map}`, tone);
    Object.assign(pane.canvas, { id: "mapCanvas", tabIndex: 0 });
    pane.canvas.setAttribute("role", "application");
    pane.canvas.addEventListener("keydown", keys);
    thumbnails(found);
    strips();
    if (key && document.activeElement !== focused)
      (document.getElementById(key) || /** @type {any} */ (document.querySelector(`[data-key="${CSS.escape(key)}"]`)))?.focus();
  }

  /** @param {string} name @returns {HTMLElement} */
  const column = (name) => element("div", { className: "column", ariaLabel: name });

  /** The figure of a column, without its old canvas. @param {Element} box @param {string} className @returns {HTMLElement} */
  function figureOf(box, className) {
    const found = /** @type {HTMLElement|null} */ (box.querySelector(`.${className}`));
    const figure = found || element("figure", { className }, element("figcaption"));
    if (!found) box.append(figure);
    figure.querySelector("canvas")?.remove();
    return figure;
  }

  /**
   * The kernel of a plane, and what it makes of it.
   *
   * @param {Shown} found @param {Element} box @param {number} plane @param {string} name @param {boolean} fresh
   */
  function addends({ conv, bank, inputs, output, map, parts }, box, plane, name, fresh) {
    if (!conv || !bank) return;
    const inGroup = inputs[0].planes.length / conv.groups;
    const first = Math.floor(map / (conv.outChannels / conv.groups)) * inGroup;
    const at = plane - first;
    if (at < 0 || at >= inGroup) {
      if (fresh) box.append(element("p", { className: "other" }, `Filters of another group read the ${name} channel.`));
      return;
    }
    kernel(conv, bank, box, map, at, inGroup, name, fresh);
    const part = figureOf(box, "part");
    const tone = toneOf(parts[at], output);
    const paint = () => Paint.toned(parts[at], output.height, output.width, tone, tables[state.colormap]);
    caption(Panes.add(part, "output", plane, parts[at], paint, parts[at], `what the ${name} channel adds to map ${map}`, 340), `= ${name} partial map`, tone);
  }

  /**
   * A table of weights, to see and to change.
   *
   * @param {Layer} conv @param {Bank} bank @param {Element} box @param {number} map @param {number} at
   * @param {number} inGroup @param {string} name @param {boolean} fresh
   */
  function kernel(conv, bank, box, map, at, inGroup, name, fresh) {
    const [kh, kw] = conv.kernel;
    const start = (map * inGroup + at) * kh * kw;
    const figure = figureOf(box, "kernel");
    /** @type {any} */ (figure.querySelector("figcaption")).textContent = `⋆ kernel for ${name}`;
    figure.classList.toggle("large", kw > 3);
    if (fresh) {
      const table = element("table");
      for (let y = 0; y < kh; y++) {
        const row = table.insertRow();
        for (let x = 0; x < kw; x++) {
          const field = element("input", { inputMode: "decimal", ariaLabel: `weight of the ${name} channel, row ${y}, column ${x}` });
          field.dataset.key = field.dataset.place = [at, y, x].join(",");
          // A kernel that was turned is typed as it is seen.
          const index = start + (state.flip ? kh * kw - 1 - (y * kw + x) : y * kw + x);
          field.addEventListener("change", () => edit(field, String(index)));
          for (const event of ["pointerenter", "focus"]) field.addEventListener(event, () => point({ kind: "weight", place: [at, y, x] }));
          for (const event of ["pointerleave", "blur"]) field.addEventListener(event, () => point(null));
          row.insertCell().append(field);
        }
      }
      figure.prepend(table);
    }
    const fields = figure.querySelectorAll("input");
    // The kernels of a filter share a scale, as on a sheet.
    let peak = 0;
    for (const value of bank.weight.subarray(start, start + fields.length)) peak = Math.max(peak, Math.abs(value));
    fields.forEach((field, index) => {
      const value = bank.weight[start + index];
      field.dataset.value = String(value);
      const text = short(value, kw > 3 || Math.abs(value) < 0.01 ? 2 : 3);
      // Somebody may be typing in it.
      if (field !== document.activeElement || field.value === field.dataset.seen) field.value = text;
      field.dataset.seen = text;
      const shade = Paint.colour(value, peak);
      field.style.background = `rgb(${shade.join()})`;
      field.style.color = Paint.ink(shade);
    });
  }

  /** One button per map. @param {Shown} found */
  function thumbnails({ small, output, map, bank, layer }) {
    const count = output.planes.length;
    const choice = $("map");
    if (choice.length !== count)
      choice.replaceChildren(...Array.from({ length: count }, (_, at) => new Option(String(at), String(at))));
    choice.value = String(map);
    choice.hidden = count === 1;
    $("thumbs").hidden = count === 1;
    $("thumbs").replaceChildren(...(count === 1 ? [] : small.map((one, at) => {
      const button = element("button", { type: "button", ariaLabel: `map ${at}` }, thumbnail(one, output), String(at));
      button.setAttribute("aria-pressed", String(at === map));
      button.dataset.key = `map${at}`;
      button.addEventListener("click", () => attempt({ ...state, map: at }));
      return button;
    })));
    const head = $("mapHead");
    head.querySelector("label")?.remove();
    if (bank && bank.bias) {
      const value = bank.bias[map];
      const field = element("input", { id: "biasValue", inputMode: "decimal", size: 7, value: short(value) });
      field.dataset.seen = field.value;
      field.addEventListener("change", () => edit(field, `b${map}`));
      head.append(element("label", { className: "switch" }, "+ bias", field));
    }
    head.firstChild.textContent = `${layer && layer.kind !== "Conv2d" ? `What ${layer.name} makes` : "Feature map"} `;
  }

  /** One row per layer of a net. */
  function strips() {
    if (!net) return;
    const { layers, answer: { small, outputs } } = net;
    $("layers").replaceChildren(...layers.map((layer, at) => {
      const name = element("span", { className: "name" }, layer.name, element("span", {}, `${layer.kind} -> ${layer.shape.join("x")}`));
      const strip = element("span", { className: "strip" }, ...(small.get(layer.name) || []).map((one) =>
        thumbnail(one, /** @type {Picture} */ (outputs.get(layer.name)))));
      if (layer.shape.length === 1) strip.classList.add("vector");
      const best = at === layers.length - 1 ? prediction() : "";
      if (best) name.append(element("strong", {}, best));
      const button = element("button", { type: "button" }, name, strip);
      button.setAttribute("aria-pressed", String(at === state.at));
      button.dataset.key = `layer${at}`;
      button.addEventListener("click", () => {
        pinned = null;
        attempt({ ...state, at, map: 0 });
      });
      return button;
    }));
    const list = $("layers");
    const { offsetTop, offsetHeight } = list.children[Math.min(state.at, layers.length - 1)];
    const top = offsetTop - list.offsetTop;
    if (top < list.scrollTop || top + offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top - list.clientHeight / 2;
  }

  // --- marks

  function redraw() {
    document.querySelectorAll("td.lit").forEach((cell) => cell.classList.remove("lit"));
    const what = pinned || pointed;
    if (what?.kind === "weight") document.querySelector(`[data-place="${what.place.join(",")}"]`)?.parentElement?.classList.add("lit");
    const marks = what ? marksOf(what) : [];
    Panes.drawAll((pane) => marks.filter(({ kind, plane }) => kind === pane.kind && (plane === undefined || plane === pane.plane)));
  }

  /** @param {Place} what @returns {(Mark & {kind: string, plane?: number})[]} */
  function marksOf({ kind, place }) {
    const { conv, layer, inputs, output, map } = /** @type {Shown} */ (shown);
    const { height, width } = inputs[0];
    const cell = (/** @type {number} */ line) => ({ kind, rows: [place[0], place[0]], columns: [place[1], place[1]], colour: MARK, width: line });
    if (kind === "output") {
      const [y, x] = place;
      const found = [cell(3)];
      /** @param {number[]} rows @param {number[]} columns @param {number} line @param {number} [plane] */
      const frame = (rows, columns, line, plane) => found.push(/** @type {any} */ ({ kind: "input", plane, rows, columns, colour: MARK, width: line }));
      if (conv) {
        const [top, left] = [y * conv.stride[0] - conv.padding[0], x * conv.stride[1] - conv.padding[2]];
        if (Math.max(...conv.dilation) > 1)
          for (let ky = 0; ky < conv.kernel[0]; ky++)
            for (let kx = 0; kx < conv.kernel[1]; kx++) {
              const [row, column] = [top + ky * conv.dilation[0], left + kx * conv.dilation[1]];
              frame([row, row], [column, column], 1);
            }
        frame([top, top + Convolve.span(conv.kernel[0], conv.dilation[0]) - 1], [left, left + Convolve.span(conv.kernel[1], conv.dilation[1]) - 1], 2);
      } else if (layer?.kind === "Flatten") {
        const at = x % (height * width);
        frame([Math.floor(at / width), Math.floor(at / width)], [at % width, at % width], 2, Math.floor(x / (height * width)));
      } else if (layer && !["Linear", "Softmax", "ConvTranspose2d"].includes(layer.kind)) {
        const [rows, columns] = Layers.reads(layer, inputs[0], y, x);
        if (rows.length && columns.length) frame([rows[0], rows[rows.length - 1]], [columns[0], columns[columns.length - 1]], 2);
      }
      return found;
    }
    if (kind === "input") {
      const fed = conv ? Convolve.fed(conv, height, width, place[0], place[1]) : [];
      return [cell(3), ...fed.map(({ y, x }) => ({ kind: "output", rows: [y, y], columns: [x, x], colour: OTHER, width: 2 }))];
    }
    if (!conv) return [];
    const [, ky, kx] = place;
    const inGroup = height && inputs[0].planes.length / conv.groups;
    const plane = Math.floor(map / (conv.outChannels / conv.groups)) * inGroup + place[0];
    const [top, left] = [ky * conv.dilation[0] - conv.padding[0], kx * conv.dilation[1] - conv.padding[2]];
    const rows = [Math.max(0, top), Math.min(height - 1, top + (output.height - 1) * conv.stride[0])];
    const columns = [Math.max(0, left), Math.min(width - 1, left + (output.width - 1) * conv.stride[1])];
    return [{ kind: "input", plane, rows, columns, colour: OTHER, width: 3 }];
  }

  // --- one value in words and tables

  function explain() {
    const { conv, bank, layer, inputs, output, map } = /** @type {Shown} */ (shown);
    const box = $("value");
    box.replaceChildren();
    const what = pinned || pointed;
    /** @param {string} text */
    const tell = (text) => {
      $("told").textContent = text && pinned ? `${text} (pinned)` : text;
    };
    if (!what) {
      tell("");
      if (output.height === 1 && layer) box.append(bars(output.planes[0]));
      return;
    }
    const [y, x] = what.place;
    if (what.kind === "input") {
      const values = inputs[0].planes.slice(0, MOST_PLANES).map((plane, index) => `${nameOf(layer, 0, index)} ${short(plane[y * inputs[0].width + x])}`);
      const fed = conv ? Convolve.fed(conv, inputs[0].height, inputs[0].width, y, x) : [];
      const feeds = fed.length
        ? `; feeds ${Words.many(fed.length, "output")}: ${fed.slice(0, 9).map((one) => `${one.y},${one.x} by weight ${one.tap.join(",")}`).join("; ")}${fed.length > 9 ? "; …" : ""}`
        : "; feeds no output: no window reads it";
      return tell(`input at ${y},${x}: ${values.join(", ")}${conv ? feeds : ""}`);
    }
    if (what.kind === "weight") {
      const field = /** @type {HTMLElement|null} */ (document.querySelector(`[data-place="${what.place.join(",")}"]`));
      return tell(`weight ${short(Number(field?.dataset.value))} at row ${what.place[1]}, column ${what.place[2]}: ` +
        `multiplies one pixel of every window, ${output.height * output.width} in all; the frame shows from where to where`);
    }
    const value = output.planes[map][y * output.width + x];
    if (!conv || !bank) return tell(`${layer?.name}, map ${map} at ${y},${x}: ${reasonOf(y, x)} = ${short(value)}`);
    const found = Convolve.products(inputs[0], conv, bank, map, y, x);
    const terms = found.planes.slice(0, MOST_PLANES).map(({ plane, sum }) => `${nameOf(layer, 0, plane)} ${short(sum)}`);
    if (found.planes.length > MOST_PLANES) terms.push(`${found.planes.length - MOST_PLANES} more channels`);
    if (bank.bias) terms.push(`bias ${short(found.bias)}`);
    tell(`map ${map} at ${y},${x}: ${terms.join(" + ")} = ${short(found.total)}`);
    for (const { plane, sum, cells } of found.planes.slice(0, 8)) {
      const name = element("strong", {}, nameOf(layer, 0, plane));
      const total = element("span", {}, `sum ${short(sum)}`);
      if (cells.length > MOST_CELLS) box.append(element("div", { className: "sum" }, name, `${cells.length} products: `, total));
      else {
        const out = (/** @type {Cell} */ { row, column }) => row < 0 || column < 0 || row >= inputs[0].height || column >= inputs[0].width;
        const grids = [cells.map((cell) => cell.value), cells.map((cell) => cell.weight), cells.map((cell) => cell.product)]
          .map((values, index) => grid(values, conv.kernel[1], index === 0 ? cells.map(out) : []));
        box.append(element("div", { className: "sum" }, name, grids[0], "×", grids[1], "=", grids[2], "→", total));
      }
    }
  }

  /** A small table of numbers; what is `faint` lies in the padding. @param {number[]} values @param {number} width @param {boolean[]} faint */
  function grid(values, width, faint) {
    const table = element("table");
    for (let first = 0; first < values.length; first += width) {
      const row = table.insertRow();
      for (let at = first; at < first + width; at++) row.append(element("td", { className: faint[at] ? "out" : "" }, short(values[at], 3)));
    }
    return table;
  }

  /** How a layer that is no convolution makes one value. @param {number} y @param {number} x */
  function reasonOf(y, x) {
    const { layer, inputs, map, output } = /** @type {Shown} */ (shown);
    if (!layer) return "";
    const { kind, options, numbers } = layer;
    const [first] = inputs;
    /** @param {Picture} of */
    const at = (of) => of.planes[Math.min(map, of.planes.length - 1)][y * of.width + x];
    if (kind === "MaxPool2d" || kind === "AvgPool2d" || kind === "AdaptiveAvgPool2d") {
      const [rows, columns] = Layers.reads(layer, first, y, x);
      const seen = rows.flatMap((row) => columns.map((one) => short(first.planes[map][row * first.width + one], 3)));
      const listed = seen.length > 16 ? `${seen.length} values` : seen.join(", ");
      if (kind === "MaxPool2d") return `the greatest of ${listed}`;
      return `the sum of ${listed}, by ${kind === "AvgPool2d" ? Layers.share(options, first, y, x) : seen.length}`;
    }
    if (kind === "Linear") {
      const count = first.planes[0].length;
      const products = Array.from(first.planes[0], (value, index) => ({ index, product: value * numbers.weight[x * count + index] }));
      const most = products.sort((a, b) => Math.abs(b.product) - Math.abs(a.product)).slice(0, 5);
      const bias = numbers.bias ? ` + bias ${short(numbers.bias[x])}` : "";
      return `${count} products, the greatest ${most.map(({ index, product }) => `${short(product, 3)} of value ${index}`).join(", ")}${bias}`;
    }
    if (kind === "BatchNorm2d") {
      const scale = numbers.weight ? ` * ${short(numbers.weight[map])} + ${short(numbers.bias[map])}` : "";
      return `(${short(at(first))} - ${short(numbers.running_mean[map])}) / sqrt(${short(numbers.running_var[map])} + ${short(options.eps)})${scale}`;
    }
    if (kind === "Add") return inputs.map((one) => short(at(one))).join(" + ");
    if (kind === "ConvTranspose2d") return "products of every input whose kernel reaches it";
    if (kind === "Concat") return `channel ${map} of all inputs, one after the other`;
    if (kind === "Upsample") return options.mode === "nearest" ? "a copy of the nearest pixel" : "a mean of the nearest pixels, weighted by distance";
    if (kind === "Flatten") return `value ${x} in the order of channels, rows, columns`;
    const value = short(at(first));
    const forms = /** @type {Record<string, string>} */ ({
      ReLU: `max(${value}, 0)`,
      ReLU6: `min(max(${value}, 0), 6)`,
      LeakyReLU: `${value}, times ${options.negative_slope} below 0`,
      Dropout: `${value}, which is dropped in training alone`,
      SiLU: `${value} * sigmoid(${value})`,
      GELU: `${value} times the share of a normal distribution below it`,
      Hardswish: `${value} * min(max(${value} + 3, 0), 6) / 6`,
      Tanh: `tanh(${value})`,
      Sigmoid: `1 / (1 + exp(-(${value})))`,
      Softmax: output.height === 1 ? `exp(${value}) over the sum of all exponentials` : `exp(${value}) over the sum along the axis`,
    });
    return forms[kind];
  }

  /** What the net takes the picture for, where it says what its values stand for. */
  function prediction() {
    const values = net?.answer.outputs.get(given[given.length - 1].name)?.planes[0];
    if (!values || data.classes.length !== values.length) return "";
    const best = values.indexOf(Math.max(...values));
    return `${data.classes[best]} (${short(values[best], 3)})`;
  }

  /** The values of a vector, the greatest first. @param {Float32Array} values */
  function bars(values) {
    const { layer } = /** @type {Shown} */ (shown);
    const last = layer?.name === given[given.length - 1].name && data.classes.length === values.length;
    const order = Array.from(values.keys()).sort((a, b) => values[b] - values[a]).slice(0, MOST_BARS);
    const peak = Math.max(...values.map(Math.abs)) || 1;
    return element("div", { className: "bars" }, ...order.flatMap((at) => [
      element("span", {}, last ? data.classes[at] : String(at)),
      element("div", { style: `width: ${(100 * Math.max(0, values[at])) / peak}%` }),
      element("span", {}, short(values[at], 3)),
    ]));
  }

  // --- pointing

  /** @param {Place|null} what */
  function point(what) {
    pointed = what;
    if (pinned) return;
    redraw();
    explain();
  }

  /** @param {Place|null} what */
  function pin(what) {
    pinned = what;
    redraw();
    explain();
    remember();
  }

  /** Move along the map, or begin at its first value. @param {number} down @param {number} right */
  function step(down, right) {
    const { output } = /** @type {Shown} */ (shown);
    const before = pinned?.kind === "output" ? pinned.place : [-down, -right];
    const within = (/** @type {number} */ value, /** @type {number} */ count) => Math.max(0, Math.min(count - 1, value));
    go(within(before[0] + down, output.height), within(before[1] + right, output.width));
  }

  /** Pin an output and bring it into view. @param {number} y @param {number} x */
  function go(y, x) {
    const { output } = /** @type {Shown} */ (shown);
    if (Panes.zoomed()) Panes.centre((y + 0.5) / output.height, (x + 0.5) / output.width);
    pin({ kind: "output", place: [y, x] });
  }

  /** @param {KeyboardEvent} event */
  function keys(event) {
    const moves = /** @type {Record<string, number[]>} */ ({ ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] });
    if (event.key === "Escape") pin(null);
    else if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 2 : 0.5);
    else if (moves[event.key]) {
      event.preventDefault();
      step(moves[event.key][0], moves[event.key][1]);
    }
  }

  /** @param {number} factor */
  function zoom(factor) {
    Panes.zoom(factor);
    const { output } = /** @type {Shown} */ (shown);
    if (pinned?.kind === "output" && Panes.zoomed()) Panes.centre((pinned.place[0] + 0.5) / output.height, (pinned.place[1] + 0.5) / output.width);
    redraw();
  }

  function play() {
    if (timer) {
      clearInterval(timer);
      timer = 0;
    } else {
      timer = setInterval(() => {
        const { output: { height, width } } = /** @type {Shown} */ (shown);
        const at = pinned?.kind === "output" ? pinned.place[0] * width + pinned.place[1] + 1 : 0;
        go(Math.floor(at / width) % height, at % width);
      }, STEP_MILLISECONDS);
    }
    $("play").setAttribute("aria-pressed", String(Boolean(timer)));
    $("play").textContent = timer ? "pause" : "play";
  }

  // --- pictures

  /** Take a picture of the user. @param {Blob} file */
  async function load(file) {
    const wrong = Pictures.reason(data);
    if (wrong) return tell(`Not taken: ${wrong}`, $("upload"));
    let image;
    try {
      // The stored colours, as convviz reads them.
      image = await createImageBitmap(file, { colorSpaceConversion: "none" });
    } catch {
      return tell("Not taken: the browser cannot read this picture.", $("upload"));
    }
    const { height, width } = image;
    let pixels, read;
    try {
      const ink = element("canvas", { width, height }).getContext("2d", { willReadFrequently: true });
      ink.drawImage(image, 0, 0);
      pixels = ink.getImageData(0, 0, width, height).data;
      read = Pictures.read(pixels, height, width, data);
    } catch {
      return tell(`Not taken: this browser does not have the memory for a picture of ${height}x${width}.`, $("upload"));
    }
    const { words, ...other } = read;
    replace({ ...other, source: { path: file instanceof File ? file.name : "picture.png", words } });
    // A canvas keeps colours multiplied by the opacity.
    if (!why.textContent && pixels.some((/** @type {number} */ level, /** @type {number} */ at) => at % 4 === 3 && level < 255))
      tell("This picture is partly transparent: browsers lose part of such colours, so the command makes other maps.", $("upload"));
  }

  /**
   * Go on with another picture, or with the one before if no layer fits it.
   *
   * @param {{picture: Picture, names: string[], low: number, high: number, source: Source}} other
   */
  function replace(other) {
    const before = { picture, names, low, high, source };
    ({ picture, names, low, high, source } = other);
    pinned = null;
    const wanted = Settings.follow({ ...state, preset: "" }, state, "", data, picture);
    const edits = data.single && before.picture.planes.length !== picture.planes.length ? {} : state.edits;
    if (!attempt({ ...wanted, edits }, $("upload")) && !attempt({ ...wanted, edits: {}, groups: 1 }, $("upload")))
      ({ picture, names, low, high, source } = before);
  }

  /** @returns {Picture} */
  function original() {
    const [channels, height, width] = data.shape;
    const flat = data.planes.kind === "u8"
      ? Float32Array.from(atob(data.planes.data), (letter) => letter.charCodeAt(0) / data.planes.divisor)
      : floats(data.planes.data);
    return { height, width, planes: Array.from({ length: channels }, (_, index) => flat.slice(index * height * width, (index + 1) * height * width)) };
  }

  // --- saving

  /** @param {string} name @param {string} href */
  const download = (name, href) => element("a", { download: name, href }).click();

  /** @param {string} name @param {string} text @param {string} type */
  function downloadText(name, text, type) {
    const href = URL.createObjectURL(new Blob([text], { type }));
    download(name, href);
    setTimeout(() => URL.revokeObjectURL(href), 1000);
  }

  /** The map that is shown. */
  function chosen() {
    const { output, map } = /** @type {Shown} */ (shown);
    const values = output.planes[map];
    const look = Paint.toned(values, output.height, output.width, toneOf(values, output), tables[state.colormap]);
    return { ...look, values, map };
  }

  /** The map as a document: squares with their numbers, or, where those would be too many, as a picture. */
  function svg() {
    const { height, width, pixels, values, ...look } = chosen();
    const side = 40;
    const cells = [];
    for (let at = 0; height * width <= 4096 && at < values.length; at++) {
      const [x, y] = [(at % width) * side, Math.floor(at / width) * side];
      const rgb = pixels.subarray(4 * at, 4 * at + 3);
      cells.push(
        `<rect x="${x}" y="${y}" width="${side}" height="${side}" fill="rgb(${rgb.join()})"/>`,
        `<text x="${x + side / 2}" y="${y + side / 2 + 4}" fill="${Paint.ink(rgb)}">${short(values[at], 3)}</text>`,
      );
    }
    if (!cells.length) {
      const href = Panes.canvasOf({ height, width, pixels, ...look }).toDataURL();
      cells.push(`<image width="${width * side}" height="${height * side}" image-rendering="pixelated" href="${href}"/>`);
    }
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width * side} ${height * side}" ` +
      `font-family="system-ui, sans-serif" font-size="12" text-anchor="middle">${cells.join("")}</svg>`;
  }

  /** @param {string} id @param {string} of */
  async function copy(id, of) {
    try {
      await navigator.clipboard.writeText($(of).textContent);
      $(id).textContent = "copied";
    } catch {
      // A page from a file may not be let near the clipboard; then what is to be copied is marked.
      getSelection()?.selectAllChildren($(of));
      $(id).textContent = "marked: copy it by keys";
    }
    setTimeout(() => ($(id).textContent = "copy"), 2000);
  }

  // --- start

  $("preset").append(
    ...(data.given ? [new Option("of this page", "page")] : []),
    new Option("drawn by seed", "seed"),
    ...data.presets.map((preset) => new Option(preset.name, preset.name)),
  );
  $("colormap").append(...Object.keys(tables).map((name) => new Option(name, name)));
  if (!["percentile", "minmax", "symmetric"].includes(data.state.limits))
    $("limits").append(new Option(data.state.limits, data.state.limits));
  const first = original();
  picture = first;
  given = data.layers.map((layer) => ({
    ...layer,
    numbers: Object.fromEntries(Object.entries(layer.numbers).map(([name, text]) => [name, floats(text)])),
  }));
  $("choice").hidden = !data.single;
  $("layersSection").hidden = data.single;
  $("settings").open = data.single && window.innerWidth > 700;
  for (const id of [...Settings.NUMBERS, ...Settings.CHOICES, ...Settings.SWITCHES]) $(id).addEventListener("change", () => take(id));
  $("controls").addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
  $("map").addEventListener("change", () => attempt({ ...state, map: Number($("map").value) }));
  $("play").addEventListener("click", play);
  $("zoomIn").addEventListener("click", () => zoom(2));
  $("zoomOut").addEventListener("click", () => zoom(0.5));
  $("whole").addEventListener("click", () => zoom(0));
  $("png").addEventListener("click", () => download(`map-${state.map}.png`, Panes.canvasOf(chosen()).toDataURL()));
  $("svg").addEventListener("click", () => downloadText(`map-${state.map}.svg`, svg(), "image/svg+xml"));
  $("saveKernels").addEventListener("click", () => {
    const { conv, bank, inputs } = /** @type {Shown} */ (shown);
    if (conv && bank) downloadText("kernels.json", Words.kernels(conv, bank, inputs[0].planes.length), "application/json");
  });
  $("copyCommand").addEventListener("click", () => copy("copyCommand", "command"));
  $("copyCode").addEventListener("click", () => copy("copyCode", "code"));
  $("upload").addEventListener("change", (/** @type {any} */ event) => event.target.files[0] && load(event.target.files[0]));
  $("original").addEventListener("click", () => replace({ picture: first, names: data.channels, low: data.low, high: data.high, source: own }));
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files || [])].find((one) => one.type.startsWith("image/"));
    if (file) load(file);
  });
  Panes.hear({
    point,
    click: (what) => pin(pinned && what && pinned.kind === what.kind && String(pinned.place) === String(what.place) ? null : what),
  });
  window.addEventListener("resize", redraw);
  window.addEventListener("hashchange", enter);

  /** Take the state that the address holds, or the first one if it is not legal. */
  function enter() {
    const found = Settings.read(location.hash.slice(1), data.state);
    pinned = found.pinned;
    if (!attempt({ ...found.state, map: Math.min(found.state.map, data.single ? found.state.outChannels - 1 : found.state.map) })) {
      pinned = null;
      const words = why.textContent;
      if (!shown) attempt(data.state);
      tell(words || "");
    }
  }
  enter();

  // For tests, and for whoever wants to look deeper.
  Object.assign(window, {
    convviz: { state: () => state, shown: () => shown, net: () => net && net.answer, svg, settled: () => settled, seen: Panes.seen },
  });
})();
