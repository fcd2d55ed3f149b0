"""Phases before a run: intermediate tasks, and injected defects before real ones at their true imbalance."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

import toolbox_helpers  # noqa: E402

from codehunch_training.data import DataError, read_rows  # noqa: E402
from codehunch_training.phases import phase_recipe  # noqa: E402
from codehunch_training.recipe import RecipeError, load_recipe, to_toml  # noqa: E402
from codehunch_training.run_folder import load_run, read_log  # noqa: E402
from codehunch_training.techniques import Technique  # noqa: E402
from codehunch_training.training import train  # noqa: E402

NAMES = "left right width height count total first last size depth".split()
TINY = (
    "model.max_length=48", "model.hidden_size=64", "model.layers=1", "model.heads=4", "model.intermediate_size=128",
    "model.vocabulary=320", "optimizer.learning_rate=3e-3", "batch.tokens=768", "regularization.dropout=0.0",
    "schedule.evaluate_every=1000", "schedule.epochs=6",
)  # fmt: skip


def function(rng: random.Random, wrong: bool) -> str:
    """A right one returns what its test found; a wrong one the other."""
    a, b = rng.sample(NAMES, 2)
    first, second = (b, a) if wrong else (a, b)
    return f"def larger({a}, {b}):\n    if {a} > {b}:\n        return {first}\n    return {second}\n"


def write(folder: Path, train: int, share: float, seed: int) -> None:
    folder.mkdir()
    for split, count in (("train", train), ("valid", 100)):
        rng = random.Random(f"{seed}{split}")
        labels = [at < count * share for at in range(count)]
        rows = [{"text": function(rng, wrong), "label": int(wrong)} for wrong in labels]
        rng.shuffle(rows)
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many injected defects, half and half; few real ones, one in ten."""
    folder = tmp_path_factory.mktemp("phases")
    write(folder / "injected", 500, 0.5, 0)
    write(folder / "real", 60, 0.1, 1)
    return folder


TWO = ("task=classify", "selection.metric=roc_auc", "before=[]")
PHASE = 'before=[{name = "injected", data = "injected", set = ["schedule.epochs=16", "selection.metric=accuracy"]}]'


def test_injected_defects_first_then_real_ones_as_rare_as_they_are(data: Path, tmp_path: Path) -> None:
    alone = load_recipe("defects-two-phase", (*TINY, *TWO))
    both = load_recipe("defects-two-phase", (*TINY, *TWO, PHASE, "optimizer.learning_rate=3e-4"))
    real = train("classify", "new:roberta", data / "real", alone, tmp_path / "alone")
    run = train("classify", "new:roberta", data / "real", both, tmp_path / "both")
    first = json.loads((tmp_path / "both" / "phases" / "1-injected" / "run.json").read_text())
    assert first["finished"]
    assert first["metrics"]["accuracy"] > first["baseline"]["accuracy"] + 0.2
    # Each phase reads its own rows, all of them, as they are: none is drawn more often to even the classes out.
    assert (first["data"]["examples"], run.summary["data"]["examples"]) == (500, 60)
    assert run.summary["baseline"]["accuracy"] == pytest.approx(0.9)
    assert run.metrics["roc_auc"] > real.metrics["roc_auc"] + 0.15
    assert run.metrics["roc_auc"] > run.summary["baseline"]["roc_auc"] + 0.3
    # The second phase begins where the first one ended, classifier included.
    assert run.summary["base"] == str(tmp_path / "both" / "phases" / "1-injected" / "best")
    assert load_run(run.folder).task.labels == ("0", "1")


def spanned(count: int, share: float, seed: int) -> list[dict[str, Any]]:
    """The same functions with a line before the test now and then; of wrong ones, the place of the name returned."""
    rng, rows = random.Random(seed), []
    for at in range(count):
        wrong = at < count * share
        head, body = function(rng, wrong).split("\n", 1)
        line = f"    {rng.choice(NAMES)} = {rng.choice(NAMES)}\n" * rng.randrange(2)
        text = f"{head}\n{line}{body}"
        start = text.index("return ") + len("return ")
        spans = [[start, text.index("\n", start)]] if wrong else []
        rows.append({"text": text, "label": "variable-misuse" if wrong else "clean", "spans": spans})
    rng.shuffle(rows)
    return rows


