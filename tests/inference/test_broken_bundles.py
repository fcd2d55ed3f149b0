"""Graphs that cannot serve, asked through the worker: a clean error names the file, and the next request is served."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from codehunch.bundles.bundle import load_bundle, write_bundle
from codehunch.bundles.store import default_bundle
from codehunch.inference.errors import WorkerDied, WorkerError
from codehunch.inference.worker import WorkerClient

onnx = pytest.importorskip("onnx", reason="builds its graphs with onnx")

TEXT = "def area(width, height):\n    return width * height\n"


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest_asyncio.fixture(name="client")
async def _client() -> AsyncIterator[WorkerClient]:
    client = WorkerClient("worker_service:create", memory_limit=400_000_000)
    yield client
    await client.close()


@pytest.fixture(name="good")
def _good() -> Path:
    bundle = default_bundle("defects")
    assert bundle is not None
    return bundle.path


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scrambled(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100 : len(content) // 2] = os.urandom(len(content) // 2 - 100)
    path.write_bytes(content)


def one_node(inputs: dict[str, int], operator: str) -> Callable[[Path], None]:
    """A graph of a single operator over the first input, its outputs named as they should be."""

    def write(path: Path) -> None:
        helper, kind = onnx.helper, onnx.TensorProto
        first = next(iter(inputs))
        names = ("logits", "token_logits")
        graph = helper.make_graph(
            [
                helper.make_node(operator, [first], [name], **({"to": kind.FLOAT} if operator == "Cast" else {}))
                for name in names
            ],
            "wrong",
            [helper.make_tensor_value_info(name, type_, ["batch", "tokens"]) for name, type_ in inputs.items()],
            [helper.make_tensor_value_info(name, kind.FLOAT, None) for name in names],
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)

    return write


INT64, INT32, FLOAT = 7, 6, 1
OWN = ("input_ids", "attention_mask", "identifier_ids")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (truncated, "not a graph"),
        (scrambled, "not a graph"),
        (lambda path: path.write_bytes(b""), "not a graph"),
        (lambda path: path.write_bytes(b"\x00" * 10_000), "not a graph"),
        (one_node({"pixels": FLOAT}, "Relu"), "has no input input_ids"),
        (one_node(dict.fromkeys(OWN, INT32), "Cast"), "cannot be run"),
        (one_node(dict.fromkeys(OWN, FLOAT), "Relu"), "cannot be run"),
    ],
    ids=["truncated", "scrambled", "empty", "zeros", "another task", "int32 inputs", "float inputs"],
)
async def test_a_graph_that_cannot_serve(
    client: WorkerClient, good: Path, tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(good, broken)
    damage(broken / "model.onnx")
    write_bundle(broken, load_bundle(good).manifest)  # Hashes as they are now: the graph itself must be found out.
    with pytest.raises(WorkerError, match=words) as caught:
        await client.call("judge", (str(broken), TEXT))
    assert not isinstance(caught.value, WorkerDied)
    assert str(broken / "model.onnx") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert await client.call("judge", (str(good), TEXT)) == 0
    assert client.starts == 1


async def test_killed_while_the_model_computes(client: WorkerClient, good: Path) -> None:
    """With real inference in the worker: every caller gets an answer or a clean error."""
    text = "\n\n".join(TEXT.replace("area", f"area{number}") for number in range(40))
    for _ in range(3):
        calls = [asyncio.ensure_future(client.call("judge", (str(good), f"{text}\n# {index}"))) for index in range(3)]
        while client.pid is None:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.4)
        os.kill(client.pid, signal.SIGKILL)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert all(outcome == 0 or isinstance(outcome, WorkerDied) for outcome in outcomes), outcomes
        client._deaths = 0  # The back-off has its own test.
    assert await client.call("judge", (str(good), TEXT)) == 0
