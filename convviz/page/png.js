"use strict";
/**
 * PNG files, exactly: a canvas multiplies colours by their opacity, keeps 8 of 16 bits, and makes grey pictures colour.
 *
 * `samples` are interleaved, `count` of them for each pixel; `full` is the largest that the format has.
 *
 * @typedef {{height: number, width: number, samples: ArrayLike<number>, count: number, full: number, grey: boolean}} Raster
 */
const Png = (() => {
  const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
  const MOST_PIXELS = 1 << 27;
  // Samples per pixel, by the type of colour.
  const COUNTS = /** @type {Record<number, number>} */ ({ 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 });
  // First column and row, and steps, of the seven passes of an interlaced picture.
  const PASSES = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

  /** The parts of a file, by name; those of one name follow each other. @param {Uint8Array} bytes */
  function chunks(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    /** @type {Record<string, Uint8Array[]>} */
    const found = {};
    for (let at = 8; at + 8 <= bytes.length; ) {
      const length = view.getUint32(at);
      const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
      (found[name] = found[name] || []).push(bytes.subarray(at + 8, at + 8 + length));
      if (name === "IEND") break;
      at += 12 + length;
    }
    return found;
  }

  /** @param {Uint8Array[]} parts */
  async function inflated(parts) {
    const packed = new Blob(/** @type {any} */ (parts)).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(packed).arrayBuffer());
  }

  /** The predictor of Paeth: of the three, the nearest to their sum. @param {number} left @param {number} above @param {number} corner */
  function paeth(left, above, corner) {
    const sum = left + above - corner;
    const [a, b, c] = [Math.abs(sum - left), Math.abs(sum - above), Math.abs(sum - corner)];
    return a <= b && a <= c ? left : b <= c ? above : corner;
  }

  /** Undo the filter of each row in place. @param {Uint8Array} data @param {number} from @param {number} rows @param {number} length @param {number} step */
  function unfilter(data, from, rows, length, step) {
    for (let row = 0; row < rows; row++) {
      const start = from + row * (length + 1) + 1;
      const kind = data[start - 1];
      for (let at = 0; kind && at < length; at++) {
        const left = at >= step ? data[start + at - step] : 0;
        const above = row ? data[start + at - length - 1] : 0;
        const corner = row && at >= step ? data[start + at - length - 1 - step] : 0;
        data[start + at] += kind === 1 ? left : kind === 2 ? above : kind === 3 ? (left + above) >> 1 : paeth(left, above, corner);
      }
    }
  }

  /** The orientation that EXIF states, from 1 to 8. @param {Uint8Array|undefined} exif */
  function orientation(exif) {
    if (!exif || exif.length < 14) return 1;
    const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
    const little = exif[0] === 0x49;
    const first = view.getUint32(4, little);
    for (let entry = 0; first + 2 <= exif.length && entry < view.getUint16(first, little); entry++) {
      const at = first + 2 + 12 * entry;
      if (at + 12 <= exif.length && view.getUint16(at, little) === 0x0112) return view.getUint16(at + 8, little);
    }
    return 1;
  }

  /** Turn a picture as its orientation says. @param {Raster} raster @param {number} how @returns {Raster} */
  function upright(raster, how) {
    if (!(how >= 2 && how <= 8)) return raster;
    const { height, width, samples, count } = raster;
    const turned = how >= 5;
    const [tall, wide] = turned ? [width, height] : [height, width];
    const made = new Float64Array(samples.length);
    for (let y = 0; y < tall; y++)
      for (let x = 0; x < wide; x++) {
        const [row, column] = [[3, 4, 7, 8].includes(how) ? tall - 1 - y : y, [2, 3, 6, 7].includes(how) ? wide - 1 - x : x];
        const from = turned ? column * width + row : row * width + column;
        for (let at = 0; at < count; at++) made[(y * wide + x) * count + at] = samples[from * count + at];
      }
    return { ...raster, height: tall, width: wide, samples: made };
  }

  /** Read a PNG; null if the file is another one. @param {Uint8Array} bytes @returns {Promise<Raster|null>} */
  async function read(bytes) {
    if (SIGNATURE.some((one, at) => bytes[at] !== one)) return null;
    const { IHDR: [header], PLTE: [palette] = [], IDAT, eXIf: [exif] = [] } = chunks(bytes);
    const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
    const [width, height] = [view.getUint32(0), view.getUint32(4)];
    const [bits, type, , , interlaced] = header.subarray(8);
    if (width * height > MOST_PIXELS) throw new RangeError("too many pixels");
    const data = await inflated(IDAT);
    const count = COUNTS[type];
    const samples = new (bits === 16 ? Uint16Array : Uint8Array)(width * height * count);
    let from = 0;
    for (const [left, top, across, down] of interlaced ? PASSES : [[0, 0, 1, 1]]) {
      const [wide, tall] = [Math.ceil((width - left) / across), Math.ceil((height - top) / down)];
      if (wide <= 0 || tall <= 0) continue;
      const length = Math.ceil((wide * count * bits) / 8);
      if (from + tall * (length + 1) > data.length) throw new Error("cut short");
      unfilter(data, from, tall, length, Math.max(1, (bits * count) / 8));
      for (let y = 0; y < tall; y++) {
        const start = from + y * (length + 1) + 1;
        for (let at = 0; at < wide * count; at++) {
          const place = at * bits;
          const value = bits === 16 ? (data[start + 2 * at] << 8) | data[start + 2 * at + 1]
            : (data[start + (place >> 3)] >> (8 - bits - (place & 7))) & (2 ** bits - 1);
          const x = left + Math.floor(at / count) * across;
          samples[((top + y * down) * width + x) * count + (at % count)] = value;
        }
      }
      from += tall * (length + 1);
    }
    const how = orientation(exif);
    if (type === 3) {
      const colours = new Uint8Array(width * height * 3);
      samples.forEach((level, at) => colours.set(palette.subarray(3 * level, 3 * level + 3), 3 * at));
      return upright({ height, width, samples: colours, count: 3, full: 255, grey: false }, how);
    }
    // Of 2 and 4 bits, as levels of 8.
    const stretch = bits === 2 ? 85 : bits === 4 ? 17 : 1;
    const levels = stretch === 1 ? samples : samples.map((level) => level * stretch);
    const full = bits === 16 ? 65535 : bits === 1 ? 1 : 255;
    return upright({ height, width, samples: levels, count, full, grey: count < 3 }, how);
  }

  return { read };
})();
