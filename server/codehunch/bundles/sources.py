"""Where a bundle comes from when it is installed: a folder, a zip file or a tar file.

A source hands out the blocks of its files by name, and refuses links, special files and names that lead out of the
bundle. Nothing is unpacked here: the store copies exactly the files the manifest lists.
"""

from __future__ import annotations

import contextlib
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

import attrs

from codehunch.bundles.bundle import check_file
from codehunch.bundles.errors import BundleError
from codehunch.bundles.manifest import GET_ANOTHER, MANIFEST_NAME, MAX_MANIFEST_BYTES

MAX_MEMBERS = 10_000
MAX_TOTAL_BYTES = 4 * 2**30
"""What an archive may hold unpacked. A larger bundle is unpacked by the person and installed as a folder."""

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")

_BLOCK = 2**20
_WHAT_TO_GIVE = "give a bundle's folder, .tar.gz or .zip"

# zipfile says NotImplementedError for an unknown compression and RuntimeError for an encrypted member.
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


@attrs.frozen
class Source:
    """An opened folder or archive."""

    path: Path
    names: tuple[str, ...] | None
    """Members in the order they are stored, where the source knows: reading in this order is fastest."""
    open: Callable[[str], IO[bytes]]
    """The stream of one member; BundleError where there is none."""

    def blocks(self, name: str) -> Iterator[bytes]:
        """The bytes of one member. Raises BundleError where it is absent or damaged."""
        try:
            with self.open(name) as stream:
                while block := stream.read(_BLOCK):
                    yield block
        except _UNREADABLE as error:
            raise BundleError(self.path, f"{name} cannot be read ({error})", GET_ANOTHER) from error

    def manifest(self) -> bytes:
        """The bytes of the manifest, bounded. Raises BundleError."""
        data = b""
        for block in self.blocks(MANIFEST_NAME):
            data += block
            if len(data) > MAX_MANIFEST_BYTES:
                raise BundleError(self.path, "its manifest is too large", GET_ANOTHER)
        return data


@contextlib.contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """A folder or archive to install from. Raises BundleError where it cannot be read as one."""
    if path.is_dir():
        yield Source(path, None, lambda name: _open_plain(path, name))
        return
    if not path.is_file():
        raise BundleError(path, "there is no such file or folder", _WHAT_TO_GIVE)
    with contextlib.ExitStack() as stack:
        try:
            if zipfile.is_zipfile(path):
                source = _zip_source(path, stack.enter_context(zipfile.ZipFile(path)))
            elif tarfile.is_tarfile(path):
                source = _tar_source(path, stack.enter_context(tarfile.open(path)))
            else:
                raise BundleError(path, "is not a complete bundle archive", _WHAT_TO_GIVE)
        except _UNREADABLE as error:
            raise BundleError(path, f"cannot be read ({error})", GET_ANOTHER) from error
        yield source


def _open_plain(folder: Path, name: str) -> IO[bytes]:
    check_file(folder, name)
    return (folder / name).open("rb")


def _zip_source(path: Path, archive: zipfile.ZipFile) -> Source:
    members: dict[str, zipfile.ZipInfo] = {}
    admit = _Gate(path).admit
    for info in archive.infolist():
        if not info.is_dir():
            admit(info.filename, info.file_size, stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG))
            members[info.filename] = info
    prefix = _prefix(path, members)

    def open_member(name: str) -> IO[bytes]:
        if prefix + name not in members:
            raise BundleError(path, f"{name} is missing", GET_ANOTHER)
        return archive.open(members[prefix + name])

    return Source(path, _below(members, prefix), open_member)


def _tar_source(path: Path, archive: tarfile.TarFile) -> Source:
    members: dict[str, tarfile.TarInfo] = {}
    admit = _Gate(path).admit
    for info in archive:
        if not info.isdir():
            name = info.name.removeprefix("./")
            admit(name, info.size, info.isreg())
            members[name] = info
    prefix = _prefix(path, members)

    def open_member(name: str) -> IO[bytes]:
        stream = archive.extractfile(members[prefix + name]) if prefix + name in members else None
        if stream is None:
            raise BundleError(path, f"{name} is missing", GET_ANOTHER)
        return stream

    return Source(path, _below(members, prefix), open_member)


class _Gate:
    """Lets the members of one archive pass, or says why not: the whole archive is judged before a byte is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0
        self._total = 0

    def admit(self, name: str, size: int, regular: bool) -> None:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name:
            raise BundleError(self._path, f"{name!r} leads out of the bundle", GET_ANOTHER)
        if not regular:
            raise BundleError(self._path, f"{name!r} is a link or a device", GET_ANOTHER)
        self._count += 1
        self._total += size
        if self._count > MAX_MEMBERS or self._total > MAX_TOTAL_BYTES:
            limit = f"{MAX_MEMBERS} files or {MAX_TOTAL_BYTES // 2**30} GiB"
            raise BundleError(self._path, f"holds more than {limit}", "unpack it and install the folder")


def _prefix(path: Path, names: dict[str, zipfile.ZipInfo] | dict[str, tarfile.TarInfo]) -> str:
    """ "" where the manifest lies at the top of the archive, "folder/" where it lies one folder down."""
    if MANIFEST_NAME in names:
        return ""
    below = [name for name in names if name.count("/") == 1 and name.endswith("/" + MANIFEST_NAME)]
    if len(below) != 1:
        problem = f"holds {len(below) or 'no'} {MANIFEST_NAME} at its top"
        raise BundleError(path, problem, "give an archive written by `codehunch bundles export`")
    return below[0].removesuffix(MANIFEST_NAME)


def _below(names: dict[str, zipfile.ZipInfo] | dict[str, tarfile.TarInfo], prefix: str) -> tuple[str, ...]:
    return tuple(name.removeprefix(prefix) for name in names if name.startswith(prefix))
