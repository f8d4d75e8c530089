"""``convviz explain`` as a process."""

import json
from pathlib import Path

import numpy as np
import pytest

from convviz.cli.app import status_of

HARBOUR = Path(__file__).parents[2] / "samples" / "harbour.png"


def test_the_parts_of_one_value_are_printed_and_add_up(convviz, classic):
    """Under a filter of ones the corner of a padded map sees four pixels of each channel: 4 + 2 + 2."""
    done = convviz("explain", classic.name, "--at", "0,0", "-K", "1 1 1; 1 1 1; 1 1 1", "-p", "1")
    assert done.returncode == 0, done.stderr
    assert "window: rows -1 to 1 (1 in the padding), columns -1 to 1 (1 in the padding)" in done.stdout
    assert "4 + 2 + 2 = 8" in done.stdout
    assert "numpy computed 8, the same value\n" in done.stdout
    assert "(0)" in done.stdout
    # Of nine windows only the middle one is clear of the border; 49 of 81 products meet pixels.
    assert "padding: 88.89% of the outputs touch it, 39.51% of the products meet it" in done.stdout


def test_json_has_every_number(convviz, classic):
    done = convviz(
        "explain",
        classic.name,
        "--at",
        "1,1",
        "-K",
        "1 2 3; 4 5 6; 7 8 9",
        "-p",
        "1",
        "--bias-values",
        "0.5",
        "--json",
    )
    document = json.loads(done.stdout)
    # R is all ones: 45. G has its middle column: 2 + 5 + 8. B has the outer columns: 45 - 15.
    assert [channel["sum"] for channel in document["channels"]] == [45, 15, 30]
    assert document["bias"] == 0.5
    assert document["value"] == document["backend"]["value"] == 90.5
    assert document["channels"][1]["products"] == [[0, 2, 0], [0, 5, 0], [0, 8, 0]]
    assert document["window"] == {"rows": [0, 1, 2], "columns": [0, 1, 2]}


