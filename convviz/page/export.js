"use strict";
/** What leaves the page: the map as PNG or SVG, kernels.json, text for the clipboard. */
const Export = (() => {
  const { $ } = Dom;
  // More cells than this are a picture, not squares with numbers.
  const MOST_CELLS = 4096;
  const SIDE = 40;

  /** @param {string} name @param {string} href */
  const download = (name, href) => Dom.element("a", { download: name, href }).click();

  /** @param {string} name @param {string} text @param {string} type */
  function downloadText(name, text, type) {
    const href = URL.createObjectURL(new Blob([text], { type }));
    download(name, href);
    setTimeout(() => URL.revokeObjectURL(href), 1000);
  }

  /** The map that is shown, as pixels. @param {Now} now */
  function chosen(now) {
    const { output, map } = /** @type {Shown} */ (now.shown);
    const values = output.channels[map];
    return { ...Looks.look(now.state, values, output.height, output.width, Looks.toneOf(now, values, output)), values };
  }

  /** The map as a document: squares with their numbers, or a picture if those would be too many. @param {Now} now */
  function svg(now) {
    const { values, ...look } = chosen(now);
    const { height, width, pixels } = look;
    const cells = [];
    for (let at = 0; height * width <= MOST_CELLS && at < values.length; at++) {
      const [x, y] = [(at % width) * SIDE, Math.floor(at / width) * SIDE];
      const rgb = pixels.subarray(4 * at, 4 * at + 3);
      cells.push(
        `<rect x="${x}" y="${y}" width="${SIDE}" height="${SIDE}" fill="rgb(${rgb.join()})"/>`,
        `<text x="${x + SIDE / 2}" y="${y + SIDE / 2 + 4}" fill="${Paint.ink(rgb)}">${Words.short(values[at], 3)}</text>`,
      );
    }
    if (!cells.length)
      cells.push(`<image width="${width * SIDE}" height="${height * SIDE}" image-rendering="pixelated" href="${Panes.canvasOf(look).toDataURL()}"/>`);
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width * SIDE} ${height * SIDE}" ` +
      `font-family="system-ui, sans-serif" font-size="12" text-anchor="middle">${cells.join("")}</svg>`;
  }

  /** @param {string} id @param {string} of */
  async function copy(id, of) {
    try {
      await navigator.clipboard.writeText($(of).textContent);
      $(id).textContent = "copied";
    } catch {
      // A page from a file may have no access to the clipboard; then the text is selected for the keyboard.
      getSelection()?.selectAllChildren($(of));
      $(id).textContent = "selected: press Ctrl-C";
    }
    setTimeout(() => ($(id).textContent = "copy"), 2000);
  }

  /** @param {Stored} store */
  function start(store) {
    const name = () => `map-${store.now().state.map}`;
    $("png").addEventListener("click", () => download(`${name()}.png`, Panes.canvasOf(chosen(store.now())).toDataURL()));
    $("svg").addEventListener("click", () => downloadText(`${name()}.svg`, svg(store.now()), "image/svg+xml"));
    $("saveKernels").addEventListener("click", () => {
      const { conv, weights, inputs } = /** @type {Shown} */ (store.now().shown);
      if (conv && weights) downloadText("kernels.json", Words.kernels(conv, weights, inputs[0].channels.length), "application/json");
    });
    $("copyCommand").addEventListener("click", () => copy("copyCommand", "command"));
    $("copyCode").addEventListener("click", () => copy("copyCode", "code"));
  }

  return { start, svg };
})();
