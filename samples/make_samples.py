"""Make the samples: pictures and numbers to try convviz on.

python samples/make_samples.py          writes beside this script
python samples/make_samples.py FOLDER   writes there

Everything is drawn here, from seeded generators: nothing comes from a camera or from
elsewhere, and the samples are free to use.
"""

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Plane = NDArray[np.float64]

SIDE = 1024  # the scene is drawn at twice its size, then averaged down
HORIZON = 610  # where the water begins


def noise(rng: np.random.Generator, h: int, w: int, cells_h: int, cells_w: int, octaves: int = 5) -> Plane:
    """Make fractal value noise from 0 to 1: each octave has twice the cells and half the height."""
    total, weight = np.zeros((h, w)), 0.0
    for octave in range(octaves):
        grid = rng.random((cells_h * 2**octave + 1, cells_w * 2**octave + 1)).astype(np.float32)
        layer = Image.fromarray(grid).resize((w, h), Image.Resampling.BICUBIC)
        total += np.asarray(layer, np.float64) / 2**octave
        weight += 1 / 2**octave
    return np.clip(total / weight, 0, 1)


def blend(under: Plane, over: tuple[int, int, int] | Plane, cover: Plane) -> Plane:
    """Lay a colour or a picture over another, as far as `cover` (H, W) says."""
    return under + (np.asarray(over, float) - under) * cover[:, :, None]


def sky(rng: np.random.Generator) -> Plane:
    """Draw a late afternoon: blue above, warm at the horizon, clouds lit from the right."""
    y = np.linspace(0, 1, SIDE)[:, None, None] * SIDE / HORIZON
    stops = [(0.0, (46, 98, 168)), (0.45, (128, 174, 214)), (0.8, (244, 206, 160)), (1.0, (250, 176, 112))]
    at = [stop for stop, _ in stops]
    channels = [np.interp(y[:, 0, 0], at, [colour[c] for _, colour in stops]) for c in range(3)]
    picture = np.repeat(np.stack(channels, -1)[:, None], SIDE, axis=1)
    x = np.arange(SIDE)[None, :]
    rows = np.arange(SIDE)[:, None]
    sun = np.exp(-(np.hypot((x - 700) / 190, (rows - 500) / 150) ** 2))
    picture = blend(picture, (255, 236, 190), 0.85 * sun)
    wide = noise(rng, SIDE, SIDE + 16, 9, 4, 7)
    cloud, lit = wide[:, :SIDE], wide[:, 16:]
    cover = np.clip((cloud - 0.47) * 6, 0, 0.92) * np.clip(1.3 - rows / HORIZON, 0, 1)
    shade = np.clip(0.90 + 1.5 * (cloud - lit), 0.72, 1.0)[:, :, None]
    return blend(picture, shade * np.array((255, 244, 232.0)), cover)


def hills(picture: Plane, rng: np.random.Generator) -> Plane:
    """Draw two ridges, the farther one paler."""
    rows = np.arange(SIDE)[:, None]
    ridges = ((0.30, 150, 430, (150, 160, 186)), (0.55, 190, 470, (98, 120, 116)))
    for grain, height, top, colour in ridges:
        ridge = top + height * (noise(rng, 1, SIDE, 1, 3, 6)[0] - 0.35)
        wood = noise(rng, SIDE, SIDE, 60, 60, 3)
        tint = np.asarray(colour) + (wood[:, :, None] - 0.5) * 120 * grain
        picture = blend(picture, tint, np.clip((rows - ridge[None, :]) / 2, 0, 1))
    return picture


