"""Define the kernels that have a name.

Kernel values are applied as cross-correlation, as in torch: they multiply the pixels in
the order shown, top left first. Columns run to the right and rows run downwards, so
the output of a kernel "to the right" is positive where brightness rises with the
column. Angles are in degrees, counter-clockwise on the screen: 0 is horizontal, 45 is /.
A compass kernel is named after the side of its positive values.
"""

import difflib
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from convviz.errors import SpecError
from convviz.spec.kernels.kernel import Kernel, KernelValues, exact, quoted

LARGEST = 1001  # values along one side of a formula's kernel
ROOT2 = math.sqrt(2)

_BINOMIAL = "binomial coefficients, definition"
_BURT = "Burt and Adelson, The Laplacian pyramid as a compact image code, 1983 (a = 3/8)"
_DIFFERENCE = "finite differences, definition"
_FREI_CHEN = "Frei and Chen, Fast boundary detection, IEEE Trans. Computers C-26, 1977"
_GIMP = "GIMP user manual, convolution matrix"
_GONZALEZ = "Gonzalez and Woods, Digital Image Processing, 2nd edition, 2002, section 10.1"
_HAAR = "Haar, Zur Theorie der orthogonalen Funktionensysteme, 1910; two-dimensional products"
_KIRSCH = "Kirsch, Computer determination of the constituent structure of biological images, 1971"
_MARR = "Marr and Hildreth, Theory of edge detection, 1980"
_PREWITT = "Prewitt, Object enhancement and extraction, 1970"
_ROBERTS = "Roberts, Machine perception of three-dimensional solids, thesis, MIT, 1963"
_ROBINSON = "Robinson, Edge detection by compass gradient masks, 1977 (five-level masks)"
_SCHARR = "Scharr, Optimale Operatoren in der digitalen Bildverarbeitung, thesis, Heidelberg, 2000"
_SOBEL = "Sobel and Feldman, talk at SAIL, 1968"
_SOBEL5 = "Sobel's operator on binomial coefficients of order 4, as in the OpenCV documentation"

_RIGHT = "edges where brightness rises to the right"
_DOWN = "edges where brightness rises downwards"

# A name `SET-member` belongs to the set `SET`; its members share one size, so they can form one layer.
SETS: dict[str, str] = {
    "diff": "differences of neighbours, to the right and downwards",
    "haar": "the four Haar wavelets; use stride 2",
    "sobel": "the Sobel derivatives, to the right and downwards",
    "sobel5": "the Sobel derivatives on 5x5 pixels",
    "prewitt": "the Prewitt derivatives, to the right and downwards",
    "scharr": "the Scharr derivatives, to the right and downwards",
    "roberts": "the Roberts cross, along both diagonals",
    "kirsch": "the eight Kirsch compass directions",
    "robinson": "the eight Robinson compass directions",
    "frei-chen": "the nine Frei-Chen masks: edges, lines and the mean",
    "line": "thin bright lines in four directions",
}

