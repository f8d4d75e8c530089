"use strict";
/**
 * The rows of the stage, one for each channel: picture, lens, kernel, products, partial sum. They are built when something
 * was computed; rows with the same form are kept.
 *
 * @typedef {{row: Row, at: number, picture: Pane, lens: HTMLCanvasElement, fields: HTMLInputElement[], kernel: HTMLElement,
 *   products: HTMLElement, cells: HTMLElement[], partial: Pane|null, sum: HTMLElement|null}} Parts
 */
const Rows = (() => {
  const { $, element } = Dom;
  const { short } = Words;
  // Padding that is wider than the picture is not drawn in full.
  const MOST_PADDING = 1;

  /** @type {Stored} */
  let store;

  /** @param {string} className */
  const part = (className) => element("div", { className });

  // --- fields

  /** A field takes numbers for a weight. @param {HTMLInputElement} field @param {(field: HTMLInputElement) => string} index */
  function typing(field, index) {
    // A title is read where the pointer is; to write all of them takes as long as to write the numbers.
    field.addEventListener("pointerenter", () => (field.title = short(Number(field.dataset.value), 9)));
    field.addEventListener("change", () => {
      // What was seen is shortened, so it may differ from the weight.
      if (field.value === field.dataset.seen) return;
      if (!store.edit(index(field), field.value, Dom.keyOf(field), Inspector.anchor(store.now()))) field.value = field.dataset.seen || "";
    });
  }

  /** Write a weight into its field, unless the user types in it. @param {HTMLInputElement} field @param {number} value @param {string} text */
  function write(field, value, text) {
    if (field !== document.activeElement || field.value === field.dataset.seen) Dom.set(field, { value: text });
    Dom.set(field.dataset, { seen: text, value: String(value) });
  }

  /** Mark a weight that was typed. @param {HTMLInputElement} field @param {Now} now @param {string} index */
  function markTyped(field, { state }, index) {
    const typed = `${state.at}:${index}` in state.edits;
    field.classList.toggle("typed", typed);
    Dom.set(field, { ariaDescription: typed ? "edited" : "" });
  }

  /** The index of a weight that is shown at a place; a rotated kernel is typed as it is shown. @param {Now} now @param {number[]} place */
  function indexOf({ shown, state }, [at, y, x]) {
    const { conv, map, inputs } = /** @type {Shown} */ (shown);
    const [kh, kw] = /** @type {Layer} */ (conv).kernel;
    const inGroup = inputs[0].channels.length / /** @type {Layer} */ (conv).groups;
    const place = y * kw + x;
    return (map * inGroup + at) * kh * kw + (state.flip ? kh * kw - 1 - place : place);
  }

  // --- elements

  /** The elements of a row. @param {Now} now @param {Row} row @param {Built} stage @returns {Parts} */
  function build(now, row, stage) {
    const { conv } = /** @type {Shown} */ (now.shown);
    const name = Inspector.nameOf(now, row.index, row.channel);
    const lens = element("canvas", { className: "lens" });
    lens.setAttribute("role", "img");
    const box = element("div", { className: "row", ariaLabel: `${name} channel` });
    box.setAttribute("role", "group");
    box.append(element("figure", { className: "channel" }, element("figcaption")), lens);
    const kernel = part("kernel");
    const products = part("products");
    /** @type {Parts} */
    const made = { row, at: 0, lens, kernel, products, fields: [], cells: [], picture: /** @type {any} */ (null), partial: null, sum: null };
    listenToLens(made, stage);
    if (!conv) {
      box.append(element("p", { className: "reason" }));
      return made;
    }
    made.at = row.channel - Inspector.channelsOf(/** @type {Shown} */ (now.shown))[0].channel;
    if (stage.plan.pictures) pictures(made, name, stage);
    else tables(now, made, name);
    const sum = element("strong", { className: "amount" });
    made.sum = sum;
    box.append(element("span", { className: "op" }, "×"), kernel, element("span", { className: "op" }, "="), products,
      element("span", { className: "op" }, "→"), element("figure", { className: "partial" }, sum));
    return made;
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

  /** A large kernel and its products as pictures; one field for the weight that is looked at. @param {Parts} made @param {string} name @param {Built} stage */
  function pictures(made, name, stage) {
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
        const [y, x] = Cells.cellAt(canvas, event, stage.plan.kernel.width, stage.plan.kernel.height, false);
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

  /** Pointing into the lens: a weight inside the window, a pixel beside it. @param {Parts} made @param {Built} stage */
  function listenToLens(made, stage) {
    /** @param {MouseEvent} event @returns {Place|null} */
    const place = (event) => {
      const now = store.now();
      const { conv, inputs } = /** @type {Shown} */ (now.shown);
      const [row, column] = Cells.cellAt(made.lens, event, stage.plan.lens.width, stage.plan.lens.height, true);
      const seen = Inspector.reading(/** @type {Shown} */ (now.shown), Inspector.settled(now)).window;
      if (!seen) return null;
      const { top, left } = lensAt(now, stage.plan, seen, made.row.index);
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

  /** Where the lens begins: around the window, inside the padded input. @param {Now} now @param {Plan} plan @param {Box} seen @param {number} index */
  function lensAt({ shown }, plan, seen, index) {
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

  // --- what stays while the pointer moves

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

  /** Draw what of a row does not depend on the output. @param {Now} now @param {Parts} one @param {Built} stage */
  function fill(now, one, { plan, vector }) {
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
    const text = now.state.channelScale === "own" ? `${name}: ${short(low, 3)} to ${short(high, 3)}` : name;
    Dom.set(/** @type {HTMLElement} */ (figure.lastElementChild), { textContent: text });
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
        write(field, value, Words.fit(value, chars));
        markTyped(field, now, String(indexOf(now, [one.at, Math.floor(at / kw), at % kw])));
        Cells.colour(field, Paint.colour(value, peak));
      });
    }
    const box = /** @type {HTMLElement} */ (one.sum?.parentElement);
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

  /** @param {Stored} asked */
  const start = (asked) => (store = asked);

  return { start, build, fill, typing, write, markTyped, lensAt };
})();
