"""What is timed, not how long it takes."""

import numpy as np
import pytest

import convviz
from convviz.analysis import measure
from convviz.analysis.compare import Agreement
from convviz.machine import parallel

LAYER = convviz.Conv2d(1, 2, 3)
PICTURE = convviz.run(np.ones((1, 5, 5)), LAYER).picture


@pytest.fixture(scope="module")
def found():
    return list(measure.rates(LAYER, PICTURE, convviz.seeded(LAYER), seconds=0))


def test_every_backend_is_timed_with_one_thread_and_with_all(found):
    counts = sorted({1, parallel.cores()})
    ways = [(of.backend, of.threads) for of in found if of.device == "cpu"]
    assert ways == [(name, count) for name in ("numpy", "torch", "onnxruntime") for count in counts]


def test_each_is_run_three_times_at_least_and_its_operations_are_counted(found):
    for rate in found:
        assert rate.runs == 3
        assert 0 < rate.fastest <= rate.seconds <= rate.slowest
        # 2 maps of 3x3 values, 9 products each, and a sum for each product.
        assert rate.flops == pytest.approx(2 * 3 * 3 * 9 * 2 / rate.seconds)


def test_the_limit_of_threads_is_as_before(found):
    assert parallel.limited() == 0


def test_each_is_run_for_the_seconds_that_it_is_given(benchmarks_are_short):
    for rate in benchmarks_are_short(LAYER, PICTURE, convviz.seeded(LAYER), seconds=0.1):
        # The last run ends after the time, all before it end within it.
        assert rate.runs * rate.slowest >= 0.1
        assert (rate.runs - 1) * rate.fastest < 0.1


def test_backends_that_agree_exactly_are_called_equal():
    assert str(Agreement(("numpy", "torch"), 0.0, 0.0)) == "numpy and torch are equal"
    assert str(Agreement(("numpy", "torch"), 1e-7, 2e-8)) == (
        "numpy and torch differ by at most 1e-07 (2.0e-08 of the largest possible value)"
    )
