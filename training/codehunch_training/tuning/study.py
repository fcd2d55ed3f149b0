"""Hyper-parameter search by Optuna (Akiba et al. 2019): trials are ordinary runs, and the study is a database.

Workers share a study by its storage: the same command started twice, on one machine (SQLite) or on many (PostgreSQL,
MySQL), divides the trials. A study that was stopped goes on, its interrupted trial from its last checkpoint. Trials
that fall behind the others at the same evaluation are pruned.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs

from codehunch_training.errors import ToolboxError
from codehunch_training.evaluation.meanings import less_is_better
from codehunch_training.recipe import Recipe, to_toml, unstructure
from codehunch_training.run_folder import write_text
from codehunch_training.tasks import TASKS
from codehunch_training.training import TrainingError, train
from codehunch_training.tuning.space import Dimension, applied

_FOLDER = "folder"
_HEARTBEAT = 30
"""Seconds between a worker's signs of life; after three missed ones its trial is given to another."""

_ATTEMPTS = 4

Tell = Callable[[Mapping[str, Any]], None]


class TuningError(ToolboxError):
    """A study that cannot be made or gone on with."""


@attrs.frozen(kw_only=True)
class StudyOptions:
    """How a study is run."""

    trials: int = 20
    """Finished or pruned trials in all, of every worker and every earlier start."""
    minutes: float = 0.0
    """Start no trial after so many minutes; 0: no limit."""
    storage: str = ""
    """URL of a database; empty: SQLite in the study's folder."""
    name: str = "study"
    pruner: Literal["median", "hyperband", "none"] = "median"
    startup: int = 5
    """Trials at random before the sampler learns and the pruner prunes."""
    seed: int = 0


@attrs.frozen(eq=False)
class Tuned:
    """What a study has found so far."""

    folder: Path
    metric: str
    best_value: float | None
    best_recipe: Recipe | None
    best_run: Path | None
    trials: list[dict[str, Any]]
    importances: dict[str, float]
    stopped: bool
    """True where Ctrl-C ended it."""


def tune(
    task: str,
    base: str,
    data: Path,
    recipe: Recipe,
    space: Sequence[Dimension],
    out: Path,
    options: StudyOptions | None = None,
    tell: Tell | None = None,
) -> Tuned:
    """Run or go on with a study; writes ``best.toml``, ``study.json`` and ``report.html`` into ``out``.

    ``tell`` hears ``{"trial", "value", "state", "seconds"}`` after each trial and what ``train`` tells during one.
    Raises TuningError, and what ``train`` raises where the first trial cannot run at all.
    """
    options = options or StudyOptions()
    optuna = load_optuna()
    out.mkdir(parents=True, exist_ok=True)
    chosen = TASKS[task]()
    named = recipe.selection.metric
    greater = not less_is_better(named) if named else chosen.greater_is_better
    study = open_study(optuna, out, options, greater)
    _same_question(study, task, base, recipe, space)
    worker = _Worker(optuna, study, task, base, data, recipe, space, out, options, tell)
    stopped = False
    wanted = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    done = len(study.get_trials(deepcopy=False, states=wanted))
    if done < options.trials:
        try:
            study.optimize(
                worker,
                n_trials=None,
                timeout=options.minutes * 60 if options.minutes else None,
                callbacks=[optuna.study.MaxTrialsCallback(options.trials, states=wanted), worker.finished],
                catch=(TrainingError,),
            )
        except KeyboardInterrupt:
            stopped = True
            worker.close()
    return summarise(optuna, study, recipe, out, worker.metric, stopped)


class _Worker:
    """One trial at a time: suggest, train, report each evaluation, prune."""

    def __init__(
        self, optuna: Any, study: Any, task: str, base: str, data: Path, recipe: Recipe, space: Sequence[Dimension],
        out: Path, options: StudyOptions, tell: Tell | None,
    ) -> None:  # fmt: skip
        self.optuna, self.study, self.out, self.options = optuna, study, out, options
        self.task, self.base, self.data, self.recipe, self.space = task, base, data, recipe, space
        self.tell = tell
        self.metric = recipe.selection.metric or TASKS[task]().selection_metric
        self.interrupted: int | None = None

    def __call__(self, trial: Any) -> float:
        recipe = applied(self.recipe, self.space, trial)
        # An interrupted trial, or one whose worker died, is tried again under another number with its attributes, and
        # so in the folder it began in.
        name = trial.user_attrs.get(_FOLDER) or f"{trial.number:04d}"
        trial.set_user_attr(_FOLDER, name)
        folder = self.out / "trials" / name
        seen = 0

        def progress(row: Mapping[str, Any]) -> None:
            nonlocal seen
            if self.tell is not None:
                self.tell({**row, "trial": trial.number})
            if "metrics" in row:
                trial.report(float(row["metrics"][self.metric]), seen)
                seen += 1
                if trial.should_prune():
                    raise self.optuna.TrialPruned

        try:
            run = train(self.task, self.base, self.data, recipe, folder, progress=progress)
        except KeyboardInterrupt:
            self._again(trial, name)
            raise
        if not run.finished:
            self._again(trial, name)
            raise KeyboardInterrupt
        trial.set_user_attr("metrics", {k: float(v) for k, v in run.metrics.items()})
        self.metric = run.summary["best"]["metric"]
        return float(run.summary["best"]["value"])

    def _again(self, trial: Any, folder: str) -> None:
        """Queue an interrupted trial anew, with its values and its folder."""
        self.interrupted = trial.number
        self.study.enqueue_trial(trial.params, user_attrs={_FOLDER: folder})

    def close(self) -> None:
        """Close the interrupted trial where Optuna has not: a running trial without a worker would stay for ever."""
        if self.interrupted is not None:
            self.study.tell(self.interrupted, state=self.optuna.trial.TrialState.FAIL, skip_if_finished=True)

    def finished(self, study: Any, trial: Any) -> None:
        """After each trial: tell, and drop the weights of all that are not the best."""
        if self.tell is not None:
            seconds = (trial.datetime_complete - trial.datetime_start).total_seconds()
            self.tell({"trial": trial.number, "state": trial.state.name, "value": trial.value, "seconds": seconds,
                       "params": trial.params})  # fmt: skip
        try:
            best = study.best_trial.user_attrs.get(_FOLDER)
        except ValueError:
            best = None
        states = self.optuna.trial.TrialState
        for other in study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED)):
            name = other.user_attrs.get(_FOLDER)
            if name and name != best:
                for part in ("best", "checkpoints", "tensorboard"):
                    shutil.rmtree(self.out / "trials" / name / part, ignore_errors=True)


