"""Render the harbour, the scene of the samples: sky, hills, houses, a lighthouse, water, boats and a pier.

The scene is measured in pixels of the finished picture, x to the right and y down, and is
computed at `FINE` times that size. Its shapes, textures and waves need only sums, products,
quotients and roots, which IEEE 754 rounds alike on every machine; sines only place points on
circles.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]
Colour = tuple[int, int, int]
Shade = Callable[
    [Plane, Plane], Plane
]  # rows (H, 1) and columns (1, W), in scene pixels, to colours (H, W, 3)
Waves = tuple[Plane, Plane, Plane, Plane]  # y, x, swell and chop, as `swell` gives them
Outline = Sequence[tuple[float, float]]

SIDE = 512
FINE = 3
HORIZON = 305  # where the water begins
QUAY = 288  # where the houses stand
SUN = (357, 252)
WHITE = (248, 242, 230)


def smooth(x: Plane, low: float, high: float) -> Plane:
    """Rise from 0 at `low` to 1 at `high` without a kink."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def hump(x: Plane) -> Plane:
    """Fall from 1 at 0 like a bell: ``1 / (1 + x**2)**2``."""
    return 1 / (1 + x * x) ** 2


def noise(seed: int, y: Plane, x: Plane, octaves: int = 4) -> Plane:
    """Sum octaves of smooth random values at places measured in cells; about 0 to 1, 0.5 on average."""
    table = np.random.default_rng(seed).random((128, 128), np.float32)
    total, weight = np.float32(0), 0.0
    for octave in range(octaves):
        row, column = y * 2**octave + 17 * octave, x * 2**octave + 31 * octave
        top, left = np.floor(row), np.floor(column)
        v, u = smooth(row - top, 0, 1), smooth(column - left, 0, 1)
        i, j = top.astype(int), left.astype(int)
        i0, i1, j0, j1 = i % 128, (i + 1) % 128, j % 128, (j + 1) % 128
        upper = table[i0, j0] + (table[i0, j1] - table[i0, j0]) * u
        lower = table[i1, j0] + (table[i1, j1] - table[i1, j0]) * u
        total = total + (upper + (lower - upper) * v) / 2**octave
        weight += 1 / 2**octave
    return total / weight


def blend(under: Plane, over: Colour | Plane, cover: Plane | float) -> Plane:
    """Lay a colour or a picture over another, as far as `cover` (H, W) says."""
    return under + (np.asarray(over, np.float32) - under) * np.asarray(cover, np.float32)[..., None]


def tinted(colour: Colour, light: Plane) -> Plane:
    """Light a surface of one colour: (H, W) to (H, W, 3)."""
    return np.asarray(colour, np.float32) * light[..., None]


def toned(colour: Colour, light: float) -> Colour:
    """Light one colour."""
    red, green, blue = (min(255, int(c * light)) for c in colour)
    return red, green, blue


def paint(picture: Plane, outline: Outline, shade: Colour | Shade, alpha: float = 1) -> None:
    """Fill an outline in place; a picture of four channels gets its cover in the last.

    A point is inside if a line from it to the right crosses the outline an odd number of times.
    """
    height, width, channels = picture.shape
    xs, ys = zip(*outline, strict=True)
    left, right = max(0, int(min(xs) * FINE)), min(width, int(max(xs) * FINE) + 1)
    top, bottom = max(0, int(min(ys) * FINE)), min(height, int(max(ys) * FINE) + 1)
    if left >= right or top >= bottom:
        return
    y = ((np.arange(top, bottom) + 0.5) / FINE)[:, None]
    x = ((np.arange(left, right) + 0.5) / FINE)[None, :]
    inside = np.zeros((bottom - top, right - left), bool)
    for (x0, y0), (x1, y1) in zip(outline, [*outline[1:], outline[0]], strict=True):
        if y0 != y1:
            inside ^= ((y0 <= y) != (y1 <= y)) & (x < x0 + (x1 - x0) * (y - y0) / (y1 - y0))
    colour = shade(y.astype(np.float32), x.astype(np.float32)) if callable(shade) else np.float32(shade)
    part = picture[top:bottom, left:right]
    cover = (inside * np.float32(alpha))[..., None]
    part[..., :3] += (colour - part[..., :3]) * cover
    if channels == 4:
        part[..., 3:] += (1 - part[..., 3:]) * cover


