"""Checks that Fathom's cost per row stays flat as rows grow: reading, encoding and predicting 10,000 to 1,000,000 rows.

The claims, for a CSV file of 20 columns (numbers, categories, yes/no, a date, missing cells):

* the time per row of each step does not grow by more than 1.5 times from one size to the next, ten times
  larger;
* the peak of memory of each step is at most 4 times the table's size in Arrow memory plus 600 MB;
* a bundle with the mlp trunk answers at least 200,000 rows per second in bulk, reading the file excluded.

::

    python -m bench.scale --rows 10000,100000,1000000 --json bench/results/scale.json

Each step of each size runs in a process of its own, so that its peak of memory is its own; what a step needs done before
(reading, before encoding) is not in its time but is in its peak. Exits with 1 when a claim fails.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.concluding import conclude

ROWS = (10_000, 100_000, 1_000_000)
FIT_ROWS = 10_000
STEPS = ("read", "encode", "predict")
MOST_GROWTH = 1.5
ARROW_TIMES, SPARE_BYTES = 4, 600_000_000
LEAST_ROWS_PER_SECOND = 200_000
TARGET = "price"
CHUNK = 100_000

Report = dict[str, Any]


def write_csv(file: Path, rows: int) -> None:
    """Write the table: 11 numbers (3 with missing cells), 5 categories, 2 yes/no, a date and the target."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv

    with file.open("wb") as stream:
        for first in range(0, rows, CHUNK):
            random = np.random.default_rng([7, first])  # a chunk is the same whatever the number of rows
            size = min(CHUNK, rows - first)
            numbers = np.round(random.normal(size=(size, 11)) * 10.0 ** (np.arange(11) % 5), 3)
            columns: dict[str, Any] = {}
            for i in range(11):
                missing = random.random(size) < (0.05 if i % 4 == 0 else 0.0)
                columns[f"number_{i}"] = pa.array(numbers[:, i], mask=missing)
            for i, levels in enumerate((3, 7, 20, 100, 500)):
                names = np.asarray([f"level {level}" for level in range(levels)])
                columns[f"category_{i}"] = pa.array(names[random.integers(0, levels, size)])
            for i in range(2):
                columns[f"yes_no_{i}"] = pa.array(np.asarray(["no", "yes"])[random.integers(0, 2, size)])
            days = random.integers(0, 3_000, size).astype("timedelta64[D]")
            columns["day"] = pa.array(np.datetime64("2017-01-01") + days)
            signal = np.nan_to_num(numbers[:, 2]) + 3 * (columns["yes_no_0"].to_numpy(zero_copy_only=False) == "yes")
            columns[TARGET] = pa.array(np.round(signal + random.normal(size=size) + 100, 2))
            options = pyarrow.csv.WriteOptions(include_header=first == 0, quoting_style="needed")
            pyarrow.csv.write_csv(pa.table(columns), stream, options)


# -------------------------------------------------------------------------------------------------- one step, in its own process


def measure(step: str, file: Path, bundle: Path) -> Report:
    """Run one step and return its seconds, the rows, the table's size in Arrow memory and the peak of memory."""
    import fathom

    started = time.perf_counter()
    table = fathom.read(str(file))
    seconds = time.perf_counter() - started
    arrow_bytes = table.arrow.nbytes
    if step == "encode":
        started = time.perf_counter()
        encode(table)
        seconds = time.perf_counter() - started
    elif step == "predict":
        model = fathom.load(bundle)
        inputs = table.select([name for name in table.names if name != TARGET])
        model.predict(inputs.take(range(1_000)))  # the first call opens the ONNX session
        started = time.perf_counter()
        answers = model.predict(inputs)
        seconds = time.perf_counter() - started
        assert answers.rows == table.rows
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in kilobytes
    return {"seconds": seconds, "rows": table.rows, "arrow_bytes": arrow_bytes, "peak_bytes": peak}