PRESETS: tuple[Kernel, ...] = (
    Kernel(
        "identity",
        ((0, 0, 0), (0, 1, 0), (0, 0, 0)),
        1,
        "definition",
        about="the picture itself",
    ),
    Kernel(
        "gaussian-3",
        ((1, 2, 1), (2, 4, 2), (1, 2, 1)),
        16,
        _BINOMIAL,
        "cv2.GaussianBlur(ksize=(3, 3), sigmaX=0)",
        "a slight blur",
    ),
    Kernel(
        "gaussian-5",
        ((1, 4, 6, 4, 1), (4, 16, 24, 16, 4), (6, 24, 36, 24, 6), (4, 16, 24, 16, 4), (1, 4, 6, 4, 1)),
        256,
        _BURT,
        "cv2.GaussianBlur(ksize=(5, 5), sigmaX=0)",
        "a soft blur",
    ),
    Kernel(
        "sharpen",
        ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
        1,
        "identity minus laplacian, definition",
        about="the picture with its edges raised",
    ),
    Kernel(
        "sharpen-8",
        ((-1, -1, -1), (-1, 9, -1), (-1, -1, -1)),
        1,
        "identity minus laplacian-8, definition",
        "PIL.ImageFilter.EDGE_ENHANCE_MORE, which clips to 0..255",
        "the picture with its edges raised strongly, diagonals too",
    ),
    Kernel(
        "unsharp",
        (
            (-1, -4, -6, -4, -1),
            (-4, -16, -24, -16, -4),
            (-6, -24, 476, -24, -6),
            (-4, -16, -24, -16, -4),
            (-1, -4, -6, -4, -1),
        ),
        256,
        "photographic unsharp masking: twice identity minus gaussian-5, definition",
        about="the picture sharpened by what a blur removes",
    ),
    Kernel(
        "emboss",
        ((-2, -1, 0), (-1, 1, 1), (0, 1, 2)),
        1,
        _GIMP,
        about="the picture as a relief, lit along one diagonal",
    ),
    Kernel(
        "outline",
        ((-1, -1, -1), (-1, 8, -1), (-1, -1, -1)),
        1,
        _GONZALEZ,
        "PIL.ImageFilter.FIND_EDGES, which clips to 0..255",
        "pixels brighter than their eight neighbours: points and outlines",
    ),
    Kernel(
        "laplacian",
        ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
        1,
        "second differences along both axes, definition",
        "scipy.ndimage.laplace, cv2.Laplacian(ksize=1), -skimage.filters.laplace",
        "pixels darker than their four neighbours; 0 on flat ground and on ramps",
    ),
    Kernel(
        "laplacian-8",
        ((1, 1, 1), (1, -8, 1), (1, 1, 1)),
        1,
        "second differences along both axes and both diagonals, definition",
        about="pixels darker than their eight neighbours",
    ),
    Kernel(
        "log-5",
        ((0, 0, -1, 0, 0), (0, -1, -2, -1, 0), (-1, -2, 16, -2, -1), (0, -1, -2, -1, 0), (0, 0, -1, 0, 0)),
        1,
        _GONZALEZ,
        about="bright spots a few pixels wide, in whole numbers; the sign is opposite to log",
    ),
    Kernel("diff-x", ((0, 0, 0), (0, -1, 1), (0, 0, 0)), 1, _DIFFERENCE, "numpy.diff(axis=1)", _RIGHT),
    Kernel("diff-y", ((0, 0, 0), (0, -1, 0), (0, 1, 0)), 1, _DIFFERENCE, "numpy.diff(axis=0)", _DOWN),
    Kernel(
        "haar-mean",
        ((1, 1), (1, 1)),
        2,
        _HAAR,
        "pywt.dwt2(x, 'haar')[0] at stride 2",
        "twice the mean of each 2x2 block",
    ),
    Kernel(
        "haar-x",
        ((-1, 1), (-1, 1)),
        2,
        _HAAR,
        "-pywt.dwt2(x, 'haar')[1][1] at stride 2",
        _RIGHT,
    ),
    Kernel(
        "haar-y",
        ((-1, -1), (1, 1)),
        2,
        _HAAR,
        "-pywt.dwt2(x, 'haar')[1][0] at stride 2",
        _DOWN,
    ),
    Kernel(
        "haar-d",
        ((1, -1), (-1, 1)),
        2,
        _HAAR,
        "pywt.dwt2(x, 'haar')[1][2] at stride 2",
        "corners and diagonal detail",
    ),
    Kernel(
        "sobel-x",
        ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
        1,
        _SOBEL,
        "scipy.ndimage.sobel(axis=1), cv2.Sobel(dx=1, dy=0), 4 * skimage.filters.sobel_v",
        _RIGHT,
    ),
    Kernel(
        "sobel-y",
        ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
        1,
        _SOBEL,
        "scipy.ndimage.sobel(axis=0), cv2.Sobel(dx=0, dy=1), 4 * skimage.filters.sobel_h",
        _DOWN,
    ),
    Kernel(
        "sobel5-x",
        ((-1, -2, 0, 2, 1), (-4, -8, 0, 8, 4), (-6, -12, 0, 12, 6), (-4, -8, 0, 8, 4), (-1, -2, 0, 2, 1)),
        1,
        _SOBEL5,
        "cv2.Sobel(dx=1, dy=0, ksize=5)",
        _RIGHT + ", over 5x5 pixels",
    ),
    Kernel(
        "sobel5-y",
        ((-1, -4, -6, -4, -1), (-2, -8, -12, -8, -2), (0, 0, 0, 0, 0), (2, 8, 12, 8, 2), (1, 4, 6, 4, 1)),
        1,
        _SOBEL5,
        "cv2.Sobel(dx=0, dy=1, ksize=5)",
        _DOWN + ", over 5x5 pixels",
    ),
    Kernel(
        "prewitt-x",
        ((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)),
        1,
        _PREWITT,
        "scipy.ndimage.prewitt(axis=1), 3 * skimage.filters.prewitt_v",
        _RIGHT,
    ),
    Kernel(
        "prewitt-y",
        ((-1, -1, -1), (0, 0, 0), (1, 1, 1)),
        1,
        _PREWITT,
        "scipy.ndimage.prewitt(axis=0), 3 * skimage.filters.prewitt_h",
        _DOWN,
    ),
    Kernel(
        "scharr-x",
        ((-3, 0, 3), (-10, 0, 10), (-3, 0, 3)),
        1,
        _SCHARR,
        "cv2.Scharr(dx=1, dy=0), 16 * skimage.filters.scharr_v",
        _RIGHT + ", nearly alike in all directions",
    ),
    Kernel(
        "scharr-y",
        ((-3, -10, -3), (0, 0, 0), (3, 10, 3)),
        1,
        _SCHARR,
        "cv2.Scharr(dx=0, dy=1), 16 * skimage.filters.scharr_h",
        _DOWN + ", nearly alike in all directions",
    ),
    Kernel(
        "roberts-d1",
        ((1, 0), (0, -1)),
        1,
        _ROBERTS,
        "-skimage.filters.roberts_pos_diag",
        "edges where brightness rises to the upper left",
    ),
    Kernel(
        "roberts-d2",
        ((0, 1), (-1, 0)),
        1,
        _ROBERTS,
        "-skimage.filters.roberts_neg_diag",
        "edges where brightness rises to the upper right",
    ),
    Kernel("kirsch-n", ((5, 5, 5), (-3, 0, -3), (-3, -3, -3)), 1, _KIRSCH, about="edges brighter above"),
    Kernel(
        "kirsch-nw",
        ((5, 5, -3), (5, 0, -3), (-3, -3, -3)),
        1,
        _KIRSCH,
        about="edges brighter to the upper left",
    ),
    Kernel(
        "kirsch-w", ((5, -3, -3), (5, 0, -3), (5, -3, -3)), 1, _KIRSCH, about="edges brighter to the left"
    ),
    Kernel(
        "kirsch-sw",
        ((-3, -3, -3), (5, 0, -3), (5, 5, -3)),
        1,
        _KIRSCH,
        about="edges brighter to the lower left",
    ),
    Kernel("kirsch-s", ((-3, -3, -3), (-3, 0, -3), (5, 5, 5)), 1, _KIRSCH, about="edges brighter below"),
    Kernel(
        "kirsch-se",
        ((-3, -3, -3), (-3, 0, 5), (-3, 5, 5)),
        1,
        _KIRSCH,
        about="edges brighter to the lower right",
    ),
    Kernel(
        "kirsch-e", ((-3, -3, 5), (-3, 0, 5), (-3, -3, 5)), 1, _KIRSCH, about="edges brighter to the right"
    ),
    Kernel(
        "kirsch-ne",
        ((-3, 5, 5), (-3, 0, 5), (-3, -3, -3)),
        1,
        _KIRSCH,
        about="edges brighter to the upper right",
    ),
    Kernel("robinson-n", ((1, 2, 1), (0, 0, 0), (-1, -2, -1)), 1, _ROBINSON, about="edges brighter above"),
    Kernel(
        "robinson-nw",
        ((2, 1, 0), (1, 0, -1), (0, -1, -2)),
        1,
        _ROBINSON,
        about="edges brighter to the upper left",
    ),
    Kernel(
        "robinson-w", ((1, 0, -1), (2, 0, -2), (1, 0, -1)), 1, _ROBINSON, about="edges brighter to the left"
    ),
    Kernel(
        "robinson-sw",
        ((0, -1, -2), (1, 0, -1), (2, 1, 0)),
        1,
        _ROBINSON,
        about="edges brighter to the lower left",
    ),
    Kernel("robinson-s", ((-1, -2, -1), (0, 0, 0), (1, 2, 1)), 1, _ROBINSON, about="edges brighter below"),
    Kernel(
        "robinson-se",
        ((-2, -1, 0), (-1, 0, 1), (0, 1, 2)),
        1,
        _ROBINSON,
        about="edges brighter to the lower right",
    ),
    Kernel(
        "robinson-e", ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)), 1, _ROBINSON, about="edges brighter to the right"
    ),
    Kernel(
        "robinson-ne",
        ((0, 1, 2), (-1, 0, 1), (-2, -1, 0)),
        1,
        _ROBINSON,
        about="edges brighter to the upper right",
    ),
    # The nine are orthonormal: 1 to 4 span edges, 5 to 8 span lines, 9 is the mean. Signs are as published.
    Kernel(
        "frei-chen-1",
        ((1, ROOT2, 1), (0, 0, 0), (-1, -ROOT2, -1)),
        2 * ROOT2,
        _FREI_CHEN,
        about="edges: brighter above",
    ),
    Kernel(
        "frei-chen-2",
        ((1, 0, -1), (ROOT2, 0, -ROOT2), (1, 0, -1)),
        2 * ROOT2,
        _FREI_CHEN,
        about="edges: brighter to the left",
    ),
    Kernel(
        "frei-chen-3",
        ((0, -1, ROOT2), (1, 0, -1), (-ROOT2, 1, 0)),
        2 * ROOT2,
        _FREI_CHEN,
        about="edges: ripple, bright to the upper right",
    ),
    Kernel(
        "frei-chen-4",
        ((ROOT2, -1, 0), (-1, 0, 1), (0, 1, -ROOT2)),
        2 * ROOT2,
        _FREI_CHEN,
        about="edges: ripple, bright to the upper left",
    ),
    Kernel("frei-chen-5", ((0, 1, 0), (-1, 0, -1), (0, 1, 0)), 2, _FREI_CHEN, about="lines: vertical"),
    Kernel(
        "frei-chen-6", ((-1, 0, 1), (0, 0, 0), (1, 0, -1)), 2, _FREI_CHEN, about="lines: diagonal, rising /"
    ),
    Kernel(
        "frei-chen-7",
        ((1, -2, 1), (-2, 4, -2), (1, -2, 1)),
        6,
        _FREI_CHEN,
        about="lines: both diagonals and the centre",
    ),
    Kernel(
        "frei-chen-8",
        ((-2, 1, -2), (1, 4, 1), (-2, 1, -2)),
        6,
        _FREI_CHEN,
        about="lines: both axes and the centre",
    ),
    Kernel(
        "frei-chen-9",
        ((1, 1, 1), (1, 1, 1), (1, 1, 1)),
        3,
        _FREI_CHEN,
        about="three times the mean of the window",
    ),
    Kernel(
        "line-h",
        ((-1, -1, -1), (2, 2, 2), (-1, -1, -1)),
        1,
        _GONZALEZ,
        about="bright horizontal lines, one pixel thick",
    ),
    Kernel(
        "line-v",
        ((-1, 2, -1), (-1, 2, -1), (-1, 2, -1)),
        1,
        _GONZALEZ,
        about="bright vertical lines, one pixel thick",
    ),
    Kernel(
        "line-d45",
        ((-1, -1, 2), (-1, 2, -1), (2, -1, -1)),
        1,
        _GONZALEZ,
        about="bright diagonal lines rising to the right, /",
    ),
    Kernel(
        "line-d135",
        ((2, -1, -1), (-1, 2, -1), (-1, -1, 2)),
        1,
        _GONZALEZ,
        about="bright diagonal lines falling to the right, \\",
    ),
)


