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
   * What one output reads: rows and columns of the plane of the same number.
   *
   * @param {Placed} layer @param {Picture} x @param {number} row @param {number} column
   * @returns {[number[], number[]]}
   */
  function reads(layer, x, row, column) {
    if (layer.kind === "MaxPool2d" || layer.kind === "AvgPool2d") return windowOf(layer.options, x, row, column);
    if (layer.kind === "AdaptiveAvgPool2d") return partOf(x, layer.shape, row, column);
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
    LeakyReLU: ({ options }, x) => each(x, (value) => (value >= 0 ? value : options.negative_slope * value)),
    Dropout: (_, x) => x,
    SiLU: (_, x) => each(x, (value) => value * sigmoid(value)),
    Sigmoid: (_, x) => each(x, sigmoid),
    Flatten: ({ shape }, x) => {
      const made = blank(shape);
      x.planes.forEach((values, plane) => made.planes[0].set(values, plane * values.length));
      return made;
    },
    Linear: linear,
    Softmax: softmax,
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
    for (const layer of layers) {
      const inputs = layer.inputs.map((name) => /** @type {Picture} */ (made.get(name)));
      made.set(layer.name, rules[layer.kind](layer, inputs[0], inputs));
    }
    return made;
  }

  return { compute, reads, share };
})();
