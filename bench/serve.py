"""Measures what serving costs: raw ONNX Runtime in a loop, Fathom in process, Fathom over HTTP, and a service written by hand, in one run on one network.

::

    python -m bench.serve --peer .venv-service/bin/python --json bench/results/serve.json

A table of 12 numbers and 8 categories is planted, a network of the default kind is fitted to it for a few epochs, and everything answers with that network, one thread each:

* ``raw``: `InferenceSession.run` on arrays that are encoded already, one row; ``predict_one``: `Model.predict_one` on dictionaries, every row another. Medians of 3,000, in turn.
* ``http``: ``fathom serve`` with one worker and logs off, and ``bench/plain_service.py`` under ``--peer`` (an interpreter with fastapi and torch); 64 clients in one process of their own
  (`bench/load.py`), each with one row a request. The servers run one after the other, three times in turn; the ratio is the median of the three.
* ``overload``: ten times as many clients as the queue is long, with a deadline of half a second: what is accepted is answered in time, all else is refused.
* ``memory``: resident bytes after 20,000 requests, and after as many as fit into the runs that follow. ``start``: seconds from starting the command until ``/health/ready`` says so, of what ``install`` installed where that is there.
* ``install``: packages and megabytes of ``pip install fathom-learn[serve]`` in an empty environment, where ``--install`` is given.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "bench" / "cache" / "serve"
NUMBERS, WORDS, LEVELS, ROWS = 12, 8, 12, 6_000
ONCE = 3_000
OVERLOADED = 200  # clients
MOST_RATIO, MOST_MILLISECONDS, LEAST_GAIN, MOST_START = 1.3, 0.3, 3.0, 1.5
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def planted(rows: int, seed: int = 0) -> dict[str, Any]:
    """Return a table of numbers and words, and whether a rule on some of them holds."""
    generator = np.random.default_rng(seed)
    numbers = generator.normal(size=(rows, NUMBERS)) * np.geomspace(0.5, 50, NUMBERS)
    words = generator.integers(0, LEVELS, (rows, WORDS))
    score = numbers[:, 0] / numbers[:, 0].std() + (words[:, 0] < 4) + generator.normal(size=rows) * 0.5
    table: dict[str, Any] = {f"number_{place}": numbers[:, place].round(4).tolist() for place in range(NUMBERS)}
    table |= {f"word_{place}": [f"level {level}" for level in words[:, place]] for place in range(WORDS)}
    return {**table, "outcome": ["high" if value > 0.5 else "low" for value in score]}


def prepare() -> Path:
    """Fit the network once; later runs find it."""
    import fathom
    from fathom.baselines import constant

    folder = CACHE
    if not (folder / "run" / "bundle").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        fathom.fit(planted(ROWS), "outcome", keep="network", epochs=3, baselines=(constant,), out=folder / "run")
    model = fathom.load(folder / "run")
    rows = rows_of(2_000, 1)
    (folder / "one.jsonl").write_text("\n".join(json.dumps({"rows": [row]}) for row in rows))
    (folder / "plain.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    several = [json.dumps({"rows": rows[place : place + 64]}) for place in range(0, 1_900, 7)]
    (folder / "several.jsonl").write_text("\n".join(several))
    inputs = [column for column in model.columns if column.role == "input"]
    numbers = [(c.name, c.state.landmarks, c.state.scores) for c in inputs if c.modality == "number"]
    words = [(c.name, [(w, k + 2) for k, w in enumerate(c.state.words)]) for c in inputs if c.modality == "category"]
    plan = {"numbers": numbers, "words": words, "classes": ["high", "low"]}
    (folder / "columns.json").write_text(json.dumps(plan))
    return folder


def rows_of(count: int, seed: int) -> list[dict[str, Any]]:
    """Return rows as clients send them."""
    table = planted(count, seed)
    del table["outcome"]
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def in_process(folder: Path) -> dict[str, float]:
    """Time raw ONNX Runtime and `Model.predict_one` in turn; milliseconds."""
    import fathom

    model = fathom.load(folder / "run", threads=1)
    rows = rows_of(ONCE, 2)
    encoded = [model._quick.encode([row]) for row in rows]
    session = model.inference.session
    raw, whole = [], []
    for row, arrays in zip(rows, encoded, strict=True):
        start = time.perf_counter()
        session.run(None, arrays)
        middle = time.perf_counter()
        model.predict_one(row)
        raw.append(middle - start)
        whole.append(time.perf_counter() - middle)
    raw, whole = sorted(raw[500:]), sorted(whole[500:])
    tenth = len(raw) // 10  # what a machine without neighbours would show
    return {
        "raw_ms": statistics.median(raw) * 1e3,
        "predict_one_ms": statistics.median(whole) * 1e3,
        "raw_fastest_tenth_ms": raw[tenth] * 1e3,
        "predict_one_fastest_tenth_ms": whole[tenth] * 1e3,
    }


class Served:
    """A server in a process of its own, until the end of a ``with``."""

    def __init__(self, command: list[str], ready: str, installed: bool = False) -> None:
        self.port = _free_port()
        own = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE") if installed else ()  # an installed package has its bytecode
        self.environment = {name: value for name, value in ENVIRONMENT.items() if name not in own}
        self.folder = CACHE if installed else ROOT
        self.command = [word.replace("PORT", str(self.port)) for word in command]
        self.ready = ready

    def __enter__(self) -> "Served":
        start = time.perf_counter()
        self.process = subprocess.Popen(
            self.command, cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}{self.ready}", timeout=1)
                break
            except OSError:
                if self.process.poll() is not None or time.perf_counter() - start > 120:
                    raise SystemExit(f"{' '.join(self.command)} did not start.") from None
                time.sleep(0.01)
        self.seconds = time.perf_counter() - start
        return self

    def __exit__(self, *ended: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    @property
    def megabytes(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / 2**20

    @property
    def cpu_seconds(self) -> float:
        """Processor time that the server has taken, which neighbours on the machine do not change."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def counters(self) -> dict[str, float]:
        """What the server tells of its model."""
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics").read().decode()
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if 'model="run"' in line]
        return {name: float(value) for name, value in lines}

    def load(self, requests: Path, **options: Any) -> dict[str, Any]:
        """Let many clients ask."""
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "bench.load", "--port", str(self.port), "--requests", str(requests), *words]
        before = self.cpu_seconds
        done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=True)
        found = dict(json.loads(done.stdout))
        return {**found, "cpu_ms": round((self.cpu_seconds - before) * 1e3 / max(1, found["sent"]), 4)}