# The rows below are named tuples: unlike a `Kernel`, they need no checks, and creating the class takes a
# sixth of the time of a dataclass, which every command spends at its start.
class Parameter(NamedTuple):
    """A number that a formula takes.

    Parameters
    ----------
    name : str
        The text before the ``=``.
    about : str
        What it does, with its unit.
    default : float or None
        Its value unless given; None if the formula calculates it.
    automatic : str
        How the formula calculates it, if it does.
    whole, odd : bool
        Whether it must be a whole or an odd number.
    above : float
        What it must exceed.
    least, most : float
        The limits it may reach.
    """

    name: str
    about: str
    default: float | None
    automatic: str = ""
    whole: bool = False
    odd: bool = False
    above: float = -math.inf
    least: float = -math.inf
    most: float = math.inf

    @property
    def default_text(self) -> str:
        """The default as a user would type it, or how it is calculated."""
        return self.automatic if self.default is None else exact(self.default)

    def check(self, value: float) -> None:
        """Refuse a finite number that the formula cannot take.

        Raises
        ------
        SpecError
            If it must be whole or odd but is not, or if it is beyond a limit.
        """
        if (self.whole or self.odd) and value != int(value):
            raise SpecError(f"{self.name} must be a whole number, not {exact(value)}.")
        if value <= self.above:
            raise SpecError(f"{self.name} must be above {exact(self.above)}, not {exact(value)}.")
        if value < self.least:
            raise SpecError(f"{self.name} must be at least {exact(self.least)}, not {exact(value)}.")
        if value > self.most:
            raise SpecError(f"{self.name} must be at most {exact(self.most)}, not {exact(value)}.")
        if self.odd and value % 2 == 0:
            raise SpecError(
                f"{self.name} must be odd, so that it has a middle value, not {exact(value)}; "
                f"take {exact(value + 1)}."
            )


