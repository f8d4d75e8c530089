"use strict";
/** The layers of a network, side by side, to choose from. */
const Strip = (() => {
  const { $, element } = Dom;
  /** @type {{net: Net|null, looks: string}} */
  let built = { net: null, looks: "" };

  /** The class that the network predicts; empty if its values have no names. @param {Net} net @param {Data} data */
  function prediction({ steps, answer }, { classes }) {
    const values = answer.outputs.get(steps[steps.length - 1].name)?.channels[0];
    if (!values || classes.length !== values.length) return "";
    const best = values.indexOf(Math.max(...values));
    return `${classes[best]} (${Words.short(values[best], 3)})`;
  }

  /** @param {Now} now @param {Data} data @param {Stored} store */
  function build(now, data, store) {
    const net = now.shown?.net;
    if (!net) return;
    const { steps, answer: { small, outputs } } = net;
    const looks = [now.state.colormap, now.state.limits, now.state.scale].join();
    const same = built.net === net && built.looks === looks;
    built = { net, looks };
    if (!same) $("layers").replaceChildren(...steps.map(({ name, kind, shape }, at) => {
      const label = element("span", { className: "name" }, name, element("span", {}, `${kind} -> ${shape.join("x")}`));
      const output = /** @type {Picture} */ (outputs.get(name));
      const strip = element("span", { className: "strip" }, ...(small.get(name) || []).map((one) => Looks.thumbnail(now, one, output)));
      if (shape.length === 1) strip.classList.add("vector");
      const best = at === steps.length - 1 ? prediction(net, data) : "";
      if (best) label.append(element("strong", {}, best));
      const button = element("button", { type: "button" }, label, strip);
      button.dataset.key = `layer${at}`;
      button.addEventListener("click", () => {
        store.pin(null);
        store.change({ at, map: 0 });
      });
      return button;
    }));
    const list = $("layers");
    const chosen = Math.min(now.state.at, steps.length - 1);
    [...list.children].forEach((button, at) => button.setAttribute("aria-pressed", String(at === chosen)));
    const { offsetLeft, offsetWidth } = list.children[chosen];
    const inside = offsetLeft >= list.scrollLeft && offsetLeft + offsetWidth <= list.scrollLeft + list.clientWidth;
    if (!inside) list.scrollLeft = offsetLeft - (list.clientWidth - offsetWidth) / 2;
  }

  return { build };
})();
