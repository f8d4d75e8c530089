"""What property tests draw from."""

import numpy as np
from hypothesis import strategies as st

import convviz


@st.composite
def positions(draw):
    """A small layer of any kind with one position of one of its maps."""
    groups, channels, filters = (draw(st.integers(1, 2)) for _ in range(3))
    mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    layer = convviz.Conv2d(
        groups * channels, groups * filters, draw(pair), draw(pair),
        tuple(draw(st.tuples(st.integers(0, 2), st.integers(0, 2))) for _ in range(2)),
        draw(pair), groups, draw(st.booleans()), mode,
    )  # fmt: skip
    seed = draw(st.integers(0, 999))
    x = np.random.default_rng(seed).standard_normal((groups * channels, 8, 9), np.float32)
    result = convviz.run(x, layer, convviz.seeded(layer, seed))
    count, h, w = result.maps.shape
    at = draw(st.tuples(st.integers(0, h - 1), st.integers(0, w - 1)))
    return result, at, draw(st.integers(0, count - 1))
