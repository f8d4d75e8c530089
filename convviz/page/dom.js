"use strict";
/** Making and finding elements. */
const Dom = (() => {
  const HIDDEN_MILLISECONDS = 100;

  /** @type {(id: string) => any} */
  const $ = (id) => document.getElementById(id);

  /** @param {string} name @param {Record<string, any>} [properties] @param {(Node|string)[]} children @returns {any} */
  function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  /** Write properties that differ from what is there: the browser lays out again what is written. @param {any} one @param {Record<string, any>} values */
  function set(one, values) {
    for (const [name, value] of Object.entries(values)) if (one[name] !== value) one[name] = value;
  }

  /** Wait until what was drawn is on the screen; a page that is not seen has no frames. @returns {Promise<void>} */
  const framed = () => new Promise((done) => {
    requestAnimationFrame(() => setTimeout(done));
    setTimeout(done, HIDDEN_MILLISECONDS);
  });

  /** The element that has a key: its id, or what stands in `data-key`. @param {string} key @returns {HTMLElement|null} */
  const keyed = (key) => (key ? $(key) || document.querySelector(`[data-key="${CSS.escape(key)}"]`) : null);

  /** The key of an element; empty if it has none. @param {Element|null} one */
  const keyOf = (one) => (one instanceof HTMLElement ? one.dataset.key || one.id : "");

  /** Put a picture beside an element, with texts above the element. @param {HTMLElement} one @param {HTMLElement} picture @param {HTMLElement[]} texts */
  function beside(one, picture, ...texts) {
    const column = element("div", {}, ...texts);
    one.before(element("div", { className: "pictured" }, picture, column));
    column.append(one);
  }

  return { $, element, set, framed, keyed, keyOf, beside };
})();
