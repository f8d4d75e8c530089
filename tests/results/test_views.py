"""Every view reads its numbers from the arrays that were computed with: a changed weight changes them all."""

import numpy as np
import pytest

import convviz
from convviz.analysis.trace import trace, trace_pixel, trace_weight
from convviz.analysis.unfold import unfold
from convviz.render.drawings import explanation, product, reach
from convviz.render.drawings.animation import Animation
from convviz.render.drawings.drawing import to_svg
from convviz.render.words import tables
from convviz.render.words.program import program
from convviz.results.scene import direct
from convviz.spec.geometry import HW
from convviz.spec.kernels import parse_request
from convviz.spec.settings import InputSettings, LayerSettings

LAYER = convviz.Conv2d(2, 2, 2, padding=1)
X = np.arange(5, 23, dtype=np.float32).reshape(2, 3, 3)

# A layer of kernels writes its weights into the program; torch draws the others.
KERNELS = LayerSettings(kernel=(parse_request("box"),))


def traced(result):
    return trace(result, at=HW(1, 1), index=1)


def weighed(result):
    return trace_weight(result, indices=(1, 0, 1, 1))


VIEWS = {
    "sheet": lambda r: r.sheet().image().tobytes(),
    "sheet of parts": lambda r: r.sheet(parts=r.partial()).image().tobytes(),
    "sheet of differences": lambda r: r.sheet(differences=r.flip_difference()).image().tobytes(),
    "partial maps": lambda r: r.partial().tobytes(),
    "stored arrays": lambda r: {name: array.tobytes() for name, array in r.arrays().items()}["weight"],
    "statistics": lambda r: r.statistics(),
    "table": lambda r: [list(column.cells) for column in tables.values(r.maps[1])[0].columns],
    "explanation in words": lambda r: explanation.lines(traced(r), r, width=80),
    "explanation drawn": lambda r: to_svg(explanation.draw(traced(r), r)),
    "a weight in words": lambda r: (reach.lines(weighed(r), r), reach.rows_of(weighed(r))),
    "a weight drawn": lambda r: to_svg(reach.draw_weight(weighed(r), r)),
    "a pixel": lambda r: trace_pixel(r, at=HW(1, 1)),
    "matrices in words": lambda r: product.lines(unfold(r, index=1), width=200),
    "matrices drawn": lambda r: to_svg(product.draw(unfold(r, index=1))),
    "animation": lambda r: next(
        Animation(direct(r.layer, HW(3, 3), picture=r.picture, weights=r.filters, index=1)).film().svgs()
    ),
    "program": lambda r: program(
        ["x.npy"],
        {"x.npy": "npy"},
        r.layer,
        weights=r.filters,
        settings=LayerSettings(kernel=(parse_request("box"),)),
        reading=InputSettings(),
        size=HW(3, 3),
    ),
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_changed_weight_is_seen(view):
    weights = convviz.seeded(LAYER)
    weight = weights.weight.copy()
    # The first value of a padded map meets the last kernel value of its kernel.
    weight[1, 0, 1, 1] += 1
    before, again, after = (
        convviz.run(X, LAYER, (one, weights.bias)) for one in (weights.weight, weights.weight, weight)
    )
    assert VIEWS[view](before) == VIEWS[view](again)
    assert VIEWS[view](before) != VIEWS[view](after)
