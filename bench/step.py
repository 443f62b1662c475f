"""Checks that a training step of Fathom's loop costs what a hand-written one costs, also beside busy neighbours.

The claims, for the default network (``tabm``) and a plain one (``mlp``) on 20 numbers and 5 categories, batches of 256 and 2,048 rows:

* a step of ``fathom.training.loop.train`` takes at most 1.05 times that of a bare loop: same network, batches, fused AdamW and clipping, no running mean of
  the weights, no doctor, no learning rate, no clock;
* beside two busy processes a step takes at most 2.5 times what it takes without, with the threads that Fathom chooses itself.

::

    python -m bench.step --pairs 7 --json bench/results/step.json

Fathom and the bare loop run in turn in one process on one thread; each number is a median over the pairs, and a ratio is the median of the pairs' ratios. Also
printed: what the running mean of the weights costs, and the matrix products of a step alone. An epoch's end (validation, a copy of the weights) is no
part of a step and is kept out by long epochs and few validation rows. Exits with 1 when a claim fails.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.concluding import conclude

MOST_RATIO = 1.05
MOST_BUSY_RATIO = 2.5
BUSY = 2
TRUNKS = {
    "tabm": {"members": 8, "layers": 2, "width": 192, "dropout": 0.1},
    "mlp": {"layers": 2, "width": 192, "dropout": 0.1},
}
BATCHES = {256: 120, 2_048: 24}  # rows: steps of one run
NUMBERS, CATEGORIES, LEVELS, KNOTS = 20, 5, 20, 49
AVERAGING, RATE, DECAY, CLIP = 0.99, 4e-3, 1e-2, 1.0

Report = dict[str, Any]


def case(trunk: str, rows: int) -> tuple[Any, Any]:
    """Return a network and random rows for it."""
    import numpy as np
    import torch

    from fathom.networks.network import Network, NetworkPlan
    from fathom.shapes import Part
    from fathom.training.batching import as_batch

    random = np.random.default_rng(0)
    knots = tuple(np.linspace(-3, 3, KNOTS).tolist())
    inputs = (
        *(Part(f"number_{i}", "value", "scalar", knots=knots) for i in range(NUMBERS)),
        *(Part(f"category_{i}", "value", "code", codes=LEVELS) for i in range(CATEGORIES)),
    )
    torch.manual_seed(0)
    network = Network(NetworkPlan(inputs, (Part("price", "value", "scalar"),), trunk, 16, TRUNKS[trunk]))
    x = random.normal(size=(rows, NUMBERS)).astype(np.float32)
    arrays = {"scalar": x, "code": random.integers(0, LEVELS, (rows, CATEGORIES)).astype(np.int64)}
    price = (x[:, 0] + np.sin(x[:, 1]) + random.normal(size=rows)).astype(np.float32)
    return network, as_batch(arrays, {"price": price})


def fathom_step(trunk: str, batch: int, steps: int, averaging: float, threads: int | None = 1) -> tuple[float, int]:
    """Return the seconds of one step of Fathom's loop and the threads it took last."""
    import torch

    from fathom.training.loop import TrainingPlan, train
    from fathom.training.objectives import predict

    network, rows = case(trunk, batch * steps)
    plan = TrainingPlan(
        learning_rate=RATE, weight_decay=DECAY, batch_rows=batch, epochs=1, clip_norm=CLIP, averaging=averaging, threads=threads
    )  # fmt: skip
    started = time.perf_counter()
    history = train(network, rows, rows.take(torch.arange(64)), plan, predict)
    took = time.perf_counter() - started
    return took / steps, history.threads[-1].threads if history.threads else torch.get_num_threads()


