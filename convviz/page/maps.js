"use strict";
/** All maps of the layer, small, to choose from. */
const Maps = (() => {
  const { $, element } = Dom;

  /** How many there are, and which is chosen. @param {Shown} shown */
  function head({ output, map }) {
    const count = output.channels.length;
    const choice = $("map");
    if (choice.length !== count)
      choice.replaceChildren(...Array.from({ length: count }, (_, at) => new Option(String(at), String(at))));
    choice.value = String(map);
    choice.hidden = count === 1;
    $("thumbs").hidden = count === 1;
    $("mapsHead").textContent = count === 1 ? "The map" : `All ${count} maps`;
  }

  /** @param {number} at @param {Stored} store */
  function button(at, store) {
    const made = element("button", { type: "button", ariaLabel: `map ${at}` }, element("canvas"), String(at));
    made.dataset.key = `map${at}`;
    made.addEventListener("click", () => store.change({ map: at }));
    return made;
  }

  /** One button per map; the buttons that are there are kept. @param {Now} now @param {Stored} store */
  function build(now, store) {
    const { output, map } = /** @type {Shown} */ (now.shown);
    const small = /** @type {Small[]} */ (now.small);
    const box = $("thumbs");
    const wanted = small.length === 1 ? 0 : small.length;
    while (box.children.length > wanted) box.lastChild.remove();
    while (box.children.length < wanted) box.append(button(box.children.length, store));
    [...box.children].forEach((one, at) => {
      Looks.thumbnail(now, small[at], output, one.firstChild);
      one.setAttribute("aria-pressed", String(at === map));
    });
  }

  /** @param {Stored} store */
  function start(store) {
    $("map").addEventListener("change", () => store.change({ map: Number($("map").value) }));
    store.subscribe((now, before) => {
      if (!now.shown) return;
      if (now.shown !== before.shown) head(now.shown);
      $("thumbs").setAttribute("aria-busy", String(!now.small));
      if (now.small && now.small !== before.small) build(now, store);
    });
  }

  return { start };
})();
