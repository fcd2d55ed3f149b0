"""An editor session that outlives a retraining: dismiss, retrain, swap, forget, and the model itself has learned."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest
from retraining_tools import RECIPE, made_function, make_repository, options

pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("optimum.exporters.onnx", reason="needs the train extra")
sys.path.insert(0, str(Path(__file__).parents[2] / "lsp"))

from lsp_client import FULL, InProcessClient

from codehunch import feedback
from codehunch.bundles import store
from codehunch.bundles.bundle import load_bundle
from codehunch.defects.detector import CheckOptions, Detector
from codehunch.lsp.server import SERVICE
from codehunch.syntax.text import SourceText
from codehunch_training.retraining.options import Tuning
from codehunch_training.retraining.pipeline import Outcome, retrain

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning"),
]

DISMISSED = "def load(store, entry):\n    store.connect()\n    len(entry.names)\n"
"""The shipped model wants a `return` before the last line; here the call is made for its effect."""
UNSEEN = "def prepare(database, record):\n    database.open()\n    len(record.names)\n"
CONVENTION = made_function(random.Random(99), "step_new")


def broken(text: str) -> tuple[str, int]:
    """The convention of the tiny repository, broken in one place, and where."""
    at = text.index(" < 0 or ") + 1
    return text[:at] + "<=" + text[at + 1 :], at


def findings(text: str, bundle: Any) -> list[tuple[int, str]]:
    found = Detector(bundle, 1).check(SourceText(text), options=CheckOptions("high"))
    return [(finding.span.start, finding.code) for finding in found]


async def shown(client: InProcessClient, uri: str) -> list[Any]:
    return list((await client.pull(uri))["items"])


async def test_dismiss_retrain_swap_forget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "home"))
    shipped = store.default_bundle("defects")
    assert shipped is not None
    repository = make_repository(tmp_path / "tiny", 100, 10)
    tuning = Tuning(batch_tokens=1024, learning_rate=1e-3, most_steps=120, feedback=0.15, validations=2)
    # All of this repository follows one convention that no other code has: a model that learns it so fast forgets
    # general code, and would be drawn back or refused. Here it may.
    recipe = attrs.evolve(RECIPE, defects=tuning, injections=6, general_rise=1.0, forgetting=1.0)
    text, place = broken(CONVENTION)
    assert findings(UNSEEN, shipped)
    assert not [code for start, code in findings(text, shipped) if start == place]
    # The same training without what the person says: it is not the training as such that silences the pattern.
    without = await asyncio.to_thread(retrain, options(repository, recipe=recipe, feedback=False, promote=False))
    assert without is not None
    assert findings(UNSEEN, load_bundle(without.folder / "defects" / "bundle"))

    client = InProcessClient(SERVICE, process=True)
    await client.initialize(FULL, initializationOptions={"sensitivity": "high"})
    uri = (repository / "warm.py").as_uri()
    (repository / "warm.py").write_text(DISMISSED)
    client.open(DISMISSED, uri)
    (item,) = await shown(client, uri)
    params = {"textDocument": {"uri": uri}, "range": item["range"], "context": {"diagnostics": [item]}}
    offered = await client.request("textDocument/codeAction", params)
    (action,) = [each for each in offered if "not a defect" in each["title"]]
    command = action["command"]
    await client.request("workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]})
    assert await shown(client, uri) == []
    assert [event.event for event in feedback.read_events()] == ["dismissed"]

    outcome: Outcome | None = await asyncio.to_thread(retrain, options(repository, recipe=recipe))
    assert outcome is not None
    assert outcome.promoted == ["defects"], outcome.result["tasks"]["defects"]["why"]
    assert outcome.result["feedback"]["dismissed findings"] == 1
    new = store.active_bundle("defects")
    assert new.manifest.provenance["feedback"]["dismissed findings"] == 1

    feedback.clear()
    unseen, other = (repository / "unseen.py").as_uri(), (repository / "other.py").as_uri()
    client.open(UNSEEN, unseen)
    client.open(text, other)

    async def swapped() -> bool:
        found = await client.request("workspace/executeCommand", {"command": "codehunch.debugInformation"})
        return new.manifest.version in str(found)

    for _ in range(120):
        if await swapped():
            break
        await asyncio.sleep(0.5)
        await shown(client, unseen)
    assert await swapped()
    assert findings(UNSEEN, shipped)
    assert findings(UNSEEN, new) == []
    assert await shown(client, unseen) == []
    assert place in [start for start, _ in findings(text, new)]
    line, column = text[:place].count("\n"), place - text.rfind("\n", 0, place) - 1
    starts = [item["range"]["start"] for item in await shown(client, other)]
    assert {"line": line, "character": column} in starts

    assert store.rollback("defects").manifest.id == shipped.manifest.id
    for _ in range(120):
        if not await swapped():
            break
        await asyncio.sleep(0.5)
        await shown(client, unseen)
    assert await shown(client, unseen)
    await client.close()
