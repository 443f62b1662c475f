"""How a run looks in a terminal: bars with time left, tables that fit the width, plain lines when nobody watches."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table as Grid

from fathom.progress import Progress

PIPED_WIDTH = 120
MOST_REASONS = 10  # pieces of a row that are named
MOST_TEXT = 1_500  # characters that are shown with their words marked
MOST_COLUMNS = 30  # in the terminal; the report shows them all


def console(stderr: bool = False) -> Console:
    """Return the terminal; a pipe gets no colour and lines of a fixed width."""
    made = Console(stderr=stderr, highlight=False)
    return made if made.is_terminal else Console(stderr=stderr, highlight=False, width=PIPED_WIDTH, no_color=True)


class PlainProgress:
    """One line when a stage starts and one when it ends, for logs."""

    def __init__(self, to: Console) -> None:
        self.to = to
        self.stage, self.started = "", 0.0

    def begin(self, stage: str, total: int | None = None) -> None:
        """Note the stage."""
        self.stage, self.started = stage, time.perf_counter()

    def advance(self, done: int, note: str = "") -> None:
        """Keep quiet: a log wants ends."""

    def measure(self, step: int, values: Mapping[str, float]) -> None:
        """Keep quiet."""

    def end(self, note: str = "") -> None:
        """Write the stage, what came of it and the seconds it took."""
        took = time.perf_counter() - self.started
        self.to.print(f"{self.stage}: {escape(note)}{' ' if note else ''}({took:.1f} s)", soft_wrap=True)

    def say(self, sentence: str) -> None:
        """Write it down."""
        self.to.print(escape(sentence), soft_wrap=True)


class BarProgress:
    """One bar a stage, with the time left."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.stage = ""
        self.task: Any = None

    def begin(self, stage: str, total: int | None = None) -> None:
        """Start a bar; without a total it moves to and fro."""
        self.stage = stage
        self.task = self.bars.add_task(stage, total=total, note="")

    def advance(self, done: int, note: str = "") -> None:
        """Move the bar."""
        self.bars.update(self.task, completed=done, note=escape(note))

    def measure(self, step: int, values: Mapping[str, float]) -> None:
        """Keep quiet: the note says it."""

    def end(self, note: str = "") -> None:
        """Fill the bar."""
        task = self.bars.tasks[self.task]
        total = task.total if task.total is not None else 1
        self.bars.update(self.task, total=total, completed=total, note=escape(note))
        self.bars.stop_task(self.task)

    def say(self, sentence: str) -> None:
        """Write it above the bars."""
        self.bars.console.print(escape(sentence))


@contextmanager
def progress(quiet: bool = False) -> Iterator[Progress | None]:
    """Show what a long job tells of itself, on standard error."""
    to = console(stderr=True)
    if quiet:
        yield None
    elif not to.is_terminal:
        yield PlainProgress(to)
    else:
        shown = (
            TextColumn("{task.description:<26}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}"),
        )
        with Bars(*shown, console=to) as bars:
            yield BarProgress(bars)


def show_result(result: Mapping[str, Any], to: Console, folder: str) -> None:
    """Print what a fit found: columns, models, verdict, warnings, and where to go on."""
    for decision in result["table"]["decisions"]:
        to.print(f"[dim]{escape(decision)}[/dim]")
    to.print(_columns(result["columns"]))
    if len(result["columns"]) > MOST_COLUMNS:
        to.print(f"[dim]… and {len(result['columns']) - MOST_COLUMNS} more columns in the report[/dim]")
    rows, folds = result["rows"], result["split"].get("folds", 1)
    choosing = f"{rows['validation']:,}" if folds == 1 else f"and, in {folds} folds,"
    to.print(
        f"{rows['train']:,} rows to learn from{',' if folds == 1 else ''} {choosing} to choose by, {rows['test']:,} to judge on: {escape(result['split']['how'])}.\n"
    )
    for target in result["targets"]:
        to.print(_models(result, target["name"]))
    verdict = result["verdict"]
    colour = {"worth it": "green", "not worth it": "yellow"}.get(verdict["answer"], "cyan")
    to.print(f"\n[bold {colour}]{escape(verdict['sentence'])}[/bold {colour}]")
    to.print(f"Shipped: [bold]{escape(result['shipped'])}[/bold], because {escape(result['shipped_reason'])}.")
    for warning in result["warnings"]:
        to.print(f"[bold red]Warning:[/bold red] {escape(warning)}")
    for finding in result["training"].get("doctor", []):
        to.print(f"[bold red]Training:[/bold red] {escape(finding['sentence'])} {escape(finding['remedy'])}")
    if folder:
        to.print(f"\nReport  {escape(folder)}/report.html\nBundle  {escape(folder)}/bundle", soft_wrap=True)
        to.print(f"Next    fathom predict {escape(folder)}/bundle NEW_ROWS.csv -o predictions.csv", soft_wrap=True)


