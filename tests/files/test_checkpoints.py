"""Trained weights from files: what is found in them, and what is never run."""

import json
import pickle
import re
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch
from onnx import helper, numpy_helper

from convviz.cli.app import status_of
from convviz.compute import filters
from convviz.errors import InputError, ShapeError, SpecError, UnknownNameError
from convviz.files.checkpoints import READABLE, read_checkpoint
from convviz.machine import memory
from convviz.spec.geometry import HW, Edges
from convviz.spec.settings import LayerSettings


def small():
    torch.manual_seed(5)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, (3, 5)),
        torch.nn.BatchNorm2d(4),
        torch.nn.Conv2d(4, 2, 1, bias=False),
        torch.nn.Flatten(),
        torch.nn.Linear(8, 2),
    )


def as_npz(state, path):
    np.savez(path, **{key: value.numpy() for key, value in state.items()})


WRITERS = {
    ".pt": torch.save,
    ".pth": lambda state, path: torch.save({"epoch": 3, "state_dict": state, "best": 0.9}, path),
    ".ckpt": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False),
    ".safetensors": safetensors.torch.save_file,
    ".npz": as_npz,
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_convolutions_with_their_numbers(suffix, tmp_path):
    state = small().state_dict()
    path = tmp_path / f"weights{suffix}"
    WRITERS[suffix](state, path)
    found = read_checkpoint(path)
    assert [layer.name for layer in found.convolutions] == ["0", "2"]
    assert [layer.parameters for layer in found.convolutions] == [4 * 3 * 15 + 4, 8]
    assert set(found.arrays) == set(state)
    weight, bias = found.weights(found.find("0"))
    np.testing.assert_array_equal(weight, state["0.weight"].numpy())
    np.testing.assert_array_equal(bias, state["0.bias"].numpy())
    assert found.weights(found.find("2"))[1] is None


@pytest.mark.parametrize(("channels", "maps", "groups"), [(4, 6, 1), (4, 6, 2), (1, 5, 1), (6, 3, 3)])
def test_a_transposed_convolution_is_told_by_its_bias(channels, maps, groups, tmp_path):
    layer = torch.nn.ConvTranspose2d(channels, maps, (2, 3), groups=groups)
    torch.save(layer.state_dict(), tmp_path / "up.pt")
    found = read_checkpoint(tmp_path / "up.pt")
    (one,) = found.convolutions
    assert (one.type, one.parameters) == ("ConvTranspose2d", sum(p.numel() for p in layer.parameters()))
    weight, bias = found.weights(one)
    np.testing.assert_array_equal(bias, layer.bias.detach().numpy())
    # A single value at a place of channel i comes out as the kernels of its group, in their maps.
    for channel in range(channels):
        x = torch.zeros(1, channels, 1, 1)
        x[0, channel] = 1
        made = (layer(x) - layer.bias[:, None, None])[0].detach().numpy()
        group, inside = divmod(channel, channels // groups)
        expected = np.zeros_like(made)
        mine = slice(group * maps // groups, (group + 1) * maps // groups)
        expected[mine] = weight[mine, inside]
        np.testing.assert_allclose(made, expected, atol=1e-6)
    with pytest.raises(SpecError, match="'weight' is a transposed convolution"):
        filters.prepare(LayerSettings(weights=tmp_path / "up.pt"))


def test_natural_order_where_the_format_has_another(tmp_path):
    state = {f"{index}.weight": torch.zeros(1, 1, 1 + index, 1) for index in (10, 9, 1)}
    safetensors.torch.save_file(state, tmp_path / "x.safetensors")
    found = read_checkpoint(tmp_path / "x.safetensors")
    assert [layer.name for layer in found.convolutions] == ["1", "9", "10"]


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_other_floats_become_float32(kind, tmp_path):
    torch.save({"c.weight": torch.full((1, 1, 1, 2), 0.5, dtype=kind)}, tmp_path / "x.pt")
    found = read_checkpoint(tmp_path / "x.pt")
    assert found.weights(found.find(None))[0].tolist() == [[[[0.5, 0.5]]]]


def test_the_optimizer_is_passed_over_and_several_models_keep_their_names(tmp_path):
    model = small()
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.zeros(1, 3, 4, 6))[0, 0].backward()
    optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "one.pt")
    assert [layer.name for layer in read_checkpoint(tmp_path / "one.pt").convolutions] == ["0", "2"]
    torch.save({"a": model.state_dict(), "b": model.state_dict()}, tmp_path / "two.pt")
    names = [layer.name for layer in read_checkpoint(tmp_path / "two.pt").convolutions]
    assert names == ["a.0", "a.2", "b.0", "b.2"]


