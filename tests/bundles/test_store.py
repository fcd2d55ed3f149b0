"""The store: what is active, what is kept, and what survives a crash or a second process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from codehunch.bundles import store
from codehunch.bundles.bundle import Bundle
from codehunch.bundles.errors import BundleError
from codehunch.bundles.manifest import MANIFEST_NAME
from codehunch.bundles.state import HISTORY_LENGTH, STATE_NAME, locked, read_state

Make = Callable[..., Bundle]


def active_id(task: str = "defects") -> str:
    return store.active_bundle(task).manifest.id  # type: ignore[arg-type]


def test_an_empty_store_has_nothing(home: Path) -> None:
    assert store.list_bundles() == ()
    assert store.default_bundle("defects") is None
    with pytest.raises(BundleError, match="there is no bundle for defects; install one with"):
        store.active_bundle("defects")
    assert not home.exists(), "looking must not create folders"


def test_the_home_variable_moves_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "mine"))
    assert store.store_folder() == tmp_path / "mine" / "bundles"
    monkeypatch.delenv(store.HOME_VARIABLE)
    assert store.store_folder().parent.name == "codehunch"


def test_the_embedded_bundle_serves_until_another_is_chosen(embedded: Bundle, make: Make) -> None:
    assert active_id() == "came-along"
    store.install(make("mine").path)
    assert active_id() == "mine"
    store.use("embedded:defects")
    assert active_id() == "came-along"
    assert store.rollback("defects").manifest.id == "mine"
    assert store.rollback("defects").manifest.id == "came-along"
    with pytest.raises(BundleError, match="no earlier choice for defects"):
        store.rollback("defects")


def test_install_keeps_the_bundle_before_for_rollback(home: Path, make: Make) -> None:
    store.install(make(version="1.0").path)
    store.install(make(version="2.0", weights="b").path)
    assert store.active_bundle("defects").manifest.version == "2.0"
    assert store.rollback("defects").manifest.version == "1.0"
    assert store.active_bundle("defects").manifest.version == "1.0"


def test_tasks_are_chosen_apart(home: Path, make: Make) -> None:
    store.install(make("d").path)
    store.install(make("g", task="generation").path)
    assert (active_id("defects"), active_id("generation")) == ("d", "g")
    assert [entry.name.partition("-")[0] for entry in store.list_bundles() if entry.active] == ["d", "g"]


def test_install_without_use(embedded: Bundle, make: Make) -> None:
    store.install(make("mine").path, activate=False)
    assert active_id() == "came-along"
    store.use("mine@1.0")
    assert active_id() == "mine"


def test_installing_twice_changes_nothing_and_repairs(home: Path, make: Make) -> None:
    source = make().path
    first = store.install(source)
    (first.path / "model.onnx").write_text("z" * 1000)
    assert store.verify()[0].problem is not None
    assert store.install(source) == first
    assert [entry.problem for entry in store.verify()] == [None]
    inode = first.path.stat().st_ino
    assert store.install(source) == first
    assert first.path.stat().st_ino == inode, "an intact bundle may be in use: it stays where it is"
    assert read_state(home).history["defects"] == (first.path.name,)


def test_two_versions_of_an_id_are_kept_and_older_ones_go(home: Path, make: Make) -> None:
    for version in ("1", "2", "3"):
        store.install(make(version=version, weights=version).path)
    kept = [entry.bundle.manifest.version for entry in store.list_bundles() if entry.bundle]
    assert sorted(kept) == ["2", "3"]
    assert store.rollback("defects").manifest.version == "2"
    with pytest.raises(BundleError, match=r"no earlier choice|no defects bundle came with codehunch"):
        store.rollback("defects")


def test_the_active_bundle_is_never_pruned(home: Path, make: Make) -> None:
    for version in ("1", "2"):
        store.install(make(version=version, weights=version).path)
    store.use("small@1")
    store.install(make(version="3", weights="3").path, activate=False)
    assert store.active_bundle("defects").manifest.version == "1"
    newest = store.find("small").bundle
    assert newest is not None
    assert newest.manifest.version == "3"


def test_the_history_stays_short(home: Path, make: Make) -> None:
    names = [store.install(make(f"b{n}").path).manifest.id for n in range(2)]
    for _ in range(HISTORY_LENGTH):
        for name in names:
            store.use(name)
    assert len(read_state(home).history["defects"]) == HISTORY_LENGTH


def test_removing_the_active_bundle_steps_back(embedded: Bundle, make: Make) -> None:
    store.install(make("one").path)
    two = store.install(make("two").path)
    assert store.remove("two") == (two.path.name,)
    assert not two.path.exists()
    assert active_id() == "one"
    store.remove("one")
    assert active_id() == "came-along"


def test_a_rollback_after_a_removal_always_changes_something(embedded: Bundle, make: Make) -> None:
    store.install(make("one").path)
    store.install(make("two").path)
    store.use("one")
    store.remove("two")
    assert store.rollback("defects").manifest.id == "came-along"


def test_an_id_removes_all_its_versions_and_a_version_only_itself(home: Path, make: Make) -> None:
    store.install(make(version="1").path)
    store.install(make(version="2", weights="b").path)
    assert len(store.remove("small@2")) == 1
    assert store.active_bundle("defects").manifest.version == "1"
    store.install(make(version="3", weights="c").path)
    assert len(store.remove("small")) == 2
    assert store.list_bundles() == ()


@pytest.mark.parametrize("action", [store.use, store.remove, store.find, store.verify])
def test_an_unknown_name(home: Path, action: Callable[[str], object]) -> None:
    for name in ("nothing", "../../etc", ""):
        with pytest.raises(BundleError, match="no such bundle; see `codehunch bundles list`"):
            action(name)


def test_the_embedded_bundle_cannot_be_removed(embedded: Bundle) -> None:
    with pytest.raises(BundleError, match="came with codehunch and cannot be removed"):
        store.remove("came-along")


def test_export_and_install_again(home: Path, make: Make, tmp_path: Path) -> None:
    manifest = store.install(make().path).manifest
    out = store.export("small", tmp_path)
    store.remove("small")
    assert store.install(out).manifest == manifest


def damage(folder: Path) -> None:
    (folder / "model.onnx").write_text("z" * 1000)


BROKEN_CHOICES = [
    (damage, "its SHA-256 is not the one in the manifest"),
    (lambda folder: (folder / "model.onnx").unlink(), "is missing"),
    (lambda folder: (folder / MANIFEST_NAME).write_text("{"), "not complete JSON"),
    (lambda folder: (folder / MANIFEST_NAME).write_text('{"schema": 9}'), "upgrade with `pip install -U codehunch`"),
    (shutil.rmtree, "no such bundle folder"),
    (lambda folder: (folder.parents[1] / STATE_NAME).write_text("{"), "not complete JSON"),
    (lambda folder: (folder.parents[1] / STATE_NAME).write_text('{"schema": 1}'), "lacks its history"),
    (lambda folder: (folder.parents[1] / STATE_NAME).write_text('{"schema": 7}'), "upgrade with"),
    (
        lambda folder: (folder.parents[1] / STATE_NAME).write_text(
            json.dumps({"schema": 1, "history": {"defects": ["../../x"], "generation": []}})
        ),
        "not a bundle's folder",
    ),
]


@pytest.mark.parametrize(("harm", "sentence"), BROKEN_CHOICES, ids=[sentence for _, sentence in BROKEN_CHOICES])
def test_a_broken_choice_falls_back_and_says_so(
    embedded: Bundle, make: Make, harm: Callable[[Path], object], sentence: str
) -> None:
    harm(store.install(make("mine").path).path)
    warnings: list[str] = []
    assert store.active_bundle("defects", warnings).manifest.id == "came-along"
    assert len(warnings) == 1
    assert sentence in warnings[0]
    assert warnings[0].endswith("(using came-along, which came with codehunch)")
    assert "\n" not in warnings[0]
    store.list_bundles()  # lists what is broken instead of failing
    store.verify()


def test_a_broken_choice_without_an_embedded_bundle_is_the_error(home: Path, make: Make) -> None:
    damage(store.install(make("mine").path).path)
    with pytest.raises(BundleError, match=r"SHA-256.*codehunch bundles remove mine-"):
        store.active_bundle("defects")
    assert store.active_bundle("defects", check_hashes=False).manifest.id == "mine"


def test_a_damaged_embedded_bundle_names_its_remedy(embedded: Bundle) -> None:
    damage(embedded.path)
    with pytest.raises(BundleError, match=r"SHA-256.*pip install --force-reinstall codehunch"):
        store.active_bundle("defects")


def test_a_bundle_of_the_other_task_does_not_serve(embedded: Bundle, make: Make, home: Path) -> None:
    name = store.install(make("g", task="generation").path).path.name
    history = {"defects": [name], "generation": []}
    (home / STATE_NAME).write_text(json.dumps({"schema": 1, "history": history}))
    warnings: list[str] = []
    assert store.active_bundle("defects", warnings).manifest.id == "came-along"
    assert "serves generation, not defects" in warnings[0]


def test_a_damaged_state_is_replaced_by_the_next_choice_but_a_newer_one_is_not(home: Path, make: Make) -> None:
    store.install(make("mine").path)
    (home / STATE_NAME).write_text("{")
    store.use("mine")
    assert active_id() == "mine"
    (home / STATE_NAME).write_text('{"schema": 7}')
    with pytest.raises(BundleError, match="upgrade with"):
        store.use("mine")
    assert (home / STATE_NAME).read_text() == '{"schema": 7}'


def test_a_broken_bundle_can_be_removed_by_its_id(home: Path, make: Make) -> None:
    bundle = store.install(make("mine").path)
    (bundle.path / MANIFEST_NAME).write_text("{")
    assert store.remove("mine") == (bundle.path.name,)


@pytest.mark.parametrize("source", ["nowhere", "file.txt"])
def test_a_source_that_is_none(home: Path, tmp_path: Path, source: str) -> None:
    (tmp_path / "file.txt").write_text("hello")
    with pytest.raises(BundleError, match=r"give a bundle's folder, \.tar\.gz or \.zip"):
        store.install(tmp_path / source)


def test_a_damaged_source_leaves_the_store_as_it_was(home: Path, make: Make) -> None:
    store.install(make("good").path)
    bad = make("bad").path
    damage(bad)
    with pytest.raises(BundleError, match=r"the SHA-256 of model\.onnx is not the one"):
        store.install(bad)
    assert active_id() == "good"
    assert [entry.name.partition("-")[0] for entry in store.list_bundles()] == ["good"]


def test_a_link_in_a_source_folder_is_refused(home: Path, make: Make, tmp_path: Path) -> None:
    source = make().path
    (source / "model.onnx").rename(tmp_path / "outside")
    (source / "model.onnx").symlink_to(tmp_path / "outside")
    with pytest.raises(BundleError, match=r"model\.onnx: is a link"):
        store.install(source)


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_folder_that_cannot_be_written(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "blocked").write_text("a file where a folder should be")
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "blocked"))
    with pytest.raises(BundleError, match="set CODEHUNCH_HOME to another folder"):
        store.install(make().path)


def test_what_a_dead_process_left_in_staging_is_swept(home: Path, make: Make) -> None:
    (home / "staging" / "half").mkdir(parents=True)
    (home / "staging" / "half" / "model.onnx").write_text("x")
    store.install(make().path)
    assert not (home / "staging" / "half").exists()


def test_the_lock_makes_others_wait_and_gives_up_with_a_sentence(home: Path) -> None:
    entered = threading.Event()
    with locked(home):
        with pytest.raises(BundleError, match=r"another codehunch is changing the bundles; wait"), locked(home, 0.1):
            pass

        def wait() -> None:
            with locked(home):
                entered.set()

        waiter = threading.Thread(target=wait)
        waiter.start()
        assert not entered.wait(0.1)
    assert entered.wait(5)
    waiter.join()


CRASH = """
import os, sys
from codehunch.bundles import bundle, staging, state, store
store._embedded_folder = lambda task: store.store_folder() / "no-embedded" / task
left = int(sys.argv[2])

