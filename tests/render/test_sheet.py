"""The picture of a run, decoded: what stands where, and in which colour."""

import json
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from sheet_frames import frames, inside

import convviz
from convviz.errors import SpecError
from convviz.images import decode, picture
from convviz.render.contrast import Contrast
from convviz.render.drawings.drawing import Bitmap, Label, to_svg
from convviz.render.drawings.pdf import to_pdf
from convviz.render.fonts import font
from convviz.render.palette import INPUT_BLUE, OUTPUT_TEAL, Tone
from convviz.render.sheets import captions, overview
from convviz.render.sheets.bar import Bar
from convviz.render.sheets.layout import sheet
from convviz.render.sheets.tile import Section, Tile
from convviz.spec.geometry import HW
from convviz.spec.preparation import Normalization
from convviz.spec.scales import fit
from convviz.spec.settings import Look

BAR = Bar(Contrast(Tone(-0.125, 0.5, "unit"), 0.1, 0.2))
CLASSIC = np.array([[[1, 1, 1]] * 3, [[0, 1, 0]] * 3, [[1, 0, 1]] * 3], np.float32)


def words_of(sheet):
    return [shape.text for shape in sheet.drawing.shapes if isinstance(shape, Label)]


def test_input_planes_and_maps_stand_in_frames_of_their_colours():
    image = convviz.run(CLASSIC, convviz.Conv2d(3, 2, 3, padding=1)).sheet().image()
    assert len(frames(image, INPUT_BLUE)) == 4
    assert len(frames(image, OUTPUT_TEAL)) == 2


def test_the_heading_says_that_the_planes_are_normalised():
    plain = picture.from_numbers(CLASSIC, "classic")
    assert overview.normalization_lines(plain) == []
    normalised = decode.decode(
        json.dumps(CLASSIC.tolist()).encode(), "classic", ".json", normalize=Normalization((0.5,), (0.25,))
    )
    (line,) = overview.normalization_lines(normalised)
    assert "mean 0.5,0.5,0.5 and deviation 0.25,0.25,0.25" in line
    layer = convviz.Conv2d(3, 1, 3)
    sheets = [convviz.run(picture, layer).sheet() for picture in (normalised, plain)]
    assert ["normalised with" in " ".join(words_of(one)) for one in sheets] == [True, False]
    ours, theirs = (one.image() for one in sheets)
    # Captions tell the normalised values; the colours are those of the input.
    for mine, other in zip(frames(ours, INPUT_BLUE), frames(theirs, INPUT_BLUE), strict=True):
        corner = inside(ours, mine)[3, 3], inside(theirs, other)[3, 3]
        assert (corner[0] == corner[1]).all()


def test_small_inputs_are_enlarged_without_smoothing():
    """Three columns of cells, each of one colour: magenta, yellow, magenta (R is 1; G and B take turns)."""
    image = convviz.run(CLASSIC, convviz.Conv2d(3, 1, 3, padding=1)).sheet().image()
    tile = inside(image, frames(image, INPUT_BLUE)[0])
    cell = tile.shape[1] // 3
    for column, colour in enumerate([(255, 0, 255), (255, 255, 0), (255, 0, 255)]):
        middle = tile[5 : cell - 5, column * cell + 5 : (column + 1) * cell - 5]
        assert (middle == colour).all()


def test_numbers_stand_in_cells_that_have_room_for_them():
    """A cell with a number in it has more than one colour; the cells of a large map have one each."""
    few = convviz.run(np.eye(3), convviz.Conv2d(1, 1, 1, bias=False), np.ones((1, 1, 1, 1))).sheet().image()
    tile = inside(few, frames(few, OUTPUT_TEAL)[0])
    assert len(np.unique(tile[5:90, 5:90].reshape(-1, 3), axis=0)) > 1
    many = convviz.run(np.eye(60), convviz.Conv2d(1, 1, 1, bias=False), np.ones((1, 1, 1, 1))).sheet().image()
    tile = inside(many, frames(many, OUTPUT_TEAL)[0])
    assert len(np.unique(tile.reshape(-1, 3), axis=0)) == 2


