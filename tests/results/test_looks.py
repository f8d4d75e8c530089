"""Where layers of a network respond: modules, files and layers written down agree with torch."""

import numpy as np
import pytest
import torch
import zoo
from torch import nn

import convviz
from convviz.errors import InputError, SpecError, UnknownNameError
from convviz.render.drawings.drawing import Bitmap, Label
from convviz.render.sheets import overlays
from convviz.results.look_at import look_at
from convviz.results.running import picture_for, source_from
from convviz.spec.geometry import HW
from convviz.spec.looking import LookSettings

X = np.random.default_rng(8).random((3, 20, 24)).astype(np.float32)


class Classifier(nn.Module):
    """Two convolutions, the second changed in place, a global average pool and one linear layer."""

    def __init__(self, *last):
        super().__init__()
        self.first = nn.Conv2d(3, 5, 3, stride=2, padding=1)
        self.second = nn.Conv2d(5, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.linear = nn.Linear(6, 4)
        self.last = nn.Sequential(*last)

    def forward(self, x):
        maps = self.relu(self.second(torch.tanh(self.first(x))))
        return self.last(self.linear(maps.mean((2, 3))))


@pytest.fixture
def module():
    torch.manual_seed(3)
    return Classifier().eval()


def own_gradient(module, layer, target):
    """Maps and gradients by torch alone: the maps are cut out and fed back as a leaf of their own."""
    image = torch.from_numpy(X)[None]
    before = torch.tanh(module.first(image))
    if layer == "first":
        leaf = module.first(image).detach().requires_grad_()
        maps = torch.relu(module.second(torch.tanh(leaf)))
    else:
        leaf = module.second(before).detach().requires_grad_()
        maps = torch.relu(leaf)
    module.linear(maps.mean((2, 3)))[0, target].backward()
    return leaf.detach()[0], leaf.grad[0]


@pytest.mark.parametrize("layer", ["first", "second"])
def test_gradcam_is_that_of_its_definition_even_where_a_layer_is_changed_in_place(module, layer):
    maps, gradient = own_gradient(module, layer, 2)
    wanted = torch.relu((maps * gradient.mean((1, 2), keepdim=True)).sum(0))
    found = convviz.look(X, module, layer, how="gradcam", target=2)
    np.testing.assert_allclose(found[0].values, wanted, atol=1e-7)
    assert found.target.index == 2


def test_gradcam_of_several_layers_and_a_class_runs_the_network_no_more_than_a_mean(module):
    runs = []
    module.register_forward_pre_hook(lambda *called: runs.append(called))
    convviz.look(X, module, "first", how="mean")
    of_a_mean = len(runs)
    found = convviz.look(X, module, ["first", "second"], how="gradcam", target=2)
    for one in found:
        maps, gradient = own_gradient(module, one.layer, 2)
        wanted = torch.relu((maps * gradient.mean((1, 2), keepdim=True)).sum(0))
        np.testing.assert_allclose(one.values, wanted, atol=1e-7)
    assert len(runs) == 2 * of_a_mean


@pytest.mark.parametrize("how", ["cam", "gradcam"])
def test_an_index_is_an_index_even_where_classes_are_named_by_digits(module, how):
    """Class 3 is called "0": a name that is the index of another class."""
    scores = module(torch.from_numpy(X)[None])[0].detach()
    source = source_from(module, None, 0)
    names = ("1", "2", "3", "0")
    opened = source.open(X.shape)._replace(classes=names)
    picture = picture_for(source, X)
    largest = int(scores.argmax())
    for wanted, index in ((3, 3), ("3", 2), (None, largest)):
        found = look_at(opened, picture, ["relu"], asked=LookSettings(how, wanted))
        assert (found.target.index, found.target.name) == (index, names[index])
        assert found.target.score == pytest.approx(float(scores[index]), rel=1e-5)


def test_a_softmax_at_the_end_does_not_hide_the_gradient(module):
    plain = convviz.look(X, module, "second", how="gradcam", target=1)[0].values
    for last in (nn.Softmax(1), nn.LogSoftmax(1)):
        torch.manual_seed(3)
        found = convviz.look(X, Classifier(last).eval(), "second", how="gradcam", target=1)
        np.testing.assert_allclose(found[0].values, plain, rtol=1e-5)


def test_layers_that_are_written_down_have_the_gradient_of_the_module():
    network = convviz.parse_layers("conv 4 k3 | relu | adaptiveavgpool 1 | flatten | linear 3 | softmax")
    found = convviz.look(X, network, "conv1", how="gradcam", target=1)
    conv, linear = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)
    steps = network.sized(X.shape)
    from convviz.compute.networks.filling import seeded

    numbers = seeded(steps)
    for one, name in ((conv, "conv1"), (linear, "linear1")):
        one.weight.data, one.bias.data = (torch.from_numpy(numbers[name][key]) for key in ("weight", "bias"))
    maps = conv(torch.from_numpy(X)[None]).detach().requires_grad_()
    linear(torch.relu(maps).mean((2, 3)))[0, 1].backward()
    wanted = torch.relu((maps[0] * maps.grad[0].mean((1, 2), keepdim=True)).sum(0)).detach()
    np.testing.assert_allclose(found[0].values, wanted, atol=1e-7)


