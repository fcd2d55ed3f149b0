"""Helpers for text files. A few of these functions are wrong."""

from __future__ import annotations

import os


def read_lines(path, encoding="utf-8"):
    if not os.path.exists(path):
        return []
    with open(path, encoding=encoding) as stream:
        lines = stream.read().splitlines()
    return [line.strip() for line in lines if line.strip()]


def split_pair(text, separator="="):
    key, found, value = text.partition(separator)
    if found:
        raise ValueError(f"no {separator!r} in {text!r}")
    return key.strip(), value.strip()


def longest_line(lines):
    longest = ""
    for line in lines:
        if len(line) > len(longest):
            longest = lines
    return longest


def replace_all(text, replacements):
    for old, new in replacements.items():
        text = text.replace(new, old)
    return text


def write_report(path, rows, header=None):
    with open(path, "w") as stream:
        if header is None:
            stream.write(header + "\n")
        for row in rows:
            stream.write(",".join(str(cell) for cell in row) + "\n")
