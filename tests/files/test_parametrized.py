"""Weights in parts: what a state dict of torch gives back is what the layer computes with."""

import numpy as np
import pytest
import torch
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from convviz.compute import filters
from convviz.errors import InputError
from convviz.files.checkpoints import read_checkpoint
from convviz.files.parametrized import joined
from convviz.spec.settings import LayerSettings

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")


def pruned(layer):
    prune.random_unstructured(layer, "weight", amount=0.4)
    prune.random_unstructured(layer, "bias", amount=1)
    return layer


def pruned_and_normed(layer):
    prune.random_unstructured(weight_norm(layer), "weight_v", amount=0.3)
    return layer


WAYS = {
    "weight norm": weight_norm,
    "weight norm along the other axis": lambda layer: weight_norm(layer, dim=1),
    "weight norm of all": lambda layer: weight_norm(layer, dim=None),
    "weight norm as a parametrization": parametrizations.weight_norm,
    "spectral norm": spectral_norm,
    "spectral norm as a parametrization": parametrizations.spectral_norm,
    "pruning": pruned,
    "pruning of a layer with weight norm": pruned_and_normed,
}
LAYERS = {
    "a convolution": lambda: torch.nn.Conv2d(3, 4, (3, 2)),
    "a convolution of as many maps": lambda: torch.nn.Conv2d(4, 4, 3),
    "a transposed convolution": lambda: torch.nn.ConvTranspose2d(3, 4, (3, 2)),
    "a transposed convolution of as many maps": lambda: torch.nn.ConvTranspose2d(4, 4, 3),
}


@pytest.mark.parametrize("made", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_weight_is_the_one_that_torch_computes_with_and_the_bias_belongs_to_it(way, made, tmp_path):
    torch.manual_seed(4)
    model = torch.nn.ModuleDict({"conv": way(made())})
    x = torch.randn(1, model["conv"].in_channels, 6, 6)
    for _ in range(8):  # u and v of spectral norm are found in training
        model["conv"](x)
    model.eval()
    model["conv"](x)
    torch.save(model.state_dict(), tmp_path / "x.pt")
    found = read_checkpoint(tmp_path / "x.pt")
    assert [layer.name for layer in found.convolutions] == ["conv"]
    (layer,) = found.convolutions
    np.testing.assert_allclose(layer.weight, model["conv"].weight.detach().numpy(), rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(layer.bias, model["conv"].bias.detach().numpy())
    assert set(found.arrays) == {"conv.weight", "conv.bias"}
    assert "computed from the parts" in found.remarks[0]


def test_a_part_of_a_weight_that_cannot_be_had_is_refused_by_its_name(tmp_path):
    """Of a parametrization of the user's own the file stores what goes in, not what comes out."""

    class Symmetric(torch.nn.Module):
        def forward(self, x):
            return x + x.mT

    model = torch.nn.ModuleDict({"a": torch.nn.Conv2d(2, 3, 3), "b": torch.nn.Conv2d(2, 2, 1)})
    torch.nn.utils.parametrize.register_parametrization(model["a"], "weight", Symmetric())
    torch.save(model.state_dict(), tmp_path / "x.pt")
    found = read_checkpoint(tmp_path / "x.pt")
    assert [layer.name for layer in found.convolutions] == ["b"]
    with pytest.raises(InputError, match=r"'a.weight': it is stored in parts \(original\) that do not give"):
        found.find("a")
    assert any(remark.startswith("a.weight: left out") for remark in found.remarks)


@pytest.mark.parametrize(
    "parts",
    [
        {"c.weight_orig": (4, 3, 3, 3)},
        {"c.weight_orig": (4, 3, 3, 3), "c.weight_mask": (4, 3, 1, 1)},
        {"c.weight_orig": (4, 3, 3, 3), "c.weight_u": (4,)},
        {"c.weight_orig": (4, 3, 3, 3), "c.weight_u": (5,), "c.weight_v": (27,)},
        {"c.weight_v": (4, 3, 3, 3)},
        {"c.weight_g": (4, 2, 1, 1), "c.weight_v": (4, 3, 3, 3)},
    ],
    ids=lambda parts: " ".join(f"{key[9:]}{shape}" for key, shape in parts.items()),
)
def test_parts_that_do_not_fit_are_never_taken_for_the_weight(parts):
    whole = joined({key: np.ones(shape, np.float32) for key, shape in parts.items()}, "x")
    assert not whole.arrays
    assert list(whole.left_out) == ["c.weight"]


def test_arrays_that_have_such_a_name_by_chance_stay_what_they_are():
    found = {"attention.q_v": np.ones(3), "momentum_g": np.ones(2), "face_mask": np.ones((1, 1, 2, 2))}
    assert list(joined(found, "x").arrays) == list(found)


def test_a_program_of_such_a_layer_has_the_numbers_in_it(tmp_path):
    """The file holds no array that a program could load as the weight."""
    torch.save(weight_norm(torch.nn.Conv2d(1, 1, 2)).state_dict(), tmp_path / "x.pt")
    settings = LayerSettings(weights=tmp_path / "x.pt")
    assert filters.prepare(settings).keys == ()
