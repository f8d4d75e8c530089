"""A fuzz target for everything that reads numbers, kernels, pictures and metadata from strangers.

As a program it runs under atheris, for as long as its options say::

    python tests/fuzz/readers.py -max_total_time=600 corpus
"""

import contextlib
import sys
import tempfile
from pathlib import Path

import numpy as np

instrumented = contextlib.nullcontext()
if __name__ == "__main__":
    import atheris

    # To instrument all that is loaded took longer than the few seconds of the test.
    instrumented = atheris.instrument_imports(include=["convviz", "PIL"])

with instrumented:
    from convviz.errors import ConvvizError
    from convviz.files import archives, arrays, marks
    from convviz.images import decode
    from convviz.spec.kernels import parse_literal, parse_request, resolve

KINDS = (*arrays.READABLE, *archives.ARCHIVES, ".png", ".svg", ".gif", ".webp", ".html", "picture", "taps")
# What a fuzzer makes of a header may ask for much; a real limit is that of the machine.
MOST_PIXELS = 100_000


def read(kind, data):
    """Read bytes as what `kind` says.

    What is read must be finite numbers of float32, and what is refused must be refused in one line that
    never tells how to switch the safety off. Any other error is a bug.
    """
    try:
        for values in _values(kind, data):
            assert values.dtype == np.float32
            assert np.isfinite(values).all()
    except ConvvizError as error:
        message = str(error)
        assert message.isprintable(), message
        assert "allow_pickle" not in message
        assert "weights_only" not in message


def _values(kind, data):
    if kind in arrays.READABLE:
        return [arrays.parse_array(data, "'x'", kind)]
    if kind in archives.ARCHIVES:
        return list(archives.parse_archive(data, "'x'", kind).values())
    if kind == "picture":
        return [decode.decode(data, "'x'", "", max_pixels=MOST_PIXELS).x]
    if kind == "literal":
        text = data.decode("utf-8", "replace")
        request = parse_request(text)
        if request.kind == "literal":
            found = (parse_literal(text),)
        else:
            found = tuple(kernel for one in resolve(request) for kernel in one.kernels)
        return [
            np.array(kernel.values, np.float32) for kernel in found if max(map(max, kernel.values)) < 1e30
        ]
    with tempfile.NamedTemporaryFile(suffix=kind) as file:
        file.write(data)
        file.flush()
        found = marks.description_of(Path(file.name))
        assert found is None or isinstance(found, dict)
    return []


def one_input(data):
    """Read what atheris made: the kind by the first byte, then the file."""
    if data:
        read(KINDS[data[0] % len(KINDS)], data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    with contextlib.suppress(SystemExit):
        atheris.Fuzz()
