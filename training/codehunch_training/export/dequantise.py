"""An int8 graph read back as floats: the weights it holds, and the same graph without the rounding of activations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from codehunch_training.export.blocks import DOMAIN, OPERATOR, SCALES, WEIGHTS, from_blocks

_QUANTISED = {
    "MatMulInteger",
    "ConvInteger",
    "QLinearMatMul",
    "QLinearConv",
    "DynamicQuantizeMatMul",
    "MatMulIntegerToFloat",
    "DynamicQuantizeLinear",
    "QuantizeLinear",
    "DequantizeLinear",
    "MatMulNBits",
}


def dequantised(model: onnx.ModelProto) -> onnx.ModelProto:
    """A float copy of a graph that onnxruntime quantised, dynamically or with QuantizeLinear/DequantizeLinear pairs.

    Weights become ``scale * (integer - zero point)`` under their name without ``_quantized``; activations are no
    longer rounded. A graph that is not quantised comes back as it is. Raises ValueError for an operator that cannot
    be read back.
    """
    model = onnx.ModelProto.FromString(model.SerializeToString())
    _Reader(model.graph).run()
    left = sorted({node.op_type for node in model.graph.node} & _QUANTISED)
    if left:
        raise ValueError(f"the graph holds {', '.join(left)}, whose weights cannot be read back")
    return model


class _Reader:
    """One pass over one graph; it is changed in place."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.tensors = {tensor.name: tensor for tensor in graph.initializer}
        self.producer = {name: node for node in graph.node for name in node.output}
        self.consumers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self.consumers[name].append(node)
        self.alias: dict[str, str] = {}
        """Output name to the float value that takes its place."""
        self.replaced: dict[str, onnx.NodeProto] = {}
        """Output name to the float operator that makes it now."""

    def run(self) -> None:
        for node in list(self.graph.node):
            if node.op_type == "MatMulInteger":
                self._matmul(node)
            elif node.op_type == "DequantizeLinear":
                self._dequantize(node)
            elif node.op_type == OPERATOR and node.domain == DOMAIN and node.input[1].endswith(WEIGHTS):
                self._blocks(node)
        nodes = [self.replaced.get(name, node) for node in self.graph.node for name in node.output[:1]]
        for node in nodes:
            for place, name in enumerate(node.input):
                while name in self.alias:
                    name = self.alias[name]
                node.input[place] = name
        kept = _reachable(nodes, [output.name for output in self.graph.output])
        del self.graph.node[:]
        self.graph.node.extend(kept)
        used = {name for node in kept for name in node.input}
        tensors = [tensor for tensor in self.tensors.values() if tensor.name in used]
        del self.graph.initializer[:]
        self.graph.initializer.extend(tensors)

    def _matmul(self, node: onnx.NodeProto) -> None:
        """MatMulInteger, Cast, Mul by the scales: one MatMul of floats under the last one's output name."""
        quantizer = self.producer[node.input[0]]
        cast = self._only_consumer(node.output[0], "Cast")
        scaled = self._only_consumer(cast.output[0], "Mul")
        scales = self.producer[next(name for name in scaled.input if name != cast.output[0])]
        own = f"{node.input[1].removesuffix('_quantized')}_scale"
        scale = next((name for name in (own, *scales.input) if name in self.tensors), None)
        gathered = quantizer.op_type == "Gather" and quantizer.input[0] in self.tensors
        if scale is None or not (gathered or quantizer.op_type == "DynamicQuantizeLinear"):
            raise ValueError(f"{node.name}: not the pattern of dynamic quantisation")
        zero_point = node.input[3] if len(node.input) > 3 else None
        source = quantizer.input[0]
        if gathered:  # Rows of a quantised table go into the product as they are.
            table_scale = next(name for name in scales.input if name != scale)
            source = self._gather(quantizer, node.input[0] + "_float", table_scale, node.input[2])
        weight = self._weight(node.input[1], scale, zero_point, axis=1)
        self.replaced[scaled.output[0]] = onnx.helper.make_node(
            "MatMul", [source, weight], [scaled.output[0]], name=node.name.removesuffix("_quant")
        )

    def _blocks(self, node: onnx.NodeProto) -> None:
        """A product with weights in blocks as this project writes them."""
        name = node.input[1].removesuffix(WEIGHTS)
        if name not in self.tensors:
            inner = next(attribute.i for attribute in node.attribute if attribute.name == "K")
            stored, scales = (numpy_helper.to_array(self.tensors[name + part]) for part in (WEIGHTS, SCALES))
            self.tensors[name] = numpy_helper.from_array(from_blocks(stored, scales, inner), name)
        self.replaced[node.output[0]] = onnx.helper.make_node(
            "MatMul", [node.input[0], name], [node.output[0]], name=node.name
        )

    def _gather(self, node: onnx.NodeProto, output: str, scale: str, zero_point: str) -> str:
        """The lookup in the float table, in the place of the one in the quantised table."""
        weight = self._weight(node.input[0], scale, zero_point, axis=1)
        name = node.name.removesuffix("_quant")
        gather = onnx.helper.make_node("Gather", [weight, node.input[1]], [output], name=name)
        gather.attribute.extend(node.attribute)
        self.replaced[node.output[0]] = gather
        return output

    def _dequantize(self, node: onnx.NodeProto) -> None:
        source, scale = node.input[:2]
        zero_point = node.input[2] if len(node.input) > 2 else None
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
        if source in self.tensors:
            self.alias[node.output[0]] = self._weight(source, scale, zero_point, axis)
            return
        before = self.producer.get(source)
        if before is not None and before.op_type == "Gather" and before.input[0] in self.tensors:
            weight = self._weight(before.input[0], scale, zero_point, axis)
            name = before.name.removesuffix("_quant")
            gather = onnx.helper.make_node("Gather", [weight, before.input[1]], [node.output[0]], name=name)
            gather.attribute.extend(before.attribute)
            self.replaced[node.output[0]] = gather
        elif before is not None and before.op_type == "QuantizeLinear":
            self.alias[node.output[0]] = before.input[0]

    def _weight(self, quantised: str, scale: str, zero_point: str | None, axis: int) -> str:
        name = quantised.removesuffix("_quantized")
        if name not in self.tensors or name == quantised:
            values = dequantise(
                numpy_helper.to_array(self.tensors[quantised]),
                numpy_helper.to_array(self.tensors[scale]),
                numpy_helper.to_array(self.tensors[zero_point]) if zero_point else np.zeros(1, dtype=np.int32),
                axis,
            )
            self.tensors[name] = numpy_helper.from_array(values, name)
        return name

    def _only_consumer(self, name: str, kind: str) -> onnx.NodeProto:
        found = self.consumers[name]
        if len(found) != 1 or found[0].op_type != kind:
            raise ValueError(f"{name}: expected one {kind} after it, found {[node.op_type for node in found]}")
        return found[0]


