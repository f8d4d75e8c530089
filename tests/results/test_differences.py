"""Where two networks part: planted faults are found in the right layer, and none where there is none."""

import copy

import numpy as np
import onnx
import pytest
import torch
import zoo
from onnxruntime import quantization
from sheet_frames import frames, inside
from torch import nn
from torch.nn import functional as F

import convviz
from convviz.compute.networks import matching, of_module, open_onnx
from convviz.errors import BackendError, SpecError, UnknownNameError
from convviz.render.drawings.drawing import Label
from convviz.render.palette import OUTPUT_TEAL
from convviz.render.sheets import differences
from convviz.results import diff_of
from convviz.results.running import source_from
from convviz.spec.stacks import parse_layers

X = zoo.picture()


class Small(nn.Module):
    """Convolution, normalization, a layer that is called twice, a function, and one linear layer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.second = nn.Conv2d(6, 8, 3, padding=1, groups=2)
        self.third = nn.Conv2d(8, 8, 3, padding=2, dilation=2)
        self.last = nn.Linear(8, 5)

    def between(self, x):
        return torch.tanh(x)

    def forward(self, x):
        x = self.pool(self.relu(self.norm(self.first(x))))
        x = self.relu(self.third(self.between(self.second(x))))
        return self.last(x.mean((2, 3)))


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(7)
    return zoo.calibrated(Small(), torch.randn(4, 3, 32, 32))


@pytest.fixture(scope="module", params=[False, True], ids=["the older exporter", "the newer exporter"])
def exported(request, small, tmp_path_factory):
    """The file of the module, by each exporter."""
    return zoo.export(small, tmp_path_factory.mktemp("small") / "small.onnx", dynamo=request.param)


def weight(module):
    module.third.weight.data[1, 2, 0, 1] += 0.2


def bias(module):
    module.last.bias.data[3] += 0.5


def epsilon(module):
    module.norm.eps = 0.05


def statistics(module):
    module.norm.running_mean[2] += 0.1


def padding_mode(module):
    module.second.padding_mode = "reflect"
    module.second._reversed_padding_repeated_twice = [1, 1, 1, 1]


def dilation(module):
    module.third.dilation, module.third.padding = (1, 1), (1, 1)


def stride(module):
    module.pool.stride = 1


def filters_swapped(module):
    module.first.weight.data = module.first.weight.data[[1, 0, 2, 3, 4, 5]]


def flipped(module):
    module.second.weight.data = module.second.weight.data.flip(2, 3)


def half(module):
    module.second.weight.data = module.second.weight.data.half().float()


def activation(module):
    module.relu = nn.LeakyReLU(0.2)


def pool(module):
    module.pool = nn.AvgPool2d(2)


FAULTS = [
    (weight, "third"), (bias, "last"), (epsilon, "norm"), (statistics, "norm"), (padding_mode, "second"),
    (dilation, "third"), (stride, "pool"), (filters_swapped, "first"), (flipped, "second"), (half, "second"),
    (activation, "relu"), (pool, "pool"),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "where"), FAULTS, ids=[plant.__name__ for plant, _ in FAULTS])
def test_a_planted_fault_is_found_in_its_layer(small, plant, where):
    other = copy.deepcopy(small)
    plant(other)
    found = convviz.diff(small, other, X)
    assert not found.within
    assert found.first.name == where
    assert found.note == ""
    with pytest.raises(BackendError, match=rf"beyond the tolerance 0.0001; the first is {where}\.$"):
        found.check()
    # Backwards too.
    assert convviz.diff(other, small, X).first.name == where


@pytest.mark.parametrize(
    ("plant", "where"),
    [(weight, "third"), (epsilon, "norm"), (padding_mode, "second"), (bias, "last"), (pool, "pool")],
    ids=["weight", "epsilon", "padding mode", "bias", "pool"],
)
def test_a_fault_is_found_between_a_module_and_its_file(small, exported, plant, where):
    """The exporter folds the normalization into the convolution before it, which makes its output."""
    other = copy.deepcopy(small)
    plant(other)
    found = convviz.diff(other, exported, X)
    assert found.first.name == where
    back = convviz.diff(exported, other, X).first
    assert where in (back.name, back.other)


@pytest.mark.parametrize("name", ["U-Net", "ResNet", "Swin"])
def test_the_same_weights_through_both_exporters_agree(name, tmp_path):
    module = zoo.network(name)
    older, newer = (zoo.export(module, tmp_path / f"{at}.onnx", dynamo=bool(at)) for at in (0, 1))
    pairs = [(module, older), (module, newer), (newer, module), (older, newer)]
    found = [convviz.diff(a, b, X) for a, b in pairs]
    assert [one.within for one in found] == [True] * 4
    convolutions = sum(isinstance(one, nn.Conv2d) for one in module.modules())
    assert all(len(one.layers) >= convolutions for one in found)


def test_weights_that_an_exporter_folded_are_told(small, exported, tmp_path):
    """The call that the remark names keeps the weights as they are, so that it is not made there."""
    for pair in ((small, exported), (exported, small)):
        found = convviz.diff(*pair)
        assert found.first.name == "first.weight"
        assert "batch normalizations: an exporter may have folded" in found.note
        assert "TrainingMode.PRESERVE" in found.notes[0]
    kept = {"dynamo": False, "training": torch.onnx.TrainingMode.PRESERVE}
    apart = convviz.diff(small, zoo.export(small, tmp_path / "apart.onnx", **kept))
    assert (apart.first, apart.note) == (None, "")
    changed = {**small.state_dict(), "first.weight": 2 * small.first.weight}
    assert convviz.diff(small, changed).note == ""


def test_a_folded_convolution_is_compared_with_the_normalization_after_it(small, exported):
    found = convviz.diff(small, exported, X)
    assert found.within
    pairs = {one.name: (one.other, one.how) for one in found.layers}
    assert pairs["norm"] == ("first", "folded")
    assert "first" not in pairs
    assert [one.name for one in found.first_only] == ["first"]
    # The second call of a layer is relu:2 in torch, relu_1 in the file.
    assert pairs["relu"] == ("relu", "name")
    assert pairs["relu:2"][0] in ("relu_1", "relu:2")


def test_a_change_in_code_between_two_layers_is_not_blamed_on_the_next_one(small):
    class Other(Small):
        def between(self, x):
            return torch.sigmoid(x)

    other = Other().eval()
    other.load_state_dict(small.state_dict())
    found = convviz.diff(small, other, X)
    assert found.first.name == "third"
    assert found.note == (
        "what arrives at third differs already: the change lies between second and third, in what is no "
        "layer of both"
    )


def test_a_layer_that_a_file_writes_as_several_steps_is_blamed_itself(tmp_path):
    """What arrives at the last of these steps differs, but not what arrives at the layer."""

    def network(eps):
        torch.manual_seed(2)
        layers = nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8, eps), nn.ReLU(), nn.Conv2d(8, 4, 3)
        return nn.Sequential(*layers).eval()

    path = str(zoo.export(network(1e-5), tmp_path / "group.onnx", dynamo=False))
    changed = network(0.1)
    for found in (convviz.diff(path, changed, X), convviz.diff(changed, path, X)):
        assert (found.first.name, found.note) == ("1", "")


def test_a_layer_that_only_one_network_has_is_named_where_they_part():
    torch.manual_seed(0)
    whole = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)).eval()
    less = copy.deepcopy(whole)
    del less[1]
    less = nn.Sequential()
    less.add_module("0", whole[0])
    less.add_module("2", whole[2])
    found = convviz.diff(whole, less, X)
    assert found.first.name == "2"
    assert found.note == "what arrives at 2 differs already: the change lies in or near 1, which only A has"
    assert [one.name for one in found.first_only] == ["1"]


def test_layers_of_other_names_are_matched_by_their_order():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 2, 3)).eval()
    network = convviz.parse_layers("conv 4 k3 | relu | maxpool 2 | conv 2 k3")
    torch.manual_seed(0)  # the seeded weights of a network are those that torch draws
    found = convviz.diff(module, network, X)
    names = [("0", "conv1"), ("1", "relu1"), ("2", "maxpool1"), ("3", "conv2")]
    assert [(one.name, one.other) for one in found.layers[:4]] == names
    assert {one.how for one in found.layers} == {"order"}
    assert found.within


def test_of_several_inputs_the_worst_one_counts(small):
    """The bias of one map is the same share of it everywhere; a weight counts where the input is large."""
    other = copy.deepcopy(small)
    weight(other)
    inputs = [np.zeros((3, 32, 32), np.float32), X, np.zeros((3, 24, 40), np.float32)]
    alone = [convviz.diff(small, other, one).layers for one in inputs]
    found = convviz.diff(small, other, inputs)
    assert found.inputs == ["input 0", "input 1", "input 2"]
    for at, one in enumerate(found.layers):
        assert one.relative == max(layers[at].relative for layers in alone)
        assert one.found == alone[one.input][at].found
    assert {one.input for one in found.layers} > {0}


def test_the_order_of_computation_is_that_in_which_outputs_exist():
    """A module that contains others has its output after they have theirs."""

    class Block(nn.Sequential):
        pass

    module = nn.Sequential(Block(nn.Conv2d(3, 2, 1), nn.ReLU()), nn.Conv2d(2, 2, 1)).eval()
    found = matching.match(of_module(module), of_module(module), X.shape)
    assert list(found.order) == ["0.0", "0.1", "0", "1", "Sequential"]


def test_outputs_that_do_not_fit_together_are_computed_in_groups(small, monkeypatch):
    whole = convviz.diff(small, small, X)
    calls = []
    monkeypatch.setattr(diff_of.memory, "share", lambda: 4 * 2 * 4 * 6 * 32 * 32)
    real = diff_of.activations

    def counted(*given, **more):
        calls.append(given)
        return real(*given, **more)

    monkeypatch.setattr(diff_of, "activations", counted)
    found = convviz.diff(small, small, X)
    assert len(calls) > 4  # two for each group
    assert [one.found for one in found.layers] == [one.found for one in whole.layers]


def test_nan_in_one_network_is_a_difference_and_in_both_is_none(small):
    broken = copy.deepcopy(small)
    broken.second.bias.data[0] = torch.nan
    found = convviz.diff(small, broken, X)
    assert found.first.name == "second"
    assert found.first.found.lone == 16 * 16
    assert "256 values NaN or infinite in only one of the two" in found.sentence
    same = convviz.diff(broken, broken, X)
    assert same.within
    assert same.layers[4].found.not_finite == 16 * 16


class Calibration(quantization.CalibrationDataReader):
    """Pictures from which a quantizer takes the ranges of values."""

    def __init__(self, path):
        name = onnx.load(path).graph.input[0].name
        self.left = iter([{name: X[None]}, {name: 1 - X[None]}])

    def get_next(self):
        return next(self.left, None)


@pytest.mark.parametrize("name", ["QDQ", "QOperator", "dynamic"])
def test_integers_are_compared_as_the_numbers_that_they_stand_for(small, exported, tmp_path, name):
    """A quantizer folds the activation into the convolution; 8 bits leave all cosines above 0.99."""
    path = tmp_path / "int8.onnx"
    if name == "dynamic":
        quantization.quantize_dynamic(exported, path)
    else:
        form = quantization.QuantFormat[name]
        quantization.quantize_static(exported, path, Calibration(exported), quant_format=form)
    found = convviz.diff(exported, path, X, tolerance=0.2)
    assert found.within, found
    assert min(one.found.cosine for one in found.layers) > 0.99
    assert {"first", "second", "third"} <= {one.other.partition(":")[0] for one in found.layers}
    assert not convviz.diff(exported, path, X).within


def test_networks_with_nothing_in_common_are_refused():
    a, b = nn.Sequential(nn.Conv2d(3, 2, 3)), convviz.parse_layers("maxpool 2")
    with pytest.raises(SpecError, match="no layer in common"):
        convviz.diff(a, b, X)


# --- the asymmetric case


def asymmetric(x, weights, bias):
    """3x5 kernels, stride 2x1, dilation 1x2, padding 1, 0, 2, 1, two groups, by torch's own function."""
    padded = F.pad(torch.from_numpy(x)[None], (2, 1, 1, 0))
    return F.conv2d(padded, weights, bias, (2, 1), 0, (1, 2), 2)[0].numpy()


