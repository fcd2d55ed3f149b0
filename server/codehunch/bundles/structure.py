"""Strict reading of JSON trees into attrs classes: nothing is converted, nothing is ignored, every error has a path."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args, get_origin

import attrs
import cattrs
from cattrs import BaseConverter
from cattrs.errors import AttributeValidationNote, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn


def _strict(expected: type, *accepted: type) -> Any:
    """A structure hook that takes values of the type and converts nothing: "512" is not 512, nor is true 1."""
    kinds = accepted or (expected,)

    def hook(value: Any, _: Any) -> Any:
        if type(value) not in kinds:
            raise TypeError(f"expected {expected.__name__}, found {value!r:.60}")
        if isinstance(value, float) and not math.isfinite(value):
            raise TypeError(f"expected a finite number, found {value!r}")
        return expected(value)

    return hook


def _item_hook(item: Any, converter: BaseConverter) -> Callable[[Any], Any]:
    if item is Any:
        return lambda value: value
    hook = converter.get_structure_hook(item)
    return lambda value: hook(value, item)


def _tuple_factory(target: Any, converter: BaseConverter) -> Callable[[Any, Any], Any]:
    item = _item_hook(get_args(target)[0], converter)

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, list):
            raise TypeError(f"expected a list, found {value!r:.60}")
        return tuple(item(each) for each in value)

    return hook


def _dict_factory(target: Any, converter: BaseConverter) -> Callable[[Any, Any], Any]:
    item = _item_hook(get_args(target)[1], converter)

    def hook(value: Any, _: Any) -> Any:
        _expect_object(value)
        result = {}
        for key, each in value.items():
            try:
                result[key] = item(each)
            except Exception as error:
                error.add_note(AttributeValidationNote(key, key, dict))
                raise
        return result

    return hook


def _class_factory(target: Any, converter: BaseConverter) -> Callable[[Any, Any], Any]:
    structure = make_dict_structure_fn(target, converter, _cattrs_forbid_extra_keys=True)

    def hook(value: Any, _: Any) -> Any:
        _expect_object(value)
        return structure(value, target)

    return hook


def _literal_factory(target: Any, _: BaseConverter) -> Callable[[Any, Any], Any]:
    def hook(value: Any, _: Any) -> Any:
        if value not in get_args(target):
            raise ValueError(f"expected {' or '.join(map(repr, get_args(target)))}, found {value!r:.60}")
        return value

    return hook


def _expect_object(value: Any) -> None:
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, found {value!r:.60}")


def _origin_is(origin: Any) -> Callable[[Any], bool]:
    return lambda target: bool(get_origin(target) is origin)


def strict_converter() -> cattrs.Converter:
    """A converter from JSON trees to attrs classes that changes no value and ignores no key."""
    converter = cattrs.Converter(detailed_validation=True)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _strict(kind))
    converter.register_structure_hook(float, _strict(float, int, float))
    converter.register_structure_hook_factory(_origin_is(tuple), _tuple_factory)
    converter.register_structure_hook_factory(_origin_is(dict), _dict_factory)
    converter.register_structure_hook_factory(_origin_is(Literal), _literal_factory)
    converter.register_structure_hook_factory(attrs.has, _class_factory)
    return converter


def reasons(error: BaseException, path: str = "") -> Iterator[str]:
    """Every leaf of a cattrs error, named by the path of its field."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            notes = getattr(inner, "__notes__", [])
            names = [note.name for note in reversed(notes) if isinstance(note, AttributeValidationNote)]
            yield from reasons(inner, ".".join(filter(None, [path, *names])))
    elif isinstance(error, ForbiddenExtraKeysError):
        for key in sorted(error.extra_fields):
            yield f"unknown field `{'.'.join(filter(None, [path, key]))}`"
    elif isinstance(error, KeyError):
        # cattrs notes the attribute on the KeyError of a missing field, so the path ends in its name already.
        yield f"missing field `{path or error.args[0]}`"
    else:
        yield f"`{path}`: {error}" if path else str(error)