def box(left: float, top: float, right: float, bottom: float) -> Outline:
    """Outline a rectangle."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def oval(x: float, y: float, across: float, down: float, points: int = 28) -> Outline:
    """Outline an ellipse by its middle and its half axes."""
    turns = np.arange(points) * 2 * np.pi / points
    return [(x + across * float(np.cos(a)), y + down * float(np.sin(a))) for a in turns]


def curve(start: tuple[float, float], pull: tuple[float, float], end: tuple[float, float]) -> Outline:
    """Run from start to end, bent towards `pull`: a quadratic Bezier curve."""
    steps = [step / 12 for step in range(13)]
    return [
        tuple(
            a * (1 - t) ** 2 + 2 * b * t * (1 - t) + c * t * t
            for a, b, c in zip(start, pull, end, strict=True)
        )
        for t in steps
    ]


def line(picture: Plane, points: Outline, width: float, colour: Colour | Shade, alpha: float = 1) -> None:
    """Draw straight strokes of one width through the points."""
    for (x0, y0), (x1, y1) in pairwise(points):
        length = float(np.sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2))
        dx, dy = (y1 - y0) / length * width / 2, (x0 - x1) / length * width / 2
        corners = [(x0 + dx, y0 + dy), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy), (x0 - dx, y0 - dy)]
        paint(picture, corners, colour, alpha)


# ---- Above the water ----


def sky() -> Plane:
    """Paint a late afternoon, its clouds lit from the sun; at the finished size, as all of it is soft."""
    y = np.arange(SIDE, dtype=np.float32)[:, None] + 0.5
    x = np.arange(SIDE, dtype=np.float32)[None, :] + 0.5
    stops = (
        (0.0, (30, 78, 156)),
        (0.36, (86, 146, 204)),
        (0.62, (164, 192, 210)),
        (0.80, (244, 208, 166)),
        (1.0, (255, 172, 112)),
    )
    at = [stop * HORIZON for stop, _ in stops]
    ramp = [np.interp(y[:, 0], at, [colour[channel] for _, colour in stops]) for channel in range(3)]
    picture = np.repeat(np.stack(ramp, -1)[:, None].astype(np.float32), SIDE, axis=1)
    away = np.sqrt(((x - SUN[0]) / 1.25) ** 2 + (y - SUN[1]) ** 2)
    picture = blend(picture, (206, 168, 190), 0.5 * smooth(y, 120, 300) * smooth(away, 120, 420))
    picture = blend(picture, (255, 214, 140), 0.85 * hump(away / 105))
    # A flat layer of clouds overhead: the farther, the closer to the horizon and the smaller.
    far = 1 / np.maximum((HORIZON + 42 - y) / 300, 0.1)
    row, column = far * 1.9, (x - 200) / 118 * far**0.5
    puffs = noise(11, row * 1.25, column, 6) + 0.30 * (noise(12, row * 0.4, column * 0.4, 2) - 0.5)
    lit = noise(11, row * 1.25 + 0.10, column + 0.09, 6) + 0.30 * (
        noise(12, row * 0.4, column * 0.4, 2) - 0.5
    )
    cover = smooth(puffs, 0.47, 0.68) * (1 - smooth(y, 190, 286))
    light = np.clip(0.56 + 3.4 * (puffs - lit) - 1.1 * (puffs - 0.58), 0, 1)
    warm = smooth(y, 20, 210)[..., None] * np.ones_like(light)[..., None]
    bright = np.float32((255, 248, 236)) * (1 - warm) + np.float32((255, 214, 164)) * warm
    dark = np.float32((142, 156, 190)) * (1 - warm) + np.float32((190, 150, 160)) * warm
    picture = blend(picture, dark + (bright - dark) * light[..., None], 0.94 * cover)
    picture = blend(picture, (255, 244, 206), smooth(-away, -9.5, -8))
    return blend(picture, (255, 226, 160), 0.55 * hump(away / 24))


RIDGES = (
    # seed, foot, height, width of a fold, octaves, colour, grain of the woods, glow of the sun
    (21, 262, 52, 150, 4, (172, 152, 176), 0.10, 0.75),
    (22, 276, 44, 105, 5, (116, 118, 150), 0.28, 0.75),
    (23, 291, 38, 70, 6, (58, 86, 84), 0.95, 0.46),
)


def hills(picture: Plane) -> None:
    """Draw three ridges, the farther the paler, and haze in front of the sun."""
    first = 215 * FINE
    part = picture[first : 310 * FINE]
    y = ((first + np.arange(len(part), dtype=np.float32) + 0.5) / FINE)[:, None]
    x = ((np.arange(SIDE * FINE, dtype=np.float32) + 0.5) / FINE)[None, :]
    for seed, foot, height, wide, octaves, colour, grain, glow in RIDGES:
        top = foot - height * (noise(seed, np.full_like(x, 0.5), x / wide, octaves) - 0.32)
        top -= 3 * grain * noise(seed + 20, np.full_like(x, 0.5), x / 2.2, 2)  # tree tops
        wood = noise(seed + 5, y / 2.6, x / 3.4, 3) - 0.5 + 0.7 * (noise(seed + 10, y / 9, x / 22, 2) - 0.5)
        hill = tinted(colour, 1 + grain * wood)
        hill = blend(hill, (255, 206, 156), glow * hump((x - SUN[0]) / 78))
        hill = blend(hill, (236, 196, 176), 0.3 * smooth(y, foot - 30, foot + 22))
        part += (hill - part) * (y > top)[..., None]


def brick(seed: int, colour: Colour, *, high: float = 2.4, long: float = 5.2) -> Shade:
    """Lay courses of bricks, each of its own shade, in light mortar."""
    table = np.random.default_rng(seed).uniform(0.74, 1.16, (64, 64)).astype(np.float32)

    def shade(y: Plane, x: Plane) -> Plane:
        row = np.floor(y / high).astype(int)
        shifted = x + long / 2 * (row % 2)
        wall = tinted(colour, table[row % 64, np.floor(shifted / long).astype(int) % 64])
        joint = (y % high < 0.5) | (shifted % long < 0.5)
        return blend(wall, (196, 176, 156), 0.5 * joint)

    return shade


def stucco(seed: int, colour: Colour) -> Shade:
    """Plaster a wall, with patches and with stains that run down."""

    def shade(y: Plane, x: Plane) -> Plane:
        patches = noise(seed, y / 16, x / 14, 5) - 0.5
        runs = noise(seed + 1, y / 40, x / 3, 3) - 0.5
        return tinted(colour, 1 + 0.34 * patches + 0.16 * runs)

    return shade


def boards(seed: int, colour: Colour) -> Shade:
    """Clad a wall with boards, each in the shadow of the one above."""

    def shade(y: Plane, x: Plane) -> Plane:
        table = np.random.default_rng(seed).uniform(0.92, 1.07, 64).astype(np.float32)
        down = y / 2.9 % 1
        light = table[np.floor(y / 2.9).astype(int) % 64] * (1.05 - 0.42 * (down < 0.2) - 0.08 * down)
        return tinted(colour, light + 0.16 * (noise(seed, y / 1.2, x / 12, 3) - 0.5))

    return shade


def tiles(seed: int, colour: Colour) -> Shade:
    """Cover a roof with tiles in staggered rows."""
    table = np.random.default_rng(seed).uniform(0.78, 1.2, (64, 64)).astype(np.float32)

    def shade(y: Plane, x: Plane) -> Plane:
        row = np.floor(y / 2.3).astype(int)
        shifted = x + 1.3 * (row % 2)
        light = table[row % 64, np.floor(shifted / 2.6).astype(int) % 64]
        light = light * (1.12 - 0.5 * (y / 2.3 % 1 > 0.72) - 0.3 * (shifted % 2.6 < 0.5))
        return tinted(colour, light)

    return shade


def sunlit(shade: Shade, span: tuple[float, float], *, eaves: float = 0) -> Shade:
    """Light a wall over a span from dark to bright: cold to warm, dimmer below its eaves and at its foot."""
    dark, bright = span

    def lit(y: Plane, x: Plane) -> Plane:
        across = (x - dark) / (bright - dark)
        light = (0.76 + 0.34 * across) * (1 - 0.42 * (1 - smooth(y, eaves, eaves + 5)))
        light = light * (1 - 0.22 * smooth(y, QUAY - 18, QUAY))
        cold, warm = np.float32((0.93, 0.97, 1.1)), np.float32((1.06, 0.99, 0.9))
        return shade(y, x) * light[..., None] * (cold + (warm - cold) * across[..., None])

    return lit


def pane(colour: Colour, low: Colour, left: float, top: float, high: float) -> Shade:
    """Glaze a window: one colour above, another below, and a slanting gleam."""

    def shade(y: Plane, x: Plane) -> Plane:
        down = np.clip((y - top) / high, 0, 1) + 0 * x
        glass = blend(np.float32(colour) + 0 * down[..., None], low, down)
        gleam = ((x - left) * 1.1 + (y - top)) % 14
        return blend(glass, (226, 234, 240), 0.34 * ((gleam > 5) & (gleam < 7.6)))

    return shade


def window(
    picture: Plane,
    place: tuple[float, float, float, float],
    *,
    trim: Colour = WHITE,
    lamp: bool = False,
    leaf: Colour | None = None,
) -> None:
    """Set a window of six panes into a wall, a sill below and shutters of the colour of `leaf`."""
    x, y, wide, high = place
    paint(picture, box(x - 2.2, y - 0.4, x + wide + 0.4, y + high + 2.6), (30, 24, 40), 0.42)
    if leaf is not None:
        for left in (x - 0.42 * wide - 1.2, x + wide + 1.2):
            right = left + 0.42 * wide

            def slats(y: Plane, x: Plane, leaf: Colour = leaf) -> Plane:
                return tinted(leaf, 0.74 + 0.4 * (y / 1.3 % 1) + 0 * x)

            paint(picture, box(left - 0.7, y + 0.3, right, y + high + 0.8), (30, 24, 40), 0.35)
            paint(picture, box(left, y - 0.6, right, y + high + 0.4), slats)
    paint(picture, box(x - 1.2, y - 1.2, x + wide + 1.2, y + high + 1), trim)
    glass = ((255, 226, 150), (246, 150, 66)) if lamp else ((96, 136, 168), (22, 34, 54))
    paint(picture, box(x, y, x + wide, y + high), pane(*glass, x, y, high))
    paint(picture, box(x, y, x + wide, y + 0.9), (24, 20, 32), 0.6)
    paint(picture, box(x + wide - 0.7, y, x + wide, y + high), (24, 20, 32), 0.5)
    paint(picture, box(x + wide / 2 - 0.4, y, x + wide / 2 + 0.4, y + high), trim)
    for bar in (1, 2):
        paint(picture, box(x, y + high * bar / 3 - 0.3, x + wide, y + high * bar / 3 + 0.3), trim)
    paint(picture, box(x - 2, y + high + 0.6, x + wide + 2, y + high + 1.9), toned(trim, 0.94))


def flowers(picture: Plane, place: tuple[float, float, float], *, seed: int) -> None:
    """Hang a box of geraniums below a window."""
    x, y, wide = place
    rng = np.random.default_rng(seed)
    paint(picture, box(x - 1, y, x + wide + 1, y + 2.2), (96, 58, 38))
    for colour, count in (((40, 104, 46), 12), ((74, 142, 60), 8), ((232, 46, 70), 9), ((255, 150, 170), 3)):
        for _ in range(count):
            across, down = x - 1 + rng.random() * (wide + 2), y - 1.6 + 2 * rng.random()
            paint(picture, oval(across, down, 0.9, 0.8, 8), colour)


def door(picture: Plane, place: tuple[float, float, float], *, colour: Colour, trim: Colour) -> None:
    """Hang a panelled door under a round light, one step above the quay."""
    x, wide, high = place
    top = QUAY - high
    arch = [
        (x, QUAY - 1.5),
        (x, top),
        *oval(x + wide / 2, top, wide / 2, wide / 2)[14:],
        (x + wide, QUAY - 1.5),
    ]
    middle = x + wide / 2
    grown = [(middle + (px - middle) * 1.3, py - 1.2 * (py < QUAY - 2)) for px, py in arch]
    paint(picture, grown, trim)
    paint(picture, arch, (255, 206, 120))
    for turn in (-0.55, 0, 0.55):
        line(picture, [(middle, top), (middle + turn * wide, top - wide / 2)], 0.5, trim)
    paint(picture, box(x, top, x + wide, QUAY - 1.5), colour)
    for column in (0.12, 0.56):
        for row in (0.1, 0.55):
            left, up = x + column * wide, top + row * high
            paint(picture, box(left, up, left + 0.32 * wide, up + 0.32 * high), toned(colour, 0.66))
            paint(
                picture, box(left + 0.4, up + 0.6, left + 0.32 * wide, up + 0.32 * high), toned(colour, 1.14)
            )
    paint(picture, oval(x + 0.86 * wide, top + 0.52 * high, 0.5, 0.5, 8), (240, 206, 110))
    paint(picture, box(x - 2, QUAY - 1.5, x + wide + 2, QUAY), (178, 170, 160))


def awning(picture: Plane, span: tuple[float, float], *, top: float, colours: tuple[Colour, Colour]) -> None:
    """Stretch a striped awning over a shop, with scallops and a shadow below."""
    left, right = span
    count = 9
    step = (right - left) / count
    paint(
        picture, [(left, top), (right, top), (right + 1, top + 17), (left - 5, top + 17)], (20, 16, 30), 0.45
    )
    for stripe in range(count):
        a, b = left + stripe * step, left + (stripe + 1) * step
        low_a, low_b = a + (a - (left + right) / 2) * 0.10 - 1.5, b + (b - (left + right) / 2) * 0.10 - 1.5
        colour = colours[stripe % 2]

        def cloth(y: Plane, x: Plane, colour: Colour = colour) -> Plane:
            return tinted(colour, 1.08 - 0.30 * smooth(y, top, top + 11) + 0 * x)

        paint(picture, [(a, top), (b, top), (low_b, top + 10.5), (low_a, top + 10.5)], cloth)
        valance = oval((low_a + low_b) / 2, top + 10.5, (low_b - low_a) / 2, 3.2, 16)[:9]
        paint(picture, valance, toned(colour, 0.72))


WALLS = {"brick": brick, "stucco": stucco, "boards": boards}
HOUSES = (
    # left, width, eaves, wall, colour, roof, its colour, upper floors, windows on each, trim, shutters
    (-8, 50, 190, "brick", (186, 66, 50), "gable", (88, 70, 78), 3, 3, WHITE, None),
    (42, 41, 207, "stucco", (246, 184, 60), "eaves", (176, 84, 56), 2, 2, WHITE, (40, 104, 92)),
    (83, 54, 176, "boards", (38, 112, 156), "gable", (66, 70, 88), 3, 3, WHITE, None),
    (137, 43, 200, "stucco", (240, 222, 196), "eaves", (182, 92, 60), 2, 2, (230, 214, 190), (60, 96, 146)),
    (180, 50, 184, "brick", (154, 74, 64), "steps", (70, 62, 70), 3, 3, WHITE, None),
    (230, 42, 208, "boards", (74, 148, 96), "gable", (150, 74, 56), 2, 2, WHITE, None),
    (272, 48, 190, "stucco", (238, 120, 78), "eaves", (98, 72, 74), 3, 2, WHITE, (246, 232, 206)),
)


def roof(
    picture: Plane, place: tuple[float, float, float], *, style: str, colour: Colour, wall: Shade
) -> None:
    """Put a roof on a house: gable to the water, eaves to the water with a dormer, or a stepped gable."""
    left, width, eaves = place
    middle, right = left + width / 2, left + width
    stack = box(left + width * 0.72, eaves - width * 0.56, left + width * 0.72 + 6, eaves - 4)
    cover = tiles(int(eaves), colour)
    if style != "steps":
        paint(
            picture,
            stack,
            sunlit(brick(5, (150, 78, 62), high=1.8, long=3.6), (stack[0][0] - 2, stack[1][0])),
        )
        paint(
            picture, box(stack[0][0] - 1, stack[0][1] - 1.6, stack[1][0] + 1, stack[0][1] + 0.6), (96, 60, 56)
        )
        for pot in (1.6, 4.4):
            paint(
                picture,
                box(stack[0][0] + pot - 0.9, stack[0][1] - 4.4, stack[0][0] + pot + 0.9, stack[0][1] - 1.6),
                (190, 104, 70),
            )
    if style == "gable":
        peak = eaves - width * 0.56
        paint(picture, [(left - 2.5, eaves + 1), (middle, peak - 2.6), (right + 2.5, eaves + 1)], cover)
        paint(
            picture,
            [(left + 1.5, eaves + 0.5), (middle, peak + 2.4), (right - 1.5, eaves + 0.5)],
            sunlit(wall, (left, right)),
        )
        paint(
            picture,
            [(left + 1.5, eaves + 0.5), (middle, peak + 2.4), (middle, peak + 6), (left + 6, eaves + 0.5)],
            (20, 16, 30),
            0.3,
        )
        for foot, tone in ((left - 3, 0.84), (right + 3, 1.0)):
            line(picture, [(foot, eaves + 1.6), (middle, peak - 2.4)], 2, toned(WHITE, tone))
        paint(picture, oval(middle, eaves - width * 0.17, 4.6, 4.6), WHITE)
        paint(
            picture,
            oval(middle, eaves - width * 0.17, 3.5, 3.5),
            pane((110, 146, 176), (24, 34, 52), middle - 4, eaves - 14, 9),
        )
        line(picture, [(middle - 4, eaves - width * 0.17), (middle + 4, eaves - width * 0.17)], 0.7, WHITE)
        line(picture, [(middle, eaves - width * 0.17 - 4), (middle, eaves - width * 0.17 + 4)], 0.7, WHITE)
    elif style == "eaves":
        peak = eaves - width * 0.46
        slope = [(left - 2, eaves + 1), (left + 5, peak), (right - 5, peak), (right + 2, eaves + 1)]
        paint(picture, slope, sunlit(cover, (left - 12, right)))
        paint(picture, box(left + 4.4, peak - 1, right - 4.4, peak + 0.7), toned(colour, 0.62))
        x, y = middle - 5, eaves - width * 0.30
        paint(picture, [(x - 5, y + 13), (x - 1, y), (x + 2, y + 13)], (20, 16, 30), 0.4)
        paint(picture, box(x - 1.6, y - 1, x + 11.6, y + 12.6), sunlit(wall, (left, right)))
        window(picture, (x + 1.4, y + 1.6, 7.2, 8))
        paint(picture, [(x - 3.6, y), (x + 5, y - 6.6), (x + 13.6, y)], toned(colour, 0.8))
        line(picture, [(x - 3.6, y), (x + 5, y - 6.6), (x + 13.6, y)], 0.9, WHITE)
    else:
        for step in range(5):
            inset, top = step * width * 0.1, eaves - (step + 1) * width * 0.12
            paint(picture, box(left + inset, top, right - inset, eaves + 1), sunlit(wall, (left, right)))
        for step in range(5):
            inset, top = step * width * 0.1, eaves - (step + 1) * width * 0.12
            paint(
                picture,
                box(left + inset - 0.8, top - 1.6, left + inset + width * 0.1 + 0.4, top + 0.5),
                (214, 206, 192),
            )
            paint(
                picture,
                box(right - inset - width * 0.1 - 0.4, top - 1.6, right - inset + 0.8, top + 0.5),
                WHITE,
            )
        window(picture, (middle - 4.5, eaves - 19, 9, 11), lamp=True)
        line(
            picture,
            [(middle, eaves - width * 0.6 - 1), (middle, eaves - width * 0.6 - 15)],
            0.7,
            (50, 44, 50),
        )
        paint(
            picture,
            [
                (middle, eaves - width * 0.6 - 15),
                (middle - 8, eaves - width * 0.6 - 12.6),
                (middle, eaves - width * 0.6 - 10.4),
            ],
            (240, 190, 60),
        )


def houses(picture: Plane) -> None:
    """Build a row of houses on the quay: roofs, windows by the floor, and a shop or a door below."""
    rng = np.random.default_rng(42)
    for number, (left, width, eaves, wall, colour, style, cover, floors, columns, trim, leaf) in enumerate(
        HOUSES
    ):
        right = left + width
        surface = WALLS[wall](number + 50, colour)
        roof(picture, (left, width, eaves), style=style, colour=cover, wall=surface)
        paint(picture, box(left, eaves, right, QUAY), sunlit(surface, (left, right), eaves=eaves))
        paint(picture, box(left - 1.4, eaves - 1, right + 1.4, eaves + 1.8), trim)
        shop = number in (2, 5)
        story = (QUAY - 30 - eaves - 5) / floors
        wide, high = width / columns * (0.36 if leaf else 0.5), min(story * 0.66, 17)
        for floor in range(floors):
            for column in range(columns):
                x = left + (column + 0.5) * width / columns - wide / 2
                y = eaves + 7 + floor * story
                window(picture, (x, y, wide, high), trim=trim, lamp=rng.random() < 0.2, leaf=leaf)
                if floor == floors - 1 and number in (0, 3, 4, 6):
                    flowers(picture, (x, y + high + 1, wide), seed=100 * number + column)
        paint(picture, box(left, QUAY - 31.5, right, QUAY - 30), trim, 0.9)
        paint(picture, box(left, QUAY - 30, right, QUAY - 28.6), (20, 16, 30), 0.4)
        if shop:
            paint(picture, box(left + 3, QUAY - 23, right - 15, QUAY - 4), (58, 40, 36))
            paint(
                picture,
                box(left + 4.2, QUAY - 21.8, right - 16.2, QUAY - 6),
                pane((255, 222, 150), (236, 150, 80), left, QUAY - 22, 15),
            )
            for bar in range(1, 4):
                x = left + 4.2 + bar * (width - 20.4) / 4
                paint(picture, box(x - 0.4, QUAY - 22, x + 0.4, QUAY - 6), (58, 40, 36))
            door(picture, (right - 12, 8.5, 17), colour=(70, 44, 36), trim=trim)
            stripes = ((214, 36, 48), WHITE) if number == 2 else ((28, 110, 92), (250, 226, 160))
            awning(picture, (left + 1.5, right - 1.5), top=QUAY - 29, colours=stripes)
        else:
            entry = left + width * (0.5 if columns == 3 else 0.68) - 4.5
            colour = ((38, 74, 66), (120, 40, 44), (44, 60, 110))[number % 3]
            door(picture, (entry, 9, 18), colour=colour, trim=trim)
            for column in range(columns):
                x = left + (column + 0.5) * width / columns - wide / 2
                if abs(x + wide / 2 - entry - 4.5) > wide / 2 + 8:
                    lamp = rng.random() < 0.5
                    window(picture, (x, QUAY - 23, wide, 14), trim=trim, lamp=lamp, leaf=leaf)
        paint(picture, box(left - 0.5, eaves + 1.8, left + 0.5, QUAY), (28, 22, 34), 0.55)
        line(picture, [(right - 1.6, eaves + 1.8), (right - 1.6, QUAY)], 0.9, (70, 66, 72))


def glow(picture: Plane, lamp: tuple[float, float], *, reach: float) -> None:
    """Spread the light of a lamp, in place."""
    x, y = lamp
    left, top = int((x - reach) * FINE), int((y - reach) * FINE)
    size = int(2 * reach * FINE)
    away = (np.arange(size, dtype=np.float32) + 0.5) / (reach * FINE) - 1
    part = picture[top : top + size, max(0, left) : left + size]
    square = (away[:, None] ** 2 + away[None, :] ** 2)[:, max(0, -left) :]
    part[:] = blend(part, (255, 220, 140), 0.62 * np.clip(1 - square, 0, 1) ** 3)


def quay(picture: Plane) -> None:
    """Face the quay with stone, green where the tide reaches, and furnish it."""
    stone = brick(31, (158, 146, 132), high=4.3, long=9.5)

    def face(y: Plane, x: Plane) -> Plane:
        rough = 0.70 + 0.55 * noise(32, y / 3, x / 5, 4)
        wall = stone(y, x) * (rough * (0.84 + 0.16 * x / 320))[..., None]
        weed = smooth(y + 4 * noise(33, y / 40, x / 4, 3), HORIZON - 7, HORIZON + 1)
        return blend(wall, (40, 54, 40), 0.8 * weed)

    paint(picture, box(-1, QUAY, 322, HORIZON), face)
    paint(picture, [(322, QUAY), (334, HORIZON), (322, HORIZON)], lambda y, x: 0.62 * face(y, x))
    paint(picture, box(-1, QUAY - 0.6, 323, QUAY + 1.6), (206, 196, 178))
    for x in (30, 116, 206, 290):  # lamps
        line(picture, [(x, QUAY), (x, QUAY - 37)], 1, (34, 36, 42))
        line(picture, [(x - 3, QUAY - 34), (x + 3, QUAY - 34)], 0.7, (34, 36, 42))
        glow(picture, (x, QUAY - 40), reach=7)
        paint(
            picture,
            [(x - 1.6, QUAY - 37), (x - 2.3, QUAY - 42), (x + 2.3, QUAY - 42), (x + 1.6, QUAY - 37)],
            (255, 238, 180),
        )
        paint(picture, [(x - 3, QUAY - 42), (x, QUAY - 45), (x + 3, QUAY - 42)], (34, 36, 42))
    for x in (12, 66, 160, 254, 312):  # bollards and tyres
        paint(
            picture,
            [(x - 1.8, QUAY), (x - 1.3, QUAY - 4), (x + 1.3, QUAY - 4), (x + 1.8, QUAY)],
            (40, 40, 46),
        )
        paint(picture, oval(x, QUAY - 4.2, 2.3, 1.1), (72, 70, 74))
        paint(picture, oval(x + 9, QUAY + 7, 4, 4.4), (24, 24, 28))
        paint(picture, oval(x + 9, QUAY + 7, 1.9, 2.2), (84, 78, 72))
    for rail in (230, 234):  # a ladder
        line(picture, [(rail, QUAY - 3), (rail, HORIZON)], 0.7, (196, 120, 40))
    for rung in range(5):
        line(picture, [(230, QUAY + 1.5 + 3.2 * rung), (234, QUAY + 1.5 + 3.2 * rung)], 0.6, (196, 120, 40))
    for x, coat in ((56, (200, 44, 56)), (60.5, (40, 66, 120)), (148, (236, 180, 50)), (262, (60, 60, 70))):
        paint(picture, box(x - 0.9, QUAY - 4.5, x + 0.9, QUAY), (36, 34, 44))
        paint(
            picture,
            [(x - 1.5, QUAY - 4), (x - 1.1, QUAY - 8.6), (x + 1.1, QUAY - 8.6), (x + 1.5, QUAY - 4)],
            coat,
        )
        paint(picture, oval(x, QUAY - 9.9, 1.2, 1.4, 10), (222, 170, 136))


def lighthouse(picture: Plane) -> None:
    """Build a lighthouse with red and white bands on a rock, and a keeper's house."""

    def stone(y: Plane, x: Plane) -> Plane:
        here = noise(61, y / 9 + x / 30, x / 12, 6)
        there = noise(61, y / 9 + x / 30 - 0.10, x / 12 - 0.12, 6)
        light = np.clip(0.74 + 4.2 * (here - there), 0.22, 1.5)
        rock = tinted((132, 112, 98), light)
        rock = blend(rock, (255, 178, 110), 0.26 * smooth(-x, -440, -380) * np.clip(light - 0.5, 0, 1))
        return blend(rock, (34, 44, 42), 0.75 * smooth(y + 5 * here, HORIZON - 5, HORIZON + 2))

    x = np.arange(366.0, 513.0, 1.0)
    crest = 284 - 10 * noise(62, np.full_like(x, 0.5), x / 20, 4) + 24 * smooth(abs(x - 436), 40, 78) ** 2
    paint(picture, [(366.0, 306.0), *zip(x.tolist(), crest.tolist(), strict=True), (513.0, 306.0)], stone)
    whitewash = sunlit(stucco(63, (238, 228, 212)), (500, 456), eaves=262)
    paint(picture, box(458, 262, 498, 286), whitewash)
    paint(picture, [(455, 263), (463, 248), (493, 248), (501, 263)], tiles(64, (196, 74, 54)))
    paint(picture, box(484, 240, 489, 252), (170, 84, 66))
    for left in (465, 487):
        window(picture, (left, 268, 5.5, 9), trim=(90, 62, 50), lamp=left == 465)
    paint(picture, box(475, 268, 482, 286), (36, 86, 100))
    middle, top, bottom = 431, 131, 281

    def tower(y: Plane, x: Plane) -> Plane:
        across = np.clip((x - middle) / (12.5 + 8.5 * (y - top) / (bottom - top)), -1, 1)
        facing = np.sqrt(1 - across * across)
        light = np.clip(0.34 + 0.50 * facing - 0.46 * across, 0.25, 1.12)
        light = (
            light * (0.93 + 0.16 * noise(65, y / 14, x / 4, 4)) * (1 - 0.35 * (1 - smooth(y, top, top + 7)))
        )
        light = light * (1 - 0.14 * (y % 5 < 0.45))
        red = (np.floor((y - top) / 25).astype(int) % 2 == 0)[..., None]
        paintwork = np.where(red, np.float32((222, 36, 42)), np.float32((252, 244, 230))) * light[..., None]
        return blend(paintwork, (120, 150, 200), 0.30 * smooth(across, 0.1, 1))

    paint(
        picture,
        [(middle - 12.5, top), (middle + 12.5, top), (middle + 21, bottom), (middle - 21, bottom)],
        tower,
    )
    for y, wide in ((156, 3), (206, 3.4), (246, 3.6)):
        paint(picture, box(middle - 3 - wide, y - 1, middle - 3 + wide, y + 10), (226, 214, 200))
        paint(picture, box(middle - 2 - wide, y, middle - 4 + wide, y + 9), (26, 34, 54))
    door_top = 262
    paint(
        picture,
        [*oval(middle - 2, door_top + 5, 5, 5)[14:], (middle + 3, bottom), (middle - 7, bottom)],
        (44, 70, 92),
    )
    dark = (32, 34, 44)
    paint(
        picture,
        [(middle - 13, top), (middle - 18.5, top - 5), (middle + 18.5, top - 5), (middle + 13, top)],
        dark,
    )
    glow(picture, (middle, top - 14), reach=34)

    def lantern(y: Plane, x: Plane) -> Plane:
        return blend(
            np.float32((255, 176, 70)) + 0 * (x + y)[..., None], (255, 252, 226), hump((x - middle) / 7)
        )

    paint(picture, box(middle - 9.5, top - 23, middle + 9.5, top - 5), lantern)
    for x_bar in (-9.5, -4.7, 0, 4.7, 9.5):
        line(picture, [(middle + x_bar, top - 23), (middle + x_bar, top - 5)], 0.9, dark)
    line(picture, [(middle - 9.5, top - 14), (middle + 9.5, top - 14)], 0.6, dark)

    def dome(y: Plane, x: Plane) -> Plane:
        return tinted((222, 40, 44), np.clip(0.86 - 0.045 * (x - middle) - 0.01 * (y - top + 30), 0.3, 1.25))

    paint(picture, [*oval(middle, top - 23, 11.6, 12)[14:], (middle + 11.6, top - 23)], dome)
    paint(picture, box(middle - 12.4, top - 24, middle + 12.4, top - 22.4), dark)
    paint(picture, oval(middle, top - 36, 1.8, 1.8, 12), dark)
    line(picture, [(middle, top - 35), (middle, top - 50)], 0.8, dark)
    for x_bar in range(-18, 19, 4):
        line(picture, [(middle + x_bar, top - 12), (middle + x_bar, top - 5)], 0.6, dark)
    for y in (12, 8.5):
        line(picture, [(middle - 18.4, top - y), (middle + 18.4, top - y)], 0.7, dark)


