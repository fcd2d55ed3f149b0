"""Is the new model better than the old one? Paired, on the same rows, with bootstrap intervals.

Defects: warnings are compared at the same alarm rate. Each model's threshold is the one at which it reports as many
places of the same clean functions as a sensitivity allows (0.3, 1 and 3 per 1,000 lines); the score is the share of
defects whose exact place is then reported, averaged over the three, as in a free-response ROC curve (Bunch et al.
1978). Functions are drawn with replacement and the thresholds found anew in every draw.

Bodies: nats per token of the text that was really written, and the edit similarity of what the model writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from codehunch_training.export.calibration import ALARM_BUDGETS

DRAWS = 1000
_LEVEL = 0.95


@attrs.frozen(eq=False)
class Interval:
    """A difference, new minus old, with its bootstrap interval and the probability of being above zero."""

    old: float
    new: float
    low: float
    high: float
    sure: float

    @property
    def difference(self) -> float:
        return self.new - self.old

    def as_json(self) -> dict[str, float]:
        return {key: round(value, 4) for key, value in {**attrs.asdict(self), "difference": self.difference}.items()}


@attrs.frozen
class Verdict:
    """Whether the new model takes the old one's place, and why in a sentence for the person."""

    better: bool
    why: str


@attrs.frozen(eq=False)
class Scores:
    """One model's confidences on a set of functions, as arrays."""

    lines: NDArray[np.float64]
    """[functions]"""
    clean: NDArray[np.float64]
    """[alarms]: confidences of places reported in clean functions, the highest first."""
    owner: NDArray[np.int64]
    """[alarms]: the function of each."""
    hits: NDArray[np.float64]
    """[cases]: confidence at the wrong place of each defective copy, 0 where nothing is reported there."""
    function: NDArray[np.int64]
    """[cases]: the function of each."""

    @staticmethod
    def of(functions: Sequence[Mapping[str, Any]], model: str) -> Scores:
        """From rows as ``defect_measure`` writes them."""
        clean = [(c, i) for i, row in enumerate(functions) for c in row[model]["clean"]]
        clean.sort(reverse=True)
        hits = [(h, i) for i, row in enumerate(functions) for h in row[model]["hits"]]
        return Scores(
            np.array([row["lines"] for row in functions], dtype=np.float64),
            np.array([c for c, _ in clean], dtype=np.float64),
            np.array([i for _, i in clean], dtype=np.int64),
            np.array([h for h, _ in hits], dtype=np.float64),
            np.array([i for _, i in hits], dtype=np.int64),
        )

    def threshold(self, rate: float, weight: NDArray[np.float64]) -> float:
        """The least confidence at which at most ``rate`` places per 1,000 clean lines are reported."""
        allowed = np.floor(rate * float(weight @ self.lines) / 1000)
        over = np.flatnonzero(np.cumsum(weight[self.owner]) > allowed)
        return float(np.nextafter(self.clean[over[0]], 2.0)) if len(over) else 1e-9

    def found(self, rate: float, weight: NDArray[np.float64]) -> NDArray[np.bool_]:
        """[cases]: which defects are reported at that alarm rate."""
        return np.asarray(self.hits >= self.threshold(rate, weight))

    def score(self, weight: NDArray[np.float64], cases: NDArray[np.bool_] | None = None) -> float:
        """Share of the (chosen) defects reported, averaged over the three alarm rates."""
        each = weight[self.function] * (1.0 if cases is None else cases)
        total = float(each.sum())
        if not total:
            return float("nan")
        return float(np.mean([each @ self.found(rate, weight) / total for rate in ALARM_BUDGETS.values()]))


