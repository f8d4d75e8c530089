"""Compare what `convviz look` computes with the package pytorch-grad-cam, on networks of torchvision.

    python -m pip install grad-cam
    python benchmarks/look_oracles.py

The package is no dependency of the project: it needs OpenCV. Weights are random, with the batch
normalization set to the statistics of one batch; every figure is a cosine of whole pictures.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import zoo

import convviz

zoo.torchvision_models()  # before the package, which imports torchvision too

from pytorch_grad_cam import EigenCAM, GradCAM  # noqa: E402
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget  # noqa: E402

# Network, a layer to look at, and the last layer before the global average pool, if a linear layer follows.
NETWORKS = (
    ("resnet18", "layer3", "layer4"),
    ("densenet121", "features.denseblock3", ""),
    ("mobilenet_v2", "features.13", "features.18"),
    ("vgg11", "features.15", ""),
    ("efficientnet_b0", "features.5", "features.8"),
    ("shufflenet_v2_x0_5", "stage3", "conv5"),
    ("regnet_y_400mf", "trunk_output.block3", "trunk_output.block4"),
)
TARGET = 3


def cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the cosine of the angle between two pictures."""
    a, b = one.astype(float).ravel(), other.astype(float).ravel()
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def oracle(kind: type, module: nn.Module, name: str, x: torch.Tensor) -> NDArray[np.float32]:
    """Let pytorch-grad-cam compute a picture, before it is scaled and enlarged; positive and negative."""
    layer = module.get_submodule(name)
    targets = [ClassifierOutputTarget(TARGET)]
    with kind(model=module, target_layers=[layer]) as cam:
        cam(input_tensor=x, targets=targets)
        seen = cam.activations_and_grads
        activations = seen.activations[0].detach().numpy()
        gradients = seen.gradients[0].detach().numpy() if seen.gradients else None
        made = cam.get_cam_image(x, layer, targets, activations, gradients, False)
    return np.asarray(made[0], np.float32)


def main() -> None:
    """Print a row per network."""
    chance = np.random.default_rng(0)
    image = chance.random((3, 128, 160)).astype(np.float32)
    x = torch.from_numpy(image)[None]
    several = torch.from_numpy(chance.random((4, 3, 128, 160)).astype(np.float32))
    print("network            Eigen-CAM  Grad-CAM  CAM")
    for network, middle, last in NETWORKS:
        torch.manual_seed(0)
        module = zoo.calibrated(getattr(zoo.torchvision_models(), network)(), several)
        eigen = oracle(EigenCAM, module, middle, x)
        own = convviz.look(image, module, middle, how="eigencam")[0].values
        # The sign of a component is arbitrary there.
        figures = [max(cosine(own, np.maximum(sign * eigen, 0)) for sign in (1, -1))]
        wanted = np.maximum(oracle(GradCAM, module, middle, x), 0)
        found = convviz.look(image, module, middle, how="gradcam", target=TARGET)[0].values
        figures.append(cosine(found, wanted))
        if last:
            # Here Grad-CAM of the last layer is the positive part of the exact map, up to a factor.
            exact = convviz.look(image, module, last, how="cam", target=TARGET)[0].values
            figures.append(cosine(np.maximum(exact, 0), np.maximum(oracle(GradCAM, module, last, x), 0)))
        print(f"{network:18}", "  ".join(f"{one:9.6f}" for one in figures))


if __name__ == "__main__":
    main()