def _columns(columns: Sequence[Mapping[str, Any]]) -> Grid:
    grid = Grid(title="What each column was taken for", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in ("column", "taken for", "missing", "because"):
        grid.add_column(heading, overflow="fold", justify="right" if heading == "missing" else "left")
    for column in columns[:MOST_COLUMNS]:
        kind = {
            "left_out": "[dim]left out[/dim]",
            "group": "group",
            "weight": "weight",
            "target": f"[bold]{column['modality']} (target)[/bold]",
        }.get(column["role"], column["modality"])
        missing = f"{column['missing']:.0%}" if column["missing"] >= 0.005 else ("<1%" if column["missing"] else "")
        grid.add_row(escape(column["name"]), kind, missing, escape(column["reason"]))
    return grid


def _models(result: Mapping[str, Any], target: str) -> Grid:
    first = result["models"][0]["targets"][target]
    names = list(first)[:3]
    grid = Grid(
        title=f"Models of {escape(target)} on {result['rows']['test']:,} test rows, with 95 % intervals",
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 0),
    )
    grid.add_column("model", overflow="fold")
    for name in names:
        grid.add_column(
            f"{name.replace('_', ' ')} {'↑' if result['metrics'][name]['better'] == 'higher' else '↓'}", justify="right"
        )
    for heading in ("training", "a row", "size"):
        grid.add_column(heading, justify="right")
    for model in result["models"]:
        mark = "[bold]" if model["name"] == result["shipped"] else ""
        cells = [f"{mark}{escape(model['name'])}"]
        cells += [f"{mark}{interval(model['targets'][target][name])}" for name in names]
        cells += [
            f"{mark}{cell}"
            for cell in (
                duration(model["fit_seconds"]),
                duration(model["predict_seconds_per_row"]),
                size(model["bytes"]),
            )
        ]
        grid.add_row(*cells)
    return grid


def show_explanation(found: Mapping[str, Any], to: Console) -> None:
    """Print which columns a model relies on, and how well the answer can be read off each layer."""
    grid = _grid(f"How much worse the answers get when a column is shuffled, {found['importance'][0]['unit']}")
    for column in found["importance"]:
        grid.add_row(escape(column["column"]), interval(column))
    to.print(grid)
    for entry in found.get("layers", []):
        grid = _grid(f"Layers of {escape(entry['column'])} ({entry['encoder']}): what a linear probe reads off each")
        for probe in entry["probes"]:
            grid.add_row(escape(probe["stage"]), f"{probe['units']:,} outputs", f"{probe['metric']} {interval(probe)}")
        to.print(grid)


def show_reasons(found: Mapping[str, Any], to: Console) -> None:
    """Print why one row is answered as it is: the pieces that matter most, a text with its words marked, and the smallest change that flips the answer."""
    answer, truth = found["answer"], found.get("truth")
    said = number(answer) if isinstance(answer, float) else str(answer)
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
        grid = _grid(f"{method['name']}: {method['summary']}")
        for place in order:
            part, value = parts[place], values[place]
            name = (
                part["column"]
                if part["name"] == part["column"]
                else f"{part['column']}: {' '.join(part['name'].split())}"
            )
            shown = found["cells"].get(part["column"], "") if part["name"] == part["column"] else ""
            bar = "█" * max(1, round(12 * abs(value) / most))
            grid.add_row(
                escape(name[:60]),
                escape(shown[:30]),
                f"{value:+.3g}",
                f"[{'blue' if value > 0 else 'dark_orange'}]{bar}",
            )
        to.print(grid)
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


def show_findings(findings: Sequence[Any], to: Console) -> None:
    """Print each finding: its question, its answer in a sentence, and what to do about it."""
    colours = {"good": "green", "warning": "yellow", "bad": "red"}
    for finding in findings:
        colour = colours.get(finding.status, "cyan")
        to.print(f"[bold {colour}]{escape(finding.question)}[/bold {colour}] {escape(finding.answer)}")
        to.print(f"  {escape(finding.sentence)}" + (f" {escape(finding.remedy)}" if finding.remedy else ""))


