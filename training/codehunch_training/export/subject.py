"""What is exported: a model with its tokenizer, what it reads and says, and the examples it is measured on."""

from __future__ import annotations

import functools
import json
import random
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs
import numpy as np
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from codehunch_training.corpus.harvest import harvest
from codehunch_training.export.parity import Evaluate
from codehunch_training.export.quantisation import Feed

Kind = Literal["classifier", "tokens", "joint", "embedding", "encoder-decoder", "decoder-only"]
"""``joint`` reads lexemes and has both heads, as the embedded defect model; the others read text."""


class ExportError(ValueError):
    """Something that cannot become a bundle; the message says why and what to do."""


@attrs.frozen
class Judged:
    """A held-out text with the truth about it."""

    text: str
    label: int
    """Index among the subject's labels; 0 is clean."""


@attrs.frozen(eq=False)
class Subject:
    """Everything the writer of bundles needs to know. Build one from a run or from a checkpoint."""

    name: str
    kind: Kind
    model: PreTrainedModel
    tokenizer: Tokenizer
    provenance: Mapping[str, Any]
    languages: tuple[str, ...] = ("python",)
    license: str = "unknown"
    labels: tuple[str, ...] = ()
    """Index 0 is ``clean``."""
    window: int = 512
    stride: int = 128
    pooling: str = "mean"
    max_new: int = 192
    prompt: Literal["text", "infill", "middle"] = "text"
    prompt_tokens: tuple[str, ...] = ()
    prefix: str = ""
    starts: tuple[int, int, int] = (0, 0, 0)
    """Decoder start, end and pad token ids of a model that writes."""
    ends: tuple[int, ...] = ()
    feeds: Sequence[Feed] = ()
    """Inputs parity is measured on; for models that write, ``prompts`` and ``targets`` instead."""
    prompts: Sequence[Sequence[int]] = ()
    targets: Sequence[Sequence[int]] = ()
    evaluate: Evaluate | None = None
    metric: str = ""
    calibration: Sequence[Judged] = ()
    """Held-out texts, disjoint from those parity is measured on."""
    calibration_source: str = ""
    metrics: Mapping[str, Any] = attrs.field(factory=dict)
    writes: Any = None
    """How to call a model that writes; see ``writing.py``."""


def recorded(model: PreTrainedModel) -> dict[str, Any]:
    """What ``restore`` needs to make an empty model of the same architecture."""
    return {"architecture": type(model).__name__, "config": json.loads(model.config.to_json_string(use_diff=False))}


def feeds_of(features: Sequence[Mapping[str, Any]], limit: int) -> list[Feed]:
    """Inputs of graphs, each a batch of one, from a task's features."""
    found: list[Feed] = []
    for each in features[:limit]:
        ids = np.array([each["input_ids"]], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        if "identifier_ids" in each:
            feed["identifier_ids"] = np.array([each["identifier_ids"]], dtype=np.int64)
        found.append(feed)
    return found


def standard_library(count: int, seed: int = 0) -> list[str]:
    """Functions of Python's own library: mature code that lies on every machine and that nobody wrote for us."""
    texts: list[str] = []
    for name in random.Random(seed).sample(_PACKAGES, len(_PACKAGES)):
        texts += _functions_of(name)
        if len(texts) >= 2 * count:
            break
    random.Random(seed).shuffle(texts)
    return texts[:count]


@functools.cache
def _functions_of(package: str) -> tuple[str, ...]:
    folder = Path(sysconfig.get_paths()["stdlib"]) / package
    found = dict.fromkeys(row.text for row in harvest(package, folder)) if folder.is_dir() else {}
    return tuple(found)


_PACKAGES = (
    "asyncio", "concurrent", "email", "html", "http", "importlib", "json", "logging", "multiprocessing", "unittest",
    "urllib", "xml",
)  # fmt: skip

Say = Callable[[str], None]
