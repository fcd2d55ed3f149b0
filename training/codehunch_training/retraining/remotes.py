"""Repositories by address: cloned bare, within a size and a time, running nothing of theirs."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from codehunch_training.corpus.repositories import open_repository
from codehunch_training.retraining.options import RetrainError

_ADDRESS = re.compile(r"^(https?|ssh|git|file)://|^[\w.-]+@[\w.-]+:")
_SETTINGS = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.pager=cat"),
    *("-c", "protocol.allow=never", "-c", "http.followRedirects=initial"),
    *("-c", "fetch.unpackLimit=1", "-c", "gc.auto=0", "-c", "credential.helper=", "-c", "init.templateDir="),
)
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
    "LC_ALL": "C",
}


def is_address(text: str) -> bool:
    """Whether git would have to fetch it: ``https://``, ``ssh://``, ``git://``, ``file://`` or ``user@host:path``."""
    return bool(_ADDRESS.match(text))


def clone(address: str, folder: Path, megabytes: int, minutes: float, stop: Callable[[], bool] = lambda: False) -> Path:
    """A bare clone below ``folder``; one that is there already is taken as it is.

    No checkout, so no filter or hook of the repository can run; no submodules, no credentials are asked for. Raises
    RetrainError where git fails or a limit is reached, and KeyboardInterrupt when ``stop`` says so; nothing is left.
    """
    path = _place(address, folder)
    if (path / "HEAD").is_file():
        return path
    part = path.with_name(path.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    protocol = address.partition("://")[0] if "://" in address else "ssh"
    command = ["git", *_SETTINGS, "-c", f"protocol.{protocol}.allow=always", "clone", "--bare", "--quiet"]
    process = subprocess.Popen(
        [*command, "--no-tags", "--single-branch", "--no-local", "--", address, str(part)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **_ENVIRONMENT},
        start_new_session=True,
    )
    started = time.monotonic()
    try:
        while True:
            try:
                _, errors = process.communicate(timeout=0.5)
                break
            except subprocess.TimeoutExpired:
                if stop():
                    raise KeyboardInterrupt from None
                if time.monotonic() - started > 60 * minutes:
                    raise RetrainError(f"{address}: cloning took longer than {minutes:g} minutes") from None
                if _size(part) > megabytes * 1_000_000:
                    raise RetrainError(f"{address}: larger than {megabytes:,} MB (repository_megabytes)") from None
        if process.returncode:
            lines = errors.decode("utf-8", "replace").strip().splitlines()
            reason = lines[-1].removeprefix("fatal: ") if lines else "git clone failed"
            raise RetrainError(f"{address}: {reason}")
        part.replace(path)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        shutil.rmtree(part, ignore_errors=True)
    return path


def head_of(name: str) -> str:
    """The newest commit of a folder or an address; empty where there is no answer."""
    if not is_address(name):
        try:
            return open_repository(Path(name)).head
        except ValueError:
            return ""
    protocol = name.partition("://")[0] if "://" in name else "ssh"
    command = ["git", *_SETTINGS, "-c", f"protocol.{protocol}.allow=always", "ls-remote", "--", name, "HEAD"]
    try:
        told = subprocess.run(
            command, capture_output=True, timeout=60, env={**os.environ, **_ENVIRONMENT}, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return ""
    return told.stdout.decode("ascii", "replace").partition("\t")[0].strip()


def newest(address: str, folder: Path) -> None:
    """Forget an earlier clone whose address has moved on since; without an answer the clone stays as it is."""
    path = _place(address, folder)
    if not (path / "HEAD").is_file():
        return
    told = head_of(address)
    if told and told != open_repository(path).head:
        shutil.rmtree(path, ignore_errors=True)


def _place(address: str, folder: Path) -> Path:
    name = re.sub(r"[^\w.-]+", "-", address.rstrip("/").removesuffix(".git").rpartition("/")[2].rpartition(":")[2])
    name = name.strip(".") or "repository"
    return folder / hashlib.sha256(address.encode()).hexdigest()[:10] / f"{name}.git"


def _size(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except OSError:  # git renames what it downloads.
                continue
    return total
