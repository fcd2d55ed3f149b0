"""Candidates that nobody made up: the body of the most similar function of the workspace, or the statements below the
most similar comment of the file, with their names made to fit.

On packages that no model was trained on these are closer to what the person wrote than the answers of the small model
that ships (``benchmarks/generation.py``). They pass the same filters, and say where they come from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import attrs

from codehunch.generation.comments import alike_comments
from codehunch.generation.context import FileContext
from codehunch.generation.filters import placed
from codehunch.generation.prompt import Prompt, build_prompt
from codehunch.generation.samples import Asked, Sample, asked_of, fitted, likeness, samples_of
from codehunch.syntax.bodies import BodyRequest

SURE = 0.6
"""Likeness from which adapted bodies share half of their text with what was written, on average: they may be shown to
a person who did not ask."""
LEAST = 0.1
"""Likeness below which a body says nothing about another. Few of them are siblings before 0.3, but where many of them
agree they are right more often than the model."""
LEAST_COMMENT = 0.3
"""The same for statements below comments, of which nothing but a sentence is known."""
_TRIED = 8
_SHOWN = 2
"""Bodies a prompt has room for."""
_COMMENT_LINE = re.compile(r"(?m)^[ \t]*#.*\n?")

Retrieve = Callable[[Asked, str], tuple[Sample, ...]]
"""Samples of other files than the one at the path, the most promising first."""
Weigh = Callable[[str, str], float]
"""What the likeness of a sample counts for, by its origin and the path of the file that asks."""


@attrs.frozen
class Neighbour:
    """A sample, how much it looks like what is asked for, and its body made to fit."""

    sample: Sample
    likeness: float
    body: str


@attrs.frozen
class Adaptation:
    """A body that passed the filters."""

    text: str
    """As it goes into the file."""
    likeness: float
    origin: str


def neighbours(
    context: FileContext,
    request: BodyRequest,
    path: str = "",
    retrieve: Retrieve | None = None,
    weigh: Weigh | None = None,
    here: Sequence[Sample] | None = None,
) -> tuple[Neighbour, ...]:
    """What is most similar to what is asked for, the best first.

    For a docstring, functions of this file, as it is typed, and of the others; for a comment, what stands below other
    comments of this file. ``weigh`` says which of them proved useful before; ``here`` are the file's own functions, for
    who has read them already. Nothing inside ``request.replace`` is read.
    """
    asked = asked_of(context, request)
    if asked is None:
        return ()
    found: Iterable[tuple[float, Sample]]
    if request.kind == "comment":
        found = alike_comments(context, request, asked, LEAST_COMMENT, _TRIED)
    else:
        own = request.function.qualified_name if request.function is not None else ""
        around: Iterable[Sample] = (
            each
            for each in (samples_of(context) if here is None else here)
            if each.qualified_name != own and not each.qualified_name.startswith(f"{own}.")
        )
        others = retrieve(asked, path) if retrieve is not None else ()
        found = ((likeness(asked, each), each) for each in (*around, *others))

    def weighed(score: float, sample: Sample) -> float:
        return min(1.0, score * (weigh(sample.origin, path) if weigh is not None else 1.0))

    ranked = sorted(((weighed(*each), each[1]) for each in found), key=lambda pair: -pair[0])
    return tuple(Neighbour(each, score, fitted(asked, each)) for score, each in ranked[:_TRIED])


def prompt_with(context: FileContext, request: BodyRequest, near: Sequence[Neighbour]) -> Prompt:
    """The prompt of a request: the likest functions with their bodies made to fit, those of other files by name."""
    shown = (f"{each.sample.signature}\n{_COMMENT_LINE.sub('', each.body)}" for each in near[:_SHOWN])
    return build_prompt(context, request, [each.sample.signature for each in near if each.sample.path], shown)


def adaptations(
    context: FileContext, request: BodyRequest, near: Sequence[Neighbour], asked: bool, most: int
) -> list[Adaptation]:
    """Up to ``most`` different bodies, the likest first. Less is shown to a person who did not ask."""
    found: dict[str, Adaptation] = {}
    for each in near:
        if each.likeness < (LEAST if asked else SURE) or len(found) >= most:
            break
        text = placed(context, request, each.body)
        if text is not None:
            found.setdefault(text, Adaptation(text, each.likeness, each.sample.origin))
    return list(found.values())
