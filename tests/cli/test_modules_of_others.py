"""Modules as people write them: with two inputs, in half precision, that end the program."""

import sys

import numpy as np
import pytest
import torch

NET = """
import warnings

import torch
from torch import nn


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(3, 4, 3)

    def forward(self, x, mask):
        return self.c(x) * mask


class Pair(Two):
    def forward(self, x):
        left, right = x
        return self.c(left) + self.c(right)


class Named(Two):
    def forward(self, batch):
        return self.c(batch["image"])


class Warns(Two):
    def forward(self, x):
        warnings.warn("mind the gap")
        return self.c(x)


class Ends(Two):
    def forward(self, x):
        raise SystemExit(3)


class Half(Two):
    def __init__(self):
        super().__init__()
        self.half()

    def forward(self, x):
        return self.c(x)


class Wrong(Half):
    def __init__(self):
        super().__init__()
        self.c.register_forward_hook(lambda layer, given, made: made + 0.01)
"""

# Each has a convolution `c` whose maps a program, or a layer by itself, has got wrong.
AWKWARD = """
import torch
from torch import nn
from torch.nn import functional


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.b = nn.Conv2d(3, 4, 3, padding=1)
        self.c = nn.Conv2d(4, 4, 3, padding=1)


class Inplace(Net):
    def forward(self, x):
        return functional.relu_(self.c(functional.relu_(self.b(x))))


class Twice(Net):
    def forward(self, x):
        return self.c(self.c(self.c(self.b(x))))


class Half(Net):
    def __init__(self):
        super().__init__()
        self.half()

    def forward(self, x):
        return self.c(self.b(x))


class Patches(Net):
    def forward(self, x):
        return self.c(self.b(torch.cat([x, x.flip(-1)])))


class Unbatched(Net):
    def forward(self, x):
        return self.c(self.b(x)[0])


class Lazy(Net):
    def __init__(self):
        super().__init__()
        self.c = nn.LazyConv2d(4, 3, padding=1)

    def forward(self, x):
        return self.c(self.b(x))


class Sized(Net):
    def __init__(self):
        super().__init__()
        self.c = nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1)

    def forward(self, x):
        return self.c(self.b(x), output_size=(16, 15))


class Single(Net):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(1, 1, 3)

    def forward(self, x):
        return self.c(self.b(x)[0, :1])
"""

WRAP = "if it reads a tuple or a dict, wrap it in a module that is called with one tensor (1, C, H, W)"


@pytest.fixture
def run(convviz, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(6).normal(size=(3, 8, 8)).astype(np.float32))
    (tmp_path / "net.py").write_text(NET)
    return lambda name, *words: convviz("run", "x.npy", "--model", f"net.py:{name}", "--layer", "c", *words)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Two", "reads x and mask, but there is one picture; wrap it in a module"),
        ("Pair", "cannot be computed for one tensor of 1x3x8x8: ValueError"),
        ("Pair", f"; {WRAP}."),
        ("Named", f"; {WRAP}."),
        ("Ends", "SystemExit: 3"),
    ],
)
def test_a_module_that_a_picture_is_not_enough_for_is_one_line(run, name, message):
    done = run(name)
    assert done.returncode in (2, 3)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_warning_of_a_module_that_works_is_kept(run):
    with pytest.warns(UserWarning, match="mind the gap"):
        assert run("Warns").returncode == 0


def test_half_precision_agrees_within_its_precision_and_no_further(run):
    """float16 has 11 bits: a value is rounded by at most 2**-11 of it; 0.01 is more than that here."""
    assert run("Half", "--check").returncode == 0
    wrong = run("Wrong", "--check")
    assert wrong.returncode == 5
    assert "0.00098 is allowed" in wrong.stderr


@pytest.fixture
def awkward(convviz, tmp_path, monkeypatch):
    """Run a command on one of the modules, and give the maps of its layer as hooks see them, too."""
    np.save(tmp_path / "x.npy", np.random.default_rng(6).normal(size=(3, 8, 8)).astype(np.float32))
    (tmp_path / "awkward.py").write_text(AWKWARD)
    names = {}
    exec(AWKWARD, names)

    def run(command, name, *words, layer="c"):
        torch.manual_seed(0)
        module, made = names[name]().eval(), []
        module.get_submodule("c").register_forward_hook(lambda *given: made.append(given[2].clone()))
        dtype = next(module.parameters()).dtype
        with torch.no_grad():
            module(torch.from_numpy(np.load(tmp_path / "x.npy"))[None].to(dtype))
        maps = made[int(layer.partition(":")[2] or 1) - 1].float()
        done = convviz(command, "x.npy", "--model", f"awkward.py:{name}", "--layer", layer, *words)
        return done, maps.reshape(-1, *maps.shape[-3:])[0].numpy()

    return run


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        *(("Inplace", "c"), ("Twice", "c"), ("Twice", "c:2"), ("Half", "c")),
        *(("Patches", "c"), ("Unbatched", "c"), ("Sized", "c"), ("Single", "c")),
    ],
)
def test_a_layer_and_its_program_make_what_the_hook_sees(awkward, tmp_path, monkeypatch, name, layer):
    """Float16 keeps 11 bits; the others agree within rounding."""
    within = 2e-3 if name == "Half" else 1e-5
    done, expected = awkward("run", name, "--check", "--save", "c.npz", layer=layer)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "c.npz")["maps"], expected, atol=within)
    printed, _ = awkward("code", name, layer=layer)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # the program is run in the folder of the module
    made = {}
    exec(printed.stdout, made)
    monkeypatch.delitem(sys.modules, "awkward")
    np.testing.assert_allclose(made["maps"].numpy(), expected, atol=1e-6)


def test_the_first_of_several_inputs_is_shown_and_said(awkward):
    done, _ = awkward("explain", "Patches", "--json")
    assert "c: it reads 2 inputs at once; this is the first" in done.stderr


def test_a_lazy_layer_has_no_weights_yet(awkward):
    """No command could tell which weights the first call draws."""
    done, _ = awkward("explain", "Lazy")
    assert done.returncode == 2
    assert "has lazy layers, which draw their weights when they are called first; call it once" in done.stderr
