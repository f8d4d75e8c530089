"use strict";
/** Making and finding elements. */
const Dom = (() => {
  /** @type {(id: string) => any} */
  const $ = (id) => document.getElementById(id);

  /** @param {string} name @param {Record<string, any>} [properties] @param {(Node|string)[]} children @returns {any} */
  function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

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

  return { $, element, keyed, keyOf, beside };
})();
