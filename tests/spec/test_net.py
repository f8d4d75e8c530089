"""Nets: how they are written, and what they come to, held to torch's own modules."""

import itertools
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import convviz
from convviz.errors import ConvvizError, InputError, ShapeError, SpecError, TextError, UnknownNameError
from convviz.results.scene import gallery
from convviz.spec import stacks

NETS = Path(convviz.__file__).parent / "spec" / "nets"


def named(name):
    return stacks.read_net(NETS / f"{name}.toml")


def convolution(*arguments, **more):
    return torch.nn.Conv2d(*arguments, **more)


def lenet5():
    layers = [convolution(1, 6, 5), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
    layers += [convolution(6, 16, 5), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten()]
    for before, after in ((400, 120), (120, 84)):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(84, 10))


def classifier(values):
    layers = [torch.nn.Flatten()]
    for before, after in ((values, 4096), (4096, 4096)):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    return [*layers, torch.nn.Linear(4096, 1000)]


def alexnet():
    layers, before = [], 3
    for after, kernel, stride, padding, pool in (
        (64, 11, 4, 2, True),
        (192, 5, 1, 2, True),
        (384, 3, 1, 1, False),
        (256, 3, 1, 1, False),
        (256, 3, 1, 1, True),
    ):
        layers += [convolution(before, after, kernel, stride, padding), torch.nn.ReLU()]
        layers += [torch.nn.MaxPool2d(3, 2)] if pool else []
        before = after
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(6), *classifier(256 * 36))


def vgg16():
    layers, before = [], 3
    for block in ([64] * 2, [128] * 2, [256] * 3, [512] * 3, [512] * 3):
        for after in block:
            layers += [convolution(before, after, 3, padding=1), torch.nn.ReLU()]
            before = after
        layers.append(torch.nn.MaxPool2d(2))
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(7), *classifier(512 * 49))


