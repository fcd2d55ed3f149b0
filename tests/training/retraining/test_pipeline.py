"""A whole run on a tiny repository: promoted or kept, resumed from anywhere, never a broken store."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from retraining_tools import RECIPE, TINY, made_function, make_repository, options

pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("optimum.exporters.onnx", reason="needs the train extra")

from codehunch.bundles import store
from codehunch.bundles.bundle import load_bundle
from codehunch_training.retraining.mixing import SHARES
from codehunch_training.retraining.options import RetrainError, Tuning
from codehunch_training.retraining.pipeline import Outcome, retrain
from codehunch_training.retraining.telling import Silent, Stopped

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")


def active() -> str:
    manifest = store.active_bundle("defects").manifest
    return f"{manifest.id} {manifest.version}"


class Listener(Silent):
    """Remembers what was told; ends the run, as a crash would, when a stage begins."""

    def __init__(self, die_at: str = "", stop_at: str = "") -> None:
        self.stages: list[str] = []
        self.notes: list[str] = []
        self.die_at, self.stop_at = die_at, stop_at
        self.stopped = False

    def stage(self, name: str) -> None:
        self.stages.append(name)
        if self.die_at and name.startswith(self.die_at):
            raise SystemExit(9)
        if self.stop_at and name.startswith(self.stop_at):
            self.stopped = True

    def note(self, text: str) -> None:
        self.notes.append(text)


def run(repository: Path, listener: Listener | None = None, **changes: object) -> Outcome:
    teller = listener or Listener()
    outcome = retrain(options(repository, **changes), teller=teller, stop=lambda: teller.stopped)
    assert outcome is not None
    return outcome


def test_a_run_from_end_to_end(repository: Path, home: Path) -> None:
    listener = Listener()
    outcome = run(repository, listener)
    (found,) = outcome.result["tasks"].values()
    assert found["promoted"] == found["better"]
    assert (active() == "small 1") != found["promoted"]
    assert found["judged"]["functions"] == 12
    assert any("one step takes" in note for note in listener.notes)  # The estimate comes before the training.
    bundle = load_bundle(outcome.folder / "defects" / "bundle")
    bundle.verify()
    provenance = bundle.manifest.provenance
    (told,) = provenance["repositories"]
    assert (told["project"], told["licence"], told["commits_trained_on"]) == ("tiny", "MIT", 8)
    assert provenance["started_from"]["id"] == "small"
    assert provenance["recipe"]["seed"] == 0
    assert provenance["share"] in SHARES
    assert bundle.manifest.parity["agreement_int8"] >= 0.95
    assert set(bundle.manifest.metrics["held_out"]) == {"later", "general", "judged"}
    for name in ("report.html", "report.md"):
        text = (outcome.folder / name).read_text()
        for words in ("What was mined", "By kind", "Strongest findings", "Calibration", "tiny"):
            assert words in text
    assert "http" not in (outcome.folder / "report.html").read_text()
    assert not (outcome.folder / "defects" / "train").exists()


STAGES = ("mining", "turning", "judging the present", "measuring", "training", "exporting", "judging the new", "report")


def test_a_run_that_dies_anywhere_goes_on_from_there(repository: Path, home: Path) -> None:
    folders = set()
    begun: list[list[str]] = []
    for stage in STAGES:
        listener = Listener(die_at=stage)
        with pytest.raises(SystemExit):
            run(repository, listener)
        assert active() == "small 1"
        store.active_bundle("defects").verify()
        begun.append(listener.stages)
        (folder,) = (home / "retrain").iterdir()
        folders.add(folder)
    outcome = run(repository)
    assert {outcome.folder} == folders
    done = ["mining", *[stage for stages in begun for stage in stages if not stage.startswith("mining")]]
    # Every stage but the one it died in is done once: what was finished is not done again.
    assert all(sum(each.startswith(stage) for each in done) <= 2 for stage in STAGES)


def test_stopping_in_the_training_keeps_its_steps(repository: Path, home: Path) -> None:
    with pytest.raises(Stopped):
        run(repository, Listener(stop_at="training"))
    (folder,) = (home / "retrain").iterdir()
    assert (folder / "defects" / "train" / "checkpoint.pt").is_file()
    outcome = run(repository)
    assert outcome.folder == folder
    assert outcome.result["tasks"]["defects"]["training"]["steps"] == TINY.most_steps


def test_a_dry_run_estimates_and_trains_nothing(repository: Path, home: Path) -> None:
    listener = Listener()
    outcome = retrain(options(repository), teller=listener, dry=True)
    assert outcome is not None
    assert outcome.result["tasks"]["defects"]["plan"]["steps"] == TINY.most_steps
    assert not any(stage.startswith("training") for stage in listener.stages)
    assert active() == "small 1"
    assert not (outcome.folder / "defects" / "plan.json").exists()  # What the budget leaves is planned anew.
    assert run(repository).folder == outcome.folder


@pytest.mark.parametrize(
    ("functions", "commits", "changes", "message"),
    [
        (20, 10, {}, "4 functions came or changed"),
        (60, 10, {"seconds": 1.0}, "budget"),
        (60, 10, {"licences": frozenset({"Apache-2.0"})}, "not on the allow-list"),
    ],
    ids=["few later functions", "no time", "licence"],
)
def test_what_cannot_be_done_is_told_in_a_line(
    tmp_path: Path, home: Path, functions: int, commits: int, changes: dict[str, object], message: str
) -> None:
    path = make_repository(tmp_path / "work", functions, commits)
    with pytest.raises(RetrainError, match=message) as caught:
        run(path, **changes)
    assert "\n" not in str(caught.value)
    assert active() == "small 1"


def test_without_docstrings_the_generation_model_stays(tmp_path: Path, home: Path) -> None:
    def bare(rng: random.Random, name: str) -> str:
        return "\n".join(line for line in made_function(rng, name).split("\n") if '"""' not in line)

    path = make_repository(tmp_path / "work", 60, 10, bare)
    with pytest.raises(RetrainError, match="no docstrings"):
        run(path, tasks=("generation",))


