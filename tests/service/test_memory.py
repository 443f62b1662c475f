import os
import subprocess
import sys

import pytest

# How much memory comes from the system itself when 4 MB are asked for after 8 MB were given back: glibc alone puts them into its heap, where they leave a hole.
PROGRAM = """
import ctypes, sys
from fathom.service.host.memory import give_back
library = ctypes.CDLL(None)
class Told(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]
library.mallinfo2.restype = Told
said = give_back() if sys.argv[1] == "told" else False
large = bytes(8 << 20)
del large
before = library.mallinfo2().hblkhd
kept = bytes(4 << 20)
print(said, library.mallinfo2().hblkhd - before >= 4 << 20)
"""


def told(word, **environment):
    every = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", PROGRAM, word], capture_output=True, text=True, env=every, check=False)
    if "mallinfo2" in done.stderr:
        pytest.skip("the C library is not glibc 2.33 or later")
    return done.stdout.split()


def test_memory_of_a_large_request_goes_back_to_the_system():
    assert told("told") == ["True", "True"]
    assert told("not") == ["False", "False"]


def test_what_the_environment_says_of_memory_goes_before():
    assert told("told", MALLOC_MMAP_THRESHOLD_="33554432") == ["False", "False"]


def test_a_server_loads_no_pandas_and_leaves_it_to_whoever_asks(late_bundle):
    """Arrow loads it at the first list that it sees; who imports it, gets it."""
    program = (
        "import sys; from fathom.service.host.memory import leave_pandas_out; leave_pandas_out(); from pathlib import Path; "
        "from fathom.service.host.hosting import Host; Host({'late': Path(sys.argv[1])}); assert 'pandas' not in sys.modules; "
        "import pandas, pyarrow; print(pyarrow.table({'a': [1]}).to_pandas().a[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(late_bundle)], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("1", "")