def test_every_pixel_is_kept_in_a_full_tile():
    """An identity kernel of weight 1 on levels 0 to 255 draws exactly these levels."""
    levels = np.arange(256, dtype=np.float32).reshape(16, 16).repeat(5, axis=1)
    result = convviz.run(levels, convviz.Conv2d(1, 1, 1, bias=False), np.ones((1, 1, 1, 1)))
    image = result.sheet(tile=None, limits="minmax").image()
    tile = inside(image, frames(image, OUTPUT_TEAL)[0])
    np.testing.assert_array_equal(tile[:, :, 0], levels)


def test_large_maps_are_reduced_by_area_averaging():
    """Columns of black and white, one pixel wide, become an even mid grey at half the size."""
    stripes = np.tile(np.array([0, 1], np.float32), (64, 32))
    result = convviz.run(stripes, convviz.Conv2d(1, 1, 1, bias=False), np.ones((1, 1, 1, 1)))
    image = result.sheet(tile=32).image()
    tile = inside(image, frames(image, OUTPUT_TEAL)[0])
    assert tile.shape[:2] == (32, 32)
    assert set(tile.ravel()) == {128}


@pytest.mark.parametrize(
    ("limits", "levels"),
    [
        pytest.param("percentile", [0, 170, 255], id="numbers go from the minimum to the maximum"),
        pytest.param("symmetric", [1, 128, 192], id="as far below 0 as above"),  # 128 + 127 / 2, rounded
        pytest.param(
            "-2,2", [64, 128, 159], id="two values"
        ),  # 255 / 4 = 63.75, 127.5, 255 * 2.5 / 4 = 159.4
    ],
)
def test_cells_are_as_bright_as_the_limits_say(limits, levels):
    result = convviz.run(np.array([[-1, 0, 0.5]]), convviz.Conv2d(1, 1, 1, bias=False), np.ones((1, 1, 1, 1)))
    image = result.sheet(limits=limits).image()
    tile = inside(image, frames(image, OUTPUT_TEAL)[0])
    cell = tile.shape[1] // 3
    assert [int(tile[3, column * cell + 3, 0]) for column in range(3)] == levels


def test_partial_maps_have_a_row_per_filter_with_parts_bias_and_sum():
    result = convviz.run(CLASSIC, convviz.Conv2d(3, 2, 3))
    image = result.sheet(parts=result.partial()).image()
    found = frames(image, OUTPUT_TEAL)
    assert len(found) == 2 * 5
    result = convviz.run(CLASSIC, convviz.Conv2d(3, 2, 3, bias=False))
    assert len(frames(result.sheet(parts=result.partial()).image(), OUTPUT_TEAL)) == 2 * 4


def test_partial_maps_without_negative_values_start_at_0():
    """Of three channels of ones, 1x1 kernels of 2 make three times 2, and 6: a level of 85, and 255."""
    layer = convviz.Conv2d(3, 1, 1, bias=False)
    result = convviz.run(np.ones((3, 2, 2), np.float32), layer, np.full((1, 3, 1, 1), 2))
    sheet = result.sheet(parts=result.partial())
    assert sheet.ends == [(0, 6)] * 4
    image = sheet.image()
    levels = [int(inside(image, frame)[3, 3, 0]) for frame in frames(image, OUTPUT_TEAL)]
    assert levels == [255, 85, 85, 85]
    assert any("or from 0 if no value is negative" in word for word in words_of(sheet))
    # One that is negative leaves the minimum black.
    result = convviz.run(np.ones((3, 2, 2), np.float32), layer, np.reshape([-2, 2, 6], (1, 3, 1, 1)))
    assert result.sheet(parts=result.partial()).ends == [(-2, 6)] * 4


def test_each_channel_that_reaches_a_deep_layer_has_its_own_scale_and_dead_ones_are_named():
    """Channels up to 1 and up to 0.01 look alike, and their bars give the ends; R, G and B share theirs."""
    ramp = np.linspace(0, 1, 2500, dtype=np.float32).reshape(50, 50)
    x = np.stack([ramp, ramp / 100, 0 * ramp])
    layer = convviz.Conv2d(3, 1, 1)
    deep = convviz.run(picture.Picture(x, ("0", "1", "2"), activations=True), layer).sheet(limits="minmax")
    image = deep.image()
    strong, weak, dead = (inside(image, frame) for frame in frames(image, INPUT_BLUE))
    assert (strong == weak).all()
    assert (strong.min(), strong.max(), dead.max()) == (0, 255, 0)
    words = words_of(deep)
    assert {"0.01", "dead: 0 everywhere"} <= set(words)
    assert "a dead channel is 0 everywhere" in " ".join(words)
    shallow = convviz.run(picture.Picture(x, ("R", "G", "B")), layer).sheet()
    image = shallow.image()
    assert inside(image, frames(image, INPUT_BLUE)[2]).max() == round(2.55)
    assert "dead" not in " ".join(words_of(shallow))


