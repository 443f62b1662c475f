"""One sub-command per verb: fit, predict, report, check, explain, trace. Only this file prints and exits."""

import json
import shlex
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

import fathom
from fathom import completing
from fathom.errors import FathomError, OptionError, OutputError, suggestion

app = typer.Typer(
    help="Fathom turns a table into a deep network that can be trusted, and says whether you need one.\n\n"
    "Start with:  fathom fit homes.csv --target price",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

INTERRUPTED = 130  # what a shell expects after Ctrl-C
MISTAKE = 2
WARNED = 1  # a check found something to look at


def _version(wanted: bool) -> None:
    if wanted:
        print(f"fathom {fathom.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def pairs(values: list[str], option: str) -> dict[str, str]:
    """Turn ``["age=number,zip=category"]`` into a dictionary.

    Raises OptionError for a piece that is not ``name=value``.

    >>> pairs(["age=number,zip=category"], "--columns")
    {'age': 'number', 'zip': 'category'}
    """
    found = {}
    for piece in (piece for value in values for piece in value.split(",") if piece.strip()):
        name, sign, value = piece.rpartition("=")
        if not sign or not name.strip() or not value.strip():
            raise OptionError(
                f"{option} has {piece.strip()!r}, where NAME=VALUE is expected, for example {option} age=number,zip=category."
            )
        found[name.strip()] = value.strip()
    return found


@app.command(epilog="Example:  fathom fit homes.csv --target price --columns zip=category --effort quick")
def fit(
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(
            help="The table: CSV, TSV, Parquet, Arrow or JSON lines, one file or more, or a glob; or a folder, zip or tar of classes."
        ),
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            "-t",
            autocompletion=completing.columns,
            help="The column to predict; repeat it for several. A folder of classes needs none.",
        ),
    ] = None,
    test: Annotated[list[str] | None, typer.Option(help="Your own test rows: a file with the same columns.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="A new folder for report, result and bundle.  [default: runs/TABLE-N]")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the newest run of this table that was stopped, or with --out's."),
    ] = False,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="A TOML file of settings by name; flags win over it.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            autocompletion=completing.column_kinds, help="What a column is: age=number,zip=category,note=skip."
        ),
    ] = None,
    series: Annotated[
        str | None,
        typer.Option(help="The column of the id whose rows are one series, and that of the time: machine,hour."),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(autocompletion=completing.columns, help="Keep rows with equal values of this column in one part."),
    ] = None,
    time: Annotated[
        str | None, typer.Option(autocompletion=completing.columns, help="Judge on the latest rows by this column.")
    ] = None,
    weight: Annotated[
        str | None,
        typer.Option(
            autocompletion=completing.columns,
            help="How much each row counts in training: a column of numbers, 0 or more.",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            autocompletion=completing.metrics, help="What decides: log_loss, accuracy, roc_auc, f1, rmse, mae, r2, …"
        ),
    ] = None,
    effort: Annotated[
        str, typer.Option(autocompletion=completing.efforts, help="quick, standard or thorough.")
    ] = "standard",
    minutes: Annotated[float | None, typer.Option(help="The most minutes the whole run may take.")] = None,
    trunk: Annotated[
        str, typer.Option(autocompletion=completing.trunks, help="The network: tabm, mlp or transformer.")
    ] = "tabm",
    layers: Annotated[int | None, typer.Option(help="Hidden layers of the network.  [default: by effort]")] = None,
    skip: Annotated[
        bool | None,
        typer.Option(
            "--skip/--no-skip",
            help="Whether a layer adds to a normalised copy of what came before.  [default: from 9 layers on]",
        ),
    ] = None,
    encoder: Annotated[list[str] | None, typer.Option(help="How a kind of column is read: number=periodic.")] = None,
    optimizer: Annotated[
        str, typer.Option(autocompletion=completing.words("adamw", "sgd"), help="adamw or sgd.")
    ] = "adamw",
    learning_rate: Annotated[float | None, typer.Option(help="The highest learning rate.  [default: by trunk]")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="The most passes over the training rows.  [default: by effort]")
    ] = None,
    batch_rows: Annotated[int | None, typer.Option(help="Rows a step.  [default: by table size]")] = None,
    augment: Annotated[
        str,
        typer.Option(help="How pictures are varied in training: auto, off, or flip=1,shift=0.1,rotate=10,mixup=0.2."),
    ] = "auto",
    class_weights: Annotated[
        bool, typer.Option("--class-weights", help="Make rare classes count as much as frequent ones.")
    ] = False,
    keep: Annotated[
        str | None,
        typer.Option(
            autocompletion=completing.words("network", "baseline"),
            help="Ship the 'network' or the 'baseline' whatever the verdict.",
        ),
    ] = None,
    bad_rows: Annotated[
        str,
        typer.Option(
            autocompletion=completing.words("error", "skip"),
            help="What happens to rows that cannot be used: error or skip.",
        ),
    ] = "error",
    delimiter: Annotated[
        str | None, typer.Option(help="What parts the cells of a text file.  [default: recognised]")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="How a text file's bytes are letters.  [default: recognised]")
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="Whether the first line holds names.  [default: recognised]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Where chance starts: same seed, same result.")] = 0,
    threads: Annotated[
        int | None, typer.Option(help="Cores that arithmetic takes.  [default: as many as are quickest]")
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option(help="GB of memory; a table larger than a quarter is read in blocks.  [default: the machine's]"),
    ] = None,
    checkpoint_seconds: Annotated[
        float, typer.Option(help="Seconds between two checkpoints: the most work that can be lost.")
    ] = 30.0,
    log: Annotated[
        str | None,
        typer.Option(
            autocompletion=completing.words("tensorboard"),
            help="'tensorboard' writes losses and learning rate into RUN/tensorboard.",
        ),
    ] = None,
    allow_leakage: Annotated[
        bool, typer.Option("--allow-leakage", help="Go on where a column gives the target away.")
    ] = False,
    protect: Annotated[
        str | None,
        typer.Option(
            autocompletion=completing.columns, help="Columns whose groups are compared for fairness: sex,race."
        ),
    ] = None,
    requests_per_day: Annotated[
        float, typer.Option(help="Answers a day, for which the cost of a year is reckoned.")
    ] = 10_000.0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict and the folder only.")] = False,
) -> None:
    """Train a network, judge it against simpler models, and write a report and a bundle."""
    from fathom import terminal
    from fathom.fitting import fit as run
    from fathom.interrupting import stoppable
    from fathom.progress import Several
    from fathom.running import can_go_on, next_folder, unfinished_folder

    source: Any = files[0] if len(files) == 1 else files
    unfinished = unfinished_folder(_stem(files[0])) if resume and out is None else None
    folder = out or unfinished or next_folder(_stem(files[0]))
    if resume and not can_go_on(folder):
        print(f"Note: no run of {files[0]} was stopped with anything to go on from; a new one begins.", file=sys.stderr)
    settings: dict[str, Any] = {
        "columns": pairs(columns or [], "--columns"),
        "encoder": pairs(encoder or [], "--encoder"),
        "series": series,
        "group": group,
        "time": time,
        "weight": weight,
        "metric": metric,
        "effort": effort,
        "minutes": minutes,
        "trunk": trunk,
        "layers": layers,
        "skip": skip,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "epochs": epochs,
        "batch_rows": batch_rows,
        "delimiter": delimiter,
        "encoding": encoding,
        "header": header,
        "augment": augment,
        "class_weights": class_weights,
        "keep": keep,
        "bad_rows": bad_rows,
        "seed": seed,
        "threads": threads,
        "memory": memory,
        "checkpoint_seconds": checkpoint_seconds,
        "log": log,
        "allow_leakage": allow_leakage,
        "protect": protect,
        "requests_per_day": requests_per_day,
    }
    if settings_file is not None:
        settings = _flags_win(context, settings, fathom.settings_from(settings_file))
    try:
        with terminal.progress(quiet) as progress, stoppable() as wish:
            told = Several(progress, wish) if progress else wish
            model = run(
                source, target, test=test, out=folder, resume=resume, progress=told, command=_command(), **settings
            )
    except (KeyboardInterrupt, SystemExit) as end:
        print(f"\nfathom: stopped. {_how_to_go_on(folder)}", file=sys.stderr)
        raise SystemExit(INTERRUPTED if isinstance(end, KeyboardInterrupt) else end.code) from None
    assert model.result is not None
    to = terminal.console()
    if quiet:
        to.print(model.result["verdict"]["sentence"], markup=False, soft_wrap=True)
        to.print(str(folder), markup=False, soft_wrap=True)
    else:
        terminal.show_result(model.result, to, str(folder))


