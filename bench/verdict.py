"""Checks that the verdict is honest: on tables whose truth was planted, is the answer the right one?

The claims, over ``bench/planted.py``'s four kinds of table at effort quick:

* at most 2 % of all answers are wrong: "worth it" where a network is no better, or "not worth it" where only a network can
  win ("cannot tell yet" is never wrong);
* at least 95 % are right, or "cannot tell yet";
* not merely not wrong but right are at least 90 % where only a network can win, half where there is nothing to gain (kinds ``linear``
  and ``nothing``), and 40 % where trees win: by so little, over Fathom's network, that a few hundred test rows often cannot tell.

::

    python -m bench.verdict --count 40 --json bench/results/verdict.json

Two processes with one thread each. Prints the table of answers by kind and every wrong answer; exits with 1 when a claim fails.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from bench.planted import KINDS, PER_KIND, TOLERATED, Kind, planted

ANSWERS = ("worth it", "not worth it", "cannot tell yet")
MOST_WRONG = 0.02
LEAST_RIGHT: dict[Kind, float] = {"network": 0.9, "linear": 0.5, "trees": 0.4, "nothing": 0.5}
PROCESSES = 2

Row = dict[str, Any]


def judge(kind: Kind, index: int, effort: str, trunk: str) -> Row:
    """Fit one planted table and return what the verdict said, beside what is true."""
    import fathom

    table = planted(kind, index)
    started = time.perf_counter()
    model = fathom.fit(table.arrow, table.target, effort=effort, trunk=trunk, threads=1)
    assert model.result is not None
    verdict = model.result["verdict"]
    return {
        "kind": kind,
        "index": index,
        "truth": table.truth,
        "right": table.right,
        "answer": verdict["answer"],
        "relative": verdict["relative"],
        "sentence": verdict["sentence"],
        "shipped": model.result["shipped"],
        "rows": table.arrow.num_rows,
        "seconds": time.perf_counter() - started,
    }


def is_wrong(row: Row) -> bool:
    return row["answer"] not in (row["right"], TOLERATED)


def report(rows: list[Row], broken: list[str]) -> bool:
    """Print the answers by kind, the wrong ones, and whether each claim holds. Returns whether all do."""
    print(f"\n{'kind':<10}{''.join(f'{answer:>18}' for answer in ANSWERS)}{'wrong':>9}{'right':>9}")
    holds = {"every table was judged": not broken}
    for kind in KINDS:
        mine = [row for row in rows if row["kind"] == kind]
        if not mine:
            continue
        counts = [sum(row["answer"] == answer for row in mine) for answer in ANSWERS]
        wrong, right = (
            sum(map(test, mine)) / len(mine) for test in (is_wrong, lambda row: row["answer"] == row["right"])
        )
        print(f"{kind:<10}{''.join(f'{count:>18}' for count in counts)}{wrong:>9.1%}{right:>9.1%}")
        holds[f"{kind}: at least {LEAST_RIGHT[kind]:.0%} right"] = right >= LEAST_RIGHT[kind]
    wrong_rows = [row for row in rows if is_wrong(row)]
    share = len(wrong_rows) / max(1, len(rows))
    holds[f"at most {MOST_WRONG:.1%} wrong ({len(wrong_rows)} of {len(rows)}, {share:.1%})"] = share <= MOST_WRONG
    for row in wrong_rows:
        print(f"\nWRONG {row['kind']} {row['index']} ({row['truth']}, {row['rows']} rows): {row['sentence']}")
    for sentence in broken:
        print(f"\nBROKEN {sentence}")
    print()
    for claim, held in holds.items():
        print(f"{'pass' if held else 'FAIL'}  {claim}")
    print(f"{sum(row['seconds'] for row in rows) / max(1, len(rows)):.1f} s a table")
    return all(holds.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=PER_KIND, help=f"tables of each kind, at most {PER_KIND}")
    parser.add_argument("--first", type=int, default=0, help="index of the first (0)")
    parser.add_argument("--kinds", default=",".join(KINDS), help="names with commas between (all)")
    parser.add_argument("--effort", default="quick", choices=("quick", "standard", "thorough"))
    parser.add_argument("--trunk", default="tabm", help="tabm, mlp or transformer (tabm)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every answer")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # inherited by the workers, which load their libraries after it is set
    indices = range(options.first, min(PER_KIND, options.first + options.count))
    asked = [(kind, index) for index in indices for kind in KINDS if kind in options.kinds.split(",")]
    rows: list[Row] = []
    broken: list[str] = []
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = {pool.submit(judge, kind, index, options.effort, options.trunk): (kind, index) for kind, index in asked}
        for job in as_completed(jobs):
            kind, index = jobs[job]
            if job.exception() is not None:
                broken.append(f"{kind} {index}: {type(job.exception()).__name__}: {job.exception()}")
                print(broken[-1], flush=True)
                continue
            row = job.result()
            rows.append(row)
            mark = "WRONG" if is_wrong(row) else "right" if row["answer"] == row["right"] else "  -  "
            print(f"{mark} {kind:<8}{index:>3} {row['seconds']:>6.1f} s  {row['sentence']}", flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(sorted(rows, key=lambda row: (row["kind"], row["index"])), indent=1))
    sys.exit(0 if report(rows, broken) else 1)


if __name__ == "__main__":
    main()
