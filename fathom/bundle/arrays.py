"""Arrays as safetensors and back with NumPy alone, for what a server must read.

Source: the format, https://huggingface.co/docs/safetensors/index#format: eight bytes of length, a JSON header with each array's type, shape and place, and the numbers end to end.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.bundle.guard import tensors

KINDS = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U8": "|u1"}

Arrays = dict[str, npt.NDArray[Any]]


def write(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return arrays as safetensors, in the order of their names.

    >>> read(write({"middle": np.array([1.5, 2.5])}), "x")["middle"].tolist()
    [1.5, 2.5]
    """
    names = {np.dtype(kind): name for name, kind in KINDS.items()}
    header, pieces, place = {}, [], 0
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        content = array.tobytes()
        header[name] = {
            "dtype": names[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [place, place + len(content)],
        }
        pieces.append(content)
        place += len(content)
    head = json.dumps(header, sort_keys=True).encode()
    head += b" " * (-len(head) % 8)
    return b"".join([len(head).to_bytes(8, "little"), head, *pieces])


def read(content: bytes, file: str) -> Arrays:
    """Return the arrays of safetensors, checked by the rules of `fathom.bundle.guard.tensors`. Raises BundleError naming ``file`` when it breaks one."""
    tensors.check(content, file)
    length = int.from_bytes(content[:8], "little")
    header, body = json.loads(content[8 : 8 + length]), memoryview(content)[8 + length :]
    return {
        name: np.frombuffer(body[slice(*entry["data_offsets"])], tensors.KINDS[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in header.items()
    }
