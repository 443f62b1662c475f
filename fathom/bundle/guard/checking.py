"""Every file of a bundle is looked at by rules of our own before the library that reads it: JSON, weights, graph, samples."""

from collections.abc import Mapping

from fathom.bundle import manifest
from fathom.bundle.guard import graphs, schema, signature_schema, tensors
from fathom.bundle.guard.graphs import Graph
from fathom.bundle.guard.strict_json import parse

MOST_SAMPLES = 1_000
_CELL = schema.any_of([schema.number(), schema.truth, schema.maybe(schema.text(1 << 22))])
_ROW = schema.mapping(_CELL, schema.text(1 << 16))
_SAMPLES = schema.items(schema.record({"row": _ROW, "answer": _ROW}), MOST_SAMPLES)


def check_contents(files: Mapping[str, bytes], where: str = "") -> Graph:
    """Return the graph of a bundle whose manifest holds. Raises BundleError, with the file below ``where``, for content that a bundle may not have.

    What `model.json` says is looked at where it is used: `fathom.bundle.description`.
    """
    before = f"{where}: " if where else ""
    _SAMPLES(parse(files["samples.json"], f"{before}samples.json"), f"{before}samples.json")
    for name in manifest.OPTIONAL:
        if name in files and name.endswith(".json"):
            schema.mapping(schema.anything)(parse(files[name], before + name), before + name)
    if manifest.SIGNATURE in files:
        signature_schema.check(files, before + manifest.SIGNATURE)
    for name in files:
        if name.endswith(".safetensors"):
            tensors.check(files[name], before + name)
    name = manifest.graph_name(files)
    return graphs.check(files[name], before + name)