def test_the_exact_class_map_is_the_same_of_module_and_file(module, tmp_path):
    image = torch.from_numpy(X)[None]
    with torch.no_grad():
        maps = torch.relu(module.second(torch.tanh(module.first(image))))[0]
        scores = module(image)[0]
    best = int(scores.argmax())
    wanted = torch.tensordot(module.linear.weight[best], maps, 1).detach()
    found = convviz.look(X, module, "relu", how="cam")
    np.testing.assert_allclose(found[0].values, wanted, atol=1e-5)
    assert found.target.index == best
    assert found.target.score == pytest.approx(float(scores[best]), rel=1e-5)
    for dynamo in (False, True):
        path = zoo.export(module, tmp_path / f"{dynamo}.onnx", dynamo=dynamo, size=X.shape[1:])
        # Without a layer: the last one with the channels that the linear layer reads.
        of_file = convviz.look(X, str(path), how="cam")
        np.testing.assert_allclose(of_file[0].values, wanted, atol=1e-5)


def test_what_has_no_class_map_or_gradient_is_refused_with_the_remedy(module, tmp_path):
    with pytest.raises(SpecError, match=r"other scores.*gradcam"):
        convviz.look(X, module, "second", how="cam")  # before the ReLU
    with pytest.raises(SpecError, match="5 maps, and the linear layer reads 6"):
        convviz.look(X, module, "first", how="cam")
    with pytest.raises(SpecError, match="this network has no linear layer"):
        convviz.look(X, nn.Sequential(nn.Conv2d(3, 2, 3)), how="cam")
    flattened = convviz.parse_layers("conv 4 k3 s2 | maxpool 2 | flatten | linear 5 | relu | linear 3")
    with pytest.raises(SpecError, match=r"does not have these.* reads 5 values.*gradcam, or eigencam"):
        convviz.look(X, flattened, how="cam")
    path = zoo.export(module, tmp_path / "x.onnx", dynamo=False, size=X.shape[1:])
    with pytest.raises(SpecError, match="gradients, which onnxruntime does not compute"):
        convviz.look(X, str(path), how="gradcam")
    with pytest.raises(SpecError, match="not in one row of scores"):
        convviz.look(X, nn.Sequential(nn.Conv2d(3, 2, 3)), how="gradcam")
    for how in ("l2", "gradcam"):
        with pytest.raises(SpecError, match="no positions"):
            convviz.look(X, module, "linear", how=how)
        with pytest.raises(SpecError, match="no positions"):
            convviz.look(X, module, "Classifier", how=how)
    probabilities = convviz.parse_layers("conv 4 k3 | adaptiveavgpool 1 | flatten | linear 3 | softmax")
    with pytest.raises(SpecError, match=r"do not depend on 'softmax1'.*before"):
        convviz.look(X, probabilities, "softmax1", how="gradcam")
    with pytest.raises(UnknownNameError, match="frist"):
        convviz.look(X, module, "frist")
    with pytest.raises(SpecError, match="index from 0 to 3"):
        convviz.look(X, module, "relu", how="cam", target=4)
    with pytest.raises(UnknownNameError, match="no reduction named 'heat'"):
        convviz.look(X, module, how="heat")
    with pytest.raises(InputError, match="3 channels"):
        convviz.look(X[:1], module)