NETWORK = """
[[layer]]
name = "conv1"
type = "conv"
out_channels = 6
kernel_size = [3, 5]
stride = [2, 1]
dilation = [1, 2]
padding = [[1, 0], [2, 1]]
groups = 2

[[layer]]
type = "relu"
"""


def test_the_asymmetric_case_has_the_figures_of_torch(tmp_path):
    """One kernel value of filter 4 is changed: all figures follow from the two results of torch."""
    (tmp_path / "net.toml").write_text(NETWORK)
    network = convviz.read_net(tmp_path / "net.toml")
    chance = np.random.default_rng(2)
    x, weights, bias = (
        chance.normal(size=shape).astype(np.float32) for shape in ((4, 9, 11), (6, 2, 3, 5), (6,))
    )
    changed = weights.copy()
    changed[4, 1, 2, 3] += 0.25
    both = (weights, changed)
    sources = [source_from(network, {"conv1": {"weight": one, "bias": bias}}, 0) for one in both]
    found = convviz.diff(*sources, x)
    a, b = (asymmetric(x, torch.from_numpy(one), torch.from_numpy(bias)) for one in both)
    assert found.first.name == "conv1"
    assert found.first.shape == a.shape == (6, 4, 6)
    assert found.first.found.largest == pytest.approx(np.abs(a - b).max(), rel=1e-5)
    assert found.first.found.mean == pytest.approx(np.abs(a - b).mean(), rel=1e-5)
    wide = a.astype(float).ravel(), b.astype(float).ravel()
    cosine = wide[0] @ wide[1] / (np.linalg.norm(wide[0]) * np.linalg.norm(wide[1]))
    assert found.first.found.cosine == pytest.approx(cosine, rel=1e-6)
    drawn = found.arrays(["conv1"])
    # Two sums of 30 products are each rounded in float32, in an order that depends on the processor.
    np.testing.assert_allclose(drawn["difference.conv1"], b - a, atol=1e-5)
    assert not drawn["difference.conv1"][[0, 1, 2, 3, 5]].any()