def compare_defects(functions: Sequence[Mapping[str, Any]], kind: str | None = None, draws: int = DRAWS) -> Interval:
    """The score of old and new over functions that hold both models' readings; of one ``kind`` only, if given."""
    old, new = Scores.of(functions, "old"), Scores.of(functions, "new")
    kinds = np.array([k for row in functions for k in row["kinds"]])
    chosen = kinds == kind if kind is not None else None
    rng = np.random.default_rng(0)
    ones = np.ones(len(functions))
    differences = np.empty(draws)
    for draw in range(draws):
        weight = rng.multinomial(len(functions), ones / len(functions)).astype(np.float64)
        differences[draw] = new.score(weight, chosen) - old.score(weight, chosen)
    return _interval(old.score(ones, chosen), new.score(ones, chosen), differences[~np.isnan(differences)])


def compare_means(old: Sequence[float], new: Sequence[float], weight: Sequence[float] | None = None) -> Interval:
    """Paired means, weighted by row (tokens, say); higher is better."""
    a, b = np.asarray(old, dtype=np.float64), np.asarray(new, dtype=np.float64)
    w = np.ones(len(a)) if weight is None else np.asarray(weight, dtype=np.float64)
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(a), np.ones(len(a)) / len(a), size=DRAWS) * w
    differences = drawn @ (b - a) / np.maximum(drawn.sum(1), 1e-9)
    return _interval(float(a @ w / w.sum()), float(b @ w / w.sum()), differences)


def _interval(old: float, new: float, differences: NDArray[np.float64]) -> Interval:
    if not len(differences):
        return Interval(old, new, float("nan"), float("nan"), 0.0)
    tail = (1 - _LEVEL) / 2
    low, high = np.quantile(differences, [tail, 1 - tail])
    # A draw in which nothing differs speaks for neither.
    sure = float((differences > 0).mean() + 0.5 * (differences == 0).mean())
    return Interval(old, new, float(low), float(high), sure)


def share_interval(found: int, count: int) -> tuple[float, float]:
    """Wilson's interval (1927) of a share, 95 %."""
    if not count:
        return 0.0, 1.0
    z, p = 1.96, found / count
    middle, spread = p + z * z / (2 * count), z * ((p * (1 - p) + z * z / (4 * count)) / count) ** 0.5
    return (middle - spread) / (1 + z * z / count), (middle + spread) / (1 + z * z / count)


def judge_defects(later: Interval, general: Interval, sure: float, forgetting: float) -> Verdict:
    """Promote only what is better on later code and has not forgotten general code."""
    if later.difference <= 0:
        return Verdict(False, f"it finds no more defects in later code ({_change(later)})")
    if later.sure < sure:
        return Verdict(False, f"it may be better ({_change(later)}), but at {later.sure:.0%} that is not sure enough")
    if general.old - general.new > forgetting:
        return Verdict(
            False, f"it has forgotten too much general code ({_change(general)}; {forgetting:.0%} may be lost)"
        )
    return Verdict(True, f"it finds more defects in later code at the same alarm rate ({_change(later)})")


def judge_bodies(nats: Interval, similarity: Interval, general: Interval, sure: float, forgetting: float) -> Verdict:
    """``nats`` are negative: higher is better. The bodies it writes must not be less like the real ones."""
    if nats.difference <= 0 or nats.sure < sure:
        return Verdict(False, f"it expects later bodies no better ({-nats.old:.3f} to {-nats.new:.3f} nats a token)")
    if similarity.difference < 0 and similarity.sure < 0.5:
        return Verdict(False, f"the bodies it writes are less like the real ones ({_change(similarity)})")
    if general.old - general.new > forgetting:
        return Verdict(
            False, f"it has forgotten too much general code ({_change(general)}; {forgetting:.0%} may be lost)"
        )
    return Verdict(
        True, f"it expects later bodies better ({-nats.old:.3f} to {-nats.new:.3f} nats a token,"
        f" similarity {similarity.old:.1%} to {similarity.new:.1%})"
    )  # fmt: skip


def _change(interval: Interval) -> str:
    spread = f"95 % interval of the change {interval.low:+.1%} to {interval.high:+.1%}"
    return f"{interval.old:.1%} to {interval.new:.1%}, {spread}"
