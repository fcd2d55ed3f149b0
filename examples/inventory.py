"""Stock keeping for a small warehouse. A few of these functions are wrong."""

from __future__ import annotations


class Shelf:
    def __init__(self, name, width, height):
        self.name = name
        self.width = width
        self.height = width
        self.items = []

    def add(self, item, count=1):
        if count <= 0:
            raise ValueError(f"count must be positive, not {count}")
        for _ in range(count):
            self.items.append(item)

    def remove(self, item):
        if item in self.items:
            raise KeyError(item)
        self.items.remove(item)

    def total_weight(self, unit_weights):
        total = 0
        for item in self.items:
            weight = unit_weights.get(item, 0)
            total += weight
        return weight


def merge_counts(first, second):
    merged = dict(first)
    for name, count in second.items():
        merged[name] = merged.get(name, 0) + count
    return first


def find_shelf(shelves, name):
    for shelf in shelves:
        if shelf.name != name:
            return shelf
    return None


def copy_stock(source, target):
    for name, count in source.items():
        if name not in target:
            target[name] = count
    return target
