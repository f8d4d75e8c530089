"""What the steps of networks see, held to NaN: a value depends on a pixel if NaN there makes it NaN."""

import copy

import numpy as np
import onnx
import pytest
import torch
import zoo
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

from convviz.compute import networks
from convviz.spec.reach import Reach

# Narrow strips, along which every row (or column) is tried: long enough that the far end of what the first
# value of every step sees lies in it, and as narrow as the network still takes.
STRIPS = {
    "asymmetric": (20, 12),
    "U-Net": (32, 4),
    "detector": (64, 4),
    "ResNet": (112, 2),
    "DenseNet": (48, 16),
    "MobileNet": (32, 4),
}


def spread_of_nan(module, length, width, *, axis):
    """By step, whether NaN in each row (or column) reaches each row (or column): (length, values)."""
    images = torch.rand(length, 3, length, width, generator=torch.Generator().manual_seed(3)).double()
    images[range(length), :, range(length)] = torch.nan
    found, counts = {}, {}

    def hook(name):
        def keep(_, inputs, output):
            counts[name] = counts.get(name, 0) + 1
            key = name if counts[name] == 1 else f"{name}:{counts[name]}"
            bad = output.isnan()
            across = [other for other in range(1, bad.ndim) if bad.ndim != 4 or other != 2 + axis]
            found[key] = (bad.any(across) if bad.ndim == 4 else bad.all(across)).numpy()

        return keep

    for name, one in module.named_modules():
        one.register_forward_hook(hook(name or type(module).__name__))
    with torch.no_grad():
        module(images if axis == 0 else images.transpose(2, 3))
    return found


def check(step, reach, seen, length):
    """Hold one axis of a step to what NaN says: exactly, where no padding of a layer between is met."""
    if reach is None:
        assert step.whole, step.name
        assert seen.all(), step.name
        return 0
    ends = 0
    for at in range(seen.shape[1]):
        rows = np.flatnonzero(seen[:, at])
        first, last = reach.at(at)
        assert rows.size or max(first, 0) > min(last, length - 1), step.name
        if rows.size:
            assert (rows[0] >= first) & (rows[-1] <= last), step.name
            if first >= 0:
                assert rows[0] == first, step.name
            if last < length:
                assert rows[-1] == last, step.name
            ends += (first >= 0) + (last < length)
    return ends


@pytest.mark.parametrize("axis", [0, 1], ids=["rows", "columns"])
@pytest.mark.parametrize("name", STRIPS)
def test_every_step_of_a_module_sees_what_nan_says(name, axis):
    length, width = STRIPS[name]
    module = copy.deepcopy(zoo.network(name)).double()
    seen = spread_of_nan(copy.deepcopy(module), length, width, axis=axis)
    shape = (3, length, width) if axis == 0 else (3, width, length)
    steps = networks.of_module(module).steps(shape)
    assert [step.name for step in steps if step.name not in seen] == []
    for step in steps:
        if (name, step.name) == ("detector", "Detector"):  # boxes of two sizes of maps, one after the other
            assert (step.height, step.width, step.whole) == (None, None, False)
            continue
        reach = step.height if axis == 0 else step.width
        ends = check(step, reach, seen[step.name], length)
        assert ends or reach is None, step.name


@pytest.mark.parametrize("name", STRIPS)
def test_a_file_says_the_same_as_its_module(name, tmp_path):
    module, shape = zoo.network(name), (3, 32, 32)
    of_module = {step.name: step for step in networks.of_module(module).steps(shape)}
    file = networks.open_onnx(zoo.export(module, tmp_path / "net.onnx", dynamo=False)).steps(shape)
    shared = [step for step in file if step.name in of_module]
    assert {one for one, step in of_module.items() if step.convolution} <= {step.name for step in shared}
    for step in shared:
        other = of_module[step.name]
        assert (step.height, step.width, step.whole) == (other.height, other.width, other.whole), step.name


def test_the_newer_exporter_writes_what_is_followed_too(tmp_path):
    module, shape = zoo.network("detector"), (3, 32, 32)
    of_module = {step.name: step for step in networks.of_module(module).steps(shape)}
    steps = networks.open_onnx(zoo.export(module, tmp_path / "net.onnx", dynamo=True)).steps(shape)
    shared = [step for step in steps if step.convolution]
    assert len(shared) == 7
    for step in shared:
        assert (step.height, step.width) == (of_module[step.name].height, of_module[step.name].width)


def test_how_maps_lie_is_told_through_a_network_that_turns_them():
    steps = {step.name: step for step in networks.of_module(zoo.network("Swin")).steps((3, 32, 32))}
    # Patches of 2x2 pixels, channels last; behind windows what is seen is not defined, but a sum lies alike.
    lie = {
        name: steps[name].layout
        for name in ("features.0.0", "features.0.1", "features.1.0", "permute", "head")
    }
    assert list(lie.values()) == ["chw", "hwc", "hwc", "chw", ""]
    assert steps["features.0.1"].height == Reach((0,), (1,), 2)
    assert (steps["features.1.0"].height, steps["features.1.0"].whole) == (None, False)


