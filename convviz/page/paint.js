"use strict";
/**
 * Values as colours. Nothing here uses the page, so a worker can run it.
 *
 * @typedef {Uint8ClampedArray<ArrayBuffer>} Pixels  Red, green, blue and opacity of every pixel.
 * @typedef {{pixels: Pixels, height: number, width: number, low: number, high: number}} Look
 * @typedef {{kind: string, percent: number, low: number, high: number}} Limits
 * @typedef {{colormap: string, limits: string, scale: string}} Looks
 * @typedef {{low: number, high: number, signed: boolean}} Tone
 * @typedef {{low: number, high: number, finite: boolean}} Ends
 * @typedef {{lows: Float64Array|Float32Array, highs: Float64Array|Float32Array, counts: Uint32Array|null}} Spread
 * @typedef {{values: Float32Array, height: number, width: number}} Small
 */
const Paint = (() => {
  const POSITIVE = [213, 94, 0];
  const NEGATIVE = [94, 60, 153];
  const NEUTRAL = 247;
  // Black is 0 where no value is negative, unless the others would lose more than this share of the scale.
  const MOST_FOR_ZERO = 0.1;
  // More values are counted in bins: to sort them takes several milliseconds.
  const FEW = 1 << 14;
  const BLOCK = 1 << 12;
  // As `marks` in convviz/render/palette.py: NaN, infinity, minus infinity.
  const NAN = [255, 0, 255];
  const ABOVE = [255, 0, 0];
  const BELOW = [0, 225, 255];

  /** The extremes of arrays that were painted; such an array is not changed afterwards. @type {WeakMap<Float32Array, Ends>} */
  const surveyed = new WeakMap();

  /** The least and the greatest finite value, 0 where there is none, and whether all are finite. @param {Float32Array} values @returns {Ends} */
  function ends(values) {
    const known = surveyed.get(values);
    if (known) return known;
    let at = 0;
    while (at < values.length && !Number.isFinite(values[at])) at++;
    let [low, high, finite] = at < values.length ? [values[at], values[at], at === 0] : [0, 0, at === 0];
    for (; at < values.length; at++) {
      const value = values[at];
      // A value below the least one is not above the greatest: one comparison less takes a third of the time.
      if (value < low) {
        if (value === -Infinity) finite = false;
        else low = value;
      } else if (!(value <= high)) {
        if (value < Infinity) high = value;
        else finite = false;
      }
    }
    const found = { low, high, finite };
    surveyed.set(values, found);
    return found;
  }

  /** The colour of a value that is not finite. @param {number} value */
  const mark = (value) => (value > 0 ? ABOVE : value < 0 ? BELOW : NAN);

  /**
   * Give the pixels of values that are not finite their colours.
   *
   * @param {Pixels} pixels @param {Float32Array} values @returns {Pixels}
   */
  function marked(pixels, values) {
    if (ends(values).finite) return pixels;
    for (let at = 0; at < values.length; at++)
      if (values[at] - values[at] !== 0) pixels.set(mark(values[at]), 4 * at);
    return pixels;
  }

  /**
   * Grey from black at `least` to white at `most`.
   *
   * @param {Float32Array} values @param {number} height @param {number} width @param {number} least
   * @param {number} most @returns {Look}
   */
  function grey(values, height, width, least, most) {
    const pixels = new Uint8ClampedArray(4 * values.length);
    const scale = most > least ? 255 / (most - least) : 0;
    for (let at = 0; at < values.length; at++) {
      pixels[4 * at] = pixels[4 * at + 1] = pixels[4 * at + 2] = (values[at] - least) * scale;
      pixels[4 * at + 3] = 255;
    }
    const { low, high } = ends(values);
    return { pixels: marked(pixels, values), height, width, low, high };
  }

  /**
   * Red, green and blue of one weight, orange above 0 and purple below: safe for the colour-blind.
   *
   * @param {number} value @param {number} peak
   */
  function colour(value, peak) {
    if (value - value !== 0) return mark(value);
    const part = peak ? value / peak : 0;
    return (part < 0 ? NEGATIVE : POSITIVE).map((end) => Math.round(NEUTRAL + (end - NEUTRAL) * Math.abs(part)));
  }

  /** Values in the signed colours, `peak` the strongest. @param {Float32Array} values @param {number} height @param {number} width @param {number} peak @returns {Look} */
  function signed(values, height, width, peak) {
    const pixels = new Uint8ClampedArray(4 * values.length).fill(255);
    for (let at = 0; at < values.length; at++) pixels.set(colour(values[at], peak), 4 * at);
    const { low, high } = ends(values);
    return { pixels, height, width, low, high };
  }

  /** Limits as they are typed; null where they are not legal. @param {string} text @returns {Limits|null} */
  function limits(text) {
    const [kind, ...rest] = text.split(":");
    if (kind === "minmax" || kind === "symmetric") return rest.length ? null : { kind, percent: 0, low: 0, high: 0 };
    if (kind === "percentile") {
      const percent = rest.length ? Number(rest.join(":") || NaN) : 1;
      return percent >= 0 && percent < 50 ? { kind, percent, low: 0, high: 0 } : null;
    }
    const found = text.split(",").map((one) => (one.trim() ? Number(one) : NaN));
    return found.length === 2 && found.every(Number.isFinite) && found[0] < found[1]
      ? { kind: "fixed", percent: 0, low: found[0], high: found[1] }
      : null;
  }

  /**
   * The finite values of arrays in ascending order: each by itself, or many in bins, as in convviz/compute/spread.py.
   * `counts` is null where each value is by itself.
   *
   * Bins are narrowest near a typical value: at most 1/128 of the distance of their values from there.
   *
   * @param {Float32Array[]} arrays @param {number} least @param {number} most  The extremes of all.
   * @returns {Spread}
   */
  function spread(arrays, least, most) {
    const size = arrays.reduce((sum, { length }) => sum + length, 0);
    const sorted = (/** @type {number} */ every) => {
      const found = new Float32Array(size);
      let count = 0;
      for (const values of arrays)
        for (let at = 0; at < values.length; at += every) if (Number.isFinite(values[at])) found[count++] = values[at];
      return found.subarray(0, count).sort();
    };
    if (size <= FEW) {
      const values = sorted(1);
      return { lows: values, highs: values, counts: null };
    }
    const few = sorted(509);
    const half = (few[few.length >> 1] || 0) / 2;
    const block = new Float32Array(BLOCK);
    const bits = new Uint32Array(block.buffer);
    const counts = new Uint32Array(1 << 16);
    for (const values of arrays)
      for (let first = 0; first < values.length; first += BLOCK) {
        // Many at once: bits that are read where a value was just written make the processor wait.
        const count = Math.min(BLOCK, values.length - first);
        for (let at = 0; at < count; at++) block[at] = values[first + at] / 2 - half;
        for (let at = 0; at < count; at++) counts[bits[at] >>> 16]++;
      }
    const start = (/** @type {number} */ upper) => ((bits[0] = upper << 16), 2 * block[0]);
    const within = (/** @type {number} */ value) => Math.min(Math.max(value, least), most);
    const [lows, highs, numbers] = [new Float64Array(1 << 16), new Float64Array(1 << 16), new Uint32Array(1 << 16)];
    let used = 0;
    for (let place = 0; place < counts.length; place++) {
      // The bins of negative numbers come in descending order, and after the others.
      const bin = place < 0x8000 ? 0xffff - place : place - 0x8000;
      const upper = bin & 0x7fff;
      if (!counts[bin] || upper >= 0x7f80) continue;
      const [inner, outer] = [start(upper), upper ? start(upper + 1) : 0];
      lows[used] = within(2 * half + (bin === upper ? inner : -outer));
      highs[used] = within(2 * half + (bin === upper ? outer : -inner));
      numbers[used++] = counts[bin];
    }
    return { lows: lows.subarray(0, used), highs: highs.subarray(0, used), counts: numbers.subarray(0, used) };
  }

  /** The magnitudes of what is spread, in ascending order: merged from both ends, where they are largest. @param {Spread} spread */
  function sizes({ lows, highs, counts }) {
    const edges = new Float64Array(lows.length);
    const numbers = counts && new Uint32Array(lows.length);
    let [first, last] = [0, lows.length - 1];
    const size = (/** @type {number} */ at) => Math.max(-lows[at], highs[at]);
    for (let place = last; place >= 0; place--) {
      const at = size(first) > size(last) ? first++ : last--;
      edges[place] = size(at);
      if (counts && numbers) numbers[place] = counts[at];
    }
    return { edges, counts: numbers };
  }

  /**
   * A percentile of ascending edges: between known values as numpy computes it.
   *
   * @param {ArrayLike<number>} edges @param {Uint32Array|null} counts @param {number} percent
   */
  function percentile(edges, counts, percent) {
    const total = counts ? counts.reduce((sum, count) => sum + count, 0) : edges.length;
    if (!total) return 0; // no value is finite
    const place = (percent / 100) * (total - 1);
    const [below, above] = [Math.floor(place), Math.ceil(place)].map((rank) => {
      if (!counts) return edges[rank];
      let at = 0;
      for (let sum = counts[0]; sum <= rank; sum += counts[++at]);
      return edges[at];
    });
    return below + (above - below) * (place % 1);
  }

  /**
   * Choose the values at the ends of the scale of maps that share them: the rule of `convviz/render/contrast.py`.
   *
   * @param {Float32Array[]} arrays @param {Looks} looks @param {boolean} whole  Whether they are so small that nothing is cut.
   * @returns {Tone}
   */
  function tone(arrays, looks, whole) {
    const wanted = /** @type {Limits} */ (limits(looks.limits));
    const signed = looks.colormap === "signed";
    if (wanted.kind === "fixed") return { low: wanted.low, high: wanted.high, signed };
    const percent = whole ? 0 : wanted.percent;
    const every = arrays.map(ends);
    const least = Math.min(...every.map(({ low }) => low));
    const most = Math.max(...every.map(({ high }) => high));
    const centred = signed || wanted.kind === "symmetric";
    const found = percent ? spread(arrays, least, most) : null;
    if (centred) {
      const { edges, counts } = found ? sizes(found) : { edges: [], counts: null };
      const peak = percentile(edges, counts, 100 - percent) || Math.max(-least, most) || 1;
      return { low: -peak, high: peak, signed: true };
    }
    let [low, high] = found
      ? [percentile(found.lows, found.counts, percent), percentile(found.highs, found.counts, 100 - percent)]
      : [least, most];
    // Percentiles in one bin are equal, as far as is known.
    if (low === high || (found && low === percentile(found.lows, found.counts, 100 - percent))) [low, high] = [least, most];
    if (wanted.kind === "percentile" && !whole && least >= 0 && low <= MOST_FOR_ZERO * high) low = 0;
    if (low === high) [low, high] = [Math.min(low, 0), Math.max(high, 0) || Number(low === 0)];
    return { low, high, signed: false };
  }

  /** The pixels of a table's levels, as words. @type {WeakMap<Uint8Array, Uint32Array>} */
  const shaded = new WeakMap();

  /** @param {Uint8Array} table */
  function shadesOf(table) {
    const known = shaded.get(table);
    if (known) return known;
    const shades = new Uint32Array(256);
    const bytes = new Uint8Array(shades.buffer);
    for (let level = 0; level < 256; level++) bytes.set([...table.subarray(3 * level, 3 * level + 3), 255], 4 * level);
    shaded.set(table, shades);
    return shades;
  }

  /**
   * Values in the colours of a table, one of 256 for each level.
   *
   * @param {Float32Array} values @param {number} height @param {number} width @param {Tone} scale
   * @param {Uint8Array} table  Red, green and blue of every level.
   * @returns {Look}
   */
  function toned(values, height, width, scale, table) {
    const pixels = new Uint8ClampedArray(4 * values.length);
    const words = new Uint32Array(pixels.buffer);
    const shades = shadesOf(table);
    // A signed scale has 0 at level 128, in the middle of 1 to 255.
    const [base, by, middle, least] = scale.signed
      ? [0, 127 / scale.high, 128.5, 1]
      : [scale.low, 255 / (scale.high - scale.low), 0.5, 0];
    for (let at = 0; at < values.length; at++) {
      const level = (values[at] - base) * by + middle;
      words[at] = shades[level < least ? least : level > 255 ? 255 : level | 0];
    }
    const { low, high } = ends(values);
    return { pixels: marked(pixels, values), height, width, low, high };
  }

  /**
   * Three channels as red, green and blue.
   *
   * @param {Picture} picture @param {number} least @param {number} most @returns {Look}
   */
  function colours({ height, width, channels }, least, most) {
    const pixels = new Uint8ClampedArray(4 * height * width).fill(255);
    const scale = most > least ? 255 / (most - least) : 0;
    for (let channel = 0; channel < 3; channel++)
      for (let at = 0; at < height * width; at++) pixels[4 * at + channel] = (channels[channel][at] - least) * scale;
    for (const values of channels.slice(0, 3)) marked(pixels, values);
    return { pixels, height, width, low: least, high: most };
  }

  /**
   * A map made small: means of square blocks, at most `side` of them in a row.
   *
   * @param {Float32Array} values @param {number} height @param {number} width @param {number} side @returns {Small}
   */
  function small(values, height, width, side) {
    const step = Math.ceil(Math.max(height, width) / side);
    if (step === 1) return { values: values.slice(), height, width };
    const [h, w] = [Math.ceil(height / step), Math.ceil(width / step)];
    const sums = new Float32Array(h * w);
    for (let y = 0, at = 0; y < height; y++) {
      const first = Math.floor(y / step) * w;
      for (let part = 0; part < w; part++) {
        let sum = 0;
        for (const end = y * width + Math.min(width, (part + 1) * step); at < end; at++) sum += values[at];
        sums[first + part] += sum;
      }
    }
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++)
        sums[y * w + x] /= Math.min(step, height - y * step) * Math.min(step, width - x * step);
    return { values: sums, height: h, width: w };
  }

  /**
   * Black or white, whichever has more contrast with a colour as WCAG 2 defines it: always 4.5 or more.
   *
   * @param {Iterable<number>} rgb
   */
  function ink(rgb) {
    const [red, green, blue] = Array.from(rgb, (level) =>
      level <= 10 ? level / 255 / 12.92 : ((level / 255 + 0.055) / 1.055) ** 2.4);
    const light = 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
    return light / 0.05 > 1.05 / light ? "#000000" : "#ffffff";
  }

  return { grey, colour, signed, limits, tone, toned, colours, small, ink };
})();