class Evil:
    """Would write a file if it were loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def whole_model(path):
    torch.save(small(), path)


def script(path):
    torch.jit.trace(torch.nn.Conv2d(1, 1, 1), torch.zeros(1, 1, 2, 2)).save(path)


def evil(path):
    torch.save({"c.weight": torch.zeros(1, 1, 1, 1), "x": Evil(path.parent / "run")}, path)


def plain_pickle(path):
    path.write_bytes(pickle.dumps(Evil(path.parent / "run")))


class Long:
    """Comes to a thousand million bytes when it is loaded."""

    def __reduce__(self):
        return bytearray, (10**9,)


def archive(path):
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("notes.txt", "no weights")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("write", "words"),
    [
        (whole_model, "more than tensors (torch.nn.modules.container.Sequential)"),
        (script, "TorchScript, a program"),
        (evil, "more than tensors"),
        (plain_pickle, "could run any code"),
        (lambda path: torch.save({"x": Long()}, path), "more than tensors (bytearray)"),
        (archive, "damaged"),
        (lambda path: path.write_bytes(b"\x80\x02"), "damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: torch.save({"lr": 0.1}, path), "no tensors by name"),
        (lambda path: torch.save([torch.zeros(1)], path), "no tensors by name"),
        (lambda path: torch.save({"x": torch.zeros(2, dtype=torch.cfloat)}, path), "not a plain tensor"),
        (lambda path: torch.save({"x": torch.eye(3).to_sparse()}, path), "not a plain tensor"),
    ],
    ids=range(12),
)
def test_what_is_no_state_dict_is_refused_and_never_run(write, words, tmp_path):
    write(tmp_path / "x.pt")
    with pytest.raises(InputError) as caught:
        read_checkpoint(tmp_path / "x.pt")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_names_and_endings_are_checked(tmp_path):
    with pytest.raises(InputError, match=r"must end in"):
        read_checkpoint(tmp_path / "x.h5")
    torch.save(small().state_dict(), tmp_path / "x.pt")
    found = read_checkpoint(tmp_path / "x.pt")
    with pytest.raises(UnknownNameError, match="no convolution named '3'"):
        found.find("3")
    with pytest.raises(SpecError, match=r"'1' in .*x\.pt' is not a convolution"):
        found.find("1")
    with pytest.raises(InputError, match="2 convolutions; choose one with --layer, such as --layer 0"):
        found.find(None)
    torch.save({"l.weight": torch.zeros(2, 2)}, tmp_path / "none.pt")
    with pytest.raises(InputError, match="no array in it has four axes"):
        read_checkpoint(tmp_path / "none.pt").find(None)
    assert ".onnx" in READABLE


def test_numbers_that_are_not_finite_are_named_when_they_are_used(tmp_path):
    weight = torch.zeros(1, 1, 2, 2)
    weight[0, 0, 1, 0] = torch.nan
    torch.save({"c.weight": weight}, tmp_path / "x.pt")
    found = read_checkpoint(tmp_path / "x.pt")
    with pytest.raises(InputError, match=r"nan is not a finite number of float32, at \[0\]\[0\]\[1\]\[0\]"):
        found.weights(found.find("c"))


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor.*:UserWarning", "ignore::DeprecationWarning")
def test_a_quantized_tensor_is_read_as_the_numbers_that_it_stands_for(tmp_path):
    """Steps of 0.5 from a zero point of 3: 1.2 is stored as round(1.2 / 0.5) + 3 = 5, and stands for 1."""
    quantized = torch.quantize_per_tensor(torch.full((1, 1, 2, 2), 1.2), 0.5, 3, torch.qint8)
    torch.save({"q.weight": quantized, "c.weight": torch.ones(1, 1, 2, 2)}, tmp_path / "x.pt")
    found = read_checkpoint(tmp_path / "x.pt")
    assert [layer.name for layer in found.convolutions] == ["q", "c"]
    assert np.unique(found.find("q").weight).tolist() == [1.0]
    assert found.find("q").keys == ()


@pytest.mark.parametrize(
    "other",
    [torch.zeros(1, 1, 2, 2, dtype=torch.cfloat), torch.ones(1, 1, 2, 2).to_sparse()],
    ids=["complex", "sparse"],
)
def test_a_tensor_that_cannot_be_read_is_named_and_the_others_are_read(other, tmp_path, capsys):
    torch.save({"z.weight": other, "c.weight": torch.ones(1, 1, 2, 2)}, tmp_path / "x.pt")
    found = read_checkpoint(tmp_path / "x.pt")
    assert [layer.name for layer in found.convolutions] == ["c"]
    assert found.remarks == ("z.weight: left out: it is not a plain tensor of real numbers",)
    assert status_of(["layers", str(tmp_path / "x.pt"), "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["left_out"]) == ["z.weight"]
    with pytest.raises(InputError, match=r"'z.weight': it is not a plain tensor"):
        found.find("z")


@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.float8_e5m2, torch.bfloat16], ids=str)
def test_the_same_numbers_come_from_a_state_dict_and_from_safetensors(kind, tmp_path):
    state = {"c.weight": torch.linspace(-3, 3, 24).reshape(2, 3, 2, 2).to(kind)}
    torch.save(state, tmp_path / "x.pt")
    safetensors.torch.save_file(state, tmp_path / "x.safetensors")
    for name in ("x.pt", "x.safetensors"):
        found = read_checkpoint(tmp_path / name)
        np.testing.assert_array_equal(found.find("c").weight, state["c.weight"].float().numpy())


def test_an_array_of_four_axes_that_is_not_called_a_weight_is_no_convolution(tmp_path):
    state = {"pos_embed": torch.zeros(1, 2, 3, 4), "c.weight": torch.ones(1, 1, 2, 2)}
    torch.save(state, tmp_path / "x.pt")
    found = read_checkpoint(tmp_path / "x.pt")
    assert [layer.name for layer in found.convolutions] == ["c"]
    assert set(found.arrays) == set(state)
    with pytest.raises(InputError, match="'pos_embed': it has four axes, but only arrays named NAME"):
        found.find("pos_embed")


def test_a_layer_is_found_by_the_end_of_its_name_where_only_one_has_that(tmp_path):
    state = {f"module.{name}.weight": torch.ones(1, 1, 2, 2) for name in ("a.conv1", "b.conv1", "conv2")}
    torch.save(state, tmp_path / "x.pt")
    found = read_checkpoint(tmp_path / "x.pt")
    assert found.find("conv2").name == "module.conv2"
    assert found.find("b.conv1").name == "module.b.conv1"
    with pytest.raises(UnknownNameError, match="no convolution named 'conv1'"):
        found.find("conv1")


# --- what is stored once and shows in many places


def test_a_tensor_that_repeats_one_number_takes_no_memory(tmp_path, capsys):
    """64 Mi numbers in a file of 1.6 kB: 256 MiB as float32, were they written out."""
    torch.save({"c.weight": torch.full((1,), 0.5).expand(1 << 12, 1 << 8, 8, 8)}, tmp_path / "x.pt")
    tracemalloc.start()
    assert status_of(["layers", str(tmp_path / "x.pt"), "--json"]) == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 23
    document = json.loads(capsys.readouterr().out)
    assert (document["numbers"], document["layers"][0]["mean"]) == (1, 0.5)


def constant(path):
    shape = numpy_helper.from_array(np.array([1 << 12, 1 << 8, 8, 8]), "s")
    nodes = [helper.make_node("ConstantOfShape", ["s"], ["w"]), helper.make_node("Conv", ["x", "w"], ["y"])]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [], [], [shape])), path)


REPEATED = {
    "x.pt": lambda path: torch.save({"c.weight": torch.ones(1).expand(1 << 12, 1 << 8, 8, 8)}, path),
    "half.pt": lambda path: torch.save(
        {"c.weight": torch.ones(1).half().expand(1 << 12, 1 << 8, 8, 8)}, path
    ),
    "x.onnx": constant,
    "x.npz": lambda path: np.savez_compressed(path, weight=np.zeros((1 << 11, 1 << 8, 16, 16), np.uint8)),
}


@pytest.mark.parametrize("name", REPEATED)
def test_what_would_take_more_memory_than_there_is_is_refused_before_it_is_read(name, tmp_path, monkeypatch):
    REPEATED[name](tmp_path / name)
    assert (tmp_path / name).stat().st_size < 1 << 18
    monkeypatch.setattr(memory, "available", lambda: float(1 << 26))
    with pytest.raises(InputError, match=f"of .*{name}.* need .* of memory, and 64 MiB are free"):
        read_checkpoint(tmp_path / name)


# --- numbers that are not finite


def test_layers_counts_what_is_not_finite_and_sums_up_the_rest(tmp_path, capsys):
    """Of 8 weights one is NaN and two are infinite; 1, 3, 5, 7 and 9 are left, with mean 5 and variance 8."""
    weight = torch.tensor([1.0, 3, 5, 7, 9, torch.nan, torch.inf, -torch.inf]).reshape(2, 1, 2, 2)
    state = {"c.weight": weight, "c.bias": torch.tensor([torch.nan, 0]), "d.weight": weight[:1, :, 1:] * 0}
    state["d.weight"][:] = torch.nan
    torch.save(state, tmp_path / "x.pt")
    assert status_of(["layers", str(tmp_path / "x.pt"), "--json"]) == 0
    one, other = json.loads(capsys.readouterr().out)["layers"]
    assert [one[key] for key in ("min", "max", "mean", "nan", "inf")] == [1, 9, 5, 2, 2]
    assert one["std"] == pytest.approx(8**0.5)
    assert [other[key] for key in ("min", "mean", "nan", "inf")] == [None, None, 2, 0]
    assert status_of(["layers", str(tmp_path / "x.pt")]) == 0
    out = capsys.readouterr().out
    assert "not finite: 4 NaN and 2 infinite in 2 layers" in out
    assert out.splitlines()[3].split() == ["d", "1x1x1x2", "no", "2", "-", "-", "-", "-", "2", "0"]
    assert status_of(["filters", str(tmp_path / "x.pt"), "--layer", "c"]) == 3
    assert "nan is not a finite number" in capsys.readouterr().err


# --- as the numbers of one layer


@pytest.fixture
def file(tmp_path):
    torch.save(small().state_dict(), tmp_path / "x.pt")
    return tmp_path / "x.pt"


def test_a_layer_of_a_file_becomes_a_layer_with_its_weight_and_bias(file):
    layer, weights, remarks = filters.build(LayerSettings(weights=file, layer_name="0", stride=HW(2, 1)), 3)
    assert (layer.in_channels, layer.out_channels, layer.kernel_size, layer.bias) == (3, 4, HW(3, 5), True)
    assert layer.stride == HW(2, 1)
    np.testing.assert_array_equal(weights.weight, small().state_dict()["0.weight"].numpy())
    np.testing.assert_array_equal(weights.bias, small().state_dict()["0.bias"].numpy())
    assert weights.names == ("0: 0", "0: 1", "0: 2", "0: 3")
    # The stride was given, and one group follows from the three channels of weight and input.
    assert remarks == (
        "'x.pt' does not store padding and dilation; using padding 0 and dilation 1, as by default",
    )


def test_nothing_is_assumed_of_a_layer_whose_arguments_were_all_given(file):
    given = {"stride": HW(2, 2), "padding": Edges(2, 2, 2, 2), "dilation": HW(1, 2)}
    assert filters.build(LayerSettings(weights=file, layer_name="0", **given), 3)[2] == ()


def test_an_input_of_other_planes_is_told_what_the_layer_reads(file):
    with pytest.raises(ShapeError, match="'2' reads 4 channels, but the input has 3; what it reads is made"):
        filters.build(LayerSettings(weights=file, layer_name="2"), 3)


@pytest.mark.parametrize(
    ("weight", "channels", "offered"),
    [
        pytest.param((6, 1, 3, 3), "RGB", {"--mode gray", "--groups 3"}, id="both"),
        pytest.param((8, 1, 3, 3), "RGB", {"--mode gray"}, id="eight filters are not three equal groups"),
        pytest.param((6, 1, 3, 3), "01234", set(), id="five channels are no picture, and no five groups"),
        pytest.param((6, 1, 3, 3), "012345", {"--groups 6"}, id="no picture has six channels"),
        pytest.param((6, 3, 3, 3), ("gray",), {"--mode rgb"}, id="a grey picture"),
        pytest.param((6, 4, 3, 3), "RGB", {"--mode rgba"}, id="a picture without alpha"),
        pytest.param((6, 2, 3, 3), "RGBA", {"--groups 2"}, id="two pairs of channels"),
    ],
)
def test_only_options_that_make_input_and_layer_fit_are_offered(file, weight, channels, offered):
    torch.save({"d.weight": torch.zeros(weight)}, file)
    settings = LayerSettings(weights=file)
    with pytest.raises(ShapeError, match=f"the input has {len(channels)}; ") as caught:
        filters.build(settings, len(channels), channels=tuple(channels))
    told = str(caught.value)
    assert set(re.findall(r"--mode [a-z]+|--groups \d+", told)) == offered
    assert ("give the whole network" in told) == (not offered)
    for option in offered:
        name, value = option.removeprefix("--").split()
        more = {"groups": int(value)} if name == "groups" else {}
        read = len(channels) if more else {"gray": 1, "rgb": 3, "rgba": 4}[value]
        layer, _, _ = filters.build(replace(settings, **more), read)
        assert layer.weight_shape == weight


@pytest.mark.parametrize(
    "more", [{"out_channels": 4}, {"kernel_size": HW(3, 3)}, {"bias_values": (1.0,)}], ids=str
)
def test_what_the_file_says_cannot_be_said_again(file, more):
    with pytest.raises(SpecError, match="the file sets filters, kernel values and biases"):
        filters.prepare(LayerSettings(weights=file, layer_name="0", **more))


def test_a_name_needs_a_file():
    with pytest.raises(SpecError, match="can only be used with --weights"):
        filters.prepare(LayerSettings(layer_name="0"))
