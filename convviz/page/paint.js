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
 * @typedef {{lows: ArrayLike<number>, highs: ArrayLike<number>, counts: number[]|null, middle: number}} Spread
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
  // One of so many values is in a sample. Of the values at either end, twice the share that is asked for is counted,
  // and this share more.
  const EVERY = 509;
  const SPARE = 0.01;
  // A bin is the upper half of the 32 bits of a number: its sign, and its magnitude. From INFINITE on none is finite.
  const SIGN = 0x8000;
  const INFINITE = 0x7f80;
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

  /** The extremes of all arrays. @param {Float32Array[]} arrays */
  function extremes(arrays) {
    const every = arrays.map(ends);
    return [Math.min(...every.map(({ low }) => low)), Math.max(...every.map(({ high }) => high))];
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

  /** The finite values of arrays in ascending order, or one of so many. @param {Float32Array[]} arrays @param {number} every */
  function sorted(arrays, every) {
    const found = new Float32Array(arrays.reduce((sum, { length }) => sum + Math.ceil(length / every), 0));
    let count = 0;
    for (const values of arrays)
      for (let at = 0; at < values.length; at += every) if (Number.isFinite(values[at])) found[count++] = values[at];
    return found.subarray(0, count).sort();
  }

  const block = new Float32Array(BLOCK);
  const bits = new Uint32Array(block.buffer);
  const binOf = (/** @type {number} */ number) => ((block[0] = number), bits[0] >>> 16);
  const startOf = (/** @type {number} */ bin) => ((bits[0] = bin << 16), block[0]);

  /**
   * Take the values of an array outside two values into the block, from a place on; returns how many.
   *
   * @param {Float32Array} values @param {number} from @param {number} first @param {number} last
   */
  function outside(values, from, first, last) {
    const to = Math.min(from + BLOCK, values.length);
    let held = 0;
    for (let at = from; at < to; at++) {
      const value = values[at];
      if (value > first && value < last) continue;
      block[held++] = value;
    }
    return held;
  }

  /**
   * Count values in bins, less those between two values, which are most: to count one takes five times as long as to
   * leave it out. Of each array the extremes are learned on the way.
   *
   * @param {Float32Array[]} arrays @param {number} half  Half of a typical value, from where bins are counted.
   * @param {number} first @param {number} last
   */
  function counted(arrays, half, first, last) {
    const counts = new Uint32Array(1 << 16);
    let between = 0;
    for (const values of arrays) {
      let [least, most, finite] = [Infinity, -Infinity, true];
      between += values.length;
      for (let from = 0; from < values.length; from += BLOCK) {
        const held = outside(values, from, first, last);
        between -= held;
        for (let at = 0; at < held; at++) {
          const value = block[at];
          if (value - value !== 0) finite = false;
          if (value < least) least = value;
          if (value > most) most = value;
          block[at] = value / 2 - half;
        }
        // Many at once: bits that are read where a number was just written make the processor wait.
        for (let at = 0; at < held; at++) counts[bits[at] >>> 16]++;
      }
      // Extremes are outside, unless all values of a side are inside.
      if (finite && least <= first && most >= last) surveyed.set(values, { low: least, high: most, finite });
    }
    return { counts, between };
  }

  /**
   * The finite values of arrays in ascending order: each by itself, or many in bins, as in convviz/compute/spread.py.
   * `counts` is null where each value is by itself.
   *
   * Bins are narrowest near a typical value: at most 1/128 of the distance of their values from there. Where the share
   * of values that matters at either end is small, all others are one bin, at `middle`.
   *
   * @param {Float32Array[]} arrays @param {number} share @param {boolean} centred  Whether the ends of magnitudes matter.
   * @returns {Spread}
   */
  function spread(arrays, share, centred) {
    if (arrays.reduce((sum, { length }) => sum + length, 0) <= FEW) {
      const values = sorted(arrays, 1);
      return { lows: values, highs: values, counts: null, middle: -1 };
    }
    const few = sorted(arrays, EVERY);
    const half = (few[few.length >> 1] || 0) / 2;
    const rank = Math.floor(share * few.length);
    const part = share < 0.5 && few.length;
    const last = part ? (centred ? few.map(Math.abs).sort() : few)[few.length - 1 - rank] : -Infinity;
    const first = part ? (centred ? -last : few[rank]) : Infinity;
    const { counts, between } = counted(arrays, half, first, last);
    // The bins in which values were left out, and those between.
    const [below, above] = part ? [half - first / 2, last / 2 - half].map((place) => (binOf(place) & ~SIGN) + 1) : [0, 0];
    let inner = between;
    for (let bin = 0; bin < below; bin++) inner += counts[SIGN | bin];
    for (let bin = 0; bin < above; bin++) inner += counts[bin];
    const [least, most] = extremes(arrays);
    const within = (/** @type {number} */ place) => Math.min(Math.max(2 * half + 2 * place, least), most);
    /** @type {number[][]} */
    const [lows, highs, numbers] = [[], [], []];
    /** @param {number} low @param {number} high @param {number} count */
    const add = (low, high, count) => {
      if (count) lows.push(within(low)), highs.push(within(high)), numbers.push(count);
    };
    // The bins of negative numbers come in descending order of their magnitudes.
    for (let bin = INFINITE - 1; bin >= below; bin--) add(bin ? -startOf(bin + 1) : 0, -startOf(bin), counts[SIGN | bin]);
    const middle = inner ? lows.length : -1;
    add(-startOf(below), startOf(above), inner);
    for (let bin = above; bin < INFINITE; bin++) add(startOf(bin), bin ? startOf(bin + 1) : 0, counts[bin]);
    return { lows, highs, counts: numbers, middle };
  }

  /** The magnitudes of what is spread, in ascending order: merged from both ends, where they are largest. @param {Spread} spread */
  function sizes({ lows, highs, counts, middle }) {
    const edges = new Float64Array(lows.length);
    const numbers = counts && Array(lows.length);
    let place = lows.length;
    let [first, last, inner] = [0, lows.length - 1, -1];
    const size = (/** @type {number} */ at) => Math.max(-lows[at], highs[at]);
    while (place--) {
      const at = size(first) > size(last) ? first++ : last--;
      edges[place] = size(at);
      if (counts && numbers) numbers[place] = counts[at];
      if (at === middle) inner = place;
    }
    return { edges, counts: numbers, middle: inner };
  }

  /**
   * A percentile of ascending edges: between known values as numpy computes it; NaN if it is in the middle.
   *
   * @param {ArrayLike<number>} edges @param {{counts: number[]|null, middle: number}} spread @param {number} percent
   */
  function percentile(edges, { counts, middle }, percent) {
    const total = counts ? counts.reduce((sum, count) => sum + count, 0) : edges.length;
    if (!total) return 0; // no value is finite
    const place = (percent / 100) * (total - 1);
    const [below, above] = [Math.floor(place), Math.ceil(place)].map((rank) => {
      if (!counts) return edges[rank];
      let at = 0;
      for (let sum = counts[0]; sum <= rank; sum += counts[++at]);
      return at === middle ? NaN : edges[at];
    });
    return below + (above - below) * (place % 1);
  }

  /**
   * The percentiles at both ends, and whether they lie in one bin: then they are equal, as far as is known.
   *
   * @param {Float32Array[]} arrays @param {number} percent @param {boolean} centred @param {number} [share]
   * @returns {{low: number, high: number, one: boolean}}
   */
  function cut(arrays, percent, centred, share = (2 * percent) / 100 + SPARE) {
    const found = spread(arrays, share, centred);
    const magnitudes = centred ? sizes(found) : null;
    const high = magnitudes ? percentile(magnitudes.edges, magnitudes, 100 - percent) : percentile(found.highs, found, 100 - percent);
    const low = magnitudes ? -high : percentile(found.lows, found, percent);
    // The sample was far from all values: count them.
    if (Number.isNaN(low + high)) return cut(arrays, percent, centred, 1);
    return { low, high, one: !centred && low === percentile(found.lows, found, 100 - percent) };
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
    const centred = signed || wanted.kind === "symmetric";
    const found = percent ? cut(arrays, percent, centred) : null;
    const [least, most] = extremes(arrays);
    if (centred) {
      const peak = found?.high || Math.max(-least, most) || 1;
      return { low: -peak, high: peak, signed: true };
    }
    let [low, high] = found ? [found.low, found.high] : [least, most];
    if (low === high || found?.one) [low, high] = [least, most];
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
