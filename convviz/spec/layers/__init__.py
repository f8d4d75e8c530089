"""Layers as checked values: what ``torch.nn`` would build, with its names, arguments, defaults and shapes."""

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
from convviz.spec.layers.base import IntPair, Layer, Shape, Spelling, as_pair, shape_text
from convviz.spec.layers.conv import Conv2d
from convviz.spec.layers.others import Add, BatchNorm2d, Concat, Flatten, Linear, Upsample
from convviz.spec.layers.padding import (
    PADDING_MODES,
    PADDING_WORDS,
    Padding,
    PaddingLike,
    PaddingMode,
    as_padding,
    check_padding,
)
from convviz.spec.layers.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d, pooled_length
from convviz.spec.layers.transposed import ConvTranspose2d

# Every kind there is. An engine has a row for each, and so has the page.
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

__all__ = [
    "GELU",
    "KINDS",
    "PADDING_MODES",
    "PADDING_WORDS",
    "AdaptiveAvgPool2d",
    "Add",
    "AvgPool2d",
    "BatchNorm2d",
    "Concat",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "Flatten",
    "Hardswish",
    "IntPair",
    "Layer",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "Padding",
    "PaddingLike",
    "PaddingMode",
    "ReLU",
    "ReLU6",
    "Shape",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Spelling",
    "Tanh",
    "Upsample",
    "as_padding",
    "as_pair",
    "check_padding",
    "pooled_length",
    "shape_text",
]
