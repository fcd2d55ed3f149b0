"""The boundaries between the rooms, read from the imports of every module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeGuard

import attrs
import pytest

from codehunch.inference.placement import Placement
from codehunch.settings import DEFAULTS

ROOT = Path(__file__).parents[1]
SERVER = ROOT / "server"
TRAINING = ROOT / "training"

# What each room may import of the package, besides itself. Modules at the package's root are in the room "".
ALLOWED: dict[str, set[str]] = {
    "syntax": set(),
    "bundles": {"syntax"},
    "inference": {"bundles", "syntax"},
    "interpreter": set(),
    "synthesis": {"syntax"},
    "defects": {"interpreter", "synthesis", "inference", "bundles", "syntax"},
    "generation": {"interpreter", "synthesis", "inference", "bundles", "syntax"},
    "lsp": {"", "defects", "generation", "interpreter", "inference", "bundles", "syntax"},
    "cli": {"", "lsp", "defects", "generation", "interpreter", "inference", "bundles", "syntax"},
    # Settings, file discovery and rule pages serve cli and lsp; they know the kinds but run nothing.
    "": {"defects", "interpreter", "synthesis", "syntax"},
}
PROTOCOL = {"pygls", "lsprotocol"}
TRAINING_ONLY = {"torch", "transformers", "optimum", "datasets", "accelerate", "onnx", "codehunch_training"}


@attrs.frozen
class Import:
    """One import statement's target, and whether importing the module runs it."""

    module: Path
    line: int
    target: str
    lazy: bool
    typing_only: bool

    @property
    def top(self) -> str:
        return self.target.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.module.relative_to(ROOT)}:{self.line} imports {self.target}"


def room_of(module: str) -> str:
    """``codehunch.syntax.text`` lies in ``syntax``, ``codehunch.settings`` in the root."""
    parts = module.replace("codehunch.__main__", "codehunch.cli").split(".")
    folder = parts[1] if len(parts) > 1 else ""
    return folder if folder in ALLOWED else ""


def name_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _calls(node: ast.AST, *names: str) -> TypeGuard[ast.Call]:
    """Whether ``node`` calls one of these functions, by its dotted name."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
        return False
    return ast.unparse(node.func) in names


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path, root: Path) -> Iterator[Import]:
    package = name_of(path, root).split(".")
    if path.name != "__init__.py":
        package = package[:-1]

    def walk(node: ast.AST, lazy: bool, typing_only: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(path, node.lineno, alias.name, lazy, typing_only)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            target = ".".join(filter(None, [base, node.module]))
            for alias in node.names:  # `from codehunch import lsp` imports codehunch.lsp
                yield Import(path, node.lineno, f"{target}.{alias.name}", lazy, typing_only)
        elif _calls(node, "importlib.import_module", "__import__") and isinstance(node.args[0], ast.Constant):
            yield Import(path, node.lineno, str(node.args[0].value), lazy, typing_only)
        inner_lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for child in node.body:
                yield from walk(child, inner_lazy, True)
            for child in node.orelse:
                yield from walk(child, inner_lazy, typing_only)
            return
        for child in ast.iter_child_nodes(node):
            yield from walk(child, inner_lazy, typing_only)

    yield from walk(tree_of(path), False, False)


MODULES = sorted(SERVER.rglob("*.py"))
IMPORTS = [each for path in MODULES for each in imports_of(path, SERVER)]


def test_the_walk_sees_the_package() -> None:
    assert {room_of(name_of(path, SERVER)) for path in MODULES} == set(ALLOWED)
    assert len(IMPORTS) > 100


def test_imports_point_down_only() -> None:
    wrong = [
        str(each)
        for each in IMPORTS
        if each.top == "codehunch"
        and (target := room_of(each.target)) != (room := room_of(name_of(each.module, SERVER)))
        and target not in ALLOWED[room]
        and each.target != "codehunch.__version__"
    ]
    assert wrong == []


def test_the_package_imports_no_training_library() -> None:
    wrong = [
        str(each)
        for each in IMPORTS
        if each.top in TRAINING_ONLY
        # The one exception: a command of the CLI reaches for the training package when it is called.
        and not (
            each.top == "codehunch_training"
            and (each.lazy or each.typing_only)
            and room_of(name_of(each.module, SERVER)) == "cli"
        )
    ]
    assert wrong == []


def test_only_lsp_knows_the_protocol() -> None:
    wrong = [str(each) for each in IMPORTS if each.top in PROTOCOL and room_of(name_of(each.module, SERVER)) != "lsp"]
    assert wrong == []


def test_only_inference_knows_onnxruntime() -> None:
    wrong = [
        str(each)
        for each in IMPORTS
        if each.top == "onnxruntime" and room_of(name_of(each.module, SERVER)) != "inference"
    ]
    assert wrong == []


def test_the_command_line_starts_light() -> None:
    """``codehunch --version`` runs cli/__init__.py alone: only the standard library and the package's root."""
    heavy = [
        str(each)
        for each in imports_of(SERVER / "codehunch" / "cli" / "__init__.py", SERVER)
        if not each.lazy and not each.typing_only and each.top in {"typer", "rich", "numpy", "onnxruntime", "attrs"}
    ]
    assert heavy == []