def bare_step(trunk: str, batch: int, steps: int) -> float:
    """Return the seconds of one step of the loop that a careful person writes by hand."""
    import torch

    network, rows = case(trunk, batch * steps)
    weights = list(network.parameters())
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=DECAY, fused=True)
    scalars, codes, truth = rows.inputs["scalar"], rows.inputs["code"], rows.truth["price"]
    network.train()
    losses = []
    started = time.perf_counter()
    for chosen in torch.randperm(len(truth)).split(batch):
        output = network({"scalar": scalars[chosen], "code": codes[chosen]})["price"]
        loss = (output.squeeze(-1) - truth[chosen].unsqueeze(1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, CLIP)
        optimizer.step()
        losses.append(loss.detach())
    torch.stack(losses).mean().item()
    return (time.perf_counter() - started) / steps


def arithmetic_step(trunk: str, batch: int, steps: int) -> float:
    """Return the seconds of the matrix products of one step, forward and backward, and of nothing else."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    products: list[Callable[[], Any]] = []

    class Recorder(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
            if function.overloadpacket.__name__ in ("mm", "addmm", "bmm", "baddbmm"):
                products.append(lambda: function(*arguments, **(options or {})))
            return function(*arguments, **(options or {}))

    network, rows = case(trunk, batch)
    with Recorder():
        output = network(rows.inputs)["price"]
        (output.squeeze(-1) - rows.truth["price"].unsqueeze(1)).square().mean().backward()
    with torch.inference_mode():
        for product in products:
            product()
        started = time.perf_counter()
        for _ in range(steps):
            for product in products:
                product()
    return (time.perf_counter() - started) / steps


def compare(trunk: str, batch: int, pairs: int) -> Report:
    """Run Fathom's loop and the bare loop in turn, and return the medians in milliseconds and of the ratios."""
    import torch

    torch.set_num_threads(1)
    steps = BATCHES[batch]
    found: dict[str, list[float]] = {"fathom": [], "without mean": [], "bare": [], "arithmetic": []}
    for pair in range(pairs + 1):
        measured = {
            "fathom": fathom_step(trunk, batch, steps, AVERAGING)[0],
            "bare": bare_step(trunk, batch, steps),
            "without mean": fathom_step(trunk, batch, steps, 0.0)[0],
            "arithmetic": arithmetic_step(trunk, batch, steps),
        }
        for name, seconds in measured.items():
            if pair:  # the first warms up
                found[name].append(1e3 * seconds)
    ratios = {
        name: statistics.median(one / bare for one, bare in zip(found[name], found["bare"], strict=True))
        for name in found
    }
    medians = {name: statistics.median(times) for name, times in found.items()}
    return {"trunk": trunk, "batch": batch, "milliseconds": medians, "ratios": ratios, "pairs": pairs}


def spin(stop: Any) -> None:
    while not stop.is_set():
        sum(range(100_000))


def neighbours(trunk: str, batch: int, pairs: int) -> Report:
    """Time steps with the threads that Fathom chooses, without and beside busy processes, in turn."""
    steps = BATCHES[batch]
    found: dict[str, list[float]] = {"idle": [], "busy": []}
    threads: dict[str, list[int]] = {"idle": [], "busy": []}
    for _ in range(pairs):
        for state in found:
            stop = multiprocessing.Event()
            others = [multiprocessing.Process(target=spin, args=(stop,)) for _ in range(BUSY if state == "busy" else 0)]
            for other in others:
                other.start()
            time.sleep(0.2)
            seconds, count = fathom_step(trunk, batch, steps, AVERAGING, threads=None)
            stop.set()
            for other in others:
                other.join()
            found[state].append(1e3 * seconds)
            threads[state].append(count)
    ratio = statistics.median(busy / idle for busy, idle in zip(found["busy"], found["idle"], strict=True))
    medians = {state: statistics.median(times) for state, times in found.items()}
    return {"trunk": trunk, "batch": batch, "milliseconds": medians, "ratio": ratio, "threads": threads, "pairs": pairs}


def claims(compared: list[Report], beside: list[Report]) -> dict[str, bool]:
    """Return each claim, with its numbers, and whether it holds."""
    found = {}
    for one in compared:
        ratio, times = one["ratios"]["fathom"], one["milliseconds"]
        claim = f"{one['trunk']}, batch {one['batch']:,}: a step takes {ratio:.3f} times the bare loop's {times['bare']:.2f} ms"
        found[f"{claim} (at most {MOST_RATIO})"] = ratio <= MOST_RATIO
    for one in beside:
        times = one["milliseconds"]
        claim = f"{one['trunk']}, batch {one['batch']:,}: beside {BUSY} busy processes {one['ratio']:.2f} times {times['idle']:.2f} ms"
        found[f"{claim} (at most {MOST_BUSY_RATIO})"] = one["ratio"] <= MOST_BUSY_RATIO
    return found


def show(compared: list[Report], beside: list[Report]) -> None:
    print(
        f"{'trunk':<6}{'batch':>6}{'fathom':>10}{'no mean':>10}{'bare':>10}{'products':>10}  ms a step; times the bare loop:"
    )
    for one in compared:
        times, ratios = one["milliseconds"], one["ratios"]
        print(
            f"{one['trunk']:<6}{one['batch']:>6}"
            + "".join(f"{times[name]:>10.3f}" for name in ("fathom", "without mean", "bare", "arithmetic"))
            + f"  fathom {ratios['fathom']:.3f}, without the running mean {ratios['without mean']:.3f}, "
            f"products alone {ratios['arithmetic']:.3f}"
        )
    for one in beside:
        times = one["milliseconds"]
        print(
            f"{one['trunk']:<6}{one['batch']:>6}  idle {times['idle']:.3f} ms with {one['threads']['idle']} threads, "
            f"busy {times['busy']:.3f} ms with {one['threads']['busy']}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7, help="runs of each, in turn (7)")
    parser.add_argument("--trunks", default=",".join(TRUNKS), help="names with commas between (all)")
    parser.add_argument("--batches", default=",".join(map(str, BATCHES)), help="sizes with commas between (all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    options = parser.parse_args()
    # Quiet is part of the question: say how much else runs.
    print(f"load of the last minute {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    chosen = [(trunk, int(batch)) for trunk in options.trunks.split(",") for batch in options.batches.split(",")]
    beside = [neighbours(trunk, batch, max(3, options.pairs // 2)) for trunk, batch in chosen]
    compared = [compare(trunk, batch, options.pairs) for trunk, batch in chosen]
    show(compared, beside)
    found = claims(compared, beside)
    conclude(found, {"compared": compared, "beside": beside}, options.json)


if __name__ == "__main__":
    main()
