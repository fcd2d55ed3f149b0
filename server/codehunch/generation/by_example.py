"""Candidates that give what the examples of a docstring show: searched for, not guessed, and sure to fit them.

Examples are read in the docstring, and where the file asserts what the function gives. Nothing of the file is run: the
search composes operations of its own (``codehunch.synthesis``).
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable

import attrs

from codehunch.generation.context import FileContext
from codehunch.generation.filters import placed
from codehunch.syntax.bodies import BodyRequest
from codehunch.synthesis.bodies import body_of
from codehunch.synthesis.examples import assertions_of, examples_of, read_header
from codehunch.synthesis.search import EFFORT, Task, search

SURE = 0.9
"""Confidence from which a program is shown to who did not ask: of those that fit two examples as surely, five in six
fit a third that they were not shown (``benchmarks/generation.py --held-back``)."""
_FEWEST = 2
"""Examples that it then has to fit at least."""
_BUILT_IN = frozenset(dir(builtins))
_ASSIGNED = re.compile(r"(?m)^([^\W\d]\w*)[ \t]*(?::[^=\n]+)?=(?!=)")
"""Names that a line without indentation assigns to."""
_UNASKED = 4
"""What part of the effort is made for who did not ask."""


@attrs.frozen
class Exemplified:
    """A body that fits all examples and passed the filters."""

    text: str
    """As it goes into the file."""
    confidence: float
    examples: int
    """How many there are."""


def exemplified(
    context: FileContext, request: BodyRequest, asked: bool, most: int, cancelled: Callable[[], bool] | None = None
) -> list[Exemplified]:
    """Up to ``most`` different bodies that fit the examples, the best first; none where there are no examples, or the
    function cannot be called on its own. Less is tried for, and shown to, a person who did not ask."""
    function, text = request.function, context.parsed.text
    if request.kind != "docstring" or function is None:
        return []
    header = function.header.of(text)
    read = read_header(header)
    if read is None:
        return []
    name, parameters = read
    examples = examples_of(f"{request.description}\n{assertions_of(text).get(name, '')}", header)
    if not examples or (not asked and len(examples) < _FEWEST):
        return []
    task = Task(parameters.names, examples, request.description, name, _hidden(context))
    quote = '"' if text.count('"') > text.count("'") else "'"
    found: dict[str, Exemplified] = {}
    for program in search(task, EFFORT if asked else EFFORT // _UNASKED, cancelled):
        if len(found) >= most:
            break
        if not asked and program.confidence < SURE:
            continue
        body = placed(context, request, body_of(program.expression, parameters.names, quote))
        if body is not None:
            found.setdefault(body, Exemplified(body, program.confidence, len(examples)))
    return list(found.values())


def _hidden(context: FileContext) -> frozenset[str]:
    """Names that the file itself gives a meaning. What it imports hides built-ins alone: modules are imported too."""
    own = {function.name for function, _ in context.functions if function.qualified_name == function.name}
    assigned = _ASSIGNED.findall(context.parsed.text)
    return frozenset({*own, *context.classes, *assigned, *(name for name in context.imports if name in _BUILT_IN)})
