"""``convviz batch`` as a process: a tree in, the same tree out."""

import json
import os

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photos(tmp_path):
    """Three pictures at two depths, two of them with one stem, and a file that is none."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    levels = np.arange(8 * 9 * 3, dtype=np.uint8).reshape(8, 9, 3)
    Image.fromarray(levels).save(folder / "cat.png")
    Image.fromarray(levels).save(folder / "cat.jpg")
    Image.fromarray(levels[:, :, 0]).save(folder / "deep" / "cat.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


def tree(folder):
    """List the outputs; the journal beside them lies in a folder whose name begins with a dot."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if path.parts[0] != ".convviz")


@pytest.mark.parametrize("workers", [1, 2])
def test_the_tree_is_mirrored_and_no_two_inputs_share_an_output(convviz, photos, workers):
    done = convviz("batch", "photos", "maps", "-K", "sobel-x", "--workers", workers)
    assert done.returncode == 0, done.stderr
    assert tree(photos.with_name("maps")) == ["cat.jpg.png", "cat.png.png", "deep/cat.png.png"]
    assert "3 of 3 pictures done" in done.stdout
    assert done.stderr == "1 file passed over (1 .txt); --pattern takes files by their names\n"


def test_one_and_two_workers_write_the_same_bytes(convviz, photos):
    for workers in ("1", "2"):
        convviz("batch", "photos", f"maps{workers}", "--workers", workers)
    first, second = photos.with_name("maps1"), photos.with_name("maps2")
    assert [(first / name).read_bytes() for name in tree(first)] == [
        (second / name).read_bytes() for name in tree(second)
    ]


def test_a_batch_writes_what_run_writes(convviz, photos):
    convviz("batch", "photos", "maps", "-K", "sobel", "--stride", "2")
    convviz("run", "photos/cat.png", "-K", "sobel", "--stride", "2", "-o", "one.png")
    with (
        Image.open(photos.with_name("maps") / "cat.png.png") as ours,
        Image.open(photos.with_name("one.png")) as one,
    ):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(one))


def test_a_broken_file_is_named_and_never_stops_the_others(convviz, photos):
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = convviz("batch", "photos", "maps", "--report", "report.jsonl")
    assert done.returncode == 6
    assert "broken.png" in done.stderr
    assert "1 file of 4 failed" in done.stderr
    assert len(tree(photos.with_name("maps"))) == 3
    lines = [json.loads(line) for line in photos.with_name("report.jsonl").read_text().splitlines()]
    by_name = {line["path"]: line for line in lines}
    assert by_name["broken.png"]["status"] == "failed"
    assert by_name["broken.png"]["reason"]
    assert by_name["deep/cat.png"]["input_shape"] == [1, 8, 9]
    assert by_name["cat.png"]["output_shape"] == [6, 6, 7]


def test_of_very_many_failures_the_first_thousand_are_named(convviz, tmp_path):
    (tmp_path / "many").mkdir()
    for index in range(1003):
        (tmp_path / "many" / f"{index:04}.png").touch()
    done = convviz("batch", "many", "maps", "--workers", "2")
    assert done.returncode == 6
    assert done.stderr.count("\nfailed: ") + done.stderr.startswith("failed: ") == 1000
    assert "\nand 3 more; --report FILE names all of them\n" in done.stderr
    assert "1,003 files of 1,003 failed" in done.stderr
    document = json.loads(convviz("batch", "many", "maps", "--workers", "2", "--json").stdout)
    assert len(document["failed"]) == 1003


def test_a_layer_that_no_memory_holds_is_refused_before_any_file_is_begun(convviz, photos):
    done = convviz("batch", "photos", "maps", "-k", "3", "-O", "100000000000", "--workers", "2")
    assert done.returncode == 2
    assert done.stderr.startswith("convviz: the 900,000,000,000 weights of 100,000,000,000 filters need")
    assert not photos.with_name("maps").exists()


def test_maps_that_no_memory_holds_fail_for_every_file_with_a_reason(convviz, photos):
    done = convviz("batch", "photos", "maps", "-p", "1000000000", "--workers", "2")
    assert done.returncode == 6
    assert done.stderr.count("of memory, and") == 3
    assert "Traceback" not in done.stderr


def test_fail_fast_stops_at_the_first_failure(convviz, photos):
    (photos / "a-broken.png").write_bytes(b"")
    done = convviz("batch", "photos", "maps", "--fail-fast", "--workers", "1")
    assert done.returncode == 6
    assert "because of --fail-fast" in done.stderr
    assert tree(photos.with_name("maps")) == []


def test_the_output_folder_may_lie_in_the_input_folder(convviz, photos):
    for _ in range(2):
        assert convviz("batch", "photos", "photos/maps").returncode == 0
    assert len(tree(photos / "maps")) == 3


def test_a_pattern_chooses_by_name_or_path(convviz, photos):
    convviz("batch", "photos", "maps", "--pattern", "deep/*.png")
    assert tree(photos.with_name("maps")) == ["deep/cat.png.png"]


def test_json_is_one_document(convviz, photos):
    (photos / "broken.png").write_bytes(b"")
    done = convviz("batch", "photos", "maps", "--json")
    document = json.loads(done.stdout)
    assert (document["files"], document["done"]) == (4, 3)
    assert document["failed"][0]["path"] == "broken.png"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nowhere", "maps"], 3, "'nowhere' does not exist"),
        (["photos/cat.png", "maps"], 3, "use convviz run for one file"),
        (["photos", "photos"], 2, "the output folder is the input folder"),
        (["photos", "maps", "--pattern", "*.tif"], 3, "no file like '*.tif'"),
        (["photos", "maps", "--workers", "0"], 2, "workers must be at least 1"),
        (["photos", "maps", "-K", "sobelx"], 2, "did you mean 'sobel-x'"),
        (["photos", "maps", "--report", "photos/cat.png/x"], 4, "cannot write 'photos/cat.png/x'"),
    ],
)
def test_what_cannot_begin_is_one_line_with_its_status(convviz, photos, arguments, status, message):
    done = convviz("batch", *arguments)
    assert done.returncode == status
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not photos.with_name("maps").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows forbids such names")
def test_names_reach_the_terminal_escaped(convviz, photos):
    (photos / "[red]\x1b[31m.png").write_bytes(b"")
    done = convviz("batch", "photos", "maps")
    assert "\x1b" not in done.stderr
    assert "[red]\\x1b[31m.png" in done.stderr


@pytest.mark.parametrize("name", ["in/a.png", "notes.txt", "notes.jsonl"])
def test_a_report_never_takes_the_place_of_another_file(convviz, tmp_path, name):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "in" / "a.png")
    if not (tmp_path / name).exists():
        (tmp_path / name).write_text("mine")
    before = (tmp_path / name).read_bytes()
    done = convviz("batch", "in", "out", "--report", name)
    assert done.returncode == 4, done.stderr
    assert (tmp_path / name).read_bytes() == before
    for _ in range(2):
        assert convviz("batch", "in", "out", "--report", "ours.jsonl").returncode == 0
