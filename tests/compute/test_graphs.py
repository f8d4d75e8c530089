"""ONNX: graphs of torch, of the standard's own tests and of real models, held to independent results."""

import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from convviz.compute import filters
from convviz.compute.networks import stack
from convviz.compute.networks.graphs import network_of_graph
from convviz.errors import InputError, UnknownNameError
from convviz.files.checkpoints import read_checkpoint
from convviz.results import feature_maps
from convviz.spec.settings import LayerSettings

STANDARD = Path(onnx.__file__).parent / "backend" / "test" / "data"
# The operations of these are none of ours, or are no layers.
OTHERS = {"Pad", "PRelu", "Reshape", "Tanh", "LogSoftmax", "Pow", "ReduceMean", "ReduceSum", "Tile", "Selu"}


def close(found, expected):
    scale = max(float(np.abs(expected).max()), 1.0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * scale)


def run(path, x, until=None):
    """The last layer for one input (C, H, W)."""
    network, parameters = network_of_graph(read_checkpoint(path), x.shape, until=until)
    return network, stack.run_net(network, x, parameters)[network.steps[-1].name]


class Branches(torch.nn.Module):
    """Every layer that has an operation, and a residual sum."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, (5, 3), stride=2, padding=(2, 1))
        self.bn = torch.nn.BatchNorm2d(8)
        self.deep = torch.nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4, bias=False)
        self.up = torch.nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1)
        self.pool = torch.nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        self.mean = torch.nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)
        self.last = torch.nn.Linear(4, 5)

    def forward(self, x):
        x = torch.nn.functional.leaky_relu(self.bn(self.first(x)), 0.2)
        x = torch.relu(x + self.deep(x))
        x = torch.nn.functional.silu(self.up(self.pool(x)))
        x = torch.sigmoid(self.mean(x))
        x = torch.nn.functional.adaptive_avg_pool2d(x, 1)
        return torch.softmax(self.last(x.flatten(1)), 1)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(2)
    made = Branches()
    made(torch.randn(4, 3, 32, 32))  # statistics of the batch
    return made.eval()


@pytest.fixture(scope="module", params=[False, True], ids=["old exporter", "new exporter"])
def exported(request, model, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (torch.zeros(1, 3, 37, 41),), path, dynamo=request.param, verbose=False)
    return path


def test_what_torch_exports_makes_what_torch_makes(exported, model):
    x = torch.randn(1, 3, 37, 41, generator=torch.Generator().manual_seed(3))
    network, found = run(exported, x[0].numpy())
    with torch.no_grad():
        close(found, model(x)[0].numpy())
    kinds = {step.kind.__name__ for step in network.steps}
    assert {"ConvTranspose2d", "MaxPool2d", "AvgPool2d", "SiLU", "Add", "LeakyReLU", "Softmax"} <= kinds


def test_until_ends_there_and_leaves_out_what_is_beside(exported, model):
    x = torch.randn(1, 3, 37, 41, generator=torch.Generator().manual_seed(4))
    network, found = run(exported, x[0].numpy(), until="deep")
    assert network.steps[-1].name == "deep"
    assert len(network.steps) <= 4
    with torch.no_grad():
        before = torch.nn.functional.leaky_relu(model.bn(model.first(x)), 0.2)
        close(found, model.deep(before)[0].numpy())
    with pytest.raises(UnknownNameError, match="no node named 'deeper'; did you mean 'deep'"):
        run(exported, x[0].numpy(), until="deeper")


def test_layers_are_listed_with_what_the_graph_says(exported):
    found = {layer.name: layer for layer in read_checkpoint(exported).convolutions}
    first = next(layer for name, layer in found.items() if name.startswith("first") or "first" in name)
    assert first.weight.shape == (8, 3, 5, 3)
    assert first.arguments == {"stride": (2, 2), "padding": ((2, 2), (1, 1))}
    assert found["deep"].arguments == {"dilation": (2, 2), "groups": 4, "padding": ((2, 2), (2, 2))}
    assert found["deep"].bias is None


def standard_cases():
    """Tests that the standard ships, with inputs and outputs, for one operation each."""
    for kind in ("pytorch-converted", "pytorch-operator"):
        for folder in sorted((STANDARD / kind).iterdir()):
            x = tensor(folder / "test_data_set_0" / "input_0.pb")
            if x.ndim == 4:
                yield pytest.param(folder, id=folder.name)


def tensor(path):
    found = TensorProto()
    found.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(found)


@pytest.mark.parametrize("folder", list(standard_cases()))
def test_the_tests_of_the_standard(folder):
    x, expected = (tensor(folder / "test_data_set_0" / f"{name}_0.pb") for name in ("input", "output"))
    operations = {node.op_type for node in onnx.load(folder / "model.onnx").graph.node}
    if operations & OTHERS or "InstanceNormalization" in operations:
        with pytest.raises(InputError, match="on the way"):
            run(folder / "model.onnx", x[0])
        return
    for one, wanted in zip(x, expected, strict=True):
        close(run(folder / "model.onnx", one)[1], wanted)


def test_at_least_25_of_those_are_layers_of_ours():
    folders = [case.values[0] for case in standard_cases()]
    operations = [{node.op_type for node in onnx.load(one / "model.onnx").graph.node} for one in folders]
    assert sum(not found & (OTHERS | {"InstanceNormalization"}) for found in operations) >= 25


# --- real models, in the wheel of a package for reading text in pictures


@pytest.fixture(scope="module")
def real(request):
    """The three models that rapidocr-onnxruntime ships; fetched once, and kept."""
    kept = request.config.cache.mkdir("onnx-models")
    if not list(kept.glob("*.onnx")):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", kept]
        try:
            subprocess.run(
                [*command, "rapidocr-onnxruntime==1.4.4"], check=True, capture_output=True, timeout=240
            )
        except (subprocess.SubprocessError, OSError):
            pytest.skip("the package with real models cannot be had here")
        (wheel,) = kept.glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            for name in packed.namelist():
                if name.endswith(".onnx"):
                    (kept / Path(name).name).write_bytes(packed.read(name))
        wheel.unlink()
    return {path.stem: path for path in kept.glob("*.onnx")}


def reference(path, x, name):
    """What the evaluator of the package onnx makes at one node."""
    model = onnx.load(path)
    names = [node.name for node in model.graph.node]
    del model.graph.node[names.index(name) + 1 :]
    del model.graph.output[:]
    output = model.graph.node[-1].output[0]
    model.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, None))
    return ReferenceEvaluator(model).run(None, {"x": x[None]})[0][0]


def test_every_convolution_of_real_models_is_listed(real):
    counts = {}
    for name, path in real.items():
        model = onnx.load(path)
        counts[name] = len(read_checkpoint(path).convolutions)
        assert counts[name] == sum(node.op_type in ("Conv", "ConvTranspose") for node in model.graph.node)
    assert sorted(counts.values()) == [38, 53, 64]


def test_a_real_model_runs_until_the_first_operation_that_is_no_layer(real):
    path = real["ch_ppocr_mobile_v2.0_cls_infer"]
    x = np.random.default_rng(1).normal(size=(3, 48, 64)).astype(np.float32)
    with pytest.raises(
        InputError, match=r"the operation Add \('Add@0'\) on the way adds stored numbers"
    ) as caught:
        run(path, x)
    assert "--until 'BatchNormalization@0' is as far as it goes" in str(caught.value)
    network, found = run(path, x, until="BatchNormalization@0")
    assert [step.kind.__name__ for step in network.steps] == ["Conv2d", "BatchNorm2d"]
    # The evaluator of the package would mix in statistics of the input here; this is the definition.
    node = next(one for one in onnx.load(path).graph.node if one.name == "BatchNormalization@0")
    arrays = read_checkpoint(path).arrays
    scale, shift, mean, variance = (arrays[name].astype(np.float64)[:, None, None] for name in node.input[1:])
    epsilon = next(one.f for one in node.attribute if one.name == "epsilon")
    close(found, (reference(path, x, "Conv@0") - mean) / np.sqrt(variance + epsilon) * scale + shift)


def test_one_layer_of_a_real_model_is_that_of_the_reference(real):
    path = real["ch_PP-OCRv4_det_infer"]
    x = np.random.default_rng(2).normal(size=(3, 20, 30)).astype(np.float32)
    layer, weights, _ = filters.build(LayerSettings(weights=path, layer_name="p2o.Conv.0"), 3)
    close(feature_maps.run(x, layer, weights).maps, reference(path, x, "p2o.Conv.0"))


# --- what cannot be


def graph(*nodes, stored=(), outputs=("y",)):
    made = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in stored],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])


ONES = np.ones((2, 3, 3, 3))


@pytest.mark.parametrize("pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_padding_that_depends_on_the_size_is_that_of_the_standard(pad, stride, tmp_path):
    weight = np.random.default_rng(stride).normal(size=(2, 3, 4, 3)).astype(np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"], auto_pad=pad, strides=[stride, stride])
    onnx.save(graph(node, stored=[("w", weight)]), tmp_path / "m.onnx")
    x = np.random.default_rng(9).normal(size=(3, 8, 7)).astype(np.float32)
    expected = ReferenceEvaluator(str(tmp_path / "m.onnx")).run(None, {"x": x[None]})[0][0]
    close(run(tmp_path / "m.onnx", x)[1], expected)


def test_a_bias_that_is_added_afterwards_belongs_to_its_layer(tmp_path):
    """Unless what is before it is read elsewhere too."""
    conv = helper.make_node("Conv", ["x", "w"], ["c"])
    add = helper.make_node("Add", ["b", "c"], ["y"])
    twice = helper.make_node("Add", ["y", "c"], ["z"])
    stored = [("w", ONES), ("b", np.array([1, 2]).reshape(1, 2, 1, 1))]
    onnx.save(graph(conv, add, stored=stored), tmp_path / "m.onnx")
    x = np.ones((3, 8, 8), np.float32)
    network, found = run(tmp_path / "m.onnx", x)
    assert len(network.steps) == 1
    assert found[:, 0, 0].tolist() == [28, 29]
    onnx.save(graph(conv, add, twice, stored=stored, outputs=("z",)), tmp_path / "n.onnx")
    with pytest.raises(InputError, match="adds stored numbers to something else"):
        run(tmp_path / "n.onnx", x)


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (
            helper.make_node("Tanh", ["x"], ["y"], name="t"),
            "the operation Tanh ('t') on the way is none of Add",
        ),
        (helper.make_node("Conv", ["x", "x"], ["y"]), "reads 'x', which is not stored"),
        (
            helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], pads=[0, 0, 1, 1]),
            "pads by 0,1,0,1",
        ),
        (helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[9, 9]), "make the window smaller"),
        (helper.make_node("Softmax", ["x"], ["y"], axis=0), "over the batch"),
        (helper.make_node("Mul", ["x", "x"], ["y"]), "multiplies what is not a value and its sigmoid"),
        (helper.make_node("Flatten", ["x"], ["y"], axis=2), "flattens from axis 2"),
    ],
    ids=lambda value: value.op_type if isinstance(value, onnx.NodeProto) else "",
)
def test_operations_that_torch_has_not_are_named(node, words, tmp_path):
    onnx.save(graph(node), tmp_path / "m.onnx")
    with pytest.raises(InputError) as caught:
        run(tmp_path / "m.onnx", np.zeros((3, 8, 8), np.float32))
    assert words in str(caught.value)


def test_damaged_files_and_numbers_elsewhere_are_refused(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x07 this is no model")
    with pytest.raises(InputError, match=r"damaged, or not ONNX|not contain a graph"):
        read_checkpoint(tmp_path / "bad.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(InputError, match="does not contain a graph"):
        read_checkpoint(tmp_path / "empty.onnx")
    folder = tmp_path / "models"
    folder.mkdir()
    model = graph(helper.make_node("Conv", ["x", "w"], ["y"]), stored=[("w", ONES)])
    onnx.save(model, folder / "m.onnx", save_as_external_data=True, size_threshold=0, location="m.data")
    assert read_checkpoint(folder / "m.onnx").find(None).weight.shape == (2, 3, 3, 3)
    (tmp_path / "m.data").write_bytes((folder / "m.data").read_bytes())
    outside = (folder / "m.onnx").read_bytes().replace(b"m.data", b"../m.d")
    (tmp_path / "m.d").write_bytes((folder / "m.data").read_bytes())
    (folder / "m.onnx").write_bytes(outside)
    with pytest.raises(InputError, match="that is not beside it"):
        read_checkpoint(folder / "m.onnx")


def test_without_the_package_the_message_says_what_to_install(monkeypatch, tmp_path):
    from convviz.errors import BackendError

    (tmp_path / "m.onnx").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(BackendError, match=r"pip install 'convviz\[onnx\]'"):
        read_checkpoint(tmp_path / "m.onnx")
