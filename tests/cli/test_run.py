"""``convviz run`` as a process: status, stdout and stderr apart, and what is written."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

ONES = "1 1 1; 1 1 1; 1 1 1"


@pytest.fixture
def photo(tmp_path):
    """A small colour picture with a bright square on dark ground."""
    levels = np.zeros((24, 32, 3), np.uint8)
    levels[8:16, 10:22] = (250, 120, 30)
    path = tmp_path / "photo.png"
    Image.fromarray(levels).save(path)
    return path


def test_the_first_thing_anybody_types_writes_a_picture_and_prints_the_maps(convviz, photo):
    done = convviz("run", photo.name, "--out-channels", "6", "--padding", "1")
    assert done.returncode == 0, done.stderr
    assert "Conv2d(3, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))" in done.stdout
    assert "6 filters x 3 channels = 18 two-dimensional kernels -> 6 feature maps" in done.stdout
    assert (
        "shape: 3x24x32 -> 6x24x32, height (24 + 2*1 - 3) / 1 + 1 = 24, width (32 + 2*1 - 3) / 1 + 1 = 32\n"
        in done.stdout
    )
    assert "parameters: 168 = 6 x 3 x 3 x 3 weights + 6 biases" in done.stdout
    assert done.stdout.splitlines()[-1] == "photo-maps.png"
    assert done.stderr == ""
    with Image.open(photo.with_name("photo-maps.png")) as sheet:
        assert "convviz" in sheet.text


def test_the_cost_the_groups_and_the_backend_are_printed_only_with_verbose(convviz, photo):
    """3 filters of 3x3 weights at 24x32 positions: 27 x 768 products, and 3 x 768 values of 4 bytes."""
    words = ("run", photo.name, "-O", "3", "-g", "3", "-p", "1")
    more = [
        "MACs: 20,736 = 27 weights x 24 x 32 positions (the bias is not counted, products with padding are)",
        "maps: 2,304 values, 9 KiB as float32",
        "backend: numpy (auto)",
        "group 0: channel R -> map 0",
        "group 1: channel G -> map 1",
        "group 2: channel B -> map 2",
        "saved: 27 weights instead of 81, 20,736 MACs instead of 62,208",
        "",
        "kernels",
    ]
    short, long = (convviz(*words, *flag).stdout.splitlines() for flag in ([], ["-v"]))
    assert set(more) & set(short) == {""}
    assert long[4:13] == more
    assert set(short) < set(long)
    done = convviz(*words, "--verbose", "--quiet")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "convviz: verbose: leave out --quiet, which prints paths alone.",
    )


def test_a_filter_of_ones_on_the_classic_numbers_gives_eighteen(convviz, classic):
    done = convviz("run", classic.name, "-K", ONES, "--table")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("  1x1\n")[1].split()[:4:3] == ["0", "18"]


def test_the_layer_of_the_tutorial_is_one_command(convviz, classic):
    """Six filters of a new layer, of which the first is set to ones: R gives 9, G 3 and B 6, so 18."""
    done = convviz("run", classic.name, "-K", f"ones={ONES}", "-O", "6", "--json", "--table")
    x = torch.tensor(json.loads(classic.read_text()), dtype=torch.float32)
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(in_channels=3, out_channels=6, kernel_size=3, bias=False)
    with torch.no_grad():
        layer.weight[0] = 1
        theirs = layer(x[None])[0].numpy()
    document = json.loads(done.stdout)
    assert document["values"][0] == [[18]]
    np.testing.assert_allclose(document["values"], theirs, rtol=0, atol=1e-6)
    assert [row["name"] for row in document["maps"]] == ["ones", *(f"map {index}" for index in range(1, 6))]


def test_the_kernels_of_a_small_layer_are_printed(convviz, classic):
    done = convviz(
        "run", classic.name, "-K", f"ones={ONES}", "-K", "1 -2 | 0.25 1 | 0 0", "--bias-values", "1,0", "-v"
    )
    lines = done.stdout.split("\nkernels\n")[1].splitlines()
    # 1x2 kernel values among 3x3 stand in the middle row, from the left: one spare column lies right of them.
    assert lines[:9] == [
        "ones, bias 1, in every channel",
        "  1  1  1",
        "  1  1  1",
        "  1  1  1",
        "1,-2|0.25,1|0,0, bias 0",
        "  R                            G                            B",
        "   0.0000   0.0000   0.0000     0.0000   0.0000   0.0000     0.0000   0.0000   0.0000",
        "   1.0000  -2.0000   0.0000     0.2500   1.0000   0.0000     0.0000   0.0000   0.0000",
        "   0.0000   0.0000   0.0000     0.0000   0.0000   0.0000     0.0000   0.0000   0.0000",
    ]


def test_a_weight_beside_a_much_larger_one_is_not_printed_as_zero(convviz, classic):
    done = convviz("run", classic.name, "-K", "0.00001 1000.5", "--verbose")
    assert "  1e-05   1000\n" in done.stdout


def test_the_kernels_of_a_large_layer_are_not_printed(convviz, classic):
    """7 x 3 x 3 x 3 are 189 weights, 8 x 3 x 3 x 3 are 216."""
    assert "\nkernels\n" in convviz("run", classic.name, "-O", "7", "--table").stdout
    assert "\nkernels\n" not in convviz("run", classic.name, "-O", "8", "--table").stdout


@pytest.fixture
def channels(tmp_path):
    """The classic numbers, a file for each channel."""
    rows = {"R": "1,1,1\n", "G": "0,1,0\n", "B": "1,0,1\n"}
    for name, row in rows.items():
        (tmp_path / f"{name}.csv").write_text(3 * row)
    return [f"{name}.csv" for name in rows]


def test_several_inputs_are_the_channels_of_one(convviz, channels, classic):
    done = convviz("run", *channels, "-K", ONES, "-K", "1@G", "--json", "--table")
    assert done.stderr.splitlines()[0] == "3 inputs are stacked: the 3 channels are R, G, B"
    document = json.loads(done.stdout)
    assert document["input"] == {"path": "R.csv", "paths": channels, "shape": [3, 3, 3], "range": "unit"}
    assert document["files"] == ["R-maps.png"]
    assert document["maps"][1]["name"] == "1 @G"
    assert document["values"] == [[[18]], [[1]]]
    one = json.loads(convviz("run", classic.name, "-K", ONES, "-K", "1@G", "--json", "--table").stdout)
    assert one["values"] == document["values"]


def test_inputs_of_two_sizes_are_not_stacked(convviz, channels, photo):
    done = convviz("run", channels[0], photo.name)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "convviz: inputs whose channels are stacked must have the same size, but 'R' is 3x3 "
        "and 'photo' 24x32 pixels; give --resize HxW.\n"
    )
    assert convviz("run", channels[0], photo.name, "--resize", "8").returncode == 0


def test_no_input_of_several_is_ever_replaced(convviz, channels, photo):
    done = convviz("run", photo.name, photo.name, "-o", photo.name, "--force")
    assert done.returncode == 4
    again = photo.with_name("again.png")
    again.write_bytes(photo.read_bytes())
    assert convviz("run", photo.name, again.name, "-o", again.name, "--force").returncode == 4


@pytest.mark.parametrize(
    ("padding", "rows"),
    [
        ("1", [[8, 12, 8], [12, 18, 12], [8, 12, 8]]),
        ("2", [[2, 4, 6, 4, 2], [4, 8, 12, 8, 4], [6, 12, 18, 12, 6], [4, 8, 12, 8, 4], [2, 4, 6, 4, 2]]),
    ],
)
def test_the_table_shows_every_value_between_its_indices(convviz, classic, padding, rows):
    done = convviz("run", classic.name, "-K", ONES, "--table", "--padding", padding)
    shown = [line.split() for line in done.stdout.splitlines()]
    for index, row in enumerate(rows):
        assert [str(index), *map(str, row)] in shown


def test_json_is_one_document_with_the_documented_keys(convviz, classic):
    done = convviz(
        "run", classic.name, "-K", ONES, "--json", "--table", "--padding", "1,0,0,2", "--stride", "1x2"
    )
    document = json.loads(done.stdout)
    # Padded to 4 rows and 5 columns: windows at rows 0 and 1, at columns 0 and 2 (the last two are padding).
    assert document["input"] == {"path": "classic.json", "shape": [3, 3, 3], "range": "unit"}
    assert document["layer"] == {
        "in_channels": 3,
        "out_channels": 1,
        "kernel_size": [3, 3],
        "stride": [1, 2],
        "padding": [1, 0, 0, 2],
        "padding_mode": "zeros",
        "dilation": [1, 1],
        "groups": 1,
        "bias": False,
    }
    assert document["output_shape"] == [1, 2, 2]
    assert document["values"] == [[[12, 4], [18, 6]]]
    (row,) = document["maps"]
    assert (row["index"], row["min"], row["max"], row["mean"]) == (0, 4, 18, 10)
    assert row["std"] == pytest.approx(np.std([12, 4, 18, 6]))
    assert document["parameters"] == 27
    assert document["macs"] == 27 * 4
    assert document["backend"] == "numpy"
    assert document["files"] == ["classic-maps.png"]
    assert set(document["seconds"]) == {"read", "compute", "write"}


def test_what_was_done_to_the_input_is_said_and_stands_in_json(convviz, classic):
    """Of 3x3 numbers, 6x6, and of these the middle 4x3."""
    done = convviz(
        "run", classic.name, "--resize", "short:6", "--crop", "4x3", "--normalize", "0.5,2", "--json"
    )
    assert json.loads(done.stdout)["input"] == {
        "path": "classic.json",
        "shape": [3, 4, 3],
        "range": "unit",
        "resize": [6, 6],
        "crop": [4, 3],
        "normalize": {"mean": [0.5, 0.5, 0.5], "std": [2.0, 2.0, 2.0]},
    }
    assert done.stderr.splitlines()[:4] == [
        "an array of shape (3, 3, 3) is read as (channels, height, width)",
        "resized from 3x3 to 6x6",
        "cropped from 6x6 to 4x3 (the centre)",
        "normalised with mean 0.5 and deviation 2.0",
    ]
    found = json.loads(convviz("inspect", "classic-maps.png", "--json").stdout)
    assert {name: found[name] for name in ("resize", "crop", "normalize")} == {
        "resize": "short:6",
        "crop": "4x3",
        "normalize": "0.5,2.0",
    }


def test_a_net_gets_the_normalised_planes(convviz, classic):
    done = convviz(
        "run", classic.name, "--layers", "conv 1 k1", "--normalize", "1,2", "--save", "x.npz", "--json"
    )
    assert json.loads(done.stdout)["input"]["normalize"] == {"mean": [1.0] * 3, "std": [2.0] * 3}
    with np.load(classic.parent / "x.npz") as stored:
        np.testing.assert_array_equal(stored["input"][1], [[-0.5, 0, -0.5]] * 3)


def test_save_stores_the_exact_numbers_under_the_documented_names(convviz, classic):
    done = convviz("run", classic.name, "-O", "2", "--save", "out.npz", "--partial")
    assert done.returncode == 0, done.stderr
    with np.load(classic.with_name("out.npz")) as stored:
        assert set(stored.files) == {"input", "weight", "bias", "maps", "names", "partial"}
        parts, maps = stored["partial"], stored["maps"]
        assert parts.shape == (2, 3, 1, 1)
        np.testing.assert_allclose(parts.sum(axis=1) + stored["bias"][:, None, None], maps, rtol=0, atol=1e-6)
        # The numbers by definition: one window, every weight times the pixel below it.
        expected = (stored["weight"] * stored["input"]).sum(axis=(1, 2, 3)) + stored["bias"]
        np.testing.assert_allclose(maps.ravel(), expected, rtol=0, atol=1e-6)


def test_stored_weights_make_the_same_maps_again(convviz, classic):
    convviz("run", classic.name, "-O", "2", "--save", "first.safetensors")
    again = convviz(
        "run", classic.name, "-K", "first.safetensors", "--save", "second.npz", "--json", "--table"
    )
    first = convviz("run", classic.name, "-O", "2", "--json", "--table")
    assert json.loads(again.stdout)["values"] == json.loads(first.stdout)["values"]


def test_every_map_is_written_at_full_size(convviz, photo):
    done = convviz("run", photo.name, "-K", "sobel", "--maps", "all")
    assert done.returncode == 0, done.stderr
    folder = photo.with_name("all")
    assert sorted(path.name for path in folder.iterdir()) == ["0-sobel-x.png", "1-sobel-y.png"]
    with Image.open(folder / "0-sobel-x.png") as image:
        assert image.size == (30, 22)
        levels = np.asarray(image)
    # At the left edge of the square brightness rises, at its right edge it falls; elsewhere it stays.
    assert levels[10, 8] == 255
    assert levels[10, 20] == 0
    # The strongest edges are more than 1 % of the map, so the ends are -peak and peak: 0 is 127.5, upwards.
    assert levels[0, 0] == 128


def test_numbers_and_pictures_come_through_stdin(convviz, photo, classic):
    done = convviz("run", "-", "--json", stdin=photo.read_bytes())
    assert json.loads(done.stdout)["input"]["shape"] == [3, 24, 32]
    done = convviz("run", "-", "--json", stdin=classic.read_bytes())
    assert json.loads(done.stdout)["input"]["shape"] == [3, 3, 3]
    done = convviz("run", "-", "--json", "-k", "2", stdin=b"1,2,3\n4,5,6\n")
    assert json.loads(done.stdout)["input"]["shape"] == [1, 2, 3]
    assert json.loads(done.stdout)["files"] == ["stdin-maps.png"]


def test_both_backends_say_that_they_agree(convviz, photo):
    done = convviz("run", photo.name, "--check")
    assert done.returncode == 0, done.stderr
    assert "check: numpy and torch differ by at most" in done.stderr


def test_torch_gives_the_same_seeded_maps(convviz, photo):
    ours = json.loads(convviz("run", photo.name, "--json", "--table", "-b", "numpy").stdout)
    theirs = json.loads(convviz("run", photo.name, "--json", "--table", "-b", "torch").stdout)
    assert theirs["backend"] == "torch"
    np.testing.assert_allclose(ours["values"], theirs["values"], rtol=0, atol=1e-5)


def test_flipping_an_impulse_draws_the_kernel_as_it_is_written(convviz, tmp_path):
    impulse = np.zeros((1, 5, 5))
    impulse[0, 2, 2] = 1
    np.save(tmp_path / "impulse.npy", impulse)
    done = convviz("run", "impulse.npy", "-K", "1 2 3; 4 5 6; 7 8 9", "--flip", "--json", "--table")
    assert json.loads(done.stdout)["values"] == [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]


def test_flipping_says_what_it_changes_and_where(convviz, tmp_path):
    """On a lone 1, the values 1 2 4 make 4 2 1 and turned 1 2 4: 3 apart at both ends, 0 in the middle."""
    np.save(tmp_path / "one.npy", np.array([[[0, 0, 1, 0, 0]]], float))
    words = ("run", "one.npy", "-K", "1 2 4", "-K", "3 5 3", "--flip", "--force")
    done = convviz(*words, "--save", "out.npz")
    assert "differs from cross-correlation by 3 at most (1,2,4 flipped, row 0, column 0)" in done.stdout
    assert "flip: map 3,5,3 flipped stays as it is" in done.stdout
    with np.load(tmp_path / "out.npz") as stored:
        np.testing.assert_array_equal(stored["flip_difference"], [[[-3, 0, 3]], [[0, 0, 0]]])
    assert json.loads(convviz(*words, "--json").stdout)["flip"] == {
        "difference": 3,
        "symmetric": [False, True],
    }


def test_flipping_symmetric_kernels_changes_nothing(convviz, classic):
    done = convviz("run", classic.name, "-K", "box", "-K", "laplacian", "--flip")
    assert "flip: every kernel is symmetric under the half turn, so nothing changes" in done.stdout


def test_a_bias_is_given_with_the_kernels(convviz, classic):
    done = convviz("run", classic.name, "-K", ONES, "--bias-values", "0.5", "--json", "--table")
    assert json.loads(done.stdout)["values"] == [[[18.5]]]


def test_a_bias_that_no_kernel_brings_is_not_left_out_in_silence(convviz, classic):
    done = convviz("run", classic.name, "-K", ONES, "--bias")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "convviz: bias: these kernels have none; leave out --bias, or give --bias-values with --kernel.\n"
    )


def test_the_layer_of_a_tutorial_keeps_its_bias_if_asked(convviz, classic):
    done = convviz("run", classic.name, "-K", ONES, "-O", "6", "--bias", "-o", "six.png", "--json", "--table")
    x = torch.tensor(json.loads(classic.read_text()), dtype=torch.float32)
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(3, 6, 3)
    with torch.no_grad():
        layer.weight[0] = 1
        theirs = layer(x[None])[0].numpy()
    np.testing.assert_allclose(json.loads(done.stdout)["values"], theirs, rtol=0, atol=1e-6)
    again = convviz("run", classic.name, "--like", "six.png", "-o", "again.png", "--json", "--table")
    assert json.loads(again.stdout)["values"] == json.loads(done.stdout)["values"]


def test_quiet_prints_the_paths_and_nothing_else(convviz, photo):
    done = convviz("run", photo.name, "--quiet", "-o", "a/b/out.png", "--save", "x.npy")
    assert (done.returncode, done.stdout, done.stderr) == (0, "a/b/out.png\nx.npy\n", "")


def test_a_picture_of_ours_is_replaced_and_any_other_is_not(convviz, photo):
    target = photo.with_name("out.png")
    assert convviz("run", photo.name, "-o", target.name).returncode == 0
    assert convviz("run", photo.name, "-o", target.name, "-K", "box").returncode == 0
    Image.new("L", (4, 4)).save(target)
    before = target.read_bytes()
    done = convviz("run", photo.name, "-o", target.name)
    assert done.returncode == 4
    assert "--force" in done.stderr
    assert target.read_bytes() == before
    assert convviz("run", photo.name, "-o", target.name, "--force").returncode == 0


def test_the_input_is_never_replaced(convviz, photo):
    before = photo.read_bytes()
    done = convviz("run", photo.name, "-o", photo.name, "--force")
    assert done.returncode == 4
    assert photo.read_bytes() == before


def test_nothing_is_asked_of_a_terminal_that_is_not_there(convviz, photo):
    done = convviz("run", photo.name, "--show", "--quiet")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "--show needs a terminal" in done.stderr


def test_the_same_settings_write_the_same_bytes(convviz, photo):
    convviz("run", photo.name, "-o", "a.png", "--colormap", "signed")
    convviz("run", photo.name, "-o", "b.png", "--colormap", "signed")
    assert photo.with_name("a.png").read_bytes() == photo.with_name("b.png").read_bytes()


def test_the_options_of_the_picture_change_its_size(convviz, photo):
    sizes = []
    for options in ([], ["--tile", "full"], ["--columns", "2"]):
        convviz("run", photo.name, "-o", "out.png", *options)
        sizes.append(Image.open(io.BytesIO(photo.with_name("out.png").read_bytes())).size)
    assert len(set(sizes)) == 3


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        pytest.param(
            ["--stride", "2x"], 2, "stride: expected N or HxW, such as 3 or 3x5, not '2x'.", id="stride"
        ),
        pytest.param(["--stride", "0"], 2, "stride must be at least 1", id="no stride"),
        pytest.param(["--padding", "1,2,3"], 2, "padding: expected N, HxW", id="padding"),
        pytest.param(["--padding-mode", "mirror"], 2, "no padding mode named 'mirror'", id="padding mode"),
        pytest.param(["-K", "sobelx"], 2, "no kernel named 'sobelx'; did you mean 'sobel-x'?", id="kernel"),
        pytest.param(["-K", "1 2; 3"], 2, "row 2", id="ragged kernel"),
        pytest.param(["-K", "missing.npz"], 3, "missing.npz", id="kernel file"),
        pytest.param(["--groups", "2"], 2, "groups must divide", id="groups"),
        pytest.param(["-k", "99"], 2, "height: a kernel of size 99 spans 99 pixels", id="large kernel"),
        pytest.param(
            ["-O", "100000000000"],
            2,
            "weights of 100,000,000,000 filters need",
            id="more filters than memory",
        ),
        pytest.param(["--colormap", "viridia"], 2, "did you mean 'viridis'?", id="colormap"),
        pytest.param(["--table", "--at", "99,0"], 2, "rows go to 21", id="a position outside"),
        pytest.param(["-o", "out.gif"], 2, "ends in .png", id="another format"),
        pytest.param(
            ["--save", "out.mat"], 2, "save: exact numbers are written to .npz", id="another archive"
        ),
        pytest.param(["--mode", "grai"], 2, "did you mean 'gray'?", id="mode"),
        pytest.param(["--backend", "cuda"], 2, "no backend named 'cuda'", id="backend"),
        pytest.param(
            ["-b", "numpy", "--device", "cuda"], 5, "numpy backend does not run on cuda", id="device"
        ),
        pytest.param(
            ["--strde", "2"], 2, "no such option: --strde; did you mean --stride?", id="unknown option"
        ),
        pytest.param(["--filters", "6"], 2, "did you mean --out-channels?", id="another word for an option"),
        pytest.param(["--pad", "1"], 2, "did you mean --padding?", id="a shorter word for an option"),
        pytest.param(["--kernel_size", "3"], 2, "did you mean --kernel-size?", id="a name as in Python"),
        pytest.param(["--no-bais"], 2, "did you mean --no-bias?", id="an option that switches off"),
        pytest.param(["--zzz"], 2, "(convviz run --help lists the options)", id="where options are listed"),
        pytest.param(["--stride"], 2, "(convviz run --help lists the options)", id="an option without value"),
        pytest.param(["--stride"], 2, "requires an argument", id="no value"),
        pytest.param(
            ["--bias-values", "1"],
            2,
            "bias-values can only be used with --kernel",
            id="biases without kernels",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line_with_its_status(convviz, photo, arguments, status, message):
    done = convviz("run", photo.name, *arguments)
    assert done.returncode == status
    assert done.stdout == ""
    assert done.stderr.startswith("convviz: ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert "invalid" not in done.stderr.lower()


def test_a_missing_input_is_named(convviz):
    done = convviz("run", "nowhere.png")
    assert done.returncode == 3
    assert "nowhere.png" in done.stderr


def test_groups_say_which_planes_feed_which_maps_and_what_that_saves(convviz, photo):
    done = convviz("run", photo.name, "-O", "6", "--groups", "3", "-v")
    assert "group 1: channel G -> maps 2, 3" in done.stdout
    # 6 x 1 x 3 x 3 weights at 22 x 30 positions, against three times as many.
    assert "saved: 54 weights instead of 162, 35,640 MACs instead of 106,920" in done.stdout


def test_the_values_of_a_large_map_are_a_window_of_24_by_24_where_a_line_has_no_width(convviz, tmp_path):
    np.save(tmp_path / "x.npy", np.arange(30 * 40, dtype=np.float32).reshape(30, 40))
    done = convviz("run", "x.npy", "-K", "1", "--table", env={"COLUMNS": ""})
    assert done.stdout.splitlines()[-3] == (
        "shown: rows 0 to 23 of 30, columns 0 to 23 of 40; --at Y,X moves the window"
    )
    # An index and 24 numbers of four characters, each after three spaces.
    assert max(map(len, done.stdout.splitlines())) == 2 + 24 * 7


def test_a_table_of_large_values_that_are_not_whole_has_no_decimals(convviz, tmp_path):
    path = tmp_path / "large.csv"
    path.write_text("10000,0.5\n0.25,2")
    done = convviz("run", path, "-K", "1", "--table")
    assert done.returncode == 0, done.stderr
    assert "10000" in done.stdout


def test_partial_maps_stand_in_tables_and_in_json(convviz, classic):
    """Nine ones of R, three of G, six of B; groups leave a filter its own channel."""
    words = ("run", classic.name, "-K", ONES, "--partial", "--table")
    document = json.loads(convviz(*words, "--json").stdout)
    assert document["partial"] == {"difference": 0, "values": [[[[9]], [[3]], [[6]]]]}
    lines = convviz(*words).stdout.splitlines()
    found = [line.split(":")[1].split()[0] for line in lines if " partial map  1x1" in line]
    assert found == ["R", "G", "B"]
    grouped = convviz("run", classic.name, "-O", "3", "-g", "3", "--partial", "--table").stdout
    assert [line for line in grouped.splitlines() if " partial map  1x1" in line] == [
        "map 0: R partial map  1x1",
        "map 1: G partial map  1x1",
        "map 2: B partial map  1x1",
    ]


def test_top_leaves_the_strongest_maps_in_pictures_and_in_tables(convviz, tmp_path):
    """The filters multiply by 1, -3 and 2: the last two are the strongest, and each reads the third channel.

    The kernels with @B read 5 and 6, so that the maps are -15 and -18, then 10 and 12.
    """
    (tmp_path / "x.json").write_text("[[[1, 2]], [[3, 4]], [[5, 6]]]")
    kernels = ("-K", "a=1@B", "-K", "b=-3@B", "-K", "c=2@B")
    words = ("run", "x.json", *kernels, "--top", "2", "--partial", "--table")
    document = json.loads(convviz(*words, "--json").stdout)
    assert [row["index"] for row in document["maps"]] == [1, 2]
    assert document["values"] == [[[-15, -18]], [[10, 12]]]
    assert document["partial"]["values"] == [
        [[[0, 0]], [[0, 0]], [[-15, -18]]],
        [[[0, 0]], [[0, 0]], [[10, 12]]],
    ]
    drawn = {one["name"]: one["ends"] for one in document["scales"] if "sum" in one["name"]}
    assert drawn == {"sum = b @B": [-18, 0], "sum = c @B": [0, 12]}
    lines = convviz(*words).stdout.splitlines()
    tables = [line for line in lines if line.endswith("  1x2")]
    assert tables == [
        line
        for name in ("b @B", "c @B")
        for line in (*(f"{name}: {channel} partial map  1x2" for channel in "RGB"), f"{name}  1x2")
    ]
    flipped = json.loads(convviz("run", "x.json", *kernels, "--top", "2", "--flip", "--json").stdout)
    assert [row["index"] for row in flipped["maps"]] == [1, 2]


def test_partial_maps_of_the_strongest_filters_are_those_of_their_groups(convviz, tmp_path):
    """Three channels in three groups: the filter of the third is strongest, and reads no other channel."""
    (tmp_path / "x.json").write_text("[[[1, 2]], [[3, 4]], [[5, 6]]]")
    words = ("run", "x.json", "-K", "1", "-g", "3", "--top", "1", "--partial", "--json")
    done = convviz(*words)
    assert done.returncode == 0, done.stderr
    assert {one["name"] for one in json.loads(done.stdout)["scales"]} == {"B partial map", "sum = 1 @B"}


def test_partial_maps_say_how_well_they_add_up(convviz, classic):
    done = convviz("run", classic.name, "-K", ONES, "--partial")
    assert "partial maps + bias = map (largest difference 0)" in done.stdout


def test_biases_of_several_files_are_all_kept(convviz, tmp_path):
    (tmp_path / "one.csv").write_text("1\n")
    np.savez(tmp_path / "a.npz", weight=np.full((1, 1, 1, 1), 2.0), bias=np.array([10.0]))
    np.savez(tmp_path / "b.npz", weight=np.full((1, 1, 1, 1), 3.0), bias=np.array([20.0]))
    done = convviz("run", "one.csv", "-K", "a.npz", "-K", "5", "-K", "b.npz", "--json", "--table")
    assert json.loads(done.stdout)["values"] == [[[12]], [[5]], [[23]]]
    assert "the bias is the one stored with the kernel; 5 has none, so 0" in done.stderr


def test_a_kernel_file_is_an_input_and_never_replaced(convviz, tmp_path):
    (tmp_path / "one.csv").write_text("1\n")
    np.savez(tmp_path / "k.npz", weight=np.ones((1, 1, 1, 1)))
    before = (tmp_path / "k.npz").read_bytes()
    done = convviz("run", "one.csv", "-K", "k.npz", "--save", "k.npz", "--force")
    assert done.returncode == 4
    assert "it is the input" in done.stderr
    assert (tmp_path / "k.npz").read_bytes() == before


def test_a_weight_that_float32_cannot_hold_is_one_line(convviz, tmp_path):
    (tmp_path / "big.csv").write_text("3e38")
    done = convviz("run", "big.csv", "-K", "1e39")
    assert (done.returncode, done.stdout) == (2, "")
    assert "float32" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_seed_of_twenty_digits_is_taken(convviz, classic):
    assert convviz("run", classic.name, "--seed", str(2**64 - 1)).returncode == 0
    done = convviz("run", classic.name, "--seed", str(2**64))
    assert "seed must be at most 18446744073709551615" in done.stderr


def test_maps_of_an_earlier_run_are_named_and_nothing_is_deleted(convviz, classic):
    """Six maps, then two, with other names from the third on; and a file of somebody else between them."""
    convviz("run", classic, "-O", "6", "--maps", "maps")
    (classic.parent / "maps" / "7-mine.png").write_bytes(b"mine")
    done = convviz("run", classic, "-O", "2", "--maps", "maps")
    assert "'maps' also has 4 maps of an earlier run (2-" in done.stderr
    assert len(list((classic.parent / "maps").iterdir())) == 7
    assert "earlier run" not in convviz("run", classic, "-O", "6", "--maps", "maps").stderr


def test_numbers_of_five_digits_are_drawn_and_saved(convviz, tmp_path):
    (tmp_path / "x.json").write_text("[[20000, 100], [7, 30]]")
    done = convviz("run", "x.json", "-K", "1", "-o", "o.png", "--save", "o.npz")
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "o.npz")["maps"][0], [[20000, 100], [7, 30]])


def test_more_maps_than_there_are_are_told(convviz, photo):
    done = convviz("run", "photo.png", "--out-channels", "2", "--top", "100")
    assert "2 maps, so all are drawn, not 100" in done.stderr


def test_a_flipped_map_has_one_name_everywhere_and_the_map_before_it_another(convviz, tmp_path):
    """The kernel reads the top left pixel of its window; rotated, it reads the bottom right one."""
    (tmp_path / "n.csv").write_text("1,2,3\n4,5,6\n7,8,9\n")
    words = ("run", "n.csv", "-K", "corner=1 0; 0 0", "--flip", "-o", "x.svg")
    found = json.loads(convviz(*words, "--json").stdout)
    assert [(one["name"], one["min"], one["max"]) for one in found["maps"]] == [("corner flipped", 5, 9)]
    assert [one["name"] for one in found["scales"]] == ["corner", "corner flipped", "difference"]
    told = (tmp_path / "x.svg").read_text(encoding="utf-8")
    assert "corner: 1 to 5" in told
    assert "corner flipped: 5 to 9" in told
    printed = convviz(*words).stdout
    assert "by 4 at most (corner flipped, row 0, column 0)" in printed
    assert "0   corner flipped     5     9" in printed
