"use strict";
/** Tabs: one panel of a list is shown; arrow keys move between the tabs. */
const Tabs = (() => {
  /** @param {HTMLElement} list */
  function start(list) {
    const tabs = /** @type {HTMLElement[]} */ ([...list.querySelectorAll('[role="tab"]')]);
    /** @param {HTMLElement} chosen */
    const choose = (chosen) => {
      for (const tab of tabs) {
        tab.setAttribute("aria-selected", String(tab === chosen));
        tab.tabIndex = tab === chosen ? 0 : -1;
        Dom.$(tab.getAttribute("aria-controls") || "").hidden = tab !== chosen;
      }
    };
    tabs.forEach((tab, at) => {
      tab.addEventListener("click", () => choose(tab));
      tab.addEventListener("keydown", ({ key }) => {
        const step = key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0;
        const visible = tabs.filter((one) => !one.hidden);
        if (!step) return;
        const next = visible[(visible.indexOf(tabs[at]) + step + visible.length) % visible.length];
        choose(next);
        next.focus();
      });
    });
    choose(tabs.find((tab) => !tab.hidden) || tabs[0]);
    return choose;
  }

  return { start };
})();
