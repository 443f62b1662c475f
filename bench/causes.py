"""Does the interval of an estimated effect hold the true effect, where the naive difference does not?

A hundred simulated tables in which the same columns cause the treatment and the target, half of them along straight lines, half of them along steps, waves and products; the treatment has two values in two of three
tables and is a number in the third; the effect is the same for every row in half of the tables and grows with a column in the others. Every index is another draw, and always the same one.
The claims (issue 5, proof 6):

* the 95 % interval by double machine learning holds the true mean effect in at least 90 of 100 tables;
* the interval of the naive difference holds it in fewer than 20.

::

    python -m bench.causes --tables 100 --json bench/results/causes.json

Exits with 1 when a claim fails. A minute or two for ten tables, as the tests run it.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fathom.data.encoding import Column
from fathom.data.modalities import by_name
from fathom.data.table import Table
from fathom.evidence import causes
from fathom.evidence.contract import Case, Effect, Finding, Part

HELD, NAIVE = 0.90, 0.20


@dataclass(frozen=True)
class Simulated:
    """A confounded table with its true mean effect."""

    table: Table
    effect: float
    how: str


def simulated(index: int) -> Simulated:
    """Return the simulated table of an index.

    >>> simulated(3).table.rows == simulated(3).table.rows, simulated(0).how
    (True, 'straight, two values, one effect')
    """
    random = np.random.default_rng([5, index])
    rows, columns = int(random.integers(800, 2_001)), int(random.integers(3, 7))
    x = random.normal(size=(rows, columns))
    straight, number, alike = index % 2 == 0, index % 3 == 2, (index // 2) % 2 == 0
    one, other = random.choice([-1.0, 1.0], (2, columns)) * random.uniform(0.4, 0.9, (2, columns))
    other = np.abs(other) * np.sign(
        one
    )  # what makes a row treated raises its target: the naive difference is too large
    if straight:
        push, pull = x @ one, x @ other
    else:
        bent = np.where(x > 0.3, 1.0, -0.6) + 0.5 * np.sin(2 * x)
        push, pull = bent @ one, bent @ other + 0.5 * x[:, 0] * x[:, 1]
    push = push / push.std()
    if number:
        treatment = push + random.normal(size=rows)
    else:
        treatment = (random.random(rows) < 1 / (1 + np.exp(-1.2 * push))).astype(float)
    effects = np.full(rows, random.uniform(-1, 1)) + (0.0 if alike or number else 0.7 * x[:, 1])
    target = effects * treatment + 1.5 * pull / pull.std() + random.normal(size=rows)
    made: dict[str, Any] = {f"x{place}": x[:, place].round(5).tolist() for place in range(columns)}
    made["treatment"] = treatment.round(5).tolist() if number else [("no", "yes")[int(t)] for t in treatment]
    made["target"] = target.round(6).tolist()
    how = f"{'straight' if straight else 'bent'}, {'a number' if number else 'two values'}, {'one effect' if alike or number else 'an effect that differs'}"
    return Simulated(Table.of(made), float(effects.mean()), how)


def case_of(table: Table, **more: Any) -> Case:
    """Return the case of a bundle on all rows of a simulated table."""
    columns = []
    for name in table.names:
        values = table.column(name)
        kind = by_name("yes_no" if isinstance(values[0].as_py(), str) else "number")
        role: Any = "target" if name == "target" else "input"
        columns.append(Column(name, role, kind, 1.0, "simulated", kind.learn(values, role)))
    truth = table.column("target").to_numpy(zero_copy_only=False)
    part = Part(table, truth, np.zeros(len(truth)))
    more = {"effect": Effect("treatment"), **more}
    return Case(tuple(columns), columns[-1], None, part, lambda rows: np.zeros(rows.rows), **more)


def holds(finding: Finding, name: str, effect: float) -> bool:
    """Say whether the interval of this estimate holds the effect."""
    line = next(row for row in finding.rows if row["estimate"] == name)
    return bool(line["low"] <= effect <= line["high"])


def main() -> int:
    """Run the tables, print and write what came of them; 1 when a claim fails."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tables", type=int, default=100)
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    lines: list[dict[str, Any]] = []
    started = time.perf_counter()
    for index in range(chosen.tables):
        table = simulated(index)
        found = causes.run(case_of(table.table))
        lines.append(
            {
                "index": index,
                "how": table.how,
                "effect": table.effect,
                "value": found.value,
                "held": holds(found, "double machine learning", table.effect),
                "naive": holds(found, "naive difference", table.effect),
                "answer": found.answer,
            }
        )
    held, naive = (float(np.mean([line[name] for line in lines])) for name in ("held", "naive"))
    doubted = float(np.mean([line["answer"] == "not to be told from this table" for line in lines]))
    print(f"{len(lines)} confounded tables in {time.perf_counter() - started:.0f} s:")
    print(f"  the interval holds the true effect in {100 * held:.0f} % (at least {100 * HELD:.0f})")
    print(f"  that of the naive difference in {100 * naive:.0f} % (less than {100 * NAIVE:.0f})")
    print(f"  placebo or overlap warned in {100 * doubted:.0f} %")
    for how in sorted({line["how"] for line in lines}):
        own = [line["held"] for line in lines if line["how"] == how]
        print(f"    {how}: {sum(own)} of {len(own)}")
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps({"held": held, "naive": naive, "tables": lines}, indent=1))
    return int(held < HELD or naive >= NAIVE)


if __name__ == "__main__":
    sys.exit(main())
