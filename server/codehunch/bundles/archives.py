"""A bundle as one archive: the same bundle gives the same bytes, whenever and wherever it is written."""

from __future__ import annotations

import gzip
import os
import tarfile
import zipfile
from pathlib import Path
from typing import IO

from codehunch.bundles.bundle import Bundle
from codehunch.bundles.errors import BundleError
from codehunch.bundles.manifest import MANIFEST_NAME
from codehunch.bundles.sources import ARCHIVE_SUFFIXES

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_archive(bundle: Bundle, out: Path) -> Path:
    """Write ``bundle`` to ``out``, a ``.tar.gz``, ``.tgz``, ``.tar`` or ``.zip`` file or an existing folder.

    The archive holds one folder named after id and version. Raises BundleError.
    """
    stem = f"{bundle.manifest.id}-{bundle.manifest.version}"
    target = out / f"{stem}.tar.gz" if out.is_dir() else out
    if not target.name.lower().endswith(ARCHIVE_SUFFIXES):
        raise BundleError(target, "is not the name of an archive", f"end it in one of {', '.join(ARCHIVE_SUFFIXES)}")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    names = (MANIFEST_NAME, *sorted(bundle.manifest.files))  # the manifest first, so a reader meets it at once
    try:
        with temporary.open("wb") as stream:
            if target.name.lower().endswith(".zip"):
                _write_zip(bundle, names, stem, stream)
            elif target.name.lower().endswith(".tar"):
                _write_tar(bundle, names, stem, stream)
            else:
                with gzip.GzipFile("", "wb", 6, stream, mtime=0) as packed:
                    _write_tar(bundle, names, stem, packed)
        os.replace(temporary, target)
    except OSError as error:
        problem = f"cannot be written ({error.strerror or error})"
        raise BundleError(target, problem, "choose another place") from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _write_tar(bundle: Bundle, names: tuple[str, ...], stem: str, stream: IO[bytes] | gzip.GzipFile) -> None:
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in names:
            info = tarfile.TarInfo(f"{stem}/{name}")
            info.size = (bundle.path / name).stat().st_size
            info.mode = 0o644
            with (bundle.path / name).open("rb") as content:
                archive.addfile(info, content)


def _write_zip(bundle: Bundle, names: tuple[str, ...], stem: str, stream: IO[bytes]) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            info = zipfile.ZipInfo(f"{stem}/{name}", _ZIP_EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o100644 << 16
            info.create_system = 3
            size = (bundle.path / name).stat().st_size
            with (
                (bundle.path / name).open("rb") as content,
                archive.open(info, "w", force_zip64=size > 2**31) as member,
            ):
                while block := content.read(2**20):
                    member.write(block)
