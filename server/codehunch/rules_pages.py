"""Where the rule pages lie: inside the installed package, or in docs/rules of a checkout."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from codehunch.defects.kinds import kind_of_code


def rule_page(code: str) -> Traversable:
    """The Markdown page of a rule code. ``KeyError`` for an unknown code, FileNotFoundError for a broken install."""
    name = kind_of_code(code).page
    for folder in (files("codehunch") / "rules", Path(__file__).parents[2] / "docs" / "rules"):
        page = folder / name
        if page.is_file():
            return page
    raise FileNotFoundError(f"the page {name} is not part of this installation; install codehunch again")


def rule_uri(code: str) -> str | None:
    """``file:`` URI of a rule's page for editors; ``None`` where there is none, as in a zipped installation."""
    try:
        page = rule_page(code)
    except (KeyError, FileNotFoundError):
        return None
    return page.resolve().as_uri() if isinstance(page, Path) else None
