"""Fits tables of pictures, texts, molecules and series, beside a hand-written loop with the same network and beside simpler models.

The claims, a table:

* the network's accuracy on the test rows is at least the goal of ``GOALS``, within its minutes for the whole fit;
* training takes at most 1.1 times what a hand-written loop takes with the same network, rows, batches and passes (validation, the doctor, checkpoints
  and all included).

Which model wins, and by how much, is printed beside it: on many of these tables a linear model on hand-made features does as well.

::

    python -m bench.perception                         all tables; about two hours
    python -m bench.perception --tables bbc,spam       these
    python -m bench.perception --no-loop               without the hand-written loop

Each fit, and each loop, runs in a process of its own, one after the other. Exits with 1 when a claim fails.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.concluding import conclude
from bench.perception_tables import TABLES, fetch

MOST_RATIO = 1.1
# The least accuracy of the network, and the minutes that the whole fit may take. None: no goal, only a report.
GOALS: dict[str, tuple[float | None, float]] = {
    "mnist": (0.993, 10),
    "fashion": (0.925, 10),
    "cifar": (0.80, 30),
    "bbc": (0.97, 10),
    "spam": (0.98, 10),
    "molecules": (None, 10),
    "gun_point": (None, 5),
    "arrow_head": (None, 5),
    "vowels": (None, 5),
    "motions": (None, 5),
    "drums": (0.85, 10),
    "voices": (None, 10),
}

Report = dict[str, Any]


def fit(name: str, run: Path) -> Report:
    """Fit a table by the command line and return what came of it."""
    train, test = fetch(name)
    target = next(table.target for table in TABLES if table.name == name)
    command = [sys.executable, "-m", "fathom", "fit", str(train), "--target", target, "--out", str(run)]
    command += ["--keep", "network", "--minutes", str(GOALS[name][1]), *(["--test", str(test)] if test else [])]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{name} could not be fitted:\n{said[-2_000:]}")
    result = json.loads((run / "result.json").read_text())
    scores = {model["name"]: model["scores"]["accuracy"] for model in result["models"]}
    best = max((model for model in scores if model != "network"), key=lambda model: scores[model]["value"])
    return {
        "table": name,
        "seconds": time.perf_counter() - started,
        "peak_bytes": usage.ru_maxrss * 1024,
        "network": scores["network"],
        "training_seconds": result["models"][0]["fit_seconds"],
        "epochs": len(result["training"]["epochs"]),
        "baseline": best,
        "baseline_score": scores[best],
        "verdict": result["verdict"]["answer"],
    }


def loop(name: str, run: Path) -> Report:
    """Train the same network on the same rows with a loop written by hand, for as many passes, and return its accuracy and seconds."""
    import torch
    from torch.nn import functional

    import fathom
    from fathom.chapters.preparing import prepare
    from fathom.data.encoding import encode_inputs, encode_targets
    from fathom.data.modalities import MODALITIES
    from fathom.networks.network import Network, NetworkPlan
    from fathom.progress import Silent
    from fathom.settings import Settings
    from fathom.training.batching import as_batch

    train, test = fetch(name)
    model = fathom.load(run)
    target = model.description.targets[0].name
    prepared = prepare(str(train), target, str(test) if test else None, Settings(), MODALITIES, Silent())
    result = json.loads((run / "result.json").read_text())
    plan, epochs = result["training"]["plan"], len(result["training"]["epochs"])
    started = time.perf_counter()
    rows = as_batch(encode_inputs(prepared.columns, prepared.train), encode_targets(prepared.columns, prepared.train))
    assert model.description.plan is not None
    torch.manual_seed(0)
    network = Network(NetworkPlan.from_json(model.description.plan))
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=plan["learning_rate"], weight_decay=plan["weight_decay"], fused=True
    )
    steps = epochs * math.ceil(rows.rows / plan["batch_rows"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan["learning_rate"], total_steps=steps + 1)
    truth = rows.truth[target]
    for _ in range(epochs):
        for chosen in torch.randperm(rows.rows).split(plan["batch_rows"]):
            output = network({array: values[chosen] for array, values in rows.inputs.items()})[target]
            members = output.shape[1]
            loss = functional.cross_entropy(output.flatten(0, 1), truth[chosen].repeat_interleave(members))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    seconds = time.perf_counter() - started
    network.eval()
    sealed = as_batch(encode_inputs(prepared.columns, prepared.sealed), {})
    known = torch.from_numpy(encode_targets(prepared.columns, prepared.sealed)[target])
    right = 0
    with torch.inference_mode():
        for chosen in torch.arange(len(known)).split(256):
            answers = network.answer({array: values[chosen] for array, values in sealed.inputs.items()})[target]
            right += int((answers.argmax(1) == known[chosen]).sum())
    return {"accuracy": right / len(known), "seconds": seconds}


def in_own_process(name: str, run: Path) -> Report:
    """Run the hand-written loop in a process of its own."""
    command = [sys.executable, "-m", "bench.perception", "--loop-of", name, "--run", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"The loop of {name} ended with {done.returncode}:\n{done.stderr[-2_000:]}")
    found: Report = json.loads(done.stdout.splitlines()[-1])
    return found


def show(report: Report) -> None:
    """Print a line for a table."""
    network, other = report["network"], report["baseline_score"]
    print(
        f"{report['table']:12} network {network['value']:.4f} ({network['low']:.4f} to {network['high']:.4f}), "
        f"{report['baseline']} {other['value']:.4f}: {report['verdict']}; {report['seconds']:.0f} s in all, training {report['training_seconds']:.0f} s, "
        f"{report['epochs']} epochs, peak {report['peak_bytes'] / 1e6:,.0f} MB"
    )
    if "loop" in report:
        ratio = report["training_seconds"] / report["loop"]["seconds"]
        print(
            f"{'':12} loop by hand {report['loop']['accuracy']:.4f}, {report['loop']['seconds']:.0f} s; Fathom takes {ratio:.2f} times that"
        )


def claims(reports: list[Report]) -> dict[str, bool]:
    """Return each claim and whether it holds."""
    found = {}
    for report in reports:
        goal, minutes = GOALS[report["table"]]
        if goal is not None:
            score, seconds = report["network"]["value"], report["seconds"]
            claim = f"{report['table']}: accuracy {score:.4f} (at least {goal}) in {seconds / 60:.1f} minutes (at most {minutes})"
            found[claim] = score >= goal and seconds <= 60 * minutes
        if "loop" in report:
            ratio = report["training_seconds"] / report["loop"]["seconds"]
            claim = f"{report['table']}: training takes {ratio:.2f} times a hand-written loop (at most {MOST_RATIO})"
            found[claim] = ratio <= MOST_RATIO
    return found


def main() -> None:
    """Run the fits that were asked for, and say which claims hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=",".join(GOALS), metavar="NAMES", help="names with commas between (all)")
    parser.add_argument("--no-loop", action="store_true", help="leave the hand-written loop out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--loop-of", help=argparse.SUPPRESS)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop_of:
        print(json.dumps(loop(options.loop_of, options.run)))
        return
    names = options.tables.split(",")
    if unknown := [name for name in names if name not in GOALS]:
        parser.error(f"there is no table {', '.join(unknown)}; there are {', '.join(GOALS)}")
    reports = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            run = Path(folder) / name
            report = fit(name, run)
            if not options.no_loop:
                report["loop"] = in_own_process(name, run)
            show(report)
            reports.append(report)
    conclude(claims(reports), {"tables": reports}, options.json)


if __name__ == "__main__":
    main()
