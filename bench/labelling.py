"""Does labelling the most informative rows first reach a score with fewer labels than random? (`python -m bench.labelling`)

2,225 news of the BBC in five topics: 700 judge, the others are a pool without labels. From the same 40 random labels, rows are added by twenty, in the order in which `fathom label` asks for them
with a bundle fitted on the labels so far, or in an order of chance; every time a model is fitted anew (the simpler model that ships, `--keep baseline`). Prints the accuracy by
labels, the mean over seeds, and how many labels each needs for a share of the accuracy that the whole pool gives.
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np

import fathom
from bench.perception_tables import FOLDER
from fathom.baselines import constant, linear
from fathom.data.table import Table
from fathom.service.labelling import open_session

STEP = 20


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--labels", type=int, default=240)
    arguments.add_argument("--start", type=int, default=40)
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore")
    news = fathom.read(FOLDER / "bbc.train.parquet")
    news = news.take(np.unique(np.asarray(news.column("text").to_pylist(), dtype=object), return_index=True)[1])
    counts = range(chosen.start, chosen.labels + 1, STEP)
    found: dict[str, list[list[float]]] = {"most informative first": [], "in an order of chance": []}
    for seed in range(chosen.seeds):
        order = np.random.default_rng(seed).permutation(news.rows)
        test, pool = news.take(order[:700]), news.take(order[700:])
        for way, curves in found.items():
            curves.append(curve(pool, test, way == "most informative first", counts, seed))
            print(f"seed {seed}, {way}: {' '.join(f'{value:.3f}' for value in curves[-1])}", flush=True)
    whole = accuracy(fit(pool, 0), test)
    print(f"\nAll {pool.rows} labels: {whole:.3f}\n{'labels':>8} " + " ".join(f"{way:>24}" for way in found))
    means = {way: np.mean(curves, axis=0) for way, curves in found.items()}
    for place, count in enumerate(counts):
        print(f"{count:8} " + " ".join(f"{means[way][place]:24.3f}" for way in found))
    for share in (0.95, 0.97, 0.98):
        needed = {
            way: next((n for n, value in zip(counts, mean, strict=True) if value >= share * whole), None)
            for way, mean in means.items()
        }
        print(
            f"{share:.0%} of it: "
            + ", ".join(f"{way} {count or f'more than {chosen.labels}'}" for way, count in needed.items())
        )


def curve(pool: Table, test: Table, informative: bool, counts: range, seed: int) -> list[float]:
    """Return the accuracy after each number of labels."""
    order = np.random.default_rng(seed + 1_000).permutation(pool.rows)
    known, scores = order[: counts[0]].tolist(), []
    for count in counts:
        while len(known) < count:
            left = np.setdiff1d(np.arange(pool.rows), known)
            if informative:
                left = asked(model, pool.take(left).select(["text"]), left, seed)
            else:
                left = order[~np.isin(order, known)]
            known += left[:STEP].tolist()
        model = fit(pool.take(np.array(known)), seed)
        scores.append(accuracy(model, test))
    return scores


def asked(model: fathom.Model, rows: Table, numbers: np.ndarray, seed: int) -> np.ndarray:
    """Return the rows in the order in which `fathom label` asks for them."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = model.save(Path(folder) / "bundle")
        session = open_session(rows, Path(folder) / "labels.csv", bundle=bundle, labeller="bench", seed=seed)
        return numbers[[session.row_of[key] for key in session.order]]


def fit(rows: Table, seed: int) -> fathom.Model:
    """Fit the simpler model alone; the network has one epoch and is not kept."""
    return fathom.fit(
        rows,
        target="topic",
        effort="quick",
        epochs=1,
        keep="baseline",
        baselines=(constant, linear),
        columns={"text": "text"},
        seed=seed,
    )


def accuracy(model: fathom.Model, test: Table) -> float:
    """Return the share of rows that are answered right."""
    said = model.predict(test).column("topic").to_pylist()
    return float(np.mean([one == other for one, other in zip(said, test.column("topic").to_pylist(), strict=True)]))


if __name__ == "__main__":
    main()
