"""The trained network of the samples: what it is, and that it reads digits."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import convviz
from convviz.compute.networks import filling
from convviz.files.checkpoints import read_checkpoint

SAMPLES = Path(__file__).parents[2] / "samples"
WEIGHTS = SAMPLES / "digits.safetensors"


@pytest.fixture(scope="module")
def parameters():
    steps = convviz.read_net(SAMPLES / "digits.toml").sized((1, 28, 28))
    found, remarks = filling.stored(steps, read_checkpoint(WEIGHTS))
    assert remarks == ()
    return found


def theirs():
    """The same network of torch's modules."""
    made = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 5),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(8, 16, 5),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(256, 10),
        torch.nn.Softmax(1),
    )
    stored = read_checkpoint(WEIGHTS).arrays
    for index, name in ((0, "conv1"), (3, "conv2"), (7, "fc")):
        for key in ("weight", "bias"):
            getattr(made[index], key).data = torch.from_numpy(np.array(stored[f"{name}.{key}"]))
    return made


def test_the_file_is_small():
    assert WEIGHTS.stat().st_size <= 300_000


def test_it_reads_the_sample_as_torch_does(parameters):
    network = convviz.read_net(SAMPLES / "digits.toml")
    x = convviz.read(SAMPLES / "digit.png", mode="gray").x
    made = convviz.run_net(network, x, parameters)
    value = torch.from_numpy(x)[None]
    for found, layer in zip(made.values(), theirs(), strict=True):
        value = layer(value)
        np.testing.assert_allclose(found.maps, value[0].detach().numpy(), rtol=1e-4, atol=1e-5)
    assert network.classes[int(made["softmax"].maps.argmax())] == "7"
    assert made["softmax"].maps.max() > 0.9


def test_it_reads_what_it_was_not_trained_on(tmp_path):
    """Of 360 digits a network that guessed would read 36."""
    pytest.importorskip("sklearn")
    # In a process of its own: scikit-learn brings another BLAS, with threads that other tests count.
    program = "import numpy, sys; sys.path.insert(0, sys.argv[1]); import train_digits as script; "
    program += "images, labels = script.pictures(); last = slice(-script.TEST, None); "
    program += "numpy.savez(sys.argv[2], images=images[last], labels=labels[last])"
    subprocess.run([sys.executable, "-c", program, SAMPLES, tmp_path / "unseen.npz"], check=True)
    with np.load(tmp_path / "unseen.npz") as unseen, torch.no_grad():
        found = theirs()(torch.from_numpy(unseen["images"])[:, None]).argmax(1).numpy()
        assert len(found) == 360
        assert (found == unseen["labels"]).mean() >= 0.97


def test_the_command_says_what_it_reads(tmp_path):
    command = ["run", "digit.png", "--net", "digits.toml", "--weights", "digits.safetensors"]
    done = subprocess.run(
        [sys.executable, "-m", "convviz", *command, "-o", str(tmp_path / "x.png")],
        cwd=SAMPLES,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "prediction: 7 (probability 0.99" in done.stdout
