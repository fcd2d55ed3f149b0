"""Devign (C functions of FFmpeg and QEMU, defective or not): a recipe of ours against TF-IDF + logistic regression.

    python benchmarks/devign.py DATA --out RUNS [--recipe devign] [--seeds 0 1 2] [--set table.key=value] [--test FILE]

DATA holds train.jsonl.gz and valid.jsonl.gz with the columns `func` and `target`. An unfinished run goes on where it
was. Both models read the same training rows and are measured on the same validation rows, and on FILE where one is
given. The TF-IDF needs scikit-learn. Published on the official test (CodeXGLUE; VulBERTa, Hanif and Maffeis 2022):
majority 54.06, CodeBERT 62.08, VulBERTa 64.71.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from codehunch_training.data import Row, read_data, read_rows
from codehunch_training.metrics import classification
from codehunch_training.recipe import load_recipe
from codehunch_training.run_folder import load_run
from codehunch_training.training import train

SHOWN = ("accuracy", "f1", "mcc", "roc_auc")


def tfidf(rows: Sequence[Row], measured: Sequence[Sequence[Row]]) -> list[dict[str, float]]:
    """Word uni- and bigrams, C chosen on a tenth of the training rows."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(
        ngram_range=(1, 2), token_pattern=r"[A-Za-z_]\w*|\d+|[^\s\w]", max_features=200_000, sublinear_tf=True, min_df=2
    )
    x = words.fit_transform([row["func"] for row in rows])
    y = np.array([int(row["target"]) for row in rows])
    held = np.arange(len(y)) % 10 == 0

    def fitted(c: float, where: Any) -> Any:
        return LogisticRegression(C=c, max_iter=300).fit(x[where], y[where])

    c = max((0.3, 1.0, 3.0), key=lambda value: fitted(value, ~held).score(x[held], y[held]))
    model = fitted(c, np.arange(len(y)))
    return [
        classification(
            model.predict_proba(words.transform([row["func"] for row in each])),
            np.array([int(row["target"]) for row in each]),
        )
        for each in measured
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", default="devign")
    parser.add_argument("--base", default="")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", dest="changes", action="append", default=[])
    parser.add_argument("--test", type=Path)
    parser.add_argument("--no-tfidf", action="store_true")
    asked = parser.parse_args()
    recipe = load_recipe(asked.recipe, asked.changes)
    data = read_data(asked.data, recipe)
    measured = {"valid": data.valid} | ({"test": read_rows(asked.test, recipe)} if asked.test else {})
    table: dict[str, list[dict[str, float]]] = {}
    ones = {name: np.mean([int(row["target"]) for row in rows]) for name, rows in measured.items()}
    for name, share in ones.items():
        table[f"{name}  majority"] = [{"accuracy": float(max(share, 1 - share))}]
    if not asked.no_tfidf:
        started = time.process_time()
        kept = asked.out / "tfidf.json"
        key = f"{data.fingerprint} {sorted(measured)} {asked.test}"
        known = json.loads(kept.read_text()) if kept.is_file() else {}
        if key not in known:
            known[key] = tfidf(data.train, list(measured.values()))
            asked.out.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(known, indent=1))
            print(f"TF-IDF + logistic regression: {time.process_time() - started:.0f} s of processor time", flush=True)
        for name, found in zip(measured, known[key], strict=True):
            table[f"{name}  TF-IDF + logistic regression"] = [found]
            print(f"{name}  TF-IDF + logistic regression {json.dumps(found)}", flush=True)
    for seed in asked.seeds:
        started = time.process_time()
        folder = asked.out / f"{asked.recipe}-{seed}"

        def tell(row: Any) -> None:
            if "metrics" in row:
                print(json.dumps({"step": row["step"], **row["metrics"]}), flush=True)

        run = train("classify", asked.base or recipe.base, asked.data, recipe.set("seed", seed), folder, progress=tell)
        print(
            f"seed {seed}: {run.summary['parameters'] / 1e6:.2f} M parameters, {run.summary['tokens'] / 1e6:.1f} M "
            f"tokens, {time.process_time() - started:.0f} s of processor time",
            flush=True,
        )
        if not run.finished:
            raise SystemExit(f"stopped at step {run.summary['steps_done']}; the same command goes on from there")
        loaded = load_run(folder)
        for name, rows in measured.items():
            found = loaded.task.evaluate(loaded.model, rows)
            table.setdefault(f"{name}  {asked.recipe} ({len(asked.seeds)} seed(s))", []).append(found)
    print(f"\n{'':44}" + "".join(f"{name:>16}" for name in SHOWN))
    for name, results in sorted(table.items(), reverse=True):
        cells = []
        for metric in SHOWN:
            values = [100 * result[metric] for result in results if metric in result]
            spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
            cells.append(f"{f'{statistics.mean(values):.2f}{spread}' if values else '-':>16}")
        print(f"{name:44}" + "".join(cells))


if __name__ == "__main__":
    main()
