"""Modules as people write them: with two inputs, in half precision, that end the program."""

import numpy as np
import pytest

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