def test_planes_that_a_filter_does_not_read_are_hatched():
    """Two filters in two groups: each row has both channels, one of them hatched, then the sum."""
    x = np.ones((2, 8, 8), np.float32)
    result = convviz.run(
        x, convviz.Conv2d(2, 2, 3, groups=2, bias=False), np.full((2, 1, 3, 3), 0.5), backend="numpy"
    )
    image = result.sheet(parts=result.partial()).image()
    tiles = [inside(image, frame) for frame in frames(image, OUTPUT_TEAL)]
    assert len(tiles) == 2 * 3
    hatched = [set(tile.ravel().tolist()) == {238, 255} for tile in tiles]
    assert hatched == [False, True, False, True, False, False]


def test_the_triples_of_a_flip_leave_no_place_empty():
    """Six filters are 18 tiles in rows of whole triples; twelve columns would leave half a row empty."""
    x = np.random.default_rng(0).random((3, 300, 300), np.float32)
    result = convviz.run(x, convviz.Conv2d(3, 6, 3))
    image = result.sheet(differences=result.flip_difference()).image()
    tops, lefts = ({frame[axis] for frame in frames(image, OUTPUT_TEAL)} for axis in (0, 1))
    assert len(tops) * len(lefts) == 18
    assert len(lefts) % 3 == 0


def test_a_flip_shows_both_maps_and_their_difference_for_every_filter():
    """The impulse draws 4 2 1 under the kernel 1 2 4, and 1 2 4 under the rotated one: -3 0 3 more."""
    layer = convviz.Conv2d(1, 2, (1, 3), bias=False)
    rotated = [[[[4, 2, 1]]], [[[0, 1, 0]]]]
    result = convviz.run(np.array([[[0, 0, 1, 0, 0]]]), layer, rotated)
    np.testing.assert_array_equal(result.maps[0], [[1, 2, 4]])
    image = result.sheet(differences=result.flip_difference()).image()
    found = frames(image, OUTPUT_TEAL)
    assert len(found) == 2 * 3
    shown = []
    for frame in found[:3]:
        tile = inside(image, frame)
        cell = tile.shape[1] // 3
        shown.append([int(tile[3, column * cell + 3, 0]) for column in range(3)])
    # All three on one scale, from -3 to 4: a level is 255 * (value + 3) / 7.
    assert shown == [[255, 182, 146], [146, 182, 255], [0, 109, 219]]


def test_the_title_of_flipped_kernels_says_so_in_every_format():
    """PNG has the words as pixels, SVG and PDF have the title as a field as well."""
    result = convviz.run(np.ones((1, 3, 3)), convviz.Conv2d(1, 1, 3))
    for differences, said in ((result.flip_difference(), True), (None, False)):
        drawing = result.sheet(differences=differences).drawing
        # A title that is too long for one line goes on in the next.
        words = " ".join(shape.text for shape in drawing.shapes if isinstance(shape, Label))
        assert words.startswith(drawing.title)
        assert drawing.title.endswith("with flipped kernels (true convolution)") == said
        assert ("rotated by 180 degrees, and the difference" in words) == said
        assert f"<title>{drawing.title}</title>" in to_svg(drawing)
        (title,) = re.findall(rb"/Title \((.*)\)", to_pdf(drawing))
        assert (b"with flipped kernels" in title) == said


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16, 64, 100])
def test_frames_never_overlap_and_stay_on_the_sheet(count):
    result = convviz.run(np.zeros((1, 12, 17)), convviz.Conv2d(1, count, 3))
    image = result.sheet(tile=48).image()
    found = frames(image, OUTPUT_TEAL)
    assert len(found) == count
    covered = np.zeros((image.height, image.width), int)
    for top, left, height, width in found + frames(image, INPUT_BLUE):
        covered[top - 2 : top + height + 2, left - 2 : left + width + 2] += 1
    assert covered.max() == 1
    assert not (np.asarray(image)[:, -3:] != 255).any()


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [
        pytest.param(HW(3, 5), 320, 64, id="a whole number enlarges"),
        pytest.param(HW(1, 1), 320, 96, id="a cell is never larger than it needs to be"),
        pytest.param(HW(640, 100), 320, 0.5, id="the longest side decides"),
        pytest.param(HW(640, 100), None, 1, id="full keeps every pixel"),
    ],
)
def test_the_scale_fits_the_longest_side(size, longest, expected):
    assert fit(size, longest) == expected


