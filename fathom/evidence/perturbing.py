"""Small changes of rows, each by chance and within reach of where a row started: what an attack that only asks for answers tries.

Numbers are pushed on the scale on which networks read them, in standard deviations of their ranks' normal scores, so that a long tail makes no long step and attacks that follow the gradient have the same reach; squares of pixels by steps of 255, texts get slips of the pen in a share of their words.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as types

from fathom.data.cells import scaling
from fathom.data.cells.values import words_of
from fathom.data.encoding import Column
from fathom.data.table import Table

Change = Callable[[Table, npt.NDArray[np.bool_], np.random.Generator], Table]
Floats = npt.NDArray[np.float64]


def _numbers(columns: Sequence[Column], table: Table, reach: float) -> Change:
    """Push a random half of the numbers of a row by the reach, up or down from where they stand in ``table``; whole ones stay whole."""
    first = {column.name: _plain_numbers(column, table.column(column.name)) for column in columns}
    ends = {
        column.name: [_pushed(column, first[column.name], way * reach) for way in (-1.0, 1.0)] for column in columns
    }
    whole = {name: bool((values[np.isfinite(values)] % 1 == 0).all()) for name, values in first.items()}

    def change(now: Table, rows: npt.NDArray[np.bool_], random: np.random.Generator) -> Table:
        for column in columns:
            name = column.name
            values = _plain_numbers(column, now.column(name))
            moved = np.where(random.random(len(values)) < 0.5, *ends[name])
            if whole[name]:
                moved = np.trunc(moved - first[name]) + first[name]
            taken = rows & np.isfinite(values) & (random.random(len(values)) < 0.5)
            values = np.where(taken, moved, values)
            now = now.with_column(name, pa.array(values, mask=~np.isfinite(values)))
        return now

    return change


def _pushed(column: Column, numbers: Floats, push: float) -> Floats:
    """Return numbers ``(row,)`` moved by ``push`` on the scale of their code; those so far out that nothing lies there stay."""
    assert column.kind is not None
    state: Any = column.state
    codes = column.kind.encode(state, pa.array(numbers, mask=~np.isfinite(numbers)))[:, 0].astype(np.float64)
    if state.transform == "standard":
        return np.asarray(numbers + push * state.deviation)
    moved = scaling.back(codes + push, state.landmarks, state.scores)
    apart = scaling.forth(moved, state.landmarks, state.scores) - codes
    return np.where(np.abs(apart) <= abs(push) + 1e-6, moved, numbers)


def _plain_numbers(column: Column, values: pa.Array) -> Floats:
    """Return the numbers of a column ``(row,)`` in its own unit, NaN where there is none."""
    assert column.kind is not None
    if types.is_floating(values.type):
        return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
    return np.array(column.kind.features(column.state, values).matrix[:, 0], np.float64)


def _images(columns: Sequence[Column], table: Table, reach: float) -> Change:
    """Push a square of the pixels of every picture by the reach, up or down from where they stand in ``table``."""
    first = {column.name: _pixels(column, table) for column in columns}

    def change(now: Table, rows: npt.NDArray[np.bool_], random: np.random.Generator) -> Table:
        for column in columns:
            grid, start = _pixels(column, now), first[column.name]
            count, channels, height, width = grid.shape
            side = max(1, round(float(random.choice([0.1, 0.2, 0.4, 0.8])) * height))
            top, left = random.integers(0, height - side + 1, count), random.integers(0, width - side + 1, count)
            y, x = np.arange(height), np.arange(width)
            inside = ((y >= top[:, None]) & (y < top[:, None] + side))[:, None, :, None]
            inside = inside & ((x >= left[:, None]) & (x < left[:, None] + side))[:, None, None, :]
            signs = random.choice([-1.0, 1.0], (count, channels, 1, 1))
            pushed = np.clip(start + reach * signs, 1, 255)
            taken = inside & rows[:, None, None, None] & (start > 0)
            moved = np.where(taken, pushed, grid).astype(np.uint8)
            packed = pa.array([row.tobytes() for row in moved], pa.binary(int(np.prod(moved.shape[1:]))))
            now = now.with_column(column.name, packed)
        return now

    return change


def _pixels(column: Column, table: Table) -> npt.NDArray[np.float64]:
    """Return the pixels ``(row, channel, height, width)`` of a column of pictures."""
    assert column.kind is not None
    return np.asarray(column.kind.encode(column.state, table.column(column.name)), np.float64)


def _texts(columns: Sequence[Column], table: Table, reach: float) -> Change:
    """Mistype a word of every text, so long as no more than this share of its words, and one, are touched."""
    first = {column.name: [text.split() for text in _words(table, column.name)] for column in columns}

    def change(now: Table, rows: npt.NDArray[np.bool_], random: np.random.Generator) -> Table:
        for column in columns:
            texts = [text.split() for text in _words(now, column.name)]
            made = [
                " ".join(_slip(words, start, reach, random) if touched else words)
                for words, start, touched in zip(texts, first[column.name], rows, strict=True)
            ]
            now = now.with_column(column.name, pa.array(made, pa.string()))
        return now

    return change


def _words(table: Table, name: str) -> list[str]:
    return [str(text) for text in words_of(table.column(name)).fill_null("").to_pylist()]


def _slip(words: list[str], first: list[str], reach: float, random: np.random.Generator) -> list[str]:
    """Return the words with one more slip of the pen, or as they are where as many were made as may be.

    >>> _slip("a good film".split(), "a good film".split(), 0.1, np.random.default_rng(1)) != "a good film".split()
    True
    """
    touched = [place for place, (now, was) in enumerate(zip(words, first, strict=True)) if now != was]
    allowed = max(1, round(reach * len(first)))
    if not words:
        return words
    place = int(random.integers(len(words))) if len(touched) < allowed else int(random.choice(touched))
    word, made = first[place], [*words]
    kind, at = int(random.integers(4)), int(random.integers(max(1, len(word) - 1)))
    if kind == 0 and len(word) > 1:
        made[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    elif kind == 1 and len(word) > 1:
        made[place] = word[:at] + word[at + 1 :]
    elif kind == 2:
        made[place] = word[: at + 1] + word[at : at + 1] + word[at + 1 :]
    else:
        made[place] = word[:at] + chr(ord("a") + int(random.integers(26))) + word[at + 1 :]
    return made


CHANGES: dict[str, Callable[[Sequence[Column], Table, float], Change]] = {
    "number": _numbers,
    "image": _images,
    "text": _texts,
}

__all__ = ["CHANGES", "Change"]
