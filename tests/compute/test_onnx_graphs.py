"""Graphs of ONNX that no exporter of torch writes here: whole numbers, layouts, faults, and little memory."""

import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional

import convviz as library
from convviz.analysis import compare
from convviz.compute import backends, conv, networks
from convviz.compute.networks import onnx_session
from convviz.compute.networks.engine import activations
from convviz.compute.networks.sources import source_of
from convviz.errors import BackendError, InputError, ShapeError, SpecError, UnknownNameError
from convviz.files.outline import LARGE
from convviz.images.decode import as_picture
from convviz.machine import memory
from convviz.results import feature_maps
from convviz.results.context import in_network
from convviz.results.explanations import Question
from convviz.results.outcome import run_layer
from convviz.spec.geometry import HW, Edges
from convviz.spec.wanted import NetworkSettings, RunSettings

RNG = np.random.default_rng(6)
X = RNG.normal(size=(4, 9, 11)).astype(np.float32)
# 3x5 kernels, stride 2x1, dilation 1x2, padding 1, 0, 2, 1, two groups: no two alike.
WEIGHT = RNG.normal(size=(6, 2, 3, 5)).astype(np.float32)
BIAS = RNG.normal(size=6).astype(np.float32)
ATTRIBUTES = {"strides": [2, 1], "dilations": [1, 2], "pads": [1, 2, 0, 1], "group": 2}


def expected(x=X, weight=WEIGHT, bias=BIAS):
    """What torch makes in double precision."""
    x, weight, bias = (torch.from_numpy(np.asarray(one)).double() for one in (x, weight, bias))
    return functional.conv2d(functional.pad(x[None], (2, 1, 1, 0)), weight, bias, (2, 1), 0, (1, 2), 2)[
        0
    ].numpy()


