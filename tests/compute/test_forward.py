"""What the layers beside Conv2d compute, held to torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import convviz
from convviz.compute import backends
from convviz.compute.networks import filling, stack
from convviz.errors import InputError, ShapeError, SpecError
from convviz.files.checkpoints import read_checkpoint
from convviz.spec import layers, stacks
from convviz.spec.geometry import HW
from convviz.spec.reach import Box

pair = st.tuples(st.integers(1, 3), st.integers(1, 3))


def image(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def close(ours, theirs):
    assert ours.dtype == np.float32
    assert ours.shape == tuple(theirs.shape)
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-5, atol=1e-5)


@settings(max_examples=150)
@given(
    st.integers(1, 6),
    st.integers(1, 6),
    pair,
    pair,
    pair,
    st.integers(0, 2),
    st.data(),
    st.booleans(),
    st.sampled_from([1, 2]),
)
def test_transposed_convolution(h, w, kernel, stride, dilation, padding, data, bias, groups):
    most = [max(s, d) - 1 for s, d in zip(stride, dilation, strict=True)]
    added = tuple(data.draw(st.integers(0, limit)) for limit in most)
    x, weight = image(4, h, w), image(4, 3, *kernel)
    parameters = image(3 * groups) if bias else None
    options = {
        "stride": stride,
        "padding": padding,
        "output_padding": added,
        "groups": groups,
        "dilation": dilation,
    }
    theirs = torch.nn.functional.conv_transpose2d
    tensors = [torch.from_numpy(array) for array in (x[None], weight)]
    try:
        expected = theirs(*tensors, None if parameters is None else torch.from_numpy(parameters), **options)[
            0
        ]
    except RuntimeError:
        expected = torch.zeros(0)
    if 0 in expected.shape:
        with pytest.raises(ShapeError):
            convviz.conv_transpose2d(x, weight, parameters, **options)
        return
    for backend in ("numpy", "torch"):
        close(convviz.conv_transpose2d(x, weight, parameters, backend=backend, **options), expected)


def test_several_inputs_are_done_one_by_one():
    x, weight = image(2, 3, 4, 5), image(3, 2, 3, 3)
    expected = torch.nn.functional.conv_transpose2d(torch.from_numpy(x), torch.from_numpy(weight), stride=2)
    close(convviz.conv_transpose2d(x, weight, stride=2), expected)


@settings(max_examples=200)
@given(st.data(), st.integers(1, 9), st.integers(1, 9), pair, pair, pair, st.booleans(), st.booleans())
def test_pooling(data, h, w, kernel, stride, dilation, ceil_mode, include):
    padding = tuple(data.draw(st.integers(0, side // 2)) for side in kernel)
    x = image(2, h, w)
    for ours, theirs in (
        (
            layers.MaxPool2d(kernel, stride, padding, dilation, ceil_mode),
            torch.nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil_mode),
        ),
        (
            layers.AvgPool2d(kernel, stride, padding, ceil_mode, include),
            torch.nn.AvgPool2d(kernel, stride, padding, ceil_mode, include),
        ),
    ):
        try:
            expected = theirs(torch.from_numpy(x)[None])[0]
        except RuntimeError:
            with pytest.raises(ShapeError):
                stack.compute(ours, [x], {})
            continue
        close(stack.compute(ours, [x], {}), expected)


@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        (layers.AdaptiveAvgPool2d((3, 4)), torch.nn.AdaptiveAvgPool2d((3, 4)), (2, 7, 9)),
        (layers.AdaptiveAvgPool2d(5), torch.nn.AdaptiveAvgPool2d(5), (2, 3, 11)),
        (layers.ReLU(), torch.nn.ReLU(), (2, 3, 4)),
        (layers.LeakyReLU(0.2), torch.nn.LeakyReLU(0.2), (2, 3, 4)),
        (layers.SiLU(), torch.nn.SiLU(), (2, 3, 4)),
        (layers.Dropout(0.9), torch.nn.Dropout(0.9).eval(), (2, 3, 4)),
        (layers.Sigmoid(), torch.nn.Sigmoid(), (2, 3, 4)),
        (layers.Softmax(), torch.nn.Softmax(1), (7,)),
        (layers.Softmax(1), torch.nn.Softmax(1), (3, 4, 5)),
        (layers.Softmax(-1), torch.nn.Softmax(-1), (3, 4, 5)),
        (layers.Flatten(), torch.nn.Flatten(), (3, 4, 5)),
    ],
    ids=repr,
)
def test_layers_without_numbers(ours, theirs, shape):
    x = 40 * image(*shape)  # far enough from 0 for an overflow where one could be
    close(stack.compute(ours, [x], {}), theirs(torch.from_numpy(x)[None])[0])


@pytest.mark.parametrize("affine", [True, False])
def test_batch_normalisation_by_stored_numbers(affine):
    theirs = torch.nn.BatchNorm2d(4, eps=1e-3, affine=affine).eval()
    for number in (theirs.running_mean, *theirs.parameters()):
        torch.nn.init.normal_(number)
    torch.nn.init.uniform_(theirs.running_var, 0.1, 4)
    parameters = {name: value.numpy() for name, value in theirs.state_dict().items()}
    x = image(4, 5, 6)
    close(
        stack.compute(layers.BatchNorm2d(4, 1e-3, affine), [x], parameters),
        theirs(torch.from_numpy(x)[None])[0],
    )


def test_a_sum_of_inputs():
    x = image(2, 3, 4)
    np.testing.assert_array_equal(stack.compute(layers.Add(), [x, x, x], {}), x + x + x)
    with pytest.raises(ShapeError, match="inputs of the same shape"):
        stack.compute(layers.Add(), [x, x[:1]], {})


STACK = (
    "conv 4 k3 p1 | bn | relu | maxpool 2 | convtranspose 6 k3 s2 p1 o1 g2 | silu | "
    "conv 5 k3 d2 reflect p2 nobias | leakyrelu | avgpool 2 | adaptiveavgpool 3x2 | flatten | "
    "linear 7 | sigmoid | linear 3 nobias | softmax"
)


@pytest.mark.parametrize("seed", [0, 7, 2**40 + 3])
def test_a_seeded_net_is_torch_s_own_bit_by_bit_and_so_is_what_it_makes(seed):
    torch.manual_seed(seed)
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2),
        torch.nn.SiLU(),
        torch.nn.Conv2d(6, 5, 3, dilation=2, padding=2, padding_mode="reflect", bias=False),
        torch.nn.LeakyReLU(),
        torch.nn.AvgPool2d(2),
        torch.nn.AdaptiveAvgPool2d((3, 2)),
        torch.nn.Flatten(),
        torch.nn.Linear(30, 7),
        torch.nn.Sigmoid(),
        torch.nn.Linear(7, 3, bias=False),
        torch.nn.Softmax(1),
    ).eval()
    ours = stacks.parse_layers(STACK)
    x = image(3, 16, 18)
    drawn = filling.seeded(ours.sized(x.shape), seed)
    for parameters, layer in zip(drawn.values(), theirs, strict=True):
        state = {name: value for name, value in layer.state_dict().items() if value.ndim}
        assert parameters.keys() == state.keys()
        for name, value in parameters.items():
            np.testing.assert_array_equal(value, state[name].numpy())
    y = torch.from_numpy(x)[None]
    for backend in ("numpy", "torch"):
        made = stack.run_net(ours, x, seed=seed, backend=backend)
        value = y
        for array, layer in zip(made.values(), theirs, strict=True):
            value = layer(value)
            close(array, value[0])


def test_resnet_18_computes():
    """Every residual connection joins what belongs together, or shapes would differ."""
    made = stack.run_net(stacks.find_net("resnet18"), image(3, 64, 64))
    assert made["fc"].shape == (1000,)
    block = [made[f"layer1.0.{name}"] for name in ("bn2", "add")]
    np.testing.assert_array_equal(block[1], block[0] + made["maxpool"])


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((np.zeros((3, 4)), np.zeros((1, 1, 1, 1))), {}, ShapeError),
        ((np.zeros((1, 4, 4)), np.zeros((1, 1, 1))), {}, ShapeError),
        ((np.zeros((2, 4, 4)), np.zeros((1, 1, 1, 1))), {}, ShapeError),
        ((np.zeros((1, 4, 4)), np.zeros((1, 1, 3, 3))), {"output_padding": 1}, SpecError),
        ((np.zeros((1, 1, 1)), np.zeros((1, 1, 1, 1))), {"padding": 1}, ShapeError),
        ((np.zeros((1, 4, 4)), np.zeros((1, 1, 3, 3)), np.zeros(2)), {}, SpecError),
    ],
)
def test_what_does_not_fit_is_refused(arguments, options, error):
    with pytest.raises(error):
        convviz.conv_transpose2d(*arguments, **options)


def test_the_gradient_is_what_a_small_change_of_each_pixel_moves():
    """Without a bend in the network, differences are exact but for rounding; outside the box they are 0."""
    found = stacks.parse_layers("conv 4 k3 s2 p1 | avgpool 2 s1 | conv 3 k3 d2 p2 reflect")
    x = np.random.default_rng(3).normal(size=(2, 14, 13)).astype(np.float32)
    steps = found.sized(x.shape)
    parameters = filling.seeded(steps, 4)
    at = HW(2, 3)
    gradient = backends.load_torch_networks().gradient(steps, x, parameters, name="conv2", at=at)

    def value(image):
        return stack.run_net(found, image, parameters)["conv2"][:, at.h, at.w].sum(dtype=np.float64)

    box = Box.of(steps[-1].height, steps[-1].width, at).inside(HW(14, 13))
    for channel, row, column in np.ndindex(x.shape):
        changed = x.copy()
        changed[channel, row, column] += 1
        moved = value(changed) - value(x)
        assert gradient[channel, row, column] == pytest.approx(moved, abs=2e-5)
        if not (box.top <= row <= box.bottom and box.left <= column <= box.right):
            assert gradient[channel, row, column] == 0


def test_numbers_are_taken_by_their_names_and_checked(tmp_path):
    found = stacks.parse_layers("conv 2 k3 | bn | flatten | linear 1")
    steps = found.sized((1, 4, 4))
    state = {
        "module.conv1.weight": np.ones((2, 1, 3, 3), np.float32),
        "module.conv1.bias": np.zeros(2, np.float32),
        **{
            f"module.batchnorm1.{name}": np.ones(2, np.float32)
            for name in ("weight", "bias", "running_mean", "running_var")
        },
        "module.batchnorm1.num_batches_tracked": np.array(3),
        "module.linear1.weight": np.ones((1, 8), np.float32),
        "module.linear1.bias": np.zeros(1, np.float32),
        "module.spare.weight": np.ones(1, np.float32),
    }

    def stored(**changes):
        path = tmp_path / "w.npz"
        kept = {key: changes.get(key.removeprefix("module."), value) for key, value in state.items()}
        np.savez(path, **{key: value for key, value in kept.items() if value is not None})
        return filling.stored(steps, read_checkpoint(path))

    parameters, remarks = stored()
    assert parameters["conv1"]["weight"].shape == (2, 1, 3, 3)
    assert set(parameters["batchnorm1"]) == {"weight", "bias", "running_mean", "running_var"}
    assert "no layer of the network uses these arrays of" in remarks[0]
    for changes, words in (
        ({"conv1.bias": None}, "conv1.bias, of Conv2d"),
        ({"conv1.weight": np.ones((2, 1, 5, 5), np.float32)}, "has the shape (2, 1, 5, 5)"),
        ({"batchnorm1.running_var": np.array([1, np.inf], np.float32)}, "not a finite number"),
    ):
        with pytest.raises(InputError) as caught:
            stored(**changes)
        assert words in str(caught.value)


# --- trained weights by their names


@pytest.fixture
def twins(tmp_path):
    """Two layers of one shape, stored in the order that the network does not have; filled with 1 and 2."""
    steps = stacks.parse_layers("conv 1 k3 p1 nobias | relu | conv 1 k3 nobias").sized((1, 5, 5))

    def stored(*prefixes, **others):
        path = tmp_path / "w.npz"
        arrays = {
            f"{prefix}conv{index}.weight": np.full((1, 1, 3, 3), index, np.float32)
            for prefix in prefixes
            for index in (2, 1)
        }
        np.savez(path, **arrays, **others)
        parameters, remarks = filling.stored(steps, read_checkpoint(path))
        return [int(parameters[name]["weight"][0, 0, 0, 0]) for name in ("conv1", "conv2")], remarks

    return stored


@pytest.mark.parametrize(
    "prefix", ["", "module.", "model.", "_orig_mod.", "backbone.body.", "module._orig_mod."]
)
def test_layers_of_one_shape_are_told_by_their_names_behind_any_prefix(twins, prefix):
    assert twins(prefix) == ([1, 2], ())


def test_names_match_behind_a_prefix_that_others_do_not_have(twins):
    found, remarks = twins("model.", **{"loss.weight": np.ones(3, np.float32)})
    assert found == [1, 2]
    assert "no layer of the network uses these arrays of" in remarks[0]


def test_a_file_that_holds_the_net_twice_is_refused_with_both_prefixes(twins):
    with pytest.raises(InputError, match=r"2 times, behind 'ema\.', 'net\.'; store one of them alone"):
        twins("net.", "ema.")


def test_a_layer_that_is_missing_behind_the_prefix_is_named_and_none_is_taken_in_order(tmp_path):
    steps = stacks.parse_layers("conv 1 k3 p1 nobias | relu | conv 1 k3 nobias").sized((1, 5, 5))
    names = {"model.conv2.weight": np.ones((1, 1, 3, 3)), "model.head.weight": np.ones((1, 1, 3, 3))}
    np.savez(tmp_path / "w.npz", **names)
    with pytest.raises(InputError, match=r"conv1\.weight, of Conv2d.*is not there"):
        filling.stored(steps, read_checkpoint(tmp_path / "w.npz"))