def test_without_a_place_the_largest_magnitude_is_taken_and_said_so(tmp_path, monkeypatch, capfd):
    """The vertical difference of a step of 8 downwards is -8 in row 1; elsewhere it is 0 or 3."""
    monkeypatch.chdir(tmp_path)
    Path("step.json").write_text("[[5, 8, 8], [5, 8, 8], [8, 0, 8]]")
    words = ["explain", "step.json", "-K", "-1; 1"]
    assert status_of(words) == 0
    first = capfd.readouterr().out.splitlines()[0]
    assert first.endswith("row 1, column 1: the largest magnitude of the map")
    assert status_of([*words, "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert (document["at"], document["value"]) == ([1, 1], -8)
    assert document["chosen"] == "largest magnitude"
    assert status_of([*words, "--at", "1,1", "--json"]) == 0
    assert "chosen" not in json.loads(capfd.readouterr().out)


@pytest.mark.parametrize("name", ["out.svg", "out.png"])
def test_a_drawing_is_written_and_replaced_as_ours(convviz, classic, name):
    for _ in range(2):
        done = convviz("explain", classic.name, "--at", "0,0", "-K", "box:size=2", "-o", name)
        assert done.returncode == 0, done.stderr
    head = classic.with_name(name).read_bytes()[:200]
    assert head.startswith(b"\x89PNG") or b"<svg" in head or b"<!-- convviz" in head


def test_a_pixel_lists_every_output_that_it_feeds(convviz, classic):
    """A corner pixel of a padded 3x3 picture under 3x3 windows feeds four outputs, with four values."""
    done = convviz(
        "explain", classic.name, "--pixel", "0,0", "-K", "1 2 3; 4 5 6; 7 8 9@R", "-p", "1", "--json"
    )
    feeds = [feed for feed in json.loads(done.stdout)["feeds"] if feed["channel"] == 0]
    assert [(feed["output"], feed["weight"]) for feed in feeds] == [
        ([0, 0], 5),
        ([0, 1], 4),
        ([1, 0], 2),
        ([1, 1], 1),
    ]
    shown = convviz("explain", classic.name, "--pixel", "0,0", "-K", "1 2 3; 4 5 6; 7 8 9", "-p", "1").stdout
    assert "feeds 4 positions of every map" in shown


def test_a_weight_lists_what_it_multiplies_and_what_it_feeds(convviz, classic):
    """The left value of a 1x3 kernel at stride 2: output 0 meets padding, output 1 meets column 1 of G."""
    words = ("explain", classic.name, "--weight", "0,1,0,0", "-K", "5 1 1", "-p", "0x1", "-s", "1x2")
    document = json.loads(convviz(*words, "--json").stdout)
    assert document["weight"] == {"index": [0, 1, 0, 0], "value": 5}
    assert document["channel"] == {"index": 1, "name": "G"}
    assert (document["rows"], document["columns"]) == ([0, 1, 2], [-1, 1])
    assert document["values"] == [[0, 1]] * 3
    assert document["inside"] == [[False, True]] * 3
    assert document["products"] == [[0, 5]] * 3
    shown = convviz(*words).stdout
    assert "weight 0,1,0,0 = 5: row 0, column 0 of the kernel" in shown
    assert "columns -1 to 1 in steps of 2 (1 in the padding)" in shown
    assert "feeds all 6 values of 5,1,1; for 3 of them it meets padding" in shown
    assert [line.split() for line in shown.splitlines()[6:8]] == [
        ["0,0", "0,-1", "(0)", "0"],
        ["0,1", "0,1", "1", "5"],
    ]


def test_a_layer_is_written_as_matrix_products(convviz, classic):
    """One row of kernel values on the middle column of the classic numbers: 1 of R, 1 of G, nothing of B."""
    words = ("explain", classic.name, "--as-matrix", "-K", "0 1 0")
    document = json.loads(convviz(*words, "--json").stdout)
    assert document["values"] == [2, 2, 2]
    assert document["im2col"]["maps"] == [[2, 2, 2]]
    assert document["im2col"]["filters"] == [[0, 1, 0] * 3]
    assert document["matrix"][0] == [0, 1, 0, *[0] * 6] * 3
    shown = convviz(*words).stdout
    assert "im2col: 1x9 times 9x3 is 1x3" in shown
    assert "one matrix for map 0 (0,1,0): 3x27 times 27x1 is 3x1" in shown
    assert "= map 0 (0,1,0), one column printed as a row\n2  2  2\n" in shown
    assert shown.rstrip().endswith("both are equal to what numpy computed")


@pytest.mark.parametrize(
    "what", [["--at", "0,0"], ["--pixel", "1,1", "--map", "1"], ["--weight", "1,2,0,0"]], ids=lambda w: w[0]
)
@pytest.mark.parametrize("picture", ["classic.json", HARBOUR], ids=["small", "large"])
def test_every_direction_is_drawn_small_and_large(convviz, classic, what, picture):
    done = convviz("explain", picture, *what, "-O", "2", "-p", "1", "-o", "x.svg")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "x.svg"
    # The bar of the map is one picture.
    pictures = classic.with_name("x.svg").read_text().count("<image")
    assert (pictures > 1) == (picture == HARBOUR)


@pytest.mark.parametrize("columns", ["40", "200"])
def test_no_line_is_longer_than_the_terminal_is_wide(convviz, classic, columns):
    done = convviz("explain", classic.name, "--at", "1,1", "-k", "3", "-p", "1", env={"COLUMNS": columns})
    matrices = [line for line in done.stdout.splitlines() if line and not line[0].isalpha()]
    assert max(map(len, matrices)) <= int(columns) or " + " in max(matrices, key=len)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--at", "3,0"], "rows go to 2, columns to 2"),
        (["--pixel", "0,3"], "rows go to 2, columns to 2"),
        (["--at", "0,0", "--map", "6"], "0 to 5"),
        (
            ["--at", "0,0", "--pixel", "0,0"],
            "as_matrix and group_map are different questions",
        ),
        (["--weight", "0,0,0,0", "--map", "0"], "map: a weight belongs to one filter"),
        (["--pixel", "0,0", "--map", "6"], "0 to 5"),
        (["--weight", "6,0,0,0"], "weight: map: there is no map 6; choose from 0 to 5."),
        (["--weight", "0,3,0,0"], "there is no channel 3; choose from 0 to 2."),
        (["--weight", "0,0,3,0"], "outside of the kernel; rows go to 2, columns to 2"),
        (["--weight", "0,0,3"], "expected O,I,Y,X"),
        (["--as-matrix", "--at", "0,0"], "give one of them"),
        (["--as-matrix", "--map", "6"], "0 to 5"),
        (["--group-map", "--map", "0"], "map: the group map shows every map"),
        (["--at", "0,0", "-o", "x.bmp"], "a picture ends in .png, .svg, .pdf, .webp or .jpg, not '.bmp'."),
        (["--at", "0,0", "-o", "x.GIF"], "or .jpg, not '.GIF'; animate makes animations."),
    ],
)
def test_what_cannot_be_explained_is_one_line(convviz, classic, arguments, message):
    done = convviz("explain", classic.name, "-p", "1", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    *remarks, error = done.stderr.splitlines()
    assert message in error
    # Whatever has read them says which axis it took for the channels.
    assert set(remarks) <= {"an array of shape (3, 3, 3) is read as (channels, height, width)"}


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
@pytest.mark.parametrize(
    ("question", "ends"),
    [
        (["--at", "0,0", "--map", "1"], ["-7.0 to -1.0"]),
        (["--pixel", "0,0"], ["1.0 to 5.0"]),
        (["--weight", "1,0,0,0"], ["-7.0 to -1.0"]),
        (["--group-map"], ["1.0 to 5.0", "-7.0 to -1.0"]),
        (["--group-map", "--scale", "layer"], ["-7.0 to 5.0", "-7.0 to 5.0"]),
        (["--as-matrix"], None),
    ],
    ids=["a value", "a pixel", "a weight", "groups", "groups on one scale", "matrices"],
)
def test_a_drawing_stores_the_ends_of_the_scales_of_its_maps(convviz, tmp_path, question, ends, ending):
    """Two groups of one channel each: the first map is its channel, the second one its channel times -1."""
    (tmp_path / "x.json").write_text("[[[1, 2], [3, 5]], [[1, 7], [3, 4]]]")
    (tmp_path / "k.json").write_text("[[[[1]]], [[[-1]]]]")
    done = convviz("explain", "x.json", "-K", "k.json", "-g", "2", *question, "-o", f"x{ending}")
    assert done.returncode == 0, done.stderr
    assert json.loads(convviz("inspect", f"x{ending}", "--json").stdout).get("ends") == ends


def test_one_term_is_the_sum_and_the_rounding_says_what_it_bounds(convviz, tmp_path):
    """2**24 + 3 is no number of float32; 4 products may be off by (4 + 1) * 2**-24 * (2**24 + 3) = 5."""
    np.savetxt(tmp_path / "ones.csv", np.ones((2, 2)), delimiter=",")
    (tmp_path / "odd.json").write_text("[[16777216, 1], [1, 1]]")
    lines = convviz("explain", "ones.csv", "--at", "0,0", "-K", "1 1; 1 1").stdout.splitlines()
    assert "numpy computed 4, the same value" in lines
    assert "the sum is 4" in lines
    assert not [line for line in lines if line.startswith(("4 = 4", "sum "))]
    *_, last = convviz("explain", "odd.json", "-K", "1 1; 1 1").stdout.splitlines()
    assert last.startswith("numpy computed 167772")
    assert last.endswith(
        "is rounding (float32 rounding of 4 products makes at most 5, if all errors have the same sign)"
    )


def test_a_value_of_many_channels_writes_out_the_eight_largest_sums_and_adds_the_others(convviz, tmp_path):
    # Channel c is c everywhere and the kernel is 1, so channel c adds c; 0 to 19 add up to 190.
    channels = np.arange(20, dtype=np.float32)[:, None, None]
    np.save(tmp_path / "many.npy", np.broadcast_to(channels, (20, 2, 2)))
    done = convviz("explain", "many.npy", "--kernel", "1", cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert "8 of 20 channels: those with the largest sums" in lines, done.stderr
    assert [line for line in lines if line.startswith("sum ")] == [f"sum {c}" for c in range(12, 20)]
    assert "12 + 13 + 14 + 15 + 16 + 17 + 18 + 19 + 66 (12 other channels) = 190" in lines


def test_a_map_is_chosen_by_the_name_that_the_table_has(convviz, classic):
    by_number, by_name = (
        convviz("explain", classic.name, "-K", "sobel", "-p", "1", "--map", map, "--json")
        for map in ("1", "sobel-y")
    )
    assert by_name.returncode == 0, by_name.stderr
    assert json.loads(by_name.stdout) == json.loads(by_number.stdout)
    assert json.loads(by_name.stdout)["map"] == {"index": 1, "name": "sobel-y"}
    done = convviz("explain", classic.name, "-K", "sobel", "-p", "1", "--map", "sobel-z")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no map named 'sobel-z'; did you mean 'sobel-y'?" in done.stderr
    done = convviz("explain", classic.name, "-K", "sobel", "--group-map", "--map", "sobel-y")
    assert "the group map shows every map" in done.stderr
