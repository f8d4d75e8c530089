"use strict";
/**
 * Another picture: its pixels become the channels that `convviz run` reads from the same file.
 *
 * A `Source` is what a command needs to read the picture: its path, and options.
 *
 * @typedef {{path: string, words: string[]}} Source
 * @typedef {{picture: Picture, names: string[], low: number, high: number, words: string[]}} Read
 */
const Pictures = (() => {
  const MOST_SIDE = 1024;

  /**
   * The weighted mean that each of `count` pixels is, along an axis of `length` pixels: a triangle as wide as a new
   * pixel, as `Image.Resampling.BILINEAR` of Pillow.
   *
   * @param {number} length @param {number} count
   */
  function shares(length, count) {
    const scale = length / count;
    const support = Math.max(1, scale);
    return Array.from({ length: count }, (_, at) => {
      const centre = (at + 0.5) * scale;
      const first = Math.max(0, Math.trunc(centre - support + 0.5));
      const last = Math.min(length, Math.trunc(centre + support + 0.5));
      const found = Array.from({ length: last - first }, (_, step) =>
        Math.max(0, 1 - Math.abs((first + step - centre + 0.5) / support)));
      const sum = found.reduce((all, one) => all + one, 0);
      return { first, weights: found.map((one) => one / sum) };
    });
  }

  /** @param {Float32Array} values @param {Pair} size @param {Pair} wanted @returns {Float32Array} */
  function resized(values, [height, width], [tall, wide]) {
    if (height === tall && width === wide) return values;
    const [rows, columns] = [shares(height, tall), shares(width, wide)];
    const narrow = new Float32Array(height * wide);
    for (let y = 0; y < height; y++)
      columns.forEach(({ first, weights }, x) => {
        let sum = 0;
        for (let at = 0; at < weights.length; at++) sum += values[y * width + first + at] * weights[at];
        narrow[y * wide + x] = sum;
      });
    const made = new Float32Array(tall * wide);
    rows.forEach(({ first, weights }, y) => {
      for (let x = 0; x < wide; x++) {
        let sum = 0;
        for (let at = 0; at < weights.length; at++) sum += narrow[(first + at) * wide + x] * weights[at];
        made[y * wide + x] = sum;
      }
    });
    return made;
  }

  /** Why the page cannot read other pictures; empty if it can. @param {Data} data */
  function reason(data) {
    if (data.network) return "this page holds what the network made of its own picture; convviz explore makes a page of another one.";
    const channels = data.single ? 3 : data.shape[0];
    if (channels !== 1 && channels !== 3) return `the network reads ${channels} channels, which no picture has.`;
    const given = data.normalize ? data.normalize.mean.length : 1;
    return given === 1 || given === channels ? "" : `--normalize is for ${given} channels, but a picture has ${channels}.`;
  }

  /**
   * Read pixels of red, green, blue and opacity: at most 1024 along a side; for a network, in the size that it reads.
   *
   * @param {Uint8ClampedArray} pixels @param {number} height @param {number} width @param {Data} data @returns {Read}
   */
  function read(pixels, height, width, data) {
    const limit = Math.min(1, MOST_SIDE / Math.max(height, width));
    /** @type {Pair} */
    const size = data.single
      ? [Math.max(1, Math.round(height * limit)), Math.max(1, Math.round(width * limit))]
      : [data.shape[1], data.shape[2]];
    const grey = !data.single && data.shape[0] === 1;
    const { most, normalize } = data;
    // The luminance of ITU-R BT.601, not rounded, as convviz reads it.
    const weights = grey ? [[0.299, 0.587, 0.114]] : [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
    const channels = weights.map(([red, green, blue], index) => {
      const values = new Float32Array(height * width);
      for (let at = 0; at < values.length; at++)
        values[at] = ((red * pixels[4 * at] + green * pixels[4 * at + 1] + blue * pixels[4 * at + 2]) / 255) * most;
      const found = resized(values, [height, width], size);
      if (!normalize) return found;
      const [mean, deviation] = [normalize.mean, normalize.std].map((given) => given[index % given.length]);
      return found.map((value) => (value - mean) / deviation);
    });
    return {
      picture: { height: size[0], width: size[1], channels },
      names: grey ? data.channels : ["R", "G", "B"],
      ...(normalize ? { low: data.low, high: data.high } : { low: 0, high: most }),
      words: [
        grey ? "--mode gray" : "--mode rgb",
        ...(size[0] === height && size[1] === width ? [] : [`--resize ${size.join("x")}`]),
        ...data.prepared,
      ],
    };
  }

  return { reason, read };
})();
