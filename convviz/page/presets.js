"use strict";
/** The weights to choose from: the seed, those of the page, and every preset with its picture and a line that explains it. */
const Presets = (() => {
  const { $, element } = Dom;
  const SIDE = 30;

  /** A kernel in the colours of weights. @param {number[][]} kernel */
  function drawn(kernel) {
    const values = Float32Array.from(kernel.flat());
    const peak = Math.max(...values.map(Math.abs));
    const pixels = new Uint8ClampedArray(4 * values.length);
    values.forEach((value, at) => pixels.set([...Paint.colour(value, peak), 255], 4 * at));
    const canvas = Panes.canvasOf({ pixels, height: kernel.length, width: kernel[0].length, low: 0, high: 0 });
    Object.assign(canvas.style, { width: `${SIDE}px`, height: `${SIDE}px` });
    return canvas;
  }

  /** Everything that weights can be made of. @param {Data} data */
  function choices({ given, presets }) {
    return [
      ...(given ? [{ name: "page", words: "of this page", about: "the weights that the page was made with", group: "", kernel: null }] : []),
      { name: "seed", words: "random", about: "what torch draws for a new layer with this seed", group: "", kernel: null },
      ...presets.map(({ name, kernel, about, group }) => ({ name, words: name, about, group, kernel })),
    ];
  }

  /** @param {ReturnType<typeof choices>[number]} choice */
  const row = ({ words, about, kernel }) => [
    kernel ? drawn(kernel) : element("span", { className: "noKernel", ariaHidden: "true" }, words === "random" ? "?" : "·"),
    element("span", {}, element("strong", {}, words), element("span", { className: "about" }, about)),
  ];

  /** @param {Data} data @param {(name: string) => void} choose */
  function build(data, choose) {
    const all = choices(data);
    const groups = [...new Set(all.map(({ group }) => group))];
    const lists = groups.map((group) => element("div", { role: "group", ariaLabel: group || "weights" },
      ...(group ? [element("p", { className: "group" }, group)] : []),
      ...all.filter((one) => one.group === group).map((one) => {
        // One stop of the Tab key for all of them; arrows move among them.
        const radio = element("input", { type: "radio", name: "preset", value: one.name, className: "unseen" });
        radio.addEventListener("change", () => choose(one.name));
        return element("label", { className: "preset" }, radio, ...row(one));
      })));
    return element("details", { id: "presetBox" },
      element("summary", { id: "preset" }),
      element("div", { className: "presets", role: "radiogroup", ariaLabel: "weights" }, ...lists));
  }

  /** Show which is chosen. @param {State} state @param {Data} data */
  function fill({ preset }, data) {
    const chosen = choices(data).find(({ name }) => name === preset);
    const box = $("presetBox");
    if (!chosen || box.dataset.shown === preset) return;
    box.dataset.shown = preset;
    $("preset").replaceChildren(...row(chosen));
    for (const radio of box.querySelectorAll("input")) radio.checked = radio.value === preset;
  }

  return { build, fill };
})();
