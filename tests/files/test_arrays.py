"""Numbers from files, each refusal with its place; and numbers to files."""

import io
import json
import os
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from convviz.errors import InputError
from convviz.files import archives, arrays, marks


def parse(data, suffix):
    return arrays.parse_array(data if isinstance(data, bytes) else data.encode(), "'x'", suffix)


def npy(array, *, allow_pickle=False):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def npy_with_header(text):
    """A file of numpy's format version 1.0, by hand: magic, version, length, header, eight bytes."""
    header = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(8)


def tensors(header, body):
    """A safetensors file by hand: the length of the header, the header, the numbers."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def archive(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    return path


# --- JSON


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("[1, 2.5, -3]", [1, 2.5, -3], id="one axis"),
        pytest.param("[[1, 2], [3, 4]]", [[1, 2], [3, 4]], id="two axes"),
        pytest.param("[[[[5]]]]", [[[[5]]]], id="four axes"),
        pytest.param("\ufeff[1]", [1], id="a byte order mark in front"),
        pytest.param("[100000000000000000000]", [1e20], id="a whole number beyond 64 bits"),
        pytest.param("[1e-400]", [0], id="too small is zero"),
    ],
)
def test_nested_lists_become_an_array(text, expected):
    found = parse(text, ".json")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.array(expected, np.float32))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "[[[1, 2], [NaN, 1]]]", r"nan is not a finite .*, at \[0\]\[1\]\[0\]", id="not a number"
        ),
        pytest.param("[[1], [-Infinity]]", r"-inf is not a finite .*, at \[1\]\[0\]", id="infinity"),
        pytest.param("[1, 1e400]", r"at \[1\] is too large", id="beyond float64"),
        pytest.param("[1e39]", r"at \[0\] is too large for float32", id="beyond float32"),
        pytest.param(f"[1{'0' * 400}]", r"at \[0\] is too large", id="a whole number beyond float64"),
        pytest.param(f"[1{'0' * 5000}]", "thousands of digits", id="more digits than Python converts"),
        pytest.param("[[0, true]]", r"true at \[0\]\[1\] is not a number", id="truth value"),
        pytest.param('["1"]', r'"1" at \[0\] is not a number', id="text"),
        pytest.param("[null]", r"null at \[0\]", id="null"),
        pytest.param('[{"a": [1]}]', r"at \[0\] is not a number", id="object in a list"),
        pytest.param(
            "[[1,2,3],[4,5,6],[7,8]]", r"\[2\] has 2 items, but the one at \[0\] has 3", id="ragged"
        ),
        pytest.param("[[[1],[2]],[[3]]]", r"list at \[1\] has 1 item, but", id="ragged further out"),
        pytest.param("[1, [2]]", r"1 stands at \[0\], but others are lists", id="number beside list"),
        pytest.param("[]", "holds no numbers", id="empty"),
        pytest.param("[[], []]", "holds no numbers", id="empty rows"),
        pytest.param("5", "expected nested lists of numbers, not int", id="no list"),
        pytest.param("[1] x", "not JSON: extra data in line 1, column 5", id="trailing garbage"),
        pytest.param("[1,\n2", "not JSON: .* in line 2, column 2", id="cut off"),
        pytest.param(b"\xff\xfe[\x00\x01", r"not text in UTF-16 \(byte 4\)", id="UTF-16, cut off"),
        pytest.param("[[[[[1]]]]]", r"begins a list on axis 5; expected at most 4", id="five axes"),
        pytest.param("[" * 70 + "1" + "]" * 70, "expected at most 4", id="more axes than numpy has"),
        pytest.param("[" * 200_000, "nested too deeply", id="deeper than Python reads"),
        pytest.param(r'["\u001b[31m"]', r"\\u001b\[31m", id="what a terminal would act upon"),
    ],
)
def test_what_is_no_array_is_refused_with_its_place_in_json(text, message):
    with pytest.raises(InputError, match=message) as caught:
        parse(text, ".json")
    assert str(caught.value).isprintable()


# --- CSV


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("1,2\n3,4", [[1, 2], [3, 4]], id="commas"),
        pytest.param("1;2\n3;4\n", [[1, 2], [3, 4]], id="semicolons"),
        pytest.param("1 2\n3\t 4\n", [[1, 2], [3, 4]], id="blanks"),
        pytest.param(" 1 , -2.5e1 \r\n3,4\r\n", [[1, -25], [3, 4]], id="blanks round commas, Windows lines"),
        pytest.param("1,2,\n3,4,\n", [[1, 2], [3, 4]], id="a comma at the end of the line"),
        pytest.param("1,2\n\n\n3,4\n\n", [[[1, 2]], [[3, 4]]], id="an empty line begins the next channel"),
        pytest.param("\n\n1,2\n", [[1, 2]], id="empty lines in front"),
        pytest.param("\ufeff7", [[7]], id="a byte order mark in front"),
    ],
)
def test_a_table_becomes_planes(text, expected):
    np.testing.assert_array_equal(parse(text, ".csv"), np.array(expected, np.float32))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("1,2\n3\n", "line 2 has 1 number, but the first line has 2", id="ragged"),
        pytest.param("1,2\n\n3,4\n5,6", "channel 2 has 2 lines, but the first has 1", id="uneven channels"),
        pytest.param("r,g\n1,2", 'line 1, number 1: "r" .*; if this line is a header, delete', id="headings"),
        pytest.param("1,,2", "number 2: the cell is empty; write a number", id="nothing between commas"),
        pytest.param("1,2,,\n", "number 3: the cell is empty", id="two commas at the end"),
        pytest.param("1\n2\nnan", r"nan is not a finite number of float32, at \[2\]\[0\]", id="not a number"),
        pytest.param("1\nb", '"b" is not .*; write one in its place', id="a word below the first line"),
        pytest.param("1,5;2,5", "use only one of the two as the separator", id="two separators"),
        pytest.param("1e400", '"1e400" is too large for float32', id="beyond float64"),
        pytest.param("1e39", '"1e39" is too large for float32', id="beyond float32"),
        pytest.param("1_0", '"1_0" is not', id="Python's spelling"),
        pytest.param("\u0663", r"\\u0663", id="digits of another script"),
        pytest.param("1\x1b2", r"1\\u001b2", id="what a terminal would act upon"),
        pytest.param("\n \n", "holds no numbers", id="empty"),
        pytest.param(b"1,\xe4", r"not text in UTF-8 \(byte 2\)", id="Latin-1"),
    ],
)
def test_what_is_no_table_is_refused_with_its_place(text, message):
    with pytest.raises(InputError, match=message) as caught:
        parse(text, ".csv")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize(("suffix", "text"), [(".json", "[[1, 2], [3, 4]]"), (".csv", "1;2\n3;4\n")])
def test_a_byte_order_mark_says_how_a_text_is_encoded(encoding, suffix, text):
    np.testing.assert_array_equal(parse(text.encode(encoding), suffix), [[1, 2], [3, 4]])


@pytest.mark.parametrize(("suffix", "text"), [(".json", "[[1, 2], [3, 4]]"), (".csv", "1;2\n3;4\n5 6\n")])
def test_a_text_has_a_limit_of_numbers(monkeypatch, suffix, text):
    monkeypatch.setattr(arrays, "_MOST_WRITTEN", 3)
    with pytest.raises(InputError, match=r"numbers; the limit for text is 3: store them as \.npy"):
        parse(text, suffix)


# --- .npy


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(np.arange(6, dtype=">i4").reshape(2, 3), id="big-endian whole numbers"),
        pytest.param(np.asfortranarray(np.arange(6.0).reshape(2, 3)), id="columns first"),
        pytest.param(np.float16([1.5]), id="half precision"),
        pytest.param(np.array([True, False]), id="truth values are 1 and 0"),
        pytest.param(np.array(3.0), id="a single number keeps its no axes"),
        pytest.param(np.float32([np.finfo(np.float32).max]), id="the largest float32"),
    ],
)
def test_an_array_of_numpy_is_read_as_float32(array):
    found = parse(npy(array), ".npy")
    assert found.dtype == np.float32
    assert found.shape == array.shape
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, array.astype(np.float32))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(npy(np.array([1j])), "holds complex128 values", id="complex"),
        pytest.param(npy(np.zeros(2, [("a", "f4")])), "expected real numbers", id="structured"),
        pytest.param(npy(np.array(["2020"], "M8[D]")), "holds datetime64", id="dates"),
        pytest.param(npy(np.array(["a"])), "holds <U1 values", id="text"),
        pytest.param(npy(np.zeros((0, 3))), r"holds no numbers \(shape \(0, 3\)\)", id="empty"),
        pytest.param(npy(np.array([[1, np.nan]])), r"nan is not .* at \[0\]\[1\]", id="not a number"),
        pytest.param(npy(np.array([1e39])), r"at \[0\]", id="beyond float32"),
        pytest.param(npy(np.array(np.inf)), "at its one value", id="infinity without axes"),
        pytest.param(npy(np.array([np.longdouble("1e4000")])), r"at \[0\]", id="beyond float64"),
        pytest.param(
            npy(np.zeros((1,) * 5)),
            "has 5 axes; expected at most 4: store one part of it, such as array",
            id="five axes",
        ),
        pytest.param(npy(np.zeros(3)) + b"zz", r"more data follows .*\(2 bytes\)", id="trailing garbage"),
        pytest.param(npy(np.zeros(3))[:-1], "damaged", id="cut off"),
        pytest.param(b"", "damaged", id="no bytes"),
        pytest.param(npy_with_header("(((("), "damaged", id="header without end"),
        pytest.param(
            npy_with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999,)}"),
            "damaged",
            id="announces more than any memory",
        ),
        pytest.param(
            npy_with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (3L,)}"),
            "damaged",
            id="written by Python 2, cut off",
        ),
    ],
)
def test_what_is_no_array_of_real_numbers_is_refused(data, message):
    with pytest.raises(InputError, match=message):
        parse(data, ".npy")


def test_a_header_longer_than_numpy_reads_is_not_taken_for_python_objects():
    """Numpy's own message about its length advises allow_pickle, and so must not be gone by."""
    columns = ", ".join(f"('column{index}', '<f4')" for index in range(1000))
    header = f"{{'descr': [{columns}], 'fortran_order': False, 'shape': (1,)}}\n".encode()
    data = b"\x93NUMPY\x02\x00" + struct.pack("<I", len(header)) + header + bytes(4000)
    with pytest.raises(InputError, match=r"it is damaged or not in numpy's format\.$"):
        parse(data, ".npy")


