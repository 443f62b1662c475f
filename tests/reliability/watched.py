"""Load hostile bundles while every event of the interpreter is watched: `python -m tests.reliability.watched SEED FULL OUT`, in a process of its own."""

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import onnxruntime

import fathom
from fathom.bundle import manifest
from fathom.errors import BundleError, FathomError
from tests.reliability import hostile

SECONDS = 5
MEMORY = 1 << 30
NEVER = (
    "exec", "compile", "import", "pickle.find_class", "marshal.loads", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.remove", "os.rename", "os.mkdir", "os.link",
    "os.symlink", "os.truncate", "subprocess.Popen", "socket.connect", "socket.__new__", "socket.bind", "ctypes.dlopen", "tempfile.mkstemp", "shutil.copyfile", "urllib.Request",
)  # fmt: skip
MEMBERS = {manifest.NAME, manifest.SIGNATURE, *manifest.REQUIRED, *manifest.OPTIONAL, *manifest.NETWORKS}

watching: Path | None = None
events: list[str] = []


def hook(event, arguments):
    if watching is None:
        return
    if event in NEVER:
        events.append(f"{event} {str(arguments)[:200]}")
    elif event == "open":
        path, mode, flags = arguments
        inside = isinstance(path, int) or str(path) in MEMBERS or str(path).startswith(str(watching))
        writes = (isinstance(mode, str) and set(mode) & set("wax+")) or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if not inside or writes:
            events.append(f"open {path} {mode} {flags}")


def tree(folder):
    return sorted((str(path), path.lstat().st_mode, path.lstat().st_size) for path in folder.rglob("*"))


def too_long(*_):
    raise TimeoutError


def main(seed, full, out):
    global watching
    asked = []
    opened = onnxruntime.InferenceSession

    def session(*arguments, **options):
        asked.append(1)
        return opened(*arguments, **options)

    onnxruntime.InferenceSession = session
    for bundle in ("table-network", "table-trees"):
        fathom.load(hostile.BUNDLES / bundle)  # what loading imports once is imported
    sys.addaudithook(hook)
    signal.signal(signal.SIGPROF, too_long)  # seconds of the processor: neighbours do not count
    signal.signal(signal.SIGALRM, too_long)
    found = []
    with tempfile.TemporaryDirectory() as room:
        for case in hostile.every(random.Random(seed), full):
            folder = Path(room) / "case"
            folder.mkdir()
            path = case.write(folder)
            before = tree(folder)
            asked.clear()
            events.clear()
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            began = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.alarm(20 * SECONDS)
            watching = folder
            try:
                fathom.load(path)
                outcome, message = "loaded", ""
            except BundleError as error:
                outcome, message = "refused", str(error)
            except FathomError as error:
                outcome, message = "refused otherwise", str(error)
            except TimeoutError:
                outcome, message = "hung", ""
            except BaseException as error:
                outcome, message = f"raised {type(error).__name__}", str(error)[:300]
            finally:
                watching = None
                signal.setitimer(signal.ITIMER_PROF, 0)
                signal.alarm(0)
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used
            found.append(
                {
                    "row": case.row,
                    "name": case.name,
                    "outcome": outcome,
                    "message": message[:400],
                    "events": list(events),
                    "asked": len(asked),
                    "seconds": time.process_time() - began,
                    "megabytes": grown / 1024,
                    "changed": tree(folder) != before,
                }
            )
            shutil.rmtree(folder)
    Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (3 * MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    main(int(sys.argv[1]), sys.argv[2] == "full", sys.argv[3])
