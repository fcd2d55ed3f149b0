"""What a description says of the program that it describes: words that ask for operations, and kinds of values.

Operations that a word asks for are cheaper, so that programs of them are found first (as in TF-Coder; Shi, Bieber and
Singh 2022), and what makes a kind of value that nothing mentions is not tried at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from codehunch.syntax.words import split_words, stem
from codehunch.synthesis.bank import Expression
from codehunch.synthesis.forms import FORMS, Form
from codehunch.synthesis.operations import OPERATIONS, Operation

NAME = re.compile(r"[^\W\d]\w*")
_ASKED, _RARE = 2, 4
"""What an operation costs less that a word asks for, but one at least; and the cost from which one costs as much more
that none asks for."""
_UNSAID, _SAID = 1, 1
"""In the end: what an operation costs that no word asks for, and what a word is worth that some operation answers."""
_MAKES = {
    "f": re.compile(r"_0 / _1|math\.sqrt|float|statistics|sum\(_0\) / "),
    "(": re.compile(r"\(_0, _1\)"),
    "D": re.compile(r"dict\(|\{_item: "),
}
"""Operations that make a kind of value, by what shows in its kind or its text."""


_ALL: tuple[Operation | Form, ...] = (*OPERATIONS, *FORMS)
_WORDS: Mapping[Operation | Form, frozenset[str]] = {each: frozenset(map(stem, each.words)) for each in _ALL}


class Guidance:
    """The words of a task, and the names and kinds of values that it has."""

    def __init__(self, text: str, taken: Iterable[str], kinds: Sequence[str], results: Sequence[Any]) -> None:
        """``taken`` are names that hide built-ins of the same name, ``kinds`` those of the parameters and results."""
        self._words = frozenset(map(stem, split_words(text)))
        self._taken = frozenset(taken)
        self._shown = "".join(kinds) + repr(results)
        self.operations = [(each, self._cost(each)) for each in OPERATIONS if self._makes_sense(each)]
        """What is tried, with its cost here."""
        self.forms = [(each, self._cost(each)) for each in FORMS if self._makes_sense(each)]
        """The same of comprehensions."""

    def price(self, expression: Expression) -> int:
        """What an expression costs in view of the words as a whole: those that it answers, each once."""
        asked = [_WORDS[each] & self._words for each in _made_by(expression)]
        said = len(frozenset().union(*asked))
        return expression.cost + _UNSAID * sum(not each for each in asked) - _SAID * said

    def _cost(self, each: Operation | Form) -> int:
        if _WORDS[each] & self._words:
            return max(1, each.cost - _ASKED)
        return each.cost + _ASKED if each.cost >= _RARE else each.cost

    def _makes_sense(self, each: Operation | Form) -> bool:
        if not self._taken.isdisjoint(NAME.findall(each.template)):
            return False
        shows = next((shows for shows, made in _MAKES.items() if made.match(each.template)), "")
        return shows in self._shown or bool(_WORDS[each] & self._words)


def _made_by(expression: Expression) -> Iterator[Operation | Form]:
    """The operations of a program, as often as it has them."""
    if expression.made is not None:
        yield expression.made
    for part in expression.parts:
        yield from _made_by(part)
