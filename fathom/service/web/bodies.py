"""The JSON of a request's body, read strictly (`fathom.data.strict_json`) and refused in the server's words."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.data import strict_json
from fathom.service.refusing import Refused

MOST_VALUES = 1_000_000  # a value is some 60 bytes of memory, however few its letters
SMALL = 1 << 16  # bytes; a body so small cannot hold too many values
_ROWS = re.compile(rb'\s*\{\s*"rows"\s*:\s*\[')


def parse(body: bytes) -> Any:
    """Return the value of a body. Raises Refused with the line and the character where it goes wrong.

    >>> parse(b'{"rows": [{"age": 41}]}')
    {'rows': [{'age': 41}]}
    """
    if len(body) > SMALL and body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
        raise Refused(413, f"The body holds more than {MOST_VALUES:,} values. Send fewer rows at a time.")
    try:
        return strict_json.parse(body)
    except strict_json.NotStrictError as error:
        raise Refused(400, f"The body {error}.") from None


def more_rows_than(most: int, body: bytes) -> bool:
    """Say whether the list ``rows`` with which a body begins holds more than ``most`` objects, without making a single one.

    A value takes some ten times the memory of its letters, and leaves holes in it when it goes; who sends too many rows is told so for the price of looking at quotes and brackets.

    >>> more_rows_than(1, b'{"rows": [{"a": "{"}, {"a": "}\\\\"}]}'), more_rows_than(2, b'{"rows": [{"a": "{"}, {"a": "}\\\\"}]}')
    (True, False)
    """
    if body.count(b"{") <= most + 1 or not _ROWS.match(body):
        return False
    if b"\\" in body:  # whichever stands before a quote says that the string goes on; two stand for one, which does not
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    letters = np.frombuffer(body, np.uint8)
    quotes = np.flatnonzero(letters == ord('"'))
    opened, closed = (_outside(quotes, (letters == one) | (letters == other)) for one, other in (b"{[", b"}]"))
    depth = 1 + np.arange(len(opened)) - np.searchsorted(closed, opened)
    left = np.searchsorted(opened, closed) - np.arange(len(closed)) == 2  # the list itself ends, at the first of them
    end = closed[left.argmax()] if left.any() else len(body)
    return int(((depth == 3) & (letters[opened] == ord("{")) & (opened < end)).sum()) > most


def _outside(quotes: npt.NDArray[np.intp], wanted: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Return where ``wanted`` letters stand outside of strings, which begin and end at ``quotes``."""
    found = np.flatnonzero(wanted)
    return np.asarray(found[np.searchsorted(quotes, found) % 2 == 0])
