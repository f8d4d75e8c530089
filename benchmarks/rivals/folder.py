"""A folder of pictures done in other ways.

torch FOLDER OUT | opencv FOLDER OUT WORKERS WEIGHTS | floor FOLDER OUT WORKERS SHEET |
network FOLDER OUT WORKERS SHEET:FILE.onnx
"""

import functools
import multiprocessing
import sys
from pathlib import Path

HERE = Path(__file__).parent


def by_torch(folder, out):
    """One picture after the other, with torch and Pillow."""
    import numpy as np
    import torch
    from PIL import Image

    torch.manual_seed(0)
    layer = torch.nn.Conv2d(3, 6, 3, padding=1)
    for source in sorted(folder.iterdir()):
        image = Image.open(source).convert("RGB")
        x = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255
        with torch.no_grad():
            maps = layer(x[None])[0].numpy()
        tiles = [image, *image.split()]
        tiles += [
            Image.fromarray((128.5 + 127 * values / np.abs(values).max()).astype(np.uint8)) for values in maps
        ]
        width, height = image.size
        gap = width // 25
        sheet = Image.new("RGB", (6 * (width + gap) + gap, 2 * (height + gap) + gap), "white")
        for index, picture in enumerate(tiles):
            row, column = (0, index) if index < 4 else (1, index - 4)
            sheet.paste(picture, (gap + column * (width + gap), gap + row * (height + gap)))
        sheet.save(out / f"{source.name}.png")


def one_by_opencv(source, out, weights):
    """One picture with OpenCV."""
    import cv2
    import numpy as np
    from opencv import draw

    cv2.setNumThreads(1)
    stored = np.load(weights)
    sheet = draw(str(source), "full", stored["weight"], stored["bias"])
    cv2.imwrite(str(out / f"{source.name}.png"), sheet)


@functools.cache
def sheet_of(path):
    """Read a sheet once per process."""
    import numpy as np
    from PIL import Image

    return np.asarray(Image.open(path))


def one_at_the_floor(source, out, sheet):
    """Decode a picture and encode a sheet, with the codecs of convviz and nothing between."""
    from convviz.files import png
    from convviz.images import decode
    from convviz.machine import parallel

    parallel.limit(1)
    decode.read(source)
    with (out / f"{source.name}.png").open("wb") as file:
        png.write(file, sheet_of(sheet), {})


@functools.cache
def network_of(path):
    """Load a network once per process, with the outputs of its overview."""
    import onnx
    import onnxruntime

    from convviz.compute import networks
    from convviz.compute.networks.overview import overview_steps

    engine = networks.open_onnx(Path(path))
    names = [engine.value_names(one.name)[1] for one in overview_steps(engine.steps((3, 224, 224)))]
    model = onnx.load(path)
    known = {one.name for one in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session, names, model.graph.input[0].name


def one_by_network(source, out, extra):
    """Decode a picture, run a network, and encode a sheet, with nothing between."""
    from convviz.files import png
    from convviz.images import decode
    from convviz.machine import parallel
    from convviz.spec.geometry import HW

    parallel.limit(1)
    sheet, path = extra.split(":")
    session, names, given = network_of(path)
    session.run(names, {given: decode.read(source, resize=HW(224, 224)).x[None]})
    with (out / f"{source.name}.png").open("wb") as file:
        png.write(file, sheet_of(sheet), {})


def main():
    """Take the way that is named first."""
    way, folder, out, *rest = sys.argv[1:]
    folder, out = Path(folder), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    if way == "torch":
        by_torch(folder, out)
        return
    workers, extra = rest
    sys.path.insert(0, str(HERE))
    one = {"opencv": one_by_opencv, "floor": one_at_the_floor, "network": one_by_network}[way]
    context = multiprocessing.get_context("spawn")
    with context.Pool(int(workers)) as pool:
        pool.starmap(one, [(source, out, extra) for source in sorted(folder.iterdir())], chunksize=1)


if __name__ == "__main__":
    main()
