"""A trained defect model to a bundle: ONNX through optimum, int8 weights, parity measured, thresholds fitted."""

from __future__ import annotations

import datetime
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from optimum.exporters.onnx import export as onnx_export
from optimum.exporters.onnx.base import OnnxConfig
from optimum.utils import DummyTextInputGenerator, NormalizedTextConfig
from tokenizers import Tokenizer

from codehunch.bundles.bundle import Bundle, load_bundle, write_bundle
from codehunch.bundles.manifest import DefectSpec, InputSpec, Manifest
from codehunch.defects.units import Unit
from codehunch.defects.verification import read_units
from codehunch.inference.classifier import Classifier
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.around import around_of
from codehunch_training.corpus.injection import definition, inject
from codehunch_training.corpus.rows import FunctionRow
from codehunch_training.evaluation.defects import read
from codehunch_training.export.calibration import Calibration, calibrate
from codehunch_training.export.card import CARD_NAME, render_card, write_card
from codehunch_training.export.fused import OPSET, fused
from codehunch_training.export.graphs import checked
from codehunch_training.export.held_out import report
from codehunch_training.models.encoder import DefectConfig, DefectModel
from codehunch_training.tasks.defect_data import label_index, make_examples

AGREEMENT = 0.95
"""The least share of held-out functions on which the int8 model must point at the PyTorch model's token."""


class _DummyInputs(DummyTextInputGenerator):  # type: ignore[misc]
    SUPPORTED_INPUT_NAMES = ("input_ids", "attention_mask", "identifier_ids")

    def generate(self, input_name: str, *args: Any, **kwargs: Any) -> Any:
        return super().generate("input_ids" if input_name == "identifier_ids" else input_name, *args, **kwargs)


class DefectOnnxConfig(OnnxConfig):  # type: ignore[misc]
    """One graph, both heads, any batch and length."""

    NORMALIZED_CONFIG_CLASS = NormalizedTextConfig
    DUMMY_INPUT_GENERATOR_CLASSES = (_DummyInputs,)
    ATOL_FOR_VALIDATION = 1e-4

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        axes = {0: "batch", 1: "tokens"}
        return {"input_ids": axes, "attention_mask": axes, "identifier_ids": axes}

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        return {"logits": {0: "batch"}, "token_logits": {0: "batch", 1: "tokens"}}


