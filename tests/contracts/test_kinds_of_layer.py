"""What every kind of layer must do: every engine, the page, both written forms, seeds, counts and fields."""

import json
import shutil
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from convviz.compute.networks import filling, stack, torch_
from convviz.page import page
from convviz.spec import layers
from convviz.spec.counts import counts
from convviz.spec.geometry import HW
from convviz.spec.network import INPUT, Network, SizedStep, Step
from convviz.spec.reach import Box
from convviz.spec.stacks import network_of, parse_layers


class Sum(torch.nn.Module):
    def forward(self, *xs):
        return torch.stack(xs).sum(0)


class Cut(torch.nn.Module):
    """Concatenation in which the larger input is cut as torchvision's centre crop does, by slices."""

    def forward(self, first, second):
        return torch.cat([first[:, :, 1:6, 2:6], second], 1)


class Padded(torch.nn.Module):
    """A convolution with another padding on each side, which torch writes as two modules."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(4, 6, (3, 5), (2, 1), 0, (1, 2), 2)

    def forward(self, x):
        return self.conv(torch.nn.functional.pad(x, (2, 1, 1, 0)))


@dataclass(frozen=True)
class Example:
    """A layer as it is written, its like in torch, and the shapes of what it reads."""

    text: str
    arguments: dict
    theirs: object
    shapes: tuple


IMAGE = ((4, 9, 8),)
EXAMPLES = {
    layers.Conv2d: Example(
        # A stack has one number for padding; the sides that differ are for TOML.
        "conv 6 k3x5 s2x1 d1x2 g2",
        {
            "out_channels": 6,
            "kernel_size": (3, 5),
            "stride": (2, 1),
            "dilation": (1, 2),
            "groups": 2,
            "padding": ((1, 0), (2, 1)),
        },
        Padded,
        ((4, 9, 12),),
    ),
    layers.ConvTranspose2d: Example(
        "convtranspose 6 k3x2 s3x2 p1x0 o1 g2",
        {
            "out_channels": 6,
            "kernel_size": (3, 2),
            "stride": (3, 2),
            "padding": (1, 0),
            "output_padding": 1,
            "groups": 2,
        },
        lambda: torch.nn.ConvTranspose2d(4, 6, (3, 2), (3, 2), (1, 0), 1, 2),
        IMAGE,
    ),
    layers.MaxPool2d: Example(
        "maxpool 3x2 s2x1 p1 d1x2",
        {"kernel_size": (3, 2), "stride": (2, 1), "padding": 1, "dilation": (1, 2)},
        lambda: torch.nn.MaxPool2d((3, 2), (2, 1), 1, (1, 2)),
        IMAGE,
    ),
    layers.AvgPool2d: Example(
        "avgpool 3x2 s2x1 p1 nopad ceil",
        {
            "kernel_size": (3, 2),
            "stride": (2, 1),
            "padding": 1,
            "count_include_pad": False,
            "ceil_mode": True,
        },
        lambda: torch.nn.AvgPool2d((3, 2), (2, 1), 1, True, False),
        IMAGE,
    ),
    layers.AdaptiveAvgPool2d: Example(
        "adaptiveavgpool 3x4", {"output_size": (3, 4)}, lambda: torch.nn.AdaptiveAvgPool2d((3, 4)), IMAGE
    ),
    layers.BatchNorm2d: Example("bn", {}, lambda: torch.nn.BatchNorm2d(4).eval(), IMAGE),
    layers.ReLU: Example("relu", {}, torch.nn.ReLU, IMAGE),
    layers.ReLU6: Example("relu6", {}, torch.nn.ReLU6, IMAGE),
    layers.LeakyReLU: Example(
        "leakyrelu 0.2", {"negative_slope": 0.2}, lambda: torch.nn.LeakyReLU(0.2), IMAGE
    ),
    layers.SiLU: Example("silu", {}, torch.nn.SiLU, IMAGE),
    layers.GELU: Example("gelu", {}, torch.nn.GELU, IMAGE),
    layers.Hardswish: Example("hardswish", {}, torch.nn.Hardswish, IMAGE),
    layers.Sigmoid: Example("sigmoid", {}, torch.nn.Sigmoid, IMAGE),
    layers.Tanh: Example("tanh", {}, torch.nn.Tanh, IMAGE),
    layers.Dropout: Example("dropout 0.3", {"p": 0.3}, lambda: torch.nn.Dropout(0.3).eval(), IMAGE),
    layers.Flatten: Example("flatten", {}, torch.nn.Flatten, IMAGE),
    layers.Linear: Example("linear 5", {"out_features": 5}, lambda: torch.nn.Linear(7, 5), ((7,),)),
    layers.Softmax: Example("softmax", {}, lambda: torch.nn.Softmax(1), IMAGE),
    layers.Upsample: Example(
        "upsample 3x2 bilinear",
        {"scale_factor": (3, 2), "mode": "bilinear"},
        lambda: torch.nn.Upsample(scale_factor=(3.0, 2.0), mode="bilinear"),
        IMAGE,
    ),
    layers.Add: Example("", {}, Sum, IMAGE * 3),
    layers.Concat: Example("", {"crop": True}, Cut, ((4, 7, 8), (2, 5, 4))),
}
every_kind = pytest.mark.parametrize("kind", layers.KINDS, ids=lambda kind: kind.__name__)


def placed_of(kind):
    """Build the layer from its arguments, for the shapes that it reads."""
    example = EXAMPLES[kind]
    names = [f"in{index}" for index in range(len(example.shapes))]
    step = Step("it", kind, example.arguments, tuple(names))
    # A network has one input; what the others hold is given to the engines directly.
    layer = step.kind(**example.arguments, **inferred(kind, example.shapes[0]))
    return step, layer


def inferred(kind, shape):
    name = kind.spelling.inferred
    return {name: shape[0]} if name else {}


def drawn(shapes, seed=3):
    chance = np.random.default_rng(seed)
    return [chance.normal(0, 3, shape).astype(np.float32) for shape in shapes]


def with_numbers(kind, layer):
    """A module of torch, and what it holds by the names of torch."""
    torch.manual_seed(5)
    module = EXAMPLES[kind].theirs()
    for name, buffer in module.named_buffers():
        if name.endswith("running_var"):
            torch.nn.init.uniform_(buffer, 0.5, 2)
        elif name.endswith("running_mean"):
            torch.nn.init.normal_(buffer)
    state = {name.removeprefix("conv."): value.numpy() for name, value in module.state_dict().items()}
    return module, {name: state[name] for name in layer.arrays}


def expected(module, xs):
    with torch.no_grad():
        return module(*(torch.from_numpy(x)[None] for x in xs))[0].numpy()


def close(found, wanted):
    scale = max(1, float(np.abs(wanted).max()))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2e-6 * scale)


def test_every_kind_has_an_example_and_a_row_in_every_engine_and_on_the_page():
    kinds = set(layers.KINDS)
    assert kinds == EXAMPLES.keys() == stack.ROWS.keys() == torch_.ROWS.keys()
    assert sorted(kind.__name__ for kind in kinds) == sorted(on_page("Layers.kinds"))


@every_kind
def test_numpy_computes_what_the_module_of_torch_does(kind):
    _, layer = placed_of(kind)
    module, parameters = with_numbers(kind, layer)
    xs = drawn(EXAMPLES[kind].shapes)
    found = stack.compute(layer, xs, parameters)
    close(found, expected(module, xs))
    assert found.shape == layer.output_shape(*(x.shape for x in xs))
    assert layer.parameters == sum(parameter.numel() for parameter in module.parameters())


@every_kind
def test_torch_computes_what_its_module_does(kind):
    _, layer = placed_of(kind)
    module, parameters = with_numbers(kind, layer)
    xs = drawn(EXAMPLES[kind].shapes)
    given = {name: torch.from_numpy(value) for name, value in parameters.items()}
    found = torch_.ROWS[kind](layer, [torch.from_numpy(x)[None] for x in xs], given)
    close(found[0].numpy(), expected(module, xs))


@every_kind
def test_the_page_computes_what_the_module_of_torch_does(kind):
    step, layer = placed_of(kind)
    module, parameters = with_numbers(kind, layer)
    xs = drawn(EXAMPLES[kind].shapes)
    want = expected(module, xs)
    shapes = tuple(x.shape for x in xs)
    one = SizedStep("it", layer, step.inputs, shapes, layer.output_shape(*shapes), 0, None, None)
    pictures = [
        {
            "height": x.shape[1] if x.ndim == 3 else 1,
            "width": x.shape[-1],
            "channels": x.reshape(-1, x.shape[-2] * x.shape[-1] if x.ndim == 3 else x.shape[-1]).tolist(),
        }
        for x in xs
    ]
    found = on_page("made", {"layer": page.layer_data(one, parameters), "inputs": pictures})
    close(np.array(found, np.float32).reshape(want.shape), want)


@every_kind
def test_text_and_toml_make_the_same_layer(kind):
    example, (_, layer) = EXAMPLES[kind], placed_of(kind)
    as_lists = json.loads(json.dumps(example.arguments))
    table = {"type": kind.__name__, "name": "it", "from": [INPUT] * len(example.shapes), **as_lists}
    # Every input of the network has one shape here, and so have those of the layer that joins.
    (one,) = network_of({"layer": [table]}, "here").sized(example.shapes[0])
    assert one.layer == layer
    if kind.joins:
        assert not example.text
        return
    (one,) = parse_layers(example.text).sized(example.shapes[0])
    told = [of.name for of in fields(kind) if kind is not layers.Conv2d or of.name != "padding"]
    assert [getattr(one.layer, name) for name in told] == [getattr(layer, name) for name in told]


@every_kind
def test_seeded_numbers_are_those_of_a_new_module_of_torch(kind):
    step, layer = placed_of(kind)
    shapes = EXAMPLES[kind].shapes
    one = SizedStep("it", layer, step.inputs, shapes, layer.output_shape(*shapes), 0, None, None)
    torch.manual_seed(11)
    state = {
        name.removeprefix("conv."): value for name, value in EXAMPLES[kind].theirs().state_dict().items()
    }
    found = filling.seeded([one], 11)["it"]
    assert found.keys() == layer.arrays.keys()
    for name, value in found.items():
        np.testing.assert_array_equal(value, state[name].numpy())


@every_kind
def test_multiply_accumulate_operations_are_those_that_torch_counts(kind):
    _, layer = placed_of(kind)
    module, shapes = EXAMPLES[kind].theirs(), EXAMPLES[kind].shapes
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(*(torch.zeros(1, *shape) for shape in shapes))
    assert counts([(layer, shapes[0])])["flops"] == counter.get_total_flops()
    assert 0 <= layer.macs_inside(*shapes) <= layer.macs(*shapes)


# A sum over all that is below a window, or a copy, hides nothing; a maximum and a slope of 0 do.
HIDING = (layers.MaxPool2d, layers.ReLU, layers.ReLU6, layers.Hardswish)


@every_kind
def test_a_receptive_field_is_what_a_gradient_reaches(kind):
    module, shapes = EXAMPLES[kind].theirs(), EXAMPLES[kind].shapes
    if len({shape[1:] for shape in shapes}) > 1 or len(shapes[0]) != 3:
        pytest.skip("an input of a network has one size, and a row has no field")
    for parameter in module.parameters():
        torch.nn.init.constant_(parameter, 0.5)
    network = Network((Step("it", kind, EXAMPLES[kind].arguments, (INPUT,) * len(shapes)),))
    (one,) = network.sized(shapes[0])
    if one.height is None:
        assert kind in (layers.Flatten, layers.AdaptiveAvgPool2d)
        return
    _, h, w = one.output_shape
    for at in (HW(0, 0), HW(h // 2, w // 3), HW(h - 1, w - 1)):
        x = torch.rand(1, *shapes[0]).requires_grad_()
        (grown,) = torch.autograd.grad(module(*[x] * len(shapes))[0, :, at.h, at.w].sum(), x)
        # A softmax over channels sums up to 1 whatever they are.
        if kind is layers.Softmax:
            (grown,) = torch.autograd.grad(module(x)[0, 0, at.h, at.w], x)
        rows, columns = np.nonzero(grown[0].abs().sum(0).numpy())
        box = Box.of(one.height, one.width, at).inside(HW(*shapes[0][1:]))
        wanted = np.array([box.top, box.bottom, box.left, box.right])
        if not rows.size:
            assert kind in HIDING or box.top > box.bottom or box.left > box.right
            continue
        seen = np.array([rows.min(), rows.max(), columns.min(), columns.max()])
        beyond = (wanted - seen) * [1, -1, 1, -1]
        assert (beyond <= 0).all()
        if kind not in HIDING:
            # Where the picture ends between two kernel values, the pixels before its edge are not read.
            apart = 2 if kind is layers.Conv2d else 1
            assert (beyond > -apart).all()


NODE = shutil.which("node")
SCRIPT = """
const [vm, fs] = [require("vm"), require("fs")];
for (const path of process.argv.slice(1)) vm.runInThisContext(fs.readFileSync(path, "utf8"));
const { what, given } = JSON.parse(fs.readFileSync(0, "utf8"));
const answer = vm.runInThisContext(`(what, given) => {
  if (what !== "made") return Layers.kinds;
  const { layer, inputs } = given;
  for (const [name, text] of Object.entries(layer.parameters)) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    layer.parameters[name] = new Float32Array(bytes.buffer);
  }
  const unpacked = (channels) => channels.map((values) => Float32Array.from(values));
  const read = inputs.map((one) => ({ ...one, channels: unpacked(one.channels) }));
  return Layers.made(layer, read).channels.map((values) => Array.from(values));
}`);
process.stdout.write(JSON.stringify(answer(what, given)));
"""


def on_page(what, given=None):
    """Ask the script of the page."""
    if NODE is None:
        pytest.skip("node, which runs the script of the page, is not installed")
    folder = Path(page.__file__).parent
    done = subprocess.run(
        [NODE, "-e", SCRIPT, folder / "convolve.js", folder / "layers.js"],
        input=json.dumps({"what": what, "given": given}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)