class Trap:
    """Whoever unpickles it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_python_objects_are_never_loaded_and_no_switch_is_offered(tmp_path, suffix):
    trap = npy(np.array([Trap(str(tmp_path / "sprung"))], object), allow_pickle=True)
    path = tmp_path / f"x{suffix}"
    if suffix == ".npz":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("weight.npy", trap)
    else:
        path.write_bytes(trap)
    read = archives.read_archive if suffix == ".npz" else arrays.read_array
    with pytest.raises(
        InputError, match="it holds Python objects, and loading those could run any code"
    ) as caught:
        read(path)
    assert "allow_pickle" not in str(caught.value)
    assert not (tmp_path / "sprung").exists()


def test_a_suffix_without_numbers_is_refused_with_those_that_have_them():
    with pytest.raises(InputError, match=r"must end in \.json, \.csv, \.npy"):
        parse("[1]", ".txt")


WHOLE = [
    b"[[1, 2], [3, 4.5e3]]",
    b"1,2\n3,4\n\n5;6\n7 8\n",
    npy(np.arange(6.0).reshape(2, 3)),
    npy(np.array([True])),
    npy(np.zeros(2, [("a", "f4")])),
]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
DOCUMENTS = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4), max_leaves=12)


@st.composite
def damaged_files(draw):
    """A whole file with up to five bytes changed or put in."""
    data = bytearray(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 1))] = draw(st.binary(min_size=1, max_size=3))
    return bytes(data)


@given(
    data=damaged_files()
    | st.binary(max_size=60)
    | st.text("0123456789.,;eE+- \n\t\x1cnaif\xa0", max_size=40).map(str.encode)
    | DOCUMENTS.map(lambda document: json.dumps(document).encode()),
    suffix=st.sampled_from(arrays.READABLE),
)
@settings(max_examples=300, derandomize=True, database=None)
def test_any_bytes_are_finite_numbers_or_refused_in_one_line(data, suffix):
    refusal, found = "", np.ones(1, np.float32)
    try:
        found = parse(data, suffix)
    except InputError as error:
        refusal = str(error)
    assert refusal.isprintable()
    assert found.dtype == np.float32
    assert found.size
    assert np.isfinite(found).all()


# --- files


def test_a_file_is_read_by_its_suffix_in_any_case(tmp_path):
    path = archive(tmp_path, "X.JSON", b"[[1, 2]]")
    np.testing.assert_array_equal(arrays.read_array(path), [[1, 2]])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.npy", "there is no such file"),
        ("folder.npy", "it is a folder"),
        ("pipe.npy", "it is not an ordinary file"),
        ("a\0.npy", r"'.*a\\x00\.npy'"),
        ("x" * 300 + ".npy", "too long"),
    ],
    ids=["missing", "folder", "pipe", "null character", "long name"],
)
def test_a_file_that_cannot_be_read_is_told_without_waiting(tmp_path, name, message):
    """A pipe that nobody writes to would block for ever if it were opened."""
    (tmp_path / "folder.npy").mkdir()
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(InputError, match=message):
        arrays.read_array(tmp_path / name)


# --- archives


def test_an_archive_of_numpy_gives_its_numbers_by_name(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, weight=np.arange(4).reshape(2, 2), names=np.array(["a", "b"]))
    found = archives.read_archive(path)
    assert list(found) == ["weight"]
    assert found["weight"].dtype == np.float32
    np.testing.assert_array_equal(found["weight"], [[0, 1], [2, 3]])


def test_every_flipped_byte_of_an_archive_is_read_or_refused(tmp_path):
    """Checksums do not cover all of a zip file, so some changes go unseen; none may raise anything else."""
    file = io.BytesIO()
    np.savez_compressed(file, weight=np.arange(300.0))
    whole, messages = file.getvalue(), []
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0x55
        try:
            archives.read_archive(archive(tmp_path, "x.npz", bytes(damaged)))
        except InputError as error:
            messages.append(str(error))
    assert len(messages) > len(whole) / 2
    assert all(message.isprintable() for message in messages)


def deflated(body, *, announced):
    """Write a .npz of one array, which announces another size than its body unpacks to."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", body)
    size = struct.pack("<I", len(body))
    return file.getvalue().replace(size, struct.pack("<I", announced))


