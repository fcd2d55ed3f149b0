"""From functions to batches for the defect model: corruption, labels, token-budget batching."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from pathlib import Path

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codehunch.defects.slips import told
from codehunch.defects.standings import standings
from codehunch.defects.surroundings import Around
from codehunch.inference.encoding import LexicalEncoder, Window
from codehunch.syntax.lexemes import Lexeme, lexemes_of
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.around import Source, around_of
from codehunch_training.corpus.injection import (
    Injected,
    definition,
    inject,
    inner_definition,
    slots,
)
from codehunch_training.corpus.lapses import LAPSED, lapse
from codehunch_training.corpus.rows import DefectRow, from_line
from codehunch_training.models.encoder import IGNORED


@attrs.frozen(eq=False)
class Example:
    """One window with its labels; arrays have shape [tokens], ``kinds`` [labels]."""

    window: Window
    token_labels: NDArray[np.int64]
    originals: NDArray[np.int64]
    kinds: NDArray[np.float32]
    """Target of the sequence head: all on "clean", or shared among the kinds present."""


@attrs.frozen
class Mixture:
    """What share of readings is corrupted, and how densely."""

    clean: float
    dense: float
    """Of the corrupted readings, the share with up to ``rate`` of all slots rewritten; the rest has one defect."""
    rate: float = 0.3
    mined: float = 0.0
    """How often a group of mined history is read beside a function."""
    doubted: float = 0.0
    """How often a clean function that an earlier model warned about is read beside a function."""
    masked: float = 0.0
    """Share of the lexemes that are masked and to be predicted, as in masked language modelling."""


EARLIER = {"missing-argument": "wrong-call", "missing-star": "variable-misuse"}
"""What models call a kind that came after them."""


def label_index(labels: Sequence[str]) -> dict[str, int]:
    """Kind name to label number, of kinds that came later too."""
    index = {name: number for number, name in enumerate(labels)}
    return {later: index[name] for later, name in EARLIER.items() if name in index} | index


def make_examples(
    text: str,
    labels: dict[int, str],
    originals: dict[int, str],
    encoder: LexicalEncoder,
    index: dict[str, int],
    masked: float = 0.0,
    rng: random.Random | None = None,
    around: Around | None = None,
) -> list[Example]:
    """Examples of one function, a window each; ``labels`` and ``originals`` by code point offset. ``around`` is what is
    known of its file.

    With ``masked``, that share of the unlabelled lexemes is hidden: its tokens become masks, its
    identifier number 0, and its first token is what ``originals`` asks for.
    """
    parsed = parse(text)
    node = definition(parsed)
    if node is None:
        return []
    lexemes = lexemes_of(parsed, node)
    by_lexeme = np.zeros(len(lexemes), dtype=np.int64)
    stood = np.full(len(lexemes), IGNORED, dtype=np.int64)
    for number, lexeme in enumerate(lexemes):
        if not lexeme.text:
            continue
        kind = labels.get(lexeme.span.start)
        if kind is not None and kind in index:
            by_lexeme[number] = index[kind]
            original = originals.get(lexeme.span.start)
            if original and (ids := encoder.token_ids(original)):
                stood[number] = ids[0]
    found: list[Example] = []
    hidden = _hidden(lexemes, by_lexeme, stood, encoder, masked, rng) if masked and rng is not None else set()
    shown: Sequence[int] = ()
    if around is not None and encoder.standings:
        shown = told(lexemes, standings(lexemes, parsed, inner_definition(node), around), around)
    for window in encoder.encode(lexemes, shown):
        owner = window.lexemes
        if hidden:
            _hide(window, hidden, encoder.mask)
        labelled = owner >= 0
        token_labels = np.where(labelled, by_lexeme[np.maximum(owner, 0)], IGNORED)
        if hidden:
            token_labels[np.isin(owner, list(hidden))] = IGNORED
        kinds = np.zeros(1 + max(index.values()), dtype=np.float32)
        present = np.unique(token_labels[token_labels > 0])
        if len(present):
            kinds[present] = 1.0 / len(present)
        else:
            kinds[0] = 1.0
        found.append(Example(window, token_labels, np.where(labelled, stood[np.maximum(owner, 0)], IGNORED), kinds))
    return found


def _hidden(
    lexemes: Sequence[Lexeme],
    by_lexeme: NDArray[np.int64],
    stood: NDArray[np.int64],
    encoder: LexicalEncoder,
    masked: float,
    rng: random.Random,
) -> set[int]:
    """Lexemes to mask; what they were goes into ``stood``. Brackets and commas say little and are spared."""
    chosen: set[int] = set()
    for number, lexeme in enumerate(lexemes):
        if by_lexeme[number] or not lexeme.text or lexeme.text in _SPARED or rng.random() >= masked:
            continue
        ids = encoder.token_ids(lexeme.text)
        if ids:
            chosen.add(number)
            stood[number] = ids[0]
    return chosen


_SPARED = frozenset("()[]{},.:")


def _hide(window: Window, hidden: set[int], mask: int) -> None:
    current = -1
    for at, owner in enumerate(window.lexemes[1:-1], 1):
        current = int(owner) if owner >= 0 else current
        if current in hidden:
            window.input_ids[at] = mask
            window.identifier_ids[at] = 0


def corrupt(text: str, mixture: Mixture, rng: random.Random, around: Around | None = None) -> Injected | None:
    """The function with defects by the mixture; ``None`` means: read it clean."""
    if rng.random() < mixture.clean:
        return None
    parsed = parse(text)
    node = definition(parsed)
    if node is None:
        return None
    count = 1
    if rng.random() < mixture.dense:
        available = len(slots(parsed, inner_definition(node)))
        count = max(1, round(rng.uniform(0.02, mixture.rate) * available))
    elif around is not None and rng.random() < LAPSED:
        lapsed = lapse(parsed, node, around, rng)
        if lapsed is not None:
            return lapsed
    return inject(parsed, node, count, rng)


@attrs.frozen
class Known:
    """A function whose verdict history gave: a bug that was fixed, or a function that needed no fix."""

    text: str
    labels: dict[int, str]
    """Offset of each wrong lexeme -> kind; empty for a clean one."""
    around: str = ""
    """What is known of its file, as ``FunctionRow.around``."""


ALONE = 0.1
"""Of all readings, those that are told nothing of the file."""


def read_histories(path: Path, kinds: Container[str], excluded: Container[str]) -> list[tuple[Known, ...]]:
    """Mined groups, each a buggy function with its fixed twin and neighbours.

    Bugs outside ``kinds``, or that cannot be seen from the function, only lend their clean rows.
    ``excluded`` names projects by the last part of ``owner/name``.
    """
    groups: dict[str, list[Known]] = {}
    for row in read_rows(path):
        if row.project.rpartition("/")[2] in excluded:
            continue
        if row.role != "buggy":
            groups.setdefault(row.group, []).append(Known(row.text, {}, row.around))
        elif row.label in kinds and row.evidence == "function":
            labels = {start: row.label for start, _ in row.spans}
            groups.setdefault(row.group, []).append(Known(row.text, labels, row.around))
    return [tuple(rows) for rows in groups.values()]


def read_rows(path: Path) -> Iterator[DefectRow]:
    """Mined rows of a gzipped JSON lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as source:
        for line in source:
            yield from_line(DefectRow, line)


