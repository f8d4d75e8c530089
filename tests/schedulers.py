"""Find the address of a scheduler of Dask that a test has started."""

import contextlib
import json
import time


def address_in(file, *, seconds=60):
    """Wait until a scheduler has written its address into a file: first the file is there, then its text."""
    last = time.monotonic() + seconds
    while True:
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            return json.loads(file.read_text())["address"]
        assert time.monotonic() < last, "the scheduler never came"
        time.sleep(0.02)
