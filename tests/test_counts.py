"""Counting conventions: by definition, and as torch's own counter has it."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from convviz import counts, modules, net
from convviz.layers import Conv2d


def test_every_convention_by_hand():
    """3x3 taps on 2 planes of 4x4 with a border of 1, three maps: 16 windows of 9 products on 6 kernels.

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
    assert set(counts.counts([(modules.ReLU(), (2, 3, 3)), (modules.MaxPool2d(2), (2, 4, 4))]).values()) == {
        0
    }


@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        (Conv2d(3, 6, 3, 2, 1), torch.nn.Conv2d(3, 6, 3, 2, 1), (3, 9, 11)),
        (Conv2d(4, 6, (3, 5), groups=2), torch.nn.Conv2d(4, 6, (3, 5), groups=2), (4, 9, 11)),
        (modules.Linear(7, 5), torch.nn.Linear(7, 5), (7,)),
        (modules.ConvTranspose2d(3, 4, 3, 2), torch.nn.ConvTranspose2d(3, 4, 3, 2), (3, 5, 6)),
    ],
    ids=repr,
)
def test_operations_are_those_that_torch_counts(ours, theirs, shape):
    with FlopCounterMode(display=False) as counter:
        theirs(torch.zeros(1, *shape))
    assert counts.counts([(ours, shape)])["flops"] == counter.get_total_flops()


def test_the_multiply_adds_of_vgg_16_are_those_that_its_name_stands_for():
    """15.5 billion, as its authors and all tools without a bias have it."""
    placed = net.find_net("vgg16").place((3, 224, 224))
    found = counts.counts((one.layer, one.input_shapes[0]) for one in placed)
    assert round(found["macs"] / 1e9, 1) == 15.5
    assert found["macs"] == sum(one.macs for one in placed)
