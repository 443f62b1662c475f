"""All that a bundle holds, for people and programs: its files, what its columns learned, what answers, how good it was, who signed it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from fathom.bundle import manifest
from fathom.bundle.description import Description
from fathom.bundle.guard import checking, signature_schema
from fathom.bundle.guard.strict_json import parse
from fathom.data.encoding import Column, target_classes
from fathom.data.modalities import MODALITIES
from fathom.data.modalities.contract import Modality


def inspect(files: Mapping[str, bytes], modalities: Sequence[Modality] = MODALITIES) -> dict[str, Any]:
    """Return what is in a bundle's files (`manifest.read`), as JSON-able values. Nothing in them is run. Raises BundleError for what may not be in them."""
    graph = checking.check_contents(files)
    description = Description.from_bytes(files["model.json"], modalities)
    told = parse(files["model.json"], "model.json")
    format_, _ = manifest.entries(files[manifest.NAME], manifest.NAME)
    return {
        "version": manifest.version(files),
        "format": format_,
        "fathom": told["fathom"],
        "answers": {"kind": description.kind, "name": description.name},
        "files": [
            {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        ],
        "columns": [_column(column) for column in description.columns],
        "network": _network(description.plan) if description.plan else None,
        "simpler models": {
            name: {"name": one["name"], "settings": one["settings"]} for name, one in description.baselines.items()
        },
        "graph": {
            "file": manifest.graph_name(files),
            "bytes": graph.bytes,
            "operators": graph.operators,
            "reads": {name: ["row", *size[1:]] for name, size in graph.inputs.items()},
            "answers": graph.outputs,
            "weights": sum(_count(tensor.dims) for tensor in graph.constants.values()),
        },
        "half widths": dict(description.half_widths),
        "bands": {name: dict(bands) for name, bands in description.bands.items()},
        "factors": dict(description.factors),
        "temperatures": dict(description.temperatures),
        "thresholds": {name: list(values) for name, values in description.thresholds.items()},
        "samples": len(parse(files["samples.json"], "samples.json")),
        "scores": parse(files["scores.json"], "scores.json") if "scores.json" in files else None,
        "compressed": parse(files["compression.json"], "compression.json") if "compression.json" in files else None,
        "signature": _signature(files),
    }


def _column(column: Column) -> dict[str, Any]:
    learned = ""
    if column.kind is not None:
        learned = column.kind.tell(column.state) if hasattr(column.kind, "tell") else column.reason
    return {
        "name": column.name,
        "role": column.role,
        "kind": column.modality,
        "learned": learned,
        "missing": column.missing,
        "distinct": column.distinct,
        "classes": target_classes(column) if column.role == "target" else 0,
        "gathered": column.gathered.how if column.gathered else "",
    }


def _network(plan: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "trunk": plan["trunk"],
        **plan["trunk_options"],
        "token width": plan["width"],
        "encoders": dict(plan["encoders"]),
        "networks": plan.get("networks", 1),
    }


def _signature(files: Mapping[str, bytes]) -> dict[str, Any] | None:
    if manifest.SIGNATURE not in files:
        return None
    found = signature_schema.check(files, manifest.SIGNATURE)
    return {"key": found.key.hex(), "signed": found.signed}


def _count(dims: Sequence[int]) -> int:
    count = 1
    for size in dims:
        count *= size
    return count
