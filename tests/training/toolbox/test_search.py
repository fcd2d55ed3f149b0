"""Code search and clone pairs: embeddings learn what shared words cannot tell."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from transformers import AutoModel  # noqa: E402

from codehunch_training.bases import BaseError, load_base  # noqa: E402
from codehunch_training.data import DataError  # noqa: E402
from codehunch_training.recipe import load_recipe  # noqa: E402
from codehunch_training.run_folder import load_run  # noqa: E402
from codehunch_training.tasks.search import Search  # noqa: E402
from codehunch_training.training import train  # noqa: E402

SHORT = dict(zip("width height depth count total first last size left right user file row page task node".split(),
                 "wx hy dz cnt sm fst lst sz lt rt usr fl rw pg tsk nd".split(), strict=True))  # fmt: skip
TINY = (
    "model.max_length=64", "model.hidden_size=64", "model.layers=1", "model.heads=4", "model.intermediate_size=128",
    "model.vocabulary=400", "optimizer.learning_rate=3e-3", "batch.tokens=1024", "regularization.dropout=0.0",
    "schedule.epochs=8", "schedule.evaluate_every=1000", "schedule.patience=0",
)  # fmt: skip
Rows = list[dict[str, Any]]


def questions(count: int, seed: int) -> Rows:
    """Questions in words, code in abbreviations: no word is shared."""
    rng, rows = random.Random(seed), []
    for _ in range(count):
        a, b, c = rng.sample(sorted(SHORT), 3)
        code = f"def f({SHORT[b]}, {SHORT[c]}):\n    return {SHORT[a]}({SHORT[b]}) + {SHORT[c]}\n"
        rows.append({"text": f"the {a} with {b} by {c}", "target": code})
    return rows


def clones(count: int, seed: int) -> Rows:
    """Groups of two functions that do the same in other words."""
    return [
        {"text": text, "group": f"{seed}:{number}"}
        for number, row in enumerate(questions(count, seed))
        for text in (row["text"], row["target"])
    ]


def labelled(count: int, seed: int) -> Rows:
    """Pairs, half of which belong together."""
    rows, rng = questions(count, seed), random.Random(seed + 1)
    return [
        {"one": row["text"], "two": (row if label else rng.choice(rows))["target"], "label": label}
        for at, row in enumerate(rows)
        for label in [at % 2]
    ]


def write(folder: Path, made: Any) -> Path:
    for split, count, seed in (("train", 400, 0), ("valid", 60, 1)):
        lines = [json.dumps(row) + "\n" for row in made(count, seed)]
        (folder / f"{split}.jsonl").write_text("".join(lines))
    return folder


PAIRS = ("search.query=one", "search.code=two", "search.label=label", "schedule.epochs=12")


@pytest.mark.parametrize(
    ("recipe", "made", "changes", "metric", "wanted"),
    [
        ("search", questions, (), "mrr", 0.7),
        ("clones", clones, (), "mrr", 0.5),
        ("clones", labelled, PAIRS, "roc_auc", 0.8),
    ],
    ids=["questions", "clones", "labelled pairs"],
)
def test_it_learns_what_belongs_together(
    recipe: str, made: Any, changes: tuple[str, ...], metric: str, wanted: float, tmp_path: Path
) -> None:
    settings = load_recipe(recipe, (*TINY, *changes))
    data = write(tmp_path, made)
    run = train("search", "new:roberta", data, settings, tmp_path / "run")
    assert run.summary["parameters"] <= 1_000_000
    assert run.summary["baseline"][metric] < wanted - 0.2
    assert run.metrics[metric] > wanted
    # What lies in best/ is the encoder alone.
    AutoModel.from_pretrained(run.folder / "best")
    again = load_run(run.folder)
    assert again.task.evaluate(again.model, made(60, 1))[metric] == pytest.approx(run.metrics[metric], abs=1e-4)


def prepared(rows: Rows, *changes: str, recipe: str = "search") -> tuple[Search, Any, list[Mapping[str, Any]]]:
    settings = load_recipe(recipe, (*TINY, *changes))
    task = Search()
    base = load_base("new:roberta", settings, [str(value) for row in rows for value in row.values()])
    task.prepare(rows, base, settings)
    torch.manual_seed(0)
    return task, task.build(base, settings, rows).eval(), task.features(rows)


def test_padding_changes_no_vector() -> None:
    task, model, _ = prepared(questions(4, 0))
    texts = ["the width", "the width with height by depth and more of it"]
    together = task.embed(model, texts)
    assert torch.allclose(together[0], task.embed(model, texts[:1])[0], atol=1e-5)
    assert torch.allclose(together.norm(dim=-1), torch.ones(2))
    batch = task.collate(task.features([{"text": "a", "target": "a b c d e"}, {"text": "a b c d", "target": "a"}]))
    for side in ("", "other_"):
        ids, mask = batch[f"{side}input_ids"], batch[f"{side}attention_mask"]
        assert (ids[mask == 0] == task.tokenizer.pad_token_id).all()
        assert (ids[mask == 1] != task.tokenizer.pad_token_id).all()


def test_equal_code_is_no_negative() -> None:
    rows = [{"text": "the width", "target": "wx"}, {"text": "how wide", "target": "wx"}, {"text": "x", "target": "y"}]
    _, _, features = prepared(rows)
    groups = [each["groups"] for each in features]
    assert groups[0] == groups[1] != groups[2]


def test_a_clone_is_read_with_another_of_its_group() -> None:
    rows = [{"text": text, "group": group} for text, group in zip("abcdx", "11122", strict=True)] + [{"text": "alone"}]
    task, _, _ = prepared(rows, recipe="clones")
    assert [pair[:2] for pair in task._pairs(rows)] == [("a", "b"), ("b", "c"), ("c", "a"), ("d", "x"), ("x", "d")]


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        ([{"text": "a"}, {"text": "b"}], (), "no two training rows share a value of 'group'"),
        ([{"text": "a", "target": "b"}], ("search.code=answer",), "no column 'answer'; they have 'text', 'target'"),
        ([{"text": "a", "target": "b", "label": 1}], ("search.label=label",), "all training pairs have one label"),
        ([{"text": "a", "target": "b", "label": ""}], ("search.label=label",), "a pair has no label"),
    ],
)
def test_rows_that_do_not_fit_are_told(rows: Rows, changes: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepared(rows, *changes)


def test_an_encoder_decoder_is_refused() -> None:
    task, settings = Search(), load_recipe("search", TINY)
    with pytest.raises(BaseError, match="search needs an encoder such as"):
        task.check_base(load_base("new:t5", settings, ["a b"]))
