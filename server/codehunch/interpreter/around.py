"""What is known of the project around a file: what its imports mean, and what tests say of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from codehunch.interpreter.program import Program


class Modules(Protocol):
    """The other files of a project, as one of its files imports them."""

    place: str
    """Where that file is."""

    def imported(self, name: str, level: int) -> Program | None:
        """What it imports under a name with so many dots before it; ``None`` where that is not of the project."""

    def submodule(self, name: str) -> Program | None:
        """A file of the package whose ``__init__`` it is."""

    def at(self, place: str) -> Program | None:
        """The file at a place, as it is now."""


@attrs.frozen
class Around:
    """What of the project around a file bears on what its functions give."""

    asserted: Mapping[str, str] = attrs.field(factory=dict)
    """Lines such as ``f(2) == 4`` that tests in other files hold to be true, by function: see ``synthesis.tests``."""
    modules: Modules | None = None
    tests: tuple[str, ...] = ()
    """Places of files with tests that may say something of it, the likeliest first."""


NOTHING_AROUND = Around()
