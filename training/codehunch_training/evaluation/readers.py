"""Models read rows: a run of any task, or answers that were made elsewhere, become predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch

from codehunch_training.corpus.tables import read_table
from codehunch_training.data import DataError, Row, label_column, text_column
from codehunch_training.evaluation.localisation import Places, by_line
from codehunch_training.evaluation.predictions import Predictions, clean_label
from codehunch_training.evaluation.sandbox import has_tests
from codehunch_training.recipe import Recipe
from codehunch_training.run_folder import LoadedRun
from codehunch_training.tasks.specification import batches_of

_TARGETS = ("target", "fixed", "docstring", "canonical_solution")


@attrs.frozen(kw_only=True)
class Sampling:
    """How answers are drawn."""

    samples: int = 1
    """Answers a row; 1: the task's own greedy or beam search."""
    temperature: float = 0.8
    top_p: float = 0.95
    seed: int = 0


def read_with_run(run: LoadedRun, rows: Sequence[Row], sampling: Sampling | None = None) -> Predictions:
    """What a run's best model says of rows. Raises DataError where the rows lack what the task needs."""
    reader = _READERS.get(run.task.name)
    if reader is not None:
        return reader(run, rows)
    if hasattr(run.task, "write") and getattr(run.task, "target_name", ""):
        return _written(run, rows, sampling or Sampling())
    return Predictions(task=run.task.name, rows=rows, own=run.task.evaluate(run.model, rows))


def _classified(run: LoadedRun, rows: Sequence[Row]) -> Predictions:
    task = run.task
    logits = torch.from_numpy(task.predict(run.model, rows))
    probabilities = torch.sigmoid(logits) if task.several else logits.softmax(-1)
    return Predictions(
        task=task.name,
        rows=rows,
        text_name=task.text_name,
        labels=tuple(task.labels),
        clean=None if task.several else clean_label(task.labels, run.description.get("clean")),
        probabilities=probabilities.numpy().astype(float),
        truth=task.truth(rows),
    )


def _tokens(run: LoadedRun, rows: Sequence[Row]) -> Predictions:
    task = run.task
    places: dict[str, list[Places]] = {"token": [], "line": []}
    for row, (probabilities, truth) in zip(rows, task.predict(run.model, rows), strict=True):
        suspicion = 1 - probabilities[:, 0]
        starts = [
            start
            for _, labels, offsets in task._windows(row)
            for label, (start, _) in zip(labels, offsets, strict=True)
            if label >= 0
        ]
        places["token"].append(Places(suspicion, truth > 0))
        text = str(row.get(task.text_name) or "")
        places["line"].append(by_line(text, starts, suspicion.tolist(), task.spans(row)))
    return Predictions(
        task=task.name,
        rows=rows,
        text_name=task.text_name,
        places=places,
        own=task.evaluate(run.model, rows),
    )


def _joint(run: LoadedRun, rows: Sequence[Row]) -> Predictions:
    from codehunch_training.tasks.joint_defects import lexemes

    task = run.task
    whole, tokens = task.predict(run.model, rows)
    places: dict[str, list[Places]] = {"token": [], "line": []}
    for row, (suspicion, truth) in zip(rows, tokens, strict=True):
        text = str(row.get(task.text_name) or "")
        found = lexemes(text, str(row.get("language") or "python"))
        windows = task.encoder.encode(found)
        if task.recipe.data.long == "truncate":
            windows = windows[:1]
        starts = [found[at].span.start for window in windows for at in window.lexemes if at >= 0]
        kept = len(starts) == len(suspicion)  # A defective row without spans labels no token.
        spans = [tuple(span)[:2] for span in row.get(task.recipe.data.spans) or ()] if kept else []
        places["token"].append(Places(suspicion, truth > 0))
        places["line"].append(by_line(text, starts, suspicion.tolist(), spans) if kept else _NOWHERE)
    return Predictions(
        task=task.name,
        rows=rows,
        text_name=task.text_name,
        labels=tuple(task.labels),
        clean=task.labels[0],
        probabilities=whole.astype(float) / np.maximum(whole.sum(1, keepdims=True), 1e-12),
        truth=np.array([task.labels.index(task.label(row)) for row in rows], dtype=np.int64),
        places=places,
    )


def _written(run: LoadedRun, rows: Sequence[Row], sampling: Sampling) -> Predictions:
    from codehunch_training.tasks.seq2seq import target_text

    task = run.task
    kept = [row for row in rows if target_text(row, task.target_name) or has_tests(row)]
    if not kept:
        raise DataError(f"no row has anything in the column {task.target_name!r}, nor tests to run")
    prompts = [str(row.get(task.text_name) or "") for row in kept]
    answers = _sampled(run, prompts, sampling) if sampling.samples > 1 else _likeliest(task, run.model, prompts)
    references = [target_text(row, task.target_name) for row in kept]
    return Predictions(
        task=task.name,
        rows=kept,
        text_name=task.text_name,
        answers=answers,
        references=references,
        language=str(kept[0].get("language") or "python"),
    )