def test_what_cannot_be_done_leaves_its_time_to_the_other(tmp_path: Path, home: Path) -> None:
    def bare(rng: random.Random, name: str) -> str:
        return "\n".join(line for line in made_function(rng, name).split("\n") if '"""' not in line)

    path = make_repository(tmp_path / "work", 60, 10, bare)
    listener = Listener()
    recipe = attrs.evolve(RECIPE, defects=Tuning(batch_tokens=768))
    outcome = retrain(options(path, tasks=("defects", "generation"), recipe=recipe), teller=listener, dry=True)
    assert outcome is not None
    assert outcome.result["tasks"]["defects"]["plan"]["seconds"] > 300  # Of 600.
    assert any("no docstrings" in note for note in listener.notes)


def test_without_bug_fixes_injected_defects_train(repository: Path, home: Path) -> None:
    listener = Listener()
    retrain(options(repository), teller=listener, dry=True)
    assert any("no bug fixes" in note for note in listener.notes)


def command(repository: Path, home: Path, recipe: Path, *more: str) -> subprocess.Popen[str]:
    environment = {**os.environ, store.HOME_VARIABLE: str(home), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "codehunch", "retrain", "--repo", str(repository), "--budget", "10m",
         "--recipe", str(recipe), *more],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(
        "general_functions = 6\ninjections = 1\nmost_judged = 24\nleast_calibration_lines = 60\n"
        "[defects]\nbatch_tokens = 768\nmost_steps = 30\nvalidations = 1\ncheckpoint_seconds = 0.0\n"
    )
    return path


@pytest.mark.slow
def test_ctrl_c_says_that_nothing_is_lost(repository: Path, home: Path, recipe: Path) -> None:
    process = command(repository, home, recipe)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("training"):
            process.send_signal(signal.SIGINT)
            break
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130, errors
    assert "nothing is lost" in errors
    assert "Traceback" not in errors
    assert active() == "small 1"


@pytest.mark.slow
def test_killed_at_five_random_moments(repository: Path, home: Path, recipe: Path) -> None:
    rng = random.Random(4)
    started = time.monotonic()
    whole = command(repository, home, recipe)
    _, errors = whole.communicate(timeout=900)
    took = time.monotonic() - started
    assert whole.returncode in (0, 1), errors
    if active() != "small 1":
        store.rollback("defects")
    for number in range(5):
        # Another budget is another run: each is killed once and then goes on to its end.
        killed = command(repository, home, recipe, "--budget", f"{20 + number}m")
        time.sleep(rng.uniform(0.05, 0.9) * took)
        killed.kill()
        killed.communicate()
        before = active()
        store.active_bundle("defects").verify()
        assert before == "small 1" or killed.returncode in (0, 1)
        resumed = command(repository, home, recipe, "--budget", f"{20 + number}m")
        out, errors = resumed.communicate(timeout=900)
        assert resumed.returncode in (0, 1), errors
        assert "report:" in out
        if active() != "small 1":
            store.rollback("defects")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Makes a file system of so many MB; skips where none may be mounted."""
    path = tmp_path / "small"
    path.mkdir()
    mounted = False

    def make(megabytes: int) -> Path:
        nonlocal mounted
        if sys.platform != "linux" or os.geteuid() != 0:
            pytest.skip("mounts a small file system")
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
        mounted = subprocess.run(command, capture_output=True).returncode == 0
        if not mounted:
            pytest.skip("may not mount")
        return path

    yield make
    if mounted:
        subprocess.run(["umount", "--lazy", str(path)], check=True)  # Models are mapped into memory.


def test_a_disk_with_little_room(repository: Path, home: Path, recipe: Path, small_disk: Callable[[int], Path]) -> None:
    done = command(repository, small_disk(2), recipe)
    _, errors = done.communicate(timeout=600)
    assert done.returncode == 2
    assert "MB free" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("stage", ["training", "exporting", "report"])
def test_a_disk_that_fills_up(
    repository: Path,
    small_bundle: Path,
    small_disk: Callable[[int], Path],
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    home = small_disk(330)
    monkeypatch.setenv(store.HOME_VARIABLE, str(home))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    store.install(small_bundle)

    class Filler(Listener):
        def stage(self, name: str) -> None:
            super().stage(name)
            if name.startswith(stage):
                with contextlib.suppress(OSError), (home / "filler").open("wb", buffering=0) as file:
                    while True:
                        file.write(bytes(1 << 16))

    with pytest.raises(RetrainError, match="is full") as caught:
        run(repository, Filler())
    assert "\n" not in str(caught.value)
    assert active() == "small 1"
    store.active_bundle("defects").verify()
    (home / "filler").unlink()
    listener = Listener()
    outcome = run(repository, listener)
    assert outcome.result["tasks"]["defects"]["training"]["steps"] == TINY.most_steps
    assert not any(begun.startswith("turning") for begun in listener.stages)  # It went on.


def test_a_place_that_cannot_be_written(repository: Path, recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = command(repository, tmp_path / "file" / "home", recipe)
    _, errors = done.communicate(timeout=600)
    assert done.returncode == 2
    assert errors.startswith("error: ")
    assert str(tmp_path / "file") in errors
    assert len(errors.strip().splitlines()) == 1
