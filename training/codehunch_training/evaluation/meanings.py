"""What each metric says, in a sentence: shown beside it on the page."""

from __future__ import annotations

import re

_MEANINGS = {
    "accuracy": "share of rows told rightly",
    "precision": "of the rows flagged, the share that is defective",
    "recall": "of the defective rows, the share that is flagged",
    "f1": "harmonic mean of precision and recall",
    "f1_macro": "mean F1 of all classes",
    "f1_micro": "F1 over all labels of all rows",
    "mcc": "Matthews' correlation: 0 for guessing, 1 for perfect",
    "roc_auc": "how often a defective row outscores a clean one",
    "pr_auc": "average precision over all thresholds",
    "log_loss": "surprise at the right label, in nats",
    "calibration_error": "mean distance between confidence and accuracy",
    "calibration_error_tempered": "the same after temperature scaling",
    "temperature": "above 1: the model is too sure",
    "misses": "share of defects missed at the loosest threshold that keeps this false-alarm rate",
    "warnings_per_kloc": "warnings in 1,000 lines of clean code",
    "pair_correct": "twins of which both are told rightly",
    "pair_both_flagged": "twins that both are called defective",
    "pair_both_clean": "twins that both are called clean",
    "pair_reversed": "twins told the wrong way round",
    "pair_ranked": "twins of which the defective one has the higher score",
    "top": "defective functions with a wrong place among so many most suspicious ones",
    "ifa": "clean places read before the first wrong one",
    "effort_at_20_recall": "share of the code to read to find a fifth of the wrong places",
    "recall_at_1_effort": "share of the wrong places in the most suspicious 1 % of the code",
    "exact_match": "answers equal to the reference",
    "edit_similarity": "1 - edit distance over the longer length",
    "bleu": "n-grams of code shared with the reference, 0 to 100",
    "codebleu": "mean of n-gram, keyword, syntax and data-flow match",
    "syntax_valid": "answers that parse",
    "pass": "chance that one of so many answers passes its tests",
    "perplexity": "of a token",
    "loss": "per token, in nats",
}
RISING = re.compile(
    r"(.*_)?loss|perplexity|ifa|effort|.*calibration_error.*|misses.*|warnings.*|.*_ifa|.*effort_at.*|pair_reversed|pair_both.*"
)
"""Metrics of which less is better."""


def meaning(name: str) -> str:
    """A sentence for a metric, empty for one nobody has described."""
    if name in _MEANINGS:
        return _MEANINGS[name]
    short = name.removeprefix("any_defect_")
    for prefix in ("misses", "warnings_per_kloc", "pass"):
        if short.startswith(prefix):
            return _MEANINGS[prefix]
    for suffix in ("ifa", "effort_at_20_recall", "recall_at_1_effort"):
        if short.endswith(suffix):
            return _MEANINGS[suffix]
    if re.search(r"_top_\d+$", short):
        return _MEANINGS["top"]
    return _MEANINGS.get(short, "")


def less_is_better(name: str) -> bool:
    return RISING.fullmatch(name) is not None
