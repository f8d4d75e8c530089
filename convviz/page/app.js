"use strict";
/** The page: what is chosen, what is drawn, and what a pointer or a key asks for. */
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const numberIds = ["outChannels", "seed", "kernelH", "kernelW", "strideH", "strideW", "dilationH", "dilationW",
    "groups", "padTop", "padBottom", "padLeft", "padRight"];
  const dark = matchMedia("(prefers-color-scheme: dark)");

  // --- values of the page

  /** @type {Picture} */
  let picture = null;
  let names = data.channels;
  let low = data.low;
  let high = data.high;
  let initial = null; // the weights that came with the page
  let state = null;
  let bank = null;
  let made = null;
  let pinned = null;
  let pointed = null;
  let timer = 0;
  let view = { scale: 1, x: 0, y: 0 };

  const floats = (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Float32Array(bytes.buffer);
  };

  /** Write a number in few characters. */
  const short = (value) =>
    value === 0 ? "0" : Number.isInteger(value) && Math.abs(value) < 1e7 ? String(value) : String(Number(value.toPrecision(4)));

  const layerOf = (chosen) => ({
    outChannels: chosen.outChannels,
    kernel: [chosen.kernelH, chosen.kernelW],
    stride: [chosen.strideH, chosen.strideW],
    padding: [chosen.padTop, chosen.padBottom, chosen.padLeft, chosen.padRight],
    mode: chosen.mode,
    dilation: [chosen.dilationH, chosen.dilationW],
    groups: chosen.groups,
  });

  // --- weights

  /** The weights that are chosen: those of the page, of a seed, of a preset, or typed. */
  function bankOf(chosen) {
    const layer = layerOf(chosen);
    const inGroup = picture.planes.length / layer.groups;
    const count = layer.outChannels * inGroup * layer.kernel[0] * layer.kernel[1];
    if (chosen.preset === "page" && initial && initial.weight.length === count && fitsPage(layer))
      return turned({ weight: initial.weight.slice(), bias: chosen.bias ? initial.bias || new Float32Array(layer.outChannels) : null }, layer, chosen);
    if (chosen.preset === "own" && chosen.own && chosen.own.length === count)
      return { weight: Float32Array.from(chosen.own), bias: chosen.bias ? Float32Array.from(chosen.ownBias) : null };
    const preset = data.presets.find((one) => one.name === chosen.preset);
    if (preset) {
      const weight = new Float32Array(count);
      const size = layer.kernel[0] * layer.kernel[1];
      for (let at = 0; at < count; at++) weight[at] = preset.taps.flat()[at % size] / preset.divisor;
      return turned({ weight, bias: chosen.bias ? new Float32Array(layer.outChannels) : null }, layer, chosen);
    }
    return turned(Convolve.seeded(picture.planes.length, layer, chosen.seed, chosen.bias), layer, chosen);
  }

  const fitsPage = (layer) =>
    ["outChannels", "groups"].every((name) => layer[name] === data.layer[name]) &&
    layer.kernel.every((taps, axis) => taps === data.layer.kernel[axis]) &&
    picture.planes.length === data.shape[0];

  /** Turn every 2-D kernel half round where that is asked for. */
  function turned(made, layer, chosen) {
    if (!chosen.flip) return made;
    const size = layer.kernel[0] * layer.kernel[1];
    for (let first = 0; first < made.weight.length; first += size) made.weight.subarray(first, first + size).reverse();
    return made;
  }

  // --- settings in the address and in the form

  function stateOf(text) {
    const chosen = { ...data.state };
    for (const part of new URLSearchParams(text)) {
      const [name, value] = part;
      if (numberIds.includes(name) || name === "map") chosen[name] = Number(value);
      else if (name === "bias" || name === "flip") chosen[name] = value === "1";
      else if (name === "mode" || name === "preset") chosen[name] = value;
      else if (name === "own" || name === "ownBias") chosen[name] = value.split(",").map(Number);
      else if (name === "pin") {
        const [kind, ...place] = value.split(",");
        pinned = { kind, place: place.map(Number) };
      }
    }
    return chosen;
  }

  function remember() {
    const words = new URLSearchParams();
    for (const [name, value] of Object.entries(state)) {
      if (JSON.stringify(value) === JSON.stringify(data.state[name]) || value === null) continue;
      words.set(name, typeof value === "boolean" ? (value ? "1" : "0") : Array.isArray(value) ? value.join(",") : value);
    }
    if (pinned) words.set("pin", [pinned.kind, ...pinned.place].join(","));
    history.replaceState(null, "", `#${words}`);
  }

  function fill() {
    for (const id of numberIds) $(id).value = state[id];
    for (const id of ["mode", "preset"]) $(id).value = state[id];
    for (const id of ["bias", "flip"]) $(id).checked = state[id];
  }

  /** Take the form; what is not legal is not taken, and the page says why. */
  function take(changed) {
    const wanted = { ...state };
    for (const id of numberIds) wanted[id] = $(id).value === "" ? NaN : Number($(id).value);
    for (const id of ["mode", "preset"]) wanted[id] = $(id).value;
    for (const id of ["bias", "flip"]) wanted[id] = $(id).checked;
    const preset = data.presets.find((one) => one.name === wanted.preset);
    if (preset && changed === "preset") [wanted.kernelH, wanted.kernelW] = [preset.taps.length, preset.taps[0].length];
    if (changed === "kernelH" || changed === "kernelW" || changed === "seed") {
      if (wanted.preset !== "seed" && (changed === "seed" || !fitsKernel(wanted, preset))) wanted.preset = "seed";
    }
    if (wanted.preset === "own" && (changed === "outChannels" || changed === "groups")) wanted.preset = "seed";
    attempt(wanted);
  }

  const fitsKernel = (wanted, preset) =>
    preset
      ? preset.taps.length === wanted.kernelH && preset.taps[0].length === wanted.kernelW
      : wanted.preset === "page" && wanted.kernelH === data.layer.kernel[0] && wanted.kernelW === data.layer.kernel[1];

  function attempt(wanted) {
    const layer = layerOf(wanted);
    let wrong = Convolve.reason(picture.planes.length, picture.height, picture.width, layer);
    if (!wrong && !(Number.isInteger(wanted.seed) && wanted.seed >= 0 && wanted.seed < 2 ** 32))
      wrong = "seed takes whole numbers from 0 to 4294967295.";
    if (!wrong && wanted.outChannels > 64) wrong = "out_channels goes up to 64 on this page.";
    $("why").textContent = wrong && `Not taken: ${wrong}`;
    if (wrong) return false;
    state = { ...wanted, map: Math.min(wanted.map, wanted.outChannels - 1) };
    fill();
    compute();
    return true;
  }

  // --- computing

  function compute() {
    const start = performance.now();
    bank = bankOf(state);
    made = Convolve.correlate(picture, layerOf(state), bank, state.map);
    document.documentElement.dataset.milliseconds = (performance.now() - start).toFixed(1);
    if (pinned && !isInside(pinned)) pinned = null;
    words();
    build();
    drawAll();
    explain();
    remember();
  }

  const isInside = ({ kind, place }) =>
    kind === "output"
      ? place[0] < made.height && place[1] < made.width
      : kind === "input"
        ? place[0] < picture.height && place[1] < picture.width
        : place[0] < picture.planes.length / state.groups && place[1] < state.kernelH && place[2] < state.kernelW;

  // --- words: sentence, shape, command, code

  function words() {
    const layer = layerOf(state);
    const planes = picture.planes.length / layer.groups;
    const kernels = layer.outChannels * planes;
    $("sentence").textContent =
      `${layer.outChannels} filter${layer.outChannels > 1 ? "s" : ""} x ${planes} channel${planes > 1 ? "s" : ""} = ` +
      `${kernels} two-dimensional kernel${kernels > 1 ? "s" : ""} -> ${layer.outChannels} feature map${layer.outChannels > 1 ? "s" : ""}; ` +
      `${picture.planes.length}x${picture.height}x${picture.width} -> ${layer.outChannels}x${made.height}x${made.width}`;
    const axis = (name, n, at, before, after) => {
      const [k, s, d] = [layer.kernel[at], layer.stride[at], layer.dilation[at]];
      const room = n + before + after - Convolve.span(k, d);
      return `${name} = floor((i + p + p' - d(k - 1) - 1) / s) + 1\n` +
        `${" ".repeat(name.length)} = floor((${n} + ${before} + ${after} - ${d}*(${k} - 1) - 1) / ${s}) + 1\n` +
        `${" ".repeat(name.length)} = floor(${room} / ${s}) + 1 = ${Math.floor(room / s) + 1}`;
    };
    const [top, bottom, left, right] = layer.padding;
    $("shape").textContent = `${axis("height", picture.height, 0, top, bottom)}\n\n${axis("width", picture.width, 1, left, right)}`;
    $("command").textContent = command(layer);
    $("code").textContent = code(layer);
  }

  const pair = ([h, w]) => (h === w ? String(h) : `${h}x${w}`);

  function command(layer) {
    const found = ["convviz run", /[^\w./-]/.test(data.path) ? `'${data.path.replaceAll("'", "'\\''")}'` : data.path, ...data.reading];
    const preset = data.presets.find((one) => one.name === state.preset);
    const own = state.preset === "own" || (state.preset === "page" && data.words.length === 0 && data.given);
    if (preset) found.push(...Array(layer.outChannels).fill(`-K ${preset.name}`));
    else if (state.preset === "page" && data.given) found.push(...data.words);
    else {
      found.push(`-O ${layer.outChannels}`);
      if (pair(layer.kernel) !== "3") found.push(`-k ${pair(layer.kernel)}`);
      if (state.seed) found.push(`--seed ${state.seed}`);
      if (!state.bias) found.push("--no-bias");
    }
    if (pair(layer.stride) !== "1") found.push(`-s ${pair(layer.stride)}`);
    const [top, bottom, left, right] = layer.padding;
    if (top || bottom || left || right)
      found.push(top === bottom && left === right ? `-p ${pair([top, left])}` : `-p ${layer.padding.join(",")}`);
    if (layer.mode !== "zeros") found.push(`--padding-mode ${layer.mode}`);
    if (pair(layer.dilation) !== "1") found.push(`-d ${pair(layer.dilation)}`);
    if (layer.groups > 1) found.push(`-g ${layer.groups}`);
    if (state.flip) found.push("--flip");
    const text = found.join(" ");
    return own || state.preset === "own" ? `${text}\n# the weights were typed here: see the code below` : text;
  }

  function code(layer) {
    const [top, bottom, left, right] = layer.padding;
    const even = top === bottom && left === right;
    const tuple = ([h, w]) => `(${h}, ${w})`;
    const seeded = state.preset === "seed" || (state.preset === "page" && !data.given);
    const lines = ["import torch", ""];
    if (seeded) lines.push(`torch.manual_seed(${state.seed})`);
    const more = [
      `stride=${tuple(layer.stride)}`,
      even ? `padding=${tuple([top, left])}` : "",
      `dilation=${tuple(layer.dilation)}`,
      `groups=${layer.groups}`,
      `bias=${state.bias ? "True" : "False"}`,
      layer.mode === "zeros" || !even ? "" : `padding_mode="${layer.mode}"`,
    ].filter(Boolean);
    lines.push(`layer = torch.nn.Conv2d(${picture.planes.length}, ${layer.outChannels}, ${tuple(layer.kernel)}, ${more.join(", ")})`);
    if (!seeded) {
      const shape = [layer.outChannels, picture.planes.length / layer.groups, ...layer.kernel];
      const listed = bank.weight.length <= 500 ? Array.from(bank.weight, (value) => Number(value.toPrecision(9))).join(", ") : "…";
      lines.push(`layer.weight.data = torch.tensor([${listed}]).reshape(${shape.join(", ")})`);
      if (bank.bias) lines.push(`layer.bias.data = torch.tensor([${Array.from(bank.bias, (value) => Number(value.toPrecision(9))).join(", ")}])`);
    } else if (state.flip) lines.push("layer.weight.data = layer.weight.data.flip(2, 3)");
    if (!even) {
      const mode = { zeros: "constant", reflect: "reflect", replicate: "replicate", circular: "circular" }[layer.mode];
      lines.push(`x = torch.nn.functional.pad(x, (${left}, ${right}, ${top}, ${bottom}), mode="${mode}")`);
    }
    lines.push(`maps = layer(x)  # x: (1, ${picture.planes.length}, ${picture.height}, ${picture.width})`);
    return lines.join("\n");
  }

  // --- panes

  let panes = [];

  // What an array looks like, while it is there: the planes of the input stay when settings change.
  const looks = new WeakMap();

  function painted(key, height, width, paint) {
    if (!looks.has(key)) {
      const small = document.createElement("canvas");
      [small.width, small.height] = [width, height];
      const image = small.getContext("2d").createImageData(width, height);
      paint(image.data);
      small.getContext("2d").putImageData(image, 0, 0);
      looks.set(key, { small, pixels: image.data });
    }
    return looks.get(key);
  }

  /** Make a canvas with a caption; `key` is what it shows. */
  function pane(parent, kind, index, key, caption, height, width, paint, label) {
    const figure = document.createElement("figure");
    const canvas = document.createElement("canvas");
    const words = document.createElement("figcaption");
    words.textContent = caption;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    figure.append(canvas, words);
    $(parent).append(figure);
    const { small, pixels } = painted(key, height, width, paint);
    const found = { kind, index, canvas, small, pixels, height, width, marks: [], values: null };
    panes.push(found);
    listen(found);
    return found;
  }

  const grey = (values, least, most) => (pixels) => {
    const scale = most > least ? 255 / (most - least) : 0;
    for (let at = 0; at < values.length; at++) {
      const level = (values[at] - least) * scale;
      pixels[4 * at] = pixels[4 * at + 1] = pixels[4 * at + 2] = level;
      pixels[4 * at + 3] = 255;
    }
  };

  /** Orange where positive, purple where negative, neutral at 0: the colours of the project, safe for the colour-blind. */
  const signed = (values) => (pixels) => {
    let peak = 0;
    for (const value of values) peak = Math.max(peak, Math.abs(value));
    for (let at = 0; at < values.length; at++) {
      const part = peak ? values[at] / peak : 0;
      const end = part >= 0 ? [213, 94, 0] : [94, 60, 153];
      const much = Math.abs(part);
      for (let channel = 0; channel < 3; channel++) pixels[4 * at + channel] = 247 + (end[channel] - 247) * much;
      pixels[4 * at + 3] = 255;
    }
  };

  const ends = (values) => {
    let [least, most] = [Infinity, -Infinity];
    for (const value of values) {
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    return [least, most];
  };
  const extents = new WeakMap();
  const extent = (values) => {
    if (!extents.has(values)) extents.set(values, ends(values).map(short).join(" to "));
    return extents.get(values);
  };

  function build() {
    const focused = document.activeElement && document.activeElement.id;
    panes = [];
    for (const id of ["planes", "parts", "output"]) $(id).replaceChildren();
    const { height, width, planes } = picture;
    if (planes.length >= 3)
      pane("planes", "input", -1, picture, `input ${height}x${width}`, height, width, (pixels) => {
        const scale = 255 / (high - low);
        for (let at = 0; at < height * width; at++) {
          for (let channel = 0; channel < 3; channel++) pixels[4 * at + channel] = (planes[channel][at] - low) * scale;
          pixels[4 * at + 3] = 255;
        }
      }, `input, ${height} by ${width} pixels`);
    planes.forEach((values, index) => {
      const made = pane("planes", "input", index, values, `${names[index]} plane: ${extent(values)}`, height, width,
        grey(values, low, high), `${names[index]} plane`);
      made.values = values;
    });
    const first = Math.floor(state.map / (state.outChannels / state.groups)) * (planes.length / state.groups);
    made.parts.forEach((values, index) => {
      const part = pane("parts", "output", index, values, `${names[first + index]} part: ${extent(values)}`, made.height, made.width,
        signed(values), `what the ${names[first + index]} plane adds to map ${state.map}`);
      part.values = values;
    });
    const values = made.maps[state.map];
    const output = pane("output", "output", -1, values, `map ${state.map}: ${extent(values)}`, made.height, made.width,
      signed(values), `feature map ${state.map}, ${made.height} by ${made.width}; arrow keys move`);
    output.values = values;
    output.canvas.tabIndex = 0;
    output.canvas.id = "mapCanvas";
    output.canvas.setAttribute("role", "application");
    output.canvas.addEventListener("keydown", keys);
    if (focused === "mapCanvas") output.canvas.focus();
    buildKernels(first);
    const choice = $("map");
    if (choice.length !== state.outChannels)
      choice.replaceChildren(...Array.from({ length: state.outChannels }, (_, index) => new Option(String(index), String(index))));
    choice.value = String(state.map);
  }

  /** Tables of weights, to see and to change. */
  function buildKernels(first) {
    const focused = document.activeElement && document.activeElement.dataset.place;
    const inGroup = picture.planes.length / state.groups;
    const size = state.kernelH * state.kernelW;
    $("kernels").replaceChildren();
    for (let plane = 0; plane < inGroup; plane++) {
      const figure = document.createElement("figure");
      const table = document.createElement("table");
      for (let y = 0; y < state.kernelH; y++) {
        const row = table.insertRow();
        for (let x = 0; x < state.kernelW; x++) {
          const at = (state.map * inGroup + plane) * size + y * state.kernelW + x;
          const cell = row.insertCell();
          const box = document.createElement("input");
          box.value = short(bank.weight[at]);
          box.dataset.place = [plane, y, x].join(",");
          box.inputMode = "decimal";
          box.setAttribute("aria-label", `weight of the ${names[first + plane]} plane, row ${y}, column ${x}`);
          box.addEventListener("change", () => edit(at, box));
          for (const event of ["pointerenter", "focus"]) box.addEventListener(event, () => point({ kind: "weight", place: [plane, y, x] }));
          for (const event of ["pointerleave", "blur"]) box.addEventListener(event, () => point(null));
          cell.append(box);
        }
      }
      const words = document.createElement("figcaption");
      words.textContent = `for ${names[first + plane]}`;
      figure.append(table, words);
      $("kernels").append(figure);
    }
    if (bank.bias) {
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.id = "biasValue";
      box.value = short(bank.bias[state.map]);
      box.inputMode = "decimal";
      box.size = 8;
      box.addEventListener("change", () => edit(-1, box));
      label.append("bias ", box);
      $("kernels").append(label);
    }
    if (focused) document.querySelector(`[data-place="${focused}"]`)?.focus();
  }

  function edit(at, box) {
    const value = Number(box.value.replace(",", "."));
    if (box.value.trim() === "" || !Number.isFinite(value)) {
      $("why").textContent = `Not taken: a weight is a number, not '${box.value}'.`;
      box.value = short(at < 0 ? bank.bias[state.map] : bank.weight[at]);
      return;
    }
    const own = Array.from(bank.weight);
    const ownBias = bank.bias ? Array.from(bank.bias) : [];
    if (at < 0) ownBias[state.map] = value;
    else own[at] = value;
    attempt({ ...state, preset: "own", own, ownBias, flip: false });
  }

  // --- drawing

  /** Size of one pixel of a pane on the screen, and which part is seen. */
  function frame(one) {
    const room = Math.min(one.kind === "input" ? 300 : 300, document.documentElement.clientWidth - 40);
    const fit = room / Math.max(one.height, one.width);
    const scale = fit >= 1 ? Math.max(1, Math.floor(fit)) : fit;
    return { scale: scale * view.scale, room };
  }

  function drawAll() {
    for (const one of panes) one.marks = [];
    mark(pinned || pointed);
    for (const one of panes) draw(one);
  }

  function draw(one) {
    const { scale, room } = frame(one);
    const ratio = window.devicePixelRatio || 1;
    const [wide, tall] = [Math.min(room, one.width * scale), Math.min(room, one.height * scale)];
    one.scale = scale;
    one.left = Math.max(0, Math.min(one.width - wide / scale, view.x * one.width - wide / scale / 2));
    one.top = Math.max(0, Math.min(one.height - tall / scale, view.y * one.height - tall / scale / 2));
    one.canvas.width = Math.round(wide * ratio);
    one.canvas.height = Math.round(tall * ratio);
    one.canvas.style.width = `${wide}px`;
    const ink = one.canvas.getContext("2d");
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    ink.imageSmoothingEnabled = scale < 1;
    ink.drawImage(one.small, one.left, one.top, wide / scale, tall / scale, 0, 0, wide, tall);
    if (one.values && scale >= 34) numbersInto(ink, one, wide, tall);
    for (const { rows, columns, width, colour } of one.marks) {
      ink.strokeStyle = colour;
      ink.lineWidth = width;
      ink.strokeRect((columns[0] - one.left) * scale, (rows[0] - one.top) * scale,
        (columns[1] - columns[0] + 1) * scale, (rows[1] - rows[0] + 1) * scale);
    }
  }

  function numbersInto(ink, one, wide, tall) {
    ink.font = `${Math.min(14, one.scale / 3.4)}px system-ui, sans-serif`;
    ink.textAlign = "center";
    ink.textBaseline = "middle";
    const colours = one.pixels;
    for (let y = Math.floor(one.top); y < Math.min(one.height, one.top + tall / one.scale); y++)
      for (let x = Math.floor(one.left); x < Math.min(one.width, one.left + wide / one.scale); x++) {
        const [cx, cy] = [(x - one.left + 0.5) * one.scale, (y - one.top + 0.5) * one.scale];
        const text = String(Number(one.values[y * one.width + x].toPrecision(3)));
        // The luminance of ITU-R BT.601 decides between dark and light ink.
        const at = 4 * (y * one.width + x);
        const light = 0.299 * colours[at] + 0.587 * colours[at + 1] + 0.114 * colours[at + 2] > 140;
        ink.fillStyle = light ? "#101418" : "#ffffff";
        ink.fillText(text, cx, cy);
      }
  }

  const MARK = "#d55e00";
  const OTHER = "#0f857c";

  function mark(what) {
    document.querySelectorAll("td.lit").forEach((cell) => cell.classList.remove("lit"));
    if (!what) return;
    const layer = layerOf(state);
    const { kind, place } = what;
    const add = (of, rows, columns, colour, width = 2) => {
      for (const one of panes) if (one.kind === of) one.marks.push({ rows, columns, colour, width });
    };
    if (kind === "output") {
      const [y, x] = place;
      add("output", [y, y], [x, x], MARK, 3);
      const top = y * layer.stride[0] - layer.padding[0];
      const left = x * layer.stride[1] - layer.padding[2];
      for (let ky = 0; ky < layer.kernel[0]; ky++)
        for (let kx = 0; kx < layer.kernel[1]; kx++)
          if (layer.dilation[0] > 1 || layer.dilation[1] > 1) {
            const [row, column] = [top + ky * layer.dilation[0], left + kx * layer.dilation[1]];
            add("input", [row, row], [column, column], MARK, 1);
          }
      add("input", [top, top + Convolve.span(layer.kernel[0], layer.dilation[0]) - 1],
        [left, left + Convolve.span(layer.kernel[1], layer.dilation[1]) - 1], MARK);
    } else if (kind === "input") {
      add("input", [place[0], place[0]], [place[1], place[1]], MARK, 3);
      for (const { y, x } of Convolve.fed(layer, picture.height, picture.width, ...place)) add("output", [y, y], [x, x], OTHER, 2);
    } else {
      const [, ky, kx] = place;
      document.querySelector(`[data-place="${place.join(",")}"]`)?.parentElement.classList.add("lit");
      const top = ky * layer.dilation[0] - layer.padding[0];
      const left = kx * layer.dilation[1] - layer.padding[2];
      add("input", [Math.max(0, top), Math.min(picture.height - 1, top + (made.height - 1) * layer.stride[0])],
        [Math.max(0, left), Math.min(picture.width - 1, left + (made.width - 1) * layer.stride[1])], OTHER);
    }
  }

  // --- one value in words

  function explain() {
    const box = $("value");
    box.replaceChildren();
    const what = pinned || pointed;
    const say = (text) => box.append(Object.assign(document.createElement("p"), { textContent: text }));
    if (!what) return;
    const layer = layerOf(state);
    if (what.kind === "output") {
      const [y, x] = what.place;
      const found = Convolve.products(picture, layer, bank, state.map, y, x);
      for (const { plane, sum, cells } of found.planes) {
        say(`${names[plane]}: ${cells.length <= 49
          ? cells.map((cell) => `${short(cell.value)}*${short(cell.weight)}`).join(" + ")
          : `${cells.length} products`} = ${short(sum)}`);
      }
      const terms = [...found.planes.map(({ sum }) => short(sum)), ...(bank.bias ? [`${short(found.bias)} (bias)`] : [])];
      say(`map ${state.map} at ${y},${x}: ${terms.join(" + ")} = ${short(found.total)}`);
    } else if (what.kind === "input") {
      const [y, x] = what.place;
      const found = Convolve.fed(layer, picture.height, picture.width, y, x);
      const values = picture.planes.map((plane, index) => `${names[index]} ${short(plane[y * picture.width + x])}`).join(", ");
      say(`input at ${y},${x}: ${values}`);
      say(found.length
        ? `feeds ${found.length} output${found.length > 1 ? "s" : ""}: ${found.slice(0, 12).map((one) => `${one.y},${one.x} by weight ${one.tap.join(",")}`).join("; ")}${found.length > 12 ? "; …" : ""}`
        : "feeds no output: no window has a tap here");
    } else {
      const [plane, ky, kx] = what.place;
      const size = state.kernelH * state.kernelW;
      const inGroup = picture.planes.length / state.groups;
      const value = bank.weight[(state.map * inGroup + plane) * size + ky * state.kernelW + kx];
      say(`weight ${short(value)} at row ${ky}, column ${kx}: multiplies one pixel of every window, ${made.height * made.width} in all; the frame shows from where to where.`);
    }
    if (pinned) say("pinned; Escape lets go");
  }

  function point(what) {
    pointed = what;
    if (pinned) return;
    drawAll();
    explain();
  }

  function pin(what) {
    pinned = what;
    drawAll();
    explain();
    remember();
  }

  // --- pointer and keys

  const cellAt = (one, event) => {
    const box = one.canvas.getBoundingClientRect();
    const factor = (one.canvas.width / (window.devicePixelRatio || 1)) / (box.width - 4);
    const x = Math.floor(one.left + ((event.clientX - box.left - 2) * factor) / one.scale);
    const y = Math.floor(one.top + ((event.clientY - box.top - 2) * factor) / one.scale);
    return x >= 0 && y >= 0 && x < one.width && y < one.height ? { kind: one.kind, place: [y, x] } : null;
  };

  function listen(one) {
    let held = null; // where a drag began, and what was seen then
    let dragged = false;
    one.canvas.addEventListener("pointerdown", (event) => {
      dragged = false;
      if (view.scale > 1) {
        held = { x: event.clientX, y: event.clientY, view: { ...view } };
        one.canvas.setPointerCapture(event.pointerId);
      }
    });
    one.canvas.addEventListener("pointermove", (event) => {
      if (!held) return point(cellAt(one, event));
      const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
      dragged = dragged || Math.hypot(dx, dy) > 4;
      if (!dragged) return;
      const within = (value) => Math.max(0, Math.min(1, value));
      view.x = within(held.view.x - dx / (one.scale * one.width));
      view.y = within(held.view.y - dy / (one.scale * one.height));
      drawAll();
    });
    for (const event of ["pointerup", "pointercancel"]) one.canvas.addEventListener(event, () => (held = null));
    one.canvas.addEventListener("pointerleave", () => point(null));
    one.canvas.addEventListener("click", (event) => {
      if (dragged) return;
      const what = cellAt(one, event);
      const same = pinned && what && pinned.kind === what.kind && String(pinned.place) === String(what.place);
      pin(same ? null : what);
    });
  }

  function keys(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (event.key === "Escape") {
      pin(null);
    } else if (moves[event.key]) {
      event.preventDefault();
      const before = pinned && pinned.kind === "output" ? pinned.place : [0, 0];
      const step = pinned && pinned.kind === "output" ? moves[event.key] : [0, 0];
      pin({ kind: "output", place: [
        Math.min(made.height - 1, Math.max(0, before[0] + step[0])),
        Math.min(made.width - 1, Math.max(0, before[1] + step[1])),
      ] });
      reveal(pinned.place);
    } else return;
  }

  /** Bring a position of the map into view. */
  function reveal([y, x]) {
    if (view.scale > 1) [view.y, view.x] = [(y + 0.5) / made.height, (x + 0.5) / made.width];
    drawAll();
  }

  function zoom(factor) {
    view.scale = Math.max(1, Math.min(view.scale * factor, 512));
    const at = pinned && pinned.kind === "output" ? pinned.place : null;
    if (at) [view.y, view.x] = [(at[0] + 0.5) / made.height, (at[1] + 0.5) / made.width];
    else if (view.scale === factor) [view.y, view.x] = [0.5, 0.5];
    drawAll();
  }

  function play() {
    if (timer) {
      clearInterval(timer);
      timer = 0;
    } else {
      timer = setInterval(() => {
        const at = pinned && pinned.kind === "output" ? pinned.place[0] * made.width + pinned.place[1] + 1 : 0;
        const next = at % (made.height * made.width);
        pin({ kind: "output", place: [Math.floor(next / made.width), next % made.width] });
        reveal(pinned.place);
      }, 400);
    }
    $("play").setAttribute("aria-pressed", String(Boolean(timer)));
    $("play").textContent = timer ? "pause" : "play";
  }

  // --- pictures

  async function load(source) {
    const image = await createImageBitmap(source);
    const limit = Math.min(1, 1024 / Math.max(image.width, image.height));
    const [width, height] = [Math.max(1, Math.round(image.width * limit)), Math.max(1, Math.round(image.height * limit))];
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const ink = canvas.getContext("2d", { willReadFrequently: true });
    ink.drawImage(image, 0, 0, width, height);
    const { data: pixels } = ink.getImageData(0, 0, width, height);
    const planes = [0, 1, 2].map((channel) => Float32Array.from({ length: width * height }, (_, at) => pixels[4 * at + channel] / 255));
    replace({ height, width, planes }, ["R", "G", "B"], 0, 1);
  }

  function replace(given, channels, least, most) {
    const before = [picture, names, low, high];
    [picture, names, low, high] = [given, channels, least, most];
    pinned = null;
    if (!attempt(state)) {
      const wanted = { ...state, groups: 1 };
      if (!attempt(wanted)) [picture, names, low, high] = before;
    }
  }

  function original() {
    const [channels, height, width] = data.shape;
    const flat = data.planes.kind === "u8"
      ? Float32Array.from(atob(data.planes.data), (letter) => Math.fround(letter.charCodeAt(0) / data.planes.divisor))
      : floats(data.planes.data);
    const planes = Array.from({ length: channels }, (_, index) => flat.subarray(index * height * width, (index + 1) * height * width));
    return { height, width, planes };
  }

  function savePng() {
    const one = panes.find((found) => found.canvas.id === "mapCanvas");
    const link = Object.assign(document.createElement("a"), { download: `map-${state.map}.png`, href: one.small.toDataURL() });
    link.click();
  }

  /** The map as a document: squares with their numbers, or, where those would be too many, as a picture. */
  function svg() {
    const one = panes.find((found) => found.canvas.id === "mapCanvas");
    const { height, width, pixels, values } = one;
    const side = 40;
    const cells = [];
    for (let at = 0; height * width <= 4096 && at < values.length; at++) {
      const [x, y] = [(at % width) * side, Math.floor(at / width) * side];
      const [red, green, blue] = pixels.subarray(4 * at, 4 * at + 3);
      const ink = 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#101418" : "#ffffff";
      cells.push(
        `<rect x="${x}" y="${y}" width="${side}" height="${side}" fill="rgb(${red},${green},${blue})"/>`,
        `<text x="${x + side / 2}" y="${y + side / 2 + 4}" fill="${ink}">${Number(values[at].toPrecision(3))}</text>`,
      );
    }
    if (!cells.length)
      cells.push(`<image width="${width * side}" height="${height * side}" image-rendering="pixelated" href="${one.small.toDataURL()}"/>`);
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width * side} ${height * side}" ` +
      `font-family="system-ui, sans-serif" font-size="12" text-anchor="middle">${cells.join("")}</svg>`;
  }

  function saveSvg() {
    const href = URL.createObjectURL(new Blob([svg()], { type: "image/svg+xml" }));
    Object.assign(document.createElement("a"), { download: `map-${state.map}.svg`, href }).click();
    setTimeout(() => URL.revokeObjectURL(href), 1000);
  }

  // --- start

  $("preset").append(
    ...(data.given ? [new Option("of this page", "page")] : []),
    new Option("drawn by seed", "seed"),
    new Option("typed here", "own"),
    ...data.presets.map((preset) => new Option(preset.name, preset.name)),
  );
  picture = original();
  initial = { weight: floats(data.weight), bias: data.bias ? floats(data.bias) : null };
  state = { ...data.state };
  for (const id of [...numberIds, "mode", "preset", "bias", "flip"]) $(id).addEventListener("change", () => take(id));
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  $("map").addEventListener("change", () => attempt({ ...state, map: Number($("map").value) }));
  $("play").addEventListener("click", play);
  $("zoomIn").addEventListener("click", () => zoom(2));
  $("zoomOut").addEventListener("click", () => zoom(0.5));
  $("whole").addEventListener("click", () => zoom(1 / view.scale));
  $("png").addEventListener("click", savePng);
  $("svg").addEventListener("click", saveSvg);
  $("upload").addEventListener("change", (event) => event.target.files[0] && load(event.target.files[0]));
  $("original").addEventListener("click", () => replace(original(), data.channels, data.low, data.high));
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files || [])].find((one) => one.type.startsWith("image/"));
    if (file) load(file);
  });
  window.addEventListener("resize", drawAll);
  window.addEventListener("hashchange", () => {
    pinned = null;
    attempt(stateOf(location.hash.slice(1)));
  });
  dark.addEventListener("change", drawAll);
  if (!attempt(stateOf(location.hash.slice(1)))) attempt({ ...data.state });
  // For tests, and for whoever wants to look deeper.
  const seen = () => (({ left, top, scale }) => ({ left, top, scale }))(panes.find((one) => one.canvas.id === "mapCanvas"));
  window.convviz = { state: () => state, values: () => made, bank: () => bank, svg, seen };
})();