def test_a_sheet_beyond_all_measure_is_refused_before_it_is_made():
    tile = Tile("x", "", np.zeros((1, 1), np.uint8), cell=40_000)
    with pytest.raises(SpecError, match="lower --tile"):
        sheet(["x"], [Section([tile], 1, INPUT_BLUE)])


def tiles(count, *, side=320, name="map"):
    return [
        Tile(f"{name} {index}", "-0.1234 to 0.5678", np.zeros((side, side), np.uint8))
        for index in range(count)
    ]


def labels(made):
    return [shape for shape in made.drawing.shapes if isinstance(shape, Label)]


def columns_of(made):
    return len({shape.x for shape in made.drawing.shapes if isinstance(shape, Bitmap)})


@pytest.mark.parametrize("count", [4, 6, 8, 10, 16, 64])
def test_no_row_of_tiles_is_left_nearly_empty(count):
    columns = columns_of(sheet(["x"], [Section(tiles(count), None, OUTPUT_TEAL)]))
    assert columns >= 4
    assert -count % columns <= columns // 2


@pytest.mark.parametrize(("count", "bar"), [(1, BAR), (6, BAR), (16, BAR), (36, BAR), (64, None)])
@pytest.mark.parametrize("layout", ["auto", "wide"])
def test_every_word_is_legible_when_the_sheet_fills_a_slide(count, bar, layout):
    """A slide is 16:9; the sheet fills its height, or its width, which is 16/9 of the height."""
    maps = [replace(tile, bar=bar) for tile in tiles(count)]
    sections = [Section(tiles(4), None, INPUT_BLUE), Section(maps, None, OUTPUT_TEAL)]
    made = sheet(["Conv2d(3, 64)"], sections, look=Look(layout=layout))
    height = max(made.height, made.width * 9 / 16)
    assert min(label.size for label in labels(made)) >= height / 60


def test_wide_has_the_shape_of_a_slide_and_tall_that_of_a_page():
    sections = [Section(tiles(6), None, OUTPUT_TEAL)]
    wide, tall = (sheet(["x"], sections, look=Look(layout=layout)) for layout in ("wide", "tall"))
    assert wide.width / wide.height == pytest.approx(16 / 9, abs=0.01)
    assert tall.height / tall.width == pytest.approx(2**0.5, abs=0.01)


@pytest.mark.parametrize("count", [1, 6, 64])
@pytest.mark.parametrize("layout", ["auto", "wide", "tall"])
def test_no_word_leaves_the_sheet_or_meets_another(count, layout):
    made = sheet(
        ["a heading that is rather long " * 8],
        [
            Section(tiles(4, name="a channel with quite a long name"), None, INPUT_BLUE),
            Section(
                [replace(tile, bar=BAR) for tile in tiles(count, name="gaussian:sigma=1.5")],
                None,
                OUTPUT_TEAL,
            ),
        ],
        look=Look(layout=layout),
    )
    boxes = []
    for label in labels(made):
        width = font(label.size).getlength(label.text)
        left = label.x - {"start": 0, "middle": width / 2, "end": width}[label.anchor]
        right = left + width
        box = left, label.y - 0.7 * label.size, right, label.y
        assert box[0] >= 0
        assert box[1] >= 0
        assert right <= made.width
        assert label.y <= made.height
        assert not any(
            box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
            for other in boxes
        )
        boxes.append(box)


