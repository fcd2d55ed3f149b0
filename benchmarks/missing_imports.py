"""Names whose import is missing: are they told, and does the first fix bring the import back?

    python benchmarks/missing_imports.py PACKAGE... [--count 400] [--bundle DIR]

From files drawn by chance one import of the outermost level is taken, of a name that only functions use (with
`--outside`: that code outside of their bodies uses), and the file is read as `codehunch check` reads it. By where the
name comes from: share of the names that are told of at each sensitivity, and share whose first fix imports the same
from the same module (`first fix`), at high. In brackets 95 % intervals, packages drawn with replacement.
"""

from __future__ import annotations

import ast
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from codehunch.bundles.bundle import load_bundle
from codehunch.bundles.store import active_bundle
from codehunch.defects.detector import CheckOptions, Detector
from codehunch.defects.imports import with_imports
from codehunch.defects.rewrites import apply
from codehunch.project_imports import ProjectImports
from codehunch.syntax.text import SourceText
from codehunch_training.evaluation.binary import interval_by

SENSITIVITIES = ("low", "medium", "high")
PLACES = ("Python's own", "other packages", "the project itself")

Import = ast.Import | ast.ImportFrom


@attrs.frozen
class Case:
    """A file without one of its imports."""

    package: str
    path: Path
    text: str
    name: str
    place: str
    meant: tuple[object, ...]
    """Module, name in it and name here."""


@attrs.frozen
class Seen:
    case: Case
    confidence: float
    """Of the surest finding at the name; 0 without one."""
    mended: bool


def cases_of(package: Path, rng: random.Random, outside: bool = False) -> Iterator[Case]:
    """One case of each file that has an import which may be taken, in random order."""
    paths = sorted(path for path in package.rglob("*.py") if "tests" not in path.parts)
    for path in rng.sample(paths, len(paths)):
        try:
            text = path.read_bytes().decode("utf-8")
            tree = ast.parse(text)
        except (OSError, SyntaxError, ValueError):
            continue
        found = [(node, alias) for node in tree.body if isinstance(node, Import) for alias in node.names]
        wanted = [(node, alias) for node, alias in found if _is_wanted(tree, alias.asname or alias.name, outside)]
        if not wanted:
            continue
        node, alias = rng.choice(wanted)
        module = node.module or "" if isinstance(node, ast.ImportFrom) else alias.name
        top = module.partition(".")[0]
        relative = isinstance(node, ast.ImportFrom) and node.level
        own = relative or top in {package.name, *(each.name for each in package.iterdir())}
        place = PLACES[2] if own else PLACES[0] if top in sys.stdlib_module_names else PLACES[1]
        yield Case(
            package.name, path, _without(text, node, alias), alias.asname or alias.name, place, _meant(node, alias)
        )


def _is_wanted(tree: ast.Module, name: str, outside: bool) -> bool:
    """Whether a name is used in functions and nowhere else, or ``outside`` of their bodies, and nothing but one import
    binds it."""
    if not name.isidentifier():
        return False
    bound, used = 0, {True: 0, False: 0}
    stack: list[tuple[ast.AST, bool]] = [(tree, False)]
    while stack:
        node, inside = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            bound += node.name == name
            stack += [(each, inside) for each in (*node.decorator_list, *node.args.defaults)]
            stack += [(each, True) for each in node.body]
            stack += [(each, True) for each in ast.walk(node.args) if isinstance(each, ast.arg)]
            continue
        if isinstance(node, ast.Name) and node.id == name:
            if not isinstance(node.ctx, ast.Load):
                return False
            used[inside] += 1
        bound += isinstance(node, ast.arg) and node.arg == name
        bound += isinstance(node, ast.ClassDef) and node.name == name
        if isinstance(node, Import):
            if any(alias.name == "*" for alias in node.names):
                return False
            bound += sum((alias.asname or alias.name) == name for alias in node.names)
        stack += [(each, inside) for each in ast.iter_child_nodes(node)]
    return bound == 1 and (used[False] > 0 if outside else used[True] > 0 and not used[False])


def _without(text: str, node: Import, alias: ast.alias) -> str:
    """The text without one name of an import; the lines keep their numbers."""
    lines = text.splitlines(keepends=True)
    rest = [each for each in node.names if each is not alias]
    end = node.end_lineno or node.lineno
    left = ast.unparse(type(node)(**{**dict(ast.iter_fields(node)), "names": rest})) if rest else ""
    return "".join([*lines[: node.lineno - 1], left + "\n" * (end - node.lineno + 1), *lines[end:]])


def _meant(node: Import, alias: ast.alias) -> tuple[object, ...]:
    module = (node.module, node.level) if isinstance(node, ast.ImportFrom) else None
    return module, alias.name, alias.asname or alias.name


def see(detector: Detector, project: ProjectImports, case: Case) -> Seen:
    found = detector.check(SourceText(case.text), options=CheckOptions("high"))
    found = with_imports(found, case.text, project.finder(case.path))
    told = [finding for finding in found if finding.span.of(case.text) == case.name]
    if not told:
        return Seen(case, 0.0, False)
    best = max(told, key=lambda finding: finding.confidence)
    text = apply(case.text, best.fixes[0].edits) if best.fixes else case.text
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return Seen(case, best.confidence, False)
    imports = (node for node in ast.walk(tree) if isinstance(node, Import))
    return Seen(case, best.confidence, case.meant in {_meant(node, alias) for node in imports for alias in node.names})


def main(
    packages: Annotated[list[Path], typer.Argument(exists=True, help="Packages no model was trained on.")],
    bundle: Annotated[Path | None, typer.Option(help="Bundle folder; the active one otherwise.")] = None,
    count: Annotated[int, typer.Option(help="Files of a package at most; 0 for all.")] = 60,
    outside: Annotated[bool, typer.Option("--outside", help="Names that are used outside of functions.")] = False,
    seed: int = 0,
) -> None:
    """Print the table."""
    found = load_bundle(bundle) if bundle else active_bundle("defects")
    if found.manifest.defects is None:
        raise typer.BadParameter(f"{found.path} is no defect bundle")
    thresholds, detector = found.manifest.defects.thresholds, Detector(found, 1)
    drawn = (list(cases_of(package, random.Random(seed), outside)) for package in packages)
    cases = [case for each in drawn for case in each[: count or None]]
    if not cases:
        raise typer.BadParameter("no file in these folders has an import that is used so")
    project = ProjectImports()
    seen = [see(detector, project, case) for case in track(cases, "files", console=Console(stderr=True))]
    table = Table("", title=f"one import missing, {found.manifest.id} {found.manifest.version}")
    for column in ("files", *SENSITIVITIES, "first fix"):
        table.add_column(column, justify="right")
    for place in (*PLACES, "all"):
        rows = [each for each in seen if place in (each.case.place, "all")]
        told = [_share(rows, lambda each, least=thresholds[name]: each.confidence >= least) for name in SENSITIVITIES]
        table.add_row(place, str(len(rows)), *told, _share(rows, lambda each: each.mended))
    Console().print(table)


def _share(rows: list[Seen], holds: Callable[..., bool]) -> str:
    """Per cent, with an interval over packages."""
    values = [bool(holds(row)) for row in rows]
    if not rows:
        return ""

    def mean(chosen: NDArray[Any]) -> float:
        return sum(values[at] for at in chosen) / max(1, len(chosen))

    low, high = interval_by([row.case.package for row in rows], mean, samples=500)
    return f"{100 * mean(range(len(rows))):.1f} ({100 * low:.0f} to {100 * high:.0f})"  # type: ignore[arg-type]


if __name__ == "__main__":
    typer.run(main)
