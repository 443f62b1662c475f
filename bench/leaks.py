"""Does the search for leaks find what was planted, and keep still where nothing was?

For each type of leak twenty tables with it and twenty like them without; half of them predict a number, half of them a class. Every index is another draw, and always the same one.
The claims (issue 5, proof 2): of each type at least 95 % are found and named by their column, and at most 5 % of the clean tables raise an alarm.

::

    python -m bench.leaks --tables 20 --json bench/results/leaks.json

Exits with 1 when a claim fails. The tests run two tables of each type.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fathom.data.cells import media
from fathom.data.encoding import Column
from fathom.data.modalities import by_name
from fathom.data.table import Table
from fathom.evidence import leakage
from fathom.evidence.contract import Finding

RECALL, ALARMS = 0.95, 0.05
ROWS, FILES = 1_200, 240
Random = np.random.Generator
Columns = dict[str, tuple[str, Any]]  # name -> (kind, values)

WORDS = [
    "river",
    "mountain",
    "engine",
    "kettle",
    "market",
    "silver",
    "window",
    "garden",
    "doctor",
    "letter",
    "winter",
    "signal",
    "bridge",
    "copper",
    "island",
    "ticket",
    "planet",
    "forest",
    "hammer",
    "candle",
    "ribbon",
    "saddle",
    "harbour",
    "lantern",
    "meadow",
    "orchard",
    "pebble",
    "quarry",
    "thunder",
    "velvet",
    "whistle",
    "anchor",
    "basket",
    "cabin",
    "desert",
    "ember",
    "feather",
    "glacier",
    "hollow",
    "ivory",
]


# ------------------------------------------------------------------------------------------------------- what is planted


def price_of(random: Random, rows: int = ROWS) -> tuple[Columns, np.ndarray]:
    """Return five numbers and a town, of which three tell something of a price."""
    x = random.normal(size=(rows, 5))
    price = 100 + 10 * (x[:, 0] + 0.8 * x[:, 1] - 0.5 * x[:, 2] + random.normal(0, 0.8, rows))
    columns: Columns = {f"x{place}": ("number", x[:, place].round(3).tolist()) for place in range(5)}
    columns["town"] = ("category", random.choice(["here", "there", "far"], rows).tolist())
    return columns, price


def cut(price: np.ndarray, bins: int) -> np.ndarray:
    return np.digitize(price, np.quantile(price, np.linspace(0, 1, bins + 1)[1:-1]))


def one_column(make: Callable[[Random, np.ndarray], tuple[str, Any]]) -> Callable[..., Any]:
    """Return what plants a column made from the target, or, in a clean table, from a target that was shuffled."""

    def plant(random: Random, leak: bool, folder: Path) -> tuple[Columns, np.ndarray, str]:
        columns, price = price_of(random)
        columns["leak"] = make(random, price if leak else random.permutation(price))
        return columns, price, "leak"

    return plant


def written_afterwards(random: Random, price: np.ndarray) -> tuple[str, Any]:
    when = [f"2024-{month:02d}-{day:02d}" for month, day in zip(random.integers(1, 13, len(price)), random.integers(1, 29, len(price)), strict=True)]  # fmt: skip
    return "date", [day if dear else None for day, dear in zip(when, price > np.median(price), strict=True)]


def groups(random: Random, leak: bool, folder: Path) -> tuple[Columns, np.ndarray, str]:
    """Patients with several rows each."""
    columns, price = price_of(random)
    patient = random.integers(0, ROWS // 5, ROWS)
    columns["patient"] = ("category", [f"P{number:04d}" for number in patient])
    if leak:
        price = price + 14 * random.normal(size=ROWS // 5)[patient]
    return columns, price, "patient"


def times(random: Random, leak: bool, folder: Path) -> tuple[Columns, np.ndarray, str]:
    """Rows of two years; where it leaks, the price wanders from day to day."""
    columns, price = price_of(random)
    day = np.sort(random.integers(0, 730, ROWS))
    columns["day"] = ("date", (np.datetime64("2022-01-01") + day).astype(str).tolist())
    if leak:
        price = price + 3.5 * np.cumsum(random.normal(size=730))[day]
    return columns, price, "day"


def copies(random: Random, leak: bool, folder: Path) -> tuple[Columns, np.ndarray, str]:
    columns, price = price_of(random)
    if not leak:
        return columns, price, ""
    again = random.permutation(ROWS)[: ROWS // 4]
    nudged: Columns = {}
    for name, (kind, values) in columns.items():
        more = [values[row] if kind == "category" else values[row] * (1 + 1e-6) for row in again]
        nudged[name] = (kind, [*values, *more])
    return nudged, np.r_[price, price[again]], ""


def text_copies(random: Random, leak: bool, folder: Path) -> tuple[Columns, np.ndarray, str]:
    """Letters of thirty words; a quarter of them a second time, with a word or two changed."""
    columns, price = price_of(random)
    letters = [" ".join(random.choice(WORDS, 30)) for _ in range(ROWS)]
    if leak:
        for row in range(0, ROWS, 4):
            words = letters[(row + ROWS // 2 + 1) % ROWS].split()
            for place in random.integers(0, len(words), 2):
                words[place] = str(random.choice(WORDS))
            letters[row] = " ".join(words).capitalize() + "."
    columns["letter"] = ("text", letters)
    return columns, price, "letter"


def painted(random: Random, count: int) -> list[np.ndarray]:
    """Return pictures of a few bright boxes on a dark ground, with noise."""
    made = []
    for _ in range(count):
        pixels = np.full((24, 24, 3), random.integers(20, 90, 3), np.float64)
        for _ in range(4):
            top, left = random.integers(0, 18, 2)
            pixels[top : top + random.integers(3, 10), left : left + random.integers(3, 10)] = random.integers(
                60, 250, 3
            )
        made.append(np.clip(pixels + random.normal(0, 6, pixels.shape), 1, 255).astype(np.uint8))
    return made  # fmt: skip


def packed(pixels: np.ndarray, quality: int = 90) -> bytes:
    import io

    from PIL import Image

    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "JPEG", quality=quality)
    return held.getvalue()


def picture_copies(random: Random, leak: bool, folder: Path) -> tuple[Columns, np.ndarray, str]:
    """Pictures, a quarter of them a second time: lighter or darker, and packed badly."""
    columns, price = price_of(random, FILES)
    every = painted(random, FILES)
    if leak:
        for row in range(0, FILES, 4):
            other = every[(row + FILES // 2 + 1) % FILES].astype(np.float64)
            every[row] = np.clip(other * random.uniform(0.9, 1.1), 1, 255).astype(np.uint8)
    columns["photo"] = ("image", pa.array([packed(one, int(random.integers(60, 95))) for one in every], pa.binary()))
    return columns, price, "photo"


def files(what: str) -> Callable[..., Any]:
    """Return what plants the class in the name, the number, the size or the date of files."""

    def plant(random: Random, leak: bool, folder: Path) -> tuple[Columns, np.ndarray, str]:
        columns, price = price_of(random, FILES)
        dear = price > np.median(price)
        told = dear if leak else random.permutation(dear)
        numbers = random.permutation(FILES) + 1
        if what == "number in the name":
            numbers = np.argsort(np.argsort(told + random.random(FILES))) + 1
        names = []
        for row, (pixels, known) in enumerate(zip(painted(random, FILES), told, strict=True)):
            word = ("ward" if known else "clinic") if what == "name" else "scan"
            names.append(f"{word}_{numbers[row]:05d}.jpg")
            quality = (95 if known else 40) if what == "size" else int(random.integers(40, 95))
            (folder / names[-1]).write_bytes(packed(pixels, quality))
            when = 1_600_000_000 + int(random.integers(0, 10**6)) + (10**7 if known and what == "date" else 0)
            os.utime(folder / names[-1], (when, when))
        columns["photo"] = ("image", media.cells(names, str(folder)))
        return columns, price, "photo"

    return plant


TYPES: dict[str, Callable[[Random, bool, Path], tuple[Columns, np.ndarray, str]]] = {
    "copied": one_column(lambda random, price: ("number", price.tolist())),
    "scaled": one_column(lambda random, price: ("number", (price * 1.19 + 3).round(2).tolist())),
    "binned": one_column(lambda random, price: ("number", cut(price, 20).tolist())),
    "noised": one_column(lambda random, price: ("number", (price + random.normal(0, 0.1 * price.std(), len(price))).round(2).tolist())),
    "ranked": one_column(lambda random, price: ("number", (np.argsort(np.argsort(price)) + 1_000).tolist())),
    "worded": one_column(lambda random, price: ("category", [f"band {band}" for band in cut(price, 30)])),
    "written afterwards": one_column(written_afterwards),
    "groups on both sides": groups,
    "times on both sides": times,
    "copies of rows": copies,
    "copies of texts": text_copies,
    "copies of pictures": picture_copies,
    "in the name of a file": files("name"),
    "in a file's number": files("number in the name"),
    "in the size of a file": files("size"),
    "in the date of a file": files("date"),
}  # fmt: skip
CLASSES_ONLY = (
    "written afterwards",
    "in the name of a file",
    "in a file's number",
    "in the size of a file",
    "in the date of a file",
)


def searched(kind: str, index: int, leak: bool) -> tuple[Finding, str]:
    """Plant a leak of this type, or none, and return what the search found and the column that leaks."""
    random = np.random.default_rng([list(TYPES).index(kind), index, int(leak)])
    with tempfile.TemporaryDirectory() as name:
        columns, price, leaking = TYPES[kind](random, leak, Path(name))
        number = index % 2 == 0 and kind not in CLASSES_ONLY
        target = price.tolist() if number else np.where(price > np.median(price), "dear", "cheap").tolist()
        table = Table.of({**{name: values for name, (_, values) in columns.items()}, "target": target})
        table = table.take(random.permutation(table.rows))
        edge = int(0.8 * table.rows)
        train, check = table.take(np.arange(edge)), table.take(np.arange(edge, table.rows))
        kinds = {**{name: kind for name, (kind, _) in columns.items()}, "target": "number" if number else "category"}
        made = []
        for name_, own in kinds.items():
            modality = by_name(own)
            role: Any = "target" if name_ == "target" else "input"
            held = table if role == "target" else train
            made.append(Column(name_, role, modality, 1.0, "planted", modality.learn(held.column(name_), role)))
        return leakage.find(made, made[-1], train, check, raw=(train, check)), leaking


def main() -> int:
    """Search all tables, print and write what was found; 1 when a claim fails."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tables", type=int, default=20)
    options.add_argument("--types", default=",".join(TYPES))
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    started, lines = time.perf_counter(), []
    for kind in chosen.types.split(","):
        found, alarms = 0, 0
        for index in range(chosen.tables):
            finding, column = searched(kind, index, leak=True)
            found += any(row["column"] == column for row in finding.rows)
            alarm, _ = searched(kind, index, leak=False)
            alarms += alarm.answer != "nothing found"
            if alarm.rows:
                print(f"    a false alarm, {kind} {index}: {alarm.sentence}")
        lines.append({"type": kind, "found": found, "alarms": alarms, "tables": chosen.tables})
        print(f"  {kind}: {found} of {chosen.tables} found, {alarms} false alarms", flush=True)
    missed = [line for line in lines if line["found"] < RECALL * chosen.tables]
    loud = [line for line in lines if line["alarms"] > ALARMS * chosen.tables]
    print(f"{len(lines)} types, {2 * chosen.tables} tables each, {time.perf_counter() - started:.0f} s")
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(lines, indent=1))
    return int(bool(missed or loud))


if __name__ == "__main__":
    sys.exit(main())
