"""A bundle in its folder: reading, checking and writing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import attrs

from codehunch.bundles.errors import BundleError
from codehunch.bundles.manifest import (
    GET_ANOTHER,
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    FileRecord,
    Manifest,
    parse_manifest,
    render_manifest,
    unsafe_name,
)

_BLOCK = 2**20


@attrs.frozen
class Bundle:
    """A folder whose manifest was read and whose files are there with the right sizes."""

    path: Path
    manifest: Manifest
    remedy: str = attrs.field(default=GET_ANOTHER, eq=False, repr=False)
    """What a person should do when this bundle turns out broken."""

    def file(self, name: str) -> Path:
        """Where a file of the manifest lies; ``KeyError`` for one it does not list."""
        if name not in self.manifest.files:
            raise KeyError(name)
        return self.path / name

    def verify(self) -> None:
        """Compare every file with its SHA-256. Raises BundleError for the first that differs."""
        for name, record in self.manifest.files.items():
            path = self.path / name
            try:
                digest = sha256_of(path)
            except OSError as error:
                raise BundleError(path, f"cannot be read ({error.strerror or error})", self.remedy) from error
            if digest != record.sha256:
                raise BundleError(path, "its SHA-256 is not the one in the manifest", self.remedy)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the manifest file: names this exact model, for caches and for the store."""
        return sha256_of(self.path / MANIFEST_NAME)

    @property
    def size(self) -> int:
        """Bytes of all files, without the manifest."""
        return sum(record.size for record in self.manifest.files.values())


def load_bundle(folder: Path | str, remedy: str = GET_ANOTHER) -> Bundle:
    """The bundle in ``folder``, checked for its schema and for the presence and sizes of its files.

    The hashes are not computed here: Bundle.verify does that. Raises BundleError.
    """
    folder = Path(folder)
    where = folder / MANIFEST_NAME
    manifest = parse_manifest(_read_manifest(folder, remedy), where, remedy)
    for name, record in manifest.files.items():
        check_file(folder, name, remedy)
        size = (folder / name).stat().st_size
        if size != record.size:
            raise BundleError(folder / name, f"is {size} bytes long, the manifest says {record.size}", remedy)
    return Bundle(folder, manifest, remedy)


def check_file(folder: Path, name: str, remedy: str = GET_ANOTHER) -> None:
    """Raise BundleError unless ``folder/name`` is a regular file reached without a link."""
    path = folder
    for part in name.split("/"):
        path = path / part
        if path.is_symlink():
            raise BundleError(path, "is a link, which a bundle must not hold", remedy)
    if not path.is_file():
        raise BundleError(path, "is missing", remedy)


def write_bundle(folder: Path | str, manifest: Manifest) -> Bundle:
    """Make ``folder`` a bundle: hash the files that lie in it and write its manifest.

    ``manifest.files`` is replaced by what the folder holds; hidden files are left out. Raises BundleError for links,
    for kinds of files a bundle may not hold, and for a manifest that names files the folder lacks.
    """
    folder = Path(folder)
    files: dict[str, FileRecord] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name == MANIFEST_NAME or any(part.startswith(".") for part in name.split("/")):
            continue
        if path.is_dir() and not path.is_symlink():
            continue
        check_file(folder, name, "replace it by the file itself")
        problem = unsafe_name(name)
        if problem:
            raise BundleError(path, problem, "move it out of the folder")
        files[name] = FileRecord(sha256_of(path), path.stat().st_size)
    replace_file(folder / MANIFEST_NAME, render_manifest(attrs.evolve(manifest, files=files)))
    return load_bundle(folder)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def replace_file(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader, or a power cut, sees the old bytes or the new ones."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames inside ``folder`` durable, where the system can open folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_manifest(folder: Path, remedy: str) -> bytes:
    where = folder / MANIFEST_NAME
    if not folder.is_dir():
        raise BundleError(folder, "there is no such bundle folder", remedy)
    check_file(folder, MANIFEST_NAME, remedy)
    if where.stat().st_size > MAX_MANIFEST_BYTES:
        raise BundleError(where, "is too large for a manifest", remedy)
    try:
        return where.read_bytes()
    except OSError as error:
        raise BundleError(where, f"cannot be read ({error.strerror or error})", remedy) from error