def fathom_server(folder: Path, *more: str, python: str = sys.executable) -> Served:
    """Return ``fathom serve``, which neither logs nor records unless it is told to; of another environment where ``python`` is its interpreter."""
    words = f"-m fathom serve {folder / 'run'} --port PORT --log off --record off --threads 1".split()
    return Served([python, *words, *more], "/health/ready", installed=python != sys.executable)


def over_http(folder: Path, peer: str | None, seconds: float, rounds: int = 3) -> dict[str, Any]:
    """Let 64 clients ask Fathom and the service by hand, in turn."""
    found: dict[str, list[dict[str, Any]]] = {"fathom": [], "by_hand": [], "logged_and_recorded": []}
    memory = []
    for _ in range(rounds):
        with fathom_server(folder) as served:
            found["fathom"].append(served.load(folder / "one.jsonl", clients=64, seconds=seconds))
            memory.append(served.megabytes)
        if peer is None:
            continue
        with Served([peer, "-m", "bench.plain_service", str(folder), "PORT"], "/docs") as served:
            found["by_hand"].append(served.load(folder / "plain.jsonl", clients=64, seconds=seconds))
    with fathom_server(folder, "--log", "all", "--record", str(folder / "requests.sqlite")) as served:
        found["logged_and_recorded"].append(served.load(folder / "one.jsonl", clients=64, seconds=seconds))
    for name, runs in found.items():
        print(name, [(run["per_second"], run["cpu_ms"]) for run in runs], flush=True)
    gains = [a["per_second"] / b["per_second"] for a, b in zip(found["fathom"], found["by_hand"], strict=False)]
    return {**found, "gains": gains, "megabytes": memory}


def overloaded(folder: Path, seconds: float) -> dict[str, Any]:
    """Ask for ten times what is answered, 64 rows a request, with a deadline of half a second.

    The clients share the processors with the server, so that answers are also counted for each second of the server's processor time (``goodput``), and times are the server's own, too: ``late`` are answers
    that left it after the deadline.
    """
    with fathom_server(folder, "--deadline", "0.5", "--waiting", "2048") as served:
        peak = served.load(folder / "several.jsonl", clients=6, seconds=seconds, pause=0.02)
        before = served.counters()
        pause = OVERLOADED / (10 * peak["per_second"])
        hard = served.load(folder / "several.jsonl", clients=OVERLOADED, seconds=seconds, pause=round(pause, 3))
        counted = {name: value - before.get(name, 0.0) for name, value in served.counters().items()}
        after = served.load(folder / "several.jsonl", clients=6, seconds=max(2.0, seconds / 3), pause=0.02)
    inside = counted['fathom_request_seconds_bucket{model="run",le="0.5"}']
    late = counted['fathom_request_seconds_count{model="run"}'] - inside - counted['fathom_late_total{model="run"}']
    costs = [one["cpu_ms"] * one["sent"] / max(1, one["answers"].get("200", 0)) for one in (peak, hard)]
    return {"peak": peak, "overload": hard, "after": after, "late": late, "goodput": costs[0] / costs[1]}


def memory(folder: Path, seconds: float) -> dict[str, float]:
    """Return the resident megabytes after a warm-up, and after much more."""
    with fathom_server(folder) as served:
        served.load(folder / "one.jsonl", clients=64, seconds=seconds)
        before = served.megabytes
        for _ in range(3):
            served.load(folder / "one.jsonl", clients=64, seconds=seconds)
        return {"warm_mb": before, "later_mb": served.megabytes}