def test_an_archive_unpacks_to_no_more_than_it_announces():
    data = deflated(npy(np.zeros(1 << 23)), announced=200)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="cannot read 'bomb'"):
            arrays.parse_array(data, "'bomb'", ".npz")
        assert tracemalloc.get_traced_memory()[1] < 1 << 23  # an eighth of what it holds
    finally:
        tracemalloc.stop()


def test_an_archive_has_a_limit_that_is_asked_for_before_it_is_unpacked(monkeypatch):
    file = io.BytesIO()
    np.savez_compressed(file, one=np.zeros(1000), two=np.zeros(1000))
    monkeypatch.setattr(archives, "_MOST_UNPACKED", 4000)
    with pytest.raises(InputError, match=r"array 'one' unpacks to 7\.9\d KiB; the limit is 3\.91 KiB"):
        arrays.parse_array(file.getvalue(), "'x.npz'", ".npz", member="one")
    monkeypatch.setattr(archives, "_MOST_UNPACKED", 9000)
    assert arrays.parse_array(file.getvalue(), "'x.npz'", ".npz", member="one").shape == (1000,)
    monkeypatch.setattr(archives, "_MOST_UNPACKED_WEIGHTS", 9000)
    with pytest.raises(InputError, match=r"the arrays of 'x\.npz' unpack to 15\.9 KiB; the limit is 8\.79"):
        archives.parse_archive(file.getvalue(), "'x.npz'", ".npz")


