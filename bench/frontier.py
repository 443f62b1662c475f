"""Compares Fathom's network with the strongest published networks and boosted trees on thirteen real tables, score and time.

The claims, over the tables of ``bench/frontier_tables.py`` and all seeds; the other networks are RealMLP-TD and TabM-D of pytabkit:

* Fathom's network has the best mean rank of the networks, on all tables and on those that only confirm; a network that is ended at ``--limit`` comes last;
* its mean relative score is at least that of each other one, on all tables and on those that only confirm: 0 is a constant answer, 1 the best
  model of all on that table, boosted trees included; log loss and RMSE, over the fits that both have finished;
* its fits take at most half the CPU seconds of each other one's, over the same fits.

::

    make peers                                             once: the environment of the others
    python -m bench.frontier --seeds 3                     whatever is not in bench/results/frontier.jsonl yet
    python -m bench.frontier --models fathom --again       Fathom's network only, anew
    python -m bench.frontier --report                      only what is there

Rows are parted by Fathom (a hash of each row), the same for all models and seeds; a seed is the seed of the training. A fit runs on one thread in a
process of its own and is ended after ``--limit`` CPU seconds. Times are of column preparation and training: imports, reading and
Fathom's export to ONNX are left out. Each result is appended to the file at once, so an interrupted run goes on where it was; of
two results the later one counts. Exits with 1 when a claim fails.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.frontier_tables import FOLDER, TABLES, FrontierTable, csv_of, table_named
from bench.ranking import OURS, Fit, claims, latest, show

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results" / "frontier.jsonl"
PEER_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
PEERS = ("hist_boosting", "lightgbm", "catboost", "realmlp", "tabm")
MODELS = (OURS, *PEERS)
LIMIT = 1_200  # CPU seconds a fit
WAITING = 6  # times as many seconds on the clock, when others hold the cores
PARTS = ("train", "validation", "test")


# ------------------------------------------------------------------------------------------------- the rows that all models get


def parts_of(table: FrontierTable) -> tuple[Path, str]:
    """Part a table as Fathom does and write a Parquet file a part. Returns their folder and the fingerprint of the parting."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    from fathom.chapters.preparing import prepare
    from fathom.data.modalities import MODALITIES
    from fathom.data.rows.splitting import TEST, TRAIN, VALIDATION
    from fathom.progress import Silent
    from fathom.settings import Settings

    file, folder = csv_of(table), FOLDER / table.name
    prepared = prepare(str(file), table.target, None, Settings(), MODALITIES, Silent())
    print_of_parts = prepared.split.fingerprint
    mark = folder / "parts.json"
    if not mark.exists() or json.loads(mark.read_text())["fingerprint"] != print_of_parts:
        options = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
        typed = pa.csv.read_csv(file, convert_options=options)
        if typed.num_rows != prepared.table.rows:
            raise SystemExit(f"{table.name}: Fathom reads {prepared.table.rows} rows, pyarrow {typed.num_rows}.")
        folder.mkdir(parents=True, exist_ok=True)
        for name, part in zip(PARTS, (TRAIN, VALIDATION, TEST), strict=True):
            pyarrow.parquet.write_table(typed.take(prepared.split.rows(part)), folder / f"{name}.parquet")
        mark.write_text(json.dumps({"fingerprint": print_of_parts, "rows": prepared.split.counts}))
    return folder, print_of_parts


# --------------------------------------------------------------------------------------------------- one fit, in its own process


class Watch:
    """A progress that sums the CPU and wall seconds of the stages that count."""

    COUNTED = ("Recognising columns", "Training the network")

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0
        self.started: tuple[float, float] | None = None

    def begin(self, stage: str, total: int | None = None) -> None:
        """Start the clock for a stage that counts."""
        self.started = (time.process_time(), time.perf_counter()) if stage in self.COUNTED else None

    def advance(self, done: int, note: str = "") -> None:
        """Do nothing."""

    def measure(self, step: int, values: Mapping[str, float]) -> None:
        """Do nothing."""

    def say(self, sentence: str) -> None:
        """Do nothing."""

    def end(self, note: str = "") -> None:
        """Stop the clock."""
        if self.started:
            self.cpu += time.process_time() - self.started[0]
            self.wall += time.perf_counter() - self.started[1]
        self.started = None