def gulls(picture: Plane) -> None:
    """Let gulls fly: two curved wings each."""
    for x, y, size in (
        (150, 96, 9),
        (176, 112, 7),
        (128, 118, 6),
        (300, 70, 8),
        (324, 86, 5.5),
        (392, 196, 4.5),
    ):
        for side in (-1, 1):
            upper = curve(
                (x, y), (x + side * size * 0.5, y - size * 0.75), (x + side * size * 1.2, y - size * 0.15)
            )
            lower = curve(
                (x + side * size * 1.2, y - size * 0.15),
                (x + side * size * 0.5, y - size * 0.42),
                (x, y + size * 0.2),
            )
            paint(picture, [*upper, *lower], (250, 246, 240) if side > 0 else (120, 124, 140))


# ---- The water and what floats on it ----


def swell() -> Waves:
    """Make waves in perspective: places (H, 1) and (1, W), swell and chop (H, W), about -0.5 to 0.5."""
    y = ((np.arange(HORIZON * FINE, SIDE * FINE, dtype=np.float32) + 0.5) / FINE)[:, None]
    x = ((np.arange(SIDE * FINE, dtype=np.float32) + 0.5) / FINE)[None, :]
    depth = y - HORIZON
    # Away from the viewer a wave shrinks as 1 / (depth + 24): `far` grows by one cell a wave.
    far = np.cumsum(1 / (0.085 * (depth + 24))) / FINE
    far = far.astype(np.float32)[:, None]
    across = (x - 256) / (depth + 24)
    long = noise(71, far * 0.55, across * 3.4 + 40, 3) - 0.5
    chop = noise(72, far * 3.3, across * 5 + 90, 4) - 0.5
    return y, x, long, chop