def brick(w: int, h: int, colour: tuple[int, int, int], rng: np.random.Generator) -> Plane:
    """Lay courses of bricks, each of its own shade, with light joints."""
    rows, columns = np.arange(h)[:, None], np.arange(w)[None, :]
    course = rows // 9
    shifted = columns + 10 * (course % 2)
    shade = rng.uniform(0.78, 1.12, (h // 9 + 2, w // 20 + 3))[course, shifted // 20]
    wall = shade[:, :, None] * np.asarray(colour, float)
    joint = (rows % 9 < 2) | (shifted % 20 < 2)
    return np.where(joint[:, :, None], np.asarray(colour) * 0.55 + 85, wall)


def plaster(w: int, h: int, colour: tuple[int, int, int], rng: np.random.Generator) -> Plane:
    """Paint a wall with stains that run down."""
    stain = noise(rng, h, w, 3, 9, 4) * 0.5 + noise(rng, h, w, 18, 18, 3) * 0.5
    return np.asarray(colour) * (0.82 + 0.36 * stain[:, :, None])


HOUSES = (
    # left, width, top, colour, of brick, roof
    (14, 92, 372, (196, 62, 48), True, (92, 60, 58)),
    (106, 78, 402, (238, 190, 66), False, (138, 66, 50)),
    (184, 104, 350, (58, 122, 150), False, (70, 74, 86)),
    (288, 82, 392, (232, 226, 208), False, (160, 78, 54)),
    (370, 96, 364, (150, 70, 62), True, (60, 66, 78)),
    (466, 76, 410, (96, 158, 92), False, (146, 72, 52)),
    (542, 90, 380, (236, 130, 92), False, (84, 62, 60)),
)


def houses(picture: Plane, rng: np.random.Generator) -> Plane:
    """Build a row of houses on the quay, gables to the water."""
    quay = HORIZON - 34
    for left, width, top, colour, of_brick, roof in HOUSES:
        height = quay - top
        wall = (brick if of_brick else plaster)(width, height, colour, rng)
        light = np.linspace(0.72, 1.12, width)[None, :, None]  # the sun stands to the right
        picture[top:quay, left : left + width] = np.clip(wall * light, 0, 255)
        layer = Image.fromarray(picture.astype(np.uint8))
        draw = ImageDraw.Draw(layer)
        peak = top - width * 0.52
        draw.polygon([(left - 5, top), (left + width / 2, peak), (left + width + 5, top)], fill=roof)
        for step in range(1, 9):  # tiles
            y = top - (top - peak) * step / 9
            reach = (width / 2 + 5) * (1 - step / 9)
            middle = left + width / 2
            draw.line(
                [(middle - reach, y), (middle + reach, y)], fill=tuple(int(c * 0.75) for c in roof), width=2
            )
        draw.rectangle(
            (left + width * 0.70, peak + 4, left + width * 0.70 + 13, peak + 42), fill=(120, 62, 50)
        )
        draw.rectangle((left, top, left + width, top + 4), fill=(242, 236, 224))
        columns = 3 if width > 88 else 2
        for row in range(4):
            for column in range(columns):
                wide = width / (columns * 1.75)
                x = left + (column + 0.5) * width / columns - wide / 2
                y = top + 16 + row * 47
                if row == 3 and column == columns // 2:
                    draw.rectangle((x - 2, y, x + wide + 2, quay), fill=(74, 48, 36))
                    draw.ellipse((x + wide - 5, y + 24, x + wide - 2, y + 27), fill=(230, 196, 90))
                    continue
                glass = (255, 214, 120) if rng.random() < 0.25 else (52, 70, 92)
                draw.rectangle((x - 3, y - 3, x + wide + 3, y + 30), fill=(244, 240, 230))
                draw.rectangle((x, y, x + wide, y + 27), fill=glass)
                draw.line([(x, y + 27), (x + wide, y)], fill=tuple(min(255, c + 46) for c in glass), width=3)
                draw.line([(x + wide / 2, y), (x + wide / 2, y + 27)], fill=(244, 240, 230), width=3)
                draw.line([(x, y + 13), (x + wide, y + 13)], fill=(244, 240, 230), width=3)
        picture = np.asarray(layer, float).copy()
    stone = brick(SIDE, HORIZON - quay, (136, 128, 118), rng)
    stone *= (0.72 + 0.5 * noise(rng, HORIZON - quay, SIDE, 2, 40, 4))[:, :, None]
    picture[quay:HORIZON, :650] = np.clip(stone[:, :650], 0, 255)
    layer = Image.fromarray(picture.astype(np.uint8))
    draw = ImageDraw.Draw(layer)
    for index, x in enumerate(range(196, 288, 12)):  # an awning
        draw.polygon(
            [(x, quay - 62), (x + 12, quay - 62), (x + 8, quay - 40), (x - 4, quay - 40)],
            fill=((214, 44, 50), (248, 244, 236))[index % 2],
        )
    return np.asarray(layer, float).copy()


def lighthouse(picture: Plane, rng: np.random.Generator) -> Plane:
    """Build a lighthouse with red and white bands on a rock."""
    rows, columns = np.arange(SIDE)[:, None], np.arange(SIDE)[None, :]
    rock = 566 - 34 * noise(rng, 1, SIDE, 1, 9, 5)[0] + ((np.arange(SIDE) - 860) / 135.0) ** 4 * 70
    grain = noise(rng, SIDE, SIDE, 60, 90, 4)
    cover = np.clip((rows - rock[None, :]) / 2, 0, 1) * (rows < HORIZON)
    picture = blend(picture, np.array((112, 100, 90.0)) * (0.45 + 1.1 * grain[:, :, None]), cover)
    middle, top, bottom = 862, 262, 560
    half = 25 + 17 * (rows - top) / (bottom - top)
    across = (columns - middle) / half
    inside = np.clip((1 - np.abs(across)) * half, 0, 1) * ((rows >= top) & (rows < bottom))
    band = ((rows - top) // 50) % 2 == 0
    colour = np.where(band[:, :, None], (206.0, 42.0, 44.0), (244.0, 240.0, 230.0))
    round_light = np.clip(0.96 - 0.42 * (across - 0.35) ** 2 - 0.12 * (across < -0.4), 0.2, 1.0)
    picture = blend(picture, colour * round_light[:, :, None], inside)
    layer = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(layer)
    draw.rectangle((middle - 36, top - 8, middle + 36, top), fill=(44, 46, 54))
    draw.rectangle((middle - 19, top - 44, middle + 19, top - 8), fill=(255, 232, 150))
    for x in range(middle - 19, middle + 20, 9):
        draw.line([(x, top - 44), (x, top - 8)], fill=(44, 46, 54), width=2)
    for x in range(middle - 36, middle + 37, 9):
        draw.line([(x, top - 22), (x, top - 8)], fill=(44, 46, 54), width=2)
    draw.line([(middle - 36, top - 22), (middle + 36, top - 22)], fill=(44, 46, 54), width=2)
    draw.pieslice((middle - 23, top - 68, middle + 23, top - 20), 180, 360, fill=(196, 40, 42))
    draw.line([(middle, top - 92), (middle, top - 66)], fill=(44, 46, 54), width=3)
    for y in (312, 412, 512):
        draw.rectangle((middle - 5, y, middle + 5, y + 18), fill=(40, 46, 60))
    return np.asarray(layer, float).copy()


def water(picture: Plane, rng: np.random.Generator) -> Plane:
    """Mirror what stands above in moving water."""
    depth = SIDE - HORIZON
    rows = np.arange(depth)[:, None]
    near = rows / depth
    waves = noise(rng, depth, SIDE, 44, 5, 3) - 0.5
    ripples = noise(rng, depth, SIDE, 100, 22, 2) - 0.5
    shift = (waves * (10 + 70 * near) + ripples * (6 + 30 * near)).round().astype(int)
    columns = np.clip(np.arange(SIDE)[None, :] + shift, 0, SIDE - 1)
    source = np.clip(HORIZON - 1 - (rows * 1.12 + 14 * waves).round().astype(int), 0, HORIZON - 1)
    mirrored = picture[source, columns]
    tint = np.array((20.0, 62.0, 92.0))
    strength = np.clip(0.34 + 0.30 * near + 0.45 * ripples, 0.1, 0.85)
    surface = blend(mirrored * 0.9, tint, strength)
    path = np.exp(-(((np.arange(SIDE)[None, :] - 700) / (50 + 190 * near)) ** 2))
    glint = np.clip((ripples + 0.6 * waves - 0.10) * 7, 0, 1) * (0.18 + 0.75 * path)
    picture[HORIZON:] = blend(surface, (255, 228, 176), glint)
    return picture


def boat(
    picture: Plane, x: int, y: int, size: float, hull: tuple[int, int, int], rng: np.random.Generator
) -> Plane:
    """Moor a boat with mast and rigging, and mirror it."""
    layer = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)

    def at(dx: float, dy: float) -> tuple[float, float]:
        return x + dx * size, y + dy * size

    draw.polygon([at(-92, -26), at(104, -34), at(78, 4), at(-72, 4)], fill=(*hull, 255))
    draw.polygon([at(-90, -26), at(104, -34), at(101, -28), at(-88, -20)], fill=(250, 246, 236, 255))
    draw.polygon([at(-77, -4), at(83, -4), at(78, 4), at(-72, 4)], fill=(120, 34, 34, 255))
    draw.polygon([at(-46, -26), at(-40, -54), at(18, -54), at(24, -29)], fill=(238, 230, 212, 255))
    for window in (-32, -12, 6):
        draw.rectangle((*at(window, -48), *at(window + 11, -38)), fill=(46, 62, 84, 255))
    wood, rope = (116, 78, 46, 255), (58, 48, 44, 255)
    draw.line([at(34, -30), at(34, -292)], fill=wood, width=max(3, round(6 * size)))
    draw.line([at(34, -74), at(-78, -66)], fill=wood, width=max(2, round(5 * size)))
    draw.polygon([at(29, -80), at(29, -270), at(-70, -74)], fill=(248, 240, 222, 255))
    for seam in range(1, 6):
        draw.line(
            [at(29, -80 - seam * 32), at(-70 + seam * 16.5, -74 - seam * 5)],
            fill=(206, 192, 166, 255),
            width=2,
        )
    for foot in (104, -92, 62, 78):
        draw.line([at(34, -288), at(foot, -30)], fill=rope, width=2)
    for rung in range(1, 9):
        draw.line(
            [at(62 - rung * 3.1, -30 - rung * 28), at(78 - rung * 4.9, -30 - rung * 28)], fill=rope, width=2
        )
    draw.polygon([at(34, -292), at(66, -282), at(34, -272)], fill=(214, 40, 46, 255))
    pixels = np.asarray(layer, float)
    rows = np.arange(SIDE)[:, None]
    wobble = (noise(rng, SIDE, SIDE, 100, 6, 2) - 0.5) * 46
    mirrored_rows = np.clip(2 * y - rows, 0, SIDE - 1)
    columns = np.clip(np.arange(SIDE)[None, :] + wobble.astype(int), 0, SIDE - 1)
    mirrored = pixels[mirrored_rows, columns]
    fade = np.clip(0.62 - (rows - y) / (420 * size), 0, 1) * (rows > y)
    picture = blend(picture, mirrored[:, :, :3] * 0.62, mirrored[:, :, 3] / 255 * fade)
    shade = np.linspace(0.8, 1.08, SIDE)[None, :, None]
    return blend(picture, np.clip(pixels[:, :, :3] * shade, 0, 255), pixels[:, :, 3] / 255)


def pier(picture: Plane, rng: np.random.Generator) -> Plane:
    """Lay planks towards the viewer, with their grain."""
    rows, columns = np.arange(SIDE)[:, None], np.arange(SIDE)[None, :]
    far, low = 846, SIDE
    depth = np.clip((rows - far) / (low - far), 0, 1)
    right = 250 + 150 * depth
    cover = np.clip(right - columns, 0, 1) * (rows >= far)
    plank = np.floor(7.5 * depth**0.72).astype(int)
    grain = noise(rng, SIDE, SIDE, 130, 4, 4)
    shade = rng.uniform(0.8, 1.12, 16)[plank] * (0.66 + 0.6 * grain)
    gap = (7.5 * depth**0.72) % 1 < 0.09
    colour = np.array((158, 116, 78.0)) * np.where(gap, 0.32, shade)[:, :, None]
    picture = blend(picture, colour, cover)
    layer = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(layer)
    for x, y, thick in ((236, 900, 26), (318, 996, 34)):
        draw.rectangle((x, y - 96, x + thick, y + 30), fill=(92, 66, 46))
        draw.rectangle((x, y - 96, x + thick // 3, y + 30), fill=(66, 48, 36))
        draw.ellipse((x, y - 104, x + thick, y - 88), fill=(150, 116, 84))
        for turn in range(3):
            draw.line(
                [(x - 2, y - 58 + turn * 9), (x + thick + 2, y - 52 + turn * 9)],
                fill=(226, 206, 160),
                width=5,
            )
    return np.asarray(layer, float)


def harbour() -> Image.Image:
    """Render a harbour: sky, hills, houses, a lighthouse, water, boats and a pier; 512x512."""
    rng = np.random.default_rng(7)
    picture = lighthouse(houses(hills(sky(rng), rng), rng), rng)
    picture = water(picture, rng)
    picture = boat(picture, 470, 716, 0.72, (34, 70, 130), rng)
    picture = boat(picture, 716, 850, 1.12, (40, 112, 86), rng)
    picture = np.clip(pier(picture, rng), 0, 255)
    fine = picture.reshape(SIDE // 2, 2, SIDE // 2, 2, 3).mean(axis=(1, 3))
    return Image.fromarray(fine.round().astype(np.uint8))


def zone_plate(side: int = 256) -> Image.Image:
    """Draw ``cos(pi r**2 / side)``: at a distance r from the middle it has r / side cycles per pixel.

    At the edges that is one half, the Nyquist limit.
    """
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return Image.fromarray((127.5 + 127.5 * np.cos(np.pi * (x * x + y * y) / side)).round().astype(np.uint8))


def resolution_chart(side: int = 256) -> Image.Image:
    """Draw line pairs of 1 to 6 pixels in three directions, a star, a slanted edge and a wedge of steps."""
    chart = np.full((side, side), 255, np.uint8)
    y, x = np.mgrid[:side, :side]
    left = 8
    for width in (1, 2, 3, 4, 6):
        reach = 6 * width
        chart[8:48, left : left + reach] = np.where(x[8:48, :reach] // width % 2, 255, 0)
        chart[56 : 56 + reach, left : left + 36] = np.where(y[:reach, :36] // width % 2, 255, 0)
        diagonal = (x + y)[104:144, :36] // (2 * width) % 2
        chart[104:144, left : left + 36] = np.where(diagonal, 255, 0)
        left += max(reach, 36) + 10
    fine_y, fine_x = (np.mgrid[: side * 8, : side * 8] + 0.5) / 8  # 64 places in each pixel
    spoke = np.sin(24 * np.arctan2(fine_y - 200, fine_x - 60) + 0.1) > 0  # turned: no place lies on an edge
    inked = spoke & (np.hypot(fine_y - 200, fine_x - 60) < 46)
    star = 255 * (1 - inked.reshape(side, 8, side, 8).mean(axis=(1, 3)))
    chart = np.minimum(chart, star.round().astype(np.uint8))
    edge = np.clip((x - 132) - (y - 200) * np.tan(np.radians(5)) + 0.5, 0, 1)
    chart[156:244, 116:168] = (255 * edge[156:244, 116:168]).round().astype(np.uint8)
    chart[156:244, 178:248] = ((x[156:244, 178:248] - 178) // 10 * 255 // 6).astype(np.uint8)
    return Image.fromarray(chart)


def text() -> Image.Image:
    """Write a few lines in Pillow's own typeface."""
    image = Image.new("L", (320, 120), 244)
    draw = ImageDraw.Draw(image)
    lines = ("Three planes, one filter:", "three 2-D kernels, one map.", "64 filters: 192 kernels, 64 maps.")
    for index, (line, size) in enumerate(zip(lines, (26, 22, 17), strict=True)):
        draw.text((10, 10 + 36 * index), line, fill=24, font=ImageFont.load_default(size))
    return image


def checkerboard(side: int = 64, square: int = 8) -> Image.Image:
    """Draw squares of black and white, black at the top left."""
    y, x = np.mgrid[:side, :side] // square
    return Image.fromarray(((x + y) % 2 * 255).astype(np.uint8))


def digit() -> Image.Image:
    """Write a seven with a soft pen, light on dark, 28x28."""
    large = Image.new("L", (280, 280), 0)
    draw = ImageDraw.Draw(large)
    strokes = (
        [(68, 78), (120, 68), (206, 70)],
        [(206, 70), (176, 120), (144, 176), (128, 224)],
        [(112, 146), (184, 140)],
    )
    for stroke in strokes:
        draw.line(stroke, fill=255, width=24, joint="curve")
        for px, py in stroke:
            draw.ellipse((px - 12, py - 12, px + 12, py + 12), fill=255)
    return large.resize((28, 28), Image.Resampling.BOX)


CLASSIC = [[[1, 1, 1]] * 3, [[0, 1, 0]] * 3, [[1, 0, 1]] * 3]
GRAY = [[1, 2, 3, 2, 1], [2, 4, 6, 4, 2], [3, 6, 9, 6, 3], [2, 4, 6, 4, 2], [1, 2, 3, 2, 1]]


def main(folder: Path) -> None:
    """Write all samples into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = harbour()
    pictures = {
        "harbour.png": scene,
        "zone-plate.png": zone_plate(),
        "resolution-chart.png": resolution_chart(),
        "text.png": text(),
        "checkerboard.png": checkerboard(),
        "digit.png": digit(),
        "pixel.png": Image.new("RGB", (1, 1), (230, 120, 40)),
        "ramp-16bit.png": Image.fromarray(np.tile(np.arange(256, dtype=np.uint16) * 257, (64, 1))),
    }
    for name, picture in pictures.items():
        picture.save(folder / name, optimize=True)
    view = scene.crop((352, 100, 512, 220))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be shown turned by a quarter clockwise
    view.transpose(Image.Transpose.ROTATE_90).save(folder / "rotated.jpg", quality=90, exif=exif)
    view.crop((40, 0, 136, 96)).convert("CMYK").save(folder / "cmyk.jpg", quality=90)
    frames = [scene.crop((x, 200, x + 64, 264)).quantize(32) for x in (40, 60)]
    frames[0].save(folder / "palette.gif", save_all=True, append_images=frames[1:], duration=500, loop=0)
    planes = ",\n\n".join(" [" + ",\n  ".join(json.dumps(row) for row in plane) + "]" for plane in CLASSIC)
    (folder / "classic.json").write_text(f"[\n{planes}\n]\n", encoding="utf-8")
    rows = "\n".join(",".join(map(str, row)) for row in GRAY)
    (folder / "gray-5x5.csv").write_text(f"{rows}\n", encoding="utf-8")
    for path in sorted(folder.iterdir()):
        if path.suffix != ".py":
            print(f"{path.name:22}{path.stat().st_size:>9,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
