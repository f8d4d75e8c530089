"""Time a layer on this machine with every backend, device and number of threads."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from convviz.compute import backends, conv
from convviz.compute.weights import LayerWeights
from convviz.images.picture import Picture
from convviz.machine import parallel
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d


@dataclass(frozen=True, slots=True)
class Rate:
    """The time that one way of computing takes.

    Parameters
    ----------
    backend, device : str
        The backend that computes, and its device.
    threads : int or None
        The number of processor threads; None on other devices.
    seconds : float
        The median time of the runs, with padding and bias, without reading and drawing.
    fastest, slowest : float
        The shortest and the longest time.
    runs : int
        The number of timed runs; one untimed run comes first.
    flops : float
        Floating-point operations per second, 2 for each MAC.
    """

    backend: str
    device: str
    threads: int | None
    seconds: float
    fastest: float
    slowest: float
    runs: int
    flops: float


@dataclass(frozen=True, slots=True, eq=False)
class Benchmark:
    """The times of a layer on a picture, for every way of computing.

    Parameters
    ----------
    layer : Conv2d
        The layer.
    shape : (int, int, int)
        The shape of the input (C, H, W).
    rates : list of Rate
        One rate for each of `ways`.
    auto : str
        The backend that ``auto`` chooses.
    """

    layer: Conv2d
    shape: tuple[int, int, int]
    rates: list[Rate]
    auto: str

    @property
    def macs(self) -> int:
        """The number of multiply-accumulate operations of one run."""
        return self.layer.macs(self.shape)

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """The shape of the output (O, H', W')."""
        size = self.layer.output_size(HW(*self.shape[1:]))
        return self.layer.out_channels, size.h, size.w


def benchmark(layer: Conv2d, picture: Picture, weights: LayerWeights, *, seconds: float = 1.0) -> Benchmark:
    """Time every way to compute a layer; the parameters are those of `rates`."""
    taken = backends.choose("auto", macs=layer.macs(picture.shape))
    found = list(rates(layer, picture, weights, seconds=seconds))
    return Benchmark(layer, picture.shape, found, taken)


def ways() -> list[tuple[str, str, int | None]]:
    """List every combination of backend, device and number of threads on this machine.

    Examples
    --------
    >>> ways()[0]
    ('numpy', 'cpu', 1)
    """
    counts = sorted({1, parallel.cores()})
    return [
        (name, device, threads)
        for name in backends.names()
        for device in backends.devices(name)
        for threads in (counts if device == "cpu" else [None])
    ]


def rates(layer: Conv2d, picture: Picture, weights: LayerWeights, *, seconds: float = 1.0) -> Iterator[Rate]:
    """Time every way to compute a layer.

    Parameters
    ----------
    layer : Conv2d
        The layer.
    picture : Picture
        Its input.
    weights : LayerWeights
        Its weights.
    seconds : float
        The time to spend on each way; at least three runs are timed.

    Yields
    ------
    Rate
        One rate for each of `ways`, as soon as it is known.
    """
    x = picture.x
    for backend, device, threads in ways():
        before = parallel.limited()
        parallel.limit(threads or 0)
        try:
            # The first run imports modules, allocates memory and starts threads.
            conv.apply(layer, x, weights, backend=backend, device=device)
            taken: list[float] = []
            while len(taken) < 3 or sum(taken) < seconds:
                start = time.perf_counter()
                conv.apply(layer, x, weights, backend=backend, device=device)
                taken.append(time.perf_counter() - start)
        finally:
            parallel.limit(before)
        median = statistics.median(taken)
        flops = 2 * layer.macs(picture.shape) / median
        yield Rate(backend, device, threads, median, min(taken), max(taken), len(taken), flops)
