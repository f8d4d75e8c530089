"""Parts of an ONNX graph that onnxruntime runs."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

from convviz.compute.networks.onnx_graph import Graph, Value
from convviz.errors import InputError, SpecError
from convviz.machine import parallel
from convviz.spec.layers import shape_text
from convviz.text import printable

# onnxruntime has one class for every kind of error, and they share no base class.
_ERRORS = tuple(one for one in vars(state).values() if isinstance(one, type) and issubclass(one, Exception))
# Its message about an operation that failed; the message begins with a place in its own source.
_STATUS = re.compile(r".*status code returned while running (\S+) node\. Name:'(.*?)' Status Message: (.*)")
_PLACE = re.compile(r"\S+:[0-9]+ (?:.* was false\. |\S+ )")
_STANDARD = ("", "ai.onnx", "ai.onnx.ml")
_KNOWN = (*_STANDARD, "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc")


class Session:
    """The part of a graph that some values depend on, ready to run.

    Parameters
    ----------
    graph : Graph
        The graph.
    values : sequence of str
        The values.
    known : dict of Value
        The shapes of values for one input, if the graph is `Graph.sized`.

    Raises
    ------
    SpecError
        If the values depend on another input than the picture, or on an operation that onnxruntime
        does not have.
    InputError
        If onnxruntime refuses the graph.
    """

    def __init__(self, graph: Graph, values: Sequence[str], known: Mapping[str, Value] | None = None) -> None:
        self.values = tuple(values)
        self._graph = graph
        self._reached = 0
        self.known = known or {}
        model = graph.part(values, self.known)
        _check_operations(graph, model)
        self._check_inputs(model)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # real errors are raised
        options.intra_op_num_threads = parallel.limited()
        # Large arrays are passed directly; they are not copied into the model first.
        self._arrays: dict[str, Any] = {}
        for tensor in model.graph.initializer:
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                array = graph.array(tensor.name)
                if array.dtype.kind == "V" or array.dtype.isbuiltin != 1:  # numpy does not have this type
                    tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
                else:
                    self._arrays[tensor.name] = onnxruntime.OrtValue.ortvalue_from_numpy(array)
        options.add_external_initializers(list(self._arrays), list(self._arrays.values()))
        try:
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except _ERRORS as error:
            raise InputError(f"{graph.name}: onnxruntime cannot load the graph{_words(error)}.") from None

    def _check_inputs(self, model: Any) -> None:
        """Refuse a model with inputs other than the picture: their numbers are not known."""
        for one in model.graph.input:
            if one.name != self._graph.image.name:
                raise SpecError(
                    f"{self._graph.name} reads {printable(one.name)!r} besides the picture; "
                    "choose a layer that does not depend on it, or export the network without it."
                )

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Compute the values.

        Raises
        ------
        InputError
            If onnxruntime fails, for example because the graph expects another size.
        """
        known = {one.name for one in self._session.get_inputs()}
        given = {name: array for name, array in inputs.items() if name in known}
        try:
            made = self._session.run(list(self.values), given)
        except _ERRORS as error:
            shapes = ", ".join(shape_text(array.shape) for array in inputs.values())
            raise InputError(
                f"{self._graph.name} cannot be computed for {shapes}{_words(error)}; "
                "an input of another size may fit, often one of multiples of 32 pixels: --resize HxW "
                "resizes a picture, and --input CxHxW lists the layers for another size."
            ) from None
        for name, array in zip(self.values, made, strict=True):
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
                raise SpecError(f"{self._graph.name}: {printable(name)!r} gives no array of numbers.")
        return dict(zip(self.values, made, strict=True))


def refused(graph: Graph) -> set[str]:
    """List the values that no session can compute: they depend on custom operations or other inputs."""
    found = {one.name for one in graph.model.graph.input if one.name not in graph.tensors}
    found.discard(graph.image.name)
    for node, read in zip(graph.nodes, graph.read_by, strict=True):
        if _made_up(node) or not found.isdisjoint(read):
            found.update(node.output)
    return found


def _made_up(node: Any) -> bool:
    """Return whether an operation is custom, so that onnxruntime does not have it."""
    standard = node.domain in _STANDARD
    return node.domain not in _KNOWN or (standard and not onnx.defs.has(node.op_type, node.domain))


def _check_operations(graph: Graph, model: Any) -> None:
    """Refuse custom operations."""
    for node in filter(_made_up, model.graph.node):
        name = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
        raise SpecError(
            f"{graph.name}: {printable(node.name or node.output[0])!r} is the custom operation "
            f"{printable(name)!r}, which onnxruntime does not have; choose a layer before it."
        )


def _words(error: BaseException) -> str:
    """Return the message of onnxruntime without its error codes, in parentheses."""
    words = str(error).split(" : ")[-1].strip().partition("\n")[0]
    if status := _STATUS.fullmatch(words):
        words = f"{status[1]} {status[2]!r}: {_PLACE.sub('', status[3])}"
    return f" ({printable(words)[:160].rstrip('. ')})" if words else ""
