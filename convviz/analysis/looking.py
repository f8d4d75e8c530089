"""Reduce the activations of a layer to one picture that says where the layer responds."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convviz.compute.networks.engine import Linear
from convviz.errors import SpecError
from convviz.images.finite import all_finite
from convviz.spec.reach import Reach
from convviz.text import plural
from convviz.typing import Floats

# The largest difference between two ways to compute one score, as a share of the largest score.
_SAME = 1e-3


def reduced(maps: Floats, how: str) -> Floats:
    """Reduce maps to one value per position.

    Parameters
    ----------
    maps : ndarray, shape (C, H, W), float32
        The maps.
    how : {"mean", "max", "l2"}
        The mean, the maximum, or the square root of the sum of squares over the maps.

    Returns
    -------
    ndarray, shape (H, W), float32
        One value per position; NaN where a map is NaN.

    Examples
    --------
    >>> maps = np.array([[[3, -1]], [[4, 3]]], np.float32)
    >>> [reduced(maps, how).tolist() for how in ("mean", "max")]
    [[[3.5, 1.0]], [[4.0, 3.0]]]
    >>> reduced(maps, "l2")[0, 0].item()
    5.0
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(_REDUCTIONS[how](maps.astype(np.float64)), np.float32)


_REDUCTIONS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "mean": lambda maps: maps.mean(axis=0),
    "max": lambda maps: maps.max(axis=0),
    "l2": lambda maps: np.sqrt(np.square(maps).sum(axis=0)),
}


class Components(NamedTuple):
    """The principal components of the positions of a layer, each a vector of C values.

    Parameters
    ----------
    maps : ndarray, shape (K, H, W), float32
        The projection of every position on each component.
    directions : ndarray, shape (K, C), float64
        The components, of length 1.
    shares : tuple of float
        The share of the variance that each component explains.
    """

    maps: Floats
    directions: NDArray[np.float64]
    shares: tuple[float, ...]


def components(maps: Floats, count: int = 3) -> Components:
    """Compute the principal components of the positions of a layer.

    Parameters
    ----------
    maps : ndarray, shape (C, H, W), float32
        The maps; every position is a sample of C values. Channels are centred, not scaled.
    count : int
        The number of components; at most as many as there are channels and positions.

    Returns
    -------
    Components
        The largest value of each direction by magnitude is positive, so that the same maps
        have the same colours on every machine.

    Raises
    ------
    SpecError
        If a value is not finite, or all positions are equal.

    Examples
    --------
    >>> found = components(np.array([[[0, 2, 4]], [[1, 1, 1]]], np.float32), 1)
    >>> found.maps.tolist(), found.directions.tolist()
    ([[[-2.0, 0.0, 2.0]]], [[1.0, 0.0]])
    """
    if not all_finite(maps):
        raise SpecError("how: components need finite values, and this layer has NaN or infinity.")
    positions = maps.reshape(len(maps), -1).T.astype(np.float64)
    positions -= positions.mean(axis=0)
    total = float(np.square(positions).sum())
    if not total:
        raise SpecError("how: all positions of this layer are equal, so that they have no components.")
    _, lengths, directions = np.linalg.svd(positions, full_matrices=False)
    directions = directions[:count]
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    projected = (positions @ directions.T).T.reshape(-1, *maps.shape[1:])
    shares = tuple(float(one) for one in np.square(lengths[:count]) / total)
    return Components(np.asarray(projected, np.float32), directions, shares)


def eigencam(maps: Floats) -> Floats:
    """Compute Eigen-CAM: the positive part of the projection on the first principal component.

    Parameters
    ----------
    maps : ndarray, shape (C, H, W), float32
        The maps.

    Returns
    -------
    ndarray, shape (H, W), float32
        The sign of the component is the one for which stronger positions (`reduced` by "l2") have
        larger values. Muhammad and Yeasin (2020), https://arxiv.org/abs/2008.00299.

    Raises
    ------
    SpecError
        As for `components`.

    Examples
    --------
    >>> eigencam(np.array([[[0, 0, 3]], [[0, 0, 0]]], np.float32)).tolist()
    [[0.0, 0.0, 2.0]]
    """
    (projection,) = components(maps, 1).maps
    strength = reduced(maps, "l2")
    if np.vdot(projection, strength - strength.mean()) < 0:
        projection = -projection
    found: Floats = np.maximum(projection, 0)
    return found


def weighted(maps: Floats, weights: NDArray[np.floating]) -> Floats:
    """Add up maps, each multiplied by one weight.

    Examples
    --------
    >>> weighted(np.array([[[1, 2]], [[3, 4]]], np.float32), np.array([10, 1])).tolist()
    [[13.0, 24.0]]
    """
    return np.asarray(np.tensordot(weights.astype(np.float64), maps.astype(np.float64), 1), np.float32)


def gradcam(maps: Floats, gradients: Floats) -> Floats:
    """Compute Grad-CAM: the positive part of the maps, weighted by their mean gradients.

    Parameters
    ----------
    maps, gradients : ndarray, shape (C, H, W), float32
        The maps, and the gradient of a score with respect to them.

    Returns
    -------
    ndarray, shape (H, W), float32
        Selvaraju et al. (2017), https://arxiv.org/abs/1610.02391.

    Examples
    --------
    >>> maps = np.array([[[1, 2]], [[3, 0]]], np.float32)
    >>> gradcam(maps, np.array([[[1, 3]], [[-1, -1]]], np.float32)).tolist()
    [[0.0, 4.0]]
    """
    found: Floats = np.maximum(weighted(maps, gradients.mean(axis=(1, 2), dtype=np.float64)), 0)
    return found


