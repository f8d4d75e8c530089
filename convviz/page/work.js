"use strict";
/**
 * Who computes: workers, so that the page stays free, or the page itself where a browser has none for it.
 *
 * @typedef {{filters: Made, small: Small[]}} Answer
 * @typedef {{outputs: Map<string, Picture>, small: Map<string, Small[]>}} NetAnswer
 */
const Work = (() => {
  const THUMB = 96;
  const FEW = 16;

  /**
   * Answer what is asked; this is what runs in a worker. A picture is kept until the next one comes.
   *
   * @param {{picture: Picture|null}} kept @param {any} asked
   */
  function answer(kept, asked) {
    if (asked.picture) kept.picture = asked.picture;
    const picture = /** @type {Picture} */ (kept.picture);
    if (asked.layers) {
      const outputs = Layers.compute(picture, asked.layers);
      /** @type {Map<string, Small[]>} */
      const small = new Map();
      for (const [name, { height, width, planes }] of outputs)
        small.set(name, planes.slice(0, FEW).map((values) => Paint.small(values, height, width, THUMB)));
      return { outputs, small };
    }
    const { layer, bank, filters: [first, last], shown } = asked;
    const made = Convolve.correlate(picture, layer, bank, shown, [first, last]);
    const { height, width, maps } = made;
    return {
      filters: made,
      small: maps.map((values) => Paint.small(values, height, width, THUMB)),
    };
  }

  /** What can be given away instead of copied. @param {any} found @returns {ArrayBuffer[]} */
  function buffers(found) {
    if (ArrayBuffer.isView(found)) return [/** @type {ArrayBuffer} */ (found.buffer)];
    return found && typeof found === "object" ? Object.values(found).flatMap(buffers) : [];
  }

  /** Listen, in a worker. */
  function serve() {
    const kept = { picture: null };
    self.onmessage = ({ data }) => {
      const page = /** @type {any} */ (self);
      try {
        const found = answer(kept, data.asked);
        // The outputs of a net hold the picture too, which stays here.
        page.postMessage({ id: data.id, found }, data.asked.layers ? [] : buffers(found));
      } catch (error) {
        // Too little memory is a RangeError; every other one keeps its words.
        page.postMessage({ id: data.id, failed: { memory: error instanceof RangeError, words: String(error) } });
      }
    };
  }

  /** @type {Worker[]} */
  let workers = [];
  /** @type {Map<number, {done: (found: any) => void, fail: (error: Error) => void}>} */
  const waiting = new Map();
  const here = { picture: null };
  let next = 0;
  let broken = false;

  /** Start the workers from the scripts of the page itself: a page from a file may load no others. */
  function start() {
    const parts = ["convolve", "layersScript", "paint", "work"].map((id) => document.getElementById(id)?.textContent);
    const source = URL.createObjectURL(new Blob([parts.join("\n"), "\nWork.serve();"], { type: "text/javascript" }));
    const count = Math.max(1, Math.min(4, navigator.hardwareConcurrency || 1));
    workers = Array.from({ length: count }, () => {
      const worker = new Worker(source);
      worker.onmessage = ({ data }) => {
        const asked = waiting.get(data.id);
        waiting.delete(data.id);
        if (data.failed) asked?.fail(data.failed.memory ? new RangeError(data.failed.words) : new Error(data.failed.words));
        else asked?.done(data.found);
      };
      worker.onerror = () => {
        broken = true;
        for (const { done } of waiting.values()) done(null);
        waiting.clear();
      };
      return worker;
    });
  }

  try {
    if (typeof document !== "undefined") start();
  } catch {
    broken = true;
  }

  /** Ask one worker; null if it broke. @param {number} worker @param {any} asked @returns {Promise<any>} */
  const ask = (worker, asked) =>
    new Promise((done, fail) => {
      waiting.set(++next, { done, fail });
      workers[worker].postMessage({ id: next, asked });
    });

  /** The picture that each worker has. @type {WeakMap<Worker, Picture>} */
  const known = new WeakMap();

  /**
   * Ask as many workers as there are questions, each with the picture unless it has it.
   *
   * @param {Picture} picture @param {any[]} questions @returns {Promise<any[]>}
   */
  async function all(picture, questions) {
    if (!broken) {
      const found = await Promise.all(
        questions.map(async (question, index) => {
          const fresh = known.get(workers[index]) !== picture;
          // Not known until it has answered: a picture that was too much for it is sent again.
          known.delete(workers[index]);
          const answered = await ask(index, fresh ? { ...question, picture } : question);
          known.set(workers[index], picture);
          return answered;
        }),
      );
      if (!broken) return found;
    }
    return questions.map((question) => answer(here, { ...question, picture }));
  }

  /**
   * The maps of a layer, each small too, with the parts of the one that is shown.
   *
   * @param {Picture} picture @param {Layer} layer @param {Bank} bank @param {number} shown
   * @returns {Promise<Answer>}
   */
  async function filters(picture, layer, bank, shown) {
    const count = Math.max(1, Math.min(workers.length, layer.outChannels));
    const bounds = Array.from({ length: count + 1 }, (_, part) => Math.round((part * layer.outChannels) / count));
    const questions = bounds.slice(1).map((last, part) => ({ layer, bank, shown, filters: [bounds[part], last] }));
    /** @type {Answer[]} */
    const found = await all(picture, questions);
    const shower = bounds.findIndex((first, part) => shown >= first && shown < bounds[part + 1]);
    return {
      filters: { ...found[0].filters, maps: found.flatMap((one) => one.filters.maps), parts: found[shower].filters.parts },
      small: found.flatMap((one) => one.small),
    };
  }

  /** What every layer of a net makes. @param {Picture} picture @param {Placed[]} layers @returns {Promise<NetAnswer>} */
  const net = async (picture, layers) => (await all(picture, [{ layers }]))[0];

  return { serve, filters, net };
})();
