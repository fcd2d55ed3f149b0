"""How well a defect model finds injected defects in functions it never saw."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from codehunch.inference.encoding import LexicalEncoder
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.around import Source, around_of
from codehunch_training.corpus.injection import definition, inject
from codehunch_training.models.encoder import DefectModel
from codehunch_training.tasks.defect_data import Example, collate, label_index, make_examples


def read(
    model: DefectModel, examples: Sequence[Example], pad: int, tokens: int = 8192
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Per example: sequence probabilities [labels] and token probabilities [tokens, labels]."""
    order = sorted(range(len(examples)), key=lambda at: len(examples[at].window))
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    at = 0
    with torch.inference_mode():
        while at < len(order):
            end = at + 1
            while end < len(order) and len(examples[order[end]].window) * (end + 1 - at) <= tokens:
                end += 1
            chosen = order[at:end]
            batch = collate([examples[i] for i in chosen], pad)
            inputs = {name: batch[name].to(model.device) for name in ("input_ids", "attention_mask", "identifier_ids")}
            output = model(**inputs)
            # Under autocast the logits have half the bits, and NumPy has no such type.
            whole, each = (logits.float().softmax(-1).cpu().numpy() for logits in (output.logits, output.token_logits))
            for row, i in enumerate(chosen):
                found[i] = whole[row], each[row, : len(examples[i].window)]
            at = end
    return [found[i] for i in range(len(examples))]


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Area under the ROC curve: how often a positive outscores a negative, ties counted half."""
    if not len(positive) or not len(negative):
        return float("nan")
    both = np.concatenate([positive, negative])
    ranks = np.empty(len(both))
    order = np.argsort(both, kind="stable")
    ranks[order] = np.arange(1, len(both) + 1)
    for value in np.unique(both):
        tied = both == value
        ranks[tied] = ranks[tied].mean()
    return float(
        (ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative))
    )


def localisation(
    model: DefectModel, encoder: LexicalEncoder, sources: Sequence[Source], labels: Sequence[str], seed: int = 1
) -> dict[str, Any]:
    """One injected defect per function: share whose most suspicious token is the wrong one (top1),
    by kind; the AUC of the most suspicious token and of the sequence head against the clean twins."""
    rng, index = random.Random(seed), label_index(labels)
    twins: list[tuple[Example, Example, str]] = []
    for source in sources:
        parsed, around = parse(source.text), around_of(source.around)
        node = definition(parsed)
        injected = inject(parsed, node, 1, rng) if node is not None else None
        if injected is None:
            continue
        changed = injected.labels, injected.originals
        wrong = make_examples(injected.text, *changed, encoder, index, around=around)
        clean = make_examples(source.text, {}, {}, encoder, index, around=around)
        if len(wrong) == 1 and len(clean) == 1 and wrong[0].kinds[0] == 0:
            twins.append((wrong[0], clean[0], next(iter(injected.labels.values()))))
    readings = read(model, [w for w, _, _ in twins] + [c for _, c, _ in twins], encoder.pad)
    hits: dict[str, list[bool]] = {}
    peaks: list[float] = []
    calm: list[float] = []
    sequence: tuple[list[float], list[float]] = ([], [])
    for number, (wrong_example, clean_example, kind) in enumerate(twins):
        for example, (whole, each), is_wrong in (
            (wrong_example, readings[number], True),
            (clean_example, readings[len(twins) + number], False),
        ):
            suspicion = np.where(example.window.lexemes >= 0, 1 - each[:, 0], -1)
            best = int(suspicion.argmax())
            (peaks if is_wrong else calm).append(float(suspicion[best]))
            sequence[0 if is_wrong else 1].append(1 - float(whole[0]))
            if is_wrong:
                hits.setdefault(kind, []).append(bool(example.token_labels[best] > 0))
    every = [hit for values in hits.values() for hit in values]
    return {
        "top1": float(np.mean(every)) if every else float("nan"),
        "auc_peak": auc(np.array(peaks), np.array(calm)),
        "auc_sequence": auc(np.array(sequence[0]), np.array(sequence[1])),
        "n": len(every),
        "by_kind": {kind: [round(float(np.mean(values)), 3), len(values)] for kind, values in sorted(hits.items())},
    }
