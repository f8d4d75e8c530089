"use strict";
/**
 * Canvases that show channels and maps: drawn from their pixels, zoomed and dragged together, with frames and numbers.
 *
 * The place of a `Mark` is in cells of the picture; the pixels of a pane may begin before it, at minus `before`, where the
 * padding is drawn. `cover` hides all cells from that one on; `edge` is a dashed line around the picture.
 *
 * @typedef {{rows: number[], columns: number[], colour: string, width: number}} Mark
 * @typedef {{kind: "input"|"output", channel: number, canvas: HTMLCanvasElement, source: HTMLCanvasElement, look: Look,
 *   values: Float32Array|null, marks: Mark[], most: number, scale: number, left: number, top: number, before: Pair,
 *   edge: Pair|null, cover: number|null, painted?: Painted}} Pane
 * @typedef {{key: object, form: string, look: Look, source: HTMLCanvasElement}} Painted
 */
const Panes = (() => {
  const NUMBERS_FROM = 26;
  const LEAST_ROW = 28;
  // A window of a photo would be a speck; its frame is at least this large on the screen.
  const LEAST_FRAME = 9;
  const MOST_LEAST = 64; // cells; a larger picture may have such specks

  /** @type {Pane[]} */
  let panes = [];
  let view = { scale: 1, x: 0.5, y: 0.5 };
  /** @type {{point: (place: Place|null, pane: Pane) => void, click: (place: Place|null, pane: Pane) => void, moved: () => void}} */
  let heard = { point: () => {}, click: () => {}, moved: () => {} };

  // How an array looks, as a canvas, while the array is there: what stays the same is not painted again.
  /** @type {WeakMap<object, Painted>} */
  let painted = new WeakMap();

  /** The pixels of a look on a canvas, a new one or one that is there. @param {Look} look @param {HTMLCanvasElement} [canvas] */
  function canvasOf(look, canvas = document.createElement("canvas")) {
    if (canvas.width !== look.width || canvas.height !== look.height) [canvas.width, canvas.height] = [look.width, look.height];
    const ink = canvas.getContext("2d");
    if (!ink) throw new RangeError("no canvas");
    // Where such a canvas is shown larger, its cells are to be seen.
    canvas.style.imageRendering = look.width < 48 ? "pixelated" : "";
    ink.putImageData(new ImageData(look.pixels, look.width, look.height), 0, 0);
    return canvas;
  }

  /** Paint everything again: the scales are other ones. */
  function forget() {
    painted = new WeakMap();
    for (const pane of panes) pane.painted = undefined;
  }

  /** Let go of all canvases; those of figures that stay are used again. */
  function clear() {
    panes = [];
  }

  /** The pane of each figure. @type {WeakMap<HTMLElement, Pane>} */
  const kept = new WeakMap();

  /** A pane with a canvas in a figure, which hears the pointer. @param {HTMLElement} figure @returns {Pane} */
  function paneIn(figure) {
    const known = kept.get(figure);
    if (known) return known;
    const pane = /** @type {Pane} */ ({ canvas: document.createElement("canvas"), scale: 1, left: 0, top: 0 });
    figure.prepend(pane.canvas);
    listen(pane);
    kept.set(figure, pane);
    return pane;
  }

  /**
   * Show an array on the canvas of a figure. `key` is the array that `paint` draws, `form` how; `most` is the larger side on the screen.
   *
   * @param {HTMLElement} figure
   * @param {{kind: "input"|"output", channel: number, key: object, form?: string, paint: () => Look,
   *   values: Float32Array|null, label: string, most: number, before?: Pair, edge?: Pair|null}} what
   * @returns {Pane}
   */
  function add(figure, { key, form = "", paint, label, before = [0, 0], edge = null, ...what }) {
    const pane = paneIn(figure);
    // The first channel stands for all of them, which move together.
    const first = what.kind === "input" && !panes.some((one) => one.kind === "input");
    Object.assign(pane.canvas, first ? { id: "inputCanvas", tabIndex: 0 } : {});
    pane.canvas.setAttribute("role", first ? "application" : "img");
    pane.canvas.setAttribute("aria-label", first ? `${label}; arrow keys move over the pixels` : label);
    let found = what.kind === "input" ? painted.get(key) : pane.painted;
    if (!found || found.key !== key || found.form !== form) {
      const look = paint();
      // Inputs stay, and are shown again by other panes; a map goes, and the next one is painted over it.
      found = { key, form, look, source: canvasOf(look, what.kind === "output" ? pane.source : undefined) };
      if (what.kind === "input") painted.set(key, found);
    }
    Object.assign(pane, what, { look: found.look, source: found.source, painted: found, marks: [], before, edge, cover: null });
    panes.push(pane);
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
    if (pane.cover !== null) hide(ink, pane, wide, tall);
    if (pane.edge) {
      ink.setLineDash([4, 3]);
      Cells.frame(ink, (pane.before[1] - pane.left) * scale, (pane.before[0] - pane.top) * scale, pane.edge[1] * scale, pane.edge[0] * scale, 1);
      ink.setLineDash([]);
    }
    for (const mark of pane.marks) {
      const { x, y, width: w, height: h } = boxOf(pane, mark, tall);
      if (mark.colour === "window") {
        Cells.frame(ink, x, y, w, h, mark.width);
        continue;
      }
      ink.strokeStyle = mark.colour;
      ink.lineWidth = mark.width;
      ink.strokeRect(x, y, w, h);
    }
  }

  /** Where a mark lies on the canvas, never a speck. @param {Pane} pane @param {Mark} mark @param {number} [tall] */
  function boxOf({ look, scale, left, top, before }, { rows: [first, last], columns }, tall = scale) {
    const [w, h] = [(columns[1] - columns[0] + 1) * scale, look.height === 1 ? tall : (last - first + 1) * scale];
    const least = Math.max(look.height, look.width) > MOST_LEAST ? LEAST_FRAME : 0;
    const [moreWide, moreTall] = [Math.max(0, least - w), Math.max(0, least - h)];
    return {
      x: (columns[0] + before[1] - left) * scale - moreWide / 2, y: (first + before[0] - top) * scale - moreTall / 2,
      width: w + moreWide, height: h + moreTall,
    };
  }

  /** Hide the cells of a map that are not computed yet. @param {CanvasRenderingContext2D} ink @param {Pane} pane @param {number} wide @param {number} tall */
  function hide(ink, { look: { width, height }, cover, scale, left, top }, wide, tall) {
    const [row, column] = [Math.floor(Number(cover) / width), Number(cover) % width];
    ink.fillStyle = "#8c8c8c";
    const y = height === 1 ? 0 : (row - top) * scale;
    const high = height === 1 ? tall : scale;
    ink.fillRect((column - left) * scale, y, wide, high);
    ink.fillRect(0, y + high, wide, tall);
  }

  /**
   * Write the values into their cells.
   *
   * @param {CanvasRenderingContext2D} ink @param {Pane} pane @param {number} wide @param {number} tall
   */
  function write(ink, pane, wide, tall) {
    const { look: { pixels, width, height }, scale, left, top } = pane;
    const values = /** @type {Float32Array} */ (pane.values);
    const { font, chars } = Cells.fontOf(scale, scale);
    ink.font = `${font}px system-ui, sans-serif`;
    ink.textAlign = "center";
    ink.textBaseline = "middle";
    for (let y = Math.floor(top); y < Math.min(height, top + tall / scale); y++)
      for (let x = Math.floor(left); x < Math.min(width, left + wide / scale); x++) {
        const at = y * width + x;
        ink.fillStyle = Paint.ink(pixels.subarray(4 * at, 4 * at + 3));
        ink.fillText(Words.fit(values[at], chars), (x - left + 0.5) * scale, height === 1 ? tall / 2 : (y - top + 0.5) * scale, scale - 4);
      }
  }

  /** Draw all of them, with the marks that `mark` gives each. @param {(pane: Pane) => Mark[]} mark */
  function drawAll(mark) {
    for (const pane of panes) {
      pane.marks = mark(pane);
      draw(pane, Math.max(40, pane.most));
    }
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

  /** The pane of the map, which is added last. */
  const map = () => panes[panes.length - 1];

  /** What is seen of the map, in its cells. */
  function seen() {
    const { left, top, scale } = map();
    return { left, top, scale };
  }

  // --- pointer

  /** The cell under a pointer. @param {Pane} pane @param {MouseEvent} event @returns {Place|null} */
  function cellAt({ kind, canvas, look, left, top, scale, before, edge }, event) {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left - canvas.clientLeft, event.clientY - box.top - canvas.clientTop]
      .map((place) => (place * Number.parseFloat(canvas.style.width)) / canvas.clientWidth);
    const [row, column] = [look.height === 1 ? 0 : Math.floor(top + y / scale), Math.floor(left + x / scale)];
    const place = [row - before[0], column - before[1]];
    const [height, width] = edge || [look.height, look.width];
    return place.every((one) => one >= 0) && place[0] < height && place[1] < width ? { kind, place } : null;
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
      heard.moved();
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
      heard.moved();
    }, { passive: false });
  }

  /** Tell who wants to know where the pointer is. @param {typeof heard} listener */
  const hear = (listener) => (heard = listener);

  return { canvasOf, forget, clear, add, drawAll, boxOf, map, centre, zoom, zoomed, seen, hear };
})();
