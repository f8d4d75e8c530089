"""One sheet in every format: the same words, the same maps, the same bytes, and known as ours."""

import io
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

import convviz
from convviz.cli import options
from convviz.errors import BackendError, OutputError, SpecError
from convviz.files import marks
from convviz.images import picture
from convviz.render.drawings import bands, padding
from convviz.render.drawings.drawing import Bitmap, Drawing, Label, Rectangle
from convviz.render.drawings.pdf import to_pdf
from convviz.results import outputs
from convviz.spec.geometry import Edges
from convviz.spec.settings import PICTURE_ENDINGS

SVG = "{http://www.w3.org/2000/svg}"
DESCRIPTION = {"version": "1", "kernel": ["(a) \\ b — ü --"], "title": "中 )("}


@pytest.fixture(scope="module")
def result():
    x = np.arange(3 * 40 * 30, dtype=np.float32).reshape(3, 40, 30) % 101 / 100
    return convviz.run(x, convviz.Conv2d(3, 2, 3))


@pytest.fixture(scope="module")
def sheet(result):
    return result.sheet()


def words_on(sheet):
    return {shape.text for shape in sheet.drawing.shapes if isinstance(shape, Label)}


@pytest.mark.parametrize("ending", PICTURE_ENDINGS)
def test_a_picture_of_ours_is_replaced_and_tells_its_settings_and_ends(result, sheet, tmp_path, ending):
    path = tmp_path / f"x{ending}"
    path.write_bytes(b"of somebody else")
    with pytest.raises(OutputError, match="convviz did not write it"):
        outputs.write_sheet(sheet, path, DESCRIPTION)
    outputs.write_sheet(sheet, path, DESCRIPTION, force=True)
    described = marks.description_of(path)
    ends = [tuple(map(float, text.split(" to "))) for text in described.pop("ends")]
    assert described == DESCRIPTION
    expected = np.percentile(result.maps, [1, 99], axis=(1, 2)).T
    np.testing.assert_allclose(ends, expected, atol=0.002 * np.ptp(result.maps))
    first = path.read_bytes()
    assert outputs.write_sheet(sheet, path, DESCRIPTION) == len(first)
    assert path.read_bytes() == first


@pytest.mark.parametrize("ending", PICTURE_ENDINGS)
def test_a_drawing_is_written_in_every_format(tmp_path, ending):
    x = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    numbers = picture.from_numbers(x, "x")
    drawing = padding.draw(numbers, {"zeros": np.pad(x, ((0, 0), (1, 1), (1, 1)))}, Edges(1, 1, 1, 1))
    path = tmp_path / f"x{ending}"
    outputs.write_sheet(drawing, path, DESCRIPTION)
    assert marks.description_of(path) == DESCRIPTION


def test_pixels_without_loss_are_the_same_in_png_and_webp(sheet, tmp_path):
    first, second = (tmp_path / name for name in ("x.png", "x.webp"))
    for path in (first, second):
        outputs.write_sheet(sheet, path, {})
    np.testing.assert_array_equal(*(np.asarray(Image.open(path).convert("RGB")) for path in (first, second)))


def test_a_jpeg_is_near_to_the_pixels(sheet, tmp_path):
    """Half of the pixels within one level of 255, and no map within more than three on average."""
    path = tmp_path / "x.jpg"
    outputs.write_sheet(sheet, path, {})
    apart = np.abs(np.asarray(Image.open(path), int) - np.asarray(sheet.image(), int))
    assert np.median(apart) <= 1
    assert apart.mean() <= 3


def test_svg_has_every_word_as_text_and_every_map_as_a_picture_of_its_cells(sheet, tmp_path):
    path = tmp_path / "x.svg"
    outputs.write_sheet(sheet, path, {})
    root = ET.parse(path).getroot()
    assert {element.text for element in root.iter(f"{SVG}text")} == words_on(sheet)
    pictures = [shape for shape in sheet.drawing.shapes if isinstance(shape, Bitmap)]
    found = list(root.iter(f"{SVG}image"))
    assert len(found) == len(pictures)
    assert all("pixelated" in element.attrib["style"] for element in found)
    assert root.find(f"{SVG}title").text == sheet.drawing.title
    assert "map 1: " in root.find(f"{SVG}desc").text


