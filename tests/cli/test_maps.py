"""`convviz maps`: activations that were stored, as maps without a layer."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

import convviz
from convviz.cli.app import status_of

# Two maps of 2 x 3; energies (mean squares) 55 / 6 and 91 / 6, so the second is the stronger one.
VALUES = np.array([[[0, 1, 2], [3, 4, 5]], [[-1, -2, -3], [-4, -5, -6]]], np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("first.npy", VALUES)
    np.save("batch.npy", VALUES[None])
    np.save("last.npy", VALUES.transpose(1, 2, 0))
    np.savez("one.npz", act=VALUES, label=np.array([3.0]))
    np.savez("two.npz", act=VALUES, other=VALUES[:1])
    save_file({"act": VALUES, "weight": np.ones((2, 2, 3, 3), np.float32)}, "acts.safetensors")
    return tmp_path


def said(capsys, *words):
    assert status_of(["maps", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("first.npy",), id="channels first"),
        pytest.param(("batch.npy",), id="a batch of one"),
        pytest.param(("last.npy", "--channels-last"), id="channels last"),
        pytest.param(("one.npz",), id="the only array with axes of maps"),
        pytest.param(("two.npz", "--array", "act"), id="named by an option"),
        pytest.param(("two.npz:act",), id="named behind a colon"),
        pytest.param(("acts.safetensors",), id="safetensors"),
    ],
)
def test_every_way_to_store_maps_gives_the_same_maps(capsys, words):
    found = said(capsys, *words)
    assert found["output_shape"] == [2, 2, 3]
    assert [[row[key] for key in ("index", "min", "max", "mean")] for row in found["maps"]] == [
        [0, 0, 5, 2.5],
        [1, -6, -1, -3.5],
    ]


def test_the_strongest_come_first_with_the_columns_that_are_asked_for(capsys):
    rows = said(capsys, "first.npy", "--top", "2", "--stat", "sparsity,energy")["maps"]
    assert [row["index"] for row in rows] == [1, 0]
    assert [row["sparsity"] for row in rows] == [0, pytest.approx(1 / 6)]
    assert [row["energy"] for row in rows] == [pytest.approx(91 / 6), pytest.approx(55 / 6)]
    assert [row["index"] for row in said(capsys, "first.npy", "--top", "1")["maps"]] == [1]


def test_the_sheet_has_a_tile_per_map_and_no_input():
    found = convviz.maps(VALUES)
    assert repr(found) == "<StoredMaps: array: 2 maps of 2x3>"
    sheet = found.sheet(limits="minmax")
    assert [(tile.name, tile.note) for tile in sheet.maps] == [("map 0", "0 to 5"), ("map 1", "-6 to -1")]
    np.testing.assert_array_equal(sheet.maps[0].levels[:], [[0, 51, 102], [153, 204, 255]])
    assert found._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf", ".webp", ".jpg"])
def test_every_kind_of_picture_is_written_and_known_as_ours(ending, capsys):
    """A second run replaces the file without --force."""
    for _ in range(2):
        assert status_of(["maps", "first.npy", "-o", f"x{ending}", "--quiet"]) == 0
    assert capsys.readouterr().out == f"x{ending}\n" * 2
    assert status_of(["inspect", f"x{ending}"]) == 0
    assert "convviz maps" in capsys.readouterr().out


def test_the_picture_is_called_after_the_file_and_the_looks_are_those_of_a_sheet():
    assert (
        status_of(["maps", "two.npz:act", "--colormap", "signed", "--tile", "30", "--title", "T", "-q"]) == 0
    )
    with Image.open("two-maps.png") as image:
        colours = {tuple(pixel) for pixel in np.asarray(image.convert("RGB")).reshape(-1, 3).tolist()}
    assert (0x5E, 0x3C, 0x99) in colours


def test_values_that_are_not_finite_are_counted(capsys):
    values = VALUES.copy()
    values[1, 0, 0], values[1, 0, 1] = np.nan, -np.inf
    np.save("x.npy", values)
    assert status_of(["maps", "x.npy"]) == 0
    out, err = capsys.readouterr()
    assert "not finite: 1 NaN, 1 -inf of 12 values" in err
    assert [line.split()[-2:] for line in out.splitlines() if " map " in line][1:] == [["0", "0"], ["1", "1"]]


def test_a_tensor_needs_no_care():
    """With gradients, in half of the bits, in a batch of one."""
    tensor = torch.from_numpy(VALUES)[None].bfloat16().requires_grad_()
    np.testing.assert_array_equal(convviz.maps(tensor).maps, VALUES)


def test_an_order_that_may_be_another_is_said(capsys):
    np.save("x.npy", np.zeros((7, 7, 4)))
    assert status_of(["maps", "x.npy", "-q"]) == 0
    assert status_of(["maps", "x.npy"]) == 0
    assert "(7, 7, 4) is read as (channels, height, width)" in capsys.readouterr().err


def test_the_file_is_never_overwritten(capsys):
    assert status_of(["maps", "first.npy", "-o", "first.npy", "--force"]) == 2
    assert "a picture ends in" in capsys.readouterr().err
