"""The folder of installed bundles, and the ones that came with the package.

Layout of the store: ``installed/<id>-<fingerprint>/`` never changes once it is there, ``state.json`` says which of
them serves each task, ``staging/`` holds what is being copied or deleted. A bundle becomes visible by one rename and
active by one rename of the state, so a process that dies half-way leaves the store as it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.resources
import os
from collections.abc import Iterator
from pathlib import Path

import attrs
import platformdirs

from codehunch.bundles.archives import write_archive
from codehunch.bundles.bundle import Bundle, load_bundle, sync_folder, write_bundle
from codehunch.bundles.errors import BundleError
from codehunch.bundles.manifest import MANIFEST_NAME, TASKS, Task, parse_manifest
from codehunch.bundles.sources import open_source
from codehunch.bundles.staging import discard, stage, sweep
from codehunch.bundles.state import EMBEDDED, State, locked, read_state, write_state

__all__ = [
    "Bundle",
    "BundleError",
    "Entry",
    "active_bundle",
    "default_bundle",
    "export",
    "find",
    "install",
    "list_bundles",
    "load_bundle",
    "open_entry",
    "remove",
    "rollback",
    "store_folder",
    "use",
    "verify",
    "write_bundle",
]

HOME_VARIABLE = "CODEHUNCH_HOME"
KEPT_PER_ID = 2
"""Folders kept of one bundle id: the newest and the one before it."""

_REINSTALL = "reinstall codehunch: `pip install --force-reinstall codehunch`"


@attrs.frozen
class Entry:
    """One row of the list: an installed or embedded bundle, readable or not."""

    name: str
    """Folder name in the store, or ``embedded:<task>``."""
    bundle: Bundle | None
    problem: str | None
    """Why ``bundle`` is None."""
    embedded: bool
    active: bool


def store_folder() -> Path:
    """Where bundles are installed: ``$CODEHUNCH_HOME/bundles``, else the user's data folder."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home or platformdirs.user_data_dir("codehunch", appauthor=False)).expanduser() / "bundles"


def default_bundle(task: Task) -> Bundle | None:
    """The bundle that came with the package, or ``None`` where it carries none. Raises BundleError if damaged."""
    folder = _embedded_folder(task)
    return load_bundle(folder, _REINSTALL) if (folder / MANIFEST_NAME).exists() else None


def active_bundle(task: Task, warnings: list[str] | None = None, *, check_hashes: bool = True) -> Bundle:
    """The bundle that serves ``task``: the person's choice, else the embedded one.

    A broken choice never stops the work: the embedded bundle steps in and the reason is appended to ``warnings``.
    Raises BundleError only where the embedded one is absent or broken too.
    """
    problem: BundleError | None = None
    try:
        name = read_state(store_folder()).active(task)
        if name != EMBEDDED:
            bundle = _load_installed(name)
            if bundle.manifest.task != task:
                raise BundleError(bundle.path, f"serves {bundle.manifest.task}, not {task}", _remedy(name))
            if check_hashes:
                bundle.verify()
            return bundle
    except BundleError as error:
        problem = error
    embedded = default_bundle(task)
    if embedded is None:
        remedy = "install one with `codehunch bundles install`"
        raise problem or BundleError(_embedded_folder(task), f"there is no bundle for {task}", remedy)
    if check_hashes:
        embedded.verify()
    if problem is not None and warnings is not None:
        warnings.append(f"{problem} (using {embedded.manifest.id}, which came with codehunch)")
    return embedded


