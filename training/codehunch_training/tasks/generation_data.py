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
from codehunch_training.corpus.docstrings import KINDS, prompt_of

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

    def lengths(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Source and target tokens of each example."""
        steps = np.diff(self.starts)
        return steps[::2], steps[1::2]

    def context_lengths(self, first: int) -> NDArray[np.int64]:
        """How many tokens stand before the marker ``first`` in each source; 0 where it does not occur."""
        at = np.flatnonzero(self.ids == first)
        sources = self.starts[:-1:2]
        ends = self.starts[1::2]
        found = at[np.minimum(np.searchsorted(at, sources), len(at) - 1)] if len(at) else sources
        return np.where((found >= sources) & (found < ends), found - sources, 0)

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


def collate(
    examples: Examples, indices: NDArray[np.int64], pad: int, dropped: NDArray[np.int64] | None = None
) -> Batch:
    """Padded arrays; ``dropped`` says how many leading source tokens of each example to leave out."""
    pairs = [examples.pair(int(index)) for index in indices]
    if dropped is not None:
        pairs = [(a[count:], b) for (a, b), count in zip(pairs, dropped, strict=True)]
    source = np.full((len(pairs), max(len(a) for a, _ in pairs)), pad, dtype=np.int64)
    target = np.full((len(pairs), max(len(b) for _, b in pairs)), pad, dtype=np.int64)
    for row, (a, b) in enumerate(pairs):
        source[row, : len(a)] = a
        target[row, : len(b)] = b
    return source, target


def cut(source: NDArray[np.int64], target: NDArray[np.int64], budget: int) -> list[NDArray[np.int64]]:
    """Batches, as positions in the given lengths, of at most ``budget`` padded tokens.

    Neighbours have source lengths of one bucket and near target lengths, so a pool of 8,192 pads about a tenth.
    """
    batches: list[NDArray[np.int64]] = []
    order = np.lexsort((target, source // 16))
    start = longest_source = longest_target = 0
    for end, position in enumerate(order):
        wider, taller = max(longest_source, source[position]), max(longest_target, target[position])
        if end > start and (end + 1 - start) * (wider + taller) > budget:
            batches.append(order[start:end])
            start, wider, taller = end, source[position], target[position]
        longest_source, longest_target = wider, taller
    batches.append(order[start:])
    return batches


@attrs.define
class Sampler:
    """An endless, seeded, resumable stream of batches: kinds by weight, each kind shuffled anew per pass."""

    examples: Examples
    budget: int
    seed: int
    context: NDArray[np.int64] | None = None
    """Leading tokens of each source that say what is around the request, see ``Examples.context_lengths``."""
    longest: int = 0
    """Examples with more target tokens are left out; 0 keeps all."""
    pool: int = 8192
    drawn: list[int] = attrs.field(factory=lambda: [0] * len(KINDS))
    """How many examples of each kind earlier pools took: all the state there is, beside ``pools``."""
    pools: int = 0

    def state(self) -> dict[str, Any]:
        return {"drawn": list(self.drawn), "pools": self.pools}

    def restore(self, state: dict[str, Any]) -> None:
        self.drawn, self.pools = list(state["drawn"]), int(state["pools"])

    def next_pool(
        self, weights: tuple[float, ...], bare: float = 0.0
    ) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """The batches of one pool in random order: indices, and how many leading tokens each example loses.

        ``bare`` is the share of examples that come without their surroundings.
        """
        random = np.random.default_rng((self.seed, 1, self.pools))
        chosen: list[NDArray[np.int64]] = []
        total = sum(weights)
        source, target = self.examples.lengths()
        usable = target <= self.longest if self.longest else target > 0
        for kind, weight in enumerate(weights):
            members = np.flatnonzero((self.examples.kinds == kind) & usable)
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
        dropped = np.zeros(len(indices), dtype=np.int64)
        if self.context is not None and bare > 0:
            dropped = np.where(random.random(len(indices)) < bare, self.context[indices], 0)
        mixed = random.permutation(len(indices))
        indices, dropped = indices[mixed], dropped[mixed]
        batches = cut(source[indices] - dropped, target[indices], self.budget)
        return [(indices[batches[i]], dropped[batches[i]]) for i in random.permutation(len(batches))]


def pad_id(tokenizer: Tokenizer) -> int:
    return int(tokenizer.token_to_id(PAD))
