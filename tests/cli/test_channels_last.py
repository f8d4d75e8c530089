"""Activations whose channels are the last axis: found by the layers around them, or declared."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from convviz.compute import networks

# What `turned` makes is in the order (H, W, C), but nothing follows the maps through a Fourier transform.
NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.turned, self.known = nn.Identity(), nn.Identity()

    def forward(self, x):
        x = self.conv(x)
        self.known(x.permute(0, 2, 3, 1))
        return self.turned(torch.fft.fft2(x).abs().permute(0, 2, 3, 1))
"""


@pytest.fixture
def place(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(2).normal(size=(3, 8, 7)).astype(np.float32))
    (tmp_path / "net.py").write_text(NET)
    return tmp_path


def run(convviz, layer, *words):
    return convviz("run", "x.npy", "--model", "net.py:Net", "--layer", layer, "--save", "o.npz", *words)


def test_declared_channels_are_the_maps(convviz, place):
    """A 3x3 convolution of 8x7 pixels makes (4, 6, 5): declared (6, 5, 4), there are 4 maps, else 6."""
    last = run(convviz, "turned", "--channels-last", "--json")
    assert "turned: channels are the last axis, as declared" in last.stderr
    assert last.stdout.count('"name": "turned: ') == 2 * 4
    assert run(convviz, "turned", "--json").stdout.count('"name": "turned: ') == 2 * 6


def test_channels_that_are_found_to_be_last_are_said(convviz, place):
    done = run(convviz, "known")
    assert "known: channels are the last axis, as the layers around it show" in done.stderr


def test_channels_that_are_known_to_be_first_cannot_be_declared_last(convviz, place):
    done = run(convviz, "conv", "--channels-last")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "the maps of 'conv' have channels first" in done.stderr


def test_layers_of_convviz_have_channels_first(convviz, place):
    done = convviz("run", "x.npy", "--layers", "conv 2 k3", "--channels-last")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "those of convviz have channels first" in done.stderr


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "not declared"])
def test_a_file_that_does_not_say_its_order_is_given_the_declared_one(tmp_path, declared):
    """The sum over the last axis of an input of unknown sizes, from (3, 4, 5)."""
    axes = numpy_helper.from_array(np.array([-1], np.int64), "axes")
    node = helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "a", "b", "c"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    model = helper.make_model(helper.make_graph([node], "net", [x], [y], [axes]), ir_version=8)
    model.opset_import[0].version = 17
    onnx.save(model, tmp_path / "net.onnx")
    engine = networks.open_onnx(tmp_path / "net.onnx", channels_last=declared)
    picture = np.random.default_rng(5).normal(size=(3, 4, 5)).astype(np.float32)
    made = []
    engine.visit(picture, [engine.steps(picture.shape)[-1].name], made.append)
    expected = torch.from_numpy(picture).sum(0 if declared else 2).numpy()
    np.testing.assert_allclose(made[0].values, expected, rtol=1e-6)
