"""What `model.json` may say: every key is known, every word that names something is in a closed table, every number is within bounds."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from fathom.bundle.guard import schema, vocabulary
from fathom.bundle.guard.schema import Check, refuse
from fathom.data.encoding import Column, of_role, target_classes
from fathom.data.gathering import Gathered
from fathom.data.modalities.contract import Modality
from fathom.shapes import DEEP, Part

FILE = "model.json"
MOST_COLUMNS = 100_000
MOST_NUMBERS = 1 << 26  # of a row of one column
_NAME = schema.text(1 << 16)  # of a column: whatever the user's table says, never looked up anywhere but in tables
_WORDS = schema.text(1 << 16)
_CHANCE = schema.number(0.0, 1.0)
_BANDS = schema.record(
    {"edges": schema.items(schema.number(), 64, 1), "half_widths": schema.items(schema.number(0.0), 65, 2)}
)

_PART = schema.record(
    {
        "column": _NAME,
        "name": _NAME,
        "shape": schema.one_of(vocabulary.SHAPES),
        "codes": schema.whole(0, 1 << 31),
        "knots": schema.items(schema.number(), 1 << 16),
        "size": schema.items(schema.whole(1, 1 << 26), 3),
        "centre": schema.items(schema.number(), 1 << 16),
        "spread": schema.items(schema.number(), 1 << 16),
    }
)
_PLAN = schema.record(
    {
        "inputs": schema.items(_PART, MOST_COLUMNS, 1),
        "targets": schema.items(_PART, 1_000, 1),
        "trunk": schema.one_of(vocabulary.TRUNKS),
        "width": schema.whole(1, 1 << 16),
        "trunk_options": vocabulary.OPTION_VALUES,
        "encoders": schema.mapping(schema.one_of(vocabulary.ENCODERS), vocabulary.ARRAY),
        "encoder_options": schema.mapping(vocabulary.OPTION_VALUES, vocabulary.ARRAY),
    },
    {"left_out": _CHANCE, "networks": schema.whole(1, 1_000), "margins": schema.truth},
)
_SETTING = schema.any_of([schema.number(), schema.truth, schema.maybe(schema.label)])
_BASELINE = schema.record(
    {
        "name": schema.label,
        "classes": schema.whole(0, 1 << 20),
        "settings": schema.any_of(
            [
                schema.items(schema.mapping(_SETTING, schema.label, 100), 1_000, 1),
                schema.mapping(_SETTING, schema.label, 100),
            ]
        ),
    }
)


def check(values: Any, modalities: Sequence[Modality]) -> None:
    """Raise BundleError, with the place, unless these values of `model.json` keep the rules."""
    schema.record(
        {
            "fathom": schema.pattern(r"[0-9]+(\.[0-9]+)*[0-9A-Za-z.+-]*", "a version of Fathom"),
            "kind": schema.one_of(["network", "baseline"]),
            "name": schema.label,
            "columns": schema.items(_column(modalities), MOST_COLUMNS, 1),
            "plan": schema.maybe(_PLAN),
            "baselines": schema.mapping(_BASELINE),
            "half_widths": schema.mapping(schema.number(0.0)),
        },
        {
            "temperatures": schema.mapping(schema.number(1e-6, 1e6)),
            "thresholds": schema.mapping(schema.items(_CHANCE, 1 << 20)),
            "bands": schema.mapping(_BANDS),
            "factors": schema.mapping(schema.number(0.0)),
        },
    )(values, FILE)
    names = [column["name"] for column in values["columns"]]
    if len(set(names)) < len(names):
        refuse(f"{FILE}: columns", "has a name twice")


def _column(modalities: Sequence[Modality]) -> Check:
    states = {kind.NAME: _state(kind) for kind in modalities}

    def state_of(value: Any, place: str) -> None:
        kind = value["modality"]
        if value["state"] is not None:
            if kind not in states:
                refuse(f"{place}.state", "is there without a kind of column")
            states[kind](value["state"], f"{place}.state")

    outline = schema.record(
        {
            "name": _NAME,
            "role": schema.one_of(vocabulary.ROLES),
            "modality": schema.one_of(["", *states]),
            "confidence": _CHANCE,
            "reason": _WORDS,
            "missing": _CHANCE,
            "distinct": schema.whole(0),
            "examples": schema.items(_WORDS, 100),
            "state": schema.anything,
        },
        {"gathered": schema.maybe(schema.of_dataclass(Gathered))},
    )

    def checked(value: Any, place: str) -> None:
        outline(value, place)
        state_of(value, place)

    return checked


def _state(kind: Modality) -> Check:
    """Return the check of what a kind of column learns: the fields of its class, and words that name something from their tables."""
    whole = schema.of_dataclass(kind.State)
    tables: dict[str, Check] = {
        name: schema.items(schema.one_of(words), len(words))
        for (owner, name), words in vocabulary.WORDS.items()
        if owner == kind.NAME
    }
    if "kind" in getattr(kind.State, "__dataclass_fields__", {}):
        tables["kind"] = schema.pattern(vocabulary.ARROW_TYPE, "an Arrow type")

    def checked(value: Any, place: str) -> None:
        whole(value, place)
        for name, table in tables.items():
            if name in value:
                table(value[name], f"{place}.{name}")

    return checked


def check_columns(columns: Sequence[Column]) -> None:
    """Raise BundleError unless each column can do with what it has learned what an answer asks of it, tried on a row of nothing."""
    for column in columns:
        if column.kind is not None:
            _try(column, column.kind)


def _try(column: Column, kind: Modality) -> None:
    place = f"{FILE}: columns, {column.name[:60]!r}"
    parts = _done(lambda: column.parts, place)
    for part in parts:
        if not _sound(part):
            refuse(place, f"makes an array of the size {part.size} with {part.codes:,} codes")
    if column.role in ("input", "time"):
        blank = _done(lambda: kind.blank(column.state, 1), place)
        _done(lambda: kind.encode(column.state, blank), place)
    elif column.role == "target":
        classes = target_classes(column)
        answer = np.full((1, classes), 1.0 / classes) if classes else np.zeros(1)
        _done(lambda: kind.decode(column.state, answer), place)


def _sound(part: Part) -> bool:
    increasing = all(low <= high for low, high in zip(part.knots, part.knots[1:], strict=False))
    sized = prod(part.size) <= MOST_NUMBERS if part.shape in DEEP else True
    return increasing and sized and 0 <= part.codes < 1 << 31


def _done(work: Callable[[], Any], place: str) -> Any:
    try:
        return work()
    except Exception as error:  # whatever a column does with what it should not have learned
        refuse(place, f"has learned what it cannot use ({type(error).__name__}: {str(error)[:100]})")


def check_answers(columns: Sequence[Column], values: Any) -> None:
    """Raise BundleError unless intervals, temperatures and thresholds are those of the targets."""
    targets = {column.name: target_classes(column) for column in of_role(columns, "target")}
    if not targets:
        refuse(f"{FILE}: columns", "has no column to predict")
    numbers = {name for name, classes in targets.items() if not classes}
    if not set(values["half_widths"]) <= numbers:
        refuse(f"{FILE}: half_widths", "is there for a column that is not a number to predict")
    for name, bands in values.get("bands", {}).items():
        edges, widths = bands["edges"], bands["half_widths"]
        if name not in values["half_widths"] or len(widths) != len(edges) + 1 or edges != sorted(set(edges)):
            refuse(f"{FILE}: bands.{name}", "does not say how far each band of answers reaches")
    if not set(values.get("factors", {})) <= set(values["half_widths"]):
        refuse(f"{FILE}: factors", "is there for a column that is not a number to predict")
    for name in ("temperatures", "thresholds"):
        if not set(values.get(name, {})) <= set(targets) - numbers:
            refuse(f"{FILE}: {name}", "is there for a column that is not a category to predict")
    for name, least in values.get("thresholds", {}).items():
        if len(least) != targets[name]:
            refuse(f"{FILE}: thresholds.{name}", f"has {len(least)} numbers for {targets[name]} classes")
    if values["kind"] == "baseline" and set(values["baselines"]) != set(targets):
        refuse(f"{FILE}: baselines", "is not there for each column that is predicted")
    if values["kind"] == "network" and values["plan"] is None:
        refuse(f"{FILE}: plan", "is not there, and a network answers")
