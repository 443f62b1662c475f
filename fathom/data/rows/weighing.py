"""A column of weights says how much each row counts in training: survey weights, costs, how sure a label is."""

import numpy as np
import numpy.typing as npt

from fathom.data.modalities import number
from fathom.data.rows.splitting import TRAIN, VALIDATION, Split
from fathom.data.table import Table
from fathom.errors import TableError

Weights = npt.NDArray[np.float64]


def row_weights(table: Table, name: str, rows: int) -> Weights:
    """Return the weights ``(row,)`` of the first ``rows`` rows as they stand in the column, 0 or more.

    Raises TableError for the first that is missing, no number, negative or infinite.

    >>> row_weights(Table.of({"w": ["1", "0.5", "12"]}), "w", 2).tolist()
    [1.0, 0.5]
    """
    values = table.column(name).slice(0, rows)
    try:
        state = number.learn(values)
    except TableError:  # no cell is a number
        weights, unreadable = np.full(rows, np.nan), np.ones(rows, np.bool_)
    else:
        weights, unreadable = number.features(state, values).matrix[:, 0], number.unreadable(state, values)
    missing = number.missing(values)
    bad = np.flatnonzero(missing | unreadable | ~(weights >= 0))
    if len(bad):
        row = int(bad[0])
        path, line = table.place(row)
        found = "missing" if missing[row] else f"{str(values[row].as_py())[:60]!r}"
        raise TableError(
            f"{table.where(row)}: the weight {name!r} is {found}, and must be a number, 0 or more"
            f"{f' ({len(bad):,} such cells)' if len(bad) > 1 else ''}. Correct the cell; 0 leaves a row out of training.",
            file=path,
            line=line,
            column=name,
        )
    return weights


def weights_of_parts(weights: Weights, parts: Split, name: str) -> tuple[Weights, Weights | None]:
    """Return what each training row counts, and what each validation row counts, each with mean 1.

    Validation rows that all weigh 0 count alike (``None``): something must choose. Raises TableError where all training rows weigh 0.
    """
    part = parts.part[: len(weights)]
    train, validation = weights[part == TRAIN], weights[part == VALIDATION]
    if not train.any():
        raise TableError(
            f"The weight {name!r} is 0 on all {len(train):,} training rows: there is nothing to learn from. Give rows a weight above 0.",
            column=name,
        )
    return train / train.mean(), validation / validation.mean() if validation.any() else None
