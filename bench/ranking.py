"""What the fits of ``bench/frontier.py`` come to: ranks, relative scores, times, and whether the claims hold."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

OURS = "fathom"
OTHERS = ("realmlp", "tabm")
NETWORKS = (OURS, *OTHERS)
CONSTANT = "constant"
TIME_SHARE = 0.5  # of the other network's CPU seconds

Fit = dict[str, Any]
Key = tuple[str, str, int]  # table, model, seed
Fits = dict[Key, Fit]


def latest(file: Path, parts: Mapping[str, str]) -> Fits:
    """Read the results, the last line of each fit; leave out those of other tables and of rows parted otherwise."""
    found: Fits = {}
    if file.exists():
        for line in file.read_text().splitlines():
            one = json.loads(line)
            if parts.get(one["table"]) == one["parts"]:
                found[one["table"], one["model"], one["seed"]] = one
    return found


def error(fit: Fit) -> float:
    """Return the metric that decides, lower is better: log loss or RMSE."""
    scores = fit["scores"]
    return float(scores["log_loss"] if "log_loss" in scores else scores["rmse"])


def seeds_of(fits: Fits, table: str, model: str) -> set[int]:
    """Return the seeds with which a model has finished a table."""
    return {seed for (name, one, seed), fit in fits.items() if (name, one) == (table, model) and "scores" in fit}


def tried(fits: Fits, table: str, model: str) -> bool:
    return any((name, one) == (table, model) for name, one, _ in fits)


def mean_errors(fits: Fits, table: str, seeds: Iterable[int]) -> dict[str, float]:
    """Return the mean error over these seeds of every model that has finished all of them, the constant left out."""
    seeds = set(seeds)
    models = {model for name, model, _ in fits if name == table and model != CONSTANT}
    return {
        model: mean(error(fits[table, model, seed]) for seed in seeds)
        for model in sorted(models)
        if seeds and seeds <= seeds_of(fits, table, model)
    }


def ranks(errors: Mapping[str, float]) -> dict[str, float]:
    """Return each model's place, 1 is the lowest error; equal ones share the mean of their places.

    >>> ranks({"a": 0.2, "b": 0.1, "c": 0.2})
    {'a': 2.5, 'b': 1.0, 'c': 2.5}
    """
    values = list(errors.values())
    return {
        name: 1 + sum(other < value for other in values) + (values.count(value) - 1) / 2
        for name, value in errors.items()
    }


def relative(errors: Mapping[str, float], worst: float) -> dict[str, float]:
    """Return how much of the constant's error each model removes, the best model's share being 1.

    >>> relative({"a": 0.5, "b": 0.75}, worst=1.0)
    {'a': 1.0, 'b': 0.5}
    """
    gain = worst - min(errors.values())
    return {name: (worst - value) / gain if gain > 0 else 1.0 for name, value in errors.items()}


def mean_ranks(fits: Fits, tables: Sequence[Any]) -> tuple[dict[str, float], int]:
    """Return each network's mean rank among the networks, and over how many tables: those that all of them have tried and ours has finished.

    A network whose fits of a table were all ended for taking too long comes last there.
    """
    places: dict[str, list[float]] = {name: [] for name in NETWORKS}
    for table in tables:
        done = {name: seeds_of(fits, table.name, name) for name in NETWORKS}
        if not done[OURS] or not all(tried(fits, table.name, name) for name in NETWORKS):
            continue
        finishing = [name for name in NETWORKS if done[name]]
        errors = mean_errors(fits, table.name, set.intersection(*(done[name] for name in finishing)))
        place = ranks({name: errors.get(name, float("inf")) for name in NETWORKS})
        for name in NETWORKS:
            places[name].append(place[name])
    return {name: mean(found) for name, found in places.items() if found}, len(places[OURS])


@dataclass(frozen=True)
class Pair:
    """Our network against another, over the tables and seeds that both have finished."""

    tables: int
    relative: float
    other_relative: float
    seconds: float
    other_seconds: float


def pair(fits: Fits, tables: Sequence[Any], other: str) -> Pair | None:
    """Compare our network with another one; ``None`` when there is no table that both have finished."""
    ours, theirs, seconds, other_seconds = [], [], 0.0, 0.0
    for table in tables:
        seeds = seeds_of(fits, table.name, OURS) & seeds_of(fits, table.name, other)
        errors = mean_errors(fits, table.name, seeds)
        if not errors or (table.name, CONSTANT, 0) not in fits:
            continue
        share = relative(errors, error(fits[table.name, CONSTANT, 0]))
        ours.append(share[OURS])
        theirs.append(share[other])
        seconds += sum(fits[table.name, OURS, seed]["cpu_seconds"] for seed in seeds)
        other_seconds += sum(fits[table.name, other, seed]["cpu_seconds"] for seed in seeds)
    return Pair(len(ours), mean(ours), mean(theirs), seconds, other_seconds) if ours else None


def claims(fits: Fits, tables: Sequence[Any]) -> dict[str, bool]:
    """Return each claim, with its numbers, and whether it holds."""
    groups = {"all": tables, "confirming": [table for table in tables if table.used_for == "confirming"]}
    found: dict[str, bool] = {}
    for group, members in groups.items():
        places, count = mean_ranks(fits, members)
        where = f"{group} tables ({count} of {len(members)})"
        told = ", ".join(f"{name} {place:.2f}" for name, place in places.items())
        best = min((places[name] for name in OTHERS if name in places), default=None)
        found[f"{where}: the best mean rank of the networks: {told or 'no table was tried by all'}"] = (
            best is not None and places[OURS] < best
        )
        for other in OTHERS:
            both = pair(fits, members, other)
            where = f"{group} tables ({both.tables if both else 0} of {len(members)})"
            if both is None:
                found[f"{where}: nothing to compare with {other} yet"] = False
                continue
            scores = f"{both.relative:.4f} against {both.other_relative:.4f}"
            found[f"{where}: mean relative score at least that of {other}: {scores}"] = (
                both.relative >= both.other_relative
            )
            if group == "all":
                share = both.seconds / both.other_seconds
                times = f"{share:.2f} of {both.other_seconds:,.0f} CPU seconds (at most {TIME_SHARE})"
                found[f"{where}: at most half the time of {other}: {times}"] = share <= TIME_SHARE
    return found


def show(fits: Fits, tables: Sequence[Any]) -> None:
    """Print each table's scores, means over the seeds that are there, and how the networks stand."""
    models = [*NETWORKS, *sorted({model for _, model, _ in fits} - {*NETWORKS, CONSTANT}), CONSTANT]
    for table in tables:
        print(f"\n{table.name} ({table.used_for}, {table.rows:,} rows{'; ' if table.note else ''}{table.note})")
        for model in models:
            mine = [fit for (name, one, _), fit in fits.items() if (name, one) == (table.name, model)]
            done = [fit for fit in mine if "scores" in fit]
            if done:
                scores = "  ".join(
                    f"{name} {mean(fit['scores'][name] for fit in done):.5g}" for name in done[0]["scores"]
                )
                cpu, wall = (mean(fit[f"{kind}_seconds"] for fit in done) for kind in ("cpu", "wall"))
                print(f"  {model:<14}{scores:<50}  {cpu:8.1f} s CPU  {wall:8.1f} s  {len(done)} seeds")
            for fit in mine:
                if fit.get("failed"):
                    print(f"  {model:<14}seed {fit['seed']}: {fit['failed']}")
    print()
    for group in ("defaults", "confirming"):
        members = [table for table in tables if table.used_for == group]
        places, count = mean_ranks(fits, members)
        told = ", ".join(f"{name} {place:.2f}" for name, place in places.items())
        print(f"tables for {group}: mean rank {told or '-'} ({count} of {len(members)} tables)")
