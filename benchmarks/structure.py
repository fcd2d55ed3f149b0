"""Bodies and structure of the joint defect model compared: from nothing, on one injected defect a function.

    python benchmarks/structure.py SOURCES [--held-out PROJECT ...] [--functions 2400] [--steps 700] [--seeds 0 1]

SOURCES is a corpus of injected defects (`codehunch corpus inject`), of which the projects named by --held-out validate,
or a folder of Python files (the standard library of this Python), where every tenth file validates. Each function is
read with one defect and as its clean twin. Every configuration reads the same rows in the same order, with one
learning rate and equally long. `same`: attention biases between uses of one identifier; `edges`: also along last reads
and last writes; `occurrence`: embeddings of how often an identifier is used; `contrast`: the weight of the margin
between twins. The table gives the area under the ROC curve of the sequence head, how often the most suspicious token is
the wrong one, and how often the buggy twin scores higher. A run that is finished in --out is not run again.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sysconfig
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from codehunch.syntax.functions import function_nodes
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.folder import shards
from codehunch_training.corpus.injection import definition, inject
from codehunch_training.corpus.tables import read_table
from codehunch_training.recipe import Recipe, load_recipe
from codehunch_training.tasks.specification import Task
from codehunch_training.techniques import Technique
from codehunch_training.training import train

CONFIGURATIONS = (
    # body, attention bias, occurrence embeddings, weight of the contrast
    ("new:roberta", "none", False, 0.0),
    ("new:roberta", "edges", True, 0.0),
    ("new:modern", "none", False, 0.0),
    ("new:modern", "same", True, 0.0),
    ("new:modern", "same", True, 0.5),
)
LONGEST = 700
"""Characters of a function of a corpus."""


class Blind(Technique):
    """The defect model of ``new:modern`` always reads identifiers: here it is told of none, which leaves a plain body
    (the bias and every embedding of identifiers see 0 only)."""

    def on_model(self, model: PreTrainedModel, task: Task, recipe: Recipe) -> PreTrainedModel:
        model.register_forward_pre_hook(lambda _, inputs: (*inputs[:2], inputs[2] * 0, *inputs[3:]))
        return model


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


def chosen_twins(corpus: Path, held_out: Sequence[str], count: int, out: Path) -> None:
    """The same two files from a corpus of injected defects: a random defect of each of ``count`` random functions."""
    rng = random.Random(0)
    seen: Counter[str] = Counter()
    buggy: dict[str, dict[str, Any]] = {}
    clean: dict[str, dict[str, Any]] = {}
    of: dict[str, str] = {}
    for row in (row for shard in shards(corpus) for row in read_table(shard)):
        if len(row["text"]) > LONGEST:
            continue
        group = row["group"]
        kept = {key: row[key] for key in ("text", "label", "role", "group", "spans") if row.get(key) is not None}
        of[group] = row["project"]
        if row["role"] != "buggy":
            clean[group] = kept
        else:
            seen[group] += 1
            if rng.randrange(seen[group]) == 0:
                buggy[group] = kept
    parts: dict[str, list[str]] = {"train": [], "valid": []}
    for group in sorted(buggy.keys() & clean.keys()):
        parts["valid" if of[group] in held_out else "train"].append(group)
    for part, most in (("train", count), ("valid", count // 12)):
        rng.shuffle(parts[part])
        rows = [row for group in parts[part][:most] for row in (buggy[group], clean[group])]
        lines = (json.dumps(row) + "\n" for row in rows)
        (out / f"{part}.jsonl").write_text("".join(lines), encoding="utf-8")
        print(f"{len(rows) // 2} functions to {part}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path, nargs="?", default=Path(sysconfig.get_path("stdlib")))
    parser.add_argument("--held-out", nargs="+", default=[])
    parser.add_argument("--functions", type=int, default=2400)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--hidden", type=int, default=96)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = asked.out or Path(name)
        data = work / "data"
        if not data.is_dir():
            data.mkdir(parents=True)
            if (asked.sources / "corpus.json").is_file():
                chosen_twins(asked.sources, asked.held_out, asked.functions, data)
            else:
                twins(asked.sources, asked.functions, data)
        lines = []
        found: dict[Any, list[dict[str, float]]] = defaultdict(list)
        for seed in asked.seeds:
            for configuration in CONFIGURATIONS:
                found[configuration].append(measured(configuration, seed, asked, data, work))
        for configuration, results in found.items():
            base, structure, occurrence, contrast = configuration
            cells = []
            for metric in ("roc_auc", "top1", "paired", "seconds", "tokens"):
                values = [result[metric] for result in results]
                spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 and metric not in WHOLE else ""
                cells.append(f"{f'{statistics.mean(values):.1f}{spread}':>13}")
            lines.append(
                f"{base:12} {structure:6} {'yes' if occurrence else 'no':10} {contrast:8.1f} "
                f"{results[0]['parameters']:6.2f} {''.join(cells)}"
            )
    heads = f"{'ROC-AUC':>13}{'top-1':>13}{'paired':>13}{'seconds':>13}{'M tokens':>13}"
    print(f"\n{'body':12} {'bias':6} {'occurrence':10} {'contrast':>8} {'M par.':>6} {heads}")
    print("\n".join(lines))


WHOLE = ("seconds", "tokens")


def measured(configuration: Any, seed: int, asked: Any, data: Path, work: Path) -> dict[str, float]:
    """Train one configuration with one seed; its metrics in per cent at the end of the training."""
    base, structure, occurrence, contrast = configuration
    recipe = load_recipe(
        "defects-joint",
        [
            f"model.structure={structure}", f"model.occurrence={str(occurrence).lower()}", f"seed={seed}",
            f"model.hidden_size={asked.hidden}", f"model.layers={asked.layers}", "model.heads=4",
            f"model.intermediate_size={3 * asked.hidden}", "model.vocabulary=4000", "model.max_length=384",
            "schedule.patience=0", "optimizer.learning_rate=1e-3", f"schedule.steps={asked.steps}", "batch.tokens=2048",
            f"schedule.evaluate_every={asked.steps}", "regularization.dropout=0.0", "hardware.threads=1",
            f"objective.contrastive_weight={contrast}", "hardware.precision=bf16", "schedule.kind=cosine",
            "regularization.attention_dropout=0.0",
        ],
    )  # fmt: skip
    name = f"{base[4:]}-{structure}-{str(occurrence).lower()}-{contrast}-{seed}"
    if (work / name / "run.json").is_file() and json.loads((work / name / "run.json").read_text())["finished"]:
        summary = json.loads((work / name / "run.json").read_text())
    else:
        blind = [Blind()] if base == "new:modern" and not occurrence else []
        summary = train("defects", base, data, recipe, work / name, techniques=blind).summary
    metrics = {metric: 100 * summary["metrics"][metric] for metric in ("roc_auc", "top1", "paired")}
    metrics |= {"parameters": summary["parameters"] / 1e6, "tokens": summary["tokens"] / 1e6}
    print(name, json.dumps({key: round(value, 2) for key, value in metrics.items()}), flush=True)
    return metrics | {"seconds": summary["seconds"]}


if __name__ == "__main__":
    main()
