"""Does labelling the most informative rows first reach a score with fewer labels than random? (`python -m bench.labelling`)

2,225 news of the BBC in five topics: 700 judge, the others are a pool without labels. From the same 40 random labels, rows are added by twenty, in the order in which `fathom label` asks for them
with a bundle fitted on the labels so far, or in an order of chance; every time a weighted sum of terms is fitted anew. Prints the accuracy by
labels, the mean over seeds, and how many labels each needs for a share of the accuracy that the whole pool gives.
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np

import fathom
from bench.perception_tables import FOLDER
from fathom.baselines import linear
from fathom.data.modalities import MODALITIES
from fathom.data.table import Table
from fathom.model import Model, class_labels
from fathom.preparing import prepare
from fathom.progress import Silent
from fathom.rivals import fit_baselines
from fathom.service.labelling import Session
from fathom.service.labels import LabelBook
from fathom.settings import Settings

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
    known = order[: counts[0]].tolist()
    model = fit(pool.take(np.array(known)), seed)
    scores = [accuracy(model, test)]
    for _ in counts[1:]:
        left = order[~np.isin(order, known)]
        if informative:
            left = asked(model, pool.take(left).select(["text"]), left, seed)
        known += left[:STEP].tolist()
        model = fit(pool.take(np.array(known)), seed)
        scores.append(accuracy(model, test))
    return scores


def asked(model: Model, rows: Table, numbers: np.ndarray, seed: int) -> np.ndarray:
    """Return the rows in the order in which `fathom label` asks for them."""
    with tempfile.TemporaryDirectory() as folder:
        book = LabelBook(Path(folder) / "labels.csv", "topic", class_labels(model.description.targets[0]))
        session = Session(rows, book, "bench", model, seed)
        return numbers[[session.row_of[key] for key in session.order]]


def fit(rows: Table, seed: int) -> Model:
    """Fit the weighted sum of terms alone: what `fathom fit --keep baseline` ships for so few texts, without the network that it is judged against."""
    settings = Settings(effort="quick", seed=seed, columns={"text": "text"})
    prepared = prepare(rows, "topic", None, settings, MODALITIES, Silent())
    return Model.of(fit_baselines(prepared, settings, (linear,), MODALITIES, None, Silent())[0].files())


def accuracy(model: Model, test: Table) -> float:
    """Return the share of rows that are answered right."""
    said = model.predict(test).column("topic").to_pylist()
    return float(np.mean([one == other for one, other in zip(said, test.column("topic").to_pylist(), strict=True)]))


if __name__ == "__main__":
    main()
