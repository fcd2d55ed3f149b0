"""What a person would see of a defect bundle on functions that neither trained nor calibrated it.

Every function is read as it is and with one injected defect. Alarms are counted on the first, finds on the second, and
what share of the warnings would be right is computed as if one function in fifty were defective. Intervals are
bootstrapped by project: a few projects give wide ones, and should.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from tree_sitter import Node

from codehunch.bundles.bundle import Bundle
from codehunch.bundles.manifest import DefectSpec
from codehunch.defects.confidence import confidence
from codehunch.defects.inspection import Inspected, mending_trials
from codehunch.defects.rewrites import apply
from codehunch.defects.surroundings import Around
from codehunch.defects.verification import can_be_wrong, read_units
from codehunch.inference.classifier import Classifier
from codehunch.syntax.parsing import ParsedSource
from codehunch.syntax.text import SourceText
from codehunch_training.corpus.injection import Injected, misuse
from codehunch_training.corpus.rows import FunctionRow
from codehunch_training.evaluation.binary import interval_by
from codehunch_training.evaluation.defects import auc
from codehunch_training.evaluation.fairness import fairness
from codehunch_training.evaluation.predictions import Predictions
from codehunch_training.evaluation.slices import SIZES, properties, renamed, size_class
from codehunch_training.export.calibration import ALARM_BUDGETS, PRIOR, Judged, judge, judge_defects

FALSE_ALARM_RATES = (0.01, 0.05, 0.1)
"""Shares of clean functions that may be flagged, for localisation and repair."""
CONFIDENCES = (0.0, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 1.0)
"""Edges of the bins of the calibration curve: most confidences are small, so the bins double."""
RENAMED, LANGUAGES = 300, ("English", "German", "Spanish", "Chinese (pinyin)")
"""Functions that are read with names of other languages; English ones tell what a new name alone does."""

Bools = NDArray[np.bool_]
Points = tuple[NDArray[np.float64], NDArray[np.int64]]
EVENLY = "variable-misuse, any for any"
"""Row of the defects that are drawn as published sets of variable misuse are."""


@attrs.frozen(eq=False)
class Seen:
    """Places of a set of functions, with what a person is told; all arrays [places]."""

    judged: Judged
    sure: NDArray[np.float64]
    said: list[str]
    """Kind that the warning names."""
    mended: Bools
    """Whether the first fix gives the original back."""
    on_line: Bools
    """Whether the place is on a line of the defect."""

    def functions(self, chosen: Bools) -> NDArray[np.int64]:
        """[functions]: how many chosen places each has."""
        return np.bincount(self.judged.function[chosen], minlength=self.judged.functions)


def report(bundle: Bundle, rows: Sequence[FunctionRow], seed: int = 4) -> dict[str, Any]:
    """Everything the model card says of held-out functions."""
    spec = bundle.manifest.defects
    assert spec is not None
    classifier = Classifier(bundle)
    clean, faulty = (_seen(each, spec) for each in judge(classifier, rows, seed, spec.candidate))
    kinds = np.array(faulty.judged.kinds)
    levels = {name: _level(clean, faulty, spec.thresholds[name], rows) for name in ALARM_BUDGETS}
    by_kind = {name: _by_kind(clean, faulty, spec.thresholds[name]) for name in ("medium", "high")}
    even = _seen(judge_defects(classifier, rows, seed, spec.candidate, evenly), spec)
    points = [_points(classifier, each.judged) for each in (clean, faulty, even)]
    return {
        "functions": clean.judged.functions,
        "lines": clean.judged.lines,
        "projects": sorted({row.project for row in rows}),
        "auc_against_clean_twin": round(auc(*(_peaks(each.judged) for each in (faulty, clean))), 4),
        "levels": levels,
        "by_kind_high": {kind: [row["token"], row["injected"]] for kind, row in by_kind["high"].items()},
        "by_kind": by_kind,
        "at_false_alarms": {
            "every kind": _joint(points[0], faulty, points[1], np.ones(len(kinds), dtype=bool)),
            "variable-misuse": _joint(points[0], faulty, points[1], kinds == "variable-misuse"),
            EVENLY: _joint(points[0], even, points[2], np.ones(even.judged.functions, dtype=bool)),
        },
        "calibration": _calibration(clean, faulty),
        "slices": _slices(clean, spec, rows, points[0][0]),
        "names": _names(classifier, spec, rows, seed),
    }


def _seen(judged: Judged, spec: DefectSpec) -> Seen:
    originals = [text.split() for text in judged.originals]
    sources = [SourceText(unit.text) for unit in judged.units]
    wrong = [{source.row_of(at) for at in each} for source, each in zip(sources, judged.wrong, strict=False)]
    mended, on_line, said = [], [], []
    for item, number in zip(judged.places, judged.function.tolist(), strict=True):
        lexeme = item.place.unit.lexemes[item.place.at]
        mended.append(bool(originals) and _first_fix(item) == originals[number])
        on_line.append(bool(wrong) and sources[number].row_of(lexeme.span.start) in wrong[number])
        best = mending_trials(item, spec.candidate)
        said.append(best[0].kind if best else item.evidence.kind)
    sure = np.array([confidence(item.evidence, spec.confidence) for item in judged.places])
    return Seen(judged, sure, said, np.array(mended, dtype=bool), np.array(on_line, dtype=bool))


def _level(clean: Seen, faulty: Seen, least: float, rows: Sequence[FunctionRow]) -> dict[str, Any]:
    """One sensitivity. Functions of both sets are brought together by their rows, for the intervals."""
    shown = faulty.sure >= least
    alarms = clean.functions(clean.sure >= least)
    hit = faulty.functions(shown & faulty.judged.right) > 0
    # The fix of any place that gives the original back counts, if the defect's own place is shown.
    mended = hit & (faulty.functions(faulty.mended) > 0)
    line = faulty.functions(shown & faulty.on_line) > 0
    lines = np.array([unit.text.count("\n") for unit in clean.judged.units])
    at = np.full(len(rows), -1)
    at[list(faulty.judged.rows)] = np.arange(faulty.judged.functions)

    def share(values: NDArray[Any]) -> Any:
        return lambda chosen: float(values[at[chosen][at[chosen] >= 0]].mean())

    def precision(chosen: NDArray[np.int64]) -> float:
        return _precision(float(hit[at[chosen][at[chosen] >= 0]].mean()), float(alarms[chosen].mean()))

    def per_kloc(chosen: NDArray[np.int64]) -> float:
        return 1000 * float(alarms[chosen].sum()) / max(1, int(lines[chosen].sum()))

    measures = {
        "clean_alarms_per_kloc": (per_kloc, 3),
        "injected_found_exact_token": (share(hit), 4),
        "first_fix_right": (share(mended), 4),
        "precision_at_one_in_fifty": (precision, 4),
        "injected_found_line": (share(line), 4),
        "clean_twin_warns": (share(alarms[list(faulty.judged.rows)] > 0), 4),
    }
    every, projects = np.arange(len(rows)), [row.project for row in rows]
    found: dict[str, Any] = {name: round(measure(every), digits) for name, (measure, digits) in measures.items()}
    found["intervals"] = {
        name: [round(bound, digits) for bound in interval_by(projects, measure, samples=500)]
        for name, (measure, digits) in measures.items()
        if len(set(projects)) > 1
    }
    return found


def _by_kind(clean: Seen, faulty: Seen, least: float) -> dict[str, dict[str, Any]]:
    """Recall of each injected kind, and how right the warnings are that name it."""
    shown, kinds = faulty.sure >= least, np.array(faulty.judged.kinds)
    hit = faulty.functions(shown & faulty.judged.right) > 0
    line = faulty.functions(shown & faulty.on_line) > 0
    mended = hit & (faulty.functions(faulty.mended) > 0)
    false = [said for said, sure in zip(clean.said, clean.sure, strict=True) if sure >= least]
    true = [said for said, each in zip(faulty.said, shown & faulty.judged.right, strict=True) if each]
    found = {}
    for kind in sorted(set(kinds)):
        here = kinds == kind
        named, wrong = true.count(kind), false.count(kind)
        right = _precision(named / max(1, faulty.judged.functions), wrong / max(1, clean.judged.functions))
        found[str(kind)] = {
            "injected": int(here.sum()),
            "token": int(hit[here].sum()),
            "line": int(line[here].sum()),
            "fix": int(mended[here].sum()),
            "named_rightly": named,
            "named_in_clean": wrong,
            "precision_at_one_in_fifty": round(right, 4) if named + wrong else None,
        }
    return found


def _points(classifier: Classifier, judged: Judged) -> Points:
    """[functions]: the highest suspicion of each, and where it stands."""
    peaks, places = np.zeros(judged.functions), np.full(judged.functions, -1)
    for number, unit in enumerate(judged.units):
        (reading,) = read_units([unit], classifier)
        scores = np.where([can_be_wrong(lexeme) for lexeme in unit.lexemes], reading.suspicion, -1.0)
        if len(scores) and scores.max() >= 0:
            best = int(scores.argmax())
            peaks[number], places[number] = scores[best], unit.lexemes[best].span.start
    return peaks, places


def evenly(parsed: ParsedSource, node: Node, around: Around | None, rng: random.Random) -> Injected | None:
    """Variable misuse as published sets have it."""
    return misuse(parsed, node, rng)


def _joint(unharmed: Points, faulty: Seen, harmed: Points, chosen: Bools) -> dict[str, Any]:
    """Detection, localisation and repair of defects against their clean twins, as variable misuse is reported
    (Vasic et al. 2019; Hellendoorn et al. 2020, GREAT, section 4): ``located``: the most suspicious lexeme is the
    wrong one; ``joint``: and the first fix is the original. At a share of clean functions that may be flagged, both
    ask also that the function is flagged. The suspicion decides, no confidence."""
    (calm, _), (peaks, places) = unharmed, harmed
    twins = np.array(faulty.judged.rows, dtype=np.int64)[chosen]
    located = np.array([at in wrong for at, wrong in zip(places.tolist(), faulty.judged.wrong, strict=True)])[chosen]
    surest = np.zeros(faulty.judged.functions, dtype=bool)
    for item, number, mended in zip(
        faulty.judged.places, faulty.judged.function.tolist(), faulty.mended.tolist(), strict=True
    ):
        surest[number] |= mended and item.place.unit.lexemes[item.place.at].span.start == places[number]
    joint, score = located & surest[chosen], peaks[chosen]
    if not len(score):
        return {"functions": 0}
    found: dict[str, Any] = {
        "functions": len(score),
        "located": round(float(located.mean()), 4),
        "joint": round(float(joint.mean()), 4),
        "auc": round(auc(score, calm[twins]), 4),
    }
    for rate in FALSE_ALARM_RATES:
        flagged = score > np.quantile(calm[twins], 1 - rate, method="higher")
        found[f"at_{rate:g}"] = {
            "false_alarms": round(float((calm[twins] > np.quantile(calm[twins], 1 - rate, method="higher")).mean()), 4),
            "flagged": round(float(flagged.mean()), 4),
            "located": round(float((flagged & located).mean()), 4),
            "joint": round(float((flagged & joint).mean()), 4),
        }
    return found


def _calibration(clean: Seen, faulty: Seen) -> dict[str, Any]:
    """Confidence against the share of places that are right, weighed as if one function in fifty were defective."""
    sure, right = np.concatenate([clean.sure, faulty.sure]), np.concatenate([clean.judged.right, faulty.judged.right])
    weight = np.concatenate(
        [
            np.full(len(clean.sure), (1 - PRIOR) / max(1, clean.judged.functions)),
            np.full(len(faulty.sure), PRIOR / max(1, faulty.judged.functions)),
        ]
    )
    bins, gap = [], 0.0
    for low, high in itertools.pairwise(CONFIDENCES):
        here = (sure >= low) & ((sure < high) | (high == CONFIDENCES[-1]))
        total = float(weight[here].sum())
        if not here.any():
            continue
        mean = float((sure[here] * weight[here]).sum()) / total
        share = float(weight[here & right].sum()) / total
        gap += total / float(weight.sum()) * abs(mean - share)
        counts = [int((here & right).sum()), int((here[: len(clean.sure)]).sum())]
        bins.append({"from": low, "to": high, "confidence": round(mean, 4), "right": round(share, 4), "places": counts})
    return {"error": round(gap, 4), "bins": bins}


def _slices(
    clean: Seen, spec: DefectSpec, rows: Sequence[FunctionRow], peaks: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Alarms on clean code by properties that should not matter. ``mean_rank`` and ``differs`` are of the suspicion,
    length partialled out (see ``fairness``)."""
    table = [properties(row.text, row.path, row.project) for row in rows]
    ways = {about: [each.get(about, "") for each in table] for about in (table[0] if table else ())}
    judged = fairness(
        Predictions(
            task="defects",
            rows=[{"text": row.text} for row in rows],
            labels=("clean", "defective"),
            clean="clean",
            probabilities=np.stack([1 - peaks, peaks], 1),
            truth=np.zeros(len(rows), dtype=np.int64),
        ),
        spec.candidate,
        {about: names for about, names in ways.items() if about != "language"},  # It asks for that one itself.
    )
    told = {(each.about, each.name): each for each in judged.groups} if judged is not None else {}
    lines = np.array([row.text.count("\n") for row in rows])
    alarms = {name: clean.functions(clean.sure >= spec.thresholds[name]) for name in ("medium", "high")}
    found = []
    for about, names in ways.items():
        order = [size_class(last) for last in (*SIZES, SIZES[-1] + 1)] if about == "size" else sorted(set(names) - {""})
        for name in order:
            here = np.array([each == name for each in names])
            group = told.get((about, name))
            found.append(
                {
                    "about": about,
                    "group": name,
                    "functions": int(here.sum()),
                    "lines": int(lines[here].sum()),
                    **{f"alarms_{level}": int(count[here].sum()) for level, count in alarms.items()},
                    "mean_rank": None if group is None else round(group.mean_rank, 3),
                    "differs": None if group is None else group.differs,
                }
            )
    return found