def prints(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        # stderr is where a server says where it listens; stdout belongs to the protocol.
        if _calls(node, "print", "sys.stdout.write", "typer.echo", "pprint.pprint") and not any(
            word.arg == "file" and ast.unparse(word.value) == "sys.stderr" for word in node.keywords
        ):
            yield f"{path.relative_to(ROOT)}:{node.lineno} calls {ast.unparse(node.func)}"


def test_only_the_command_line_prints() -> None:
    rooms = [path for path in MODULES if room_of(name_of(path, SERVER)) != "cli"]
    assert [line for path in rooms for line in prints(path)] == []
    wrong = [
        str(each)
        for each in IMPORTS
        if each.top in ("rich", "typer") and room_of(name_of(each.module, SERVER)) != "cli"
    ]
    assert wrong == []


def test_no_room_loads_what_can_run_code() -> None:
    """A bundle is data: nothing in the package unpickles files or evaluates text."""
    wrong = [str(each) for each in IMPORTS if each.top in {"dill", "joblib", "cloudpickle", "shelve", "marshal"}]
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if _calls(node, "eval", "exec", "pickle.load", "torch.load"):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} calls {ast.unparse(node.func)}")
    assert wrong == []


_OF_EXAMPLES = ("by_example.py", "mending.py", "variants.py", "expression_variants.py")


def test_synthesis_and_interpreter_run_no_code() -> None:
    """Programs are data to both: they compose operations of their own and never run a text."""
    able = ("eval", "exec", "compile", "__import__", "importlib.import_module", "runpy.run_path", "subprocess.run")
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} calls {ast.unparse(node.func)}"
        for path in MODULES
        if room_of(name_of(path, SERVER)) in ("synthesis", "interpreter") or path.name in _OF_EXAMPLES
        for node in ast.walk(tree_of(path))
        if _calls(node, *able)
    ]
    assert wrong == []


def test_no_room_opens_a_network_connection_by_itself() -> None:
    """Start-up and checking never need the network. Only ``lsp`` and ``cli`` may know sockets, to be served on one,
    and one module speaks to a model server: the one a person has set as ``inference.endpoint``, and no other."""
    network = {"socket", "urllib.request", "http.client", "requests", "httpx", "aiohttp", "huggingface_hub", "ssl"}
    remote = SERVER / "codehunch" / "inference" / "remote.py"
    found = [
        each
        for each in IMPORTS
        if any(each.target == name or each.target.startswith(f"{name}.") for name in network)
        and room_of(name_of(each.module, SERVER)) not in ("lsp", "cli")
    ]
    assert [str(each) for each in found if each.module != remote] == []
    assert {each.target for each in found} == {"http.client", "ssl"}


def test_only_a_set_endpoint_leads_to_the_model_server() -> None:
    """What connects is made in one place, where there is an endpoint, and no default names one."""
    makers = [
        f"{path.relative_to(SERVER / 'codehunch')}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if _calls(node, "RemoteModel", "RemoteFirst")
    ]
    assert {place.partition(":")[0] for place in makers} == {"inference/fallback.py"}
    assert len(makers) == 2
    assert Placement().endpoint is None
    assert DEFAULTS.inference_endpoint is None


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import torch", [("torch", False, False)]),
        ("from codehunch import lsp", [("codehunch.lsp", False, False)]),
        ("def f():\n    import torch.nn", [("torch.nn", True, False)]),
        ("from ..lsp import server", [("codehunch.lsp.server", False, False)]),
        ("from . import text", [("codehunch.syntax.text", False, False)]),
        ("if TYPE_CHECKING:\n    import pygls", [("pygls", False, True)]),
        (
            "import importlib\nx = importlib.import_module('torch')",
            [("importlib", False, False), ("torch", False, False)],
        ),
        ("try:\n    import torch\nexcept ImportError: pass", [("torch", False, False)]),
    ],
)
def test_the_reader_of_imports(tmp_path: Path, source: str, expected: list[tuple[str, bool, bool]]) -> None:
    path = tmp_path / "codehunch" / "syntax" / "module.py"
    path.parent.mkdir(parents=True)
    path.write_text(source)
    assert [(each.target, each.lazy, each.typing_only) for each in imports_of(path, tmp_path)] == expected


def test_every_invariant_names_a_test_that_exists() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("## Invariants")[2]
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    missing = [f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text("utf-8")]
    assert missing == []
    # Each numbered sentence is followed by at least one test before the next number.
    sentences = re.split(r"^\d+\. ", page, flags=re.MULTILINE)[1:]
    assert [text.splitlines()[0] for text in sentences if "`tests/" not in text] == []
    assert len(sentences) > 10
