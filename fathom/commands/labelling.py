"""fathom label: people label rows in a browser, the most informative first."""

from pathlib import Path
from typing import Annotated

import typer

from fathom.settings import names_in

NAME = "label"
EXAMPLE = "fathom label unlabelled.csv --bundle runs/news-1 --labeller ada -o labels.csv"


def label(
    file: Annotated[list[str], typer.Argument(help="The rows, or a folder of pictures, recordings or texts.")],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="The labelled rows, for fathom update --with; go on with the same file."),
    ] = Path("labels.csv"),
    bundle: Annotated[
        Path | None, typer.Option(help="A run, bundle or shelf: the rows that it is least sure of come first.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", "-t", help="What is labelled.  [default: the bundle's target]")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="The classes, with commas between.  [default: the bundle's, or those in the table]"),
    ] = None,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="Labels are numbers.  [default: as the bundle has it]", show_default=False)
    ] = False,
    labeller: Annotated[
        str, typer.Option(help="Who labels; a second name measures how far two agree.  [default: yours here]")
    ] = "",
    port: Annotated[
        int,
        typer.Option(help="The port on this machine.  [default: a free one]", min=0, max=65_535, show_default=False),
    ] = 0,
    seed: Annotated[int, typer.Option(help="Where chance starts.")] = 0,
    agreement: Annotated[
        bool, typer.Option("--agreement", help="Print how far the labellers of --out agree, and end.")
    ] = False,
) -> None:
    """Open a page on this machine where people label rows, with the keys 1 to 9 (or a number and Enter), space to skip and u to undo. Ctrl-C ends; nothing is lost."""
    from fathom.data.files.writing import check_apart
    from fathom.quantities import counted
    from fathom.service.label.label_page import server_of
    from fathom.service.label.labelling import open_session
    from fathom.service.shelf.journal import who_is_here

    check_apart(out, file)
    session = open_session(
        file[0] if len(file) == 1 else file,
        out,
        bundle=bundle,
        target=target,
        classes=names_in(classes),
        numbers=numbers,
        labeller=labeller or who_is_here(),
        seed=seed,
    )
    if agreement:
        _show_agreement(session)
        return
    server = server_of(session, port)
    print(f"Label rows at {server.address}   (Ctrl-C ends)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    if not session.book.given:
        print("\nNothing was labelled.")
        return
    session.finish()
    print(
        f"\n{counted(session.state()['labelled'], 'row is', 'rows are')} labelled, in {out}. Next:  fathom update RUN --with {out}"
    )


def _show_agreement(session: object) -> None:
    from itertools import combinations

    from fathom.quantities import counted
    from fathom.service.label.agreeing import agreement_of
    from fathom.service.label.labelling import Session

    assert isinstance(session, Session)
    book = session.book
    if len(book.labellers) < 2:
        print(
            f"{counted(len(book.labellers), 'person has', 'people have')} labelled: {', '.join(book.labellers) or 'nobody'}. Agreement needs two."
        )
    for one, other in combinations(book.labellers, 2):
        found = agreement_of(book.of(one), book.of(other), numbers=not book.classes)
        print(f"{one} and {other}: {found.sentence()}")
    for key, labels in book.differing():
        if key in session.row_of:
            said = ", ".join(f"{who} says {label}" for who, label in sorted(labels.items()))
            print(f"  row {session.row_of[key] + 1}: {said}")