def show_look(look: Any, to: Console, every: bool = False) -> None:
    """Print what a look at the requests of a service saw: its headline, what stands out or ``every`` question, and the scores of answers whose truth is known."""
    from fathom.service.telling import sentence

    colours = {
        "steady": "green",
        "alarm": "red",
        "broken": "red",
        "drift": "red",
        "changed": "yellow",
        "expected": "cyan",
    }
    to.print(f"[bold {colours.get(look.state, 'yellow')}]{escape(look.state)}[/] {escape(look.headline)}")
    for words in (*look.broken[1:], *look.notes):
        to.print(escape(words))
    told = [one for one in look.drifts if every or one.status not in ("steady", "too few rows")]
    for one in sorted(
        told, key=lambda one: ("drift", "changed", "expected", "steady", "too few rows").index(one.status)
    ):
        words = f"  [{colours.get(one.status, 'dim')}]{one.status}[/] {escape(sentence(one))}"
        to.print(f"{words} Chance without drift, corrected: {number(one.corrected)}." if one.rows else words)
    for target, scores in look.scores.items():
        for name, entry in scores.items():
            was = f", {number(entry['judged'])} when it was judged" if "judged" in entry else ""
            to.print(f"  {escape(target)}, {name.replace('_', ' ')}: {interval(entry)} on {entry['rows']:,} rows{was}.")


def show_prices(found: Any, to: Console) -> None:
    """Print a price list (`fathom.compression.compressing.Compressed`), what was kept, and what the test rows say of it."""
    grid = Grid(title="Price list", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in (
        "",
        "bundle",
        "graph",
        "one row",
        "its graph",
        "rows a second",
        "score",
        "worse by",
        "calibration",
        "apart",
        "worst slice",
    ):
        grid.add_column(name, justify="left" if name in ("", "worst slice") else "right")
    for price in found.prices:
        grid.add_row(
            f"{'* ' if price is found.kept else '  '}{price.name}",
            size(price.bytes),
            size(price.graph_bytes),
            duration(price.row_ms / 1e3),
            duration(price.graph_ms / 1e3),
            f"{price.bulk_rows:,.0f}",
            interval({"value": price.score, "low": price.low, "high": price.high}),
            f"{price.loss:+.4f}",
            number(price.calibration),
            f"{price.apart:.0e}",
            escape(f"{price.worst_slice}: {number(price.worst_loss)}"),
        )
    to.print(grid)
    if found.kept is None:
        return
    before, after = found.judged["before"], found.judged["after"]
    to.print(
        f"Kept: {found.kept.name}, {found.kept.how}. On {found.judged['rows']:,} test rows it scores {interval(_scored(after))}, the original {interval(_scored(before))}; the look is counted.",
        markup=False,
        soft_wrap=True,
    )


def _scored(price: Mapping[str, Any]) -> dict[str, Any]:
    return {"value": price["score"], "low": price["low"], "high": price["high"]}


def show_bundle(found: Mapping[str, Any], to: Console) -> None:
    """Print what `fathom.bundle.inspecting.inspect` found."""
    answers = found["answers"]
    to.print(
        f"Bundle {found['version']}: format {found['format']}, by Fathom {found['fathom']}; a {answers['kind']} answers: {escape(answers['name'])}",
        soft_wrap=True,
    )
    files = _grid("Files")
    for file in found["files"]:
        files.add_row(file["name"], size(file["bytes"]), file["sha256"])
    columns = _grid("Columns")
    for column in found["columns"][:MOST_COLUMNS]:
        columns.add_row(
            escape(column["name"]), column["role"], escape(column["kind"] or "left out"), escape(column["learned"])
        )
    to.print(files, columns)
    if len(found["columns"]) > MOST_COLUMNS:
        to.print(f"… and {len(found['columns']) - MOST_COLUMNS:,} more columns; --json FILE holds them all")
    for name in ("network", "simpler models"):
        if found[name]:
            told = ", ".join(f"{key} {value}" for key, value in found[name].items())
            to.print(f"{name.capitalize()}: {escape(told)}", soft_wrap=True)
    graph = found["graph"]
    used = ", ".join(f"{name} {count}" for name, count in graph["operators"].items())
    to.print(f"Graph: {graph['file']}, {graph['weights']:,} numbers, operators {used}", soft_wrap=True)
    for target, scores in (found["scores"] or {}).get("targets", {}).items():
        told = ", ".join(f"{name} {interval(score)}" for name, score in scores.items())
        to.print(
            f"On its {found['scores']['rows']['test']:,} test rows, {escape(target)}: {escape(told)}", soft_wrap=True
        )


def _grid(title: str) -> Grid:
    return Grid(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), show_header=False)