def water(picture: Plane, waves: Waves) -> None:
    """Mirror what stands above in moving water: each slope shows a place higher up or lower down."""
    y, x, long, chop = waves
    depth = y - HORIZON
    near = depth / (SIDE - HORIZON)
    slope = 0.62 * long + 0.85 * chop
    total = np.zeros((*slope.shape, 3), np.float32)
    taps = (-1.0, -0.5, 0.0, 0.5, 1.0)
    for tap in taps:
        up = depth * 1.02 + slope * (9 + 74 * near) + tap * (0.5 + 5 * near) + 1.2
        row = np.floor((HORIZON - np.clip(up, 0.4, HORIZON - 1)) * FINE).astype(int)
        aside = x + (0.8 + 9 * near) * chop + tap * near
        column = np.floor(np.clip(aside, 0, SIDE - 0.01) * FINE).astype(int)
        total += picture[row, column]
    mirrored = total / len(taps)
    facing = np.clip(0.12 + 0.36 * near - 1.25 * slope * (0.35 + near), 0.03, 0.9)
    surface = blend(mirrored * 0.96, (8, 62, 92), facing)
    crest = smooth(slope, 0.12, 0.30)
    surface = blend(surface, (206, 216, 222), 0.42 * crest * (0.25 + 0.75 * near))
    path = hump((x - SUN[0] - 20 * long) / (14 + 70 * near))
    spark = smooth(chop + 0.3 * long, 0.07, 0.15) * smooth(path, 0.08, 0.9)
    surface = blend(surface, (255, 186, 112), 0.34 * path)
    surface = blend(surface, (255, 236, 186), 0.96 * spark)
    surface *= (1 - 0.45 * (1 - smooth(depth, 0, 4)) * ((x < 334) | (x > 380)))[..., None]
    picture[HORIZON * FINE :] = surface


