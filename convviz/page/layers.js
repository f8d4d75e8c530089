"use strict";
/**
 * The layers beside Conv2d, as torch defines them, on one image without a batch. A vector is a picture of one row.
 * Options have the names of torch; a convolution has its `Layer` as `options`.
 *
 * @typedef {{name: string, kind: string, text: string, inputs: string[], shape: number[], options: any,
 *   numbers: Record<string, Float32Array>}} Placed
 */
const Layers = (() => {
  /** A picture of zeros in the shape of a layer's output. @param {number[]} shape @returns {Picture} */
  function blank(shape) {
    const [count, height, width] = shape.length === 3 ? shape : [1, 1, shape[0]];
    return { height, width, planes: Array.from({ length: count }, () => new Float32Array(height * width)) };
  }

  /**
   * Apply a function to every value, with the number of its plane.
   *
   * @param {Picture} x @param {(value: number, plane: number) => number} change @returns {Picture}
   */
  const each = (x, change) => ({
    height: x.height,
    width: x.width,
    planes: x.planes.map((values, plane) => values.map((value) => change(value, plane))),
  });

  const sigmoid = (/** @type {number} */ value) => 1 / (1 + Math.exp(-value));

  /**
   * The pixels of the window of one output, clipped to the input: rows and columns.
   *
   * @param {any} options @param {Picture} x @param {number} row @param {number} column
   * @returns {[number[], number[]]}
   */
  function windowOf(options, x, row, column) {
    /** @param {number} axis @param {number} at @param {number} length */
    const along = (axis, at, length) => {
      const found = [];
      for (let tap = 0; tap < options.kernel_size[axis]; tap++) {
        const place = at * options.stride[axis] - options.padding[axis] + tap * options.dilation[axis];
        if (place >= 0 && place < length) found.push(place);
      }
      return found;
    };
    return [along(0, row, x.height), along(1, column, x.width)];
  }

  /**
   * The part of the input that one output of AdaptiveAvgPool2d is the mean of.
   *
   * @param {Picture} x @param {number[]} shape @param {number} row @param {number} column @returns {[number[], number[]]}
   */
  function partOf(x, shape, row, column) {
    /** @param {number} at @param {number} count @param {number} length */
    const along = (at, count, length) => {
      const first = Math.floor((at * length) / count);
      return Array.from({ length: Math.ceil(((at + 1) * length) / count) - first }, (_, more) => first + more);
    };
    return [along(row, shape[1], x.height), along(column, shape[2], x.width)];
  }

  /**
   * The pixels along one axis that an enlarged one is made of, each with its share.
   *
   * @param {any} options @param {number} axis @param {number} at @param {number} length @returns {[number, number][]}
   */
  function nearest(options, axis, at, length) {
    const factor = options.scale_factor[axis];
    if (options.mode === "nearest") return [[Math.floor(at / factor), 1]];
    const place = Math.max((at + 0.5) / factor - 0.5, 0);
    const first = Math.floor(place);
    const second = Math.min(first + 1, length - 1);
    return place === first || second === first ? [[first, 1]] : [[first, 1 - place + first], [second, place - first]];
  }

  /**
   * What one output reads: rows and columns of the plane of the same number.
   *
   * @param {Placed} layer @param {Picture} x @param {number} row @param {number} column
   * @returns {[number[], number[]]}
   */
  function reads(layer, x, row, column) {
    if (layer.kind === "MaxPool2d" || layer.kind === "AvgPool2d") return windowOf(layer.options, x, row, column);
    if (layer.kind === "AdaptiveAvgPool2d") return partOf(x, layer.shape, row, column);
    if (layer.kind === "Upsample")
      return [nearest(layer.options, 0, row, x.height).map(([at]) => at), nearest(layer.options, 1, column, x.width).map(([at]) => at)];
    return [[row], [column]];
  }

  /**
   * How many values AvgPool2d divides by: with the padding where that counts, never with what lies beyond.
   *
   * @param {any} options @param {Picture} x @param {number} row @param {number} column
   */
  function share(options, x, row, column) {
    const [height, width] = [[row, x.height], [column, x.width]].map(([at, length], axis) => {
      const edge = options.count_include_pad ? options.padding[axis] : 0;
      const first = at * options.stride[axis] - options.padding[axis];
      return Math.min(first + options.kernel_size[axis], length + edge) - Math.max(first, -edge);
    });
    return height * width;
  }

  /**
   * Fill every plane with what `value` makes of the values that each output reads.
   *
   * @param {Placed} layer @param {Picture} x @param {(seen: number[], row: number, column: number) => number} value
   */
  function pooled(layer, x, value) {
    const made = blank(layer.shape);
    for (let row = 0; row < made.height; row++)
      for (let column = 0; column < made.width; column++) {
        const [rows, columns] = reads(layer, x, row, column);
        x.planes.forEach((values, plane) => {
          const seen = rows.flatMap((r) => columns.map((c) => values[r * x.width + c]));
          made.planes[plane][row * made.width + column] = value(seen, row, column);
        });
      }
    return made;
  }

  const total = (/** @type {number[]} */ seen) => seen.reduce((sum, value) => sum + value, 0);

  /** Every input adds its products to the outputs that its taps reach. @param {Placed} layer @param {Picture} x */
  function transposed({ shape, options, numbers }, x) {
    const made = blank(shape);
    const [kh, kw] = options.kernel_size;
    const outputs = made.planes.length / options.groups;
    const inputs = x.planes.length / options.groups;
    made.planes.forEach((map, output) => {
      const sum = new Float64Array(map.length).fill(numbers.bias ? numbers.bias[output] : 0);
      const group = Math.floor(output / outputs);
      for (let input = group * inputs; input < (group + 1) * inputs; input++)
        for (let y = 0; y < x.height; y++)
          for (let ky = 0; ky < kh; ky++) {
            const row = y * options.stride[0] - options.padding[0] + ky * options.dilation[0];
            if (row < 0 || row >= made.height) continue;
            for (let at = 0; at < x.width; at++)
              for (let kx = 0; kx < kw; kx++) {
                const column = at * options.stride[1] - options.padding[1] + kx * options.dilation[1];
                if (column < 0 || column >= made.width) continue;
                const weight = numbers.weight[((input * outputs + (output % outputs)) * kh + ky) * kw + kx];
                sum[row * made.width + column] += x.planes[input][y * x.width + at] * weight;
              }
          }
      map.set(sum);
    });
    return made;
  }

  /** @param {Placed} layer @param {Picture} x */
  function batchNorm({ options, numbers }, x) {
    const scale = Array.from(numbers.running_var, (variance, plane) =>
      (numbers.weight ? numbers.weight[plane] : 1) / Math.sqrt(variance + options.eps));
    const shift = scale.map((one, plane) => (numbers.bias ? numbers.bias[plane] : 0) - numbers.running_mean[plane] * one);
    return each(x, (value, plane) => value * scale[plane] + shift[plane]);
  }

  /** @param {Placed} layer @param {Picture} x */
  function linear({ shape, numbers }, x) {
    const made = blank(shape);
    const values = x.planes[0];
    for (let output = 0; output < shape[0]; output++) {
      let sum = numbers.bias ? numbers.bias[output] : 0;
      for (let at = 0; at < values.length; at++) sum += values[at] * numbers.weight[output * values.length + at];
      made.planes[0][output] = sum;
    }
    return made;
  }

  /** Exponentials over their sum along one axis. @param {Placed} layer @param {Picture} x */
  function softmax({ shape, options }, x) {
    const made = blank(shape);
    const size = shape.slice(options.axis + 1).reduce((product, one) => product * one, 1);
    const count = shape[options.axis];
    const room = x.height * x.width;
    /** @param {Picture} of @param {number} at */
    const plane = (of, at) => of.planes[Math.floor(at / room)];
    for (let first = 0; first < room * x.planes.length; first++) {
      if (Math.floor(first / size) % count) continue;
      const places = Array.from({ length: count }, (_, step) => first + step * size);
      const peak = Math.max(...places.map((at) => plane(x, at)[at % room]));
      const powers = places.map((at) => Math.exp(plane(x, at)[at % room] - peak));
      const sum = total(powers);
      places.forEach((at, step) => (plane(made, at)[at % room] = powers[step] / sum));
    }
    return made;
  }

  /** Copies of pixels, or means weighted by distance. @param {Placed} layer @param {Picture} x */
  function upsampled({ shape, options }, x) {
    const made = blank(shape);
    for (let row = 0; row < made.height; row++)
      for (let column = 0; column < made.width; column++) {
        const rows = nearest(options, 0, row, x.height);
        const columns = nearest(options, 1, column, x.width);
        x.planes.forEach((values, plane) => {
          const parts = rows.flatMap(([r, high]) => columns.map(([c, wide]) => high * wide * values[r * x.width + c]));
          made.planes[plane][row * made.width + column] = total(parts);
        });
      }
    return made;
  }

  /** Channels one after the other, each input cut around its centre. @param {Placed} layer @param {Picture[]} inputs */
  function joined({ shape }, inputs) {
    const [, height, width] = shape;
    return { height, width, planes: inputs.flatMap((x) => {
      const [top, left] = [Math.floor((x.height - height) / 2), Math.floor((x.width - width) / 2)];
      return x.planes.map((values) => Float32Array.from({ length: height * width }, (_, at) =>
        values[(top + Math.floor(at / width)) * x.width + left + (at % width)]));
    }) };
  }

  /** The error function, by its series or, beyond 2.5, by the continued fraction of its complement: Abramowitz and Stegun (1964), 7.1.5, 7.1.14. @param {number} x */
  function erf(x) {
    // The series converges at once near 0; beyond, the complement is a continued fraction.
    const size = Math.abs(x);
    if (size > 6) return Math.sign(x);
    if (size < 2.5) {
      let [term, sum] = [x, x];
      for (let n = 1; n < 60; n++) {
        term *= (-x * x) / n;
        sum += term / (2 * n + 1);
      }
      return (2 / Math.sqrt(Math.PI)) * sum;
    }
    let fraction = size;
    for (let n = 60; n > 0; n--) fraction = size + n / 2 / fraction;
    return Math.sign(x) * (1 - Math.exp(-size * size) / (Math.sqrt(Math.PI) * fraction));
  }

  /** @param {any} options @param {number} value */
  function gelu(options, value) {
    if (options.approximate === "tanh")
      return 0.5 * value * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (value + 0.044715 * value ** 3)));
    return value * (0.5 + 0.5 * erf(value / Math.SQRT2));
  }

  /** @param {Placed} layer @param {Picture} x @returns {Picture} */
  function convolved({ options, numbers }, x) {
    const made = Convolve.correlate(x, options, { weight: numbers.weight, bias: numbers.bias || null });
    return { height: made.height, width: made.width, planes: made.maps };
  }

  /** One row per layer. @type {Record<string, (layer: Placed, x: Picture, inputs: Picture[]) => Picture>} */
  const rules = {
    Conv2d: convolved,
    ConvTranspose2d: transposed,
    MaxPool2d: (layer, x) => pooled(layer, x, (seen) => Math.max(...seen)),
    AvgPool2d: (layer, x) => pooled(layer, x, (seen, row, column) => total(seen) / share(layer.options, x, row, column)),
    AdaptiveAvgPool2d: (layer, x) => pooled(layer, x, (seen) => total(seen) / seen.length),
    BatchNorm2d: batchNorm,
    ReLU: (_, x) => each(x, (value) => Math.max(value, 0)),
    ReLU6: (_, x) => each(x, (value) => Math.min(Math.max(value, 0), 6)),
    LeakyReLU: ({ options }, x) => each(x, (value) => (value >= 0 ? value : options.negative_slope * value)),
    Dropout: (_, x) => x,
    SiLU: (_, x) => each(x, (value) => value * sigmoid(value)),
    GELU: ({ options }, x) => each(x, (value) => gelu(options, value)),
    Hardswish: (_, x) => each(x, (value) => (value * Math.min(Math.max(value + 3, 0), 6)) / 6),
    Sigmoid: (_, x) => each(x, sigmoid),
    Tanh: (_, x) => each(x, Math.tanh),
    Flatten: ({ shape }, x) => {
      const made = blank(shape);
      x.planes.forEach((values, plane) => made.planes[0].set(values, plane * values.length));
      return made;
    },
    Linear: linear,
    Softmax: softmax,
    Upsample: upsampled,
    Concat: (layer, _, inputs) => joined(layer, inputs),
    Add: (_, x, inputs) => ({
      height: x.height,
      width: x.width,
      planes: x.planes.map((values, plane) =>
        values.map((_, at) => inputs.reduce((sum, one) => sum + one.planes[plane][at], 0))),
    }),
  };

  /**
   * Compute every layer: what each makes, by its name. A map, for a layer may be called as a property of every object.
   *
   * @param {Picture} picture @param {Placed[]} layers @returns {Map<string, Picture>}
   */
  function compute(picture, layers) {
    const made = new Map([["input", picture]]);
    for (const layer of layers)
      made.set(layer.name, one(layer, layer.inputs.map((name) => /** @type {Picture} */ (made.get(name)))));
    return made;
  }

  /** Compute one layer. @param {Placed} layer @param {Picture[]} inputs */
  const one = (layer, inputs) => rules[layer.kind](layer, inputs[0], inputs);

  return { compute, made: one, reads, share, kinds: Object.keys(rules) };
})();
