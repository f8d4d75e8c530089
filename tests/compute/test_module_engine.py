"""Modules of torch: hooks that leave no trace, names, weights that are used, and how modules are loaded."""

import math
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize, prune

from convviz.compute import conv, networks
from convviz.compute.networks import loading
from convviz.compute.networks.engine import activations
from convviz.errors import InputError, SpecError, UnknownNameError
from convviz.files.checkpoints import read_checkpoint
from convviz.machine import memory, parallel
from convviz.spec.geometry import Edges

X = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(1)).numpy()


class Network(nn.Module):
    """Maps that are changed in place, a convolution that is called twice, a dropout, and a dict."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.again = nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular")
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.both = Both()
        self.never = nn.Conv2d(4, 4, 1)
        self.fails = False

    def forward(self, x):
        x = self.act(self.first(x))
        x = self.drop(self.norm(self.again(self.again(x))))
        if self.fails:
            raise ValueError("the last part\nis missing")
        return self.both(x)


class Both(nn.Module):
    def forward(self, x):
        return {"sum": x.sum((2, 3)), "parts": (x, 2 * x)}


def state(module):
    """What hooks, modes and gradients of a module could be changed."""
    return [
        (name, one.training, len(one._forward_hooks), len(one._forward_pre_hooks))
        for name, one in module.named_modules()
    ] + [(name, one.requires_grad, one.grad, one.clone().tolist()) for name, one in module.named_parameters()]


def test_activations_are_copied_before_the_next_module_changes_them():
    network = Network().eval()
    found = activations(networks.of_module(network), X, ["first", "act", "again", "again:2"], reads=True)
    with torch.no_grad():
        first = network.first(torch.from_numpy(X)[None])
        again = network.again(first.relu())
    np.testing.assert_array_equal(found["first"].values, first[0])
    np.testing.assert_array_equal(found["act"].read, first[0])
    np.testing.assert_array_equal(found["again"].values, again[0])
    np.testing.assert_array_equal(found["again:2"].values, network.again(again).detach()[0])
    np.testing.assert_array_equal(found["again:2"].read, again[0])


@pytest.mark.parametrize("name", ["first", "both"], ids=["stopped after the first", "failed at the end"])
def test_a_module_is_as_it_was_before_also_after_an_error(name):
    network = Network()
    network.norm.eval()
    network.fails = name == "both"
    before = state(network)
    engine = networks.of_module(network)
    assert torch.is_grad_enabled()
    if network.fails:
        told = r"one tensor of 1x3x8x8: ValueError: the last part \(test_module_engine.py, line \d+\)"
        with pytest.raises(InputError, match=told):
            activations(engine, X, [name])
    else:
        activations(engine, X, [name])
    assert state(network) == before
    assert torch.is_grad_enabled()


def test_nothing_runs_behind_the_last_wanted_module():
    network = Network()
    network.fails = True
    assert list(activations(networks.of_module(network), X, ["again"])) == ["again"]

    # A module may catch whatever is an error; that all is there is none.
    class Careful(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, x):
            try:
                return self.network(x)
            except Exception:  # noqa: BLE001  # as people write
                pytest.fail("it was caught")

    activations(networks.of_module(Careful()), X, ["network.again"])


def test_a_process_of_several_has_as_many_threads_as_it_may_use(monkeypatch):
    """Each process of a batch has one; torch takes all cores if nobody says otherwise."""
    used = []

    class Counting(nn.Module):
        def forward(self, x):
            used.append(torch.get_num_threads())
            return x

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    monkeypatch.setattr(parallel, "_limit", 1)
    try:
        activations(networks.of_module(Counting()), np.zeros((1, 2, 2)), ["Counting"])
    finally:
        torch.set_num_threads(before)
    assert used == [1]


def test_tuples_and_dicts_are_seen_array_by_array():
    engine = networks.of_module(Network())
    found = activations(engine, X, ["both"])
    assert {name: one.values.shape for name, one in found.items()} == {
        "both[sum]": (4,),
        "both[parts][0]": (4, 8, 8),
        "both[parts][1]": (4, 8, 8),
    }
    (part,) = activations(engine, X, ["both[parts][1]"]).values()
    np.testing.assert_array_equal(part.values, 2 * found["both[parts][0]"].values)
    assert [step.name for step in engine.steps(X.shape)][-3:] == list(found)


def test_names_that_are_not_there_and_that_are_not_called_are_told_apart():
    engine = networks.of_module(Network())
    with pytest.raises(UnknownNameError, match="did you mean 'again'"):
        activations(engine, X, ["agian"])
    for name in ("never", "again:3", "both[other]"):
        with pytest.raises(SpecError, match="does not compute"):
            activations(engine, X, [name])
    with pytest.raises(SpecError, match="'act' is not a convolution but ReLU"):
        engine.conv("act")


def test_steps_are_listed_in_the_order_of_the_calls_with_what_they_cost():
    """By hand: 3 * 4 * 9 + 4 parameters, 108 * 64 products; the second call of `again` has no new ones."""
    steps = {step.name: step for step in networks.of_module(Network()).steps(X.shape)}
    assert list(steps)[3:8] == ["first", "act", "again", "again:2", "norm"]
    assert (steps["first"].parameters, steps["first"].macs) == (112, 6912)
    assert (steps["again"].parameters, steps["again:2"].parameters) == (148, 0)
    assert (steps["again"].macs, steps["again:2"].macs) == (9216, 9216)
    assert (steps["act"].macs, steps["Network[sum]"].outer) == (0, True)


def test_type_and_device_of_the_module_are_taken():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).double()
    engine = networks.of_module(network)
    assert (engine.declared.channels, engine.declared.dtype) == (3, "float64")
    (made,) = activations(engine, X, ["0"]).values()
    assert made.values.dtype == np.float32
    half = networks.of_module(nn.Sequential(nn.Conv2d(3, 4, 3)).bfloat16())
    assert activations(half, X, ["0"])["0"].values.shape == (4, 6, 6)


class Own(nn.Conv2d):
    """A subclass that changes nothing."""


class Standardized(nn.Conv2d):
    """Weight standardization, in a forward of its own."""

    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding)


class Bordered(nn.Conv2d):
    """A border of its own: mirrored rows, and columns of zeros that convolution adds."""

    def forward(self, x):
        x = functional.pad(x, (0, 0, 2, 1), mode=self.border)
        return functional.conv2d(x, self.weight, bias=self.bias, padding=(0, self.beside))

    border, beside = "reflect", 0


class Same(nn.Conv2d):
    """The padding of TensorFlow, which depends on the size of the input."""

    def forward(self, x):
        sides = []
        for n, k, s in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            more = max((math.ceil(n / s) - 1) * s + k - n, 0)
            sides += [more // 2, more - more // 2]
        return functional.conv2d(functional.pad(x, sides), self.weight, self.bias, self.stride)


class Activated(nn.Conv2d):
    """A convolution and its activation."""

    def forward(self, x):
        return super().forward(x).relu()


class Modulated(nn.Conv2d):
    """A weight that depends on a style, as generators have."""

    def forward(self, x, style):
        return functional.conv2d(x, self.weight * style, self.bias)


WAYS = {
    "a subclass": lambda _: Own(3, 4, 3),
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "pruning": lambda module: prune.l1_unstructured(module, "weight", 0.5),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_weight_is_the_one_that_is_used(way):
    torch.manual_seed(3)
    network = nn.Sequential(nn.BatchNorm2d(3), WAYS[way](nn.Conv2d(3, 4, 3)))
    if way == "pruning":
        network[
            1
        ].weight_orig.data += 1  # as a state dict would; the whole weight is made anew at the next call
    engine = networks.of_module(network)
    described = engine.conv("1")
    (made,) = activations(engine, X, ["1"], reads=True).values()
    own = conv.apply(described.layer, made.read, described.weights, backend="numpy")
    np.testing.assert_allclose(own, made.values, atol=1e-5)
    assert described.remark == ""
    (step,) = (one for one in engine.steps(X.shape) if one.convolution)
    assert (step.name, step.convolution) == ("1", "Conv2d")


def test_the_weight_that_a_forward_of_its_own_computes_is_shown_and_said():
    torch.manual_seed(3)
    network = Standardized(3, 4, 3)
    engine = networks.of_module(network)
    described = engine.conv("Standardized")
    (made,) = activations(engine, X, ["Standardized"]).values()
    own = conv.apply(described.layer, X, described.weights, backend="numpy")
    np.testing.assert_allclose(own, made.values, atol=1e-5)
    assert described.remark == (
        "Standardized has a forward of its own; its settings and numbers are those that it computes with"
    )


@pytest.mark.parametrize(
    ("module", "padding"),
    [
        (Bordered(3, 4, 3), Edges(2, 1, 0, 0)),
        (Same(3, 4, (3, 4), (2, 3)), "same"),
    ],
    ids=["a border before", "a border that depends on the size"],
)
@pytest.mark.parametrize("size", [(8, 8), (9, 11), (13, 10)], ids=str)
def test_the_padding_of_a_forward_of_its_own_is_found(module, padding, size):
    x = np.random.default_rng(7).normal(size=(3, *size)).astype(np.float32)
    engine = networks.of_module(module)
    (name,) = (one.name for one in engine.steps(x.shape) if one.convolution)
    described = engine.conv(name)
    assert described.layer.padding == padding
    with torch.no_grad():
        expected = module(torch.from_numpy(x)[None])[0].numpy()
    own = conv.apply(described.layer, x, described.weights, backend="numpy")
    np.testing.assert_allclose(own, expected, atol=1e-5)


def test_zeros_of_two_places_are_one_padding_and_of_two_kinds_are_none():
    """A row of zeros from before and a column from the call are one padding; mirrored rows are not zeros."""
    module = Bordered(3, 4, 3)
    module.border, module.beside = "constant", 1
    assert networks.of_module(module).conv("Bordered").layer.padding == Edges(2, 1, 1, 1)
    module.border = "reflect"
    assert not networks.of_module(module).convolves("Bordered")


@pytest.mark.parametrize("kind", [Activated, Modulated])
def test_a_forward_that_is_not_one_convolution_of_its_input_is_said_to_be_none(kind):
    module = kind(3, 4, 3)
    engine = networks.of_module(module)
    assert not engine.convolves(kind.__name__)
    with pytest.raises(SpecError, match="has a forward of its own, which is not one convolution"):
        engine.conv(kind.__name__)
    if kind is Activated:
        assert [one.convolution for one in engine.steps(X.shape)] == [""]


@pytest.mark.filterwarnings("ignore")
def test_what_is_no_module_that_can_be_asked_is_refused():
    with pytest.raises(SpecError, match=r"a torch\.nn\.Module, not dict"):
        networks.of_module({})
    with pytest.raises(SpecError, match="not TorchScript"):
        networks.of_module(torch.jit.trace(nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 8, 8)))
    with pytest.raises(SpecError, match="without numbers"):
        activations(networks.of_module(nn.Conv2d(3, 4, 3, device="meta")), X, ["Conv2d"])


def test_an_activation_that_does_not_fit_is_refused_before_it_is_copied(monkeypatch):
    """64 maps of 640 x 640 are 100 MiB."""
    network = nn.Conv2d(1, 64, 1)
    monkeypatch.setattr(memory, "available", lambda: 70 * 2**20)
    with pytest.raises(SpecError, match="activations of Conv2d need 100 MiB of memory"):
        activations(networks.of_module(network), np.zeros((1, 640, 640)), ["Conv2d"])
    assert not network._forward_hooks


# --- by name

MODEL = """
import torch
from torch import nn
import helper_of_model

