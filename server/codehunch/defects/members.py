"""Attributes that everybody uses."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def common_members() -> dict[str, int]:
    """Names of attributes, numbered from the most common one on. ``default_defects members`` collects them."""
    text = resources.files(__package__).joinpath("members.txt").read_text(encoding="utf-8")
    return {name: number for number, name in enumerate(text.split())}
