import subprocess
import sys

import pytest

from convviz.errors import SpecError, UnknownNameError
from convviz.spec.kernels import (
    FORMULAS,
    PRESETS,
    SETS,
    complete,
    entries,
    find,
    parse_request,
    preset_names,
    resolve,
    search,
)

HEAVY = {"numpy", "PIL", "torch", "rich", "json", "csv", "fractions", "decimal"}


def test_every_name_finds_the_kernel_of_that_name():
    assert [find(name)[0].name for name in preset_names()] == preset_names()


def test_names_come_in_table_order():
    assert preset_names() == [kernel.name for kernel in PRESETS] + [formula.name for formula in FORMULAS]


def test_blanks_round_a_name_do_not_matter():
    assert find(" sobel-x ") == find("sobel-x")


@pytest.mark.parametrize(
    ("name", "members"),
    [
        pytest.param("sobel", ["sobel-x", "sobel-y"], id="not the wide ones"),
        pytest.param("roberts", ["roberts-d1", "roberts-d2"], id="diagonals"),
        pytest.param(
            "frei-chen", [f"frei-chen-{i}" for i in range(1, 10)], id="a hyphen in the name of the set"
        ),
        pytest.param("line", ["line-h", "line-v", "line-d45", "line-d135"], id="in table order"),
    ],
)
def test_a_set_stands_for_its_members(name, members):
    assert [kernel.name for kernel in find(name)] == members


def test_a_misspelt_name_is_answered_with_the_nearest_one():
    with pytest.raises(UnknownNameError, match=r"no kernel named 'sobelx'; did you mean 'sobel-x'\?"):
        find("sobelx")


def test_capitals_are_answered_with_the_name_in_small_letters():
    with pytest.raises(UnknownNameError, match="no kernel named 'Kirsch'; did you mean 'kirsch'"):
        find("Kirsch")


def test_an_unknown_name_with_numbers_is_named_without_them():
    with pytest.raises(UnknownNameError, match="no kernel named 'gausian'; did you mean 'gaussian'"):
        find("gausian:sigma=2")


def test_a_name_like_no_other_is_answered_with_a_choice():
    with pytest.raises(UnknownNameError, match="no kernel named 'zzz'; choose from box, "):
        find("zzz")


@pytest.mark.parametrize("text", ["learned.jsn", "./learned", "models\\learned"])
def test_what_looks_like_a_file_is_told_the_endings_of_files(text):
    with pytest.raises(
        SpecError, match=r"no file of numbers either: those end in \.json, .* or \.safetensors\.$"
    ):
        find(text)


@pytest.mark.parametrize("name", ["sobel-x", "sobel"])
def test_fixed_taps_take_no_numbers(name):
    with pytest.raises(
        SpecError, match=f"kernel {name} takes no parameters, unlike box, .*; leave out ':size=5'"
    ):
        find(f"{name}:size=5")


def test_every_preset_is_listed_once_with_its_set_and_parameters():
    rows = entries()
    assert [row.kernel.name for row in rows] == preset_names()
    by_name = {row.kernel.name: row for row in rows}
    assert by_name["kirsch-nw"].set_name == "kirsch"
    assert by_name["laplacian-8"].set_name == ""
    assert [parameter.name for parameter in by_name["shift"].parameters] == ["x", "y"]


def test_one_preset_is_listed_with_the_numbers_asked_for():
    (row,) = entries("box:size=5")
    assert row.kernel == find("box:size=5")[0]
    assert [(p.name, p.default_text) for p in row.parameters] == [("size", "3")]


def test_a_default_that_is_worked_out_says_how():
    assert entries("gaussian")[0].parameters[1].default_text == "2 * ceil(3 * sigma) + 1"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        pytest.param(
            "sob", ["sobel", "sobel5", "sobel-x", "sobel-y", "sobel5-x", "sobel5-y"], id="sets before presets"
        ),
        pytest.param("gab", ["gabor"], id="a formula"),
        pytest.param("zzz", [], id="nothing"),
        pytest.param("motion:", ["motion:size=", "motion:angle="], id="all parameters"),
        pytest.param("motion:a", ["motion:angle="], id="a parameter begun"),
        pytest.param("motion:angle=45,", ["motion:angle=45,size="], id="a parameter not yet given"),
        pytest.param("motion:angle=4", [], id="a number is not guessed"),
        pytest.param("sobel-x:", [], id="nothing after fixed values"),
    ],
)
def test_completion_offers_what_can_follow(typed, offered):
    assert [text for text, _ in complete(typed)] == offered


def test_every_completion_has_one_line_of_help():
    rows = complete("") + complete("gabor:")
    assert all(text and "\n" not in text for _, text in rows)
    assert {name for name, _ in complete("")} == {*preset_names(), *SETS}


def test_bars_divide_a_filter_into_kernels_by_channel():
    (one,) = resolve(parse_request("mine=1 0; 0 1 | 0 1; 1 0 / 2 | roberts-d1"))
    assert one.name == "mine"
    assert [kernel.weights for kernel in one.kernels[:2]] == [((1, 0), (0, 1)), ((0, 0.5), (0.5, 0))]
    assert one.kernels[2] == find("roberts-d1")[0]


def test_a_name_of_a_set_is_counted_through():
    assert [one.name for one in resolve(parse_request("edges=sobel"))] == ["edges 0", "edges 1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a=1 | | 2", "^kernel a: there is nothing for channel 1", id="an empty channel"),
        pytest.param("1 | box", "must have the same size, not 1x1, 3x3", id="two sizes"),
        pytest.param("1 1 1; 1 1 1; 1 1 1|sobel", "'sobel' is a set of 2 kernels", id="a set"),
        pytest.param("1|b=2", "put numbers or presets between bars, without @ and =", id="a name inside"),
        pytest.param("1 x | 2 2", "row 1, column 2 must be a finite number", id="no number"),
        pytest.param("gaussian=2", "name of a preset; write gaussian:sigma=… for", id="a preset as a name"),
    ],
)
def test_what_is_no_filter_is_refused(text, message):
    with pytest.raises(SpecError, match=message):
        resolve(parse_request(text))


def test_what_is_looked_for_begins_a_word():
    """ "nearly" stands in a description, and "arly" only inside of it; a hyphen divides words."""
    for typed in ("nearly", "near", "(NEAR", "x"):
        assert ("scharr-x" in {entry.kernel.name for entry in search(typed)}) == (typed != "(NEAR")
    assert search("arly") == search("early") == ()


def test_kernels_load_nothing_heavy():
    code = f"import sys, convviz.spec.kernels; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
