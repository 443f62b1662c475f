"""Planted tables: made so that we know whether a network is worth it, to hold the verdict to the truth.

Four kinds, forty tables each; half are regressions, half classifications; 1,200 to 4,000 rows, 5 to 15 input columns of mixed
kinds under believable names, some cells missing. Every index is another random draw of sizes, columns, truth and noise, and
always the same draw: ``planted(kind, index)`` depends on nothing else.

``network``   Smooth functions of *oblique* directions, where no single column says much by itself: teacher networks, products
              and waves of linear combinations, random smooth surfaces. Steps along the axes (trees), straight lines and
              neighbours in five or more directions all need far more rows than there are.
``linear``    A straight line, or the logistic of one, plus the level of a category, in noise. Nothing can beat a linear model.
``trees``     Many irregular steps along the axes of heavy-tailed columns, beside many columns that mean nothing. After
              Grinsztajn, Oyallon and Varoquaux (2022), "Why do tree-based models still outperform deep learning on typical
              tabular data?", arXiv:2207.08815, section 5: irregular targets and uninformative columns are what networks lose on.
              (Not exclusive-ors of thresholds nor deep decision trees, which one would think of first: a TabM network with
              piecewise-linear inputs ties with LightGBM on the latter and halves its error on the former.)
``nothing``   The target has nothing to do with the columns.

That the truth is what we say is itself checked, with scikit-learn, LightGBM and small networks: ``python -m bench.planted_truth``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Kind = Literal["network", "linear", "trees", "nothing"]
Task = Literal["regression", "classification"]
Array = npt.NDArray[Any]
Random = np.random.Generator

KINDS: tuple[Kind, ...] = ("network", "linear", "trees", "nothing")
PER_KIND = 40
RIGHT: dict[Kind, str] = {
    "network": "worth it",
    "linear": "not worth it",
    "trees": "not worth it",
    "nothing": "not worth it",
}
TOLERATED = "cannot tell yet"

NUMBERS = (
    "length", "width", "weight", "pressure", "temperature", "speed", "voltage", "distance", "moisture", "density",
    "depth", "angle", "flow", "load", "torque", "level", "brightness", "viscosity", "current", "frequency",
)  # fmt: skip
CATEGORIES: dict[str, tuple[str, ...]] = {
    "region": ("north", "east", "south", "west", "centre", "coast", "islands"),
    "material": ("steel", "copper", "brass", "glass", "oak", "pine"),
    "supplier": ("Abel", "Brandt", "Costa", "Dorn", "Eklund", "Fischer", "Greco", "Hansen", "Ito", "Jansen"),
    "grade": ("A", "B", "C", "D"),
    "shift": ("early", "late", "night"),
}
YES_NO = ("insured", "repaired", "indoors", "certified")
DATES = ("installed", "inspected")


@dataclass(frozen=True)
class Planted:
    """One planted table, and what an honest verdict says about it.

    ``right`` is the answer that the truth calls for; ``TOLERATED`` ("cannot tell yet") is no lie either; the third is wrong.
    ``truth`` says in a sentence what was planted.
    """

    kind: Kind
    index: int
    arrow: pa.Table
    target: str
    task: Task
    right: str
    truth: str


def planted(kind: Kind, index: int) -> Planted:
    """Return the planted table number ``index`` (0 to 39) of a kind, with its target column last.

    >>> table = planted("nothing", 1)
    >>> table.task, table.right, table.arrow.equals(planted("nothing", 1).arrow)
    ('classification', 'not worth it', True)
    """
    if kind not in KINDS or not 0 <= index < PER_KIND:
        raise ValueError(f"There is no planted table {kind!r} {index}: kinds are {KINDS}, indices 0 to {PER_KIND - 1}.")
    random = np.random.default_rng([KINDS.index(kind), index])
    task: Task = "regression" if index % 2 == 0 else "classification"
    columns, values, truth = MAKERS[kind](random, task, index // 2)
    target = "outcome" if task == "classification" else "cost"
    order = random.permutation(len(columns))
    names = [list(columns)[position] for position in order]
    arrow = pa.table({**{name: columns[name] for name in names}, target: values})
    return Planted(kind, index, arrow, target, task, RIGHT[kind], truth)


# ---------------------------------------------------------------------------------------------------------------- columns


def numbers(random: Random, rows: int, count: int, marginal: str) -> tuple[dict[str, pa.Array], Array]:
    """Draw number columns in believable units. Returns them, and what the truth sees of them: ``(row, column)`` standardised.

    ``heavy`` columns are lognormal or have Student tails, and the truth sees their ranks, spread evenly over -1.7 to 1.7.
    """
    names = random.choice(NUMBERS, count, replace=False)
    if marginal == "heavy":
        raw = np.where(random.random(count) < 0.5, np.exp(1.5 * random.normal(size=(rows, count))), 0.0)
        raw = np.where(raw == 0.0, random.standard_t(1.5, size=(rows, count)), raw)
        seen = (raw.argsort(axis=0).argsort(axis=0) + 0.5) / rows * 3.46 - 1.73
    else:
        raw = random.normal(size=(rows, count)) if marginal == "normal" else random.uniform(-1.73, 1.73, (rows, count))
        seen = raw
    scale = 10.0 ** random.integers(-1, 4, count)
    shown = (raw + random.uniform(-3, 3, count)) * scale
    digits = np.maximum(0, 3 - np.log10(scale)).astype(int)
    return {str(name): pa.array(np.round(shown[:, i], digits[i])) for i, name in enumerate(names)}, seen


def others(random: Random, rows: int, count: int) -> tuple[dict[str, pa.Array], dict[str, Array]]:
    """Draw ``count`` categories, yes/no and date columns. Returns them, and codes for the truth: 0, 1, … for each category."""
    kinds = random.choice(["category", "category", "category", "yes/no", "yes/no", "date"], count, replace=False)
    columns: dict[str, pa.Array] = {}
    codes: dict[str, Array] = {}
    for kind in kinds:
        if kind == "date":
            name = str(random.choice([name for name in DATES if name not in columns]))
            days = random.integers(0, 5 * 365, rows)
            columns[name] = pa.array(np.datetime64("2019-01-01") + days.astype("timedelta64[D]"))
            continue
        pool = [name for name in (CATEGORIES if kind == "category" else YES_NO) if name not in columns]
        name = str(random.choice(pool))
        levels = CATEGORIES[name] if kind == "category" else ("no", "yes")
        shares = random.dirichlet(np.full(len(levels), 4.0))
        codes[name] = random.choice(len(levels), rows, p=shares)
        columns[name] = pa.array(np.asarray(levels)[codes[name]])
    return columns, codes


def with_gaps(random: Random, columns: dict[str, pa.Array], share: float) -> dict[str, pa.Array]:
    """Make some cells of some columns missing: of every second column ``share`` of the cells, at random."""
    holed = {}
    for name, values in columns.items():
        gaps = random.random(len(values)) < (share if random.random() < 0.5 else 0.0)
        holed[name] = pa.array(values.to_numpy(zero_copy_only=False), type=values.type, mask=gaps)
    return holed


# ---------------------------------------------------------------------------------------------------------------- targets


def standard(values: Array) -> Array:
    return (values - values.mean(axis=0)) / values.std(axis=0)


def cost(random: Random, signal: Array, noise: float) -> pa.Array:
    """A regression target in believable units: the signal plus noise of that standard deviation (the signal's is 1)."""
    values = (standard(signal) + noise * random.normal(size=len(signal))) * random.uniform(20, 200) + 1_000
    return pa.array(np.round(values, 2))


def outcome(random: Random, signal: Array, classes: int, sharpness: float) -> pa.Array:
    """A class target: the signal cut into equally large classes, after logistic noise of scale 1 / sharpness."""
    noisy = standard(signal) + random.logistic(size=len(signal)) / sharpness
    cuts = np.quantile(noisy, np.arange(1, classes) / classes)
    names = ("good", "bad") if classes == 2 else ("low", "middle", "high")
    return pa.array(np.asarray(names)[np.searchsorted(cuts, noisy)])


# ------------------------------------------------------------------------------------------------------------------ truths


def directions(random: Random, size: int, count: int) -> Array:
    """``(column, direction)``: unit vectors that lean on every column, none of them near an axis."""
    drawn = random.choice([-1.0, 1.0], (size, count)) * random.uniform(0.6, 1.4, (size, count))
    return drawn / np.linalg.norm(drawn, axis=0)


def teacher(random: Random, seen: Array) -> Array:
    """A network of two hidden layers with random weights, less the straight line that comes nearest to it."""
    first = np.tanh(1.6 * seen @ directions(random, seen.shape[1], 8) + random.normal(0, 0.5, 8))
    second = np.tanh(1.2 * first @ random.normal(size=(8, 8)) / 1.5)
    signal = second @ random.normal(size=8)
    straight = np.column_stack([seen, np.ones(len(seen))])
    return signal - straight @ np.linalg.lstsq(straight, signal, rcond=None)[0]


def products(random: Random, seen: Array) -> Array:
    """Products of pairs of linear combinations."""
    left, right = seen @ directions(random, seen.shape[1], 2), seen @ directions(random, seen.shape[1], 2)
    return np.tanh(left * right).sum(axis=1)


def waves(random: Random, seen: Array) -> Array:
    """Sines of linear combinations, about one period across the table."""
    along = seen @ directions(random, seen.shape[1], 2)
    return np.sin(random.uniform(1.6, 2.0, 2) * along + random.uniform(0, 6.28, 2)).sum(axis=1)


def ridges(random: Random, seen: Array) -> Array:
    """Bells across linear combinations: high near a plane, low on both sides."""
    along = seen @ directions(random, seen.shape[1], 3) + random.uniform(-0.7, 0.7, 3)
    return (np.exp(-2.0 * along**2) * random.choice([-1.0, 1.0], 3)).sum(axis=1)


SMOOTH: tuple[Callable[[Random, Array], Array], ...] = (teacher, products, waves, ridges)


def network_table(random: Random, task: Task, turn: int) -> tuple[dict[str, pa.Array], pa.Array, str]:
    rows = int(random.integers(3_000, 4_001))
    informative = int(random.integers(5, 8))
    shown, seen = numbers(random, rows, informative, "normal" if random.random() < 0.5 else "uniform")
    more, codes = others(random, rows, int(random.integers(1, 4)))
    function = SMOOTH[turn % len(SMOOTH)]
    signal = standard(function(random, seen))
    for code in codes.values():
        signal = signal + 0.15 * standard(random.normal(size=code.max() + 1)[code])
    values = (
        cost(random, signal, random.uniform(0.05, 0.2))
        if task == "regression"
        else outcome(random, signal, int(random.integers(2, 4)), random.uniform(12, 25))
    )
    return {**shown, **more}, values, f"{function.__name__} of {informative} columns at once"


def linear_table(random: Random, task: Task, turn: int) -> tuple[dict[str, pa.Array], pa.Array, str]:
    rows = int(random.integers(1_200, 4_001))
    shown, seen = numbers(random, rows, int(random.integers(4, 10)), "normal" if turn % 2 else "uniform")
    more, codes = others(random, rows, int(random.integers(1, 6)))
    informative = int(random.integers(2, min(6, seen.shape[1] + 1)))
    signal = seen[:, :informative] @ random.normal(size=informative)
    for code in list(codes.values())[:2]:
        signal = signal + random.normal(size=code.max() + 1)[code]
    noise = random.uniform(0.4, 1.2)
    values = cost(random, signal, noise) if task == "regression" else outcome(random, signal, 2, 2.0 / noise)
    return with_gaps(random, {**shown, **more}, 0.02), values, f"a straight line in {informative} columns"


def stairs(random: Random, seen: Array, steps: int) -> Array:
    """A staircase along each column, added up: ``steps`` treads of random width, each at a random height of its own."""
    signal = np.zeros(len(seen))
    for column in seen.T:
        edges = np.sort(random.uniform(-1.73, 1.73, steps - 1))
        signal += random.normal(size=steps)[np.searchsorted(edges, column)]
    return signal


def trees_table(random: Random, task: Task, turn: int) -> tuple[dict[str, pa.Array], pa.Array, str]:
    rows = int(random.integers(3_000, 4_001))
    if turn % 4 == 3:
        informative, steps = 1, int(random.integers(80, 101))
    else:
        informative, steps = int(random.integers(2, 4)), int(random.integers(40, 61))
    idle = int(random.integers(6, 10))
    shown, seen = numbers(random, rows, informative + idle, "heavy")
    more, codes = others(random, rows, int(random.integers(1, 4)))
    signal = standard(stairs(random, seen[:, :informative], steps))
    for code in codes.values():
        signal = signal + 0.2 * standard(random.normal(size=code.max() + 1)[code])
    values = (
        cost(random, signal, random.uniform(0.05, 0.15))
        if task == "regression"
        else outcome(random, signal, 2, random.uniform(10, 18))
    )
    truth = f"{steps} irregular steps along {informative} column{'s' if informative > 1 else ''}, beside {idle} that mean nothing"
    return {**shown, **more}, values, truth


def nothing_table(random: Random, task: Task, turn: int) -> tuple[dict[str, pa.Array], pa.Array, str]:
    rows = int(random.integers(1_200, 4_001))
    shown, _ = numbers(random, rows, int(random.integers(4, 10)), ("normal", "uniform", "heavy")[turn % 3])
    more, _ = others(random, rows, int(random.integers(1, 6)))
    signal = random.normal(size=rows) if turn % 2 else random.gamma(3.0, size=rows)
    values = cost(random, signal, 0.1) if task == "regression" else outcome(random, signal, 2 + turn % 2, 1.0)
    return with_gaps(random, {**shown, **more}, 0.05), values, "nothing: the target was drawn by itself"


MAKERS: dict[Kind, Callable[[Random, Task, int], tuple[dict[str, pa.Array], pa.Array, str]]] = {
    "network": network_table,
    "linear": linear_table,
    "trees": trees_table,
    "nothing": nothing_table,
}
