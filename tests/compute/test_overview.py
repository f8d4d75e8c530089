"""The steps that show a network at a glance, by hand from what each network is built of."""

import pytest
import zoo

from convviz.compute import networks
from convviz.compute.networks.engine import NetworkStep, overview_steps
from convviz.spec.reach import Reach

# Of a picture of 32x32: the stem of the ResNet and of the DenseNet halves it, and so does the pooling behind;
# each further stage of the ResNet halves it again. The U-Net goes down once and up again. The MobileNet has
# two layers with a stride of 2, and its gates are single values.
ROWS = {
    "asymmetric": [(4, 32, 32), (6, 16, 27)],
    "U-Net": [(4, 32, 32), (8, 16, 16), (2, 32, 32)],
    "detector": [(8, 16, 16), (8, 8, 8), (6, 16, 16), (6, 8, 8)],
    "ResNet": [(64, 16, 16), (64, 8, 8), (128, 4, 4), (256, 2, 2), (512, 1, 1), (5,)],
    "DenseNet": [(8, 16, 16), (8, 8, 8), (16, 4, 4), (5,)],
    "MobileNet": [(16, 16, 16), (96, 8, 8), (5,)],
    "ViT": [(16, 4, 4), (5,)],
    "Swin": [(8, 16, 16), (5,)],
}
NAMES = {
    "ResNet": ["relu", "layer1.1.relu:2", "layer2.0.relu:2", "layer3.0.relu:2", "layer4.0.relu:2", "fc"],
    "U-Net": ["down.2", "bottom.1", "head"],
}


@pytest.mark.parametrize("name", ROWS)
def test_an_overview_of_a_module_has_the_last_step_of_every_size(name):
    found = overview_steps(networks.of_module(zoo.network(name)).steps((3, 32, 32)))
    assert [step.output_shape for step in found] == ROWS[name]
    assert [step.name for step in found] == NAMES.get(name, [step.name for step in found])


@pytest.mark.parametrize("name", ["U-Net", "MobileNet", "detector", "ViT", "Swin"])
def test_an_overview_of_a_file_has_the_same_rows(name, tmp_path):
    path = zoo.export(zoo.network(name), tmp_path / "net.onnx", dynamo=False)
    found = overview_steps(networks.open_onnx(path).steps((3, 32, 32)))
    assert [step.output_shape for step in found] == ROWS[name]


def test_channels_last_are_chosen_where_they_can_be_drawn():
    """The same size whichever way it lies, and so one row: that of the last of them."""
    reach = Reach()
    lie = [("conv", (8, 6, 5), "chw"), ("turned", (6, 5, 8), "hwc"), ("tokens", (5, 6, 8), "")]
    steps = [
        NetworkStep(name, "?", (), shape, height=reach, width=reach, layout=layout)
        for name, shape, layout in lie
    ]
    assert [step.name for step in overview_steps(steps)] == ["conv"]
    assert [step.name for step in overview_steps(steps, ("chw", "hwc"))] == ["turned"]
