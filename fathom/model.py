"""Model: what `fit` returns and `load` brings back; table in, table out."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.bundle import manifest
from fathom.bundle.answers import doubting
from fathom.bundle.answers.inference import Answers, Inference
from fathom.bundle.answers.listing import Listed, listed
from fathom.bundle.answers.quick import Quick
from fathom.bundle.answers.unlikeness import WORDS, Unlikeness, opened
from fathom.bundle.description import Description
from fathom.bundle.saving import save
from fathom.data.encoding import Column, class_labels, gather, inputs_of, target_classes, unreadable_cells
from fathom.data.files.reading import read
from fathom.data.modalities import MODALITIES
from fathom.data.modalities.contract import Modality
from fathom.data.recognising import first_marked, taken_as_missing
from fathom.data.table import Table
from fathom.errors import BundleError, OptionError, OutputError, TableError, suggestion
from fathom.quantities import counted

MOST_UNREADABLE = 0.5  # of a column's cells; above, the column is another one than in training


@dataclass(frozen=True)
class Model:
    """A fitted model: the files of its bundle, ready to answer. It never changes.

    ``result`` holds everything that was found when it was fitted (``docs/result.md``); it is ``None`` after `load`, because a bundle holds what answers
    and the run folder holds what was found.
    """

    files: Mapping[str, bytes] = field(repr=False)
    inference: Inference = field(repr=False)
    result: Mapping[str, Any] | None = field(default=None, repr=False)
    unlikeness: Unlikeness | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        files: Mapping[str, bytes],
        result: Mapping[str, Any] | None = None,
        modalities: Sequence[Modality] = MODALITIES,
        threads: int = 0,
    ) -> "Model":
        """Make a model from the files of a bundle. Raises BundleError when they do not belong together."""
        inference = Inference.open(files, modalities, threads)
        for target in inference.description.targets:
            if not target_classes(target) and target.name not in inference.description.half_widths:
                raise BundleError(
                    f"model.json does not say how wide the interval of {target.name!r} is. Copy the bundle again, whole.",
                    file="model.json",
                )
        return cls(files, inference, result, opened(files, inference.description.columns))

    def __repr__(self) -> str:
        """Say what is predicted, by what, and from how many columns, as a notebook shows a model."""
        predicted = ", ".join(repr(target.name) for target in self.description.targets)
        return (
            f"<Model of {predicted}: {self.description.name}, from {counted(len(inputs_of(self.columns)), 'column')}>"
        )

    @property
    def description(self) -> Description:
        """The columns, the kind of model and its plan."""
        return self.inference.description

    @property
    def columns(self) -> tuple[Column, ...]:
        """Every column of the training table."""
        return self.description.columns

    def predict(self, rows: Any, *, doubt: bool = False) -> Table:
        """Answer rows: a table with the targets' values, and how sure the model is of each.

        A category brings ``NAME_probability`` and a ``NAME=class`` column a class; a number brings ``NAME_low`` and ``NAME_high``, which hold
        the truth on about 90 % of rows like those of training. ``doubt`` adds ``NAME_doubt``: empty where one class alone is likely, ``not sure: A or B`` where
        several are, ``none fits`` where none is; what is likely holds the true class on about 90 % of the rows of each. It says ``nothing like this was seen`` where a row is unlike those of training. ``rows`` is anything that `read` takes. Columns are found by name, in any order.
        No rows have no answers: a table of the same columns without any.

        Raises TableError when a column is missing or holds something else than in training.
        """
        given = read(rows, empty=True)
        if not given.names and not self._gathers:  # an empty list, which says nothing of columns
            given = Table.of({column.name: pa.nulls(0, pa.string()) for column in inputs_of(self.columns)})
        table = self.gathered(given)
        found = self.answered(self.checked(table), doubt)
        named = [column.gathered.id for column in self.columns if column.gathered is not None and column.gathered.id]
        for name in named:  # many rows became one: which one says the id
            if name not in found.names:
                found = replace(found, arrow=found.arrow.add_column(0, name, table.column(name)))
        return found

    def predict_one(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one row, a dictionary, with one: the same values as `predict`, in microseconds and without a table.

        Numbers are Python numbers and all else is text, or None where it is not known. Raises TableError for a column that is lacking, or that holds something else than in training;
        OptionError where the model gathers a series from several columns or rows.
        """
        if self._gathers:
            raise OptionError("This model gathers series from columns or rows; predict answers its rows.")
        try:
            answers = self.inference.run_one(self._quick.encode((row,)))
        except KeyError as error:
            name = str(error.args[0])
            raise TableError(
                f"The row has no column {name!r}.{suggestion(name, self._not_asked(row))}", column=name
            ) from None
        except TableError as error:
            raise TableError(f"Column {error.column!r}: {error}.", column=error.column) from None
        found: dict[str, Any] = {}
        for target in self._listed:
            target.into_one(found, answers)
        return found

    def _not_asked(self, names: Iterable[str]) -> list[str]:
        """Return the names that the model does not ask for, among which a column that is lacking may stand misspelt."""
        asked = {column.name for column in inputs_of(self.columns)}
        return [name for name in names if name not in asked]

    @cached_property
    def _gathers(self) -> bool:
        return any(column.gathered is not None for column in self.columns)

    @cached_property
    def _quick(self) -> Quick:
        return Quick.of(self.description)

    @cached_property
    def _listed(self) -> tuple[Listed, ...]:
        return listed(self.description)

    @property
    def joins_rows(self) -> bool:
        """Whether many rows become one series before they are answered."""
        return any(column.gathered is not None and column.gathered.id for column in self.columns)

    def gathered(self, table: Table) -> Table:
        """Return the table with its series gathered as in training; without any, as it is."""
        return gather(self.columns, table)

    def checked(self, table: Table) -> Table:
        """Return the input columns of a table, or raise TableError; what is odd but harmless is warned of."""
        inputs = inputs_of(self.columns)
        for column in inputs:
            if column.name not in table.names:
                raise TableError(
                    f"{table.name} has no column {column.name!r}, which the model reads.{suggestion(column.name, self._not_asked(table.names))} "
                    f"It needs: {', '.join(repr(c.name) for c in inputs)}.",
                    column=column.name,
                )
        extra = [name for name in table.names if name not in {column.name for column in self.columns}]
        if extra:
            warnings.warn(
                f"Not used, because training did not have them: {', '.join(map(repr, extra[:10]))}.", stacklevel=3
            )
        for column in inputs:
            assert column.kind is not None
            if hasattr(column.kind, "settle"):  # decoded once, here; what follows takes the compact values
                values, marks = column.kind.settle(column.state, table.column(column.name), lambda done: None)
                warn_unreadable(column, table, marks)
                table = table.with_column(column.name, values)
            else:
                warn_unreadable(column, table, unreadable_cells(column, table))
        return table.select([column.name for column in inputs])

    def answer(self, table: Table) -> Answers:
        """Answer rows in encoded units, without any check of the table."""
        return self.inference.answer(table)

    def tell(self, table: Table) -> Answers:
        """Answer rows as `answer` does, and tell beside it how sure the network is, where it says so (`fathom.shapes.outputs_of`)."""
        return self.inference.tell(table)

    def answered(self, inputs: Table, doubt: bool = False) -> Table:
        """Answer rows that `checked` has passed as a table, as `predict` does."""
        unlike = self.unlikeness.unlike(inputs) if doubt and self.unlikeness is not None else None
        return predictions(self.description, self.tell(inputs), doubt, unlike)

    def save(self, path: str | Path) -> Path:
        """Write the bundle into a new folder, or, where the path ends in ``.fathom``, as one file; whole or not at all. Raises OutputError when it cannot."""
        return save(self.files, path)

    def report(self, file: str | Path) -> Path:
        """Write the report of the fit as one HTML file.

        Raises OutputError when it cannot be written, or when the model was loaded and has no result to write.
        """
        from fathom.data.files.writing import write_text
        from fathom.report import render

        if self.result is None:
            raise OutputError(
                "A loaded model has no result to report. Use the report beside its bundle, or: fathom report RUN"
            )
        return write_text(render(dict(self.result)), file)


