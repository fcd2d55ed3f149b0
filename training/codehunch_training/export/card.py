"""The model card of a bundle, generated from its manifest: Markdown a person can read before trusting a warning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from codehunch.bundles.bundle import Bundle, load_bundle, write_bundle
from codehunch.bundles.manifest import DefectSpec, GenerationSpec, Manifest
from codehunch_training.export.defect_card import held_out_sections

CARD_NAME = "MODEL_CARD.md"


def render_card(manifest: Manifest) -> str:
    """The card's text. Every number comes from the manifest; nothing is written by hand."""
    lines = [f"# {manifest.id} {manifest.version}", ""]
    lines += [f"Task: {manifest.task}. Languages: {', '.join(manifest.languages)}. Licence: {manifest.license}."]
    lines += [f"Made {manifest.created}.", ""]
    if manifest.defects is not None and "held_out" in manifest.metrics:
        lines += list(held_out_sections(manifest.defects, manifest.metrics["held_out"], manifest.encoding.standings))
    elif manifest.defects is not None:
        lines += list(_thresholds(manifest.defects, manifest.metrics))
    if manifest.generation is not None:
        lines += list(_generation(manifest.generation, manifest.metrics))
    if manifest.embedding is not None:
        spec = manifest.embedding
        lines += [
            "## What it gives",
            "",
            f"One unit vector of {spec.size} numbers per text ({spec.pooling} pooling).",
            "",
        ]
    lines += ["## How it was made", ""]
    lines += list(_rows({k: v for k, v in manifest.provenance.items() if not isinstance(v, Mapping)}))
    lines += list(_data(manifest.provenance.get("data")))
    recipe = manifest.provenance.get("recipe")
    if isinstance(recipe, Mapping):
        lines += ["", "Recipe:", "", *_rows(recipe)]
    lines += ["", "## Against the PyTorch model", "", *_parity(manifest.parity)]
    lines += ["", "## Quantisation", "", *_quantization(manifest.quantization)]
    return "\n".join(lines) + "\n"


def write_card(folder: Path) -> Bundle:
    """Write the card of the bundle in ``folder`` anew; its manifest, which lists the card's digest, follows."""
    manifest = load_bundle(folder).manifest
    (folder / CARD_NAME).write_text(render_card(manifest), encoding="utf-8")
    return write_bundle(folder, manifest)


def _thresholds(spec: DefectSpec, metrics: Mapping[str, Any]) -> Iterator[str]:
    found = metrics.get("calibration", {})
    yield "## What a person sees"
    yield ""
    labels = spec.labels if spec.token_head else spec.sequence_labels
    yield f"Labels: {', '.join(labels)}. Logits are divided by the temperature {spec.temperature:.3f}."
    if "nll" in found:
        yield (
            f"On {found['examples']} held-out examples ({found['examples_source']}) that changes the negative "
            f"log-likelihood from {found['nll_before']} to {found['nll']} and the calibration error from "
            f"{found['calibration_error_before']} to {found['calibration_error']}."
        )
    yield ""
    if spec.alarms_per_kloc:
        yield (
            f"Thresholds are set on {found.get('clean_functions')} clean functions ({found.get('clean_lines')} lines), "
            f"{found.get('clean_source')}, which did not train the model."
        )
    else:
        yield "There was no clean code to set the thresholds on: they are a guess, and nobody counted the warnings."
    yield ""
    yield "| sensitivity | confidence from | warnings per 1,000 clean lines |"
    yield "|---|---:|---:|"
    for name, least in spec.thresholds.items():
        alarms = spec.alarms_per_kloc.get(name)
        yield f"| {name} | {least:.3f} | {'not measured' if alarms is None else f'{alarms:.2f}'} |"
    yield ""


def _data(data: Any) -> Iterator[str]:
    """What it learned from: counts, held-out projects, and digests of the files."""
    if not isinstance(data, Mapping) or not data:
        return
    yield ""
    yield "Data:"
    yield ""
    yield from _rows(data)