class Formula(NamedTuple):
    """A kernel that is calculated from numbers given by the user.

    Parameters
    ----------
    name : str
        The text before the ``:``.
    parameters : tuple of Parameter
        The numbers it takes, in the order they are written.
    compute : callable
        Takes every parameter by keyword; returns the values and the divisor.
    source, equals, about : str
        As for `Kernel`.
    """

    name: str
    parameters: tuple[Parameter, ...]
    compute: Callable[..., tuple[KernelValues, float]]
    source: str = ""
    equals: str = ""
    about: str = ""

    def kernel(self, given: Mapping[str, float]) -> Kernel:
        """Calculate the kernel.

        Parameters
        ----------
        given : mapping of str to float
            Finite numbers by the name of a parameter; the others keep their default.

        Returns
        -------
        Kernel
            The kernel, named after the formula with the numbers given.

        Raises
        ------
        SpecError
            If a parameter does not exist, or it cannot take that number.

        Examples
        --------
        >>> box = next(formula for formula in FORMULAS if formula.name == "box")
        >>> box.kernel({"size": 2}).values
        ((1, 1), (1, 1))
        """
        values: dict[str, float | None] = {p.name: p.default for p in self.parameters}
        for name in given:
            if name not in values:
                raise SpecError(f"kernel {self.name} has no parameter {quoted(name)}; {self._remedy(name)}")
        try:
            for parameter in self.parameters:
                if parameter.name in given:
                    value = given[parameter.name]
                    parameter.check(value)
                    whole = parameter.whole or parameter.odd
                    values[parameter.name] = int(value) if whole else value
            table, divisor = self.compute(**values)
        except SpecError as error:
            raise SpecError(f"kernel {self.name}: {error}") from None
        numbers = ",".join(f"{p.name}={exact(given[p.name])}" for p in self.parameters if p.name in given)
        name = f"{self.name}:{numbers}" if numbers else self.name
        return Kernel(name, table, divisor, self.source, self.equals, self.about)

    def _remedy(self, name: str) -> str:
        """Name the parameter that was probably meant, or all of them."""
        names = [parameter.name for parameter in self.parameters]
        near = difflib.get_close_matches(name.lower(), names, n=1)
        return f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(names)}."