@app.command(
    epilog="Example:  fathom predict runs/homes-1/bundle new.csv -o answers.csv;  - reads standard input and writes standard output"
)
def predict(
    bundle: Annotated[Path, typer.Argument(help="The bundle, or the run folder around it.")],
    rows: Annotated[
        list[str], typer.Argument(help="The rows to answer: files of any kind that fit reads, or - for standard input.")
    ],
    out: Annotated[
        str,
        typer.Option("--out", "-o", help="CSV, TSV, Parquet, Arrow or JSON lines by its ending; - is standard output."),
    ] = "-",
    delimiter: Annotated[
        str | None, typer.Option(help="What parts the cells of a text file.  [default: recognised]")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="How a text file's bytes are letters.  [default: recognised]")
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="Whether the first line holds names.  [default: recognised]"),
    ] = None,
    doubt: Annotated[
        bool, typer.Option("--doubt", help="Say where the model is not sure which class it is, and where none fits.")
    ] = False,
    threads: Annotated[int, typer.Option(help="Cores that arithmetic may take; 0 is all.")] = 0,
    memory: Annotated[
        float | None,
        typer.Option(help="GB of memory; rows larger than a quarter are answered in blocks.  [default: the machine's]"),
    ] = None,
) -> None:
    """Answer rows with a bundle. Needs neither torch nor scikit-learn."""
    from fathom.answering import answer_blocks, is_large
    from fathom.data.reading import read
    from fathom.data.writing import write
    from fathom.looking import score_known
    from fathom.model import load

    model = load(bundle, threads=threads)
    source: Any = rows[0] if len(rows) == 1 else rows
    if not model.joins_rows and is_large(source, memory):
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.showwarning = lambda message, *_, **__: print(f"Note: {message}", file=sys.stderr)
            done = answer_blocks(model, source, out, delimiter=delimiter, encoding=encoding, header=header, doubt=doubt)
        print(f"{done:,} rows were answered in blocks (--memory); rows answered so are not scored.", file=sys.stderr)
        return
    table = model.gathered(read(source, delimiter=delimiter, encoding=encoding, header=header))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answers = model.predict(table, doubt=doubt)
    for warning in caught:
        print(f"Note: {warning.message}", file=sys.stderr)
    write(answers, out)
    for line in score_known(model, table, _run_of(bundle)):
        print(line, file=sys.stderr)


