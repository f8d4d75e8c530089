"""`convviz.best` against a plain loop over forward hooks, and against patches derived by hand."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convviz
from convviz.errors import InputError, ShapeError, SpecError, UnknownNameError
from convviz.images.decode import as_picture
from convviz.render.sheets.patches import levels_of
from convviz.spec.reach import Area

SIZES = ((24, 32), (40, 28), (33, 33), (25, 47))


@pytest.fixture
def folder(tmp_path):
    """Twenty pictures of four sizes."""
    numbers = np.random.default_rng(0)
    for index in range(20):
        pixels = numbers.integers(0, 256, (*SIZES[index % 4], 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index:02}.png")
    return tmp_path


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(8, 6, 3, 1, 1)
    )


def by_hooks(module, name, folder):
    """For every map: (value, file, row, column, pixels of the file), the largest first."""
    kept = []
    dict(module.named_modules())[name].register_forward_hook(
        lambda one, given, made: kept.append(made.clone())
    )
    every = []
    for path in sorted(folder.iterdir()):
        pixels = np.asarray(Image.open(path), np.float32).transpose(2, 0, 1) / 255
        kept.clear()
        with torch.no_grad():
            module(torch.from_numpy(pixels)[None])
        for index, one in enumerate(kept[0][0].numpy()):
            y, x = np.unravel_index(one.argmax(), one.shape)
            every.append((index, float(one[y, x]), path.name, (int(y), int(x)), pixels))
    return [
        sorted((one[1:] for one in every if one[0] == index), key=lambda one: -one[0])
        for index in range(kept[0].shape[1])
    ]


def test_pictures_positions_and_patches_are_those_of_a_plain_loop_over_hooks(folder):
    """The first layer sees rows 2y-1 to 2y+1, the pool 4y-1 to 4y+3, and the last layer 4y-5 to 4y+7."""
    module = network()
    expected = by_hooks(module, "3", folder)
    found = convviz.best(folder, module, "3", maps=range(6), count=5)
    patches = found.patches
    for index, row in enumerate(found):
        assert [one.path.name for one in row.patches] == [name for _, name, _, _ in expected[index][:5]]
        for one, pixels, (value, _, (y, x), whole) in zip(
            row.patches, patches[index], expected[index], strict=False
        ):
            assert (one.at, one.value) == ((y, x), pytest.approx(value, rel=1e-5))
            hand = whole[:, max(4 * y - 5, 0) : 4 * y + 8, max(4 * x - 5, 0) : 4 * x + 8]
            np.testing.assert_array_equal(pixels, hand)
            assert one.field == (4 * y - 5, 4 * y + 7, 4 * x - 5, 4 * x + 7)


def test_the_top_maps_are_those_of_the_largest_values(folder):
    module = network()
    expected = by_hooks(module, "3", folder)
    order = sorted(range(6), key=lambda index: -expected[index][0][0])
    assert [row.index for row in convviz.best(folder, module, "3", top=3, count=1)] == order[:3]


def test_patches_of_the_asymmetric_case_are_those_derived_by_hand(tmp_path):
    """Rows 2y-1 to 2y+1, and columns x-2 to x+6 (5 values 2 apart): of 8 x 12 pixels, 4 x 7 values.

    Each filter has one value that is not 0, and there is one spot that it can see.
    """
    weight = np.zeros((4, 1, 3, 5), np.float32)
    picture = np.zeros((2, 8, 12), np.float32)
    weight[0, 0, 0, 4], picture[0, 3, 11] = 1, 5  # reads row 2y-1, column x+6: y = 2, x = 5
    weight[1, 0, 1, 2] = 1  # reads row 2y, column x+2 of channel 0
    picture[0, 0, 2] = 4  # y = 0, x = 0
    weight[3, 0, 2, 0], picture[1, 1, 0] = 2, 3  # reads row 2y+1, column x-2 of channel 1: y = 0, x = 2
    bias = np.array([0, 0, 0, 0.5], np.float32)
    np.save(tmp_path / "spots.npy", picture)
    layer = nn.Conv2d(2, 4, (3, 5), stride=(2, 1), dilation=(1, 2), groups=2)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))
    module = nn.Sequential(nn.ZeroPad2d((2, 1, 1, 0)), layer)  # left, right, top, bottom
    found = convviz.best([tmp_path / "spots.npy"], module, "1", maps=[0, 1, 3])
    expected = (
        # value, position, field with padding, rows and columns inside
        (5, (2, 5), (3, 5, 3, 11), np.s_[3:6, 3:12]),
        (4, (0, 0), (-1, 1, -2, 6), np.s_[0:2, 0:7]),
        (6.5, (0, 2), (-1, 1, 0, 8), np.s_[0:2, 0:9]),
    )
    for row, patches, (value, at, field, (rows, columns)) in zip(found, found.patches, expected, strict=True):
        (one,) = row.patches
        assert (one.value, one.at, one.field) == (value, at, field)
        np.testing.assert_array_equal(patches[0], picture[:, rows, columns])


def test_a_patch_is_cut_from_the_original_of_a_picture_that_was_resized_and_cropped(tmp_path):
    """From 80 x 120 to 40 x 60, of which rows 4 to 35 and columns 14 to 45 stay; windows of 3 there."""
    pixels = np.random.default_rng(3).integers(0, 60, (80, 120, 3), np.uint8)
    pixels[40:42, 60:62] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    weight = np.zeros((1, 3, 3, 3), np.float32)
    weight[0, :, 0, 2] = 1  # the spot is at row 20, column 30, so at row 16, column 16 of the rest
    given = {"conv1": {"weight": weight, "bias": np.zeros(1)}}
    network = convviz.parse_layers("conv 1 k3")
    found = convviz.best(tmp_path, network, weights=given, resize="40x60", crop=32, normalize="0.5,0.5")
    ((one,),) = (row.patches for row in found)
    assert one.at == (16, 14)
    assert one.box == (40, 45, 56, 61)
    np.testing.assert_allclose(one.pixels, pixels[40:46, 56:62].transpose(2, 0, 1) / 255, rtol=1e-6)


def test_what_was_cropped_away_is_not_seen(tmp_path):
    Image.fromarray(np.full((8, 10, 3), 255, np.uint8)).save(tmp_path / "white.png")
    weights = {"conv1": {"weight": np.full((1, 3, 3, 3), -1), "bias": np.zeros(1)}}
    found = convviz.best(tmp_path, convviz.parse_layers("conv 1 k3 p1"), weights=weights, crop="4x4")
    (one,) = found[0].patches
    assert one.at == (0, 0)  # where the padding is, the sum is least negative
    assert (one.box, one.field) == ((2, 3, 3, 4), (1, 3, 2, 4))


def test_units_of_a_linear_layer_see_the_whole_picture(folder):
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    found = convviz.best(folder, module, "3", maps=[2, 0], count=2)
    expected = by_hooks_of_rows(module, folder)
    for row in found:
        names = [one.path.name for one in row.patches]
        assert names == [name for _, name in expected[row.index][:2]]
        for one in row.patches:
            with Image.open(one.path) as picture:
                assert one.pixels.shape[1:] == (picture.height, picture.width)
    assert found.sees == "whole"
    assert "whole picture" in found.rule


def by_hooks_of_rows(module, folder):
    every = []
    for path in sorted(folder.iterdir()):
        pixels = np.asarray(Image.open(path), np.float32).transpose(2, 0, 1) / 255
        with torch.no_grad():
            every.append((module(torch.from_numpy(pixels)[None])[0].numpy(), path.name))
    return [
        sorted(((row[index], name) for row, name in every), key=lambda one: -one[0])
        for index in range(len(every[0][0]))
    ]


class Tokens(nn.Module):
    """A class token and the tokens of a square, (T, D), as in a vision transformer."""

    def __init__(self):
        super().__init__()
        self.cut = nn.Conv2d(1, 2, 4, 4)
        self.last = nn.Identity()

    def forward(self, x):
        tokens = self.cut(x).flatten(2).transpose(1, 2)
        return self.last(torch.cat([torch.full_like(tokens[:, :1], 99), tokens], 1))


def test_of_tokens_the_largest_counts_and_the_class_token_does_not(tmp_path):
    module = Tokens()
    with torch.no_grad():
        module.cut.weight.fill_(1 / 16)
        module.cut.bias.zero_()
    picture = np.zeros((12, 12), np.float32)
    picture[4:8, 8:12] = 1
    np.save(tmp_path / "a.npy", picture)
    found = convviz.best([tmp_path / "a.npy"], module, "last", maps=[1])
    (one,) = found[0].patches
    assert (one.value, one.at) == (1, (1, 2))
    assert one.pixels.shape == (1, 12, 12)
    assert found.sees == "undefined"
    assert "not defined" in found.rule


def test_a_map_with_nan_never_wins_and_is_counted(tmp_path):
    for name, value in (("a", 1.0), ("b", np.nan), ("c", 2.0)):
        np.save(tmp_path / f"{name}.npy", np.array([[value, 0]], np.float32))
    weights = {"conv1": {"weight": np.ones((1, 1, 1, 1)), "bias": np.zeros(1)}}
    files = sorted(tmp_path.iterdir())
    found = convviz.best(files, convviz.parse_layers("conv 1 k1"), weights=weights)
    assert [one.path.stem for one in found[0].patches] == ["c", "a"]
    assert found[0].nan == 1


@pytest.mark.parametrize("tile", [30, 60, None], ids=["10 pixels each", "20 pixels each", "one each"])
def test_padding_is_hatched_at_every_size_and_no_grey_picture_looks_like_it(tmp_path, tile):
    """The value at 0,0 sees one row and one column of padding; stripes have two levels, grey has one."""
    Image.fromarray(np.full((8, 8), 200, np.uint8)).save(tmp_path / "grey.png")
    weights = {"conv1": {"weight": np.full((1, 1, 3, 3), -1), "bias": np.zeros(1)}}
    found = convviz.best(tmp_path, convviz.parse_layers("conv 1 k3 p1"), weights=weights)
    levels = [one for one in found.sheet(tile=tile).drawing.shapes if hasattr(one, "levels")][-1].levels
    side = (tile or 3) // 3
    assert levels.shape == (3 * side, 3 * side, 3)
    assert (levels[side:, side:] == 200).all()
    assert not (levels[:side] == 200).any()
    assert not (levels[:, :side] == 200).any()
    if tile:
        assert len(np.unique(levels[:side])) == 2


def test_pictures_with_other_channels_are_not_ranked_together(tmp_path):
    """New layers have other weights for one channel than for three; their values do not compare."""
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "b.png")
    layers = convviz.parse_layers("conv 4 k3")
    with pytest.raises(ShapeError, match=r"a\.png' has 1 channel and .*b\.png' has 3.*mode"):
        convviz.best(tmp_path, layers)
    assert len(convviz.best(tmp_path, layers, mode="rgb", maps=[0])[0].patches) == 2


def test_the_sheet_is_as_large_as_asked_and_padding_is_beside_the_picture(tmp_path):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "black.png")
    weights = {"conv1": {"weight": np.full((1, 3, 3, 3), -1), "bias": np.zeros(1)}}
    found = convviz.best(tmp_path, convviz.parse_layers("conv 1 k3 p1"), weights=weights)
    pictures = [one for one in found.sheet(tile=30).drawing.shapes if hasattr(one, "levels") and one.alt]
    assert [one.alt.partition(":")[0] for one in pictures] == [
        "kernel 0",
        "kernel 1",
        "kernel 2",
        "black.png",
    ]
    tile = pictures[-1]
    assert tile.levels.shape == (30, 30, 3)
    assert tile.levels[:10].all()
    assert tile.levels[:, :10].all()
    assert (tile.levels[10:, 10:] == 0).all()


def test_the_sheet_has_the_kernels_of_filters_that_read_few_channels_and_no_word_of_padding(folder):
    for layer, kernels in (("0", 3), ("3", 0)):
        found = convviz.best(folder, network(), layer, maps=[0], count=1)
        alt = [one.alt for one in found.sheet().drawing.shapes if hasattr(one, "levels") and one.alt]
        assert sum(one.startswith("kernel ") for one in alt) == kernels
        assert ("hatching is padding" in found.rule) == bool(found[0].patches[0].padding)


def test_a_sheet_can_be_saved_and_shown_and_so_can_the_numbers(folder, tmp_path):
    out = tmp_path / "out"
    found = convviz.best(folder, network(), "0", top=2, count=3)
    assert found._repr_png_().startswith(b"\x89PNG")
    found.save(out / "x.svg")
    found.save(out / "x.npz")
    with np.load(out / "x.npz") as stored:
        assert stored["files"].tolist() == [[one.name for one in row.patches] for row in found]
        assert stored["values"].shape == (2, 3)
        assert stored["positions"][1, 2].tolist() == list(found[1].patches[2].at)
    assert repr(found) == "<Best: 2 of 8 maps of layer 0 of Sequential in 20 pictures>"


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"layer": "9"}, UnknownNameError, "9"),
        ({"maps": [6]}, SpecError, "maps 0 to 5"),
        ({"maps": [0], "top": 2}, SpecError, "only one"),
        ({"count": 0}, SpecError, "count"),
        ({"pictures": []}, InputError, "there is none"),
        ({"pictures": "nowhere"}, InputError, "not a folder"),
    ],
    ids=[
        "no such layer",
        "no such map",
        "both choices",
        "no pictures asked",
        "no pictures given",
        "no folder",
    ],
)
def test_what_cannot_be_ranked_is_refused(folder, changed, error, words):
    given = {"pictures": folder, "layer": "3"} | changed
    with pytest.raises(error, match=words):
        convviz.best(given.pop("pictures"), network(), **given)


@pytest.mark.parametrize(
    ("area", "drawn"),
    [
        ((4, 15, 5, 16), (120, 120)),
        ((3.5, 14.5, 5.25, 16.25), (120, 120)),
        ((4, 6, 5, 6), (120, 60)),
        ((4, 9, 5, 8), (120, 72)),
    ],
    ids=["square", "parts of pixels", "half", "three of five"],
)
def test_a_patch_has_the_proportions_of_its_field(area, drawn):
    picture = as_picture(np.arange(400, dtype=np.float32).reshape(20, 20))
    assert levels_of(picture, Area(*area), Area(*area), tile=120).shape[:2] == drawn


def test_a_patch_of_a_picture_of_one_pixel_is_placed_by_parts_of_it(tmp_path):
    """The pixel becomes 6 x 6; of 3 rows and 3 columns around the first one, 2 and 2 are in the picture."""
    Image.new("RGB", (1, 1), (255, 255, 255)).save(tmp_path / "pixel.png")
    weights = {"conv1": {"weight": np.full((1, 3, 3, 3), -1), "bias": np.zeros(1)}}
    network = convviz.parse_layers("conv 1 k3 p1")
    found = convviz.best(tmp_path, network, weights=weights, resize="6x6")
    (one,) = found[0].patches
    assert (one.at, one.box, one.field) == ((0, 0), (0, 0, 0, 0), (-1, 0, -1, 0))
    assert one.padding == pytest.approx(5 / 9)
    levels = levels_of(as_picture(np.full((1, 1), 0.5)), one.around, one.seen, tile=120)
    assert levels.shape == (120, 120, 3)
    assert len(np.unique(levels[40:, 40:])) == 1
    assert len(np.unique(levels[:40])) > 1
    assert len(np.unique(levels[:, :40])) > 1