# --- published figures


class Unit(nn.Module):
    """A residual unit of one channel whose 3x3 convolution has the stride."""

    def __init__(self, stride):
        super().__init__()
        self.conv, self.skip = nn.Conv2d(1, 1, 3, stride, 1), nn.MaxPool2d(1, stride)

    def forward(self, x):
        return F.relu(self.conv(x) + self.skip(x))


def vgg16():
    models = zoo.torchvision_models()
    return models.vgg.make_layers(models.vgg.cfgs["D"]), 3


def resnet50():
    """The variant of slim: the last unit of the first three stages has the stride."""
    strides = [1, 1, 2, *[1] * 3, 2, *[1] * 5, 2, 1, 1, 1]
    return nn.Sequential(nn.Conv2d(1, 1, 7, 2, 3), nn.MaxPool2d(3, 2, 1), *map(Unit, strides)), 1


def mobilenet():
    strides = [2, 1, 2, 1, 2, 1, 2, *[1] * 5, 2, 1]
    return nn.Sequential(*(nn.Conv2d(1, 1, 3, stride, 1) for stride in strides)), 1


@pytest.mark.parametrize(
    ("network", "size", "stride"),
    [(vgg16, 212, 32), (resnet50, 483, 32), (mobilenet, 315, 32)],
    ids=["VGG-16", "ResNet v1 50", "MobileNet v1"],
)
def test_receptive_fields_are_those_that_are_published(network, size, stride):
    """Araujo, Norris and Sim, Computing receptive fields of convolutional neural networks, Distill 2019."""
    module, channels = network()
    last = networks.of_module(module).steps((channels, 64, 64))[0]
    for reach in (last.height, last.width):
        assert (reach.size, reach.jump) == (size, stride)


# --- single operations


def steps_of(function, shape=(3, 12, 12)):
    """What a function of one image sees, as a module; the fields of its last value."""

    class Module(nn.Module):
        def forward(self, x):
            return function(x)

    return networks.of_module(Module()).steps(shape)[0]


SEEN = {"nothing": (None, None, False), "all": (None, None, True)}
THREE = torch.ones(3, 3, 3, 3)


def blurred(x):
    """Three rows and columns."""
    return F.conv2d(x, THREE, padding=1)


def pasted(x):
    """The picture beside itself, written into one array, of which a part is added to the picture."""
    y = x.new_zeros(1, 3, 12, 24)
    y[..., :12], y[..., 12:] = x, x
    return x + y[..., 12:]


