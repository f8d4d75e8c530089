"""What a tutorial would write with torch and matplotlib: FILE TILE OUT (the tile is matplotlib's choice)."""

import sys

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import torch

source, _, out = sys.argv[1:4]

image = plt.imread(source)[..., :3]
x = torch.from_numpy(image.copy()).permute(2, 0, 1).float()
x = x / 255 if x.max() > 1 else x
torch.manual_seed(0)
layer = torch.nn.Conv2d(3, 6, 3, padding=1)
with torch.no_grad():
    maps = layer(x[None])[0]

figure, axes = plt.subplots(2, 6, figsize=(18, 7))
for axis in axes.flat:
    axis.axis("off")
axes[0, 0].imshow(image)
axes[0, 0].set_title("input")
for index, name in enumerate("RGB"):
    axes[0, 1 + index].imshow(x[index], cmap="gray", vmin=0, vmax=1)
    axes[0, 1 + index].set_title(name)
for index, values in enumerate(maps):
    axes[1, index].imshow(values, cmap="gray")
    axes[1, index].set_title(f"map {index}")
figure.savefig(out)
