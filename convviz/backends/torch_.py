"""Cross-correlation by ``torch.nn.functional.conv2d``."""

import contextlib

import numpy as np
import torch
from numpy.typing import NDArray

from convviz.errors import BackendError
from convviz.geometry import HW


def cross_correlate(
    x: NDArray[np.float32],
    weight: NDArray[np.float32],
    *,
    stride: HW,
    dilation: HW,
    groups: int,
    device: str = "cpu",
) -> NDArray[np.float32]:
    """Cross-correlate a padded input with filters, on any device that torch has.

    Parameters
    ----------
    x : ndarray, shape (C, H, W), float32
        The input, padded already.
    weight : ndarray, shape (O, C / groups, kh, kw), float32
        The filters.
    stride, dilation : HW
        Pixels between neighbouring windows, and between neighbouring taps.
    groups : int
        Parts into which planes and filters are split.
    device : str
        "cpu", "cuda" or "mps".

    Returns
    -------
    ndarray, shape (O, H', W'), float32
        The feature maps, without bias.

    Raises
    ------
    BackendError
        If torch has no such device here.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available[device]:
        have = ", ".join(name for name, there in available.items() if there)
        raise BackendError(f"torch {torch.__version__} finds no {device} device here; it has: {have}.")
    # TensorFloat-32 keeps 10 bits of the products, too few to be shown as the layer's numbers.
    exact = torch.backends.cudnn.flags(allow_tf32=False) if device == "cuda" else contextlib.nullcontext()
    with torch.inference_mode(), exact:
        maps = torch.nn.functional.conv2d(
            _tensor(x, device), _tensor(weight, device), None, tuple(stride), 0, tuple(dilation), groups
        )
        return np.asarray(maps.cpu().numpy())


def _tensor(array: NDArray[np.float32], device: str) -> torch.Tensor:
    """Share the memory of an array; a copy only where torch may not write to it."""
    array = np.ascontiguousarray(array)
    return torch.from_numpy(array if array.flags.writeable else array.copy()).to(device)
