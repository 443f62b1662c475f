"""Explains one row of a model: its reasons by several methods, how far these agree, and the smallest change that flips the answer."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.bundle.answers import background
from fathom.bundle.answers.inference import Answers
from fathom.data.encoding import Column, class_labels, inputs_of, target_classes
from fathom.data.files.reading import read
from fathom.data.table import Table
from fathom.errors import OptionError, TableError, suggestion
from fathom.model import Model
from fathom.reasons import METHODS
from fathom.reasons.agreeing import agreement
from fathom.reasons.asking import Subject, question_of
from fathom.reasons.contract import Floats, Method, Shares
from fathom.reasons.counterfactual import Found, smallest_change
from fathom.reasons.wording import in_a_sentence

QUICK: tuple[str, ...] = ("shap",)  # what a server asks
MOST_ROWS = 4_096  # that a method answers for one row
PROBE = 32  # rows by which the speed of a model is measured


@dataclass(frozen=True)
class Asked:
    """A row of a model whose answer is asked about: the ``subject``, the ``target``, the code of the class that is explained (-1 of a number), and the answers with what the model tells beside them."""

    model: Model = field(repr=False)
    subject: Subject
    target: Column
    code: int
    told: Answers

    @property
    def answer(self) -> Floats:
        """The answer, ``(class,)`` probabilities or a number in encoded units."""
        return np.asarray(self.told[self.target.name][0])

    @property
    def labels(self) -> list[str]:
        """The classes of the target; none of a number."""
        return class_labels(self.target) if self.code >= 0 else []


def asked(model: Model, row: Any, *, target: str = "", of: str = "") -> Asked:
    """Return what is asked about a row: anything that `fathom.read` takes with one row, or a dictionary of it.

    ``target`` names a target, by default the first; ``of`` the class whose probability is explained, by default the likeliest. Raises TableError when the row lacks a column or there
    are several rows, and OptionError for a target or a class that there is not.
    """
    table = row if isinstance(row, Table) else read([row] if isinstance(row, Mapping) else row)
    table = model.checked(model.gathered(table))
    if table.rows != 1:
        raise TableError(
            f"One row is explained at a time, and {table.rows:,} were given. Name one, for example --row 1."
        )
    names = {column.name: column for column in model.description.targets}
    column = names.get(target or next(iter(names)))
    if column is None:
        raise OptionError(f"The model has no target {target!r}.{suggestion(target, names)} It has: {', '.join(names)}.")
    told = model.tell(table)
    code = -1
    if target_classes(column):
        labels = class_labels(column)
        if of and of not in labels:
            raise OptionError(
                f"{column.name!r} has no class {of!r}.{suggestion(of, labels)} It has: {', '.join(labels[:20])}."
            )
        code = labels.index(of) if of else int(told[column.name][0].argmax())
    found = column

    def answered(rows: Table) -> Floats:
        return one_number(found, model.answer(rows)[found.name], code)

    others = background.rows_of(model.files, model.columns)
    return Asked(model, Subject(model.columns, table, others, answered), column, code, told)


def one_number(target: Column, answer: npt.NDArray[np.float64], code: int) -> Floats:
    """Return of each answer the one number that is explained: the probability of a class, or the number in the target's own unit."""
    if code >= 0:
        return np.asarray(answer[:, code])
    assert target.kind is not None
    return np.asarray(target.kind.decode(target.state, answer).to_numpy(zero_copy_only=False), np.float64)


