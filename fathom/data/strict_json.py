"""JSON read strictly: UTF-8, no key twice, no NaN, no number beyond the largest, no half a character, not too deep.

Parsers let the last of two equal keys win (RFC 8259, section 4, leaves it open), so that what one program checked and what another reads may differ: here that is refused. Where
the standard leaves the choice (the cases ``i_`` of Seriot's JSONTestSuite, 2016), what would lose or change a value is refused, and whole numbers of any size and fractions that
are as good as nothing are read.
"""

import codecs
import json
import math
import re
from collections.abc import Callable
from typing import Any

DEEPEST = 100  # lists and objects within each other
_DIGITS = 4_300  # of a whole number, as Python has it
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?", re.ASCII)
_CONSTANT = re.compile(r"NaN|-?Infinity")
_WORD = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)


class NotStrictError(ValueError):
    """What was read is no JSON in this sense; the message goes on after what it was read from: ``has the key 'a' twice in one object, at character 10``."""


class _FoundError(ValueError):
    """Something that JSON does not have or that is not taken; `_fault` says what and where."""


def parse(content: bytes, deepest: int = DEEPEST, number: Callable[[str, bool], Any] | None = None) -> Any:
    """Return what JSON says, of lists and objects at most ``deepest`` within each other.

    Numbers become what ``number`` makes of their text and of whether they are whole, else Python's. Raises NotStrictError with the place, counted from 1.

    >>> parse(b'{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> parse(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    fathom.data.strict_json.NotStrictError: has the key 'a' twice in one object, at character 10
    """
    if content.startswith(codecs.BOM_UTF8):
        raise NotStrictError("begins with a mark of the byte order; write UTF-8 without one")
    try:
        text = content.decode("utf-8")
        value = (_DECODER if number is None else _decoder(number)).decode(text)
    except UnicodeDecodeError as error:
        raise NotStrictError(f"is not UTF-8: byte {error.start + 1} begins no character") from None
    except json.JSONDecodeError as error:
        raise NotStrictError(f"is not JSON: {error.msg} at {_place(text, error.pos)}") from None
    except (ValueError, RecursionError):  # a whole number of more than 4,300 digits is a ValueError, too
        raise _fault(text, deepest, number is None) from None
    if (text.count("[") + text.count("{") > deepest and _depth(value) > deepest) or (
        "\\u" in text and _has_half(value)
    ):
        raise _fault(text, deepest, number is None)
    return value


def _depth(value: Any) -> int:
    """Return how many lists and objects lie within each other."""
    depth, level = 0, [value]
    while level := [each for each in level if each.__class__ in (list, dict)]:
        depth += 1
        level = [within for each in level for within in (each.values() if each.__class__ is dict else each)]
    return depth


def _has_half(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _fault(text: str, deepest: int, numbers: bool) -> NotStrictError:
    """Return what in a text, sound JSON up to there, is not taken, and where. A loop over its words, and only for what is refused."""
    keys: list[set[str] | None] = []  # of the objects that are open; a list is None
    before = what = ""
    for found in _WORD.finditer(text):
        word = found[0]
        if word in "[{":
            keys.append(set() if word == "{" else None)
            what = f"is nested more than {deepest} deep" if len(keys) > deepest else ""
        elif word in "]}":
            keys.pop()
        elif word[0] == '"':
            what = _fault_of_string(word, keys[-1] if keys and before in "{," else None)
        elif constant := _CONSTANT.match(word):
            what = f"holds {constant[0]}, which JSON does not have (null is what is not known)"
        elif numbers and (number := _NUMBER.match(word)):
            what = _fault_of_number(number[0])
        if what:
            return NotStrictError(f"{what}, at {_place(text, found.start())}")
        before = word
    return NotStrictError("is nested too deeply")  # for one who stands deep in calls already


def _fault_of_string(word: str, keys: set[str] | None) -> str:
    """Return what is wrong with a string; where it is a key, also with ``keys``, those before it, which it joins."""
    string = json.loads(word)
    if _has_half(string):
        return "holds a \\u escape that stands for half a character"
    if keys is not None:
        if string in keys:
            return f"has the key {string[:60]!r} twice in one object"
        keys.add(string)
    return ""


def _fault_of_number(word: str) -> str:
    if word.lstrip("-").isdigit():
        return f"holds a whole number of more than {_DIGITS:,} digits" if len(word) > _DIGITS else ""
    return f"holds {word[:40]}, which is more than a number can be" if math.isinf(float(word)) else ""


def _place(text: str, position: int) -> str:
    """Say where a character stands, counted from 1; the line, too, where there are several."""
    line, start = text.count("\n", 0, position) + 1, text.rfind("\n", 0, position) + 1
    return f"{f'line {line}, ' if chr(10) in text else ''}character {position - start + 1}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise _FoundError
    return value


def _fraction(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _FoundError
    return number


def _constant(name: str) -> None:
    raise _FoundError


def _decoder(number: Callable[[str, bool], Any]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_object,
        parse_int=lambda text: number(text, True),
        parse_float=lambda text: number(text, False),
        parse_constant=_constant,
    )


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_fraction, parse_constant=_constant)