def _names(classifier: Classifier, spec: DefectSpec, rows: Sequence[FunctionRow], seed: int) -> list[dict[str, Any]]:
    """Alarms on the same clean functions with the local names they have, and with words of other languages."""
    ways = {language: [renamed(row.text, language, seed) for row in rows[:RENAMED]] for language in LANGUAGES}
    kept = [at for at in range(len(rows[:RENAMED])) if all(texts[at] is not None for texts in ways.values())]
    found = []
    for name, texts in ({"as written": [row.text for row in rows[:RENAMED]]} | ways).items():
        chosen = [attrs.evolve(rows[at], text=str(texts[at])) for at in kept]
        clean = _seen(judge(classifier, chosen, seed, spec.candidate, injected=False)[0], spec)
        peaks = _peaks(clean.judged)
        found.append(
            {
                "names": name,
                "functions": len(chosen),
                "lines": clean.judged.lines,
                **{
                    f"alarms_{level}": int((clean.sure >= spec.thresholds[level]).sum()) for level in ("medium", "high")
                },
                "looked_into": int((peaks > 0).sum()),
            }
        )
    return found


def _first_fix(item: Inspected) -> list[str]:
    """The words of the function after the best rewrite; none where nothing was tried."""
    best = next((trial for trial in item.trials if not trial.spreads), None)
    return apply(item.place.unit.text, best.rewrite.edits).split() if best is not None else []


def _precision(recall: float, alarms: float) -> float:
    """Share of warnings that are right: finds per defective function against alarms per clean one."""
    true, false = PRIOR * recall, (1 - PRIOR) * alarms
    return true / (true + false) if true + false else 0.0


def _peaks(judged: Judged) -> NDArray[np.float64]:
    """[functions]: the highest suspicion of any place that was looked into."""
    found = np.zeros(judged.functions)
    for item, function in zip(judged.places, judged.function, strict=True):
        found[function] = max(found[function], item.evidence.suspicion)
    return found
