"""``convviz shape``, ``convviz kernels`` and the frame of all commands, as processes."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from convviz.cli.app import status_of
from convviz.spec.kernels import entries


def test_the_first_layer_of_alexnet_has_its_known_shape_and_parameters(convviz):
    done = convviz("shape", "3x227x227", "--out-channels", "96", "--kernel-size", "11", "--stride", "4")
    assert done.returncode == 0
    assert "output  96 x 55 x 55" in done.stdout
    assert "parameters: 34,944 = 96 x 3 x 11 x 11 weights + 96 biases" in done.stdout
    # floor((227 + 0 - 10 - 1) / 4) + 1 with 216 = 54 * 4
    assert "= floor((227 + 2*0 - 1*(11 - 1) - 1) / 4) + 1" in done.stdout
    assert "= floor(216 / 4) + 1 = 54 + 1 = 55" in done.stdout
    assert (
        "96 x 3 x 11 x 11  (out_channels x in_channels/groups x kernel height x kernel width)" in done.stdout
    )
    # 96 * 55 * 55 values of four bytes are 1,161,600 bytes.
    assert "290,400 values, 1.11 MiB as float32" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        # The longer side is int(256 * 500 / 375) = 341.
        ("3x375x500", ["--resize", "short:256"], [3, 256, 341]),
        ("3x375x500", ["--resize", "short:256", "--crop", "224x300"], [3, 224, 300]),
        ("3x40x30", ["--mode", "gray", "--resize", "20x10", "--normalize", "0.5,0.25"], [1, 20, 10]),
        ("1x8x8", ["--mode", "rgba"], [4, 8, 8]),
    ],
    ids=["the shorter side", "the middle", "a grey one", "with alpha"],
)
@pytest.mark.parametrize("net", [[], ["--layers", "conv 2 k1"]], ids=["a layer", "a net"])
def test_a_shape_is_prepared_as_a_picture_of_it_would_be(convviz, tmp_path, shape, options, expected, net):
    c, h, w = map(int, shape.split("x"))
    Image.new("RGB" if c == 3 else "L", (w, h)).save(tmp_path / "picture.png")
    for what in (shape, "picture.png"):
        done = convviz("shape", what, *options, *net, "--json")
        assert json.loads(done.stdout)["input_shape"] == expected


def test_what_was_done_to_a_picture_is_said_with_its_shape(convviz, tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "picture.png")
    done = convviz("shape", "picture.png", "--resize", "short:20", "--crop", "16")
    assert done.stderr.splitlines() == [
        "resized from 30x40 to 20x26",
        "cropped from 20x26 to 16x16 (the centre)",
    ]


def test_the_rows_that_the_stride_leaves_out_are_named(convviz):
    """8 rows, windows of 3 at 0 and 3: rows 6 and 7 are past the last one."""
    done = convviz("shape", "1x8x9", "-k", "3", "-s", "3")
    height, width = (line for line in done.stdout.splitlines() if "past the last window" in line)
    assert "2 rows of the padded input; input rows never read: 6-7" in height
    assert "0 columns of the padded input; input columns never read: none" in width


def test_a_dilated_kernel_leaves_out_the_rows_between_its_taps_when_windows_leap(convviz):
    """7 rows, kernel values at 0, 2, 4 of one window: rows 1 and 3 lie between, 5 and 6 behind."""
    done = convviz("shape", "1x7x7", "-k", "3", "-d", "2", "-s", "4")
    assert "input rows never read: 1, 3, 5-6" in done.stdout


def test_json_has_the_documented_keys(convviz):
    done = convviz("shape", "3x32x48", "-O", "8", "-k", "3x5", "-s", "2", "-p", "1,0,2,2", "--json")
    document = json.loads(done.stdout)
    assert set(document) == {
        "input_shape", "output_shape", "parameters", "macs", "receptive_field", "axes", "padding_shares",
        "layers",
    }  # fmt: skip
    # Height: floor((32 + 1 - 3) / 2) + 1 = 16; width: floor((48 + 4 - 5) / 2) + 1 = 24, one column left over.
    assert document["output_shape"] == [8, 16, 24]
    assert document["parameters"] == {"weight": 360, "bias": 8, "total": 368}
    assert document["macs"] == 360 * 16 * 24
    assert document["receptive_field"] == [3, 5]
    assert document["axes"]["width"] == {
        "input": 48,
        "padded": 52,
        "span": 5,
        "output": 24,
        "unread": 1,
        "never_read": [],
    }


def test_rows_between_windows_are_never_read_though_none_lies_past_the_last(convviz):
    """Windows of 2 rows at 0, 5, 10; of 3 columns with dilation 2 at 0, 1 on 6 columns all are read."""
    axes = json.loads(convviz("shape", "1x12x6", "-k", "2x3", "-s", "5x1", "-d", "1x2", "--json").stdout)[
        "axes"
    ]
    assert (axes["height"]["unread"], axes["height"]["never_read"]) == (0, [2, 3, 4, 7, 8, 9])
    assert (axes["width"]["unread"], axes["width"]["never_read"]) == (0, [])


def test_an_illegal_layer_names_the_axis_the_sizes_and_the_smallest_change(convviz):
    done = convviz("shape", "3x9x4", "-k", "5")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "convviz: width: a kernel of size 5 spans 5 pixels, but the padded input has only 4 "
        "(0 + 4 + 0); use a padding of at least 1 on each side, or a kernel size of at most 4.\n"
    )


def test_a_target_lists_settings_with_the_words_to_type(convviz):
    done = convviz("shape", "3x224x224", "--target", "112x112")
    first = next(line for line in done.stdout.splitlines() if "112x112 " in line and "-k" in line)
    assert "-k 3 -s 2 -p 1" in first
    document = json.loads(convviz("shape", "3x224x224", "--target", "112x112", "--json").stdout)
    assert document["suggestions"][0]["output"] == [112, 112]


def test_kernels_of_different_sizes_make_one_shape(convviz):
    done = convviz("shape", "3x32x32", "-K", "sobel", "-K", "box:size=5", "--json")
    assert json.loads(done.stdout)["output_shape"] == [3, 28, 28]


def test_a_preset_is_shown_with_its_numbers_and_its_source(convviz):
    done = convviz("kernels", "sobel-x")
    assert ["-1", "0", "1"] in [line.split() for line in done.stdout.splitlines()]
    assert "Sobel and Feldman" in done.stdout
    assert "-4 to 4 for inputs from 0 to 1" in done.stdout


def test_the_list_of_kernels_is_long_and_its_json_complete(convviz):
    listed = json.loads(convviz("kernels", "--json").stdout)
    assert all(one["values"] == one["taps"] for one in listed)
    assert len(listed) >= 35
    assert all(entry["source"] and entry["about"] for entry in listed)
    shown = convviz("kernels").stdout
    assert all(entry["name"].partition(":")[0] in shown for entry in listed)


def test_an_unknown_kernel_is_met_with_the_nearest(convviz):
    done = convviz("kernels", "sobelx")
    assert (done.returncode, done.stderr) == (
        2,
        "convviz: no kernel named 'sobelx'; did you mean 'sobel-x'?\n",
    )


@pytest.mark.parametrize("command", [[], ["run"], ["shape"], ["kernels"], ["batch"]])
def test_every_command_has_a_help_page_with_examples(convviz, command):
    done = convviz(*command, "--help")
    assert done.returncode == 0
    assert "Usage: convviz" in done.stdout
    assert not command or "convviz " + command[0] in done.stdout.split("For example:")[1]


def test_without_a_command_the_help_page_is_shown(convviz):
    done = convviz()
    assert done.returncode == 0
    assert "batch" in done.stdout


def test_a_misspelt_command_is_met_with_the_nearest(convviz):
    done = convviz("rnu")
    assert done.returncode == 2
    assert "no such command 'rnu'. Did you mean 'run'" in done.stderr


def test_presets_complete_in_the_shell(process):
    env = {
        "_CONVVIZ_COMPLETE": "complete_bash",
        "COMP_WORDS": "convviz run cat.jpg --kernel scharr",
        "COMP_CWORD": "4",
    }
    done = process(env=env)
    assert {"scharr-x", "scharr-y"} <= set(done.stdout.split())


def test_the_share_of_the_work_that_meets_padding_is_stated(convviz):
    """3x3 windows on 3x3 pixels with a border of one: 8 of 9 outputs touch it, 32 of 81 products meet it."""
    done = convviz("shape", "1x3x3", "-p", "1")
    assert "padding: 88.89% of the outputs touch it, 39.51% of the products meet it" in done.stdout
    document = json.loads(convviz("shape", "1x3x3", "-p", "1", "--json").stdout)
    assert document["padding_shares"] == {"outputs": pytest.approx(8 / 9), "products": pytest.approx(32 / 81)}


def test_numbers_agree_with_their_nouns(convviz):
    lines = convviz("shape", "1x1x1", "-k", "1", "-O", "1").stdout.splitlines()
    assert "parameters: 2 = 1 x 1 x 1 x 1 weight + 1 bias" in lines
    (line,) = [line for line in lines if line.startswith("MACs:")]
    assert line.startswith("MACs: 1 = 1 weight x 1 x 1 position (")
    lines = convviz("shape", "1x2x1", "-k", "1", "-O", "2", "-g", "1").stdout.splitlines()
    assert "parameters: 4 = 2 x 1 x 1 x 1 weights + 2 biases" in lines
    (line,) = [line for line in lines if line.startswith("MACs:")]
    assert line.startswith("MACs: 4 = 2 weights x 2 x 1 positions (")


def test_a_target_keeps_the_size_of_a_named_kernel(convviz):
    """A preset of 5x5: every suggestion has that many kernel values."""
    document = json.loads(
        convviz("shape", "3x32x32", "--target", "16x16", "-K", "gaussian-5", "--json").stdout
    )
    assert {tuple(row["kernel_size"]) for row in document["suggestions"]} == {(5, 5)}


def here(capsys, *arguments):
    """Run the command in this process; its status, stdout and stderr."""
    status = status_of(arguments)
    return status, *capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # By the descriptions in the table: means over a neighbourhood.
        ("blur", {"box", "gaussian"}),
        ("BLUR", {"box", "gaussian"}),
        # By the set alone: no name or description of its members says it.
        ("compass", {f"kirsch-{one}" for one in ("n", "ne", "e", "se", "s", "sw", "w", "nw")}),
    ],
)
def test_a_word_finds_kernels_by_name_set_and_description(capsys, words, expected):
    status, stdout, _ = here(capsys, "kernels", words, "--json")
    assert status == 0
    assert expected <= {entry["name"].partition(":")[0] for entry in json.loads(stdout)}
    status, stdout, _ = here(capsys, "kernels", words)
    assert stdout.splitlines()[-2].endswith(
        f" presets with {words!r} in the name, set, description or source."
    )


def test_no_number_of_kernels_contradicts_another(capsys):
    """63 presets are listed; sets are names too, and were counted among them."""
    _, stdout, _ = here(capsys, "kernels")
    assert f"{len(entries())} presets" in stdout
    status, _, stderr = here(capsys, "kernels", "zzzzz")
    assert status == 2
    assert "in all" not in stderr
    offered, more = re.search(r"choose from (.*) and (\d+) more\.", stderr).groups()
    assert len(offered.split(", ")) + int(more) == len(entries())


def test_a_word_for_a_kernel_is_answered_with_those_that_it_describes(capsys):
    status, _, stderr = here(capsys, "shape", "1x9x9", "-K", "blur")
    assert status == 2
    assert stderr == (
        "convviz: no kernel named 'blur'; choose from box, gaussian, gaussian-3, gaussian-5, unsharp.\n"
    )


def test_shape_says_that_a_kernel_of_one_number_is_no_size(capsys):
    status, _, stderr = here(capsys, "shape", "1x28x28", "-K", "7")
    assert status == 0
    assert "the kernel '7' is one weight of value 7; for kernels of 7x7 give --kernel-size 7" in stderr


def test_a_target_keeps_what_is_typed_even_where_it_is_the_default(capsys):
    _, stdout, _ = here(capsys, "shape", "1x32x32", "--target", "16", "-s", "1", "-p", "0", "--json")
    document = json.loads(stdout)
    assert document["reached"] is False
    assert {tuple(row["stride"] + row["padding"]) for row in document["suggestions"]} == {(1, 1, 0, 0)}


def test_a_shape_has_no_pages(capsys):
    status, _, stderr = here(capsys, "shape", "3x9x9", "--page", "2")
    assert (status, stderr) == (2, "convviz: page: a shape has no pages; leave it out.\n")


def test_a_layer_to_stop_at_needs_a_network(capsys):
    status, stdout, stderr = here(capsys, "shape", "3x32x32", "--until", "conv1")
    assert (status, stdout) == (2, "")
    assert stderr == "convviz: until: names the last layer of a network; give --net or --layers too.\n"


def test_a_target_that_nothing_reaches_is_said_to_be_out_of_reach(capsys):
    """With a stride of 2 and no more than 15 kernel values, 10 pixels never make 100."""
    _, stdout, _ = here(capsys, "shape", "3x10x10", "--target", "100", "--stride", "2")
    assert stdout.startswith("no setting that convviz tried makes 100x100 of 10x10; these come nearest\n")
    _, stdout, _ = here(capsys, "shape", "3x10x10", "--target", "100", "--stride", "2", "--json")
    assert json.loads(stdout)["reached"] is False
    _, stdout, _ = here(capsys, "shape", "3x10x10", "--target", "5", "--json")
    assert json.loads(stdout)["reached"] is True


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [("224x200x3", "3x224x200"), ("28x28x1", "1x28x28"), ("512x7x7", ""), ("3x224x3", "")],
)
def test_channels_that_seem_to_come_last_are_remarked_on(capsys, shape, remedy):
    status, _, stderr = here(capsys, "shape", shape, "-k", "1")
    assert status == 0
    assert stderr == "" if not remedy else stderr.endswith(f"; did you mean {remedy}?\n")
    for network in (("shape", shape), ("layers", "--input", shape)):
        status, _, told = here(capsys, *network, "--layers", "conv 2 k1")
        assert (status, told) == (0, stderr)


def test_grey_may_be_spelt_in_both_ways(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (9, 9), (10, 20, 30)).save("x.png")
    for first, second in (("gray", "grey"), ("grey", "gray")):
        status, stdout, _ = here(
            capsys, "run", "x.png", "--mode", first, "--colormap", second, "-o", f"{first}.png", "--json"
        )
        assert status == 0
        assert json.loads(stdout)["input"]["shape"] == [1, 9, 9]
    assert Path("gray.png").read_bytes().split(b"IDAT")[1] == Path("grey.png").read_bytes().split(b"IDAT")[1]


def test_a_map_without_a_name_is_named_once(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("x.csv").write_text("1,2,3\n4,5,6\n7,8,9\n")
    assert here(capsys, "explain", "x.csv", "--at", "0,0")[1].startswith("map 0, row 0, column 0\n")
    named = here(capsys, "explain", "x.csv", "-K", "sobel-x", "--at", "0,0")[1]
    assert named.startswith("map 0 (sobel-x), row 0, column 0\n")
