"""Held-out numbers of a generation bundle, beside an empty body and the file's nearest function.

Measured on docstring rows of packages that were never trained on, through the bundle's own int8 graphs.
"""

from __future__ import annotations

import json
import random
import re
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import attrs
import numpy as np
import typer

from codehunch.bundles.bundle import load_bundle, write_bundle
from codehunch.generation.filters import body_compiles
from codehunch.generation.generator import AUTOMATIC, BEAMS, Generator
from codehunch.generation.prompt import Prompt
from codehunch.inference.seq2seq import Seq2Seq
from codehunch.syntax.bodies import BodyRequest
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse
from codehunch.syntax.spans import Span
from codehunch_training.corpus.docstrings import prompt_of
from codehunch_training.export.card import write_card
from codehunch_training.tasks.generation_data import encode_target, read_rows

_TOKEN = re.compile(r"\w+|[^\w\s]|\n[ ]*")
SHOWN_SIMILARITY = 0.5
"""What is shown unasked should be this similar to what the person would have written, on average."""


def edit_distance(one: str, other: str) -> int:
    """Levenshtein distance by bit-parallel columns (Hyyrö 2003, "A bit-vector algorithm", without blocks)."""
    if not one or not other:
        return len(one) + len(other)
    masks: dict[str, int] = {}
    for index, char in enumerate(one):
        masks[char] = masks.get(char, 0) | 1 << index
    full = (1 << len(one)) - 1
    last = 1 << (len(one) - 1)
    positive, negative, distance = full, 0, len(one)
    for char in other:
        match = masks.get(char, 0)
        diagonal = (((match & positive) + positive) ^ positive) | match | negative
        up = negative | ~(diagonal | positive) & full
        down = diagonal & positive
        distance += bool(up & last) - bool(down & last)
        up = (up << 1 | 1) & full
        down = (down << 1) & full
        positive = down | ~(diagonal | up) & full
        negative = up & diagonal
    return distance


def edit_similarity(one: str, other: str) -> float:
    """1 minus the edit distance over the longer length; 1 for two empty texts."""
    longest = max(len(one), len(other))
    return 1 - edit_distance(one, other) / longest if longest else 1.0