def fit_fathom(table: FrontierTable, seed: int, effort: str) -> Fit:
    """Fit Fathom's network and return its scores on the test rows and the time of the fit."""
    import torch

    import fathom.training.loop  # noqa: F401  (loaded before the clock runs)
    from fathom.chapters.candidates import in_units, truth_in_units
    from fathom.chapters.learning import network_answers, train_network
    from fathom.chapters.prepared import prepared_sizes
    from fathom.chapters.preparing import prepare
    from fathom.data.modalities import MODALITIES
    from fathom.settings import Settings

    torch.set_num_threads(1)
    settings = Settings.of({"effort": effort, "seed": seed, "threads": 1})
    watch = Watch()
    prepared = prepare(str(csv_of(table)), table.target, None, settings, MODALITIES, watch, folded=True)
    size = prepared_sizes(prepared, settings)
    trained = train_network(prepared, settings, size, MODALITIES, None, watch)
    column = prepared.targets[0]
    answer = in_units(column, network_answers(trained.network, prepared.columns, prepared.sealed)[column.name])
    scores = scored(truth_in_units(column, prepared.sealed), answer)
    notes = {"effort": effort, "parameters": trained.network.parameter_count}
    return {"scores": scores, "cpu_seconds": watch.cpu, "wall_seconds": watch.wall, "notes": notes}


def scored(truth: Any, answer: Any) -> dict[str, float]:
    from fathom.scoring import score

    names = ("log_loss", "roc_auc", "accuracy") if answer.ndim == 2 else ("rmse", "mae")
    return {name: float(found.value) for name, found in score(truth, answer, names=names).items()}


def constant(table: FrontierTable, folder: Path) -> Fit:
    """The scores of the mean, or of the shares of the classes, of the training rows."""
    import numpy as np
    import pyarrow.parquet

    train, test = (pyarrow.parquet.read_table(folder / f"{part}.parquet")[table.target] for part in ("train", "test"))
    if table.task == "regression":
        known, asked = (values.cast("float64").to_numpy() for values in (train, test))
        return {"scores": scored(asked, np.full(len(asked), known.mean())), "cpu_seconds": 0.0, "wall_seconds": 0.0}
    names, counts = np.unique(train.to_numpy(zero_copy_only=False).astype(str), return_counts=True)
    answer = np.tile(counts / counts.sum(), (len(test), 1))
    return {"scores": scored(codes(test, names), answer), "cpu_seconds": 0.0, "wall_seconds": 0.0}


def codes(labels: Any, classes: Any) -> Any:
    """Return each label's place among the classes, -1 where it is none of them."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    places = pc.index_in(labels.cast(pa.string()), value_set=pa.array([str(one) for one in classes]))
    return pc.fill_null(places, -1).to_numpy().astype(np.int64)


# -------------------------------------------------------------------------------------------------------------- all the fits


def fit_peer(model: str, table: FrontierTable, seed: int, folder: Path, limit: int) -> Fit:
    """Fit a peer in its own environment and score its answers with Fathom's metrics."""
    import numpy as np
    import pyarrow.parquet

    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "answer.npz"
        command = [
            str(PEER_PYTHON), str(ROOT / "bench" / "peer.py"), "--model", model, "--folder", str(folder),
            "--target", table.target, "--task", table.task, "--seed", str(seed), "--out", str(out),
        ]  # fmt: skip
        broken = in_own_process(command, limit, scratch)
        if broken:
            return broken
        with np.load(out, allow_pickle=False) as found:
            arrays = dict(found)
    truth = pyarrow.parquet.read_table(folder / "test.parquet")[table.target]
    known = codes(truth, arrays["classes"]) if len(arrays["classes"]) else truth.cast("float64").to_numpy()
    seconds = {name: float(arrays[name]) for name in ("cpu_seconds", "wall_seconds")}
    return {"scores": scored(known, arrays["answer"]), **seconds}


