"""Fewer bits: dynamic and static int8, half precision; what loses accuracy stays as it was, chosen by measurement.

On x86 without VNNI two products of unsigned activations and signed weights are added in 16 bits, which can saturate
(onnxruntime, "Quantize ONNX Models", section on U8S8). Seven-bit weights (``reduced``) or unsigned ones (``u8u8``)
cannot: 2 * 255 * 64 < 2**15, and U8U8 kernels add in 32 bits.
"""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper

from codehunch_training.export.blocks import BLOCK, output_nodes, write_blocks

Feed = Mapping[str, NDArray[Any]]
"""Inputs of one run of a graph by name."""
Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("int8", "fp16", "fp32")


@attrs.frozen
class Scheme:
    """How weights and activations become integers. Weights are quantised per output channel."""

    name: str
    unsigned_weights: bool = False
    reduced_range: bool = True
    """Seven bits instead of eight."""
    static: bool = False
    """Activation ranges fixed from calibration data instead of found at each call."""
    embeddings: bool = True
    blocks: Literal["none", "output", "all"] = "none"
    """Which products have their weights in blocks: none, the output matrix of a language model, or all."""

    @property
    def operators(self) -> list[str]:
        return ["MatMul", "Gemm", *(["Gather"] if self.embeddings else [])]


SCHEMES: Mapping[str, Scheme] = {
    "reduced": Scheme("reduced"),
    "vnni": Scheme("vnni", reduced_range=False),
    "u8u8": Scheme("u8u8", unsigned_weights=True, reduced_range=False),
}
"""``reduced``: right on every processor (AVX2, AVX-512, VNNI, AMX, ARM64), the default. ``vnni``: all eight bits, for
processors with VNNI, AMX or ARM's dot products alone. ``u8u8``: all eight bits everywhere, slower."""

LIMIT = 0.15
"""Largest root mean square error of a graph's outputs, relative to their spread, that int8 may cost before parts of
it are left in floats."""
_LARGEST_PRODUCT_SUM = 2**15


