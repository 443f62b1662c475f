"""Checks that a table larger than memory is fitted and answered with bounded memory: gigabytes of CSV, resampled from real rows.

The files hold the flights of `examples/data/flights.csv`, drawn at random again and again, numbers shaken a little so that hardly two rows are equal.
The fit of all files and the answers to a quarter of them each run in a process of their own; the claim is that neither ever holds more than 3 GB::

    python -m bench.large --gigabytes 10 --memory 3 --json bench/results/large.json

Exits with 1 when the claim fails. Needs free disk: about 2.5 times the gigabytes.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.concluding import conclude

FLIGHTS = Path(__file__).parents[1] / "examples" / "data" / "flights.csv"
TARGET = "late"
MOST_BYTES = 3e9
FILES = 8
CHUNK = 100_000
SHAKEN = {
    "temperature_f": 0.5,
    "humidity_percent": 1.0,
    "wind_speed_mph": 0.5,
    "pressure_mbar": 0.5,
    "distance_miles": 3.0,
}

Report = dict[str, Any]


def write_files(folder: Path, size: float) -> None:
    """Write CSV files of ``size`` bytes together."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv

    options = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
    table = pyarrow.csv.read_csv(FLIGHTS, convert_options=options)
    for number in range(FILES):
        random = np.random.default_rng([11, number])
        with (folder / f"flights-{number}.csv").open("wb") as file:
            while file.tell() < size / FILES:
                rows = table.take(pa.array(random.integers(0, table.num_rows, CHUNK)))
                for name, width in SHAKEN.items():
                    index = rows.column_names.index(name)
                    noise = pa.array(random.normal(0.0, width, CHUNK))
                    shaken = pc.round(pc.add(rows[name].cast(pa.float64()), noise), 1)
                    rows = rows.set_column(index, name, shaken)
                header = file.tell() == 0
                pyarrow.csv.write_csv(
                    rows, file, pyarrow.csv.WriteOptions(include_header=header, quoting_style="needed")
                )


def measure_fit(folder: Path, memory: float, run: Path) -> Report:
    """Fit the files and return what each stage took, the rows and the peak of memory."""
    import fathom
    from fathom.terminal import PlainProgress, console

    class Timed(PlainProgress):
        """Tells, and keeps the seconds of every stage."""

        def end(self, note: str = "") -> None:
            stages[self.stage] = time.perf_counter() - self.started
            super().end(note)

    stages: dict[str, float] = {}
    started = time.perf_counter()
    model = fathom.fit(
        str(folder / "*.csv"), TARGET, effort="quick", memory=memory, keep="network", out=run, progress=Timed(console())
    )
    assert model.result is not None
    return {
        "seconds": time.perf_counter() - started,
        "stages": stages,
        "rows": model.result["rows"],
        "verdict": model.result["verdict"]["sentence"],
        "peak_bytes": peak(),
    }


def measure_predict(folder: Path, run: Path) -> Report:
    """Answer a quarter of the files into one, and return the rows and the peak of memory."""
    from fathom.answering import answer_blocks
    from fathom.model import load

    started = time.perf_counter()
    rows = answer_blocks(load(run), str(folder / "flights-[01].csv"), str(run / "answers.parquet"))
    (run / "answers.parquet").unlink()
    return {"seconds": time.perf_counter() - started, "rows": rows, "peak_bytes": peak()}


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in kilobytes


def in_own_process(step: str, folder: Path, options: argparse.Namespace) -> Report:
    report = folder / f"{step}.json"
    command = [sys.executable, "-m", "bench.large", "--one", step, "--folder", str(folder), "--json", str(report)]
    done = subprocess.run([*command, "--memory", str(options.memory)], cwd=Path(__file__).parents[1], check=False)
    if done.returncode:
        raise SystemExit(f"The step {step} ended with {done.returncode}.")
    found: Report = json.loads(report.read_text())
    return found


def show(found: dict[str, Report], size: float) -> dict[str, bool]:
    """Print what was measured, and return each claim and whether it holds."""
    fitted, answered = found["fit"], found["predict"]
    rows = fitted["rows"]
    speeds = {
        "surveying": rows["total"] / fitted["stages"]["Surveying"],
        "encoding": rows["total"] / fitted["stages"]["Encoding"],
        "answering": answered["rows"] / answered["seconds"],
    }
    print(f"\n{size / 1e9:.2f} GB of CSV, {rows['total']:,} rows, {rows['train']:,} of them to learn from")
    for stage, speed in speeds.items():
        print(f"{stage:<12}{speed:>12,.0f} rows/s")
    print(f"training    {fitted['stages']['Training the network']:>12,.0f} s")
    print(f"whole fit   {fitted['seconds']:>12,.0f} s")
    holds = {}
    for step, report in found.items():
        claim = f"{step}: peak of memory {report['peak_bytes'] / 1e9:.2f} GB (at most {MOST_BYTES / 1e9:.0f})"
        holds[claim] = report["peak_bytes"] <= MOST_BYTES
    return holds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=10.0, help="of CSV")
    parser.add_argument("--memory", type=float, default=3.0, help="GB that the fit is told it may take")
    parser.add_argument("--folder", type=Path, help="where the files go  [default: a temporary folder]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--one", choices=("fit", "predict"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run = options.folder / "run"
        fitting = options.one == "fit"
        done = measure_fit(options.folder, options.memory, run) if fitting else measure_predict(options.folder, run)
        options.json.write_text(json.dumps(done))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        free = shutil.disk_usage(folder).free
        if free < 2.5e9 * options.gigabytes:
            raise SystemExit(f"{folder} has {free / 1e9:.1f} GB free, and {2.5 * options.gigabytes:.1f} are needed.")
        write_files(folder, 1e9 * options.gigabytes)
        size = sum(file.stat().st_size for file in folder.glob("*.csv"))
        found = {step: in_own_process(step, folder, options) for step in ("fit", "predict")}
        holds = show(found, size)
    conclude(holds, {"measured": found, "bytes": size}, options.json)


if __name__ == "__main__":
    main()
