"""Cells of many rows as one column can hold them: JSON lets each be of another type."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

_LARGEST = 2**63 - 1  # whole number that Arrow keeps


def alike(cells: Sequence[Any]) -> list[Any]:
    """Return cells of one type: numbers as floats where whole ones are too large or others stand beside them, words where they are of several kinds, or are lists of several.

    >>> alike([1, None, 2]), alike([1, 2.5]), alike([10**30]), alike([True, 2.5, "a"]), alike([[1, "a"]])
    ([1, None, 2], [1.0, 2.5], [1e+30], ['true', '2.5', 'a'], ["[1, 'a']"])
    """
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds and kinds <= {int, float}:
        if kinds == {int} and all(cell is None or abs(cell) <= _LARGEST for cell in cells):
            return list(cells)
        try:
            return [None if cell is None else float(cell) for cell in cells]
        except OverflowError:  # beyond every float, too: as it was written
            kinds.add(str)
    if len(kinds) <= 1 and (kinds.isdisjoint((list, dict)) or _is_storable(cells)):
        return list(cells)
    return [None if cell is None else _word(cell) for cell in cells]


def _is_storable(cells: Sequence[Any]) -> bool:
    """Say whether lists and objects hold what Arrow takes for one type."""
    try:
        return len(pa.array(cells)) == len(cells)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return False


def _word(cell: Any) -> str:
    return str(cell).lower() if isinstance(cell, bool) else str(cell)