def test_both_heads_learn_from_injected_defects_and_then_from_rare_real_ones(tmp_path: Path) -> None:
    """The recipe with its own task. Real rows alone teach next to nothing; after injected ones both heads know where
    to look, and the real rows, one defect in ten, teach how rare defects are."""
    for place, part, size, share, seed in (
        ("injected", "train", 600, 0.5, 1), ("injected", "valid", 60, 0.5, 2),
        ("real", "train", 60, 0.1, 3), ("real", "valid", 200, 0.1, 4),
    ):  # fmt: skip
        toolbox_helpers.write(tmp_path / place, f"{part}.jsonl", spanned(size, share, seed))
    tiny = (*TINY, "model.max_length=192")
    changes = '"schedule.epochs=16", "optimizer.learning_rate=3e-3"'
    phase = f'before=[{{name = "injected", data = "injected", set = [{changes}]}}]'
    later = ("optimizer.learning_rate=1e-3", "schedule.epochs=2")
    alone = train(
        "defects", "new:roberta", tmp_path / "real", load_recipe("defects-two-phase", (*tiny, "before=[]")),
        tmp_path / "alone",
    )  # fmt: skip
    recipe = load_recipe("defects-two-phase", (*tiny, phase, *later))
    run = train("defects", "new:roberta", tmp_path / "real", recipe, tmp_path / "both")
    assert run.summary["parameters"] <= 1_000_000
    baseline = run.summary["baseline"]
    assert baseline["accuracy"] == pytest.approx(0.9)
    assert run.metrics["joint"] > baseline["joint"] + 0.4
    assert run.metrics["roc_auc"] > baseline["roc_auc"] + 0.1
    assert run.metrics["top1"] > baseline["top1"] + 0.5
    assert run.metrics["joint"] > alone.metrics["joint"] + 0.15
    # The second phase on its own rows: better than where it began, for it has seen how rare defects are.
    begun = load_run(tmp_path / "both" / "phases" / "1-injected")
    before = begun.task.evaluate(begun.model, read_rows(tmp_path / "real" / "valid.jsonl", begun.recipe))
    assert run.metrics["log_loss"] < before["log_loss"] - 0.05
    assert run.metrics["accuracy"] > before["accuracy"]
    first = json.loads((tmp_path / "both" / "phases" / "1-injected" / "run.json").read_text())
    assert (first["data"]["examples"], run.summary["data"]["examples"]) == (600, 60)


def test_a_defect_model_goes_on_with_its_heads(tmp_path: Path) -> None:
    """The recipe's own task: both heads, labels and structure come from the phase before."""
    for place, seed in (("injected", 5), ("real", 1)):
        for part, size in (("train", 30), ("valid", 10)):
            toolbox_helpers.write(tmp_path / place, f"{part}.jsonl", toolbox_helpers.twins(size, seed))
    settings = load_recipe(
        "defects-two-phase",
        (*toolbox_helpers.SMALL, 'before=[{name = "injected", data = "injected", set = ["schedule.steps=3", '
         '"model.structure=edges"]}]', "optimizer.learning_rate=0.0", "schedule.steps=1"),
    )  # fmt: skip
    run = train("defects", "new:roberta", tmp_path / "real", settings, tmp_path / "run")
    first, last = load_run(tmp_path / "run" / "phases" / "1-injected"), load_run(run.folder)
    assert last.task.labels == first.task.labels
    assert last.model.config.structure == "edges"
    known, mine = first.model.state_dict(), last.model.state_dict()
    assert set(known) == set(mine)
    assert all(torch.equal(known[name], mine[name]) for name in known)
    # Labels it has no place for are told, not forgotten.
    odd = [
        {**row, "label": "wrong-literal" if row["label"] != "clean" else "clean"} for row in toolbox_helpers.twins(9, 2)
    ]
    toolbox_helpers.write(tmp_path / "odd", "train.jsonl", odd)
    again = load_recipe("defects-two-phase", (*toolbox_helpers.SMALL, "before=[]"))
    with pytest.raises(DataError, match=r"does not know the label wrong-literal"):
        train("defects", str(run.folder / "best"), tmp_path / "odd", again, tmp_path / "more")


