"""Corpora, bases and a quick ``train``, all made here, so that the tests run on a clean machine."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)

from toolbox_helpers import SMALL, function, labelled, spanned, twins, write  # noqa: E402

if importlib.util.find_spec("torch") is None:  # The extra `train` is not installed.
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders ``classes`` (three), ``pair`` (two classes), ``spans``, ``twins`` and ``plain``, each with train and
    valid."""
    root = tmp_path_factory.mktemp("corpora")
    for part, seed, size in (("train", 1, 240), ("valid", 2, 60)):
        write(root / "classes", f"{part}.jsonl", labelled(size, seed))
        write(root / "pair", f"{part}.jsonl", labelled(size, seed, ("safe", "eval(")))
        write(root / "spans", f"{part}.jsonl", spanned(size, seed))
        write(root / "twins", f"{part}.jsonl", twins(size // 2, seed))
        rng = random.Random(seed)
        write(root / "plain", f"{part}.jsonl", [{"text": function(rng)} for _ in range(size)])
    return root


@pytest.fixture(scope="session")
def codebert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as microsoft/codebert-base has it: config.json, vocab.json, merges.txt and weights of RobertaModel."""
    import torch
    from transformers import RobertaConfig, RobertaModel

    from codehunch_training.new_bases import new_tokenizer

    folder = tmp_path_factory.mktemp("bases") / "codebert"
    rng = random.Random(0)
    tokenizer = new_tokenizer((function(rng) for _ in range(200)), 400)
    folder.mkdir()
    tokenizer.backend_tokenizer.model.save(str(folder))
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=194, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2,
    )  # fmt: skip
    RobertaModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def quick(tmp_path: Path) -> Callable[..., Any]:
    """``quick(task, base, data, *overrides)``: train small into a folder of its own."""
    from codehunch_training.recipe import Recipe, with_overrides
    from codehunch_training.training import train

    number = 0

    def run(
        task: str,
        base: str | Path,
        data: Path,
        *changes: str,
        recipe: Any = None,
        out: Path | None = None,
        **more: Any,
    ) -> Any:
        nonlocal number
        number += 1
        chosen = with_overrides(recipe or Recipe(), [*SMALL, *changes])
        return train(task, str(base), data, chosen, out or tmp_path / f"run-{number}", **more)

    return run
