"""A second run of ``convviz batch`` does what is missing, what changed and what failed, and nothing else."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

# Small tiles: what is drawn does not matter here.
BATCH = ["batch", "photos", "maps", "-K", "taps.npy", "--tile", "16"]


def draw(path, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 14, 3), np.uint8)
    Image.fromarray(pixels).save(path, compress_level=0)


@pytest.fixture
def done(convviz, tmp_path):
    """Three pictures and a broken one, done once; gives the folders."""
    photos = tmp_path / "photos"
    (photos / "deep").mkdir(parents=True)
    for index, name in enumerate(("a.png", "b.png", "deep/c.png")):
        draw(photos / name, index)
    (photos / "broken.png").write_bytes(b"broken")
    np.save(tmp_path / "taps.npy", np.ones((3, 3)))
    assert convviz(*BATCH).returncode == 6
    return tmp_path


def again(convviz, *more):
    """Run it once more; gives the status of every file."""
    done = convviz(*BATCH, "--report", "report.jsonl", "--json", *more)
    document = json.loads(done.stdout)
    lines = [json.loads(line) for line in _report(convviz).splitlines()]
    found = {line["path"]: line["status"] for line in lines}
    counts = [list(found.values()).count(status) for status in ("done", "unchanged")]
    assert [document["done"], document["unchanged"]] == counts
    return found


def _report(convviz):
    with open(convviz.place / "report.jsonl", encoding="utf-8") as file:  # noqa: PTH123
        return file.read()


@pytest.fixture
def convviz(convviz, tmp_path):
    convviz.place = tmp_path
    return convviz


ALL = {"a.png": "unchanged", "b.png": "unchanged", "deep/c.png": "unchanged", "broken.png": "failed"}


def test_what_is_done_is_left_and_what_failed_is_tried_again(convviz, done):
    before = {path: path.stat().st_mtime_ns for path in (done / "maps").rglob("*.png")}
    assert again(convviz) == ALL
    assert before == {path: path.stat().st_mtime_ns for path in (done / "maps").rglob("*.png")}
    draw(done / "photos" / "broken.png", 9)
    assert again(convviz) == ALL | {"broken.png": "done"}


def test_the_report_of_a_file_that_was_left_has_its_shapes(convviz, done):
    again(convviz)
    line = next(json.loads(line) for line in _report(convviz).splitlines() if "a.png" in line)
    assert (line["input_shape"], line["output_shape"]) == ([3, 12, 14], [1, 10, 12])
    assert line["output"] == str(Path("maps", "a.png.png"))


def content(done):
    draw(done / "photos" / "a.png", 7)


def date(done):
    os.utime(done / "photos" / "a.png")


def content_behind_a_set_date(done):
    """As many bytes and the same date, so that only the content, or the date of its change, can tell."""
    path = done / "photos" / "a.png"
    before = path.stat()
    draw(path, 7)
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def output_missing(done):
    (done / "maps" / "a.png.png").unlink()


def output_cut(done):
    path = done / "maps" / "a.png.png"
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("change", [content, date, content_behind_a_set_date, output_missing, output_cut])
def test_one_file_that_changed_is_done_again(convviz, done, change):
    change(done)
    assert again(convviz, "--force") == ALL | {"a.png": "done"}
    assert again(convviz) == ALL


def test_a_file_that_was_given_away_and_is_the_same_is_left(convviz, done):
    """Its date of change is another; its content is looked at, and is not."""
    (done / "photos" / "a.png").chmod(0o600)
    assert again(convviz) == ALL


@pytest.mark.parametrize("more", [["--padding", "1"], ["--tile", "100"], ["--mode", "gray"], ["--redo"]])
def test_other_settings_and_redo_do_all_again(convviz, done, more):
    assert set(again(convviz, *more).values()) == {"done", "failed"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["--normalize", "0.5,0.25"], ["--normalize", "0.5,0.5"]),
        (["--normalize", "imagenet"], []),
        (["--crop", "8"], ["--crop", "8x9"]),
        (["--resize", "short:8"], ["--resize", "8"]),
    ],
    ids=["another deviation", "no longer normalised", "another middle", "another size"],
)
def test_another_preparation_does_all_again_and_the_same_one_nothing(convviz, done, first, second):
    assert set(again(convviz, *first).values()) == {"done", "failed"}
    assert again(convviz, *first) == ALL
    assert set(again(convviz, *second).values()) == {"done", "failed"}


def test_a_picture_smaller_than_the_middle_fails_alone(convviz, done):
    draw(done / "photos" / "broken.png", 9)
    Image.new("RGB", (5, 20)).save(done / "photos" / "a.png")
    found = again(convviz, "--crop", "10")
    assert found == {"a.png": "failed", "b.png": "done", "deep/c.png": "done", "broken.png": "done"}


def test_a_limit_that_is_raised_does_not_do_all_again(convviz, done):
    assert again(convviz, "--max-pixels", "1000000") == ALL


def test_another_content_of_a_kernel_file_does_all_again(convviz, done):
    np.save(done / "taps.npy", np.eye(3))
    assert set(again(convviz).values()) == {"done", "failed"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param('{"path": "a.png"', id="half a line"),
        pytest.param("[]\nnull\n7\n{}\n" + "[" * 5000, id="other things"),
        pytest.param('{"path": [], "settings": {}, "source": 7}\n', id="other kinds"),
    ],
)
def test_a_journal_that_cannot_be_read_does_all_again(convviz, done, text):
    (done / "maps" / ".convviz" / "journal.jsonl").write_text(text)
    assert set(again(convviz).values()) == {"done", "failed"}
    assert again(convviz) == ALL


def test_a_journal_that_was_cut_in_the_middle_of_a_line_keeps_the_others(convviz, done):
    path = done / "maps" / ".convviz" / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert again(convviz) == ALL | {"deep/c.png": "done"}


def test_the_journal_does_not_grow_with_the_runs(convviz, done):
    path = done / "maps" / ".convviz" / "journal.jsonl"
    before = path.read_bytes()
    for _ in range(2):
        again(convviz, "--redo")
    assert path.read_bytes() == before


def test_what_a_killed_run_left_half_written_is_deleted(convviz, done):
    """Of an output that is missing, and of the journal."""
    (done / "maps" / "deep" / "c.png.png").unlink()
    left = [done / "maps" / place / ".convviz-0123456789abcdef" for place in ("deep", ".convviz")]
    for path in left:
        path.write_bytes(b"half")
    assert again(convviz) == ALL | {"deep/c.png": "done"}
    assert not any(path.exists() for path in left)


def test_a_file_of_somebody_else_in_the_place_of_an_output_is_kept(convviz, done):
    (done / "maps" / "a.png.png").write_bytes(b"mine")
    assert again(convviz) == ALL | {"a.png": "failed"}
    assert (done / "maps" / "a.png.png").read_bytes() == b"mine"


def test_an_output_never_takes_the_place_of_an_input(convviz, tmp_path):
    """The folder lies in the output folder, and the output of maps/x.png would be the input x.png.png."""
    inner = tmp_path / "all" / "in"
    (inner / "in").mkdir(parents=True)
    draw(inner / "in" / "x.png", 1)
    draw(inner / "x.png.png", 2)
    done = convviz("batch", "all/in", "all")
    assert done.returncode == 2
    assert "would take the place of 'x.png.png'" in done.stderr


def test_a_batch_that_is_refused_leaves_the_report_of_the_other_alone(convviz, tmp_path):
    """The lock is that of the output folder; it comes before the report."""
    from convviz.batch import holding

    (tmp_path / "in").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "in" / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "r.jsonl").write_text('{"path": "a.png", "status": "done", "output": "x"}\n')
    before = (tmp_path / "r.jsonl").read_bytes()
    with holding(tmp_path / "out"):
        done = convviz("batch", "in", "out", "--report", "r.jsonl")
    assert done.returncode == 4
    assert (tmp_path / "r.jsonl").read_bytes() == before


def test_a_report_without_a_line_is_ours(convviz, tmp_path):
    """A batch that was ended before its first file was done leaves one."""
    (tmp_path / "in").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "in" / "a.png")
    (tmp_path / "r.jsonl").touch()
    done = convviz("batch", "in", "out", "--report", "r.jsonl")
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 1
