"""What a bundle holds and what smaller ones cost, as a terminal shows it."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape

from fathom.quantities import number, seconds, size
from fathom.terminal.console import DIGITS, GAP, MOST_COLUMNS, grid, scored

SAME = 5e-5  # by which two answers may differ and are called the same: what is rounded away here


def show_bundle(found: Mapping[str, Any], to: Console) -> None:
    """Print what `fathom.bundle.inspecting.inspect` found."""
    answers = found["answers"]
    to.print(
        f"Bundle {found['version']}: format {found['format']}, by Fathom {found['fathom']}; a {answers['kind']} answers: {escape(answers['name'])}",
        soft_wrap=True,
    )
    files = grid("Files")
    for file in found["files"]:
        files.add_row(file["name"], size(file["bytes"]), file["sha256"])
    columns = grid("Columns")
    for column in found["columns"][:MOST_COLUMNS]:
        columns.add_row(
            escape(column["name"]), column["role"], escape(column["kind"] or "left out"), escape(column["learned"])
        )
    to.print(files, columns)
    if len(found["columns"]) > MOST_COLUMNS:
        to.print(f"… and {len(found['columns']) - MOST_COLUMNS:,} more columns; --json FILE holds them all")
    for name in ("network", "simpler models"):
        if found[name]:
            told = ", ".join(f"{key} {_told(value)}" for key, value in found[name].items() if value != {})
            to.print(f"{name.capitalize()}: {escape(told)}", soft_wrap=True)
    graph = found["graph"]
    used = ", ".join(f"{name} {count}" for name, count in graph["operators"].items())
    to.print(f"Graph: {graph['file']}, {graph['weights']:,} numbers, operators {used}", soft_wrap=True)
    for target, scores in (found["scores"] or {}).get("targets", {}).items():
        told = ", ".join(f"{name} {scored(score)}" for name, score in scores.items())
        to.print(
            f"On its {found['scores']['rows']['test']:,} test rows, {escape(target)}: {escape(told)}", soft_wrap=True
        )


def _told(value: Any) -> str:
    """Say a part of what a bundle holds: what reads each shape, a simpler model with what was chosen for it, or a plain value.

    >>> _told({"scalar": "piecewise", "code": "embedding"}), _told({"name": "boosted trees", "settings": [{}]}), _told(64)
    ('scalar by piecewise and code by embedding', 'boosted trees', '64')
    >>> _told({"name": "linear", "settings": [{"penalty": 0.1}]})
    'linear (penalty 0.1)'
    """
    if not isinstance(value, Mapping):
        return str(value)
    if "settings" not in value:
        return " and ".join(f"{shape} by {encoder}" for shape, encoder in value.items())
    chosen = "; ".join(
        ", ".join(f"{name} {set_to}" for name, set_to in one.items()) for one in value["settings"] if one
    )
    return f"{value['name']} ({chosen})" if chosen else str(value["name"])


def show_prices(found: Any, to: Console) -> None:
    """Print a price list (`fathom.compression.compressing.Compressed`), what was kept, and what the test rows say of it: as many columns as the terminal is wide, the others below."""
    from fathom.compression.pricing import MOST_APART

    names = [f"{'* ' if price is found.kept else '  '}{price.name}" for price in found.prices]
    columns = _price_columns(found.prices)
    width = max(map(cell_len, names)) + GAP
    for place, part in enumerate(_parts(columns, to.width - width)):
        shown = grid("Price list, continued" if place else "Price list", show_header=True)
        shown.add_column("", min_width=min(width - GAP, to.width // 2))
        for title in part:
            words = title == "worst slice"
            shown.add_column(title, justify="left" if words else "right", no_wrap=not words)
        for line in zip(names, *(columns[title] for title in part), strict=True):
            shown.add_row(*map(escape, line))
        to.print(shown)
    if any(price.apart > SAME for price in found.prices):
        to.print(
            f"alone: by how much a row is answered otherwise alone than among others; beyond {MOST_APART:g} nothing is kept.",
            soft_wrap=True,
        )
    stands = {told: [one.name for one in found.prices if one.judged_on == told] for told in _stands_on(found.prices)}
    for told, names in stands.items():
        of = f" of {', '.join(names)}" if len(stands) > 1 else ""
        to.print(f"Scores{of} stand on {told}.", markup=False, soft_wrap=True)
    if found.kept is None:
        return
    before, after = found.judged["before"], found.judged["after"]
    to.print(
        f"Kept: {found.kept.name}, {found.kept.how}. On {found.judged['rows']:,} test rows it scores {scored(_score_of(after))}, the original {scored(_score_of(before))}; the look is counted.",
        markup=False,
        soft_wrap=True,
    )


def _price_columns(prices: Sequence[Any]) -> dict[str, list[str]]:
    """Return the cells of a price list by column."""
    return {
        "bundle": [size(price.bytes) for price in prices],
        "graph": [size(price.graph_bytes) for price in prices],
        "one row": [seconds(price.row_ms / 1e3) for price in prices],
        "its graph": [seconds(price.graph_ms / 1e3) for price in prices],
        "rows a second": [f"{price.bulk_rows:,.0f}" for price in prices],
        "score": [scored({"value": price.score, "low": price.low, "high": price.high}) for price in prices],
        "worse by": [f"{price.loss:+.4f}".replace("-", "−") for price in prices],
        "calibration": [number(price.calibration, DIGITS) for price in prices],
        "alone": ["same" if price.apart <= SAME else f"{price.apart:.4f} off" for price in prices],
        "worst slice": [f"{price.worst_slice}: {number(price.worst_loss, DIGITS)}" for price in prices],
    }


def _parts(columns: Mapping[str, Sequence[str]], width: int) -> list[list[str]]:
    """Return the titles of columns that stand side by side in lines of so many letters.

    >>> _parts({"a": ["1234"], "b": ["1"], "c": ["123456789"], "d": ["1"]}, 12)
    [['a', 'b'], ['c'], ['d']]
    """
    parts: list[list[str]] = []
    left = 0
    for title, cells in columns.items():
        needs = max(map(cell_len, (title, *cells))) + GAP
        if not parts or needs > left:
            parts.append([])
            left = width
        parts[-1].append(title)
        left -= needs
    return parts


def _stands_on(prices: Sequence[Any]) -> list[str]:
    return list(dict.fromkeys(price.judged_on for price in prices))


def _score_of(price: Mapping[str, Any]) -> dict[str, Any]:
    return {"value": price["score"], "low": price["low"], "high": price["high"]}
