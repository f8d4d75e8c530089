"""Layers of ONNX files: padding by size, numbers behind other operations, contradictions."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from convviz.cli.app import status_of
from convviz.compute import conv, filters
from convviz.errors import InputError
from convviz.files.checkpoints import read_checkpoint
from convviz.spec.geometry import HW, Edges
from convviz.spec.layers import Conv2d
from convviz.spec.settings import LayerSettings

WEIGHT = np.arange(36, dtype=np.float32).reshape(2, 2, 3, 3) - 17


def saved(path, *nodes, **stored):
    """Save a graph of these nodes from x to y, with these numbers."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, None, None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def operation(op="Conv", inputs=("x", "w"), **attributes):
    return helper.make_node(op, list(inputs), ["y"], name="c", **attributes)


# --- padding that depends on the size of the input


@pytest.mark.parametrize("pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)], ids=["every window", "some windows"])
@pytest.mark.parametrize("kernel", [(3, 3), (4, 2)], ids=["odd kernel", "even kernel"])
def test_one_layer_of_a_graph_has_the_padding_that_the_graph_gives_it(kernel, stride, pad, tmp_path):
    rng = np.random.default_rng(3)
    weight, x = (rng.normal(size=size).astype(np.float32) for size in [(3, 2, *kernel), (2, 9, 7)])
    path = saved(tmp_path / "m.onnx", operation(auto_pad=pad, strides=stride), w=weight)
    layer, weights, _ = filters.build(LayerSettings(weights=path), 2)
    maps = conv.apply(layer, x, weights, backend="numpy")
    expected = ReferenceEvaluator(str(path)).run(None, {"x": x[None]})[0][0]
    np.testing.assert_allclose(maps, expected, rtol=0, atol=1e-5)


def test_the_odd_pixel_of_same_lower_comes_first_and_depends_on_the_size():
    """Four values at stride 2: four windows span 2 * 3 + 4 = 10 pixels, 3 more than 7 and 2 more than 8."""
    layer = Conv2d(1, 1, 4, stride=2, padding="same-lower")
    assert layer.edges(HW(7, 8)) == Edges(2, 1, 1, 1)
    assert Conv2d(1, 1, 4, stride=2, padding="same").edges(HW(7, 8)) == Edges(1, 2, 1, 1)


@pytest.mark.parametrize("command", ["explain", "code", "explore"])
def test_every_command_pads_a_layer_of_a_graph_for_its_input(command, tmp_path, monkeypatch, capsys):
    """Ones of 2x2 over ones: with the odd pixel before, the first value sees one pixel of both channels."""
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "m.onnx", operation(auto_pad="SAME_LOWER"), w=np.ones((1, 2, 2, 2), np.float32))
    np.save(tmp_path / "x.npy", np.ones((2, 3, 3), np.float32))
    given = ["--weights", "m.onnx", "--layer", "c"]
    if command == "explain":
        assert status_of(["explain", "x.npy", *given, "--at", "0,0", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["value"] == 2
    elif command == "code":
        assert status_of(["code", "x.npy", *given]) == 0
        assert "ZeroPad2d((1, 0, 1, 0))" in capsys.readouterr().out
    else:
        assert status_of(["explore", "x.npy", *given, "-o", "p.html"]) == 0
        assert '"padding": [1, 0, 1, 0]' in (tmp_path / "p.html").read_text().replace(":[", ": [")


# --- numbers behind other operations


def test_the_weight_behind_a_dequantization_is_its_numbers_times_the_scale_of_their_filter(tmp_path):
    node = helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=0)
    q = np.full((2, 2, 3, 3), 5, np.int8)
    path = saved(
        tmp_path / "m.onnx", node, operation(), q=q, s=np.float32([0.5, 2]), z=np.array([1, 3], np.int8)
    )
    found = read_checkpoint(path)
    assert found.find("c").weight[:, 0, 0, 0].tolist() == [(5 - 1) * 0.5, (5 - 3) * 2]
    assert found.count == 36 + 2 + 2


@pytest.mark.parametrize("kind", [np.float16, np.int8], ids=str)
def test_the_weight_behind_a_cast_is_its_numbers(kind, tmp_path):
    node = helper.make_node("Cast", ["h"], ["w"], to=TensorProto.FLOAT)
    path = saved(tmp_path / "m.onnx", node, operation(), h=WEIGHT.astype(kind))
    np.testing.assert_array_equal(read_checkpoint(path).find("c").weight, WEIGHT)


def test_a_convolution_of_whole_numbers_is_listed_with_real_ones_and_says_so(tmp_path, capsys):
    """The bias is stored in units of the input's scale times that of the weight: 8 * (0.25 * 0.5) = 1."""
    names = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"]
    path = saved(
        tmp_path / "m.onnx",
        operation("QLinearConv", names, pads=[1, 1, 1, 1]),
        xs=np.float32(0.25),
        xz=np.uint8(0),
        w=np.full((2, 2, 3, 3), 130, np.uint8),
        ws=np.float32([0.5, 0.25]),
        wz=np.uint8(128),
        ys=np.float32(1),
        yz=np.uint8(0),
        b=np.array([8, -16], np.int32),
    )
    found = read_checkpoint(path)
    weight, bias = found.weights(found.find("c"))
    assert weight[:, 0, 0, 0].tolist() == [1.0, 0.5]
    assert bias.tolist() == [8 * 0.25 * 0.5, -16 * 0.25 * 0.25]
    assert status_of(["layers", str(path)]) == 0
    assert "stored as whole numbers (QLinearConv)" in capsys.readouterr().err
    assert "QLinearConv" in filters.build(LayerSettings(weights=path), 2)[2][0]


def test_a_convolution_of_whole_numbers_without_a_scale_says_that_it_has_none(tmp_path):
    path = saved(
        tmp_path / "m.onnx",
        operation("ConvInteger", ["x", "w", "", "z"]),
        w=np.full((2, 2, 3, 3), 7, np.int8),
        z=np.int8(3),
    )
    layer = read_checkpoint(path).find("c")
    assert np.unique(layer.weight).tolist() == [4]
    assert "without the scale" in layer.remark


@pytest.mark.parametrize(
    ("op", "stored", "words"),
    [
        ("Mul", {"a": WEIGHT, "b": WEIGHT}, "reads 'w', which is made by the operation Mul"),
        ("DequantizeLinear", {"a": np.int8(WEIGHT)}, "reads 'w', which is made by the operation Dequ"),
    ],
)
def test_a_convolution_whose_weight_cannot_be_had_is_named_with_the_reason(
    op, stored, words, tmp_path, capsys
):
    node = helper.make_node(op, ["a", "b"], ["w"])
    path = saved(tmp_path / "m.onnx", node, operation(), **stored)
    with pytest.raises(InputError, match=f"'c': the convolution {words}"):
        read_checkpoint(path).find("c")
    assert status_of(["layers", str(path)]) == 0
    out, err = capsys.readouterr()
    assert words in err
    assert "0 convolutions" in out
    assert "four axes" not in out


def test_a_bias_that_is_computed_is_not_left_out_in_silence(tmp_path):
    node = helper.make_node("Neg", ["a"], ["b"])
    path = saved(tmp_path / "m.onnx", node, operation(inputs=["x", "w", "b"]), w=WEIGHT, a=np.float32([1, 2]))
    with pytest.raises(InputError, match="reads 'b', which is made by the operation Neg"):
        read_checkpoint(path).find("c")


# --- nodes that contradict themselves


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"auto_pad": "SAME"}, "auto_pad = SAME; expected one of NOTSET, VALID, SAME_UPPER, SAME_LOWER"),
        ({"kernel_shape": [5, 5]}, r"kernel_shape = \[5, 5\], but its weight has kernels of 3x3"),
        ({"pads": [1, 1]}, r"pads = \[1, 1\]; expected 4 whole numbers of at least 0"),
        ({"pads": [-1, 0, 0, 0]}, "at least 0"),
        ({"strides": [0, 1]}, r"strides = \[0, 1\]; expected 2 whole numbers of at least 1"),
        ({"dilations": [1.5, 1.5]}, "dilations"),
        ({"group": 3}, "group = 3, which does not divide 2 filters"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_convolution_that_contradicts_itself_is_refused_by_name(attributes, words, tmp_path):
    path = saved(tmp_path / "m.onnx", operation(**attributes), w=WEIGHT)
    with pytest.raises(InputError, match=f"the convolution 'c' has .*{words}"):
        read_checkpoint(path)


def test_a_bias_of_another_length_is_refused_by_the_name_of_its_layer(tmp_path):
    path = saved(tmp_path / "m.onnx", operation(inputs=["x", "w", "b"]), w=WEIGHT, b=np.ones(3, np.float32))
    with pytest.raises(InputError, match=r"'c' has a bias of shape \(3,\); expected \(2,\)"):
        read_checkpoint(path)
