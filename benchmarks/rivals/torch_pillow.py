"""What a person would write with torch and Pillow: FILE [TILE] OUT, the input, its channels and six maps."""

import sys

import numpy as np
import torch
from PIL import Image

source, tile, out = sys.argv[1:4]

image = Image.open(source).convert("RGB")
x = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255
torch.manual_seed(0)
layer = torch.nn.Conv2d(3, 6, 3, padding=1)
with torch.no_grad():
    maps = layer(x[None])[0].numpy()


def shrunk(picture):
    if tile == "full":
        return picture
    scale = int(tile) / max(picture.size)
    return picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BOX)


tiles = [shrunk(image), *(shrunk(channel) for channel in image.split())]
for values in maps:
    levels = (128.5 + 127 * values / np.abs(values).max()).astype(np.uint8)
    tiles.append(shrunk(Image.fromarray(levels)))

width, height = tiles[0].size
gap = max(8, width // 25)
sheet = Image.new("RGB", (6 * (width + gap) + gap, 2 * (height + gap) + gap), "white")
for index, picture in enumerate(tiles):
    row, column = (0, index) if index < 4 else (1, index - 4)
    sheet.paste(picture, (gap + column * (width + gap), gap + row * (height + gap)))
sheet.save(out)