def float_on(picture: Plane, waves: Waves, *, ship: Plane, waterline: float) -> None:
    """Lay a drawing with cover (H, W, 4) over the picture, and its mirror image below its waterline."""
    y, x, long, chop = waves
    below = y - waterline
    near = (y - HORIZON) / (SIDE - HORIZON)
    slope = 0.62 * long + 0.85 * chop
    total = np.zeros((*slope.shape, 4), np.float32)
    taps = (-1.0, -0.5, 0.0, 0.5, 1.0)
    for tap in taps:
        grown = np.clip(below / 30, 0, 1)
        up = below * 1.02 + (slope * (6 + 56 * near) + tap * (0.5 + 4 * near)) * (0.25 + 0.75 * grown)
        row = np.floor(np.clip(waterline - up, 0, SIDE - 1) * FINE).astype(int)
        aside = x + ((2 + 12 * near) * chop + tap * near) * (0.3 + 0.7 * grown)
        column = np.floor(np.clip(aside, 0, SIDE - 0.01) * FINE).astype(int)
        sample = ship[row, column]
        total[..., :3] += sample[..., :3] * sample[..., 3:]
        total[..., 3] += sample[..., 3]
    cover = total[..., 3] / len(taps)
    colour = total[..., :3] / np.maximum(total[..., 3:], 1e-6)
    part = picture[HORIZON * FINE :]
    fade = np.clip(0.86 - below / 260 - 0.5 * np.clip(slope, -0.2, 0.5), 0, 1) * (below > 0)
    part[:] = blend(part, colour * 0.66 + np.float32((4, 24, 34)), cover * fade)
    picture[:] = blend(picture, ship[..., :3], ship[..., 3])


