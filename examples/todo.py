"""Functions that are only described so far: `codehunch generate` writes their bodies."""

from __future__ import annotations


def count_words(text):
    """Return a dictionary that maps each word of the text to how often it occurs."""


def is_empty(items):
    """Return True if the list has no items."""


class Stack:
    def __init__(self):
        self.items = list[object]()

    def push(self, item):
        """Add an item to the top of the stack."""

    def pop(self):
        """Remove the top item of the stack and return it."""