@app.command(epilog="Example:  fathom report runs/homes-1")
def report(
    run: Annotated[Path, typer.Argument(help="The run folder that fit wrote.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where the page goes.  [default: RUN/report.html]")
    ] = None,
) -> None:
    """Build the page of a run again from its result.json."""
    from fathom.data.writing import write_text
    from fathom.report import render
    from fathom.sealing import looks_of

    result = _result(run)
    own = looks_of(run)
    earlier = (
        [entry for entry in result["split"]["looks"] if entry["when"] < own[0]["when"]]
        if own
        else result["split"]["looks"]
    )
    result["split"]["looks"] = [*earlier, *own]
    print(write_text(render(result), out or run / "report.html"))


@app.command(epilog="Example:  fathom check runs/homes-1 sold-since.csv --only slices,fairness --protect town")
def check(
    bundle: Annotated[Path, typer.Argument(help="The bundle, or the run folder around it.")],
    rows: Annotated[list[str], typer.Argument(help="Rows whose target is known, which the model did not learn from.")],
    only: Annotated[str | None, typer.Option(help="The checks to run, with commas between.  [default: all]")] = None,
    protect: Annotated[
        str | None, typer.Option(help="Columns whose groups are compared for fairness: sex,race.")
    ] = None,
    requests_per_day: Annotated[
        float, typer.Option(help="Answers a day, for which the cost of a year is reckoned.")
    ] = 10_000.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the findings here, too.")] = None,
) -> None:
    """Ask a bundle every question on new rows. Exit code 1 where a finding warns."""
    from fathom import terminal
    from fathom.data.writing import write_text
    from fathom.examining import check as examined
    from fathom.model import load
    from fathom.settings import names_in

    found = examined(
        load(bundle),
        rows[0] if len(rows) == 1 else rows,
        only=names_in(only),
        protect=names_in(protect),
        requests_per_day=requests_per_day,
    )
    terminal.show_findings(found, terminal.console())
    if json_file is not None:
        write_text(json.dumps([finding.as_json() for finding in found], indent=1), json_file)
    if any(finding.status in ("warning", "bad") for finding in found):
        raise typer.Exit(WARNED)


