"""Does labelling the most informative rows first reach a score with fewer labels than random? (`make bench-labelling`; ``--table bbc`` for texts)

Letters: 3,000 pictures of A to J as sixteen numbers. News of the BBC: 2,225 texts, five topics. 700 rows judge, the others are a pool without labels. From the same random labels, rows are added by twenty, in the order in which
`fathom label` asks for them with a bundle fitted on the labels so far, or in an order of chance; every time a weighted sum of features is fitted anew. Prints the accuracy by
labels, the mean over seeds, and how many labels each needs for a share of the accuracy that the whole pool gives.
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np

import fathom
from bench.packages import CACHE
from bench.perception_tables import FOLDER
from fathom.baselines import linear
from fathom.chapters.preparing import prepare
from fathom.chapters.rivals import fit_baselines
from fathom.data.encoding import class_labels
from fathom.data.modalities import MODALITIES
from fathom.data.rows.splitting import row_hashes
from fathom.data.table import Table
from fathom.model import Model
from fathom.progress import Silent
from fathom.service.label.labelling import Session
from fathom.service.label.labels import LabelBook
from fathom.settings import Settings

STEP = 20


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--table", default="letter", choices=["letter", "bbc"])
    arguments.add_argument("--labels", type=int, default=300)
    arguments.add_argument("--start", type=int, default=100)
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore")
    news, target = table_named(chosen.table)
    counts = range(chosen.start, chosen.labels + 1, STEP)
    found: dict[str, list[list[float]]] = {"most informative first": [], "in an order of chance": []}
    for seed in range(chosen.seeds):
        order = np.random.default_rng(seed).permutation(news.rows)
        test, pool = news.take(order[:700]), news.take(order[700:])
        for way, curves in found.items():
            curves.append(curve(pool, test, target, way == "most informative first", counts, seed))
            print(f"seed {seed}, {way}: {' '.join(f'{value:.3f}' for value in curves[-1])}", flush=True)
    whole = accuracy(fit(pool, target, 0), test, target)
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


def table_named(name: str) -> tuple[Table, str]:
    """Return a table without rows that stand twice, and what is predicted."""
    source, target = (
        (FOLDER / "bbc.train.parquet", "topic") if name == "bbc" else (CACHE / "letter.train.csv", "letter")
    )
    table = fathom.read(source)
    inputs = table.select([name for name in table.names if name != target])
    rows = np.unique(row_hashes(inputs), return_index=True)[1]
    if name == "letter":  # of 26 letters, some would have a single row among the first labels
        rows = rows[np.isin(np.asarray(table.column(target).to_pylist())[rows], list("ABCDEFGHIJ"))]
    return table.take(rows[:3_000]), target


def curve(pool: Table, test: Table, target: str, informative: bool, counts: range, seed: int) -> list[float]:
    """Return the accuracy after each number of labels."""
    order = np.random.default_rng(seed + 1_000).permutation(pool.rows)
    known = order[: counts[0]].tolist()
    model = fit(pool.take(np.array(known)), target, seed)
    scores = [accuracy(model, test, target)]
    for _ in counts[1:]:
        left = order[~np.isin(order, known)]
        if informative:
            left = asked(model, pool.take(left), left, seed)
        known += left[:STEP].tolist()
        model = fit(pool.take(np.array(known)), target, seed)
        scores.append(accuracy(model, test, target))
    return scores


def asked(model: Model, rows: Table, numbers: np.ndarray, seed: int) -> np.ndarray:
    """Return the rows in the order in which `fathom label` asks for them."""
    with tempfile.TemporaryDirectory() as folder:
        target = model.description.targets[0]
        book = LabelBook(Path(folder) / "labels.csv", target.name, class_labels(target))
        session = Session(rows.select([name for name in rows.names if name != target.name]), book, "bench", model, seed)
        return numbers[[session.row_of[key] for key in session.order]]


def fit(rows: Table, target: str, seed: int) -> Model:
    """Fit the weighted sum of features alone, without the network that it is judged against."""
    settings = Settings(effort="quick", seed=seed, columns={"text": "text"} if "text" in rows.names else {})
    prepared = prepare(rows, target, None, settings, MODALITIES, Silent())
    return Model.of(fit_baselines(prepared, settings, (linear,), MODALITIES, None, Silent())[0].files())


def accuracy(model: Model, test: Table, target: str) -> float:
    """Return the share of rows that are answered right."""
    said = model.predict(test).column(target).to_pylist()
    return float(np.mean([one == other for one, other in zip(said, test.column(target).to_pylist(), strict=True)]))


if __name__ == "__main__":
    main()
