"""Checks on eight public tables that Fathom ships the best model, and that its network is a good one.

The claims, on the test rows of every table and seed that is run:

* the shipped model is not worse than the best simpler model beyond its own 95 % interval;
* the network is not worse than a plain network (``bench/plain_mlp.py``, same training, validation and test rows) beyond its own
  interval;
* diamonds: the network's RMSE is at most 560;
* adult: the network's accuracy on the official test rows is at least 0.868.

::

    python -m bench.tables --tables adult,diamonds --effort standard --seeds 3 --json bench/results/tables.json

Rows are parted by Fathom (a hash of each row, or the official test file), the same for every seed; a seed is the seed of the
training. Each fit runs in a process of its own, so that the peak of memory is its own. Exits with 1 when a claim fails.
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

from bench.data import TABLES, Fetched, fetch

DIAMONDS_RMSE = 560.0
ADULT_ACCURACY = 0.868

Report = dict[str, Any]


# --------------------------------------------------------------------------------------------- one fit, in its own process


def fit_fathom(fetched: Fetched, effort: str, seed: int, trunk: str) -> Report:
    """Fit one table and return what ``result.json`` says, the wall time and the peak of memory."""
    import fathom

    started = time.perf_counter()
    model = fathom.fit(
        str(fetched.train),
        fetched.table.target,
        test=str(fetched.test) if fetched.test else None,
        effort=effort,
        seed=seed,
        trunk=trunk,
    )
    assert model.result is not None
    kept = ("models", "metrics", "verdict", "shipped", "rows", "seconds", "warnings", "training", "split")
    return {**{key: model.result[key] for key in kept}, "wall_seconds": time.perf_counter() - started}


def fit_plain(fetched: Fetched, seed: int) -> Report:
    """Fit the plain network on the very rows that Fathom trains, validates and tests on, and score it with Fathom's metrics."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv

    from bench.plain_mlp import fit_predict
    from fathom.chapters.preparing import prepare
    from fathom.data.modalities import MODALITIES
    from fathom.data.rows.splitting import TEST, TRAIN, VALIDATION
    from fathom.progress import Silent
    from fathom.resampling import Resamples
    from fathom.scoring import score
    from fathom.settings import Settings

    task = fetched.table.task
    files = [file for file in (fetched.train, fetched.test) if file]
    prepared = prepare(
        str(files[0]), fetched.table.target, str(files[1]) if fetched.test else None, Settings(), MODALITIES, Silent()
    )
    options = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
    typed = pa.concat_tables([pyarrow.csv.read_csv(file, convert_options=options) for file in files])
    if typed.num_rows != prepared.table.rows:
        raise SystemExit(f"{fetched.table.name}: Fathom reads {prepared.table.rows} rows, pyarrow {typed.num_rows}.")
    train, validation, test = (typed.take(prepared.split.rows(part)) for part in (TRAIN, VALIDATION, TEST))
    started = time.perf_counter()
    answer = fit_predict(train, validation, test, fetched.table.target, task, seed=seed)
    truth = test[fetched.table.target]
    if task == "classification":
        codes = pa.compute.index_in(truth.cast(pa.string()), value_set=pa.array(answer.classes))
        scores = score(codes.fill_null(-1).to_numpy(), answer.prediction, resamples=Resamples.draw(test.num_rows))
    else:
        numbers = truth.cast(pa.float64()).to_numpy()
        scores = score(numbers, answer.prediction.astype(np.float64), resamples=Resamples.draw(test.num_rows))
    return {
        "scores": {name: {"value": one.value, "low": one.low, "high": one.high} for name, one in scores.items()},
        "fit_seconds": answer.fit_seconds,
        "wall_seconds": time.perf_counter() - started,
    }


def in_own_process(arguments: list[str]) -> Report:
    """Run this script for one fit in a process of its own and return its report, with its peak of memory."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.json"
        done = subprocess.run(
            [sys.executable, "-m", "bench.tables", *arguments, "--json", str(file)],
            cwd=Path(__file__).parents[1],
            check=False,
        )
        if done.returncode:
            return {"failed": f"the process ended with {done.returncode}"}
        report: Report = json.loads(file.read_text())
        return report


# ------------------------------------------------------------------------------------------------------ what comes of them


def best_of(report: Report, kind: str) -> Report:
    """Return the network, or the best simpler model by the metric that decides, of a fit."""
    models = [model for model in report["models"] if model["kind"] == kind]
    metric = report["verdict"]["metric"]
    sign = -1 if report["metrics"][metric]["better"] == "higher" else 1
    return min(models, key=lambda model: sign * model["scores"][metric]["value"])


def worse_beyond_interval(ours: Report, theirs: Report, better: str) -> bool:
    """Say whether a score lies on the bad side of our score's whole interval."""
    return bool(ours["low"] > theirs["value"] if better == "lower" else ours["high"] < theirs["value"])


