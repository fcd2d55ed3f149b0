"""The command line. This file stays tiny: ``codehunch --version`` must not wait for imports."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from codehunch import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give back its exit code: 0 clean, 1 findings, 2 usage or internal error, 130 interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["--version"], ["-V"]):
        print(f"codehunch {__version__}")
        return 0
    try:
        from codehunch.cli.app import run

        return run(arguments)
    except KeyboardInterrupt:
        return 130
