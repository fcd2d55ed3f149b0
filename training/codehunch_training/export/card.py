"""The model card of a bundle, generated from its manifest: Markdown a person can read before trusting a warning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from codehunch.bundles.manifest import DefectSpec, Manifest

CARD_NAME = "MODEL_CARD.md"


def render_card(manifest: Manifest) -> str:
    """The card's text. Every number comes from the manifest; nothing is written by hand."""
    lines = [f"# {manifest.id} {manifest.version}", ""]
    lines += [f"Task: {manifest.task}. Languages: {', '.join(manifest.languages)}. Licence: {manifest.license}."]
    lines += [f"Made {manifest.created}.", ""]
    if manifest.defects is not None:
        lines += list(_defects(manifest.defects, manifest.metrics))
    lines += ["## How it was made", ""]
    lines += list(_rows({k: v for k, v in manifest.provenance.items() if not isinstance(v, Mapping)}))
    recipe = manifest.provenance.get("recipe")
    if isinstance(recipe, Mapping):
        lines += ["", "Recipe:", "", *_rows(recipe)]
    lines += ["", "## Against the PyTorch model", "", *_rows(manifest.parity)]
    lines += ["", "## Quantisation", "", *_rows(manifest.quantization)]
    return "\n".join(lines) + "\n"


def _defects(spec: DefectSpec, metrics: Mapping[str, Any]) -> Iterator[str]:
    held = metrics.get("held_out", {})
    yield "## What a person sees"
    yield ""
    yield (
        f"Measured on {held.get('functions')} functions ({held.get('lines')} lines) of "
        f"{', '.join(held.get('projects', []))}, which neither trained nor calibrated the model: "
        "once as they are, once with one injected defect each."
    )
    yield ""
    yield "Right warnings are counted as if one function in fifty were defective."
    yield ""
    yield "| sensitivity | confidence from | alarms per 1,000 clean lines | exact token | first fix right | right |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, row in held.get("levels", {}).items():
        yield (
            f"| {name} | {spec.thresholds[name]:.3f} | {row['clean_alarms_per_kloc']:.2f} "
            f"| {row['injected_found_exact_token']:.1%} | {row['first_fix_right']:.1%} "
            f"| {row['precision_at_one_in_fifty']:.0%} |"
        )
    yield ""
    yield f"AUC of the most suspicious token against the clean twin: {held.get('auc_against_clean_twin')}."
    yield ""
    yield "Exact tokens found by kind, at high sensitivity:"
    yield ""
    yield "| kind | injected | found |"
    yield "|---|---:|---:|"
    for kind, (found, count) in held.get("by_kind_high", {}).items():
        yield f"| {kind} | {count} | {found / count:.0%} |"
    yield ""
    yield "## Limits"
    yield ""
    yield (
        "It reads one function at a time, without the rest of the file. Injected defects are easier than people's: "
        "expect it to find less. The confidence assumes one defective function in fifty."
    )
    yield ""


def _rows(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        yield f"- {str(name).replace('_', ' ')}: {shown}"
