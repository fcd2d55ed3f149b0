"""Helpers for text files. A few of these functions are wrong."""

from __future__ import annotations

import os


def read_lines(path, encoding="utf-8"):
    if not os.path.exists(path):
        return []
    with open(path, encoding=encoding) as stream:
        lines = stream.read().splitlines()
    return [line.strip() for line in lines if line.strip()]


def check_name(name):
    if not isinstance(name, str):
        TypeError(f"a name must be a string, not {name!r}")
    return name.strip()


def split_pair(text, separator="="):
    key, found, value = text.partition(separator)
    if not found:
        raise ValueError(f"no {separator!r} in {text!r}")
    return key.strip(), value.strip()


def normalise(text):
    text.strip().lower()


def longest_line(lines):
    longest = ""
    for line in lines:
        if len(line) > len(longest):
            longest = line
    return longest
