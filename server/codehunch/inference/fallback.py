"""Where a graph runs: here, or on a model server with this machine as the one that steps in."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

from codehunch.bundles.bundle import Bundle
from codehunch.inference.errors import InferenceError
from codehunch.inference.placement import Endpoint, Placement
from codehunch.inference.remote import RemoteError, RemoteModel
from codehunch.inference.session import CPU, create_session, reason_of, require_names

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_MEASURED_RUNS = 5
RETRY_AFTER = 60.0
"""Seconds for which a server that failed is left alone."""


class Session(Protocol):
    """What is asked of a graph; onnxruntime's InferenceSession is one."""

    def run(self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        """The named outputs, all where ``None``."""
        ...

    def warm_up(self, outputs: Sequence[str], feed: Mapping[str, NDArray[Any]]) -> None:
        """A first run, so that the next ones are fast."""
        ...

    def get_inputs(self) -> Sequence[Named]: ...

    def get_outputs(self) -> Sequence[Named]: ...


class Named(Protocol):
    """An input or output of a graph."""

    @property
    def name(self) -> str: ...


def model_name(bundle: Bundle, graph: str) -> str:
    """What a model server calls a graph: with the bundle's fingerprint, so that an answer is this very model's."""
    manifest = bundle.manifest
    name = f"{manifest.id}-{bundle.fingerprint[:12]}"
    only = [manifest.defects.graph] if manifest.defects is not None else []
    return name if [graph] == only else f"{name}-{Path(graph).stem.removesuffix('_model')}"


def open_session(
    bundle: Bundle, graph: str, placement: Placement, inputs: Sequence[str], outputs: Sequence[str]
) -> Session:
    """A session over one graph of a bundle. Raises InferenceError where the graph is none, or is another one's."""
    path = bundle.path / graph

    def local() -> Session:
        session = create_session(path, placement.threads)
        require_names(session, path, inputs, outputs)
        return LocalSession(session, path, placement.threads)

    if placement.endpoint is None:
        return local()
    return RemoteFirst(placement.endpoint, model_name(bundle, graph), local, placement.notify)


class LocalSession:
    """An onnxruntime session whose errors name the graph."""

    def __init__(self, session: Any, path: Path, threads: int | None = None) -> None:
        self._session, self._path, self._threads = session, path, threads

    def run(self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        """See Session.run. Raises InferenceError."""
        try:
            found: Sequence[NDArray[Any]] = self._session.run(outputs, feed)
        except Exception as error:  # onnxruntime's exceptions share no base but Exception.
            raise InferenceError(f"{self._path}: the graph cannot be run ({reason_of(error)})") from error
        return found

    def warm_up(self, outputs: Sequence[str], feed: Mapping[str, NDArray[Any]]) -> None:
        """See Session.warm_up. An accelerator is kept only where it is faster than the CPU on this graph: OpenVINO
        takes three times as long as the CPU provider on dynamically quantised ones."""
        self.run(outputs, feed)
        provider = self._session.get_providers()[0]
        if provider == CPU:
            return
        plain = create_session(self._path, self._threads, [CPU])
        there, here = (_median_seconds(each, outputs, feed) for each in (self._session, plain))
        if here < there:
            logger.info("%s: the CPU takes %.2f times as long as %s and runs it", self._path, here / there, provider)
            self._session = plain

    def get_inputs(self) -> Sequence[Named]:
        found: Sequence[Named] = self._session.get_inputs()
        return found

    def get_outputs(self) -> Sequence[Named]:
        found: Sequence[Named] = self._session.get_outputs()
        return found


class RemoteFirst:
    """A session on a model server. While that fails, this machine computes, and says so once."""

    def __init__(
        self,
        endpoint: Endpoint,
        name: str,
        local: Callable[[], Session],
        notify: Callable[[str], None] = logger.warning,
    ) -> None:
        self._endpoint, self._name = endpoint, name
        self._open, self._notify = local, notify
        self._remote: RemoteModel | None = None
        self._local: Session | None = None
        self._failed_at: float | None = None

    def run(self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        """See Session.run."""
        return self._either(lambda remote: _arrays(remote.run(outputs, feed)), lambda local: local.run(outputs, feed))

    def warm_up(self, outputs: Sequence[str], feed: Mapping[str, NDArray[Any]]) -> None:
        """See Session.warm_up: the server's affair, or this machine's when it steps in."""

    def get_inputs(self) -> Sequence[Named]:
        return self._either(lambda remote: _named(remote.tensors()[0]), lambda local: local.get_inputs())

    def get_outputs(self) -> Sequence[Named]:
        return self._either(lambda remote: _named(remote.tensors()[1]), lambda local: local.get_outputs())

    def _either(self, there: Callable[[RemoteModel], Answer], here: Callable[[Session], Answer]) -> Answer:
        if self._failed_at is None or time.monotonic() - self._failed_at >= RETRY_AFTER:
            try:
                if self._remote is None:
                    self._remote = RemoteModel(self._endpoint, self._name)
                found = there(self._remote)
            except RemoteError as error:
                if self._failed_at is None:
                    self._notify(f"{error}; computing on this machine instead")
                self._failed_at = time.monotonic()
            else:
                if self._failed_at is not None:
                    self._failed_at = None
                    self._notify(f"the model server {self._endpoint.url} answers again")
                return found
        if self._local is None:
            self._local = self._open()
        return here(self._local)


def _median_seconds(session: Any, outputs: Sequence[str], feed: Mapping[str, NDArray[Any]]) -> float:
    seconds = []
    for _ in range(_MEASURED_RUNS + 1):
        start = time.perf_counter()
        session.run(outputs, feed)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def _arrays(found: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
    return found


def _named(found: Sequence[Named]) -> Sequence[Named]:
    return found
