"""Checks that on diamonds the network is as good as LightGBM whichever rows are held out: the table has mistyped rows that decide a test part in which they lie.

The claims, over ``--splits`` random partings into four fifths and a fifth of test rows; both models learn from the same rows:

* the network's RMSE is at most 1.02 times that of LightGBM, in the median of the splits;
* it is at most 1.10 times that of LightGBM in the worst split.

::

    python -m bench.splits --splits 5 --json bench/results/splits.json

LightGBM is the one that competes in every fit (`fathom/baselines/lightgbm_trees.py`), its setting chosen on validation rows. Exits with 1 when a claim fails.
"""

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.concluding import conclude
from bench.data import fetch

TABLE = "diamonds"
MEDIAN_SHARE, WORST_SHARE = 1.02, 1.10

Report = dict[str, Any]


def measure(split: int, effort: str) -> Report:
    """Train the network and LightGBM on four fifths of the rows; return the RMSE of both on the others, and the CPU seconds of each."""
    import numpy as np
    import pandas as pd

    from fathom.baselines import lightgbm_trees
    from fathom.chapters.candidates import in_units, truth_in_units
    from fathom.chapters.learning import network_answers, train_network
    from fathom.chapters.prepared import prepared_sizes
    from fathom.chapters.preparing import prepare
    from fathom.chapters.rivals import fit_baselines
    from fathom.data.modalities import MODALITIES
    from fathom.progress import Silent
    from fathom.scoring import score
    from fathom.settings import Settings

    fetched = fetch(TABLE)
    frame = pd.read_csv(fetched.train)
    order = np.random.default_rng(split).permutation(len(frame))
    test, known = frame.iloc[order[: len(frame) // 5]], frame.iloc[order[len(frame) // 5 :]]
    settings = Settings.of({"effort": effort, "seed": split, "threads": 1})
    prepared = prepare(known, fetched.table.target, test, settings, MODALITIES, Silent(), folded=True)
    started = time.process_time()
    (trees,) = fit_baselines(prepared, settings, (lightgbm_trees,), MODALITIES, None, Silent())
    grown = time.process_time()
    trained = train_network(prepared, settings, prepared_sizes(prepared, settings), MODALITIES, None, Silent())
    done = time.process_time()
    (column,) = prepared.targets
    truth = truth_in_units(column, prepared.sealed)
    answers = {
        "network": network_answers(trained.network, prepared.columns, prepared.sealed),
        "lightgbm": trees.inference.answer(prepared.sealed),
    }
    errors = {
        who: float(score(truth, in_units(column, one[column.name]), names=("rmse",))["rmse"].value)
        for who, one in answers.items()
    }
    seconds = {"network_seconds": done - grown, "lightgbm_seconds": grown - started}
    return {"split": split, **errors, **seconds, "epochs": len(trained.histories[0].epochs)}


def claims(reports: Sequence[Report]) -> dict[str, bool]:
    """Return each claim, with its numbers, and whether it holds.

    >>> claims([{"network": 1.0, "lightgbm": 1.0}, {"network": 1.3, "lightgbm": 1.0}, {"network": 0.9, "lightgbm": 1.0}])
    {'median: 1.000 of the error of LightGBM (at most 1.02)': True, 'worst: 1.300 of the error of LightGBM (at most 1.1)': False}
    """
    shares = [one["network"] / one["lightgbm"] for one in reports]
    median, worst = statistics.median(shares), max(shares)
    return {
        f"median: {median:.3f} of the error of LightGBM (at most {MEDIAN_SHARE:g})": median <= MEDIAN_SHARE,
        f"worst: {worst:.3f} of the error of LightGBM (at most {WORST_SHARE:g})": worst <= WORST_SHARE,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=5, metavar="COUNT", help="random partings (5)")
    parser.add_argument("--effort", default="standard", choices=("quick", "standard", "thorough"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    options = parser.parse_args()
    reports = []
    for split in range(options.splits):
        one = measure(split, options.effort)
        reports.append(one)
        print(
            f"split {split}: network {one['network']:.1f}, LightGBM {one['lightgbm']:.1f}, share {one['network'] / one['lightgbm']:.3f}; "
            f"{one['network_seconds']:.0f} and {one['lightgbm_seconds']:.1f} CPU s, {one['epochs']} epochs",
            flush=True,
        )
    conclude(claims(reports), {"fits": reports, "load": os.getloadavg()[0], "effort": options.effort}, options.json)


if __name__ == "__main__":
    main()