def scores(found: Sequence[str], rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Exact match, BLEU on code tokens, edit similarity and the share that compiles; all 0 to 1 but BLEU (0 to 100)."""
    import sacrebleu

    wanted = [str(row["target"]) for row in rows]
    pieces = [[" ".join(_TOKEN.findall(text)) for text in texts] for texts in (found, wanted)]
    bleu = sacrebleu.corpus_bleu(pieces[0], [pieces[1]], tokenize="none", force=True)
    compiled = [bool(text) and body_compiles(text, request_of(row)) for text, row in zip(found, rows, strict=True)]
    return {
        "exact_match": round(_mean([a == b for a, b in zip(found, wanted, strict=True)]), 4),
        "bleu": round(bleu.score, 2),
        "edit_similarity": round(_mean([edit_similarity(a, b) for a, b in zip(found, wanted, strict=True)]), 4),
        "parses": round(_mean(compiled), 4),
    }


def request_of(row: dict[str, Any]) -> BodyRequest:
    """A request like the row's, good enough to ask whether a body compiles there."""
    header = next((text for marker, text in row["prompt"] if marker == "def"), "def _():")
    function = next(iter(find_functions(parse(header + "\n    pass\n"))), None)
    return BodyRequest("docstring", function, "", Span(0, 0), "    ", 0)


def shuffled(rows: Sequence[dict[str, Any]]) -> list[Prompt]:
    """Every prompt with the docstring of the row half a list further on."""
    prompts = [prompt_of(row) for row in rows]
    half = len(rows) // 2
    moved = []
    for index, prompt in enumerate(prompts):
        other = next(text for marker, text in prompts[(index + half) % len(rows)].fields if marker == "doc")
        moved.append(Prompt(tuple((m, other if m == "doc" else text) for m, text in prompt.fields)))
    return moved


def surprise(model: Seq2Seq, prompt: Sequence[int], target: Sequence[int]) -> float:
    """Nats that a text costs after a prompt, by the graphs that serve: minus the logarithm of its probability."""
    logits, cache = model.first(prompt)
    total = 0.0
    for token in target:
        row = logits[0].astype(np.float64)
        total += float(np.logaddexp.reduce(row) - row[token])
        logits = model.following(np.array([token]), cache)
    return total


def surprises(generator: Generator, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Mean nats per token of what people wrote, with their docstring, without, and with another function's: of whole
    prompts, and of those that hold nothing but head and docstring. What a model reads shows here before it shows in
    what it writes. Empty for a model without an encoder."""
    model = generator.model
    if not isinstance(model, Seq2Seq):
        return {}
    targets = [encode_target(generator.tokenizer, str(row["target"])) for row in rows]
    found = {}
    for around, kept in (("", None), ("_nothing_else", ("def", "doc"))):
        for name, prompts in {
            "docstring": [prompt_of(row) for row in rows],
            "docstring_removed": [prompt_of(row).without("doc") for row in rows],
            "docstring_shuffled": shuffled(rows),
        }.items():
            shown = [Prompt(tuple(f for f in each.fields if kept is None or f[0] in kept)) for each in prompts]
            pairs = zip(shown, targets, strict=True)
            total = sum(surprise(model, generator.encode(prompt), target) for prompt, target in pairs)
            found[name + around] = round(total / sum(map(len, targets)), 4)
    return found


def threshold(confidences: Sequence[float], similarities: Sequence[float]) -> tuple[float, float]:
    """The least confidence above which answers are similar enough on average, and the share that reaches it.

    Where no cut does that, the most confident tenth is taken.
    """
    order = sorted(range(len(confidences)), key=lambda index: -confidences[index])
    best, total = 0, 0.0
    for count, index in enumerate(order, start=1):
        total += similarities[index]
        if count >= 5 and total / count >= SHOWN_SIMILARITY:
            best = count
    best = best or max(1, len(order) // 10)
    return round(confidences[order[best - 1]], 4), round(best / len(order), 4)


def evaluate(folder: Path, data: Path, count: int, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """All numbers of one bundle on ``count`` held-out docstring rows."""
    generator = Generator(load_bundle(folder), threads=1)
    rows = [row for row in read_rows(data / "valid.jsonl.gz") if row["kind"] == "docstring"]
    random.Random(seed).shuffle(rows)
    rows = rows[:count]
    prompts = [prompt_of(row) for row in rows]
    table: dict[str, dict[str, float]] = {
        "baseline_empty_body": scores(["pass"] * len(rows), rows),
        "baseline_nearest_function": scores([row.get("nearest", "") for row in rows], rows),
    }
    confidences: list[float] = []
    variants: dict[str, tuple[list[Prompt], int]] = {
        "beam": (prompts, BEAMS),
        "greedy": (prompts, 1),
        "docstring_removed": ([prompt.without("doc") for prompt in prompts], 1),
        "docstring_shuffled": (shuffled(rows), 1),
    }
    seconds: list[float] = []
    similarities: list[float] = []
    for name, (asked, beams) in variants.items():
        bodies = []
        for prompt in asked:
            started = time.perf_counter()
            answer = generator.answers(prompt, generator.decoding(beams))[0]
            bodies.append(generator.body(answer))
            if name == "beam":
                seconds.append(time.perf_counter() - started)
                confidences.append(answer.confidence)
        table[name] = scores(bodies, rows)
        if name == "beam":
            similarities = [edit_similarity(body, row["target"]) for body, row in zip(bodies, rows, strict=True)]
        say(f"{name}: {json.dumps(table[name])}")
    least, share = threshold(confidences, similarities)
    return {
        "held_out": {
            "packages": sorted({row["package"] for row in rows}),
            "rows": len(rows),
            "seed": seed,
            **table,
            "nats_per_token": surprises(generator, rows),
            "median_seconds": round(statistics.median(seconds), 3),
        },
        "automatic": {"threshold": least, "share_shown": share, "similarity_wanted": SHOWN_SIMILARITY},
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def main(
    bundle: Annotated[Path, typer.Argument(help="Folder of a generation bundle.")],
    data: Annotated[Path, typer.Argument(help="Folder made by codehunch_training.corpus.docstrings.")],
    count: Annotated[int, typer.Option(help="Held-out rows.")] = 200,
    seed: Annotated[int, typer.Option(help="Which rows.")] = 0,
    write: Annotated[bool, typer.Option(help="Put numbers and threshold into the bundle's manifest and card.")] = False,
) -> None:
    """Measure a generation bundle on held-out packages."""
    measured = evaluate(bundle, data, count, seed, lambda line: print(line, flush=True))
    print(json.dumps(measured, indent=1))
    if write:
        manifest = load_bundle(bundle).manifest
        if manifest.generation is None:
            raise typer.BadParameter(f"{bundle} is no generation bundle")
        spec = attrs.evolve(manifest.generation, thresholds={AUTOMATIC: measured["automatic"]["threshold"]})
        write_bundle(bundle, attrs.evolve(manifest, metrics={**manifest.metrics, **measured}, generation=spec))
        write_card(bundle)


if __name__ == "__main__":
    typer.run(main)
