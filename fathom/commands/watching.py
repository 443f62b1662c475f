"""fathom watch: is the world still as it was in training?"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from fathom.commands.options import WARNED

NAME = "watch"
EXAMPLE = "fathom watch runs/homes-1 --since 24h --truth sold-since.csv --webhook alert.json"


def watch(
    place: Annotated[Path, typer.Argument(help="The shelf, run, bundle or store of what fathom serve serves.")],
    truth: Annotated[
        str | None,
        typer.Option(
            help="What turned out to be true: a table with a column request (and row, from 0) beside the targets, or whole rows with their targets."
        ),
    ] = None,
    last: Annotated[int, typer.Option(help="Rows to look at: the latest so many.")] = 1_000,
    since: Annotated[
        str | None, typer.Option(help="Only rows since then: 90m, 24h, 7d, or 2026-05-01.  [default: all]")
    ] = None,
    expect: Annotated[
        str | None, typer.Option(help="Columns whose change is no news, with commas between: month,season.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show every question, not only those that stand out.")] = False,
    store: Annotated[
        str | None,
        typer.Option(help="Another store than the one beside the bundle: a file, or postgresql://USER@HOST/DATABASE."),
    ] = None,
    json_file: Annotated[str | None, typer.Option("--json", help="Write the look here; - is standard output.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the look as a page.")] = None,
    webhook: Annotated[
        Path | None, typer.Option(help="On an alarm, write what a webhook is sent here: a JSON object with a text.")
    ] = None,
    metrics: Annotated[Path | None, typer.Option(help="Write the look as Prometheus metrics.")] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show the look as a page on this machine, until Ctrl-C.")
    ] = False,
    port: Annotated[int, typer.Option(help="Where --serve listens; 0 takes any free port.")] = 8090,
) -> None:
    """Measure how far the latest requests lie from the training rows, and score the answers whose truth is known. Exit code 1 on an alarm, or where the monitor is broken."""
    from fathom import terminal
    from fathom.data.files.reading import read
    from fathom.data.files.writing import write_text
    from fathom.model import load
    from fathom.service.records.store import open_store
    from fathom.service.shelf import places
    from fathom.service.watch import alerting, showing, watching
    from fathom.settings import names_in

    found = places.place_of(place, store)
    model = load(found.bundle)
    expected = watching.known_columns(names_in(expect), model)
    start = alerting.moment(since)
    opened = open_store(found.store)
    given = None if truth is None else read(truth)
    if given is not None and "request" in given.names:
        matched, missed = watching.learn(opened, model, given)
        print(f"{matched:,} truths were matched to recorded rows{f', {missed:,} were not' if missed else ''}.")
        given = None

    def look() -> Any:
        return watching.look(
            opened, model, name=found.name, last=last, since=start, expected=expected, labelled_rows=given
        )

    seen = look()
    if json_file == "-":
        print(json.dumps(seen.as_json(), indent=1, ensure_ascii=False))
    else:
        terminal.show_look(seen, terminal.console(), every)
    if json_file not in (None, "-"):
        write_text(json.dumps(seen.as_json(), indent=1, ensure_ascii=False), str(json_file))
    if html is not None:
        print(write_text(showing.page_of(seen), html))
    if metrics is not None:
        write_text(alerting.metrics_text([seen]), metrics)
    if webhook is not None and seen.state in ("alarm", "broken"):
        print(write_text(json.dumps(alerting.alert(seen), indent=1, ensure_ascii=False), webhook))
    if serve:
        showing.serve(look, port, lambda address: print(f"Watching at {address}. Ctrl-C ends it.", flush=True))
    if seen.state in ("alarm", "broken"):
        raise typer.Exit(WARNED)