# --- stored numbers


def test_changed_parameters_are_named(small, tmp_path):
    other = copy.deepcopy(small)
    weight(other)
    found = convviz.diff(small, other)
    assert [one.name for one in found.layers if not one.within] == ["third.weight"]
    # 0.2 was added to one value.
    assert found.first.found.largest == pytest.approx(0.2, rel=1e-6)
    torch.save(small.state_dict(), tmp_path / "a.pt")
    torch.save(other.state_dict(), tmp_path / "b.pt")
    stored = convviz.diff(tmp_path / "a.pt", str(tmp_path / "b.pt"))
    assert [one.found for one in stored.layers] == [one.found for one in found.layers]
    assert "first is third.weight" in repr(stored)


def test_arrays_without_a_partner_and_of_other_shapes_are_differences():
    a = {"one": np.ones(2), "two": np.ones((2, 2)), "more": np.ones(1)}
    found = convviz.diff(a, {"one": np.ones(2), "two": np.ones((2, 3)), "less": np.ones(1)})
    assert [one.status for one in found.layers] == ["equal", "shape differs"]
    assert [one.name for one in found.first_only + found.second_only] == ["more", "less"]
    alone = convviz.diff({"one": 1.0, "more": 2.0}, {"one": 1.0})
    assert alone.first is None
    assert not alone.within
    assert "1 array without a partner" in alone.sentence


