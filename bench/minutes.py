"""Checks that a limit of minutes is kept: ``fathom fit --minutes`` 0.5, 1 and 2 on adult, diamonds and the table of flights that comes with Fathom.

The claim, for every table and limit: the whole command, from the start of its process to its end, report and bundle written, takes at most the limit and a
tenth of it, or the limit and 5 seconds, whichever is more.

::

    python -m bench.minutes --minutes 0.5,1 --tables flights --json bench/results/minutes.json

Training is told to go on for as long as it may (thorough effort, more epochs than anyone waits for), so that only the limit ends it; what is not used of
the limit is printed too. Exits with 1 when the claim fails.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.concluding import conclude

ROOT = Path(__file__).parents[1]
MINUTES = (0.5, 1.0, 2.0)
TARGETS = {"flights": "late", "diamonds": "price", "adult": "income"}
SPARE_SHARE, SPARE_SECONDS = 0.1, 5.0
ENDLESS_EPOCHS = 100_000

Report = dict[str, Any]


def allowed(minutes: float) -> float:
    """Return the seconds that a fit may take when it was given so many minutes.

    >>> allowed(0.5), allowed(2)
    (35.0, 132.0)
    """
    seconds = 60.0 * minutes
    return seconds + max(SPARE_SHARE * seconds, SPARE_SECONDS)


def source(table: str) -> Path:
    """Return the CSV file of a table, fetching it where it does not come with Fathom."""
    if table == "flights":
        return ROOT / "examples" / "data" / "flights.csv"
    from bench.data import fetch

    return fetch(table).train


def measure(table: str, minutes: float) -> Report:
    """Fit a table within the limit in a process of its own; return the seconds it took and those of its stages."""
    file = source(table)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [
            sys.executable, "-m", "fathom", "fit", str(file), "--target", TARGETS[table], "--minutes", str(minutes),
            "--effort", "thorough", "--epochs", str(ENDLESS_EPOCHS), "--out", str(out),
        ]  # fmt: skip
        started = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        took = time.perf_counter() - started
        report: Report = {"table": table, "minutes": minutes, "seconds": took, "load": os.getloadavg()[0]}
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [""]
            return {**report, "failed": f"ended with {done.returncode}: {lines[-1]}"}
        result = json.loads((out / "result.json").read_text())
    return {**report, "stages": result["seconds"], "stopped": result["training"]["stopped"]}


def claims(reports: list[Report]) -> dict[str, bool]:
    """Return each claim, with its numbers, and whether it holds."""
    return {
        f"{one['table']}, {one['minutes']:g} minutes: "
        + (one.get("failed") or f"{one['seconds']:.1f} s")
        + f" (at most {allowed(one['minutes']):.0f})": not one.get("failed")
        and one["seconds"] <= allowed(one["minutes"])
        for one in reports
    }


def show(one: Report) -> None:
    """Print one fit: what it took, what it left, and its stages."""
    left = 60 * one["minutes"] - one["seconds"]
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in one.get("stages", {}).items())
    print(
        f"{one['table']:<9} {one['minutes']:>4g} min  {one['seconds']:6.1f} s, {left:+6.1f} s left  ({stages}; load {one['load']:.1f})",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", default=",".join(f"{one:g}" for one in MINUTES), help="limits with commas between")
    parser.add_argument("--tables", default=",".join(TARGETS), help="names with commas between (all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    options = parser.parse_args()
    names = options.tables.split(",")
    for name in names:
        if name not in TARGETS:
            raise SystemExit(f"There is no table {name!r}. There are: {', '.join(TARGETS)}.")
        source(name)  # before any clock runs
    reports = []
    for name in names:
        for minutes in options.minutes.split(","):
            reports.append(measure(name, float(minutes)))
            show(reports[-1])
    found = claims(reports)
    conclude(found, {"fits": reports}, options.json)


if __name__ == "__main__":
    main()