def with_a_part_overwritten(x):
    y = x.clone()
    y[:, :, :6].copy_(blurred(x)[:, :, :6])
    return y


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x * 2 + blurred(x), (-1, 1)),
        (lambda x: torch.cat([x, blurred(x)], 1)[:, 4:], (-1, 1)),
        (lambda x: blurred(x)[:, :, 2:, 2:], (1, 3)),
        (lambda x: x[:, :, 1::3, 1::3], (1, 1)),
        (lambda x: F.pad(x, (2, 0, 2, 0)), (-2, -2)),
        (lambda x: F.pad(x, (-2, 0, -2, 0)), (2, 2)),
        (lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), (0, 2)),
        (lambda x: F.avg_pool2d(x, 2), (0, 1)),
        (lambda x: F.adaptive_avg_pool2d(x, 4), (0, 2)),
        (lambda x: F.adaptive_max_pool2d(x, 5), (0, 2)),
        (lambda x: F.interpolate(x, scale_factor=2), (0, 0)),
        (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), (-1, 0)),
        (lambda x: F.pixel_unshuffle(x, 2), (0, 1)),
        (lambda x: F.pixel_shuffle(torch.cat([blurred(x)] * 4, 1), 2), (-1, 1)),
        (lambda x: blurred(x).permute(0, 2, 3, 1).softmax(-1), (-1, 1)),
        (lambda x: blurred(x).view(1, 3, 1, 12, 12).transpose(1, 2).reshape(1, 3, 12, 12), (-1, 1)),
        (lambda x: F.layer_norm(blurred(x).permute(0, 2, 3, 1), (3,)), (-1, 1)),
        (lambda x: blurred(x).amax(1, keepdim=True), (-1, 1)),
        (lambda x: F.linear(blurred(x).permute(0, 2, 3, 1), torch.ones(2, 3)), (-1, 1)),
        (lambda x: blurred(x).relu_().add_(1), (-1, 1)),
        (lambda x: x.clone().add_(blurred(x)), (-1, 1)),
        (lambda x: x + torch.zeros_like(x.mean((2, 3), keepdim=True)), (0, 0)),
        (lambda x: F.glu(blurred(x)[:, :2], 1), (-1, 1)),
        (lambda x: torch.cat(blurred(x).unsafe_chunk(3, 1), 1), (-1, 1)),
        (lambda x: x * x.mean((2, 3), keepdim=True), "all"),
        (lambda x: x.flatten(1), "all"),
        (lambda x: F.linear(x.flatten(1), torch.ones(2, 432)), "all"),
        (lambda x: x.flatten(2).softmax(2), "all"),
        (lambda x: x.flatten(2) @ x.flatten(2).transpose(1, 2), "all"),
        (lambda x: F.instance_norm(x), "all"),
        (lambda x: F.group_norm(x, 3), "all"),
        # All values of a row together see the picture, each by itself does not; and half of them do not.
        (lambda x: x.flatten(2), "nothing"),
        (lambda x: F.linear(x.flatten(1)[:, :9], torch.ones(2, 9)), "nothing"),
        (lambda x: F.conv1d(x.flatten(2), THREE[..., 0], padding=1), "nothing"),
        (lambda x: x + F.interpolate(F.avg_pool2d(x, 12), size=12), (0, 11)),
        (lambda x: x + F.avg_pool2d(x, 12), "nothing"),
        (lambda x: F.avg_pool2d(x, 12).expand(1, 3, 12, 12), "nothing"),
        (lambda x: x.flip(2, 3), "nothing"),
        (lambda x: x.transpose(2, 3), "nothing"),
        (lambda x: F.interpolate(x, size=18), "nothing"),
        (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True), "nothing"),
        (lambda x: x.cumsum(2).mean((2, 3)), "nothing"),
        (pasted, "nothing"),
        (with_a_part_overwritten, "nothing"),
    ],
)
def test_what_single_operations_of_torch_see(function, expected):
    step = steps_of(function)
    if isinstance(expected, str):
        assert (step.height, step.width, step.whole) == SEEN[expected]
    else:
        assert step.height.at(0) == step.width.at(0) == expected


def test_a_function_that_is_mapped_over_a_batch_is_listed():
    step = steps_of(lambda x: torch.vmap(lambda one: blurred(one[None])[0])(x))
    assert (step.output_shape, step.whole) == ((3, 12, 12), False)


def test_height_and_width_are_told_apart():
    step = steps_of(lambda x: F.avg_pool2d(x, (2, 3), (1, 3), (1, 0)).mean(2, keepdim=True))
    assert (step.height, step.whole, step.width.at(1)) == (None, True, (3, 5))
    step = steps_of(lambda x: torch.cat([F.avg_pool2d(x, (2, 3), (1, 3), (1, 0))] * 2, 2))
    assert (step.height, step.whole, step.width.at(1)) == (None, False, (3, 5))


def stored_as(values):
    """As files store numbers."""
    found = np.asarray(values)
    return found.astype(np.float32) if found.dtype == np.float64 else found


