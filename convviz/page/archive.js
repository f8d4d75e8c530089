"use strict";
/**
 * The arrays of a network that another program ran: compressed in the page, opened when a layer is chosen.
 *
 * A `Held` is a convolution of such a network; what arrives there is null where that is the picture of the page.
 *
 * @typedef {{kind: "f32"|"f16"|"u8", shape: number[], at: number}} Packed
 * @typedef {{firsts: number[], lasts: number[], shift: number}} Reach
 * @typedef {{top: number, bottom: number, left: number, right: number}} Field
 * @typedef {{name: string, options: Layer, shape: number[], arriving: Packed|null, arrivingShape: number[], thumbs: Packed|null,
 *   parameters: {weight: Packed, bias?: Packed}, reach: [Reach, Reach]|null, whole: boolean, remark: string}} Held
 * @typedef {{name: string, runner: string, brief: string, words: string[], prediction: [string, number][], code: string, steps: any[],
 *   chain: {name: string, kind: string, shape: number[], at: number|null}[]}} Network
 */
const Archive = (() => {
  // Layers that stay open: to go back to the one before costs nothing.
  const MOST_OPEN = 3;

  /** Every half float as a float. @type {Float32Array|null} */
  let halves = null;

  function halfTable() {
    const made = new Float32Array(1 << 16);
    for (let bits = 0; bits < made.length; bits++) {
      const sign = bits & 0x8000 ? -1 : 1;
      const [power, fraction] = [(bits >> 10) & 31, bits & 1023];
      made[bits] = power === 31
        ? (fraction ? NaN : sign * Infinity)
        : sign * (power ? (1 + fraction / 1024) * 2 ** (power - 15) : fraction * 2 ** -24);
    }
    return made;
  }

  /**
   * Undo the packing of `convviz/page/packing.py`.
   *
   * @param {Uint8Array<ArrayBuffer>} bytes @param {Packed} packed @returns {Float32Array}
   */
  function unpack(bytes, { kind, shape }) {
    const count = shape.reduce((product, side) => product * side, 1);
    const made = new Float32Array(count);
    if (kind === "u8") {
      const ends = new Float32Array(bytes.buffer, bytes.byteOffset, 2 * shape[0]);
      const size = count / shape[0];
      for (let channel = 0, at = 0, from = 8 * shape[0]; channel < shape[0]; channel++) {
        const low = ends[channel];
        const step = (ends[shape[0] + channel] - low) / 255;
        for (const end = at + size; at < end; at++, from++) made[at] = low + bytes[from] * step;
      }
    } else if (kind === "f16") {
      halves ??= halfTable();
      for (let at = 0; at < count; at++) made[at] = halves[bytes[at] | (bytes[count + at] << 8)];
    } else {
      const words = new Uint32Array(made.buffer);
      for (let at = 0; at < count; at++)
        words[at] = bytes[at] | (bytes[count + at] << 8) | (bytes[2 * count + at] << 16) | (bytes[3 * count + at] << 24);
    }
    return made;
  }

  /** The bytes of base64; a function per letter would take 50 times as long. @param {string} text */
  function bytes(text) {
    const letters = atob(text);
    const made = new Uint8Array(letters.length);
    for (let at = 0; at < made.length; at++) made[at] = letters.charCodeAt(at);
    return made;
  }

  /** @param {string} text  Base64 of what zlib made. */
  async function inflate(text) {
    const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  /** The text of a stored array. @param {number} at */
  const textOf = (at) => document.getElementById(`stored-${at}`)?.textContent || "";

  /** @param {Packed} packed @param {(at: number) => string} [text] */
  const open = async (packed, text = textOf) => unpack(await inflate(text(packed.at)), packed);

  /** Channels of one array, one after the other. @param {Float32Array} values @param {number[]} shape @returns {Picture} */
  function pictureOf(values, [count, height, width]) {
    const size = height * width;
    return { height, width, channels: Array.from({ length: count }, (_, at) => values.subarray(at * size, (at + 1) * size)) };
  }

  /** @type {Map<Held, Promise<{input: Picture, weights: Weights}>>} */
  const kept = new Map();

  /**
   * What arrives at a layer, and its weights; the layers that were chosen last stay open.
   *
   * @param {Held} held @param {Picture} picture @param {(at: number) => string} [text]
   * @returns {Promise<{input: Picture, weights: Weights}>}
   */
  function layer(held, picture, text = textOf) {
    const found = kept.get(held) || opened(held, picture, text);
    kept.delete(held);
    kept.set(held, found);
    for (const old of [...kept.keys()].slice(0, -MOST_OPEN)) kept.delete(old);
    return found;
  }

  /** @param {Held} held @param {Picture} picture @param {(at: number) => string} text */
  async function opened({ arriving, parameters }, picture, text) {
    const [input, weight, bias] = await Promise.all([
      arriving && open(arriving, text),
      open(parameters.weight, text),
      parameters.bias ? open(parameters.bias, text) : null,
    ]);
    return { input: arriving && input ? pictureOf(input, arriving.shape) : picture, weights: { weight, bias } };
  }

  /** The effect of a page with such a network. @param {any[]} steps @returns {Effect} */
  const effect = (steps) => async (state, { picture }, _, see) => {
    const at = Math.min(state.at, steps.length - 1);
    const step = steps[at];
    const { input, weights: { weight, bias } } = await layer(step, picture);
    const weights = { weight: weight.slice(), bias: bias && bias.slice() };
    Settings.typed(state, at, weights);
    const map = Math.min(state.map, step.options.outChannels - 1);
    return Compute.convolved(state, { net: null, step, conv: step.options, weights, input, map }, see);
  };

  /** The first and the last pixel that a value sees along one axis. @param {Reach} reach @param {number} index @returns {Pair} */
  function along({ firsts, lasts, shift }, index) {
    const [turns, phase] = [Math.floor(index / firsts.length), index % firsts.length];
    return [firsts[phase] + turns * shift, lasts[phase] + turns * shift];
  }

  /**
   * The receptive field of an output in the picture of the network; null where it is not defined.
   *
   * @param {Held} held @param {number} y @param {number} x @param {Picture} picture @returns {Field|null}
   */
  function field({ reach, whole }, y, x, { height, width }) {
    if (!reach) return whole ? { top: 0, bottom: height - 1, left: 0, right: width - 1 } : null;
    const [[top, bottom], [left, right]] = [along(reach[0], y), along(reach[1], x)];
    return { top, bottom, left, right };
  }

  return { bytes, unpack, open, pictureOf, layer, effect, field };
})();
