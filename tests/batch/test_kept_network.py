"""A network that a process keeps for the files of a batch is that of the file, whatever was there before."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from convviz.batch import Job, work
from convviz.spec.settings import ComputeSettings, InputSettings, LayerSettings, SheetSettings
from convviz.spec.wanted import NetworkSettings

X = np.ones((1, 2, 2), np.float32)


def store(path, weight, *, external=False):
    """A network of one 1x1 convolution; its maps hold the weight everywhere."""
    path.parent.mkdir(exist_ok=True)
    node = helper.make_node("Conv", ["x", "w"], ["y"], "only")
    given, made = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 2, 2]) for name in ("x", "y")
    )
    values = np.full((1, 1, 1, 1), weight, np.float32)
    stored = numpy_helper.from_array(values, "w")
    if external:
        stored = TensorProto(name="w", dims=values.shape, data_type=TensorProto.FLOAT)
        stored.data_location = TensorProto.EXTERNAL
        stored.external_data.add(key="location", value="numbers")
        values.tofile(path.parent / "numbers")
    graph = helper.make_graph([node], "g", [given], [made], [stored])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


@pytest.fixture
def largest(tmp_path, monkeypatch):
    """Do one file of a batch in a folder, and return the largest value of its map."""

    def run(folder):
        monkeypatch.chdir(folder)
        np.save(tmp_path / "x.npy", X)
        done = work.picture_of(
            Job("x", tmp_path / "x.npy", tmp_path / "x.png"),
            named=None,
            layer=LayerSettings(layer_name="only"),
            reading=InputSettings(range="raw"),
            compute=ComputeSettings(),
            picture=SheetSettings(),
            network=NetworkSettings(net="net.onnx"),
            force=True,
        )
        assert done.status == "done", done.reason
        return done.maps[0]["max"]

    return run


def test_a_file_that_was_replaced_is_read_again(largest, tmp_path):
    store(tmp_path / "net.onnx", 2)
    assert largest(tmp_path) == 2
    store(tmp_path / "net.onnx", 7.5)
    assert largest(tmp_path) == 7.5


@pytest.mark.parametrize("external", [False, True])
def test_the_same_name_in_another_folder_is_another_network(largest, tmp_path, external):
    for folder, weight in (("a", 2), ("b", 7)):
        store(tmp_path / folder / "net.onnx", weight, external=external)
        assert largest(tmp_path / folder) == weight