def test_the_module_is_left_as_it_was(module):
    module.train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    convviz.look(X, module, "relu", how="gradcam")
    assert module.training
    assert all(one.grad is None for one in module.parameters())
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in module.modules())


def test_tokens_become_square_maps_and_attention_one_map_per_head():
    module = zoo.network("ViT")
    image = zoo.picture()
    names = [one.name for one in convviz.run_net(module, image).steps]
    block = next(name for name in names if name.endswith("mlp"))
    found = convviz.look(image, module, block)[0]
    values = convviz.run_net(module, image, layers=[block]).activation(block)
    side = int(np.sqrt(len(values) - 1))
    wanted = np.sqrt(np.square(values[1:].astype(np.float64)).sum(1)).reshape(side, side)
    np.testing.assert_allclose(found.values, wanted, rtol=1e-5)


def test_a_map_alone_is_as_large_as_its_picture_and_has_the_bar():
    """224 pixels are drawn as they are, and maps of 7x7 with 32 pixels a value."""
    layer = nn.Conv2d(1, 2, 32, 32)
    sheet = convviz.look(np.random.default_rng(1).random((1, 224, 224), np.float32), layer).sheet()
    over, alone = [tile for tile in sheet.maps if tile.name.startswith("Conv2d")]
    assert over.size == alone.size == (224, 224)
    assert (over.bar is None, over.note, alone.bar is None) == (True, "opacity 0.55", False)


def test_attention_is_drawn_head_by_head_with_its_token_framed():
    """Of 4x4 tokens on 32x32 pixels, which are drawn ten times as large, 1,2 has rows 80 to 159."""
    module = zoo.network("ViT")
    name = "encoder.layers.encoder_layer_0.self_attention[weights]"
    found = convviz.look(zoo.picture(), module, name, token=(1, 2))
    assert [one.layer for one in found] == [f"{name}: head 0", f"{name}: head 1"]
    sheet = found.sheet()
    assert sheet.title == f"VisionTransformer: attention of {name} (2x17x17)"
    words = [one.text for one in sheet.drawing.shapes if isinstance(one, Label)]
    for word in ("input, the token framed", "head 0", "head 1", "head 0, alone", "head 1, alone"):
        assert word in words
    base = next(one for one in sheet.drawing.shapes if isinstance(one, Bitmap)).levels
    plain = np.repeat(np.repeat(np.rint(zoo.picture() * 255), 10, 1), 10, 2).transpose(1, 2, 0)
    changed = (np.abs(base[:] - plain) > 1).any(axis=-1)
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (78, 161, 158, 241)
    assert not changed[82:158, 162:238].any()


def test_the_usual_layer_of_a_transformer_has_its_last_tokens():
    """The score of a class reads the class token alone, so that Grad-CAM of the last tokens would be 0."""
    module = zoo.network("ViT")
    assert convviz.look(zoo.picture(), module)[0].layer == "encoder.ln"
    assert convviz.look(zoo.picture(), module, how="gradcam")[0].layer == "conv_proj"
    queries = nn.Sequential(nn.Conv2d(3, 9, 1), nn.Flatten(2), nn.Linear(1024, 4))  # (9, 4) is no picture
    assert convviz.look(zoo.picture(), queries)[0].layer == "0"


