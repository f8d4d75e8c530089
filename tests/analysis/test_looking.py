"""Activations reduced to one picture, compared with definitions, scikit-learn and torch."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch.nn import functional as F

from convviz.analysis import looking
from convviz.analysis.looking import Centres
from convviz.compute.networks.engine import Linear
from convviz.errors import SpecError
from convviz.spec.reach import Reach

MAPS = np.random.default_rng(2).normal(size=(7, 5, 6)).astype(np.float32)


def test_reductions_are_those_of_their_names():
    """At one position the maps are 3, -4 and 0: mean -1/3, maximum 3, square root of 9 + 16 = 5."""
    maps = np.array([3, -4, 0], np.float32).reshape(3, 1, 1)
    found = {how: looking.reduced(maps, how).item() for how in ("mean", "max", "l2")}
    assert found == {"mean": pytest.approx(-1 / 3), "max": 3, "l2": 5}


def test_components_are_those_of_scikit_learn_with_the_stated_sign():
    positions = MAPS.reshape(7, -1).T
    found, other = looking.components(MAPS, 3), PCA(3, svd_solver="full").fit(positions)
    np.testing.assert_allclose(found.shares, other.explained_variance_ratio_, rtol=1e-5)
    for own, theirs, maps in zip(found.directions, other.components_, found.maps, strict=True):
        sign = np.sign(theirs[np.abs(theirs).argmax()])
        np.testing.assert_allclose(own, sign * theirs, atol=1e-5)
        assert own[np.abs(own).argmax()] > 0
        np.testing.assert_allclose(maps.ravel(), sign * (positions - positions.mean(0)) @ theirs, atol=1e-4)


def test_the_sign_of_components_does_not_depend_on_the_order_of_positions():
    """Mirrored maps have mirrored components: an SVD alone may turn every sign."""
    found = looking.components(MAPS).maps
    np.testing.assert_allclose(looking.components(MAPS[:, ::-1]).maps, found[:, ::-1], atol=1e-4)


def test_a_map_that_is_not_finite_has_no_components():
    maps = MAPS.copy()
    maps[0, 0, 0] = np.nan
    with pytest.raises(SpecError, match="finite"):
        looking.components(maps)
    with pytest.raises(SpecError, match="equal"):
        looking.components(np.ones((3, 2, 2), np.float32))


def test_eigencam_is_large_where_the_maps_are_strong():
    """Two maps, silent but for one position, of negative values: the position is the largest all the same."""
    maps = np.zeros((2, 3, 4), np.float32)
    maps[:, 1, 2] = -5, -1
    found = looking.eigencam(maps)
    assert np.unravel_index(found.argmax(), found.shape) == (1, 2)
    assert found.min() == 0


def test_a_class_map_is_a_sum_over_channels_and_its_mean_is_the_score():
    weight, bias = np.arange(14, dtype=np.float32).reshape(2, 7) / 10, np.array([1, -2], np.float32)
    scores = weight @ MAPS.mean(axis=(1, 2)) + bias
    found = looking.class_map(MAPS, Linear(weight, bias), scores, target=1)
    assert found[2, 3] == pytest.approx(sum(weight[1, c] * MAPS[c, 2, 3] for c in range(7)), rel=1e-5)
    assert found.mean() + bias[1] == pytest.approx(scores[1], rel=1e-4)


@pytest.mark.parametrize(
    ("weight", "scores", "words"),
    [
        pytest.param(
            np.ones((2, 5)), np.zeros(2), "7 maps, and the linear layer reads 5", id="other channels"
        ),
        pytest.param(np.ones((2, 7)), np.array([1, 2]), "other scores", id="other scores"),
        pytest.param(np.ones((2, 7)), np.full(2, np.nan), "other scores", id="scores that are NaN"),
    ],
)
def test_a_class_map_of_a_network_that_does_more_is_refused(weight, scores, words):
    with pytest.raises(SpecError, match=words):
        looking.class_map(MAPS, Linear(weight.astype(np.float32)), scores.astype(np.float32), target=0)


def test_gradcam_weights_maps_by_their_mean_gradients():
    """Gradients of mean 2 and -1: 2 * 1 - 3 = -1, drawn as 0, and 2 * 4 - 5 = 3."""
    maps = np.array([[[1, 4]], [[3, 5]]], np.float32)
    gradients = np.array([[[1, 3]], [[0, -2]]], np.float32)
    assert looking.gradcam(maps, gradients).tolist() == [[0, 3]]


def test_positions_stand_at_the_centres_of_their_receptive_fields():
    """Windows of 3 at stride 2 without padding see pixels 0 to 2, 2 to 4: their middles are 1 and 3."""
    assert Centres.of(4, 9, Reach().through(3, 2, 1, before=0)) == (1, 2)
    # Behind a transposed convolution neighbours see differently much: equal parts of 8 pixels each.
    assert Centres.of(2, 16, None) == (3.5, 8)


def test_between_equal_parts_values_are_interpolated_as_torch_does():
    rows, columns = (Centres.of(count, 12, None) for count in (5, 6))
    at = (np.arange(12.0), np.arange(12.0))
    wanted = F.interpolate(torch.from_numpy(MAPS[:1])[None], (12, 12), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(looking.placed(MAPS[0], rows, columns, at=at), wanted[0, 0], atol=1e-6)


def test_one_position_covers_its_own_step_alone():
    values = looking.placed(
        np.full((1, 1), 3, np.float32), Centres(4, 4), Centres(4, 4), at=(np.arange(9.0),) * 2
    )
    assert (values == 3).all()
    assert Centres(4, 4).covers(np.array([0.0, 1.0, 2.0, 4.0, 6.0, 8.0]), 1).tolist() == [0, 0.5, 1, 1, 1, 0]
