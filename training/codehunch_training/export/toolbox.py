"""Runs of ``codehunch train`` as bundles."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch
from tokenizers import Tokenizer

from codehunch.bundles.bundle import Bundle
from codehunch_training.data import Data, Row, read_data
from codehunch_training.export.bundling import Options, write
from codehunch_training.export.subject import ExportError, Judged, Kind, Say, Subject, feeds_of
from codehunch_training.run_folder import LoadedRun, load_run

EXAMPLES = 200
"""Held-out rows that parity is measured on, and at most twice as many again that calibrate."""
WRITTEN = 24
"""Rows a model that writes is measured on: each is decoded several times."""


def export_run(run: Path, out: Path, options: Options, data: Path | None = None, say: Say = lambda _: None) -> Bundle:
    """Make a bundle of a finished run's best model.

    The held-out rows are the test split of the run's data, or of ``data``; where there is none, the validation split.
    Raises ExportError for runs that are no model to serve, ParityError past a bound, RunError and DataError.
    """
    return write(subject_of(run, options, data), out, options, say)


def subject_of(run: Path, options: Options, data: Path | None = None) -> Subject:
    """A run's best model with held-out examples."""
    loaded = load_run(run)
    kind = _kind(loaded)
    summary = _summary(run)
    rows, split = _held_out(loaded, summary, data)
    measured, calibrating = rows[:EXAMPLES], rows[EXAMPLES : 3 * EXAMPLES]
    if len(rows) < 2 * EXAMPLES:
        measured, calibrating = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    description = loaded.description
    subject = Subject(
        name=f"{description['task']}-{run.resolve().name}",
        kind=kind,
        model=loaded.model.cpu(),
        tokenizer=_tokenizer(loaded),
        provenance={key: value for key, value in summary.items() if key not in ("metrics", "baseline", "best")},
        languages=options.languages or tuple(description.get("languages") or ("python",)),
        license=options.license,
        window=int(description["window"]),
        stride=_stride(description),
        metrics={"training_validation": summary.get("metrics", {}), "baseline": summary.get("baseline", {})},
    )
    if subject.kind in ("encoder-decoder", "decoder-only"):
        return _writer(subject, loaded, measured)
    return _reader(subject, loaded, measured, calibrating, split)


def _reader(subject: Subject, loaded: LoadedRun, measured: list[Row], calibrating: list[Row], split: str) -> Subject:
    task = loaded.task
    if subject.kind == "embedding":
        texts = [str(value) for row in measured for value in row.values() if isinstance(value, str) and value.strip()]
        features = [{"input_ids": task.tokenizer(text, verbose=False)["input_ids"][: subject.window]} for text in texts]
        return attrs.evolve(
            subject,
            pooling=str(loaded.description["pooling"]),
            feeds=feeds_of(features, 64),
            metric=task.selection_metric,
            evaluate=lambda model: task.evaluate(model, measured),
        )
    labels, order = served_labels(loaded.description)
    if order:
        _reorder(subject, order)
    return attrs.evolve(
        subject,
        labels=labels,
        feeds=feeds_of(task.features(measured), EXAMPLES),
        # In another order the task would read the labels wrongly.
        evaluate=None if order else lambda model: task.evaluate(model, measured),
        metric=task.selection_metric,
        calibration=_judged(task, subject.kind, calibrating, loaded.description),
        calibration_source=f"{split} rows",
    )


def _writer(subject: Subject, loaded: LoadedRun, measured: list[Row]) -> Subject:
    task, description = loaded.task, loaded.description
    single = subject.kind == "decoder-only"
    prompts: list[list[int]] = []
    targets: list[list[int]] = []
    for each in task.features(measured[:WRITTEN]):
        ids = list(each["input_ids"])
        labels = [token for token in each.get("labels", ()) if token >= 0]
        if single:  # One sequence, of which the labelled end is to be written.
            known = len(ids) - len(labels) if 0 < len(labels) < len(ids) - 1 else len(ids) // 2
            ids, labels = ids[:known], ids[known:]
        if ids:
            prompts.append(ids)
            targets.append(labels[: min(128, int(description.get("max_target", 128)))])
    if not prompts:
        raise ExportError("no held-out row gives an example to write; name other rows with --data")
    config = loaded.model.config
    ends = loaded.model.generation_config.eos_token_id
    ends = config.eos_token_id if ends is None else ends
    ends = list(ends) if isinstance(ends, list) else [loaded.tokenizer.eos_token_id if ends is None else ends]
    start = None if single else config.decoder_start_token_id
    pad = loaded.tokenizer.pad_token_id
    return attrs.evolve(
        subject,
        prompts=prompts,
        targets=targets,
        max_new=int(description.get("max_target", 128)),
        prefix=str(description.get("prefix", "")),
        starts=(int(start or 0), int(ends[0]), int(ends[0] if pad is None else pad)),
        ends=tuple(int(end) for end in ends[1:]),
    )


