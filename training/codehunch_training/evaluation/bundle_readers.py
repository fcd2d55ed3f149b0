"""Bundles read rows, through the same code that serves an editor."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from codehunch.bundles.bundle import Bundle
from codehunch.bundles.manifest import SENSITIVITIES
from codehunch.defects.detector import Detector
from codehunch.defects.options import CheckOptions
from codehunch.defects.surroundings import ALONE
from codehunch.defects.verification import read_units
from codehunch.generation.generator import Generator
from codehunch.inference.textual import TextClassifier
from codehunch.syntax.parsing import parse
from codehunch.syntax.requests import body_requests
from codehunch.syntax.text import SourceText
from codehunch_training.corpus.around import Source, unit_of
from codehunch_training.data import DataError, Row, label_column, text_column
from codehunch_training.evaluation.localisation import Places, by_line
from codehunch_training.evaluation.predictions import CLEAN_NAMES, Predictions
from codehunch_training.evaluation.readers import Sampling
from codehunch_training.recipe import Recipe


def read_with_bundle(
    bundle: Bundle, rows: Sequence[Row], recipe: Recipe, sampling: Sampling | None = None
) -> Predictions:
    """What a bundle says of rows. Raises DataError where the rows lack what it reads."""
    spec = bundle.manifest.defects
    if spec is not None:
        return _lexical(bundle, rows, recipe) if spec.token_head else _textual(bundle, rows, recipe)
    if bundle.manifest.generation is not None:
        return _written(bundle, rows, sampling or Sampling())
    raise DataError(f"{bundle.path}: a bundle for {bundle.manifest.task} cannot be measured here")


def _lexical(bundle: Bundle, rows: Sequence[Row], recipe: Recipe) -> Predictions:
    """A function's score is the suspicion of its most suspicious lexeme; warnings are the detector's own."""
    column, label = text_column(rows, recipe.data), label_column(rows, recipe.data)
    detector = Detector(bundle)
    units = [unit_of(Source(str(row.get(column) or ""), str(row.get("around") or ""))) for row in rows]
    peaks = np.zeros(len(rows))
    places: dict[str, list[Places]] = {"token": [], "line": []}
    shown: dict[str, list[int]] = {name: [] for name in SENSITIVITIES}
    for at, (row, unit) in enumerate(zip(rows, units, strict=True)):
        (reading,) = read_units([unit], detector.classifier)
        kept = [number for number, lexeme in enumerate(unit.lexemes) if lexeme.text]
        suspicion = np.array([float(reading.suspicion[number]) for number in kept])
        peaks[at] = suspicion.max(initial=0.0)
        spans = [(int(span[0]), int(span[1])) for span in row.get(recipe.data.spans) or ()]
        starts = [unit.lexemes[number].span.start for number in kept]
        wrong = [
            any(unit.lexemes[number].span.start < end and unit.lexemes[number].span.end > start for start, end in spans)
            for number in kept
        ]
        places["token"].append(Places(suspicion, np.array(wrong, dtype=bool)))
        places["line"].append(by_line(unit.text, starts, suspicion.tolist(), spans))
        source, language = SourceText(unit.text), str(row.get("language") or "python")
        file = unit.around.surroundings if unit.around is not None else ALONE
        for name in SENSITIVITIES:
            options = CheckOptions(sensitivity=name)
            shown[name].append(len(detector.check(source, language, options, surroundings=file)))
    return Predictions(
        task="defects",
        rows=rows,
        text_name=column,
        labels=("clean", "defective"),
        clean="clean",
        probabilities=np.stack([1 - peaks, peaks], 1),
        truth=np.array([not _is_clean(row.get(label)) for row in rows], dtype=np.int64),
        places=places,
        shown=shown,
    )


def _textual(bundle: Bundle, rows: Sequence[Row], recipe: Recipe) -> Predictions:
    column, label = text_column(rows, recipe.data), label_column(rows, recipe.data)
    classifier = TextClassifier(bundle)
    found = np.array(classifier.read([str(row.get(column) or "") for row in rows]), dtype=float)
    labels = tuple(classifier.labels)
    names = [labels[0] if _is_clean(row.get(label)) else str(row.get(label)) for row in rows]
    if len(labels) == 2:
        names = [labels[0] if _is_clean(row.get(label)) else labels[1] for row in rows]
    unknown = set(names) - set(labels)
    if unknown:
        raise DataError(f"the label {min(unknown)!r} is none of the bundle's ({', '.join(labels)})")
    return Predictions(
        task="defects",
        rows=rows,
        text_name=column,
        labels=labels,
        clean=labels[0],
        probabilities=found,
        truth=np.array([labels.index(name) for name in names], dtype=np.int64),
    )


def _is_clean(value: object) -> bool:
    if isinstance(value, bool | int | float):
        return not value
    return str(value).strip().lower() in CLEAN_NAMES


def _written(bundle: Bundle, rows: Sequence[Row], sampling: Sampling) -> Predictions:
    """Rows with a ``prompt``: fields as the corpus of docstring pairs has them, or the source up to an unwritten
    body (HumanEval)."""
    generator = Generator(bundle)
    kept: list[Row] = []
    answers: list[list[str]] = []
    for row in rows:
        prompt = row.get("prompt")
        if isinstance(prompt, str) and prompt.strip():
            answers.append(_completed(generator, prompt, sampling.samples))
        elif isinstance(prompt, list | tuple) and prompt:
            answers.append(_answered(generator, row, sampling.samples))
        else:
            continue
        kept.append(row)
    if not kept:
        raise DataError("no row has a `prompt`: the source up to an unwritten body, or the fields of a docstring pair")
    return Predictions(
        task="generation",
        rows=kept,
        text_name="prompt",
        answers=answers,
        references=[_reference(row) for row in kept],
    )


def _reference(row: Row) -> str:
    """What the answer is compared with: a body for a body, a whole source for a whole source."""
    solution = str(row.get("canonical_solution") or "")
    if isinstance(row.get("prompt"), str) and solution:
        return f"{row['prompt']}{solution}"
    return str(row.get("target") or solution)


def _completed(generator: Generator, prompt: str, samples: int) -> list[str]:
    """Whole sources with the last unwritten body filled in; one empty text where the model offers nothing."""
    source = SourceText(prompt.rstrip() + "\n    pass\n")
    requests = body_requests(parse(source))
    if not requests:
        return [""] * samples
    request = requests[-1]
    found = generator.generate(source, request, samples)
    texts = [source.text[: each.span.start] + each.text + source.text[each.span.end :] for each in found]
    return (texts + [""] * samples)[:samples]


def _answered(generator: Generator, row: Row, samples: int) -> list[str]:
    from codehunch_training.corpus.docstrings import prompt_of

    decoding = generator.decoding() if samples == 1 else attrs.evolve(generator.decoding(samples), sample=True)
    found = [generator.body(answer) for answer in generator.answers(prompt_of(dict(row)), decoding)]
    return (found + [""] * samples)[:samples]
