"""`convviz best`: the pictures in which maps are largest, files that fail, and what a second run does."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convviz as library
from convviz.cli.app import status_of


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Six grey pictures of one spot each, at row 4 and column 5 + index; that of 5 is brightest."""
    monkeypatch.chdir(tmp_path)
    for index in range(6):
        pixels = np.zeros((12, 16), np.uint8)
        pixels[4, 5 + index] = 100 + 10 * index
        (tmp_path / "photos" / "deep").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "photos" / ("deep" if index % 2 else ".") / f"{index}.png")
    return tmp_path / "photos"


GIVEN = ("best", "photos", "--kernel", "0 0 0; 0 1 0; 0 0 0", "--workers", "1")


def said(capsys, *words, status=0):
    assert status_of([*GIVEN, *words, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def counts(document):
    return [document["batch"][name] for name in ("done", "unchanged")] + [len(document["batch"]["failed"])]


def test_the_largest_values_come_first_with_what_they_see(photos, capsys):
    found = said(capsys, "--count", "3", "--save", "x.npz", "-o", "sheet.svg")
    (row,) = found["maps"]
    assert [one["path"] for one in row["patches"]] == ["deep/5.png", "4.png", "deep/3.png"]
    assert [round(255 * one["value"]) for one in row["patches"]] == [150, 140, 130]
    assert [one["at"] for one in row["patches"]] == [[3, 9], [3, 8], [3, 7]]  # a map begins at row 1
    assert row["patches"][0]["box"] == [3, 5, 9, 11]
    assert (found["files"], found["pictures"], found["sees"]) == (["sheet.svg", "x.npz"], 6, "field")
    text = Path("sheet.svg").read_text()
    for words in ("5.png", "0.5882", "in 6 pictures"):
        assert words in text
    assert "grey" not in text  # these patches lie inside of their pictures
    with np.load("x.npz") as stored:
        assert stored["files"].tolist() == [["deep/5.png", "4.png", "deep/3.png"]]


def test_a_second_run_reads_what_changed_and_another_layer_reads_all(photos, capsys):
    assert counts(said(capsys)) == [6, 0, 0]
    assert counts(said(capsys, "--count", "2", "--tile", "40")) == [0, 6, 0]
    Image.fromarray(np.full((12, 16), 255, np.uint8)).save(photos / "0.png")
    found = said(capsys)
    assert counts(found) == [1, 5, 0]
    assert found["maps"][0]["patches"][0]["path"] == "0.png"
    (photos / "0.png").unlink()
    found = said(capsys)
    assert counts(found) == [0, 5, 0]
    assert found["maps"][0]["patches"][0]["path"] == "deep/5.png"
    assert counts(said(capsys, "--padding", "1")) == [5, 0, 0]


def test_a_file_that_fails_leaves_the_others_and_what_it_was_before_does_not_count(photos, capsys):
    said(capsys)
    (photos / "deep" / "5.png").write_bytes(b"broken")
    found = said(capsys, status=6)
    assert counts(found) == [0, 5, 1]
    assert found["pictures"] == 5
    assert found["maps"][0]["patches"][0]["path"] == "4.png"
    assert found["files"] == ["photos-best.png"]


def test_nothing_is_drawn_if_every_file_fails(photos, capsys):
    for path in photos.rglob("*.png"):
        path.write_bytes(b"broken")
    assert status_of([*GIVEN]) == 6
    assert "6 files of 6 failed" in capsys.readouterr().err
    assert not Path("photos-best.png").exists()


def test_the_asymmetric_case_by_weights_alone(photos, capsys):
    """The map reads row 2y-1 and column x-2+8 of channel 1, three times, and adds 1."""
    weight = np.zeros((4, 1, 3, 5), np.float32)  # in two groups
    weight[2, 0, 0, 4] = 3
    np.savez("weights.npz", **{"a.weight": weight, "a.bias": np.float32([-9, -9, 1, -9])})
    picture = np.zeros((2, 8, 12), np.float32)
    picture[1, 3, 11] = 2
    np.save(photos / "spot.npy", picture)
    layer = ("-s", "2x1", "-d", "1x2", "-p", "1,0,2,1", "-g", "2", "--layer", "a")
    more = ("--weights", "weights.npz", "--pattern", "*.npy", "--top", "1", "--json")
    assert status_of(["best", "photos", *layer, *more]) == 0
    (row,) = json.loads(capsys.readouterr().out)["maps"]
    (one,) = row["patches"]
    assert (row["index"], one["value"], one["at"]) == (2, 7, [2, 5])
    assert one["box"] == one["field"] == [3, 5, 3, 11]


def test_pictures_that_convviz_drew_do_not_count(photos, capsys):
    """The sheet of a first run lies among the photos of the second, and so does one of `run`."""
    assert status_of(["run", "photos/0.png", "-o", "photos/deep/maps.png", "-q"]) == 0
    assert status_of([*GIVEN, "-o", "photos/sheet.png", "--pattern", "*.png"]) == 0
    told = capsys.readouterr()
    assert "6 pictures read" in told.out
    assert "1 picture drawn by convviz passed over" in told.err
    found = said(capsys, "-o", "photos/sheet.png", "--redo", "--report", "x.jsonl")
    assert (counts(found), found["batch"]["drawn_passed_over"]) == ([6, 0, 0], 2)
    last = json.loads(Path("x.jsonl").read_text().splitlines()[-1])
    assert (last["status"], last["files"], last["reason"]) == ("passed over", 2, "pictures that convviz drew")
    network = library.parse_layers("conv 1 k3")
    assert library.best("photos", network, "conv1", mode="gray").pictures == 6


def test_a_patch_that_reaches_beyond_the_picture_says_how_far(photos, capsys):
    """At row 0 a third of a 3x3 window is padding, in a corner five of nine values are."""
    pixels = np.zeros((12, 16), np.uint8)
    pixels[0, 7] = 250
    Image.fromarray(pixels).save(photos / "a.png")
    Image.fromarray(np.pad(np.uint8([[255]]), ((0, 11), (0, 15)))).save(photos / "b.png")
    assert status_of([*GIVEN, "--padding", "1", "--count", "3", "-o", "sheet.svg"]) == 0
    table = " ".join(capsys.readouterr().out.split())
    assert "b.png (56% padding), a.png (33% padding), deep/5.png" in table
    text = Path("sheet.svg").read_text()
    assert "1, 56% padding" in text
    assert "0.9804, 33% padding" in text
    assert "hatching is padding" in text


def test_a_layer_that_does_not_exist_is_refused_before_a_file_is_read(photos, capsys):
    for name in ("conv2", "relu"):
        assert status_of(["best", "photos", "--layers", "conv 2 | relu", "--layer", name]) == 2
        assert f"no layer named '{name}'" in capsys.readouterr().err
    assert not Path(".convviz").exists()


def test_two_runs_at_once_do_not_share_a_folder(photos, capsys):
    from convviz.batch import holding

    with holding(Path("kept")):
        assert status_of([*GIVEN, "--work", "kept"]) == 4
    assert "another batch" in capsys.readouterr().err


def test_a_run_that_is_interrupted_goes_on(photos, capsys):
    for index in range(120):
        Image.fromarray(np.full((300, 300), index, np.uint8)).save(photos / f"{index}.png")
    more = ("--kernel", "gaussian:sigma=2", "--padding", "6")
    command = [sys.executable, "-m", "convviz", *GIVEN, *more]
    place = Path(".convviz", "photos-best")
    for _ in range(5):  # on a busy machine it may come too late
        shutil.rmtree(place, ignore_errors=True)
        Path("photos-best.png").unlink(missing_ok=True)
        with subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            # A shell that starts the tests in the background has switched Ctrl-C off for all of them.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as process:
            while sum(1 for _ in place.rglob("*.npy")) < 2 and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            told = process.stderr.read()
        if process.returncode == 130:
            break
    assert process.returncode == 130
    assert "run the same command again" in told
    assert not Path("photos-best.png").exists()
    done, unchanged, failed = counts(said(capsys, *more))
    assert (done + unchanged, failed) == (123, 0)
    assert unchanged >= 2
    assert done > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--maps", "3"), "maps 0 to 0"),
        (("--maps", "0", "--top", "1"), "only one"),
        (("--maps", "x"), "0,7,12"),
        (("--save", "x.npy"), ".npz"),
        (("--output", "x.gif"), "output"),
    ],
    ids=["no such map", "both choices", "no number", "no place for names", "no picture"],
)
def test_what_cannot_be_done_is_refused(photos, capsys, words, message):
    assert status_of([*GIVEN, *words]) == 2
    assert message in capsys.readouterr().err
