"""Opens a model: which columns it relies on and how its answer goes with them, why it answers single rows so, and what each layer of its network has learned."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fathom.bundle.description import Description
from fathom.bundle.manifest import WEIGHTS
from fathom.chapters.candidates import in_units, truth_in_units
from fathom.data.encoding import Column, encode_inputs, hanging_together, inputs_of, target_classes
from fathom.data.files.reading import read
from fathom.data.rows.splitting import drawn
from fathom.data.table import Table
from fathom.errors import BundleError, OptionError
from fathom.evidence import layers as evidence
from fathom.evidence.dependence import curves
from fathom.evidence.importance import by_shuffling as importance_by_shuffling
from fathom.model import Model, class_labels
from fathom.reasons import METHODS
from fathom.reasons.rows import asked, explain_row
from fathom.scoring import row_losses
from fathom.shapes import DEEP, arrays_of

MOST_ROWS = 600
MOST_FILTERS = 32
MOST_IMPORTANCE_ROWS = 1_000
NOTICED_ROWS, MOST_NOTICED = 3, 200  # rows, and steps of each, whose attention and gates are shown

Layers = list[dict[str, Any]]


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


def has_layers(description: Description) -> bool:
    """Say whether there is a network with a deep column, whose layers can be looked at."""
    deep = any(column.kind is not None and column.kind.SHAPE in DEEP for column in inputs_of(description.columns))
    return description.kind == "network" and deep


def explain_layers(
    description: Description, weights: bytes, table: Table, seed: int = 0, most_rows: int = MOST_ROWS
) -> Layers:
    """Return what each layer has learned, a deep column: ``{column, encoder, probes, map, exciting, filters, noticed}`` (``docs/result.md``).

    ``table`` holds the inputs and the first target of rows that the network did not learn from; ``most_rows`` of them are looked at.
    """
    from fathom.bundle.loading import reload_network
    from fathom.networks.stages import activations, first_filters
    from fathom.training.batching import as_batch
    from fathom.training.loop import rows_at_once

    if not has_layers(description):
        return []
    rows = table.take(drawn(table, most_rows))
    target = description.targets[0]
    truth, classes = truth_in_units(target, rows), target_classes(target)
    groups = hanging_together(description.columns, rows)
    network = reload_network(description, weights)
    batch = as_batch(encode_inputs(description.columns, rows), {})
    heard = activations(network, batch.inputs, rows_at_once(batch.row_numbers))
    columns = {column.name: column for column in inputs_of(description.columns)}
    found = []
    for array, parts in arrays_of(network.plan.inputs).items():
        if array not in heard:
            continue
        column, encoder = columns[parts[0].column], network.encoders[array].encoder
        features = {stage: made.features.numpy() for stage, made in heard[array].items()}
        filters = first_filters(encoder)
        last = list(features)[-1]
        found.append(
            {
                "column": column.name,
                "encoder": type(encoder).__name__,
                "probes": evidence.probes(features, truth, classes, seed, groups),
                "map": {"places": np.round(evidence.together(features[last]), 4).tolist(), **_marks(target, truth)},
                "exciting": [
                    {
                        "stage": stage,
                        "units": _shown(evidence.exciting(made.peaks.numpy(), truth, classes), column, rows),
                    }
                    for stage, made in heard[array].items()
                ],
                "filters": None if filters is None else _bytes(filters.numpy()),
                "noticed": _noticed(network, batch, array, column, rows),
            }
        )
    return found


def _noticed(network: Any, batch: Any, array: str, column: Column, rows: Table) -> list[dict[str, Any]]:
    """Return, of a few rows, how much each stage takes of each step or patch: ``{stage, by, rows: [{pieces, picture, strength}]}``."""
    from fathom.networks.stages import noticed

    values = batch.inputs[array]
    there = np.flatnonzero((values != 0).flatten(1).any(1).numpy())
    chosen = there[np.unique(np.linspace(0, max(len(there) - 1, 0), min(len(there), NOTICED_ROWS)).astype(np.int64))]
    if not len(chosen) or column.kind is None:
        return []
    told = noticed(network, {name: each[chosen] for name, each in batch.inputs.items()}).get(array, {})
    cells = rows.column(column.name)
    found = []
    for stage, one in told.items():
        shown = []
        for place, row in enumerate(chosen.tolist()):
            strength, own = one.strength[place].numpy(), values[row].numpy()
            steps = len(strength) if own.ndim == 3 else int((own if own.ndim == 1 else own[:, 0]).astype(bool).sum())
            kept = min(steps, MOST_NOTICED)
            pieces = column.kind.named(column.state, own[:kept]) if hasattr(column.kind, "named") else []
            picture = column.kind.show(column.state, cells[row].as_py()) if own.ndim == 3 else ""
            shown.append({"pieces": pieces, "picture": picture, "strength": np.round(strength[:kept], 3).tolist()})
        found.append({"stage": stage, "by": one.by, "rows": shown})
    return found


def _marks(target: Column, truth: Any) -> dict[str, Any]:
    """Return what each row of a map is marked by: its class, or its number."""
    if target_classes(target):
        return {"classes": class_labels(target), "truth": truth.tolist()}
    return {"classes": None, "truth": [float(value) for value in truth]}


def _shown(units: list[dict[str, Any]], column: Column, rows: Table) -> list[Mapping[str, Any]]:
    assert column.kind is not None
    values = rows.column(column.name)
    return [
        {"unit": unit["unit"], "rows": [column.kind.show(column.state, values[row].as_py()) for row in unit["rows"]]}
        for unit in units
    ]


def _bytes(filters: Any) -> list[Any]:
    """Return filters as pictures ``(filter, channel, height, width)`` of 0 to 255, each with the contrast of its own; many channels become their mean."""
    shown = filters if filters.shape[1] in (1, 3) else filters.mean(1, keepdims=True)
    shown = shown[:MOST_FILTERS]
    low, high = shown.min((1, 2, 3), keepdims=True), shown.max((1, 2, 3), keepdims=True)
    pictures: list[Any] = np.round(255 * (shown - low) / np.maximum(high - low, 1e-12)).astype(int).tolist()
    return pictures
