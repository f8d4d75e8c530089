"""The command and the program of the page, held to the command line and to torch over many settings."""

import shlex
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from test_explore import asked_of, computed, data_of, needs_node, of_preset

import convviz
from convviz.cli import run_request
from convviz.cli.app import status_of
from convviz.compute import filters
from convviz.errors import SpecError
from convviz.images.picture import Picture
from convviz.page import page
from convviz.spec.kernels import preset_names
from convviz.spec.kernels.parse import parse_request
from convviz.spec.settings import LayerSettings

CASES = 240


@pytest.fixture
def reads(monkeypatch):
    """Read the words of a command as `convviz run` does; return the settings of its layer."""
    found = []

    real = run_request.RunRequest.__init__

    def read(self, *given, **named):
        real(self, *given, **named)
        found.append(self)
        # Nothing needs to be computed.
        raise SpecError("read")

    monkeypatch.setattr(run_request.RunRequest, "__init__", read)

    def words(command):
        program, *words = shlex.split(command)
        assert program == "convviz"
        found.clear()
        assert status_of(words) == 2
        (request,) = found
        return request

    return words


@cache
def plain_data(channels):
    """The data of a page; the size of its picture plays no part here."""
    return asked_of(np.zeros((channels, 4, 4), np.float32))()["data"]


@cache
def given_data(channels, options):
    """The data of a page that was made with two kernels, and the weights that came with it."""
    requests = tuple(parse_request(one) for one in ("1 2; -3 4", "0 1; 1 0"))
    settings = LayerSettings(kernel=requests, **dict(options))
    layer, weights, _ = filters.build(settings, channels)
    picture = Picture(np.zeros((channels, 4, 4), np.float32), tuple(map(str, range(channels))))
    data = data_of(page.page("x.npy", picture, layer, weights=weights, settings=settings))
    bias = None if weights.bias is None else weights.bias.tolist()
    return data | {"pixels": None, "layers": []}, {"weight": weights.weight.ravel().tolist(), "bias": bias}


def drawn(chance):
    """Draw the settings of a page by chance, legal or not."""
    pick = lambda *values: values[chance.integers(len(values))]  # noqa: E731
    channels = int(pick(1, 2, 3, 4, 6))
    height, width = (int(side) for side in chance.integers(4, 12, 2))
    x = chance.normal(size=(channels, height, width)).astype(np.float32)
    state = {
        "strideH": int(chance.integers(1, 4)),
        "strideW": int(chance.integers(1, 4)),
        "dilationH": int(chance.integers(1, 3)),
        "dilationW": int(chance.integers(1, 3)),
        "mode": str(pick("zeros", "reflect", "replicate", "circular")),
    }
    even = bool(chance.integers(2))
    sides = [int(side) for side in chance.integers(0, 4, 4)]
    state |= dict(zip(("padTop", "padBottom", "padLeft", "padRight"), sides, strict=True))
    if even:
        state |= {"padBottom": sides[0], "padRight": sides[2]}
    if chance.integers(6) == 0:
        data, own = given_data(channels, pick((), (("out_channels", 4), ("seed", 7))))
        state["bias"] = bool(data["state"]["bias"] and chance.integers(2))
    else:
        groups = int(pick(*(n for n in (1, 2, 3) if channels % n == 0)))
        state |= {"groups": groups, "outChannels": groups * int(chance.integers(1, 4))}
        state |= {"bias": bool(chance.integers(2)), "flip": bool(chance.integers(2))}
        if chance.integers(2):
            sizes = chance.integers(1, 4, 2)
            state |= {"preset": "seed", "seed": int(chance.integers(0, 99))}
            state |= {"kernelH": int(sizes[0]), "kernelW": int(sizes[1])}
        else:
            state = of_preset(str(pick(*preset_names())), **state)
        data, own = plain_data(channels), None
    if chance.integers(3) == 0:
        state["edits"] = {"0:0": float(np.float32(chance.normal())), "0:b0": 0.25}
    picture = {"height": height, "width": width, "channels": x.reshape(channels, -1).tolist()}
    return x, picture | {"data": data, "own": own, "state": data["state"] | state}


def legal(count):
    """Draw settings until enough are legal; return each with what the page makes of it."""
    chance = np.random.default_rng(11)
    candidates = [drawn(chance) for _ in range(2 * count)]
    answers = computed(*(case for _, case in candidates))
    pairs = zip(candidates, answers, strict=True)
    found = [(x, case, answer) for (x, case), answer in pairs if "reason" not in answer]
    assert len(found) >= count
    return found[:count]


@pytest.fixture(scope="module")
def cases():
    return legal(CASES)


def weights_in(found, channels, state):
    weight = np.array(found["weight"], np.float32)
    shape = (state["outChannels"], channels // state["groups"], state["kernelH"], state["kernelW"])
    return weight.reshape(shape), np.array(found["bias"] or [0] * state["outChannels"], np.float32)


@needs_node
def test_the_command_of_the_page_is_read_as_the_layer_of_the_page(cases, reads, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = set()
    for x, case, found in cases:
        state, command = case["state"], found["command"]
        Path("kernels.json").write_text(found["kernels"])
        request = reads(command)
        assert [str(name) for name in request.names] == ["x.npy"], command
        layer, weights, _ = filters.build(request.layer, len(x))
        assert layer.out_channels == state["outChannels"], command
        assert tuple(layer.kernel_size) == (state["kernelH"], state["kernelW"]), command
        assert tuple(layer.stride) == (state["strideH"], state["strideW"]), command
        assert tuple(layer.dilation) == (state["dilationH"], state["dilationW"]), command
        assert layer.groups == state["groups"], command
        edges = tuple(layer.edges(convviz.HW(*x.shape[1:])))
        assert edges == tuple(state[f"pad{side}"] for side in ("Top", "Bottom", "Left", "Right")), command
        if any(edges):
            assert layer.padding_mode == state["mode"], command
        weight, bias = weights_in(found, len(x), state)
        np.testing.assert_allclose(weights.weight, weight, rtol=1e-6, atol=1e-7, err_msg=command)
        given = np.zeros_like(bias) if weights.bias is None else weights.bias
        np.testing.assert_allclose(given, bias, rtol=1e-6, atol=1e-7, err_msg=command)
        seen.add((state["preset"] if state["preset"] in ("seed", "page") else "preset", bool(state["edits"])))
    # Every kind of weights occurs, as it is and typed over.
    assert len(seen) == 6


@needs_node
def test_the_program_of_the_page_makes_its_maps_in_torch(cases, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for x, _, found in cases:
        Path("kernels.json").write_text(found["kernels"])
        names = {"x": torch.from_numpy(x)[None]}
        exec(found["code"], names)
        expected = np.array(found["maps"]).reshape(-1, *found["size"])
        made = names["maps"][0].detach().numpy()
        # Against the size of the sums: those of a Laplacian nearly vanish.
        np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-5 * max(1, np.abs(expected).max()))
