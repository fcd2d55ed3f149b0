"""Functions that do not give what their own examples show, and the edits after which they do.

A description says what a function gives: a doctest, ``f(2) == 4``, an assertion of the file. The interpreter computes
what it does give (``codehunch.interpreter``; nothing of the file is run), and where the two differ, one of them is
wrong, whatever a model thinks of it. Small edits of the function are then tried against all the examples.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

import attrs

from codehunch.defects.expression_variants import GUESS, Variant
from codehunch.defects.rewrites import apply
from codehunch.defects.variants import variants
from codehunch.interpreter.agreement import agrees, contradicts
from codehunch.interpreter.file_statements import defined_name
from codehunch.interpreter.program import Outcome, Program
from codehunch.interpreter.running import STEPS
from codehunch.synthesis.examples import Example, examples_of

_EFFORT = 400_000
"""Steps for the edits of one function."""
_PER_VARIANT = 150
"""Steps that reading an edited function is worth, however little it then does."""
_STEPS_BESIDE = 2_000
"""Steps that an edited function may take besides three times those of the one it was."""
_WORSE = 1.5
"""What an edit may cost more than the likeliest that fits, and be told."""
_MOST = 8

IsCancelled = Callable[[], bool]


@attrs.frozen(eq=False)
class Described:
    """A function whose description shows what it gives."""

    text: str
    """The statement of the file that defines it."""
    node: ast.FunctionDef
    examples: tuple[Example, ...]

    @property
    def key(self) -> tuple[str, str]:
        """Equal for two that are described alike."""
        return self.text, repr(self.examples)


@attrs.frozen(eq=False)
class Broken:
    """An example that the function does not follow."""

    example: Example
    outcome: Outcome


@attrs.frozen(eq=False)
class Disagreement:
    """A function and its examples."""

    described: Described
    broken: tuple[Broken, ...]
    mended: tuple[Variant, ...] = ()
    """Edits after which it follows all of them, the likeliest first."""


def described(text: str, asserted: Mapping[str, str]) -> Described | None:
    """The function that a statement of a file defines, where its description, or what the file asserts of it, shows
    what it gives; ``None`` for all else, and while it is being written. ``asserted`` are lines by function."""
    name = defined_name(text)
    if name is None or (name not in asserted and '"""' not in text and "'''" not in text):
        return None
    return _described(text, asserted.get(name, ""))


@lru_cache(2048)
def _described(text: str, asserted: str) -> Described | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    node = statements[-1] if statements else None
    if not isinstance(node, ast.FunctionDef) or all(map(is_stub, node.body)):
        return None
    description = ast.get_docstring(node, clean=True) or ""
    header = f"def {node.name}({ast.unparse(node.args)}):"
    examples = examples_of(f"{description}\n{asserted}", header)
    return Described(text, node, examples) if examples else None


def is_stub(statement: ast.stmt) -> bool:
    """Whether a statement only stands in for what is to come."""
    if isinstance(statement, ast.Raise) and statement.exc is not None:
        return "NotImplemented" in ast.unparse(statement.exc)
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def gives(node: ast.FunctionDef) -> bool:
    """Whether a function gives something anywhere: until then it has mostly not been written."""
    return any(isinstance(each, ast.Return | ast.Yield) and each.value is not None for each in ast.walk(node))


def disagreement(program: Program, function: Described, cancelled: IsCancelled | None = None) -> Disagreement | None:
    """What is wrong between a function and its examples, with what mends it; ``None`` where nothing is."""
    broken: list[Broken] = []
    longest, left = 0, _EFFORT
    for example in function.examples:
        if left < 0 or (cancelled is not None and cancelled()):
            break
        outcome = program.call(function.node.name, example.arguments)
        left -= outcome.steps if outcome.decided else STEPS
        if not outcome.decided:
            continue
        if agrees(outcome, example.result):
            longest = max(longest, outcome.steps)
        elif contradicts(outcome, example.result, bool(example.call)) and _is_stable(
            program, function, example, outcome
        ):
            broken.append(Broken(example, outcome))
            longest = max(longest, outcome.steps)
    if not broken:
        return None
    found = Disagreement(function, tuple(broken))
    found = attrs.evolve(found, mended=tuple(_mended(program, found, longest, cancelled)))
    return found if _is_meant(found) else None


def _is_meant(found: Disagreement) -> bool:
    """Whether the examples are about what the function is to give. What does not name it may be said of something else,
    unless a small edit makes several such examples hold; and until it gives anything it is mostly half written."""
    if found.broken[0].example.call:
        return bool(found.mended) or gives(found.described.node)
    return len(found.described.examples) > 1 and any(each.cost < GUESS - 1 for each in found.mended)


def _is_stable(program: Program, function: Described, example: Example, outcome: Outcome) -> bool:
    """Whether a result does not depend on the order of sets, which is chance."""
    again = program.call(function.node.name, example.arguments, backwards=True)
    return again.decided and again.error == outcome.error and repr(again.value) == repr(outcome.value)


def _mended(program: Program, found: Disagreement, longest: int, cancelled: IsCancelled | None) -> Iterator[Variant]:
    function = found.described
    lines = frozenset().union(*(each.outcome.lines for each in found.broken))
    results = [repr(each.example.result) for each in found.broken]
    first = [each.example for each in found.broken]
    examples = [*first, *(each for each in function.examples if each not in first)]
    steps, left = 3 * longest + _STEPS_BESIDE, _EFFORT
    best = math.inf
    count = 0
    written = gives(function.node)
    for variant in variants(function.text, function.node, lines, results):
        if not written and variant.kind != "missing-return":
            continue
        if left < 0 or count >= _MOST or variant.cost > best + _WORSE or (cancelled is not None and cancelled()):
            return
        changed = program.replaced(function.node.name, apply(function.text, variant.edits))
        left -= _PER_VARIANT
        for example in examples:
            outcome = changed.call(function.node.name, example.arguments, min(steps, STEPS))
            left -= outcome.steps if outcome.decided else steps // 4
            if not agrees(outcome, example.result):
                break
        else:
            best, count = min(best, variant.cost), count + 1
            yield variant
