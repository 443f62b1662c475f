"""What a fit leaves: the bundle of the model that is shipped, proven and described, and the pages and files beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fathom.bundle import manifest
from fathom.bundle.answers import unlikeness
from fathom.bundle.answers.gauging import make_reference
from fathom.bundle.answers.reference import Reference, with_reference
from fathom.bundle.guard.checking import check_contents
from fathom.bundle.guard.strict_json import dump
from fathom.bundle.saving import SAMPLES, prove_parity
from fathom.chapters import sealing
from fathom.chapters.candidates import Candidate
from fathom.chapters.judging import Judged
from fathom.chapters.learned_rows import learned_files
from fathom.chapters.prepared import Prepared
from fathom.chapters.sealing import Look
from fathom.data.encoding import inputs_of
from fathom.data.modalities.contract import Modality
from fathom.data.rows.splitting import TEST
from fathom.data.table import Table
from fathom.evidence.affording import FREE, Allowance
from fathom.model import predictions

PARITY_ROWS, FEWEST_PARITY = 512, 16  # on which a bundle is held against the model as it was trained


def whole_bundle(
    prepared: Prepared,
    judged: Judged,
    modalities: Sequence[Modality],
    besides: Mapping[str, bytes],
    allowance: Allowance = FREE,
) -> dict[str, bytes]:
    """Return the bundle of the shipped model, with what was measured of it, the files ``besides``, and the reference against which drift is measured.

    ``allowance`` is what asking the model may cost: one that is slow is proven on fewer rows. Raises ParityError when it does not answer as the model was trained.
    """
    more = {**besides, "scores.json": dump(scores_of(prepared, judged))}
    rows = max(FEWEST_PARITY, allowance.affords("parity", PARITY_ROWS, FEWEST_PARITY, 1 + len(judged.shipped.trainers)))
    files = bundle_files(prepared, judged.shipped, modalities, more, rows)
    return with_reference(files, reference_of(prepared, judged, besides))


def run_files(
    prepared: Prepared, bundle: Mapping[str, bytes], result: Mapping[str, Any], look: Look
) -> dict[str, bytes]:
    """Return the files of a run folder by name: bundle, what knows its rows again, result, page, card and findings."""
    return {
        **{"bundle/" + name: content for name, content in bundle.items()},
        **sealing.files(prepared.split.fingerprint, prepared.table.take(prepared.split.rows(TEST)), [look]),
        **learned_files(prepared),
        "result.json": dump(dict(result), in_order=False),  # a report made of it again has its columns where they were
        "report.html": report_file(result),
        "card.md": card_file(result),
        "findings.json": findings_file(result),
    }


def bundle_files(
    prepared: Prepared,
    shipped: Candidate,
    modalities: Sequence[Modality],
    more: Mapping[str, bytes] | None = None,
    parity_rows: int = PARITY_ROWS,
) -> dict[str, bytes]:
    """Return the bundle of the shipped candidate with ``more`` files, after proving that it answers as it was trained and would be let in again.

    Raises ParityError when it does not.
    """
    rows = _parity_rows(prepared, parity_rows)
    prove_parity(shipped.files(), rows, shipped.trainers, modalities)
    files = shipped.files(samples_of(shipped, rows), more)
    check_contents(files)
    return files


def samples_of(shipped: Candidate, rows: Table) -> list[dict[str, Any]]:
    """Return the first of some rows with what a model answers to them."""
    examples = rows.take(np.arange(min(rows.rows, SAMPLES)))
    answers = predictions(shipped.description, shipped.inference.tell(examples)).to_pylist()
    return [
        {"row": _plain_row(row), "answer": _plain_row(answer)}
        for row, answer in zip(examples.to_pylist(), answers, strict=True)
    ]


def scores_of(prepared: Prepared, judged: Judged) -> dict[str, Any]:
    """Return what a bundle says of how good it is: nothing that hangs on the machine, so that the same fit makes the same bytes."""
    return {
        "rows": prepared.counts,
        "split": prepared.split.how,
        "test rows": prepared.split.fingerprint,
        "targets": {
            target: {metric: interval.as_json() for metric, interval in scores.items()}
            for target, scores in judged.scores[judged.shipped.name].items()
        },
    }


def reference_of(prepared: Prepared, judged: Judged, besides: Mapping[str, bytes]) -> Reference:
    """Sketch the training rows, and the shipped model's answers to the rows that judged it, against which drift is measured in service."""
    shipped = judged.shipped
    learned = unlikeness.opened(besides, prepared.columns)
    unlike = learned.unlike(prepared.sealed) if learned is not None else None
    answers, description = judged.answers[shipped.name], shipped.description
    reach = {
        column.name: description.reach(column, judged.told, answers[column.name])
        for column in prepared.targets
        if column.name in description.half_widths
    }
    return make_reference(description, prepared.train, answers, judged.truth, unlike, reach)


def _parity_rows(prepared: Prepared, most: int) -> Table:
    """Return rows to compare answers on: training rows spread over the table, in the columns that the model reads."""
    names = [column.name for column in inputs_of(prepared.columns)]
    spread = np.linspace(0, prepared.train.rows - 1, min(prepared.train.rows, most)).astype(np.int64)
    return prepared.train.select(names).take(spread)


def _plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        if isinstance(value, (int, float, str, bool)) and value == value
        else None
        if value is None or isinstance(value, (bytes, list, dict))
        else str(value)
        for name, value in row.items()
    }


def findings_file(result: Mapping[str, Any]) -> bytes:
    """Return the findings of a result as a JSON file of their own, for other tools."""
    told = {name: result[name] for name in ("format", "fathom", "created", "shipped")}
    return dump({**told, "findings": result["findings"]})


def with_card(files: Mapping[str, bytes], result: Mapping[str, Any]) -> dict[str, bytes]:
    """Return a bundle with its model card, in which nothing hangs on a clock: equal fits have equal bundles."""
    from fathom.report.card import NAME, card

    others = {name: content for name, content in files.items() if name not in (manifest.NAME, manifest.SIGNATURE)}
    others[NAME] = card(dict(result), lasting=True).encode()
    return {**others, manifest.NAME: manifest.make(others)}


def card_file(result: Mapping[str, Any]) -> bytes:
    """Return the model card of a result as Markdown."""
    from fathom.report.card import card

    return card(dict(result)).encode()


def report_file(result: Mapping[str, Any]) -> bytes:
    """Return the page of a result."""
    from fathom.report import render

    return render(dict(result)).encode()