def export_graph(model: DefectModel, folder: Path) -> Path:
    """The fp32 graph of a model, checked by onnx."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model-fp32.onnx"
    model = model.eval().cpu()
    with fused(model):
        onnx_export(model, DefectOnnxConfig(model.config, task="token-classification"), path, opset=OPSET)
    checked(path)
    return path


def quantize(path: Path, out: Path) -> dict[str, Any]:
    """Int8 weights, per channel; activations are quantised as they come.

    Seven-bit weights (``reduce_range``) keep AVX2 processors without VNNI from saturating.
    """
    quantize_dynamic(
        path,
        out,
        op_types_to_quantize=["MatMul", "Gemm", "Gather"],
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True},
    )
    return {
        "method": "onnxruntime dynamic int8, per channel, reduced range",
        "bytes_fp32": path.stat().st_size,
        **checked(out),
    }


def export(
    run: Path,
    out: Path,
    calibration: Sequence[FunctionRow],
    held_out: Sequence[FunctionRow],
    version: str,
    left_out: Sequence[str] = (),
) -> Bundle:
    """Write the bundle of a finished run to ``out``.

    ``calibration`` and ``held_out`` are rows of projects the model was not trained on: the first fit
    temperature, confidence and thresholds, the second only measure. ``left_out`` names the projects that no
    step of it has read. Raises ValueError when the int8 model disagrees with the PyTorch model more than
    ``AGREEMENT`` allows.
    """
    summary = json.loads((run / "run.json").read_text())
    model = DefectModel.from_pretrained(run / "model").eval()
    assert isinstance(model.config, DefectConfig)
    work = run / "export"
    shutil.rmtree(work, ignore_errors=True)
    fp32 = export_graph(model, work)
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    quantization = quantize(fp32, out / "model.onnx")
    shutil.copy(run / "tokenizer.json", out / "tokenizer.json")
    recipe = summary["recipe"]
    labels = tuple(model.config.token_labels)
    manifest = Manifest(
        id="codehunch-defects-python",
        version=version,
        task="defects",
        languages=("python",),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        license="Apache-2.0",
        encoding=InputSpec(
            "lexical",
            window=recipe["window"],
            stride=recipe["stride"],
            standings=model.config.standings > 0,
            standings_known=model.config.standings,
        ),
        defects=DefectSpec(
            labels=labels,
            sequence_labels=labels,
            token_head=True,
            temperature=1.0,
            thresholds={"low": 0.99, "medium": 0.95, "high": 0.9},
            alarms_per_kloc={},
        ),
        quantization=quantization,
        provenance={
            **{key: summary[key] for key in summary if key != "metrics"},
            **({"left_out": list(left_out)} if left_out else {}),
        },
    )
    bundle = write_bundle(out, manifest)
    found = parity(model, Classifier(bundle), held_out[:200], fp32)
    if found["agreement_int8"] < AGREEMENT:
        raise ValueError(f"the int8 model points at another token in {1 - found['agreement_int8']:.1%} of functions")
    fitted = calibrate(bundle, calibration)
    bundle = write_bundle(out, _with(manifest, fitted, found, {}))
    metrics = {"training_validation": summary["metrics"], "held_out": report(bundle, held_out)}
    manifest = _with(manifest, fitted, found, metrics)
    (out / CARD_NAME).write_text(render_card(manifest), encoding="utf-8")
    return write_bundle(out, manifest)


def recalibrated(folder: Path, calibration: Sequence[FunctionRow], held_out: Sequence[FunctionRow]) -> Bundle:
    """Fit confidence and thresholds of the bundle in ``folder`` on other functions; numbers and card follow."""
    manifest = load_bundle(folder).manifest
    fitted = calibrate(load_bundle(folder), calibration)
    write_bundle(folder, _with(manifest, fitted, dict(manifest.parity), dict(manifest.metrics)))
    metrics = {**manifest.metrics, "held_out": report(load_bundle(folder), held_out)}
    manifest = _with(manifest, fitted, dict(manifest.parity), metrics)
    (folder / CARD_NAME).write_text(render_card(manifest), encoding="utf-8")
    return write_bundle(folder, manifest)


def measured(folder: Path, held_out: Sequence[FunctionRow]) -> Bundle:
    """Measure the bundle in ``folder`` again as it is; its numbers and its card follow, the model and its thresholds
    stay."""
    bundle = load_bundle(folder)
    metrics = {**bundle.manifest.metrics, "held_out": report(bundle, held_out)}
    write_bundle(folder, attrs.evolve(bundle.manifest, metrics=metrics))
    return write_card(folder)


def _with(manifest: Manifest, fitted: Calibration, found: dict[str, Any], metrics: dict[str, Any]) -> Manifest:
    assert manifest.defects is not None
    spec = attrs.evolve(
        manifest.defects,
        temperature=fitted.temperature,
        candidate=fitted.candidate,
        confidence=fitted.weights,
        thresholds=fitted.thresholds,
        alarms_per_kloc=fitted.alarms_per_kloc,
    )
    return attrs.evolve(manifest, defects=spec, parity=found, metrics=metrics)


def parity(model: DefectModel, quantized: Classifier, rows: Sequence[FunctionRow], fp32: Path) -> dict[str, Any]:
    """PyTorch against the ONNX graphs on held-out functions with an injected defect each."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(fp32), providers=["CPUExecutionProvider"])
    rng, index = random.Random(7), label_index(quantized.labels)
    worst_fp32, same, shifts = 0.0, [], []
    for row in rows:
        parsed = parse(row.text)
        node = definition(parsed)
        injected = inject(parsed, node, 1, rng) if node is not None else None
        if injected is None:
            continue
        around = around_of(row.around)
        examples = make_examples(injected.text, injected.labels, {}, quantized.encoder, index, around=around)
        if len(examples) != 1:
            continue
        window = examples[0].window
        torch_tokens = read(model, examples, quantized.encoder.pad)[0][1]
        feed = {
            "input_ids": window.input_ids[None],
            "attention_mask": np.ones((1, len(window)), dtype=np.int64),
            "identifier_ids": window.identifier_ids[None],
        }
        plain = torch.from_numpy(session.run(["token_logits"], feed)[0][0]).softmax(-1).numpy()
        worst_fp32 = max(worst_fp32, float(np.abs(plain - torch_tokens).max()))
        places = np.flatnonzero(window.lexemes >= 0)
        expected = 1 - torch_tokens[places, 0]
        actual = read_units([Unit(injected.text, 0, around)], quantized)[0].suspicion
        actual = actual[window.lexemes[places]]
        shifts.append(float(np.abs(actual - expected).max()))
        close = expected[int(actual.argmax())] >= expected.max() - 0.05
        same.append(bool(actual.argmax() == expected.argmax() or close))
    return {
        "functions": len(same),
        "largest_difference_fp32": worst_fp32,
        "median_difference_int8": float(np.median(shifts)),
        "largest_difference_int8": float(np.max(shifts)),
        "agreement_int8": float(np.mean(same)),
    }


def load_tokenizer(run: Path) -> Tokenizer:
    """The tokenizer a run learned."""
    return Tokenizer.from_file(str(run / "tokenizer.json"))
