"""fathom fit: a table becomes a network that was judged against simpler models."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import fathom
from fathom import completing
from fathom.commands.options import INTERRUPTED, Delimiter, Encoding, Header, pairs

NAME = "fit"
EXAMPLE = "fathom fit homes.csv --target price --columns zip=category --effort quick"


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
    pretrained: Annotated[
        list[str] | None,
        typer.Option(help="A reader taught elsewhere, a folder or a fetched name: text=weights/minilm."),
    ] = None,
    fine_tune: Annotated[
        bool, typer.Option("--fine-tune", help="Let what --pretrained names go on learning, at a low rate.")
    ] = False,
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
        typer.Option(
            help="How pictures, recordings, series and texts are varied in training: auto, off, or flip=1,rotate=10,hiss=0.5,dropped=0.1."
        ),
    ] = "auto",
    adversarial: Annotated[
        str,
        typer.Option(
            help="How far numbers (in standard deviations) and pixels (of 255) are pushed in training, so that small pushes hurt less: off, auto, or number=0.1,image=4."
        ),
    ] = "off",
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
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    header: Header = None,
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
    effect: Annotated[
        str | None,
        typer.Option(
            autocompletion=completing.columns, help="The column whose effect on the target is to be estimated."
        ),
    ] = None,
    confounders: Annotated[
        str | None,
        typer.Option(help="The columns that may cause both it and the target: age,region.  [default: all others]"),
    ] = None,
    goal: Annotated[float | None, typer.Option(help="A score; the report says how many rows it would take.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict and the folder only.")] = False,
) -> None:
    """Train a network, judge it against simpler models, and write a report and a bundle."""
    from fathom import terminal
    from fathom.chapters.running import can_go_on, next_folder, unfinished_folder
    from fathom.fitting import fit as run
    from fathom.interrupting import stoppable
    from fathom.progress import Several

    source: Any = files[0] if len(files) == 1 else files
    unfinished = unfinished_folder(_stem(files[0])) if resume and out is None else None
    folder = out or unfinished or next_folder(_stem(files[0]))
    if resume and not can_go_on(folder):
        print(f"Note: no run of {files[0]} was stopped with anything to go on from; a new one begins.", file=sys.stderr)
    settings: dict[str, Any] = {
        "columns": pairs(columns or [], "--columns"),
        "encoder": pairs(encoder or [], "--encoder"),
        "pretrained": pairs(pretrained or [], "--pretrained", first=True),
        "fine_tune": fine_tune,
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
        "adversarial": adversarial,
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
        "effect": effect,
        "confounders": confounders,
        "goal": goal,
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
    from fathom.chapters.running import can_go_on

    if not can_go_on(folder):
        return "Nothing was left half-written; the same command starts again with the same split of the rows."
    words = [word for word in sys.argv[1:] if word != "--resume"]
    if not any(word == "--out" or word.startswith("--out=") for word in words):
        words += ["--out", str(folder)]
    return f"What was learned so far is kept. Go on with:  {shlex.join(['fathom', *words, '--resume'])}"


def _stem(name: str) -> str:
    stem = Path(name).name.split(".")[0] or Path(name).resolve().name  # "." is the folder that it stands for
    return stem if stem.strip("*?[]") else "table"
