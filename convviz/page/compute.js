"use strict";
/**
 * From what is chosen to what is shown.
 *
 * Of a `Shown`, `conv` and `weights` are null unless the layer is a Conv2d; `step` is null unless the layer is part of a
 * network, whose outputs are in `net` then. `partials` are the partial maps of the chosen map. A result may be seen before
 * all of it is there: the other maps of `output` are missing until `small`, every map made small, is known.
 *
 * @typedef {{picture: Picture, edits: string, steps: Step[], answer: NetAnswer}} Net
 * @typedef {{net: Net|null, step: Step|null, conv: Layer|null, weights: Weights|null, inputs: Picture[], output: Picture,
 *   map: number, partials: Float32Array[]}} Shown
 * @typedef {{shown: Shown, small: Small[]}} Computed
 */
const Compute = (() => {
  /**
   * Compute a convolution. The chosen map is on the screen before the others are computed, unless its scale depends on them.
   *
   * @param {State} state @param {{net: Net|null, step: Step|null, conv: Layer, weights: Weights, input: Picture, map: number}} what
   * @param {(shown: Shown) => void} see @returns {Promise<Computed>}
   */
  async function convolved({ scale }, { input, ...what }, see) {
    /** @type {Float32Array[]} */
    const channels = Array(what.conv.outChannels);
    /** @type {any} */
    let shown = null;
    const { filters, small } = await Work.filters(input, what.conv, what.weights, what.map, async ({ filters: { height, width, maps, partials } }) => {
      channels[what.map] = maps[0];
      shown = { ...what, inputs: [input], output: { height, width, channels }, partials };
      if (scale !== "map") return;
      see(shown);
      await Dom.framed();
    });
    filters.maps.forEach((values, at) => (channels[at] = values));
    return { shown, small };
  }

  /** The effect of a page with one layer. @param {Data} data @param {Step[]} given @returns {Effect} */
  const layer = (data, given) => (state, { picture }, _, see) => {
    const own = { weight: given[0].parameters.weight, bias: given[0].parameters.bias || null };
    const weights = Settings.weightsOf(state, data, own, picture.channels.length);
    return convolved(state, { net: null, step: null, conv: Settings.layerOf(state), weights, input: picture, map: state.map }, see);
  };

  /** Compute all layers of a network, with the weights that were typed. @param {Step[]} given @param {State} state @param {Picture} picture @returns {Promise<Net>} */
  async function run(given, state, picture) {
    const steps = given.map((step, at) => {
      const parameters = Object.fromEntries(Object.entries(step.parameters).map(([name, values]) => [name, values.slice()]));
      if (step.kind === "Conv2d") Settings.typed(state, at, { weight: parameters.weight, bias: parameters.bias || null });
      return { ...step, parameters };
    });
    const answer = await Work.net(picture, steps);
    // A worker returns a copy.
    answer.outputs.set("input", picture);
    return { picture, edits: JSON.stringify(state.edits), steps, answer };
  }

  /** The effect of a page with a network. @param {Step[]} given @returns {Effect} */
  const network = (given) => async (state, { picture }, before, see) => {
    const same = before?.net && before.net.picture === picture && before.net.edits === JSON.stringify(state.edits);
    const net = same && before?.net ? before.net : await run(given, state, picture);
    const { outputs, small } = net.answer;
    const step = net.steps[Math.min(state.at, net.steps.length - 1)];
    const inputs = step.inputs.map((name) => /** @type {Picture} */ (outputs.get(name)));
    const output = /** @type {Picture} */ (outputs.get(step.name));
    const { height, width, channels } = output;
    const map = Math.min(state.map, channels.length - 1);
    if (step.kind === "Conv2d") {
      const weights = { weight: step.parameters.weight, bias: step.parameters.bias || null };
      return convolved(state, { net, step, conv: step.options, weights, input: inputs[0], map }, see);
    }
    const thumbs = channels.map((values, at) => small.get(step.name)?.[at] || Paint.small(values, height, width, 96));
    return { shown: { net, step, conv: null, weights: null, inputs, output, map, partials: [] }, small: thumbs };
  };

  return { layer, network, convolved };
})();
