"use strict";
/**
 * Arrays as cells on a canvas, with their numbers where there is room: the lens, large kernels and their products.
 *
 * Of a `Grid`, `width` and `height` are those of one cell; `faint` cells are padding; `frames` are windows or single
 * cells, drawn black and white; `edge` is where the image ends; `labels` are the indices of the first row and column; a
 * `plain` grid has no numbers.
 *
 * @typedef {{top: number, left: number, height: number, width: number}} Box
 * @typedef {{look: Look, values: Float32Array, width: number, height: number, faint?: boolean[], frames?: Box[],
 *   lit?: Box|null, edge?: Box|null, labels?: {top: number, left: number}|null, labelColour?: string,
 *   plain?: boolean}} Grid
 */
const Cells = (() => {
  const NARROW = 34;
  const LEAST_FONT = 9;
  const MOST_FONT = 13;
  // Between the colours of both themes.
  const HAZE = 140;
  const LIT = "#d55e00";

  /** The font of the numbers in a cell, and how many characters fit; 0 if none do. @param {number} width @param {number} height */
  function fontOf(width, height) {
    // In a narrow cell, four large characters are read more easily than five small ones.
    const font = Math.max(LEAST_FONT, Math.min(MOST_FONT, height * 0.6, width / (width < NARROW ? 2.7 : 3.2)));
    const chars = height < 12 ? 0 : Math.floor((width - 3) / (0.57 * font));
    return { font, chars: chars < 3 ? 0 : chars };
  }

  /** A frame that is seen on any value. @param {CanvasRenderingContext2D} ink @param {number} x @param {number} y @param {number} w @param {number} h @param {number} [line] */
  function frame(ink, x, y, w, h, line = 2) {
    for (const [colour, wide] of /** @type {[string, number][]} */ ([["#000", line + 2], ["#fff", line]])) {
      ink.strokeStyle = colour;
      ink.lineWidth = wide;
      ink.strokeRect(x, y, w, h);
    }
  }

  /** @type {Map<number, string>} */
  const inks = new Map();

  /** The colour of text on a colour, remembered: it takes three powers. @param {number[]} rgb */
  function inkOn(rgb) {
    const key = (rgb[0] << 16) | (rgb[1] << 8) | rgb[2];
    const known = inks.get(key);
    if (known) return known;
    const found = Paint.ink(rgb);
    inks.set(key, found);
    return found;
  }

  /** A background, with text that is read on it. @param {HTMLElement} one @param {number[]} rgb */
  function colour({ style }, rgb) {
    const background = `rgb(${rgb.join(", ")})`;
    if (style.backgroundColor === background) return;
    style.backgroundColor = background;
    style.color = inkOn(rgb);
  }

  /** Colours of the padding: halfway to grey, hatched. @param {number} level */
  const hazy = (level) => Math.round((level + HAZE) / 2);

  /** @param {HTMLCanvasElement} canvas @param {Grid} grid */
  function draw(canvas, { look, values, width: wide, height: tall, faint = [], frames = [], lit = null, edge = null, labels = null, labelColour = "", plain = false }) {
    const { height: rows, width: columns, pixels } = look;
    const [left, top] = labels ? [Plan.GUTTER.left, Plan.GUTTER.top] : [0, 0];
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [columns * wide + left + 2, rows * tall + top + 2];
    const [pixelsWide, pixelsTall] = [Math.round(w * ratio), Math.round(h * ratio)];
    if (canvas.width !== pixelsWide || canvas.height !== pixelsTall) {
      [canvas.width, canvas.height] = [pixelsWide, pixelsTall];
      [canvas.style.width, canvas.style.height] = [`${w}px`, `${h}px`];
    }
    const ink = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    ink.clearRect(0, 0, w, h);
    ink.textAlign = "center";
    ink.textBaseline = "middle";
    if (labels) {
      ink.fillStyle = labelColour;
      axes(ink, rows, columns, wide, tall, labels);
    }
    ink.translate(left + 1, top + 1);
    const { font, chars } = fontOf(wide, tall);
    ink.font = `${font}px system-ui, sans-serif`;
    for (let at = 0; at < values.length; at++) {
      const [x, y] = [(at % columns) * wide, Math.floor(at / columns) * tall];
      const rgb = [pixels[4 * at], pixels[4 * at + 1], pixels[4 * at + 2]].map((level) => (faint[at] ? hazy(level) : level));
      ink.fillStyle = `rgb(${rgb.join()})`;
      ink.fillRect(x, y, wide + 0.5, tall + 0.5);
      if (faint[at]) hatch(ink, x, y, wide, tall);
      if (!chars || plain) continue;
      ink.fillStyle = inkOn(rgb);
      ink.fillText(Words.fit(values[at], chars), x + wide / 2, y + tall / 2 + 0.5, wide - 2);
    }
    if (edge) {
      ink.setLineDash([5, 4]);
      frame(ink, edge.left * wide, edge.top * tall, edge.width * wide, edge.height * tall, 1);
      ink.setLineDash([]);
    }
    for (const box of frames) {
      const single = box.height === 1 && box.width === 1 && frames.length > 1;
      // A line at the edge of the canvas lies within it.
      const [x, y] = [Math.max(1, box.left * wide), Math.max(1, box.top * tall)];
      const [right, bottom] = [Math.min(columns * wide - 1, (box.left + box.width) * wide), Math.min(rows * tall - 1, (box.top + box.height) * tall)];
      frame(ink, x, y, right - x, bottom - y, single ? 0.7 : 2);
    }
    if (lit) {
      ink.strokeStyle = LIT;
      ink.lineWidth = 3;
      ink.strokeRect(lit.left * wide + 1.5, lit.top * tall + 1.5, lit.width * wide - 3, lit.height * tall - 3);
    }
  }

  /** @param {CanvasRenderingContext2D} ink @param {number} x @param {number} y @param {number} wide @param {number} tall */
  function hatch(ink, x, y, wide, tall) {
    ink.save();
    ink.beginPath();
    ink.rect(x, y, wide, tall);
    ink.clip();
    ink.beginPath();
    for (let from = -tall; from < wide; from += 6) {
      ink.moveTo(x + from, y + tall);
      ink.lineTo(x + from + tall, y);
    }
    ink.strokeStyle = "rgba(128, 128, 128, 0.8)";
    ink.lineWidth = 0.8;
    ink.stroke();
    ink.restore();
  }

  /**
   * The indices of rows and columns, beside the cells.
   *
   * @param {CanvasRenderingContext2D} ink @param {number} rows @param {number} columns
   * @param {number} wide @param {number} tall @param {{top: number, left: number}} first
   */
  function axes(ink, rows, columns, wide, tall, first) {
    const { left, top } = Plan.GUTTER;
    ink.font = "9px system-ui, sans-serif";
    // Leave out indices that would touch.
    const every = (/** @type {number} */ side, /** @type {number} */ least) => Math.ceil(least / side);
    for (let row = 0; row < rows; row += every(tall, 11)) ink.fillText(String(first.top + row), left / 2, top + (row + 0.5) * tall + 1, left - 2);
    for (let column = 0; column < columns; column += every(wide, 22)) ink.fillText(String(first.left + column), left + (column + 0.5) * wide, top / 2);
  }

  /** The cell of a grid under a pointer: row and column. @param {HTMLCanvasElement} canvas @param {MouseEvent} event @param {number} wide @param {number} tall @param {boolean} labels */
  function cellAt(canvas, event, wide, tall, labels) {
    const box = canvas.getBoundingClientRect();
    const [left, top] = labels ? [Plan.GUTTER.left, Plan.GUTTER.top] : [0, 0];
    return [Math.floor((event.clientY - box.top - top - 1) / tall), Math.floor((event.clientX - box.left - left - 1) / wide)];
  }

  return { draw, frame, fontOf, colour, inkOn, hazy, cellAt, LIT };
})();
