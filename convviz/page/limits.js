"use strict";
/**
 * The fields of the form that take numbers, and how far each may go. What is legal stands in `Settings.reason` alone:
 * the limits are found by asking it.
 *
 * Of a `Setting`, `ids` are its fields and `sides` their names; `handy` is where its sliders end if more would be legal.
 * A `Form` is how the user fills it: the names of the rows whose fields are linked, and whether the padding is to keep
 * the size ("same").
 *
 * @typedef {{name: string, words: string, torch: string, hint: string, ids: (typeof Settings.NUMBERS)[number][],
 *   sides: string[], all: string, least: number, handy: number, most?: number}} Setting
 * @typedef {{linked: Set<string>, same: boolean}} Form
 * @typedef {{values: number[], least: number, most: number, below: string, above: string}} Limit
 */
const Limits = (() => {
  // Beyond, no machine holds the maps.
  const ENDLESS = 1 << 22;

  /** @type {Setting[]} */
  const ROWS = [
    { name: "outChannels", words: "number of filters", torch: "out_channels", hint: "Each filter makes one feature map.",
      ids: ["outChannels"], sides: [""], all: "", least: 1, handy: 64, most: 64 },
    { name: "kernel", words: "kernel size", torch: "kernel_size", hint: "Rows and columns of pixels that a filter reads at a time.",
      ids: ["kernelH", "kernelW"], sides: ["height", "width"], all: "both", least: 1, handy: 15 },
    { name: "stride", words: "step of the window", torch: "stride", hint: "Pixels from one window to the next.",
      ids: ["strideH", "strideW"], sides: ["height", "width"], all: "both", least: 1, handy: 8 },
    { name: "padding", words: "padding around the picture", torch: "padding", hint: "Pixels added on each side.",
      ids: ["padTop", "padBottom", "padLeft", "padRight"], sides: ["top", "bottom", "left", "right"], all: "all sides", least: 0, handy: 15 },
    { name: "dilation", words: "spacing of the weights", torch: "dilation", hint: "Pixels from one weight of a kernel to the next.",
      ids: ["dilationH", "dilationW"], sides: ["height", "width"], all: "both", least: 1, handy: 8 },
    { name: "groups", words: "groups of channels", torch: "groups", hint: "Each group of filters reads its own share of the channels.",
      ids: ["groups"], sides: [""], all: "", least: 1, handy: 64, most: 64 },
  ];

  /** The padding that keeps the size at stride 1, split as torch splits it. @param {State} state */
  function samePadding({ kernelH, kernelW, dilationH, dilationW }) {
    const [tall, wide] = [Convolve.span(kernelH, dilationH) - 1, Convolve.span(kernelW, dilationW) - 1];
    return {
      padTop: Math.floor(tall / 2), padBottom: Math.ceil(tall / 2),
      padLeft: Math.floor(wide / 2), padRight: Math.ceil(wide / 2),
    };
  }

  /** Whether the padding of a state is that of "same". @param {State} state */
  const isSame = (state) => Object.entries(samePadding(state)).every(([id, value]) => /** @type {any} */ (state)[id] === value);

  /**
   * The state after a field of a row has changed.
   *
   * @param {State} state @param {Setting} row @param {string} id @param {number} value @param {Form} form @param {Data} data
   * @param {Picture} picture @returns {State}
   */
  function wanted(state, row, id, value, form, data, picture) {
    const ids = form.linked.has(row.name) ? row.ids : [id];
    const next = { ...state, ...Object.fromEntries(ids.map((one) => [one, value])) };
    const found = Settings.follow(state, next, id, data, picture);
    const follows = form.same && (row.name === "kernel" || row.name === "dilation");
    return follows && Number.isInteger(value) ? { ...found, ...samePadding(found) } : found;
  }

  /**
   * The values that a slider offers, the ends of what is legal, and why it ends there; `above` is empty if nothing ends it.
   *
   * @param {State} state @param {Setting} row @param {string} id @param {Form} form @param {Data} data @param {Picture} picture
   * @returns {Limit}
   */
  function reach(state, row, id, form, data, picture) {
    /** @param {number} value */
    const reason = (value) => Settings.reason(wanted(state, row, id, value, form, data, picture), data, picture);
    const now = /** @type {any} */ (state)[id];
    const values = [];
    for (let value = row.least; value <= Math.max(row.handy, now); value++) if (value === now || !reason(value)) values.push(value);
    const least = values[0];
    let most = values[values.length - 1];
    if (!row.most && most >= row.handy) {
      let beyond = 2 * most;
      while (beyond < ENDLESS && !reason(beyond)) [most, beyond] = [beyond, 2 * beyond];
      while (beyond - most > 1) {
        const middle = Math.floor((most + beyond) / 2);
        if (reason(middle)) beyond = middle;
        else most = middle;
      }
    }
    const endless = most >= ENDLESS / 2;
    return {
      values, least, most: endless ? Infinity : most,
      below: least > row.least ? reason(least - 1) : "",
      above: endless ? "" : reason((row.most || most) + 1),
    };
  }

  /** The next legal value above or below. @param {Limit} reach @param {number} value @param {number} step */
  function next({ values, most }, value, step) {
    if (step < 0) return values.filter((one) => one < value).pop();
    return values.find((one) => one > value) ?? (value < most ? value + 1 : undefined);
  }

  return { ROWS, samePadding, isSame, wanted, reach, next };
})();