def interval(score: Mapping[str, float | None]) -> str:
    """Write a score with its interval.

    >>> interval({"value": 0.87123, "low": 0.861, "high": 0.882}), interval({"value": 545.2, "low": 530.0, "high": 561.4})
    ('0.871 (0.861–0.882)', '545 (530–561)')
    """
    value, low, high = (number(score.get(name)) for name in ("value", "low", "high"))
    return f"{value} ({low}–{high})" if low != "–" else value


def number(value: float | None) -> str:
    """Write a number with three or four telling digits.

    >>> number(0.87123), number(12.345), number(1234567.0), number(None)
    ('0.871', '12.3', '1,234,567', '–')
    """
    if value is None:
        return "–"
    if abs(value) >= 1e9 or 0 < abs(value) < 1e-3:
        return f"{value:.3g}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def duration(seconds: float) -> str:
    """Write a time in a unit that fits.

    >>> duration(0.0000032), duration(0.012), duration(3.21), duration(90)
    ('3.2 µs', '12.0 ms', '3.2 s', '1.5 min')
    """
    for unit, factor in (("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if seconds >= factor:
            return f"{seconds / factor:.1f} {unit}"
    return f"{seconds / 1e-6:.1f} µs"


def size(count: float) -> str:
    """Write a number of bytes in a unit that fits.

    >>> size(312), size(45_600), size(1_234_567)
    ('312 B', '46 kB', '1.2 MB')
    """
    if count < 1_000:
        return f"{count:.0f} B"
    return f"{count / 1e3:.0f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def show_stations(stations: Sequence[Any], to: Console) -> None:
    """Print the way of a row, station by station."""
    for station in stations:
        to.print(f"[bold]{escape(station.name)}[/bold]  [dim]{escape(station.what)}[/dim]")
        for line in station.lines:
            to.print(f"    {escape(line)}")


def show_update(done: Any, to: Console, quiet: bool = False) -> None:
    """Print what an update came to (`fathom.renewal.updating.Updated`): each question of the gate, the notes, and the page."""
    marks = {"passed": "[green]✓[/green]", "refused": "[bold red]✗[/bold red]"}
    if not quiet:
        for note in done.notes:
            to.print(escape(note))
        to.print(f"Version {done.version} was fitted {escape(done.how)}. The gate:")
        for target, finding in done.gate.findings:
            about = f"{escape(target)}, " if target else ""
            to.print(f"{marks.get(finding.answer, '–')} [bold]{about}{finding.name}[/bold]: {escape(finding.sentence)}")
    if done.gate.passed:
        to.print(f"[bold green]The gate lets {done.version} pass.[/bold green] It answers nobody yet.")
    else:
        to.print(f"[bold red]The gate refuses {done.version}.[/bold red] What is served stays as it is.")
    to.print(f"Why:  {done.page}", markup=False, soft_wrap=True)


def show_shelf(shelf: Any, to: Console) -> None:
    """Print what a shelf serves, and the command that may come next."""
    state = shelf.state()
    grid = _grid(f"Versions on {shelf.path}")
    for version in shelf.versions():
        roles = ["live"] if version == state.live else []
        roles += ["shadow"] if version == state.shadow else []
        roles += [f"canary, {state.canary.share:.0%}"] if state.canary and version == state.canary.version else []
        if state.waiting and version == state.waiting.version:
            roles.append(f"waits for approval ({state.waiting.what}, asked by {escape(state.waiting.who)})")
        gate = shelf.gate(version)
        said = "not asked" if gate is None else "passed" if gate["passed"] else "refused"
        grid.add_row(version, ", ".join(roles), f"gate: {said}")
    to.print(grid)
    if state.waiting:
        to.print(f"Next:  fathom update {shelf.path} --approve --who NAME", markup=False, soft_wrap=True)
    to.print(f"Serve:  fathom serve {shelf.path}", markup=False, soft_wrap=True)


def show_log(entries: Sequence[Mapping[str, Any]], to: Console) -> None:
    """Print the log of a shelf, a line a change."""
    for entry in entries:
        parts = [str(entry.get(name) or "") for name in ("when", "who", "what", "version", "why")]
        to.print("  ".join(part for part in parts if part), markup=False, soft_wrap=True)