@app.command(epilog="Example:  fathom explain runs/photos-1 more-photos/ --layers")
def explain(
    bundle: Annotated[Path, typer.Argument(help="The bundle, or the run folder around it.")],
    rows: Annotated[list[str], typer.Argument(help="Rows whose target is known, which the model did not learn from.")],
    layers: Annotated[
        bool, typer.Option("--layers", help="Look into every layer that reads text, pictures, sound or series.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the page goes.  [default: explanation.html]")] = Path(
        "explanation.html"
    ),
) -> None:
    """Show which columns a model relies on and, with --layers, what each layer of its network has learned."""
    from fathom import terminal
    from fathom.data.writing import write_text
    from fathom.explaining import explain as explained
    from fathom.model import load
    from fathom.report import render

    found = explained(load(bundle), rows[0] if len(rows) == 1 else rows, layers=layers)
    terminal.show_explanation(found, terminal.console())
    print(write_text(render(found), out))


@app.command(epilog="Example:  fathom trace homes.csv --target price --row 7")
def trace(
    files: Annotated[list[str], typer.Argument(help="The table.")],
    target: Annotated[list[str], typer.Option("--target", "-t", help="The column to predict.")],
    row: Annotated[int, typer.Option(help="Which row to follow, counted from 1 without the header.")] = 1,
    trunk: Annotated[str, typer.Option(help="The network: tabm, mlp or transformer.")] = "tabm",
    columns: Annotated[
        list[str] | None, typer.Option(help="What a column is: age=number,zip=category,note=skip.")
    ] = None,
    bad_rows: Annotated[str, typer.Option(help="What happens to rows that cannot be used: error or skip.")] = "error",
) -> None:
    """Print one row's way through every station, with real shapes and values."""
    from fathom import terminal
    from fathom.tracing import trace as follow

    source: Any = files[0] if len(files) == 1 else files
    stations = follow(
        source, target, row=row, trunk=trunk, columns=pairs(columns or [], "--columns"), bad_rows=bad_rows
    )
    terminal.show_stations(stations, terminal.console())


def main() -> None:
    """Run the command line. Exit codes: 0 all is well, 1 a check warns, 2 something you can mend, 130 interrupted."""
    sys.exit(_run())


def _run() -> int:
    _suggest_command()
    try:
        app(prog_name="fathom")
    except FathomError as error:
        print(f"fathom: {error}", file=sys.stderr)
        return MISTAKE
    except MemoryError:
        print("fathom: memory ran out. Fit fewer rows or columns, or use a machine with more memory.", file=sys.stderr)
        return MISTAKE
    return 0


def _suggest_command() -> None:
    """Turn an unknown verb into a lesson; typer would only say that there is none."""
    known = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    words = [word for word in sys.argv[1:2] if not word.startswith("-")]
    if words and words[0] not in known:
        print(
            f"fathom: there is no command {words[0]!r}.{suggestion(words[0], known)} There are: {', '.join(known)}.",
            file=sys.stderr,
        )
        sys.exit(MISTAKE)


def _flags_win(context: typer.Context, flags: dict[str, Any], from_file: dict[str, Any]) -> dict[str, Any]:
    """Return a file's settings with those in their place that were given as flags; tables are joined name by name."""
    given = {}
    for name, value in flags.items():
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            given[name] = {**from_file.get(name, {}), **value} if isinstance(value, dict) else value
    return {**from_file, **given}


def _command() -> str:
    return shlex.join(["fathom", *(word for word in sys.argv[1:] if word != "--resume")])


def _how_to_go_on(folder: Path) -> str:
    from fathom.running import can_go_on

    if not can_go_on(folder):
        return "Nothing was left half-written; the same command starts again with the same split of the rows."
    words = [word for word in sys.argv[1:] if word != "--resume"]
    if not any(word == "--out" or word.startswith("--out=") for word in words):
        words += ["--out", str(folder)]
    return f"What was learned so far is kept. Go on with:  {shlex.join(['fathom', *words, '--resume'])}"


def _stem(name: str) -> str:
    stem = Path(name).name.split(".")[0] or Path(name).resolve().name  # "." is the folder that it stands for
    return stem if stem.strip("*?[]") else "table"


def _run_of(bundle: Path) -> Path:
    return bundle if (bundle / "result.json").is_file() else bundle.parent


def _result(run: Path) -> dict[str, Any]:
    path = run / "result.json"
    try:
        result: dict[str, Any] = json.loads(path.read_bytes())
        if result["format"] != 1:
            raise OutputError(
                f"{path} has format {result['format']!r}, and this Fathom reads format 1. Use the Fathom that wrote it, or fit again."
            )
    except FileNotFoundError:
        raise OutputError(
            f"There is no {path}. Name a folder that fathom fit wrote, for example runs/homes-1.", file=str(path)
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{path} cannot be read as the result of a fit ({type(error).__name__}). Fit again.", file=str(path)
        ) from None
    return result


if __name__ == "__main__":
    main()