def claims(name: str, fathom_report: Report, plain: Report) -> dict[str, tuple[bool, str]]:
    """Return each claim about one fit: whether it holds, and the numbers."""
    metric = fathom_report["verdict"]["metric"]
    better = fathom_report["metrics"][metric]["better"]
    network = best_of(fathom_report, "network")["scores"]
    rival = best_of(fathom_report, "baseline")
    shipped = next(model for model in fathom_report["models"] if model["name"] == fathom_report["shipped"])
    found = {
        "shipped is not worse than the best simpler model": (
            not worse_beyond_interval(shipped["scores"][metric], rival["scores"][metric], better),
            f"{metric} {written(shipped['scores'][metric])} against {rival['name']} {written(rival['scores'][metric])}",
        ),
        "network is not worse than a plain network": (
            not worse_beyond_interval(network[metric], plain["scores"][metric], better),
            f"{metric} {written(network[metric])} against {written(plain['scores'][metric])}",
        ),
    }
    if name == "diamonds":
        rmse = network["rmse"]["value"]
        found[f"network's RMSE <= {DIAMONDS_RMSE:g}"] = (rmse <= DIAMONDS_RMSE, f"{rmse:.1f}")
    if name == "adult":
        accuracy = network["accuracy"]["value"]
        found[f"network's accuracy >= {ADULT_ACCURACY}"] = (accuracy >= ADULT_ACCURACY, f"{accuracy:.4f}")
    return found


def written(score: Report) -> str:
    return f"{score['value']:.5g} ({score['low']:.5g} to {score['high']:.5g})"


def show(name: str, seed: int, report: Report, plain: Report) -> None:
    """Print one fit: every model's scores, the verdict, the time of the stages and the peak of memory."""
    metric = report["verdict"]["metric"]
    shown = [metric, "accuracy"] if "accuracy" in report["models"][0]["scores"] else [metric]
    rows = report["rows"]
    print(f"\n{name}, seed {seed}: {rows['train']:,} + {rows['validation']:,} + {rows['test']:,} rows")
    ordered = [*report["models"], {"name": "plain network", "kind": "comparison", **plain}]
    for model in ordered:
        scores = "  ".join(f"{one} {written(model['scores'][one])}" for one in shown)
        mark = "*" if model["name"] == report["shipped"] else " "
        print(f" {mark} {model['name']:<22}{scores}  fit {model['fit_seconds']:.1f} s")
    print(f"   {report['verdict']['sentence']}")
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in report["seconds"].items())
    print(f"   {report['wall_seconds']:.1f} s ({stages}); peak {report['peak_bytes'] / 1e6:,.0f} MB", end="")
    print(f"; plain network {plain['wall_seconds']:.1f} s, peak {plain['peak_bytes'] / 1e6:,.0f} MB", flush=True)


def summary(runs: list[Report]) -> int:
    """Print a line a fit and a line a claim; return how many claims failed."""
    print(
        f"\n{'table':<14}{'seed':>4}  {'metric':<9}{'network':>10}{'simpler':>10}{'plain':>10}  {'verdict':<17}{'s':>6}{'MB':>7}"
    )
    for run in runs:
        if run.get("failed"):
            print(f"{run['table']:<14}{run['seed']:>4}  FAILED: {run['failed']}")
            continue
        report, metric = run["fathom"], run["fathom"]["verdict"]["metric"]
        values = [
            model["scores"][metric]["value"]
            for model in (best_of(report, "network"), best_of(report, "baseline"), run["plain"])
        ]
        print(
            f"{run['table']:<14}{run['seed']:>4}  {metric:<9}{''.join(f'{value:>10.5g}' for value in values)}  "
            f"{report['verdict']['answer']:<17}{report['wall_seconds']:>6.0f}{report['peak_bytes'] / 1e6:>7,.0f}"
        )
    failed = sum(bool(run.get("failed")) for run in runs)
    print()
    for run in runs:
        for claim, (holds, numbers) in run.get("claims", {}).items():
            failed += not holds
            print(f"{'pass' if holds else 'FAIL'}  {run['table']} seed {run['seed']}: {claim}: {numbers}")
    print(f"\n{failed} claims failed")
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [table.name for table in TABLES]
    parser.add_argument("--tables", default=",".join(known), help="names with commas between (all)")
    parser.add_argument("--effort", default="standard", choices=("quick", "standard", "thorough"))
    parser.add_argument("--trunk", default="tabm", help="tabm, mlp or transformer (tabm)")
    parser.add_argument("--seeds", type=int, default=1, metavar="COUNT", help="how many seeds, from 0 (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--one", choices=("fathom", "plain"), help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = options.tables.split(",")
    if options.one:
        fetched = fetch(names[0])
        report = (
            fit_plain(fetched, options.seed)
            if options.one == "plain"
            else fit_fathom(fetched, options.effort, options.seed, options.trunk)
        )
        report["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in kilobytes
        options.json.write_text(json.dumps(report))
        return
    runs: list[Report] = []
    for name in names:
        fetch(name)  # before any clock runs
        for seed in range(options.seeds):
            shared = ["--tables", name, "--seed", str(seed), "--effort", options.effort, "--trunk", options.trunk]
            report, plain = (in_own_process([*shared, "--one", one]) for one in ("fathom", "plain"))
            run: Report = {"table": name, "seed": seed, "fathom": report, "plain": plain}
            run["failed"] = report.get("failed") or plain.get("failed")
            if not run["failed"]:
                show(name, seed, report, plain)
                run["claims"] = claims(name, report, plain)
            runs.append(run)
    failed = summary(runs)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"effort": options.effort, "trunk": options.trunk, "runs": runs}, indent=1))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