def test_a_wrapper_of_the_names_and_other_names_are_seen_through():
    state = {"a.weight": np.ones((2, 2)), "a.bias": np.zeros(2)}
    wrapped = {f"module.{name}": value for name, value in state.items()}
    assert convviz.diff(state, wrapped).within
    assert convviz.diff(wrapped, state).within
    renamed = convviz.diff(state, {"x": np.ones((2, 2)), "y": np.zeros(2)})
    assert renamed.within
    assert {one.how for one in renamed.layers} == {"order"}


def test_arrays_are_compared_by_themselves():
    found = convviz.diff([[1.0, 2.0]], np.array([[1.0, 2.5]]))
    assert found.first.name == "array"
    assert found.first.found.largest == 0.5
    assert convviz.diff([[1.0, 2.0]], [[1.0, 2.5]], tolerance=0.25).within


# --- the picture


def test_one_pixel_of_many_that_differs_has_its_full_colour():
    """640 pixels are drawn as 320, a mean of four pixels would be a quarter; B is larger: orange."""
    first = np.zeros((640, 640), np.float32)
    second = first.copy()
    second[100, 201] = 3
    image = differences.draw(["title"], [differences.Row("x", first, second)]).image()
    place = frames(image, OUTPUT_TEAL)[2]
    drawn = inside(image, place)
    assert drawn[50, 100].tolist() == [0xE6, 0x61, 0x01]
    assert (drawn != drawn[0, 0]).any(axis=-1).sum() == 1


