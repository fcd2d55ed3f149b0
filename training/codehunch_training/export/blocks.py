"""Weights in blocks of eight bits (onnxruntime's MatMulNBits), for graphs that read one token at a time.

The product of one row with a matrix takes as long as reading the matrix, and this operator's kernels come closest to
that. Every 256 weights of a column share a scale, and every 256 numbers of a row another one, found at each call: rows
do not change each other's answers, and errors are smaller than with one scale per column and per call. Its kernels
add products in 32 bits, or convert the weights to floats, so nothing saturates on any processor;
``tests/training/export/test_processors.py`` shows it on emulated ones. Many rows at once are slower than with
``MatMulInteger``: encoders and prompts keep that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

BLOCK = 256
"""Weights of one scale, where they divide a column: the largest block the operator takes is the fastest."""
DOMAIN = "com.microsoft"
OPERATOR = "MatMulNBits"
WEIGHTS, SCALES = "_blocks", "_block_scales"
"""What the names of the two tensors add to the weight's."""
ZERO = 128
"""The stored byte of weight zero, where the operator is given no other."""
_BITS, _LARGEST = 8, 127
_SMALLEST_BLOCK = 16
_LARGEST_FILE = 1_500_000_000
_INT8_ACTIVATIONS = 4
"""The operator's ``accuracy_level`` for activations of eight bits."""


def in_blocks(weight: NDArray[np.float32], block: int = BLOCK) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A matrix [in, out] as bytes [out, blocks, block] and scales [out, blocks]; weights are (byte - 128) * scale.

    The last block of a column is filled with zeros.
    """
    inner, outer = weight.shape
    columns = np.zeros((outer, -(-inner // block) * block), dtype=np.float32)
    columns[:, :inner] = weight.T
    blocks = columns.reshape(outer, -1, block)
    scales = (np.abs(blocks).max(axis=-1) / _LARGEST).astype(np.float32)
    # A block of zeros, or one so small that its scale vanishes.
    scales[scales == 0] = 1.0
    return (np.rint(blocks / scales[..., None]) + ZERO).astype(np.uint8), scales


def from_blocks(
    stored: NDArray[np.uint8], scales: NDArray[np.float32], inner: int, zero: int = ZERO
) -> NDArray[np.float32]:
    """The matrix [in, out] that bytes [out, blocks, block] and as many scales as there are blocks stand for."""
    outer, blocks, block = stored.shape
    values = (stored.astype(np.float32) - zero) * scales.reshape(outer, blocks, 1)
    return np.ascontiguousarray(values.reshape(outer, blocks * block)[:, :inner].T)


def write_blocks(source: Path, out: Path, nodes: Collection[str]) -> None:
    """Write ``source`` to ``out`` with the products named in ``nodes`` in blocks.

    They are MatMul and Gemm nodes whose second input is a float matrix of the graph. A Gemm that scales or transposes
    its first input stays as it is.
    """
    model = onnx.load(source)
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    made: set[str] = set()
    rest: list[onnx.NodeProto] = []
    for node in graph.node:
        settings = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        plain = settings.get("alpha", 1.0) == settings.get("beta", 1.0) == 1.0 and not settings.get("transA", 0)
        if node.name not in nodes or node.input[1] not in tensors or not plain:
            rest.append(node)
            continue
        name = node.input[1]
        weight = numpy_helper.to_array(tensors[name]).astype(np.float32)
        weight = weight.T if settings.get("transB", 0) else weight
        block = _block_of(weight.shape[0])
        if name not in made:
            stored, scales = in_blocks(weight, block)
            graph.initializer.append(numpy_helper.from_array(stored, name + WEIGHTS))
            graph.initializer.append(numpy_helper.from_array(scales.ravel(), name + SCALES))
            made.add(name)
        bias = [each for each in node.input[2:3] if each]
        product = f"{node.output[0]}{WEIGHTS}" if bias else node.output[0]
        rest.append(
            helper.make_node(
                OPERATOR,
                [node.input[0], name + WEIGHTS, name + SCALES],
                [product],
                name=node.name,
                domain=DOMAIN,
                K=weight.shape[0],
                N=weight.shape[1],
                bits=_BITS,
                block_size=block,
                accuracy_level=_INT8_ACTIVATIONS,
            )
        )
        if bias:
            rest.append(helper.make_node("Add", [product, bias[0]], [node.output[0]], name=f"{node.name}_bias"))
    del graph.node[:]
    graph.node.extend(rest)
    used = {name for node in rest for name in node.input}
    for name in made - used:
        graph.initializer.remove(tensors[name])
    if all(each.domain != DOMAIN for each in model.opset_import):
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    _save(model, out)


def round_table(paths: Mapping[str, Path], out: Mapping[str, Path]) -> bool:
    """Round the embedding table that is also the output matrix as its blocks will be; False where there is none.

    ``paths``: the float graphs of a model, one of them called ``decoder``; they are written to ``out``, under the same
    names, where there is such a table. It stays in floats where it is looked up, but holds the numbers that the output
    matrix holds in blocks: the two stay one parameter.
    """
    graphs = {part: onnx.load(path) for part, path in paths.items()}
    pair = _tied(graphs["decoder"].graph)
    if pair is None:
        return False
    table = pair.T
    rounded = from_blocks(*in_blocks(pair, _block_of(len(pair))), len(pair))
    for part, model in graphs.items():
        for tensor in model.graph.initializer:
            if tensor.data_type != onnx.TensorProto.FLOAT or tuple(tensor.dims) not in (table.shape, pair.shape):
                continue
            values = numpy_helper.to_array(tensor)
            for before, after in ((table, rounded.T), (pair, rounded)):
                if np.array_equal(values, before):
                    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(after), tensor.name))
                    break
        _save(model, out[part])
    return True


def output_nodes(path: Path, names: Iterable[str]) -> list[str]:
    """Those of the named nodes that make an output of the graph: the output matrix of a language model."""
    graph = onnx.load(path, load_external_data=False).graph
    wanted, outputs = set(names), {each.name for each in graph.output}
    return [node.name for node in graph.node if node.name in wanted and outputs.intersection(node.output)]


def _tied(graph: onnx.GraphProto) -> NDArray[np.float32] | None:
    """The output matrix [hidden, vocabulary] where it is a looked-up table, stored a second time."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    tables = {node.input[0] for node in graph.node if node.op_type == "Gather"} & tensors.keys()
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[1] not in tensors:
            continue
        head = numpy_helper.to_array(tensors[node.input[1]])
        for name in tables:
            if tuple(tensors[name].dims) == head.shape[::-1] and np.array_equal(
                numpy_helper.to_array(tensors[name]).T, head
            ):
                return head
    return None


def _save(model: onnx.ModelProto, path: Path) -> None:
    """A protobuf file ends at two gigabytes: above, the weights lie beside it."""
    beside = path.with_name(path.name + "_data")
    beside.unlink(missing_ok=True)
    external = sum(tensor.ByteSize() for tensor in model.graph.initializer) > _LARGEST_FILE
    onnx.save(model, path, save_as_external_data=external, location=beside.name if external else None)


def _block_of(inner: int) -> int:
    """The usual block where it divides a column, else half of it, or the smallest that holds a shorter column."""
    if inner % BLOCK == 0:
        return BLOCK
    block = _SMALLEST_BLOCK
    while block < min(inner, BLOCK // 2):
        block *= 2
    return block