def stream(
    sources: Sequence[Source],
    encoder: LexicalEncoder,
    index: dict[str, int],
    mixture: Callable[[], Mixture],
    rng: random.Random,
    histories: Sequence[tuple[Known, ...]] = (),
    doubts: Sequence[Source] = (),
) -> Iterator[Example]:
    """Endless examples in a new order every epoch. A single-defect reading is followed by its clean twin
    half of the time: telling the two apart is what the model is for. ``histories`` are mixed in at the
    mixture's rate, two rows of a group at a time, and so are ``doubts``: hard negatives, read as they are."""
    order = list(range(len(sources)))
    while True:
        rng.shuffle(order)
        for at in order:
            now = mixture()
            if doubts and rng.random() < now.doubted:
                doubt = rng.choice(doubts)
                yield from make_examples(doubt.text, {}, {}, encoder, index, around=around_of(doubt.around))
            if histories and rng.random() < now.mined:
                group = rng.choice(histories)
                for known in rng.sample(group, min(2, len(group))):
                    own = around_of(known.around)
                    yield from make_examples(known.text, known.labels, {}, encoder, index, around=own)
            text = sources[at].text
            around = around_of(sources[at].around) if encoder.standings and rng.random() >= ALONE else None
            injected = corrupt(text, now, rng, around)
            if injected is None:
                yield from make_examples(text, {}, {}, encoder, index, now.masked, rng, around)
                continue
            changed = injected.labels, injected.originals
            file = injected.around or around
            yield from make_examples(injected.text, *changed, encoder, index, now.masked, rng, file)
            if now.dense < 0.5 and rng.random() < 0.5:
                yield from make_examples(text, {}, {}, encoder, index, around=around)


def batches(
    examples: Iterable[Example], tokens: int, pad: int, rng: random.Random, pool: int = 384
) -> Iterator[dict[str, Tensor]]:
    """Batches of at most ``tokens`` padded tokens, examples of like length together."""
    held: list[Example] = []
    for example in examples:
        held.append(example)
        if len(held) < pool:
            continue
        yield from _bucketed(held, tokens, pad, rng)
        held = []
    if held:
        yield from _bucketed(held, tokens, pad, rng)


def _bucketed(held: list[Example], tokens: int, pad: int, rng: random.Random) -> Iterator[dict[str, Tensor]]:
    held.sort(key=lambda example: len(example.window))
    groups: list[list[Example]] = [[]]
    for example in held:
        if groups[-1] and len(example.window) * (len(groups[-1]) + 1) > tokens:
            groups.append([])
        groups[-1].append(example)
    rng.shuffle(groups)
    for group in groups:
        yield collate(group, pad)


def collate(group: Sequence[Example], pad: int) -> dict[str, Tensor]:
    """Padded int64 tensors [batch, tokens]; ``sequence_targets`` [batch, labels]."""
    width = max(len(example.window) for example in group)
    shape = (len(group), width)
    out = {
        "input_ids": np.full(shape, pad, dtype=np.int64),
        "attention_mask": np.zeros(shape, dtype=np.int64),
        "identifier_ids": np.zeros(shape, dtype=np.int64),
        "token_labels": np.full(shape, IGNORED, dtype=np.int64),
        "originals": np.full(shape, IGNORED, dtype=np.int64),
    }
    for row, example in enumerate(group):
        length = len(example.window)
        out["input_ids"][row, :length] = example.window.input_ids
        out["attention_mask"][row, :length] = 1
        out["identifier_ids"][row, :length] = example.window.identifier_ids
        out["token_labels"][row, :length] = example.token_labels
        out["originals"][row, :length] = example.originals
    tensors = {name: torch.from_numpy(array) for name, array in out.items()}
    tensors["sequence_targets"] = torch.from_numpy(np.stack([example.kinds for example in group]))
    return tensors