def fit_ours(table: FrontierTable, seed: int, effort: str, limit: int) -> Fit:
    """Fit Fathom's network in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "fit.json"
        command = [
            sys.executable, "-m", "bench.frontier", "--one", "--tables", table.name, "--seed", str(seed),
            "--effort", effort, "--out", str(out),
        ]  # fmt: skip
        broken = in_own_process(command, limit, scratch)
        found: Fit = broken or json.loads(out.read_text())
        return found


def in_own_process(command: list[str], limit: int, folder: str) -> Fit | None:
    """Run one fit on one thread; return ``None``, or what went wrong."""
    single = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    log = Path(folder) / "log.txt"
    slow: Fit = {"failed": "too slow", "limit": limit}
    with log.open("w") as stream:
        try:
            done = subprocess.run(
                command, cwd=ROOT, check=False, env={**os.environ, **single}, stdout=stream, stderr=stream,
                timeout=WAITING * limit, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5)),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return slow
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return slow
    if done.returncode:
        lines = log.read_text().strip().splitlines() or [""]
        return {"failed": f"ended with {done.returncode}: {lines[-1][:300]}"}
    return None


def run(options: argparse.Namespace, tables: list[FrontierTable], models: list[str]) -> None:
    """Run every fit that the file of results does not hold yet, seed by seed, smaller tables first."""
    parted = {table.name: parts_of(table) for table in tables}
    known = latest(options.results, {name: mark for name, (_, mark) in parted.items()})
    for seed in range(options.seeds):
        for table in tables:
            folder, mark = parted[table.name]
            jobs: dict[str, Callable[[], Fit]] = {}
            if seed == 0:
                jobs["constant"] = lambda table=table, folder=folder: constant(table, folder)
            for model in models:
                if model == OURS:
                    jobs[model] = lambda table=table, seed=seed: fit_ours(table, seed, options.effort, options.limit)
                else:
                    jobs[model] = lambda model=model, table=table, seed=seed, folder=folder: fit_peer(
                        model, table, seed, folder, options.limit
                    )
            for model, job in jobs.items():
                before = known.get((table.name, model, seed))
                if before and not (options.again and model != "constant"):
                    continue
                if model in PEERS and not PEER_PYTHON.exists():
                    raise SystemExit("The peers have no environment yet. Make it with `make peers`.")
                found = {"table": table.name, "model": model, "seed": seed, "parts": mark, **job()}
                with options.results.open("a") as stream:
                    stream.write(json.dumps(found) + "\n")
                told = found.get("failed") or " ".join(f"{name} {value:.5g}" for name, value in found["scores"].items())
                took = f"{found['cpu_seconds']:.1f} s CPU" if "cpu_seconds" in found else ""
                print(
                    f"{time.strftime('%H:%M:%S')} {table.name:<12} seed {seed} {model:<14} {took:>13}  {told}",
                    flush=True,
                )


def chosen(text: str, known: tuple[str, ...], what: str) -> list[str]:
    """Return the names with commas between, in the known order. Raises SystemExit for one that is not known."""
    names = text.split(",")
    for name in names:
        if name not in known:
            raise SystemExit(f"There is no {what} {name!r}. There are: {', '.join(known)}.")
    return [name for name in known if name in names]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--tables", default=",".join(table.name for table in TABLES), help="names with commas between (all)"
    )
    parser.add_argument("--models", default=",".join(MODELS), help="names with commas between (all)")
    parser.add_argument("--seeds", type=int, default=3, metavar="COUNT", help="how many seeds, from 0 (3)")
    parser.add_argument(
        "--effort", default="standard", choices=("quick", "standard", "thorough"), help="of Fathom's network"
    )
    parser.add_argument(
        "--limit", type=int, default=LIMIT, metavar="SECONDS", help=f"CPU seconds a fit may take ({LIMIT})"
    )
    parser.add_argument("--again", action="store_true", help="run the fits that are in the file, too")
    parser.add_argument("--report", action="store_true", help="fit nothing, only say what is there")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE", help="JSON lines, one a fit")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = chosen(options.tables, tuple(table.name for table in TABLES), "table")
    if options.one:
        options.out.write_text(json.dumps(fit_fathom(table_named(names[0]), options.seed, options.effort)))
        return
    tables = [table_named(name) for name in names]
    options.results.parent.mkdir(parents=True, exist_ok=True)
    if not options.report:
        run(options, tables, chosen(options.models, MODELS, "model"))
    fits = latest(options.results, {table.name: parts_of(table)[1] for table in tables})
    show(fits, tables)
    found = claims(fits, tables)
    print()
    for claim, holds in found.items():
        print(f"{'pass' if holds else 'FAIL'}  {claim}")
    sys.exit(0 if all(found.values()) else 1)


if __name__ == "__main__":
    main()
