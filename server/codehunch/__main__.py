"""``python -m codehunch`` is the command ``codehunch``."""

from __future__ import annotations

import sys

from codehunch.cli import main

if __name__ == "__main__":
    sys.exit(main())
