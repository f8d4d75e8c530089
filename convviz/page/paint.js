"use strict";
/**
 * Values as colours. Nothing here knows of the page, so that a worker may do it.
 *
 * @typedef {Uint8ClampedArray<ArrayBuffer>} Pixels  Red, green, blue and opacity of every pixel.
 * @typedef {{pixels: Pixels, height: number, width: number, low: number, high: number}} Look
 */
const Paint = (() => {
  const POSITIVE = [213, 94, 0];
  const NEGATIVE = [94, 60, 153];
  const NEUTRAL = 247;
  // As `marks` in convviz/render/palette.py: NaN, infinity, minus infinity.
  const NAN = [255, 0, 255];
  const ABOVE = [255, 0, 0];
  const BELOW = [0, 225, 255];

  /** The least and the greatest finite value, 0 where there is none. @param {Float32Array} values @returns {Pair} */
  function ends(values) {
    let [low, high] = [Infinity, -Infinity];
    for (let at = 0; at < values.length; at++) {
      const value = values[at];
      if (value < low && value !== -Infinity) low = value;
      if (value > high && value !== Infinity) high = value;
    }
    return low > high ? [0, 0] : [low, high];
  }

  /** The colour of a value that is not finite. @param {number} value */
  const mark = (value) => (value > 0 ? ABOVE : value < 0 ? BELOW : NAN);

  /**
   * Give the pixels of values that are not finite their colours.
   *
   * @param {Pixels} pixels @param {Float32Array} values @returns {Pixels}
   */
  function marked(pixels, values) {
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
    const [low, high] = ends(values);
    return { pixels: marked(pixels, values), height, width, low, high };
  }

  /**
   * Red, green and blue of one value, orange above 0 and purple below: safe for the colour-blind.
   *
   * @param {number} value @param {number} peak
   */
  function colour(value, peak) {
    if (value - value !== 0) return mark(value);
    const part = peak ? value / peak : 0;
    return (part < 0 ? NEGATIVE : POSITIVE).map((end) => Math.round(NEUTRAL + (end - NEUTRAL) * Math.abs(part)));
  }

  /**
   * `colour` of every value, the strongest with the whole of it.
   *
   * @param {Float32Array} values @param {number} height @param {number} width @returns {Look}
   */
  function signed(values, height, width) {
    const pixels = new Uint8ClampedArray(4 * values.length);
    const words = new Uint32Array(pixels.buffer);
    const [low, high] = ends(values);
    const peak = Math.max(-low, high);
    // From a table of shades, which is three times as fast as mixing every pixel.
    const shades = new Uint32Array(511);
    const bytes = new Uint8Array(shades.buffer);
    for (let shade = -255; shade <= 255; shade++) bytes.set([...colour(shade, 255), 255], 4 * (shade + 255));
    const scale = peak ? 255 / peak : 0;
    for (let at = 0; at < values.length; at++) words[at] = shades[(values[at] * scale + 255.5) | 0];
    return { pixels: marked(pixels, values), height, width, low, high };
  }

  /**
   * Three planes as red, green and blue.
   *
   * @param {Picture} picture @param {number} least @param {number} most @returns {Look}
   */
  function colours({ height, width, planes }, least, most) {
    const pixels = new Uint8ClampedArray(4 * height * width).fill(255);
    const scale = most > least ? 255 / (most - least) : 0;
    for (let channel = 0; channel < 3; channel++)
      for (let at = 0; at < height * width; at++) pixels[4 * at + channel] = (planes[channel][at] - least) * scale;
    for (const plane of planes.slice(0, 3)) marked(pixels, plane);
    return { pixels, height, width, low: least, high: most };
  }

  /**
   * A map made small: means of square parts, so that at most `side` of them stand in a row.
   *
   * @param {Float32Array} values @param {number} height @param {number} width @param {number} side @returns {Look}
   */
  function small(values, height, width, side) {
    const step = Math.ceil(Math.max(height, width) / side);
    if (step === 1) return signed(values, height, width);
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
    return signed(sums, h, w);
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

  return { grey, colour, signed, colours, small, ink };
})();