def pdf_of(sheet):
    return to_pdf(sheet.drawing, keywords=marks.ascii_text(DESCRIPTION))


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler-utils) is not installed")
def test_pdftotext_finds_every_word_of_a_pdf(sheet, tmp_path):
    path = tmp_path / "x.pdf"
    path.write_bytes(pdf_of(sheet))
    done = subprocess.run(["pdftotext", "-raw", path, "-"], capture_output=True, text=True, check=True)
    found = re.sub(r"\s+", " ", done.stdout)
    assert [words for words in words_on(sheet) if re.sub(r"\s+", " ", words) not in found] == []


@pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="pdftoppm (poppler-utils) is not installed")
def test_a_pdf_looks_as_the_pixels_do(tmp_path):
    """A rectangle, and a map of 2x2 cells that is not smoothed, at one pixel per unit."""
    cells = np.array([[0, 255], [255, 0]], np.uint8)
    drawing = Drawing(
        60, 40, (255, 255, 255), (Rectangle(4, 4, 10, 10, fill=(200, 0, 0)), Bitmap(20, 4, 20, 20, cells))
    )
    path = tmp_path / "x.pdf"
    path.write_bytes(to_pdf(drawing))
    subprocess.run(["pdftoppm", "-r", "96", "-png", path, tmp_path / "page"], check=True)
    (page,) = tmp_path.glob("page*.png")
    drawn = np.asarray(Image.open(page).convert("RGB"))
    assert drawn.shape == (40, 60, 3)
    assert tuple(drawn[9, 9]) == (200, 0, 0)
    for row, column in np.ndindex(2, 2):
        cell = drawn[5 + 10 * row : 13 + 10 * row, 21 + 10 * column : 29 + 10 * column]
        assert set(cell.ravel().tolist()) == {255 * ((row + column) % 2)}


def test_a_pdf_has_its_typeface_its_title_and_words_for_those_who_do_not_see_it(sheet):
    data = pdf_of(sheet)
    assert b"/FontFile2" in data
    assert b"/Title (Conv2d\\(3, 2, kernel_size=\\(3, 3\\), stride=\\(1, 1\\)\\))" in data
    # Once as the alternative text of the map, and once in that of the whole.
    assert data.count(b"map 1: ") == 2
    assert b"/Interpolate true" not in data


def test_a_pdf_needs_its_package_and_says_how_to_install_it(sheet, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "fpdf", None)
    monkeypatch.setattr(options.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r'pip install "convviz\[pdf\]"'):
        options.check_picture(tmp_path / "x.pdf")


def test_another_ending_is_refused_with_those_that_are_known(tmp_path):
    with pytest.raises(SpecError, match=r"\.png, \.svg, \.pdf, \.webp or \.jpg, not '\.bmp'"):
        options.check_picture(tmp_path / "x.bmp")


def test_a_format_without_room_for_a_sheet_is_refused(tmp_path):
    wide = np.zeros((1, 16_384), np.uint8)
    with pytest.raises(SpecError, match=r"16384x1 pixels, and \.webp holds at most 16,383"):
        outputs.write_sheet(wide, tmp_path / "x.webp", {})
    assert not (tmp_path / "x.webp").exists()


def test_a_sheet_painted_in_bands_is_the_sheet_painted_at_once(sheet):
    """Bands of one row, of seven, and all rows: cells, words and lines go on from one to the next."""
    whole = np.asarray(sheet.image())
    ((height, paint),) = bands.Bands(sheet.height, sheet.width, sheet.drawing.shapes).strips()
    for step in (1, 7):
        parts = [paint(top, min(top + step, height)) for top in range(0, height, step)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_word_is_mixed_with_what_is_under_it():
    """White on black is grey at its edges, and never darker than black or brighter than white."""
    shapes = [Rectangle(0, 0, 40, 30, fill=(0, 0, 0)), Label(5, 22, "O", (255, 255, 255), 20)]
    drawn = bands.Bands(30, 40, shapes).paint(0, 30)
    assert drawn.max() == 255
    assert tuple(drawn[0, 0]) == (0, 0, 0)
    assert len(np.unique(drawn)) > 5


def test_a_description_too_long_for_a_jpeg_leaves_it_ours_but_without_settings(tmp_path):
    path = tmp_path / "x.jpg"
    outputs.write_sheet(np.zeros((8, 8), np.uint8), path, {"kernel": "1 " * 40_000})
    assert marks.is_ours(path)
    assert marks.description_of(path) is None
    assert Image.open(io.BytesIO(path.read_bytes())).size == (8, 8)
