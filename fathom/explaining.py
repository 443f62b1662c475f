"""Opens a model: which columns it relies on and how its answer goes with them, why it answers single rows so, and what each layer of its network has learned."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fathom.bundle.manifest import WEIGHTS
from fathom.chapters.candidates import in_units, truth_in_units
from fathom.chapters.probing import explain_layers, has_layers
from fathom.data.encoding import class_labels, hanging_together, inputs_of, target_classes
from fathom.data.files.reading import read
from fathom.data.rows.splitting import drawn
from fathom.data.table import Table
from fathom.errors import BundleError, OptionError
from fathom.evidence.dependence import curves
from fathom.evidence.importance import by_shuffling as importance_by_shuffling
from fathom.model import Model
from fathom.reasons import METHODS
from fathom.reasons.rows import asked, explain_row
from fathom.scoring import row_losses

MOST_IMPORTANCE_ROWS = 1_000


def explain(model: Model, source: Any, *, layers: bool = False, seed: int = 0) -> dict[str, Any]:
    """Return what the model relies on, on rows whose first target is known: ``importance``, ``dependence`` and, where they are asked for, ``layers`` (``docs/result.md``).

    ``source`` is anything that `read` takes: rows that the model did not learn from (`fathom.looking.rows_to_judge` leaves those out). Raises TableError when a column or the target is missing, and OptionError where there
    is no network with layers to look at.

    >>> import fathom
    >>> rows = {"x": [x / 8 for x in range(200)], "y": [3.0 * (x % 7) + 0.25 * x for x in range(200)]}
    >>> model = fathom.fit(rows, target="y", effort="quick", epochs=2)
    >>> [entry["column"] for entry in explain(model, rows)["importance"]]
    ['x']
    """
    table = model.gathered(read(source))
    target = model.description.targets[0]
    assert target.kind is not None
    known = table.take(np.flatnonzero(~target.kind.missing(table.column(target.name))))
    if layers and not has_layers(model.description):
        raise OptionError(
            f"--layers looks into a network that reads text, pictures, sound or series, and this bundle holds {model.description.name!r} without such a column. "
            "Leave --layers out, or fit with --keep network."
        )
    inputs = model.checked(known)
    asked = drawn(known, MOST_IMPORTANCE_ROWS)
    seen, truth = inputs.take(asked), truth_in_units(target, known)[asked]

    def losses(rows: Table) -> Any:
        return row_losses(truth, in_units(target, model.answer(rows)[target.name]))

    groups = hanging_together(model.columns, known)
    labels = None if groups is None else groups[asked]
    unit = "nats" if target_classes(target) else "in the target's unit"
    found: dict[str, Any] = {
        "format": 1,
        "targets": [{"name": target.name}],
        "table": {"name": table.name, "files": [each.path for each in table.sources]},
        "importance": importance_by_shuffling(losses, seen, seen.names, unit=unit, seed=seed, groups=labels),
    }
    readers = {column.name: column for column in inputs_of(model.columns)}
    found["dependence"] = curves(
        lambda rows: in_units(target, model.answer(rows)[target.name]),
        seen,
        [readers[entry["column"]] for entry in found["importance"]],
        class_labels(target) if target_classes(target) else None,
        groups=labels,
    )
    if layers:
        if WEIGHTS not in model.files:
            raise BundleError(
                "A compressed bundle has no weights to look into. Explain the bundle that it was made from."
            )
        found["layers"] = explain_layers(model.description, model.files[WEIGHTS], known, seed)
    return found


def reasons_of(
    model: Model, source: Any, *, row: int = 1, methods: Sequence[str] = (), of: str = "", seed: int = 0
) -> dict[str, Any]:
    """Return why the model answers one row as it does: ``reasons`` with one entry (``docs/result.md``).

    ``row`` is counted from 1; ``methods`` are names of `fathom.reasons.METHODS` and ``gradients``, which needs a network and torch, by default all that ask the model. Raises TableError where there is no such row, and OptionError for a method
    or a class that there is not.

    >>> import fathom
    >>> rows = {"x": [x / 8 for x in range(200)], "y": [3.0 * (x % 7) + 0.25 * x for x in range(200)]}
    >>> model = fathom.fit(rows, target="y", effort="quick", epochs=2)
    >>> reasons_of(model, rows, row=7, methods=["shap"])["reasons"][0]["where"]
    'row 7'
    """
    from fathom import gradients

    table = model.gathered(read(source))
    if not 1 <= row <= table.rows:
        raise OptionError(
            f"There is no row {row:,}: {table.name} has {table.rows:,} rows, counted from 1 without the header."
        )
    chosen = list(methods) or [method.NAME for method in METHODS]
    one = table.take([row - 1])
    asking = [name for name in chosen if name != gradients.NAME]
    found = explain_row(
        model, one.select([column.name for column in inputs_of(model.columns)]), of=of, methods=asking, seed=seed
    )
    if gradients.NAME in chosen:
        parts, shares = gradients.integrated(
            asked(model, one.select([c.name for c in inputs_of(model.columns)]), of=of)
        )
        entry = {
            "name": gradients.NAME,
            "summary": gradients.SUMMARY,
            "source": gradients.SOURCE,
            "parts": [{"column": part.column, "name": part.name, "place": list(part.place)} for part in parts],
            "values": shares.values.tolist(),
            "questions": shares.questions,
        }
        found["methods"].append(entry)
        if not asking:
            found |= {
                "parts": [
                    {**part, "place": part["place"] if len(part["place"]) == 4 else []} for part in entry["parts"]
                ],
                "base": shares.base,
            }
    target = model.description.targets[0]
    truth = None
    if target.name in table.names and target.kind is not None:
        shown = target.kind.show(target.state, table.column(target.name)[row - 1].as_py())
        truth = shown
    return {
        "format": 1,
        "targets": [{"name": target.name}],
        "table": {"name": table.name, "files": [each.path for each in table.sources]},
        "reasons": [{"why": f"Row {row:,}", "where": table.where(row - 1), "truth": truth, **found}],
    }
