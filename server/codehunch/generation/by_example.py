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
from codehunch.interpreter.agreement import agrees, contradicts
from codehunch.interpreter.around import NOTHING_AROUND, Around, Modules
from codehunch.interpreter.program import Program
from codehunch.syntax.bodies import BodyRequest
from codehunch.syntax.sections import cut_at, section_starts
from codehunch.synthesis.bodies import body_of
from codehunch.synthesis.examples import Example, Parameters, assertions_of, examples_of, read_header
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
class Stated:
    """What is said of a function that has no body yet."""

    name: str
    parameters: Parameters
    examples: tuple[Example, ...]
    modules: Modules | None = None
    """What the file imports of its project."""


@attrs.frozen
class Exemplified:
    """A body that fits all examples and passed the filters."""

    text: str
    """As it goes into the file."""
    confidence: float
    examples: int
    """How many there are."""


def stated(context: FileContext, request: BodyRequest, around: Around = NOTHING_AROUND) -> Stated | None:
    """The examples of what is asked for; ``None`` where there are none, or the function cannot be called on its own.
    ``around`` is what the project says of the file."""
    function, text = request.function, context.parsed.text
    if request.kind != "docstring" or function is None:
        return None
    header = function.header.of(text)
    read = read_header(header)
    if read is None:
        return None
    name, parameters = read
    said = request.description, assertions_of(text).get(name, ""), around.asserted.get(name, "")
    examples = examples_of("\n".join(said), header)
    return Stated(name, parameters, examples, around.modules) if examples else None


def fits(context: FileContext, request: BodyRequest, body: str, asked: Stated) -> bool | None:
    """Whether the file with a body in place gives what all examples show; ``None`` where the interpreter cannot tell
    of some, and the others hold."""
    text, span = context.parsed.text, request.replace
    after = text[: span.start] + body + text[span.end :]
    program = Program([piece for _, piece in cut_at(after, list(section_starts(after)))], asked.modules)
    told = True
    for example in asked.examples:
        outcome = program.call(asked.name, example.arguments)
        if contradicts(outcome, example.result, bool(example.call)):
            return False
        told = told and agrees(outcome, example.result)
    return told or None


def exemplified(
    context: FileContext,
    request: BodyRequest,
    given: Stated,
    asked: bool,
    most: int,
    cancelled: Callable[[], bool] | None = None,
) -> list[Exemplified]:
    """Up to ``most`` different bodies that fit the examples, the best first. Less is tried for, and shown to, a person
    who did not ask."""
    text, examples, parameters = context.parsed.text, given.examples, given.parameters
    if not asked and len(examples) < _FEWEST:
        return []
    task = Task(parameters.names, examples, request.description, given.name, _hidden(context))
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
