"""JSON as a bundle holds it: written in one way alone, and read strictly (`fathom.data.strict_json`)."""

import json
from typing import Any

from fathom.data import strict_json
from fathom.errors import BundleError

DEEPEST = 24  # lists and objects within each other


def dump(value: Any, *, in_order: bool = True) -> bytes:
    """Write JSON as every file of a bundle is written: UTF-8, names in order of the alphabet, indented, no NaN; or with names as they stand, not ``in_order``, where people are shown them so."""
    return (json.dumps(value, indent=1, sort_keys=in_order, ensure_ascii=False, allow_nan=False) + "\n").encode()


def dump_tight(value: Any) -> bytes:
    """Write the same JSON without line breaks and blanks, for a bundle that is to be small.

    >>> dump_tight({"b": [1, 2.5], "a": None})
    b'{"a":null,"b":[1,2.5]}'
    """
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False, allow_nan=False).encode()


def parse(content: bytes, file: str) -> Any:
    """Return what a JSON file says. Raises BundleError, naming ``file``, where it is not strictly JSON.

    >>> parse(b'{"a": 1, "a": 2}', "model.json")
    Traceback (most recent call last):
    fathom.errors.BundleError: model.json has the key 'a' twice in one object, at character 10. Copy the bundle again, whole.
    """
    try:
        return strict_json.parse(content, DEEPEST)
    except strict_json.NotStrictError as error:
        raise BundleError(f"{file} {error}. Copy the bundle again, whole.", file=file) from None
