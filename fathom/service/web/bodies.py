"""The JSON of a request's body, read strictly (`fathom.data.strict_json`) and refused in the server's words."""

from typing import Any

from fathom.data import strict_json
from fathom.service.refusing import Refused

MOST_VALUES = 1_000_000  # a value is some 60 bytes of memory, however few its letters
SMALL = 1 << 16  # bytes; a body so small cannot hold too many values


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