def test_a_name_is_shortened_in_its_middle_and_numbers_never():
    assert captions.shortened("sobel-x", 14, 200) == "sobel-x"
    for name in ("gaussian:sigma=1.5 @R", "features.12.conv: 7 of 512", "a name that has no room at all"):
        for width in range(60, 200, 7):
            short = captions.shortened(name, 14, width)
            kept = captions._NUMBER.findall(short)
            assert kept == captions._NUMBER.findall(name)
            assert short[0] == name[0]
            assert short[-1] == name[-1]
            assert captions.measured(short, 14) <= max(width, captions.measured(captions.shortest(name), 14))


def test_a_caption_is_broken_between_its_parts_never_within_a_range():
    note = "-0.1234 to 0.5678, 12 NaN"
    for side, lines in (
        (640, [note]),
        (150, ["-0.1234 to 0.5678", "12 NaN"]),
        (40, ["min -0.1234", "max 0.5678", "12 NaN"]),
    ):
        maps = [replace(one, note=note) for one in tiles(2, side=side)]
        made = sheet(["x"], [Section(maps, None, OUTPUT_TEAL)], look=Look(font_size=16))
        left = min(label.x for label in labels(made))
        assert [label.text for label in labels(made) if label.x == left][2:] == lines, side


def test_numbers_have_fewer_digits_before_columns_are_wider_than_their_tiles():
    """Two digits of -0.7126 and 0.6983 fit below 64 tiles, whose words are a fifth of their side."""
    bar = Bar(Contrast(Tone(-0.7126, 0.6983, "unit")))
    maps = [replace(tile, brief="-0.71 to 0.7", bar=bar) for tile in tiles(64)]
    made = sheet(["x"], [Section(tiles(4), None, INPUT_BLUE), Section(maps, None, OUTPUT_TEAL)])
    # Those of the maps.
    columns = sorted({shape.x for shape in made.drawing.shapes if isinstance(shape, Bitmap)})[1:]
    gap = max(label.size for label in labels(made))
    assert max(after - before for before, after in pairwise(columns)) <= 1.08 * 320 + gap
    assert {"-0.71 to 0.7", "-0.71", "0.7"} <= {label.text for label in labels(made)}


def test_two_sections_stand_beside_each_other_where_tiles_are_larger_then():
    """6 maps in two rows are as high as two rows of the input: 5 columns; below them would be a third row."""
    made = sheet(["x"], [Section(tiles(4), None, INPUT_BLUE), Section(tiles(6), None, OUTPUT_TEAL)])
    pictures = [shape for shape in made.drawing.shapes if isinstance(shape, Bitmap)]
    assert len({shape.y for shape in pictures}) == 2
    assert max(shape.x for shape in pictures[:4]) < min(shape.x for shape in pictures[4:])
    page = sheet(
        ["x"],
        [Section(tiles(4), None, INPUT_BLUE), Section(tiles(6), None, OUTPUT_TEAL)],
        look=Look(layout="tall"),
    )
    pictures = [shape for shape in page.drawing.shapes if isinstance(shape, Bitmap)]
    assert max(shape.y for shape in pictures[:4]) < min(shape.y for shape in pictures[4:])


@pytest.mark.parametrize(
    ("channels", "across", "count"),
    [
        pytest.param(4, 2, 3, id="below the shorter of two stacks"),
        pytest.param(2, 2, 6, id="beside the shorter row"),
    ],
)
def test_the_legend_stands_where_there_is_no_tile(channels, across, count):
    """No line of it lies on a tile, and the captions of a tile are the lowest words of the sheet."""
    sections = [
        Section(tiles(channels), across, INPUT_BLUE),
        Section(tiles(count), count, OUTPUT_TEAL),
    ]
    made = sheet(["x"], sections, "Bars show the ends of the scale and where 0 is, if it is between them.")
    words = [label.text for label in labels(made)]
    legend = labels(made)[next(at for at, word in enumerate(words) if word.startswith("Bars show")) :]
    pictures = [shape for shape in made.drawing.shapes if isinstance(shape, Bitmap) and shape.h == 320]
    assert legend
    for label in legend:
        wide = captions.measured(label.text, label.size)
        for one in pictures:
            beside = label.x >= one.x + one.w or label.x + wide <= one.x
            assert beside or label.y < one.y or label.y - label.size > one.y + 320
    assert max(label.y for label in legend) < max(label.y for label in labels(made) if label not in legend)


