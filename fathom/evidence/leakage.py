"""Does something give the answer away: columns and rows that tell the target in a way that new rows will not.

It looks before anything is trained. The types are those of Kapoor and Narayanan, "Leakage and the reproducibility crisis in machine-learning-based science",
Patterns 4(9), 2023, table 1 (https://doi.org/10.1016/j.patter.2023.100804), as far as a table shows them:

* a column that is the target by another name: copied, scaled, binned, with noise (their type L2). Each column alone predicts the target of rows that its predictor did not see; skill is 1
  minus its error over that of a constant;
* rows that stand, almost unchanged, on both sides of the parting (L1.4), and groups that do, whose members share the target (L3.2).

What no table shows is whether a column will be known when the answer is needed (L2, L3.1): the remedy asks.
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.encoding import Column, inputs_of, target_classes
from fathom.data.hashing import hash_values
from fathom.data.table import Table
from fathom.evidence.contract import Finding
from fathom.shapes import FLAT

NAME = "leakage"
QUESTION = "Does something give the answer away?"
SOURCE = "Kapoor and Narayanan, Patterns 4(9), 2023, https://doi.org/10.1016/j.patter.2023.100804"

GIVEN_AWAY = 0.99  # skill of a column alone that stops a fit, where there are others
LIKELY = 0.90  # skill that is warned of
COPIES = 0.05  # share of judged rows that stand, almost unchanged, among the training rows
MOST_ROWS = 10_000  # of either side that a column's skill is measured on
DIGITS = 3  # significant, to which numbers are cut before rows are compared
BINS = 64
FEWEST_IN_BIN = 3

Floats = npt.NDArray[np.float64]


def find(columns: Sequence[Column], target: Column, train: Table, check: Table) -> Finding:
    """Look for leaks between the training rows and rows that choices are made by; ``status`` is ``"bad"`` where the fit should stop.

    ``rows`` of the finding are ``{leak, column, skill, sentence}``, the clearest first.
    """
    known, asked = _truth(target, train), _truth(target, check)
    leaks = [*_telling_columns(columns, target, train, check, known, asked), *_copies(columns, train, check)]
    leaks.sort(key=lambda leak: -leak["skill"])
    if not leaks:
        return Finding(
            NAME,
            QUESTION,
            "nothing found",
            "No column tells the target alone, and no row of one part stands in another.",
            0.0,
            status="good",
            source=SOURCE,
        )
    first = leaks[0]
    stop = any(leak["stops"] for leak in leaks)
    return Finding(
        NAME,
        QUESTION,
        "yes" if stop else "perhaps",
        " ".join(leak["sentence"] for leak in leaks[:3]),
        first["skill"],
        unit="skill, 1 is certainty",
        status="bad" if stop else "warning",
        remedy=_remedy(first),
        rows=[{name: value for name, value in leak.items() if name != "stops"} for leak in leaks],
        source=SOURCE,
    )


def _remedy(leak: dict[str, Any]) -> str:
    if leak["leak"] == "copies":
        return "Remove the copies, or name the column whose equal values belong together with --group. If they are meant to be there, add --allow-leakage."
    name = leak["column"]
    return (
        f"Ask whether {name!r} is known when the answer is needed. If not, leave it out with --columns {name}=skip; if rows with equal values of it belong together, add "
        f"--group {name}; if it is rightly known, add --allow-leakage."
    )


def _telling_columns(
    columns: Sequence[Column], target: Column, train: Table, check: Table, known: Floats, asked: Floats
) -> list[dict[str, Any]]:
    found = []
    left, right = _some(train.rows), _some(check.rows)
    train, check = train.take(left), check.take(right)
    for column in inputs_of(columns):
        if column.kind is None or column.kind.SHAPE not in FLAT:
            continue
        classes = target_classes(target)
        skills = [_skill(one, other, known[left], asked[right], classes) for one, other in _keys(column, train, check)]
        skills += [
            _nearest(one, other, known[left], asked[right], classes) for one, other in _numbers(column, train, check)
        ]
        skill = max(skills)
        if skill >= LIKELY:
            sure = skill >= GIVEN_AWAY and len(inputs_of(columns)) > 1
            sentence = f"Column {column.name!r} alone {'tells' if sure else 'nearly tells'} {target.name!r}: skill {skill:.3f} on rows that its predictor did not see."
            found.append({"leak": "column", "column": column.name, "skill": skill, "sentence": sentence, "stops": sure})
    return found


def _numbers(column: Column, train: Table, check: Table) -> list[tuple[Floats, Floats]]:
    """Return a column's features that are numbers, of the rows of both sides."""
    assert column.kind is not None
    made = [column.kind.features(column.state, part.column(column.name)) for part in (train, check)]
    return [
        (made[0].matrix[:, feature], made[1].matrix[:, feature])
        for feature, size in enumerate(made[0].sizes)
        if not size and not np.isnan(made[0].matrix[:, feature]).all()
    ]


