"""How fast corpora are made, each part beside a peer that does the same job in the same run.

    python benchmarks/corpus.py history REPOSITORY [--commits N]
    python benchmarks/corpus.py inject CORPUS [--rows N]
    python benchmarks/corpus.py near CORPUS [--rows N]

Times are CPU seconds of this process and of the git processes it waited for, so that other work on the
machine does not count. Peers that are not installed are left out (pygit2, pydriller, libcst, datasketch).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from codehunch.syntax.parsing import parse
from codehunch_training.corpus.commits import MAX_FILES, MAX_HUNKS, MAX_LINES, patches, promising
from codehunch_training.corpus.folder import read_rows
from codehunch_training.corpus.histories import mine
from codehunch_training.corpus.injected import Mix, candidates_of, variants
from codehunch_training.corpus.messages import promises_fix
from codehunch_training.corpus.near import BANDS, GRAM, SIGNATURE, NearIndex, tokens_of
from codehunch_training.corpus.paths import is_source, is_test
from codehunch_training.corpus.preferences import load_preferences
from codehunch_training.corpus.repositories import Repository, open_repository, read_blobs
from codehunch_training.corpus.rows import FunctionRow


def cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def timed(work: Callable[[], int]) -> tuple[float, int]:
    """CPU seconds and what the work returned."""
    started = cpu_seconds()
    found = work()
    return cpu_seconds() - started, found


def table(title: str, unit: str, count: int, rows: list[tuple[str, float, str]]) -> None:
    """Print one table; the first row is what the others are measured against."""
    print(f"\n{title}")
    print(f"{'':28} {'CPU s':>8} {unit + '/s/core':>18} {'ratio':>7}  note")
    for name, seconds, note in rows:
        print(f"{name:28} {seconds:8.2f} {count / max(seconds, 1e-9):18,.0f} {seconds / rows[0][1]:6.1f}x  {note}")


def installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def history(path: Path, limit: int) -> None:
    """One job for three readers: commits whose message promises a fix, their few small edits of sources, both blobs."""
    repository = open_repository(path)
    commits = repository.commits()[-limit:] if limit else repository.commits()
    rows = []
    seconds, found = timed(lambda: edits_by_plumbing(repository, commits))
    rows.append(("git diff-tree, cat-file", seconds, f"{found} edits"))
    for name, module, work in (("pygit2", "pygit2", edits_by_pygit2), ("PyDriller", "pydriller", edits_by_pydriller)):
        if installed(module):
            seconds, found = timed(lambda work=work: work(repository, commits))  # type: ignore[misc]
            rows.append((name, seconds, f"{found} edits"))
    table(f"history: small edits of {len(commits)} commits of {repository.project}", "commits", len(commits), rows)
    skipped: Counter[str] = Counter()
    seconds, fixes = timed(lambda: sum(row.role == "buggy" for row in mine(repository, commits, skipped=skipped)))
    table(
        "mining whole: parsed, compared, classified, written twice",
        "commits",
        len(commits),
        [("mine", seconds, f"{fixes} fixes")],
    )


def wanted(paths: list[str]) -> bool:
    return 0 < len(paths) <= MAX_FILES


def edits_by_plumbing(repository: Repository, commits: list[str]) -> int:
    skipped: Counter[str] = Counter()
    names = []
    for _, files in patches(repository, [c.name for c in promising(repository, commits, skipped, False)], skipped):
        sources = [file for file in files if not is_test(file.path)]
        lines = [sum(h.old[1] - h.old[0] + h.new[1] - h.new[0] for h in file.hunks) for file in sources]
        small = all(len(file.hunks) <= MAX_HUNKS for file in sources) and max(lines, default=99) <= MAX_LINES
        if wanted([file.path for file in sources]) and small:
            names.extend(name for file in sources for name in (file.old, file.new))
    return sum(isinstance(blob, bytes) for blob in read_blobs(repository, names)) // 2


def edits_by_pygit2(repository: Repository, commits: list[str]) -> int:
    import pygit2

    store = pygit2.Repository(str(repository.git_dir))
    found = 0
    for name in commits:
        commit = store[name]
        if not promises_fix(commit.message) or not commit.parents:
            continue
        diff = store.diff(commit.parents[0], commit, context_lines=0)
        deltas = [(d.status_char(), d.new_file.path) for d in diff.deltas]
        sources = [entry for entry in deltas if is_source(entry[1]) and not is_test(entry[1])]
        if not wanted([path for _, path in sources]) or any(status != "M" for status, _ in sources):
            continue
        chosen = {path for _, path in sources}
        patches_of = [patch for patch in diff if patch is not None and patch.delta.new_file.path in chosen]
        sizes = [(len(p.hunks), sum(h.old_lines + h.new_lines for h in p.hunks)) for p in patches_of]
        if all(hunks <= MAX_HUNKS and lines <= MAX_LINES for hunks, lines in sizes):
            for patch in patches_of:
                found += bool(store[patch.delta.old_file.id].data) and bool(store[patch.delta.new_file.id].data)
    return found


def edits_by_pydriller(repository: Repository, commits: list[str]) -> int:
    import pydriller

    found = 0
    given = set(commits)
    for commit in pydriller.Repository(str(repository.git_dir), only_no_merge=True).traverse_commits():
        if commit.hash not in given or not promises_fix(commit.msg):
            continue
        files = [f for f in commit.modified_files if is_source(f.new_path or "") and not is_test(f.new_path or "")]
        if not wanted([f.filename for f in files]) or any(f.change_type.name != "MODIFY" for f in files):
            continue
        if all(f.added_lines + f.deleted_lines <= MAX_LINES for f in files):
            found += sum(bool(f.source_code_before) and bool(f.source_code) for f in files)
    return found


def functions_of(corpus: Path, limit: int) -> list[FunctionRow]:
    rows = (row for row in read_rows(corpus) if isinstance(row, FunctionRow))
    return list(islice(rows, limit) if limit else rows)


def inject(corpus: Path, limit: int) -> None:
    """Defects put into functions: parse, find slots, draw, rewrite, parse again."""
    functions = functions_of(corpus, limit)
    mix = Mix(load_preferences(), {})

    def injected(count: int) -> int:
        made = 0
        for row in functions:
            parsed = parse(row.text)
            made += sum(1 for _ in variants(parsed, candidates_of(parsed), count, mix, random.Random(row.id)))
        return made

    rows = []
    for count in (1, 3):
        seconds, made = timed(lambda count=count: injected(count))  # type: ignore[misc]
        rows.append(
            (f"inject, {count} a function", seconds, f"{made} defects, {made / max(seconds, 1e-9):,.0f} defects/s")
        )
    if installed("libcst"):
        seconds, made = timed(lambda: rewritten_by_libcst(functions))
        rows.append(("LibCST, parse and print", seconds, f"{made} functions, no rewriting yet"))
    table(f"inject: {len(functions)} functions", "functions", len(functions), rows)


def rewritten_by_libcst(functions: list[FunctionRow]) -> int:
    import libcst

    made = 0
    for row in functions:
        try:
            made += libcst.parse_module(row.text).code == row.text
        except libcst.ParserSyntaxError:
            continue
    return made


def near(corpus: Path, limit: int) -> None:
    """Near-duplicates: hash, look up, remember. Memory is this process's growth a function."""
    functions = functions_of(corpus, limit)
    tokens = [tokens_of(row.text) for row in functions]
    rows = []

    def by_rensa() -> int:
        index, alike = NearIndex(), 0
        for each in tokens:
            signature, marks = index.alike(each)
            alike += bool(marks)
            index.add(signature, 0)
        kept.append(index)
        return alike

    def by_datasketch() -> int:
        from datasketch import MinHash, MinHashLSH

        index, alike = MinHashLSH(num_perm=SIGNATURE, params=(BANDS, SIGNATURE // BANDS)), 0
        model = MinHash(num_perm=SIGNATURE)
        for number, each in enumerate(tokens):
            if len(each) < 12:
                continue
            signature = MinHash(num_perm=SIGNATURE, permutations=model.permutations, scheme=model.scheme)
            signature.update_batch([" ".join(each[i : i + GRAM]).encode() for i in range(len(each) - GRAM + 1)])
            alike += bool(index.query(signature))
            index.insert(number, signature, check_duplication=False)
        kept.append(index)
        return alike

    kept: list[object] = []
    for name, module, work in (("rensa", "rensa", by_rensa), ("datasketch", "datasketch", by_datasketch)):
        if installed(module):
            before = resident_bytes()
            seconds, _ = timed(work)
            each = (resident_bytes() - before) / len(functions)
            rows.append((name, seconds, f"{each:,.0f} bytes a function, {each * 1e6 / 1e9:.1f} GB a million"))
    table(f"near-duplicates: {len(functions)} functions", "functions", len(functions), rows)


def resident_bytes() -> int:
    """Resident memory now; Linux says, elsewhere 0."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("history", "inject", "near"))
    parser.add_argument("input", type=Path)
    parser.add_argument("--commits", type=int, default=0, help="the newest N only")
    parser.add_argument("--rows", type=int, default=0, help="the first N only")
    given = parser.parse_args(arguments)
    if given.part == "history":
        history(given.input, given.commits)
    else:
        (inject if given.part == "inject" else near)(given.input, given.rows)


if __name__ == "__main__":
    main(sys.argv[1:])