def planked(colour: Colour, top: float, *, step: float = 2.2, left: float = 0, right: float = SIDE) -> Shade:
    """Build a hull of planks: darker towards the water, lighter towards the sun."""

    def shade(y: Plane, x: Plane) -> Plane:
        light = 1.12 - 0.020 * (y - top) - 0.22 * ((y - top) % step < 0.5)
        light = light * (0.84 + 0.30 * smooth(x, left, right)) + 0.10 * (noise(81, y / 2, x / 9, 3) - 0.5)
        return tinted(colour, light)

    return shade


def sail(colour: Colour, span: tuple[float, float], *, seam: float) -> Shade:
    """Sew a sail of bands, full of wind: brightest past its middle."""
    x0, x1 = span

    def shade(y: Plane, x: Plane) -> Plane:
        belly = hump((x - x0 - 0.6 * (x1 - x0)) / (0.75 * (x1 - x0)))
        band = (y + 0.22 * x) % seam < 0.6
        return tinted(
            colour, (0.70 + 0.36 * belly) * (1 - 0.16 * band) + 0.05 * (noise(82, y / 20, x / 8, 3) - 0.5)
        )

    return shade


def sloop(waterline: float) -> Plane:
    """Draw a sailing boat with a white mainsail and a red jib."""
    ship = np.zeros((SIDE * FINE, SIDE * FINE, 4), np.float32)
    w, wood, rope = waterline, (134, 84, 46), (44, 36, 40)
    deck = curve((306, w - 16), (352, w - 11), (424, w - 21))
    keel = curve((410, w + 2), (362, w + 3), (316, w + 2))
    paint(ship, [*deck, *keel], planked((26, 62, 132), w - 19, left=300, right=430))
    paint(
        ship,
        [
            *curve((308, w - 16), (352, w - 11), (424, w - 21)),
            *curve((423, w - 18.4), (352, w - 8.6), (307, w - 13.6)),
        ],
        (250, 244, 232),
    )
    paint(ship, [*curve((314, w - 3), (362, w - 2), (414, w - 4)), *keel], (196, 44, 40))
    line(ship, curve((313, w - 4), (362, w - 3), (415, w - 5)), 0.9, (250, 244, 232))
    cabin = [(328, w - 13.5), (332, w - 24), (366, w - 25), (371, w - 14)]
    paint(ship, cabin, lambda y, x: tinted((240, 226, 204), 0.80 + 0.25 * smooth(x, 328, 370) + 0 * y))
    line(ship, [(330.5, w - 24.4), (367.5, w - 25.4)], 1.8, wood)
    for x in (337, 346, 355):
        paint(ship, box(x, w - 21.5, x + 6, w - 17), WHITE)
        paint(ship, box(x + 0.7, w - 20.8, x + 5.3, w - 17.6), (38, 56, 78))
    line(
        ship,
        [(376, w - 15), (376, w - 168)],
        2.4,
        lambda y, x: tinted((158, 102, 58), 0.70 + 0.25 * (x - 375) + 0 * y),
    )
    leech = curve((374, w - 163), (344, w - 96), (310, w - 33))
    paint(ship, [*leech, (374, w - 37)], sail((255, 247, 230), (310, 376), seam=21))
    line(ship, leech, 0.7, (206, 188, 160))
    for batten in (0.3, 0.52, 0.74):
        y = w - 163 + batten * 126
        line(ship, [(374 - 62 * batten, y + 4), (374 - 62 * batten + 15, y + 1.4)], 0.6, (150, 132, 116))
    line(ship, [(377, w - 35.5), (308, w - 31.5)], 2, wood)
    paint(
        ship,
        [
            (379, w - 148),
            *curve((379, w - 148), (398, w - 84), (417, w - 26)),
            *curve((417, w - 26), (398, w - 32), (384, w - 34)),
        ],
        sail((226, 58, 46), (378, 418), seam=17),
    )
    for foot in ((424, w - 21), (370, w - 15), (382, w - 15)):
        line(ship, [(376, w - 165), foot], 0.65, rope)
    line(ship, [(376, w - 165), (306, w - 16)], 0.6, rope)
    line(ship, [(368, w - 120), (384, w - 120)], 1.1, wood)
    for rail in range(8):
        x = 378 + rail * 5.6
        foot = w - 14.4 - rail * 0.75
        line(ship, [(x, foot), (x, foot - 6)], 0.6, (214, 214, 218))
    line(ship, [(378, w - 20.2), (422, w - 26.6)], 0.6, (214, 214, 218))
    paint(
        ship,
        [(376, w - 168), *curve((376, w - 168), (388, w - 172), (398, w - 164)), (376, w - 158)],
        (250, 196, 50),
    )
    paint(ship, box(317, w - 28, 318, w - 14), wood)
    paint(ship, oval(322.5, w - 13, 3.6, 3.6), (240, 96, 40))
    paint(ship, oval(322.5, w - 13, 1.9, 1.9), (26, 62, 132))
    return ship


