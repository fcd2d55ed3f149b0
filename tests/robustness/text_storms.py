"""Texts and edits in a client's coordinates, inside and outside of the text."""

from __future__ import annotations

from hypothesis import strategies as st

from codehunch.syntax.text import PositionEncoding

# Line ends, what only looks like one, and characters of every width, a lone surrogate among them.
_PIECES = [
    "a",
    "(",
    " ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\x0c",
    "\x0b",
    "\x1c",
    "\x85",
    "\u2028",
    "é",
    "中",
    "🙂",
    "\ud83d",
    "\ude00",
    "",
]
texts = st.lists(st.sampled_from(_PIECES), max_size=30).map("".join)
numbers = st.one_of(st.integers(0, 12), st.sampled_from([500, 2**31 - 1]))
positions = st.fixed_dictionaries({"line": numbers, "character": numbers})
ranges = st.fixed_dictionaries({"start": positions, "end": positions})
changes = st.one_of(
    st.fixed_dictionaries({"range": ranges, "text": texts}),
    st.fixed_dictionaries({"range": ranges, "text": texts}),
    st.fixed_dictionaries({"text": texts}),
)
encodings: st.SearchStrategy[PositionEncoding] = st.sampled_from(["utf-8", "utf-16", "utf-32"])
