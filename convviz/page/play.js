"use strict";
/** The window slides over the map, which fills up: by itself, or by the scrubber. */
const Play = (() => {
  const { $ } = Dom;
  const STEP_MILLISECONDS = 400;
  // A whole pass at speed 1 takes this long at most, whatever the size of the map.
  const MOST_MILLISECONDS = 15_000;
  const LEAST_TICK = 50;
  // Steps of a pass where the user asked for less motion.
  const FEW_STEPS = 60;
  let timer = 0;

  /**
   * How a pass over the outputs goes: the time between two steps, and the outputs that each goes on.
   *
   * @param {number} count @param {number} speed
   */
  function pace(count, speed) {
    const whole = Math.min(count * STEP_MILLISECONDS, MOST_MILLISECONDS) / speed;
    const tick = Math.max(LEAST_TICK, whole / count);
    return { tick, outputs: Math.max(1, Math.ceil((count * tick) / whole - 1e-9)) };
  }

  const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  /** @param {Now} now */
  const countOf = ({ shown }) => (shown ? shown.output.height * shown.output.width : 0);

  /** @param {Stored} store @param {number} outputs */
  function step(store, outputs) {
    const now = store.now();
    const count = countOf(now);
    const next = now.filled === null ? 0 : now.filled + outputs;
    if (next > count - 1 && now.filled === count - 1) return false;
    store.slide(Math.min(next, count - 1));
    return true;
  }

  function stop() {
    clearTimeout(timer);
    timer = 0;
    $("play").setAttribute("aria-pressed", "false");
    $("play").textContent = calm() ? "Step" : "Play";
  }

  /** @param {Stored} store */
  function toggle(store) {
    const count = countOf(store.now());
    if (store.now().filled === count - 1) store.slide(null);
    if (calm()) return void step(store, Math.max(1, Math.ceil(count / FEW_STEPS)));
    if (timer) return stop();
    $("play").setAttribute("aria-pressed", "true");
    $("play").textContent = "Pause";
    const tick = () => {
      const { tick: wait, outputs } = pace(countOf(store.now()), Number($("speed").value));
      if (!step(store, outputs)) return stop();
      timer = window.setTimeout(tick, wait);
    };
    tick();
  }

  /** @param {Stored} store */
  function start(store) {
    stop();
    $("speed").hidden = calm();
    $("play").addEventListener("click", () => toggle(store));
    $("scrubber").addEventListener("input", () => {
      stop();
      store.slide(Number($("scrubber").value));
    });
    store.subscribe((now, before) => {
      const count = countOf(now);
      if (now.shown !== before.shown) $("scrubber").max = count - 1;
      if (now.filled === null && before.filled !== null) stop();
      const [y, x] = now.shown ? Inspector.focus({ ...now, pointed: null }) : [0, 0];
      if (now.shown) Dom.set($("scrubber"), { value: String(y * now.shown.output.width + x) });
    });
  }

  return { start, pace };
})();
