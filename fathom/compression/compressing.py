"""A bundle made smaller and quicker: every way of doing it is tried, measured side by side on a price list, and the one that a stated budget asks for is kept.

The rows are those of the fit, parted as it parted them. Ways are judged on the validation rows; the test rows are opened once more, for the bundle that is kept and the one it was made
from, and the look is counted.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fathom.bundle import manifest
from fathom.bundle.checking import check_contents
from fathom.bundle.description import Description
from fathom.bundle.saving import ParityError, prove_parity, save
from fathom.bundle.strict_json import dump, parse
from fathom.chapters import sealing
from fathom.chapters.candidates import Candidate, as_candidate
from fathom.chapters.prepared import Prepared, prepared_sizes
from fathom.chapters.preparing import decoded
from fathom.compression.pricing import Budget, Price, chosen, metric_for, scores_on, time_all, with_losses
from fathom.data.encoding import encode_inputs, inputs_of
from fathom.data.modalities import MODALITIES
from fathom.data.modalities.contract import Modality
from fathom.data.splitting import TEST, TRAIN, VALIDATION
from fathom.errors import FathomError, OptionError, check_installed
from fathom.model import Model, load
from fathom.progress import Progress, Silent
from fathom.renewal.origins import Origin, origin_of_run
from fathom.renewal.renewing import base_of

WAYS = ("int8", "prune", "distil", "linear", "trees")
CALIBRATION_ROWS, CALIBRATION_BATCH = 512, 32
PARITY_ROWS = 256
PRUNED_SHARE = 0.5  # of the hidden units that stay
FINE_TUNING = 0.3  # of the epochs and of the learning rate of a fit


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
    prepared = rows_of(origin, table, model.description, modalities)
    told.end(f"{prepared.train.rows:,} rows to learn from, {prepared.validation.rows:,} to choose by")
    notes: list[str] = []
    offers: list[tuple[str, str, Mapping[str, bytes]]] = [("as it is", "the bundle that was given", model.files)]
    told.begin("Trying ways")
    for name, how, make in _ways(model, prepared, origin, ways, epochs, modalities):
        try:
            offers.append((name, how, make()))
            told.advance(len(offers) - 1, name)
        except FathomError as error:
            notes.append(f"{name} was left out: {error}")
    told.end(f"{len(offers) - 1} ways")
    told.begin("Measuring")
    opened = [Model.of(files, modalities=modalities, threads=1) for _, _, files in offers]
    times = time_all(opened, prepared.validation)
    prices = tuple(
        replace(scores_on(one, prepared, metric), name=name, how=how, row_ms=row, graph_ms=graph, bulk_rows=bulk)
        for one, (name, how, _), (row, graph, bulk) in zip(opened, offers, times, strict=True)
    )
    told.end()
    prices = with_losses(prices, metric)
    kept = chosen(prices, budget, metric)
    if kept is None:
        return Compressed(prices, None, {}, {}, tuple(notes))
    place = prices.index(kept)
    judged = _judged(run, opened[0], opened[place], prepared, metric)
    said = {
        "from": manifest.version(model.files),
        "kept": kept.name,
        "budget": budget.as_json(),
        "prices": [price.as_json() for price in prices],
        "judged": judged,
        "notes": notes,
    }
    files = _kept(offers[place][2], dump(said))
    check_contents(files)
    _check_same(opened[place], Model.of(files, modalities=modalities, threads=1), prepared)
    return Compressed(prices, kept, files, judged, tuple(notes))


def rows_of(
    origin: Origin, table: str | Path | None, description: Description, modalities: Sequence[Modality]
) -> Prepared:
    """Return the rows of a fit, parted as it parted them, in the columns of its bundle; of folded rows, the first fold chooses."""
    rows = origin.table(table)
    if rows is None:
        raise OptionError(
            f"The table of the fit is not there any more ({', '.join(origin.files[:3])}). Say where it lies: --table FILE"
        )
    base = base_of(origin, rows, modalities)
    train, validation, sealed = (base.table.take(base.split.rows(part)) for part in (TRAIN, VALIDATION, TEST))
    prepared = Prepared(base.table, description.columns, base.split, train, validation, sealed, ())
    prepared = decoded(prepared, origin.settings, Silent())
    if base.folds is not None:
        prepared = replace(prepared, folds=base.folds, validation=prepared.train).fits()[0]
    return prepared


def _ways(
    model: Model,
    prepared: Prepared,
    origin: Origin,
    ways: Sequence[str],
    epochs: int | None,
    modalities: Sequence[Modality],
) -> Iterator[tuple[str, str, Callable[[], Mapping[str, bytes]]]]:
    """Yield the name of each way, what it is in words, and what makes its bundle."""
    network = model.description.kind == "network"
    made: dict[str, Candidate] = {}

    def whole(name: str, make: Callable[[], Candidate]) -> Callable[[], Mapping[str, bytes]]:
        def work() -> Mapping[str, bytes]:
            made[name] = make()
            proven = made[name].files()
            prove_parity(proven, _some(prepared), made[name].trainers, modalities)
            return _bundle(model, made[name], prepared)

        return work

    def eight(name: str, how: Any) -> Callable[[], Mapping[str, bytes]]:
        def work() -> Mapping[str, bytes]:
            if name and name not in made:
                raise OptionError(f"{name} was not made.")
            graph, description = (
                (made[name].graph, made[name].description) if name else (model.files["network.onnx"], model.description)
            )
            return _bundle(model, _in_eight_bits(graph, description, prepared, how, modalities), prepared)

        return work

    if network and "int8" in ways:
        yield "int8, dynamic", "weights in eight bits, the rest as it comes", eight("", "dynamic")
        yield "int8, static", "weights and what flows between them in eight bits", eight("", "static")
    if network and "prune" in ways:
        from fathom.networks.network import NetworkPlan
        from fathom.networks.pruning import can_prune

        if can_prune(NetworkPlan.from_json(model.description.plan or {})) and manifest.WEIGHTS in model.files:
            name = "pruned"
            told = f"{1 - PRUNED_SHARE:.0%} of the trunk's hidden units gone, the others fine-tuned"
            yield name, told, whole(name, partial(_pruned, model, prepared, origin, epochs, modalities))
            if "int8" in ways:
                yield f"{name}, int8", f"{told}, in eight bits", eight(name, "static")
    if network and "distil" in ways:
        from fathom.compression.distilling import SHARES

        for share in SHARES:
            name = f"distilled, {share}"
            told = f"a network of {share} the width that has learned from the answers"
            student = partial(_student, model, prepared, origin, share, epochs, modalities)
            yield name, told, whole(name, student)
            if "int8" in ways:
                yield f"{name}, int8", f"{told}, in eight bits", eight(name, "static")
    if set(ways) & {"linear", "trees"}:
        from fathom.baselines import linear, trees
        from fathom.compression.distilling import taught_baseline

        wanted = [baseline for way, baseline in (("linear", linear), ("trees", trees)) if way in ways]
        for baseline in wanted:
            name = f"distilled, {baseline.NAME}"
            learned = partial(taught_baseline, baseline, prepared, model, origin.settings, modalities)
            yield name, f"{baseline.NAME} that learned from the answers", whole(name, learned)


def _training(prepared: Prepared, origin: Origin, epochs: int | None, share: float = 1.0) -> Any:
    from fathom.chapters.planning import training_plan

    plan = training_plan(origin.settings, prepared_sizes(prepared, origin.settings), None)
    own = max(1, round(min(plan.epochs, epochs or plan.epochs) * share))
    return replace(plan, epochs=own, learning_rate=plan.learning_rate * share)


def _student(
    model: Model, prepared: Prepared, origin: Origin, share: str, epochs: int | None, modalities: Sequence[Modality]
) -> Candidate:
    import torch

    from fathom.compression.distilling import as_network_candidate, narrower, teach
    from fathom.networks.network import Network, NetworkPlan

    plan = narrower(NetworkPlan.from_json(model.description.plan or {}), share)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(origin.settings.seed)
        network = Network(plan)
    taught = teach(network, prepared, model, _training(prepared, origin, epochs), origin.settings)
    return as_network_candidate(f"distilled, {share}", taught, prepared, modalities, 1)


def _pruned(
    model: Model, prepared: Prepared, origin: Origin, epochs: int | None, modalities: Sequence[Modality]
) -> Candidate:
    from fathom.bundle.loading import reload_network
    from fathom.compression.distilling import as_network_candidate, teach
    from fathom.networks.pruning import pruned

    network = pruned(reload_network(model.description, model.files[manifest.WEIGHTS]), PRUNED_SHARE)
    taught = teach(network, prepared, model, _training(prepared, origin, epochs, FINE_TUNING), origin.settings)
    return as_network_candidate("pruned", taught, prepared, modalities, 1)


def _in_eight_bits(
    graph: bytes, description: Description, prepared: Prepared, how: Any, modalities: Sequence[Modality]
) -> Candidate:
    from fathom.bundle.quantising import quantised

    rows = prepared.train.take(_spread(prepared.train.rows, CALIBRATION_ROWS))
    arrays = encode_inputs(description.columns, rows)
    batches = [
        {name: values[start : start + CALIBRATION_BATCH] for name, values in arrays.items()}
        for start in range(0, rows.rows, CALIBRATION_BATCH)
    ]
    return as_candidate(
        prepared,
        replace(description, half_widths={}, temperatures={}, thresholds={}),
        weights=b"",
        graph=quantised(graph, how, batches),
        summary=f"int8, {how}",
        fit_seconds=0.0,
        trainers={},
        notes={},
        modalities=modalities,
        threads=1,
        unseen=None,
    )


def _bundle(model: Model, candidate: Candidate, prepared: Prepared) -> dict[str, bytes]:
    """Return a candidate as a bundle, without weights to go on from, with the samples of the original answered anew."""
    from fathom.chapters.shipping import samples_of

    more = {
        name: model.files[name]
        for name in ("reference.json", "background.json", "unlike.safetensors")
        if name in model.files
    }
    files = replace(candidate, weights=b"").files(samples_of(candidate, _some(prepared)), more)
    check_contents(files)
    return files


def _kept(files: Mapping[str, bytes], said: bytes) -> dict[str, bytes]:
    own = {name: content for name, content in files.items() if name not in (manifest.NAME, manifest.SIGNATURE)}
    own["compression.json"] = said
    return {**own, manifest.NAME: manifest.make(own)}


def _check_same(measured: Model, kept: Model, prepared: Prepared) -> None:
    """Raise ParityError unless the bundle that is kept answers as the one that was measured, bit for bit."""
    rows = _some(prepared)
    for name, answer in measured.answer(rows).items():
        if not np.array_equal(answer, kept.answer(rows)[name]):
            raise ParityError(
                f"The bundle that is kept answers {name!r} otherwise than the one that was measured. Nothing was saved."
            )


def _judged(run: Path, before: Model, after: Model, prepared: Prepared, metric: Any) -> dict[str, Any]:
    """Return what the test rows say of the original and of what is kept, and what the checks find; the look is written down."""
    from fathom.examining import check

    sealed = replace(prepared, validation=prepared.sealed)
    scores = {name: scores_on(one, sealed, metric) for name, one in (("before", before), ("after", after))}
    found = [one.as_json() for one in check(after, prepared.sealed, only=("slices", "abstaining"))]
    with contextlib.suppress(OSError):  # the run folder may be read-only; the list says that the rows were seen
        sealing.count_look(run, prepared.table.take(prepared.split.rows(TEST)), "a compressed bundle was judged")
    return {
        "rows": prepared.sealed.rows,
        **{name: price.as_json() for name, price in scores.items()},
        "findings": [{key: one[key] for key in ("name", "answer", "sentence", "status")} for one in found],
    }


def _some(prepared: Prepared) -> Any:
    names = [column.name for column in inputs_of(prepared.columns)]
    return prepared.train.select(names).take(_spread(prepared.train.rows, PARITY_ROWS))


def _spread(rows: int, count: int) -> Any:
    return np.linspace(0, rows - 1, min(rows, count)).astype(np.int64)


def price_list(files: Mapping[str, bytes]) -> Mapping[str, Any] | None:
    """Return what a compressed bundle says of how it was made, ``None`` for one that was not compressed."""
    return parse(files["compression.json"], "compression.json") if "compression.json" in files else None
