"""Search: the space, pruning, a study that goes on, two workers on one study, and ``--auto``."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna", reason="needs the train extra")

from toolbox_helpers import SMALL

from codehunch.cli.app import run as command
from codehunch_training.recipe import Recipe, RecipeError, load_recipe, with_overrides
from codehunch_training.tuning.auto import Arm, AutoError, _foresee, auto
from codehunch_training.tuning.space import Dimension, parse_space
from codehunch_training.tuning.study import StudyOptions, TuningError, load_optuna, open_study, tune

Quick = Callable[..., Any]
TINY = (*SMALL, "model.layers=1", "model.hidden_size=16", "batch.tokens=2048", "schedule.steps=6")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("optimizer.learning_rate=1e-5..1e-3 log", Dimension("optimizer.learning_rate", 1e-5, 1e-3, None, True)),
        ("model.layers=2..6", Dimension("model.layers", 2, 6)),
        ("model.hidden_size=64..256 step 64", Dimension("model.hidden_size", 64, 256, 64)),
        ("schedule.warmup = 0..0.2", Dimension("schedule.warmup", 0.0, 0.2)),
        ("schedule.kind=linear|cosine", Dimension("schedule.kind", choices=("linear", "cosine"))),
        ("hardware.compile=true|false", Dimension("hardware.compile", choices=(True, False))),
        ("batch.tokens=2048|4096", Dimension("batch.tokens", choices=(2048, 4096))),
    ],
)
def test_spaces(text: str, expected: Dimension) -> None:
    (found,) = parse_space([text], Recipe())
    assert found == expected
    assert parse_space([str(found)], Recipe()) == (found,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer.learning_rte=1..2", "did you mean `optimizer.learning_rate`"),
        ("optimizer.learning_rate", "write FIELD=LOW..HIGH"),
        ("optimizer.learning_rate=", "write FIELD=LOW..HIGH"),
        ("optimizer.learning_rate=1e-3", "a range is LOW..HIGH"),
        ("optimizer.learning_rate=1e-3..1e-5", "must rise"),
        ("optimizer.learning_rate=0..1 log", "begins above 0"),
        ("model.layers=2..many", "no range of numbers"),
        ("model.layers=1.5..2.5", "expected int"),
        ("schedule.kind=linear|sine", "expected 'linear'"),
    ],
)
def test_spaces_that_cannot_be_searched(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_space([text], Recipe())
    with pytest.raises(RecipeError, match="named twice"):
        parse_space(["model.layers=1..2", "model.layers=1..3"], Recipe())


def _recipe(*changes: str) -> Recipe:
    return with_overrides(Recipe(), [*TINY, *changes])


def test_a_study_goes_on_where_it_was_stopped(corpora: Path, tmp_path: Path) -> None:
    recipe, space = (
        _recipe(),
        parse_space(["optimizer.learning_rate=1e-5..1e-2 log", "schedule.kind=linear|cosine"], Recipe()),
    )
    told: list[dict[str, Any]] = []

    def stop(row: Any) -> None:
        told.append(dict(row))
        if row.get("trial") == 1 and row.get("step") == 3:
            raise KeyboardInterrupt

    first = tune(
        "classify", "new:roberta", corpora / "pair", recipe, space, tmp_path / "s", StudyOptions(trials=2), stop
    )
    assert first.stopped
    assert [each["state"] for each in first.trials] == ["COMPLETE", "FAIL", "WAITING"]
    interrupted = first.trials[1]["params"]
    second = tune("classify", "new:roberta", corpora / "pair", recipe, space, tmp_path / "s", StudyOptions(trials=5))
    assert not second.stopped
    states = [each["state"] for each in second.trials]
    assert states.count("COMPLETE") + states.count("PRUNED") == 5
    # The interrupted trial came first, with its values and in its folder.
    assert (second.trials[2]["params"], second.trials[2]["folder"]) == (interrupted, "0001")
    assert second.trials[0] == first.trials[0] | {"folder": second.trials[0]["folder"]}
    # Ready: nothing more is run.
    third = tune("classify", "new:roberta", corpora / "pair", recipe, space, tmp_path / "s", StudyOptions(trials=5))
    assert len(third.trials) == len(second.trials)
    assert third.best_value == max(each["value"] for each in third.trials if each["state"] == "COMPLETE")
    # What a person takes away.
    best = load_recipe(tmp_path / "s" / "best.toml")
    winner = max((e for e in third.trials if e["state"] == "COMPLETE"), key=lambda each: each["value"])
    assert best.optimizer.learning_rate == winner["params"]["optimizer.learning_rate"]
    page = (tmp_path / "s" / "report.html").read_text()
    assert page.count("<svg") >= 2
    assert (third.best_run / "best" / "model.safetensors").exists()  # type: ignore[operator]
    others = [each for each in (tmp_path / "s" / "trials").iterdir() if each != third.best_run]
    assert others
    assert not any((each / "best").exists() for each in others)
    # Another question is not answered with these trials.
    with pytest.raises(TuningError, match="another task, base, recipe or search space"):
        tune("classify", "new:roberta", corpora / "pair", recipe, space[:1], tmp_path / "s", StudyOptions(trials=5))


def test_a_hopeless_trial_is_pruned(corpora: Path, tmp_path: Path) -> None:
    """A sensible rate, then one that makes the loss grow: the second ends at its second evaluation."""
    recipe = _recipe("schedule.steps=12", "schedule.evaluate_every=2", "selection.metric=log_loss")
    space = parse_space(["optimizer.learning_rate=1e-4|0.5"], Recipe())
    options = StudyOptions(trials=2, startup=1)
    study = open_study(load_optuna(), tmp_path, options, greater=False)
    for rate in (1e-4, 0.5):
        study.enqueue_trial({"optimizer.learning_rate": rate})
    found = tune("classify", "new:roberta", corpora / "pair", recipe, space, tmp_path, options)
    assert [(each["state"], len(each["reports"])) for each in found.trials] == [("COMPLETE", 6), ("PRUNED", 2)]
    assert found.best_recipe is not None
    assert found.best_recipe.optimizer.learning_rate == 1e-4


@pytest.mark.parametrize(("pruner", "prunes"), [("median", True), ("hyperband", True), ("none", False)])
def test_what_each_pruner_ends(pruner: Any, prunes: bool, tmp_path: Path) -> None:
    """Losses that are known: every third trial is good, the others never become so."""
    optuna = load_optuna()
    study = open_study(optuna, tmp_path, StudyOptions(pruner=pruner, startup=3), greater=False)
    ended = []

    def objective(trial: Any) -> float:
        for step in (1, 3, 9, 27):
            loss = (5.0 if trial.number % 3 else 1.0) / step + 0.001 * trial.number
            trial.report(loss, step)
            if trial.should_prune():
                ended.append(trial.number)
                raise optuna.TrialPruned
        return loss

    study.optimize(objective, n_trials=15)
    assert bool(ended) == prunes
    assert not prunes or sum(number % 3 > 0 for number in ended) > len(ended) / 2


def test_the_field_that_matters_is_named() -> None:
    """Importance on a study whose values are known: one field decides, the other does nothing."""
    import optuna

    from codehunch_training.tuning.study import importances

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0), direction="maximize")
    field = optuna.distributions.FloatDistribution(0, 1)
    for _ in range(60):
        trial = study.ask({"decides": field, "idle": field})
        study.tell(trial, -((trial.params["decides"] - 0.3) ** 2))
    found = importances(optuna, study)
    assert found["decides"] > 2 * found["idle"]


def test_two_workers_share_a_study(corpora: Path, tmp_path: Path) -> None:
    arguments = ["tune", "classify", "--data", str(corpora / "pair"), "--base", "new:roberta", "--trials", "4"]
    arguments += [
        "--search",
        "optimizer.learning_rate=1e-4..1e-2 log",
        "--out",
        str(tmp_path / "s"),
        "--pruner",
        "none",
    ]
    arguments += ["--storage", f"sqlite:///{tmp_path / 'shared.db'}"]
    arguments += [part for change in TINY for part in ("--set", change)]
    workers = [
        subprocess.Popen([sys.executable, "-m", "codehunch", *arguments], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [worker.communicate(timeout=500)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], told
    finished = [[line for line in text.splitlines() if line.startswith("trial ")] for text in told]
    numbers = sorted(int(line.split()[1].rstrip(":")) for lines in finished for line in lines)
    assert all(finished)  # Both worked.
    assert len(numbers) == len(set(numbers)) >= 4  # And none did the other's.
    tree = json.loads((tmp_path / "s" / "study.json").read_text())
    assert len({each["folder"] for each in tree["trials"] if each["state"] == "COMPLETE"}) >= 4


def test_what_cannot_be_searched_is_told(corpora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", str(corpora / "pair")]
    for arguments, message in (
        (["tune", "clasify", *data], "unknown task"),
        (["tune", "classify", *data], "name one base"),
        (["tune", "classify", *data, "--base", "a", "--base", "b"], "name one base"),
        (["tune", "classify", *data, "--base", "new:roberta", "--search", "model.layer=1..2"], "did you mean"),
        (["tune", "classify", *data, "--base", "new:roberta", "--storage", "nosql://x"], "cannot be opened"),
        (["tune", "classify", *data, "--auto"], "needs a budget"),
        (["tune", "classify", *data, "--auto", "--minutes", "1", "--size", "giant"], "no size 'giant'"),
    ):
        assert command([*arguments, "--out", str(tmp_path / "s")]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_auto_chooses_among_what_fits_its_budget(corpora: Path, tmp_path: Path) -> None:
    changes = ["hardware.threads=1", "model.vocabulary=400", "batch.tokens=1024", "model.max_length=192"]
    recipe = with_overrides(Recipe(), changes)
    # In CPU time, so that other work on the machine does not eat the budget.
    found = auto(
        "classify", corpora / "pair", recipe, tmp_path / "a", 1.0, ("new:roberta",), ("base", "tiny"),
        clock=time.process_time,
    )  # fmt: skip
    arms = {arm.size: arm for arm in found.tried[:2]}
    assert "reads only" in arms["base"].left_out  # 85 million weights are too many for half a minute on any core.
    assert found.best.size == "tiny"
    # The winner is the best of all that were tried, and something else was tried.
    greatest = max(arm.value for arm in found.tried if arm.value is not None)
    assert found.run.summary["best"]["value"] >= greatest
    assert len([arm for arm in found.tried if arm.value is not None]) >= 2
    assert load_recipe(tmp_path / "a" / "best.toml").model.hidden_size == 64
    assert (tmp_path / "a" / "best" / "best" / "model.safetensors").exists()


def test_what_is_too_large_is_left_out_before_it_costs_anything() -> None:
    tiny = Arm("new:roberta", "tiny", 1e-3, (), step_seconds=0.02, epoch_steps=100)
    base = Arm("new:roberta", "base", 1e-3, ())
    _foresee(base, tiny, 600)  # 1,296 times the work: 26 s a step, 20 of 100 steps.
    assert base.left_out.startswith("reads only 0.20 of the data in 10.0 minutes")
    small = Arm("new:roberta", "small", 1e-3, ())
    _foresee(small, tiny, 600)
    assert small.left_out == ""


def test_auto_says_when_nothing_fits(corpora: Path, tmp_path: Path) -> None:
    recipe = with_overrides(Recipe(), [*TINY, "schedule.steps=0"])
    with pytest.raises(AutoError, match=r"reads only|no run came"):
        auto("classify", corpora / "pair", recipe, tmp_path / "b", 1e-4, ("new:roberta",), ("tiny",))
