"""How the embedded defect bundle is made: ``python -m codehunch_training.tasks.default_defects COMMAND --help``.

Three steps, each restartable: ``harvest`` source trees into a file of distinct functions, ``train`` by a
recipe within its time budget, ``export`` to an int8 bundle with parity, calibration and held-out numbers.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import attrs
import cattrs
import typer
from rich.console import Console
from rich.progress import track
from tokenizers import Tokenizer

from codehunch.bundles.bundle import load_bundle
from codehunch.bundles.errors import BundleError
from codehunch.inference.encoding import LexicalEncoder
from codehunch_training.compression.soups import mean_weights
from codehunch_training.corpus.harvest import read_functions, write_functions, write_table
from codehunch_training.corpus.imports import imports_of_projects
from codehunch_training.corpus.members import common_members
from codehunch_training.corpus.rows import FunctionRow, to_line
from codehunch_training.corpus.words import as_file, words_of_names
from codehunch_training.export.defects import export as export_bundle
from codehunch_training.export.defects import measured as measure_bundle
from codehunch_training.export.defects import recalibrated
from codehunch_training.models.encoder import DefectConfig, DefectModel
from codehunch_training.tasks.defect_model import started
from codehunch_training.tasks.defect_recipe import Recipe
from codehunch_training.tasks.defects import train as train_run
from codehunch_training.tasks.doubts import doubts as doubts_of

DEFAULT_RECIPE = Path(__file__).parent.parent / "recipes" / "defects-default.toml"
LEFT_OUT = ("arrow", "boltons", "cachetools", "invoke", "mistune", "pexpect", "tenacity", "webargs")
"""Projects that no step reads: `benchmarks/retrain.py` begins with them."""

app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True)


def read_recipe(path: Path) -> Recipe:
    """A recipe file. Raises ValueError naming unknown keys and wrong types."""
    converter = cattrs.Converter(forbid_extra_keys=True)
    try:
        return converter.structure(tomllib.loads(path.read_text(encoding="utf-8")), Recipe)
    except (cattrs.BaseValidationError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path}: {'; '.join(_reasons(error))}") from error


def _reasons(error: Exception) -> list[str]:
    return cattrs.transform_error(error) if isinstance(error, cattrs.BaseValidationError) else [str(error)]


File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="File that `harvest` wrote.")]
Trees = Annotated[
    list[Path], typer.Argument(exists=True, file_okay=False, help="Source trees; each folder's name is its project's.")
]
RecipeFile = Annotated[
    Path, typer.Option(exists=True, dir_okay=False, help="Recipe file: what it holds out trains nothing.")
]


@contextlib.contextmanager
def _errors_in_a_line() -> Iterator[None]:
    """What is wrong with a file, without a traceback."""
    try:
        yield
    except (OSError, EOFError, ValueError, BundleError) as error:
        raise typer.BadParameter(str(error)) from error


@app.command()
@_errors_in_a_line()
def harvest(
    out: Annotated[Path, typer.Argument(help="File to write, NAME.jsonl.gz.")],
    trees: Trees,
    exclude: Annotated[list[str] | None, typer.Option(help="Further projects to leave out altogether.")] = None,
    shortest: Annotated[int, typer.Option(help="Lexemes that a function has at least.")] = 5,
    jobs: Annotated[int, typer.Option(help="Trees read at a time.")] = 1,
    files: Annotated[int, typer.Option(help="Files of a tree that are read, drawn by chance; 0: all.", min=0)] = 0,
    table: Annotated[Path | None, typer.Option(help="CSV file to write: versions, licences and counts.")] = None,
    seed: int = 0,
) -> None:
    """Collect the distinct functions of source trees."""
    named = sorted((tree.name.split("-")[0], tree) for tree in trees)
    left_out = {name.lower() for name in (*LEFT_OUT, *(exclude or ()))}
    chosen = [(name, tree) for name, tree in named if name.lower() not in left_out]
    # Where two projects hold one function, chance decides who keeps it, not the alphabet.
    random.Random(seed).shuffle(chosen)
    counts = write_functions(chosen, out, shortest, jobs, files)
    if table is not None:
        write_table(chosen, counts, table)
    typer.echo(json.dumps({"functions": sum(counts.values()), "projects": len(counts)}))


@app.command()
@_errors_in_a_line()
def members(
    functions: File,
    out: Annotated[Path, typer.Argument(help="Text file to write, a name a line.")],
    recipe: RecipeFile = DEFAULT_RECIPE,
    least: Annotated[int, typer.Option(help="Projects that use an attribute at least.")] = 15,
    each: Annotated[int, typer.Option(help="Functions of one project to read, at most.")] = 400,
) -> None:
    """Collect the attributes that many projects use: fixes of misspelt ones are drawn from them."""
    held_out = read_recipe(recipe).held_out
    found = common_members((row for row in read_functions(functions) if row.project not in held_out), least, each)
    out.write_text("\n".join(found) + "\n", encoding="utf-8")
    typer.echo(json.dumps({"names": len(found)}))


@app.command()
@_errors_in_a_line()
def words(
    functions: File,
    out: Annotated[Path, typer.Argument(help="Text file to write, a word a line.")],
    recipe: RecipeFile = DEFAULT_RECIPE,
    least: Annotated[int, typer.Option(help="Projects that use a word at least.")] = 3,
    many: Annotated[int, typer.Option(help="Projects that use a word which others may be a slip of.")] = 30,
    each: Annotated[int, typer.Option(help="Functions of one project to read, at most.")] = 600,
) -> None:
    """Collect the words that names are made of: others are misspelt."""
    held_out = read_recipe(recipe).held_out
    users = words_of_names((row for row in read_functions(functions) if row.project not in held_out), each)
    out.write_text(as_file(users, least, many), encoding="utf-8")
    typer.echo(json.dumps({"words": sum(count >= least for count in users.values())}))


@app.command()
@_errors_in_a_line()
def imports(
    out: Annotated[Path, typer.Argument(help="Text file to write, a statement a line.")],
    trees: Trees,
    recipe: RecipeFile = DEFAULT_RECIPE,
    least: Annotated[int, typer.Option(help="Projects that have an import at least.")] = 8,
    files: Annotated[int, typer.Option(help="Files of a tree that are read at most, drawn by chance.")] = 50,
) -> None:
    """Collect the imports that many projects have: fixes of names that nothing binds are drawn from them."""
    left_out = {name.lower() for name in (*LEFT_OUT, *read_recipe(recipe).held_out)}
    named = sorted((tree.name.split("-")[0], tree) for tree in trees)
    chosen = [(name, tree) for name, tree in named if name.lower() not in left_out]
    shown = track(chosen, "trees", len(chosen), console=Console(stderr=True))
    found = imports_of_projects(shown, least, files)
    out.write_text("\n".join(found) + "\n", encoding="utf-8")
    typer.echo(json.dumps({"imports": len(found), "projects": len(chosen)}))


@app.command()
@_errors_in_a_line()
def doubt(
    model: Annotated[
        Path, typer.Argument(help="Folder of a model, as a run or `codehunch bundles restore` leaves it.")
    ],
    functions: File,
    out: Annotated[Path, typer.Argument(help="File of hard negatives to write, NAME.jsonl.gz, for `train --doubts`.")],
    recipe: RecipeFile = DEFAULT_RECIPE,
    at_least: Annotated[float, typer.Option(help="Suspicion from which a function counts.")] = 0.1,
    limit: Annotated[int, typer.Option(help="Functions to read, drawn by chance.")] = 100_000,
    seed: int = 0,
) -> None:
    """Collect clean functions that a model warns about."""
    settings = read_recipe(recipe)
    if not (tokenizer_file := model / "tokenizer.json").is_file():
        raise typer.BadParameter(
            f"{model} holds no tokenizer.json; `codehunch bundles restore` writes model and tokenizer"
        )
    rows = [row for row in read_functions(functions) if row.project not in settings.held_out]
    rows = random.Random(seed).sample(rows, min(limit, len(rows)))
    loaded = DefectModel.from_pretrained(model)
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    encoder = LexicalEncoder(tokenizer, settings.window, settings.stride, loaded.config.standings)
    found = track(doubts_of(loaded, encoder, rows, at_least), "functions", len(rows), console=Console(stderr=True))
    count = 0
    part = out.with_name(f"{out.name}.part")
    with gzip.open(part, "wt", encoding="utf-8", compresslevel=4) as sink:
        for each in found:
            if each is not None:
                count += 1
                sink.write(to_line(each.row) + "\n")
    part.replace(out)
    typer.echo(json.dumps({"read": len(rows), "doubted": count}))


@app.command()
@_errors_in_a_line()
def train(
    functions: File,
    out: Annotated[Path, typer.Argument(help="Run folder; an unfinished run in it is resumed.")],
    histories: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Mined bug fixes, rows.jsonl.gz.")
    ] = None,
    recipe: RecipeFile = DEFAULT_RECIPE,
    start: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Folder of a model and its tokenizer to begin from."),
    ] = None,
    doubts: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Hard negatives, as `doubt` writes them.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Wall-clock budget; the recipe's own otherwise.")] = None,
) -> None:
    """Train, or go on with a run that was stopped. Ctrl-C saves."""
    settings = read_recipe(recipe)
    if minutes is not None:
        settings = attrs.evolve(settings, minutes=minutes)
    typer.echo(json.dumps(train_run(settings, functions, out, histories, start, doubts), indent=1))


@app.command()
@_errors_in_a_line()
def average(
    out: Annotated[Path, typer.Argument(help="Run folder to write, for `export`.")],
    runs: Annotated[
        list[Path], typer.Argument(help="Finished runs of one descent, two or more; who is named twice counts twice.")
    ],
) -> None:
    """Average the weights of runs (Wortsman et al. 2022): read at the cost of one.

    Either of a run whose folder was copied when its first stretch ended, both finished with other seeds, or of a run
    and the one that it went on from.
    """
    for run in runs:
        if not (run / "run.json").is_file():
            raise typer.BadParameter(f"{run} is no finished run: it has no run.json")
    summaries = [json.loads((run / "run.json").read_text()) for run in runs]
    if len(runs) < 2 or not all(each["finished"] for each in summaries):
        raise typer.BadParameter("needs two finished runs or more")
    if len({(run / "tokenizer.json").read_bytes() for run in runs}) > 1:
        raise typer.BadParameter(f"{runs[0]} and the others have different tokenizers: they have no common start")
    # One from before there was a standing, a kind or a layer is averaged as a run would go on from it.
    configs = [DefectConfig.from_pretrained(run / "model") for run in runs]
    told, labels = max(each.standings for each in configs), max((each.token_labels for each in configs), key=len)
    layers = max(each.num_hidden_layers for each in configs)
    models = [started(run / "model", told, labels, layers) for run in runs]
    model = models[0]
    model.load_state_dict(mean_weights([each.state_dict() for each in models]))
    model.save_pretrained(out / "model", safe_serialization=True)
    shutil.copyfile(runs[0] / "tokenizer.json", out / "tokenizer.json")
    averaged = [_told(each, summaries[0]["recipe"]) for each in summaries]
    (out / "run.json").write_text(json.dumps({**summaries[0], "averaged": averaged}, indent=2) + "\n")
    typer.echo("\n".join(averaged))


def _told(summary: Mapping[str, Any], recipe: Mapping[str, Any]) -> str:
    """A run in a line, with what its recipe has otherwise than ``recipe``."""
    if "averaged" in summary:
        return f"the average of [{'; '.join(summary['averaged'])}]"
    others = {key: value for key, value in summary["recipe"].items() if value != recipe[key] and key != "seed"}
    differs = "".join(f", {key} {value}" for key, value in others.items())
    auc = summary["metrics"]["auc_peak"]
    return f"seed {summary['seed']}{differs}: {summary['tokens']:,} tokens in {summary['steps']:,} steps, AUC {auc:.3f}"


@app.command()
@_errors_in_a_line()
def export(
    run: Annotated[Path, typer.Argument(help="Finished run folder.")],
    functions: File,
    out: Annotated[Path, typer.Argument(help="Bundle folder to write.")],
    version: Annotated[str, typer.Option(help="Version of the bundle.")],
    limit: Annotated[int, typer.Option(help="Functions to measure on.")] = 1500,
    each: Annotated[int, typer.Option(help="Functions of one project to calibrate on, at most.")] = 1228,
) -> None:
    """Write the int8 bundle of a run."""
    if not (run / "run.json").is_file():
        raise typer.BadParameter(f"{run} is no finished run: it has no run.json")
    calibration, held_out = _parts(functions, json.loads((run / "run.json").read_text())["recipe"], each, limit)
    bundle = export_bundle(run, out, calibration, held_out, version, LEFT_OUT)
    typer.echo(json.dumps(bundle.manifest.metrics["held_out"], indent=1))


@app.command()
@_errors_in_a_line()
def recalibrate(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder, changed in place.")],
    functions: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="File that `harvest` wrote; the validation projects' rows do."
        ),
    ],
    limit: Annotated[int, typer.Option(help="Functions to measure on.")] = 1500,
    each: Annotated[int, typer.Option(help="Functions of one project to calibrate on, at most.")] = 1228,
) -> None:
    """Fit confidence and thresholds of a bundle anew, and measure it."""
    calibration, held_out = _parts(functions, load_bundle(bundle).manifest.provenance["recipe"], each, limit)
    typer.echo(json.dumps(recalibrated(bundle, calibration, held_out).manifest.metrics["held_out"], indent=1))


@app.command()
@_errors_in_a_line()
def measure(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder; its numbers and its card are written anew.")],
    functions: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="File that `harvest` wrote; the validation projects' rows do."
        ),
    ],
    limit: Annotated[int, typer.Option(help="Functions to measure on.")] = 1500,
) -> None:
    """Measure a bundle again as it is: model and thresholds stay, the numbers in manifest and card follow."""
    _, held_out = _parts(functions, load_bundle(bundle).manifest.provenance["recipe"], 0, limit)
    typer.echo(json.dumps(measure_bundle(bundle, held_out).manifest.metrics["held_out"], indent=1))


def _parts(
    functions: Path, recipe: Mapping[str, Any], each: int, limit: int
) -> tuple[list[FunctionRow], list[FunctionRow]]:
    """Rows that calibrate and rows that measure."""
    rows = list(read_functions(functions))
    if read := sorted({row.project for row in rows} & set(LEFT_OUT)):
        raise typer.BadParameter(f"{functions} holds functions of {', '.join(read)}, which are to be left out")
    random.Random(5).shuffle(rows)
    calibration: list[FunctionRow] = []
    for name in recipe["calibration_projects"]:
        # The largest project alone would be half of all.
        calibration += [row for row in rows if row.project == name][:each]
    return calibration, [row for row in rows if row.project in recipe["validation_projects"]][:limit]


if __name__ == "__main__":
    app()