def test_the_minimum_and_the_maximum_stand_at_both_sides_of_a_narrow_column():
    """As "-0.71 to 0.68" they are 6.3 times as wide as the type is high: 126 pixels; apart 100."""
    maps = [replace(one, note="-0.71234 to 0.67891", brief="-0.71 to 0.68") for one in tiles(2, side=100)]
    made = sheet(["x"], [Section(maps, None, OUTPUT_TEAL)], look=Look(font_size=20))
    low, high = ([label for label in labels(made) if label.text == text] for text in ("-0.71", "0.68"))
    assert [label.y for label in low] == [label.y for label in high]
    for start, end in zip(low, high, strict=True):
        assert end.anchor == "end"
        assert captions.measured("-0.71", 20) + captions.measured("0.68", 20) < end.x - start.x <= 112


@pytest.mark.parametrize("captions", [True, False])
def test_the_legend_names_captions_where_there_are_some(captions):
    result = convviz.run(np.ones((1, 3, 3)), convviz.Conv2d(1, 1, 3))
    words = " ".join(label.text for label in labels(result.sheet(captions=captions)))
    assert ("captions the minimum" in words) == captions


def test_a_sheet_without_captions_has_its_heading_alone_and_a_title_stands_above_it():
    sections = [Section(tiles(2), None, OUTPUT_TEAL)]
    made = sheet(["Conv2d(1, 2)"], sections, look=Look(title="Edges", captions=False))
    assert [label.text for label in labels(made)] == ["Edges", "Conv2d(1, 2)"]
    assert made.drawing.title == "Edges"


def test_a_size_of_type_that_is_asked_for_is_taken():
    made = sheet(["x"], [Section(tiles(2), None, OUTPUT_TEAL)], look=Look(font_size=40))
    assert {label.size for label in labels(made)} == {40, 50}


def test_the_bar_of_a_tile_stands_between_it_and_its_caption():
    plain, more = tiles(1)[0], replace(tiles(1)[0], bar=BAR)
    without, made = (sheet(["x"], [Section([tile], None, OUTPUT_TEAL)]) for tile in (plain, more))
    text = labels(made)[-1].size
    assert made.height - without.height == text * 2 // 5 + BAR.height(text)
    by_text = {label.text: label.y for label in labels(made)}
    assert 320 < by_text["-0.125"] == by_text["0.5"] < by_text["map 0"]


def test_no_more_channels_than_maps_are_drawn_where_the_strongest_are_chosen():
    """Channel c of six is c or -c everywhere: 4, which is negative, and 5 have the most energy."""
    x = np.stack([np.full((3, 3), index * (-1) ** (index + 1), np.float32) for index in range(6)])
    names = tuple(map(str, range(6)))
    layer = convviz.Conv2d(6, 3, 1)
    for deep in (True, False):
        result = convviz.run(picture.Picture(x, names, activations=deep), layer)
        sheet = result.sheet(chosen=[2, 0])
        assert len(frames(sheet.image(), INPUT_BLUE)) == 2
        words = words_of(sheet)
        assert {"channel 4", "channel 5"} <= set(words)
        assert any("the 2 maps and the 2 channels of most energy" in one for one in words)
        assert not any("dead" in one for one in words)
        assert len(frames(result.sheet().image(), INPUT_BLUE)) == 6
    # R, G and B with their picture remain; so do the channels above partial maps.
    colour = convviz.run(picture.Picture(x[:3], ("R", "G", "B")), convviz.Conv2d(3, 3, 1)).sheet(chosen=[0])
    assert len(frames(colour.image(), INPUT_BLUE)) == 4
    assert len(frames(result.sheet(chosen=[0, 1, 2], parts=result.partial()).image(), INPUT_BLUE)) == 6


@pytest.mark.parametrize("channels", [3, 4, 6])
def test_a_partial_map_stands_below_its_channel(channels):
    """A picture in colour stands before its channels, and the sums below it; others have the sum last."""
    x = np.random.default_rng(1).random((channels, 120, 300), np.float32)
    names = tuple("RGBA"[:channels]) if channels in (3, 4) else tuple(map(str, range(channels)))
    result = convviz.run(picture.Picture(x, names), convviz.Conv2d(channels, 2, 3, padding=1, bias=False))
    sheet = result.sheet(parts=result.partial(), layout="tall")
    lefts = {}
    for one in sheet.drawing.shapes:
        if isinstance(one, Label):
            lefts.setdefault(one.text, one.x)
    for name in names:
        read = f"{name} channel" if name.isalpha() else f"channel {name}"
        # In narrow columns a name is brief.
        assert lefts[f"{name} partial map" if name.isalpha() else f"ch. {name}"] == lefts[read]
    if "R" in names:
        assert lefts["sum = map 0"] == lefts["input"] < lefts["R channel"]


