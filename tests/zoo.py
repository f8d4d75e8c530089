"""Small networks of the usual kinds, with weights that are not trained, and their ONNX files."""

import importlib.util
import io
import re
import warnings
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper
from torch import nn
from torch.nn import functional as F


@cache
def torchvision_models():
    """The models of torchvision, which are plain Python, where its compiled part does not fit torch too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import torchvision
        except RuntimeError:  # its operators are not there: declare them, which is enough to build models
            package = Path(importlib.util.find_spec("torchvision").submodule_search_locations[0])
            text = (package / "_meta_registrations.py").read_text()
            library = torch.library.Library("torchvision", "DEF")
            names = re.findall(r'register_(?:meta|fake)\("(?:torchvision::)?(\w+)"', text)
            for name in sorted({*names, "nms"}):
                library.define(f"{name}(Tensor a) -> Tensor")
            torchvision_models.kept = library
            import torchvision
    return torchvision.models


class UNet(nn.Module):
    """Down, up by a transposed convolution, and the maps from before beside."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.bottom = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(inplace=True))
        self.up = nn.ConvTranspose2d(8, 4, 3, 2, 1, output_padding=1)
        self.join = nn.Conv2d(8, 4, 3, padding=1, padding_mode="reflect")
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        before = self.down(x)
        below = self.bottom(F.max_pool2d(before, 2))
        return self.head(torch.relu(self.join(torch.cat([self.up(below), before], 1))))


class Detector(nn.Module):
    """Split, concatenation, resizing, one head for two sizes of maps, and boxes decoded at the end."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.branch = nn.ModuleList([nn.Conv2d(4, 4, 3, padding=1) for _ in range(2)])
        self.merge = nn.Conv2d(16, 8, 1)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.up = nn.Upsample(scale_factor=2)
        self.down = nn.Conv2d(8, 8, 3, 2, 1)
        self.head = nn.Conv2d(8, 6, 1)

    def forward(self, x):
        x = F.silu(self.stem(x))
        parts = list(x.chunk(2, 1))
        for conv in self.branch:
            parts.append(F.silu(conv(parts[-1])))
        x = self.merge(torch.cat(parts, 1))
        low = self.pool(self.down(x))
        x = x + self.up(low)
        return torch.cat([self.head(one).flatten(2) for one in (x, low)], 2).sigmoid().transpose(1, 2)


class Asymmetric(nn.Module):
    """3x5 kernels, stride 2x1, dilation 1x2, padding 1, 0, 2, 1, two groups and a bias; no two alike."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 1)
        self.odd = nn.Conv2d(4, 6, (3, 5), (2, 1), 0, (1, 2), 2)

    def forward(self, x):
        return self.odd(F.pad(self.first(x), (2, 1, 1, 0)))


def resnet():
    models = torchvision_models()
    return models.ResNet(models.resnet.BasicBlock, [2, 1, 1, 1], num_classes=5)


def densenet():
    return torchvision_models().DenseNet(4, (2, 2), 8, 2, num_classes=5)


def mobilenet():
    from torchvision.models.mobilenetv3 import InvertedResidualConfig

    rows = [
        (8, 3, 16, 8, True, "RE", 2, 1),
        (8, 5, 24, 8, True, "HS", 1, 1),
        (8, 3, 24, 16, False, "HS", 2, 2),
    ]
    return torchvision_models().MobileNetV3([InvertedResidualConfig(*row, 1.0) for row in rows], 24, 5)


def vit():
    return torchvision_models().VisionTransformer(32, 8, 1, 2, 16, 32, num_classes=5)


def swin():
    models = torchvision_models()
    return models.SwinTransformer([2, 2], 8, [2], [2], [4, 4], num_classes=5)


NETWORKS = {
    "asymmetric": Asymmetric,
    "U-Net": UNet,
    "detector": Detector,
    "ResNet": resnet,
    "DenseNet": densenet,
    "MobileNet": mobilenet,
    "ViT": vit,
    "Swin": swin,
}


@cache
def network(name):
    """A network with statistics of its own, in evaluation mode."""
    torchvision_models()
    torch.manual_seed(4)
    return calibrated(NETWORKS[name](), torch.randn(4, 3, 32, 32))


def calibrated(module, x):
    """Take the statistics of batch normalization from one batch, as training would leave them."""
    for one in module.modules():
        if isinstance(one, nn.BatchNorm2d):
            one.momentum = 1
    with torch.no_grad():
        module.train()(x)
    return module.eval()


def picture():
    """An input on which no two rows or columns agree."""
    return torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(5)).numpy()


def quantized(path):
    """Write a network of one convolution of whole numbers: -1 and 1 side by side, 0 to 255 in steps of 1."""
    stored = {
        "w": np.int8([[[[-1, 1]]]]),
        "one": np.float32(1),
        "u": np.uint8(0),
        "s": np.int8(0),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "one", "u"], ["q"]),
        helper.make_node("QLinearConv", ["q", "one", "u", "w", "one", "s", "one", "u"], ["c"], name="conv"),
        helper.make_node("DequantizeLinear", ["c", "one", "u"], ["y"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", (1, 1, "h", "w")), ("y", None))
    ]
    arrays = [onnx.numpy_helper.from_array(array, name) for name, array in stored.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], arrays)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def export(module, path, *, dynamo, size=(32, 32), **options):
    """Write a network as ONNX."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        x = torch.zeros(1, 3, *size)
        torch.onnx.export(module, (x,), path, dynamo=dynamo, verbose=False, **options)
    return path
