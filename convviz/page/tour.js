"use strict";
/**
 * A tour of six steps: three channels of nine numbers, whose products add up to 18. Each step is a link.
 *
 * Of a `Stop`, `change` is what differs from a filter of ones on the numbers as they are, `pin` the place that is
 * explained, and `parts` are the parts of the stage that are framed, as selectors.
 *
 * @typedef {{title: string, text: string, change: Partial<State>, pin: Place, parts: string}} Stop
 */
const Tour = (() => {
  const { $, element } = Dom;
  const MARGIN = 16;
  const ONES = [1, 1, 1, 1, 1, 1, 1, 1, 1];
  const MIDDLE = [0, 1, 0, 0, 1, 0, 0, 1, 0];
  const SIDES = [1, 0, 1, 1, 0, 1, 1, 0, 1];
  /** @type {Place} */
  const FIRST = { kind: "output", place: [0, 0] };

  /** Weights of filters whose kernels are the same in all three channels. @param {number[][]} kernels */
  const edits = (...kernels) =>
    Object.fromEntries(kernels.flatMap((kernel) => [...kernel, ...kernel, ...kernel]).map((value, at) => [`0:${at}`, value]));

  /** @type {Stop[]} */
  const STOPS = [
    {
      title: "Channels",
      text: "A colour picture is a stack of channels: red (R), green (G) and blue (B). Each channel is a table of numbers, " +
        "here 3 rows of 3: 1 is bright, 0 is dark.",
      change: {}, pin: FIRST, parts: "figure.channel",
    },
    {
      title: "Kernels",
      text: "A filter has one kernel for each channel. A kernel is a small table of numbers, its weights. In this filter every weight is 1.",
      change: {}, pin: FIRST, parts: ".row .kernel",
    },
    {
      title: "Products",
      text: "Each kernel is laid on its channel, and every weight is multiplied by the pixel below it. That makes nine products for each channel.",
      change: {}, pin: FIRST, parts: ".row .products",
    },
    {
      title: "One sum over all channels",
      text: "The products add up to 9 in R, 3 in G and 6 in B. The filter adds these too: 9 + 3 + 6 = 18. " +
        "That is one number of its feature map. The channels do not get maps of their own.",
      change: {}, pin: FIRST, parts: ".row .partial, #output, #ledger",
    },
    {
      title: "A second filter",
      text: "A second filter has three kernels of its own and makes a map of its own: 2 filters x 3 channels = 6 kernels, 2 maps. " +
        "This one counts the middle column alone: 3 + 3 + 0 = 6.",
      change: { outChannels: 2, map: 1, edits: edits(ONES, MIDDLE) }, pin: FIRST, parts: ".row .kernel, #output, #ledger",
    },
    {
      title: "Padding and stride",
      text: "Zeros around the picture (padding 1) give the window 3 x 3 places instead of one. With a step of two pixels (stride 2) " +
        "it skips every second place, and 2 x 2 numbers are left. Each of these windows adds up to 4 + 2 + 2 = 8.",
      change: { padTop: 1, padBottom: 1, padLeft: 1, padRight: 1, strideH: 2, strideW: 2 }, pin: FIRST, parts: "figure.channel, #output",
    },
  ];

  /** @type {Data} */
  let data;
  /** @type {Stored} */
  let store;
  /** @type {Input} */
  let numbers;
  let at = 0; // the step that is shown, from 1 on; 0 if none is
  /** @type {State|null} */
  let stood = null; // the state that the step has set
  /** @type {(Moment & {pinned: Place|null})|null} */
  let before = null; // what the page showed before the tour

  /** The step that an address names; 0 if it names none. @param {string} hash */
  function stepOf(hash) {
    if (data.tour && hash.length < 2) return 1;
    const step = Number(/^#tour=(\d)$/.exec(hash)?.[1] || 0);
    return data.single && step <= STOPS.length ? step : 0;
  }

  /** The address of the step, while the page shows what the step has set; else empty. @param {Now} now */
  const address = (now) => (at && now.state === stood ? `#tour=${at}` : "");

  /** Go to a step. @param {number} step */
  function go(step) {
    if (!at) {
      const { state, input, pinned } = store.now();
      before = data.tour ? { state: data.state, input: numbers, pinned: null } : { state, input, pinned };
    }
    at = step;
    const { change, pin } = STOPS[at - 1];
    stood = {
      ...data.state, map: 0, outChannels: 1, preset: "seed", seed: 0, kernelH: 3, kernelW: 3, strideH: 1, strideW: 1, padTop: 0,
      padBottom: 0, padLeft: 0, padRight: 0, mode: "zeros", dilationH: 1, dilationW: 1, groups: 1, bias: false, flip: false,
      edits: edits(ONES), ...change,
    };
    store.attempt(stood, "", numbers, { pinned: pin });
    show();
  }

  /** Go to a step by its address, so that the browser can go back. @param {number} step */
  function visit(step) {
    if (location.hash === `#tour=${step}`) go(step);
    else location.hash = `#tour=${step}`;
  }

  /** End the tour; return what the page showed before it. */
  function end() {
    if (!at) return null;
    at = 0;
    const focused = $("tour").contains(document.activeElement);
    show();
    if (focused) $("openTour").focus({ preventScroll: true });
    return before;
  }

  /** End the tour, and show what the page showed before it. */
  function leave() {
    const back = end();
    if (back) store.attempt(back.state, "", back.input, { pinned: back.pinned });
  }

  function show() {
    $("tour").hidden = !at;
    document.body.classList.toggle("touring", Boolean(at));
    frame();
    if (!at) return;
    const { title, text } = STOPS[at - 1];
    $("tourTitle").textContent = `${at} of ${STOPS.length}: ${title}`;
    $("tourText").textContent = text;
    document.querySelectorAll("#tourSteps a").forEach((link, index) => {
      if (index === at - 1) link.setAttribute("aria-current", "step");
      else link.removeAttribute("aria-current");
    });
    $("tourNext").textContent = at < STOPS.length ? "next" : "end";
    // The stage takes the room that is left.
    window.dispatchEvent(new Event("resize"));
  }

  /** Frame the parts of the stage that the step is about, and bring them into view. */
  function frame() {
    for (const one of document.querySelectorAll(".toured")) one.classList.remove("toured");
    if (!at) return;
    const parts = [...document.querySelectorAll(STOPS[at - 1].parts)].filter((one) => one.getClientRects().length);
    for (const one of parts) one.classList.add("toured");
    const boxes = parts.map((one) => one.getBoundingClientRect());
    const [top, bottom] = [Math.min(...boxes.map((box) => box.top)), Math.max(...boxes.map((box) => box.bottom))];
    const [high, low] = [$("tour").getBoundingClientRect().height + MARGIN, window.innerHeight - MARGIN];
    // What is higher than the screen begins at its top.
    if (top < high || bottom > low) window.scrollBy(0, Math.min(bottom > low ? bottom - low : Infinity, top - high));
  }

  function build() {
    const steps = STOPS.map(({ title }, index) => {
      const link = element("a", { href: `#tour=${index + 1}`, title }, String(index + 1));
      link.setAttribute("aria-label", `step ${index + 1}: ${title}`);
      return element("li", {}, link);
    });
    const next = element("button", { type: "button", id: "tourNext" }, "next");
    next.addEventListener("click", () => (at < STOPS.length ? visit(at + 1) : leave()));
    const out = element("button", { type: "button", id: "leaveTour" }, "leave the tour");
    out.addEventListener("click", leave);
    const box = element("section", { id: "tour", hidden: true, ariaLabel: "tour" },
      element("div", { ariaLive: "polite" }, element("h2", { id: "tourTitle" }), element("p", { id: "tourText" })),
      element("div", { className: "buttons" }, element("ol", { id: "tourSteps" }, ...steps), next, out));
    box.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      leave();
    });
    document.querySelector("main")?.prepend(box);
  }

  /** @param {Data} given @param {Stored} asked @param {Input} first */
  function start(given, asked, first) {
    [data, store] = [given, asked];
    numbers = data.tour ? first : {
      picture: { height: 3, width: 3, channels: [ONES, MIDDLE, SIDES].map((values) => Float32Array.from(values)) },
      names: ["R", "G", "B"], low: 0, high: 1, source: { path: "classic.json", words: [] },
    };
    build();
    $("openTour").hidden = !data.single;
    $("openTour").addEventListener("click", () => visit(at || 1));
    store.subscribe((now, was) => {
      if (at && (now.shown !== was.shown || now.pinned !== was.pinned)) frame();
    });
  }

  return { start, go, end, stepOf, address };
})();
