"use strict";
/**
 * From what is chosen to what is shown.
 *
 * Of a `Shown`, `conv` and `weights` are null unless the layer is a Conv2d; `step` is null unless the layer is part of a
 * network, whose outputs are in `net` then. `partials` are the partial maps of the chosen map.
 *
 * @typedef {{picture: Picture, edits: string, steps: Step[], answer: NetAnswer}} Net
 * @typedef {{net: Net|null, step: Step|null, conv: Layer|null, weights: Weights|null, inputs: Picture[], output: Picture,
 *   map: number, partials: Float32Array[], small: Small[]}} Shown
 */
const Compute = (() => {
  /**
   * @param {Net|null} net @param {Step|null} step @param {Layer} conv @param {Weights} weights @param {Picture} input
   * @param {number} map @returns {Promise<Shown>}
   */
  async function convolved(net, step, conv, weights, input, map) {
    const { filters, small } = await Work.filters(input, conv, weights, map);
    const output = { height: filters.height, width: filters.width, channels: filters.maps };
    return { net, step, conv, weights, inputs: [input], output, map, partials: filters.partials, small };
  }

  /** The effect of a page with one layer. @param {Data} data @param {Step[]} given @returns {Effect} */
  const layer = (data, given) => (state, { picture }) => {
    const own = { weight: given[0].numbers.weight, bias: given[0].numbers.bias || null };
    const weights = Settings.weightsOf(state, data, own, picture.channels.length);
    return convolved(null, null, Settings.layerOf(state), weights, picture, state.map);
  };

  /** Compute all layers of a network, with the weights that were typed. @param {Step[]} given @param {State} state @param {Picture} picture @returns {Promise<Net>} */
  async function run(given, state, picture) {
    const steps = given.map((step, at) => {
      const numbers = Object.fromEntries(Object.entries(step.numbers).map(([name, values]) => [name, values.slice()]));
      if (step.kind === "Conv2d") Settings.typed(state, at, { weight: numbers.weight, bias: numbers.bias || null });
      return { ...step, numbers };
    });
    const answer = await Work.net(picture, steps);
    // A worker returns a copy.
    answer.outputs.set("input", picture);
    return { picture, edits: JSON.stringify(state.edits), steps, answer };
  }

  /** The effect of a page with a network. @param {Step[]} given @returns {Effect} */
  const network = (given) => async (state, { picture }, before) => {
    const same = before?.net && before.net.picture === picture && before.net.edits === JSON.stringify(state.edits);
    const net = same && before?.net ? before.net : await run(given, state, picture);
    const { outputs, small } = net.answer;
    const step = net.steps[Math.min(state.at, net.steps.length - 1)];
    const inputs = step.inputs.map((name) => /** @type {Picture} */ (outputs.get(name)));
    const output = /** @type {Picture} */ (outputs.get(step.name));
    const { height, width, channels } = output;
    const map = Math.min(state.map, channels.length - 1);
    if (step.kind === "Conv2d") {
      const weights = { weight: step.numbers.weight, bias: step.numbers.bias || null };
      return convolved(net, step, step.options, weights, inputs[0], map);
    }
    const thumbs = channels.map((values, at) => small.get(step.name)?.[at] || Paint.small(values, height, width, 96));
    return { net, step, conv: null, weights: null, inputs, output, map, partials: [], small: thumbs };
  };

  return { layer, network, convolved };
})();
