"use strict";
/**
 * The one state of the page, and the one place that changes it.
 *
 * Of a `Now`, `state` is what the user chose, `input` the picture, `shown` what was computed from both (null until the
 * first time), `small` all maps, small (null until they are computed too), `pinned` and `pointed` the places that the user looks at, `filled` how far the window has slid over the
 * map (null while it does not), `brought` the channels that the user wants to see in full, `trouble` the last message and
 * the key of its field. A `Now` is never changed, only replaced, so that a listener sees by comparison what is new.
 *
 * @typedef {{picture: Picture, names: string[], low: number, high: number, source: Source, activations?: boolean}} Input
 * @typedef {{text: string, field: string}} Trouble
 * @typedef {{state: State, input: Input, shown: Shown|null, small: Small[]|null, pinned: Place|null, pointed: Place|null, filled: number|null,
 *   brought: number[], trouble: Trouble}} Now
 * @typedef {{state: State, input: Input}} Moment
 * @typedef {(state: State, input: Input, before: Shown|null, see: (shown: Shown) => void) => Promise<Computed>} Effect
 * @typedef {(now: Now, before: Now) => void} Listener
 */
const Store = (() => {
  const MOST_MOMENTS = 200;
  const MOST_BROUGHT = 3;
  const NO_TROUBLE = { text: "", field: "" };

  /** Whether a place is inside what is shown. @param {Place} what @param {Shown} shown */
  function isInside({ kind, place }, { inputs, output, conv }) {
    if (kind === "output") return place[0] < output.height && place[1] < output.width;
    if (kind === "input") return place[0] < inputs[0].height && place[1] < inputs[0].width;
    return conv !== null && place[0] < inputs[0].channels.length / conv.groups && place[1] < conv.kernel[0] && place[2] < conv.kernel[1];
  }

  /**
   * Make a store; `compute` is its one effect.
   *
   * @param {Data} data @param {Input} input @param {Effect} compute
   */
  function create(data, input, compute) {
    /** @type {Now} */
    let now = { state: data.state, input, shown: null, small: null, pinned: null, pointed: null, filled: null, brought: [], trouble: NO_TROUBLE };
    /** @type {Listener[]} */
    const listeners = [];
    /** @type {{past: Moment[], future: Moment[]}} */
    const history = { past: [], future: [] };

    /** @param {Partial<Now>} change */
    function set(change) {
      const before = now;
      now = { ...now, ...change };
      for (const listener of listeners) listener(now, before);
    }

    // --- computing

    let running = false;
    let again = false;
    let asking = ""; // the key of the field that asked last
    /** @type {Promise<void>} */
    let settled = Promise.resolve();
    /** @type {(Moment & Computed)|null} */
    let good = null; // the last moment that was computed and shown

    /** Show what was computed, if nothing else was chosen meanwhile. @param {Shown} shown */
    function see(shown) {
      if (again) throw new Error("something else was chosen");
      const inside = (/** @type {Place|null} */ place) => (place && isInside(place, shown) ? place : null);
      const { height, width } = shown.output;
      const filled = now.filled !== null && now.filled < height * width ? now.filled : null;
      set({ shown, small: null, pinned: inside(now.pinned), pointed: inside(now.pointed), filled });
    }

    /**
     * Compute what is chosen. Choices made meanwhile are computed afterwards, only the last of them. If computing or
     * showing fails, the page says why and goes back to what it showed before.
     */
    function start() {
      again = true;
      if (running) return;
      running = true;
      settled = (async () => {
        while (again) {
          again = false;
          const { state, input } = now;
          try {
            const { shown, small } = await compute(state, input, good && good.input === input ? good.shown : null, see);
            if (now.shown !== shown) see(shown);
            if (again) continue;
            set({ small });
            good = { state, input, shown, small };
          } catch (error) {
            if (!again) fail(error);
          }
        }
        running = false;
      })();
    }

    /** @param {unknown} error */
    function fail(error) {
      const words = error instanceof RangeError ? "this browser does not have the memory for these maps; make them smaller." : `${error}.`;
      if (good) {
        const { state, input, shown, small } = good;
        const last = history.past[history.past.length - 1];
        if (last && last.state === state && last.input === input) history.past.pop();
        set({ state, input, shown: { ...shown }, small });
      }
      set({ trouble: { text: `Not computed: ${words}`, field: asking } });
    }

    // --- changes

    /** @param {string} text @param {string} [field] */
    const tell = (text, field = "") => set({ trouble: { text, field } });

    /**
     * Accept a state, with a picture, if it is legal; else say why not, at the field that asked for it.
     *
     * @param {State} state @param {string} [field] @param {Input} [input] @param {Partial<Now>} [more]
     */
    function attempt(state, field = "", input = now.input, more = {}) {
      const wrong = Settings.reason(state, data, input.picture);
      if (wrong) {
        tell(`Not taken: ${wrong}`, field);
        return false;
      }
      if (now.shown) {
        history.past = [...history.past, { state: now.state, input: now.input }].slice(-MOST_MOMENTS);
        history.future = [];
      }
      asking = field;
      set({ ...more, state, input, trouble: NO_TROUBLE });
      start();
      return true;
    }

    /** Change parts of the state. @param {Partial<State>} change @param {string} [field] */
    const change = (change, field) => attempt({ ...now.state, ...change }, field);

    /** Change parts of the state again, as one moment with the last change. @param {Partial<State>} change @param {string} [field] */
    function amend(change, field) {
      const { past } = history;
      const taken = attempt({ ...now.state, ...change }, field);
      if (taken) history.past = past;
      return taken;
    }

    /**
     * A weight was typed. The output that is explained stays, so that what the weight changes in it is seen.
     *
     * @param {string} index @param {string} text @param {string} field @param {number[]} output
     */
    function edit(index, text, field, output) {
      const value = Math.fround(Number(text.replace(",", ".")));
      if (text.trim() === "" || !Number.isFinite(value)) {
        tell(`Not taken: a weight is a number, not '${text}'.`, field);
        return false;
      }
      const edits = { ...now.state.edits, [`${now.state.at}:${index}`]: value };
      const pinned = now.pinned || { kind: "output", place: output };
      return attempt({ ...now.state, edits }, field, now.input, { pinned });
    }

    /** Show another picture, with settings that fit it; stay if no layer fits. @param {Input} input @param {string} field */
    function replace(input, field) {
      const { state, input: before } = now;
      const wanted = Settings.follow({ ...state, preset: "" }, state, "", data, input.picture);
      const fits = !data.single || before.picture.channels.length === input.picture.channels.length;
      return [{ ...wanted, edits: fits ? state.edits : {} }, { ...wanted, edits: {}, groups: 1 }]
        .some((one) => attempt(one, field, input, { pinned: null }));
    }

    /** Show another picture of the same shape as part of the change before: a stroke that goes on. @param {Input} input */
    function repaint(input) {
      set({ input });
      start();
    }

    /** Move along the history. @param {Moment[]} from @param {Moment[]} to */
    function travel(from, to) {
      const moment = from.pop();
      if (!moment) return;
      to.push({ state: now.state, input: now.input });
      set({ ...moment, trouble: NO_TROUBLE });
      start();
    }

    return {
      now: () => now,
      /** @param {Listener} listener */
      subscribe: (listener) => listeners.push(listener),
      settled: () => settled,
      tell, attempt, change, amend, edit, replace, repaint,
      /** @param {Place|null} pinned */
      pin: (pinned) => set({ pinned, pointed: null, filled: null }),
      /** @param {Place|null} pointed */
      point: (pointed) => set({ pointed }),
      /** Slide the window to an output, by its number; null shows the whole map. @param {number|null} filled */
      slide: (filled) => set({ filled, pointed: null }),
      /** Show a channel in full. @param {number} channel */
      bring: (channel) => set({ brought: [channel, ...now.brought.filter((one) => one !== channel)].slice(0, MOST_BROUGHT) }),
      undo: () => travel(history.past, history.future),
      redo: () => travel(history.future, history.past),
      reset: () => attempt(data.state, "", input, { pinned: null, pointed: null, filled: null, brought: [] }),
      canUndo: () => history.past.length > 0,
      canRedo: () => history.future.length > 0,
    };
  }

  return { create };
})();

/** @typedef {ReturnType<typeof Store.create>} Stored */
