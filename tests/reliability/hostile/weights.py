"""Headers of weights that lie (row C4), and pickles in their place (row C2)."""

import json
import struct
from collections.abc import Iterator
from typing import Any

from fathom.bundle import manifest
from tests.reliability.hostile.making import Case, files_of, laid, one_file, with_file


def headers() -> Iterator[Case]:
    """The 21 cases on which safetensors was measured, and those that NumPy would mind."""

    def tensors(header: Any, data: bytes = bytes(16), size: int | None = None) -> bytes:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(text) if size is None else size) + text + data

    def one(**more: Any) -> dict[str, Any]:
        return {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], **more}}

    two = {"a": one()["a"], "b": {"dtype": "F32", "shape": [4], "data_offsets": [8, 24]}}
    cases = {
        "header past the end": tensors(one(), size=10**6),
        "header of 2^64 - 1": tensors(one(), size=2**64 - 1),
        "header of 0": tensors(one(), size=0),
        "overlap": tensors(two, bytes(24)),
        "hole": tensors(one(data_offsets=[4, 20]), bytes(20)),
        "bytes behind": tensors(one(), bytes(17)),
        "negative offset": tensors(one(data_offsets=[-4, 12])),
        "reversed offsets": tensors(one(data_offsets=[16, 0])),
        "another shape": tensors(one(shape=[5])),
        "shape overflows": tensors(one(shape=[2**62, 2**62, 4])),
        "unknown kind": tensors(one(dtype="object")),
        "metadata that is no text": tensors({**one(), "__metadata__": {"x": 1}}),
        "metadata": tensors({**one(), "__metadata__": {"x": "os.system"}}),
        "100,000 deep": tensors(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        "a key twice": tensors(
            b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
        ),
        "does not begin with {": tensors(b" " + json.dumps(one()).encode()),
        "a name that climbs": tensors({"../../x": one()["a"]}),
        "a name with NUL": tensors({"a\u0000b": one()["a"]}),
        "NaN": tensors(one(), struct.pack("<4f", 1, float("nan"), 1, 1)),
        "infinite": tensors(one(), struct.pack("<4f", 1, float("inf"), 1, 1)),
        "100,000 empty tensors": tensors(
            {str(n): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(100_000)}, b""
        ),
        "too short": b"\x01",
        "not JSON": tensors(b"{'a': 1}"),
        "a list": tensors(b"[]", b""),
        "a key more": tensors(one(code="os.system")),
        "shape of truth": tensors(one(shape=[True, 4])),
        "shape of halves": tensors(one(shape=[4.0])),
        "NaN in the header": tensors(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,16]}}'),
        "a long name": tensors({"a" * 10_000: one()["a"]}),
        "nine axes": tensors(one(shape=[4] + [1] * 9)),
    }
    for name, content in cases.items():
        yield Case("C4", name, with_file(manifest.WEIGHTS, content))


def pickles() -> Iterator[Case]:
    """What runs when it is unpickled, under every name that a bundle has, and as a whole bundle."""
    bodies = {
        "protocol 0": b"cos\nsystem\n(S'touch pwned'\ntR.",
        "protocol 4": b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
        "builtins": b"c__builtin__\neval\n(S'1'\ntR.",
        "torch's zip": b"PK\x03\x04" + bytes(26) + b"archive/data.pkl",
        "numpy": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    }
    for name, body in bodies.items():
        for member in sorted(set(files_of()) - {manifest.NAME}):
            yield Case("C2", f"{name} as {member}", with_file(member, body))
        yield Case("C2", f"{name} as {manifest.NAME}", laid({**files_of(), manifest.NAME: body}))
        yield Case("C2", f"{name} as a whole bundle", one_file(body))
