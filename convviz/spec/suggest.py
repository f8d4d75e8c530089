"""Layers whose output is close to a wanted size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from convviz.errors import ShapeError
from convviz.spec.geometry import HW, output_length

LARGEST_KERNEL = 15


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Settings and the size of their output.

    Parameters
    ----------
    kernel_size, stride, padding : HW
        Settings of a layer; the padding is the same on both sides of an axis.
    output : HW
        Size of its maps, in pixels.
    """

    kernel_size: HW
    stride: HW
    padding: HW
    output: HW


def suggest(
    size: HW,
    target: HW,
    *,
    kernel_size: HW | None = None,
    stride: HW | None = None,
    padding: HW | None = None,
    dilation: HW = HW(1, 1),
    most: int = 8,
) -> list[Suggestion]:
    """List the settings nearest to a wanted output.

    Parameters
    ----------
    size, target : HW
        Input size and wanted output size, in pixels.
    kernel_size, stride, padding : HW, optional
        Settings to keep.
    dilation : HW
        Pixels between neighbouring kernel values.
    most : int
        How many to list.

    Returns
    -------
    list of Suggestion
        The nearest output first; among equals small odd kernels with padding
        of at most half their span, and a stride of at most the kernel.

    Examples
    --------
    >>> best = suggest(HW(224, 224), HW(112, 112))[0]
    >>> print(best.kernel_size, best.stride, best.padding, best.output)
    3x3 2x2 1x1 112x112
    """
    kept = (kernel_size, stride, padding)
    rows, columns = (
        _axis(
            tuple(size)[axis],
            tuple(target)[axis],
            [None if pair is None else tuple(pair)[axis] for pair in kept],
            dilation=tuple(dilation)[axis],
        )
        for axis in (0, 1)
    )
    # Rows and columns differ only where the sizes, or what is kept, make them differ.
    free = size.h != size.w or target.h != target.w or any(pair is not None for pair in kept)
    found = {
        Suggestion(*(HW(one, other) for one, other in zip(h, w, strict=True)))
        for h in rows
        for w in columns
        if free or h[:3] == w[:3]
    }
    return sorted(found, key=lambda suggestion: _cost(suggestion, target))[:most]


def _axis(
    n: int, target: int, kept: Sequence[int | None], *, dilation: int
) -> list[tuple[int, int, int, int]]:
    """List (kernel, stride, padding, output) along one axis, the best 24."""
    kernel, stride, padding = kept

    def candidates() -> Iterator[tuple[int, int, int, int]]:
        about = -(-n // target)
        for k in [kernel] if kernel else range(1, LARGEST_KERNEL + 1):
            for s in [stride] if stride else sorted({*range(1, 5), *range(max(about - 1, 1), about + 2)}):
                for p in [padding] if padding is not None else range(dilation * (k - 1) // 2 + 1):
                    try:
                        yield k, s, p, output_length(n, k, stride=s, before=p, after=p, dilation=dilation)
                    except ShapeError:
                        continue

    return sorted(candidates(), key=lambda row: (abs(row[3] - target), *_oddity(row[0], row[1], row[2])))[:24]


def _oddity(kernel: int, stride: int, padding: int) -> tuple[int, int, int, int]:
    """Rate how unusual settings are: skipped pixels, even kernels, sizes far from 3, little padding."""
    return max(stride - kernel, 0), 1 - kernel % 2, abs(kernel - 3), abs(kernel // 2 - padding)


def _cost(found: Suggestion, target: HW) -> tuple[int, ...]:
    """Order suggestions: distance first, then settings alike on both axes, then the usual ones."""
    distance = abs(found.output.h - target.h) + abs(found.output.w - target.w)
    alike = sum(pair.h != pair.w for pair in (found.kernel_size, found.stride, found.padding))
    h = _oddity(found.kernel_size.h, found.stride.h, found.padding.h)
    w = _oddity(found.kernel_size.w, found.stride.w, found.padding.w)
    return (
        distance,
        alike,
        *(a + b for a, b in zip(h, w, strict=True)),
        found.kernel_size.h,
        found.kernel_size.w,
    )