class Block(torch.nn.Module):
    """Two convolutions round which the input is led."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.main = torch.nn.Sequential(
            convolution(before, after, 3, stride, 1, bias=False),
            torch.nn.BatchNorm2d(after),
            torch.nn.ReLU(),
            convolution(after, after, 3, 1, 1, bias=False),
            torch.nn.BatchNorm2d(after),
        )
        short = [convolution(before, after, 1, stride, bias=False), torch.nn.BatchNorm2d(after)]
        self.short = torch.nn.Sequential(*(short if stride > 1 else []))

    def forward(self, x):
        return torch.relu(self.main(x) + self.short(x))


def resnet18():
    layers = [convolution(3, 64, 7, 2, 3, bias=False), torch.nn.BatchNorm2d(64), torch.nn.ReLU()]
    layers.append(torch.nn.MaxPool2d(3, 2, 1))
    for before, after, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        layers += [Block(before, after, stride), Block(after, after, 1)]
    return torch.nn.Sequential(
        *layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(512, 1000)
    )


class Inverted(torch.nn.Module):
    """A block of MobileNetV2: wider, by channel, narrower; the input is added where the shapes allow it."""

    def __init__(self, before, after, stride, factor):
        super().__init__()
        wide = before * factor
        layers = [normed(before, wide, 1)] if factor != 1 else []
        layers += [normed(wide, wide, 3, stride, wide), convolution(wide, after, 1, bias=False)]
        self.conv = torch.nn.Sequential(*layers, torch.nn.BatchNorm2d(after))
        self.added = stride == 1 and before == after

    def forward(self, x):
        return x + self.conv(x) if self.added else self.conv(x)


def normed(before, after, kernel, stride=1, groups=1):
    conv = convolution(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
    return torch.nn.Sequential(conv, torch.nn.BatchNorm2d(after), torch.nn.ReLU6())


class Named(torch.nn.Module):
    """A network whose parts have the names that torchvision gives them."""

    def __init__(self, features, pooled, *classifier):
        super().__init__()
        self.features = torch.nn.Sequential(*features)
        self.avgpool = torch.nn.AdaptiveAvgPool2d(pooled)
        self.classifier = torch.nn.Sequential(*classifier)

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def mobilenet_v2():
    """Table 2 of the paper: factor, channels, repeats, stride."""
    features, before = [normed(3, 32, 3, 2)], 32
    for factor, after, count, stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
        (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for index in range(count):
            features.append(Inverted(before, after, stride if index == 0 else 1, factor))
            before = after
    features.append(normed(320, 1280, 1))
    return Named(features, 1, torch.nn.Dropout(0.2), torch.nn.Linear(1280, 1000))


def named_classifier(values, *, first):
    """Dropout stands before each linear layer in AlexNet, and after it in VGG."""
    layers = []
    for before, after in ((values, 4096), (4096, 4096)):
        linear = [torch.nn.Linear(before, after), torch.nn.ReLU()]
        layers += [torch.nn.Dropout(), *linear] if first else [*linear, torch.nn.Dropout()]
    return [*layers, torch.nn.Linear(4096, 1000)]


class UNet(torch.nn.Module):
    """Figure 1 of the paper: no padding, and maps cut around their centre."""

    def __init__(self):
        super().__init__()
        sizes = [1, 64, 128, 256, 512, 1024]
        self.down = torch.nn.ModuleList(self.twice(a, b) for a, b in itertools.pairwise(sizes))
        up = [(b, a) for a, b in itertools.pairwise(sizes[1:])][::-1]
        self.up = torch.nn.ModuleList(torch.nn.ConvTranspose2d(a, b, 2, 2) for a, b in up)
        self.joined = torch.nn.ModuleList(self.twice(a, b) for a, b in up)
        self.last = convolution(64, 2, 1)

    def twice(self, before, after):
        pair = [convolution(before, after, 3), torch.nn.ReLU(), convolution(after, after, 3), torch.nn.ReLU()]
        return torch.nn.Sequential(*pair)

    def forward(self, x):
        kept = []
        for index, block in enumerate(self.down):
            x = block(x if index == 0 else torch.nn.functional.max_pool2d(x, 2))
            kept.append(x)
        for up, block, before in zip(self.up, self.joined, kept[-2::-1], strict=True):
            x = torch.relu(up(x))
            spare = (before.shape[2] - x.shape[2]) // 2
            x = block(torch.cat([before[:, :, spare : spare + x.shape[2], spare : spare + x.shape[3]], x], 1))
        return self.last(x)


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("alexnet", lambda: Named(list(alexnet())[:13], 6, *named_classifier(9216, first=True))),
        ("vgg16", lambda: Named(list(vgg16())[:31], 7, *named_classifier(25088, first=False))),
        ("mobilenet_v2", mobilenet_v2),
    ],
)
def test_a_named_net_has_the_names_of_torchvision(name, build):
    """So that a state dict of torchvision fits; a test of that package itself would fetch gigabytes."""
    with torch.device("meta"):
        theirs = {key: tuple(value.shape) for key, value in build().state_dict().items()}
    theirs = {key: shape for key, shape in theirs.items() if not key.endswith("num_batches_tracked")}
    steps = named(name).sized((3, 224, 224))
    assert theirs == {f"{one.name}.{key}": shape for one in steps for key, shape in one.layer.arrays.items()}


@pytest.mark.parametrize(
    ("name", "build", "shape", "known"),
    [
        # Parameters as the papers and the documentation of torchvision give them.
        ("lenet5", lenet5, (1, 32, 32), 61_706),
        ("alexnet", alexnet, (3, 224, 224), 61_100_840),
        ("vgg16", vgg16, (3, 224, 224), 138_357_544),
        ("resnet18", resnet18, (3, 224, 224), 11_689_512),
        ("mobilenet_v2", mobilenet_v2, (3, 224, 224), 3_504_872),
        # Written out: 9 weights a kernel but 4 of the transposed ones, and a bias per map.
        ("unet", UNet, (1, 572, 572), 31_030_658),
    ],
)
def test_a_named_net_is_that_of_torch(name, build, shape, known):
    """Shapes, parameters and MACs of convolutions and linear layers, in the order of computing."""
    with torch.device("meta"):
        module = build().eval()
        seen = []

        def note(layer, inputs, output):
            if isinstance(layer, torch.nn.Conv2d):
                seen.append((tuple(output.shape[1:]), layer.weight.numel() * output[0, 0].numel()))
            elif isinstance(layer, torch.nn.ConvTranspose2d):
                seen.append((tuple(output.shape[1:]), layer.weight.numel() * inputs[0][0, 0].numel()))
            elif isinstance(layer, torch.nn.Linear):
                seen.append((tuple(output.shape[1:]), layer.weight.numel()))

        for layer in module.modules():
            layer.register_forward_hook(note)
        module(torch.zeros(1, *shape))
    steps = named(name).sized(shape)
    ours = [
        (one.output_shape, one.macs)
        for one in steps
        if type(one.layer).__name__ in ("Conv2d", "ConvTranspose2d", "Linear")
    ]
    assert sorted(ours) == sorted(seen)
    assert steps[-1].output_shape == seen[-1][0]
    total = sum(one.layer.parameters for one in steps)
    assert total == known == sum(parameter.numel() for parameter in module.parameters())


# --- receptive fields

windows = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2))
several = st.lists(
    st.tuples(st.sampled_from(["conv", "avgpool", "convtranspose"]), windows), min_size=1, max_size=4
)


@settings(max_examples=150)
@given(several)
def test_a_receptive_field_is_what_a_gradient_reaches(stack):
    """All weights are positive, so that none cancel; means take the place of maxima, which hide some."""
    words, layers = [], []
    for kind, (kernel, stride, padding, dilation) in stack:
        if kind == "conv":
            words.append(f"conv 1 k{kernel} s{stride} p{padding} d{dilation} nobias")
            layers.append(torch.nn.Conv2d(1, 1, kernel, stride, padding, dilation, bias=False))
        elif kind == "avgpool":
            padding = min(padding, kernel // 2)
            words.append(f"avgpool {kernel} s{stride} p{padding}")
            layers.append(torch.nn.AvgPool2d(kernel, stride, padding))
        else:
            words.append(f"convtranspose 1 k{kernel} s{stride} p{min(padding, kernel - 1)} nobias")
            layers.append(
                torch.nn.ConvTranspose2d(1, 1, kernel, stride, min(padding, kernel - 1), bias=False)
            )
    module = torch.nn.Sequential(*layers).double()
    for parameter in module.parameters():
        torch.nn.init.ones_(parameter)
    side = 40
    try:
        step = stacks.parse_layers(" | ".join(words)).sized((1, side, side))[-1]
    except ShapeError:
        assume(False)
    x = torch.zeros(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    y = module(x)
    assert tuple(y.shape[1:]) == step.output_shape
    reach = step.height
    for index in {0, y.shape[2] // 2, max(y.shape[2] // 2 - 1, 0), y.shape[2] - 1}:
        (gradient,) = torch.autograd.grad(y[0, 0, index].sum(), x, retain_graph=True)
        rows = torch.nonzero(gradient[0, 0].sum(dim=1)).flatten().tolist()
        low, high = reach.at(index)
        assert high - low + 1 <= reach.size
        # Near an edge a layer between may see its padding.
        if abs(index - y.shape[2] // 2) <= 1 and low >= 0 and high <= side - 1:
            assert (rows[0], rows[-1]) == (low, high) if rows else low > high
        elif rows:
            assert low <= rows[0]
            assert rows[-1] <= high


def test_fields_by_hand():
    """Three 3x3 layers with a stride of 2 in the first: 3, then 3 + 2 * 2 = 7, then 7 + 2 * 2 = 11."""
    steps = stacks.parse_layers("conv 1 k3 s2 p1 | conv 1 k3 p1 | conv 1 k3 p1").sized((1, 32, 32))
    assert [one.height.size for one in steps] == [3, 7, 11]
    assert [one.height.jump for one in steps] == [2, 2, 2]
    assert [one.height.padding for one in steps] == [1, 3, 5]
    assert [one.height.centre for one in steps] == [0, 0, 0]


def test_a_sum_sees_what_either_of_its_inputs_sees():
    """Round a 5x5 layer leads the input itself: 5 pixels; behind it 3 more kernel values see 7."""
    document = {
        "layer": [
            {"type": "conv", "name": "a", "out_channels": 1, "kernel_size": 5, "padding": 2},
            {"type": "Add", "name": "sum", "from": ["a", "input"]},
            {"type": "conv", "name": "b", "out_channels": 1, "kernel_size": 3},
        ]
    }
    steps = stacks.network_of(document, "'x'").sized((1, 9, 9))
    assert [one.height.size for one in steps] == [5, 5, 7]


@pytest.mark.parametrize(
    ("stack", "size", "begins"),
    [
        # Every value behind the second layer reads one pooled pixel.
        ("maxpool 2 | deconv 1 k2 s2", 2, 0),
        ("conv 1 k1 s3 | deconv 1 k2 s2", 1, 0),
        ("avgpool 2 s2 | deconv 1 k3 s3 p2 d2", 2, 0),
        ("conv 1 k3 | softmax", 3, 0),
        ("conv 1 k3 | adaptiveavgpool 10", 3, 0),
        ("conv 1 k3 | adaptiveavgpool 5", 4, 0),
        # Four parts of ten: 0 to 2, 2 to 4, 5 to 7, 7 to 9; each with two more.
        ("conv 1 k3 | adaptiveavgpool 4", 5, 0),
        # Two of those are 0 to 4, and 2 to 7 and 5 to 9 are 2 to 9, each with two more.
        ("conv 1 k3 | adaptiveavgpool 4 | conv 1 k2", 8, 0),
        # Value 0 of every pair reads two pixels; of the first pair it would read pixel -1.
        ("deconv 1 k3 s2", 2, -1),
    ],
)
def test_fields_of_other_layers_by_hand(stack, size, begins):
    height = stacks.parse_layers(stack).sized((1, 12, 12))[-1].height
    assert (height.size, -height.padding) == (size, begins)


def test_a_sum_of_branches_that_run_apart_has_no_field():
    document = {
        "layer": [
            {"type": "conv", "name": "a", "out_channels": 1, "kernel_size": 6},
            {"type": "conv", "name": "b", "out_channels": 1, "kernel_size": 2, "stride": 2, "from": "input"},
            {"type": "Add", "from": ["a", "b"]},
        ]
    }
    step = stacks.network_of(document, "'x'").sized((1, 10, 10))[-1]
    assert (step.height, step.width, step.whole) == (None, None, False)
    document["layer"] += [{"type": "relu"}, {"type": "AdaptiveAvgPool2d", "output_size": 1}]
    *_, relu, pool = stacks.network_of(document, "'x'").sized((1, 10, 10))
    assert (relu.whole, pool.whole) == (False, True)


@pytest.mark.parametrize("way", ["flatten", "adaptiveavgpool 1 | flatten"])
def test_what_follows_a_flatten_sees_everything(way):
    first, *steps = stacks.parse_layers(f"conv 1 | {way} | linear 2").sized((1, 9, 9))
    assert (first.height.size, first.whole) == (3, False)
    assert all(one.height is one.width is None and one.whole for one in steps)


# --- how networks are written


def test_a_stack_as_text():
    steps = stacks.parse_layers(
        "conv 10 k3x5 s2 p1 reflect nobias | BN | leakyrelu 0.2 | maxpool 2 ceil"
    ).sized((3, 32, 32))
    assert [repr(one.layer) for one in steps] == [
        "Conv2d(3, 10, kernel_size=(3, 5), stride=(2, 2), padding=(1, 1), bias=False, padding_mode=reflect)",
        "BatchNorm2d(num_features=10, eps=1e-05, affine=True)",
        "LeakyReLU(negative_slope=0.2)",
        "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=True)",
    ]
    assert [one.name for one in steps] == ["conv1", "batchnorm1", "leakyrelu1", "maxpool1"]


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("conv 10 | foo", 10, "no layer named 'foo'"),
        ("conv 10 | rel", 10, "did you mean 'relu'?"),
        (
            "conv x",
            5,
            "the first word after conv must be a number, its out_channels, not 'x'; after conv may also",
        ),
        ("conv 10 q3", 8, "conv does not take 'q3' here; it takes k for kernel_size"),
        ("conv 10 k3 k5", 11, "kernel_size is given twice"),
        ("maxpool", 7, "maxpool needs a number, its kernel_size"),
        ("relu 3", 5, "relu does not take '3' here"),
        ("conv 10 | | relu", 9, "a layer is missing here"),
        ("", 0, "a layer is missing here"),
        ("conv 10 k٣", 8, "does not take 'k٣' here"),
        ("add", 0, "no layer named 'add'"),
    ],
)
def test_what_is_no_layer_is_refused_with_its_place(text, at, message):
    with pytest.raises(TextError, match=r"^layers: ") as caught:
        stacks.parse_layers(text)
    assert message in str(caught.value)
    assert (caught.value.text, caught.value.at) == (text, at)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv 10 k9", "layer 'conv1': height: a kernel of size 9"),
        ("conv 10 g4", "layer 'conv1': groups must divide"),
        ("conv 10 k0", "layer 'conv1': kernel_size must be at least 1"),
        ("flatten | conv 10", "layer 'conv1': Conv2d.* reads channels, not a row of 192 values"),
        ("conv 4 | linear 10", "layer 'linear1': Linear"),
        ("maxpool 9", "layer 'maxpool1': height: a window of 9"),
    ],
)
def test_a_layer_that_does_not_fit_is_named(text, message):
    with pytest.raises((ShapeError, SpecError), match=message):
        stacks.parse_layers(text).sized((3, 8, 8))


def test_a_net_as_toml(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(
        '[[layer]]\ntype = "Conv2d"\nname = "first"\nout_channels = 4\nkernel_size = [3, 5]\n'
        '[[layer]]\ntype = "ReLU"\n[[layer]]\ntype = "maxpool"\nkernel_size = 2\nfrom = "first"\n'
    )
    found = stacks.read_net(path)
    assert found.name == "small"
    assert [(one.name, one.inputs, one.output_shape) for one in found.sized((1, 9, 9))] == [
        ("first", ("input",), (4, 7, 5)),
        ("relu1", ("first",), (4, 7, 5)),
        ("maxpool2", ("first",), (4, 3, 2)),
    ]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", SpecError, "there is no [[layer]]"),
        ("layer = 3", SpecError, "there is no [[layer]]"),
        ("[[layer]]\nname = 'a'", SpecError, "layer 0 has no type"),
        ("[[layer]]\ntype = 'Conv3d'", SpecError, "no layer named 'Conv3d'; did you mean 'Conv2d'?"),
        ("[[layer]]\ntype = 'ReLU'\nname = 'input'", SpecError, "the name 'input' is empty or already taken"),
        ("[[layer]]\ntype = 'ReLU'\nfrom = 'x'", SpecError, "reads 'x', which does not come before it"),
        ("[[layer]\n", InputError, "it is not TOML"),
        ("\xff", InputError, "not text in UTF-8 (byte 0)"),
    ],
)
def test_a_file_that_is_no_net_is_refused(tmp_path, text, error, message):
    path = tmp_path / "x.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(error) as caught:
        stacks.read_net(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("1e999", r"the number at layer\[0\]\.out_channels is too large"),
        ("-inf", "too large"),
        ("9223372036854775808", "too large"),
        pytest.param("0x" + "f" * 5000, "too large", id="hexadecimal"),
        pytest.param("9" * 5000, "a number of thousands of digits", id="thousands of digits"),
        pytest.param("[" * 5000 + "]" * 5000, "its lists lie too deep", id="lists in lists"),
    ],
)
def test_a_number_that_no_layer_can_have_is_refused_with_its_place(tmp_path, number, message):
    path = tmp_path / "x.toml"
    path.write_text(f"[[layer]]\ntype = 'Conv2d'\nkernel_size = 3\nout_channels = {number}\n")
    with pytest.raises(InputError, match=message) as caught:
        stacks.read_net(path)
    assert len(str(caught.value)) < 250
    with pytest.raises(InputError, match=message):
        gallery(path)


def test_a_byte_order_mark_before_a_net_or_a_gallery_is_passed_over(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("[[layer]]\ntype = 'ReLU'\n", encoding="utf-8-sig")
    assert [step.name for step in stacks.read_net(path).steps] == ["relu0"]
    path.write_text("[mine]\nsize = '5x5'\n", encoding="utf-8-sig")
    assert list(gallery(path)) == ["mine"]


def test_an_argument_that_a_layer_does_not_have_is_named():
    document = {"layer": [{"type": "ReLU", "inplaced": True}]}
    with pytest.raises(SpecError, match=r"layer .relu0.: ReLU: .*inplaced"):
        stacks.network_of(document, "'x'").sized((3, 8, 8))


def test_a_reach_in_fractions():
    """Up by two, then a 3x3 layer: half a pixel between neighbours."""
    steps = stacks.parse_layers("convtranspose 1 k2 s2 | conv 1 k3").sized((1, 8, 8))
    assert steps[-1].height.jump == Fraction(1, 2)


LAYER = '[[layer]]\ntype = "ReLU"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class = []\n" + LAYER, "no key named 'class'; did you mean 'classes'"),
        ("classes = [1]\n" + LAYER, "classes is a list of names"),
        ("[input]\nresize = 28\n" + LAYER, "options as text"),
    ],
)
def test_what_stands_before_the_layers_is_checked(text, words, tmp_path):
    (tmp_path / "n.toml").write_text(text)
    with pytest.raises(SpecError) as caught:
        stacks.read_net(tmp_path / "n.toml")
    assert words in str(caught.value)


def test_a_net_can_be_cut():
    """What the last layer does not read is left out, and with it what the values stand for."""
    whole = stacks.network_of(
        {
            "classes": ["a"],
            "input": {"mode": "gray"},
            "layer": [
                {"type": "ReLU", "name": "a"},
                {"type": "Sigmoid", "name": "b", "from": "input"},
                {"type": "Add", "name": "c", "from": ["a", "input"]},
                {"type": "Add", "name": "d", "from": ["b", "c"]},
            ],
        },
        "x",
    )
    cut = whole.until("c")
    assert [step.name for step in cut.steps] == ["a", "c"]
    assert (cut.classes, cut.reading) == ((), {"mode": "gray"})
    assert whole.until("d") == whole
    with pytest.raises(UnknownNameError):
        whole.until("e")


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (
            'type = "Conv2d"\nout_channels = 2\nkernel_size = 3\npadding_mode = "refelct"',
            "did you mean 'reflect'",
        ),
        ('type = "Conv2d"\nkernel_size = 3', "Conv2d needs out_channels"),
        ('type = "Conv2d"\nout_channels = 2', "Conv2d needs kernel_size"),
        ('type = "Conv2d"\nout_channels = "2"\nkernel_size = 3', "out_channels must be a whole number"),
        ('type = "Conv2d"\nout_channels = 2\nkernel_size = 3\nbias = "false"', "bias must be true or false"),
        ('type = "Conv2d"\nout_channels = 2\nkernel_size = 3\nfrom = ["input", "input"]', "reads one input"),
        ('type = "Flatten"\nstart_dim = 1', "no argument named 'start_dim'"),
        ('type = "Softmax"\ndim = 1.5', "dim must be a whole number"),
        ('type = "LeakyReLU"\nnegative_slope = "abc"', "negative_slope must be a number"),
        ('type = "LeakyReLU"\nnegative_slope = nan', "negative_slope must be a number"),
        ('type = "BatchNorm2d"\neps = "x"', "eps must be a number"),
        ('type = "ReLU"\nfrom = []', "reads nothing"),
        ('type = "ReLU"\nfrom = [["a"]]', "does not come before it"),
        ('type = "ReLU"\nfrom = {a = 1}', "does not come before it"),
        ('type = "ReLU"\nname = "../../evil"', "cannot be that of a file"),
        ('type = "ReLU"\nname = "x\\u0000y"', "cannot be that of a file"),
        ('type = "ReLU"\nname = "__metadata__"', "cannot be that of a file"),
        ("type = " + "1" * 5000, "a number of thousands of digits"),
    ],
)
def test_what_a_file_cannot_say_is_one_line(layer, words, tmp_path):
    (tmp_path / "n.toml").write_text("[[layer]]\n" + layer + "\n")
    with pytest.raises(ConvvizError) as caught:
        stacks.read_net(tmp_path / "n.toml").sized((3, 8, 8))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_planes_are_asked_for_in_words():
    with pytest.raises(ShapeError, match="reads channels, not a row of 640 values; put it before Flatten"):
        stacks.parse_layers("conv 10 k3 | flatten | conv 3").sized((1, 10, 10))


def test_lenet_5_is_for_32x32():
    with pytest.raises(ShapeError, match="in_features is 400"):
        named("lenet5").sized((3, 512, 512))


@pytest.mark.parametrize(("text", "slope"), [("1e-2", 0.01), ("1.", 1.0), (".5", 0.5), ("0.2", 0.2)])
def test_a_slope_is_any_number(text, slope):
    (step,) = stacks.parse_layers(f"leakyrelu {text}").steps
    assert step.arguments == {"negative_slope": slope}
    with pytest.raises(TextError):
        stacks.parse_layers("leakyrelu 1x2")


def test_branches_of_other_periods_are_joined_over_a_period_of_both():
    """Four values read one pixel on one branch, six on the other: only after twelve is all as it was.

    Value o of the first branch reads pixel 2 * (o // 4), of the second pixel 3 * (o // 6).
    """
    document = {
        "layer": [
            {"type": "conv", "name": "a", "out_channels": 1, "kernel_size": 1, "stride": 2},
            {"type": "deconv", "name": "b", "out_channels": 1, "kernel_size": 4, "stride": 4},
            {"type": "conv", "name": "c", "out_channels": 1, "kernel_size": 1, "stride": 3, "from": "input"},
            {"type": "deconv", "name": "d", "out_channels": 1, "kernel_size": 6, "stride": 6},
            {"type": "Add", "from": ["b", "d"]},
        ]
    }
    last = stacks.network_of(document, "'x'").sized((1, 12, 12))[-1]
    assert last.output_shape == (1, 24, 24)
    for axis in (last.height, last.width):
        found = [axis.at(o) for o in range(24)]
        both = [sorted((2 * (o // 4), 3 * (o // 6))) for o in range(24)]
        assert found == [tuple(pair) for pair in both]