def _box(*, size: int) -> tuple[KernelValues, float]:
    """Give all pixels of a square the same weight."""
    return ((1,) * size,) * size, size * size


def _gaussian(*, sigma: float, size: int | None) -> tuple[KernelValues, float]:
    """Sample exp(-r^2 / (2 sigma^2)) at the pixel centres; 1 in the middle."""
    row = _bell(sigma, _reach(size, 3 * sigma))
    return tuple(tuple(v * h for h in row) for v in row), math.fsum(row) ** 2


def _log(*, sigma: float, size: int | None) -> tuple[KernelValues, float]:
    """Sample the Laplacian of a Gaussian of sum 1, then subtract the mean, so that flat ground gives 0."""
    reach = _reach(size, 4 * sigma)
    bell = _bell(sigma, reach)
    curve = [
        [
            bell[y + reach] * bell[x + reach] * ((x * x + y * y) / (sigma * sigma) - 2)
            for x in range(-reach, reach + 1)
        ]
        for y in range(-reach, reach + 1)
    ]
    mean = math.fsum(value for row in curve for value in row) / (2 * reach + 1) ** 2
    table = tuple(tuple(value - mean for value in row) for row in curve)
    return table, math.fsum(bell) ** 2 * sigma * sigma


def _dog(*, sigma: float, ratio: float, size: int | None) -> tuple[KernelValues, float]:
    """Subtract a wide Gaussian of sum 1 from a narrow one of sum 1."""
    reach = _reach(size, 3 * sigma * ratio)
    narrow, wide = _bell(sigma, reach), _bell(sigma * ratio, reach)
    of_narrow, of_wide = math.fsum(narrow) ** 2, math.fsum(wide) ** 2
    side = range(2 * reach + 1)
    return tuple(
        tuple(narrow[y] * narrow[x] / of_narrow - wide[y] * wide[x] / of_wide for x in side) for y in side
    ), 1


