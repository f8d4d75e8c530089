"use strict";
/**
 * Canvases that show channels and maps: drawn from their pixels, zoomed and dragged together, with frames and numbers.
 *
 * @typedef {{rows: number[], columns: number[], colour: string, width: number}} Mark
 * @typedef {{kind: "input"|"output", channel: number, canvas: HTMLCanvasElement, source: HTMLCanvasElement, look: Look,
 *   values: Float32Array|null, marks: Mark[], most: number, scale: number, left: number, top: number}} Pane
 */
const Panes = (() => {
  const NUMBERS_FROM = 34;
  const LEAST_ROW = 28;

  /** @type {Pane[]} */
  let panes = [];
  let view = { scale: 1, x: 0.5, y: 0.5 };
  /** @type {{point: (place: Place|null, pane: Pane) => void, click: (place: Place|null, pane: Pane) => void}} */
  let heard = { point: () => {}, click: () => {} };

  // How an array looks, as a canvas, while the array is there: what stays the same is not painted again.
  /** @type {WeakMap<object, {look: Look, source: HTMLCanvasElement}>} */
  let painted = new WeakMap();

  /** @param {Look} look */
  function canvasOf(look) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [look.width, look.height];
    const ink = canvas.getContext("2d");
    if (!ink) throw new RangeError("no canvas");
    // Where such a canvas is shown larger, its cells are to be seen.
    if (look.width < 48) canvas.style.imageRendering = "pixelated";
    ink.putImageData(new ImageData(look.pixels, look.width, look.height), 0, 0);
    return canvas;
  }

  /** Paint everything again: the scales are other ones. */
  const forget = () => (painted = new WeakMap());

  /** Let go of all canvases. */
  function clear() {
    panes = [];
  }

  /**
   * Put a canvas into a figure; `most` is the greatest side on the screen.
   *
   * @param {HTMLElement} figure @param {"input"|"output"} kind @param {number} channel @param {object} key
   * @param {() => Look} paint @param {Float32Array|null} values @param {string} label @param {number} most
   * @returns {Pane}
   */
  function add(figure, kind, channel, key, paint, values, label, most) {
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    figure.prepend(canvas);
    let found = painted.get(key);
    if (!found) {
      const look = paint();
      found = { look, source: canvasOf(look) };
      painted.set(key, found);
    }
    const pane = { kind, channel, canvas, ...found, values, marks: [], most, scale: 1, left: 0, top: 0 };
    panes.push(pane);
    listen(pane);
    return pane;
  }

  // --- drawing

  /** @param {Pane} pane @param {number} room */
  function draw(pane, room) {
    const { canvas, look: { width, height } } = pane;
    const fit = room / Math.max(height, width);
    const scale = (fit >= 1 ? Math.floor(fit) : fit) * view.scale;
    const ratio = window.devicePixelRatio || 1;
    const [wide, tall] = [Math.min(room, width * scale), Math.min(room, Math.max(height * scale, height === 1 ? LEAST_ROW : 0))];
    pane.scale = scale;
    pane.left = Math.max(0, Math.min(width - wide / scale, view.x * width - wide / scale / 2));
    pane.top = Math.max(0, Math.min(height - tall / scale, view.y * height - tall / scale / 2));
    const [w, h] = [Math.round(wide * ratio), Math.round(tall * ratio)];
    if (canvas.width !== w || canvas.height !== h) {
      [canvas.width, canvas.height] = [w, h];
      canvas.style.width = `${wide}px`;
    }
    const ink = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    ink.imageSmoothingEnabled = scale < 1;
    // A vector is drawn higher than it is wide, to be seen at all.
    const rows = height === 1 ? 1 : tall / scale;
    ink.drawImage(pane.source, pane.left, pane.top, wide / scale, rows, 0, 0, wide, tall);
    if (pane.values && scale >= NUMBERS_FROM) write(ink, pane, wide, tall);
    for (const { rows: [first, last], columns, width: line, colour } of pane.marks) {
      ink.strokeStyle = colour;
      ink.lineWidth = line;
      ink.strokeRect((columns[0] - pane.left) * scale, (first - pane.top) * scale,
        (columns[1] - columns[0] + 1) * scale, height === 1 ? tall : (last - first + 1) * scale);
    }
  }

  /**
   * Write the values into their cells.
   *
   * @param {CanvasRenderingContext2D} ink @param {Pane} pane @param {number} wide @param {number} tall
   */
  function write(ink, pane, wide, tall) {
    const { look: { pixels, width, height }, scale, left, top } = pane;
    const values = /** @type {Float32Array} */ (pane.values);
    ink.font = `${Math.min(14, scale / 3.6)}px system-ui, sans-serif`;
    ink.textAlign = "center";
    ink.textBaseline = "middle";
    for (let y = Math.floor(top); y < Math.min(height, top + tall / scale); y++)
      for (let x = Math.floor(left); x < Math.min(width, left + wide / scale); x++) {
        const at = y * width + x;
        ink.fillStyle = Paint.ink(pixels.subarray(4 * at, 4 * at + 3));
        ink.fillText(Words.short(values[at], 3), (x - left + 0.5) * scale, height === 1 ? tall / 2 : (y - top + 0.5) * scale, scale - 4);
      }
  }

  /** Draw all of them, with the marks that `mark` gives each. @param {(pane: Pane) => Mark[]} mark */
  function drawAll(mark) {
    // All sizes are asked for before one is changed, else the browser lays the page out for each.
    const rooms = panes.map(({ canvas, most }) =>
      Math.max(40, Math.min(most, /** @type {HTMLElement} */ (canvas.parentElement).clientWidth - 4)));
    panes.forEach((pane, at) => {
      pane.marks = mark(pane);
      draw(pane, rooms[at]);
    });
  }

  // --- what is seen

  /** @param {number} value */
  const within = (value) => Math.max(0, Math.min(1, value));

  /** Bring a place, as shares of height and width, to the middle. @param {number} y @param {number} x */
  function centre(y, x) {
    [view.y, view.x] = [within(y), within(x)];
  }

  /** @param {number} factor */
  function zoom(factor) {
    view.scale = Math.max(1, Math.min(view.scale * factor, 512));
    if (view.scale === 1) centre(0.5, 0.5);
    // A finger moves what is zoomed; else it scrolls the page.
    document.body.classList.toggle("zoomed", zoomed());
  }

  const zoomed = () => view.scale > 1;

  /** What is seen of the map, in its cells. */
  function seen() {
    const { left, top, scale } = panes[panes.length - 1];
    return { left, top, scale };
  }

  // --- pointer

  /** The cell under a pointer. @param {Pane} pane @param {MouseEvent} event @returns {Place|null} */
  function cellAt({ kind, canvas, look, left, top, scale }, event) {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left - canvas.clientLeft, event.clientY - box.top - canvas.clientTop]
      .map((place) => (place * Number.parseFloat(canvas.style.width)) / canvas.clientWidth);
    const [row, column] = [look.height === 1 ? 0 : Math.floor(top + y / scale), Math.floor(left + x / scale)];
    const inside = row >= 0 && column >= 0 && row < look.height && column < look.width;
    return inside ? { kind, place: [row, column] } : null;
  }

  /** A place of the screen, in pixels of the canvas. @param {Pane} pane @param {{x: number, y: number}} screen */
  function onCanvas({ canvas }, { x, y }) {
    const box = canvas.getBoundingClientRect();
    const stretch = Number.parseFloat(canvas.style.width) / (canvas.clientWidth || 1);
    return { x: (x - box.left - canvas.clientLeft) * stretch, y: (y - box.top - canvas.clientTop) * stretch };
  }

  /**
   * Zoom so that what lies under one place of the screen lies under another: the same one, or where the fingers went.
   *
   * @param {Pane} pane @param {number} factor @param {{x: number, y: number}} from @param {{x: number, y: number}} [to]
   */
  function zoomAt(pane, factor, from, to = from) {
    const { look: { width, height }, most, left, top } = pane;
    const [before, after] = [onCanvas(pane, from), onCanvas(pane, to)];
    const was = view.scale;
    zoom(factor);
    const scale = (pane.scale * view.scale) / was;
    if (!zoomed()) return;
    /** @param {number} first @param {number} a @param {number} b @param {number} length */
    const along = (first, a, b, length) => (first + a / pane.scale + (Math.min(most, length * scale) / 2 - b) / scale) / length;
    centre(along(top, before.y, after.y, height), along(left, before.x, after.x, width));
  }

  /** How much one event of the wheel zooms: a notch of a mouse by half, a step of a trackpad in proportion. @param {WheelEvent} event */
  function wheelFactor({ deltaY, deltaMode }) {
    const pixels = deltaMode === WheelEvent.DOM_DELTA_PIXEL ? deltaY : deltaY * 16;
    return 2 ** (-Math.max(-60, Math.min(60, pixels)) / 100);
  }

  /** @param {Pane} pane */
  function listen(pane) {
    const { canvas } = pane;
    /** Where the fingers are. @type {Map<number, {x: number, y: number}>} */
    const held = new Map();
    let dragged = false;
    let first = { x: 0, y: 0 }; // where the pointer went down
    /** The middle of the fingers, and their distance. */
    const fingers = () => {
      const [a, b = a] = [...held.values()];
      return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) };
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (!held.size) {
        dragged = false;
        first = { x: event.clientX, y: event.clientY };
      }
      if (!zoomed() && event.pointerType === "mouse") return;
      held.set(event.pointerId, { x: event.clientX, y: event.clientY });
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!held.has(event.pointerId)) return heard.point(cellAt(pane, event), pane);
      const before = fingers();
      held.set(event.pointerId, { x: event.clientX, y: event.clientY });
      const after = fingers();
      dragged = dragged || held.size > 1 || Math.hypot(event.clientX - first.x, event.clientY - first.y) > 4;
      if (!dragged || (held.size < 2 && !zoomed())) return;
      zoomAt(pane, before.apart && after.apart ? after.apart / before.apart : 1, before, after);
      drawAll((one) => one.marks);
    });
    for (const name of /** @type {const} */ (["pointerup", "pointercancel"]))
      canvas.addEventListener(name, (event) => held.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => heard.point(null, pane));
    canvas.addEventListener("click", (event) => {
      if (!dragged) heard.click(cellAt(pane, event), pane);
    });
    canvas.addEventListener("wheel", (event) => {
      // As in maps: the wheel alone scrolls the page. Trackpads send a pinch as a wheel with Ctrl.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoomAt(pane, wheelFactor(event), { x: event.clientX, y: event.clientY });
      drawAll((one) => one.marks);
    }, { passive: false });
  }

  /** Tell who wants to know where the pointer is. @param {typeof heard} listener */
  const hear = (listener) => (heard = listener);

  return { canvasOf, forget, clear, add, drawAll, centre, zoom, zoomed, seen, hear };
})();
