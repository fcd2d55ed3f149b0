"""Bodies and structure of the joint defect model compared: from nothing, on one injected defect a function.

    python benchmarks/structure.py [SOURCES] [--functions 2400] [--steps 700] [--seeds 0 1] [--hidden 96]

Functions of SOURCES (the standard library of this Python) of at most 40 lines, each with a defect and as its clean
twin; files are split, not functions. Every configuration reads the same rows in the same order, with one learning rate
and equally long. `same`: attention biases between uses of one identifier; `edges`: also along last reads and last
writes; `occurrence`: embeddings of how often an identifier is used. The table gives the area under the ROC curve of the
sequence head, how often the most suspicious token is the wrong one, and how often the buggy twin scores higher.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codehunch.syntax.functions import function_nodes
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.injection import definition, inject
from codehunch_training.recipe import load_recipe
from codehunch_training.training import train

CONFIGURATIONS = (
    ("new:roberta", "none", "false"),
    ("new:roberta", "none", "true"),
    ("new:roberta", "same", "false"),
    ("new:roberta", "edges", "true"),
    ("new:modern", "same", "true"),
)
"""``new:modern`` always has its biases and occurrences: they are part of that body."""


def functions(folder: Path, rng: random.Random) -> Iterator[tuple[str, str]]:
    """(file, function) in a random order of files, dedented."""
    files = sorted(path for path in folder.rglob("*.py") if "site-packages" not in path.parts)
    rng.shuffle(files)
    for path in files:
        try:
            parsed = parse(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            continue
        for function, node in function_nodes(parsed):
            lines = parsed.text[parsed.offset(node.start_byte) : parsed.offset(node.end_byte)].split("\n")
            indent = " " * node.start_point[1]
            if 4 <= len(lines) <= 40 and function.name:
                yield str(path), "\n".join(line.removeprefix(indent) for line in lines) + "\n"


def twins(folder: Path, count: int, out: Path) -> None:
    """Write ``train.jsonl`` and ``valid.jsonl``; every tenth file validates."""
    rng = random.Random(0)
    parts: dict[str, list[dict[str, Any]]] = {"train": [], "valid": []}
    files: dict[str, str] = {}
    seen: set[str] = set()
    for path, text in functions(folder, rng):
        parsed = parse(text)
        node = definition(parsed)
        injected = inject(parsed, node, 1, rng) if node is not None and text not in seen else None
        seen.add(text)
        if injected is None:
            continue
        at, kind = next(iter(injected.labels.items()))
        part = files.setdefault(path, "valid" if len(files) % 10 == 0 else "train")
        group = f"{len(seen)}"
        parts[part].append(
            {"text": injected.text, "label": kind, "role": "buggy", "group": group, "spans": [[at, at + 1]]}
        )
        parts[part].append({"text": text, "label": "clean", "role": "fixed", "group": group, "spans": []})
        if sum(map(len, parts.values())) >= 2 * count:
            break
    for part, rows in parts.items():
        (out / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(", ".join(f"{len(rows) // 2} functions to {part}" for part, rows in parts.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path, nargs="?", default=Path(sysconfig.get_path("stdlib")))
    parser.add_argument("--functions", type=int, default=2400)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--hidden", type=int, default=96)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    asked = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        data = work / "data"
        data.mkdir()
        twins(asked.sources, asked.functions, data)
        for base, structure, occurrence in CONFIGURATIONS:
            found: dict[str, list[float]] = {"roc_auc": [], "top1": [], "paired": []}
            started, parameters = time.process_time(), 0
            for seed in asked.seeds:
                recipe = load_recipe(
                    "defects-joint",
                    [
                        f"model.structure={structure}", f"model.occurrence={occurrence}", f"seed={seed}",
                        f"model.hidden_size={asked.hidden}", "model.layers=3", "model.heads=4", "model.max_length=256",
                        f"model.intermediate_size={3 * asked.hidden}", "model.vocabulary=2000", "schedule.patience=0",
                        "optimizer.learning_rate=2e-3", f"schedule.steps={asked.steps}", "batch.tokens=2048",
                        f"schedule.evaluate_every={asked.steps}", "regularization.dropout=0.0", "hardware.threads=1",
                        "objective.contrastive_weight=0.0", "hardware.precision=bf16", "schedule.kind=cosine",
                        "regularization.attention_dropout=0.0",
                    ],
                )  # fmt: skip
                out = work / f"{base[4:]}-{structure}-{occurrence}-{seed}"
                run = train("defects", base, data, recipe, out)
                parameters = run.summary["parameters"]
                for metric, values in found.items():
                    values.append(100 * run.metrics[metric])
            seconds = (time.process_time() - started) / len(asked.seeds)
            cells = []
            for values in found.values():
                spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
                cells.append(f"{f'{statistics.mean(values):.1f}{spread}':>13}")
            lines.append(
                f"{base:12} {structure:6} {occurrence:10} {parameters / 1e6:6.2f} {''.join(cells)} {seconds:8.0f}"
            )
            print(lines[-1], flush=True)
    heads = f"{'ROC-AUC':>13}{'top-1':>13}{'paired':>13} {'cpu s':>8}"
    print(f"\n{'body':12} {'bias':6} {'occurrence':10} {'M par.':>6} {heads}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
