"""Where the outputs of a batch lie: in the output folder, each in a place of its own."""

import io
import os
import pickle
import re
import sys
import tarfile
import time
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from convviz.batch import Job, Outcome, Plan, make_plan
from convviz.batch.plan import output_path
from convviz.errors import InputError, SpecError
from convviz.files import addresses, paths, reading
from convviz.files.addresses import path_of

# What names are made of that lead elsewhere, and pieces that collide with them.
PIECES = st.sampled_from(
    ["", ".", "..", "/", "//", "\\", "..\\", "C:", "c:/", "~", "\0", "a", "A", "x.png", " ", "\x1b", "|", "_"]
) | st.sampled_from(
    ["CON", "nul.jpg", "com1", ".convviz", "\udc80", "\ud800", "é", "e\u0301", "_~" + "0" * 64, "y" * 300]
)
NAMES = st.lists(PIECES | st.text(max_size=4), max_size=8).map("".join)


@given(NAMES)
@example("/etc/x.png")
@example("//etc/x.png")
@example("../../x.png")
@example("a/../../x.png")
def test_an_output_never_leaves_its_folder(name):
    out = Path("/here/maps")
    path = output_path(out, name)
    assert os.path.normpath(path) == str(path)  # no part that leads up, and none that is empty
    assert path.is_relative_to(out)
    assert path != out
    assert "\0" not in str(path)
    assert all(len(os.fsencode(part)) <= 255 for part in path.parts)
    assert path.relative_to(out).parts[0] != ".convviz"


# Of the documentation of Windows, "Naming Files, Paths, and Namespaces".
DEVICES = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?", re.IGNORECASE)


@example("\ud800nul.jpg", "")
@given(NAMES.filter(lambda name: "/" not in name), st.sampled_from(["", ".png"]))
def test_on_windows_a_part_is_one_ordinary_name(name, ending):
    part = paths.fitting(name, ending, windows=True)
    assert PureWindowsPath(part).parts == (part,)
    assert not set(part) & set('<>:"/\\|?*\0')
    assert min(map(ord, part)) >= 32
    assert part[-1] not in ". "
    assert not DEVICES.fullmatch(part)
    assert part.endswith(ending)


@given(NAMES, NAMES, st.booleans())
@example("a//b", "a/b", False)
@example("..", "_", False)
@example("x" * 300, "x" * 301, False)
def test_two_names_never_share_an_output(first, second, windows):
    def all_parts(name):
        *folders, last = name.split("/")
        ended = paths.fitting(last, ".png", windows=windows)
        return [*(paths.fitting(part, "", windows=windows) for part in folders), ended]

    assert (all_parts(first) == all_parts(second)) == (first == second)
    # What a digest made is itself a name that two inputs could have.
    made = all_parts(first)[-1].removesuffix(".png")
    assert (
        made == first.rpartition("/")[2]
        or paths.fitting(made, ".png", windows=windows) != all_parts(first)[-1]
    )


@pytest.mark.parametrize("name", ["a/cat.jpg", "12:30 what?.png", "~me/x.png", "con.png", "A b/é.png"])
def test_usual_names_are_kept_as_they_are(name):
    assert output_path(Path("maps"), name) == Path("maps", f"{name}.png")