def test_maps_of_one_value_each_are_told_apart_by_their_brightness():
    """0.1, 0.3 and 0.5 become black, the middle and white; each value is written once, without a bar."""
    x = np.float32([0.1, 0.3, 0.5]).reshape(3, 1, 1)
    sheet = convviz.maps(x).sheet()
    image = sheet.image()
    assert [int(inside(image, frame)[2, 2, 0]) for frame in frames(image, OUTPUT_TEAL)] == [0, 128, 255]
    words = words_of(sheet)
    said = [word for word in words if word.startswith("one")]
    assert said == ["one value: 0.1", "one value: 0.3", "one value: 0.5"]
    assert not any("bars" in word for word in words)
    assert not any(tile.bar.drawn for tile in sheet.maps)


def test_a_map_without_a_finite_value_has_no_scale():
    x = np.full((2, 3, 3), np.nan, np.float32)
    x[1] = 100 + np.arange(9).reshape(3, 3)
    words = words_of(convviz.maps(x).sheet())
    assert "no finite value" in words
    assert "1" not in words  # the end of a scale from 0 to 1


def test_partial_maps_of_several_filters_stand_side_by_side():
    """Six filters of five tiles each below each other would be twice as high as wide."""
    x = np.random.default_rng(1).random((3, 300, 300), np.float32)
    result = convviz.run(picture.Picture(x, ("R", "G", "B")), convviz.Conv2d(3, 6, 3))
    sheet = result.sheet(parts=result.partial())
    assert 1 < sheet.width / sheet.height < 2.5
    rows: dict[float, int] = {}
    for label in labels(sheet):
        if label.text.startswith("sum = map"):
            rows[label.y] = rows.get(label.y, 0) + 1
    assert set(rows.values()) == {2}
    assert "The scale of each filter" in " ".join(words_of(sheet))


def test_partial_maps_of_a_deep_layer_leave_out_the_channels_of_other_groups():
    x = np.random.default_rng(1).random((12, 9, 9), np.float32)
    arriving = picture.Picture(x, tuple(map(str, range(12))), activations=True)
    result = convviz.run(arriving, convviz.Conv2d(12, 6, 3, groups=6))
    words = words_of(result.sheet(parts=result.partial()))
    assert not any("not read" in word for word in words)
    parts = [word for word in words if re.fullmatch(r"ch\. \d+", word)]
    assert parts == [f"ch. {index}" for index in range(12)]
    assert [word for word in words if re.fullmatch(r"(sum = )?map \d+", word)] == [
        f"map {index}" for index in range(6)
    ]
    assert words.count("bias") == 6


def legend_of(made, start):
    """The lines of the legend, which are the last words of a sheet."""
    words = [label.text for label in labels(made)]
    return labels(made)[next(at for at, word in enumerate(words) if word.startswith(start)) :]


def test_the_legend_stands_in_the_places_that_a_row_leaves_empty():
    """4 channels in 3 columns leave two places; maps below those of another section leave the one before."""
    note = "Bars show the ends of the scale and where 0 is."
    for sections, where in (
        ([Section(tiles(4), 3, INPUT_BLUE), Section(tiles(3), 3, OUTPUT_TEAL)], "after"),
        ([Section(tiles(3), 3, OUTPUT_TEAL), Section(tiles(2), 3, OUTPUT_TEAL, skipped=1)], "before"),
    ):
        made = sheet(["x"], sections, note, look=Look(layout="tall"))
        rows = sorted({shape.y for shape in made.drawing.shapes if isinstance(shape, Bitmap)})
        row = [shape for shape in made.drawing.shapes if isinstance(shape, Bitmap) and shape.y == rows[1]]
        lines = legend_of(made, "Bars")
        assert min(line.y for line in lines) > rows[1]
        assert max(line.y for line in lines) <= rows[1] + 320
        if where == "after":
            assert min(line.x for line in lines) > row[0].x + 320
        else:
            assert max(line.x + captions.measured(line.text, line.size) for line in lines) < row[0].x


