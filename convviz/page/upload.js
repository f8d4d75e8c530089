"use strict";
/** Another picture: chosen, pasted or dropped. */
const Upload = (() => {
  const { $, element } = Dom;

  /** Read a picture of the user; return what went wrong. @param {Blob} file @param {Data} data @param {Stored} store */
  async function load(file, data, store) {
    const tell = (/** @type {string} */ text) => store.tell(text, "upload");
    const wrong = Pictures.reason(data);
    if (wrong) return tell(`Not taken: ${wrong}`);
    let image;
    try {
      // The stored colours, as convviz reads them.
      image = await createImageBitmap(file, { colorSpaceConversion: "none" });
    } catch {
      return tell("Not taken: the browser cannot read this picture.");
    }
    const { height, width } = image;
    let pixels, read;
    try {
      const ink = element("canvas", { width, height }).getContext("2d", { willReadFrequently: true });
      ink.drawImage(image, 0, 0);
      pixels = ink.getImageData(0, 0, width, height).data;
      read = Pictures.read(pixels, height, width, data);
    } catch {
      return tell(`Not taken: this browser does not have the memory for a picture of ${height}x${width}.`);
    }
    const { words, ...other } = read;
    const taken = store.replace({ ...other, source: { path: file instanceof File ? file.name : "picture.png", words } }, "upload");
    // A canvas stores colours multiplied by their opacity.
    if (taken && pixels.some((/** @type {number} */ level, /** @type {number} */ at) => at % 4 === 3 && level < 255))
      tell("This picture is partly transparent: browsers lose part of such colours, so the command makes other maps.");
  }

  /** @param {Data} data @param {Stored} store @param {Input} first */
  function start(data, store, first) {
    const upload = element("input", { id: "upload", type: "file", accept: "image/*" });
    const original = element("button", { type: "button", id: "original", hidden: true }, "back to the first");
    $("controls").append(element("fieldset", {}, element("legend", {}, "Picture"),
      element("label", { className: "setting" }, element("span", { className: "name" }, "another picture"), upload),
      element("p", { className: "hint" }, "or paste one; it stays in the browser"), original));
    upload.addEventListener("change", (/** @type {any} */ event) => event.target.files[0] && load(event.target.files[0], data, store));
    original.addEventListener("click", () => store.replace(first, "upload"));
    document.addEventListener("paste", (event) => {
      const file = [...(event.clipboardData?.files || [])].find((one) => one.type.startsWith("image/"));
      if (file) load(file, data, store);
    });
    store.subscribe((now) => (original.hidden = now.input === first));
  }

  return { start };
})();