def test_an_intermediate_task_helps(data: Path, tmp_path: Path) -> None:
    """The language of the texts, then a related task with many rows, then the task with few."""
    language = 'name = "language", task = "pretrain", recipe = "pretrain-mlm"'
    sizes = ", ".join(f'"{each}"' for each in (*TINY[:7], "schedule.steps=6"))
    related = '"schedule.epochs=16", "selection.metric=accuracy", "optimizer.learning_rate=3e-3"'
    phases = f'before=[{{{language}, set = [{sizes}]}}, {{name = "related", data = "injected", set = [{related}]}}]'
    changes = (*TINY, phases, "selection.metric=roc_auc", "optimizer.learning_rate=3e-4")
    run = train(
        "classify", "new:roberta", data / "real", load_recipe("classify-intermediate", changes), tmp_path / "run"
    )
    assert run.metrics["roc_auc"] > run.summary["baseline"]["roc_auc"] + 0.3


def test_an_intermediate_task_gives_its_body(data: Path, tmp_path: Path) -> None:
    """Pre-training on the texts, then the task: the task's body is the pre-trained one, its head is new."""
    phases = (
        'before=[{name = "language", task = "pretrain", recipe = "pretrain-mlm", set = ["schedule.steps=6", '
        '"model.max_length=48", "model.hidden_size=64", "model.layers=1", "model.heads=4", '
        '"model.intermediate_size=128", "model.vocabulary=320", "batch.tokens=768"]}]'
    )
    settings = load_recipe("classify-intermediate", (*TINY, phases, "optimizer.learning_rate=0.0", "schedule.steps=1"))
    run = train("classify", "new:roberta", data / "real", settings, tmp_path / "run")
    known = load_run(tmp_path / "run" / "phases" / "1-language").model.lm.base_model.state_dict()
    mine = load_run(run.folder).model.base_model.state_dict()
    shared = [name for name in known if name in mine]
    assert len(shared) > 10
    assert all(torch.equal(known[name], mine[name]) for name in shared)


def test_a_stopped_phase_goes_on_and_a_finished_one_is_not_trained_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = 'before=[{name = "injected", data = "injected", set = ["schedule.steps=6", "schedule.save_every=2"]}]'
    settings = load_recipe("defects-two-phase", (*TINY, *TWO, short, "schedule.steps=3"))
    place = tmp_path / "run"

    class Stop(Technique):
        def after_step(self, model: Any, step: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("classify", "new:roberta", data / "real", settings, place, techniques=[Stop()])
    first = place / "phases" / "1-injected"
    weights = (first / "best" / "model.safetensors").read_bytes()
    lines = len(read_log(first))
    again = train("classify", "new:roberta", data / "real", settings, place, techniques=[Stop()][:0])
    assert again.finished
    assert (first / "best" / "model.safetensors").read_bytes() == weights
    assert max(row["step"] for row in read_log(first)) == 6
    assert len([row for row in read_log(first) if "tokens" in row]) <= lines


@pytest.mark.parametrize(
    ("before", "error", "message"),
    [
        ('[{name = "a", data = "nowhere"}]', DataError, "nowhere: no such file or folder, neither here nor beside"),
        ('[{name = "a"}, {name = "a"}]', RecipeError, "phases need different names"),
        ('[{name = "../a"}]', RecipeError, "phases need different names of letters"),
        ('[{name = "a", set = ["schedule.epoch=3"]}]', RecipeError, "phase 'a': .*did you mean `schedule.epochs`"),
        ('[{name = "a", recipe = "defects-two-phase"}]', RecipeError, "phase 'a': its recipe has phases of its own"),
    ],
)
def test_what_does_not_fit_is_told(
    before: str, error: type[Exception], message: str, data: Path, tmp_path: Path
) -> None:
    settings = load_recipe("defects-two-phase", (*TINY, *TWO, f"before={before}"))
    with pytest.raises(error, match=message):
        train("classify", "new:roberta", data / "real", settings, tmp_path / "run")


def test_a_misspelt_key_of_a_phase_is_named() -> None:
    with pytest.raises(RecipeError, match=r"unknown field `before\.nam`"):
        load_recipe("defects-two-phase", ('before=[{name = "a", nam = "b"}]',))


@pytest.mark.parametrize("name", ["defects-two-phase", "classify-intermediate"])
def test_shipped_recipes_are_read_and_written(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    (tmp_path / "again.toml").write_text(to_toml(recipe))
    assert load_recipe(tmp_path / "again.toml") == recipe
    for phase in recipe.before:
        assert phase_recipe(phase, recipe).before == ()
