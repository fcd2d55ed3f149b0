"""How far the graphs are from the PyTorch model on held-out examples, and the gate no bundle passes unmeasured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers.utils import ModelOutput

from codehunch.inference.decoding import Decoding, TextModel
from codehunch_training.export.quantisation import Feed

NEAR_TIE = 0.05
"""Two labels whose probabilities are this close are the same decision."""
Evaluate = Callable[[Any], Mapping[str, float]]
"""A task's own metrics of a model, or of graphs that are called like one."""


@attrs.frozen
class Bounds:
    """What a bundle must keep of its PyTorch model."""

    fp32_difference: float = 2e-3
    """Largest difference of a probability between PyTorch and the fp32 graph."""
    difference: float = 0.35
    """The same for the graphs that ship."""
    agreement: float = 0.95
    """Least share of decisions that are the same, near ties counted as such."""
    metric_loss: float = 0.03
    """Largest relative loss of the task's metric; one example's worth is always allowed."""


class ParityError(ValueError):
    """The graphs are not the model. The message says which bound was passed, and by how much."""

    def __init__(self, reasons: Sequence[str], report: Mapping[str, Any]) -> None:
        super().__init__("; ".join(reasons))
        self.report = dict(report)
        self.names = tuple(dict.fromkeys(reason.partition(":")[0] for reason in reasons))
        """The graphs that did not pass."""


class GraphModel(nn.Module):
    """An encoder's graph where its model is called: same names, tensors in and out.

    Every row is run alone, as it is served: dynamic quantisation takes its scale from the whole input.
    """

    device = torch.device("cpu")
    labels_tokens = False
    """Whether ``logits`` are to be those of every token, as transformers' token labellers have them."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = [node.name for node in self._session.get_inputs()]
        self._outputs = [node.name for node in self._session.get_outputs()]

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, identifier_ids: Tensor | None = None, **_: Any
    ) -> ModelOutput:
        """Outputs by name, padded to the longest row; a pooled ``embedding`` stands at every token."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        given = {"input_ids": input_ids, "attention_mask": mask, "identifier_ids": identifier_ids}
        width = input_ids.shape[1]
        rows: dict[str, list[Tensor]] = {name: [] for name in self._outputs}
        for row, length in enumerate(mask.sum(-1).tolist()):
            feed = {name: given[name][row : row + 1, :length].numpy() for name in self._inputs}
            for name, value in zip(self._outputs, self._session.run(self._outputs, feed), strict=True):
                found = torch.from_numpy(value[0])
                if name == "embedding":
                    found = found.expand(width, -1)
                elif found.ndim == 2:
                    found = nn.functional.pad(found, (0, 0, 0, width - length))
                rows[name].append(found)
        found = {name: torch.stack(values) for name, values in rows.items()}
        if self.labels_tokens:
            found["logits"] = found["token_logits"]
        return ModelOutput(found)


def measure_encoder(
    model: nn.Module,
    graphs: Mapping[str, Path],
    feeds: Sequence[Feed],
    evaluate: Evaluate | None = None,
    metric: str = "",
) -> dict[str, Any]:
    """PyTorch against each graph: probabilities, decisions and metrics. ``metric`` is the one the gate looks at."""
    report: dict[str, Any] = {"reference": "PyTorch fp32", "examples": len(feeds)}
    expected = _outputs(model, feeds)
    own = dict(evaluate(model)) if evaluate is not None else {}
    if own:
        report |= {"metric": metric, "pytorch": {"metrics": _rounded(own)}}
    for name, path in graphs.items():
        graph = GraphModel(path)
        row = compare_outputs(expected, _outputs(graph, feeds))
        if evaluate is not None:
            found = dict(evaluate(graph))
            row |= {"metrics": _rounded(found), "metric_change": _change(found, own, metric)}
        report[name] = row
    return report


def compare_outputs(
    expected: Sequence[Mapping[str, NDArray[Any]]], found: Sequence[Mapping[str, NDArray[Any]]]
) -> dict[str, Any]:
    """Largest difference of a probability (of a coordinate, for embeddings) and share of equal decisions."""
    worst, medians, same, count = 0.0, [], 0, 0
    for one, other in zip(expected, found, strict=True):
        for name, logits in one.items():
            if name == "embedding":
                worst = max(worst, float(np.abs(logits - other[name]).max()))
                medians.append(float(np.abs(logits - other[name]).max()))
                # A vector decides by its direction.
                same, count = same + int(float((logits * other[name]).sum()) > 1 - NEAR_TIE), count + 1
                continue
            right, changed = _probabilities(logits), _probabilities(other[name])
            worst = max(worst, float(np.abs(right - changed).max()))
            medians.append(float(np.abs(right - changed).max()))
            equal = _same_decisions(right, changed)
            same, count = same + int(equal.sum()), count + equal.size
    return {
        "largest_difference": float(f"{worst:.3g}"),
        "median_difference": float(f"{np.median(medians):.3g}"),
        "agreement": round(same / max(1, count), 5),
        "decisions": count,
    }