class Network(nn.Sequential):
    def __init__(self, channels=4):
        super().__init__(nn.Conv2d(helper_of_model.READS, channels, 3))

def make(weights="download", pretrained=True):
    assert weights is None and not pretrained
    return Network(5)

def needs(classes, *rest, more=1):
    return Network()

def broken():
    return undefined_name

ready = Network(6)
number = 3
nothing = dict
"""


@pytest.fixture
def model(tmp_path, monkeypatch):
    (tmp_path / "helper_of_model.py").write_text("READS = 3\n")
    (tmp_path / "model_of_test.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield "model_of_test.py"
    for name in set(sys.modules) - before:
        if name.endswith("_of_model") or name.endswith("_of_test"):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "maps"), [("Network", 4), ("make", 5), ("ready", 6)], ids=["class", "function", "module"]
)
def test_a_model_is_loaded_from_a_file_or_a_package(name, maps, model):
    before = list(sys.path)
    for where in (model, "model_of_test"):
        assert networks.load_model(f"{where}:{name}")[0].out_channels == maps
    assert sys.path == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_of_test.py", "expected FILE.py:NAME or package.module:NAME"),
        ("missing.py:Network", "cannot read 'missing.py': there is no such file"),
        ("no.such.package:Network", "cannot be imported: ModuleNotFoundError: No module named 'no'"),
        ("model_of_test.py:reddy", "no model in model_of_test.py named 'reddy'; did you mean 'ready'"),
        ("model_of_test.py:needs", r"needs 1 argument \(classes\); write a function"),
        (
            "model_of_test.py:broken",
            r"cannot be made: NameError: name 'undefined_name' is not defined \(model_of_test.py, line 18\)",
        ),
        ("model_of_test.py:number", "is no torch.nn.Module, and nothing that makes one, but int"),
        ("model_of_test.py:nothing", "gives dict; expected a torch.nn.Module"),
        ("bad.py:Network", r"cannot be imported: SyntaxError: .* \(bad.py, line 1\)"),
        ("weights.pt:Network", "'weights.pt' is not a Python file; give its class or function as model"),
        ("program.pt2:Network", "'program.pt2' is not a Python file"),
    ],
)
def test_what_cannot_be_loaded_is_said_in_one_line(text, message, model, tmp_path):
    (tmp_path / "bad.py").write_text("def Network(:\n")
    with pytest.raises((SpecError, InputError, UnknownNameError), match=message) as caught:
        networks.load_model(text)
    assert "\n" not in str(caught.value)


# --- weights by name


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 3))


def stored(path, document):
    torch.save(document, path)
    return read_checkpoint(path)


@pytest.mark.parametrize(
    ("prefix", "wrapped"),
    [("", False), ("module.", False), ("_orig_mod.", False), ("backbone.model.", False), ("model.", True)],
)
def test_weights_are_paired_by_name_through_a_prefix_that_all_share(prefix, wrapped, tmp_path):
    trained, fresh = network(), network()
    arrays = {f"{prefix}{name}": one for name, one in trained.state_dict().items()}
    remarks = loading.load_weights(
        fresh, stored(tmp_path / "w.pt", {"state_dict": arrays} if wrapped else arrays)
    )
    for name, one in trained.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], one) or name.endswith("tracked")
    assert [prefix in one for one in remarks] == ([True] if prefix else [])


def test_weights_are_paired_where_the_model_has_the_prefix(tmp_path):
    trained, fresh = network(), nn.ModuleDict({"net": network()})
    (remark,) = loading.load_weights(fresh, stored(tmp_path / "w.pt", trained.state_dict()))
    assert "'net.'" in remark
    assert torch.equal(fresh["net"][2].weight, trained[2].weight)


def test_parts_of_a_weight_are_paired_with_parts_and_the_whole_with_the_whole(tmp_path):
    trained = nn.Sequential(parametrizations.weight_norm(nn.Conv2d(3, 4, 3)))
    with torch.no_grad():
        trained[0].parametrizations.weight.original0 *= 3
    checkpoint = stored(tmp_path / "w.pt", trained.state_dict())
    for fresh in (
        nn.Sequential(nn.Conv2d(3, 4, 3)),
        nn.Sequential(parametrizations.weight_norm(nn.Conv2d(3, 4, 3))),
    ):
        assert loading.load_weights(fresh, checkpoint) == ()
        assert torch.allclose(fresh[0].weight, trained[0].weight)
        assert parametrize.is_parametrized(fresh[0]) or isinstance(fresh[0].weight, nn.Parameter)


def test_an_order_is_taken_only_where_no_name_fits_and_every_pair_is_said(tmp_path):
    trained, fresh = network(), network()
    arrays = {f"part{i}": one for i, one in enumerate(trained.state_dict().values()) if one.ndim}
    (remark,) = loading.load_weights(fresh, stored(tmp_path / "w.pt", arrays))
    assert "0.weight = part0" in remark
    assert "2.bias = part8" in remark
    assert torch.equal(fresh[2].weight, trained[2].weight)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("2.bias"), r"lacks 1 array of the model: 2\.bias"),
        (
            lambda w: w.update({"2.bias": torch.zeros(3)}),
            r"'2\.bias' has the shape \(3,\), but '2\.bias' of the model has \(2,\)",
        ),
        (
            lambda w: (
                [w.update({f"{p}.{k}": v for k, v in w.copy().items() for p in "ab"})]
                + [w.pop(k) for k in list(w) if k[0] in "012"]
            ),
            "holds the model 2 times, behind 'a.', 'b.'",
        ),
    ],
    ids=["missing", "another shape", "twice"],
)
def test_weights_that_do_not_fit_are_refused(change, message, tmp_path):
    arrays = dict(network().state_dict())
    change(arrays)
    with pytest.raises(InputError, match=message):
        loading.load_weights(network(), stored(tmp_path / "w.pt", arrays))


def test_what_the_file_holds_beyond_the_model_is_said(tmp_path):
    arrays = network().state_dict() | {"head.weight": torch.zeros(2, 2)}
    (remark,) = loading.load_weights(network(), stored(tmp_path / "w.pt", arrays))
    assert "head.weight" in remark


def test_weights_of_another_model_are_refused_with_both_counts(tmp_path):
    """A convolution has a weight and a bias; the file has one array more, and none of these names."""
    arrays = {f"x{index}": np.zeros(3, np.float32) for index in range(3)}
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(InputError) as caught:
        networks.load_weights(nn.Conv2d(1, 1, 3), read_checkpoint(tmp_path / "other.npz"))
    assert str(caught.value).endswith(
        "holds no array with a name of the model, and its arrays cannot be taken in order, because their "
        "number or their shapes differ: the file has 3 arrays (x0, x1, x2), the model 2 (weight, bias); "
        "use the model that the weights were saved from."
    )


def test_a_module_runs_on_zeros_once_for_all_pictures_of_one_shape():
    network = Network().eval()
    runs = []
    network.register_forward_hook(lambda *_: runs.append(1))
    engine = networks.of_module(network)
    names = [one.name for one in engine.steps((3, 8, 8))]
    assert [one.name for one in engine.steps([3, 8, 8])] == names
    assert len(runs) == 1
    assert engine.steps((3, 6, 8))[0].input_shapes == ((3, 6, 8),)
    assert engine.steps((3, 8, 8))[0].input_shapes == ((3, 8, 8),)
    assert len(runs) == 3


class Attending(nn.Module):
    """Attention between 64 pixels, whose weights are dropped, averaged over the heads, or taken."""

    def __init__(self, **asked):
        super().__init__()
        torch.manual_seed(5)
        self.embed = nn.Conv2d(3, 8, 1)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.asked = asked

    def forward(self, x):
        tokens = self.embed(x).flatten(2).mT
        made, weights = self.attention(tokens, tokens, tokens, **self.asked)
        return made if weights is None else made + weights.sum()


@pytest.mark.parametrize(
    ("asked", "shape"),
    [
        ({"need_weights": False}, (2, 64, 64)),
        ({"average_attn_weights": False}, (2, 64, 64)),
        ({}, (64, 64)),
    ],
    ids=["dropped", "of each head", "averaged"],
)
def test_attention_has_its_weights_beside_what_it_makes(asked, shape):
    """They are those of each head where the caller drops them, else those that it gets."""
    module = Attending(**asked).eval()
    before = state(module)
    engine = networks.of_module(module)
    steps = {step.name: step.output_shape for step in engine.steps(X.shape)}
    assert steps["attention"] == (64, 8)
    assert steps["attention[weights]"] == shape
    found = activations(engine, X, ["attention", "attention[weights]", "Attending"])
    with torch.no_grad():
        tokens = module.embed(torch.from_numpy(X)[None]).flatten(2).mT
        _, weights = module.attention(tokens, tokens, tokens, average_attn_weights=len(shape) == 2)
        made = module(torch.from_numpy(X)[None])
    np.testing.assert_allclose(found["attention[weights]"].values, weights[0], atol=1e-6)
    np.testing.assert_allclose(found["Attending"].values, made[0], atol=1e-5)
    assert state(module) == before
    # The network that drops them gets none.
    alone = activations(engine, X, ["Attending"])["Attending"].values
    np.testing.assert_allclose(alone, made[0], atol=1e-6)
