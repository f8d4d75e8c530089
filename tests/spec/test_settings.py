"""Settings: what contradicts what, and how they are written."""

import pytest

from convviz.errors import SpecError, UnknownNameError
from convviz.spec import parsing
from convviz.spec.geometry import HW, Edges
from convviz.spec.kernels import parse_request
from convviz.spec.limits import Limits
from convviz.spec.preparation import IMAGENET, Normalization, ShortSide
from convviz.spec.settings import (
    ContrastSettings,
    InputSettings,
    LayerSettings,
    SheetSettings,
    as_text,
    typed,
)


def test_without_kernels_there_are_six_filters_of_three_by_three_with_a_bias():
    assert repr(LayerSettings().conv2d(3)) == "Conv2d(3, 6, kernel_size=(3, 3), stride=(1, 1))"


def test_kernels_decide_how_many_maps_there_are_and_leave_out_the_bias():
    layer = LayerSettings().conv2d(3, sizes=[HW(3, 3), HW(5, 1)], maps=2)
    assert repr(layer) == "Conv2d(3, 2, kernel_size=(5, 3), stride=(1, 1), bias=False)"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(
            LayerSettings(out_channels=1), "kernels make 2 maps; leave out --out-channels", id="fewer maps"
        ),
        pytest.param(
            LayerSettings(kernel_size=HW(2, 3)), "2x3 has no room for a kernel of 3x3", id="too few values"
        ),
        pytest.param(LayerSettings(bias_values=(1.0,)), "1 number for 2 maps", id="one bias for two maps"),
        pytest.param(LayerSettings(bias=False, bias_values=(1.0, 2.0)), "contradict", id="a bias and none"),
    ],
)
def test_what_contradicts_the_kernels_is_refused(settings, message):
    with pytest.raises(SpecError, match=message):
        settings.conv2d(3, sizes=[HW(3, 3)] * 2, maps=2)


def test_bias_values_are_for_kernels_only():
    with pytest.raises(SpecError, match="bias-values can only be used with --kernel"):
        LayerSettings(bias_values=(1.0,)).conv2d(3)


def test_only_what_differs_from_the_default_is_written():
    assert as_text(LayerSettings(), InputSettings(), SheetSettings()) == {}


def test_imagenet_is_described_by_its_name_and_its_numbers_by_themselves():
    assert as_text(InputSettings(normalize=IMAGENET)) == {"normalize": "imagenet"}
    numbers = Normalization(IMAGENET.mean, IMAGENET.std)
    assert as_text(InputSettings(normalize=numbers)) == {"normalize": "0.485,0.456,0.406,0.229,0.224,0.225"}


def test_colours_centred_on_0_need_limits_that_are():
    for kind in (ContrastSettings, SheetSettings):
        with pytest.raises(SpecError, match=r"-1,3 are not centred on 0.*give -3,3, or another colormap"):
            kind("signed", Limits("fixed", low=-1, high=3))
        kind("signed", Limits("fixed", low=-3, high=3))


def test_imagenet_is_for_values_from_0_to_1_and_its_numbers_for_any():
    with pytest.raises(SpecError, match="imagenet is for values from 0 to 1, not for --range byte"):
        InputSettings(range="byte", normalize=IMAGENET)
    InputSettings(range="byte", normalize=Normalization(IMAGENET.mean, IMAGENET.std))


@pytest.mark.parametrize(
    ("value", "parse"),
    [
        (HW(2, 2), parsing.pair("stride")),
        (HW(2, 3), parsing.pair("stride")),
        (Edges(1, 1, 1, 1), parsing.padding),
        (Edges(1, 0, 2, 1), parsing.padding),
        ("same", parsing.padding),
        ((0.1, -2.0), parsing.numbers("bias-values")),
        (Limits(), parsing.limits),
        (Limits("percentile", percent=0.1), parsing.limits),
        (Limits("minmax"), parsing.limits),
        (Limits("symmetric"), parsing.limits),
        (Limits("fixed", low=-1e-7, high=2), parsing.limits),
        (ShortSide(256), parsing.resize),
        (HW(3, 4), parsing.resize),
        (IMAGENET, parsing.normalization),
        (Normalization((0.5, -1.0), (0.25, 1e-05)), parsing.normalization),
        (None, parsing.tile),
        (64, parsing.tile),
        (parse_request("sobel-x@G"), parse_request),
        (parse_request("0 1; 2 3"), parse_request),
    ],
)
def test_a_setting_is_written_as_it_is_typed(value, parse):
    assert parse(typed(value)) == value


def test_a_preparation_is_three_settings_of_which_each_may_be_given():
    whole = InputSettings(resize=ShortSide(256), crop=HW(224, 224), normalize=IMAGENET)
    assert InputSettings(prepare="imagenet") == whole
    assert as_text(InputSettings(prepare="imagenet")) == {
        "resize": "short:256",
        "crop": "224",
        "normalize": "imagenet",
    }
    grey = Normalization((0.5,), (0.25,))
    assert InputSettings(prepare="imagenet", normalize=grey) == InputSettings(
        resize=ShortSide(256), crop=HW(224, 224), normalize=grey
    )
    assert InputSettings(crop=HW(9, 9)).completed({"prepare": "imagenet"}) == (
        InputSettings(resize=ShortSide(256), crop=HW(9, 9), normalize=IMAGENET),
        ["prepare imagenet"],
    )


def test_an_unknown_preparation_names_those_that_there_are():
    with pytest.raises(UnknownNameError, match="imagenet"):
        InputSettings(prepare="imagnet")
