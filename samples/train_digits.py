"""Train the small network of the samples: digits.toml with digits.safetensors.

python samples/train_digits.py          writes beside this script
python samples/train_digits.py FOLDER   writes there

It needs scikit-learn beside what convviz needs: pip install --group train. The data are
the 1797 handwritten digits of 8x8 pixels that scikit-learn ships: E. Alpaydin and
C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
1998, https://doi.org/10.24432/C50P49, licensed CC BY 4.0. A minute on one core.
"""

import json
import sys
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from export_digits import model
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

import convviz
from convviz.spec.stacks import read_net

SIDE = 28
# The last digits of the set are kept for the test.
TEST = 360
EPOCHS = 40


def pictures() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Give the digits as white strokes on black, shape (1797, 28, 28), 0 to 1, and what they are.

    A digit fills 20 of the 28 pixels, and the rest is black, as in the sample.
    """
    data = load_digits()
    found = []
    for small in data.images / 16:
        digit = Image.fromarray(small.astype(np.float32)).resize((20, 20), Image.Resampling.BICUBIC)
        found.append(np.pad(np.clip(np.asarray(digit), 0, 1), 4))
    return np.stack(found).astype(np.float32), data.target.astype(np.int64)


def varied(images: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    """Turn, stretch, shift and fade every picture a little, so that other hands are read too."""
    count = len(images)

    def between(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, generator=chance)

    angle, slant = between(-0.25, 0.25), between(-0.2, 0.2)
    tall, wide = between(0.8, 1.25), between(0.8, 1.4)
    rows = [
        torch.stack([torch.cos(angle) * wide, (torch.sin(angle) + slant) * wide, between(-0.2, 0.2)], 1),
        torch.stack([-torch.sin(angle) * tall, torch.cos(angle) * tall, between(-0.2, 0.2)], 1),
    ]
    grid = torch.nn.functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    moved = torch.nn.functional.grid_sample(images, grid, align_corners=False)
    # Strokes with sharper and with softer edges.
    steep = between(1.0, 4.0)[:, None, None, None]
    return torch.clamp((moved - 0.45) * steep + 0.5, 0, 1) * between(0.7, 1.0)[:, None, None, None]


def main() -> None:
    """Train, tell how well that went, and write the weights."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    images, labels = pictures()
    x, y = torch.from_numpy(images)[:, None], torch.from_numpy(labels)
    torch.manual_seed(0)
    chance = torch.Generator().manual_seed(0)
    network = model()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    known = len(x) - TEST
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=EPOCHS * (known // 64))
    for _ in range(EPOCHS):
        order = torch.randperm(known, generator=chance)
        for batch in order[: known // 64 * 64].split(64):
            loss = torch.nn.functional.cross_entropy(
                network(varied(x[batch], chance)), y[batch], label_smoothing=0.05
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.no_grad():
        right = int((network(x[known:]).argmax(1) == y[known:]).sum())
    sys.stdout.write(f"{right} of {TEST} digits that it has not seen are read rightly: {right / TEST:.1%}\n")
    described = {
        "source": "samples/train_digits.py",
        "data": "Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998, CC BY 4.0",
    }
    # One entry alone: safetensors writes several in an order that differs between runs.
    data = safetensors.torch.save(network.state_dict(), {"convviz sample": json.dumps(described)})
    (folder / "digits.safetensors").write_bytes(data)
    steps = read_net(Path(__file__).with_name("digits.toml")).sized((1, SIDE, SIDE))
    sample = convviz.read(Path(__file__).with_name("digit.png"), mode="gray", resize=convviz.HW(SIDE, SIDE))
    with torch.no_grad():
        shares = torch.softmax(network(torch.from_numpy(sample.x)[None])[0], 0)
    best = int(shares.argmax())
    sys.stdout.write(
        f"digit.png is read as {best} ({shares[best]:.1%}); {len(steps)} layers, {len(data)} bytes\n"
    )


if __name__ == "__main__":
    main()