def test_an_archive_packed_in_a_way_that_numpy_does_not_write_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("x.npy", npy(np.zeros(3)))
    with pytest.raises(InputError, match="compressed in a way that numpy does not write"):
        arrays.parse_array(file.getvalue(), "'x'", ".npz")


@pytest.mark.parametrize("name", ["x.npz", "x.safetensors"])
def test_bytes_that_are_no_archive_are_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"x\.\w+': it is not a (numpy archive|safetensors file)"):
        archives.read_archive(archive(tmp_path, name, b"\xff" * 40))


def test_an_array_that_is_not_finite_is_named(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, weight=np.ones(2), bias=np.array([0, np.inf]))
    with pytest.raises(InputError, match=r"array 'bias': inf is not a finite .* at \[1\]"):
        archives.read_archive(path)


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        pytest.param("F32", struct.pack("<2f", 1.5, -2), [1.5, -2], id="F32"),
        pytest.param("F64", struct.pack("<2d", 1.5, -2), [1.5, -2], id="F64"),
        pytest.param("F16", struct.pack("<2e", 1.5, -2), [1.5, -2], id="F16"),
        pytest.param("I8", struct.pack("<2b", 1, -2), [1, -2], id="I8"),
        pytest.param("U64", struct.pack("<2Q", 1, 2), [1, 2], id="U64"),
        pytest.param("BOOL", b"\1\0", [1, 0], id="BOOL"),
        # 1.5 is 0x3FC00000 in float32 and -2 is 0xC0000000; bfloat16 keeps the upper halves.
        pytest.param("BF16", bytes.fromhex("C03F00C0"), [1.5, -2], id="BF16"),
    ],
)
def test_tensors_of_every_real_type_are_read(tmp_path, kind, body, expected):
    header = {"weight": {"dtype": kind, "shape": [1, 2], "data_offsets": [0, len(body)]}}
    found = archives.read_archive(archive(tmp_path, "x.safetensors", tensors(header, body)))
    np.testing.assert_array_equal(found["weight"], np.array([expected], np.float32))