def _gabor(
    *, sigma: float, theta: float, wavelength: float, gamma: float, psi: float, size: int | None
) -> tuple[KernelValues, float]:
    """Sample a wave under a bell: exp(-(u^2 + gamma^2 v^2) / (2 sigma^2)) cos(2 pi u / wavelength + psi)."""
    reach = _reach(size, 3 * sigma / min(gamma, 1))
    cosine, sine = _direction(theta)
    phase = math.radians(psi)

    def tap(x: int, y: int) -> float:
        u, v = x * cosine - y * sine, x * sine + y * cosine  # y runs downwards, theta upwards
        a, b = u / sigma, gamma * v / sigma
        return math.exp(-(a * a + b * b) / 2) * math.cos(2 * math.pi * u / wavelength + phase)

    side = range(-reach, reach + 1)
    return tuple(tuple(tap(x, y) for x in side) for y in side), 1


def _motion(*, size: int, angle: float) -> tuple[KernelValues, float]:
    """Draw a straight line of `size` pixels; a value is 1 minus its distance from the line, at least 0."""
    reach = size // 2
    cosine, sine = _direction(angle)

    def tap(x: int, y: int) -> float:
        along = min(max(x * cosine - y * sine, -reach), reach)
        return max(0.0, 1 - math.hypot(x - along * cosine, y + along * sine))

    side = range(-reach, reach + 1)
    table = tuple(tuple(tap(x, y) for x in side) for y in side)
    return table, math.fsum(value for row in table for value in row)


def _shift(*, x: int, y: int) -> tuple[KernelValues, float]:
    """Select the pixel that lies x columns to the left and y rows above."""
    reach = max(abs(x), abs(y))
    side = range(-reach, reach + 1)
    return tuple(tuple(int((column, row) == (-x, -y)) for column in side) for row in side), 1


def _reach(size: int | None, radius: float) -> int:
    """Return the number of values on either side of the middle one, from the size or the radius to cover."""
    if size is not None:
        return size // 2
    reach = math.ceil(radius)
    if 2 * reach + 1 > LARGEST:
        raise SpecError(
            f"these numbers call for a size of {2 * reach + 1}, above {LARGEST}; give size={LARGEST} or less."
        )
    return reach


def _bell(sigma: float, reach: int) -> list[float]:
    """Sample exp(-x^2 / (2 sigma^2)) for x from -reach to reach."""
    return [math.exp(-(x / sigma) * (x / sigma) / 2) for x in range(-reach, reach + 1)]