def test_the_sheet_shows_both_maps_on_one_scale_and_the_signed_difference(small):
    """The map of the largest difference is that of filter 1, whose weight was changed."""
    other = copy.deepcopy(small)
    weight(other)
    sheet = convviz.diff(small, other, X).sheet(["third"])
    names = [tile.name for tile in sheet.maps]
    assert names[:2] == ["third, map 1: A", "third, map 1: B"]
    assert names[2].startswith("third, map 1: B - A, ")
    a, b, between = sheet.ends
    assert a == b
    assert between[0] == -between[1]


@pytest.mark.parametrize(("layers", "said"), [(3, False), (6, True)])
def test_a_sheet_of_some_layers_says_which_these_are(layers, said):
    a, b = ([f"conv 2 k3 p{edge} d{edge}"] + (layers - 1) * ["relu"] for edge in (1, 2))
    found = convviz.diff(*(parse_layers(" | ".join(one)) for one in (a, b)), X)
    told = [one.text for one in found.sheet().drawing.shapes if isinstance(one, Label)]
    assert any(one.startswith("drawn: 4 of 6 layers: the first that differs, and ") for one in told) == said


def test_the_kernels_that_changed_are_drawn(small):
    other = copy.deepcopy(small)
    weight(other)
    sheet = convviz.diff(small, other).sheet()
    # No other kernel changed.
    assert [tile.name for tile in sheet.maps][::3] == ["third.weight, filter 1, channel 2: A"]
    assert len(sheet.maps) == 3


def test_a_layer_that_does_not_exist_is_refused(small):
    with pytest.raises(UnknownNameError, match="no layer named 'thrid'; did you mean 'third'"):
        convviz.diff(small, small, X).sheet(["thrid"])


def test_a_file_lists_the_modules_that_its_steps_belong_to(tmp_path):
    path = zoo.export(zoo.network("U-Net"), tmp_path / "x.onnx", dynamo=False)
    assert open_onnx(path).joint == {"bottom": "bottom.1", "down": "down.2"}
