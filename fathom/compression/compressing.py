"""A bundle made smaller and quicker: every way of doing it is tried, measured side by side on a price list, and the one that a stated budget asks for is kept.

The rows are those of the fit, parted as it parted them. Ways are judged on the validation rows, or on a fold by fits that left it out (`fathom.compression.ground`); the test rows are opened once more, for the bundle that is kept and the one it was made
from, and the look is counted.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fathom.bundle import manifest
from fathom.bundle.description import Description
from fathom.bundle.guard.checking import check_contents
from fathom.bundle.guard.strict_json import dump_tight, parse
from fathom.bundle.saving import ParityError, save
from fathom.chapters import sealing
from fathom.chapters.prepared import Prepared
from fathom.chapters.preparing import decoded
from fathom.compression.ground import Ground, unseen_by
from fathom.compression.pricing import Budget, Price, chosen, metric_for, scores_on, time_all, with_losses
from fathom.compression.ways import WAYS, Made, some_rows, ways_of, why_not_pruned
from fathom.data.modalities import MODALITIES
from fathom.data.modalities.contract import Modality
from fathom.data.rows.splitting import TEST, TRAIN, VALIDATION
from fathom.errors import FathomError, OptionError, check_installed
from fathom.model import Model, load
from fathom.progress import Progress, Silent
from fathom.renewal.origins import Origin, origin_of_run
from fathom.renewal.renewing import base_of


@dataclass(frozen=True)
class Compressed:
    """The price list, which of it was kept (``None`` where nothing meets the budget), the files of that bundle, what the test rows say, and notes for people."""

    prices: tuple[Price, ...]
    kept: Price | None
    files: Mapping[str, bytes]
    judged: Mapping[str, Any]
    notes: tuple[str, ...]

    def save(self, path: str | Path) -> Path:
        """Write the bundle that was kept. Raises OutputError."""
        return save(self.files, path)


def compress(
    bundle: str | Path,
    table: str | Path | None = None,
    *,
    budget: Budget | None = None,
    ways: Sequence[str] = WAYS,
    epochs: int | None = None,
    progress: Progress | None = None,
    modalities: Sequence[Modality] = MODALITIES,
) -> Compressed:
    """Try every way of making a bundle smaller, and keep the one that the budget asks for.

    ``bundle`` is a run or the bundle in it; ``table`` says where the table of the fit lies, if not where it was; ``ways`` are some of ``WAYS``; ``epochs`` limits what smaller networks
    learn. Raises OptionError, BundleError, OutputError, TableError or ExtraError, each saying what to do.
    """
    check_installed(("torch", "sklearn", "safetensors", "onnx", "onnxscript"), "train")
    for way in ways:
        if way not in WAYS:
            raise OptionError(f"There is no way {way!r} of compressing. There are: {', '.join(WAYS)}.")
    told, budget = progress or Silent(), budget or Budget()
    bundle = Path(bundle)
    run = bundle if (bundle / "result.json").is_file() else bundle.parent
    model = load(bundle, modalities=modalities, threads=1)
    origin = origin_of_run(run)
    metric = metric_for(model.description, budget.metric)
    told.begin("Reading the table of the fit")
    ground = Ground.of(model, rows_of(origin, table, model.description, modalities))
    prepared = ground.first
    told.end(f"{prepared.train.rows:,} rows to learn from, {prepared.validation.rows:,} to choose by")
    notes = why_not_pruned(model, ways)
    unseen = unseen_by(model.description, ground.graphs, modalities) if ground.graphs else None
    given = Made(model.files, ground.kept_on, unseen)
    offers: list[tuple[str, str, Made]] = [("as it is", "the bundle that was given", given)]
    told.begin("Trying ways")
    for name, how, make in ways_of(model, ground, origin, ways, epochs, modalities):
        try:
            offers.append((name, how, make()))
            told.advance(len(offers) - 1, name)
        except FathomError as error:
            notes.append(f"{name} was left out: {error}")
    told.end(f"{len(offers) - 1} ways")
    told.begin("Measuring")
    opened = [Model.of(made.files, modalities=modalities, threads=1) for _, _, made in offers]
    times = time_all(opened, prepared.validation)
    prices = tuple(
        replace(
            scores_on(one, prepared, metric, ground.scored(made.unseen)),
            name=name,
            how=how,
            judged_on=made.judged_on,
            row_ms=row,
            graph_ms=graph,
            bulk_rows=bulk,
        )
        for one, (name, how, made), (row, graph, bulk) in zip(opened, offers, times, strict=True)
    )
    told.end()
    prices = with_losses(prices, metric)
    kept = chosen(prices, budget, metric)
    if kept is None:
        return Compressed(prices, None, {}, {}, tuple(notes))
    place = prices.index(kept)
    judged = _judged(run, opened[0], opened[place], prepared, metric, origin.settings.adversarial != "off")
    said = {
        "from": manifest.version(model.files),
        "kept": kept.name,
        "budget": budget.as_json(),
        "prices": [price.as_json() for price in prices],
        "judged": judged,
        "notes": notes,
    }
    files = _kept(offers[place][2].files, dump_tight(said))
    check_contents(files)
    _check_same(opened[place], Model.of(files, modalities=modalities, threads=1), prepared)
    return Compressed(prices, kept, files, judged, tuple(notes))


def rows_of(
    origin: Origin, table: str | Path | None, description: Description, modalities: Sequence[Modality]
) -> Prepared:
    """Return the rows of a fit, parted as it parted them, in the columns of its bundle."""
    rows = origin.table(table)
    if rows is None:
        raise OptionError(
            f"The table of the fit is not there any more ({', '.join(origin.files[:3])}). Say where it lies: --table FILE"
        )
    base = base_of(origin, rows, modalities)
    train, validation, sealed = (base.table.take(base.split.rows(part)) for part in (TRAIN, VALIDATION, TEST))
    prepared = Prepared(base.table, description.columns, base.split, train, validation, sealed, ())
    prepared = decoded(prepared, origin.settings, Silent())
    return prepared if base.folds is None else replace(prepared, folds=base.folds, validation=prepared.train)


def _kept(files: Mapping[str, bytes], said: bytes) -> dict[str, bytes]:
    own = {name: content for name, content in files.items() if name not in (manifest.NAME, manifest.SIGNATURE)}
    own["compression.json"] = said
    return {**own, manifest.NAME: manifest.make(own)}


def _check_same(measured: Model, kept: Model, prepared: Prepared) -> None:
    """Raise ParityError unless the bundle that is kept answers as the one that was measured, bit for bit."""
    rows = some_rows(prepared)
    for name, answer in measured.answer(rows).items():
        if not np.array_equal(answer, kept.answer(rows)[name]):
            raise ParityError(
                f"The bundle that is kept answers {name!r} otherwise than the one that was measured. Nothing was saved."
            )


def _judged(
    run: Path, before: Model, after: Model, prepared: Prepared, metric: Any, taught: bool = False
) -> dict[str, Any]:
    """Return what the test rows say of the original and of what is kept, and what the checks find; the look is written down.

    Where the original was ``taught`` against attacks, both are attacked: a smaller bundle may have lost what that bought.
    """
    from fathom.examining import check

    sealed = replace(prepared, validation=prepared.sealed)
    scores = {name: scores_on(one, sealed, metric) for name, one in (("before", before), ("after", after))}
    found = [one.as_json() for one in check(after, prepared.sealed, only=("slices", "abstaining"))]
    if taught:
        (own,), (other,) = (check(one, prepared.sealed, only=("adversarial",)) for one in (after, before))
        held = (
            ""
            if own.value is None or other.value is None
            else f" At the smallest reach {100 * other.value:.0f} % of the rows hold before it was compressed, and {100 * own.value:.0f} % after."
        )
        found.append(replace(own, sentence=own.sentence + held).as_json())
    with contextlib.suppress(OSError):  # the run folder may be read-only; the list says that the rows were seen
        sealing.count_look(run, prepared.table.take(prepared.split.rows(TEST)), "a compressed bundle was judged")
    return {
        "rows": prepared.sealed.rows,
        **{name: price.as_json() for name, price in scores.items()},
        "findings": [{key: one[key] for key in ("name", "answer", "sentence", "status")} for one in found],
    }


def price_list(files: Mapping[str, bytes]) -> Mapping[str, Any] | None:
    """Return what a compressed bundle says of how it was made, ``None`` for one that was not compressed."""
    return parse(files["compression.json"], "compression.json") if "compression.json" in files else None
