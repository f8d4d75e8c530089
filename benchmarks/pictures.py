"""Pictures to measure with, made of the photographs that scikit-image ships."""

from pathlib import Path

import numpy as np
import skimage
from PIL import Image

PHOTOGRAPHS = (
    "astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "hubble_deep_field.jpg", "retina.jpg",
    "ihc.png", "motorcycle_left.png",
)  # fmt: skip


def photographs() -> list[Image.Image]:
    """Read them, in colour."""
    folder = Path(skimage.__file__).parent / "data"
    return [Image.open(folder / name).convert("RGB") for name in PHOTOGRAPHS]


def single(path: Path) -> None:
    """Write one photograph, 512x512."""
    photographs()[0].save(path, quality=90)


def mosaic(path: Path, size: tuple[int, int]) -> None:
    """Write a picture of any size (width, height): photographs of 1000x1000 side by side."""
    tiles = [photo.resize((1000, 1000), Image.Resampling.LANCZOS) for photo in photographs()]
    width, height = size
    sheet = Image.new("RGB", size)
    for index in range(-(-width // 1000) * -(-height // 1000)):
        row, column = divmod(index, -(-width // 1000))
        sheet.paste(tiles[(index + row) % len(tiles)], (1000 * column, 1000 * row))
    sheet.save(path, quality=90)


def folder(path: Path, count: int, size: tuple[int, int] = (1024, 768)) -> None:
    """Write many different pictures of 4:3: parts of the photographs, some of them mirrored."""
    path.mkdir(parents=True)
    rng = np.random.default_rng(0)
    photos = photographs()
    for index in range(count):
        photo = photos[index % len(photos)]
        share = rng.uniform(0.5, 1)
        w = int(min(photo.width, photo.height * 4 / 3) * share)
        h = w * 3 // 4
        left, top = (int(rng.integers(0, side + 1)) for side in (photo.width - w, photo.height - h))
        part = photo.crop((left, top, left + w, top + h)).resize(size, Image.Resampling.LANCZOS)
        if rng.random() < 0.5:
            part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        part.save(path / f"{index:03}.jpg", quality=90)
