"""Does the score follow who wrote the code, when, and in which natural language, rather than what is wrong in it?

Asked of clean code alone, where every difference in score is unearned: a trait of style is compared with the score by
rank correlation, groups (authors, years, natural languages) by their false alarms. Longer code has more to be
suspicious of, so length is partialled out first. A finding needs two things: that chance does not explain it (the
normal approximation of the rank test, corrected for the number of questions by Holm 1979), and that it is large enough
to matter.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from codehunch_training.evaluation.breakdown import year_of
from codehunch_training.evaluation.predictions import Predictions
from codehunch_training.evaluation.style import natural_language, traits

LARGE_CORRELATION = 0.2
LARGE_RATIO = 1.5
"""Between a group's false alarms and everyone's."""
LARGE_SPREAD = 0.1
"""Between the mean rank (0 to 1) of a group's scores and everyone's."""
FEWEST = 20
"""Clean rows of a group that is judged."""
_AUTHORS = ("author", "author_name", "author_email")


@attrs.frozen
class Trait:
    """One question with its answer."""

    question: str
    about: str
    """``style``, ``age`` or ``language``."""
    correlation: float
    """Spearman's, with length partialled out."""
    chance: float
    """How often chance alone gives as much, corrected for all questions."""
    follows: bool


@attrs.frozen
class GroupAlarms:
    """One group of clean rows."""

    about: str
    """``author``, ``age``, ``language``, or one of the further ways."""
    name: str
    rows: int
    false_alarms: float
    """Share of its clean rows that are flagged."""
    mean_rank: float
    """Mean rank of its scores among all clean rows' scores, 0 to 1; 0.5 where the group is like the rest."""
    recall: float | None
    """Of its defective rows; None where it has fewer than five."""
    chance: float
    differs: bool


@attrs.frozen
class Fairness:
    rows: int
    """Clean rows looked at."""
    false_alarms: float
    traits: list[Trait]
    groups: list[GroupAlarms]
    missing: list[str]
    """What could not be asked, and why."""

    @property
    def findings(self) -> list[str]:
        """One sentence for each thing that the score follows."""
        out = [
            f"The score follows {each.question}: rank correlation {each.correlation:+.2f} on clean code."
            for each in self.traits
            if each.follows
        ]
        return out + [
            f"{each.about} {each.name}: {each.false_alarms:.1%} false alarms against {self.false_alarms:.1%} of all, "
            f"mean rank {each.mean_rank:.2f}."
            for each in self.groups
            if each.differs
        ]


def fairness(
    predictions: Predictions, threshold: float = 0.5, further: Mapping[str, Sequence[str]] | None = None
) -> Fairness | None:
    """The page's content; None where there is no score or too little clean code. ``further``: more ways to group rows,
    each with the name of every row's group, empty for none."""
    scores = predictions.scores
    if scores is None:
        return None
    wrong = predictions.defective
    clean = [at for at in range(len(wrong)) if not wrong[at] and predictions.text(at).strip()]
    if len(clean) < FEWEST:
        return None
    ranks = _ranks(scores[clean])
    lengths = _ranks(np.array([len(predictions.text(at)) for at in clean], dtype=float))
    rest = _residual(ranks, lengths)
    missing: list[str] = []
    asked = _traits(predictions, clean, lengths, rest, missing)
    groups = _groups(predictions, clean, scores, threshold, rest, missing, further or {})
    chances = _holm([each.chance for each in asked] + [each.chance for each in groups])
    asked = [
        attrs.evolve(each, chance=p, follows=p < 0.01 and abs(each.correlation) >= LARGE_CORRELATION)
        for each, p in zip(asked, chances, strict=False)
    ]
    overall = float((scores[clean] >= threshold).mean())
    groups = [
        attrs.evolve(each, chance=p, differs=p < 0.01 and _large(each, overall))
        for each, p in zip(groups, chances[len(asked) :], strict=True)
    ]
    return Fairness(len(clean), overall, asked, groups, missing)


def _large(group: GroupAlarms, overall: float) -> bool:
    ratio = group.false_alarms / overall if overall else 1.0
    return abs(group.mean_rank - 0.5) >= LARGE_SPREAD or ratio >= LARGE_RATIO