def install(source: Path | str, *, activate: bool = True) -> Bundle:
    """Copy a bundle from a folder or archive into the store and, unless told otherwise, make it active.

    The copy is checked against the manifest before it becomes visible. Installing the same bundle twice changes
    nothing. Raises BundleError; the store is then as it was.
    """
    with open_source(Path(source)) as opened, _writing() as root:
        data = opened.manifest()
        manifest = parse_manifest(data, f"{opened.path}{os.sep}{MANIFEST_NAME}")
        if manifest.task not in TASKS:
            remedy = f"run {', '.join(manifest.needed_files())} with onnxruntime where it is"
            raise BundleError(opened.path, f"no command here serves {manifest.task}", remedy)
        name = f"{manifest.id}-{hashlib.sha256(data).hexdigest()[:12]}"
        staged = stage(opened, data, manifest, root)
        target = root / "installed" / name
        target.parent.mkdir(exist_ok=True)
        if not _intact(name):
            discard(root, target)
            os.replace(staged, target)
            sync_folder(target.parent)
        os.utime(target)
        state = _state_for_writing(root)
        if activate:
            state = state.chosen(manifest.task, name)
        write_state(root, _pruned(root, state, manifest.id))
        return _load_installed(name)


def use(reference: str) -> Bundle:
    """Make a bundle active: an id, ``id@version``, a folder name, or ``embedded:<task>``. Raises BundleError."""
    with _writing() as root:
        entry = find(reference)
        bundle = open_entry(entry)
        bundle.verify()
        name = EMBEDDED if entry.embedded else entry.name
        write_state(root, _state_for_writing(root).chosen(bundle.manifest.task, name))
        return bundle


def remove(reference: str) -> tuple[str, ...]:
    """Delete installed bundles and return their folder names; an id means all its versions. Raises BundleError."""
    with _writing() as root:
        entries = [entry for entry in _matching(reference) if not entry.embedded]
        if not entries:
            find(reference)
            raise BundleError(
                reference, "came with codehunch and cannot be removed", "choose another with `bundles use`"
            )
        names = frozenset(entry.name for entry in entries)
        state = _state_for_writing(root)
        for task in TASKS:
            state = state.without(task, names)
        write_state(root, state)  # first: no moment at which the state names a folder that is gone
        for name in sorted(names):
            discard(root, root / "installed" / name)
        return tuple(sorted(names))


def rollback(task: Task) -> Bundle:
    """Undo the last choice for ``task`` and return the bundle that serves it now. Raises BundleError."""
    with _writing() as root:
        state = _state_for_writing(root)
        if not state.history[task]:
            raise BundleError(root, f"no earlier choice for {task} is known", "see `codehunch bundles list`")
        state = state.stepped_back(task)
        name = state.active(task)
        bundle = default_bundle(task) if name == EMBEDDED else _load_installed(name)
        if bundle is None:
            remedy = "choose one with `codehunch bundles use`"
            raise BundleError(_embedded_folder(task), f"no {task} bundle came with codehunch", remedy)
        bundle.verify()
        write_state(root, state)
        return bundle


def verify(reference: str | None = None) -> tuple[Entry, ...]:
    """Check the hashes of one bundle or of all; a row with a ``problem`` did not pass.

    Raises BundleError where ``reference`` names nothing.
    """
    entries = list_bundles() if reference is None else _matching(reference)
    if reference is not None and not entries:
        find(reference)
    checked = []
    for entry in entries:
        try:
            open_entry(entry).verify()
        except BundleError as error:
            entry = attrs.evolve(entry, bundle=None, problem=str(error))
        checked.append(entry)
    return tuple(checked)


def export(reference: str, out: Path | str) -> Path:
    """Write a bundle as one archive to ``out``: a ``.zip`` or ``.tar.gz`` file, or a folder to put it in."""
    bundle = open_entry(find(reference))
    bundle.verify()
    return write_archive(bundle, Path(out))


def list_bundles() -> tuple[Entry, ...]:
    """Every bundle: those that came with the package, then the installed ones by name; broken ones with the reason."""
    root = store_folder()
    try:
        state = read_state(root)
    except BundleError:
        state = State()
    entries = []
    for task in TASKS:
        if (_embedded_folder(task) / MANIFEST_NAME).exists():
            entries.append(_entry(f"{EMBEDDED}:{task}", _embedded_folder(task), True, state.active(task) == EMBEDDED))
    active = {state.active(task) for task in TASKS}
    installed = root / "installed"
    for folder in sorted(installed.iterdir()) if installed.is_dir() else ():
        entries.append(_entry(folder.name, folder, False, folder.name in active))
    return tuple(entries)


