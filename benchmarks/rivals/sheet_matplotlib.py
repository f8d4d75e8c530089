"""What a user would write with matplotlib to see the maps of a run: SAVED.npz OUT.

convviz run samples/harbour.png -O 6 -p 1 --save saved.npz --output ours.png
python benchmarks/rivals/sheet_matplotlib.py saved.npz theirs.png

Side by side (2026): the maps of ours have more contrast, since a few extreme values do not set the
scale, and ours has the kernels, the layer, the numbers of small arrays and a legend. That of matplotlib
has five ticks on every colour bar, where ours has the ends and 0, and is calmer, with fewer words.
"""

import sys

import numpy as np

try:
    import matplotlib.pyplot as plt
except ImportError:
    sys.exit("this comparison needs matplotlib: pip install matplotlib")

saved, out = sys.argv[1:]
run = np.load(saved)
x, maps, names = run["input"], run["maps"], run["names"]
columns = max(4, len(maps))
figure, axes = plt.subplots(2, columns, figsize=(3 * columns, 7), layout="constrained")
for axis in axes.flat:
    axis.axis("off")
axes[0, 0].imshow(np.moveaxis(x[:3], 0, 2) if len(x) >= 3 else x[0], cmap="gray")
axes[0, 0].set_title("input")
for axis, channel, name in zip(axes[0, 1:], x, "RGB", strict=False):
    axis.imshow(channel, cmap="gray")
    axis.set_title(name)
for axis, values, name in zip(axes[1], maps, names, strict=False):
    shown = axis.imshow(values, cmap="gray")
    axis.set_title(f"{name}: {values.min():.3g} to {values.max():.3g}")
    figure.colorbar(shown, ax=axis, orientation="horizontal")
figure.savefig(out, dpi=110)
