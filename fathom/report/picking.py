"""Picks parts out of a result in which anything may be absent or null."""

from dataclasses import dataclass
from typing import Any


def at(data: Any, *names: str) -> Any:
    """Return what stands under these names, one inside the other, or ``None``.

    >>> at({"verdict": {"metric": "r2"}}, "verdict", "metric"), at({"verdict": None}, "verdict", "metric")
    ('r2', None)
    """
    for name in names:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def items(data: Any, *names: str) -> list[Any]:
    """Return the list under these names without its nulls; an empty one where there is none.

    >>> items({"warnings": ["a", None]}, "warnings"), items({}, "warnings")
    (['a'], [])
    """
    found = at(data, *names)
    return [item for item in found if item is not None] if isinstance(found, list) else []


def records(data: Any, *names: str) -> list[dict[str, Any]]:
    """Return the dictionaries in the list under these names."""
    return [item for item in items(data, *names) if isinstance(item, dict)]


def words(data: Any, *names: str) -> str:
    """Return the text under these names; an empty one where there is none.

    >>> words({"verdict": {"metric": "r2"}}, "verdict", "metric"), words({"verdict": None}, "verdict", "metric")
    ('r2', '')
    """
    found = at(data, *names)
    return found if isinstance(found, str) else ""


def texts(data: Any, *names: str) -> list[str]:
    """Return the texts in the list under these names."""
    return [item for item in items(data, *names) if isinstance(item, str)]


def named(data: Any, *names: str) -> list[dict[str, Any]]:
    """Return the dictionaries with a ``name`` in the list under these names."""
    return [item for item in records(data, *names) if words(item, "name")]


def mapping(data: Any, *names: str) -> dict[str, Any]:
    """Return the dictionary under these names; an empty one where there is none."""
    found = at(data, *names)
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Figure:
    """A plot for the page: ``wide`` for screens, ``narrow`` for telephones (``None``: the same one), and what it says.

    A ``fixed`` plot keeps its size, because its words would become too small, and scrolls in its own box.
    """

    wide: str
    narrow: str | None = None
    caption: str = ""
    fixed: bool = False


WIDE, NARROW = 860.0, 380.0  # the widths in pixels that plots are drawn for: the text column, a telephone
