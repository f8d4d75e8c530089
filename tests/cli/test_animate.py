"""``convviz animate``."""

import sys

import numpy as np
import pytest
from PIL import Image

from convviz.cli.app import status_of


def test_every_kind_of_layer_is_animated_with_one_frame_per_output(convviz, tmp_path):
    """7x5 under 3x2 at stride 2x1, dilation 1x2, padding 1,0,2,1: 3 rows and 6 columns.

    15 seconds for 18 frames are 833 ms each, or 800 in whole frames of a video.
    """
    done = convviz(
        "animate", "--size", "7x5", "-k", "3x2", "-s", "2x1", "-d", "1x2", "-p", "1,0,2,1", "-o", "x.gif"
    )
    assert done.returncode == 0, done.stderr
    assert "7x5 -> 3x6; 18 frames" in done.stdout
    with Image.open(tmp_path / "x.gif") as image:
        assert (image.n_frames, image.info["duration"], image.info["loop"]) == (18, 800, 0)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "apng", "svg", "mp4"])
def test_an_animation_is_known_as_ours_and_replaced(convviz, classic, tmp_path, suffix):
    for _ in range(2):
        done = convviz("animate", classic.name, "-K", "box:size=2", "--ms", "200", "-o", f"x.{suffix}")
        assert done.returncode == 0, done.stderr
    Image.new("RGB", (2, 2)).save(tmp_path / f"theirs.{suffix}", "PNG")
    done = convviz("animate", "--size", "4", "-o", f"theirs.{suffix}")
    assert done.returncode == 4
    assert "convviz did not write it" in done.stderr


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_frames_are_numbered(convviz, tmp_path, kind):
    done = convviz("animate", "--size", "6x4", "--frames", "f", *(["--svg"] if kind == "svg" else []))
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "f").iterdir()) == [
        f"frame-{index}.{kind}" for index in range(4 * 2)
    ]
    assert not list(tmp_path.glob("*.gif"))


def test_a_gallery_is_made_with_the_frames_that_it_says(convviz, tmp_path):
    done = convviz("animate", "--gallery", "g", "--style", "iso")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == 15
    for count, _, path in lines:
        with Image.open(tmp_path / path) as image:
            assert image.n_frames == int(count)


def test_a_large_picture_is_made_small_and_numbers_are_not(convviz, tmp_path):
    Image.new("RGB", (100, 50), (9, 99, 199)).save(tmp_path / "p.png")
    done = convviz("animate", "p.png", "-s", "4", "-O", "1")
    assert done.returncode == 0, done.stderr
    assert "resized from 50x100 to 32x64" in done.stderr
    np.save(tmp_path / "n.npy", np.zeros((600, 3)))
    done = convviz("animate", "n.npy")
    assert (done.returncode, done.stdout) == (2, "")
    assert "600x3" in done.stderr


def test_values_that_share_a_frame_are_counted(capsys, monkeypatch, tmp_path):
    """28 x 28 values are 784; after 7, the others share 40 frames."""
    monkeypatch.chdir(tmp_path)
    assert status_of(["animate", "--size", "30x30", "--cells", "7", "-o", "x.svg"]) == 0
    told = "7 of 784 values have a frame each; the others share 40 frames (--cells sets how many)"
    assert capsys.readouterr().out.splitlines()[1:] == [told, "x.svg"]
    assert status_of(["animate", "--size", "5x5", "-o", "x.svg"]) == 0
    assert "share" not in capsys.readouterr().out


def test_pooling_is_animated_with_the_numbers_that_it_makes(convviz, tmp_path):
    """The greatest of 1 2 5 6, of 3 4 7 8, and so on."""
    rows = ["1,2,3,4", "5,6,7,8", "9,10,11,12", "13,14,15,16"]
    (tmp_path / "n.csv").write_text("\n".join(rows) + "\n")
    done = convviz("animate", "n.csv", "--layers", "maxpool 2", "-o", "x.svg")
    assert done.returncode == 0, done.stderr
    assert "max pooling 2x2: 4x4 -> 2x2" in done.stdout
    text = (tmp_path / "x.svg").read_text()
    for value in (6, 8, 14, 16):
        assert f"the greatest of 4 values is {value}<" in text
    again = convviz("inspect", "x.svg")
    assert 'convviz animate INPUT --layers "maxpool 2"' in again.stdout.replace("'", '"')


def test_a_transposed_convolution_of_numbers_is_worked_by_hand(convviz, tmp_path):
    """A lone 2 at stride 1 under a border of two zeros makes twice the kernel."""
    (tmp_path / "one.csv").write_text("2\n")
    done = convviz(
        "animate", "one.csv", "--transposed", "-K", "1 3; 5 7", "--frames", "f", "--svg", "-o", "x.gif"
    )
    assert done.returncode == 0, done.stderr
    assert "transposed kernel 2x2: 1x1 -> 2x2; 4 frames" in done.stdout
    last = (tmp_path / "f" / "frame-3.svg").read_text()
    for value in (2, 6, 10, 14):
        assert f">{value}<" in last


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give INPUT, or --size"),
        (["--size", "5", "-o", "x.avi"], "ends in .gif, .webp, .png, .apng, .svg, .mp4, not '.avi'"),
        (["--size", "5", "--output-padding", "1"], "output-padding can only be used with --transposed"),
        (["--size", "40"], "at most 32x32 cells"),
        (["--size", "2"], "spans 3 pixels, but the padded input has only 2"),
        (["--size", "5", "--svg"], "svg can only be used with --frames"),
        (["--size", "5", "--gallery", "g"], "gallery has cases of its own"),
        (["--size", "5", "--ms", "5"], "ms must be at least 20"),
        (["--size", "5", "--map", "6"], "there is no map 6; choose from 0 to 5."),
        (["--size", "32", "-p", "40"], "at most 64x64 cells can be read, not 112x112"),
        (["--size", "32", "-p", "14", "--cells", "all"], "more than 500 MB; leave out --cells"),
        (["--size", "5", "--cells", "0"], "cells must be at least 1"),
        (["--size", "5", "--cells", "few"], "cells: expected a number or all"),
        (["--size", "5", "--layers", "relu"], "layers: animate takes one pooling layer"),
        (["--size", "5", "--layers", "maxpool 2 | maxpool 2"], "layers: animate takes one pooling layer"),
        (["--size", "5", "--layers", "maxpool 2", "-s", "2"], "a pooling layer has no other options"),
        (["--size", "5", "--layers", "maxpool 9"], "a window of 9 spans 9 pixels"),
    ],
)
def test_what_cannot_be_animated_is_one_line(convviz, arguments, message):
    done = convviz("animate", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["animate", "explain", "pad"])
def test_quiet_leaves_the_path_alone(command, tmp_path, monkeypatch, capsys):
    (tmp_path / "x.json").write_text("[[1, 2, 3], [4, 5, 6], [7, 8, 9]]")
    monkeypatch.chdir(tmp_path)
    assert status_of([command, "x.json", "--quiet", "-o", "x.svg"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("x.svg\n", "")


def test_a_film_that_cannot_be_written_is_refused_before_anything_is_printed(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "av", None)
    assert status_of(["animate", "--size", "5", "-o", "x.mp4"]) == 5
    said = capsys.readouterr()
    assert said.out == ""
    assert "writing .mp4 needs av" in said.err
