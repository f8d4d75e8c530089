"""The steps that show a network at a glance, by hand from what each network is built of."""

from xml.etree import ElementTree

import numpy as np
import pytest
import torch
import zoo

import convviz as library
from convviz.compute import networks
from convviz.compute.networks.engine import NetworkStep
from convviz.compute.networks.overview import output_steps, overview_steps
from convviz.render.drawings.drawing import to_svg
from convviz.spec.reach import Reach

# Of a picture of 32x32: the stem of the ResNet and of the DenseNet halves it, and so does the pooling behind;
# each further stage of the ResNet halves it again. The U-Net goes down once and up again. The MobileNet has
# two layers with a stride of 2, and its gates are single values. The ViT has 4x4 patches and a class token.
ROWS = {
    "asymmetric": [(4, 32, 32), (6, 16, 27)],
    "U-Net": [(4, 32, 32), (8, 16, 16), (2, 32, 32)],
    "detector": [(8, 16, 16), (8, 8, 8), (6, 16, 16), (6, 8, 8)],
    "ResNet": [(64, 16, 16), (64, 8, 8), (128, 4, 4), (256, 2, 2), (512, 1, 1), (5,)],
    "DenseNet": [(8, 16, 16), (8, 8, 8), (16, 4, 4), (5,)],
    "MobileNet": [(16, 16, 16), (96, 8, 8), (5,)],
    "ViT": [(16, 4, 4), (17, 16), (5,)],
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


@pytest.mark.parametrize(("told", "rows"), [(True, "a b1 sum"), (False, "a b a1 b1 sum")])
def test_branches_that_are_computed_in_turns_are_no_change_of_size(told, rows):
    """A branch of 8x8 (a, a1, a2), one of 4x4 (b, b1) that is enlarged (up), and the sum of both."""
    reach = Reach()
    order = [
        ("a", 8, "input"),
        ("b", 4, "a"),
        ("a1", 8, "a"),
        ("b1", 4, "b"),
        ("a2", 8, "a1"),
        ("up", 8, "b1"),
    ]
    steps = [
        NetworkStep(
            name,
            "?",
            (),
            (1, side, side),
            height=reach,
            width=reach,
            layout="chw",
            inputs=tuple(read) if told else (),
        )
        for name, side, *read in [*order, ("sum", 8, "a2", "up")]
    ]
    assert " ".join(step.name for step in overview_steps(steps)) == rows


class TwoHeads(torch.nn.Module):
    """Ten scores first and a picture last, both of one layer; and boxes, some of them twice."""

    def __init__(self):
        super().__init__()
        self.stem, self.up = torch.nn.Conv2d(3, 16, 3, 2, 1), torch.nn.ConvTranspose2d(16, 8, 2, 2)
        self.head, self.boxes = torch.nn.Linear(16, 10), torch.nn.Linear(16, 4)

    def forward(self, x):
        y = self.stem(x)
        every = self.boxes(torch.cat([y.flatten(2), y.flatten(2)[..., :4]], -1).mT)
        return every, self.head(y.mean((2, 3))), self.up(y)


def test_every_output_of_a_network_has_a_row_or_is_named_as_left_out():
    """Half of 28 is 14, so there are 14 * 14 + 4 = 200 boxes, which no row can show."""
    found = library.run_net(TwoHeads(), np.ones((3, 28, 28), np.float32))
    assert [(one.name, one.output_shape) for one in output_steps(found.steps)] == [
        ("boxes", (200, 4)),
        ("head", (10,)),
        ("up", (8, 28, 28)),
    ]
    assert [one.name for one in found.shown] == ["stem", "head", "up"]
    root = ElementTree.fromstring(to_svg(found.sheet().drawing))
    text = " ".join(root.itertext())
    assert "boxes 200x4, head 10, up 8x28x28" in text
    assert "and the outputs; outputs without a row, which --layer NAME shows: boxes 200x4" in " ".join(
        text.split()
    )
