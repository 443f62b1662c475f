"""How the report writes words: strange characters made visible, long texts clipped, lists and dates in plain words."""

import json
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from numbers import Real
from typing import Any

from fathom.quantities import NOTHING, SPACE, count, finite, plain

# Characters that would be invisible, that HTML or UTF-8 cannot hold, or that reorder the text around them.
_STRANGE = [
    *range(0x7F, 0xA0),
    *range(0x2028, 0x202F),  # line and paragraph separators, embeddings and overrides of the writing direction
    *range(0x2066, 0x206A),  # isolates
    *range(0xD800, 0xE000),  # lone halves of a surrogate pair
    *range(0xFFF9, 0xFFFC),
    0x061C,
    0xFEFF,
    0xFFFE,
    0xFFFF,
]
_VISIBLE = (
    {code: f"⟨U+{code:04X}⟩" for code in _STRANGE}
    | {code: chr(0x2400 + code) for code in range(0x20)}  # pictures of the control characters
    | {ord("\n"): "↵", ord("\t"): "⇥"}
)


def clean(value: Any) -> Any:
    """Return JSON data with every strange character in its texts and keys made visible.

    >>> clean({"a\\x00": ["\\u202egpj.exe", 3]})
    {'a␀': ['⟨U+202E⟩gpj.exe', 3]}
    """
    if isinstance(value, str):
        return value if value.isascii() and value.isprintable() else value.translate(_VISIBLE)
    if isinstance(value, dict):
        return {clean(str(name)): clean(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    return value


def clip(text: Any, limit: int) -> str:
    """Return at most ``limit`` characters, and say how many there were.

    >>> clip("abcdef", 6), clip("abcdefg", 3)
    ('abcdef', 'abc… (7 characters)')
    """
    text = str(text)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def fit(text: Any, places: int) -> str:
    """Return text that is at most ``places`` average characters wide; those of CJK and emoji count twice.

    >>> fit("number_of_bedrooms", 10), fit("寝室の数", 5)
    ('number_o…', '寝室…')
    """
    text = str(text)
    used, kept = 0.0, ""
    for character in text[: 3 * places]:  # combining characters take no place, but they shall not be endless
        used += _width(character)
        if used <= places - 1:
            kept += character
    return text if used <= places and len(text) <= 3 * places else kept.rstrip("\u200d ") + "…"


def breadth(text: str) -> float:
    """Return how many average characters wide a text is; those of CJK and emoji count twice.

    >>> breadth("kitchen"), breadth("寝室"), round(breadth("mm"), 1)
    (7.0, 4.0, 2.9)
    """
    return sum(map(_width, text), 0.0)


def cell(value: Any, limit: int = 240) -> str:
    """Write any JSON value as a table cell shows it.

    >>> cell(1984), cell("nurse"), cell(None), cell(True), cell(["a", "é"]), cell({"a": 1, "b": None})
    ('1984', 'nurse', '–', 'yes', 'a, é', 'a: 1, b: –')
    """
    if value is None or value in ([], {}):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Real):
        return plain(float(value))
    if isinstance(value, list) and all(_flat(item) for item in value):
        return clip(", ".join(map(cell, value)), limit)
    if isinstance(value, dict) and all(map(_flat, value.values())):
        return clip(", ".join(f"{name}: {cell(item)}" for name, item in value.items()), limit)
    return clip(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), limit)


def picture(value: Any) -> bool:
    """Say whether a value is a picture as a ``data:`` URL, which is drawn.

    >>> picture("data:image/png;base64,iVBORw=="), picture("data:text/html,<b>"), picture(3)
    (True, False, False)
    """
    return (
        isinstance(value, str)
        and value.startswith("data:image/png;base64,")
        and value[22:].rstrip("=").replace("+", "").replace("/", "").isalnum()
    )


def sound(value: Any) -> bool:
    """Say whether a value is a recording as a ``data:`` URL, which can be played.

    >>> sound("data:audio/wav;base64,UklGRg=="), sound("data:image/png;base64,iVBORw==")
    (True, False)
    """
    start = "data:audio/wav;base64,"
    return (
        isinstance(value, str)
        and value.startswith(start)
        and value[len(start) :].rstrip("=").replace("+", "").replace("/", "").isalnum()
    )


def _flat(value: Any) -> bool:
    return value is None or isinstance(value, str | Real)


def listing(names: Sequence[str], limit: int = 3) -> str:
    """Write names as a sentence would.

    >>> listing(["a"]), listing(["a", "b"]), listing(["a", "b", "c", "d", "e"])
    ('a', 'a and b', 'a, b, c and 2 more')
    """
    shown = list(names[:limit])
    if len(names) > limit:
        return f"{', '.join(shown)} and {len(names) - limit:,} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def plural(value: Any, word: str) -> str:
    r"""Write a count with its word.

    >>> plural(1, "row"), plural(1200, "row")
    ('1\xa0row', '1,200\xa0rows')
    """
    return f"{count(value)}{SPACE}{word}{'' if finite(value) == 1 else 's'}"


def titled(words: str) -> str:
    """Write words with a capital in front, the rest as it stands.

    >>> titled("log loss"), titled("R²")
    ('Log loss', 'R²')
    """
    return words[:1].upper() + words[1:]


def sentence(text: Any) -> str:
    """Write a clause as a sentence: a capital in front, a full stop behind.

    >>> sentence("by a hash of each row"), sentence("Done!"), sentence(None)
    ('By a hash of each row.', 'Done!', '')
    """
    words = str(text or "").strip()
    return titled(words) + ("" if not words or words[-1] in ".!?…" else ".")


def moment(text: Any) -> str:
    """Write an ISO 8601 time as a date and an hour; anything else as it stands.

    >>> moment("2025-11-21T11:34:05Z"), moment("yesterday")
    ('21 November 2025, 11:34 UTC', 'yesterday')
    """
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        return str(text)
    when = (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    return f"{when.day} {when:%B} {when.year}, {when:%H:%M} UTC"


def _width(character: str) -> float:
    if unicodedata.combining(character) or character == "\u200d":
        return 0.0
    if character in "mwMW@%":
        return 1.45
    return 2.0 if unicodedata.east_asian_width(character) in "WF" else 1.0
