"""A small network with a branch, as a user of PyTorch would write one: for `convviz run --model`."""

import torch
from torch import nn


class ResidualNet(nn.Module):
    """A convolution that halves the picture, a block with a shortcut, and ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, stride=2, padding=3), nn.BatchNorm2d(8), nn.ReLU())
        self.block = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1, groups=2)
        )
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.head = nn.Linear(4, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute ten values for each picture."""
        x = self.stem(x)
        x = torch.relu(x + self.block(x))
        return self.head(self.up(x).mean((2, 3)))