def test_the_members_of_an_archive_stay_in_the_output_folder(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        for name in ("/etc/x.png", "../up.png", "a/../../up.png", "a//b.png", "a/b.png", "c\\..\\d.png"):
            archive.writestr(zipfile.ZipInfo(name), b"")
    out = tmp_path / "maps"
    jobs = list(make_plan(path_of(f"zip://::{tmp_path / 'bad.zip'}"), out).items())
    targets = [Path(os.path.normpath(job.target)) for job in jobs]
    assert {job.name for job in jobs} == {"/etc/x.png", "a//b.png", "a/b.png", "c\\..\\d.png"}
    assert all(target.is_relative_to(out) for target in targets)
    assert len(set(targets)) == 4


def test_names_that_differ_only_in_case_have_outputs_of_their_own_where_case_is_folded(tmp_path, monkeypatch):
    """Played: of the two folders the one for outputs is on a system that folds case, as of a Mac."""
    for name in ("A.png", "B/x.png", "a.png", "b/x.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    monkeypatch.setattr(addresses, "folds_case", lambda path: path.name == "maps")
    targets = [job.target for job in make_plan(tmp_path / "in", tmp_path / "maps").items()]
    assert len({str(target).lower() for target in targets}) == 4
    assert targets[:1] == [tmp_path / "maps" / "A.png.png"]
    monkeypatch.setattr(addresses, "folds_case", lambda path: False)
    plain = [job.target for job in make_plan(tmp_path / "in", tmp_path / "maps").items()]
    assert tmp_path / "maps" / "a.png.png" in plain


def test_whether_case_is_folded_is_asked_of_the_nearest_folder_that_there_is(tmp_path):
    assert not addresses.folds_case(tmp_path / "not" / "yet")
    (tmp_path / "Maps").mkdir()
    (tmp_path / "mAPS").symlink_to(tmp_path / "Maps")  # what such a system does by itself
    assert addresses.folds_case(tmp_path / "Maps" / "123")


def test_nothing_is_written_through_a_link_below_the_output_folder(tmp_path):
    """Planted links: to a folder elsewhere, and to nothing. The output folder itself may be one."""
    for name in ("in/deep/a.png", "in/lost/b/c.png", "in/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / name)
    (tmp_path / "real").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to("real")
    (tmp_path / "real" / "deep").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "real" / "lost").symlink_to("nowhere")
    found = list(make_plan(tmp_path / "in", tmp_path / "out").items())
    assert [(item.name, type(item)) for item in found] == [
        ("d.png", Job),
        ("deep/a.png", Outcome),
        ("lost/b/c.png", Outcome),
    ]
    assert found[1].reason.endswith("/out/deep' is a link; delete it, or choose another output folder.")


def test_an_address_stays_in_its_folder_and_keeps_what_a_key_holds():
    folder = path_of("memory://photos")
    assert addresses.below(folder, "/etc/x.png").path == "/photos/.//etc/x.png"
    bucket = pytest.importorskip("upath").UPath("s3://bucket/photos")
    assert addresses.below(bucket, "/etc/x.png").path == "bucket/photos//etc/x.png"
    out = Plan(folder, path_of("memory://maps"), None).out
    assert PurePosixPath(output_path(out, "/etc/x.png").path).is_relative_to("/maps")


def test_a_member_of_an_archive_that_grows_beyond_measure_is_not_read(tmp_path):
    """100 MB of zeros are 100 kB in a zip and in a tar.gz: a thousand times."""
    zeros = bytes(100 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("x.png", zeros)
        archive.writestr("small.png", bytes(1 << 20))
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("x.png")
        member.size = len(zeros)
        archive.addfile(member, io.BytesIO(zeros))
    for kind in ("zip", "tar"):
        address = f"{kind}://::{tmp_path / 'bomb'}.{kind}{'.gz' if kind == 'tar' else ''}"
        jobs = {job.name: job for job in make_plan(path_of(address), tmp_path / "maps").items()}
        with pytest.raises(InputError, match=r"x\.png.*grow from .* KiB to 100 MiB, more than 100 times"):
            reading.read_bytes(jobs["x.png"].source)
        if kind == "zip":
            assert len(reading.read_bytes(jobs["small.png"].source)) == 1 << 20


def test_an_archive_is_listed_once_and_opened_once_however_many_members_it_has(tmp_path, monkeypatch):
    """Its members were gone through for each folder, and read anew for each file."""
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for index in range(3000):
            archive.writestr(f"{index}/a.png", b"x")
    opened = []
    real = zipfile.ZipFile.__init__
    monkeypatch.setattr(zipfile.ZipFile, "__init__", lambda *a, **k: opened.append(1) or real(*a, **k))
    folder = path_of(f"zip://::{tmp_path / 'many.zip'}")
    begun = time.process_time()
    jobs = list(make_plan(folder, tmp_path / "maps").items())
    assert time.process_time() - begun < 5  # it took 20 s
    assert len(jobs) == 3000
    opened.clear()
    for job in jobs[:20]:
        assert reading.read_bytes(pickle.loads(pickle.dumps(job)).source) == b"x"
    assert len(opened) <= 1


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_address_without_its_archive_is_told_the_right_form(kind):
    with pytest.raises(SpecError, match=f"names no archive; write {kind}://::ok.zip for all that is in it"):
        path_of(f"{kind}://ok.zip")


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("s3://b/x", r'pip install "convviz\[s3\]"$'),
        ("github://o:r@main/x", r"pip install universal-pathlib requests$"),
        ("abfs://c/x", r"pip install universal-pathlib adlfs$"),
        ("zip://::x.zip", r"pip install universal-pathlib$"),
    ],
)
def test_an_address_whose_package_is_missing_names_that_package(monkeypatch, address, remedy):
    """Played: a machine without universal-pathlib."""
    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(SpecError, match=remedy):
        path_of(address)


def test_what_no_archive_can_read_is_not_told_in_the_words_of_python(tmp_path):
    """A device in a tar: 'NoneType' object has no attribute 'size'."""
    with tarfile.open(tmp_path / "odd.tar", "w") as archive:
        member = tarfile.TarInfo("device.png")
        member.type = tarfile.CHRTYPE
        archive.addfile(member)
    (job,) = make_plan(path_of(f"tar://::{tmp_path / 'odd.tar'}"), tmp_path / "maps").items()
    with pytest.raises(InputError, match=r"device\.png.*: its package cannot use it\.$"):
        reading.read_bytes(job.source)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("reference://x", "its package cannot use it"),
        ("zip://::no-such.zip", "no such file or directory"),
    ],
)
def test_an_address_that_cannot_be_used_is_not_told_in_the_words_of_python(address, why):
    """'ReferenceFileSystem.__init__() missing 1 required positional argument', '[Errno 2] …'."""
    with pytest.raises(SpecError, match=f"the address '{address}' cannot be used: {why}\\.$"):
        path_of(address)
