"""fathom serve: models over HTTP."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from fathom.errors import OptionError, check_installed

NAME = "serve"
EXAMPLE = "fathom serve runs/homes-1 --port 8000;  several: fathom serve homes=shelf late=runs/late-1"


def serve(
    models: Annotated[list[str], typer.Argument(help="Bundles, run folders or shelves, each as PATH or NAME=PATH.")],
    address: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 is every one of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.", min=0, max=65_535)] = 8000,
    workers: Annotated[int, typer.Option(help="Processes that answer.", min=1, max=256)] = 1,
    threads: Annotated[int, typer.Option(help="Cores that the arithmetic of a process may take; 0 is all.", min=0)] = 0,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File of tokens for asking, one a line.  [default: FATHOM_TOKEN, or none needed]"),
    ] = None,
    admin_token_file: Annotated[
        Path | None, typer.Option(help="File of tokens for administration.  [default: FATHOM_ADMIN_TOKEN, or off]")
    ] = None,
    deadline: Annotated[
        float, typer.Option(help="Seconds in which a request is answered, or refused with 504.", min=0.001)
    ] = 10.0,
    waiting: Annotated[int, typer.Option(help="Rows that may wait; more are refused with 429.", min=1)] = 4_096,
    most_rows: Annotated[int, typer.Option(help="Rows of one request.", min=1)] = 10_000,
    most_megabytes: Annotated[float, typer.Option(help="Size of one request.", min=0.001)] = 16.0,
    patience: Annotated[float, typer.Option(help="Seconds that a client may take to send or to read.", min=0.1)] = 10.0,
    grace: Annotated[
        float, typer.Option(help="Seconds that accepted requests have when the server stops.", min=0.0)
    ] = 30.0,
    log: Annotated[
        str, typer.Option(help="all, a JSON line a request; events, only what happens to the server; off.")
    ] = "all",
    record: Annotated[
        str,
        typer.Option(
            help="The store of requests and answers: a file, postgresql://USER@HOST/DATABASE, or off.  [default: beside each model]"
        ),
    ] = "",
    record_share: Annotated[float, typer.Option(help="Share of the requests that are recorded, above 0 to 1.")] = 1.0,
    record_rows: Annotated[int, typer.Option(help="Rows that the store keeps: the latest so many.")] = 200_000,
    record_days: Annotated[float, typer.Option(help="Days that the store keeps a row.")] = 30.0,
    leave_out: Annotated[
        str | None, typer.Option(help="Columns that are never recorded, with commas between: name,street.")
    ] = None,
) -> None:
    """Answer requests over HTTP with bundles, without torch. Stops on SIGTERM or Ctrl-C when all it accepted is answered."""
    check_installed(("starlette", "uvicorn", "httptools"), "serve")
    from fathom.service.host.hosting import Host
    from fathom.service.host.logs import Log
    from fathom.service.host.memory import give_back, leave_pandas_out
    from fathom.service.host.monitoring import attach
    from fathom.service.host.sources import named
    from fathom.service.records.recording import OFF, Recording
    from fathom.service.refusing import Limits
    from fathom.service.web.access import Access
    from fathom.service.web.serving import listen, server
    from fathom.service.web.team import Team
    from fathom.service.web.workers import Task
    from fathom.settings import names_in

    limits = Limits(int(most_megabytes * 2**20), most_rows, waiting, deadline, patience, grace)
    tokens = _tokens(token_file, "FATHOM_TOKEN"), _tokens(admin_token_file, "FATHOM_ADMIN_TOKEN")
    sources = named(models)
    recording = Recording(record, record_share, names_in(leave_out), record_rows, record_days)
    if record != OFF:
        recording.check_place()
    which = _which(log)
    give_back()
    leave_pandas_out()
    if workers > 1 and os.name != "posix":
        raise OptionError("Several workers need a POSIX system. Leave --workers out.")
    access = Access.of(*tokens, loopback=address.startswith("127.") or address in ("::1", "localhost"))
    with listen(address, port) as listening:
        place = listening.getsockname()
        shown = f"[{place[0]}]" if ":" in place[0] else place[0]
        said = f"Serving {', '.join(sources)} at http://{shown}:{place[1]}   (Ctrl-C stops)"
        if workers == 1:
            host = Host(sources, limits, threads=threads, log=Log(which))
            monitor = None if record == OFF else attach(host, recording)
            print(said, flush=True)
            try:
                server(host, access).run([listening])
            finally:
                if monitor is not None:
                    monitor.close()
            return
        listening.set_inheritable(True)
        told = "" if record == OFF else recording.to_json()
        task = Task({name: str(path) for name, path in sources.items()}, limits, threads, which, access, told)
        if Team(task, listening, workers, log=Log(which)).run(lambda: print(said, flush=True)):
            raise OptionError("A process that answers did not stop in time, or failed; the log says which.")


def _which(log: str) -> Literal["all", "events", "off"]:
    known: tuple[Literal["all", "events", "off"], ...] = ("all", "events", "off")
    for which in known:
        if which == log:
            return which
    raise OptionError(f"--log is {log!r}. It is all, events or off.")


def _tokens(file: Path | None, variable: str) -> tuple[str, ...]:
    """Return the tokens of a file, or of a variable of the environment."""
    if file is None:
        text = os.environ.get(variable, "")
    else:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(f"The tokens in {file} cannot be read: {error}.") from None
        if not text.split():
            raise OptionError(f"{file} holds no token. Write one a line; make one with: openssl rand -hex 32")
    return tuple(line.strip() for line in text.splitlines() if line.strip())
