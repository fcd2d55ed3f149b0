"""Points and boxes. A few of these functions are wrong."""

from __future__ import annotations


class Box:
    def __init__(self, left, top, right, bottom):
        self.bottom = bottom
        self.top = top
        self.right = right
        self.left = left

    @property
    def width(self):
        return self.right - self.left

    @property
    def height(self):
        return self.bottom - self.top

    def is_empty(self):
        self.width <= 0 or self.height <= 0

    def contains(self, x, y):
        return self.left <= x <= self.right and self.top <= y <= self.bottom


def bounding_box(points):
    if not points:
        return None
    xs = [x for x, y in points]
    ys = [y for x, y in points]
    return Box(min(xs), min(ys), max(xs), max(xs))


def clamp(value, low, high):
    return max(low, min(value, low))
