"""List every kind of layer."""

from convviz.spec.layers.activations import (
    GELU,
    Dropout,
    Hardswish,
    LeakyReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from convviz.spec.layers.base import Layer
from convviz.spec.layers.conv import Conv2d
from convviz.spec.layers.others import Add, BatchNorm2d, Concat, Flatten, Linear, Upsample
from convviz.spec.layers.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d
from convviz.spec.layers.transposed import ConvTranspose2d

# Every kind of layer. Each engine and the page have a row for each of them.
KINDS: tuple[type[Layer], ...] = (
    Conv2d,
    ConvTranspose2d,
    MaxPool2d,
    AvgPool2d,
    AdaptiveAvgPool2d,
    BatchNorm2d,
    ReLU,
    ReLU6,
    LeakyReLU,
    SiLU,
    GELU,
    Hardswish,
    Sigmoid,
    Tanh,
    Dropout,
    Flatten,
    Linear,
    Softmax,
    Upsample,
    Add,
    Concat,
)

# The same by the words of a user, and by the names of torch.
BY_WORD = {word: kind for kind in KINDS for word in kind.spelling.words}
BY_NAME = {kind.__name__: kind for kind in KINDS}