def saved(path, nodes, stored, *, shape=(1, 4, 9, 11), dtype=TensorProto.FLOAT, outputs=("y",), **options):
    """Save a graph from x."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", dtype, shape), *options.pop("inputs", ())],
        [helper.make_tensor_value_info(name, dtype, None) for name in outputs],
        [
            one if isinstance(one, TensorProto) else numpy_helper.from_array(np.asarray(one), name)
            for name, one in stored.items()
        ],
    )
    sets = [
        helper.make_opsetid("", 18),
        helper.make_opsetid("com.microsoft", 1),
        helper.make_opsetid("mine", 1),
    ]
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=9), path)
    return path


def node(op, inputs, output="y", **attributes):
    return helper.make_node(
        op, list(inputs), [output] if isinstance(output, str) else output, name=f"{op}_{output}", **attributes
    )


def asymmetric(path, **options):
    return saved(path, [node("Conv", "xwb", **ATTRIBUTES)], {"w": WEIGHT, "b": BIAS}, **options)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.onnx"


def seen(engine, name="Conv_y", x=X):
    """A convolution: its activation, and what convviz makes of the input with its numbers."""
    (made,) = activations(engine, x, [name], reads=True).values()
    described = engine.conv(name)
    return made, described, conv.apply(described.layer, made.read, described.weights, backend="numpy")


# --- what convolutions are


def test_no_two_numbers_of_the_asymmetric_convolution_are_exchanged(path):
    engine = networks.open_onnx(asymmetric(path))
    made, described, own = seen(engine)
    layer = described.layer
    assert (layer.kernel_size, layer.stride, layer.dilation) == (HW(3, 5), HW(2, 1), HW(1, 2))
    assert (layer.padding, layer.groups) == (Edges(1, 0, 2, 1), 2)
    np.testing.assert_array_equal(described.weight, WEIGHT)
    np.testing.assert_array_equal(made.read, X)
    for values in (made.values, own):
        np.testing.assert_allclose(values, expected(), atol=1e-5)
    (step,) = engine.steps(X.shape)
    # rows (1 + 9 + 0 - 3) // 2 + 1 = 4; columns 2 + 11 + 1 - 9 + 1 = 6
    assert (step.input_shapes, step.output_shape) == (((4, 9, 11),), (6, 4, 6))
    assert (step.parameters, step.macs, step.convolution) == (186, 180 * 24, "Conv2d")


@pytest.mark.parametrize("pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_padding_that_depends_on_the_size_is_that_of_onnxruntime(pad, path):
    attributes = {"auto_pad": pad, "strides": [2, 1], "group": 2}
    engine = networks.open_onnx(
        saved(path, [node("Conv", "xwb", **attributes)], {"w": WEIGHT[..., :4], "b": BIAS})
    )
    made, _, own = seen(engine)
    np.testing.assert_allclose(own, made.values, atol=1e-5)


@pytest.mark.parametrize("size", [(9, 11), (6, 7)])
@pytest.mark.parametrize("pad", ["SAME_UPPER", "SAME_LOWER"])
def test_padding_that_depends_on_the_size_is_that_of_its_definition_with_dilation(pad, size, path):
    """ceil(n / stride) windows of 1 + 2 * 2 rows and 1 + 3 * 3 columns; an odd pixel is last, or first."""
    attributes = {"auto_pad": pad, "strides": [2, 1], "dilations": [2, 3], "group": 2}
    kernels = WEIGHT[..., :4]
    stored = {"w": kernels, "b": BIAS}
    file = saved(path, [node("Conv", "xwb", **attributes)], stored, shape=(1, 4, "h", "w_"))
    engine = networks.open_onnx(file)
    for x in (X[:, :4, :5], X[:, : size[0], : size[1]]):  # the second size needs numbers of its own
        made, _, own = seen(engine, x=x)
        sides = []
        for n, k, s in zip(x.shape[1:], (5, 10), (2, 1), strict=True):
            total = max((-(-n // s) - 1) * s + k - n, 0)
            sides.append((total // 2, total - total // 2)[:: 1 if pad == "SAME_UPPER" else -1])
        padded = torch.nn.functional.pad(torch.from_numpy(x.copy())[None], (*sides[1], *sides[0]))
        right = torch.nn.functional.conv2d(
            padded, torch.from_numpy(kernels.copy()), torch.from_numpy(BIAS), (2, 1), 0, (2, 3), 2
        )
        for values in (made.values, own):
            np.testing.assert_allclose(values, right[0].numpy(), atol=1e-5)


def test_a_weight_that_is_computed_from_stored_arrays_is_the_product_of_them(path):
    nodes = [node("Mul", ("w", "s"), "v"), node("Conv", "xvb", **ATTRIBUTES)]
    stored = {"w": WEIGHT, "s": np.float32(3), "b": BIAS}
    engine = networks.open_onnx(saved(path, nodes, stored))
    np.testing.assert_array_equal(engine.conv("Conv_y").weight, 3 * WEIGHT)
    assert [step.name for step in engine.steps(X.shape)] == ["Conv_y"]


def test_a_weight_that_is_computed_from_the_input_is_refused_and_its_maps_are_not(path):
    nodes = [
        node("ReduceMean", "x", "m", keepdims=0),
        node("Mul", ("w", "m"), "v"),
        node("Conv", "xvb", **ATTRIBUTES),
    ]
    engine = networks.open_onnx(saved(path, nodes, {"w": WEIGHT, "b": BIAS}))
    made = activations(engine, X, ["Conv_y"])["Conv_y"].values
    np.testing.assert_allclose(made, expected(weight=WEIGHT * X.mean()), atol=1e-5)
    with pytest.raises(SpecError, match="weight that is computed from the input"):
        engine.conv("Conv_y")


@pytest.mark.parametrize(
    ("pads", "output_padding"),
    [([1, 1, 1, 1], [1, 0]), ([1, 1, 0, 1], [0, 0])],
    ids=["padded", "cut less after"],
)
def test_a_transposed_convolution_is_ours(pads, output_padding, path):
    weight = RNG.normal(size=(4, 3, 3, 2)).astype(np.float32)
    attributes = {"strides": [2, 3], "pads": pads, "output_padding": output_padding, "group": 2}
    stored = {"w": weight, "b": BIAS}
    engine = networks.open_onnx(saved(path, [node("ConvTranspose", "xwb", **attributes)], stored))
    (made,) = activations(engine, X, ["ConvTranspose_y"], reads=True).values()
    described = engine.conv("ConvTranspose_y")
    own = conv.transposed(described.layer, made.read, described.parameters)
    np.testing.assert_allclose(own, made.values, atol=1e-5)
    # Rows: 2 * (9 - 1) + 3 - 2 + 1 and 2 * (9 - 1) + 3 - 1; columns: 3 * (11 - 1) + 2 - 2.
    assert made.values.shape == (6, 18, 30)


# --- whole numbers

SCALES = {"xs": np.float32(0.02), "xz": np.uint8(128), "ws": np.linspace(0.01, 0.02, 6, dtype=np.float32)}
# Seven bits: without instructions for it, onnxruntime adds products of eight in sixteen bits that overflow.
STORED_WEIGHT = RNG.integers(-63, 64, WEIGHT.shape).astype(np.int8)
REAL_WEIGHT = STORED_WEIGHT * SCALES["ws"].reshape(6, 1, 1, 1)
REAL_X = (np.clip(np.rint(X / 0.02) + 128, 0, 255) - 128).astype(np.float32) * np.float32(0.02)


def test_a_convolution_between_dequantized_values_has_dequantized_weights(path):
    nodes = [
        node("QuantizeLinear", ("x", "xs", "xz"), "q"),
        node("DequantizeLinear", ("q", "xs", "xz"), "d"),
        node("DequantizeLinear", ("w", "ws"), "v", axis=0),
        node("Conv", "dvb", **ATTRIBUTES),
    ]
    engine = networks.open_onnx(saved(path, nodes, {"w": STORED_WEIGHT, "b": BIAS, **SCALES}))
    made, described, own = seen(engine)
    np.testing.assert_allclose(described.weight, REAL_WEIGHT, rtol=1e-6)
    np.testing.assert_allclose(made.read, REAL_X, atol=1e-6)
    for values in (made.values, own):
        np.testing.assert_allclose(values, expected(REAL_X, REAL_WEIGHT), atol=1e-4)
    # Whole numbers of a value stand for real ones.
    np.testing.assert_allclose(activations(engine, X, ["q"])["q"].values, REAL_X, atol=1e-6)


def test_a_convolution_of_whole_numbers_is_shown_in_real_ones(path):
    """The output is rounded to steps of 0.5, so half of that is the most by which it may differ."""
    bias = np.rint(BIAS / (0.02 * SCALES["ws"])).astype(np.int32)
    nodes = [
        node("QuantizeLinear", ("x", "xs", "xz"), "q"),
        node("QLinearConv", ("q", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"), "c", **ATTRIBUTES),
        node("DequantizeLinear", ("c", "ys", "yz")),
    ]
    stored = {
        "w": STORED_WEIGHT,
        "wz": np.zeros(6, np.int8),
        "b": bias,
        "ys": np.float32(0.5),
        "yz": np.uint8(100),
    }
    engine = networks.open_onnx(saved(path, nodes, {**SCALES, **stored}))
    made, described, own = seen(engine, "QLinearConv_c")
    real = expected(REAL_X, REAL_WEIGHT, bias * 0.02 * SCALES["ws"])
    np.testing.assert_allclose(described.weight, REAL_WEIGHT, rtol=1e-6)
    np.testing.assert_allclose(own, real, atol=1e-4)
    np.testing.assert_allclose(made.values, real, atol=0.2501)
    assert "rounds the maps" in described.remark
    step = next(one for one in engine.steps(X.shape) if one.convolution)
    assert (step.kind, step.parameters) == ("QLinearConv", 186)


def test_maps_that_eight_bits_clip_are_clipped_and_compared_within_half_a_step(path):
    """With the zero point 0, no output is below it, as after a Relu; 255 steps of 0.01 are 2.55."""
    nodes = [
        node("QuantizeLinear", ("x", "xs", "xz"), "q"),
        node("QLinearConv", ("q", "xs", "xz", "w", "ws", "wz", "ys", "yz"), "c", **ATTRIBUTES),
        node("DequantizeLinear", ("c", "ys", "yz")),
    ]
    stored = {
        "w": STORED_WEIGHT,
        "wz": np.zeros(6, np.int8),
        "ys": np.float32(0.01),
        "yz": np.uint8(0),
    }
    saved(path, nodes, {**SCALES, **stored})
    opened = source_of(NetworkSettings(net=str(path))).open(X.shape)
    about = in_network(opened, as_picture(X), "QLinearConv_c")
    found = run_layer(about, RunSettings(check=True, partial=True))
    real = expected(REAL_X, REAL_WEIGHT, np.zeros(6))
    assert real.min() < 0
    assert real.max() > 2.55
    np.testing.assert_allclose(found.result.maps, np.clip(real, 0, 2.55), atol=1e-4)
    assert found.result.apart(found.parts) < 1e-4
    assert "to what their 8 bits hold: 0 to 2.55 in steps of 0.01" in " ".join(found.remarks)
    assert "the maps here are clipped likewise" in " ".join(found.remarks)
    assert 0.001 < found.agreement_with_network.difference <= 0.00501
    assert "onnxruntime rounds to steps of 0.01" in str(found.agreement_with_network)
    wrong = found.result.maps + np.float32(0.1)
    with pytest.raises(BackendError, match=r"disagree on .* by 0\.1"):
        compare.between(found.result, wrong, "onnxruntime").check()
    # The sum of a value is shown as it is, beside what is stored for it.
    source = feature_maps.run(about.picture, about.layer, about.weights)
    sums = replace(source, rounding=about.network.rounding)
    for place in zip(*np.unravel_index([real[0].argmin(), real[0].argmax()], real[0].shape), strict=True):
        answer = Question(HW(*map(int, place))).about(sums)
        assert answer.document()["value"] == pytest.approx(real[0][place], abs=1e-4)
        stored = 0.0 if real[0][place] < 0 else 2.55
        assert answer.document()["stored"] == pytest.approx(stored)
        assert f"the network stores {stored:g}: its maps hold 0 to 2.55 in steps of 0.01" in answer.lines()
        words = [getattr(one, "text", "") for one in answer.drawing().shapes]
        assert any(word.startswith(f"the network stores {stored:g}") for word in words)
    # The largest magnitude is that of the clipped map.
    assert Question().about(sums).document()["stored"] == pytest.approx(2.55)
    assert "stored" not in Question().about(source).document()
    # Python shows what onnxruntime makes of it.
    shown = library.run_net(path, X)["QLinearConv_c"]
    np.testing.assert_allclose(shown.maps, np.clip(real, 0, 2.55), atol=0.00501)


def test_the_sums_of_a_convolution_that_is_quantized_while_it_runs_are_shown_with_scale_and_bias(path):
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="dynamic"),
        node("ConvInteger", ("q", "w", "z", "wz"), "c", **ATTRIBUTES),
        node("Cast", "c", "f", to=TensorProto.FLOAT),
        node("Mul", ("s", "ws1"), "scale"),
        node("Mul", ("f", "scale"), "m"),
        node("Add", "mb"),
    ]
    stored = {"w": STORED_WEIGHT, "wz": np.int8(3), "ws1": np.float32(0.01), "b": BIAS.reshape(1, 6, 1, 1)}
    engine = networks.open_onnx(saved(path, nodes, stored))
    made, described, own = seen(engine, "ConvInteger_c")
    weight = (STORED_WEIGHT.astype(np.float32) - 3) * np.float32(0.01)
    np.testing.assert_allclose(described.weight, weight, rtol=1e-6)
    # What is read is X, but for half of one of 255 steps between its ends.
    assert np.abs(made.read - X).max() <= (X.max() - X.min()) / 255 * 0.5001
    for values in (made.values, own):
        np.testing.assert_allclose(values, expected(made.read, weight), atol=1e-4)
    # The bias belongs to the convolution, whatever operation adds it; a scale is no parameter.
    assert counted(engine) == {"ConvInteger_c": 180 + 6}


# --- parameters


def counted(engine):
    """The parameters of the steps that have any."""
    return {one.name: one.parameters for one in engine.steps(X.shape) if one.parameters}


def test_numbers_of_operations_that_only_hold_them_are_parameters_as_stored_ones_are(path):
    """Six filters of 2x3x5 and six biases; 9 and 11 are sizes, and 0.5 is a constant of the graph."""
    nodes = [
        node("Constant", (), "w", value=numpy_helper.from_array(WEIGHT)),
        node("Constant", (), "b", value_floats=BIAS.tolist()),
        node("Constant", (), "Constant_half", value_float=0.5),
        node("Constant", (), "sizes", value_ints=[1, 4, 9, 11]),
        node("Reshape", ("x", "sizes"), "r"),
        node("Mul", ("r", "Constant_half"), "m"),
        node("Conv", "mwb", **ATTRIBUTES),
    ]
    engine = networks.open_onnx(saved(path, nodes, {}))
    assert counted(engine) == {"Conv_y": 180 + 6}
    made, described, own = seen(engine)
    np.testing.assert_array_equal(described.weight, WEIGHT)
    for values in (made.values, own):
        np.testing.assert_allclose(values, expected(X * 0.5), atol=1e-5)


def test_dequantized_numbers_are_parameters_and_their_scales_and_zero_points_are_not(path):
    """Quantizers store biases in 32 bits, and weights that were trained for 8 bits as real numbers."""
    nodes = [
        node("QuantizeLinear", ("w", "ws", "wz"), "q", axis=0),
        node("DequantizeLinear", ("q", "ws", "wz"), "v", axis=0),
        node("DequantizeLinear", ("b", "bs", "bz"), "c", axis=0),
        node("Conv", "xvc", **ATTRIBUTES),
    ]
    stored = {
        "w": WEIGHT,
        "ws": SCALES["ws"],
        "wz": np.zeros(6, np.int8),
        "b": np.rint(BIAS / 1e-3).astype(np.int32),
        "bs": np.full(6, 1e-3, np.float32),
        "bz": np.zeros(6, np.int32),
    }
    assert counted(networks.open_onnx(saved(path, nodes, stored))) == {"Conv_y": 180 + 6}


def test_numbers_that_are_only_moved_are_parameters_and_what_moves_them_is_not(path):
    """Each array counts once in the whole, for the first step that reads it."""
    nodes = [
        node("Transpose", "w", "t", perm=[3, 2, 1, 0]),
        node("Cast", "t", "c", to=TensorProto.FLOAT),
        node("Reshape", ("c", "sizes"), "r"),
        node("Identity", "r", "i"),
        node("Conv", "xib", "first", **ATTRIBUTES),
        node("Conv", "xib", "second", **ATTRIBUTES),
        node("Add", ("first", "second")),
    ]
    weight = np.ascontiguousarray(WEIGHT.transpose(3, 2, 1, 0)).astype(np.float16)
    stored = {"w": weight, "sizes": np.array([6, 2, 3, 5]), "b": BIAS}
    assert counted(networks.open_onnx(saved(path, nodes, stored))) == {"Conv_first": 180 + 6}


# --- types and layouts


def test_operations_in_another_order_are_put_into_that_of_the_computation(path):
    """Converters to float16 write the cast of the input behind everything that reads it."""
    nodes = [
        node("Relu", ["c"]),
        helper.make_node("Conv", ["h", "w", "b"], ["c"], name="conv", **ATTRIBUTES),
        helper.make_node("Cast", ["x"], ["h"], name="cast", to=TensorProto.FLOAT),
    ]
    engine = networks.open_onnx(saved(path, nodes, {"w": WEIGHT, "b": BIAS}))
    assert [one.name for one in engine.steps(X.shape)] == ["cast", "conv", "Relu_y"]
    np.testing.assert_allclose(activations(engine, X, ["conv"])["conv"].values, expected(), atol=1e-5)


def test_convolutions_inside_a_branch_are_counted_and_not_listed(path):
    branches = {
        name: helper.make_graph(
            [helper.make_node("Conv", ["x", "w", "b"], [name], **ATTRIBUTES)],
            name,
            [],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
        )
        for name in ("then_branch", "else_branch")
    }
    choice = [node("ReduceMax", "x", "m", keepdims=0), node("Cast", "m", "c", to=TensorProto.BOOL)]
    nodes = [*choice, node("If", "c", **branches), node("Conv", ("x", "w", "b"), "z", **ATTRIBUTES)]
    engine = networks.open_onnx(saved(path, nodes, {"w": WEIGHT, "b": BIAS}, outputs=("y", "z")))
    remarks = {one.kind: one.remark for one in engine.steps(X.shape)}
    assert remarks["If"] == "2 convolutions inside its graphs run with it and are not listed"
    assert remarks["Conv"] == ""


def test_operations_that_read_each_other_are_refused(path):
    nodes = [node("Add", ["x", "b"], "a"), node("Relu", ["a"], "b"), node("Relu", ["a"])]
    with pytest.raises(InputError, match="its operations read each other in a circle"):
        networks.open_onnx(saved(path, nodes, {}))


def test_the_name_of_a_module_is_that_of_its_convolution(path):
    """Quantization puts the product of two scales before it, under the name of the same module."""
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="quantize"),
        helper.make_node("Mul", ["s", "one"], ["scale"], name="/block/block.0/Conv_scales"),
        helper.make_node("Relu", ["x"], ["r"], name="/other/Relu"),
        helper.make_node("ConvInteger", ["q", "w", "z"], ["c"], name="/block/block.0/Conv", **ATTRIBUTES),
        node("Cast", ["c"], "d", to=TensorProto.FLOAT),
        node("Mul", ["d", "scale"]),
    ]
    stored = {"w": np.ones(WEIGHT.shape, np.int8), "one": np.float32(1)}
    engine = networks.open_onnx(saved(path, nodes, stored))
    assert {one.name: one.kind for one in engine.steps(X.shape)}["block.0"] == "ConvInteger"


def test_half_precision_is_computed_as_it_is(path):
    half = {"w": WEIGHT.astype(np.float16), "b": BIAS.astype(np.float16)}
    engine = networks.open_onnx(
        saved(path, [node("Conv", "xwb", **ATTRIBUTES)], half, dtype=TensorProto.FLOAT16)
    )
    assert engine.declared.dtype == "float16"
    made, _, _ = seen(engine)
    assert made.values.dtype == np.float32
    # Eleven bits of every number, and sums of 30 products of about 1.
    np.testing.assert_allclose(made.values, expected(), atol=0.05)


def test_bfloat16_is_computed_in_float32_and_said(path):
    def short(values):
        return helper.make_tensor("?", TensorProto.BFLOAT16, values.shape, values.ravel().tolist())

    tensors = {name: short(values) for name, values in {"w": WEIGHT, "b": BIAS}.items()}
    for name, tensor in tensors.items():
        tensor.name = name
    nodes = [node("Conv", "xwb", "c", **ATTRIBUTES), node("Cast", "c", to=TensorProto.BFLOAT16)]
    engine = networks.open_onnx(saved(path, nodes, tensors, dtype=TensorProto.BFLOAT16))
    weight, bias = (torch.from_numpy(one).bfloat16().float().numpy() for one in (WEIGHT, BIAS))
    made, described, _ = seen(engine, "Conv_c")
    np.testing.assert_array_equal(described.weight, weight)
    np.testing.assert_allclose(made.values, expected(weight=weight, bias=bias), atol=1e-5)
    assert "bfloat16" in engine.steps(X.shape)[0].remark


def test_a_graph_that_reads_channels_last_is_given_them_last(path):
    nodes = [node("Transpose", "x", "t", perm=[0, 3, 1, 2]), node("Conv", "twb", **ATTRIBUTES)]
    engine = networks.open_onnx(saved(path, nodes, {"w": WEIGHT, "b": BIAS}, shape=("n", "h", "w", 4)))
    declared = engine.declared
    assert (declared.channels, declared.height, declared.channels_last) == (4, None, True)
    made, _, _ = seen(engine)
    np.testing.assert_allclose(made.values, expected(), atol=1e-5)


@pytest.mark.parametrize("shape", [(-1, 4, -1, -1), (0, 4, 0, 0), None], ids=["-1", "0", "no shape"])
def test_sizes_that_are_declared_as_nothing_are_any(shape, path):
    engine = networks.open_onnx(asymmetric(path, shape=shape))
    declared = engine.declared
    assert (declared.channels, declared.height, declared.width) == (shape and 4, None, None)
    np.testing.assert_allclose(seen(engine)[0].values, expected(), atol=1e-5)
    assert engine.steps(X.shape)[0].output_shape == (6, 4, 6)


def test_a_graph_for_two_pictures_is_given_the_same_twice(path):
    made, _, _ = seen(networks.open_onnx(asymmetric(path, shape=(2, 4, 9, 11))))
    np.testing.assert_allclose(made.values, expected(), atol=1e-5)


def test_an_input_that_does_not_fit_is_refused_with_what_would(path):
    engine = networks.open_onnx(asymmetric(path))
    with pytest.raises(
        ShapeError,
        match=r"reads 4x9x11, but the input is 3x9x12; "
        r"give 4 channels \(--mode rgba\) and 9x11 pixels \(--resize 9x11",
    ):
        activations(engine, np.zeros((3, 9, 12)), ["Conv_y"])


def test_a_step_with_several_outputs_is_seen_once_for_each(path):
    nodes = [node("Split", "x", ["a", "b"], axis=1, num_outputs=2), node("Sub", "ab")]
    engine = networks.open_onnx(saved(path, nodes, {}))
    name = nodes[0].name
    found = activations(engine, X, [name])
    assert list(found) == [f"{name}[0]", f"{name}[1]"]
    np.testing.assert_array_equal(found[f"{name}[1]"].values, X[2:])
    assert list(activations(engine, X, [f"{name}[0]"])) == [f"{name}[0]"]
    assert [step.inputs for step in engine.steps(X.shape)] == [
        *[("input",)] * 2,
        (f"{name}[0]", f"{name}[1]"),
    ]


# --- faults


def test_an_unknown_name_is_answered_with_the_nearest(path):
    with pytest.raises(UnknownNameError, match="did you mean 'Conv_y'"):
        activations(networks.open_onnx(asymmetric(path)), X, ["Conv_z"])


def test_a_custom_operation_is_refused_by_name_and_what_is_before_it_is_shown(path):
    nodes = [node("Conv", "xwb", "c", **ATTRIBUTES), node("Trick", "c", domain="mine")]
    engine = networks.open_onnx(saved(path, nodes, {"w": WEIGHT, "b": BIAS}))
    assert [step.output_shape for step in engine.steps(X.shape)] == [(6, 4, 6), None]
    with pytest.raises(SpecError, match="'Trick_y' is the custom operation 'mine::Trick'"):
        activations(engine, X, ["Trick_y"])
    np.testing.assert_allclose(seen(engine, "Conv_c")[0].values, expected(), atol=1e-5)


def test_a_size_for_which_the_graph_fails_is_refused_with_the_operation_and_its_words(path):
    nodes = [node("Conv", "xwb", "c", **ATTRIBUTES), node("Add", "ca")]
    stored = {"w": WEIGHT, "b": BIAS, "a": np.zeros((1, 6, 4, 7), np.float32)}
    engine = networks.open_onnx(saved(path, nodes, stored, shape=("n", 4, "h", "w")))
    with pytest.raises(
        InputError,
        match=r"1x4x9x11 \(Add 'Add_y': [^/]* 6 by 7\); an input of another size may fit, .*--resize HxW",
    ):
        activations(engine, X, ["Add_y"])


def test_another_input_is_refused_by_name(path):
    other = helper.make_tensor_value_info("t", TensorProto.FLOAT, [])
    nodes = [node("Conv", "xwb", "c", **ATTRIBUTES), node("Mul", "ct")]
    engine = networks.open_onnx(saved(path, nodes, {"w": WEIGHT, "b": BIAS}, inputs=[other]))
    with pytest.raises(SpecError, match="reads 't' besides the picture"):
        activations(engine, X, ["Mul_y"])


def outside(name, location):
    """An array that lies in another file."""
    tensor = TensorProto(name=name, dims=WEIGHT.shape, data_type=TensorProto.FLOAT)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


@pytest.mark.parametrize("how", ["a path upwards", "an absolute path", "a link", "within an operation"])
def test_arrays_outside_of_the_folder_are_refused(how, tmp_path):
    folder, secret = tmp_path / "folder", tmp_path / "secret"
    folder.mkdir()
    WEIGHT.tofile(secret)
    location = str(secret) if how == "an absolute path" else "link" if how == "a link" else "../secret"
    if how == "a link":
        (folder / "link").symlink_to(secret)
    nodes, stored = [node("Conv", "xw", **ATTRIBUTES)], {"w": outside("w", location)}
    if how == "within an operation":
        nodes, stored = [node("Constant", (), "w", value=outside("w", location)), *nodes], {}
    path = saved(folder / "net.onnx", nodes, stored)
    with pytest.raises(InputError, match=r"array 'w' lies in a file .* that is not beside it"):
        networks.open_onnx(path)


def test_arrays_beside_the_file_are_read(tmp_path):
    tensor = outside("w", "numbers")
    (tmp_path / "numbers").write_bytes(b"head" + WEIGHT.tobytes() + b"tail")
    tensor.external_data.add(key="offset", value="4")
    tensor.external_data.add(key="length", value=str(WEIGHT.nbytes))
    engine = networks.open_onnx(
        saved(tmp_path / "net.onnx", [node("Conv", "xwb", **ATTRIBUTES)], {"w": tensor, "b": BIAS})
    )
    np.testing.assert_allclose(seen(engine)[0].values, expected(), atol=1e-5)
    with (tmp_path / "numbers").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(InputError, match="from byte 4 on of 'numbers', but that file has only 100"):
        networks.open_onnx(tmp_path / "net.onnx")


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00\xff" * 40, b"\x3a\xff\xff\xff\xff\x0f" + b"a" * 30],
    ids=["empty", "noise", "a length beyond the end"],
)
def test_a_damaged_file_is_refused(data, path):
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"net\.onnx.*(damaged|no ONNX)"):
        networks.open_onnx(path)


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_a_backend_names_the_package_that_is_missing_and_the_extra_that_brings_it(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "convviz.compute.backends.onnxruntime_", raising=False)
    words = rf'needs {missing}, which is not installed: pip install "convviz\[onnx\]"$'
    with pytest.raises(BackendError, match=words):
        backends.load("onnxruntime")


def test_a_package_that_is_missing_is_one_line(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "convviz.compute.networks.onnx", raising=False)
    with pytest.raises(BackendError, match=r'needs onnxruntime.*pip install.*"convviz\[onnx\]"'):
        networks.open_onnx(asymmetric(path))


# --- memory


def wide(path):
    """Eight convolutions with 32 maps of any size."""
    weight = np.full((32, 32, 1, 1), 1 / 32, np.float32)
    nodes = [node("Conv", (f"m{i}" if i else "c", "w"), f"m{i + 1}") for i in range(8)]
    stored = {"w": weight, "f": np.ones((32, 1, 1, 1), np.float32)}
    return saved(path, [node("Conv", "xf", "c"), *nodes], stored, shape=(1, 1, "h", "w"), outputs=("m8",))


def test_activations_that_do_not_fit_are_refused_before_anything_runs(path, monkeypatch):
    """Eight maps of 32 x 512 x 512 are 32 MiB each; 80 MiB hold one with what it reads, and not all."""
    engine = networks.open_onnx(wide(path))
    monkeypatch.setattr(memory, "available", lambda: 80 * 2**20)
    monkeypatch.setattr(onnx_session.Session, "run", lambda *_: pytest.fail("it ran"))
    with pytest.raises(SpecError, match=r"activations of .*net\.onnx' need .* of memory"):
        activations(engine, np.zeros((1, 512, 512)), [f"m{i}" for i in range(1, 9)])


def test_activations_are_computed_in_groups_where_all_of_them_do_not_fit(path, monkeypatch):
    engine, found = networks.open_onnx(wide(path)), {}
    monkeypatch.setattr(memory, "available", lambda: 160 * 2**20)
    runs = []
    run = onnx_session.Session.run
    monkeypatch.setattr(onnx_session.Session, "run", lambda self, x: runs.append(self.values) or run(self, x))
    x = np.full((1, 512, 512), 2, np.float32)
    names = [f"m{i}" for i in range(1, 9)]
    engine.visit(x, names, lambda one: found.update({one.name: float(one.values.max())}))
    assert found == dict.fromkeys(names, 2.0)
    assert len(runs) > 1
    assert sorted(value for values in runs for value in values) == names


def test_a_large_array_whose_usual_location_is_written_down_is_read_too(path):
    """As quantizers write it: the place behind the bytes, and the last field counts."""
    large = numpy_helper.from_array(np.tile(WEIGHT, (1, 2, 1, 1)), "w")
    large.data_location = TensorProto.DEFAULT
    engine = networks.open_onnx(saved(path, [node("Conv", "xwb")], {"w": large, "b": BIAS}))
    assert engine._graph.tensors["w"].data_location == TensorProto.EXTERNAL
    found = activations(engine, X, ["Conv_y"])["Conv_y"].values
    wanted = functional.conv2d(
        *(torch.from_numpy(one) for one in (X[None], engine.conv("Conv_y").weight, BIAS))
    )
    np.testing.assert_allclose(found, wanted[0], rtol=1e-4, atol=1e-4)


def test_large_arrays_are_not_in_memory_before_they_are_needed(path):
    assert WEIGHT.nbytes < LARGE < 4 * WEIGHT.nbytes
    stored = {"w": np.tile(WEIGHT, (1, 2, 1, 1)), "b": BIAS}
    engine = networks.open_onnx(saved(path, [node("Conv", "xwb")], stored))
    assert engine._graph.tensors["w"].data_location == TensorProto.EXTERNAL
    np.testing.assert_array_equal(engine.conv("Conv_y").weight, stored["w"])
