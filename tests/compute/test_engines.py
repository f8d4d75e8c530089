"""What every engine gives alike: one stack as layers of our own, as a module of torch, and as a file."""

import numpy as np
import pytest
import torch
import zoo
from torch import nn

from convviz.compute import networks
from convviz.compute.networks.engine import activations
from convviz.compute.networks.stack import StackEngine
from convviz.errors import SpecError, UnknownNameError
from convviz.spec.network import Network, Step
from convviz.spec.reach import Reach
from convviz.spec.stacks import parse_layers

X = np.random.default_rng(8).normal(size=(3, 12, 10)).astype(np.float32)
# The same names as those of a Sequential, so that all three are asked for the same.
NAMES = ("0", "1", "2", "3")


def module():
    torch.manual_seed(9)
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(4, 2, 2, 2), nn.MaxPool2d(2))


def stack():
    network = parse_layers("conv 4 k3 s2 p1 | relu | deconv 2 k2 s2 | maxpool 2")
    before = {step.name: name for step, name in zip(network.steps, NAMES, strict=True)} | {"input": "input"}
    steps = (
        Step(before[one.name], one.kind, one.arguments, tuple(before[name] for name in one.inputs))
        for one in network.steps
    )
    numbers = {
        name: {key: one.detach().numpy() for key, one in module()[int(name)].named_parameters()}
        for name in NAMES
    }
    return StackEngine(Network(tuple(steps)), X.shape, numbers)


@pytest.fixture(params=["stack", "module", "file"])
def engine(request, tmp_path):
    if request.param == "stack":
        return stack()
    if request.param == "module":
        return networks.of_module(module())
    path = zoo.export(module(), tmp_path / "net.onnx", dynamo=False, size=X.shape[1:])
    return networks.open_onnx(path)


def test_activations_with_what_was_read_are_those_of_torch(engine):
    expected, x = {}, torch.from_numpy(X)[None]
    with torch.no_grad():
        for name, one in zip(NAMES, module(), strict=True):
            expected[name] = (x[0].numpy(), one(x)[0].numpy())
            x = one(x)
    for name, found in activations(engine, X, NAMES, reads=True).items():
        np.testing.assert_allclose(found.read, expected[name][0], atol=1e-6)
        np.testing.assert_allclose(found.values, expected[name][1], atol=1e-6)


def test_steps_have_the_same_shapes_and_costs(engine):
    """By hand: 4 * 27 + 4 parameters and 108 * 6 * 5 products; 4 * 2 * 4 + 2 and 32 * 6 * 5."""
    steps = {one.name: one for one in engine.steps(X.shape)}
    assert [steps[name].output_shape for name in NAMES] == [(4, 6, 5), (4, 6, 5), (2, 12, 10), (2, 6, 5)]
    assert [steps[name].parameters for name in NAMES] == [112, 0, 34, 0]
    assert [steps[name].macs for name in NAMES] == [3240, 0, 960, 0]
    assert [steps[name].convolution for name in NAMES] == ["Conv2d", "", "ConvTranspose2d", ""]
    assert steps["2"].input_shapes == ((4, 6, 5),)
    assert engine.declared.channels == 3


def test_steps_see_the_same_of_the_input(engine):
    """By hand: 3 with a stride of 2; a transposed layer gives 2 values for each; a pooling joins those."""
    steps = {one.name: one for one in engine.steps(X.shape)}
    three, pairs = Reach((-1,), (1,), 2), Reach((-1, -1), (1, 1), 2)
    assert [steps[name].height for name in NAMES] == [three, three, pairs, three]
    assert [steps[name].width for name in NAMES] == [three, three, pairs, three]
    assert not any(steps[name].whole for name in NAMES)
    if steps["0"].inputs:  # a module does not tell
        assert [steps[name].inputs for name in NAMES] == [("input",), ("0",), ("1",), ("2",)]


def test_convolutions_have_the_same_settings_and_numbers(engine):
    described = engine.conv("0")
    assert repr(described.layer) == "Conv2d(3, 4, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))"
    np.testing.assert_array_equal(described.weight, module()[0].weight.detach())
    turned = engine.conv("2")
    assert repr(turned.layer) == "ConvTranspose2d(4, 2, kernel_size=(2, 2), stride=(2, 2))"
    np.testing.assert_array_equal(turned.bias, module()[2].bias.detach())
    with pytest.raises(SpecError, match="'1' is not a convolution"):
        engine.conv("1")


def test_names_that_are_not_there_are_unknown(engine):
    for ask in (engine.conv, lambda name: activations(engine, X, [name])):
        with pytest.raises(UnknownNameError, match="no layer named '7'"):
            ask("7")
