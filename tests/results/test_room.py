"""What would be too large is refused before it is computed, and nothing that is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import convviz
from convviz.cli.app import status_of
from convviz.errors import SpecError
from convviz.results import feature_maps
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d
from convviz.spec.settings import SheetSettings


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    layer=st.builds(Conv2d, st.just(3), st.integers(1, 40), st.just(1), st.integers(1, 3)),
    look=st.builds(
        SheetSettings,
        tile=st.sampled_from([None, 16, 50, 320]),
        columns=st.sampled_from([None, 1, 7]),
        captions=st.booleans(),
        kernels=st.booleans(),
        font_size=st.sampled_from([None, 6, 30]),
        layout=st.sampled_from(["auto", "wide", "tall"]),
    ),
)
def test_a_sheet_is_never_smaller_than_the_bound(size, layer, look):
    # Maps of one value have no bars, so that their sheets are the smallest.
    sheet = convviz.run(np.ones((3, *size), np.float32), layer).sheet(**look.arguments)
    least = feature_maps.check_room(layer, HW(*size), look)
    assert layer.out_channels <= least <= sheet.width * sheet.height


def test_more_maps_than_a_sheet_can_have_are_refused_before_any_is_computed(tmp_path, monkeypatch, capsys):
    """Maps of 200x300 pixels with 12 between them: 66,144 for each; 2 GiB hold 10,822 of three bytes each."""

    def unwanted(*_, **__):
        raise AssertionError("computed")

    Image.new("RGB", (300, 200)).save(tmp_path / "x.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(feature_maps, "run", unwanted)
    words = ["run", "x.png", "-k", "1", "--no-captions", "--font-size", "6", "-O"]
    assert status_of([*words, "10823"]) == 4
    told = capsys.readouterr().err
    assert "would have at least 715,876,512 pixels" in told
    assert "the limit is 2 GiB" in told
    for few in (["10822"], ["99999", "--top", "3"], ["99999", "--tile", "16"]):
        with pytest.raises(AssertionError, match="computed"):
            status_of([*words, *few])
    with pytest.raises(AssertionError, match="computed"):
        status_of([*words, "10823", "--force"])
    assert status_of([*words, "99999"]) == 2  # which --force would not help
    told = capsys.readouterr().err
    assert "the picture of 99,999 maps would have at least 6,614,333,856 pixels" in told
    assert "--force" not in told


def test_a_batch_says_of_each_file_that_its_sheet_would_be_too_large(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (300, 200)).save(tmp_path / "in" / "x.png")
    assert status_of(["batch", str(tmp_path / "in"), str(tmp_path / "out"), "-O", "99999"])
    assert "would have at least" in capsys.readouterr().err


def test_python_users_are_refused_too():
    with pytest.raises(SpecError, match="lower --tile, or draw fewer maps"):
        feature_maps.check_room(Conv2d(1, 1 << 24, 1), HW(1, 1), SheetSettings())