def counted(real):
    def call(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return real(*arguments, **options)
    return call

# Die at the n-th of the calls that make something durable or visible.
for name in ("replace", "fsync", "utime"):
    setattr(os, name, counted(getattr(os, name)))
store.install(sys.argv[1])
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, text=True, capture_output=True, timeout=120
    )


def test_dying_at_any_moment_leaves_the_old_or_the_new_bundle(home: Path, make: Make) -> None:
    old = store.install(make("old").path)
    new = make("new", weights="n")
    for step in range(40):
        result = run(CRASH, str(new.path), str(step))
        assert result.returncode in (0, 9), result.stderr
        serving = store.active_bundle("defects")  # raises where the store was left damaged
        assert serving.manifest.id in ("old", "new")
        assert all(entry.problem is None for entry in store.verify())
        if result.returncode == 0:
            break
        assert step < 39
    assert active_id() == "new"
    assert store.rollback("defects") == old


RACE = """
import sys
from codehunch.bundles import store
store._embedded_folder = lambda task: store.store_folder() / "no-embedded" / task
for _ in range(8):
    mine = store.install(sys.argv[1]).manifest.id
    store.use(mine)
    store.verify(mine)
"""


def test_two_processes_at_once(home: Path, make: Make) -> None:
    sources = [str(make(name, weights=name).path) for name in ("one", "two")]
    results: list[subprocess.CompletedProcess[str]] = []
    threads = [threading.Thread(target=lambda source=source: results.append(run(RACE, source))) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.stderr for result in results] == ["", ""]
    assert active_id() in ("one", "two")
    assert len(store.list_bundles()) == 2
    assert all(entry.problem is None for entry in store.verify())
