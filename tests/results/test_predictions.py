"""What networks predict, in words."""

from dataclasses import replace

import numpy as np
import pytest

import convviz

NETWORK = "flatten | linear 3"


def of_scores(*scores):
    """A network that makes these scores of any picture of two pixels, by its bias alone."""
    weights = {"linear1": {"weight": np.zeros((3, 2), np.float32), "bias": np.array(scores, np.float32)}}
    return convviz.run_net(convviz.parse_layers(NETWORK), np.ones((1, 1, 2), np.float32), weights)


def test_the_largest_score_is_the_prediction():
    made = of_scores(1, 3, -2)
    assert made.prediction() == [("class 1", 3), ("class 0", 1), ("class 2", -2)]
    assert made.prediction_sentence() == "prediction: class 1 (score 3); then class 0 (1), class 2 (-2)"


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ((0, 0, 0), "no prediction: all 3 scores are 0"),
        ((-1.5, -1.5, -1.5), "no prediction: all 3 scores are -1.5"),
        ((1 / 3, 1 / 3, 1 / 3), "no prediction: all 3 probabilities are 0.333"),
        ((np.nan, np.nan, np.nan), "no prediction: all 3 scores are nan"),
    ],
)
def test_equal_scores_predict_nothing(scores, words):
    made = of_scores(*scores)
    assert (made.prediction(), made.prediction_sentence()) == ([], words)


def test_a_share_that_is_whole_but_for_rounding_is_written_without_an_exponent():
    found = convviz.look(np.eye(4)[None], convviz.parse_layers("conv 2 k1"), how="pca")
    assert replace(found[0], shares=(0.9999999, 0.004, 0.0)).explained == "100%, 0.4%, 0%"
