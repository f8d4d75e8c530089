"""Trained networks from packages that ship them: all of their convolutions can be seen, and are right."""

import numpy as np
import onnx
import pytest
import trained
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from convviz.analysis import compare
from convviz.compute import filters
from convviz.compute.networks.sources import source_of
from convviz.files.checkpoints import read_checkpoint
from convviz.images.decode import as_picture
from convviz.results import feature_maps
from convviz.results.context import convolutions, in_network
from convviz.spec.settings import LayerSettings
from convviz.spec.wanted import NetworkSettings

SHAPES = {
    "ch_PP-OCRv4_det_infer": (3, 64, 96),
    "ch_PP-OCRv4_rec_infer": (3, 48, 96),
    "320n": (3, 96, 64),
    "common_old": (1, 64, 96),
    "open-nsfw": (3, 224, 224),
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_convolution_of_a_trained_network_is_the_one_that_it_computes(name):
    path, shape = trained.network(name), SHAPES[name]
    opened = source_of(NetworkSettings(net=str(path))).open(shape)
    picture = as_picture(np.random.default_rng(3).normal(size=shape).astype(np.float32))
    found = convolutions(opened.engine.steps(shape))
    nodes = onnx.load(path).graph.node
    assert len(found) == sum(one.op_type in ("Conv", "ConvTranspose", "ConvInteger") for one in nodes)
    for step in found:
        about = in_network(opened, picture, step.name)
        result = feature_maps.run(about.picture, about.layer, about.weights, backend="numpy")
        assert step.parameters == sum(
            one.size for one in (about.weights.weight, about.weights.bias) if one is not None
        )
        largest = max(float(np.abs(about.network.maps).max()), 1e-6)
        # Sums of whole numbers are exact; their input is rounded to 256 steps while the network runs.
        allowed = 0.05 if any(one.op_type == "ConvInteger" for one in nodes) else 1e-5
        difference = compare.between(result, about.network.maps, "onnxruntime").difference
        assert difference <= allowed * largest, step.name


def test_a_stored_layer_without_its_network_is_that_of_the_reference():
    path = trained.network("ch_PP-OCRv4_det_infer")
    x = np.random.default_rng(2).normal(size=(3, 20, 30)).astype(np.float32)
    layer, weights, _ = filters.build(LayerSettings(weights=path, layer_name="p2o.Conv.0"), 3)
    model = onnx.load(path)
    names = [node.name for node in model.graph.node]
    del model.graph.node[names.index("p2o.Conv.0") + 1 :]
    del model.graph.output[:]
    made = model.graph.node[-1].output[0]
    model.graph.output.append(helper.make_tensor_value_info(made, TensorProto.FLOAT, None))
    expected = ReferenceEvaluator(model).run(None, {"x": x[None]})[0][0]
    np.testing.assert_allclose(
        feature_maps.run(x, layer, weights).maps, expected, rtol=0, atol=1e-5 * np.abs(expected).max()
    )


def test_every_convolution_of_a_trained_network_is_listed():
    path = trained.network("ch_PP-OCRv4_det_infer")
    nodes = onnx.load(path).graph.node
    count = sum(node.op_type in ("Conv", "ConvTranspose") for node in nodes)
    assert len(read_checkpoint(path).convolutions) == count == 64
