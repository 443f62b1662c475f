"""Bytes that were changed (row C7), and hostile words at every place where a bundle holds words (row C8)."""

import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

from fathom.bundle import manifest
from fathom.bundle.packing import packed
from tests.reliability.hostile.making import Case, files_of, laid, one_file, remade

PAYLOADS = (
    "os.system", "builtins.eval", "__import__('os').system('id')", "posix.system", "../../../etc/passwd", "/etc/passwd", "C:\\x", "torch.nn.Module", "{{7*7}}", "$(id)",
    "file:///etc/passwd", "http://127.0.0.1:1/x", "\u202eevil", "a\u0000b", "‮", "\ufeff", "𝒳", "<script>alert(1)</script>", "' OR 1=1 --", "%s%s%n", "NaN", "null", "-1", "x" * 5_000,
)  # fmt: skip


# Words of the user's own table, which name nothing: any text may stand there.
FREE = {"name", "column", "reason", "examples", "words", "prefix", "suffix", "decimal", "thousands", "no", "yes"}


def tampered(chance: random.Random, full: bool) -> Iterator[Case]:
    for folder in (True, False):
        for name, content in sorted((files_of() if folder else {"": packed(files_of())}).items()):
            count = len(content) if full and len(content) < 5_000 else min(len(content), 400 if full else 8)
            for place in sorted(chance.sample(range(len(content)), count)):
                odd = bytearray(content)
                odd[place] ^= chance.randrange(1, 256)
                write = laid({**files_of(), name: bytes(odd)}) if folder else one_file(bytes(odd))
                yield Case("C7", f"byte {place} of {name or 'the file'}", write)
    for one, other in itertools.permutations(("model.json", "samples.json", "network.onnx", "weights.safetensors"), 2):
        yield Case("C7", f"{other} for {one}", laid({**files_of(), one: files_of()[other]}))
    other = files_of("table-trees")
    for name in ("model.json", "samples.json", "manifest.json"):
        yield Case("C7", f"{name} of another bundle", laid({**files_of(), name: other[name]}))


def strings(chance: random.Random, full: bool) -> Iterator[Case]:
    for bundle in ("table-network", "table-trees"):
        said = json.loads(files_of(bundle)["model.json"])
        leaves = list(texts(said, ()))
        for where in leaves:
            free = (
                (any(key in FREE for key in where) and where[0] == "columns")
                or where[-1] in ("column",)
                or ("plan" in where and where[-1] == "name")
            )
            for payload in PAYLOADS if full else chance.sample(PAYLOADS, 1):
                copy = json.loads(files_of(bundle)["model.json"])
                at = copy
                for key in where[:-1]:
                    at = at[key]
                at[where[-1]] = payload
                content = manifest.dump(copy)
                files = remade({**files_of(bundle), "model.json": content})
                label = ".".join(map(str, where))
                yield Case("C8 free" if free else "C8", f"{label} is {payload[:30]!r}", laid(files))
        for where in objects(said, ()):
            copy = json.loads(files_of(bundle)["model.json"])
            at = copy
            for key in where:
                at = at[key]
            at["__reduce__"] = "os.system"
            yield Case(
                "C8",
                f"a key more in {'.'.join(map(str, where))}",
                laid(remade({**files_of(bundle), "model.json": manifest.dump(copy)})),
            )


def texts(value: Any, where: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str):
        yield where
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from texts(item, (*where, key))


def objects(value: Any, where: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        yield where
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from objects(item, (*where, key))
