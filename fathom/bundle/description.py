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

INTERVAL_LEVEL = 0.9  # the share of answers that a predicted interval is meant to hold


@dataclass(frozen=True)
class Description:
    """Everything about a model but its weights.

    ``kind`` says whether a network or baselines answer, ``name`` what the user calls it; ``plan`` rebuilds the network; ``baselines`` holds each target's
    baseline with the settings of each of its fits; ``half_widths`` is, for a target that is a number, how far its interval reaches to either side, in its own units;
    on average; ``bands`` is how far it reaches by how large the answer is (`fathom.bundle.answers.banding`), where there were rows enough;
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

    def reach(self, target: str, answers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return how far the interval of each answer ``(row,)`` of a number reaches to either side, in its own unit."""
        return banding.reach(self.bands.get(target), self.half_widths[target], answers)

    def uncalibrated(self) -> "Description":
        """Return the same without anything that says how sure the answers are, all of which is learned from rows that were answered."""
        return replace(self, half_widths={}, bands={}, temperatures={}, thresholds={})

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
        )


def _fields_of(record: Any) -> dict[str, Any] | None:
    """Return the fields of a dataclass, which are JSON-able as they stand: to copy every number of thousands, as `dataclasses.asdict` does, takes longer than to write them."""
    return None if record is None else {field.name: getattr(record, field.name) for field in fields(record)}


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
