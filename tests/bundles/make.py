"""Make the bundles of this format that are kept for ever: `python -m tests.bundles.make`. Run once a format; what is there is never written again."""

import json
import sys
from pathlib import Path

import numpy as np

import fathom
from fathom.baselines import constant, linear, trees
from fathom.bundle import manifest
from fathom.effort import TRUNKS
from tests.conftest import FLIGHTS

HERE = Path(__file__).parent
COLUMNS = ["departure", "airline", "holiday", "temperature_f", "late"]
QUICK = {"effort": "quick", "epochs": 2}


def flights():
    """300 flights in a number, a category, a date and a yes/no column, to say whether one is late."""
    table = fathom.read(FLIGHTS)
    return table.take(np.linspace(0, table.rows - 1, 300).astype(np.int64)).select(COLUMNS)


MADE = {
    "table-network": lambda: fathom.fit(
        flights(), target="late", keep="network", trunk="mlp", layers=1, baselines=(constant, linear), **QUICK
    ),
    "table-trees": lambda: fathom.fit(
        flights(), target="temperature_f", keep="baseline", trunk="mlp", bad_rows="skip", layers=1, baselines=(constant, trees), **QUICK
    ),
    "table-margins": lambda: fathom.fit(
        flights(), target="temperature_f", keep="network", bad_rows="skip", layers=1, baselines=(constant, linear), effort="quick", epochs=12
    ),
}  # fmt: skip


def main(names: list[str]) -> None:
    """Fit, save, and write down what each answers to a few rows."""
    TRUNKS["mlp"]["quick"]["width"] = 24  # small enough to keep for ever
    TRUNKS["tabm"]["quick"] |= {"width": 24, "members": 4}
    for name in names or MADE:
        model = MADE[name]()
        folder = HERE / f"format-{manifest.FORMAT}" / name
        model.save(folder)
        inputs = [column.name for column in model.columns if column.role == "input"]
        rows = flights().select(inputs).take(range(0, 50, 5))
        plain = [{key: None if value is None else str(value) for key, value in row.items()} for row in rows.to_pylist()]
        table = {key: [row[key] for row in plain] for key in inputs}
        answers = model.predict(table).to_pylist()
        folder.with_suffix(".json").write_text(
            json.dumps({"rows": table, "answers": answers}, indent=1, default=str) + "\n"
        )
        print(folder, sum(path.stat().st_size for path in folder.iterdir()))


if __name__ == "__main__":
    main(sys.argv[1:])
