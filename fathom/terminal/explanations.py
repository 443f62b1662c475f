"""Why a model answers as it does, as a terminal shows it: columns, layers, the pieces of one row, its way through the house."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from fathom.quantities import number
from fathom.terminal.console import DIGITS, grid, scored

MOST_REASONS = 10  # pieces of a row that are named
MOST_TEXT = 1_500  # characters that are shown with their words marked


def show_explanation(found: Mapping[str, Any], to: Console) -> None:
    """Print which columns a model relies on, and how well the answer can be read off each layer."""
    shown = grid(f"How much worse the answers get when a column is shuffled, {found['importance'][0]['unit']}")
    for column in found["importance"]:
        shown.add_row(escape(column["column"]), scored(column))
    to.print(shown)
    for entry in found.get("layers", []):
        shown = grid(f"Layers of {escape(entry['column'])} ({entry['encoder']}): what a linear probe reads off each")
        for probe in entry["probes"]:
            shown.add_row(escape(probe["stage"]), f"{probe['units']:,} outputs", f"{probe['metric']} {scored(probe)}")
        to.print(shown)


def show_reasons(found: Mapping[str, Any], to: Console) -> None:
    """Print why one row is answered as it is: the pieces that matter most, a text with its words marked, and the smallest change that flips the answer."""
    answer, truth = found["answer"], found.get("truth")
    said = number(answer, DIGITS) if isinstance(answer, float) else str(answer)
    chance = f" with a probability of {min(found['value'], 0.999):.3g}" if found.get("of") == answer else ""
    to.print(
        f"{escape(found['where'])}: {escape(found['target'])} is answered [bold]{escape(said)}[/bold]{chance}"
        + (f", true is [bold]{escape(str(truth))}[/bold]" if truth is not None else "")
        + "."
    )
    if found.get("of") and found["of"] != answer:
        to.print(f"Explained is the probability of {escape(found['of'])}, {found['value']:.3g}.")
    for method in found["methods"]:
        parts, values = method.get("parts", found["parts"]), method["values"]
        for text in _marked_texts(found, parts, values) if method is found["methods"][0] else ():
            to.print(text, soft_wrap=True)
        order = sorted(range(len(parts)), key=lambda place: -abs(values[place]))[:MOST_REASONS]
        most = max((abs(value) for value in values), default=0.0) or 1.0
        shown = grid(f"{method['name']}: {method['summary']}")
        for place in order:
            part, value = parts[place], values[place]
            name = (
                part["column"]
                if part["name"] == part["column"]
                else f"{part['column']}: {' '.join(part['name'].split())}"
            )
            cell = found["cells"].get(part["column"], "") if part["name"] == part["column"] else ""
            bar = "█" * max(1, round(12 * abs(value) / most))
            shown.add_row(
                escape(name[:60]),
                escape(cell[:30]),
                f"{value:+.3g}",
                f"[{'blue' if value > 0 else 'dark_orange'}]{bar}",
            )
        to.print(shown)
    for pair in found["agreement"]:
        if pair["correlation"] is not None:
            to.print(f"[dim]rank correlation of {' and '.join(pair['methods'])}: {pair['correlation']:.2f}[/dim]")
    if found.get("counterfactual"):
        to.print(escape(found["counterfactual"]["sentence"]))


def _marked_texts(
    found: Mapping[str, Any], parts: Sequence[Mapping[str, Any]], values: Sequence[float]
) -> Iterator[str]:
    """Yield each text with the words marked that have pushed the answer: up in blue, down in orange."""
    for column, text in found["texts"].items():
        own = [
            (part["place"], value)
            for part, value in zip(parts, values, strict=True)
            if part["column"] == column and len(part["place"]) == 2
        ]
        most = max((abs(value) for _, value in own), default=0.0)
        made, done = f"[bold]{escape(column)}[/bold] ", 0
        for (start, end), value in sorted(own):
            made += escape(text[done : int(start)])
            word, done = escape(text[int(start) : int(end)]), int(end)
            strong = most > 0 and abs(value) > most / 3
            made += f"[{'bold blue' if value > 0 else 'bold dark_orange'}]{word}[/]" if strong else word
            if done > MOST_TEXT:
                break
        yield made + ("…" if done < len(text) - 1 else "")


def show_stations(stations: Sequence[Any], to: Console) -> None:
    """Print the way of a row, station by station."""
    for station in stations:
        to.print(f"[bold]{escape(station.name)}[/bold]  [dim]{escape(station.what)}[/dim]")
        for line in station.lines:
            to.print(f"    {escape(line)}")
