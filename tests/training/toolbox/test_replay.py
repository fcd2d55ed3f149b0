"""Replay: the share that is read is the share that was asked for, and less is forgotten than without it."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the train extra")

from codehunch_training.batching import plan_batches
from codehunch_training.data import DataError
from codehunch_training.recipe import BatchTable, RecipeError, load_recipe
from codehunch_training.techniques.replay import Mixer, beside, forgetting
from codehunch_training.training import train

NAMES = "left right width height count total first last size depth".split()
TINY = (
    "model.max_length=48", "model.hidden_size=64", "model.layers=1", "model.heads=4", "model.intermediate_size=128",
    "model.vocabulary=320", "optimizer.learning_rate=5e-3", "batch.tokens=1024", "regularization.dropout=0.0",
    "schedule.evaluate_every=1000",
)  # fmt: skip


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.25, 0.5, 0.8])
@pytest.mark.parametrize("general", [7, 90, 1000])
def test_the_share_is_as_asked(ratio: float, general: int) -> None:
    mixer = Mixer(own=120, general=general, ratio=ratio, seed=0)
    plan = plan_batches([10] * (120 + general), BatchTable(tokens=100), 0, 4.0, 0, 1, mixer.rows)
    read = Counter(row for batch in plan.batches for row, _ in batch)
    own = sum(count for row, count in read.items() if row < 120)
    assert own == 4 * 120
    assert all(read[row] == 4 for row in range(120))
    assert (sum(read.values()) - own) / sum(read.values()) == pytest.approx(ratio, abs=0.003)
    # All of it is seen before any of it is seen again.
    others = [read[row] for row in range(120, 120 + general)]
    assert max(others) - min(others) <= 1


def test_what_was_forgotten() -> None:
    assert forgetting("accuracy", {"accuracy": 0.9}, {"accuracy": 0.7}, True)["forgotten"] == pytest.approx(0.2)
    assert forgetting("loss", {"loss": 1.0}, {"loss": 1.5}, False)["forgotten"] == pytest.approx(0.5)
    assert forgetting("loss", {"loss": 1.0}, {"loss": 0.5}, False)["forgotten"] == pytest.approx(-0.5)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """General code that returns what is larger, and special code that is told the smaller in other words."""
    folder = tmp_path_factory.mktemp("replay")
    for place, text in (
        ("general", "def larger({a}, {b}):\n    if {a} > {b}:\n        return {a}\n    return {b}\n"),
        ("special", "lambda {a}, {b}: min([{a}, {b}], key=abs)\n"),
    ):
        (folder / place).mkdir()
        for split, count, seed in (("train", 200, 0), ("valid", 30, 1)):
            rng = random.Random(seed)
            drawn = [dict(zip("ab", rng.sample(NAMES, 2), strict=True)) for _ in range(count)]
            lines = [json.dumps({"text": text.format(**each)}) + "\n" for each in drawn]
            (folder / place / f"{split}.jsonl").write_text("".join(lines))
    return folder


def test_less_is_forgotten_with_replay(data: Path, tmp_path: Path) -> None:
    learned = load_recipe("causal", (*TINY, "schedule.epochs=10"))
    known = train("causal", "new:gpt2", data / "general", learned, tmp_path / "known")
    found = {}
    for ratio in (0.0, 0.25):
        settings = load_recipe("replay", (*TINY, f"mix.ratio={ratio}", "schedule.epochs=6"))
        run = train("causal", str(known.folder / "best"), data / "special", settings, tmp_path / f"run-{ratio}")
        found[ratio] = run.summary["forgetting"]
        assert run.summary["data"]["mix"]["share"] == pytest.approx(ratio, abs=0.01)
        # Before: what the base could do.
        assert found[ratio]["before"]["loss"] == pytest.approx(known.metrics["loss"], rel=1e-4)
        assert found[ratio]["metric"] == "loss"
        # The task itself is learned with and without.
        assert run.metrics["loss"] < run.summary["baseline"]["loss"] / 2
        assert json.loads((run.folder / "run.json").read_text())["forgetting"] == found[ratio]
    assert found[0.0]["forgotten"] > 0.3
    assert found[0.25]["forgotten"] < 0.3 * found[0.0]["forgotten"]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (("mix.ratio=1.0",), RecipeError, "mix.ratio = 1.0: it is a share"),
        (("mix.ratio=-0.5",), RecipeError, "mix.ratio = -0.5: it is a share"),
        (("mix.corpus=''",), RecipeError, "mix.corpus is not: name the general data"),
        (("mix.corpus=nowhere",), DataError, "nowhere: no such file or folder, neither here nor beside"),
        (("mix.corpus=other.jsonl",), DataError, "mix.corpus needs the same columns as --data: .*'words'"),
    ],
)
def test_what_does_not_fit_is_told(
    changes: tuple[str, ...], error: type[Exception], message: str, data: Path, tmp_path: Path
) -> None:
    other = data / "other.jsonl"
    other.write_text('{"words": "of another table"}\n{"words": "with other columns"}\n')
    with pytest.raises(error, match=message):
        train("causal", "new:gpt2", data / "special", load_recipe("replay", (*TINY, *changes)), tmp_path / "run")


def test_general_rows_that_give_nothing_are_told(data: Path, tmp_path: Path) -> None:
    (data / "bare.jsonl").write_text('{"text": ""}\n{"text": ""}\n')
    settings = load_recipe("replay", (*TINY, "mix.corpus=bare.jsonl"))
    with pytest.raises(DataError, match=r"no row of mix\.corpus gives an example"):
        train("causal", "new:gpt2", data / "special", settings, tmp_path / "run")


def test_a_path_is_seen_from_here_or_from_the_data(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data)
    assert beside("general", data / "special") == Path("general")
    monkeypatch.chdir("/")
    assert beside("general", data / "special") == data / "general"
