"""How a function reads to the model as a whole: which of several programs that all fit is the one a person wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from codehunch.defects.expression_variants import Variant
from codehunch.defects.rewrites import apply
from codehunch.defects.surroundings import Surroundings
from codehunch.defects.units import Unit, cut
from codehunch.defects.verification import read_units
from codehunch.inference.classifier import Classifier
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse

_SUSPICION = 2.0
"""What a token that the model takes to be wrong costs an edit, in the measure of its own cost: found with slips that
were put into functions of a collection of algorithms that nothing was trained on."""


class Naturalness:
    """Reads functions of one file, each given as the statement that defines it."""

    def __init__(
        self,
        classifier: Callable[[], Classifier],
        surroundings: Surroundings | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self._classifier, self._surroundings, self._cancelled = classifier, surroundings, cancelled

    def context(self, text: str) -> str:
        """What of the file bears on how a function reads: equal for two files that look alike from there."""
        unit = self._unit(text, 0)
        return unit.around.to_json() if unit is not None and unit.around is not None else ""

    def ranked(self, text: str, mended: Sequence[Variant]) -> tuple[Variant, ...]:
        """Edits of a text, the most natural first. Raises Cancelled, InferenceError."""
        places = [each.edits[0].span.start for each in mended]
        suspicions = self.suspicion([apply(text, each.edits) for each in mended], places)
        costs = [each.cost + _SUSPICION * suspicion for each, suspicion in zip(mended, suspicions, strict=True)]
        return tuple(mended[at] for at in sorted(range(len(costs)), key=costs.__getitem__))

    def suspicion(self, texts: Sequence[str], places: Sequence[int]) -> list[float]:
        """How many tokens the model takes to be wrong of the function at a place of each text: the sum of their
        probabilities. Raises Cancelled, InferenceError."""
        units = [self._unit(text, place) for text, place in zip(texts, places, strict=True)]
        known = [unit for unit in units if unit is not None]
        readings = iter(read_units(known, self._classifier(), self._cancelled))
        return [float(next(readings).suspicion.sum()) if unit is not None else float("inf") for unit in units]

    def _unit(self, text: str, place: int) -> Unit | None:
        parsed = parse(text)
        functions = [each for each in find_functions(parsed) if not each.nesting]
        at = next((each for each in functions if each.span.start <= place < each.span.end), None)
        return cut(parsed, at or functions[0], self._surroundings) if functions else None