def trawler(waterline: float) -> Plane:
    """Draw a fishing boat with a wheelhouse, two masts, a derrick and floats."""
    ship = np.zeros((SIDE * FINE, SIDE * FINE, 4), np.float32)
    w, steel, rope = waterline, (70, 62, 60), (40, 34, 40)
    deck = curve((168, w - 20), (206, w - 7), (254, w - 11))
    keel = curve((248, w + 1.5), (206, w + 2.5), (181, w + 1.5))
    paint(ship, [*deck, *keel], planked((34, 128, 104), w - 18, left=160, right=262))
    paint(ship, [*curve((178, w - 2.4), (206, w - 1.6), (250, w - 2.6)), *keel], (150, 40, 40))
    line(ship, deck, 1.7, (252, 246, 234))
    line(ship, curve((171, w - 16.5), (206, w - 4), (253, w - 8)), 0.7, (246, 190, 60))
    paint(
        ship,
        box(220, w - 28, 243, w - 9.5),
        lambda y, x: tinted((248, 238, 218), 0.76 + 0.32 * smooth(x, 218, 244) + 0 * y),
    )
    paint(ship, [(217.5, w - 28), (219.5, w - 30.6), (244.5, w - 30.6), (246, w - 28)], (206, 70, 50))
    for x in (222.4, 229.4, 236.4):
        paint(ship, box(x, w - 25.6, x + 5, w - 19.6), pane((150, 186, 206), (30, 44, 66), x, w - 26, 6))
    paint(ship, box(229, w - 18, 234, w - 9.5), (120, 62, 44))
    for x, high in ((203, 74), (246, 46)):
        line(ship, [(x, w - 9), (x, w - high)], 1.5, (150, 98, 60))
    line(ship, [(203, w - 16), (182, w - 52)], 1.1, (150, 98, 60))
    for start, end in (
        ((203, w - 73), (168, w - 20)),
        ((203, w - 73), (246, w - 45)),
        ((246, w - 45), (254, w - 11)),
        ((203, w - 73), (182, w - 52)),
        ((182, w - 52), (182, w - 18)),
        ((203, w - 70), (196, w - 11)),
        ((203, w - 70), (212, w - 9)),
    ):
        line(ship, [start, end], 0.5, rope)
    paint(ship, [(246, w - 46), (256, w - 43), (246, w - 40)], (226, 44, 50))
    for x, y, colour in (
        (188, 11, (240, 120, 40)),
        (193, 10, (250, 200, 60)),
        (198, 9.4, (232, 70, 60)),
        (209, 9, (240, 120, 40)),
    ):
        paint(ship, oval(x, w - y, 2.8, 2.6, 14), colour)
        paint(ship, oval(x + 0.8, w - y - 0.9, 0.9, 0.8, 8), (255, 236, 200))
    for x in (184, 214, 238):
        line(ship, [(x, w - 10), (x, w - 4)], 0.4, rope)
        paint(ship, oval(x, w - 3.4, 1.9, 3, 14), steel)
    return ship


