"""Write the trained network of the samples as ONNX, as exporters of torch do: digits.onnx.

python samples/export_digits.py          writes beside this script
python samples/export_digits.py FOLDER   writes there
"""

import sys
import warnings
from pathlib import Path

import safetensors.torch
import torch

SAMPLES = Path(__file__).parent


def model() -> torch.nn.Sequential:
    """Make the network of digits.toml, without its softmax, which training has in its loss."""
    layers = {
        "conv1": torch.nn.Conv2d(1, 8, 5),
        "relu1": torch.nn.ReLU(),
        "pool1": torch.nn.MaxPool2d(2),
        "conv2": torch.nn.Conv2d(8, 16, 5),
        "relu2": torch.nn.ReLU(),
        "pool2": torch.nn.MaxPool2d(2),
        "flatten": torch.nn.Flatten(),
        "fc": torch.nn.Linear(256, 10),
    }
    made = torch.nn.Sequential()
    for name, layer in layers.items():
        made.add_module(name, layer)
    return made


def network() -> torch.nn.Module:
    """Make the whole network with its weights."""
    made = model()
    made.load_state_dict(safetensors.torch.load_file(SAMPLES / "digits.safetensors"))
    made.add_module("softmax", torch.nn.Softmax(1))
    return made.eval()


def main() -> None:
    """Export it."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = (torch.zeros(1, 1, 28, 28),)
        torch.onnx.export(network(), example, folder / "digits.onnx", dynamo=False, input_names=["picture"])


if __name__ == "__main__":
    main()
