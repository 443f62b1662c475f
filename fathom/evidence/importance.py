"""Which columns does the model rely on: how much worse it gets when one column's values are shuffled among rows.

Shuffling keeps a column's values and cuts its tie to the truth (Breiman, Random Forests, Machine Learning 45, 2001,
section 10; for any model: Fisher, Rudin and Dominici, JMLR 20:177, 2019). It tells what *this model* uses, not what
causes what. Two columns that say the same share their importance, and shuffling one of them makes rows that cannot
exist (Hooker, Mentch and Zhou, Statistics and Computing 31, 2021): a column of importance 0 may still be informative.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.table import Table
from fathom.resampling import RESAMPLES, Floats, Resamples

NAME = "importance"
QUESTION = "Which columns does the model rely on?"
SOURCE = "Breiman, Machine Learning 45, 2001; Fisher, Rudin and Dominici, JMLR 20:177, 2019"


def by_shuffling(
    losses: Callable[[Table], Floats],
    table: Table,
    columns: Sequence[str],
    *,
    unit: str = "",
    seed: int = 0,
    repeats: int = 3,
    groups: npt.NDArray[Any] | None = None,
) -> list[dict[str, Any]]:
    """Return by how much the mean loss grows when each column is shuffled, the largest first.

    ``losses`` tells the loss ``(row,)`` of the model's answers to a table of the same rows, in ``unit``; it is called
    ``1 + columns x repeats`` times. Use validation rows: some 2,000 of them are enough for an interval of about 2 % of
    a typical loss, and they bound the time. Every column is shuffled in the same ``repeats`` ways, so that columns
    differ by what they hold alone. Rows that share a label of ``groups (row,)`` are drawn together for the interval.

    Each result is ``{column, value, low, high, unit}``, with the 95 % interval over rows and shuffles; below 0 by
    chance, and where the interval holds 0 no reliance was shown. Raises TableError when the table has no such column.

    >>> table = Table.of({"door": ["a", "b", "a", "b"], "size": [1.0, 2.0, 3.0, 4.0]})
    >>> price = np.array([1.0, 2.0, 3.0, 4.0])
    >>> def losses(rows): return np.abs(rows.column("size").to_numpy() - price)
    >>> [(one["column"], one["value"] > 0) for one in by_shuffling(losses, table, ["door", "size"])]
    [('size', True), ('door', False)]
    """
    generator = np.random.default_rng(seed)
    shuffles = [generator.permutation(table.rows) for _ in range(repeats)]
    resamples = Resamples.draw(table.rows, seed=seed, groups=groups)
    picked = np.concatenate([np.arange(repeats)[None], generator.integers(0, repeats, (RESAMPLES, repeats))])
    table = table.remembering()
    before = losses(table)
    found = []
    for column in columns:
        values = table.column(column)
        shuffled = [table.with_column(column, values.take(pa.array(shuffle))) for shuffle in shuffles]
        growth = np.stack([losses(one) - before for one in shuffled])
        by_repeat = resamples.sums(growth) / max(table.rows, 1)  # (resample + 1, repeat): rows drawn anew …
        draws = np.take_along_axis(by_repeat, picked, axis=1).mean(axis=1)  # … and shuffles too
        numbers = resamples.interval(draws).as_json()
        found.append({"column": column, **{key: numbers[key] for key in ("value", "low", "high")}, "unit": unit})
    return sorted(found, key=lambda one: -one["value"] if one["value"] is not None else 0.0)