def test_where_positions_are_drawn_is_said_of_each_layer():
    module = zoo.network("ViT")
    found = convviz.look(zoo.picture(), module, ["conv_proj", "encoder.ln"], how="pca")
    assert found.notes[-1] == (
        "positions of conv_proj are drawn at the centres of their receptive fields, those of other layers in "
        "equal parts of the picture (no receptive field is defined, or it is all of it), with interpolation "
        "between them"
    )
    assert "conv_proj " in found.notes[-2]
    assert "; encoder.ln " in found.notes[-2]


def test_nothing_is_laid_over_the_picture_where_a_layer_is_not_finite():
    """A 1x1 kernel keeps every pixel; the mean over 4 maps is NaN in one place, and infinite in one."""
    picture = np.full((1, 6, 6), 0.5, np.float32)
    picture[0, 1, 1], picture[0, 4, 4] = np.nan, np.inf
    weights = {"conv1": {"weight": np.ones((4, 1, 1, 1)), "bias": np.zeros(4)}}
    found = convviz.look(picture, convviz.parse_layers("conv 4 k1"), "conv1", how="mean", weights=weights)
    (one,) = [look.overlay for look in found]
    covers = one.covers(HW(6, 6), HW(6, 6))[..., 0]
    expected = np.ones((6, 6))
    expected[1, 1] = expected[4, 4] = 0
    np.testing.assert_array_equal(covers, expected)
    np.testing.assert_allclose(one.over(HW(6, 6), HW(6, 6))[covers > 0], 0.5)
    assert found.overlay().shape == (6, 6, 3)
    assert found._repr_png_().startswith(b"\x89PNG")


def test_a_layer_without_a_finite_value_is_drawn(module):
    module.first.weight.data.fill_(np.nan)
    found = convviz.look(X, module, ["first", "second"])
    assert not found[0].overlay.covers(HW(20, 24), HW(20, 24)).any()
    assert found[0].document()["largest_at"] is None
    assert found._repr_png_().startswith(b"\x89PNG")


def test_an_overlay_is_the_picture_where_nothing_is_laid_over_it():
    """One map, 0 but for the pixel in the middle."""
    picture = np.zeros((1, 9, 9), np.float32)
    picture[0, 4, 4] = 1
    network = convviz.parse_layers("conv 1 k1 nobias")
    found = convviz.look(picture, network, weights={"conv1": {"weight": np.ones((1, 1, 1, 1), np.float32)}})
    bare = found.overlay(colormap="gray", limits="0,1")
    assert bare[4, 4].tolist() == [255] * 3
    assert bare[0, 0].tolist() == [0] * 3
    half = convviz.look(
        picture, network, opacity=0.5, weights={"conv1": {"weight": np.full((1, 1, 1, 1), 2, np.float32)}}
    ).overlay(colormap="gray", limits="0,10")
    assert half[4, 4].tolist() == [153] * 3  # half of 255 and half of 2 / 10 * 255 = 51
    shown = convviz.look(picture, network, opacity=0).overlay()
    np.testing.assert_array_equal(shown[..., 0], (picture[0] * 255).astype(np.uint8))


def test_colours_of_components_end_at_percentiles():
    values = np.arange(101, dtype=np.float32)[None, None].repeat(3, 0)
    assert overlays.component_ends(values) == [(1, 99)] * 3


def test_a_look_saves_its_numbers_and_its_sheet(module, tmp_path):
    found = convviz.look(X, module, ["first", "relu"])
    found.save(tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as stored:
        np.testing.assert_array_equal(stored["first"], found[0].values)
        np.testing.assert_array_equal(stored["input"], X)
    found.save(tmp_path / "x.svg")
    assert "relu, alone" in (tmp_path / "x.svg").read_text()
    assert found._repr_png_().startswith(b"\x89PNG")
    assert len(found.sheet().maps) == 5


@pytest.mark.parametrize("columns", [None, 2])
def test_each_map_alone_stands_below_its_overlay(module, columns):
    shapes = convviz.look(X, module, ["first", "second", "relu"]).sheet(columns=columns).drawing.shapes
    left = {one.text: one.x for one in shapes if isinstance(one, Label)}
    for name in ("first", "second", "relu"):
        assert left[f"{name}, alone"] == left[name]
