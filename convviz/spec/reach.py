"""What an output value depends on: receptive fields along an axis, and as a box."""

import enum
import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Final, NamedTuple

from convviz.spec.geometry import HW

# Values that a transposed convolution makes see alike again after `stride` values; more than so many pairs of
# those with the ones before are not followed.
_LONGEST = 1 << 16


class Reach(NamedTuple):
    """What output values see of the input along one axis.

    Behind a transposed convolution neighbours see differently much, and so they do again
    after every period of values: value ``period * q + r`` sees the pixels from
    ``firsts[r] + q * shift`` to ``lasts[r] + q * shift``, where the period is ``len(firsts)``.

    Parameters
    ----------
    firsts, lasts : tuple of int
        The first and the last input pixel that each value of one period sees; below
        0 lies padding. A value that sees nothing has its first after its last.
    shift : int
        Input pixels from one period to the next.
    """

    firsts: tuple[int, ...] = (0,)
    lasts: tuple[int, ...] = (0,)
    shift: int = 1

    def at(self, index: int) -> tuple[int, int]:
        """Return the first and the last pixel that one value sees.

        Examples
        --------
        >>> Reach().through(3, 2, 1, before=1).at(5)
        (9, 11)
        """
        turns, phase = divmod(index, len(self.firsts))
        return self.firsts[phase] + turns * self.shift, self.lasts[phase] + turns * self.shift

    @property
    def jump(self) -> Fraction:
        """Input pixels between the fields of neighbouring values, on average: the effective stride."""
        return Fraction(self.shift, len(self.firsts))

    @property
    def size(self) -> int:
        """Pixels from the first to the last, of the values that see the most: the receptive field."""
        return max(last - first + 1 for first, last in zip(self.firsts, self.lasts, strict=True))

    @property
    def padding(self) -> int:
        """Pixels before the input that value 0 sees: the effective padding."""
        return -self.firsts[0]

    @property
    def centre(self) -> Fraction:
        """Middle of the field of value 0, in pixels; 0 is the middle of the first pixel."""
        return Fraction(self.firsts[0] + self.lasts[0], 2)

    def _union(self, indices: Iterable[int]) -> tuple[int, int]:
        """Return the pixels that some values see together; an empty range ends before it begins."""
        seen = [self.at(index) for index in indices]
        seen = [(first, last) for first, last in seen if first <= last] or [(0, -1)]
        return min(first for first, _ in seen), max(last for _, last in seen)

    def _ends(self, stop: int, start: int = 0) -> Iterable[int]:
        """Choose the values that decide the ends: those a whole period further inside see no further."""
        period = len(self.firsts)
        return sorted({*range(start, min(stop, start + period)), *range(max(start, stop - period), stop)})

    def through(self, kernel: int, stride: int, dilation: int, *, before: int) -> "Reach":
        """Extend the field by the windows of one more layer.

        Examples
        --------
        >>> Reach().through(3, 2, 1, before=1).through(3, 1, 1, before=1)
        Reach(firsts=(-3,), lasts=(3,), shift=2)
        """
        period = len(self.firsts) // math.gcd(len(self.firsts), stride)
        taps = self._ends(kernel)
        ends = [
            self._union(phase * stride - before + tap * dilation for tap in taps) for phase in range(period)
        ]
        firsts, lasts = zip(*ends, strict=True)
        return Reach(firsts, lasts, self.shift * stride * period // len(self.firsts))

    def through_transposed(self, kernel: int, stride: int, dilation: int, *, padding: int) -> "Reach | None":
        """Extend the field by a transposed convolution; None if the period exceeds `_LONGEST`.

        Output o reads input i where ``o = i * stride - padding + tap * dilation``.

        Examples
        --------
        >>> Reach().through_transposed(3, 2, 1, padding=1)
        Reach(firsts=(0, 0), lasts=(0, 1), shift=1)
        """
        period = len(self.firsts) * stride
        if period * len(self.firsts) > _LONGEST:
            return None
        # Kernel values of the same residue are this far apart, and read inputs this far apart.
        step = stride // math.gcd(stride, dilation)
        first_tap = {tap * dilation % stride: tap for tap in range(min(kernel, step))}
        ends = []
        for phase in range(period):
            tap = first_tap.get((phase + padding) % stride)
            if tap is None:
                ends.append((0, -1))
                continue
            taps = (tap + step * turn for turn in self._ends((kernel - 1 - tap) // step + 1))
            ends.append(self._union((phase + padding - one * dilation) // stride for one in taps))
        firsts, lasts = zip(*ends, strict=True)
        return Reach(firsts, lasts, self.shift)

    def through_parts(self, size: int, count: int) -> "Reach":
        """See through parts that need not be of one size: part i is pixels i * size / count to the next.

        Where a part begins or ends between two pixels it has both.

        Examples
        --------
        >>> Reach().through_parts(5, 2)
        Reach(firsts=(0, 2), lasts=(2, 4), shift=5)
        """
        common = math.gcd(size, count)
        size, count = size // common, count // common  # after which the parts repeat
        turns = len(self.firsts) // math.gcd(len(self.firsts), size)
        ends = [
            self._union(self._ends(-(-(part + 1) * size // count), part * size // count))
            for part in range(count * turns)
        ]
        firsts, lasts = zip(*ends, strict=True)
        return Reach(firsts, lasts, self.shift * size * turns // len(self.firsts))

    def joined(self, other: "Reach") -> "Reach | None":
        """Join two fields; None where their strides differ."""
        if self.jump != other.jump:
            return None
        period = math.lcm(len(self.firsts), len(other.firsts))
        ends = []
        for index in range(period):
            both = [pair for pair in (self.at(index), other.at(index)) if pair[0] <= pair[1]] or [(0, -1)]
            ends.append((min(first for first, _ in both), max(last for _, last in both)))
        firsts, lasts = zip(*ends, strict=True)
        return Reach(firsts, lasts, self.shift * period // len(self.firsts))


class Whole(enum.Enum):
    """What takes the place of a `Reach` where a value depends on the whole input."""

    WHOLE = "the whole input"


WHOLE: Final = Whole.WHOLE
# None where it is not defined.
Sight = Reach | Whole | None


def together(sights: Iterable[Sight]) -> Sight:
    """See what any of several values sees.

    Examples
    --------
    >>> together([Reach(), Reach().through(3, 1, 1, before=1)])
    Reach(firsts=(-1,), lasts=(1,), shift=1)
    >>> together([Reach(), WHOLE]), together([Reach(), None])
    (<Whole.WHOLE: 'the whole input'>, None)
    """
    first, *others = sights
    for other in others:
        if other == first:
            continue
        if WHOLE in (first, other):
            first = WHOLE
        elif isinstance(first, Reach) and isinstance(other, Reach):
            first = first.joined(other)
        else:
            first = None
    return first


class Box(NamedTuple):
    """The rows and columns of the input that a value sees; those outside of the input are padding.

    Parameters
    ----------
    top, bottom, left, right : int
        First and last row, first and last column.
    """

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def of(cls, height: Reach, width: Reach, at: HW) -> "Box":
        """Find the box that the value at row and column `at` sees.

        Examples
        --------
        >>> reach = Reach().through(3, 2, 1, before=1)
        >>> Box.of(reach, reach, HW(0, 5))
        Box(top=-1, bottom=1, left=9, right=11)
        """
        return cls(*height.at(at.h), *width.at(at.w))

    @property
    def size(self) -> HW:
        """Size in pixels, with those of the padding."""
        return HW(self.bottom - self.top + 1, self.right - self.left + 1)

    def inside(self, size: HW) -> "Box":
        """Leave out the padding."""
        return Box(
            max(self.top, 0), min(self.bottom, size.h - 1), max(self.left, 0), min(self.right, size.w - 1)
        )

    def __str__(self) -> str:
        return f"rows {self.top} to {self.bottom}, columns {self.left} to {self.right}"


class Area(NamedTuple):
    """A part of a picture by its edges, which may lie within pixels.

    Parameters
    ----------
    top, bottom, left, right : float
        Distances from the top and the left edge of the picture, in pixels.
    """

    top: float
    bottom: float
    left: float
    right: float

    @property
    def height(self) -> float:
        """Height, in pixels; 0 if there is nothing."""
        return max(self.bottom - self.top, 0.0)

    @property
    def width(self) -> float:
        """Width, in pixels; 0 if there is nothing."""
        return max(self.right - self.left, 0.0)

    @property
    def pixels(self) -> Box:
        """The rows and columns that it covers, also those that it covers in part.

        Examples
        --------
        >>> print(Area(0.5, 2, -0.25, 3.1).pixels)
        rows 0 to 1, columns -1 to 3
        """
        return Box(
            math.floor(self.top), math.ceil(self.bottom) - 1, math.floor(self.left), math.ceil(self.right) - 1
        )
