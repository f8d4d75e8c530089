"use strict";
/**
 * What is chosen: the state of the page, what is legal, and the address that holds it.
 *
 * `at` is the layer of a net that is shown, `map` which of its maps. `edits` are weights that were typed, by layer and
 * index: "0:12" is weight 12 of layer 0, "0:b3" its bias 3.
 *
 * @typedef {{at: number, map: number, outChannels: number, preset: string, seed: number, kernelH: number,
 *   kernelW: number, strideH: number, strideW: number, padTop: number, padBottom: number, padLeft: number,
 *   padRight: number, mode: string, dilationH: number, dilationW: number, groups: number, bias: boolean,
 *   flip: boolean, colormap: string, limits: string, scale: string, channelScale: string,
 *   edits: Record<string, number>}} State
 * @typedef {{kind: "output"|"input"|"weight", place: number[]}} Place
 * @typedef {{name: string, kernel: number[][], divisor: number, about: string, group: string}} Preset
 * @typedef {{path: string, shape: number[], channels: string[], low: number, high: number,
 *   pixels: {kind: string, divisor: number, data: string}, single: boolean, activations: boolean, layers: any[], given: boolean, arrives: boolean,
 *   words: string[], reading: string[], prepared: string[], most: number, mostMacs: number,
 *   normalize: {mean: number[], std: number[]}|null, presets: Preset[], tables: Record<string, string>, classes: string[], origin: string,
 *   program: {imports: string[], read: string[], other: {[form: string]: string[]}, opened: string, stored: {[layer: string]: {[array: string]: string}}},
 *   state: State, tour?: boolean, network?: Network}} Data
 */
