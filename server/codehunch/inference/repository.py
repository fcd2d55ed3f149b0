"""A bundle as the model repository of a server: what NVIDIA Triton and MLServer load.

Each graph becomes a model with a folder of its own, named after the bundle and its fingerprint::

    MODEL/config.pbtxt            for Triton: names, types and shapes, run by its onnxruntime backend
    MODEL/model-settings.json     for MLServer: the same through codehunch.inference.mlserver_runtime
    MODEL/1/model.onnx            the graph, with its weights beside it where they are a file of their own
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import attrs

from codehunch.bundles.bundle import Bundle
from codehunch.inference.errors import InferenceError
from codehunch.inference.fallback import model_name
from codehunch.inference.session import CPU, create_session

RUNTIME = "codehunch.inference.mlserver_runtime.GraphRuntime"
GRAPH_NAME = "model.onnx"
VERSION = "1"
_EXTERNAL_SUFFIXES = (".onnx_data", ".data")

_TYPES = {
    "tensor(bool)": ("TYPE_BOOL", "BOOL"),
    "tensor(uint8)": ("TYPE_UINT8", "UINT8"),
    "tensor(int8)": ("TYPE_INT8", "INT8"),
    "tensor(int16)": ("TYPE_INT16", "INT16"),
    "tensor(int32)": ("TYPE_INT32", "INT32"),
    "tensor(int64)": ("TYPE_INT64", "INT64"),
    "tensor(float16)": ("TYPE_FP16", "FP16"),
    "tensor(float)": ("TYPE_FP32", "FP32"),
    "tensor(double)": ("TYPE_FP64", "FP64"),
}
"""onnxruntime's names to Triton's and the protocol's."""


@attrs.frozen
class Port:
    """An input or output of a graph."""

    name: str
    kind: str
    """onnxruntime's name of the type."""
    dims: tuple[int, ...]
    """-1 where any size goes."""


def write_repository(bundle: Bundle, folder: Path) -> tuple[Path, ...]:
    """Write the models of a bundle into ``folder``, beside what lies there; returns their folders.

    A model that is there already is replaced as a whole. Raises InferenceError for a graph that cannot be opened or
    has inputs no server can be told of, OSError where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(_write_model(bundle, graph, folder) for graph in graphs_of(bundle))


def graphs_of(bundle: Bundle) -> tuple[str, ...]:
    """The graphs of a bundle, as its manifest names them."""
    return tuple(name for name in bundle.manifest.needed_files() if name.endswith(".onnx"))


def _write_model(bundle: Bundle, graph: str, folder: Path) -> Path:
    name = model_name(bundle, graph)
    inputs, outputs = ports_of(bundle.path / graph)
    target, staged = folder / name, folder / f".{name}.{os.getpid()}"
    try:
        (staged / VERSION).mkdir(parents=True)
        shutil.copyfile(bundle.path / graph, staged / VERSION / GRAPH_NAME)
        for other in bundle.manifest.files:
            if other.endswith(_EXTERNAL_SUFFIXES):  # Graphs name them relative to themselves.
                shutil.copyfile(bundle.path / other, staged / VERSION / Path(other).name)
        (staged / "config.pbtxt").write_text(triton_config(name, inputs, outputs), encoding="utf-8")
        settings = mlserver_settings(name, inputs, outputs)
        (staged / "model-settings.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        os.replace(staged, target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return target


def ports_of(path: Path) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Inputs and outputs of the graph in ``path``. Raises InferenceError."""
    session = create_session(path, threads=1, providers=[CPU])
    return _ports(path, session.get_inputs()), _ports(path, session.get_outputs())


def triton_config(name: str, inputs: tuple[Port, ...], outputs: tuple[Port, ...]) -> str:
    """``config.pbtxt``: the text form of inference.ModelConfig.

    The batch axis stands among the dims (``max_batch_size: 0``): rows of a dynamically quantised graph depend on
    each other, so the server must not put requests of several people together.
    """
    lines = [
        f'name: "{name}"',
        'backend: "onnxruntime"',
        f'default_model_filename: "{GRAPH_NAME}"',
        "max_batch_size: 0",
    ]
    for key, ports in (("input", inputs), ("output", outputs)):
        for port in ports:
            dims = ", ".join(str(size) for size in port.dims)
            lines.append(f'{key} {{ name: "{port.name}" data_type: {_TYPES[port.kind][0]} dims: [ {dims} ] }}')
    return "\n".join(lines) + "\n"


def mlserver_settings(name: str, inputs: tuple[Port, ...], outputs: tuple[Port, ...]) -> dict[str, Any]:
    """``model-settings.json`` of MLServer."""

    def described(ports: tuple[Port, ...]) -> list[dict[str, Any]]:
        return [{"name": p.name, "datatype": _TYPES[p.kind][1], "shape": list(p.dims)} for p in ports]

    return {
        "name": name,
        "implementation": RUNTIME,
        "inputs": described(inputs),
        "outputs": described(outputs),
        "parameters": {"uri": f"./{VERSION}/{GRAPH_NAME}", "version": VERSION},
    }


def _ports(path: Path, nodes: list[Any]) -> tuple[Port, ...]:
    unknown = [node.type for node in nodes if node.type not in _TYPES]
    if unknown:
        raise InferenceError(f"{path}: a model server cannot be told of {', '.join(unknown)}")
    return tuple(
        Port(node.name, node.type, tuple(size if isinstance(size, int) and size > 0 else -1 for size in node.shape))
        for node in nodes
    )
