"""What ``convviz batch`` writes beside the pictures: journal, lock, report, and its last words."""

import contextlib
import json
import os
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from convviz.batch import Journal, Outcome
from convviz.batch.plan import Fingerprint
from convviz.cli.app import status_of
from convviz.errors import InputError, OutputError
from convviz.files import writing
from convviz.images import decode


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with one picture, to be made current; gives it."""
    (tmp_path / "in").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "in" / "a.png")
    (tmp_path / "out" / ".convviz").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def batch(capsys, *more):
    """Run it on the picture; gives the status, stdout and stderr."""
    status = status_of(["batch", "in", "out", "--workers", "1", *more])
    return status, *capsys.readouterr()


def soft_link(path, victim):
    path.symlink_to(victim)


def hard_link(path, victim):
    os.link(victim, path)


def pipe(path, victim):
    os.mkfifo(path)


def folder(path, victim):
    path.mkdir()


@pytest.mark.parametrize("name", ["journal.jsonl", "lock"])
@pytest.mark.parametrize(
    ("plant", "what"),
    [
        (soft_link, "a link"),
        (hard_link, "a link"),
        (pipe, "not an ordinary file"),
        (folder, "a folder"),
    ],
)
def test_what_is_planted_in_the_place_of_a_file_of_ours_is_refused_untouched(
    place, capsys, name, plant, what
):
    victim = place / "victim"
    victim.write_bytes(b"mine")
    path = place / "out" / ".convviz" / name
    plant(path, victim)
    status, _, words = batch(capsys)
    assert status == 4
    assert words == (
        f"convviz: cannot write 'out/.convviz/{name}': it is {what}; delete it, or choose another folder.\n"
    )
    assert victim.read_bytes() == b"mine"


def test_a_folder_of_ours_that_is_a_link_is_refused(place, capsys):
    (place / "elsewhere").mkdir()
    (place / "out" / ".convviz").rmdir()
    (place / "out" / ".convviz").symlink_to(place / "elsewhere")
    status, _, words = batch(capsys)
    assert (status, list((place / "elsewhere").iterdir())) == (4, [])
    assert "'out/.convviz': it is a link" in words


@pytest.mark.parametrize(
    "name", ["out/a.png.png", "out/new.png", "out/.convviz/journal.jsonl", "out/.convviz/x", "in/b.png"]
)
def test_a_report_in_the_place_of_what_a_batch_reads_or_writes_is_refused(place, capsys, name):
    """It was accepted where that file was still to come, and then lost."""
    status, _, words = batch(capsys, "--report", name)
    assert status == 4
    assert words == (
        f"convviz: cannot write '{name}': this batch reads or writes a file of that name; "
        "choose another name for the report.\n"
    )
    assert not (place / name).exists()


@pytest.mark.parametrize("make_link", [soft_link, hard_link])
def test_a_report_takes_the_place_of_a_link_and_leaves_what_it_leads_to(place, capsys, make_link):
    before = '{"path": "a.png", "status": "done", "output": "x"}\n'
    (place / "r.jsonl").write_text(before)
    make_link(place / "link.jsonl", place / "r.jsonl")
    assert batch(capsys, "--report", "link.jsonl")[0] == 0
    assert (place / "r.jsonl").read_text() == before
    assert json.loads((place / "link.jsonl").read_text())["path"] == "a.png"


def test_a_link_that_leads_nowhere_is_somebodys_too(place, capsys):
    (place / "r.jsonl").symlink_to("nowhere")
    status, _, words = batch(capsys, "--report", "r.jsonl")
    assert (status, (place / "nowhere").exists()) == (4, False)
    assert "'r.jsonl' is a link that leads nowhere; --force replaces it." in words


def test_a_report_goes_to_stdout_and_nothing_else_does(place, capsys):
    status, report, words = batch(capsys, "--report", "-")
    assert status == 0
    assert [json.loads(line)["path"] for line in report.splitlines()] == ["a.png"]
    assert words.startswith("1 of 1 picture done in ")
    assert not (place / "-").exists()
    assert batch(capsys, "--report", "-", "--json")[0] == 2


def test_each_kind_of_remark_is_told_once_with_its_count(place, capsys):
    """Two colour pictures of other sizes and a grey one, all made grey and small."""
    for name, size in (("b.png", (9, 7)), ("c.png", (20, 10))):
        Image.new("RGB", size).save(place / "in" / name)
    more = ["--mode", "gray", "--resize", "short:6"]
    status, _, words = batch(capsys, *more)
    assert status == 0
    assert words.splitlines() == [
        "3 files, each with its own numbers, such as a.png: resized from 8x8 to 6x6",
        "2 files: colour converted to grey",
    ]
    document = json.loads(batch(capsys, *more, "--json")[1])
    assert document["unchanged"] == 3
    assert document["remarks"][1] == {
        "text": "colour converted to grey",
        "files": 2,
        "first": "b.png",
        "numbers_differ": False,
    }
    (place / "in" / "c.png").unlink()
    assert "b.png: colour converted to grey\n" in batch(capsys, *more, "--report", "r.jsonl")[2]
    lines = map(json.loads, (place / "r.jsonl").read_text().splitlines())
    assert {line["path"]: "colour converted to grey" in line["remarks"] for line in lines} == {
        "a.png": False,
        "b.png": True,
    }
    assert batch(capsys, *more, "--quiet")[2] == ""


def test_what_is_passed_over_is_counted_by_ending_and_links_to_folders_are_named(place, capsys):
    for name in ("x.txt", "y.TXT", "deep/z.json", "Makefile", ".hidden", "data/m.mpo"):
        (place / "in" / name).parent.mkdir(exist_ok=True)
        (place / "in" / name).touch()
    (place / "in" / "again").symlink_to(place / "in")
    Image.new("RGB", (8, 8)).save(place / "in" / "data" / "m.mpo")
    status, _, words = batch(capsys, "--report", "r.jsonl")
    assert status == 0
    assert (place / "out" / "data" / "m.mpo.png").is_file()
    assert words == (
        "4 files passed over (2 .txt, 1 without an ending, 1 .json); --pattern takes files by their names; "
        "1 link to a folder not followed: again\n"
    )
    lines = [json.loads(line) for line in (place / "r.jsonl").read_text().splitlines()]
    found = {line["path"]: line.get("files") for line in lines if line["status"] == "passed over"}
    assert found == {"*.txt": 2, "*.json": 1, "*": 1, "again/": None}
    document = json.loads(batch(capsys, "--json")[1])
    assert document["passed_over"] == {".txt": 2, ".json": 1, "": 1}
    assert document["links_not_followed"] == ["again"]
    # Whoever chooses by name knows what is left.
    assert "passed over" not in batch(capsys, "--pattern", "*.png")[2]


def test_a_folder_without_pictures_tells_what_is_there(place, capsys):
    (place / "in" / "a.png").rename(place / "in" / "a.data")
    status, _, words = batch(capsys)
    assert status == 3
    assert words == (
        "convviz: there is no picture in 'in'; "
        "1 file passed over (1 .data); --pattern takes files by their names.\n"
    )


def test_a_journal_whose_folder_vanishes_is_written_all_the_same(place):
    with Journal(place / "out", "settings") as journal:
        shutil.rmtree(place / "out")
        source = Fingerprint(1, 2, 3, "")
        journal.add(Outcome("a.png", place / "x", source=source, input_shape=(1, 8, 8), written=4))
    assert '"path": "a.png"' in (place / "out" / ".convviz" / "journal.jsonl").read_text()


def test_the_summary_is_told_although_the_output_folder_is_gone_for_good(place, capsys, monkeypatch):
    leave = Journal.__exit__

    def fail(journal, *error):
        leave(journal, *error)
        raise OutputError("cannot write 'out/.convviz/journal.jsonl': it is gone.")

    monkeypatch.setattr(Journal, "__exit__", fail)
    status, told, words = batch(capsys)
    assert status == 4
    assert told.startswith("1 of 1 picture done in ")
    assert words == "convviz: cannot write 'out/.convviz/journal.jsonl': it is gone.\n"


def test_a_tree_of_1200_levels_is_done(place, capsys):
    """More than Python lets functions call themselves."""
    top = place / "in" / "d"
    writing.make_folder(top.joinpath(*["d"] * 1199))
    shutil.copy(place / "in" / "a.png", top.joinpath(*["d"] * 1199, "b.png"))
    try:
        status, _, words = batch(capsys)
        assert (status, words) == (0, "")
        assert (place / "out").joinpath(*["d"] * 1200, "b.png.png").is_file()
    finally:  # for shutil calls itself too
        subprocess.run(["rm", "-rf", top, place / "out" / "d"], check=True)


def test_what_libtiff_complains_of_does_not_reach_the_terminal_without_a_name(place, capfd):
    """The codes of LZW in the middle are overwritten: libtiff writes about that to stderr by itself."""
    noise = np.random.default_rng(1).integers(0, 256, (40, 40), np.uint8)
    Image.fromarray(noise).save(place / "in" / "bad.tif", compression="tiff_lzw")
    data = bytearray((place / "in" / "bad.tif").read_bytes())
    data[300:600] = b"\xff" * 300
    (place / "in" / "bad.tif").write_bytes(data)
    with contextlib.suppress(InputError):
        decode.read(place / "in" / "bad.tif")
    assert "tempfile.tif: " in capfd.readouterr().err  # its own word for the bytes that it was given
    assert "tempfile.tif" not in batch(capfd)[2]


def test_pictures_that_convviz_drew_are_passed_over_unless_they_are_named(place, capsys):
    """The sheet of an earlier run lies beside its input, and one of another name deeper."""
    (place / "in" / "deep").mkdir()
    for target in ("a-maps.png", "deep/b.png"):
        assert status_of(["run", "in/a.png", "-q", "-o", f"in/{target}"]) == 0
    capsys.readouterr()
    status, _, words = batch(capsys, "--report", "r.jsonl")
    assert (status, words) == (0, "2 pictures drawn by convviz passed over\n")
    assert [path.name for path in (place / "out").rglob("*.png")] == ["a.png.png"]
    last = json.loads((place / "r.jsonl").read_text().splitlines()[-1])
    assert (last["status"], last["files"], last["reason"]) == ("passed over", 2, "pictures that convviz drew")
    assert json.loads(batch(capsys, "--json", "--pattern", "*.png")[1])["drawn_passed_over"] == 2
    assert batch(capsys, "--pattern", "*maps.png")[::2] == (
        3,
        "convviz: there is no file like '*maps.png' in 'in'; 1 picture drawn by convviz passed over.\n",
    )
    assert batch(capsys, "--pattern", "a-maps.png")[::2] == (0, "")
    assert batch(capsys, "--pattern", "deep/b.png")[::2] == (0, "")
    names = sorted(path.name for path in (place / "out").rglob("*.png"))
    assert names == ["a-maps.png.png", "a.png.png", "b.png.png"]
