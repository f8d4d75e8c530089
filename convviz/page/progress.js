"use strict";
/** How far a long computation is, and a button that ends it. */
const Progress = (() => {
  // What is done sooner needs no bar.
  const WAIT_MILLISECONDS = 300;

  function start() {
    const bar = Dom.element("progress", { max: 1, value: 0, ariaLabel: "computed" });
    const stop = Dom.element("button", { type: "button", id: "stop" }, "Stop");
    const box = Dom.element("div", { id: "progress", hidden: true, ariaLabel: "computing" }, "computing ", bar, stop);
    box.setAttribute("role", "group");
    document.body.append(box);
    stop.addEventListener("click", Work.stop);
    let timer = 0;
    Work.watch((share) => {
      if (share === null) {
        clearTimeout(timer);
        [timer, box.hidden] = [0, true];
        return;
      }
      bar.value = share;
      if (!timer) timer = window.setTimeout(() => (box.hidden = false), WAIT_MILLISECONDS);
    });
  }

  return { start };
})();
