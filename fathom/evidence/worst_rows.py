"""Which rows does the model get most wrong: ten of them, with the file and line where they stand.

A wrong label, a slipped decimal point or a kind of row that the training rows lack shows here first.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fathom.data.table import Table
from fathom.evidence.contract import plain
from fathom.scoring import Answer, Truth, row_losses

NAME = "worst_rows"
QUESTION = "Which rows does the model get most wrong?"
SOURCE = "Pleiss, Zhang, Elenberg and Weinberger, NeurIPS 2020: rows that a model cannot fit are often mislabelled"

COUNT = 10
MOST_DRAWN = 100_000  # characters of a cell that is drawn or played


def find(
    table: Table,
    target: str,
    truth: Truth,
    answer: Answer,
    *,
    classes: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    count: int = COUNT,
    shown_by: Mapping[str, Callable[[Any], str]] | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of the largest loss, the largest first, rows of equal loss in table order.

    ``truth (row,)`` and ``answer`` are as in ``fathom.scoring``, one per row of ``table``; ``classes`` are the names of
    the codes. ``loss`` is in nats for classes and in the target's unit for numbers. A loss that is not a number counts
    as the worst. ``columns`` are those shown in ``row``: all but the target where not given. A class never seen in
    training is shown as it stands in the table. Each result is ``{where, target, truth, predicted, loss, row}``, of
    JSON values only; a column of ``shown_by`` is written by its function, for instance a picture as a ``data:`` URL.

    >>> table = Table.of({"rooms": [2, 3, 4], "price": [10.0, 20.0, 30.0]})
    >>> find(table, "price", np.array([10.0, 20.0, 30.0]), np.array([11.0, 90.0, 30.0]), count=1)
    [{'where': 'row 2', 'target': 'price', 'truth': 20.0, 'predicted': 90.0, 'loss': 70.0, 'row': {'rooms': 3}}]
    """
    losses = row_losses(truth, answer)
    worst = np.argsort(-np.nan_to_num(losses, nan=np.inf), kind="stable")[:count]
    shown = [name for name in table.names if name != target] if columns is None else columns
    rows = table.select(shown).take(worst).to_pylist() if shown else [{} for _ in worst]

    def true(place: int) -> Any:
        if classes is None:
            return truth[place]
        return classes[truth[place]] if truth[place] >= 0 else table.column(target)[place]

    return [
        {
            "where": table.where(place),
            "target": target,
            "truth": plain(true(place)),
            "predicted": plain(answer[place] if classes is None else classes[answer[place].argmax()]),
            "loss": plain(losses[place]),
            "row": {column: _cell(value, (shown_by or {}).get(column)) for column, value in row.items()},
        }
        for place, row in zip(worst.tolist(), rows, strict=True)
    ]


def _cell(value: Any, show: Callable[[Any], str] | None) -> Any:
    """Return a cell as a JSON value, or as ``show`` draws it where that is not too long."""
    if show is None or value is None:
        return plain(value)
    shown = show(value)
    return shown if shown.startswith("data:") and len(shown) <= MOST_DRAWN else plain(shown)
