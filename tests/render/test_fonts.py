"""The typeface: every character is drawn as itself or in other characters, never as a box."""

import shutil

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image, ImageDraw, ImageFont

from convviz.cli.app import status_of
from convviz.machine import typefaces
from convviz.machine.typefaces import Typeface
from convviz.render import fonts

SCRIPTS = {
    "Latin": [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x180)],
    "Greek": [*range(0x391, 0x3A2), *range(0x3A3, 0x3CF)],
    "Cyrillic": range(0x400, 0x460),
    "arrows": range(0x2190, 0x2200),
    "mathematical signs": range(0x2200, 0x2300),
    "what captions are made with": map(ord, "…·±≤≥≈→½²³µ°√∞—"),
}


def drawn(text, *, size=40):
    image = Image.new("L", (80, 60))
    face = ImageFont.truetype(fonts.OURS.path, size)
    ImageDraw.Draw(image).text((10, 45), text, fill=255, font=face, anchor="ls")
    return image.tobytes()


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_character_of_a_script_is_drawn_and_not_as_a_box(script):
    """U+FFFF is no character, so every typeface draws the sign for a missing one in its place."""
    missing = drawn("\uffff")
    boxes = [chr(code) for code in SCRIPTS[script] if drawn(chr(code)) == missing]
    assert boxes == []


@pytest.mark.parametrize("size", [8, 13, 20, 37, 64])
def test_a_digit_is_as_wide_as_any_other_beside_every_character(size):
    face = ImageFont.truetype(fonts.OURS.path, size)
    beside = [chr(code) for code in SCRIPTS["Latin"]]
    wide = {digit: [face.getlength(f"{other}{digit}{other}") for other in beside] for digit in "0123456789"}
    assert all(found == wide["0"] for found in wide.values())


@pytest.mark.parametrize("text", ["-0.1234 to 5.678", "conv1: 9x11, 37.5 % zeros", "1e-07"])
def test_numbers_are_measured_as_they_are_drawn(text):
    assert fonts.font(17).getlength(text) == ImageFont.truetype(fonts.OURS.path, 17).getlength(text)


@pytest.fixture
def nowhere(monkeypatch):
    """A computer without any other typeface."""
    monkeypatch.setattr(fonts, "candidates", lambda character: iter(()))
    for cached in (fonts._found, fonts.drawable, fonts.stamp, fonts._length):
        cached.cache_clear()
    yield
    for cached in (fonts._found, fonts.drawable, fonts.stamp, fonts._length):
        cached.cache_clear()


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("naïve λ ≤ Ж", "naïve λ ≤ Ж", id="ours has it"),
        pytest.param("\u4e2d文", "\\u4e2d\\u6587", id="Chinese is escaped"),
        pytest.param("\uff21\uff22", "AB", id="wide letters are letters"),
        pytest.param("e\u0301", "é", id="accents are put on their letters"),
        pytest.param("a\nb", "a\\nb", id="a line end"),
        pytest.param("\U0001f6a2", "\\U0001f6a2", id="a ship"),
    ],
)
def test_what_no_typeface_has_is_written_in_characters_of_ours(text, expected):
    assert fonts.drawable(text) == expected


@pytest.mark.usefixtures("nowhere")
def test_a_missing_character_is_measured_and_drawn_as_its_escape():
    assert fonts.font(20).getlength("\u4e2d") == fonts.font(20).getlength("\\u4e2d")
    np.testing.assert_array_equal(fonts.stamp("\u4e2d", 20)[0], fonts.stamp("\\u4e2d", 20)[0])


def a_typeface(path, character):
    """Make a typeface of one character, a black square that fills an em."""
    build = FontBuilder(1000, isTTF=True)
    pen = TTGlyphPen(None)
    for at, to in enumerate([(0, 0), (0, 1000), (1000, 1000), (1000, 0)]):
        (pen.lineTo if at else pen.moveTo)(to)
    pen.closePath()
    build.setupGlyphOrder([".notdef", "square"])
    build.setupCharacterMap({ord(character): "square"})
    build.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": pen.glyph()})
    build.setupHorizontalMetrics({".notdef": (500, 0), "square": (1000, 0)})
    build.setupHorizontalHeader(ascent=1000, descent=-200)
    build.setupNameTable({"familyName": "Square", "styleName": "Regular"})
    build.setupOS2()
    build.setupPost()
    build.save(path)


def test_another_typeface_of_this_computer_draws_what_ours_does_not_have(tmp_path, monkeypatch, nowhere):
    path = tmp_path / "square.ttf"
    a_typeface(path, "中")
    monkeypatch.setattr(fonts, "candidates", lambda character: iter([Typeface(path)]))
    assert fonts.drawable("a中") == "a中"
    assert fonts.runs("a中b") == [(fonts.OURS, "a"), (Typeface(path), "中"), (fonts.OURS, "b")]
    assert fonts.font(20).getlength("中") == 20
    cover, top, _ = fonts.stamp("中", 20)
    assert (cover.shape, top) == ((20, 20), -20)
    assert (cover == 255).all()
    # What it does not have either is escaped.
    assert fonts.drawable("文") == "\\u6587"


def test_a_typeface_that_cannot_be_read_has_no_character(tmp_path):
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no typeface")
    assert not fonts.has(Typeface(broken), "中")
    assert not fonts.has(Typeface(tmp_path / "missing.ttf"), "中")


@pytest.mark.skipif(shutil.which("fc-match") is None, reason="fontconfig is not installed")
def test_fontconfig_is_asked_where_it_is_installed():
    (found,) = typefaces.candidates("A")
    assert found.path.is_file()


def test_typefaces_are_looked_for_by_name_where_fontconfig_is_not_installed(tmp_path, monkeypatch):
    (tmp_path / "noto").mkdir()
    path = tmp_path / "noto" / "NotoSansCJK-Regular.ttc"
    path.touch()
    monkeypatch.setattr(typefaces.shutil, "which", lambda name: None)
    monkeypatch.setattr(typefaces, "_FOLDERS", {typefaces.sys.platform: (str(tmp_path),)})
    typefaces._by_name.cache_clear()
    assert list(typefaces.candidates("中")) == [Typeface(path)]
    typefaces._by_name.cache_clear()


def test_characters_that_no_typeface_has_are_said_once_on_stderr(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fonts, "_others", lambda character: [])
    for kept in (fonts._found, fonts.drawable, fonts._length):
        kept.cache_clear()
    typefaces.take_undrawn()
    (tmp_path / "n.csv").write_text("1,2\n3,4\n")
    words = ["run", "n.csv", "-k", "1", "--title", "λ 中文中"]
    told = "no font on this computer has 中, 文; the picture shows escape codes instead\n"
    assert status_of([*words, "-q"]) == 0
    assert capsys.readouterr().err == ""
    fonts.drawable.cache_clear()
    assert status_of(words) == 0
    assert capsys.readouterr().err == told
    assert status_of(words) == 0
    assert told not in capsys.readouterr().err
    for kept in (fonts._found, fonts.drawable, fonts._length):
        kept.cache_clear()