def dequantise(
    values: NDArray[np.generic], scale: NDArray[np.float32], zero_point: NDArray[np.generic], axis: int
) -> NDArray[np.float32]:
    """``scale * (values - zero_point)``; ``scale`` is one number or one for every index of ``axis``."""
    shape = [1] * values.ndim
    if scale.size > 1:
        shape[axis] = -1
    elif values.ndim == 0:
        shape = []
    offsets = zero_point.astype(np.int32).reshape(shape if zero_point.size > 1 else [1] * values.ndim)
    result: NDArray[np.float32] = (values.astype(np.int32) - offsets).astype(np.float32) * scale.astype(
        np.float32
    ).reshape(shape)
    return result


def float_tensors(model: onnx.ModelProto) -> Mapping[str, NDArray[np.float32]]:
    """The float initialisers of more than one number: what can be a parameter.

    Equal ones, such as biases at zero, are stored once; an Identity gives the others their names.
    """
    found = {
        tensor.name: numpy_helper.to_array(tensor).astype(np.float32)
        for tensor in model.graph.initializer
        if tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
        and np.prod(tensor.dims, dtype=np.int64) > 1
    }
    for node in model.graph.node:
        if node.op_type == "Identity" and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
    return found


def _reachable(nodes: Iterable[onnx.NodeProto], outputs: Iterable[str]) -> list[onnx.NodeProto]:
    """The nodes some output depends on, in their order, which stays topological."""
    ordered = list(nodes)
    wanted = set(outputs)
    kept = []
    for node in reversed(ordered):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    wanted.update(name for inner in attribute.g.node for name in inner.input)
    return kept[::-1]
