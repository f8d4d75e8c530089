"""Networks of ONNX and of torch: every convolution, with what it reads and makes, held to hooks of torch."""

import numpy as np
import pytest
import torch
import zoo
from torch import nn

from convviz.compute import conv, networks
from convviz.compute.networks.engine import activations
from convviz.spec.layers import Conv2d

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def called(module, x):
    """What every call of a module reads and gives, by name and number of the call, in order."""
    found, counts = {}, {}

    def hook(name):
        def keep(_, inputs, output):
            counts[name] = counts.get(name, 0) + 1
            key = name if counts[name] == 1 else f"{name}:{counts[name]}"
            if isinstance(output, torch.Tensor):
                found[key] = (inputs[0][0].clone().numpy(), output[0].clone().numpy())

        return keep

    handles = [one.register_forward_hook(hook(name)) for name, one in module.named_modules() if name]
    with torch.no_grad():
        module(torch.from_numpy(x)[None])
    for handle in handles:
        handle.remove()
    return found


def near(values, expected):
    """Within 1e-5 of the greatest value."""
    assert values.shape == expected.shape
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def ours(described, x):
    """What convviz makes of an input with the layer and the numbers of a network."""
    if isinstance(described.layer, Conv2d):
        return conv.apply(described.layer, x, described.weights, backend="numpy")
    return conv.transposed(described.layer, x, described.parameters)


def check(engine, module):
    """Every convolution that torch calls: reached by its name, equal to the hook, and equal to our own."""
    x = zoo.picture()
    expected = called(module, x)
    order, modules = list(expected), dict(module.named_modules())
    wanted = [name for name in order if isinstance(modules[name.partition(":")[0]], CONVOLUTIONS)]
    steps = engine.steps(x.shape)
    remarks = {step.name: step.remark for step in steps}
    assert sum(bool(step.convolution) for step in steps) == len(wanted)
    found = activations(engine, x, wanted, reads=True)
    for name in wanted:
        made, described = found[name], engine.conv(name)
        # Where the exporter folds a batch normalization in, the next module is that.
        folded = "folded" in remarks.get(name, "")
        after = order[order.index(name) + 1] if folded else name
        assert not folded or isinstance(modules[after.partition(":")[0]], nn.BatchNorm2d)
        near(made.values, expected[after][1])
        if made.read.shape == expected[name][0].shape:  # an exporter may make a border a step of its own
            near(made.read, expected[name][0])
        near(ours(described, made.read), made.values)
    return steps


@pytest.fixture(scope="module", params=list(zoo.NETWORKS))
def name(request):
    return request.param


@pytest.mark.parametrize("dynamo", [False, True], ids=["TorchScript exporter", "dynamo exporter"])
def test_every_convolution_of_a_file_is_that_of_torch(name, dynamo, tmp_path):
    module = zoo.network(name)
    engine = networks.open_onnx(zoo.export(module, tmp_path / "net.onnx", dynamo=dynamo))
    steps = check(engine, module)
    assert all(step.output_shape is not None for step in steps)


def test_every_convolution_of_a_module_is_that_of_torch(name):
    module = zoo.network(name)
    steps = check(networks.of_module(module), module)
    assert sum(step.parameters for step in steps) == sum(one.numel() for one in module.parameters())


def test_both_engines_count_the_same_multiplications(tmp_path):
    """By hand for the asymmetric layer: 6 filters x 2 channels x 15 weights x 16 x 27 positions."""
    module, shape = zoo.network("asymmetric"), (3, 32, 32)
    file = networks.open_onnx(zoo.export(module, tmp_path / "net.onnx", dynamo=False))
    for engine in (file, networks.of_module(module)):
        (odd,) = (step for step in engine.steps(shape) if step.name == "odd")
        # rows (1 + 32 + 0 - 3) // 2 + 1 = 16; columns 2 + 32 + 1 - 9 + 1 = 27
        assert (odd.output_shape, odd.macs, odd.parameters) == ((6, 16, 27), 77760, 186)
    vit = zoo.network("ViT")
    file = networks.open_onnx(zoo.export(vit, tmp_path / "vit.onnx", dynamo=False))
    counts = [sum(step.macs for step in one.steps(shape)) for one in (file, networks.of_module(vit))]
    assert counts[0] == counts[1]


def test_names_of_torch_reach_what_its_modules_give(tmp_path):
    module, x = zoo.network("ResNet"), zoo.picture()
    expected = called(module, x)
    engine = networks.open_onnx(zoo.export(module, tmp_path / "net.onnx", dynamo=False))
    names = ["layer1", "layer1.0", "layer1.0.relu:2", "layer2.0.downsample", "avgpool", "fc"]
    for key, made in activations(engine, x, names).items():
        near(made.values, expected[key][1])
