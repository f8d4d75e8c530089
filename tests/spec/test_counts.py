"""Counting conventions: by definition, and as torch's own counter has it."""

import contextlib
import io
import warnings

import pytest
import torch
import torchinfo
import zoo
from torch.utils.flop_counter import FlopCounterMode

from convviz.spec import counts, layers, stacks
from convviz.spec.layers import Conv2d


def test_every_convention_by_hand():
    """3x3 values on 2 channels of 4x4 with a border of 1, three maps: 16 windows of 9 products on 6 kernels.

    Along an axis of 4 the windows meet 2 + 3 + 3 + 2 = 10 pixels, so 100 of 144 products are inside.
    """
    found = counts.counts([(Conv2d(2, 3, 3, padding=1), (2, 4, 4))])
    macs, values = 16 * 9 * 6, 3 * 16
    assert found == {
        "macs": macs,
        "macs_with_bias": macs + values,
        "flops": 2 * macs,
        "flops_with_bias": 2 * macs + values,
        "macs_inside": 100 * 6,
    }


def test_layers_without_products_count_nothing():
    assert set(counts.counts([(layers.ReLU(), (2, 3, 3)), (layers.MaxPool2d(2), (2, 4, 4))]).values()) == {0}


def of_torch(layer, x):
    with FlopCounterMode(display=False) as counter:
        layer(x)
    return counter.get_total_flops()


def of_thop(layer, x):
    thop = pytest.importorskip("thop", exc_type=ImportError)  # Python 3.12 has no distutils
    return thop.profile(layer, (x,), verbose=False)[0]


def of_fvcore(layer, x):
    from fvcore.nn import FlopCountAnalysis  # warns of what it is made with

    return FlopCountAnalysis(layer, (x,)).total()


def of_ptflops(layer, x):
    zoo.torchvision_models()  # which it imports, and which cannot be where its compiled part does not fit
    import ptflops

    found, _ = ptflops.get_model_complexity_info(
        layer, tuple(x.shape[1:]), as_strings=False, print_per_layer_stat=False
    )
    return found


# How each tool is asked, and the convention that it is said to have.
TOOLS = {
    "torch.utils.flop_counter": (of_torch, "flops"),
    "fvcore": (of_fvcore, "macs"),
    "thop": (of_thop, "macs"),
    "ptflops": (of_ptflops, "macs_with_bias"),
    "torchinfo": (
        lambda layer, x: torchinfo.summary(layer, input_data=x, verbose=0).total_mult_adds,
        "macs_with_bias",
    ),
}


def asked(tool, layer, shape):
    """What a tool counts, without what it prints."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # of their age
        return TOOLS[tool][0](layer.eval(), torch.zeros(1, *shape))


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        (Conv2d(3, 6, 3, 2, 1), lambda: torch.nn.Conv2d(3, 6, 3, 2, 1), (3, 9, 11)),
        (Conv2d(4, 6, (3, 5), groups=2), lambda: torch.nn.Conv2d(4, 6, (3, 5), groups=2), (4, 9, 11)),
        (Conv2d(3, 6, 3, bias=False), lambda: torch.nn.Conv2d(3, 6, 3, bias=False), (3, 9, 11)),
        (layers.Linear(7, 5), lambda: torch.nn.Linear(7, 5), (7,)),
    ],
    ids=["plain", "grouped", "without bias", "linear"],
)
def test_a_tool_has_the_convention_that_is_said_of_it(tool, ours, theirs, shape):
    assert counts.counts([(ours, shape)])[TOOLS[tool][1]] == asked(tool, theirs(), shape)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolutions_are_counted_as_is_said_of_a_tool(tool, groups):
    """5x6 inputs of 4 channels, 9 products each in 6 / groups filters; or at each of 11x13 outputs."""
    ours = layers.ConvTranspose2d(4, 6, 3, 2, groups=groups)
    theirs = torch.nn.ConvTranspose2d(4, 6, 3, 2, groups=groups)
    found = asked(tool, theirs, (4, 5, 6))
    if tool in ("thop", "torchinfo"):
        at_outputs = 11 * 13 * 4 * 9 * 6 // groups
        assert found == at_outputs + (6 * 11 * 13 if tool == "torchinfo" else 0)
    else:
        assert found == counts.counts([(ours, (4, 5, 6))])[TOOLS[tool][1]]


def test_tools_are_named_where_they_belong():
    told = {convention.key: convention.tools for convention in counts.CONVENTIONS}
    for tool, (_, key) in TOOLS.items():
        assert [other for other, text in told.items() if tool in text] == [key]
    for key in ("macs", "macs_with_bias"):
        assert told[key].endswith("but transposed convolutions at every output")


@pytest.mark.parametrize(
    ("name", "published"),
    [("vgg16", 15_470_264_320), ("resnet18", 1_814_073_344), ("mobilenet_v2", 300_774_272)],
)
def test_the_total_of_a_network_is_the_published_figure_under_every_heading(name, published):
    """Products in convolutions and linear layers alone: what torchvision states, as its "GFLOPS"."""
    steps = stacks.find_net(name).sized((3, 224, 224))
    found = counts.counts((one.layer, one.input_shapes[0]) for one in steps)
    assert found["macs"] == sum(one.macs for one in steps) == published
