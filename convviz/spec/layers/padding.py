"""Convert every way to write the padding of a convolution, and check what an input allows."""

from typing import Literal, cast, get_args

from convviz.errors import ShapeError, SpecError
from convviz.spec.geometry import HW, Edges

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
Padding = Literal["same", "same-lower", "valid"] | Edges
PaddingLike = int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]] | str | HW | Edges

PADDING_MODES: tuple[PaddingMode, ...] = get_args(PaddingMode)
# Padding that depends on the size of the input, and no padding ("valid").
PADDING_WORDS: tuple[str, ...] = ("same", "same-lower", "valid")


def as_padding(value: PaddingLike) -> Padding:
    """Convert every way to write padding to `Edges`, "same", "same-lower" or "valid".

    Raises
    ------
    SpecError
        If `value` is not one of the forms that `Conv2d` lists.

    Examples
    --------
    >>> print(as_padding((1, 2)), as_padding(((1, 0), (2, 1))), as_padding("same"))
    1,1,2,2 1,0,2,1 same
    """
    if isinstance(value, Edges):
        return value
    if value in PADDING_WORDS:
        return cast("Padding", value)
    try:
        if (
            isinstance(value, tuple | list)
            and len(value) == 2
            and all(isinstance(v, tuple | list) for v in value)
        ):
            top, bottom = HW.of(cast("tuple[int, int]", value[0]))
            left, right = HW.of(cast("tuple[int, int]", value[1]))
            return Edges(top, bottom, left, right)
        h, w = HW.of(cast("int | tuple[int, int] | HW", value))
    except SpecError as error:
        if "padding" in str(error):
            raise
        raise SpecError(
            "padding: expected a whole number, (height, width), ((top, bottom), (left, right)), "
            f"'same', 'same-lower' or 'valid', not {value!r}."
        ) from None
    return Edges(h, h, w, w)


def check_padding(edges: Edges, size: HW, padding_mode: str) -> None:
    """Refuse padding that copies more pixels than an input of `size` has.

    Raises
    ------
    ShapeError
        If a reflected side is not smaller than the input, or a circular one
        is larger; torch refuses both.
    """
    spare = {"reflect": 1, "circular": 0}.get(padding_mode)
    if spare is None:
        return
    for axis, sides, length in (("height", edges.height, size.h), ("width", edges.width, size.w)):
        if max(sides) > length - spare:
            raise ShapeError(
                f"{axis}: {padding_mode} padding of {max(sides)} needs at least {max(sides) + spare} pixels, "
                f"but the input has {length}; pad by at most {length - spare}, or use replicate."
            )