def _traits(
    predictions: Predictions,
    clean: Sequence[int],
    lengths: NDArray[np.float64],
    rest: NDArray[np.float64],
    missing: list[str],
) -> list[Trait]:
    table = [traits(predictions.text(at)) for at in clean]
    names = list(dict.fromkeys(name for row in table for name in row))
    found = []
    for name in names:
        kept = [at for at, row in enumerate(table) if name in row]
        values = np.array([table[at][name] for at in kept])
        found += _asked(f"the style trait “{name}”", "style", values, kept, lengths, rest)
    years = [(number, int(year)) for number, at in enumerate(clean) if (year := year_of(predictions.rows[at]))]
    if len({year for _, year in years}) > 1:
        values = np.array([float(year) for _, year in years])
        found += _asked("the age of the code", "age", values, [number for number, _ in years], lengths, rest)
    else:
        missing.append("age: the rows have no date, or one year only")
    return found


def _asked(
    question: str,
    about: str,
    values: NDArray[np.float64],
    kept: Sequence[int],
    lengths: NDArray[np.float64],
    rest: NDArray[np.float64],
) -> list[Trait]:
    if len(kept) < FEWEST or len(np.unique(values)) < 2:
        return []
    x = _residual(_ranks(values), lengths[kept])
    y = rest[kept]
    found = _correlation(x, y)
    return [Trait(question, about, found, _two_sided(found * math.sqrt(len(kept) - 1)), False)]


def _groups(
    predictions: Predictions,
    clean: Sequence[int],
    scores: NDArray[np.float64],
    threshold: float,
    rest: NDArray[np.float64],
    missing: list[str],
    further: Mapping[str, Sequence[str]],
) -> list[GroupAlarms]:
    rows = predictions.rows
    author = next((name for name in _AUTHORS if any(rows[at].get(name) for at in clean)), "")
    ways = {
        "age": {at: year_of(rows[at]) for at in range(len(rows))},
        "language": {at: natural_language(predictions.text(at)) for at in range(len(rows))},
    }
    if author:
        ways = {"author": {at: str(rows[at].get(author) or "") for at in range(len(rows))}, **ways}
    else:
        missing.append("author: the rows name no author; style is asked by traits alone")
    ways |= {about: dict(enumerate(names)) for about, names in further.items()}
    wrong = predictions.defective
    position = _ranks(rest) / max(1, len(rest) - 1)
    found = []
    for about, names in ways.items():
        counts = Counter(names[at] for at in clean if names[at])
        if len(counts) < 2:
            if about == "language":
                missing.append("language: all identifiers are of one natural language")
            continue
        for name, count in counts.most_common(12):
            if count < FEWEST:
                continue
            inside = np.array([names[at] == name for at in clean])
            chosen = np.array(clean)[inside]
            # Drawn without putting back, a group that is nearly everyone can hardly differ.
            error = position.std() * math.sqrt((1 / count) * (1 - count / len(clean)) * len(clean) / (len(clean) - 1))
            far = (float(position[inside].mean()) - float(position.mean())) / error if error > 1e-12 else 0.0
            defective = [at for at in names if wrong[at] and names[at] == name]
            recall = float((scores[defective] >= threshold).mean()) if len(defective) >= 5 else None
            found.append(
                GroupAlarms(
                    about,
                    name,
                    count,
                    float((scores[chosen] >= threshold).mean()),
                    float(position[inside].mean()),
                    recall,
                    _two_sided(far),
                    False,
                )
            )
    return found


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 0, ties given their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    result: NDArray[np.float64] = (np.cumsum(counts) - (counts + 1) / 2)[inverse]
    return result


def _residual(values: NDArray[np.float64], by: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is left of ``values`` when a straight line through ``by`` is taken away."""
    x, y = by - by.mean(), values - values.mean()
    spread = float((x * x).sum())
    return y - x * (float((x * y).sum()) / spread) if spread else y


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    spread = float(x.std() * y.std())
    return float(((x - x.mean()) * (y - y.mean())).mean() / spread) if spread > 1e-12 else 0.0


def _two_sided(z: float) -> float:
    return math.erfc(abs(z) / math.sqrt(2))


def _holm(chances: Sequence[float]) -> list[float]:
    """Holm's step-down correction, in the order given."""
    order = sorted(range(len(chances)), key=lambda at: chances[at])
    found, worst = [0.0] * len(chances), 0.0
    for rank, at in enumerate(order):
        worst = max(worst, min(1.0, (len(chances) - rank) * chances[at]))
        found[at] = worst
    return found