def load(
    bundle: str | Path,
    *,
    modalities: Sequence[Modality] = MODALITIES,
    threads: int = 0,
    trust: str | Path | None = None,
) -> Model:
    """Read a bundle, checking every file against its manifest and by rules of its own; needs neither torch nor scikit-learn.

    ``bundle`` is the folder or the file that `fit` or `Model.save` wrote, or the run folder around it; ``threads`` 0 takes every core. With ``trust``, the file of
    an Ed25519 public key, a bundle that its owner has not signed is refused.

    Raises BundleError when it is damaged, holds what a bundle may not, was written by another version, or is not signed as it should be.
    """
    files = manifest.read(bundle)
    if trust is not None:
        from fathom.bundle.signing import verify

        verify(files, trust)
    return Model.of(files, modalities=modalities, threads=threads)


def predictions(
    description: Description,
    answers: Answers,
    doubt: bool = False,
    unlike: npt.NDArray[np.bool_] | None = None,
) -> Table:
    """Lay answers out as a table: each target's values and how sure they are, and with ``doubt`` what else a category may be and which rows are ``unlike (row,)`` those of training."""
    columns: dict[str, Any] = {}
    for target in description.targets:
        assert target.kind is not None
        answer = answers[target.name]
        if answer.ndim == 1:
            numbers, low, high = description.interval(target, answers)
            columns[target.name] = pa.array(numbers)
            columns[f"{target.name}_low"], columns[f"{target.name}_high"] = pa.array(low), pa.array(high)
            if doubt and unlike is not None:
                columns[f"{target.name}_doubt"] = pa.array(np.where(unlike, WORDS, "").tolist(), pa.string())
        else:
            columns[target.name] = target.kind.decode(target.state, answer)
            columns[f"{target.name}_probability"] = pa.array(answer.max(axis=1, initial=0.0))
            for code, label in enumerate(class_labels(target)):
                columns[f"{target.name}={label}"] = pa.array(answer[:, code])
            if doubt and target.name in description.thresholds:
                sets = doubting.sets_of(answer, description.thresholds[target.name])
                words = doubting.in_words(sets, class_labels(target))
                if unlike is not None:
                    words = pc.if_else(pa.array(unlike), WORDS, words)
                columns[f"{target.name}_doubt"] = words
    return Table(pa.table(columns), name="predictions")


def warn_unreadable(column: Column, table: Table, marks: npt.NDArray[np.bool_]) -> None:
    """Warn of the marked cells, which the column's kind cannot read. Raises TableError when they are more than half of its cells."""
    assert column.kind is not None
    if not marks.any():
        return
    known = int((~column.kind.missing(table.column(column.name))).sum())
    if marks.sum() > MOST_UNREADABLE * known:
        path, line = table.place(int(np.flatnonzero(marks)[0]))
        cell, why = first_marked(table, column, marks)
        raise TableError(
            f"{cell}{why}, and so are {marks.sum():,} of its {known:,} cells, where training had a {column.kind.NAME}. Give the column as it was in training.",
            file=path,
            line=line,
            column=column.name,
        )
    warnings.warn(taken_as_missing(table, column, marks), stacklevel=4)
