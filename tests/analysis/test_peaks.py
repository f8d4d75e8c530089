"""The largest values of maps, and the pictures that have them, against sorting everything."""

import numpy as np
import pytest

from convviz.analysis.peaks import Ranking, peaks
from convviz.errors import ShapeError


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_peaks_of_bands_are_those_of_whole_maps(rows):
    maps = np.random.default_rng(0).integers(0, 9, (7, 5, 6)).astype(np.float32)  # of many equal values
    found = peaks(maps[:, top : top + rows] for top in range(0, 5, rows))
    for one, (value, y, x) in zip(maps, found.tolist(), strict=True):
        places = np.argwhere(one == one.max()).tolist()
        assert (value, [y, x]) == (one.max(), places[0])


def test_a_map_with_nan_has_no_largest_value_but_one_with_infinity_has():
    maps = np.zeros((2, 2, 2), np.float32)
    maps[0, 1, 0], maps[1, 0, 1] = np.nan, np.inf
    assert [str(value) for value, _, _ in peaks([maps[:, :1], maps[:, 1:]]).tolist()] == ["nan", "inf"]


def test_a_ranking_equals_sorting_everything():
    """Of equal values the earlier picture comes first; values of 8 kinds tie all the time."""
    values = np.random.default_rng(1).integers(0, 8, (60, 5)).astype(np.float32)
    values[np.random.default_rng(2).random(values.shape) < 0.2] = np.nan
    ranking = Ranking(4)
    for at, row in enumerate(values):
        ranking.add(str(at), peaks([row[:, None, None]]))
    for index, column in enumerate(values.T):
        known = [at for at in range(60) if not np.isnan(column[at])]
        expected = sorted(known, key=lambda at, column=column: -column[at])[:4]  # a stable sort
        assert [place.name for place in ranking.best(index)] == [str(at) for at in expected]
        assert ranking.nan[index] == np.isnan(column).sum()


def test_the_top_maps_are_those_of_the_largest_values_and_never_one_of_only_nan():
    ranking = Ranking(1)
    ranking.add("a", peaks([np.float32([1, np.nan, 3, 5])[:, None, None]]))
    ranking.add("b", peaks([np.float32([5, np.nan, 2, 0])[:, None, None]]))
    assert ranking.top(9) == [0, 3, 2]


def test_minus_infinity_is_a_value():
    ranking = Ranking(2)
    ranking.add("a", peaks([np.float32([[[-np.inf]]])]))
    assert [place.value for place in ranking.best(0)] == [-np.inf]


def test_pictures_with_another_number_of_maps_are_refused():
    ranking = Ranking(1)
    ranking.add("a", peaks([np.zeros((2, 1, 1), np.float32)]))
    with pytest.raises(ShapeError, match="3 maps of this picture, and 2 of those before it"):
        ranking.add("b", peaks([np.zeros((3, 1, 1), np.float32)]))