@pytest.mark.parametrize("kind", ["e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz", "e8m0fnu"])
def test_the_256_floats_of_a_byte_are_those_of_torch(tmp_path, kind):
    tensor = torch.arange(256, dtype=torch.uint8).view(getattr(torch, f"float8_{kind}"))
    body = safetensors.torch.save({"w": tensor.reshape(2, 128)})
    ((_, found),) = archives.stored_arrays(body, "x", ".safetensors")
    np.testing.assert_array_equal(found.reshape(-1), tensor.float().numpy())


def test_a_type_that_numpy_lacks_is_refused_by_name(tmp_path):
    header = {"weight": {"dtype": "C64", "shape": [1], "data_offsets": [0, 8]}}
    with pytest.raises(InputError, match="array 'weight' holds C64 values"):
        archives.read_archive(archive(tmp_path, "x.safetensors", tensors(header, bytes(8))))


def test_a_message_of_safetensors_reaches_no_terminal_unescaped(tmp_path):
    header = {"w": {"dtype": "\x1b[31m", "shape": [1], "data_offsets": [0, 1]}}
    with pytest.raises(InputError, match="not a safetensors file") as caught:
        archives.read_archive(archive(tmp_path, "x.safetensors", tensors(header, b"0")))
    assert str(caught.value).isprintable()


# --- writing

STORED = {
    "maps": np.arange(12, dtype=np.float32).reshape(1, 3, 4),
    "weight": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "names": np.array(["sobel-x", "größer"]),
}
TEXT = marks.signed_text({"input": "bücher.png"})


def written(suffix):
    file = io.BytesIO()
    archives.write_arrays(file, suffix, STORED, text=TEXT)
    return file.getvalue()


def test_npz_is_read_by_numpy_without_pickle():
    with np.load(io.BytesIO(written(".npz")), allow_pickle=False) as found:
        assert sorted(found) == ["maps", "names", "weight"]
        for key, array in STORED.items():
            np.testing.assert_array_equal(found[key], array)


def test_npz_has_the_same_bytes_on_any_day():
    """Every entry is of 1 January 1980, where the dates of zip begin."""
    data = written(".npz")
    assert data == written(".npz")
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert file.testzip() is None


def test_npz_says_who_wrote_it_and_how():
    with zipfile.ZipFile(io.BytesIO(written(".npz"))) as file:
        assert file.comment.decode() == 'convviz {"input": "bücher.png"}'


def test_a_description_longer_than_a_zip_comment_is_cut():
    file = io.BytesIO()
    archives.write_arrays(file, ".npz", STORED, text=marks.signed_text({"input": "ä" * 70_000}))
    with np.load(io.BytesIO(file.getvalue())) as found:
        np.testing.assert_array_equal(found["maps"], STORED["maps"])


def test_npy_holds_the_maps_alone():
    np.testing.assert_array_equal(np.load(io.BytesIO(written(".npy"))), STORED["maps"])


def test_safetensors_holds_the_numbers_and_in_its_metadata_the_words(tmp_path):
    path = archive(tmp_path, "x.safetensors", written(".safetensors"))
    assert written(".safetensors") == path.read_bytes()
    found = safetensors.numpy.load_file(path)
    assert sorted(found) == ["maps", "weight"]
    for key, array in found.items():
        np.testing.assert_array_equal(array, STORED[key])
    with safetensors.safe_open(path, "numpy") as file:
        described = json.loads(file.metadata()["convviz"])
    assert described == {"input": "bücher.png", "names": ["sobel-x", "größer"]}


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_what_we_write_we_know_and_read(tmp_path, suffix):
    path = archive(tmp_path, f"x{suffix}", written(suffix))
    assert marks.is_ours(path)
    np.testing.assert_array_equal(archives.read_archive(path)["weight"], STORED["weight"])
