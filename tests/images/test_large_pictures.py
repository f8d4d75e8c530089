"""Pictures that stay as decoded and maps that are not kept: the same results as with all in memory."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import convviz
from convviz.images import decode, prepare, samples
from convviz.images import picture as values
from convviz.machine import parallel
from convviz.render.contrast import Contrast
from convviz.render.palette import Tone
from convviz.results import feature_maps, outputs
from convviz.spec.geometry import HW
from convviz.spec.preparation import IMAGENET, Normalization


@pytest.fixture
def everything_is_large(monkeypatch):
    make_large(monkeypatch)


def make_large(patch, large=0):
    patch.setattr(samples, "SMALL", 0)
    patch.setattr(prepare, "SMALL", 0)
    patch.setattr(samples, "LARGE", large)
    patch.setattr(values, "_TOGETHER", 30)
    patch.setattr(feature_maps, "_MOST_VALUES_TO_KEEP", 0)
    patch.setattr(feature_maps.FeatureMaps, "_tops", lambda self: range(0, self.shape[1], 5))
    patch.setattr(parallel, "_limit", 2)


def encoded(pixels, mode=None, **options):
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(file, "PNG", **options)
    return file.getvalue()


def noise(*shape):
    return np.random.default_rng(len(shape)).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("value_range", ["unit", "byte", "raw"])
@pytest.mark.parametrize("mode", [None, "gray", "rgb", "rgba"])
@pytest.mark.parametrize("stored", ["L", "LA", "RGB", "RGBA", "P", "1"])
@pytest.mark.parametrize("held", [True, False])
def test_planes_made_row_by_row_are_those_made_at_once(monkeypatch, stored, mode, value_range, held):
    data = encoded(noise(13, 11, 4), stored)
    whole = decode.read(io.BytesIO(data), mode=mode, value_range=value_range)
    make_large(monkeypatch, 0 if held else 1 << 20)
    large = decode.read(io.BytesIO(data), mode=mode, value_range=value_range)
    assert not isinstance(large.values, np.ndarray)
    assert (large.shape, large.channels, large.remarks) == (whole.shape, whole.channels, whole.remarks)
    assert (large.low, large.high) == (whole.low, whole.high)
    np.testing.assert_array_equal(large.rows(3, 8), whole.x[:, 3:8])
    np.testing.assert_array_equal(large.x, whole.x)
    assert large.x is large.x


PREPARED = [
    pytest.param({"crop": HW(7, 5)}, id="the middle"),
    pytest.param({"normalize": IMAGENET}, id="normalised"),
    pytest.param({"crop": HW(8, 11), "normalize": Normalization((0.5,), (0.25,))}, id="both"),
]


@pytest.mark.parametrize("options", PREPARED)
def test_prepared_planes_made_row_by_row_are_those_made_at_once(everything_is_large, monkeypatch, options):
    data = encoded(noise(13, 11, 3))
    large = decode.read(io.BytesIO(data), **options)
    assert not isinstance(large.values, np.ndarray)
    monkeypatch.undo()
    whole = decode.read(io.BytesIO(data), **options)
    assert isinstance(whole.values, np.ndarray)
    assert (large.shape, large.remarks, large.ends) == (whole.shape, whole.remarks, whole.ends)
    np.testing.assert_array_equal(large.rows(2, 6), whole.x[:, 2:6])
    np.testing.assert_array_equal(large.x, whole.x)


@pytest.mark.parametrize("options", PREPARED)
def test_a_large_picture_is_never_whole_because_it_is_prepared(everything_is_large, monkeypatch, options):
    for module in (samples, values, prepare):
        monkeypatch.setattr(module, "made_whole", None)
    picture = decode.read(io.BytesIO(encoded(noise(23, 11, 3))), **options)
    result = convviz.run(picture, convviz.Conv2d(3, 2, 3, padding=1), backend="numpy")
    result.sheet(tile=20).image()
    assert result.summary(20).maps[0].low < result.summary(20).maps[0].high


def test_the_small_middle_of_a_large_picture_lets_go_of_the_rest(monkeypatch):
    make_large(monkeypatch)
    for module in (samples, prepare):
        monkeypatch.setattr(module, "SMALL", 3 * 4 * 4)
    picture = decode.read(io.BytesIO(encoded(noise(13, 11, 3))), crop=HW(4, 4))
    assert isinstance(picture.values, np.ndarray)


def test_a_turned_picture_and_one_of_16_bits_are_large_too(everything_is_large):
    deep = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    large = decode.read(io.BytesIO(encoded(deep)), value_range="raw")
    np.testing.assert_array_equal(large.x[0], deep)
    pixels = noise(3, 4, 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side: rows are columns
    turned = decode.read(io.BytesIO(encoded(pixels, exif=exif)), value_range="raw")
    np.testing.assert_array_equal(turned.rows(1, 3), np.rot90(pixels, -1).transpose(2, 0, 1)[:, 1:3])


@st.composite
def layers(draw):
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    edges = tuple(draw(st.tuples(st.integers(0, 4), st.integers(0, 4))) for _ in range(2))
    mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
    groups = draw(st.sampled_from([1, 3]))
    return convviz.Conv2d(
        3, 3 * draw(st.integers(1, 2)), draw(pair), draw(pair), edges, draw(pair), groups, True, mode
    )


@settings(max_examples=60)
@given(layers(), st.integers(0, 99), st.sampled_from([None, 5, 40]), st.sampled_from(["map", "global"]))
def test_maps_in_bands_are_the_maps(layer, seed, tile, scale):
    data = encoded(noise(23, 11, 3))
    weights = convviz.seeded(layer, seed)
    plain = convviz.run(decode.read(io.BytesIO(data)), layer, weights, backend="numpy")
    with pytest.MonkeyPatch.context() as patch:
        make_large(patch)
        large = convviz.run(decode.read(io.BytesIO(data)), layer, weights, backend="numpy")
        assert large.values is None
        assert large.shape == plain.maps.shape
        bands = list(large.bands())
        assert len(bands) == -(-plain.shape[1] // 5)
        np.testing.assert_allclose(np.concatenate(bands, axis=1), plain.maps, rtol=0, atol=1e-5)
        sheet = np.asarray(large.sheet(tile=tile, scale=scale).image(), int)
        for ours, theirs in zip(large.statistics(), plain.statistics(), strict=True):
            assert ours.name == theirs.name
            for one in ("min", "max", "mean", "std"):
                assert getattr(ours, one) == pytest.approx(getattr(theirs, one), abs=1e-5)
    # A last bit may move a value over the border of a level, and a caption by a digit: nothing else.
    apart = np.abs(sheet - np.asarray(plain.sheet(tile=tile, scale=scale).image(), int))
    assert (apart > 1).mean() < 0.005


def test_maps_that_were_not_kept_are_kept_once_they_are_asked_for(everything_is_large):
    result = convviz.run(np.ones((1, 9, 9)), convviz.Conv2d(1, 2, 3))
    assert result.values is None
    assert not result.kept
    assert result.maps is result.maps
    assert result.kept


def test_one_look_serves_numbers_and_sheet(everything_is_large, monkeypatch):
    result = convviz.run(np.ones((1, 30, 9)), convviz.Conv2d(1, 2, 3))
    rows = []
    found = result.summary(5, advance=rows.append)
    assert sum(rows) == result.shape[1]
    assert len(rows) > 1
    monkeypatch.setattr(feature_maps.FeatureMaps, "rows", None)
    result.statistics()
    result.sheet(tile=5).image()
    assert result.summary(5) is found


def test_an_overflow_is_counted_in_its_band(everything_is_large):
    """Of 90 products one is 2.7e39, which float32 does not hold; the others are 0."""
    x = np.zeros((1, 30, 3), np.float32)
    x[0, 17, 1] = 3e38
    result = convviz.run(x, convviz.Conv2d(1, 1, 1, bias=False), np.full((1, 1, 1, 1), 9.0), backend="numpy")
    (one,) = result.summary(2).maps
    assert (one.low, one.high, one.others.words) == (0, 0, "1 inf")


def test_maps_are_written_from_bands(tmp_path, monkeypatch):
    """An identity kernel on levels 0 to 255: each file holds exactly these."""
    levels = np.arange(256, dtype=np.float32).reshape(64, 4)
    monkeypatch.setattr(outputs, "_OPEN_FILES", 2)
    make_large(monkeypatch)
    result = convviz.run(levels, convviz.Conv2d(1, 5, 1, bias=False), np.ones((5, 1, 1, 1)))
    looks = [Contrast(Tone(0, 255, "unit"))] * 5
    paths = outputs.write_maps(
        result.names, HW(64, 4), looks, bands=result.bands, folder=tmp_path, description=result.description()
    )
    assert len(paths) == 5
    for path in paths:
        with Image.open(path) as image:
            assert image.mode == "L"
            np.testing.assert_array_equal(np.asarray(image), levels)