def explain_row(
    model: Model,
    row: Any,
    *,
    target: str = "",
    of: str = "",
    methods: Sequence[str] = QUICK,
    counterfactual: bool = True,
    most_rows: int = MOST_ROWS,
    seconds: float | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Return why a model answers a row as it does, as JSON-able values (``docs/result.md``, *reasons*).

    ``methods`` are names of `METHODS`; each answers about ``most_rows`` rows at most, which bounds the time; ``seconds`` bounds it by the clock, too, and gives up that the same row always gets the very same shares. What is explained is the probability of the likeliest class, or of
    the class ``of``, or the number. Needs neither torch nor scikit-learn. Raises what `asked` raises, and OptionError for a method that there is not.

    >>> import fathom
    >>> rows = {"x": [x / 8 for x in range(200)], "y": [3.0 * (x % 7) + 0.25 * x for x in range(200)]}
    >>> model = fathom.fit(rows, target="y", effort="quick", epochs=2)
    >>> found = explain_row(model, {"x": 20.0})
    >>> [part["column"] for part in found["parts"]], abs(found["base"] + sum(found["methods"][0]["values"]) - found["value"]) < 1e-6
    (['x'], True)
    """
    able = {method.NAME: method for method in METHODS}
    for name in methods:
        if name not in able:
            raise OptionError(f"There is no method {name!r}.{suggestion(name, able)} There are: {', '.join(able)}.")
    question_asked = asked(model, row, target=target, of=of)
    if seconds is not None:
        most_rows = min(most_rows, rows_within(question_asked, seconds / max(len(methods) + counterfactual, 1)))
    question = question_of(question_asked.subject, most_rows, seed=seed)
    shares = {name: able[name].shares(question) for name in methods}
    first = next(iter(shares.values()), None)
    return {
        **_answer(question_asked),
        "base": None if first is None else first.base,
        "parts": [
            {"column": part.column, "name": " ".join(part.name.split()), "place": list(part.place)}
            for part in question.parts
        ],
        "methods": [_method(able[name], found) for name, found in shares.items()],
        "agreement": agreement({name: found.values for name, found in shares.items()}),
        "counterfactual": change_in_words(question_asked) if counterfactual else None,
    }


def rows_within(one: Asked, seconds: float) -> int:
    """Return how many rows the model answers in so many seconds, by the clock; 64 at least."""
    rows = one.subject.row.take(np.zeros(PROBE, np.int64))
    one.subject.answer(rows)
    started = time.perf_counter()
    one.subject.answer(rows)
    return max(64, int(seconds / max(time.perf_counter() - started, 1e-6) * PROBE))


def _answer(one: Asked) -> dict[str, Any]:
    row = one.subject.row
    cells = {}
    for column in inputs_of(one.model.columns):
        assert column.kind is not None
        cells[column.name] = column.kind.show(column.state, row.column(column.name)[0].as_py())
    value = float(one_number(one.target, one.answer[None], one.code)[0])
    return {
        "target": one.target.name,
        "of": one.labels[one.code] if one.code >= 0 else None,
        "answer": one.labels[int(one.answer.argmax())] if one.code >= 0 else value,
        "value": value,
        "unit": "probability" if one.code >= 0 else "in the target's unit",
        "cells": cells,
        "texts": {
            column.name: str(row.column(column.name)[0].as_py())
            for column in inputs_of(one.model.columns)
            if column.modality == "text"
        },
    }


def _method(method: Method, found: Shares) -> dict[str, Any]:
    return {
        "name": method.NAME,
        "summary": method.SUMMARY,
        "source": method.SOURCE,
        "values": found.values.tolist(),
        "questions": found.questions,
    }


def change_in_words(one: Asked) -> dict[str, Any]:
    """Return the smallest change that flips the answer, in a sentence and as figures; of a number, one that moves it further than its interval reaches."""
    before = float(one_number(one.target, one.answer[None], one.code)[0])
    described = one.model.description
    below, above = (0.0, 0.0) if one.code >= 0 else described.reach(one.target, one.told, np.array([before]))[0]
    likeliest = int(one.answer.argmax()) if one.code >= 0 else -1

    def judge(rows: Table) -> tuple[npt.NDArray[np.bool_], Floats]:
        answer = one.model.answer(rows)[one.target.name]
        if one.code >= 0:
            return answer.argmax(axis=1) != likeliest, -answer[:, likeliest]
        moved = one_number(one.target, answer, -1) - before
        return (moved < -below) | (moved > above), np.abs(moved)

    found = smallest_change(one.subject, judge)
    after = None if found is None else _after(one, found)
    return {
        "sentence": in_a_sentence(one.target.name, found, one.labels[likeliest] if one.code >= 0 else before, after),
        "changes": []
        if found is None
        else [
            {"column": each.column, "before": _json(each.before), "after": _json(each.after), "gone": list(each.gone)}
            for each in found.changes
        ],
        "answer": after,
    }


def _after(one: Asked, found: Found) -> Any:
    answer = one.model.answer(found.row)[one.target.name]
    if one.code >= 0:
        return one.labels[int(answer[0].argmax())]
    return float(one_number(one.target, answer, -1)[0])


def _json(value: Any) -> Any:
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
