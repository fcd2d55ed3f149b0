"""Variable-name prediction: it learns, it composes names it never saw, and counts them apart."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the train extra")

from codehunch_training.bases import load_base
from codehunch_training.data import DataError
from codehunch_training.recipe import load_recipe
from codehunch_training.run_folder import load_run
from codehunch_training.tasks.names import PLACEHOLDER, Names
from codehunch_training.training import train

NOUNS = "user file row page task node item word".split()
DONE = {"load": "loaded", "save": "saved", "read": "parsed", "find": "found", "make": "made", "sort": "sorted"}
TINY = (
    "base='new:t5'", "model.max_length=64", "model.hidden_size=64", "model.layers=1", "model.decoder_layers=1",
    "model.heads=4", "model.intermediate_size=128", "model.vocabulary=400", "optimizer.learning_rate=3e-3",
    "batch.tokens=1024", "generation.max_target=12", "regularization.dropout=0.0", "schedule.epochs=10",
    "schedule.evaluate_every=1000", "schedule.patience=0",
)  # fmt: skip


def function(verb: str, noun: str, name: str) -> str:
    return f"def {name}(one):\n    {DONE[verb]}_{noun} = {verb}({noun})\n    return {DONE[verb]}_{noun}\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a name is made of stands in the function; a quarter of the pairs never meet in training."""
    folder, rng = tmp_path_factory.mktemp("names"), random.Random(0)
    known = [(verb, noun) for verb in DONE for noun in NOUNS]
    rng.shuffle(known)
    for split, count, chosen in (("train", 500, known[:36]), ("valid", 60, known)):
        rows = [{"text": function(*rng.choice(chosen), rng.choice("fgh"))} for _ in range(count)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_it_names_variables_seen_and_unseen(data: Path, tmp_path: Path) -> None:
    recipe = load_recipe("names", TINY)
    run = train("names", "new:t5", data, recipe, tmp_path / "run")
    baseline, found = run.summary["baseline"], run.metrics
    assert run.summary["parameters"] <= 1_000_000
    assert 0.1 < found["unseen"] < 0.5
    assert found["top_1_seen"] > baseline["top_1_seen"] + 0.4
    assert found["top_5_seen"] > baseline["top_5_seen"] + 0.3
    # No list of names holds these.
    assert baseline["top_5_unseen"] == 0
    assert found["top_5_unseen"] > 0.3
    again = load_run(run.folder)
    assert len(again.task.seen) == 36
    rows = [json.loads(line) for line in (data / "valid.jsonl").read_text().splitlines()]
    assert again.task.evaluate(again.model, rows)["top_1"] == pytest.approx(found["top_1"])


def ready(rows: list[dict[str, Any]], *changes: str) -> Names:
    recipe = load_recipe("names", (*TINY, *changes))
    task = Names()
    base = load_base("new:t5", recipe, ["def f(a): return a"])
    task.prepare(rows, base, recipe)
    return task


def test_the_name_is_in_the_labels_and_not_in_the_source() -> None:
    task = ready([{"text": function("load", "user", "f")}])
    (features,) = task.features([{"text": function("load", "user", "f")}])
    source = task.tokenizer.decode(features["input_ids"])
    assert source.count(PLACEHOLDER) == 2
    assert "loaded_user" not in source
    assert task.decode(features["labels"]) == "loaded_user"
    # The placeholder is one token.
    assert features["input_ids"].count(task.tokenizer.convert_tokens_to_ids(PLACEHOLDER)) == 2


def test_at_most_so_many_variables_of_a_function() -> None:
    row = {"text": "def f(a, b, c):\n    return a + b + c + a + b + c\n"}
    assert [name for _, name in ready([row], "generation.per_function=0").variables(row)] == ["a", "b", "c"]
    few = ready([row], "generation.per_function=2")
    assert len(few.variables(row)) == 2
    assert few.variables(row) == few.variables(row)


def test_top_k_is_counted_by_hand() -> None:
    task = ready([{"text": "def f(a):\n    return a\n"}], "generation.top=2")
    found = task._scores(["a", "a", "new"], [["a", "x"], ["x", " a "], ["y", "z"]])
    assert found["top_1"] == pytest.approx(1 / 3)
    assert found["top_2"] == pytest.approx(2 / 3)
    assert (found["top_1_seen"], found["top_2_seen"]) == (0.5, 1.0)
    assert (found["top_1_unseen"], found["top_2_unseen"]) == (0.0, 0.0)
    assert found["unseen"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "x = 1\n"}, "no training row is a function"),
        ({"text": "int f(int a) { return a; }", "language": "cobol"}, "cobol: no grammar"),
    ],
)
def test_rows_without_variables_are_told(row: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        ready([row])
