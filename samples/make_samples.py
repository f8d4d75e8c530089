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
from harbour import harbour
from PIL import Image, ImageDraw, ImageFont


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
    """Write a few lines in Pillow's own typeface.

    FreeType before 2.14 hints the dots of i and j otherwise below 25 pixels: the smaller lines have neither.
    """
    image = Image.new("L", (320, 120), 244)
    draw = ImageDraw.Draw(image)
    lines = ("Three channels, one filter:", "three 2-D kernels, one map.", "64 maps need 192 kernels.")
    for index, (line, size) in enumerate(zip(lines, (26, 22, 17), strict=True)):
        draw.text((10, 10 + 36 * index), line, fill=24, font=ImageFont.load_default(size))
    return image


def checkerboard(side: int = 64, square: int = 8) -> Image.Image:
    """Draw squares of black and white, black at the top left."""
    y, x = np.mgrid[:side, :side] // square
    return Image.fromarray(((x + y) % 2 * 255).astype(np.uint8))


def digit(side: int = 28) -> Image.Image:
    """Write a seven with a round pen, light on dark: each pixel by its distance from the strokes."""
    strokes = ((6.8, 7.8, 12, 6.8), (12, 6.8, 20.6, 7), (20.6, 7, 17.6, 12), (17.6, 12, 14.4, 17.6))
    strokes = (*strokes, (14.4, 17.6, 12.8, 22.4), (11.2, 14.6, 18.4, 14))
    y, x = np.mgrid[:side, :side] + 0.5
    away = np.full((side, side), np.inf)
    for x0, y0, x1, y1 in strokes:
        dx, dy = x1 - x0, y1 - y0
        along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
        away = np.minimum(away, np.sqrt((x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2))
    return Image.fromarray((255 * np.clip(1.7 - away, 0, 1)).round().astype(np.uint8))


def deep_ramp(h: int = 64, w: int = 256) -> Image.Image:
    """Rise from 0 to 65535 by 4 a pixel, row after row: 64 neighbours share their high byte."""
    last = h * w - 1
    levels = (np.arange(h * w) * 65535 + last // 2) // last
    return Image.fromarray(levels.reshape(h, w).astype(np.uint16))


PALETTE = (
    (22, 34, 74),
    (36, 96, 160),
    (70, 176, 190),
    (244, 236, 214),
    (250, 196, 60),
    (236, 120, 48),
    (206, 40, 50),
    (96, 28, 70),
)


def stripes(frame: int, side: int = 64) -> Image.Image:
    """Draw slanted stripes in the eight colours of a palette, one colour farther on in each frame."""
    y, x = np.mgrid[:side, :side]
    image = Image.fromarray((((x + y) // 8 + frame) % len(PALETTE)).astype(np.uint8)).convert("P")
    image.putpalette([level for colour in PALETTE for level in colour])
    return image


def portrait(height: int = 240, width: int = 192) -> Image.Image:
    """Draw a head before a wall, four times as large and averaged, each part as layers of ellipses."""
    canvas = Image.new("RGB", (4 * width, 4 * height))
    draw = ImageDraw.Draw(canvas)

    def blob(x: int, y: int, size: tuple[int, int], dark: tuple[int, int, int], light: tuple[int, int, int]):
        """Draw an ellipse that is lit from the top left, in 24 steps from dark to light."""
        (w, h), steps = size, 24
        for step in range(steps):
            w_of, h_of = w * (steps - step) // steps, h * (steps - step) // steps
            left, top = x - w_of - 4 * w * step // (10 * steps), y - h_of - 4 * h * step // (10 * steps)
            fill = tuple(a + (b - a) * step // steps for a, b in zip(dark, light, strict=True))
            draw.ellipse((left, top, left + 2 * w_of, top + 2 * h_of), fill=fill)

    for row in range(4 * height):
        shade = 60 * row // (4 * height)
        draw.line((0, row, 4 * width, row), fill=(110 - shade, 140 - shade, 150 - shade))
    blob(384, 1000, (330, 260), (40, 50, 90), (90, 110, 170))  # shoulders
    blob(384, 420, (250, 330), (40, 24, 16), (110, 70, 44))  # hair
    blob(384, 720, (80, 150), (150, 96, 72), (200, 140, 110))  # neck
    blob(384, 460, (195, 265), (168, 106, 80), (246, 206, 176))  # face
    for x in (305, 463):
        blob(x, 420, (42, 22), (225, 220, 215), (250, 250, 250))
        blob(x, 420, (19, 19), (24, 40, 52), (80, 120, 140))
        draw.arc((x - 60, 340, x + 60, 420), 200, 340, fill=(60, 36, 24), width=12)
    draw.line((384, 440, 366, 540, 396, 548), fill=(150, 92, 70), width=9, joint="curve")
    draw.arc((304, 540, 464, 640), 20, 160, fill=(150, 50, 50), width=18)
    return canvas.reduce(4)


def night(side: int = 240) -> Image.Image:
    """Draw a street at night: most of it nearly black, some windows, lamps and a moon, and noise."""
    canvas = Image.new("RGB", (side, side), (6, 8, 16))
    draw = ImageDraw.Draw(canvas)
    chance = np.random.RandomState(0)
    draw.ellipse((188, 18, 212, 42), fill=(235, 235, 220))
    for left in range(0, side, 40):
        top = int(chance.randint(60, 110))
        draw.rectangle((left, top, left + 37, 190), fill=(12, 12, 18))
        for x in range(left + 6, left + 34, 10):
            for y in range(top + 8, 180, 16):
                if chance.randint(4) == 0:
                    draw.rectangle((x, y, x + 4, y + 8), fill=(250, 200, 90))
    for x in (60, 180):
        for radius in range(28, 0, -2):
            glow = (28 - radius) * 9
            draw.ellipse(
                (x - radius, 170 - radius, x + radius, 170 + radius), fill=(glow, glow * 7 // 8, glow // 2)
            )
        draw.line((x, 172, x, 220), fill=(30, 30, 30), width=2)
    noise = chance.randint(-5, 6, (side, side, 3))
    return Image.fromarray((np.asarray(canvas, int) + noise).clip(0, 255).astype(np.uint8))


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
        "ramp-16bit.png": deep_ramp(),
        "portrait.png": portrait(),
        "night.png": night(),
    }
    for name, picture in pictures.items():
        picture.save(folder / name, optimize=True)
    view = scene.crop((352, 100, 512, 220))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be shown turned by a quarter clockwise
    view.transpose(Image.Transpose.ROTATE_90).save(folder / "rotated.jpg", quality=90, exif=exif)
    view.crop((40, 0, 136, 96)).convert("CMYK").save(folder / "cmyk.jpg", quality=90)
    stripes(0).save(folder / "palette.gif", save_all=True, append_images=[stripes(1)], duration=500, loop=0)
    channels = ",\n\n".join(
        " [" + ",\n  ".join(json.dumps(row) for row in channel) + "]" for channel in CLASSIC
    )
    (folder / "classic.json").write_text(f"[\n{channels}\n]\n", encoding="utf-8")
    rows = "\n".join(",".join(map(str, row)) for row in GRAY)
    (folder / "gray-5x5.csv").write_text(f"{rows}\n", encoding="utf-8")
    # A single 1 among zeros, which shows a kernel in its map.
    rows = "\n".join(",".join("1" if (y, x) == (2, 2) else "0" for x in range(5)) for y in range(5))
    (folder / "impulse.csv").write_text(f"{rows}\n", encoding="utf-8")
    # One value of a thousand times the others.
    wide = [[9000 if (y, x) == (20, 20) else (y // 3 + x // 2) % 9 + 1 for x in range(64)] for y in range(64)]
    rows = "\n".join(",".join(map(str, row)) for row in wide)
    (folder / "outlier.csv").write_text(f"{rows}\n", encoding="utf-8")
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix != ".py":
            print(f"{path.name:22}{path.stat().st_size:>9,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
