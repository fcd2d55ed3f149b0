"""The table of docs/editors/README.md, from what the tests saw."""

from __future__ import annotations

from collections.abc import Collection

EDITORS_SHOWN = ("VS Code", "Neovim 0.12", "Neovim 0.11", "Neovim 0.7", "Emacs 30", "Emacs 28", "Vim 9 + ALE", "Helix")
FEATURES = {
    "finding": "finding on exactly the wrong token",
    "hover": "why, on hovering",
    "fix": "repair as a quick fix",
    "gone": "gone once the mistake is mended",
    "live": "a setting counts without restart",
    "ghost": "body as ghost text, accepted, not offered again",
    "list": "body in the completion list",
}
CANNOT = {
    ("Neovim 0.12", "list"): "shown as ghost text",
    ("Neovim 0.11", "ghost"): "no",
    ("Neovim 0.7", "ghost"): "no",
    ("Emacs 30", "ghost"): "no",
    ("Emacs 28", "ghost"): "no",
    ("Vim 9 + ALE", "ghost"): "no",
    ("Helix", "ghost"): "no",
}
"""What an editor has no way to show."""


def table(seen: Collection[tuple[str, str]]) -> str:
    rows = ["| | " + " | ".join(EDITORS_SHOWN) + " |", "|---|" + "---|" * len(EDITORS_SHOWN)]
    for feature, words in FEATURES.items():
        marks = [
            "✓" if (editor, feature) in seen else CANNOT.get((editor, feature), "untested") for editor in EDITORS_SHOWN
        ]
        rows.append(f"| {words} | " + " | ".join(marks) + " |")
    return "\n".join(rows)