def _direction(degrees: float) -> tuple[float, float]:
    """Return the cosine and sine of an angle, with exact zeros at right angles."""
    angle = math.radians(degrees % 360)
    return round(math.cos(angle), 15) + 0.0, round(math.sin(angle), 15) + 0.0


def _sigma(about: str, default: float, *, least: float = -math.inf) -> Parameter:
    """Describe the width of a bell."""
    return Parameter("sigma", about, default, above=0, least=least, most=1000)


def _size(automatic: str, *, least: int = 1) -> Parameter:
    """Describe the side of a square with a value in its middle."""
    about = f"side of the kernel; odd, up to {LARGEST}"
    return Parameter("size", about, None, automatic, odd=True, least=least, most=LARGEST)


FORMULAS: tuple[Formula, ...] = (
    Formula(
        "box",
        (Parameter("size", f"side of the square; up to {LARGEST}", 3, whole=True, least=1, most=LARGEST),),
        _box,
        "arithmetic mean, definition",
        "scipy.ndimage.uniform_filter(size), cv2.blur((size, size))",
        "the mean of a square: a hard blur",
    ),
    Formula(
        "gaussian",
        (_sigma("standard deviation, in pixels", 1), _size("2 * ceil(3 * sigma) + 1")),
        _gaussian,
        "normal distribution sampled at pixel centres, sum 1, definition",
        "scipy.ndimage.gaussian_filter(sigma, radius=size // 2), cv2.GaussianBlur((size, size), sigma)",
        "a soft blur of any strength",
    ),
    Formula(
        "log",
        (
            _sigma("standard deviation of the blur, in pixels", 1, least=0.1),
            _size("2 * ceil(4 * sigma) + 1", least=3),
        ),
        _log,
        _MARR,
        "fspecial('log', size, sigma) of MATLAB",
        "Laplacian of a Gaussian: dark blobs of radius sigma * sqrt(2); zero crossings are edges",
    ),
    Formula(
        "dog",
        (
            _sigma("standard deviation of the narrow blur, in pixels", 1),
            Parameter("ratio", "wide to narrow standard deviation", 1.6, above=1, most=100),
            _size("2 * ceil(3 * sigma * ratio) + 1", least=3),
        ),
        _dog,
        _MARR,
        "cv2.GaussianBlur((size, size), sigma) - cv2.GaussianBlur((size, size), sigma * ratio)",
        "difference of Gaussians: bright blobs; resembles -log",
    ),
    Formula(
        "gabor",
        (
            _sigma("standard deviation of the bell along the wave, in pixels", 2),
            Parameter("theta", "direction in which the wave runs, in degrees; 0 finds vertical stripes", 0),
            Parameter("wavelength", "pixels from crest to crest, at least 2", 4, least=2),
            Parameter(
                "gamma", "sigma along the wave / across it: below 1 is a longer bell", 1, least=0.01, most=100
            ),
            Parameter("psi", "phase, in degrees: 0 finds bright stripes, 90 edges", 0),
            _size("2 * ceil(3 * sigma / min(gamma, 1)) + 1"),
        ),
        _gabor,
        "Daugman, Uncertainty relation optimized by visual cortical filters, 1985; "
        "parameters of Petkov and Kruizinga, 1997",
        "cv2.getGaborKernel((size, size), sigma, -theta, wavelength, gamma, -psi), in radians",
        "stripes of one width in one direction",
    ),
    Formula(
        "motion",
        (
            Parameter(
                "size",
                f"length of the line, in values; odd, up to {LARGEST}",
                9,
                odd=True,
                least=1,
                most=LARGEST,
            ),
            Parameter("angle", "direction of the line, in degrees: 0 horizontal, 45 rising to the right", 0),
        ),
        _motion,
        "mean along an anti-aliased line, definition",
        "",
        "the picture as a moving camera would take it",
    ),
    Formula(
        "shift",
        (
            Parameter("x", "pixels to the right; negative to the left", 1, whole=True, least=-500, most=500),
            Parameter("y", "pixels downwards; negative upwards", 0, whole=True, least=-500, most=500),
        ),
        _shift,
        "definition",
        "scipy.ndimage.shift(shift=(y, x), order=0)",
        "the picture moved: the 1 of the kernel lies on the side the pixels come from",
    ),
)
