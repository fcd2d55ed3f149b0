"""Plain classification metrics on numpy arrays; what more there is lies in ``evaluation/``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codehunch_training.evaluation.ranking import auc


def classification(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> dict[str, float]:
    """Accuracy, macro F1, Matthews' coefficient and log loss of [rows, classes] against [rows]; with two classes also
    precision, recall and F1 of class 1 and the area under the ROC curve."""
    classes = probabilities.shape[1]
    chosen = probabilities.argmax(1)
    table = np.zeros((classes, classes))
    np.add.at(table, (truth, chosen), 1)
    hit = np.diag(table)
    named, actual = table.sum(0), table.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(named > 0, hit / named, 0.0)
        recall = np.where(actual > 0, hit / actual, 0.0)
        f1 = np.where(precision + recall > 0, 2 * precision * recall / (precision + recall), 0.0)
    # Gorodkin 2004: the coefficient for any number of classes.
    n = table.sum()
    spread = np.sqrt((n**2 - (named**2).sum()) * (n**2 - (actual**2).sum()))
    found = {
        "accuracy": float(hit.sum() / n),
        "f1_macro": float(f1[(actual > 0) | (named > 0)].mean()),
        "mcc": float((n * hit.sum() - (named * actual).sum()) / spread) if spread else 0.0,
        "log_loss": float(-np.log(np.clip(probabilities[np.arange(len(truth)), truth], 1e-12, 1)).mean()),
    }
    if classes == 2:
        found |= {"precision": float(precision[1]), "recall": float(recall[1]), "f1": float(f1[1])}
        found["roc_auc"] = auc(probabilities[truth == 1, 1], probabilities[truth == 0, 1])
    return found


def multilabel(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> dict[str, float]:
    """Micro and macro F1, exact match and label accuracy of [rows, labels] at 0.5."""
    chosen = probabilities >= 0.5
    truth = truth.astype(bool)
    hit, wrong, lost = (chosen & truth).sum(0), (chosen & ~truth).sum(0), (~chosen & truth).sum(0)
    each = np.where(2 * hit + wrong + lost > 0, 2 * hit / np.maximum(2 * hit + wrong + lost, 1), 0.0)
    whole = 2 * hit.sum() + wrong.sum() + lost.sum()
    return {
        "f1_micro": float(2 * hit.sum() / whole) if whole else 0.0,
        "f1_macro": float(each.mean()),
        "exact_match": float((chosen == truth).all(1).mean()),
        "label_accuracy": float((chosen == truth).mean()),
    }
