"""What `convviz bench` prints."""

from dataclasses import asdict

from convviz.analysis.measure import Benchmark
from convviz.cli.console import answer, answer_json
from convviz.compute import backends
from convviz.machine import parallel
from convviz.render.words import tables


def show(found: Benchmark, *, json: bool) -> None:
    """Print how long every way to compute takes."""
    if json:
        answer_json(
            {
                "input_shape": list(found.shape),
                "output_shape": list(found.output_shape),
                "macs": found.macs,
                "rates": [asdict(rate) for rate in found.rates],
                "auto": found.auto,
            }
        )
        return
    answer(repr(found.layer))
    answer(f"{_shape(found.shape)} -> {_shape(found.output_shape)}")
    answer(f"MACs: {found.macs:,}")
    answer()
    rows = [
        (of.backend, of.device, of.threads, of.seconds, of.fastest, of.slowest, of.flops)
        for of in found.rates
    ]
    tables.console().print(tables.rates(rows))
    answer()
    count = parallel.threads()
    answer(
        f"--backend auto takes {found.auto} with {count} thread{'s' if count > 1 else ''}: "
        + " and ".join(f"{row.name} takes about {row.seconds_to_import} s" for row in backends.BACKENDS[1:])
        + " to load before it computes."
    )


def _shape(shape: tuple[int, int, int]) -> str:
    """Write a shape."""
    return "x".join(map(str, shape))
