"""JSON read strictly: no key twice, no NaN, no number that is rounded to infinity, no half a character, nothing but UTF-8.

Peers let the last of two equal keys win (RFC 8259, section 4, leaves it open), so that what a proxy checked and what a server reads may differ.
"""

import json
import math
from typing import Any

from fathom.service.refusing import Refused

MOST_VALUES = 1_000_000  # a value is some 60 bytes of memory, however few its letters
SMALL = 1 << 16  # bytes; a body so small cannot hold too many values


def parse(body: bytes) -> Any:
    """Return the value of a body.

    Raises Refused with the line and the character where it goes wrong.

    >>> parse(b'{"rows": [{"age": 41}]}')
    {'rows': [{'age': 41}]}
    """
    if len(body) > SMALL and body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
        raise Refused(413, f"The body holds more than {MOST_VALUES:,} values. Send fewer rows at a time.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(400, f"The body is not UTF-8: byte {error.start + 1} begins no character.") from None
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Refused(
            400, f"The body is not JSON: {error.msg}, at line {error.lineno}, character {error.colno}."
        ) from None
    except RecursionError:
        raise Refused(400, "The body is nested too deeply.") from None
    except ValueError:  # a whole number of more than 4,300 digits
        raise Refused(400, "The body holds a whole number with too many digits.") from None
    if "\\u" in text and _has_half(value):
        raise Refused(400, "The body holds a \\u escape that stands for half a character.")
    return value


def _has_half(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(400, f"The key {twice[:60]!r} comes twice in one object.")
    return value


def _fraction(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise Refused(400, f"The number {text[:40]} is too large.")
    return number


def _constant(name: str) -> None:
    raise Refused(400, f"The body holds {name}, which JSON does not have. Write null for what is not known.")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_fraction, parse_constant=_constant)
