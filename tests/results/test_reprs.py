"""What a user sees on printing a result: one line, however many values it holds."""

import numpy as np
import pytest

import convviz

X = np.zeros((3, 40, 30), np.float32)


@pytest.fixture
def result():
    return convviz.run(X, convviz.Conv2d(3, 2, 3))


def test_a_run_prints_itself_in_one_line(result):
    layer = "Conv2d(3, 2, kernel_size=(3, 3), stride=(1, 1))"
    assert repr(result) == f"<FeatureMaps: 2 maps of 38x28 by {layer}, computed by numpy>"
    assert repr(result.filters) == "<LayerWeights: weights 2x3x3x3, with bias>"


def test_a_picture_prints_itself_in_one_line(result):
    assert repr(result.picture) == "<Picture: 3x40x30, channels R, G, B>"
    many = convviz.Picture(np.zeros((9, 2, 2), np.float32), tuple("abcdefghi"))
    assert repr(many) == "<Picture: 9x2x2, channels a, b, c, …>"


def test_a_network_prints_itself_in_one_line():
    made = convviz.run_net(convviz.parse_layers("conv 2 | relu | maxpool 2 | conv 3"), X)
    assert repr(made) == "<NetworkMaps: 4 layers: conv1, relu1, maxpool1, …>"
    assert repr(made["relu1"]) == "<LayerMaps: 2x38x28 values by relu1, ReLU()>"
