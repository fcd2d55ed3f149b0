"""The engine on a CodeBERT-sized encoder (125 M, random weights), side by side with runtimes that could do its work.

    pip install -e '.[train]' openvino
    python benchmarks/inference.py                          lengths 64, 128, 256 and 512, 20 rounds
    python benchmarks/inference.py --lengths 64 --rounds 40

The model goes through the export and the quantisation that `codehunch export` uses. Every implementation gets the same
tokens and as many threads, in turn. Our engine is measured from the text to the probabilities, tokens included, once
in this process and once through its worker process; its overhead is over a bare session of the same graph.
A second table reads many short functions: one by one, in batches of like length as the engine makes them where the
rows of a graph are independent, and padded to the longest.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import platform
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from codehunch.bundles.bundle import Bundle, load_bundle, write_bundle
from codehunch.bundles.manifest import DefectSpec, InputSpec, Manifest
from codehunch.inference.textual import TextClassifier
from codehunch.inference.worker import WorkerClient

RAW, TORCH, ENGINE, WORKER = "onnxruntime int8, bare session", "PyTorch fp32", "CodeHunch", "CodeHunch, worker"
VOCABULARY = 50_265


def main() -> None:
    """Parse the arguments, build the model once, print a table per length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1, help="threads of every implementation")
    parser.add_argument("--work", type=Path, help="keep the built models here, and use them again")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.work or Path(scratch)
        model = build(work, layers=12, hidden=768)
        console.print(f"{parameters(model) / 1e6:.0f} M parameters, {arguments.threads} threads, {processor()}")
        compare(console, model, work, arguments.lengths, arguments.rounds, arguments.threads)
        batches(console, work / "small", arguments.rounds, arguments.threads)


def compare(console: Console, model: Any, work: Path, lengths: list[int], rounds: int, threads: int) -> None:
    """One table per length."""
    import torch
    from side_by_side import measure, table

    torch.set_num_threads(threads)
    bundle = load_bundle(work / "int8")
    paths = {TORCH: torch_path(model), **torch_variants(model), **runtimes(work, threads)}
    engine = TextClassifier(bundle, threads)
    client = WorkerClient("inference:create", (str(bundle.path), threads))
    loop = asyncio.new_event_loop()
    try:
        for length in lengths:
            ids = np.random.default_rng(length).integers(5, VOCABULARY, (1, length))
            text = " ".join(f"t{number}" for number in ids[0, 1:-1])
            ids[0, 0], ids[0, -1] = 0, 2
            runs: dict[str, Callable[[], object]] = {name: bound(run, ids) for name, run in paths.items()}
            runs[ENGINE] = lambda text=text: engine.read([text])
            runs[WORKER] = lambda text=text: loop.run_until_complete(client.call("read", text))
            check(engine, paths[RAW], text, ids)
            times = measure(runs, rounds, (WORKER,), f"{length} tokens")
            console.print(table(f"{length} tokens", times, TORCH, RAW))
            console.print()
    finally:
        loop.run_until_complete(client.close())
        loop.close()


def check(engine: TextClassifier, raw: Callable[[Any], Any], text: str, ids: Any) -> None:
    """The engine must have read the very same tokens: its probabilities are those of the bare session."""
    logits = raw(ids)[0]
    expected = np.exp(logits - logits.max())
    np.testing.assert_allclose(engine.read([text])[0], expected / expected.sum(), rtol=0.02)


def batches(console: Console, work: Path, rounds: int, threads: int) -> None:
    """Many functions of mixed lengths on a small fp32 encoder, whose rows are independent."""
    from side_by_side import measure, table

    build(work, layers=6, hidden=256)
    engine = TextClassifier(load_bundle(work / "fp32"), threads)
    runner = engine._runner
    assert runner.independent, "rows of an fp32 graph are independent"
    random = np.random.default_rng(0)
    lengths = np.clip(random.lognormal(4.0, 0.7, 64).astype(int), 8, 400)
    rows = [
        {"input_ids": random.integers(5, VOCABULARY, length), "attention_mask": np.ones(length, np.int64)}
        for length in lengths
    ]

    def alone() -> None:
        for row in rows:
            runner._batch([row], len(row["input_ids"]))

    def padded() -> None:
        for start in range(0, len(rows), 8):
            runner._batch(rows[start : start + 8], max(lengths))

    runs = {
        "one by one": alone,
        "batches of like length": lambda: list(runner.run(rows)),
        "batches of 8 padded to the longest": padded,
    }
    times = measure(runs, rounds, title="batches")
    title = f"64 functions of {min(lengths)} to {max(lengths)} tokens, 10 M fp32"
    console.print(table(title, times, "one by one", "one by one"))