def no_class_map(reason: str, *, other: str = "") -> SpecError:
    """Say why there is no exact class activation map, and what to take; `other` is another remedy."""
    return SpecError(
        f"how: cam needs the layer before a global average pool and one linear layer; {reason}; "
        f"take {other}gradcam, or eigencam for an ONNX file."
    )


def class_map(maps: Floats, linear: Linear, scores: Floats, *, target: int) -> Floats:
    """Compute the exact class activation map of a layer before a global average pool and a linear layer.

    Parameters
    ----------
    maps : ndarray, shape (C, H, W), float32
        The maps of the layer.
    linear : Linear
        The linear layer.
    scores : ndarray, shape (N,), float32
        The output of the linear layer in the network.
    target : int
        The class.

    Returns
    -------
    ndarray, shape (H, W), float32
        Values whose mean, plus the bias, is the score of the class. Zhou et al. (2016),
        https://arxiv.org/abs/1512.04150.

    Raises
    ------
    SpecError
        If the scores of the network are not those of the means of these maps.

    Examples
    --------
    >>> maps = np.array([[[1, 3]]], np.float32)
    >>> linear, scores = Linear(np.array([[2], [-1]], np.float32)), np.array([4, -2], np.float32)
    >>> class_map(maps, linear, scores, target=0).tolist()
    [[2.0, 6.0]]
    """
    weight = linear.weight
    if weight.shape[1] != len(maps):
        raise no_class_map(
            f"this layer has {plural(len(maps), 'map')}, and the linear layer reads "
            f"{plural(weight.shape[1], 'value')}",
            other="another layer, ",
        )
    means = maps.mean(axis=(1, 2), dtype=np.float64)
    expected = weight.astype(np.float64) @ means + (0 if linear.bias is None else linear.bias)
    largest = float(np.abs(expected).max()) or 1.0
    difference = float(np.abs(expected - scores).max()) / largest
    if not difference <= _SAME:
        raise no_class_map(
            "the means of these maps give other scores (largest difference "
            f"{difference:.2g} of the largest score)",
            other="the last layer before the pool, ",
        )
    return weighted(maps, weight[target])


class Centres(NamedTuple):
    """Where the positions of a map lie in the picture, in pixels, along one axis.

    Parameters
    ----------
    first, step : float
        The centre of position 0, and the distance between neighbours; 0 is the centre of the first pixel.
    """

    first: float
    step: float

    @classmethod
    def of(cls, count: int, pixels: int, reach: Reach | None) -> "Centres":
        """Take the centres of receptive fields where they are defined, else stretch the map over the axis.

        Examples
        --------
        >>> Centres.of(2, 8, None)
        Centres(first=1.5, step=4.0)
        >>> Centres.of(4, 8, Reach().through(3, 2, 1, before=1))
        Centres(first=0.0, step=2.0)
        """
        if reach is not None and len(reach.firsts) == 1:
            return cls(float(reach.centre), float(reach.jump))
        return cls(pixels / count / 2 - 0.5, pixels / count)

    def covers(self, at: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        """Return how much pixels belong to positions: 1 up to half a step beyond the last, 0 a whole step.

        Examples
        --------
        >>> Centres(2, 4).covers(np.array([0.0, -1.0, -2.0, 6.0, 9.0]), 2).tolist()
        [1.0, 0.5, 0.0, 1.0, 0.5]
        """
        last = self.first + (count - 1) * self.step
        beyond = np.maximum(np.maximum(self.first - at, at - last), 0) / self.step
        return np.clip(2 - 2 * beyond, 0, 1)


def placed(values: Floats, rows: Centres, columns: Centres, *, at: tuple[NDArray[np.float64], ...]) -> Floats:
    """Interpolate a map between the centres of its positions.

    Parameters
    ----------
    values : ndarray, shape (H, W), float32
        The map.
    rows, columns : Centres
        Where its positions lie.
    at : (ndarray, ndarray)
        The rows and the columns of the picture, in pixels, to compute.

    Returns
    -------
    ndarray, shape (len(rows), len(columns)), float32
        Bilinear interpolation; beyond the first and the last centre the value stays the same.

    Examples
    --------
    >>> values, at = np.array([[0, 4]], np.float32), (np.array([0.0]), np.array([0.0, 1.0, 2.0, 9.0]))
    >>> placed(values, Centres(0, 1), Centres(1, 2), at=at).tolist()
    [[0.0, 0.0, 2.0, 4.0]]
    """
    down, across = (
        _shares(where, of, count) for where, of, count in zip(at, (rows, columns), values.shape, strict=True)
    )
    return np.asarray(down @ values.astype(np.float64) @ across.T, np.float32)


def _shares(where: NDArray[np.float64], centres: Centres, count: int) -> NDArray[np.float64]:
    """Compute how much each position counts at each pixel, shape (pixels, positions)."""
    place = np.clip((where - centres.first) / centres.step, 0, count - 1)
    before = np.minimum(place.astype(int), max(count - 2, 0))
    shares = np.zeros((len(where), count))
    index = np.arange(len(where))
    shares[index, before] = 1 - (place - before)
    shares[index, np.minimum(before + 1, count - 1)] += place - before
    return shares
