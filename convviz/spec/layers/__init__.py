"""Describe layers as checked values, with the names, arguments, defaults and shapes of ``torch.nn``.

A kind of layer is loaded when it is first used, because most commands only need `Conv2d`.
"""

from typing import TYPE_CHECKING

from convviz.loading import on_first_use

# The same names again, for type checkers; an alias marks a name as public here.
if TYPE_CHECKING:
    from convviz.spec.layers.activations import GELU as GELU
    from convviz.spec.layers.activations import Dropout as Dropout
    from convviz.spec.layers.activations import Hardswish as Hardswish
    from convviz.spec.layers.activations import LeakyReLU as LeakyReLU
    from convviz.spec.layers.activations import ReLU as ReLU
    from convviz.spec.layers.activations import ReLU6 as ReLU6
    from convviz.spec.layers.activations import Sigmoid as Sigmoid
    from convviz.spec.layers.activations import SiLU as SiLU
    from convviz.spec.layers.activations import Softmax as Softmax
    from convviz.spec.layers.activations import Tanh as Tanh
    from convviz.spec.layers.base import IntPair as IntPair
    from convviz.spec.layers.base import Layer as Layer
    from convviz.spec.layers.base import Shape as Shape
    from convviz.spec.layers.base import Spelling as Spelling
    from convviz.spec.layers.base import as_pair as as_pair
    from convviz.spec.layers.base import shape_text as shape_text
    from convviz.spec.layers.conv import Conv2d as Conv2d
    from convviz.spec.layers.kinds import BY_NAME as BY_NAME
    from convviz.spec.layers.kinds import BY_WORD as BY_WORD
    from convviz.spec.layers.kinds import KINDS as KINDS
    from convviz.spec.layers.others import Add as Add
    from convviz.spec.layers.others import BatchNorm2d as BatchNorm2d
    from convviz.spec.layers.others import Concat as Concat
    from convviz.spec.layers.others import Flatten as Flatten
    from convviz.spec.layers.others import Linear as Linear
    from convviz.spec.layers.others import Upsample as Upsample
    from convviz.spec.layers.padding import PADDING_MODES as PADDING_MODES
    from convviz.spec.layers.padding import PADDING_WORDS as PADDING_WORDS
    from convviz.spec.layers.padding import Padding as Padding
    from convviz.spec.layers.padding import PaddingLike as PaddingLike
    from convviz.spec.layers.padding import PaddingMode as PaddingMode
    from convviz.spec.layers.padding import as_padding as as_padding
    from convviz.spec.layers.padding import check_padding as check_padding
    from convviz.spec.layers.pooling import AdaptiveAvgPool2d as AdaptiveAvgPool2d
    from convviz.spec.layers.pooling import AvgPool2d as AvgPool2d
    from convviz.spec.layers.pooling import MaxPool2d as MaxPool2d
    from convviz.spec.layers.pooling import pooled_length as pooled_length
    from convviz.spec.layers.transposed import ConvTranspose2d as ConvTranspose2d
    from convviz.spec.layers.transposed import Transposed as Transposed
else:
    __getattr__, __dir__ = on_first_use(
        __name__,
        {
            "activations": (
                "Dropout",
                "GELU",
                "Hardswish",
                "LeakyReLU",
                "ReLU",
                "ReLU6",
                "SiLU",
                "Sigmoid",
                "Softmax",
                "Tanh",
            ),
            "base": ("IntPair", "Layer", "Shape", "Spelling", "as_pair", "shape_text"),
            "conv": ("Conv2d",),
            "kinds": ("BY_NAME", "BY_WORD", "KINDS"),
            "others": ("Add", "BatchNorm2d", "Concat", "Flatten", "Linear", "Upsample"),
            "padding": (
                "PADDING_MODES",
                "PADDING_WORDS",
                "Padding",
                "PaddingLike",
                "PaddingMode",
                "as_padding",
                "check_padding",
            ),
            "pooling": ("AdaptiveAvgPool2d", "AvgPool2d", "MaxPool2d", "pooled_length"),
            "transposed": ("ConvTranspose2d", "Transposed"),
        },
    )
