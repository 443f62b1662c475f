"""What making bundles smaller is worth: `make bench-compress`, or `python -m bench.compress fashion` for one of fashion, bbc, adult.

Each network is fitted shortly (a few epochs on some of the rows: what is asked is what compressing changes), then `fathom.compression.compressing.compress` prices every way on the validation rows. The
goals: int8 at most 0.3 x the bytes, a quicker graph for one row, its score within the original's interval; something distilled within one point of accuracy at 0.1 x the graph's time.
"""

import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import fathom
from fathom.baselines import constant, linear
from fathom.compression.compressing import compress
from fathom.data.files.writing import write

CACHE = Path(__file__).parent / "cache"
TABLES: dict[str, tuple[str, str, int, dict[str, Any], int]] = {  # file, target, rows, settings, epochs of students
    "fashion": ("perception/fashion.train.parquet", "label", 4_000, {"epochs": 3}, 3),
    "bbc": ("perception/bbc.train.parquet", "topic", 2_225, {"epochs": 8}, 8),
    "adult": ("adult.train.csv", "", 8_000, {"epochs": 6}, 6),
}


def measure(name: str) -> dict[str, Any]:
    """Fit, compress, and return the price list with what became of each goal."""
    file, target, rows, settings, epochs = TABLES[name]
    table = fathom.read(CACHE / file)
    target = target or table.names[-1]
    table = table.take(np.linspace(0, table.rows - 1, min(rows, table.rows)).astype(np.int64))
    with tempfile.TemporaryDirectory() as room, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        place = Path(room) / "rows.parquet"
        write(table, place)
        fathom.fit(
            str(place), target=target, keep="network", effort="quick", out=Path(room) / "run",
            baselines=(constant, linear), bad_rows="skip", **settings,
        )  # fmt: skip
        found = compress(Path(room) / "run", epochs=epochs)
    prices = [price.as_json() for price in found.prices]
    first = prices[0]
    eight = [
        price for price in prices if price["name"] in ("int8, weights", "int8, static")
    ]  # dynamic ranges change with the batch: never kept
    distilled = [price for price in prices if price["name"].startswith(("distilled", "pruned"))]
    within = [price for price in distilled if first["accuracy"] - price["accuracy"] <= 0.01]
    quick = min(within, key=lambda price: price["graph_ms"], default=None)
    goals = {
        "int8: bundle bytes": min((price["bytes"] for price in eight), default=np.nan) / first["bytes"],
        "int8: graph bytes": min((price["graph_bytes"] for price in eight), default=np.nan) / first["graph_bytes"],
        "int8: graph time": min((price["graph_ms"] for price in eight), default=np.nan) / first["graph_ms"],
        "int8: score within": any(first["low"] <= price["score"] <= first["high"] for price in eight),
        "distilled within a point: graph time": quick["graph_ms"] / first["graph_ms"] if quick else None,
        "distilled within a point": quick["name"] if quick else "none",
    }
    return {
        "table": name,
        "prices": prices,
        "goals": goals,
        "kept": found.kept.name if found.kept else None,
        "notes": found.notes,
    }


def main(names: list[str]) -> None:
    """Print a price list and the goals of each table; the numbers go into bench/cache/compress.json."""
    every = []
    for name in names or TABLES:
        found = measure(name)
        every.append(found)
        print(f"\n{name}, kept: {found['kept']}")
        for price in found["prices"]:
            print(
                f"| {price['name']} | {price['bytes'] / 1e3:,.0f} kB | {price['graph_bytes'] / 1e3:,.0f} kB | {price['graph_ms']:.3f} ms | {price['bulk_rows']:,.0f} | "
                f"{price['accuracy']:.4f} | {price['score']:.4f} ({price['low']:.4f}–{price['high']:.4f}) | {price['loss']:+.4f} | {price['calibration']:.3f} | {price['worst_loss']:.3f} | {price['apart']:.0e} |"
            )
        for goal, value in found["goals"].items():
            print(f"  {goal}: {value if not isinstance(value, float) else f'{value:.3f}'}", flush=True)
        for note in found["notes"]:
            print(f"  note: {note}")
    (CACHE / "compress.json").write_text(json.dumps(every, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
