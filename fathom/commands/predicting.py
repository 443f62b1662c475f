"""fathom predict: a bundle answers rows."""

import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from fathom.commands.folders import run_of
from fathom.commands.options import Delimiter, Encoding, Header

NAME = "predict"
EXAMPLE = (
    "fathom predict runs/homes-1/bundle new.csv -o answers.csv;  - reads standard input and writes standard output"
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
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    header: Header = None,
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
    from fathom.data.files.reading import read
    from fathom.data.files.writing import check_apart, write
    from fathom.looking import score_known
    from fathom.model import load

    check_apart(out, rows)
    model = load(bundle, threads=threads)
    source: Any = rows[0] if len(rows) == 1 else rows
    if not model.joins_rows and is_large(source, memory):
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.showwarning = lambda message, *_, **__: print(f"Note: {message}", file=sys.stderr)
            done = answer_blocks(model, source, out, delimiter=delimiter, encoding=encoding, header=header, doubt=doubt)
        print(f"{done:,} rows were answered in blocks (--memory); rows answered so are not scored.", file=sys.stderr)
        return
    table = model.gathered(read(source, delimiter=delimiter, encoding=encoding, header=header, empty=True))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answers = model.predict(table, doubt=doubt)
    for warning in caught:
        print(f"Note: {warning.message}", file=sys.stderr)
    write(answers, out)
    for line in score_known(model, table, run_of(bundle)):
        print(line, file=sys.stderr)
