"""Represent one two-dimensional kernel as a checked value."""

import math
from dataclasses import dataclass

from convviz.errors import SpecError
from convviz.spec.geometry import HW
from convviz.text import plural, printable

KernelValues = tuple[tuple[float, ...], ...]


def one_line(text: str, *, most: int = 40) -> str:
    """Format a kernel's name or text on one line of at most `most` characters, for messages."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= most else line[: most - 3] + "..."


def quoted(text: str, *, most: int = 40) -> str:
    """Quote what a user typed, escaped and shortened, for messages."""
    line = " ".join(text.split())
    return repr(line if len(line) <= most else line[: most - 3] + "...")


def exact(value: float) -> str:
    """Format a number so that reading it gives the same number; whole numbers have no decimal point."""
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))


@dataclass(frozen=True, slots=True)
class Kernel:
    """The numbers that multiply one window of one channel.

    The kernel values are applied as cross-correlation, as in ``torch.nn.Conv2d``: the first
    value of the first row multiplies the top left pixel of the window, and nothing is
    flipped.

    Parameters
    ----------
    name : str
        The name of the kernel in captions and messages.
    values : tuple of tuple of float, shape (kh, kw)
        Rows from top to bottom, each from left to right, before the division.
    divisor : float
        What every kernel value is divided by; not 0. A table of whole numbers and a divisor is
        exact even if the weights themselves are rounded.
    source : str
        Where the values come from: author, publication, year.
    equals : str
        Library calls with the same result except at borders; a factor or a sign in
        front shows how they differ.
    about : str
        What the output shows, in a few words.

    Raises
    ------
    SpecError
        If there are no values, the rows differ in length, a value or the divisor is
        not a finite number, or the divisor is 0.

    Examples
    --------
    >>> kernel = Kernel("mean of three", ((1, 1, 1),), divisor=3)
    >>> print(kernel.size, kernel.range)
    1x3 (0.0, 1.0)
    """

    name: str
    values: KernelValues
    divisor: float = 1
    source: str = ""
    equals: str = ""
    about: str = ""

    def __post_init__(self) -> None:
        try:
            values = tuple(tuple(row) for row in self.values)
        except TypeError:
            raise SpecError(
                f"kernel {one_line(self.name)}: expected rows of numbers, not {self.values!r}."
            ) from None
        object.__setattr__(self, "values", values)
        if not values or not values[0]:
            raise SpecError(
                f"kernel {one_line(self.name)}: it has no values; give at least one row of one number."
            )
        for number, row in enumerate(values, 1):
            if len(row) != len(values[0]):
                raise SpecError(
                    f"kernel {one_line(self.name)}: row {number} has {plural(len(row), 'number')}, "
                    f"but row 1 has {len(values[0])}; give every row the same number."
                )
            for column, tap in enumerate(row, 1):
                if not _is_finite(tap):
                    raise SpecError(
                        f"kernel {one_line(self.name)}: row {number}, column {column} must be a finite "
                        f"number, not {one_line(repr(tap))}."
                    )
        if not _is_finite(self.divisor) or self.divisor == 0:
            raise SpecError(
                f"kernel {one_line(self.name)}: the divisor must be a finite number other than 0, "
                f"not {one_line(repr(self.divisor))}."
            )
        if not all(math.isfinite(weight) for row in self.weights for weight in row):
            raise SpecError(
                f"kernel {one_line(self.name)}: a value divided by {self.divisor!r} is too large for a "
                "number; use a larger divisor."
            )

    @property
    def size(self) -> HW:
        """Rows and columns, in values."""
        return HW(len(self.values), len(self.values[0]))

    @property
    def weights(self) -> KernelValues:
        """The kernel values divided by the divisor, shape (kh, kw); they multiply the pixels."""
        divisor = float(self.divisor)
        return tuple(tuple(float(tap) / divisor for tap in row) for row in self.values)

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest output for pixels in [0, 1].

        These are the sum of the negative weights and the sum of the positive weights.

        Examples
        --------
        >>> Kernel("difference", ((-1, 1),)).range
        (-1.0, 1.0)
        """
        weights = [weight for row in self.weights for weight in row]
        return math.fsum(w for w in weights if w < 0), math.fsum(w for w in weights if w > 0)


def _is_finite(value: object) -> bool:
    """Return whether a value is a number that fits a float; True and False are not."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of more than 308 digits
        return False
