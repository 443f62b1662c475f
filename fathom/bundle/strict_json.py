"""JSON as a bundle holds it: UTF-8, no key twice, no NaN, no number out of range, neither deep nor large; anything else is refused."""

import json
import math
import re
from typing import Any, NoReturn

import numpy as np

from fathom.errors import BundleError

DEEPEST = 24  # lists and objects within each other
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NUMBER_OF = np.zeros(256, np.int64)
_NUMBER_OF[[ord("["), ord("{")]] = 1
_NUMBER_OF[[ord("]"), ord("}")]] = -1


def dump(value: Any) -> bytes:
    """Write JSON as every file of a bundle is written: UTF-8, sorted, indented, no NaN."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def parse(content: bytes, file: str) -> Any:
    """Return what a JSON file says. Raises BundleError, naming ``file``, where it says it in another way than this module's caption.

    >>> parse(b'{"a": [1, 2.5]}', "model.json")
    {'a': [1, 2.5]}
    >>> parse(b'{"a": 1, "a": 2}', "model.json")
    Traceback (most recent call last):
    fathom.errors.BundleError: model.json has the key 'a' twice in one object. Copy the bundle again, whole.
    """
    levels = np.cumsum(_NUMBER_OF[np.frombuffer(_STRINGS.sub(b"", content), np.uint8)])
    if len(levels) and levels.max() > DEEPEST:
        _refuse(file, f"is nested {int(levels.max()):,} deep, where {DEEPEST} is the most")

    def whole(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            _refuse(file, f"has the key {twice[:60]!r} twice in one object")
        return found

    def finite(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            _refuse(file, f"holds {text[:60]}, which is more than a number can be")
        return value

    try:
        text = content.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=whole,
            parse_float=finite,
            parse_constant=lambda name: _refuse(file, f"holds {name}, which JSON does not have"),
        )
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # half a character cannot be written
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"{file} is not JSON as Fathom writes it ({type(error).__name__}: {str(error)[:200]}). Copy the bundle again, whole.",
            file=file,
        ) from None
    return value


def _refuse(file: str, what: str) -> NoReturn:
    raise BundleError(f"{file} {what}. Copy the bundle again, whole.", file=file)
