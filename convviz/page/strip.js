"use strict";
/** The layers of a network, one row each, to choose from. */
const Strip = (() => {
  const { $, element } = Dom;

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
    $("layers").replaceChildren(...steps.map(({ name, kind, shape }, at) => {
      const label = element("span", { className: "name" }, name, element("span", {}, `${kind} -> ${shape.join("x")}`));
      const output = /** @type {Picture} */ (outputs.get(name));
      const strip = element("span", { className: "strip" }, ...(small.get(name) || []).map((one) => Looks.thumbnail(now, one, output)));
      if (shape.length === 1) strip.classList.add("vector");
      const best = at === steps.length - 1 ? prediction(net, data) : "";
      if (best) label.append(element("strong", {}, best));
      const button = element("button", { type: "button" }, label, strip);
      button.setAttribute("aria-pressed", String(at === now.state.at));
      button.dataset.key = `layer${at}`;
      button.addEventListener("click", () => {
        store.pin(null);
        store.change({ at, map: 0 });
      });
      return button;
    }));
    const list = $("layers");
    const { offsetTop, offsetHeight } = list.children[Math.min(now.state.at, steps.length - 1)];
    const top = offsetTop - list.offsetTop;
    if (top < list.scrollTop || top + offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top - list.clientHeight / 2;
  }

  return { build };
})();