def _keys(column: Column, train: Table, check: Table) -> list[tuple[Floats, Floats]]:
    """Return what a column says of the rows of both sides as keys: its numbers cut into bins, and its cells as they are."""
    views = []
    for one, other in _numbers(column, train, check):
        edges = np.unique(np.quantile(one[~np.isnan(one)], np.linspace(0, 1, BINS + 1)[1:-1]))
        views.append((_binned(one, edges), _binned(other, edges)))
    cells = [hash_values(part.column(column.name)).view(np.int64).astype(np.float64) for part in (train, check)]
    return [*views, (cells[0], cells[1])]


def _nearest(one: Floats, other: Floats, known: Floats, asked: Floats, classes: int) -> float:
    """Return how well the truth of the two training rows on either side of a number predicts: 1 minus the error over that of a constant."""
    order = np.argsort(one, kind="stable")
    order = order[~np.isnan(one[order])]
    above = np.clip(np.searchsorted(one[order], other), 0, len(order) - 1)
    beside = known[order[np.stack([np.maximum(above - 1, 0), above])]]
    if classes:
        constant = np.bincount(known.astype(np.int64), minlength=classes).argmax()
        error, usual = float((beside != asked).mean()), float((asked != constant).mean())
    else:
        error, usual = float(((beside.mean(0) - asked) ** 2).mean()), float(((known.mean() - asked) ** 2).mean())
    return 1.0 - error / usual if usual > 0 else 0.0


def _binned(numbers: Floats, edges: Floats) -> Floats:
    """Return which bin each number lies in, -1 for one that is not there."""
    return np.where(np.isnan(numbers), -1.0, np.searchsorted(edges, numbers, side="right"))


def _skill(one: Floats, other: Floats, known: Floats, asked: Floats, classes: int) -> float:
    """Return how well the mean, or the most frequent class, of the training rows of the same key predicts: 1 minus the error over that of a constant."""
    keys, inverse, counts = np.unique(one, return_inverse=True, return_counts=True)
    place = np.minimum(np.searchsorted(keys, other), len(keys) - 1)
    trusted = (keys[place] == other) & (counts[place] >= FEWEST_IN_BIN)
    if classes:
        table = np.zeros((len(keys), classes))
        np.add.at(table, (inverse, known.astype(np.int64)), 1.0)
        constant = np.bincount(known.astype(np.int64), minlength=classes).argmax()
        said = np.where(trusted, table.argmax(axis=1)[place], constant)
        error, usual = float((said != asked).mean()), float((asked != constant).mean())
    else:
        means = np.bincount(inverse, weights=known, minlength=len(keys)) / counts
        said = np.where(trusted, means[place], known.mean())
        error, usual = float(((said - asked) ** 2).mean()), float(((known.mean() - asked) ** 2).mean())
    return 1.0 - error / usual if usual > 0 else 0.0


def _copies(columns: Sequence[Column], train: Table, check: Table) -> list[dict[str, Any]]:
    """Look for rows that are the same on both sides but for their last digits; a table of few different rows has such by chance and is not looked at."""
    inputs = [column for column in inputs_of(columns) if column.kind is not None and column.kind.SHAPE in FLAT]
    if not any(column.kind is not None and column.kind.NAME == "number" for column in inputs) and len(inputs) < len(
        inputs_of(columns)
    ):
        return []
    one, other = _outlines(inputs, train), _outlines(inputs, check)
    within = 1.0 - len(np.unique(one)) / max(len(one), 1)  # repeated among the training rows themselves
    share = float(np.isin(other, one).mean()) if len(other) else 0.0
    if share < COPIES or within > 0.5 or len(inputs) < 2:
        return []
    sentence = f"{100 * share:.1f} % of the rows that choices are made by stand, up to the {DIGITS}rd digit, among the training rows."
    return [{"leak": "copies", "column": "", "skill": share, "sentence": sentence, "stops": False}]


def _outlines(columns: Sequence[Column], table: Table) -> npt.NDArray[np.uint64]:
    """Return a hash of each row in which numbers count by their first digits only."""
    total = np.zeros(table.rows, np.uint64)
    for salt, column in enumerate(columns):
        assert column.kind is not None
        values = table.column(column.name)
        if column.kind.SHAPE == "scalar":
            matrix = column.kind.features(column.state, values).matrix
            for feature in matrix.T:
                total += hash_values(pa.array(_cut(feature)), 31 * salt + 1)
        else:
            total += hash_values(values, 31 * salt + 1)
    return total


def _cut(numbers: Floats) -> Floats:
    """Return numbers rounded to their first digits; NaN stays."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        power = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.abs(numbers))))
        return np.where((numbers == 0) | ~np.isfinite(power), numbers, np.round(numbers * power) / power)


def _truth(target: Column, table: Table) -> Floats:
    assert target.kind is not None
    return np.asarray(target.kind.encode(target.state, table.column(target.name))[:, 0], np.float64)


def _some(rows: int) -> npt.NDArray[np.int64]:
    return np.linspace(0, rows - 1, min(rows, MOST_ROWS)).astype(np.int64)


def run(case: Any) -> Finding:
    """Look between the training rows and the chosen rows of a case."""
    from fathom.evidence.contract import not_applicable

    if case.train is None or case.chosen is None:
        return not_applicable(
            sys.modules[__name__],
            "Leaks are looked for between training rows and others, and a bundle holds no training rows.",
        )
    return find(case.columns, case.target, case.train, case.chosen.table)