def measure_generation(
    logits_of: Callable[[Sequence[int], Sequence[int]], NDArray[np.float32]],
    generate: Callable[[Sequence[int], int], Sequence[int]],
    variants: Mapping[str, Any],
    prompts: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    max_new: int,
) -> dict[str, Any]:
    """PyTorch against graphs that write: free-running greedy tokens, and teacher-forced ones.

    ``logits_of(prompt, tokens)`` gives the logits [tokens + 1, vocabulary] that PyTorch has before and after each
    token; ``generate(prompt, max_new)`` its greedy tokens without the end. ``variants``: objects with ``model``, a
    TextModel, and ``forced(prompt, tokens)``, the graphs' counterpart of ``logits_of``. Where ``targets`` are given,
    the loss on them (nats per token) is the metric.
    """
    report: dict[str, Any] = {"reference": "PyTorch fp32, greedy", "examples": len(prompts), "metric": "loss"}
    expected = [list(generate(prompt, max_new)) for prompt in prompts]
    # The last token is never read: a decoder may have no position for it.
    given = [tokens[: max_new - 1] for tokens in expected]
    references = [logits_of(prompt, tokens) for prompt, tokens in zip(prompts, given, strict=True)]
    own = _forced_loss(logits_of, prompts, targets)
    if own is not None:
        report["pytorch"] = {"metrics": {"loss": round(own, 5)}}
    for name, variant in variants.items():
        free: list[list[int]] = []
        rows = []
        for prompt, tokens, reference in zip(prompts, given, references, strict=True):
            text_model: TextModel = variant.model
            free.append(list(text_model.generate(prompt, Decoding(max_new))[0].tokens))
            rows.append(compare_outputs([{"logits": reference}], [{"logits": variant.forced(prompt, tokens)}]))
        decisions = sum(row["decisions"] for row in rows)
        agreed = sum(row["agreement"] * row["decisions"] for row in rows)
        report[name] = {
            "largest_difference": max(row["largest_difference"] for row in rows),
            "median_difference": float(np.median([row["median_difference"] for row in rows])),
            "agreement": round(agreed / max(1, decisions), 5),
            "decisions": decisions,
            "equal_sequences": round(float(np.mean([a == b for a, b in zip(expected, free, strict=True)])), 4),
        }
        found = _forced_loss(variant.forced, prompts, targets)
        if found is not None and own is not None:
            change = _change({"loss": found}, {"loss": own}, "loss")
            report[name] |= {"metrics": {"loss": round(found, 5)}, "metric_change": change}
    return report


def gate(report: Mapping[str, Any], bounds: Bounds) -> dict[str, Any]:
    """The report with its bounds. Raises ParityError naming every bound that was passed."""
    reasons = []
    for name, row in report.items():
        if not isinstance(row, Mapping) or "largest_difference" not in row:
            continue
        limit = bounds.fp32_difference if name == "onnx_fp32" else bounds.difference
        if row["largest_difference"] > limit:
            reasons.append(
                f"{name}: a probability differs by {row['largest_difference']:.4g}, the bound is {limit:.4g}"
            )
        if row["agreement"] < bounds.agreement:
            reasons.append(
                f"{name}: {row['agreement']:.2%} of {row['decisions']} decisions agree, the bound is "
                f"{bounds.agreement:.2%}"
            )
        change = row.get("metric_change")
        if change is not None:
            reference = abs(float(report["pytorch"]["metrics"][report["metric"]]))
            allowed = max(bounds.metric_loss * reference, 1 / max(1, report["examples"]))
            worse = change if report["metric"] in LOWER_IS_BETTER else -change
            if worse > allowed:
                reasons.append(f"{name}: {report['metric']} is worse by {worse:.4g}, the bound is {allowed:.4g}")
    if reasons:
        raise ParityError(reasons, report)
    return {**report, "bounds": attrs.asdict(bounds)}


LOWER_IS_BETTER = ("loss", "perplexity")


def _forced_loss(
    logits_of: Callable[[Sequence[int], Sequence[int]], NDArray[np.float32]],
    prompts: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
) -> float | None:
    total, count = 0.0, 0
    for prompt, target in zip(prompts, targets, strict=False):
        if len(target):
            wide = torch.from_numpy(logits_of(prompt, target[:-1])).double().log_softmax(-1).numpy()
            total -= float(wide[np.arange(len(target)), np.asarray(target)].sum())
            count += len(target)
    return total / count if count else None


def _outputs(model: nn.Module, feeds: Sequence[Feed]) -> list[dict[str, NDArray[Any]]]:
    """Outputs of rank 2 and 3 for every feed, each a batch of one."""
    found = []
    with torch.inference_mode():
        for feed in feeds:
            given = model(**{name: torch.from_numpy(np.asarray(value)) for name, value in feed.items()})
            items = given.items() if hasattr(given, "items") else [("logits", given[0])]
            found.append({k: v.float().numpy() for k, v in items if isinstance(v, Tensor) and v.ndim in (2, 3)})
    for each in found:
        if "embedding" in each and each["embedding"].ndim == 3:
            each["embedding"] = each["embedding"][:, 0]
    return found


def _probabilities(logits: NDArray[Any]) -> NDArray[np.float64]:
    wide = logits.astype(np.float64)
    shifted = np.exp(wide - wide.max(-1, keepdims=True))
    result: NDArray[np.float64] = shifted / shifted.sum(-1, keepdims=True)
    return result


def _same_decisions(right: NDArray[np.float64], changed: NDArray[np.float64]) -> NDArray[np.bool_]:
    chosen = np.take_along_axis(right, changed.argmax(-1)[..., None], -1)[..., 0]
    result: NDArray[np.bool_] = right.max(-1) - chosen <= NEAR_TIE
    return result


def _change(found: Mapping[str, float], own: Mapping[str, float], metric: str) -> float | None:
    if metric not in found or metric not in own:
        return None
    return round(float(found[metric]) - float(own[metric]), 6)


def _rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), 5) for name, value in metrics.items() if isinstance(value, int | float)}
