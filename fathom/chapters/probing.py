"""What each layer of a network has learned, by rows that it did not learn from: probes, a map, what excites its units, its first filters and what it takes notice of."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fathom.bundle.description import Description
from fathom.chapters.candidates import truth_in_units
from fathom.data.encoding import Column, class_labels, encode_inputs, hanging_together, inputs_of, target_classes
from fathom.data.rows.splitting import drawn
from fathom.data.table import Table
from fathom.evidence import layers as evidence
from fathom.shapes import DEEP, arrays_of

MOST_ROWS = 600
MOST_FILTERS = 32
NOTICED_ROWS, MOST_NOTICED = 3, 200  # rows, and steps of each, whose attention and gates are shown

Layers = list[dict[str, Any]]


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
