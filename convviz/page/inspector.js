"use strict";
/** One value explained: what it is the sum of, which outputs a pixel feeds, what a weight multiplies. */
const Inspector = (() => {
  const { element } = Dom;
  const { short, many } = Words;
  const MOST_CHANNELS = 16;
  const MOST_ROWS = 8;
  const MOST_CELLS = 25;
  const MOST_BARS = 20;
  const MOST_FED = 9;

  /** The name of a channel of an input. @param {Now} now @param {number} index @param {number} channel */
  function nameOf({ shown, input }, index, channel) {
    const { step, inputs } = /** @type {Shown} */ (shown);
    if (!step || step.inputs[index] === "input") return input.names[channel] || String(channel);
    return inputs[index].channels.length === 1 ? step.inputs[index] : `${step.inputs[index]} ${channel}`;
  }

  /** An input pixel, in words. @param {Now} now @param {number} y @param {number} x */
  function pixelText(now, y, x) {
    const { conv, inputs: [input] } = /** @type {Shown} */ (now.shown);
    const values = input.channels.slice(0, MOST_CHANNELS).map((channel, index) =>
      `${nameOf(now, 0, index)} ${short(channel[y * input.width + x])}`);
    const text = `input at ${y},${x}: ${values.join(", ")}`;
    if (!conv) return text;
    const fed = Convolve.fed(conv, input.height, input.width, y, x);
    if (!fed.length) return `${text}; feeds no output: no window reads it`;
    const listed = fed.slice(0, MOST_FED).map((one) => `${one.y},${one.x} by weight ${one.weight.join(",")}`);
    return `${text}; feeds ${many(fed.length, "output")}: ${listed.join("; ")}${fed.length > MOST_FED ? "; …" : ""}`;
  }

  /** A weight, in words. @param {Shown} shown @param {number[]} place */
  function weightText({ conv, weights, inputs, output, map }, [channel, y, x]) {
    if (!conv || !weights) return "";
    const [kh, kw] = conv.kernel;
    const value = weights.weight[((map * inputs[0].channels.length / conv.groups + channel) * kh + y) * kw + x];
    return `weight ${short(value)} at row ${y}, column ${x}: multiplies one pixel of every window, ` +
      `${output.height * output.width} in all; the frame shows the first and the last`;
  }

  /** An output as a sum of one term per channel, in words. @param {Now} now @param {Sum} sum @param {number} y @param {number} x */
  function sumText(now, { channels, bias, total }, y, x) {
    const { map, weights } = /** @type {Shown} */ (now.shown);
    const terms = channels.slice(0, MOST_CHANNELS).map(({ channel, sum }) => `${nameOf(now, 0, channel)} ${short(sum)}`);
    if (channels.length > MOST_CHANNELS) terms.push(`${channels.length - MOST_CHANNELS} more channels`);
    if (weights?.bias) terms.push(`bias ${short(bias)}`);
    return `map ${map} at ${y},${x}: ${terms.join(" + ")} = ${short(total)}`;
  }

  /** A small table of numbers; cells of the padding are faint. @param {number[]} values @param {number} width @param {boolean[]} faint */
  function grid(values, width, faint) {
    const table = element("table");
    for (let first = 0; first < values.length; first += width) {
      const row = table.insertRow();
      for (let at = first; at < first + width; at++) row.append(element("td", { className: faint[at] ? "out" : "" }, short(values[at], 3)));
    }
    return table;
  }

  /** Window, kernel and products of every channel. @param {Now} now @param {Sum} sum */
  function products(now, { channels }) {
    const { conv, inputs: [input] } = /** @type {Shown} */ (now.shown);
    return channels.slice(0, MOST_ROWS).map(({ channel, sum, cells }) => {
      const name = element("strong", {}, nameOf(now, 0, channel));
      const total = element("span", {}, `sum ${short(sum)}`);
      if (cells.length > MOST_CELLS || !conv) return element("div", { className: "sum" }, name, `${cells.length} products: `, total);
      const padding = cells.map(({ row, column }) => row < 0 || column < 0 || row >= input.height || column >= input.width);
      const [values, kernel, made] = [cells.map(({ value }) => value), cells.map(({ weight }) => weight), cells.map(({ product }) => product)]
        .map((numbers, index) => grid(numbers, conv.kernel[1], index === 0 ? padding : []));
      return element("div", { className: "sum" }, name, values, "×", kernel, "=", made, "→", total);
    });
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

  /**
   * What is said about a place, and the elements below it.
   *
   * @param {Now} now @param {Data} data @returns {{text: string, details: HTMLElement[]}}
   */
  function explain(now, data) {
    const shown = /** @type {Shown} */ (now.shown);
    const { conv, weights, step, inputs, output, map } = shown;
    const what = now.pinned || now.pointed;
    if (!what) return { text: "", details: output.height === 1 && step ? [bars(shown, data)] : [] };
    const pinned = (/** @type {string} */ text) => (text && now.pinned ? `${text} (pinned)` : text);
    const [y, x] = what.place;
    if (what.kind === "input") return { text: pinned(pixelText(now, y, x)), details: [] };
    if (what.kind === "weight") return { text: pinned(weightText(shown, what.place)), details: [] };
    if (conv && weights) {
      const sum = Convolve.products(inputs[0], conv, weights, map, y, x);
      return { text: pinned(sumText(now, sum, y, x)), details: products(now, sum) };
    }
    if (!step) return { text: "", details: [] };
    const value = short(output.channels[map][y * output.width + x]);
    return { text: pinned(`${step.name}, map ${map} at ${y},${x}: ${Layers.reason(step, inputs, { map, y, x })} = ${value}`), details: [] };
  }

  return { nameOf, explain };
})();
