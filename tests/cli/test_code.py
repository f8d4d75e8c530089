"""``convviz code``: the program runs on its own and makes the same maps."""

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def inputs(tmp_path, classic):
    """A colour picture, a grey one, one of 16 bits, and numbers."""
    levels = np.random.default_rng(0).integers(0, 256, (14, 17, 3), np.uint8)
    Image.fromarray(levels).save(tmp_path / "colour.png")
    Image.fromarray(levels[:, :, 0]).save(tmp_path / "gray.png")
    Image.fromarray(levels[:, :, 0].astype(np.uint16) * 257 + 3).save(tmp_path / "gray16.png")
    np.save(tmp_path / "numbers.npy", np.random.default_rng(1).standard_normal((4, 9, 9)))
    (tmp_path / "plane.csv").write_text("1,2,3,4\n5,6,7,8\n9,1,2,3\n")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("colour.png", ["-O", "6", "-p", "1"], id="the first thing anybody types"),
        pytest.param(
            "colour.png", ["--seed", "7", "-s", "2", "-p", "same", "--padding-mode", "reflect"], id="same"
        ),
        pytest.param(
            "colour.png", ["-p", "1,0,2,1", "-K", "sobel", "-K", "gaussian:sigma=1"], id="four edges"
        ),
        pytest.param("colour.png", ["-K", "1 2; 3 4@G", "-K", "box:size=2"], id="one channel only"),
        pytest.param(
            "colour.png", ["-g", "3", "-K", "laplacian", "--bias-values", "1,2,3"], id="groups and biases"
        ),
        pytest.param(
            "colour.png",
            ["-K", "1 2; 3 4|0 1; 1 0|1 1; 1 1", "-O", "3", "--seed", "4"],
            id="one kernel of three",
        ),
        pytest.param(
            "colour.png",
            ["-K", "1 2; 3 4", "-O", "6", "-g", "3", "--flip", "-p", "1,0,0,0"],
            id="a kernel in every group, turned",
        ),
        pytest.param("colour.png", ["--flip", "--no-bias", "-p", "valid", "-d", "2"], id="true convolution"),
        pytest.param("colour.png", ["--mode", "gray", "--range", "byte"], id="grey of colour"),
        pytest.param("colour.png", ["--resize", "8x9"], id="resized"),
        pytest.param("colour.png", ["--resize", "short:9"], id="brought to a shorter side"),
        pytest.param("colour.png", ["--crop", "9x6"], id="the middle of it"),
        pytest.param(
            "colour.png",
            ["--resize", "short:12", "--crop", "8x9", "--normalize", "imagenet", "-p", "1"],
            id="as trained networks expect it",
        ),
        pytest.param("gray16.png", ["--normalize", "0.5,0.25", "--crop", "5"], id="sixteen bits, normalised"),
        pytest.param(
            "numbers.npy", ["--normalize", "0,1,2,3,1,2,3,4", "--resize", "short:5"], id="numbers, normalised"
        ),
        pytest.param("gray.png", ["-K", "identity"], id="grey"),
        pytest.param(
            "gray.png", ["--mode", "rgb", "-p", "1", "--padding-mode", "circular"], id="grey as colour"
        ),
        pytest.param("gray16.png", ["-O", "2"], id="sixteen bits"),
        pytest.param("classic.json", ["-O", "2", "-p", "same"], id="nested lists"),
        pytest.param("numbers.npy", ["-O", "4", "-g", "2"], id="an array of numpy"),
        pytest.param("plane.csv", ["-k", "2"], id="a table"),
        pytest.param(
            "gray.png colour.png gray16.png",
            ["--resize", "9x9", "--crop", "8x9", "--normalize", "1,2,3,4,5,1,1,1,1,2"],
            id="five channels of three pictures",
        ),
        pytest.param("plane.csv classic.json", ["--crop", "3", "-O", "2"], id="tables and lists"),
    ],
)
def test_the_program_makes_the_same_maps(convviz, program, inputs, name, options):
    names = name.split()
    printed = convviz("code", *names, *options)
    assert printed.returncode == 0, printed.stderr
    assert "convviz" not in printed.stdout
    theirs = program(printed.stdout)["maps"].numpy()
    document = json.loads(convviz("run", *names, *options, "--json", "--table").stdout)
    ours = np.array(document["values"])
    assert theirs.shape == ours.shape
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-5 * max(1, np.abs(ours).max()))


def test_what_was_done_to_the_input_is_said(convviz, inputs):
    done = convviz("code", "gray.png", "--crop", "5", "--normalize", "0.5,0.25")
    assert done.stderr.splitlines() == [
        "cropped from 14x17 to 5x5 (the centre)",
        "normalised with mean 0.5 and deviation 0.25",
    ]


def test_run_prints_the_program_last_whatever_was_remarked(convviz, inputs):
    done = convviz("run", "gray.png", "--crop", "5", "--code")
    program = convviz("code", "gray.png", "--crop", "5").stdout
    assert done.stdout.endswith(f"gray-maps.png\n\n{program}")


def test_stdin_has_no_name_that_a_program_could_open(convviz):
    done = convviz("code", "-")
    assert (done.returncode, done.stderr) == (2, "convviz: a program cannot open stdin; give a file.\n")


def test_more_weights_than_anybody_reads_are_left_to_a_file(convviz, inputs):
    np.save(inputs / "weight.npy", np.zeros((64, 3, 5, 5)))
    done = convviz("code", "colour.png", "-K", "weight.npy")
    assert done.returncode == 2
    assert "4,800 weights are too many" in done.stderr


def test_run_prints_the_same_program_after_its_report(convviz, inputs):
    alone = convviz("code", "colour.png", "-K", "sobel").stdout
    assert convviz("run", "colour.png", "-K", "sobel", "--code").stdout.endswith("\n" + alone)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("semicolons.csv", b"1;2\n3;4\n"),
        ("planes.csv", b"1,2\n3,4\n\n5,6\n7,8\n"),
        ("bom.json", b"\xef\xbb\xbf[[1, 2], [3, 4]]"),
        ("maximum.pgm", b"P5 2 2 100\n\x00\x19\x32\x64"),
    ],
)
def test_a_file_that_a_short_program_would_read_otherwise_is_refused(convviz, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert convviz("run", name, "-K", "1").returncode == 0
    done = convviz("code", name, "-K", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "takes more than a short program" in done.stderr
