"""What each layer of the network has learned: probes, the map of the last layer, what excites units, first filters."""

from collections import Counter
from itertools import pairwise
from typing import Any

from fathom.quantities import finite, number
from fathom.report.picking import NARROW, WIDE, Figure, items, mapping, records, words
from fathom.report.plots.intervals import Estimate, rows_of_estimates
from fathom.report.plots.layers import MARKS, bars, filters, patches, places
from fathom.report.wording import cell, clip

View = dict[str, Any]

PICTURE = "data:image/"
SHADES = 9  # of pieces that are noticed more or less, beside none
NOTICES = {"attention": "how often the others look at it", "gate": "how far its gates let it in"}
BINS = 5  # of a number, each with a mark
METRICS = {
    "accuracy": "accuracy of a straight line read off the layer",
    "r2": "R² of a straight line read off the layer",
}


def layers(result: View) -> list[View]:
    """Return a part for each deep column whose layers were looked at."""
    return [part for entry in records(result, "layers") if (part := _column(entry))]


def adds(result: View) -> Figure | None:
    """Return the bars of what each column, or all flat ones together, adds to the network."""
    estimates = [
        Estimate(_name(item), float(item["value"]), finite(item.get("low")), finite(item.get("high")))
        for item in records(result, "adds")
        if finite(item.get("value")) is not None
    ]
    if not estimates:
        return None
    unit = f"added error when trained without ({words(records(result, 'adds')[0], 'unit')})"
    wide, narrow = (rows_of_estimates(estimates, label=unit, width=width, boxes=True) for width in (WIDE, NARROW))
    caption = (
        "How much worse the validation rows are predicted by a network that was trained without the column, beside one that was trained with all, both "
        "for a third of the epochs; 95 % intervals over rows. Columns that say the same do not miss each other."
    )
    return Figure(wide, narrow, caption)


def _name(item: View) -> str:
    names = [clip(name, 40) for name in items(item, "columns") if isinstance(name, str)]
    return names[0] if len(names) == 1 else f"the other {len(names)} columns"


def _column(entry: View) -> View | None:
    probes = [item for item in records(entry, "probes") if finite(item.get("value")) is not None]
    figures = []
    if probes:
        estimates = [
            Estimate(words(item, "stage"), float(item["value"]), finite(item.get("low")), finite(item.get("high")))
            for item in probes
        ]
        unit = METRICS.get(words(probes[0], "metric"), "score")
        wide, narrow = (rows_of_estimates(estimates, label=unit, width=width, boxes=True) for width in (WIDE, NARROW))
        caption = (
            "From the first layer (above) to the last: how well the answer can be read off each layer’s outputs by a linear probe, on rows that neither the "
            "network nor the probe learned from, with 95 % intervals. A score that rises says that the layers make the answer easier to read."
        )
        figures.append(Figure(wide, narrow, caption))
    if drawn := _map(mapping(entry, "map")):
        figures.append(
            Figure(
                drawn,
                caption="Rows that lie close are alike to the last layer (its two principal components).",
                fixed=True,
            )
        )
    pictures = [item for item in items(entry, "filters") if isinstance(item, list) and item]
    if pictures:
        figures.append(
            Figure(
                filters(pictures),
                caption="What each unit of the first layer multiplies a picture with: edges, spots and colours.",
                fixed=True,
            )
        )
    if not figures:
        return None
    return {
        "column": clip(words(entry, "column"), 60),
        "encoder": words(entry, "encoder"),
        "figures": figures,
        "exciting": [_stage(stage) for stage in records(entry, "exciting")],
        "noticed": [_noticed(stage) for stage in records(entry, "noticed")],
    }


def _noticed(stage: View) -> View:
    """Return a stage with, for each row, its pieces in shades, the bars of its steps, or the shades of its patches."""
    rows: list[View] = []
    for row in records(stage, "rows"):
        strength = [value for each in items(row, "strength") if (value := finite(each)) is not None]
        pieces = [piece for piece in items(row, "pieces") if isinstance(piece, str)]
        picture = words(row, "picture")
        if not strength:
            continue
        low, high = min(strength), max(strength)
        levels = [(value - low) / max(high - low, 1e-9) for value in strength]
        if len(pieces) == len(strength):
            marked = [
                {"piece": clip(piece, 40), "shade": round(SHADES * level)}
                for piece, level in zip(pieces, levels, strict=True)
            ]
            rows.append({"pieces": marked})
        elif picture.startswith(PICTURE):
            rows.append({"picture": picture, "drawn": patches(levels)})
        else:
            rows.append({"drawn": bars(levels, number(low, 2), number(high, 2))})
    by = words(stage, "by")
    return {"stage": words(stage, "stage"), "by": NOTICES.get(by, by), "rows": rows}


def _stage(stage: View) -> View:
    units = []
    for unit in records(stage, "units"):
        shown = [value for value in items(unit, "rows") if isinstance(value, str)]
        units.append(
            {
                "unit": number(unit.get("unit")),
                "pictures": [value for value in shown if value.startswith(PICTURE)],
                "texts": [cell(value, 160) for value in shown if not value.startswith("data:")],
            }
        )
    return {"stage": words(stage, "stage"), "units": [unit for unit in units if unit["pictures"] or unit["texts"]]}


def _map(found: View) -> str:
    points = [
        (finite(place[0]), finite(place[1]))
        for place in items(found, "places")
        if isinstance(place, list) and len(place) == 2
    ]
    truth = [finite(value) for value in items(found, "truth")]
    if len(points) != len(truth) or not points or any(x is None or y is None for x, y in points):
        return ""
    known = [(x or 0.0, y or 0.0) for x, y in points]
    classes = [cell(name, 40) for name in items(found, "classes")]
    if classes:
        marks, names = _by_class([int(value) if value is not None else -1 for value in truth], classes)
    else:
        marks, names = _by_number([value or 0.0 for value in truth])
    return places(known, marks, names)


def _by_class(codes: list[int], classes: list[str]) -> tuple[list[int], list[str]]:
    """Return a mark for each row: the most frequent classes have one of their own, the others share the last."""
    frequent = [code for code, _ in Counter(code for code in codes if code >= 0).most_common()]
    own = sorted(frequent[: MARKS if len(frequent) <= MARKS else MARKS - 1])
    names = [classes[code] for code in own] + (["others"] if len(frequent) > MARKS else [])
    return [own.index(code) if code in own else len(names) - 1 for code in codes], names


def _by_number(values: list[float]) -> tuple[list[int], list[str]]:
    """Return a mark for each row by the fifth of all rows that its number lies in."""
    ordered = sorted(values)
    edges = [ordered[(len(ordered) - 1) * step // BINS] for step in range(1, BINS)]
    marks = [sum(value > edge for edge in edges) for value in values]
    bounds = [ordered[0], *edges, ordered[-1]]
    return marks, [f"{number(low, 3)} to {number(high, 3)}" for low, high in pairwise(bounds)]
