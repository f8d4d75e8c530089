"""Writing files whole or not at all, and finding pictures."""

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path

import pytest
from PIL import Image

from convviz.errors import OutputError
from convviz.files import writing as files
from convviz.files.finding import PICTURE_SUFFIXES, find_files
from convviz.files.paths import quoted
from convviz.files.writing import delete_unfinished, sweep, writing
from convviz.images import formats


def write_atomically(path, write, **options):
    with writing(path, **options) as file:
        write(file)


def two_bytes(file):
    file.write(b"12")


def found(folder, **options):
    return [path.as_posix() for path in find_files(folder, **options)]


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_a_file_is_written_and_its_folder_made(tmp_path):
    write_atomically(tmp_path / "a" / "b" / "c.bin", two_bytes)
    assert (tmp_path / "a" / "b" / "c.bin").read_bytes() == b"12"
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["c.bin"]


def test_a_file_has_the_permissions_of_any_new_file(tmp_path):
    """The mask takes 0o027 from 0o666, which leaves 0o640; a file of tempfile would have 0o600."""
    mask = os.umask(0o027)
    try:
        write_atomically(tmp_path / "x.bin", two_bytes)
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "x.bin").stat().st_mode) == 0o640


def test_a_file_of_somebody_else_is_kept_and_force_named(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(b"theirs")
    with pytest.raises(
        OutputError, match=r"x\.bin' exists and convviz did not write it; --force replaces it"
    ):
        write_atomically(path, two_bytes)
    assert path.read_bytes() == b"theirs"


def test_force_replaces_a_file_of_somebody_else(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(b"theirs")
    write_atomically(path, two_bytes, force=True)
    assert path.read_bytes() == b"12"


def test_our_own_file_is_replaced_without_asking(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(b"ours")
    asked = []
    write_atomically(path, two_bytes, is_ours=lambda place: asked.append(place) or True)
    assert path.read_bytes() == b"12"
    assert asked == [path]


@pytest.mark.parametrize("make_link", [os.link, os.symlink], ids=["hard link", "symbolic link"])
def test_an_input_is_never_replaced_whatever_its_name(tmp_path, make_link):
    source, alias = tmp_path / "in.bin", tmp_path / "alias.bin"
    source.write_bytes(b"input")
    make_link(source, alias)
    for path in (source, alias, tmp_path / "." / "in.bin"):
        with pytest.raises(OutputError, match="it is the input; choose another name"):
            write_atomically(path, two_bytes, force=True, is_ours=lambda place: True, inputs=[source])
    assert source.read_bytes() == b"input"


def test_an_input_that_is_no_file_is_no_hindrance(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"old")
    write_atomically(tmp_path / "x.bin", two_bytes, force=True, inputs=[tmp_path / "gone.png"])
    assert (tmp_path / "x.bin").read_bytes() == b"12"


def test_a_folder_is_never_replaced(tmp_path):
    with pytest.raises(OutputError, match="it is a folder; give the name of a file"):
        write_atomically(tmp_path, two_bytes, force=True)


def test_a_pipe_is_neither_opened_nor_replaced(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(OutputError, match="it is not an ordinary file"):
        write_atomically(tmp_path / "x.png", two_bytes, force=True)


@pytest.mark.parametrize("trouble", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_of_a_file_that_was_broken_off(tmp_path, trouble):
    path = tmp_path / "x.bin"
    path.write_bytes(b"before")

    def half(file):
        file.write(b"1")
        raise trouble("half way")

    with pytest.raises(trouble, match="half way"):
        write_atomically(path, half, force=True)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EDQUOT, "the quota is used up"),
        (errno.EACCES, "permission denied; choose another folder"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EIO, "input/output error"),
    ],
)
def test_trouble_with_the_disk_is_told_in_one_line_and_cleaned_up(tmp_path, number, reason):
    def full(file):
        file.write(b"1")
        raise OSError(number, os.strerror(number))

    with pytest.raises(OutputError, match=rf"^cannot write '.*x\.bin': {reason}[^\n]*\.$"):
        write_atomically(tmp_path / "x.bin", full)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="permission denied"):
        write_atomically(tmp_path / "x.bin", two_bytes)


@pytest.mark.parametrize("name", ["plain/x.bin", "plain/deeper/x.bin"])
def test_a_file_in_place_of_a_folder_is_told(tmp_path, name):
    (tmp_path / "plain").write_bytes(b"")
    with pytest.raises(OutputError, match="part of the path is a file"):
        write_atomically(tmp_path / name, two_bytes)


@pytest.mark.parametrize("leads", ["nowhere/deep", "link"], ids=["to nothing", "to itself"])
def test_a_link_that_leads_nowhere_is_said_to_be_one(tmp_path, leads):
    link = tmp_path / "link"
    link.symlink_to(leads)
    with pytest.raises(OutputError, match=r"^'.*link' is a link that leads nowhere; --force replaces it\.$"):
        write_atomically(link, two_bytes)
    for path in (link / "x.bin", link / "deeper" / "x.bin"):
        with pytest.raises(
            OutputError, match=r"x\.bin': '.*link' is a link that leads nowhere; delete it\.$"
        ):
            write_atomically(path, two_bytes)


def test_a_name_may_be_as_long_as_the_file_system_allows_and_no_longer(tmp_path):
    most = os.pathconf(tmp_path, "PC_NAME_MAX")
    write_atomically(tmp_path / ("x" * most), two_bytes)
    with pytest.raises(OutputError, match="the name is too long; choose a shorter one"):
        write_atomically(tmp_path / ("x" * (most + 1)), two_bytes)


def test_a_null_character_in_a_name_is_told():
    with pytest.raises(OutputError, match=r"'a\\x00b': a name has no null character"):
        write_atomically(Path("a\0b"), two_bytes)


def test_what_a_terminal_would_act_upon_is_escaped_in_messages(tmp_path):
    path = tmp_path / "a\x1b[31m\nb.bin"
    path.write_bytes(b"")
    with pytest.raises(OutputError, match=r"a\\x1b\[31m\\nb\.bin' exists") as caught:
        write_atomically(path, two_bytes)
    assert str(caught.value).isprintable()
    assert quoted("a\x1b") == r"'a\x1b'"


def test_pictures_are_found_at_any_depth_always_in_the_same_order(tmp_path):
    make(tmp_path, "b.png", "a.JPG", "z/c.tiff", "m/n/d.webp", "notes.txt", "numbers.csv")
    assert found(tmp_path) == ["a.JPG", "b.png", "m/n/d.webp", "z/c.tiff"]


def test_folders_come_in_the_order_of_their_names_however_they_were_made(tmp_path):
    names = [f"{letter}/x.png" for letter in "qwertyuiopasdfghjklzxcvbnm"]
    make(tmp_path, *names)
    assert found(tmp_path) == sorted(names)


def test_a_pattern_matches_the_name_or_the_path_below_the_folder(tmp_path):
    make(tmp_path, "a.csv", "sub/b.csv", "sub/c.png")
    assert found(tmp_path, pattern="*.csv") == ["a.csv", "sub/b.csv"]
    assert found(tmp_path, pattern="sub/*") == ["sub/b.csv", "sub/c.png"]
    assert found(tmp_path, pattern="*.CSV") == []


def test_names_with_a_dot_in_front_are_passed_over(tmp_path):
    make(tmp_path, ".a.png", ".git/b.png", "c.png")
    assert found(tmp_path) == ["c.png"]
    assert found(tmp_path, pattern="*") == ["c.png"]


def test_the_output_folder_inside_the_input_folder_is_left_out(tmp_path):
    make(tmp_path, "a.png", "out/a.png", "out/sub/b.png", "outer/c.png", "sub/out/d.png")
    assert found(tmp_path, exclude=tmp_path / "sub" / ".." / "out") == [
        "a.png",
        "outer/c.png",
        "sub/out/d.png",
    ]


def test_folders_that_lead_back_to_themselves_are_not_followed(tmp_path):
    make(tmp_path, "sub/a.png")
    (tmp_path / "sub" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    assert found(tmp_path) == ["sub/a.png"]


def test_folders_are_no_files_and_all_else_is_for_the_reader_to_judge(tmp_path):
    make(tmp_path, "real.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "broken.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    assert found(tmp_path) == ["broken.png", "link.png", "pipe.png", "real.png"]


def test_a_folder_that_may_not_be_listed_is_told_of(tmp_path, monkeypatch):
    """Root may list any folder, so the refusal is played."""
    make(tmp_path, "locked/a.png", "open/b.png")
    real = os.scandir

    def scandir_or_refuse(path):
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir_or_refuse)
    unread = []
    assert found(tmp_path, unread=unread.append) == ["open/b.png"]
    assert [Path(error.filename).name for error in unread] == ["locked"]


def test_what_a_killed_process_left_is_swept_away_and_what_a_living_one_writes_is_not(tmp_path):
    left, other = tmp_path / ".convviz-0123456789abcdef", tmp_path / ".convviz-notes"
    for path in (left, other):
        path.write_bytes(b"half")
    with writing(tmp_path / "whole.bin") as file:
        file.write(b"12")
        file.flush()
        sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".convviz-notes", "whole.bin"]
    assert (tmp_path / "whole.bin").read_bytes() == b"12"


def test_what_is_about_to_get_its_name_is_not_swept_away(tmp_path, monkeypatch):
    """The last moment at which another process may look."""
    real = Path.replace

    def replace_after_a_sweep(path, target):
        sweep(tmp_path)
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace_after_a_sweep)
    with writing(tmp_path / "whole.bin") as file:
        file.write(b"12")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"12"]


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")
def test_what_was_swept_away_before_it_was_held_is_begun_again(tmp_path, monkeypatch):
    """The first moment at which another process may look."""
    real, swept = files._hold, []

    def hold_after_a_sweep(file):
        if not swept:
            Path(file.name).unlink()
            swept.append(file.name)
        return real(file)

    monkeypatch.setattr(files, "_hold", hold_after_a_sweep)
    with writing(tmp_path / "whole.bin") as file:
        file.write(b"12")
    assert swept
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"12"]


def test_sweeping_waits_for_no_pipe_and_needs_no_folder(tmp_path):
    os.mkfifo(tmp_path / ".convviz-0123456789abcdef")
    sweep(tmp_path)
    sweep(tmp_path / "nowhere")


def test_what_is_begun_can_be_deleted_at_any_moment(tmp_path):
    with contextlib.suppress(OutputError), writing(tmp_path / "x.bin") as file:
        file.write(b"1")
        assert len(list(tmp_path.iterdir())) == 1
        delete_unfinished()
        assert list(tmp_path.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_the_endings_of_pictures_are_those_of_the_formats_that_are_read():
    """Pillow tells which ending goes with which format; of stereo pictures (MPO) it tells none."""
    Image.init()
    registered = Image.registered_extensions().items()
    # Pillow has some readers only with olefile, which is none of ours.
    readable = {ending for ending, kind in registered if kind in Image.OPEN and kind not in formats._NOT_READ}
    assert readable - {".fpx", ".mic"} | {".mpo"} <= PICTURE_SUFFIXES
    unread = {ending for ending, kind in registered if kind in formats._NOT_READ or kind not in Image.OPEN}
    assert PICTURE_SUFFIXES & unread <= {".mpo"}  # opened by the reader of JPEG
