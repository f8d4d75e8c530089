"use strict";
/** How maps look: the scale of each, the bar that states it, and small pictures of them. */
const Looks = (() => {
  // The scale of a map with at most this many rows and columns goes from its minimum to its maximum, as on a sheet.
  const MOST_WHOLE = 26;

  /** Red, green and blue of each level, by the names of the scales. @type {Record<string, Uint8Array>} */
  let tables = {};
  /** The scales that are in use, by the arrays that share them. @type {WeakMap<object, Tone>} */
  let tones = new WeakMap();
  let painted = "";

  /** @param {Record<string, string>} packed */
  function start(packed) {
    tables = Object.fromEntries(Object.entries(packed).map(([name, text]) =>
      [name, Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]));
  }

  /** Forget all scales if maps are painted in another way than before. @param {State} state */
  function refresh(state) {
    const looks = [state.colormap, state.limits, state.scale, state.channelScale].join();
    if (looks !== painted) {
      tones = new WeakMap();
      Panes.forget();
    }
    painted = looks;
  }

  /** The scale of one map, its own or the shared one. @param {Now} now @param {Float32Array} values @param {Picture} of @param {string} [scale] @returns {Tone} */
  function toneOf({ state, shown }, values, of, scale = state.scale) {
    const every = scale === "global" && shown?.net
      ? [...shown.net.answer.outputs].filter(([name]) => name !== "input").map(([, one]) => one)
      : [of];
    const key = scale === "map" ? values : every[0].channels;
    const known = tones.get(key);
    if (known) return known;
    const arrays = scale === "map" ? [values] : every.flatMap(({ channels }) => channels);
    const found = Paint.tone(arrays, state, every.every(({ height, width }) => Math.max(height, width) <= MOST_WHOLE));
    tones.set(key, found);
    return found;
  }

  /** From the least value of a channel to the greatest. @param {Float32Array} values @returns {Tone} */
  function wholeRange(values) {
    const found = tones.get(values) || Paint.tone([values], { colormap: "gray", limits: "minmax", scale: "map" }, true);
    tones.set(values, found);
    return found;
  }

  /**
   * How a channel of an input looks: pictures are grey, activations have the colours of maps.
   *
   * @param {Now} now @param {number} index @param {number} channel
   * @returns {{tone: Tone, colormap: string, paint: (values: Float32Array, height: number, width: number) => Look}}
   */
  function ofChannel(now, index, channel) {
    const { state, input, shown } = now;
    const of = /** @type {Shown} */ (shown).inputs[index];
    const values = of.channels[channel];
    const own = state.channelScale === "own";
    const picture = of === input.picture && !input.activations;
    const colormap = picture ? "gray" : state.colormap;
    const tone = !picture ? toneOf(now, values, of, own ? "map" : "layer")
      : own ? wholeRange(values)
      : { low: input.low, high: input.high, signed: false };
    return { tone, colormap, paint: (some, height, width) => Paint.toned(some, height, width, tone, tables[colormap]) };
  }

  /** Values in the colours of the page. @param {State} state @param {Float32Array} values @param {number} height @param {number} width @param {Tone} tone */
  const look = (state, values, height, width, tone) => Paint.toned(values, height, width, tone, tables[state.colormap]);

  /** A small map, on a canvas that may be there. @param {Now} now @param {Small} one @param {Picture} of @param {HTMLCanvasElement} [canvas] */
  const thumbnail = (now, { values, height, width }, of, canvas) =>
    Panes.canvasOf(look(now.state, values, height, width, toneOf(now, values, of)), canvas);

  /** The colours of a scale between its ends, with a line at 0. @param {string} colormap @param {Tone} tone */
  function bar(colormap, { low, high, signed }) {
    const table = tables[colormap];
    const stops = Array.from({ length: 17 }, (_, at) => {
      const level = Math.max(signed ? 1 : 0, Math.round((255 * at) / 16));
      return `rgb(${table.subarray(3 * level, 3 * level + 3).join()})`;
    });
    const colours = Dom.element("div", { className: "colours" });
    colours.style.background = `linear-gradient(to right, ${stops.join()})`;
    if (low < 0 && high > 0) {
      const zero = Dom.element("div", { className: "zero" });
      zero.style.left = `${(-100 * low) / (high - low)}%`;
      colours.append(zero);
    }
    const [least, most] = [low, high].map((value) => Words.short(value, 3));
    const label = `scale from ${least} to ${most}`;
    const made = Dom.element("div", { className: "scale", title: label },
      Dom.element("span", {}, least), colours, Dom.element("span", {}, most));
    made.setAttribute("role", "img");
    made.setAttribute("aria-label", label);
    return made;
  }

  return { start, refresh, toneOf, ofChannel, look, thumbnail, bar, names: () => Object.keys(tables) };
})();
