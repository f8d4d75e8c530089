"use strict";
/**
 * Another picture: its pixels become the channels that `convviz run` reads from the same file.
 *
 * A `Source` is what a command needs to read the picture: its path, and options; of a picture of the user, `about` says
 * what was made of it.
 *
 * @typedef {{path: string, words: string[], about?: string, drawn?: boolean}} Source
 * @typedef {{picture: Picture, names: string[], low: number, high: number, words: string[], scaled: string}} Read
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

  /** Why the page cannot read other pictures; empty if it can. @param {Data} data @param {boolean} [grey] */
  function reason(data, grey = false) {
    if (data.network) return "this page holds what the network made of its own picture; convviz explore makes a page of another one.";
    const channels = !data.single ? data.shape[0] : grey ? 1 : 3;
    if (channels !== 1 && channels !== 3) return `the network reads ${channels} channels, which no picture has.`;
    const given = data.normalize ? data.normalize.mean.length : 1;
    return given === 1 || given === channels ? "" : `--normalize is for ${given} channels, but ${grey ? "this" : "a"} picture has ${channels}.`;
  }

  /** How many components the colours of a JPEG file have; 0 if it is none. @param {Uint8Array} bytes */
  function components(bytes) {
    if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return 0;
    for (let at = 2; at + 9 < bytes.length; ) {
      if (bytes[at] !== 0xff) return 0;
      const kind = bytes[at + 1];
      // A start of frame; those of Huffman tables and arithmetic coding have numbers between.
      if (kind >= 0xc0 && kind <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(kind)) return bytes[at + 9];
      at += kind === 0xff ? 1 : 2 + (bytes[at + 2] << 8) + bytes[at + 3];
    }
    return 0;
  }

  /**
   * Read samples, by default red, green, blue and opacity: grey pictures as one channel, colours as three, without their
   * opacity; at most 1024 along a side; for a network, in the size that it reads.
   *
   * @param {ArrayLike<number>} samples @param {number} height @param {number} width @param {Data} data
   * @param {{count: number, full: number, grey: boolean}} [form] @returns {Read}
   */
  function read(samples, height, width, data, { count, full, grey } = { count: 4, full: 255, grey: false }) {
    const limit = Math.min(1, MOST_SIDE / Math.max(height, width));
    /** @type {Pair} */
    const size = data.single
      ? [Math.max(1, Math.round(height * limit)), Math.max(1, Math.round(width * limit))]
      : [data.shape[1], data.shape[2]];
    const { normalize } = data;
    const most = data.prepared.includes("--range raw") ? full : data.most;
    const single = data.single ? grey : data.shape[0] === 1;
    // The luminance of ITU-R BT.601, not rounded, as convviz reads it.
    const weights = grey ? [[1]] : single ? [[0.299, 0.587, 0.114]] : [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
    const found = weights.map((shares) => {
      const values = new Float32Array(height * width);
      for (let at = 0; at < values.length; at++) {
        let sum = 0;
        for (let one = 0; one < shares.length; one++) sum += shares[one] * samples[count * at + one];
        values[at] = (sum / full) * most;
      }
      return resized(values, [height, width], size);
    });
    // Each channel of a colour picture is the grey one.
    const channels = (grey && !single ? [found[0], found[0], found[0]] : found).map((values, index) => {
      if (!normalize) return values;
      const [mean, deviation] = [normalize.mean, normalize.std].map((given) => given[index % given.length]);
      return values.map((value) => (value - mean) / deviation);
    });
    const names = channels.length === 3 ? ["R", "G", "B"] : ["gray"];
    const scaled = size[0] !== height || size[1] !== width;
    return {
      picture: { height: size[0], width: size[1], channels },
      names: data.single ? names : data.channels,
      ...(normalize ? { low: data.low, high: data.high } : { low: 0, high: most }),
      words: [single ? "--mode gray" : "--mode rgb", ...(scaled ? [`--resize ${size.join("x")}`] : []), ...data.prepared],
      scaled: !scaled ? "" : `scaled from ${height}x${width}, since ${data.single
        ? `a page shows at most ${MOST_SIDE.toLocaleString("en")} pixels along a side` : "the network reads that size"}`,
    };
  }

  return { reason, components, read };
})();
