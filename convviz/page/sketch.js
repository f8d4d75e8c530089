"use strict";
/** A field to draw on, for a network that reads one small square grey channel: the prediction follows the pointer. */
const Sketch = (() => {
  const { $, element } = Dom;
  const MOST_SIDE = 64;
  const MOST_CLASSES = 3;
  const NAME = "drawing.png";
  // A line as wide as a fourteenth of the field, as in handwritten digits of 28x28 pixels, with soft edges.
  const WIDTH = 1 / 14;

  /** @type {any} */
  let canvas;
  /** @type {Uint8ClampedArray<ArrayBuffer>} */
  let levels;
  let side = 0;
  /** The last drawing that the store was given. @type {Input|null} */
  let given = null;
  /** @type {[number, number]|null} */
  let last = null; // where the pointer was
  let cursor = [0, 0];
  let waiting = false;

  /** Whether a page has such a field. @param {Data} data */
  const fits = (data) => !data.single && !data.network && data.shape[0] === 1 && data.shape[1] === data.shape[2] &&
    data.shape[1] <= MOST_SIDE && !Pictures.reason(data);

  /** Add a stroke from one place to another: each pixel as bright as it is near. @param {number[]} from @param {number[]} to */
  function stroke([y, x], [toY, toX]) {
    const radius = (side * WIDTH) / 2;
    const [down, right] = [toY - y, toX - x];
    const length = down * down + right * right;
    for (let row = 0; row < side; row++)
      for (let column = 0; column < side; column++) {
        const [py, px] = [row + 0.5 - y, column + 0.5 - x];
        const share = length ? Math.max(0, Math.min(1, (py * down + px * right) / length)) : 0;
        const distance = Math.hypot(py - share * down, px - share * right);
        const level = Math.round(255 * Math.max(0, Math.min(1, radius + 0.75 - distance)));
        levels[row * side + column] = Math.max(levels[row * side + column], level);
      }
  }

  /** The drawing as pixels of red, green, blue and opacity. */
  function pixels() {
    const made = new Uint8ClampedArray(4 * levels.length);
    levels.forEach((level, at) => made.set([level, level, level, 255], 4 * at));
    return made;
  }

  function paint() {
    const ink = canvas.getContext("2d");
    ink.putImageData(new ImageData(pixels(), side, side), 0, 0);
  }

  /** Give the drawing to the network: each stroke is one step of the history. @param {Data} data @param {Stored} store @param {boolean} fresh */
  function give(data, store, fresh) {
    const { words, ...read } = Pictures.read(pixels(), side, side, data);
    given = { ...read, source: { path: NAME, words, drawn: true } };
    if (fresh) store.replace(given, "sketch");
    else store.repaint(given);
  }

  /** Take over the picture that is shown, unless it is the drawing. @param {Input} input */
  function follow(input) {
    if (input === given) return;
    const { picture, low, high } = input;
    levels = Uint8ClampedArray.from(picture.channels[0], (value) => (255 * (value - low)) / (high - low));
    paint();
  }

  /** Begin a stroke; on a picture that is no drawing, a new drawing. @param {number[]} place @param {Data} data @param {Stored} store */
  function begin(place, data, store) {
    if (store.now().input !== given) levels.fill(0);
    stroke(place, place);
    paint();
    give(data, store, true);
  }

  /** @param {PointerEvent} event @returns {[number, number]} */
  function placeOf(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientY - box.top) / box.height) * side, ((event.clientX - box.left) / box.width) * side];
  }

  /** @param {Data} data @param {Stored} store */
  function hear(data, store) {
    canvas.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      last = placeOf(event);
      begin(last, data, store);
    });
    canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      if (!last) return;
      const place = placeOf(event);
      stroke(last, place);
      last = place;
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        paint();
        give(data, store, false);
      });
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (last = null));
    canvas.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const moves = /** @type {Record<string, number[]>} */ ({ ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], " ": [0, 0] });
      const move = moves[event.key];
      if (!move) return;
      event.preventDefault();
      const before = cursor.map((at) => at + 0.5);
      cursor = cursor.map((at, axis) => Math.max(0, Math.min(side - 1, at + move[axis])));
      const place = cursor.map((at) => at + 0.5);
      // With Shift a move draws a line.
      if (event.key === " ") begin(place, data, store);
      else if (event.shiftKey) {
        stroke(before, place);
        begin(place, data, store);
      }
      mark();
    });
    canvas.addEventListener("focus", mark);
    canvas.addEventListener("blur", paint);
  }

  /** Show where the keys would draw. */
  function mark() {
    paint();
    const ink = canvas.getContext("2d");
    ink.fillStyle = "#d55e00";
    ink.fillRect(cursor[1], cursor[0], 1, 1);
  }

  /** The classes of the largest values. @param {Now} now @param {Data} data */
  function prediction({ shown }, { classes }) {
    const net = shown?.net;
    const values = net && net.answer.outputs.get(net.steps[net.steps.length - 1].name)?.channels[0];
    if (!values || classes.length !== values.length) return "";
    const order = Array.from(values.keys()).sort((a, b) => values[b] - values[a]).slice(0, MOST_CLASSES);
    return order.map((at) => `${classes[at]} (${Words.short(values[at], 2)})`).join(", ");
  }

  /** @param {Data} data @param {Stored} store */
  function start(data, store) {
    if (!fits(data)) return;
    side = data.shape[1];
    canvas = element("canvas", { id: "sketch", width: side, height: side, tabIndex: 0 });
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", "draw: with the pointer, or move by arrow keys; Space draws a point, Shift with an arrow a line");
    const found = element("output", { id: "sketched" });
    const clear = element("button", { type: "button", id: "clearSketch" }, "clear");
    const save = element("button", { type: "button", id: "saveSketch" }, `save ${NAME}`);
    const first = store.now().input;
    const back = element("button", { type: "button", id: "leaveSketch" }, `back to ${first.source.path.split("/").pop()}`);
    Dom.beside($("layers"), canvas,
      element("p", {}, "Draw on the field: the network reads it at once. The drawing stays in this browser; a link does not hold it."),
      element("p", { className: "buttons" }, clear, save, back, found));
    levels = new Uint8ClampedArray(side * side);
    hear(data, store);
    clear.addEventListener("click", () => {
      levels.fill(0);
      paint();
      give(data, store, true);
    });
    save.addEventListener("click", () => {
      paint();
      element("a", { download: NAME, href: canvas.toDataURL() }).click();
    });
    back.addEventListener("click", () => store.replace(first, "upload"));
    follow(first);
    store.subscribe((now, before) => {
      if (now.input !== before.input) follow(now.input);
      if (now.shown !== before.shown) found.textContent = prediction(now, data);
    });
  }

  return { start };
})();
