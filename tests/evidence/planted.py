"""What tests of checks plant: a table of numbers, a target, and models that are fitted again without a library."""

import numpy as np

from fathom.data.encoding import Column
from fathom.data.modalities import by_name
from fathom.data.table import Table
from fathom.evidence.contract import Case, Cost, Part, Refit


def column(table, name, kind, role="input"):
    kind = by_name(kind)
    values = table.column(name)
    return Column(name, role, kind, 1.0, "planted", kind.learn(values, "target" if role == "target" else "input"))


def matrix_of(table, names):
    found = np.stack([table.column(name).to_numpy(zero_copy_only=False).astype(float) for name in names], axis=1)
    return np.nan_to_num(found)


def regression_case(columns, truth, train_rows, fit, classes=None, names=("nearest",), **more):
    """A case of number columns whose first rows are for training, the others half to choose by and half to judge on.

    ``fit(name, x, y, weights)`` returns a function from x to answers.
    """
    words = truth.tolist() if classes is None else [classes[code] for code in truth]
    table = Table.of({**{name: values.tolist() for name, values in columns.items()}, "target": words})
    inputs = tuple(column(table, name, "number") for name in columns)
    target = column(table, "target", "number" if classes is None else "category", "target")
    cut, middle = train_rows, (train_rows + table.rows) // 2

    def part(rows, answer):
        return Part(table.take(rows), truth[rows], answer(matrix_of(table.take(rows), columns)))

    def again(name, rows, weights, seconds):
        answer = fit(name, matrix_of(table.take(rows), columns), truth[rows], weights)
        return lambda asked: answer(matrix_of(asked, columns))

    train = np.arange(cut)
    answers = {name: fit(name, matrix_of(table.take(train), columns), truth[:cut], None) for name in names}
    chosen, sealed = (part(rows, answers[names[0]]) for rows in (np.arange(cut, middle), np.arange(middle, table.rows)))
    return Case(
        (*inputs, target),
        target,
        classes,
        sealed,
        lambda asked: answers[names[0]](matrix_of(asked, columns)),
        train=table.take(train),
        chosen=chosen,
        costs=[Cost(name, 0.1, 1e-5, 1e3) for name in names],
        answers={name: answer(matrix_of(sealed.table, columns)) for name, answer in answers.items()},
        shipped=names[0],
        refit=Refit(table.take(train), truth[:cut], names, again),
        **more,
    )


def nearest(name, x, y, weights=None):
    """A model that answers as the nearest row that it has met."""

    def answer(asked):
        places = ((asked[:, None, :] - x[None]) ** 2).sum(axis=2).argmin(axis=1)
        return y[places].astype(float)

    return answer
