"""Cross-correlate with the operation ``Conv`` of onnxruntime."""

from functools import lru_cache
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from convviz.machine import parallel
from convviz.spec.geometry import HW


def cross_correlate(
    x: NDArray[np.float32],
    weight: NDArray[np.float32],
    *,
    stride: HW,
    dilation: HW,
    groups: int,
    device: str = "cpu",
) -> NDArray[np.float32]:
    """Cross-correlate a padded input with filters.

    Parameters
    ----------
    x : ndarray, shape (C, H, W), float32
        The padded input.
    weight : ndarray, shape (O, C / groups, kh, kw), float32
        The filters.
    stride, dilation : HW
        The distances in pixels between neighbouring windows, and between neighbouring kernel values.
    groups : int
        The number of groups into which channels and filters are split.
    device : str
        "cpu".

    Returns
    -------
    ndarray, shape (O, H', W'), float32
        The feature maps, without bias.

    Examples
    --------
    >>> x = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    >>> cross_correlate(x, np.ones((1, 1, 2, 2), np.float32), stride=HW(1, 1), dilation=HW(1, 1), groups=1)[0]
    array([[ 8., 12.],
           [20., 24.]], dtype=float32)
    """
    session = _session(stride, dilation, groups=groups, threads=parallel.limited())
    (maps,) = session.run(None, {"x": np.ascontiguousarray(x)[None], "weight": np.ascontiguousarray(weight)})
    return np.asarray(maps[0], np.float32)


@lru_cache(maxsize=64)
def _session(stride: HW, dilation: HW, *, groups: int, threads: int) -> onnxruntime.InferenceSession:
    """Make a graph of one operation; the filters are an input, so that layers of one kind share it."""
    settings: dict[str, Any] = {"strides": list(stride), "dilations": list(dilation), "group": groups}
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4) for name in ("x", "weight", "maps")
    ]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "weight"], ["maps"], **settings)], "layer", values[:2], values[2:]
    )
    # Operations of version 17, in a file of version 8, are read by every onnxruntime since 1.12.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # real errors are raised
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