def pier(picture: Plane) -> None:
    """Lay planks towards the viewer, on piles, with what lies about on a pier."""
    far, far_right, near_right = 424, 128, 214

    def wood(y: Plane, x: Plane) -> Plane:
        depth = (y - far) / (SIDE - far)
        place = 11 * depth * (0.62 + 0.38 * np.clip(depth, 0, 2))
        number = np.floor(place).astype(int)
        tone = np.random.default_rng(91).uniform(0.70, 1.16, 64).astype(np.float32)[number % 64]
        grain = noise(92, place * 7, x / 26 + number * 7.3, 5) - 0.5
        knots = smooth(noise(93, place * 1.4, x / 13 + number * 3.1, 2), 0.80, 0.9)
        light = tone * (1 + 0.62 * grain) * (1 - 0.5 * knots) * (0.86 + 0.26 * smooth(x, 0, 210))
        top = place % 1
        light = light * (1 + 0.30 * smooth(-top, -0.22, -0.1))
        plank = blend(tinted((190, 134, 86), light), (255, 196, 130), 0.16 * smooth(x, 60, 210))
        nail = 0
        for at in (12, 98):
            aside = (x - at * (0.6 + 0.75 * depth)) ** 2 + ((top - 0.5) * 8) ** 2
            nail = nail + (aside < 0.9)
        plank = blend(plank, (52, 40, 40), 0.8 * np.clip(nail, 0, 1))
        return blend(plank, (30, 22, 24), 0.94 * (top < 0.085) + 0 * x)

    def pile(x: float, foot: float, wide: float, high: float) -> None:
        def bark(y: Plane, xs: Plane) -> Plane:
            across = np.clip((xs - x) / wide, 0, 1)
            round_light = 0.46 + 0.86 * across * (1.25 - 0.55 * across)
            grain = noise(94, y / 16, xs / 1.6, 4) - 0.5
            return tinted((136, 98, 70), round_light * (1 + 0.7 * grain))

        paint(picture, box(x, foot - high, x + wide, foot), bark)
        paint(picture, oval(x + wide / 2, foot - high, wide / 2, wide / 5), (196, 152, 108))
        paint(picture, oval(x + wide / 2, foot - high, wide / 3.4, wide / 9), (164, 120, 82))
        for turn in range(4):
            y = foot - high * 0.66 + turn * wide * 0.17
            for thick, colour in ((0.17, (120, 96, 62)), (0.11, (232, 208, 156))):
                line(picture, [(x - 0.8, y), (x + wide + 0.8, y + wide * 0.07)], wide * thick, colour)

    for reach in range(1, 9):  # its shadow and mirror image, softer the farther out
        outer = [
            (far_right + 2, far + 2),
            (near_right, SIDE),
            (near_right + 4 + 4 * reach, SIDE),
            (far_right + 2 + 1.4 * reach, far + 2 + reach),
        ]
        paint(picture, outer, (8, 22, 34), 0.13)
    paint(picture, [(-1, far), (far_right, far), (near_right, SIDE + 1), (-1, SIDE + 1)], wood)
    edge = [
        (far_right, far),
        (near_right, SIDE + 1),
        (near_right + 7, SIDE + 1),
        (far_right + 2.5, far + 2.5),
    ]
    paint(picture, edge, lambda y, x: tinted((92, 62, 44), 0.8 + 0.5 * (noise(95, y / 3, x / 9, 3) - 0.5)))
    line(picture, [(-1, far + 0.4), (far_right, far + 0.4)], 1, (232, 184, 132))
    for x, foot, wide, high in ((112, 436, 13, 50), (170, 492, 18, 66)):
        paint(
            picture,
            [
                (x + 1, foot),
                (x + wide - 1, foot),
                (x - high * 0.9, foot + high * 0.34 + 4),
                (x - high * 0.9 - wide, foot + high * 0.34 + 4),
            ],
            (34, 22, 40),
            0.42,
        )
        pile(x, foot, wide, high)
    # A crate and a lifebuoy against it, and a coil of rope.
    paint(picture, [(26, 478), (66, 478), (40, 492), (2, 492)], (34, 22, 40), 0.42)

    def slats(y: Plane, x: Plane) -> Plane:
        light = (
            0.82
            + 0.30 * smooth(x, 24, 66)
            - 0.5 * ((y - 440) % 8 < 0.9)
            + 0.4 * (noise(96, y / 1.4, x / 16, 4) - 0.5)
        )
        return tinted((206, 150, 88), light)

    paint(picture, box(24, 440, 66, 480), slats)
    paint(
        picture,
        [(24, 440), (31, 433), (72, 433), (66, 440)],
        lambda y, x: tinted((232, 184, 120), 0.85 + 0.4 * (noise(97, y, x / 12, 3) - 0.5)),
    )
    paint(
        picture,
        [(66, 440), (72, 433), (72, 471), (66, 480)],
        lambda y, x: tinted((226, 160, 92), 0.95 + 0.3 * (noise(98, y / 1.4, x / 3, 3) - 0.5)),
    )
    for bar in (
        box(24, 440, 66, 444.5),
        box(24, 475.5, 66, 480),
        box(24, 440, 28.5, 480),
        box(61.5, 440, 66, 480),
    ):
        paint(
            picture, bar, lambda y, x: tinted((176, 118, 66), 0.9 + 0.4 * (noise(99, y / 4, x / 4, 4) - 0.5))
        )
    line(picture, [(28.5, 475.5), (61.5, 444.5)], 4.2, (160, 106, 60))
    line(picture, [(28.5, 477.4), (61.5, 446.4)], 0.5, (70, 44, 30))
    for turn in range(4):
        coil = oval(96, 480 - turn * 2.6, 17 - turn * 1.2, 6.4 - turn * 0.5, 40)
        for thick, colour in ((3.2, (104, 80, 52)), (2.0, (226, 198, 144))):
            line(picture, [*coil, coil[0]], thick, colour)
    ring = np.arange(41) * 2 * np.pi / 40
    paint(picture, oval(44, 462, 15.5, 15.5, 40), (34, 22, 40), 0.35)
    for part in range(40):
        a, b = ring[part] + 0.2, ring[part + 1] + 0.2
        corners = [
            (46 + r * float(np.cos(t)), 460 + r * float(np.sin(t)))
            for r, t in ((15, a), (15, b + 0.02), (8.6, b + 0.02), (8.6, a))
        ]
        tone = 0.86 + 0.16 * float(np.cos(a + 0.8))
        paint(picture, corners, toned(((226, 48, 44), (252, 246, 236))[part // 5 % 2], tone))


def harbour() -> Image.Image:
    """Render a harbour: sky, hills, houses, a lighthouse, water, boats and a pier; 512x512."""
    picture = np.repeat(np.repeat(sky(), FINE, axis=0), FINE, axis=1)
    hills(picture)
    gulls(picture)
    houses(picture)
    quay(picture)
    lighthouse(picture)
    np.clip(picture, 0, 255, out=picture)
    waves = swell()
    water(picture, waves)
    float_on(picture, waves, ship=trawler(352), waterline=352)
    float_on(picture, waves, ship=sloop(428), waterline=428)
    pier(picture)
    np.clip(picture, 0, 255, out=picture)
    fine = picture.reshape(SIDE, FINE, SIDE, FINE, 3).mean(axis=(1, 3), dtype=np.float64)
    grey = fine.mean(axis=2, keepdims=True)
    level = np.clip(grey + 1.12 * (fine - grey), 0, 255) / 255
    graded = level + 0.16 * level * (1 - level) * (2 * level - 1)  # a little more contrast
    return Image.fromarray((255 * np.clip(graded, 0, 1)).round().astype(np.uint8))
