"""What the process of a server does to take little memory: what large requests took goes back to the system, and pandas stays where it is.

glibc takes large pieces from the system and gives each back as soon as it is free; but with the first that it gives back it raises the size from which a piece is large to that of this one, up to 32 MB (mallopt(3),
`M_MMAP_THRESHOLD`), and does the same with what it keeps at the end of its heaps. Bodies of some megabytes then lie in the heaps among small things that stay, and leave holes behind. A size that is set stays.
"""

import ctypes
import os
import sys

LARGE = 128 << 10  # bytes, with which glibc begins: a page of the system for each 4 kB costs less than the holes
TRIM, MAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
_SET_BY_HAND = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")


def give_back() -> bool:
    """Tell the C library of this process to give large pieces back; say whether it does. What stands in its own variables of the environment goes before, and other C libraries are left as they are."""
    if sys.platform != "linux" or any(name in os.environ for name in _SET_BY_HAND):
        return False
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    return tell is not None and all([tell(MAP, LARGE), tell(TRIM, LARGE)])


class _Nowhere:
    """A finder that says of pandas that it is not installed."""

    def find_spec(self, name: str, *where: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def leave_pandas_out() -> None:
    """Let Arrow look for pandas in vain: it does so once, at the first Python list that it is given, to know frames by their looks. Nobody sends a server one, and pandas is 30 MB and a sixth of a second."""
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    nowhere = _Nowhere()
    sys.meta_path.insert(0, nowhere)
    try:
        pa.array([""])
    finally:
        sys.meta_path.remove(nowhere)