def encode(table: Any) -> None:
    """Recognise the columns, part the rows, learn the columns' states from the training rows, and encode every row."""
    from fathom.chapters.preparing import prepare
    from fathom.data.encoding import encode_inputs, encode_targets
    from fathom.data.modalities import MODALITIES
    from fathom.progress import Silent
    from fathom.settings import Settings

    prepared = prepare(table, TARGET, None, Settings(), MODALITIES, Silent())
    encode_inputs(prepared.columns, prepared.table)
    encode_targets(prepared.columns, prepared.table)


def fit_bundle(file: Path, bundle: Path) -> Report:
    """Fit the network whose bundle is measured; the score does not matter here, so the network is kept whatever it is."""
    import fathom

    started = time.perf_counter()
    fathom.fit(str(file), TARGET, effort="quick", trunk="mlp", keep="network").save(bundle)
    return {"seconds": time.perf_counter() - started}


def in_own_process(step: str, file: Path, bundle: Path) -> Report:
    """Run one step in a process of its own and return its report."""
    report = file.with_suffix(f".{step}.json")
    command = [sys.executable, "-m", "bench.scale", "--one", step, "--file", str(file), "--bundle", str(bundle)]
    done = subprocess.run([*command, "--json", str(report)], cwd=Path(__file__).parents[1], check=False)
    if done.returncode:
        raise SystemExit(f"The step {step} on {file.name} ended with {done.returncode}.")
    found: Report = json.loads(report.read_text())
    return found


# ------------------------------------------------------------------------------------------------------------- what comes of it


def claims(found: dict[tuple[str, int], Report], sizes: list[int]) -> dict[str, bool]:
    """Return each claim, with its numbers, and whether it holds."""
    holds = {}
    for step in STEPS:
        per_row = [found[step, rows]["seconds"] / rows for rows in sizes]
        for smaller, larger, rows in zip(per_row, per_row[1:], sizes[1:], strict=False):
            claim = f"{step}: time per row at {rows:,} rows is {larger / smaller:.2f} times that of the size before"
            holds[f"{claim} (at most {MOST_GROWTH})"] = larger <= MOST_GROWTH * smaller
        for rows in sizes:
            one = found[step, rows]
            limit = ARROW_TIMES * one["arrow_bytes"] + SPARE_BYTES
            claim = f"{step}: peak at {rows:,} rows is {one['peak_bytes'] / 1e6:,.0f} MB (at most {limit / 1e6:,.0f})"
            holds[claim] = one["peak_bytes"] <= limit
    last = found["predict", sizes[-1]]
    speed = last["rows"] / last["seconds"]
    holds[f"predict: {speed:,.0f} rows per second (at least {LEAST_ROWS_PER_SECOND:,})"] = (
        speed >= LEAST_ROWS_PER_SECOND
    )
    return holds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(map(str, ROWS)), help="sizes with commas between, growing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--one", choices=("fit", *STEPS), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--bundle", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        work = fit_bundle(options.file, options.bundle) if options.one == "fit" else None
        options.json.write_text(json.dumps(work or measure(options.one, options.file, options.bundle)))
        return
    sizes = [int(rows) for rows in options.rows.split(",")]
    found: dict[tuple[str, int], Report] = {}
    print(f"{'step':<9}{'rows':>11}{'seconds':>10}{'us/row':>9}{'rows/s':>12}{'Arrow MB':>10}{'peak MB':>9}")
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        write_csv(Path(folder) / "fit.csv", FIT_ROWS)
        in_own_process("fit", Path(folder) / "fit.csv", bundle)
        for rows in sizes:
            file = Path(folder) / f"{rows}.csv"
            write_csv(file, rows)
            for step in STEPS:
                one = found[step, rows] = in_own_process(step, file, bundle)
                print(
                    f"{step:<9}{rows:>11,}{one['seconds']:>10.3f}{one['seconds'] / rows * 1e6:>9.2f}"
                    f"{rows / one['seconds']:>12,.0f}{one['arrow_bytes'] / 1e6:>10,.0f}{one['peak_bytes'] / 1e6:>9,.0f}",
                    flush=True,
                )
            file.unlink()
    holds = claims(found, sizes)
    measured = [{"step": step, "size": rows, **report} for (step, rows), report in found.items()]
    conclude(holds, {"measured": measured}, options.json)


if __name__ == "__main__":
    main()
