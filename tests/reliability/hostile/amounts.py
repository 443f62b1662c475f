"""Bundles that are too much of something (row C6)."""

import itertools
import json
import os
from collections.abc import Iterator

from fathom.bundle import manifest
from fathom.bundle.packing import packed
from tests.reliability.hostile.making import Case, changed, files_of, laid, one_file, with_file


def bombs() -> Iterator[Case]:
    files = files_of()

    def claimed(name: str, size: int) -> dict[str, bytes]:
        said = json.loads(files[manifest.NAME])
        said["files"][name]["bytes"] = size
        return {**files, manifest.NAME: manifest.dump(said)}

    for name, size in itertools.product(
        ("model.json", "network.onnx", "weights.safetensors"), (0, 1, 2**33, 2**60, 2**63, -1)
    ):
        yield Case("C6", f"{name} claims {size}", laid(claimed(name, size)))
    for name in ("model.json", "network.onnx"):
        size = 5 * 2**30
        yield Case(
            "C6",
            f"{name} of 5 GiB",
            changed(laid(claimed(name, size)), lambda path, name=name, size=size: os.truncate(path / name, size)),
        )
        yield Case("C6", f"{name} grows", changed(laid(files), lambda path, name=name: os.truncate(path / name, 2**32)))
    yield Case("C6", "a manifest of 1 GiB", changed(laid(files), lambda path: os.truncate(path / manifest.NAME, 2**30)))
    deep = b"[" * 10**6 + b"]" * 10**6
    for name in ("model.json", "samples.json", "scores.json"):
        yield Case("C6", f"{name} 10^6 deep", with_file(name, deep))
        yield Case("C6", f"{name} not closed", with_file(name, b"[" * 10**5))
        yield Case("C6", f"{name} with a number of 10^6 digits", with_file(name, b'{"x": ' + b"9" * 10**6 + b"}"))
        yield Case("C6", f"{name} with 1e999", with_file(name, b'{"x": 1e999}'))
        yield Case("C6", f"{name} with half a character", with_file(name, b'{"x": "\\ud800"}'))
        yield Case("C6", f"{name} twice a key", with_file(name, b'{"x": 1, "x": 1}'))
    yield Case(
        "C6", "a sparse file of 5 GiB", changed(one_file(packed(files)), lambda path: os.truncate(path, 5 * 2**30))
    )
