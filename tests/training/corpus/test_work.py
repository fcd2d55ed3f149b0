"""Units of work: resumed, killed, given to several processes or to a cluster, always the same rows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from codehunch_training.corpus.folder import CorpusError, fingerprint_of, read_manifest, read_rows
from codehunch_training.corpus.rows import DefectRow, FunctionRow, PairRow, Row, from_line, identified, to_line
from codehunch_training.corpus.work import Notes, Plan, Progress, Unit, run

HERE = Path(__file__).parent


def squares(payload: int, options: Mapping[str, Any], notes: Notes) -> Iterator[Row]:
    """Three rows a unit; unit 3 can be told to fail, to kill its process, or to take its time."""
    if payload == 3 and options.get("trouble") == "die":
        os._exit(9)
    if payload == 3 and options.get("trouble") == "raise":
        raise RuntimeError("told to")
    if options.get("slow"):
        time.sleep(0.3)
    notes.skipped["zero"] += payload == 0
    for number in range(3):
        yield identified(FunctionRow(text=f"def f{payload}(): return {payload * number}\n", project=f"p{payload % 2}"))


def plan(out: Path, count: int = 6, **options: Any) -> Plan:
    return Plan(squares, options, [Unit(str(number), number) for number in range(count)], out, "functions")


def test_jobs_do_not_change_the_rows(tmp_path: Path) -> None:
    one, two = run(plan(tmp_path / "a")), run(plan(tmp_path / "b"), jobs=2)
    assert one["fingerprint"] == two["fingerprint"] == fingerprint_of(tmp_path / "a")
    assert one["counts"]["project"] == {"p0": 9, "p1": 9}
    assert one["skipped"] == {"zero": 1}
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "corpus.json",
        "report.html",
        "rows-00000.jsonl.gz",
    ]


def test_interrupted_work_goes_on(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        run(plan(tmp_path / "a", trouble="raise"))
    with pytest.raises(CorpusError, match="did not finish"):
        read_manifest(tmp_path / "a")
    with pytest.raises(CorpusError, match="other inputs or options"):
        run(plan(tmp_path / "a", trouble="none"))


KILLED = """
import sys
sys.path.insert(0, {here!r})
from pathlib import Path
import test_work
from codehunch_training.corpus.work import run
if __name__ == "__main__":
    run(test_work.plan(Path({out!r}), count=12, slow=True), jobs=2)
"""


def test_killed_and_resumed_gives_the_same_fingerprint(tmp_path: Path) -> None:
    out = tmp_path / "killed"
    script = tmp_path / "script.py"
    script.write_text(KILLED.format(here=str(HERE), out=str(out)))
    process = subprocess.Popen([sys.executable, str(script)], start_new_session=True)
    deadline = time.monotonic() + 60
    while len(list((out / "work").glob("*.jsonl.gz"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = len(list((out / "work").glob("*.json"))) - 1
    assert 0 < done < 12
    steps: list[Progress] = []
    resumed = subprocess.run([sys.executable, str(script)], check=False)
    assert resumed.returncode == 0
    whole = run(plan(tmp_path / "whole", count=12, slow=False), on_progress=steps.append)
    assert read_manifest(out)["fingerprint"] == whole["fingerprint"]
    assert [step.done for step in steps] == list(range(13))


def test_a_worker_that_dies_costs_its_unit_only(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    out = tmp_path / "out"
    text = KILLED.format(here=str(HERE), out=str(out)).replace("slow=True", "trouble='die'")
    script.write_text(text)
    subprocess.run([sys.executable, str(script)], check=True)
    manifest = read_manifest(out)
    assert manifest["unreadable"] == [["3", "the worker died twice (out of memory?)"]]
    assert manifest["total"] == 33


@pytest.mark.slow
def test_a_cluster_gives_the_same_rows(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    script = tmp_path / "script.py"
    out = tmp_path / "out"
    text = KILLED.format(here=str(HERE), out=str(out)).replace("slow=True", "slow=False")
    script.write_text(text.replace("jobs=2", "jobs=2, engine='ray'"))
    # The cluster's own processes import the map by its name.
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    subprocess.run([sys.executable, str(script)], check=True, env={**os.environ, "PYTHONPATH": path})
    assert read_manifest(out)["fingerprint"] == run(plan(tmp_path / "whole", count=12, slow=False))["fingerprint"]


def test_foreign_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(CorpusError, match="not empty"):
        run(plan(tmp_path))


def test_a_finished_corpus_is_made_anew(tmp_path: Path) -> None:
    run(plan(tmp_path / "a", count=6))
    assert run(plan(tmp_path / "a", count=2))["total"] == 6
    assert len(list(read_rows(tmp_path / "a"))) == 6


def test_no_units_make_an_empty_corpus(tmp_path: Path) -> None:
    assert run(plan(tmp_path / "a", count=0))["total"] == 0
    assert list(read_rows(tmp_path / "a")) == []


ROWS = [
    FunctionRow(text="def f():\n    return 'é😀\u2028'\n", imports=("import os",)),
    DefectRow(text="x", label="clean", spans=[[0, 1]], edits=[[0, 1, "y"]], date="2020-01-01T00:00:00Z"),
    PairRow(kind="comment", text="a", target="b\n", siblings=["def g():"]),
]


@pytest.mark.parametrize("row", ROWS)
def test_rows_survive_a_line(row: Row) -> None:
    line = to_line(row)
    assert "\n" not in line
    assert from_line(type(row), line) == row
    assert identified(row).id == identified(identified(row)).id != ""


def test_the_split_is_no_part_of_the_identity() -> None:
    row = FunctionRow(text="x")
    assert identified(row).id == identified(FunctionRow(text="x", split="test")).id
    assert identified(row).id != identified(FunctionRow(text="y")).id


@pytest.mark.parametrize(
    ("line", "problem"),
    [("[1]", "JSON object"), ('{"label": "x"}', "label"), ('{"text": "x", "colour": 1}', "colour"), ("{", "Expecting")],
)
def test_broken_rows(line: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        from_line(FunctionRow, line)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no finished corpus"),
        ("{", "not valid JSON"),
        ('{"rows": "cats"}', "what rows"),
        ('{"rows": "pairs", "schema": 99}', "schema 99"),
    ],
)
def test_broken_manifests(content: str | None, problem: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "corpus.json").write_text(content)
    with pytest.raises(CorpusError, match=problem):
        read_manifest(tmp_path)


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    run(plan(tmp_path / "a"))
    shard = tmp_path / "a" / "rows-00000.jsonl.gz"
    shard.write_bytes(shard.read_bytes()[:40])
    with pytest.raises(CorpusError, match=r"rows-00000.jsonl.gz, row"):
        list(read_rows(tmp_path / "a"))