const Settings = (() => {
  const NUMBERS = /** @type {const} */ (["outChannels", "seed", "kernelH", "kernelW", "strideH", "strideW",
    "dilationH", "dilationW", "groups", "padTop", "padBottom", "padLeft", "padRight"]);
  const CHOICES = /** @type {const} */ (["mode", "preset", "colormap", "limits", "scale", "channelScale"]);
  const SCALES = ["map", "layer", "global"];
  const SWITCHES = /** @type {const} */ (["bias", "flip"]);
  const MODES = ["zeros", "reflect", "replicate", "circular"];
  const MOST_FILTERS = 64;
  // Of a canvas in Firefox; others draw larger ones.
  const MOST_SIDE = 32767;
  const GIGABYTE = 2 ** 30;

  /** @param {State} state @returns {Layer} */
  const layerOf = (state) => ({
    outChannels: state.outChannels,
    kernel: [state.kernelH, state.kernelW],
    stride: [state.strideH, state.strideW],
    padding: [state.padTop, state.padBottom, state.padLeft, state.padRight],
    mode: state.mode,
    dilation: [state.dilationH, state.dilationW],
    groups: state.groups,
  });

  /** What makes the numbers of two states differ before any is typed. @param {State} state */
  const basis = (state) =>
    [state.outChannels, state.preset, state.seed, state.kernelH, state.kernelW, state.groups, state.bias].join();

  /** Why a state cannot be, with what could; empty where it can. @param {State} state @param {Data} data @param {Picture} picture */
  function reason(state, data, picture) {
    const unseen = unpainted(state, data);
    if (unseen || !data.single) return unseen;
    const whole = Number.isInteger(state.seed) && state.seed >= 0 && state.seed < 2 ** 32;
    if (!whole) return "seed takes whole numbers from 0 to 4294967295.";
    if (state.outChannels > MOST_FILTERS) return `out_channels goes up to ${MOST_FILTERS} on this page.`;
    if (!MODES.includes(state.mode)) return `mode is one of ${MODES.join(", ")}.`;
    const names = [...(data.given ? ["page"] : []), "seed", ...data.presets.map(({ name }) => name)];
    if (!names.includes(state.preset)) return `weights are one of ${names.join(", ")}.`;
    const preset = data.presets.find(({ name }) => name === state.preset);
    if (preset && (preset.kernel.length !== state.kernelH || preset.kernel[0].length !== state.kernelW))
      return `${preset.name} is ${preset.kernel.length}x${preset.kernel[0].length}.`;
    if (state.preset === "page" && !fitsPage(state, data, picture)) return "the weights of this page are of another shape.";
    const layer = layerOf(state);
    return Convolve.reason(picture.channels.length, picture.height, picture.width, layer) || tooLarge(layer, data, picture);
  }

  /** Why the maps cannot be painted as it is chosen; empty where they can. @param {State} state @param {Data} data */
  function unpainted({ colormap, limits, scale, channelScale }, data) {
    const names = Object.keys(data.tables);
    if (!names.includes(colormap)) return `colours are one of ${names.join(", ")}.`;
    if (!["shared", "own"].includes(channelScale)) return "channelScale is one of shared, own.";
    if (!SCALES.includes(scale)) return `scale is one of ${SCALES.join(", ")}.`;
    const found = Paint.limits(limits);
    if (!found) return "limits are percentile, percentile:P, minmax, symmetric, or two values such as -1,1.";
    return colormap === "signed" && found.low !== -found.high
      ? `limits ${limits} are not centred on 0, as the signed colours are.`
      : "";
  }

  /**
   * Why this machine cannot compute or draw the maps of a legal layer; empty where it can.
   *
   * @param {Layer} layer @param {Data} data @param {Picture} picture
   */
  function tooLarge(layer, data, picture) {
    const [height, width] = Convolve.outputSize(picture.height, picture.width, layer);
    const channels = picture.channels.length / layer.groups;
    const remedy = "pad less, or take larger strides.";
    if (Math.max(height, width) > MOST_SIDE)
      return `the maps would be ${height}x${width}, but a browser draws at most ${MOST_SIDE} pixels along a side; ${remedy}`;
    // Values of 4 bytes for every map and part; each that is shown is also two pictures of 4 bytes per pixel.
    const needed = 4 * height * width * (layer.outChannels + 3 * (channels + 1));
    // Of a machine that does not tell, as most have. Half of it is left to the rest of the browser.
    const there = ((/** @type {any} */ (globalThis.navigator)?.deviceMemory || 8) * GIGABYTE) / 2;
    if (needed > there)
      return `maps of ${height}x${width} need ${(needed / GIGABYTE).toFixed(1)} GB, but this page can use ${there / GIGABYTE} GB; ${remedy}`;
    const macs = height * width * layer.outChannels * channels * layer.kernel[0] * layer.kernel[1];
    if (macs > data.mostMacs)
      return `these maps need ${macs.toLocaleString("en")} MACs, but a page computes at most ${data.mostMacs.toLocaleString("en")}; ${remedy}`;
    return "";
  }

  /** Whether the weights that came with the page fit. @param {State} state @param {Data} data @param {Picture} picture */
  function fitsPage(state, data, picture) {
    const own = data.state;
    return picture.channels.length === data.shape[0] && own.outChannels === state.outChannels &&
      own.groups === state.groups && own.kernelH === state.kernelH && own.kernelW === state.kernelW;
  }

  /**
   * What somebody wants who changed one control: others follow where they must.
   *
   * @param {State} before @param {State} wanted @param {string} changed @param {Data} data @param {Picture} picture
   * @returns {State}
   */
  function follow(before, wanted, changed, data, picture) {
    const found = { ...wanted };
    const preset = data.presets.find(({ name }) => name === found.preset);
    if (changed === "preset") {
      if (preset) {
        [found.kernelH, found.kernelW] = [preset.kernel.length, preset.kernel[0].length];
        // One kernel makes one map, in every group: more would be equal.
        found.outChannels = found.groups;
      }
      else if (found.preset === "page")
        [found.kernelH, found.kernelW, found.outChannels, found.groups] =
          [data.state.kernelH, data.state.kernelW, data.state.outChannels, data.state.groups];
    } else if (changed === "seed") {
      found.preset = "seed";
    } else if (preset && (preset.kernel.length !== found.kernelH || preset.kernel[0].length !== found.kernelW)) {
      found.preset = "seed";
    } else if (found.preset === "page" && !fitsPage(found, data, picture)) {
      found.preset = "seed";
    }
    const left = found.preset === "seed" && data.presets.some(({ name }) => name === before.preset);
    if (left && changed !== "outChannels" && found.outChannels === found.groups && data.state.outChannels % found.groups === 0)
      found.outChannels = data.state.outChannels;
    // What was typed belongs to the numbers that it was typed over.
    if (data.single && basis(found) !== basis(before)) found.edits = {};
    found.map = Math.max(0, Math.min(found.map, found.outChannels - 1));
    return found;
  }

  /**
   * The weights of a single layer: of the page, of a seed or of a preset, with what was typed, turned on request.
   *
   * @param {State} state @param {Data} data @param {Weights} own @param {number} channels @returns {Weights}
   */
  function weightsOf(state, data, own, channels) {
    const layer = layerOf(state);
    const size = layer.kernel[0] * layer.kernel[1];
    const count = (layer.outChannels * channels * size) / layer.groups;
    const preset = data.presets.find(({ name }) => name === state.preset);
    /** @type {Weights} */
    let weights;
    if (state.preset === "page") weights = { weight: own.weight.slice(), bias: own.bias && own.bias.slice() };
    else if (preset) {
      const values = preset.kernel.flat();
      weights = { weight: Float32Array.from({ length: count }, (_, at) => values[at % size] / preset.divisor), bias: null };
    } else weights = Convolve.seeded(channels, layer, state.seed, state.bias);
    if (!state.bias) weights.bias = null;
    else weights.bias = weights.bias || new Float32Array(layer.outChannels);
    typed(state, 0, weights);
    if (state.flip)
      for (let first = 0; first < count; first += size) weights.weight.subarray(first, first + size).reverse();
    return weights;
  }

  /** Write what was typed for a layer into its weights. @param {State} state @param {number} at @param {Weights} weights */
  function typed(state, at, weights) {
    for (const [key, value] of Object.entries(state.edits)) {
      const [layer, index] = key.split(":");
      if (Number(layer) !== at) continue;
      const [values, place] = index[0] === "b" ? [weights.bias, Number(index.slice(1))] : [weights.weight, Number(index)];
      if (values && place < values.length) values[place] = value;
    }
  }

  /** @param {State} state @param {Place|null} pinned @param {State} initial */
  function address(state, pinned, initial) {
    const words = new URLSearchParams();
    for (const [name, value] of Object.entries(state)) {
      if (name === "edits") {
        const edits = Object.entries(state.edits).map(([key, one]) => `${key}:${one}`);
        if (edits.length) words.set(name, edits.join(","));
      } else if (value !== /** @type {any} */ (initial)[name]) words.set(name, typeof value === "boolean" ? (value ? "1" : "0") : String(value));
    }
    if (pinned) words.set("pin", [pinned.kind, ...pinned.place].join(","));
    // The signs that these words are made of may stand in an address as they are.
    return `#${words}`.replaceAll("%2C", ",").replaceAll("%3A", ":");
  }

  /** The state that an address holds. @param {string} text @param {State} initial @returns {{state: State, pinned: Place|null}} */
  function read(text, initial) {
    /** @type {any} */
    const state = { ...initial, edits: {} };
    /** @type {Place|null} */
    let pinned = null;
    for (const [name, value] of new URLSearchParams(text)) {
      if (name === "map" || name === "at" || NUMBERS.some((one) => one === name)) state[name] = Number(value);
      else if (SWITCHES.some((one) => one === name)) state[name] = value === "1";
      else if (CHOICES.some((one) => one === name)) state[name] = value;
      else if (name === "edits") {
        for (const edit of value.split(",")) {
          const found = /^(\d+:b?\d+):(-?[\d.]+(?:e[-+]?\d+)?)$/.exec(edit);
          if (found && Number.isFinite(Number(found[2]))) state.edits[found[1]] = Number(found[2]);
        }
      } else if (name === "pin") {
        const [kind, ...place] = value.split(",");
        if ((kind === "output" || kind === "input" || kind === "weight") && place.every((one) => /^\d+$/.test(one)))
          pinned = { kind, place: place.map(Number) };
      }
    }
    const natural = (/** @type {number} */ value) => (Number.isInteger(value) && value >= 0 ? value : 0);
    [state.map, state.at] = [natural(state.map), natural(state.at)];
    return { state, pinned };
  }

  return { NUMBERS, CHOICES, SWITCHES, layerOf, reason, follow, weightsOf, typed, address, read };
})();
