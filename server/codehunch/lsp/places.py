"""Where the server keeps what may be deleted at any time."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from codehunch.feedback import HOME_VARIABLE


def cache_folder() -> Path:
    """``$CODEHUNCH_HOME/cache``, else the user's cache folder."""
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home).expanduser() / "cache"
    return Path(platformdirs.user_cache_dir("codehunch", appauthor=False))
