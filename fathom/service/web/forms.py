"""What a page asks a person for: each column as the control that suits it, with an example and what is allowed."""

import json
from collections.abc import Sequence
from typing import Any

from fathom.data.cells.calendars import CLOCK, ISO
from fathom.data.encoding import Column, class_labels, inputs_of, target_classes
from fathom.data.gathering import Gathered
from fathom.model import Model

MOST_CHOICES = 300  # words of a column that are offered; of more, one types
MEDIA = {"image": "image/*", "audio": "audio/*", "video": "video/*"}
LONG = ("text", "series", "strokes", "molecule")


def form_of(model: Model, name: str, version: str, *, watched: bool = False, explains: bool = False) -> dict[str, Any]:
    """Return the form of a model as JSON values: its fields in the order of training, an example row, and what its targets are."""
    example = _example(model)
    fields: list[dict[str, Any]] = []
    for column in inputs_of(model.columns):
        if column.gathered is None:
            fields.append(_field(column, example))
        else:
            fields += [_plain(own, example) for own in _gathered(column.gathered)]
    targets = [
        {"name": target.name, "classes": class_labels(target) if target_classes(target) else None}
        for target in model.description.targets
    ]
    return {
        "name": name,
        "version": version,
        "fields": fields,
        "targets": targets,
        "example": example or None,
        "watched": watched,
        "explains": explains,
    }


def _example(model: Model) -> dict[str, Any]:
    """Return the first row among the bundle's samples, its columns as they were in training."""
    try:
        row = json.loads(model.files["samples.json"])[0]["row"]
    except (KeyError, IndexError, ValueError, TypeError):
        return {}
    return dict(row) if isinstance(row, dict) else {}


def _field(column: Column, example: dict[str, Any]) -> dict[str, Any]:
    kind, state = column.modality, column.state
    field = _plain(column.name, example) | {"kind": kind}
    if kind == "number":
        assert column.kind is not None
        low, high = (column.kind.show(state, end) for end in (state.lowest, state.highest))
        field |= {"input": "number", "step": "any", "hint": f"{low} to {high} in training"}
    elif kind == "yes_no":
        field |= {"choices": [state.no, state.yes]}
    elif kind == "category":
        words: Sequence[str] = state.words
        if len(words) <= MOST_CHOICES:
            field |= {"choices": sorted(words, key=str.casefold), "hint": f"{len(words)} words"}
        else:
            field |= {"hint": f"one of {len(words):,} words"}
    elif kind == "date":
        field |= _date(state)
    elif kind in MEDIA:
        field |= {"input": "file", "accept": MEDIA[kind], "hint": f"a file: {kind}"}
    elif kind in LONG:
        field |= {"input": "textarea", "json": kind in ("series", "strokes")}
    return field


def _date(state: Any) -> dict[str, Any]:
    if state.formats == (CLOCK,):
        return {"input": "time", "hint": "a time of day"}
    if ISO in state.formats or not state.formats:
        timed = "hour" in state.varying
        return {"input": "datetime-local" if timed else "date", "hint": "a date and a time" if timed else "a date"}
    return {"hint": f"a date, written as {' or '.join(state.formats)}"}


def _plain(name: str, example: dict[str, Any]) -> dict[str, Any]:
    shown = example.get(name)
    return {
        "name": name,
        "kind": "",
        "input": "text",
        "choices": None,
        "hint": "",
        "json": False,
        "accept": None,
        "step": None,
        "example": "" if shown is None or isinstance(shown, list | dict) else str(shown)[:60],
    }


def _gathered(gathered: Gathered) -> tuple[str, ...]:
    return (*filter(None, (gathered.id, gathered.time)), *gathered.columns)
