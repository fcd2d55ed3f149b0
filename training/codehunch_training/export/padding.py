"""Graphs of encoders without their padding mask, for rows that run alone.

With dynamic int8 a row's answer depends on its company, so the engine runs every row by itself and never pads. The
mask then adds zeros to every attention score of every layer: a pass over heads x tokens x tokens numbers each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from codehunch_training.export.quantisation import Feed, run_all

MASK = "attention_mask"
_SHAPES = frozenset({"Shape", "Size"})


def without_mask(source: Path, out: Path, feeds: Sequence[Feed]) -> bool:
    """Write ``source`` to ``out`` without its input ``attention_mask``; False, and nothing written, where it needs it.

    It needs it where the mask does more than add to attention scores (pooling, positions), or where the outputs for
    ``feeds``, whose masks are all ones, would not stay the same bit by bit.
    """
    model = onnx.load(source)
    graph = model.graph
    if MASK not in {each.name for each in graph.input}:
        return False
    masks, fixed = _from_mask(graph)
    scores = {node.input[0] for node in graph.node if node.op_type == "Softmax"}
    replaced: dict[str, str] = {}
    for node in graph.node:
        if node.op_type == "Add" and node.output[0] in scores:
            others = [name for name in node.input if name not in masks]
            if len(others) == 1 and others[0] not in fixed:
                replaced[node.output[0]] = others[0]
    for node in graph.node:
        for place, name in enumerate(node.input):
            if node.op_type == "Softmax" and name in replaced:
                node.input[place] = replaced[name]
    _prune(graph)
    if any(MASK in node.input for node in graph.node):
        return False
    graph.input.remove(next(each for each in graph.input if each.name == MASK))
    external = source.with_name(source.name + "_data").exists()
    onnx.save(model, out, save_as_external_data=external, location=out.name + "_data" if external else None)
    pairs = zip(run_all(source, feeds), run_all(out, feeds), strict=True)
    if all(np.array_equal(one, other) for before, after in pairs for one, other in zip(before, after, strict=True)):
        return True
    out.unlink()
    out.with_name(out.name + "_data").unlink(missing_ok=True)
    return False


def _from_mask(graph: onnx.GraphProto) -> tuple[set[str], set[str]]:
    """Tensors computed from the mask, constants and shapes alone; and those from constants and shapes alone."""
    masks, fixed = {MASK}, {"", *(tensor.name for tensor in graph.initializer)}
    for node in graph.node:  # In topological order, as ONNX demands.
        if node.op_type in _SHAPES or fixed.issuperset(node.input):
            fixed.update(node.output)
        elif (masks | fixed).issuperset(node.input):
            masks.update(node.output)
    return masks, fixed


def _prune(graph: onnx.GraphProto) -> None:
    """Drop nodes whose outputs nothing reads, from the end: one pass, for nodes stand in topological order."""
    used = {each.name for each in graph.output}
    for node in reversed(list(graph.node)):
        if used.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            used.update(node.input)
    for tensor in [each for each in graph.initializer if each.name not in used]:
        graph.initializer.remove(tensor)