def _generation(spec: GenerationSpec, metrics: Mapping[str, Any]) -> Iterator[str]:
    yield "## What it writes"
    yield ""
    prompts = {
        "fields": "marked fields: imports, class, neighbours, signature, docstring",
        "text": "the code before the place",
        "infill": "the code around the place, with one sentinel",
        "middle": "the code before and after the place (fill in the middle)",
    }
    yield f"Layout: {spec.layout}. It reads {prompts[spec.prompt]}, up to {spec.max_prompt} tokens, and writes up to"
    yield f"{spec.max_new}. Unasked it shows what has a confidence of {spec.thresholds.get('automatic', 0.0)} and more."
    yield ""
    held = metrics.get("held_out", {})
    ways = {name: row for name, row in held.items() if isinstance(row, Mapping) and "edit_similarity" in row}
    if not ways:
        return
    yield f"{held.get('rows')} documented functions of {', '.join(held.get('packages', ()))}, which did not train it:"
    yield ""
    yield "| bodies | exact match | BLEU | edit similarity | share that parses |"
    yield "|---|---:|---:|---:|---:|"
    for name, row in ways.items():
        shown = name.removeprefix("baseline_").replace("_", " ")
        yield (
            f"| {shown} | {row['exact_match']:.1%} | {row['bleu']:.1f} | {row['edit_similarity']:.3f} "
            f"| {row['parses']:.0%} |"
        )
    yield ""
    yield "`nearest function` copies the body of the most similar function of the same package; `empty body` is `pass`."
    yield "Where copying is better than the model, the server offers the copy, with its names made to fit, first."
    yield ""
    if nats := held.get("nats_per_token"):
        yield "What a token of these bodies costs the model, in nats: the less, the better it knew what comes."
        yield ""
        yield "| prompt | its own docstring | none | another function's |"
        yield "|---|---:|---:|---:|"
        for shown, around in (("with what is around", ""), ("head and docstring alone", "_nothing_else")):
            costs = (nats[f"docstring{which}{around}"] for which in ("", "_removed", "_shuffled"))
            yield f"| {shown} | {' | '.join(f'{each:.3f}' for each in costs)} |"
        yield ""


def _parity(parity: Mapping[str, Any]) -> Iterator[str]:
    """A table where graphs were measured apart, else the plain rows."""
    graphs = {name: row for name, row in parity.items() if isinstance(row, Mapping) and "largest_difference" in row}
    if not graphs:
        yield from _rows(parity)
        return
    metric = str(parity.get("metric", ""))
    own = parity.get("pytorch", {}).get("metrics", {})
    yield f"{parity.get('reference')}, {parity.get('examples')} held-out examples."
    yield ""
    yield f"| graphs | largest difference | median | equal decisions | {metric or 'metric'} |"
    yield "|---|---:|---:|---:|---:|"
    yield f"| PyTorch | | | | {own.get(metric, '')} |"
    for name, row in graphs.items():
        yield (
            f"| {name.replace('_', ' ')} | {row['largest_difference']:.2g} | {row['median_difference']:.2g} "
            f"| {row['agreement']:.2%} of {row['decisions']} | {row.get('metrics', {}).get(metric, '')} |"
        )
    yield ""
    bounds = parity.get("bounds", {})
    yield "Bounds it had to keep: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in bounds.items())


def _quantization(values: Mapping[str, Any]) -> Iterator[str]:
    yield from _rows({name: value for name, value in values.items() if not isinstance(value, Mapping)})
    for part, row in values.get("parts", {}).items():
        kept = ", ".join(row.get("kept_in_floats", ())) or "none"
        if "error" in row:
            weights = f"{row['weights']}, " if "weights" in row else ""
            yield f"- {part}: {weights}relative error {row['error']:.3f}, left in floats: {kept}"
    for name, row in values.get("graphs", {}).items():
        yield f"- {name}: opset {row['opset'].get('ai.onnx')}, IR {row['ir']}"


def _rows(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            value = [f"{each.replace('_', ' ').replace('/', ' ')} {inner}" for each, inner in value.items()]
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        yield f"- {str(name).replace('_', ' ')}: {shown}"