def _kind(loaded: LoadedRun) -> Kind:
    description, config = loaded.description, loaded.model.config
    heads = set(description.get("heads", ()))
    if description.get("encoding") == "lexical":
        return "joint"
    if heads == {"sequence"}:
        return "classifier"
    if heads == {"token"}:
        return "tokens"
    if heads == {"embedding"}:
        return "embedding"
    if "writer" in heads and description["task"] != "names":
        return "encoder-decoder" if getattr(config, "is_encoder_decoder", False) else "decoder-only"
    raise ExportError(
        f"nothing serves a model of the task {description['task']}: train on from it, for instance with "
        f"codehunch train generation --base {loaded.folder if hasattr(loaded, 'folder') else 'RUN'}/best"
    )


def served_labels(description: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Labels as a bundle has them, ``clean`` first, and the order the model's must be brought into (empty: as is).

    Raises ExportError where no label says that nothing is wrong, or where several labels can hold at once.
    """
    labels = [str(each) for each in description["labels"]]
    if description.get("kind") == "multi":
        raise ExportError("the run gives several labels at once; the server reads one label per function")
    clean = "clean" if "clean" in labels else description.get("clean")
    if clean not in labels:
        raise ExportError(
            f"none of the labels ({', '.join(labels)}) says that nothing is wrong; call it clean or 0 and train again"
        )
    order = sorted(range(len(labels)), key=lambda at: labels[at] != clean)
    names = ("clean", *(_named(labels[at]) for at in order[1:]))
    return names, () if order == list(range(len(labels))) else tuple(order)


def _named(label: str) -> str:
    return "defective" if label.lower() in ("1", "true", "yes", "bad", "buggy") else label


def _reorder(subject: Subject, order: Sequence[int]) -> None:
    """Bring the rows of the last layer into the bundle's order of labels."""
    linear = [each for each in subject.model.modules() if isinstance(each, torch.nn.Linear)]
    heads = [each for each in linear if each.out_features == len(order)]
    if not heads:
        raise ExportError("the head's labels cannot be brought into order; train with clean as the first label")
    with torch.no_grad():
        for tensor in heads[-1].parameters():
            tensor.copy_(tensor[list(order)].clone())


def _judged(task: Any, kind: Kind, rows: Sequence[Row], description: Mapping[str, Any]) -> list[Judged]:
    _, order = served_labels(description)
    found = []
    for row in rows:
        text = str(row.get(task.text_name) or "")
        if not text.strip():
            continue
        if kind == "tokens":
            label = 1 if task.spans(row) else 0
        elif kind == "joint":
            label = task.labels.index(task.label(row))
        else:
            index = task.target(row)[0]
            label = order.index(index) if order else index
        found.append(Judged(text, label))
    return found


def _held_out(loaded: LoadedRun, summary: Mapping[str, Any], data: Path | None) -> tuple[list[Row], str]:
    """Held-out rows in a seeded order, and the name of their split."""
    source = data or Path(str(summary.get("data", {}).get("source", "")))
    if str(source) in ("", ".") or not source.exists():
        raise ExportError(
            f"parity is measured on held-out rows, and the run's data ({source}) is not there: name it with --data"
        )
    found: Data = read_data(source, loaded.recipe)
    rows, split = (found.test, "test") if found.test else (found.valid, "valid")
    if len(rows) < 2:
        raise ExportError(f"{source} has no held-out rows; parity needs a test or valid split")
    shuffled = list(rows)
    random.Random(0).shuffle(shuffled)
    return shuffled, split


def _summary(run: Path) -> dict[str, Any]:
    path = (run if (run / "run.json").is_file() else run.parent) / "run.json"
    if not path.is_file():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _tokenizer(loaded: LoadedRun) -> Tokenizer:
    backend = getattr(loaded.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ExportError("the run's tokenizer has no tokenizer.json, which is all that the server reads")
    return Tokenizer.from_str(backend.to_str())


def _stride(description: Mapping[str, Any]) -> int:
    window, stride = int(description["window"]), int(description.get("stride") or 0)
    return stride if 0 <= stride < window else 0