def find(reference: str) -> Entry:
    """The bundle a person means: the newest installed match, else an embedded one. Raises BundleError."""
    matches = _matching(reference)
    if not matches:
        raise BundleError(reference, "no such bundle", "see `codehunch bundles list`")
    installed = [entry for entry in matches if not entry.embedded]
    return max(installed, key=_age) if installed else matches[0]


def open_entry(entry: Entry) -> Bundle:
    """The bundle of a row. Raises the BundleError that made the row a broken one."""
    if entry.bundle is not None:
        return entry.bundle
    # Load again for the error itself: the row holds only its text.
    folder = _embedded_folder(entry.name.removeprefix(f"{EMBEDDED}:")) if entry.embedded else None
    return load_bundle(folder, _REINSTALL) if folder is not None else _load_installed(entry.name)


def _matching(reference: str) -> tuple[Entry, ...]:
    def names(entry: Entry) -> Iterator[str]:
        yield entry.name
        if entry.bundle is not None:
            yield entry.bundle.manifest.id
            yield f"{entry.bundle.manifest.id}@{entry.bundle.manifest.version}"
        else:  # a broken bundle can still be removed by its id
            yield entry.name.rpartition("-")[0]

    return tuple(entry for entry in list_bundles() if reference in names(entry))


def _age(entry: Entry) -> int:
    with contextlib.suppress(FileNotFoundError):
        return (store_folder() / "installed" / entry.name).stat().st_mtime_ns
    return 0


def _entry(name: str, folder: Path, embedded: bool, active: bool) -> Entry:
    try:
        return Entry(name, load_bundle(folder, _REINSTALL if embedded else _remedy(name)), None, embedded, active)
    except BundleError as error:
        return Entry(name, None, str(error), embedded, active)


def _load_installed(name: str) -> Bundle:
    return load_bundle(store_folder() / "installed" / name, _remedy(name))


def _intact(name: str) -> bool:
    try:
        _load_installed(name).verify()
    except BundleError:
        return False
    return True


def _remedy(name: str) -> str:
    return f"install it again, or run `codehunch bundles remove {name}`"


def _embedded_folder(task: str) -> Path:
    # Wheels are unpacked by every installer, so the resource is a real folder that onnxruntime can map.
    return Path(str(importlib.resources.files("codehunch.bundles"))) / "default" / task


@contextlib.contextmanager
def _writing() -> Iterator[Path]:
    """The store, locked and swept; errors of the file system come out as BundleError."""
    root = store_folder()
    try:
        with locked(root):
            sweep(root)
            yield root
    except OSError as error:
        remedy = f"check its permissions and free space, or set {HOME_VARIABLE} to another folder"
        raise BundleError(error.filename or root, f"cannot be written ({error.strerror or error})", remedy) from error


def _state_for_writing(root: Path) -> State:
    """The state to change. A damaged file is replaced, a newer one is left alone."""
    try:
        return read_state(root)
    except BundleError as error:
        if isinstance(error.__cause__, ValueError | KeyError | TypeError):
            return State()
        raise


def _pruned(root: Path, state: State, bundle_id: str) -> State:
    """Delete old versions of one id, but never a bundle that is active."""
    active = {state.active(task) for task in TASKS}
    entries = sorted((e for e in _matching(bundle_id) if not e.embedded), key=_age, reverse=True)
    doomed = frozenset(entry.name for entry in entries[KEPT_PER_ID:] if entry.name not in active)
    for task in TASKS:
        state = state.without(task, doomed)
    for name in doomed:
        discard(root, root / "installed" / name)
    return state
