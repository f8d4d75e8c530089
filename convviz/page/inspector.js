"use strict";
/**
 * One value explained: which output is looked at, what it reads, the products and sums that make it, in words and
 * elements. Functions of what is shown; nothing here changes the page.
 *
 * A `Reading` is what one output reads: the window in pixels of the input (it may lie in the padding), the channel where
 * it reads one alone, and for a Conv2d the products.
 *
 * @typedef {{window: Box|null, channel: number|undefined, sum: Sum|null}} Reading
 * @typedef {{index: number, channel: number}} Row
 * @typedef {{name: string, value: number, channel: number|null}} Term
 */
const Inspector = (() => {
  const { element } = Dom;
  const { short, many } = Words;
  const MOST_ROWS = 4; // all channels have rows up to so many
  const FEW_ROWS = 3; // of more channels, those that matter most have
  const MOST_TILES = 63;
  const MOST_BARS = 20;
  const MOST_FED = 4;
  const MOST_NAMED = 3;

  // --- what is looked at

  /** The output of the largest magnitude, of each result. @type {WeakMap<Shown, [number, number]>} */
  const homes = new WeakMap();

  /** @param {Shown} shown @returns {[number, number]} */
  function home(shown) {
    const known = homes.get(shown);
    if (known) return known;
    const values = shown.output.channels[shown.map];
    let best = 0;
    for (let at = 1; at < values.length; at++) if (Math.abs(values[at]) > Math.abs(values[best])) best = at;
    /** @type {[number, number]} */
    const found = [Math.floor(best / shown.output.width), best % shown.output.width];
    homes.set(shown, found);
    return found;
  }

  /** The output that stays when the pointer leaves: the pinned one, else that of the largest magnitude. @param {Now} now */
  const anchor = ({ shown, pinned }) => (pinned?.kind === "output" ? pinned.place : home(/** @type {Shown} */ (shown)));

  /** The output that the stage shows. @param {Now} now @returns {number[]} */
  function focus(now) {
    const { pointed, filled } = now;
    const { output: { width } } = /** @type {Shown} */ (now.shown);
    if (pointed?.kind === "output") return pointed.place;
    return filled !== null ? [Math.floor(filled / width), filled % width] : anchor(now);
  }

  /** The output on the stage while the pointer is not on the map. @param {Now} now */
  const settled = (now) => focus({ ...now, pointed: null });

  /** What one output reads. @param {Shown} shown @param {number[]} place @returns {Reading} */
  function reading({ conv, weights, step, inputs, map }, [y, x]) {
    if (conv && weights) {
      const window = {
        top: y * conv.stride[0] - conv.padding[0],
        left: x * conv.stride[1] - conv.padding[2],
        height: Convolve.span(conv.kernel[0], conv.dilation[0]),
        width: Convolve.span(conv.kernel[1], conv.dilation[1]),
      };
      return { window, channel: undefined, sum: Convolve.products(inputs[0], conv, weights, map, y, x) };
    }
    const seen = step && Layers.windowAt(step, inputs[0], { map, y, x });
    if (!seen || !seen.rows.length || !seen.columns.length) return { window: null, channel: undefined, sum: null };
    const { rows, columns, channel } = seen;
    const window = {
      top: rows[0], left: columns[0],
      height: rows[rows.length - 1] - rows[0] + 1, width: columns[columns.length - 1] - columns[0] + 1,
    };
    return { window, channel, sum: null };
  }

  /** The channels that the map depends on. @param {Shown} shown @returns {Row[]} */
  function channelsOf({ step, conv, inputs, map }) {
    if (!conv) return step ? Layers.channelsOf(step, inputs, map) : [];
    const inGroup = inputs[0].channels.length / conv.groups;
    const first = Math.floor(map / (conv.outChannels / conv.groups)) * inGroup;
    return Array.from({ length: inGroup }, (_, at) => ({ index: 0, channel: first + at }));
  }

  /**
   * The channels that have a row on the stage: all, if they are few; else those that the user chose and those whose
   * partial sums are largest.
   *
   * @param {Now} now @returns {Row[]}
   */
  function rowsOf(now) {
    const shown = /** @type {Shown} */ (now.shown);
    const all = channelsOf(shown);
    if (all.length <= MOST_ROWS) return all;
    const { sum } = reading(shown, anchor(now));
    if (!sum) return all.slice(0, FEW_ROWS);
    const order = [...sum.channels].sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum)).map(({ channel }) => channel);
    const chosen = now.brought.filter((channel) => order.includes(channel));
    const listed = [...chosen, ...order.filter((channel) => !chosen.includes(channel))].slice(0, FEW_ROWS);
    return all.filter(({ channel }) => listed.includes(channel));
  }

  /** The channels that have a tile instead of a row. @param {Now} now @param {Row[]} rows */
  function tilesOf(now, rows) {
    const shown = /** @type {Shown} */ (now.shown);
    const { sum } = reading(shown, anchor(now));
    if (!sum) return [];
    const rest = sum.channels.filter(({ channel }) => !rows.some((row) => row.channel === channel));
    const listed = [...rest].sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum)).slice(0, MOST_TILES).map(({ channel }) => channel);
    return rest.filter(({ channel }) => listed.includes(channel)).map(({ channel }) => channel);
  }

  // --- words

  /** The name of a channel of an input. @param {Now} now @param {number} index @param {number} channel */
  function nameOf({ shown, input }, index, channel) {
    const { step, inputs } = /** @type {Shown} */ (shown);
    if (!step || step.inputs[index] === "input") {
      const name = input.names[channel] || String(channel);
      return /^\d+$/.test(name) ? `channel ${name}` : name;
    }
    return inputs[index].channels.length === 1 ? step.inputs[index] : `${step.inputs[index]}:${channel}`;
  }

  /** An input pixel, in words. @param {Now} now @param {number} y @param {number} x */
  function pixelText(now, y, x) {
    const { conv, inputs: [input] } = /** @type {Shown} */ (now.shown);
    const values = rowsOf(now).map(({ index, channel }) =>
      `${nameOf(now, index, channel)} ${short(input.channels[channel][y * input.width + x])}`);
    const text = `input at ${y},${x}: ${values.join(", ")}`;
    if (!conv) return text;
    const fed = Convolve.fed(conv, input.height, input.width, y, x);
    if (!fed.length) return `${text}; feeds no output: no window reads it`;
    const listed = fed.slice(0, MOST_FED).map((one) => `${one.y},${one.x} by weight ${one.weight.join(",")}`);
    return `${text}; feeds ${many(fed.length, "output")}: ${listed.join("; ")}${fed.length > MOST_FED ? "; …" : ""}`;
  }

  /** A weight, in words, with its product in the window that is shown. @param {Shown} shown @param {Reading} reading @param {number[]} place */
  function weightText({ output }, { sum }, [channel, y, x]) {
    const cell = sum?.channels[channel]?.cells.find((one) => one.y === y && one.x === x);
    if (!cell) return "";
    return `weight ${short(cell.weight)} at row ${y}, column ${x}: here ${short(cell.value)} × ${short(cell.weight)} = ${short(cell.product)}; ` +
      `it multiplies one pixel of every window, ${output.height * output.width} in all`;
  }

  /** @param {Now} now @param {Sum} sum @param {Row[]} rows @returns {Term[]} */
  function terms(now, { channels, bias }, rows) {
    const { weights } = /** @type {Shown} */ (now.shown);
    /** @type {Term[]} */
    const found = channels.filter(({ channel }) => rows.some((row) => row.channel === channel))
      .map(({ channel, sum }) => ({ name: nameOf(now, 0, channel), value: sum, channel }));
    const rest = channels.length - found.length;
    if (rest) {
      const value = channels.reduce((all, { channel, sum }) => (rows.some((row) => row.channel === channel) ? all : all + sum), 0);
      found.push({ name: many(rest, "other channel"), value, channel: null });
    }
    if (weights?.bias) found.push({ name: "bias", value: bias, channel: null });
    return found;
  }

  /** What is said about the place that the user looks at. @param {Now} now @param {Reading} seen @param {Row[]} rows */
  function text(now, seen, rows) {
    const shown = /** @type {Shown} */ (now.shown);
    const what = now.pointed || now.pinned;
    const held = now.pinned && !now.pointed ? " (pinned)" : "";
    if (what?.kind === "input") return pixelText(now, what.place[0], what.place[1]) + held;
    if (what?.kind === "weight" && shown.conv) return weightText(shown, seen, what.place) + held;
    const [y, x] = focus(now);
    if (seen.sum) {
      const parts = terms(now, seen.sum, rows).map(({ name, value }) => `${name} ${short(value)}`);
      return `map ${shown.map} at ${y},${x}: ${parts.join(" + ")} = ${short(seen.sum.total)}${held}`;
    }
    const { step, inputs, output, map } = shown;
    if (!step) return "";
    const value = short(output.channels[map][y * output.width + x]);
    return `${step.name}, map ${map} at ${y},${x}: ${Layers.reason(step, inputs, { map, y, x })} = ${value}${held}`;
  }

  /** What is seen, and what to do: before anything is touched. @param {Shown} shown */
  function lead({ conv, map, inputs, step, weights }) {
    if (conv) {
      const each = inputs[0].channels.length / conv.groups > 1 ? "Each framed window is" : "The framed window is";
      return `${each} multiplied by its kernel; the products${weights?.bias ? " and the bias" : ""} add up to one value of map ${map}. ` +
        "Point at the map to move the window, click to keep it, or edit a weight.";
    }
    return `${step?.name} makes each value from what is framed. Point at the map to move, click to stay.`;
  }

  // --- elements

  /** The largest products of a large kernel, with their positions. @param {Cell[]} cells */
  function largest(cells) {
    const order = [...cells].sort((a, b) => Math.abs(b.product) - Math.abs(a.product)).slice(0, MOST_NAMED);
    return order.map(({ y, x, product }) => `${short(product, 3)} at ${y},${x}`);
  }

  /** @param {string} sign @param {string} name @param {Node} amount @param {string} [className] */
  const line = (sign, name, amount, className = "term") =>
    element("div", { className }, element("span", { className: "plus" }, sign), element("span", { className: "name" }, name), amount);

  /** @param {Now} now */
  const totalName = (now) => `map ${now.shown?.map} at ${focus(now).join(",")}`;

  /** The sum, one line per term. @param {Now} now @param {Term[]} listed @param {number} total @param {HTMLElement|null} biasField */
  function ledger(now, listed, total, biasField) {
    const lines = listed.map(({ name, value }, at) =>
      line(at ? "+" : "", name, name === "bias" && biasField ? biasField : element("span", { className: "amount" }, short(value))));
    return [...lines, line(listed.length ? "=" : "", totalName(now), element("strong", { className: "amount" }, short(total)), "term total")];
  }

  /** Write other amounts into a sum with the same terms. @param {Now} now @param {HTMLElement} box @param {Term[]} listed @param {number} total */
  function relabel(now, box, listed, total) {
    const amounts = box.querySelectorAll(".amount");
    const plain = listed.filter(({ name }) => name !== "bias");
    plain.forEach(({ value }, at) => Dom.set(/** @type {HTMLElement} */ (amounts[at]), { textContent: short(value) }));
    Dom.set(/** @type {HTMLElement} */ (amounts[amounts.length - 1]), { textContent: short(total) });
    Dom.set(/** @type {any} */ (box.querySelector(".total .name")), { textContent: totalName(now) });
  }

  /** The values of a vector, the largest first. @param {Shown} shown @param {Data} data */
  function bars({ step, net, output }, { classes }) {
    const values = output.channels[0];
    const last = net && step && step.name === net.steps[net.steps.length - 1].name && classes.length === values.length;
    const order = Array.from(values.keys()).sort((a, b) => values[b] - values[a]).slice(0, MOST_BARS);
    const peak = Math.max(...values.map(Math.abs)) || 1;
    return element("div", { className: "bars" }, ...order.flatMap((at) => [
      element("span", {}, last ? classes[at] : String(at)),
      element("div", { style: `width: ${(100 * Math.max(0, values[at])) / peak}%` }),
      element("span", {}, short(values[at], 3)),
    ]));
  }

  return { anchor, focus, settled, reading, channelsOf, rowsOf, tilesOf, nameOf, terms, text, lead, largest, ledger, relabel, bars };
})();
