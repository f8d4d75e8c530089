"use strict";
/** The output that the user looks at, marked on the stage: frames, lenses, products, the sum and the sentence. */
const Marks = (() => {
  const { $, element } = Dom;
  const { short } = Words;
  const FED = "#0f857c";
  const WINDOW = "window";
  // From this size of a cell on, every cell of a dilated window has a frame of its own.
  const LEAST_CELL = 6;

  /** Show the output that the user looks at, and what is linked with it. @param {Now} now @param {Built} stage */
  function mark(now, stage) {
    const shown = /** @type {Shown} */ (now.shown);
    const place = Inspector.focus(now);
    const seen = Inspector.reading(shown, place);
    const what = now.pointed || now.pinned;
    const linked = what?.kind === "weight" && shown.conv ? what.place : null;
    const linkedIn = (/** @type {Parts} */ { at }) => (linked && linked[0] === at ? linked : null);
    const marks = marksOf(now, { place, seen }, stage);
    // First the canvases: text on one makes the browser settle the styles of all elements that were written before.
    Panes.drawAll((pane) => marks.filter(({ kind, channel }) => kind === pane.kind && (channel === undefined || channel === pane.channel)));
    for (const one of stage.parts) lens(now, one, { seen, linked: linkedIn(one), stage });
    let peak = 0;
    if (seen.sum) for (const { channel, cells } of seen.sum.channels)
      if (stage.rows.some((row) => row.channel === channel)) for (const { product } of cells) peak = Math.max(peak, Math.abs(product));
    for (const one of stage.parts) markRow(now, one, { seen, peak, linked: linkedIn(one), stage });
    Dom.set($("told"), { textContent: Inspector.text(now, seen, stage.rows) });
    sums(now, seen, stage);
    Lines.connect(now, { seen, place }, stage);
  }

  /** @param {Now} now @param {Parts} one @param {{seen: Reading, peak: number, linked: number[]|null, stage: Built}} with */
  function markRow(now, one, { seen, peak, linked, stage: { parts, plan } }) {
    const shown = /** @type {Shown} */ (now.shown);
    const { window: box } = seen;
    if (box && !one.lens.hidden)
      Dom.set(one.lens, { ariaLabel: `window of the ${Inspector.nameOf(now, one.row.index, one.row.channel)} channel: ` +
        `rows ${box.top} to ${box.top + box.height - 1}, columns ${box.left} to ${box.left + box.width - 1}` });
    if (shown.step && !shown.conv && one === parts[0]) {
      const [y, x] = Inspector.focus(now);
      const value = shown.output.channels[shown.map][y * shown.output.width + x];
      const textContent = `${Layers.reason(shown.step, shown.inputs, { map: shown.map, y, x })} = ${short(value)}`;
      Dom.set(/** @type {HTMLElement} */ (one.lens.nextElementSibling), { textContent });
    }
    const found = seen.sum?.channels.find(({ channel }) => channel === one.row.channel);
    if (!found || !shown.conv) return;
    if (one.sum) Dom.set(one.sum, { textContent: short(found.sum) });
    if (plan.pictures) return largeProducts(shown, one, { cells: found.cells, peak, linked, plan });
    const { chars } = Cells.fontOf(plan.kernel.width, plan.kernel.height);
    found.cells.forEach(({ y, x, product }, at) => {
      const lit = linked !== null && linked[1] === y && linked[2] === x;
      const cell = one.cells[at];
      Dom.set(cell, { textContent: Words.fit(product, chars), className: lit ? "lit" : "" });
      Dom.set(cell.dataset, { value: String(product) });
      // A title is read where the pointer is; to write all of them takes as long as to write the numbers.
      if (lit) Dom.set(cell, { title: short(product, 7) });
      Cells.colour(cell, Paint.colour(product, peak));
      Dom.set(/** @type {HTMLElement} */ (one.fields[at].parentElement), { className: lit ? "lit" : "" });
    });
  }

  /** @param {Shown} shown @param {Parts} one @param {{cells: Cell[], peak: number, linked: number[]|null, plan: Plan}} with */
  function largeProducts({ conv }, one, { cells, peak, linked, plan }) {
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
      const { weight } = cells[y * kw + x];
      Rows.write(field, weight, Words.fit(weight, 9));
      /** @type {any} */ (field.previousElementSibling).textContent = `${y},${x}`;
    }
    /** @type {any} */ (one.products.querySelector(".named")).replaceChildren(
      ...Inspector.largest(cells).map((text) => element("div", { textContent: text })));
  }

  /** The neighbourhood of the window, as numbers. @param {Now} now @param {Parts} one @param {{seen: Reading, linked: number[]|null, stage: Built}} with */
  function lens(now, one, { seen: { window: box, channel }, linked, stage: { plan, labelColour } }) {
    const { conv, inputs } = /** @type {Shown} */ (now.shown);
    Dom.set(one.lens, { hidden: !box || (channel !== undefined && channel !== one.row.channel) });
    if (!box) return;
    const { height, width, channels } = inputs[one.row.index];
    const { top, left } = Rows.lensAt(now, plan, box, one.row.index);
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
  }

  /** The sum and the bars of the other channels. @param {Now} now @param {Reading} seen @param {Built} stage */
  function sums(now, { sum }, { rows, tiles, biasField }) {
    const box = $("ledger");
    const { output, map } = /** @type {Shown} */ (now.shown);
    if (!sum) {
      const [y, x] = Inspector.focus(now);
      const value = output.channels[map][y * output.width + x];
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
      Dom.set(tile.bar, { className: value < 0 ? "negative" : "positive" });
      Dom.set(tile.button, { title: `${Inspector.nameOf(now, 0, channel)}: ${short(value, 3)}` });
    }
  }

  /** @param {Now} now @param {{place: number[], seen: Reading}} what @param {Built} stage @returns {(Mark & {kind: string, channel?: number})[]} */
  function marksOf(now, { place, seen: { window: box, channel } }, { parts }) {
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

  return { mark };
})();