def load_optuna() -> Any:
    """Optuna, quiet. Raises ImportError where it is missing."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


def open_study(optuna: Any, out: Path, options: StudyOptions, greater: bool) -> Any:
    """The study, made or found again. Raises TuningError where the database cannot be used."""
    url = options.storage or f"sqlite:///{(out / 'study.db').resolve()}"
    sampler = optuna.samplers.TPESampler(
        seed=None if options.storage else options.seed, n_startup_trials=options.startup, constant_liar=True
    )
    pruner = {
        "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=options.startup, n_warmup_steps=1),
        "hyperband": lambda: optuna.pruners.HyperbandPruner(),
        "none": lambda: optuna.pruners.NopPruner(),
    }[options.pruner]()
    for attempt in range(_ATTEMPTS):
        try:
            storage = optuna.storages.RDBStorage(
                url,
                heartbeat_interval=_HEARTBEAT,
                grace_period=3 * _HEARTBEAT,
                heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=2),
                engine_kwargs={"connect_args": {"timeout": 60}} if url.startswith("sqlite") else None,
            )
            return optuna.create_study(
                study_name=options.name,
                storage=storage,
                sampler=sampler,
                pruner=pruner,
                direction="maximize" if greater else "minimize",
                load_if_exists=True,
            )
        except ImportError as error:
            raise TuningError(f"{url}: its driver is missing ({error.name}); pip install it") from error
        except Exception as error:
            # Two workers that begin together both make the tables; the one that loses finds them made.
            if attempt + 1 < _ATTEMPTS and "://" in url and "sqlalchemy.exc" in type(error).__module__:
                time.sleep(0.5 * 2**attempt)
                continue
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise TuningError(f"{_without_password(url)}: the study cannot be opened ({reason})") from error
    raise AssertionError("unreachable")


def _without_password(url: str) -> str:
    head, sign, tail = url.partition("@")
    return f"{head.rpartition(':')[0]}:***@{tail}" if sign else url


def _same_question(study: Any, task: str, base: str, recipe: Recipe, space: Sequence[Dimension]) -> None:
    """Trials of another question would mislead the sampler. Raises TuningError."""
    identity = json.dumps(
        {"task": task, "base": base, "recipe": unstructure(recipe), "space": sorted(map(str, space))}, sort_keys=True
    )
    digest = hashlib.sha256(identity.encode()).hexdigest()
    known = study.user_attrs.get("identity")
    if known is None:
        study.set_user_attr("identity", digest)
        study.set_user_attr("space", [str(each) for each in space])
    elif known != digest:
        raise TuningError(
            f"the study {study.study_name!r} was made for another task, base, recipe or search space "
            f"({'; '.join(study.user_attrs.get('space', []))}); choose another --out or --study"
        )


def summarise(optuna: Any, study: Any, recipe: Recipe, out: Path, metric: str, stopped: bool) -> Tuned:
    """Read the study, and write what a person takes away from it."""
    from codehunch_training.tuning.page import write_study

    trials = [
        {
            "number": trial.number,
            "state": trial.state.name,
            "value": trial.value,
            "params": trial.params,
            "folder": trial.user_attrs.get(_FOLDER, ""),
            "metrics": trial.user_attrs.get("metrics", {}),
            "reports": {int(step): value for step, value in trial.intermediate_values.items()},
            "seconds": (trial.datetime_complete - trial.datetime_start).total_seconds()
            if trial.datetime_complete and trial.datetime_start
            else None,
        }
        for trial in study.get_trials(deepcopy=False)
    ]
    complete = [each for each in trials if each["state"] == "COMPLETE"]
    best, best_recipe, run = None, None, None
    if complete:
        winner = study.best_trial
        best, best_recipe = float(winner.value), recipe
        for field, value in winner.params.items():
            best_recipe = best_recipe.set(field, value)
        run = out / "trials" / winner.user_attrs[_FOLDER]
        write_text(out / "best.toml", to_toml(best_recipe))
    tuned = Tuned(out, metric, best, best_recipe, run, trials, importances(optuna, study), stopped)
    write_study(tuned, study.direction.name == "MAXIMIZE")
    return tuned


def importances(optuna: Any, study: Any) -> dict[str, float]:
    """How much of the difference between good trials and the rest each field explains (PED-ANOVA, Watanabe et al.
    2023); empty with fewer than four finished trials."""
    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(complete) < 4 or len({trial.value for trial in complete}) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = optuna.importance.get_param_importances(
                study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
            )
        except (ValueError, RuntimeError):
            return {}
    return {name: float(value) for name, value in found.items()}
