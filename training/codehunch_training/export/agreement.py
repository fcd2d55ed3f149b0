"""The same metrics of a bundle and of a PyTorch checkpoint, on the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import T5ForConditionalGeneration

from codehunch.bundles.bundle import Bundle
from codehunch.generation.prompt import encode_prompt
from codehunch.inference.encoding import LexicalEncoder
from codehunch_training.corpus.around import Source, source_of
from codehunch_training.corpus.docstrings import examples_of, prompt_of, python_files
from codehunch_training.corpus.harvest import harvest
from codehunch_training.evaluation.defects import localisation
from codehunch_training.export.parity import GraphModel
from codehunch_training.models.encoder import DefectModel
from codehunch_training.tasks.generation_data import encode_target


def compare_defects(bundle: Bundle, checkpoint: Path, sources: Sequence[Source]) -> dict[str, dict[str, Any]]:
    """Localisation of one injected defect per function, by the bundle's graph and by the checkpoint."""
    spec = bundle.manifest
    assert spec.defects is not None
    reads = spec.encoding
    tokenizer = Tokenizer.from_file(str(bundle.path / reads.tokenizer))
    encoder = LexicalEncoder(tokenizer, reads.window, reads.stride, reads.told)
    models: dict[str, Any] = {
        "bundle": GraphModel(bundle.path / spec.defects.graph),
        "checkpoint": DefectModel.from_pretrained(checkpoint).eval(),
    }
    return {name: localisation(model, encoder, sources, spec.defects.labels) for name, model in models.items()}


def compare_generation(bundle: Bundle, checkpoint: Path, rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Teacher-forced loss (nats per token) and accuracy of the best token on the rows' own bodies."""
    spec = bundle.manifest.generation
    assert spec is not None
    tokenizer = Tokenizer.from_file(str(bundle.path / bundle.manifest.encoding.tokenizer))
    model = T5ForConditionalGeneration.from_pretrained(checkpoint).eval()
    sessions = [
        onnxruntime.InferenceSession(str(bundle.path / name), providers=["CPUExecutionProvider"])
        for name in (spec.encoder, spec.decoder)
    ]
    totals = {"bundle": np.zeros(2), "checkpoint": np.zeros(2)}
    tokens = count = 0
    for row in rows:
        prompt = np.array([encode_prompt(tokenizer, prompt_of(row), spec.max_prompt)], dtype=np.int64)
        target = encode_target(tokenizer, row["target"])
        if not target or len(target) > spec.max_new:
            continue
        given = np.array([[spec.decoder_start_token_id, *target[:-1]]], dtype=np.int64)
        mask = np.ones_like(prompt)
        (hidden,) = sessions[0].run(["last_hidden_state"], {"input_ids": prompt, "attention_mask": mask})
        feed = {"input_ids": given, "encoder_hidden_states": hidden, "encoder_attention_mask": mask}
        (graph,) = sessions[1].run(["logits"], feed)
        with torch.inference_mode():
            whole = model(input_ids=torch.from_numpy(prompt), decoder_input_ids=torch.from_numpy(given)).logits
        totals["bundle"] += _forced(graph[0], target)
        totals["checkpoint"] += _forced(whole[0].numpy(), target)
        tokens, count = tokens + len(target), count + 1
    return {
        name: {
            "loss": round(float(sums[0]) / max(1, tokens), 4),
            "accuracy": round(float(sums[1]) / max(1, tokens), 4),
            "n": count,
        }
        for name, sums in totals.items()
    }


def _forced(logits: NDArray[np.float32], target: Sequence[int]) -> NDArray[np.float64]:
    """Summed negative log-likelihood and the number of right best tokens."""
    wide = torch.from_numpy(logits).double().log_softmax(-1).numpy()
    nats = -wide[np.arange(len(target)), target].sum()
    return np.array([nats, (wide.argmax(-1) == np.array(target)).sum()])


def functions_of(tree: Path, count: int) -> list[Source]:
    """Evenly chosen functions of a source tree."""
    rows = [source_of(row) for row in harvest(tree.name, tree)]
    if not rows:
        raise ValueError(f"{tree}: no Python functions to measure on")
    return rows[:: max(1, len(rows) // count)][:count]


def docstring_rows(tree: Path, count: int) -> list[dict[str, Any]]:
    """Evenly chosen documented functions of a package, as the generation data has them."""
    rows = [
        row
        for path in python_files(tree)
        for row in examples_of(path, path.name, tree.name)
        if row["kind"] == "docstring"
    ]
    if not rows:
        raise ValueError(f"{tree}: no documented Python functions to measure on")
    return rows[:: max(1, len(rows) // count)][:count]


def compare(bundle: Bundle, checkpoint: Path, tree: Path, count: int = 300) -> dict[str, dict[str, Any]]:
    """Metrics of a bundle and a checkpoint on ``count`` functions of a source tree."""
    if bundle.manifest.defects is not None:
        return compare_defects(bundle, checkpoint, functions_of(tree, count))
    return compare_generation(bundle, checkpoint, docstring_rows(tree, count))
