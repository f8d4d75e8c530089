"use strict";
/** What is in view: the channels with their kernels and partial maps, the map, all maps small, and the marks on them. */
const Stage = (() => {
  const { $, element } = Dom;
  const { short } = Words;
  const MARK = "#d55e00";
  const OTHER = "#0f857c";
  const MOST_CHANNELS = 16;

  /** @type {Data} */
  let data;
  /** @type {Stored} */
  let store;
  let built = ""; // the form of the columns that are there

  /**
   * State below a canvas what it shows, with its extremes; for a map, a bar states the ends of its scale.
   *
   * @param {Pane} pane @param {string} what @param {Now} now @param {Tone} [tone]
   */
  function caption({ canvas, look: { low, high } }, what, now, tone) {
    const figure = /** @type {HTMLElement} */ (canvas.parentElement);
    /** @type {any} */ (figure.querySelector("figcaption")).textContent = `${what}: ${short(low, 3)} to ${short(high, 3)}`;
    figure.querySelector(".scale")?.remove();
    if (tone) canvas.after(Looks.bar(now.state, tone));
  }

  /** The channels that the map depends on. @param {Shown} shown */
  const channelsOf = ({ step, conv, inputs, map }) => step && !conv
    ? Layers.channelsOf(step, inputs, map)
    : inputs[0].channels.map((_, channel) => ({ index: 0, channel }));

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

  /** @param {Now} now */
  function build(now) {
    const shown = /** @type {Shown} */ (now.shown);
    const { step, conv, inputs, map } = shown;
    const { picture, names, low, high } = now.input;
    Looks.refresh(now.state);
    const focused = document.activeElement;
    const key = Dom.keyOf(focused);
    Panes.clear();
    const all = channelsOf(shown);
    const listed = all.slice(0, MOST_CHANNELS);
    const vector = inputs[0].channels.length === 1 && inputs[0].height === 1 && !!step;
    const colour = inputs[0] === picture && picture.channels.length >= 3;
    // Columns with the same form are kept: the user may be typing in one.
    const form = JSON.stringify([listed, conv && conv.kernel, conv && conv.groups, map, now.state.at, vector, colour, names]);
    const columns = $("columns");
    const fresh = form !== built;
    if (fresh && columns.contains($("why"))) $("troubles").append($("why"));
    if (fresh) columns.replaceChildren(...(colour ? [column("colour")] : []), ...listed.map(({ channel }) => column(String(channel))));
    columns.style.gridTemplateColumns = vector ? "minmax(0, 1fr)" : "";
    $("channelsHead").textContent = conv
      ? `Channels, the kernels of filter ${map}, and what each channel adds`
      : `What ${step?.name} reads`;
    $("more").textContent = all.length > listed.length ? `${listed.length} of ${all.length} channels are shown` : "";
    if (colour) {
      const { height, width } = picture;
      const figure = figureOf(columns.children[0], "channel");
      /** @type {any} */ (figure.querySelector("figcaption")).textContent = `input ${height}x${width}`;
      Panes.add(figure, "input", -1, picture, () => Paint.colours(picture, low, high), null, `input, ${height} by ${width} pixels`, 340);
    }
    listed.forEach(({ index, channel }, at) => {
      const box = columns.children[at + (colour ? 1 : 0)];
      const { height, width, channels } = inputs[index];
      const values = channels[channel];
      const name = Inspector.nameOf(now, index, channel);
      const tone = inputs[index] === picture ? undefined : Looks.toneOf(now, values, inputs[index]);
      const paint = () => (tone ? Looks.look(now.state, values, height, width, tone) : Paint.grey(values, height, width, low, high));
      const pane = Panes.add(figureOf(box, "channel"), "input", channel, values, paint, values, `${name} channel`, vector ? 900 : 340);
      caption(pane, `${name} channel`, now, tone);
      if (conv) addends(now, box, channel, name, fresh);
    });
    built = form;
    buildMap(now);
    if (key && document.activeElement !== focused) Dom.keyed(key)?.focus();
  }

  /** @param {Now} now */
  function buildMap(now) {
    const { output, map, step, weights } = /** @type {Shown} */ (now.shown);
    const values = output.channels[map];
    const figure = $("output");
    const label = `feature map ${map}, ${output.height} by ${output.width}; arrow keys move`;
    figure.querySelector("canvas")?.remove();
    const tone = Looks.toneOf(now, values, output);
    const pane = Panes.add(figure, "output", map, values, () => Looks.look(now.state, values, output.height, output.width, tone), values, label, 480);
    caption(pane, `map ${map}`, now, tone);
    Object.assign(pane.canvas, { id: "mapCanvas", tabIndex: 0 });
    pane.canvas.setAttribute("role", "application");
    thumbnails(now);
    const head = $("mapHead");
    head.querySelector("label")?.remove();
    if (weights?.bias) {
      const field = element("input", { id: "biasValue", inputMode: "decimal", size: 7, value: short(weights.bias[map]) });
      typing(field, `b${map}`, "biasValue");
      head.append(element("label", { className: "switch" }, "+ bias", field));
    }
    head.firstChild.textContent = `${step && step.kind !== "Conv2d" ? `What ${step.name} makes` : "Feature map"} `;
  }

  /** A field takes numbers for a weight. @param {HTMLInputElement} field @param {string} index @param {string} key */
  function typing(field, index, key) {
    field.dataset.key = key;
    field.dataset.index = index;
    field.dataset.seen = field.value;
    field.addEventListener("change", () => {
      // What was seen is shortened, so it may differ from the weight.
      if (field.value === field.dataset.seen) return;
      if (!store.edit(index, field.value, key)) field.value = field.dataset.seen || "";
    });
  }

  /**
   * The kernel of a channel, and its partial map.
   *
   * @param {Now} now @param {Element} box @param {number} channel @param {string} name @param {boolean} fresh
   */
  function addends(now, box, channel, name, fresh) {
    const { conv, inputs, output, map, partials } = /** @type {Shown} */ (now.shown);
    if (!conv) return;
    const inGroup = inputs[0].channels.length / conv.groups;
    const first = Math.floor(map / (conv.outChannels / conv.groups)) * inGroup;
    const at = channel - first;
    if (at < 0 || at >= inGroup) {
      if (fresh) box.append(element("p", { className: "other" }, `Filters of another group read the ${name} channel.`));
      return;
    }
    kernel(now, box, at, inGroup, name, fresh);
    const tone = Looks.toneOf(now, partials[at], output);
    const paint = () => Looks.look(now.state, partials[at], output.height, output.width, tone);
    const pane = Panes.add(figureOf(box, "partial"), "output", channel, partials[at], paint, partials[at], `what the ${name} channel adds to map ${map}`, 340);
    caption(pane, `= ${name} partial map`, now, tone);
  }

  /**
   * A table of weights, to see and to change.
   *
   * @param {Now} now @param {Element} box @param {number} at @param {number} inGroup @param {string} name @param {boolean} fresh
   */
  function kernel({ shown, state }, box, at, inGroup, name, fresh) {
    const { conv, weights, map } = /** @type {Shown} */ (shown);
    if (!conv || !weights) return;
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
          field.dataset.place = [at, y, x].join(",");
          // The user types a rotated kernel as it is shown.
          const index = start + (state.flip ? kh * kw - 1 - (y * kw + x) : y * kw + x);
          typing(field, String(index), field.dataset.place);
          for (const event of ["pointerenter", "focus"]) field.addEventListener(event, () => store.point({ kind: "weight", place: [at, y, x] }));
          for (const event of ["pointerleave", "blur"]) field.addEventListener(event, () => store.point(null));
          row.insertCell().append(field);
        }
      }
      figure.prepend(table);
    }
    let peak = 0;
    for (const value of weights.weight) peak = Math.max(peak, Math.abs(value));
    figure.querySelectorAll("input").forEach((field, index) => {
      const value = weights.weight[start + index];
      const text = short(value, kw > 3 || Math.abs(value) < 0.01 ? 2 : 3);
      // The user may be typing in it.
      if (field !== document.activeElement || field.value === field.dataset.seen) field.value = text;
      field.dataset.seen = text;
      const shade = Paint.colour(value, peak);
      field.style.background = `rgb(${shade.join()})`;
      field.style.color = Paint.ink(shade);
    });
  }

  /** One button per map. @param {Now} now */
  function thumbnails(now) {
    const { small, output, map } = /** @type {Shown} */ (now.shown);
    const count = output.channels.length;
    const choice = $("map");
    if (choice.length !== count)
      choice.replaceChildren(...Array.from({ length: count }, (_, at) => new Option(String(at), String(at))));
    choice.value = String(map);
    choice.hidden = count === 1;
    $("thumbs").hidden = count === 1;
    $("thumbs").replaceChildren(...(count === 1 ? [] : small.map((one, at) => {
      const button = element("button", { type: "button", ariaLabel: `map ${at}` }, Looks.thumbnail(now, one, output), String(at));
      button.setAttribute("aria-pressed", String(at === map));
      button.dataset.key = `map${at}`;
      button.addEventListener("click", () => store.change({ map: at }));
      return button;
    })));
  }

  // --- marks

  /** Draw all canvases with the marks of the place that the user looks at. @param {Now} now */
  function mark(now) {
    document.querySelectorAll("td.lit").forEach((cell) => cell.classList.remove("lit"));
    const what = now.pinned || now.pointed;
    if (what?.kind === "weight") document.querySelector(`[data-place="${what.place.join(",")}"]`)?.parentElement?.classList.add("lit");
    const marks = what && now.shown ? marksOf(what, now.shown) : [];
    Panes.drawAll((pane) => marks.filter(({ kind, channel }) => kind === pane.kind && (channel === undefined || channel === pane.channel)));
    const { text, details } = Inspector.explain(now, data);
    $("told").textContent = text;
    $("value").replaceChildren(...details);
  }

  /** @param {Place} what @param {Shown} shown @returns {(Mark & {kind: string, channel?: number})[]} */
  function marksOf({ kind, place }, { conv, step, inputs, output, map }) {
    const { height, width } = inputs[0];
    const cell = (/** @type {number} */ line) => ({ kind, rows: [place[0], place[0]], columns: [place[1], place[1]], colour: MARK, width: line });
    if (kind === "output") {
      const [y, x] = place;
      const found = [cell(3)];
      /** @param {number[]} rows @param {number[]} columns @param {number} line @param {number} [channel] */
      const frame = (rows, columns, line, channel) => found.push(/** @type {any} */ ({ kind: "input", channel, rows, columns, colour: MARK, width: line }));
      if (conv) {
        const [top, left] = [y * conv.stride[0] - conv.padding[0], x * conv.stride[1] - conv.padding[2]];
        if (Math.max(...conv.dilation) > 1)
          for (let ky = 0; ky < conv.kernel[0]; ky++)
            for (let kx = 0; kx < conv.kernel[1]; kx++) {
              const [row, column] = [top + ky * conv.dilation[0], left + kx * conv.dilation[1]];
              frame([row, row], [column, column], 1);
            }
        frame([top, top + Convolve.span(conv.kernel[0], conv.dilation[0]) - 1], [left, left + Convolve.span(conv.kernel[1], conv.dilation[1]) - 1], 2);
      } else if (step) {
        const seen = Layers.windowAt(step, inputs[0], { map, y, x });
        if (seen?.rows.length && seen.columns.length)
          frame([seen.rows[0], seen.rows[seen.rows.length - 1]], [seen.columns[0], seen.columns[seen.columns.length - 1]], 2, seen.channel);
      }
      return found;
    }
    if (kind === "input") {
      const fed = conv ? Convolve.fed(conv, height, width, place[0], place[1]) : [];
      return [cell(3), ...fed.map(({ y, x }) => ({ kind: "output", rows: [y, y], columns: [x, x], colour: OTHER, width: 2 }))];
    }
    if (!conv) return [];
    const [, ky, kx] = place;
    const channel = Math.floor(map / (conv.outChannels / conv.groups)) * (inputs[0].channels.length / conv.groups) + place[0];
    const [top, left] = [ky * conv.dilation[0] - conv.padding[0], kx * conv.dilation[1] - conv.padding[2]];
    const rows = [Math.max(0, top), Math.min(height - 1, top + (output.height - 1) * conv.stride[0])];
    const columns = [Math.max(0, left), Math.min(width - 1, left + (output.width - 1) * conv.stride[1])];
    return [{ kind: "input", channel, rows, columns, colour: OTHER, width: 3 }];
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
    const { pinned, shown } = store.now();
    const { output } = /** @type {Shown} */ (shown);
    if (pinned?.kind === "output" && Panes.zoomed()) Panes.centre((pinned.place[0] + 0.5) / output.height, (pinned.place[1] + 0.5) / output.width);
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
    });
    window.addEventListener("resize", () => mark(store.now()));
    store.subscribe((now, before) => {
      if (!now.shown) return;
      if (now.shown !== before.shown) build(now);
      if (now.shown !== before.shown || now.pinned !== before.pinned || (now.pointed !== before.pointed && !now.pinned)) mark(now);
    });
  }

  return { start, go, zoom };
})();
