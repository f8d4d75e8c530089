"use strict";
/** The chain of a network that another program ran: its steps to choose from, its picture, what it predicts. */
const Chain = (() => {
  const { $, element } = Dom;

  /** The small maps of each convolution, once they are open. @type {Map<Held, Picture>} */
  const opened = new Map();
  /** @type {HTMLElement[]} */
  let buttons = [];
  /** @type {any} */
  let frame = null;
  /** @type {any} */
  let seen = null;
  let painted = "";
  let framed = ""; // the output whose receptive field is framed

  // The largest size of the picture, in rem.
  const PHOTO = { width: 8, height: 7.5 };

  /** The picture with the frame of the receptive field. @param {Input} input */
  function photo({ picture, low, high }) {
    const { height, width, channels } = picture;
    const look = channels.length >= 3
      ? Paint.colours(picture, low, high)
      : Paint.grey(channels[0], height, width, low, high);
    const canvas = Panes.canvasOf(look);
    const scale = Math.min(PHOTO.width / width, PHOTO.height / height);
    canvas.style.width = `${width * scale}rem`;
    canvas.style.height = `${height * scale}rem`;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `the picture that the network reads, ${height} by ${width} pixels`);
    frame = element("div", { className: "field", hidden: true });
    return element("div", { className: "framed" }, canvas, frame);
  }

  /** @param {Network} network */
  function prediction({ name, runner, prediction: best }) {
    const values = best.map(([named, value]) => `${named} (${Words.short(value, 3)})`);
    return element("p", { id: "predicted" }, `${name}, run by ${runner}${best.length ? `; its largest outputs: ${values.join(", ")}` : ""}`);
  }

  /** One row: a button for a convolution that is in the page, else a name. @param {Network["chain"][number]} one @param {Stored} store */
  function row({ name, kind, shape, at }, store) {
    const label = element("span", { className: "name" }, name, element("span", {}, shape.length ? `${kind} -> ${shape.join("x")}` : kind));
    if (at === null) return element("p", { className: "passed", title: "The page holds what arrives at convolutions; this layer stands between them." }, label);
    const button = element("button", { type: "button" }, label, element("span", { className: "strip" }));
    button.dataset.key = `layer${at}`;
    button.addEventListener("click", () => {
      store.pin(null);
      store.change({ at, map: 0 });
    });
    buttons[at] = button;
    return button;
  }

  /** @param {Data} data @param {Held[]} steps @param {Stored} store */
  function start(data, steps, store) {
    const { network } = data;
    if (!network) return;
    $("layers").replaceChildren(...network.chain.map((one) => row(one, store)));
    const notes = element("details", { className: "hint" }, element("summary", {}, network.brief),
      element("ul", {}, ...network.words.map((one) => element("li", {}, `${one}.`))));
    seen = element("p", { id: "field" });
    Dom.beside($("layers"), photo(store.now().input), prediction(network), seen, notes);
    store.subscribe((now, before) => {
      if (!now.shown) return;
      if (now.shown !== before.shown) choose(now, steps);
      see(now, steps);
    });
    // The page is there first; small maps come as they are opened.
    store.settled().then(async () => {
      for (const step of steps)
        if (step.thumbs) {
          opened.set(step, Archive.pictureOf(await Archive.open(step.thumbs), step.thumbs.shape));
          thumbnails(store.now(), step, steps.indexOf(step));
        }
    });
  }

  /** @param {Now} now @param {Held} step @param {number} at */
  function thumbnails(now, step, at) {
    const maps = opened.get(step);
    if (!maps || !buttons[at]) return;
    const { height, width, channels } = maps;
    buttons[at].children[1].replaceChildren(...channels.map((values) => Looks.thumbnail(now, { values, height, width }, maps)));
  }

  /** @param {Now} now @param {Held[]} steps */
  function choose(now, steps) {
    buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(at === now.state.at)));
    const { colormap, limits, scale } = now.state;
    const looks = [colormap, limits, scale].join();
    if (looks !== painted) steps.forEach((step, at) => thumbnails(now, step, at));
    painted = looks;
    // The page itself stays where it is.
    const [list, one] = [$("layers"), buttons[Math.min(now.state.at, buttons.length - 1)]];
    const [outer, inner] = [list.getBoundingClientRect(), one.getBoundingClientRect()];
    if (inner.top < outer.top || inner.bottom > outer.bottom) list.scrollTop += inner.top - outer.top - outer.height / 2;
    if (inner.left < outer.left || inner.right > outer.right) list.scrollLeft += inner.left - outer.left - outer.width / 2;
  }

  /** Frame the receptive field of the output that the stage shows. @param {Now} now @param {Held[]} steps */
  function see(now, steps) {
    const { picture } = now.input;
    const held = steps[Math.min(now.state.at, steps.length - 1)];
    const [y, x] = Inspector.focus(now);
    const place = [held.name, y, x].join();
    if (place === framed) return;
    framed = place;
    const box = Archive.field(held, y, x, picture);
    frame.hidden = !box;
    if (!box) {
      seen.textContent = `What an output of ${held.name} sees of the picture is not defined.`;
      return;
    }
    const { height, width } = picture;
    const [top, left] = [Math.max(0, box.top), Math.max(0, box.left)];
    const [bottom, right] = [Math.min(height, box.bottom + 1), Math.min(width, box.right + 1)];
    Object.assign(frame.style, {
      top: `${(100 * top) / height}%`, left: `${(100 * left) / width}%`,
      height: `${(100 * Math.max(0, bottom - top)) / height}%`, width: `${(100 * Math.max(0, right - left)) / width}%`,
    });
    const size = `${box.bottom - box.top + 1}x${box.right - box.left + 1}`;
    const outside = box.top < 0 || box.left < 0 || box.bottom >= height || box.right >= width;
    seen.textContent = `The output at ${y},${x} sees ${size} pixels: rows ${box.top} to ${box.bottom}, columns ${box.left} to ${box.right}` +
      `${outside ? "; beyond the picture is padding" : ""}.`;
  }

  return { start };
})();
