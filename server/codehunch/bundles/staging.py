"""Copies in the making and folders on their way out: nothing here is visible to a reader of the store."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from codehunch.bundles.bundle import sync_folder
from codehunch.bundles.errors import BundleError
from codehunch.bundles.manifest import GET_ANOTHER, MANIFEST_NAME, Manifest
from codehunch.bundles.sources import Source

STAGING = "staging"


def sweep(root: Path) -> None:
    """Delete what a process that died left behind. The caller holds the lock, so nobody is using it."""
    shutil.rmtree(root / STAGING, ignore_errors=True)


def stage(source: Source, data: bytes, manifest: Manifest, root: Path) -> Path:
    """A complete, checked copy of the bundle in the staging folder."""
    (root / STAGING).mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=root / STAGING))
    folder.chmod(0o755)
    listed = manifest.files
    names = [n for n in source.names if n in listed] if source.names is not None else []
    for name in (*names, *(n for n in listed if n not in names)):
        _copy(source, name, listed[name].sha256, listed[name].size, folder / name)
    (folder / MANIFEST_NAME).write_bytes(data)
    for path in [folder, *folder.rglob("*")]:
        _sync(path)
    return folder


def _copy(source: Source, name: str, sha256: str, size: int, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    written = 0
    with target.open("xb") as stream:
        for block in source.blocks(name):
            written += len(block)
            if written > size:
                break
            digest.update(block)
            stream.write(block)
    if written != size:
        extent = "longer" if written > size else "shorter"
        raise BundleError(source.path, f"{name} is {extent} than its manifest says", GET_ANOTHER)
    if digest.hexdigest() != sha256:
        raise BundleError(source.path, f"the SHA-256 of {name} is not the one in the manifest", GET_ANOTHER)


def _sync(path: Path) -> None:
    if path.is_dir():
        sync_folder(path)
        return
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def discard(root: Path, folder: Path) -> None:
    """Take a folder out of sight by one rename, then delete it; what cannot be deleted now is swept later."""
    (root / STAGING).mkdir(exist_ok=True)
    doomed = Path(tempfile.mkdtemp(dir=root / STAGING))
    with contextlib.suppress(FileNotFoundError):
        os.replace(folder, doomed / "old")
    shutil.rmtree(doomed, ignore_errors=True)
