"""How much arrays are enlarged or reduced to be drawn."""

from convviz.spec import scales
from convviz.spec.geometry import HW

# Cells of at least this many pixels are separated by lines, and hold their numbers where those fit.
CELL = 12
# The scale of a map with at most this many rows and columns goes from its minimum to its maximum, however it
# is drawn: a tile of the default size has the numbers of such a map, and numbers that are read are not cut.
MOST_WHOLE = 26
# The longest side of a map by default, in pixels; and from which number on it is less, for maps that are
# enlarged without their numbers: 128 of them with the usual side make 8000 pixels, which show no more.
USUAL, _MANY, _SIDE = 320, 32, 160


def is_whole(size: HW) -> bool:
    """Return whether the scale of a map of this size goes from its minimum to its maximum.

    Examples
    --------
    >>> is_whole(HW(26, 3)), is_whole(HW(26, 27))
    (True, False)
    """
    return max(size) <= MOST_WHOLE


def fit(size: HW, longest: int | None) -> float:
    """Choose the scale that brings an array to at most `longest` pixels.

    Parameters
    ----------
    size : HW
        Rows and columns of the array.
    longest : int or None
        Pixels of the longest side; None keeps the array as it is.

    Returns
    -------
    float
        A whole number to enlarge by, or a fraction to reduce by.

    Examples
    --------
    >>> fit(HW(3, 5), 320), fit(HW(640, 480), 320), fit(HW(640, 480), None)
    (64, 0.5, 1)
    """
    side = max(size)
    if longest is None:
        return 1
    # Cells of more than 96 pixels say no more than smaller ones.
    return min(longest // side, 96) if side <= longest else longest / side


def usual(count: int, *sizes: HW) -> int:
    """Choose the longest side of maps on a sheet for which no side was requested.

    Parameters
    ----------
    count : int
        The number of pictures on the sheet.
    sizes : HW
        The sizes of the input and of the maps.

    Returns
    -------
    int
        Less than `USUAL` for many small maps.

    Examples
    --------
    >>> usual(64, HW(28, 28)), usual(6, HW(28, 28)), usual(64, HW(26, 26))
    (160, 320, 320)
    """
    enlarged = max(map(max, sizes)) <= _SIDE
    return _SIDE if are_many(count) and enlarged and not any(map(is_whole, sizes)) else USUAL


def are_many(count: int) -> bool:
    """Return whether so many maps are drawn that each has little room, and needs all of it."""
    return count >= _MANY


def fit_both(before: HW, after: HW, tile: int | None, *, apart: bool = False) -> tuple[float, float]:
    """Choose the scales of input and maps: the same, where both are of similar size.

    Parameters
    ----------
    before, after : HW
        Sizes of the input and of the maps, in pixels.
    tile : int or None
        Longest side on the sheet, in pixels; None keeps every pixel.
    apart : bool
        Whether each has its own scale in any case.

    Returns
    -------
    (float, float)
        As `convviz.spec.scales.fit` gives them.

    Examples
    --------
    >>> fit_both(HW(8, 8), HW(6, 6), 48), fit_both(HW(640, 640), HW(20, 20), 320)
    ((6, 6), (0.5, 16))
    >>> fit_both(HW(112, 112), HW(56, 56), 160, apart=True)
    (1, 2)
    """
    first, second = scales.fit(before, tile), scales.fit(after, tile)
    if max(first, second) <= 2 * min(first, second) and not apart:
        return min(first, second), min(first, second)
    return first, second
