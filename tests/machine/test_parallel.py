"""Sharing work over threads."""

import threading
import time

import numpy as np
import pytest
import threadpoolctl

from convviz.machine import parallel


@pytest.fixture
def three_threads(monkeypatch):
    monkeypatch.setattr(parallel, "_limit", 3)


def test_every_item_is_done_once(three_threads):
    lock, seen = threading.Lock(), []

    def work(mine):
        for item in mine:
            with lock:
                seen.append(item)

    parallel.share(range(1000), work)
    assert sorted(seen) == list(range(1000))


def test_the_work_is_called_once_per_thread_with_different_threads(three_threads):
    met, names = threading.Barrier(3, timeout=10), set()

    def work(mine):
        met.wait()  # raises, unless three threads are here at once
        names.add(threading.get_ident())

    parallel.share([1, 2], work)
    assert len(names) == 3


def test_an_error_of_any_thread_is_raised(three_threads):
    met = threading.Barrier(3, timeout=10)

    def work(mine):
        met.wait()
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("lost")

    with pytest.raises(ValueError, match="lost"):
        parallel.share([1], work)


@pytest.mark.parametrize("held", ["1", None])
def test_blas_has_one_thread_while_work_is_shared(three_threads, monkeypatch, held):
    np.dot(np.eye(3), np.eye(3))
    parallel._blas.cache_clear()  # another test may have loaded a package with a BLAS of its own
    if held is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", held)
    with threadpoolctl.threadpool_limits(2 if held is None else 1, user_api="blas"):
        if not threadpoolctl.threadpool_info():
            pytest.skip("numpy here has no BLAS whose threads can be set")
        counts = []
        parallel.share(
            [1],
            lambda mine: counts.extend(
                library["num_threads"]
                for library in threadpoolctl.threadpool_info()
                if library["user_api"] == "blas"
            ),
        )
    assert set(counts) == {1}


def test_one_thread_is_the_caller(monkeypatch):
    monkeypatch.setattr(parallel, "_limit", 1)
    names = []
    parallel.share([1], lambda mine: names.append(threading.current_thread()))
    assert names == [threading.main_thread()]


def test_after_an_error_the_other_threads_do_not_go_on(three_threads):
    """All items of a millisecond would take twenty seconds or more on the two threads that are left."""
    done = []

    def work(mine):
        for item in mine:
            if threading.current_thread() is threading.main_thread():
                raise KeyboardInterrupt
            time.sleep(0.001)
            done.append(item)

    with pytest.raises(KeyboardInterrupt):
        parallel.share(range(60_000), work)
    assert len(done) < 20_000
