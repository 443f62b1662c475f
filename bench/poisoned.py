"""Poisoned feedback against the gate: how many updates with flipped labels pass, and whether any that passes is worse (`make bench-poisoned`).

A network is fitted on 3,000 flights and renewed with 1,500 further ones, of which a share has the wrong label. Two kinds of poison: labels that are flipped by chance, and labels that are
all flipped one way, ``late`` to ``not late``, on one airline. Besides the frozen rows, by which the gate judges, every new version is held against 4,000 rows that neither fit nor gate has met.
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa

import fathom
from fathom.chapters.candidates import in_units, truth_in_units
from fathom.data.files.writing import write
from fathom.data.table import Table
from fathom.renewal.updating import update
from fathom.scoring import row_losses

FLIGHTS = Path(__file__).parent.parent / "examples" / "data" / "flights.csv"
SHARES = (0.0, 0.01, 0.05, 0.10)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=10)
    arguments.add_argument("--keep", default="network", choices=["network", "baseline"])
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore")
    table = fathom.read(FLIGHTS)
    print(f"{'poison':24} {'share':>6} {'seed':>4} {'passed':>7} {'frozen rows':>12} {'rows never met':>15}")
    worse = {share: [0, 0, 0] for share in SHARES}  # updates, passed, passed and worse on the frozen rows
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(chosen.seeds):
            order = np.random.default_rng(seed).permutation(table.rows)
            old, new, held = (table.take(np.sort(order[a:b])) for a, b in ((0, 3_000), (3_000, 4_500), (6_000, 10_000)))
            run = Path(folder) / f"{seed}"
            source = run.with_suffix(".parquet")
            write(old, source)
            model = fathom.fit(source, target="late", effort="quick", keep=chosen.keep, out=run, seed=seed)
            before = loss(model, held)
            for share in SHARES:
                kind = "by chance" if seed % 2 == 0 else "one airline, one way"
                done = update(run, poisoned(new, share, kind, seed), who="bench")
                after = loss(fathom.load(done.shelf.folder(done.version)), held)
                frozen = next(finding for _, finding in done.gate.findings if finding.name == "frozen rows")
                worse[share][0] += 1
                worse[share][1] += done.gate.passed
                worse[share][2] += done.gate.passed and (frozen.value or 0.0) > 0
                print(
                    f"{kind if share else 'none':24} {share:6.0%} {seed:4} {'passed' if done.gate.passed else 'refused':>7} {frozen.value:+12.4f} {after - before:+15.4f}",
                    flush=True,
                )
    for share, (updates, passed, bad) in worse.items():
        print(
            f"{share:.0%} flipped: {passed} of {updates} updates passed, {bad} of them worse than the old model on the frozen rows"
        )


def poisoned(rows: Table, share: float, kind: str, seed: int) -> Table:
    """Return rows of which a share has the wrong label: any, or, as far as there are such, late flights of one airline."""
    generator = np.random.default_rng(seed)
    late = np.asarray(rows.column("late").to_pylist())
    order = generator.permutation(rows.rows)
    if kind != "by chance":
        airline = np.asarray(rows.column("airline").to_pylist())
        names, counts = np.unique(airline[late == "yes"], return_counts=True)
        order = order[np.argsort(~((airline == names[counts.argmax()]) & (late == "yes"))[order], kind="stable")]
    flipped = order[: round(share * rows.rows)]
    late[flipped] = np.where(late[flipped] == "yes", "no", "yes")
    return rows.with_column("late", pa.array(late.tolist(), rows.column("late").type))


def loss(model: fathom.Model, rows: Table) -> float:
    """Return the mean log loss on rows."""
    target = model.description.targets[0]
    answer = in_units(target, model.answer(model.checked(rows))[target.name])
    return float(row_losses(truth_in_units(target, rows), answer).mean())


if __name__ == "__main__":
    main()