def build(work: Path, layers: int, hidden: int) -> Any:
    """A RoBERTa classifier with random weights; its graphs as bundles in ``work/fp32`` and ``work/int8``."""
    import torch
    from transformers import RobertaConfig, RobertaForSequenceClassification

    from codehunch_training.export.graphs import export_encoder
    from codehunch_training.export.padding import without_mask
    from codehunch_training.export.quantisation import SCHEMES, quantise

    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        intermediate_size=4 * hidden,
        max_position_embeddings=514,
        type_vocab_size=1,
        num_labels=2,
    )
    model = RobertaForSequenceClassification(config).eval()
    if not (work / "int8" / "manifest.json").exists():
        for name in ("fp32", "int8"):
            (work / name).mkdir(parents=True, exist_ok=True)
        export_encoder(model, work / "fp32" / "model.onnx", ("logits",))
        ids = np.random.default_rng(0).integers(5, VOCABULARY, (1, 32))
        assert without_mask(
            work / "fp32" / "model.onnx", work / "alone.onnx", [feed_of(["input_ids", "attention_mask"], ids)]
        )
        quantise(work / "alone.onnx", work / "int8" / "model.onnx", SCHEMES["reduced"])
        for name in ("fp32", "int8"):
            make_bundle(work / name)
    return model


def make_bundle(folder: Path) -> Bundle:
    """A bundle around the graph: a tokenizer whose words are the numbers of its tokens."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from tokenizers.processors import TemplateProcessing

    words = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4}
    words |= {f"t{number}": number for number in range(5, VOCABULARY)}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer.save(str(folder / "tokenizer.json"))
    labels = ("clean", "defective-function")
    levels = {"low": 0.9, "medium": 0.7, "high": 0.5}
    spec = DefectSpec((), labels, False, 1.0, levels, {})
    return write_bundle(
        folder,
        Manifest(
            id="benchmark",
            version="1",
            task="defects",
            languages=("python",),
            created="2026-01-01T00:00:00+00:00",
            license="Apache-2.0",
            encoding=InputSpec("text", window=512, stride=128),
            defects=spec,
        ),
    )


def torch_path(model: Any) -> Callable[[Any], Any]:
    """Token ids to logits."""
    import torch

    def run(ids: Any) -> Any:
        with torch.inference_mode():
            given = torch.from_numpy(ids)
            return model(input_ids=given, attention_mask=torch.ones_like(given)).logits.float().numpy()

    return run


def torch_variants(model: Any) -> dict[str, Callable[[Any], Any]]:
    import torch

    int8 = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
    half = copy.deepcopy(model).to(torch.bfloat16)
    return {"PyTorch dynamic int8": torch_path(int8), "PyTorch bf16": torch_path(half)}


def runtimes(work: Path, threads: int) -> dict[str, Callable[[Any], Any]]:
    """Bare sessions of onnxruntime, and OpenVINO where it is installed."""
    import onnxruntime

    found: dict[str, Callable[[Any], Any]] = {}
    for name, folder in (("onnxruntime fp32, bare session", "fp32"), (RAW, "int8")):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(
            str(work / folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        names = [each.name for each in session.get_inputs()]
        found[name] = lambda ids, session=session, names=names: session.run(["logits"], feed_of(names, ids))[0]
    try:
        import openvino
    except ImportError:
        Console(stderr=True).print("OpenVINO is left out: pip install openvino")
        return found
    core = openvino.Core()
    for name, folder, precision in (("OpenVINO bf16", "fp32", "bf16"), ("OpenVINO int8", "int8", "f32")):
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        compiled = core.compile_model(core.read_model(str(work / folder / "model.onnx")), "CPU", settings)
        names = [each.get_any_name() for each in compiled.inputs]
        found[name] = lambda ids, compiled=compiled, names=names: compiled(feed_of(names, ids))[compiled.output(0)]
    return found


def feed_of(names: list[str], ids: Any) -> dict[str, Any]:
    """Inputs of one row that is not padded."""
    return {name: ids if name == "input_ids" else np.ones_like(ids) for name in names}


def bound(run: Callable[[Any], Any], ids: Any) -> Callable[[], object]:
    return lambda: run(ids)


def parameters(model: Any) -> int:
    return sum(each.numel() for each in model.parameters())


def processor() -> str:
    """The processor's name and what of its instructions matters here."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    name = next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")), "")
    flags = set(next((line for line in text.splitlines() if line.startswith("flags")), "").split())
    known = [
        flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16") if flag in flags
    ]
    return f"{name} ({', '.join(known)})"


class Service:
    """What the worker process of the benchmark holds."""

    def __init__(self, classifier: TextClassifier) -> None:
        self._classifier = classifier

    def read(self, text: str, cancelled: Callable[[], bool]) -> list[float]:
        """Probabilities of one text."""
        return self._classifier.read([text], cancelled)[0].tolist()


def create(options: Any, emit: Callable[[str, object], None]) -> Service:
    """The factory a worker is given."""
    path, threads = options
    return Service(TextClassifier(load_bundle(path), threads))


if __name__ == "__main__":
    main()
