"""How a function reads to the model as a whole: which of several programs that all fit is the one a person wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from codehunch.defects.surroundings import Surroundings
from codehunch.defects.units import Unit, cut
from codehunch.defects.verification import read_units
from codehunch.inference.classifier import Classifier
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse


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
        unit = self._unit(text)
        return unit.around.to_json() if unit is not None and unit.around is not None else ""

    def suspicion(self, texts: Sequence[str]) -> list[float]:
        """How many tokens of each function the model takes to be wrong: the sum of their probabilities. Raises
        Cancelled, InferenceError."""
        units = [self._unit(text) for text in texts]
        known = [unit for unit in units if unit is not None]
        readings = iter(read_units(known, self._classifier(), self._cancelled))
        return [float(next(readings).suspicion.sum()) if unit is not None else float("inf") for unit in units]

    def _unit(self, text: str) -> Unit | None:
        parsed = parse(text)
        functions = [each for each in find_functions(parsed) if not each.nesting]
        return cut(parsed, functions[0], self._surroundings) if functions else None
