"""Find the largest value of every map, and rank pictures by it in bounded memory."""

import heapq
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convviz.errors import ShapeError
from convviz.text import plural
from convviz.typing import Floats

# The largest value of a map, and its row and column; NaN if the map holds NaN.
PEAK = np.dtype([("value", "<f4"), ("y", "<i4"), ("x", "<i4")])
Peaks = NDArray[np.void]


def peaks(bands: Iterable[Floats]) -> Peaks:
    """Find the largest value of every map.

    Parameters
    ----------
    bands : iterable of ndarray, shape (M, rows, W), float32
        The rows of all maps from the top down, some at a time.

    Returns
    -------
    ndarray, shape (M,), of `PEAK`
        The value with its row and its column. Of equal values it is the first, row by row. The value of a
        map that holds NaN is NaN.

    Examples
    --------
    >>> maps = np.array([[[0, 7, 7]], [[-3, -1, -2]], [[9, np.nan, 0]]], np.float32)
    >>> peaks([maps, np.full((3, 1, 3), 8, np.float32)]).tolist()
    [(8.0, 1, 0), (8.0, 1, 0), (nan, 0, 1)]
    """
    found: Peaks | None = None
    top = 0
    for band in bands:
        count, rows, width = band.shape
        flat = np.ascontiguousarray(band).reshape(count, -1)
        places = flat.argmax(axis=1)  # of the first NaN, if there is one
        here = np.empty(count, PEAK)
        here["value"] = flat[np.arange(count), places]
        here["y"], here["x"] = top + places // width, places % width
        if found is None:
            found = here
        else:
            above = (here["value"] > found["value"]) | (np.isnan(here["value"]) & ~np.isnan(found["value"]))
            found[above] = here[above]
        top += rows
    assert found is not None
    return found


class Place(NamedTuple):
    """Hold one value of a map of a picture.

    Parameters
    ----------
    value : float
        The value.
    name : str
        The name of the picture.
    y, x : int
        Row and column of the value in the map.
    """

    value: float
    name: str
    y: int
    x: int


class Ranking:
    """Keep, for every map, the pictures with the largest values; memory does not grow with the pictures.

    Parameters
    ----------
    count : int
        The number of pictures to keep for each map.

    Examples
    --------
    >>> ranking = Ranking(2)
    >>> for name, value in (("a", 1), ("b", 5), ("c", 5), ("d", 9), ("e", np.nan)):
    ...     ranking.add(name, peaks([np.full((1, 1, 1), value, np.float32)]))
    >>> [(place.name, place.value) for place in ranking.best(0)], ranking.nan
    ([('d', 9.0), ('b', 5.0)], [1])
    """

    def __init__(self, count: int) -> None:
        self.count, self.pictures = count, 0
        self._heaps: list[list[tuple[float, int, str, int, int]]] = []
        self._least = np.empty(0, np.float32)
        self._filling = np.empty(0, bool)
        self._nan = np.empty(0, np.int64)

    @property
    def maps(self) -> int:
        """The number of maps; 0 before the first picture."""
        return len(self._heaps)

    @property
    def nan(self) -> list[int]:
        """The number of pictures in which each map holds NaN."""
        return [int(one) for one in self._nan]

    def add(self, name: str, found: Peaks) -> None:
        """Take the largest values of one more picture.

        Parameters
        ----------
        name : str
            The name of the picture. Of equal values, those of earlier pictures are kept.
        found : ndarray, shape (M,), of `PEAK`
            The result of `peaks`; NaN is counted and never kept.

        Raises
        ------
        ShapeError
            If other pictures had another number of maps.
        """
        if not self.maps:
            self._heaps = [[] for _ in found]
            self._least = np.full(len(found), -np.inf, np.float32)
            self._filling = np.ones(len(found), bool)
            self._nan = np.zeros(len(found), np.int64)
        if len(found) != self.maps:
            raise ShapeError(
                f"the layer makes {plural(len(found), 'map')} of this picture, and {self.maps} of those "
                "before it; read all with the same channels (mode)."
            )
        values = found["value"]
        nan = np.isnan(values)
        self._nan += nan
        for index in np.flatnonzero((values > self._least) | (self._filling & ~nan)).tolist():
            value, y, x = found[index].tolist()
            heap, entry = self._heaps[index], (value, -self.pictures, name, y, x)
            if len(heap) < self.count:
                heapq.heappush(heap, entry)
            else:
                heapq.heapreplace(heap, entry)
            if len(heap) == self.count:
                self._filling[index], self._least[index] = False, heap[0][0]
        self.pictures += 1

    def best(self, index: int) -> list[Place]:
        """List the largest values of a map, the largest first."""
        heap = sorted(self._heaps[index], reverse=True)
        return [Place(value, name, y, x) for value, _, name, y, x in heap]

    def top(self, count: int) -> list[int]:
        """List the maps with the largest values, the largest first; of equal ones, in their own order."""
        largest = [max((entry[0] for entry in heap), default=-math.inf) for heap in self._heaps]
        kept = [index for index, heap in enumerate(self._heaps) if heap]
        return sorted(kept, key=lambda index: -largest[index])[:count]
