"""JSON read strictly: UTF-8, no key twice, no NaN, no number beyond the largest, no half a character, not too deep.

Parsers let the last of two equal keys win (RFC 8259, section 4, leaves it open), so that what one program checked and what another reads may differ: here that is refused.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_LEVEL_OF = np.zeros(256, np.int64)
_LEVEL_OF[[ord("["), ord("{")]] = 1
_LEVEL_OF[[ord("]"), ord("}")]] = -1


class NotStrictError(ValueError):
    """What was read is no JSON in this sense; the message goes on after what it was read from: ``has the key 'a' twice in one object``."""


def parse(content: bytes, deepest: int | None = None, number: Callable[[str, bool], Any] | None = None) -> Any:
    """Return what JSON says, of lists and objects at most ``deepest`` within each other.

    Numbers become what ``number`` makes of their text and of whether they are whole, else Python's. Raises NotStrictError, with the place where the parser knows it.

    >>> parse(b'{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> parse(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    fathom.data.strict_json.NotStrictError: has the key 'a' twice in one object
    """
    if deepest is not None:
        levels = np.cumsum(_LEVEL_OF[np.frombuffer(_STRINGS.sub(b"", content), np.uint8)])
        if len(levels) and levels.max() > deepest:
            raise NotStrictError(f"is nested {int(levels.max()):,} deep, where {deepest} is the most")
    try:
        text = content.decode("utf-8")
        value = (_DECODER if number is None else _decoder(number)).decode(text)
    except UnicodeDecodeError as error:
        raise NotStrictError(f"is not UTF-8: byte {error.start + 1} begins no character") from None
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in text else ""
        raise NotStrictError(f"is not JSON: {error.msg} at {line}character {error.colno}") from None
    except RecursionError:
        raise NotStrictError("is nested too deeply") from None
    except NotStrictError:
        raise
    except ValueError:  # a whole number of more than 4,300 digits
        raise NotStrictError("holds a whole number with too many digits") from None
    if "\\u" in text and _has_half(value):
        raise NotStrictError("holds a \\u escape that stands for half a character")
    return value


def _has_half(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotStrictError(f"has the key {twice[:60]!r} twice in one object")
    return value


def _fraction(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise NotStrictError(f"holds {text[:40]}, which is more than a number can be")
    return number


def _constant(name: str) -> None:
    raise NotStrictError(f"holds {name}, which JSON does not have; null is what is not known")


def _decoder(number: Callable[[str, bool], Any]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_object,
        parse_int=lambda text: number(text, True),
        parse_float=lambda text: number(text, False),
        parse_constant=_constant,
    )


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_fraction, parse_constant=_constant)
