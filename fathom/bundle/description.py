"""What `model.json` says: the columns with what they learned, what answers, and how sure it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

import fathom
from fathom.bundle.answers import banding
from fathom.bundle.guard import model_schema
from fathom.bundle.guard.strict_json import dump, parse
from fathom.data.encoding import Column, of_role
from fathom.data.gathering import Gathered
from fathom.data.modalities import by_name
from fathom.data.modalities.contract import Modality
from fathom.errors import BundleError, FathomError
from fathom.shapes import margins_of

Floats = npt.NDArray[np.float64]

INTERVAL_LEVEL = 0.9  # the share of answers that a predicted interval is meant to hold


@dataclass(frozen=True)
class Description:
    """Everything about a model but its weights.

    ``kind`` says whether a network or baselines answer, ``name`` what the user calls it; ``plan`` rebuilds the network; ``baselines`` holds each target's
    baseline with the settings of each of its fits; ``half_widths`` is, for a target that is a number, how far its interval reaches to either side, in its own units;
    on average; ``bands`` is how far it reaches by how large the answer is (`fathom.bundle.answers.banding`), where there were rows enough, and ``factors`` by how much the margins are multiplied that a network tells of each row (`fathom.bundle.answers.margining`), where that is better;
    ``temperatures`` is, for a category whose probabilities are tempered, by how much (`fathom.bundle.answers.tempering`); ``thresholds`` hold,
    for a category, the least probability with which each class may be the true one (`fathom.bundle.answers.doubting`).
    """

    kind: Literal["network", "baseline"]
    name: str
    columns: tuple[Column, ...]
    plan: Mapping[str, Any] | None = None
    baselines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    half_widths: Mapping[str, float] = field(default_factory=dict)
    temperatures: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    bands: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)

    def interval(self, target: Column, told: Mapping[str, Floats]) -> tuple[Floats, Floats, Floats]:
        """Return each number that is answered, and the low and the high end of its interval, all ``(row,)`` and in the target's own unit.

        ``told`` are the answers in encoded units with what is told beside them (`fathom.bundle.answers.inference.Inference.tell`).
        """
        name = target.name
        answers = told[name]
        if name in self.factors:  # decoded together: for one row, every call costs more than what it computes
            margins = self.factors[name] * told[margins_of(name)]
            ends = np.concatenate((answers, answers - margins[:, 0], answers + margins[:, 1]))
            numbers, low, high = _numbers(target, ends).reshape(3, -1)
            return numbers, low, high
        numbers = _numbers(target, answers)
        width = self._width(name, numbers)
        return numbers, numbers - width, numbers + width

    def reach(self, target: Column, told: Mapping[str, Floats], numbers: Floats) -> Floats:
        """Return how far the interval of each of the ``numbers (row,)``, which are the answers in the target's own unit, reaches below and above it, ``(row, 2)``; ``told`` is only looked at where it `tells_margins`."""
        if target.name in self.factors:
            _, low, high = self.interval(target, told)
            return np.stack((numbers - low, high - numbers), axis=1)
        width = self._width(target.name, numbers)
        return np.stack((width, width), axis=1)

    def _width(self, name: str, numbers: Floats) -> Floats:
        return banding.reach(self.bands.get(name), self.half_widths[name], numbers)

    def tells_margins(self, target: Column) -> bool:
        """Say whether an interval hangs on more than the answer, so that what the network tells of the row must be at hand."""
        return target.name in self.factors

    def uncalibrated(self) -> "Description":
        """Return the same without anything that says how sure the answers are, all of which is learned from rows that were answered."""
        return replace(self, half_widths={}, bands={}, factors={}, temperatures={}, thresholds={})

    @property
    def targets(self) -> tuple[Column, ...]:
        """The columns that are predicted, in the user's order."""
        return of_role(self.columns, "target")

    def to_bytes(self) -> bytes:
        """Write `model.json`; once, since nothing of a description changes and what it says is asked for a dozen times in a fit."""
        return self._written

    @cached_property
    def _written(self) -> bytes:
        columns = [
            {
                **column.told(),
                "examples": list(column.examples),
                "state": _fields_of(column.state),
                "gathered": _fields_of(column.gathered),
            }
            for column in self.columns
        ]
        return dump(
            {
                "fathom": fathom.__version__,
                "kind": self.kind,
                "name": self.name,
                "columns": columns,
                "plan": self.plan,
                "baselines": self.baselines,
                "half_widths": self.half_widths,
                "temperatures": self.temperatures,
                "thresholds": self.thresholds,
                "bands": self.bands,
                "factors": self.factors,
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes, modalities: Sequence[Modality]) -> "Description":
        """Read `model.json`. Raises BundleError when it is not what `to_bytes` writes."""
        values = parse(content, "model.json")
        model_schema.check(values, modalities)
        try:
            columns = tuple(_column(entry, modalities) for entry in values["columns"])
        except (FathomError, KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"model.json is not what this Fathom writes ({type(error).__name__}: {error}). Use the Fathom that wrote it, or fit again.",
                file="model.json",
            ) from None
        model_schema.check_columns(columns)
        model_schema.check_answers(columns, values)
        return cls(
            values["kind"],
            values["name"],
            columns,
            values["plan"],
            values["baselines"],
            values["half_widths"],
            values.get("temperatures", {}),
            values.get("thresholds", {}),
            values.get("bands", {}),
            values.get("factors", {}),
        )


def _fields_of(record: Any) -> dict[str, Any] | None:
    """Return the fields of a dataclass, which are JSON-able as they stand: to copy every number of thousands, as `dataclasses.asdict` does, takes longer than to write them."""
    return None if record is None else {field.name: getattr(record, field.name) for field in fields(record)}


def _numbers(target: Column, answers: Floats) -> Floats:
    """Return answers ``(row,)`` in the target's own unit."""
    assert target.kind is not None
    values = target.kind.decode(target.state, answers)
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)


def _column(entry: Mapping[str, Any], modalities: Sequence[Modality]) -> Column:
    kind = by_name(entry["modality"], modalities) if entry["modality"] else None
    state = kind.State(**entry["state"]) if kind and entry["state"] is not None else None
    return Column(
        entry["name"],
        entry["role"],
        kind if state is not None else None,
        entry["confidence"],
        entry["reason"],
        state,
        entry["missing"],
        entry["distinct"],
        tuple(entry["examples"]),
        Gathered(**entry["gathered"]) if entry.get("gathered") else None,
    )
