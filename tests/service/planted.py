"""Columns of every common kind, their reference, and twelve ways in which the world changes, each of a known size."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from fathom.bundle.answers.gauging import Usual, measured_cells
from fathom.bundle.answers.reference import Reference, Sketch, sketched
from fathom.data.encoding import Column
from fathom.data.modalities import by_name
from fathom.service.watch.drifting import Drift, compare, decide

TRAIN, ROWS = 5_000, 1_000  # rows of training, and of a window
WORDS = np.array(["red", "blue", "green", "grey", "white", "black", "pink", "brown"])
USUAL_TEXT = [
    "the",
    "room",
    "has",
    "a",
    "view",
    "of",
    "the",
    "sea",
    "and",
    "a",
    "small",
    "kitchen",
    "with",
    "an",
    "old",
    "stove",
    "near",
    "the",
    "garden",
    "house",
]
OTHER_TEXT = [
    "das",
    "Zimmer",
    "hat",
    "einen",
    "Blick",
    "auf",
    "das",
    "Meer",
    "und",
    "eine",
    "kleine",
    "Küche",
    "mit",
    "Ofen",
    "beim",
    "Haus",
    "im",
    "Garten",
]


def texts(generator: np.random.Generator, rows: int, words: list[str]) -> pa.Array:
    return pa.array([" ".join(generator.choice(words, 12)) for _ in range(rows)])


def table(generator: np.random.Generator, rows: int) -> dict[str, pa.Array]:
    """Draw rows: numbers of several shapes, words, yes or no, dates, whole numbers; some cells missing."""
    gaps = generator.random(rows) < 0.1
    days = generator.integers(0, 3_650, rows)
    return {
        **{f"normal {i}": pa.array(generator.normal(size=rows)) for i in range(4)},
        "price": pa.array(generator.lognormal(3.0, 1.0, rows).round(2)),
        "gaps": pa.array(generator.exponential(size=rows), mask=gaps),
        "rooms": pa.array(generator.poisson(3.0, rows)),
        "zeros": pa.array(np.where(generator.random(rows) < 0.6, 0.0, generator.gamma(2.0, size=rows))),
        "colour": pa.array(generator.choice(WORDS, rows, p=[0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.05, 0.05])),
        "town": pa.array([f"town {i}" for i in np.minimum(generator.zipf(1.5, rows), 400)]),
        "member": pa.array(generator.choice(["no", "yes"], rows, p=[0.7, 0.3])),
        "born": pa.array((np.datetime64("1980-01-01") + days).astype(str)),
    }


KINDS = {"colour": "category", "town": "category", "member": "yes_no", "born": "date", "text": "text"}


@dataclass(frozen=True)
class World:
    """Columns with what they learned of their training rows, and the sketches of these."""

    columns: dict[str, Column]
    sketches: dict[str, dict[str, Sketch]]
    usual: dict[str, Usual]

    @classmethod
    def of(cls, values: dict[str, pa.Array]) -> "World":
        columns: dict[str, Column] = {}
        found: dict[str, dict[str, Sketch]] = {}
        usual: dict[str, Usual] = {}
        for name, cells in values.items():
            kind = by_name(KINDS.get(name, "number"))
            column = Column(name, "input", kind, 1.0, "", kind.learn(cells))
            if kind.SHAPE == "codes":
                half = kind.encode(column.state, cells.take(pa.array(np.arange(0, len(cells), 2))))
                usual[name] = Usual.learn(half, column.parts[0].codes)
                cells = cells.take(pa.array(np.arange(1, len(cells), 2)))
            measured = measured_cells(column, cells, usual.get(name))
            codes = measured.get("words", np.zeros(0, np.int64))
            columns[name] = column
            found[name] = sketched(measured, {int(code): str(code) for code in np.unique(codes) if code >= 2})
        return cls(columns, found, usual)

    def look(self, values: dict[str, pa.Array]) -> list[Drift]:
        """Ask every question of every column that is given."""
        asked: list[Drift] = []
        for name, cells in values.items():
            measured = measured_cells(self.columns[name], cells, self.usual.get(name))
            asked += compare(name, "column", self.sketches[name], measured, draws=0)
        return decide(asked)


def reference(world: World) -> Reference:
    return Reference(world.sketches)


Change = Callable[[np.random.Generator, pa.Array], pa.Array]


def _number(change: Callable[[np.random.Generator, Any], Any]) -> Change:
    def changed(generator: np.random.Generator, cells: pa.Array) -> pa.Array:
        numbers = cells.cast(pa.float64()).to_numpy(zero_copy_only=False)
        made = change(generator, numbers)
        return pa.array(made, mask=np.isnan(made))

    return changed


def _some(share: float, value: Any) -> Change:
    """Put a value, or nothing, into a share of the cells."""

    def changed(generator: np.random.Generator, cells: pa.Array) -> pa.Array:
        marks = generator.random(len(cells)) < share
        listed = cells.cast(pa.string()).to_pylist() if isinstance(value, str) else cells.to_pylist()
        return pa.array([value if mark else cell for mark, cell in zip(marks, listed, strict=True)])

    return changed


# A kind of change, the column that it befalls, and how large it is where a look must find it: every effect is about 0.15 to 0.2 of the rows.
CHANGES: dict[str, tuple[str, Change]] = {
    "shift by 0.4 deviations": ("normal 0", _number(lambda g, x: x + 0.4)),
    "spread 1.5 times": ("normal 1", _number(lambda g, x: 1.5 * x)),
    "another unit (miles to kilometres)": ("price", _number(lambda g, x: 1.609 * x)),
    "heavier tail: 25 % ten times as large": ("price", _number(lambda g, x: np.where(g.random(len(x)) < 0.25, 10 * x, x))),
    "a sensor stuck: 15 % at one value": ("normal 2", _number(lambda g, x: np.where(g.random(len(x)) < 0.15, 0.7, x))),
    "whole numbers one higher in 70 %": ("rooms", _number(lambda g, x: x + (g.random(len(x)) < 0.7))),
    "fewer zeros: 60 % to 45 %": ("zeros", _number(lambda g, x: np.where((x == 0) & (g.random(len(x)) < 0.25), g.gamma(2.0, size=len(x)), x))),
    "missing: 10 % to 20 %": ("gaps", _some(0.11, None)),
    "unreadable: 10 % of the cells": ("normal 3", _some(0.1, "n.b.")),
    "a new category: 15 %": ("colour", _some(0.15, "violet")),
    "other frequencies: 15 % become red": ("colour", _some(0.25, "red")),
    "yes instead of no: 30 % to 45 %": ("member", _some(0.22, "yes")),
    "rare words: 20 %": ("town", _some(0.2, "a hamlet")),
    "dates two years later": ("born", lambda g, cells: pa.array((cells.cast(pa.date32()).to_numpy(zero_copy_only=False).astype("M8[D]") + 730).astype(str))),
    "another language: 20 % of the texts": ("text", lambda g, cells: pa.array([
        " ".join(g.choice(OTHER_TEXT, 12)) if mark else cell
        for mark, cell in zip(g.random(len(cells)) < 0.2, cells.to_pylist(), strict=True)
    ])),
}  # fmt: skip
