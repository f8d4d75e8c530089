"use strict";
/** The window slides over the map by itself. */
const Play = (() => {
  const { $ } = Dom;
  const STEP_MILLISECONDS = 400;
  let timer = 0;

  /** @param {Stored} store */
  function toggle(store) {
    if (timer) {
      clearInterval(timer);
      timer = 0;
    } else {
      timer = setInterval(() => {
        const { shown, pinned } = store.now();
        const { output: { height, width } } = /** @type {Shown} */ (shown);
        const at = pinned?.kind === "output" ? pinned.place[0] * width + pinned.place[1] + 1 : 0;
        Stage.go(Math.floor(at / width) % height, at % width);
      }, STEP_MILLISECONDS);
    }
    $("play").setAttribute("aria-pressed", String(Boolean(timer)));
    $("play").textContent = timer ? "pause" : "play";
  }

  /** @param {Stored} store */
  const start = (store) => $("play").addEventListener("click", () => toggle(store));

  return { start };
})();