def seen_in(path, nodes, stored=(), *, shape=(1, 3, 12, 12), opset=18):
    """What the last of some operations sees, in a file."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(stored_as(one), name) for name, one in dict(stored).items()],
    )
    sets = [helper.make_opsetid("", opset), helper.make_opsetid("mine", 1)]
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=8), path)
    return networks.open_onnx(path).steps((3, 12, 12))[-1]


def node(op, inputs, output="y", **attributes):
    return helper.make_node(op, list(inputs), [output], **attributes)


AXES = np.array([2, 3])


@pytest.mark.parametrize(
    ("nodes", "stored", "expected"),
    [
        ([node("LpPool", "x", kernel_shape=[2, 2], strides=[2, 2])], {}, (0, 1)),
        ([node("MaxPool", "x", kernel_shape=[3, 3], auto_pad="SAME_LOWER")], {}, (-1, 1)),
        # Of one pixel of padding SAME_LOWER puts it before.
        ([node("AveragePool", "x", kernel_shape=[2, 2], auto_pad="SAME_LOWER")], {}, (-1, 0)),
        ([node("AveragePool", "x", kernel_shape=[2, 2], auto_pad="SAME_UPPER")], {}, (0, 1)),
        (
            [
                *[node("MaxPool", "x", "p", kernel_shape=[3, 3], pads=[1] * 4)],
                node("Concat", "pppp", "c", axis=1),
                node("DepthToSpace", "c", blocksize=2),
            ],
            {},
            (-1, 1),
        ),
        ([node("SpaceToDepth", "x", blocksize=3)], {}, (0, 2)),
        ([node("Slice", "xsea", "t"), node("Clip", "t")], {"s": [2, -9], "e": [9, 12], "a": AXES}, (2, 2)),
        ([node("Pad", "xp")], {"p": np.array([0, 0, 1, 1, 0, 0, 2, 2])}, (-1, -1)),
        ([node("Resize", ["x", "", "s"], mode="linear")], {"s": [1.0, 1, 2, 2]}, (-1, 0)),
        ([node("Resize", ["x", "", "s"])], {"s": [1.0, 1, 3, 3]}, (0, 0)),
        (
            [node("Resize", ["x", "", "", "s"], coordinate_transformation_mode="align_corners")],
            {"s": np.array([1, 3, 24, 24])},
            "nothing",
        ),
        (
            [node("Resize", ["x", "", "s"], coordinate_transformation_mode="asymmetric")],
            {"s": [1.0, 1, 2, 2]},
            "nothing",
        ),
        ([node("Gather", "xi", axis=1)], {"i": np.array([2, 0])}, (0, 0)),
        ([node("Gather", "xi", "g", axis=0), node("Unsqueeze", "ga")], {"i": 0, "a": np.array([0])}, (0, 0)),
        (
            [node("Gather", "xi", "g", axis=2), node("Gather", "gi", axis=3)],
            {"i": np.arange(11, -1, -1)},
            "nothing",
        ),
        ([node("ReduceMean", "xa")], {"a": AXES}, "all"),
        ([node("ReduceMax", "xa", "m"), node("Sub", "xm")], {"a": AXES}, "all"),
        ([node("ReduceSum", "xa")], {"a": np.array([1])}, (0, 0)),
        ([node("ArgMax", "x", "m", axis=1), node("Cast", "m", to=TensorProto.FLOAT)], {}, (0, 0)),
        ([node("InstanceNormalization", "xss")], {"s": np.ones(3)}, "all"),
        ([node("Softmax", "x", axis=1)], {}, (0, 0)),
        ([node("Softmax", "x", "t"), node("Softmax", "t", axis=2)], {}, "all"),
        ([node("Flatten", "x", "f"), node("Gemm", "fw", transB=1)], {"w": np.ones((2, 432))}, "all"),
        ([node("Trick", "x", "t", domain="mine"), node("GlobalAveragePool", "t")], {}, "nothing"),
        ([node("GlobalAveragePool", "x", "t"), node("Trick", "t", domain="mine")], {}, "all"),
        ([node("GlobalAveragePool", "x", "t"), node("Trick", "xt", domain="mine")], {}, "nothing"),
        (
            [node("Shape", "x", "s"), node("Expand", "vs", "z"), node("Add", "xz")],
            {"v": 0.0},
            (0, 0),
        ),
    ],
)
def test_what_single_operations_of_files_see(nodes, stored, expected, tmp_path):
    step = seen_in(tmp_path / "net.onnx", nodes, stored)
    if isinstance(expected, str):
        assert (step.height, step.width, step.whole) == SEEN[expected]
    else:
        assert step.height.at(0) == expected


def test_before_opset_13_a_softmax_is_over_all_axes_from_its_own_on(tmp_path):
    assert seen_in(tmp_path / "net.onnx", [node("Softmax", "x", axis=1)], opset=11).whole


def test_a_part_whose_limits_are_worked_out_from_shapes_is_followed(tmp_path):
    """Rows from half of the height on: 6; the axis is 2 as well."""
    nodes = [node("Shape", "x", "s", start=2, end=3), node("Div", "st", "h"), node("Slice", "xhet")]
    step = seen_in(tmp_path / "net.onnx", nodes, {"t": np.array([2]), "e": np.array([99])})
    assert (step.height.at(0), step.output_shape) == ((6, 6), (3, 6, 12))


def test_channels_last_are_followed_where_they_lie(tmp_path):
    nodes = [
        node("Transpose", "x", "t", perm=[0, 3, 1, 2]),
        node("MaxPool", "t", "p", kernel_shape=[3, 2], strides=[2, 1]),
        node("Transpose", "p", perm=[0, 2, 3, 1]),
    ]
    step = seen_in(tmp_path / "net.onnx", nodes, shape=(1, 12, 12, 3))
    assert (step.output_shape, step.layout) == ((5, 11, 3), "hwc")
    assert (step.height, step.width) == (Reach((0,), (2,), 2), Reach((0,), (1,), 1))


def test_rounding_to_whole_numbers_leaves_what_is_seen(tmp_path):
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        node("ConvInteger", ["q", "w", "z"], "c", pads=[1, 1, 1, 1]),
        node("Cast", "c", "f", to=TensorProto.FLOAT),
        node("Mul", "fs"),
    ]
    step = seen_in(tmp_path / "net.onnx", nodes, {"w": np.ones((2, 3, 3, 3), np.int8)})
    assert step.height.at(0) == (-1, 1)
