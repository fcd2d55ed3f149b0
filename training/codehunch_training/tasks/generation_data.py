"""Rows of ``corpus.docstrings`` as token ids, and batches of them with little padding."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from codehunch.generation.prompt import EOS, PAD, encode_prompt, encode_text
from codehunch_training.corpus.docstrings import prompt_of

KINDS = ("docstring", "comment", "sentence", "signature")
Batch = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Encoder ids ``(batch, source)`` and labels ``(batch, target)``, both padded with the pad id."""


@attrs.frozen(eq=False)
class Examples:
    """Token ids of many examples in three flat arrays."""

    ids: NDArray[np.uint16]
    starts: NDArray[np.int64]
    """Start of each source, its target's start, the next source ...; length ``2 n + 1``."""
    kinds: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.kinds)

    def pair(self, index: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        a, b, c = self.starts[2 * index : 2 * index + 3]
        return self.ids[a:b], self.ids[b:c]

    def lengths(self) -> NDArray[np.int64]:
        """Source plus target tokens of each example."""
        return self.starts[2::2] - self.starts[:-2:2]

    def save(self, path: Path) -> None:
        np.savez(path, ids=self.ids, starts=self.starts, kinds=self.kinds)

    @staticmethod
    def load(path: Path) -> Examples:
        with np.load(path, allow_pickle=False) as stored:
            return Examples(stored["ids"], stored["starts"], stored["kinds"])


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def texts_of(path: Path, every: int = 1) -> Iterator[str]:
    """What a tokenizer learns from: every field and target of each ``every``-th row."""
    for index, row in enumerate(read_rows(path)):
        if index % every == 0:
            yield "\n" + row["target"]
            yield from (text for _, text in row["prompt"])


def encode_target(tokenizer: Tokenizer, target: str) -> list[int]:
    """A body as labels. It begins with a line end, so that its first line is spelled like the others."""
    return [*encode_text(tokenizer, "\n" + target), int(tokenizer.token_to_id(EOS))]


def encode_rows(path: Path, tokenizer: Tokenizer, max_prompt: int, max_new: int) -> Examples:
    """All rows of a file; those whose target is longer than ``max_new`` are left out."""
    ids: list[NDArray[np.uint16]] = []
    kinds: list[int] = []
    for row in read_rows(path):
        target = encode_target(tokenizer, row["target"])
        if len(target) > max_new:
            continue
        ids.append(np.asarray(encode_prompt(tokenizer, prompt_of(row), max_prompt), dtype=np.uint16))
        ids.append(np.asarray(target, dtype=np.uint16))
        kinds.append(KINDS.index(row["kind"]))
    starts = np.concatenate(([0], np.cumsum([len(part) for part in ids])))
    return Examples(np.concatenate(ids), starts.astype(np.int64), np.asarray(kinds, dtype=np.uint8))


def collate(examples: Examples, indices: NDArray[np.int64], pad: int) -> Batch:
    pairs = [examples.pair(int(index)) for index in indices]
    source = np.full((len(pairs), max(len(a) for a, _ in pairs)), pad, dtype=np.int64)
    target = np.full((len(pairs), max(len(b) for _, b in pairs)), pad, dtype=np.int64)
    for row, (a, b) in enumerate(pairs):
        source[row, : len(a)] = a
        target[row, : len(b)] = b
    return source, target


def cut(indices: NDArray[np.int64], lengths: NDArray[np.int64], budget: int) -> list[NDArray[np.int64]]:
    """Cut length-sorted indices into batches of at most ``budget`` padded tokens."""
    batches, start = [], 0
    for end in range(1, len(indices) + 1):
        if end == len(indices) or lengths[indices[end]] * (end + 1 - start) > budget:
            batches.append(indices[start:end])
            start = end
    return batches


@attrs.define
class Sampler:
    """An endless, seeded, resumable stream of batches: kinds by weight, each kind shuffled anew per pass."""

    examples: Examples
    budget: int
    seed: int
    pool: int = 2048
    drawn: list[int] = attrs.field(factory=lambda: [0] * len(KINDS))
    """How many examples of each kind earlier pools took: all the state there is, beside ``pools``."""
    pools: int = 0

    def state(self) -> dict[str, Any]:
        return {"drawn": list(self.drawn), "pools": self.pools}

    def restore(self, state: dict[str, Any]) -> None:
        self.drawn, self.pools = list(state["drawn"]), int(state["pools"])

    def next_pool(self, weights: tuple[float, ...]) -> list[NDArray[np.int64]]:
        """The batches of one pool, in random order."""
        random = np.random.default_rng((self.seed, 1, self.pools))
        lengths = self.examples.lengths()
        chosen: list[NDArray[np.int64]] = []
        total = sum(weights)
        for kind, weight in enumerate(weights):
            members = np.flatnonzero(self.examples.kinds == kind)
            wanted = round(self.pool * weight / total)
            while wanted > 0 and len(members):
                epoch, position = divmod(self.drawn[kind], len(members))
                order = np.random.default_rng((self.seed, 2, kind, epoch)).permutation(members)
                part = order[position : position + wanted]
                chosen.append(part)
                self.drawn[kind] += len(part)
                wanted -= len(part)
        self.pools += 1
        indices = np.concatenate(chosen)
        indices = indices[np.argsort(lengths[indices] + random.random(len(indices)), kind="stable")]
        batches = cut(indices, lengths, self.budget)
        return [batches[i] for i in random.permutation(len(batches))]


def pad_id(tokenizer: Tokenizer) -> int:
    return int(tokenizer.token_to_id(PAD))
