"""What a JSON value must be, said as small checks put together: closed, so that an unknown key, a number out of range or a word that names nothing is refused with its place.

A check is a function of a value and its place in the file, that returns nothing or raises BundleError. `of_annotation` makes one of a dataclass's annotation, so what a column learned is
checked against the very class that will hold it.
"""

import math
import re
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from fathom.errors import BundleError

Check = Callable[[Any, str], None]
LONGEST = 1 << 24  # characters of a text: a vocabulary is one
MOST_ITEMS = 1 << 22
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _+()'-]{0,79}")


def refuse(place: str, what: str) -> NoReturn:
    """Raise BundleError of a value at a place."""
    raise BundleError(f"{place} {what}. Use the Fathom that wrote the bundle, or fit again.", file=place.split(":")[0])


def shown(value: Any) -> str:
    """Write a value that was found, shortened."""
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def text(most: int = LONGEST) -> Check:
    """Free words, of at most so many characters: never looked up, never run."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, str) or len(value) > most:
            refuse(place, f"is {shown(value)}, where text of at most {most:,} characters is expected")

    return check


def label(value: Any, place: str) -> None:
    """Check a short name that people see: letters, digits, blanks; no full stop, no slash, so that it can never be a path or a module."""
    if not isinstance(value, str) or not _LABEL.fullmatch(value):
        refuse(place, f"is {shown(value)}, where a short name is expected")


def pattern(expression: str, what: str) -> Check:
    """Text that an expression matches whole; ``what`` names it for people."""
    compiled = re.compile(expression)

    def check(value: Any, place: str) -> None:
        if not isinstance(value, str) or len(value) > 200 or not compiled.fullmatch(value):
            refuse(place, f"is {shown(value)}, where {what} is expected")

    return check


def one_of(known: Iterable[Any]) -> Check:
    """One of a closed table's words or numbers."""
    table = tuple(known)

    def check(value: Any, place: str) -> None:
        if not any(value == each and type(value) is type(each) for each in table):
            refuse(place, f"is {shown(value)}, where one of {', '.join(map(repr, table))} is expected")

    return check


def whole(least: int = -(1 << 63), most: int = (1 << 63) - 1) -> Check:
    """A whole number within bounds."""

    def check(value: Any, place: str) -> None:
        if type(value) is not int or not least <= value <= most:
            refuse(place, f"is {shown(value)}, where a whole number from {least:,} to {most:,} is expected")

    return check


def number(least: float = -math.inf, most: float = math.inf) -> Check:
    """A finite number within bounds."""

    def check(value: Any, place: str) -> None:
        if type(value) not in (int, float) or not math.isfinite(value) or not least <= value <= most:
            refuse(place, f"is {shown(value)}, where a number is expected")

    return check


def truth(value: Any, place: str) -> None:
    """Check true or false."""
    if not isinstance(value, bool):
        refuse(place, f"is {shown(value)}, where true or false is expected")


def items(of: Check, most: int = MOST_ITEMS, least: int = 0) -> Check:
    """A list of what ``of`` allows."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            refuse(place, f"is {shown(value)}, where a list of {least} to {most:,} is expected")
        for index, item in enumerate(value):
            of(item, f"{place}[{index}]")

    return check


def items_in_order(of: Iterable[Check]) -> Check:
    """A list with one item for each of these checks."""
    checks = tuple(of)

    def check(value: Any, place: str) -> None:
        items(anything, len(checks), len(checks))(value, place)
        for index, each in enumerate(checks):
            each(value[index], f"{place}[{index}]")

    return check


def mapping(of: Check, key: Check | None = None, most: int = 100_000) -> Check:
    """An object whose keys are free, or as ``key`` allows, and whose values are what ``of`` allows."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict) or len(value) > most:
            refuse(place, f"is {shown(value)}, where an object of at most {most:,} keys is expected")
        for name, item in value.items():
            if key is not None:
                key(name, f"{place}: the key")
            of(item, f"{place}.{name[:60]}")

    return check


def record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with these keys and no other."""
    known = {**required, **(optional or {})}

    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            refuse(place, f"is {shown(value)}, where an object is expected")
        for name in required:
            if name not in value:
                refuse(place, f"has no {name!r}")
        for name, item in value.items():
            if name not in known:
                refuse(place, f"has {name[:60]!r}, which it may not")
            known[name](item, f"{place}.{name}")

    return check


def maybe(of: Check) -> Check:
    """Nothing, or what ``of`` allows."""

    def check(value: Any, place: str) -> None:
        if value is not None:
            of(value, place)

    return check


def any_of(checks: Iterable[Check]) -> Check:
    """What one of the checks allows."""
    every = tuple(checks)

    def check(value: Any, place: str) -> None:
        for each in every[:-1]:
            try:
                return each(value, place)
            except BundleError:
                continue
        return every[-1](value, place)

    return check


def anything(value: Any, place: str) -> None:
    """Allow whatever JSON can say."""


def of_dataclass(kind: type[Any]) -> Check:
    """Return the check of a dataclass as `dataclasses.asdict` and JSON write it: its fields, and no other; one with a default may lack, since bundles of before have fewer."""
    hints = get_type_hints(kind)
    every = {each.name: of_annotation(hints[each.name]) for each in fields(kind)}
    given = {each.name for each in fields(kind) if each.default is not MISSING or each.default_factory is not MISSING}
    return record(
        {name: check for name, check in every.items() if name not in given},
        {name: check for name, check in every.items() if name in given},
    )


def of_annotation(hint: Any) -> Check:
    """Return the check of an annotation: numbers, texts, truth values, words of a ``Literal``, and tuples, mappings and choices of them."""
    plain: dict[Any, Check] = {str: text(), bool: truth, int: whole(), float: number(), type(None): one_of([None])}
    if hint in plain:
        return plain[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return one_of(arguments)
    if origin in (Union, types.UnionType):
        return any_of(of_annotation(argument) for argument in arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return items(of_annotation(arguments[0]))
    if origin is tuple:
        return items_in_order(of_annotation(argument) for argument in arguments)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return mapping(of_annotation(arguments[1]))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Iterable):
        return items(of_annotation(arguments[0]))
    if isinstance(hint, type) and is_dataclass(hint):
        return of_dataclass(hint)
    return anything  # of a modality that a user wrote, and gave to `load` as such


__all__ = [
    "any_of",
    "anything",
    "items",
    "items_in_order",
    "label",
    "mapping",
    "maybe",
    "number",
    "of_annotation",
    "of_dataclass",
    "one_of",
    "pattern",
    "record",
    "refuse",
    "shown",
    "text",
    "truth",
    "whole",
]
