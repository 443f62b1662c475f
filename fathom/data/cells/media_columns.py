"""What columns of pictures, recordings and videos have in common: one form of their cells, which hold nothing, and by what they are claimed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.cells import media
from fathom.data.cells import values as cells
from fathom.data.modalities.contract import Claim


def one(values: pa.Array) -> pa.Array:
    """Return values as one array, strings of whatever width as large strings."""
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return values.cast(pa.large_string()) if pa.types.is_string_view(values.type) else values


def may_be_media(kind: pa.DataType) -> bool:
    """Say whether cells of this type may be files: they stand for files, hold bytes, or are strings, which may be ``data:`` URLs."""
    return media.is_media(kind) or cells.is_bytes(kind) or media.is_text(kind)


def candidates(values: pa.Array, count: int) -> list[Any]:
    """Return at most ``count`` cells, spread evenly, that may hold a file.

    >>> candidates(pa.array(["data:;base64,aGk=", "a word", None]), 8), candidates(pa.array([b"hi", b""]), 8)
    (['data:;base64,aGk='], [b'hi'])
    """
    values = one(values)
    if not may_be_media(values.type):
        return []
    some = media.evenly(values, count)
    return [cell for cell in some if (cell.startswith("data:") if isinstance(cell, str) else cell != b"")]


def claim(
    values: pa.Array, count: int, kind: media.Kind, plural: str, format_of: Callable[[bytes], str | None]
) -> Claim:
    """Look whether ``count`` of the cells begin as files of the kind do, which ``format_of`` knows by their first bytes; else, whether they are named so."""
    some = candidates(values, count)
    if not some:
        return Claim(0.0, "no cell is a file, bytes or a data: URL")
    formats = [format_of(media.head(cell)) for cell in some]
    share = float(np.mean([each is not None for each in formats]))
    if share >= 0.5:
        example = next(each for each in formats if each)
        return Claim(0.5 + 0.49 * share, f"{cells.share_in_words(share)} of the cells are {plural}, such as {example}")
    if np.mean([isinstance(cell, dict) and media.kind_of_name(cell["path"]) == kind for cell in some]) > 0.9:
        return Claim(0.6, f"files that are named as {plural} are")
    return Claim(0.0, f"cells that do not begin as {plural} do")


def missing(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells ``(row,)`` that hold nothing: null, no path, no bytes, or a word for missing; compact cells are null."""
    values = one(values)
    if media.is_media(values.type):
        return cells.missing_mask(media.paths_of(values), cells.MISSING_ANYWHERE)
    if cells.is_heavy(values.type):
        return np.asarray(values.is_null().to_numpy(zero_copy_only=False), np.bool_)
    return cells.missing_mask(values, cells.MISSING_ANYWHERE)


__all__ = ["candidates", "claim", "may_be_media", "missing", "one"]
