"""Bad input of training: each is a sentence that says what to do, or a run that can go on; the best model is kept."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from toolbox_helpers import labelled, spanned, twins, write
from transformers import AutoModelForSequenceClassification

import codehunch_training.run_folder as run_folder
from codehunch_training.data import DataError, read_data
from codehunch_training.errors import ToolboxError
from codehunch_training.recipe import Recipe, RecipeError, with_overrides
from codehunch_training.run_folder import RunError, checkpoints, load_run, recover
from codehunch_training.techniques import Technique
from codehunch_training.trainer import TrainingError

GOOD = labelled(12, 0, ("safe", "eval("))


def _change(**values: Any) -> list[dict[str, Any]]:
    return [{**GOOD[0], **values}, *GOOD[1:]]


ROWS: list[tuple[str, str, list[dict[str, Any]], tuple[str, ...], str]] = [
    ("empty corpus", "classify", [], (), "no training rows"),
    ("one class", "classify", [row | {"label": 1} for row in GOOD], (), r"one class \('1'\)"),
    ("label out of range", "classify", _change(label=7), ("data.labels=['0', '1']",), "'7' is not among data.labels"),
    ("label of validation only", "classify", [*GOOD, GOOD[0] | {"label": 9, "split": "valid"}], (), "'9' is not among"),
    ("no label", "classify", _change(label=None), (), "no label in the column 'label'"),
    ("no such column", "classify", GOOD, ("data.text=body",), "no column 'body'.*data.text=COLUMN"),
    ("no label column", "classify", [{"text": "x"}] * 3, (), "no column 'label' or 'target'"),
    ("longer than the window", "classify", _change(text="x " * 900), ("data.long=error",), "tokens, the window 192"),
    ("all dropped", "classify", [row | {"text": "x " * 900} for row in GOOD], ("data.long=drop",), "row gives"),
    ("no spans", "tokens", GOOD, (), "no training row has spans"),
    ("span out of the text", "tokens", [row | {"spans": [[0, 99999]]} for row in GOOD], (), "is not inside its text"),
    ("span malformed", "tokens", [row | {"spans": [3]} for row in GOOD], (), "is no span"),
    ("nothing clean", "defects", [GOOD[0] | {"label": name} for name in "abab"], (), "is clean"),
    ("no twins", "defects", GOOD, ("objective.contrastive_weight=1.0",), "needs twins"),
    ("no parser", "defects", [row | {"language": "cobol"} for row in GOOD], (), "no parser for the language 'cobol'"),
    ("window too small", "defects", twins(4, 0), ("model.max_length=64",), "set model.max_length to 192"),
    ("recipe of another task", "classify", GOOD, ("task=tokens",), "is for the task tokens"),
    ("unmeasured metric", "classify", GOOD, ("selection.metric=beauty",), "'beauty' is not measured"),
    ("too poor", "classify", GOOD, ("selection.worst=1.5",), r"worse than selection\.worst = 1\.5"),
    ("too many frozen layers", "classify", GOOD, ("regularization.freeze_layers=9",), "has 2 layers"),
    ("no CUDA", "classify", GOOD, ("hardware.device=cuda",), "there is none"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "rows", "changes", "told"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_is_wrong_is_told(
    task: str, rows: list[dict[str, Any]], changes: tuple[str, ...], told: str, tmp_path: Path, codebert: Path,
    quick: Callable[..., Any],
) -> None:  # fmt: skip
    if "hardware.device=cuda" in changes and torch.cuda.is_available():
        pytest.skip("there is CUDA here")
    write(tmp_path / "data", "rows.jsonl", rows)
    with pytest.raises(ToolboxError, match=told):
        quick(task, codebert, tmp_path / "data", "schedule.steps=2", *changes)


FILES = [
    ("nothing", {}, "holds no table"),
    ("binary", {"train.jsonl": b"\x00\xff\xfe" * 50}, "cannot read|not valid JSON"),
    ("other encoding", {"train.jsonl": '{"text": "größer"}'.encode("utf-16")}, "cannot read|not valid JSON"),
    ("broken line", {"train.jsonl": b'{"text": "a", "label": 0}\n{"text": '}, "line 2"),
    ("only a test split", {"test.jsonl": b'{"text": "a", "label": 0}\n'}, "no training rows"),
    ("broken gzip", {"train.jsonl.gz": b"nothing"}, "cannot read"),
]


@pytest.mark.parametrize(("files", "told"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_tables_that_cannot_be_read(files: dict[str, bytes], told: str, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_data(tmp_path, Recipe())
    with pytest.raises(DataError, match="does not exist"):
        read_data(tmp_path / "nowhere", Recipe())


def test_splits(tmp_path: Path) -> None:
    """By column, by file name, or held out by group with a seed; dropped rows are counted."""
    rows = [{"text": f"t{at}", "label": 0, "group": f"g{at // 2}", "bad": at == 3} for at in range(20)]
    write(tmp_path / "a", "rows.jsonl", rows)
    data = read_data(tmp_path / "a", with_overrides(Recipe(), ["data.drop=bad", "data.valid_fraction=0.2"]))
    assert (len(data.train) + len(data.valid), dict(data.dropped)) == (19, {"bad is set": 1})
    assert not {row["group"] for row in data.train} & {row["group"] for row in data.valid}
    write(tmp_path / "b", "validation-00.jsonl", rows[:3])
    write(tmp_path / "b", "train-00.jsonl", [rows[4], {**rows[5], "split": "test"}])
    data = read_data(tmp_path / "b", Recipe())
    assert [len(part) for part in (data.train, data.valid, data.test)] == [1, 3, 1]
    few = with_overrides(Recipe(), ["data.per_class=2"])
    write(tmp_path / "c", "train.jsonl", GOOD)
    assert sorted(row["label"] for row in read_data(tmp_path / "c", few).train) == [0, 0, 1, 1]


@pytest.mark.parametrize(("long", "windows"), [("truncate", 1), ("windows", 5), ("drop", 0)])
def test_long_rows(long: str, windows: int, codebert: Path) -> None:
    from codehunch_training.bases import load_base
    from codehunch_training.tasks.windows import encode_text

    base = load_base(str(codebert))
    recipe = with_overrides(Recipe(), [f"data.long={long}", "model.stride=16"])
    found = encode_text(base.tokenizer, "x + 1\n" * 40, None, 48, recipe, offsets=True)
    assert len(found) >= windows
    assert bool(found) == bool(windows)
    assert all(len(window["input_ids"]) <= 48 for window in found)
    if long == "windows":
        covered = {at for window in found for start, end in window["offset_mapping"] for at in range(start, end)}
        assert covered >= {at for at, char in enumerate("x + 1\n" * 40) if not char.isspace()}


def test_windows_of_one_row_answer_together(tmp_path: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    write(tmp_path / "data", "train.jsonl", labelled(12, 0))
    run = quick("classify", codebert, tmp_path / "data", "schedule.steps=1", "data.long=windows", "model.max_length=24")
    loaded = load_run(run.folder)
    assert loaded.task.predict(loaded.model, labelled(5, 3)).shape == (5, 3)
    assert run.summary["data"]["examples"] > run.summary["data"]["train"]


class Spoil(Technique):
    """Makes the weights NaN at a step."""

    def before_step(self, model: Any, step: int, epoch: float) -> None:
        if step == 5:
            with torch.no_grad():
                model.classifier.out_proj.weight.fill_(float("nan"))


def test_a_nan_loss_stops_and_the_best_is_kept(
    corpora: Path, codebert: Path, quick: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "nan"
    with pytest.raises(TrainingError, match=r"became nan at step 5.*lower optimizer.learning_rate"):
        quick(
            "classify", codebert, corpora / "pair", "schedule.steps=20", "schedule.evaluate_every=2",
            techniques=[Spoil()], out=out,
        )  # fmt: skip
    model = AutoModelForSequenceClassification.from_pretrained(out / "best")
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
    assert checkpoints(out)
    # Without the cause, the same call goes on from the last whole checkpoint.
    again = quick(
        "classify", codebert, corpora / "pair", "schedule.steps=20", "schedule.evaluate_every=2",
        techniques=[Technique()], out=out,
    )  # fmt: skip
    assert again.finished


def test_a_full_disk_keeps_what_was_saved(
    corpora: Path, codebert: Path, quick: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills up while the second best model is written: the first is still whole, and the run can go on."""
    from codehunch_training.tasks.classify import Classify

    values = iter([0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
    monkeypatch.setattr(Classify, "evaluate", lambda self, model, rows: {"accuracy": next(values)})
    out, saved = tmp_path / "full", []
    save = Classify.save_model

    def save_until_full(self: Any, model: Any, folder: Path) -> None:
        saved.append(folder)
        if len(saved) == 2:
            (folder / "model.safetensors").write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
        save(self, model, folder)

    monkeypatch.setattr(Classify, "save_model", save_until_full)
    changes = ("schedule.steps=8", "schedule.evaluate_every=2")
    with pytest.raises(TrainingError, match=r"cannot write .*No space left on device.*make room"):
        quick("classify", codebert, corpora / "pair", *changes, out=out)
    AutoModelForSequenceClassification.from_pretrained(out / "best")
    assert json.loads((out / "best.json").read_text())["value"] == 0.5
    again = quick("classify", codebert, corpora / "pair", *changes, out=out)
    assert again.finished
    assert not (out / "best.part").exists()


DEATHS = ["mkdir", "config.json", "codehunch.json", "best.old", "best"]


@pytest.mark.parametrize("moment", DEATHS)
def test_dying_while_the_best_is_replaced_loses_nothing(
    moment: str, corpora: Path, codebert: Path, quick: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the moment of death, afterwards there is a whole best model: the one before, or the new one."""
    run = quick("classify", codebert, corpora / "pair", "schedule.steps=1")
    loaded = load_run(run.folder)
    with torch.no_grad():
        loaded.model.classifier.out_proj.bias.fill_(42.0)

    class Died(BaseException):
        pass

    rename, written = Path.rename, run_folder.write_json

    def die_at_rename(self: Path, target: Any) -> Any:
        if Path(target).name == moment:
            raise Died
        return rename(self, target)

    def die_at_write(path: Path, tree: Any) -> None:
        if path.name == moment:
            raise Died
        written(path, tree)

    monkeypatch.setattr(Path, "rename", die_at_rename)
    monkeypatch.setattr(run_folder, "write_json", die_at_write)
    if moment in ("mkdir", "config.json"):
        monkeypatch.setattr(type(loaded.task), "save_model", lambda *_: (_ for _ in ()).throw(Died()))
    with pytest.raises(Died):
        run_folder.save_best(run.folder, loaded.task, loaded.model, loaded.description)
    monkeypatch.undo()
    recover(run.folder)
    kept = load_run(run.folder).model.classifier.out_proj.bias
    assert not torch.equal(kept, torch.full_like(kept, 42.0))
    assert sorted(path.name for path in run.folder.glob("best*")) == ["best", "best.json"]


def test_a_half_written_checkpoint_is_passed_over(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    changes = ("schedule.steps=6", "schedule.save_every=2", "schedule.evaluate_every=100")
    run = quick("classify", codebert, corpora / "pair", *changes)
    place = run.folder / "checkpoints"
    last = place / "checkpoint-6"
    (last / "complete.json").unlink()
    (last / "model.safetensors").write_bytes(b"half")
    shutil.copytree(last, place / "staging" / "checkpoint-8")
    again = quick("classify", codebert, corpora / "pair", *changes, out=run.folder)
    assert again.finished
    assert again.metrics == run.metrics
    assert [path.name for path in checkpoints(run.folder)] == ["checkpoint-4", "checkpoint-6"]
    assert not (place / "staging").exists()


def test_another_run_is_not_written_over(
    corpora: Path, codebert: Path, quick: Callable[..., Any], tmp_path: Path
) -> None:
    run = quick("classify", codebert, corpora / "pair", "schedule.steps=1")
    with pytest.raises(RunError, match=r"another recipe.*--fresh"):
        quick("classify", codebert, corpora / "pair", "schedule.steps=2", out=run.folder)
    with pytest.raises(RunError, match="another data"):
        quick("classify", codebert, corpora / "classes", "schedule.steps=1", out=run.folder)
    fresh = quick("classify", codebert, corpora / "pair", "schedule.steps=2", out=run.folder, resume=False)
    assert fresh.summary["steps_done"] == 2
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "love.txt").write_text("dear")
    with pytest.raises(RunError, match="is not empty and no run"):
        quick("classify", codebert, corpora / "pair", "schedule.steps=1", out=tmp_path / "letters")
    assert (tmp_path / "letters" / "love.txt").read_text() == "dear"


@pytest.mark.parametrize("resume", [True, False])
def test_a_finished_run_is_not_trained_again(
    resume: bool, corpora: Path, codebert: Path, quick: Callable[..., Any]
) -> None:
    run = quick("classify", codebert, corpora / "pair", "schedule.steps=3")
    again = quick("classify", codebert, corpora / "pair", "schedule.steps=3", out=run.folder, resume=resume)
    assert again.metrics == run.metrics
    assert again.summary["steps_done"] == 3


def test_folders_that_are_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no finished model"):
        load_run(tmp_path)


def test_spans_survive_as_offsets_of_code_points() -> None:
    for row in spanned(9, 5):
        for start, end, kind in row["spans"]:
            assert row["text"][start:end] == kind


def test_muon_without_layers_is_told() -> None:
    from codehunch_training.techniques.optimizer import make_optimizer

    with pytest.raises((RecipeError, ValueError), match="layers"):
        make_optimizer(torch.nn.Linear(3, 3), with_overrides(Recipe(), ["optimizer.name=muon"]))
