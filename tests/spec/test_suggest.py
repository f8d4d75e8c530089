"""Suggested settings."""

import torch

from convviz.spec.geometry import HW
from convviz.spec.suggest import suggest


def test_every_suggestion_gives_the_output_it_states():
    for found in suggest(HW(37, 53), HW(12, 18)):
        layer = torch.nn.Conv2d(1, 1, tuple(found.kernel_size), tuple(found.stride), tuple(found.padding))
        assert tuple(layer(torch.zeros(1, 1, 37, 53)).shape[2:]) == tuple(found.output)


def test_halving_is_the_usual_layer_of_three_taps():
    best = suggest(HW(224, 224), HW(112, 112))[0]
    assert (best.kernel_size, best.stride, best.padding) == (HW(3, 3), HW(2, 2), HW(1, 1))


def test_what_is_kept_is_kept():
    for found in suggest(HW(64, 64), HW(30, 30), kernel_size=HW(5, 5), stride=HW(2, 2)):
        assert (found.kernel_size, found.stride) == (HW(5, 5), HW(2, 2))


def test_the_nearest_output_comes_first_when_none_is_exact():
    """Two rows from nine with one-kernel value kernels: strides 5 to 8 all give 2, larger strides give 1."""
    found = suggest(HW(9, 9), HW(40, 40))
    distances = [abs(row.output.h - 40) for row in found]
    assert distances == sorted(distances)
