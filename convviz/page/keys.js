"use strict";
/** Keys: arrows move over outputs, pixels and weights, alone or in leaps; a place can be named; Escape lets go. */
const Keys = (() => {
  const { $, element } = Dom;
  const LEAP = 10;

  /** @type {Stored} */
  let store;
  /** What the field names a place of. @type {"output"|"input"} */
  let kind = "output";

  /** @param {"output"|"input"} of @returns {Pair} */
  function sizeOf(of) {
    const { inputs: [input], output } = /** @type {Shown} */ (store.now().shown);
    return of === "output" ? [output.height, output.width] : [input.height, input.width];
  }

  /** Pin a place and bring it into view. @param {"output"|"input"} of @param {number} y @param {number} x */
  function go(of, y, x) {
    if (of === "output") return Stage.go(y, x);
    const [height, width] = sizeOf(of);
    const [top, bottom, left, right] = store.now().shown?.conv?.padding || [0, 0, 0, 0];
    // The channels are shown with their padding.
    if (Panes.zoomed()) Panes.centre((y + top + 0.5) / (height + top + bottom), (x + left + 0.5) / (width + left + right));
    store.pin({ kind: of, place: [y, x] });
  }

  /**
   * Where a key leads from a place; null if it leads nowhere.
   *
   * @param {KeyboardEvent} event @param {number[]} place @param {Pair} size @returns {Pair|null}
   */
  function after({ key, shiftKey, ctrlKey, metaKey }, [y, x], [height, width]) {
    const step = shiftKey ? LEAP : 1;
    const whole = ctrlKey || metaKey;
    const to = /** @type {Record<string, number[]>} */ ({
      ArrowUp: [y - step, x], ArrowDown: [y + step, x], ArrowLeft: [y, x - step], ArrowRight: [y, x + step],
      Home: [whole ? 0 : y, 0], End: [whole ? height - 1 : y, width - 1], PageUp: [0, x], PageDown: [height - 1, x],
    })[key];
    const within = (/** @type {number} */ value, /** @type {number} */ count) => Math.max(0, Math.min(count - 1, value));
    return to ? [within(to[0], height), within(to[1], width)] : null;
  }

  /** @param {KeyboardEvent} event @param {"output"|"input"} of */
  function onPicture(event, of) {
    if (event.key === "+" || event.key === "-") return Stage.zoom(event.key === "+" ? 2 : 0.5);
    if (event.key === "g" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      return ask(of);
    }
    const now = store.now();
    const from = of === "output" ? Inspector.settled(now) : now.pinned?.kind === "input" ? now.pinned.place : null;
    const place = after(event, from || [0, 0], sizeOf(of));
    if (!place) return;
    event.preventDefault();
    // The first arrow takes hold of the first pixel.
    if (!from && event.key.startsWith("Arrow")) go(of, 0, 0);
    else go(of, place[0], place[1]);
  }

  /** Move between the weights, as in a spreadsheet. @param {KeyboardEvent} event @param {HTMLInputElement} field */
  function onWeight(event, field) {
    const { key, ctrlKey, metaKey } = event;
    const [channel, y, x] = (field.dataset.place || "").split(",").map(Number);
    const { conv, inputs } = /** @type {Shown} */ (store.now().shown);
    if (!conv) return;
    const last = field.value.length;
    const [start, end] = [field.selectionStart, field.selectionEnd];
    const all = start === 0 && end === last;
    // Within a text that is being written, these keys move the cursor.
    if (key === "ArrowLeft" && !(all || end === 0)) return;
    if (key === "ArrowRight" && !(all || start === last)) return;
    if ((key === "Home" || key === "End") && !(ctrlKey || metaKey || all)) return;
    const page = { PageUp: -1, PageDown: 1 }[key];
    const place = page
      ? [Math.max(0, Math.min(inputs[0].channels.length / conv.groups - 1, channel + page)), y, x]
      : [channel, ...(after(event, [y, x], conv.kernel) || [])];
    const next = place.length === 3 && /** @type {HTMLInputElement|null} */ (document.querySelector(`input[data-place="${place.join(",")}"]`));
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.select();
  }

  /** Ask for the place to go to. @param {"output"|"input"} of */
  function ask(of) {
    kind = of;
    const field = $("goTo");
    field.placeholder = of === "output" ? "row, column" : "input row, column";
    field.focus();
    field.select();
  }

  /** Go to the place that was typed. @param {HTMLInputElement} field */
  function visit(field) {
    const place = field.value.split(/[\s,;x]+/).filter(Boolean).map(Number);
    const size = sizeOf(kind);
    if (place.length !== 2 || place.some((one, axis) => !Number.isInteger(one) || one < 0 || one >= size[axis]))
      return store.tell(`A place is a row from 0 to ${size[0] - 1} and a column from 0 to ${size[1] - 1}, such as 0,${size[1] - 1}.`, "goTo");
    store.tell("");
    go(kind, place[0], place[1]);
    // Back to where the arrow keys go on.
    (kind === "output" ? $("mapCanvas") : $("inputCanvas"))?.focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  function keys(event) {
    const { shown } = store.now();
    const target = /** @type {any} */ (event.target);
    if (!shown || event.defaultPrevented || event.altKey) return;
    // Of what is pinned, and of the window that slides.
    if (event.key === "Escape") store.pin(null);
    else if (target.id === "mapCanvas" || target.id === "inputCanvas") onPicture(event, target.id === "mapCanvas" ? "output" : "input");
    else if (target.dataset?.place) onWeight(event, target);
    else if (target.id === "goTo" && event.key === "Enter") visit(target);
  }

  /** @param {Stored} asked */
  function start(asked) {
    store = asked;
    const field = element("input", { id: "goTo", ariaLabel: "go to row, column", placeholder: "row, column", title: "G, while a picture has the focus" });
    $("whole").after(" ", element("label", { className: "switch" }, "go to ", field));
    document.addEventListener("keydown", keys);
  }

  return { start, after };
})();