def quantise(
    source: Path,
    out: Path,
    scheme: Scheme,
    feeds: Sequence[Feed] = (),
    limit: float = LIMIT,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Write ``source`` in int8 to ``out``; returns what the manifest says of it.

    With ``feeds`` the outputs are compared. While their error is above ``limit``, the part whose quantisation alone
    costs most goes back to floats. Static schemes need feeds: raises ValueError without them, and for blocks, whose
    activations are always quantised at the call.
    """
    if scheme.static and scheme.blocks != "none":
        raise ValueError("weights in blocks have no static ranges of activations")
    if scheme.static and not feeds:
        raise ValueError("static quantisation needs calibration data: give --data, or leave out --static")
    weights = "uint8" if scheme.unsigned_weights else "int8, reduced range" if scheme.reduced_range else "int8"
    in_blocks = f"int8 in blocks of at most {BLOCK}"
    report: dict[str, Any] = {
        "method": f"onnxruntime {'static' if scheme.static else 'dynamic'} int8, per channel",
        "scheme": scheme.name,
        "weights": {"none": weights, "output": f"{weights}; output {in_blocks}", "all": in_blocks}[scheme.blocks],
        "activations": "uint8",
        "embeddings": "uint8" if scheme.embeddings else "fp32",
    }
    with _quiet(), tempfile.TemporaryDirectory() as work:
        prepared = _prepared(source, Path(work), scheme)
        apply(prepared, out, scheme, feeds=feeds)
        if feeds:
            report |= _fall_back(prepared, out, scheme, feeds, limit, Path(work), say)
    report["saturation_free"] = cannot_saturate(out)
    return report


def _fall_back(
    prepared: Path,
    out: Path,
    scheme: Scheme,
    feeds: Sequence[Feed],
    limit: float,
    work: Path,
    say: Callable[[str], None],
) -> dict[str, Any]:
    expected = run_all(prepared, feeds)
    error = relative_error(expected, run_all(out, feeds))
    report: dict[str, Any] = {"error": round(error, 5), "error_limit": limit, "kept_in_floats": []}
    if error <= limit:
        return report
    costs: dict[str, float] = {}
    parts = groups(prepared, scheme)
    for number, (name, nodes) in enumerate(parts.items(), 1):
        say(f"int8 costs {error:.1%}: measuring part {number} of {len(parts)}, {name}")
        apply(prepared, work / "one.onnx", scheme, only=nodes, feeds=feeds)
        costs[name] = relative_error(expected, run_all(work / "one.onnx", feeds))
    kept: list[str] = []
    for name in sorted(costs, key=lambda each: -costs[each]):
        kept.append(name)
        apply(prepared, out, scheme, without=[node for each in kept for node in parts[each]], feeds=feeds)
        error = relative_error(expected, run_all(out, feeds))
        say(f"{name} stays in floats: error {error:.1%}")
        if error <= limit:
            break
    report |= {
        "error_all_int8": report["error"],
        "error": round(error, 5),
        "kept_in_floats": kept,
        "cost_of_each": {name: round(cost, 5) for name, cost in sorted(costs.items(), key=lambda item: -item[1])},
    }
    return report


def apply(
    source: Path,
    out: Path,
    scheme: Scheme,
    *,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    feeds: Sequence[Feed] = (),
) -> None:
    """Quantise the nodes named in ``only`` (all where empty) less ``without``."""
    if scheme.blocks == "none":
        _apply(source, out, scheme, only, without, feeds)
        return
    every = _with_weights(source, scheme)
    blocks = every if scheme.blocks == "all" else output_nodes(source, every)
    chosen = [name for name in every if (not only or name in only) and name not in without]
    others = [name for name in chosen if name not in blocks]
    with tempfile.TemporaryDirectory() as folder:
        before = source
        if others:
            before = Path(folder) / source.name
            _apply(source, before, scheme, others, (), feeds)
        write_blocks(before, out, set(chosen) - set(others))


def _apply(
    source: Path, out: Path, scheme: Scheme, only: Sequence[str], without: Sequence[str], feeds: Sequence[Feed]
) -> None:
    """One run of onnxruntime's quantiser."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    common: dict[str, Any] = {
        "op_types_to_quantize": scheme.operators,
        "per_channel": True,
        "reduce_range": scheme.reduced_range,
        "weight_type": QuantType.QUInt8 if scheme.unsigned_weights else QuantType.QInt8,
        "nodes_to_quantize": list(only) or None,
        "nodes_to_exclude": list(without),
        "use_external_data_format": _is_large(source),
    }
    if not scheme.static:
        quantize_dynamic(source, out, extra_options={"MatMulConstBOnly": True}, **common)
        return

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds = iter(feeds)

        def get_next(self) -> Feed | None:
            return next(self._feeds, None)

    # Only products with a weight: the rounding of attention's own products cannot be undone by a bound per layer.
    products = _with_weights(source, scheme)
    chosen = [name for name in products if (not only or name in only) and name not in without]
    if not chosen:
        shutil.copyfile(source, out)
        return
    quantize_static(
        source,
        out,
        Reader(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        extra_options={"MatMulConstBOnly": True, "QuantizeBias": False},
        **common | {"nodes_to_quantize": chosen},
    )


def half(source: Path, out: Path) -> dict[str, Any]:
    """Write ``source`` in fp16 to ``out``, its inputs and outputs as they were: for CUDA."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with _quiet():
        model = convert_float_to_float16(onnx.load(source), keep_io_types=True)
        onnx.save(model, out, save_as_external_data=_is_large(source))
    return {"method": "fp16", "weights": "float16", "activations": "float16", "embeddings": "float16"}


def groups(path: Path, scheme: Scheme) -> dict[str, list[str]]:
    """The nodes that hold weights, by the part of the model they belong to: embeddings, attention of a layer, ..."""
    found: dict[str, list[str]] = {}
    for name in _with_weights(path, scheme):
        found.setdefault(part_of(name), []).append(name)
    return found


def part_of(node: str) -> str:
    """The part a node belongs to: its module, cut after the module inside the innermost numbered one.

    >>> part_of("/roberta/encoder/layer.3/attention/self/query/MatMul")
    'roberta.encoder.layer.3.attention'
    """
    parts = node.strip("/").split("/")[:-1] or [node]
    numbered = [place for place, part in enumerate(parts) if re.search(r"\.\d+$", part)]
    return ".".join(parts[: numbered[-1] + 2] if numbered else parts)


def cannot_saturate(path: Path) -> bool:
    """Whether no sum of two neighbouring products of a uint8 activation and an int8 weight leaves 16 bits."""
    model = onnx.load(path)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    products = {name for node in model.graph.node if node.op_type == "MatMulInteger" for name in node.input[1:2]}
    pairs = {name for node in model.graph.node if node.op_type == "DequantizeLinear" for name in node.input[:1]}
    for name in (products | pairs) & tensors.keys():
        if tensors[name].data_type != onnx.TensorProto.INT8:
            continue
        largest = int(np.abs(numpy_helper.to_array(tensors[name]).astype(np.int32)).max())
        if 2 * 255 * largest >= _LARGEST_PRODUCT_SUM:
            return False
    return True


def run_all(path: Path, feeds: Sequence[Feed]) -> list[list[NDArray[np.float32]]]:
    """Float outputs of every feed."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_outputs() if not node.name.startswith("present")]
    wanted = {node.name for node in session.get_inputs()}
    return [session.run(names, {name: feed[name] for name in wanted}) for feed in feeds]


def relative_error(
    expected: Sequence[Sequence[NDArray[np.float32]]], found: Sequence[Sequence[NDArray[np.float32]]]
) -> float:
    """Root mean square difference over the standard deviation of what was expected; the worst output counts."""
    worst = 0.0
    for output in range(len(expected[0])):
        right = np.concatenate([each[output].ravel() for each in expected]).astype(np.float64)
        other = np.concatenate([each[output].ravel() for each in found]).astype(np.float64)
        worst = max(worst, float(np.sqrt(np.mean((right - other) ** 2)) / max(right.std(), 1e-9)))
    return worst


def _with_weights(path: Path, scheme: Scheme) -> list[str]:
    """Names of the nodes that the scheme may quantise and that read a float matrix of the model."""
    model = onnx.load(path, load_external_data=False)
    matrices = {
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) >= 2
    }
    return [
        node.name
        for node in model.graph.node
        if node.op_type in scheme.operators and matrices.intersection(node.input[:1] if _gathers(node) else node.input)
    ]


def _gathers(node: onnx.NodeProto) -> bool:
    return bool(node.op_type == "Gather")


def _prepared(source: Path, work: Path, scheme: Scheme) -> Path:
    """The graph with the shapes of all tensors, which static quantisation needs."""
    if not scheme.static:
        return source
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = work / "prepared.onnx"
    quant_pre_process(source, prepared, skip_symbolic_shape=True, skip_optimization=True)
    return prepared


def _is_large(path: Path) -> bool:
    """Whether a graph with its weights comes near protobuf's limit of two gigabytes."""
    external = path.with_name(path.name + "_data")
    return path.stat().st_size + (external.stat().st_size if external.exists() else 0) > 1_500_000_000


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """onnxruntime's quantiser advises at warning level on the root logger, and the converter by warnings."""
    import warnings

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