def test_a_page_of_three_maps_has_three_columns():
    """Two rows of channels and one of maps fill a page; in four columns they would fill half of it."""
    sections = [Section(tiles(4), None, INPUT_BLUE), Section(tiles(3), None, OUTPUT_TEAL)]
    assert columns_of(sheet(["x"], sections, look=Look(layout="tall"))) == 3


def test_rows_of_equal_tiles_have_the_same_columns_whatever_their_captions():
    """Three rows of five: one has much shorter captions, and the legend does not stand between them."""

    def row(name):
        return Section(
            [Tile(f"{name}{at}", "8" * len(name), np.zeros((70, 70), np.uint8)) for at in range(5)],
            5,
            INPUT_BLUE,
            title=name,
        )

    long = "a-name-of-many-letters-"
    made = sheet(["heading"], [row(long), row("b"), row(f"{long}c")], "A legend of some words.")
    found = sorted(frames(made.image(), INPUT_BLUE))
    assert len(found) == 15
    assert [left for _, left, _, _ in found[:5]] == [left for _, left, _, _ in found[5:10]]
    legend = next(
        one for one in made.drawing.shapes if isinstance(one, Label) and one.text.startswith("A legend")
    )
    assert legend.y > found[10][0]


@pytest.mark.parametrize(("channels", "rows"), [(8, 1), (9, 2)])
def test_what_a_value_sees_stands_above_many_channels_and_beside_a_few(channels, rows):
    """Of pictures of one width, the two are 320 pixels wide whatever room the channels have."""
    x = np.random.default_rng(1).random((channels, 40, 40), np.float32)
    names = tuple(map(str, range(channels)))
    result = convviz.run(picture.Picture(x, names, activations=True), convviz.Conv2d(channels, 40, 3))
    sheet = result.sheet(seen=result.seen(HW(4, 4)), columns=20, chosen=range(40))
    at = {label.text: label.y for label in labels(sheet)}
    assert (at["where it looks"] < at["channel 0"]) == (rows == 2)
    assert at["where it looks"] == at["what it sees"]
    if rows == 2:
        above = frames(sheet.image(), INPUT_BLUE)[:2]
        assert [one[3] for one in above] == [320, 318]  # 8 pixels per pixel; of 3x3 pixels, 106 each


def test_a_caption_stands_near_its_picture_beside_a_much_higher_one():
    """One picture is 300 pixels high, one 20; of nearly the same height they would have one line."""
    for low, apart in ((20, True), (290, False)):
        both = [Tile(name, "0", np.zeros((high, 300), np.uint8)) for name, high in (("a", 300), ("b", low))]
        made = sheet(["heading"], [Section(both, 2, INPUT_BLUE)])
        at = {label.text: label.y for label in labels(made)}
        frame = max(frames(made.image(), INPUT_BLUE), key=lambda one: one[1])
        assert (at["b"] < at["a"]) == apart
        assert at["b"] - (frame[0] + frame[2]) < 60


def test_sections_of_similar_columns_have_the_same_ones_below_a_wider_section():
    """Columns of 320, 100 and 90 pixels: the last two stand below each other."""

    def row(side, count):
        plain = [Tile("x", "0", np.zeros((side, side), np.uint8)) for _ in range(count)]
        return Section(plain, count, INPUT_BLUE)

    made = sheet(["heading"], [row(320, 2), row(100, 6), row(90, 6)])
    found = sorted(frames(made.image(), INPUT_BLUE))
    assert [left for _, left, _, _ in found[2:8]] == [left for _, left, _, _ in found[8:]]


def test_a_section_is_not_folded_where_others_are_as_wide():
    """In one stack or in several, four pictures of the input stand in one row above rows of eight."""

    def row(count, columns, colour):
        plain = [Tile("map 0", "0 to 1", np.zeros((64, 64), np.uint8)) for _ in range(count)]
        return Section(plain, columns, colour)

    for rows in (2, 6, 12):
        made = sheet(["heading"], [row(4, None, INPUT_BLUE), *(row(8, 8, OUTPUT_TEAL) for _ in range(rows))])
        assert len({top for top, *_ in frames(made.image(), INPUT_BLUE)}) == 1
