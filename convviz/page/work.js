"use strict";
/**
 * Workers compute, so that the page stays responsive; where a browser has no workers, the page computes itself.
 *
 * An `Answer` has the maps that were asked for, each small too.
 *
 * @typedef {{filters: Made, small: Small[]}} Answer
 * @typedef {{outputs: Map<string, Picture>, small: Map<string, Small[]>}} NetAnswer
 */
const Work = (() => {
  const THUMB = 96;
  const FEW = 16;
  // Of maps with so many values, the rows of one are computed by all workers.
  const MANY = 1 << 16;
  const TELL_MILLISECONDS = 100;

  /**
   * Answer a question; this runs in a worker, which keeps a picture until the next one arrives. On the way, `told` learns
   * which share is done.
   *
   * @param {{picture: Picture|null}} kept @param {any} asked @param {(share: number) => void} [told]
   */
  function answer(kept, asked, told) {
    if (asked.picture) kept.picture = asked.picture;
    const picture = /** @type {Picture} */ (kept.picture);
    if (asked.layers) {
      const outputs = Layers.compute(picture, asked.layers, told);
      /** @type {Map<string, Small[]>} */
      const small = new Map();
      for (const [name, { height, width, channels }] of outputs)
        small.set(name, channels.slice(0, FEW).map((values) => Paint.small(values, height, width, THUMB)));
      return { outputs, small };
    }
    const { layer, weights, filters, shown, rows } = asked;
    const made = Convolve.correlate(picture, layer, weights, { partialOf: shown, filters, rows, told });
    return { filters: made, small: rows ? [] : smallOf(made) };
  }

  /** Every map made small. @param {Made} made */
  const smallOf = ({ maps, height, width }) => maps.map((values) => Paint.small(values, height, width, THUMB));

  /** The buffers of an answer, to be moved instead of copied. @param {any} found @returns {ArrayBuffer[]} */
  function buffers(found) {
    if (ArrayBuffer.isView(found)) return [/** @type {ArrayBuffer} */ (found.buffer)];
    return found && typeof found === "object" ? Object.values(found).flatMap(buffers) : [];
  }

  /** Answer the questions of the page, in a worker. */
  function serve() {
    const kept = { picture: null };
    self.onmessage = ({ data }) => {
      const page = /** @type {any} */ (self);
      let last = Date.now();
      /** @param {number} share */
      const told = (share) => {
        const now = Date.now();
        if (now - last < TELL_MILLISECONDS) return;
        last = now;
        page.postMessage({ id: data.id, share });
      };
      try {
        const found = answer(kept, data.asked, told);
        // The outputs of a network include the picture, which the worker keeps.
        page.postMessage({ id: data.id, found }, data.asked.layers ? [] : buffers(found));
      } catch (error) {
        // A RangeError means too little memory; other errors keep their words.
        page.postMessage({ id: data.id, failed: { memory: error instanceof RangeError, words: String(error) } });
      }
    };
  }

  /** @type {Worker[]} */
  let workers = [];
  /** @type {Map<number, {done: (found: any) => void, fail: (error: Error) => void, told: (share: number) => void}>} */
  const waiting = new Map();
  const here = { picture: null };
  let next = 0;
  let broken = false;
  let source = "";
  /** Who wants to know which share is done; null where nothing is computed. @type {(share: number|null) => void} */
  let watcher = () => {};

  /** Start the workers from the scripts inside the page: a page from a file cannot load other files. */
  function start() {
    const scripts = ["convolve", "layersScript", "paint", "work"].map((id) => document.getElementById(id)?.textContent);
    source = source || URL.createObjectURL(new Blob([scripts.join("\n"), "\nWork.serve();"], { type: "text/javascript" }));
    const count = Math.max(1, Math.min(4, navigator.hardwareConcurrency || 1));
    workers = Array.from({ length: count }, () => {
      const worker = new Worker(source);
      worker.onmessage = ({ data }) => {
        const asked = waiting.get(data.id);
        if ("share" in data) return asked?.told(data.share);
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

  let stopped = false;

  // Without a name, its text is the message alone.
  const stoppedError = () => Object.assign(new Error("it was stopped"), { name: "" });

  /** End what is being computed; who waits for it learns that, now or when it asks the next question. */
  function stop() {
    if (broken) return;
    stopped = true;
    if (!waiting.size) return;
    for (const worker of workers) worker.terminate();
    const asked = [...waiting.values()];
    waiting.clear();
    start();
    for (const { fail } of asked) fail(stoppedError());
  }

  /**
   * Ask one worker; the answer is null if workers do not run.
   *
   * @param {number} worker @param {any} asked @param {(share: number) => void} told @returns {Promise<any>}
   */
  const ask = (worker, asked, told) =>
    new Promise((done, fail) => {
      waiting.set(++next, { done, fail, told });
      workers[worker].postMessage({ id: next, asked });
    });

  /** The picture that each worker has. @type {WeakMap<Worker, Picture>} */
  const known = new WeakMap();

  /**
   * Ask one worker for each question; send the picture to those that do not have it.
   *
   * @param {Picture} picture @param {any[]} questions @param {(share: number) => void} told @returns {Promise<any[]>}
   */
  async function all(picture, questions, told) {
    if (stopped) throw stoppedError();
    if (!broken) {
      const shares = questions.map(() => 0);
      const found = await Promise.all(
        questions.map(async (question, index) => {
          const worker = workers[index];
          const fresh = known.get(worker) !== picture;
          // Known only after the answer: a picture that was too large for the worker is sent again.
          known.delete(worker);
          const answered = await ask(index, fresh ? { ...question, picture } : question, (share) => {
            shares[index] = share;
            told(shares.reduce((sum, one) => sum + one, 0) / shares.length);
          });
          known.set(worker, picture);
          return answered;
        }),
      );
      if (!broken) return found;
    }
    return questions.map((question) => answer(here, { ...question, picture }));
  }

  /** Do some work; the watcher learns that it goes on. @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  async function watched(work) {
    stopped = false;
    watcher(0);
    try {
      return await work();
    } finally {
      watcher(null);
    }
  }

  /** So many things in parts of nearly the same size, none empty. @param {number} count @param {number} parts @returns {Pair[]} */
  function split(count, parts) {
    const most = Math.min(Math.max(1, parts), count);
    const bound = (/** @type {number} */ part) => Math.round((part * count) / most);
    return Array.from({ length: most }, (_, part) => [bound(part), bound(part + 1)]);
  }

  /** Maps whose rows were computed in bands. @param {Made[]} bands @returns {Made} */
  function joined([band, ...others]) {
    if (!others.length) return band;
    /** @param {"maps"|"partials"} which */
    const all = (which) => band[which].map((_, index) => {
      const values = new Float32Array(band.height * band.width);
      let at = 0;
      for (const one of [band, ...others]) {
        values.set(one[which][index], at);
        at += one[which][index].length;
      }
      return values;
    });
    return { ...band, maps: all("maps"), partials: all("partials") };
  }

  /**
   * Every map of a layer: first the one that is shown, with its partial maps, which `first` learns; then, when
   * that is done, the others, in the order of their numbers.
   *
   * @param {Picture} picture @param {Layer} layer @param {Weights} weights @param {number} shown
   * @param {(answer: Answer) => Promise<void>} first @returns {Promise<Answer>}
   */
  const filters = (picture, layer, weights, shown, first) => watched(async () => {
    const count = layer.outChannels;
    const question = { layer, weights, shown };
    const [height, width] = Convolve.outputSize(picture.height, picture.width, layer);
    // The workers share the rows of the chosen map, unless to ask them takes longer.
    const rows = split(height, height * width < MANY ? 1 : workers.length);
    /** @type {Answer[]} */
    const bands = await all(picture, rows.map((rows) => ({ ...question, filters: [shown], rows })), (share) => watcher(share / count));
    const made = joined(bands.map(({ filters }) => filters));
    const chosen = { filters: made, small: smallOf(made) };
    await first(chosen);
    const others = [...Array(count).keys()].filter((filter) => filter !== shown);
    const questions = split(others.length, workers.length).map(([from, to]) => ({ ...question, filters: others.slice(from, to) }));
    /** @type {Answer[]} */
    const found = await all(picture, questions, (share) => watcher((1 + share * (count - 1)) / count));
    const maps = found.flatMap((one) => one.filters.maps);
    const small = found.flatMap((one) => one.small);
    maps.splice(shown, 0, chosen.filters.maps[0]);
    small.splice(shown, 0, chosen.small[0]);
    return { filters: { ...chosen.filters, maps }, small };
  });

  /** The output of every layer of a network. @param {Picture} picture @param {Step[]} layers @returns {Promise<NetAnswer>} */
  const net = (picture, layers) => watched(async () => (await all(picture, [{ layers }], watcher))[0]);

  /** @param {typeof watcher} wants */
  const watch = (wants) => (watcher = wants);

  return { serve, filters, net, stop, watch };
})();
