"""Texts that travel as patches arrive as they are."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsp_client import Start

from codehunch.lsp.patches import KnownTexts, SentTexts, TextUnknown
from codehunch.lsp.requests import CheckRequest

_LARGE = "".join(f"def f{index}(a):\n    return a + {index}  # é🙂\n" for index in range(400))
_EDITS = st.tuples(st.floats(0, 1), st.integers(0, 20), st.sampled_from(["x", "", "é\r\n", "🙂", "def"]))
_FATES = st.sampled_from(["answered", "answered", "answered", "never arrives", "answer is lost", "worker restarts"])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(_EDITS, _FATES, st.sampled_from("ab")), max_size=20))
def test_storms(steps: list[tuple[tuple[float, int, str], str, str]]) -> None:
    sent, known = SentTexts(), KnownTexts()
    texts = dict.fromkeys("ab", _LARGE)
    for (at, length, inserted), fate, uri in steps:
        start = round(at * len(texts[uri]))
        text = texts[uri] = texts[uri][:start] + inserted + texts[uri][start + length :]
        request = sent.shortened(CheckRequest(uri, text, "python"))
        if fate == "never arrives":
            continue
        if fate == "worker restarts":
            known = KnownTexts()
        try:
            whole = known.whole(request)
        except TextUnknown:
            sent.forget(uri)
            request = sent.shortened(CheckRequest(uri, text, "python"))
            whole = known.whole(request)
        assert whole == attrs.evolve(request, text=text, patch=None)
        known.keep(whole)
        if fate == "answered":
            sent.answered(request, text)


def test_what_was_answered_does_not_travel_again() -> None:
    sent = SentTexts()
    first = sent.shortened(CheckRequest("a", _LARGE, "python"))
    assert first.text == _LARGE
    sent.answered(first, _LARGE)
    second = sent.shortened(CheckRequest("a", _LARGE.replace("f200", "g200"), "python"))
    assert (second.text, second.patch is not None and second.patch.content) == ("", "g")
    short = CheckRequest("a", "x = 1\n", "python")
    assert sent.shortened(short) == short


@pytest.mark.parametrize("process", [False, True])
async def test_a_worker_that_was_started_anew_is_told_everything(start: Start, process: bool) -> None:
    client = await start(process=process)
    client.open(_LARGE)
    assert (await client.pull())["items"] == []
    place = {"start": {"line": 500, "character": 0}, "end": {"line": 500, "character": 0}}
    for version in (2, 3):
        client.change([{"range": place, "text": "wrong\n"}], version=version)
        assert len((await client.pull())["items"]) == version - 1
    if process:
        await client.server.engine.restart()
    else:
        client.server.engine._service._texts = KnownTexts()  # type: ignore[attr-defined]
    client.change([{"range": place, "text": "wrong\n"}], version=4)
    assert len((await client.pull())["items"]) == 3
    assert client.shown() == []