def _likeliest(task: Any, model: Any, prompts: Sequence[str]) -> list[list[str]]:
    if task.name == "causal":
        return [[answer] for answer in task.write(model, prompts)]
    features = [task.source(prompt) or task.source("") for prompt in prompts]
    found: list[list[str]] = task.write(model, features, task.recipe.generation.beams)
    return found


def _sampled(run: LoadedRun, prompts: Sequence[str], sampling: Sampling) -> list[list[str]]:
    """Answers drawn by nucleus sampling (Holtzman et al. 2020), several a prompt."""
    task, model = run.task, run.model
    room = task.recipe.generation.max_target
    if task.name == "causal":
        room = min(room, task.max_length - 1)
        features = [{"input_ids": task.prompt_ids(prompt, task.max_length - room)} for prompt in prompts]
    else:
        features = [task.source(prompt) or task.source("") for prompt in prompts]
    found: list[list[str]] = [[] for _ in prompts]
    model.eval()
    with torch.random.fork_rng():
        torch.manual_seed(sampling.seed)
        for group in batches_of(task, features, max(1, task.recipe.batch.evaluation_tokens // sampling.samples)):
            batch = task.collate([{"input_ids": features[at]["input_ids"]} for at in group])
            if task.name == "causal":
                # Padded on the left: what is written follows the prompt at once.
                order = batch["attention_mask"].argsort(dim=1, stable=True)
                batch = {name: value.gather(1, order) for name, value in batch.items()}
            with torch.no_grad():
                made = model.generate(
                    **{name: value.to(model.device) for name, value in batch.items()},
                    do_sample=True,
                    temperature=sampling.temperature,
                    top_p=sampling.top_p,
                    top_k=0,
                    num_return_sequences=sampling.samples,
                    max_new_tokens=room,
                    pad_token_id=task.tokenizer.pad_token_id,
                )
            skipped = batch["input_ids"].shape[1] if task.name == "causal" else 0
            texts = [
                task.tokenizer.decode(ids[skipped:], skip_special_tokens=True, clean_up_tokenization_spaces=False)
                for ids in made.tolist()
            ]
            for place, at in enumerate(group):
                found[at] = texts[place * sampling.samples : (place + 1) * sampling.samples]
    return found


def read_answers(path: Path, rows: Sequence[Row], recipe: Recipe) -> Predictions:
    """Answers made elsewhere: a table with a line for each row, in the rows' order.

    ``score`` (probability that something is wrong), ``probabilities`` (one a label, in the labels' order), or
    ``answer``, or ``answers`` (a list, the likeliest first). Raises DataError.
    """
    made = list(read_table(path))
    if len(made) != len(rows):
        raise DataError(f"{path} has {len(made)} answers, the data {len(rows)} rows; they must be in the same order")
    first = made[0] if made else {}
    column = text_column(rows, recipe.data)
    if "answer" in first or "answers" in first:
        target = recipe.data.target or next((name for name in _TARGETS if rows[0].get(name)), "")
        return Predictions(
            task="answers",
            rows=rows,
            text_name=column,
            answers=[[str(each) for each in row.get("answers") or [row.get("answer") or ""]] for row in made],
            references=[str(row.get(target) or "") for row in rows],
            language=str(rows[0].get("language") or "python"),
        )
    label = label_column(rows, recipe.data)
    names = [_label_name(row.get(label)) for row in rows]
    labels = recipe.data.labels or tuple(sorted(set(names), key=lambda name: (clean_label([name]) is None, name)))
    unknown = set(names) - set(labels)
    if unknown:
        raise DataError(f"the label {min(unknown)!r} is not among data.labels ({', '.join(labels)})")
    try:
        if "score" in first:
            score = np.array([float(row["score"]) for row in made])
            if len(labels) != 2:
                raise DataError(f"a `score` is for two labels, the data have {len(labels)}; give `probabilities`")
            probabilities = np.stack([1 - score, score], 1)
        else:
            probabilities = np.array([[float(each) for each in row["probabilities"]] for row in made])
    except KeyError as error:
        raise DataError(f"{path} has neither `score`, `probabilities`, `answer` nor `answers`") from error
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: a score is no number, or rows have different numbers of them ({error})") from error
    if probabilities.shape != (len(rows), len(labels)) or not np.isfinite(probabilities).all():
        raise DataError(f"{path}: give {len(labels)} finite probabilities a row, for {', '.join(labels)}")
    if (probabilities < 0).any() or (probabilities > 1).any():
        raise DataError(f"{path}: probabilities must lie between 0 and 1")
    return Predictions(
        task="answers",
        rows=rows,
        text_name=column,
        labels=tuple(labels),
        clean=clean_label(labels),
        probabilities=probabilities,
        truth=np.array([labels.index(name) for name in names], dtype=np.int64),
    )


def _label_name(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool | float) and value == int(value) else str(value)


_NOWHERE = Places(np.zeros(0), np.zeros(0, dtype=bool))
_READERS: Mapping[str, Callable[[LoadedRun, Sequence[Row]], Predictions]] = {
    "classify": _classified,
    "tokens": _tokens,
    "defects": _joint,
}
