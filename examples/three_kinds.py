"""A picture, a text and a number in one network, where each is worth as much as the others. Run it from the repository's root:

    python -m examples.three_kinds

1,794 notices on a board, each with the picture of a piece of clothing (Fashion-MNIST), an article (BBC news) and a price (diamonds); all three are real, who stands beside whom is chance. A reader
likes shoes, articles of sports or entertainment, and low prices, and pins a notice that has at least two of the three. So no reader of one column, nor of two, can be right on more than
three notices in four, and a reader of all three on all of them (what is known of a majority of three fair coins: one tells 3/4 of it; two that agree tell it and two that differ tell nothing,
3/4 again). In nats, each column adds log(2) / 2 = 0.35 to the other two.

The data come from public packages. Some minutes on one core.
"""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

import fathom
from bench.data import rdataset
from bench.perception_tables import fetch
from fathom.baselines import constant, linear

KINDS = ("picture", "text", "price")
SHOES, LEISURE = ("sandal", "trainers", "ankle boot"), ("sports", "entertainment")
TEST_ROWS, EPOCHS = 450, 36
AT_BEST = 0.75  # of one column, or of two
ADDED = math.log(2) / 2


def half_and_half(likes: Any, rows: int, generator: np.random.Generator) -> Any:
    """Return the places of ``rows`` rows, of which one half is liked, in an order of chance."""
    halves = [generator.permutation(np.flatnonzero(likes == liked))[: rows // 2] for liked in (True, False)]
    return generator.permutation(np.concatenate(halves))


def notices() -> tuple[pa.Table, pa.Table]:
    """Return the notices to learn from and those to be judged on."""
    generator = np.random.default_rng(0)
    clothes = parquet.read_table(fetch("fashion")[0]).slice(0, 10_000)
    news = parquet.read_table(fetch("bbc")[0])
    prices = np.asarray(rdataset("ggplot2", "diamonds")["price"])
    shoes = np.isin(clothes["label"].to_pylist(), SHOES)
    leisure = np.isin(news["topic"].to_pylist(), LEISURE)
    cheap = prices < np.median(prices)
    rows = 2 * int(min(leisure.sum(), (~leisure).sum()))
    places = [half_and_half(likes, rows, generator) for likes in (shoes, leisure, cheap)]
    liked = sum(likes[place].astype(int) for likes, place in zip((shoes, leisure, cheap), places, strict=True))
    table = pa.table(
        {
            "picture": clothes["picture"].take(places[0]),
            "text": news["text"].take(places[1]),
            "price": prices[places[2]],
            "pinned": np.where(liked >= 2, "yes", "no"),
        }
    )
    return table.slice(TEST_ROWS), table.slice(0, TEST_ROWS)


def fitted(train: pa.Table, test: pa.Table, *, only: str | None = None) -> fathom.Model:
    """Return a model of all three columns, or of one."""
    left_out = {name: "skip" for name in KINDS if only not in (None, name)}
    return fathom.fit(
        train, "pinned", test=test, columns=left_out, metric="accuracy", keep="network", epochs=EPOCHS,
        effort="quick" if only else "standard", baselines=(constant, linear),
    )  # fmt: skip


def share(right: Any) -> tuple[float, float, float]:
    """Return which share is right, with its 95 % interval (Wilson, Journal of the American Statistical Association 22, 1927)."""
    rows, mean, width = len(right), float(np.mean(right)), 1.96
    middle = (mean + width**2 / (2 * rows)) / (1 + width**2 / rows)
    half = width / (1 + width**2 / rows) * math.sqrt(mean * (1 - mean) / rows + width**2 / (4 * rows**2))
    return mean, middle - half, middle + half


def right(model: fathom.Model, rows: pa.Table) -> Any:
    """Return which rows are answered rightly."""
    return np.asarray(model.predict(rows).column("pinned")) == np.asarray(rows["pinned"])


def main() -> None:
    """Fit all three together and each alone, answer with any one missing, and check what the text above says."""
    train, test = notices()
    together = fitted(train, test)
    found = {"all three": share(right(together, test))}
    for name in KINDS:
        found[f"{name} alone"] = share(right(fitted(train, test, only=name), test))
    for name in KINDS:
        place = test.column_names.index(name)
        without = test.set_column(place, name, pa.nulls(test.num_rows, test[name].type))
        found[f"{name} missing"] = share(right(together, without))
    for name, (mean, low, high) in found.items():
        print(f"{name:18} {mean:6.1%} of {test.num_rows} test notices right (95 % interval {low:.1%} to {high:.1%})")
    assert together.result is not None
    print(together.result["verdict"]["sentence"])
    added = {", ".join(one["columns"]): one for one in together.result["adds"]}
    for name, one in added.items():
        print(
            f"{name:18} adds {one['value']:.2f} nats ({one['low']:.2f} to {one['high']:.2f}); {ADDED:.2f} of what is true"
        )
    for name in KINDS:
        alone, missing = found[f"{name} alone"], found[f"{name} missing"]
        assert found["all three"][1] > max(alone[2], AT_BEST), "three kinds tell more than one ever can"
        assert alone[1] <= AT_BEST <= alone[2] + 0.05, "one column alone: three in four"
        assert missing[0] > 0.65, "and it answers where one is missing"
        assert added[name]["low"] > 0.1, "the report says that each adds to the others"


if __name__ == "__main__":
    main()
