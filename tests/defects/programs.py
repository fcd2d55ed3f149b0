"""Random programs of nested statements, for what follows their paths to be run beside."""

from __future__ import annotations

import random
from collections.abc import Callable

HEADS = {
    "if": ("if coin():", ["elif coin():", "else:"]),
    "for": ("for {name} in coins({line}):", ["else:"]),
    "while": ("while coin():", ["else:"]),
    "try": ("try:", ["except ValueError as e:", "else:", "finally:"]),
    "suppress": ("with suppress(ValueError):", []),
    "handle": ("with handle({line}) as {name}:", []),
}
"""Statements that hold others: how they begin, and the clauses that can follow."""


def program(
    rng: random.Random,
    depth: int,
    simple: Callable[[str, str, int], str],
    kinds: tuple[str, ...],
    indent: str = "    ",
    lines: list[str] | None = None,
    loop: bool = False,
) -> list[str]:
    """Lines of random statements about ``x`` and ``y``. ``kinds`` are drawn from; those that are not of ``HEADS`` or
    ``leave`` become what ``simple`` makes of the kind, a name and the number of the line."""
    lines = lines if lines is not None else []
    for _ in range(rng.randrange(1, 4)):
        name, kind = rng.choice("xy"), rng.choice(kinds)
        if depth == 0 and kind in HEADS:
            kind = kinds[0]
        if kind == "leave":
            lines.append(f"{indent}if coin(): {rng.choice(('break', 'continue', 'return')) if loop else 'return'}")
            continue
        if kind not in HEADS:
            lines.append(indent + simple(kind, name, len(lines)))
            continue
        head, clauses = HEADS[kind]
        lines.append(indent + head.format(name=name, line=len(lines)))
        program(rng, depth - 1, simple, kinds, indent + "    ", lines, loop or kind in ("for", "while"))
        needed = kind == "try"  # A try has a handler here: without one an ``else`` would be no Python.
        for clause in clauses:
            if needed or rng.random() < 0.35:
                lines.append(indent + clause)
                program(rng, depth - 1, simple, kinds, indent + "    ", lines, loop and clause != "finally:")
            needed = False
    return lines