def started(folder: Path, times: int = 5) -> dict[str, list[float]]:
    """Return the seconds of several starts, and those of the processor: of the installed package (`installed`) where there is one, else of these sources.

    What else an environment holds is loaded, too: Arrow imports pandas wherever it finds it, a quarter of a second.
    """
    own = folder / "install" / "bin" / "python"
    python = str(own) if own.is_file() else sys.executable
    found: dict[str, list[float]] = {"seconds": [], "cpu_seconds": []}
    with fathom_server(folder, python=python):
        pass  # the first start of all reads from the disk, and writes bytecode
    for _ in range(times):
        with fathom_server(folder, python=python) as served:
            found["cpu_seconds"].append(served.cpu_seconds)
            found["seconds"].append(round(served.seconds, 3))
    return found


def installed(folder: Path) -> dict[str, Any]:
    """Install the extra ``serve`` into an empty environment; packages beside NumPy and ONNX Runtime, and their megabytes."""
    place = folder / "install"
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(place)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "install", "-q", "--no-compile"]
    subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), f"{ROOT}[serve]"], check=True)
    site = next(place.glob("lib/python*/site-packages"))
    sizes = {
        path.name: sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 2**20
        for path in site.iterdir()
    }
    names = sorted(path.name.split("-")[0] for path in site.glob("*.dist-info"))
    besides = [name for name in names if name not in ("numpy", "onnxruntime", "fathom_learn")]
    largest = sorted(sizes.items(), key=lambda pair: -pair[1])[:6]
    return {
        "packages": besides,
        "mb": sum(sizes.values()),
        "mb_beside_numpy_onnxruntime": sum(
            mb for name, mb in sizes.items() if not name.startswith(("numpy", "onnxruntime"))
        ),
        "largest": {name: round(mb, 1) for name, mb in largest},
    }


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="an interpreter with fastapi, uvicorn and torch")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run over HTTP")
    parser.add_argument("--install", action="store_true", help="also measure the installation")
    parser.add_argument("--only", choices=("process", "http", "overload", "memory", "start", "install"))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    folder = prepare()
    parts = {
        "process": lambda: in_process(folder),
        "http": lambda: over_http(folder, given.peer, given.seconds),
        "overload": lambda: overloaded(folder, given.seconds),
        "memory": lambda: memory(folder, given.seconds),
        **({"install": lambda: installed(folder)} if given.install else {}),
        "start": lambda: started(folder),
    }
    report = {name: part() for name, part in parts.items() if given.only in (None, name)}
    for name, part in report.items():
        print(f"{name}: {json.dumps(part)}")
    if given.json:
        given.json.write_text(json.dumps(report, indent=1) + "\n")
    claims = list(_claims(report))
    for kept, words in claims:
        print(f"{'kept  ' if kept else 'BROKEN'} {words}")
    sys.exit(0 if all(kept for kept, _ in claims) else 1)


def _claims(report: dict[str, Any]) -> Any:
    if "process" in report:
        raw, whole = report["process"]["raw_ms"], report["process"]["predict_one_ms"]
        yield (
            whole <= MOST_RATIO * raw,
            f"one row in process: {whole:.3f} ms, raw {raw:.3f} ms, {whole / raw:.2f} times",
        )
        yield whole <= MOST_MILLISECONDS, f"one row in process takes {whole:.3f} ms, at most {MOST_MILLISECONDS}"
    if report.get("http", {}).get("gains"):
        gain = statistics.median(report["http"]["gains"])
        yield gain >= LEAST_GAIN, f"64 clients: {gain:.2f} times the answers of the service by hand"
        ours, theirs = (
            statistics.median(one["cpu_ms"] for one in report["http"][who]) for who in ("fathom", "by_hand")
        )
        yield theirs >= LEAST_GAIN * ours, f"processor time of a request: {ours:.3f} ms, by hand {theirs:.3f} ms"
    if "overload" in report:
        found = report["overload"]
        answered = found["overload"]["answers"].get("200", 0)
        yield (
            found["late"] <= 0.01 * answered,
            f"overload: {found['late']:.0f} of {answered} answers left after the deadline",
        )
        yield found["goodput"] >= 0.8, f"overload: {found['goodput']:.2f} of the peak's answers a processor second"
    if "memory" in report:
        before, after = report["memory"]["warm_mb"], report["memory"]["later_mb"]
        yield after <= before * 1.05, f"memory: {before:.0f} MB warm, {after:.0f} MB later"
    if "start" in report:
        start, busy = (statistics.median(report["start"][name]) for name in ("seconds", "cpu_seconds"))
        yield start <= MOST_START, f"start: {start:.2f} s, of the processor {busy:.2f} s"


if __name__ == "__main__":
    main()
