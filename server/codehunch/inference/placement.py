"""Where the graphs of a bundle are to run. Plain values: importing this loads no runtime."""

from __future__ import annotations

import logging
from collections.abc import Callable

import attrs

logger = logging.getLogger(__name__)


@attrs.frozen
class Endpoint:
    """Where a model server listens, and how long it may take."""

    url: str
    """``http://`` or ``https://``, host, optional port and path; what stands before ``/v2``."""
    timeout: float = 10.0
    """Seconds for one answer, all attempts together."""
    connect_timeout: float = 2.0
    """Seconds for one connection."""
    attempts: int = 3
    pause: float = 0.2
    """Seconds before the second attempt, on average; every later pause is twice as long."""


@attrs.frozen
class Placement:
    """How the graphs of a bundle are run."""

    threads: int | None = None
    """Threads of a local session; None: all cores but one."""
    endpoint: Endpoint | None = None
    """A model server that is asked first."""
    notify: Callable[[str], None] = attrs.field(default=logger.warning, eq=False)
    """Hears, in a sentence for the person, when the server fails and when it is back."""


def placement_of(threads: int | None, url: str | None, notify: Callable[[str], None] | None = None) -> Placement:
    """The placement that settings ask for."""
    return Placement(threads, Endpoint(url) if url is not None else None, notify or logger.warning)
