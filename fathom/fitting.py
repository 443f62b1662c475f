"""The recipe: split, learn, encode, train, choose, judge; from a table to a model, a report and a bundle."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fathom.baselines import BASELINES
from fathom.baselines.contract import Baseline
from fathom.bundle import unlikeness
from fathom.bundle.checking import check_contents
from fathom.bundle.gauging import make_reference
from fathom.bundle.reference import Reference, with_reference
from fathom.bundle.saving import SAMPLES, prove_parity
from fathom.bundle.strict_json import dump
from fathom.chapters import sealing
from fathom.chapters.candidates import Candidate
from fathom.chapters.equipping import equipment
from fathom.chapters.judging import Judged, check_metric, judge_candidates
from fathom.chapters.learning import export_network, train_network
from fathom.chapters.leaving_out import contributions, groups_of
from fathom.chapters.planning import network_plan
from fathom.chapters.prepared import Prepared, prepared_sizes
from fathom.chapters.preparing import prepare
from fathom.chapters.reasoning import reasons_of_fit
from fathom.chapters.refitting import refit_of
from fathom.chapters.results import make_result
from fathom.chapters.rivals import fit_baselines
from fathom.chapters.running import RunFolder
from fathom.chapters.storing import encode_rows
from fathom.chapters.surveying import open_larger, survey
from fathom.data.encoding import inputs_of
from fathom.data.folders import parted
from fathom.data.modalities import MODALITIES
from fathom.data.modalities.contract import Modality
from fathom.data.splitting import TEST
from fathom.data.table import Table
from fathom.effort import REFITTING_SHARE
from fathom.errors import OptionError, check_installed
from fathom.examining import findings_of, look_for_leaks
from fathom.model import Model, predictions
from fathom.progress import Progress, Several, Silent
from fathom.settings import Settings, names_in
from fathom.settings_files import settings_text
from fathom.tensorboard import FOLDER, scalars

PARITY_ROWS = 512
FINISHING_SECONDS = (
    11.0  # of CPU time, that exporting, judging, explaining and saving take after training at most, for `--minutes`
)
LEAVING_OUT_SHARE = 0.5  # of the time that is left when the network has been trained
EXPORTING_SECONDS = 1.5  # of CPU time, that each further network of a small table takes to export
FEWEST_SECONDS = 2.0  # for which fitting again is worth beginning
BASELINE_SHARE = 0.15  # of the time that is left when the simpler models start


def fit(
    source: Any,
    target: str | Sequence[str] | None = None,
    *,
    test: Any = None,
    out: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    modalities: Sequence[Modality] = MODALITIES,
    baselines: Sequence[Baseline] = BASELINES,
    command: str = "",
    **settings: Any,
) -> Model:
    """Train a network on a table, judge it against simpler models on rows that none has seen, and return the winner.

    ``source`` and ``test`` are anything that `fathom.read` takes: files, a glob, a pandas, polars or Arrow frame. ``target`` names the column, or
    columns, to predict; of a folder of classes it is the folder where nothing is said. ``out`` names a new folder for `result.json`, `report.html` and `bundle/`; without it nothing is written and
    ``Model.save`` and ``Model.report`` write them later. ``resume`` goes on with what an interrupted fit of the same rows and settings left of that folder, to
    the same weights bit for bit. ``settings`` are the fields of `fathom.settings.Settings`, by name. ``modalities`` and ``baselines`` may
    be extended by your own.

    Raises TableError, OptionError, OutputError, CheckpointError or ExtraError, each saying what to do.

    >>> table = {"x": [x / 8 for x in range(200)], "y": [3.0 * (x % 7) + 0.25 * x for x in range(200)]}
    >>> model = fit(table, target="y", effort="quick", epochs=2)
    >>> model.result["verdict"]["answer"] in ("worth it", "not worth it", "cannot tell yet")
    True
    """
    check_installed(("torch", "sklearn", "safetensors", "onnx", "onnxscript", "jinja2"), "train")
    chosen = Settings.of(settings)
    check_log(chosen, out)
    clock = Clock(chosen.minutes)
    source, target, test = parted(source, target, test)
    with RunFolder.reserve(out, resume) as run, _room(run) as folder, _listeners(run, progress, chosen) as told:
        opened = open_larger(source, chosen, told)
        if opened is None:
            prepared = prepare(source, target, test, chosen, modalities, told, folded=True)
        else:
            prepared = survey(opened, target, test, chosen, modalities, told, folder)
        check_metric(prepared.targets, chosen)
        for name in (*names_in(chosen.protect), *names_in(chosen.effect), *names_in(chosen.confounders)):
            prepared.table.column(name)  # raises with the nearest name
        leaks = look_for_leaks(prepared, chosen)
        if opened is not None:
            prepared = encode_rows(prepared, folder, told)
        clock.mark("preparing")
        with _threads(asked := chosen.threads) as threads:
            chosen = replace(chosen, threads=threads)
            size = prepared_sizes(prepared, chosen)
            network_plan(prepared, chosen, size, modalities)  # what cannot be built is said before anything is trained
            rivals = fit_baselines(prepared, chosen, baselines, modalities, clock.share(BASELINE_SHARE), told)
            clock.mark("simpler models")
            with _torch_threads(threads):
                free = replace(chosen, threads=asked)
                limit = clock.until(FINISHING_SECONDS + EXPORTING_SECONDS * (size.folds - 1))
                checkpoints = run.checkpoints if run else None
                if limit is not None and groups_of(prepared.columns):  # the columns are to be left out in turn
                    limit *= 1 - LEAVING_OUT_SHARE / 2
                trained = train_network(prepared, free, size, modalities, limit, told, checkpoints)
                network = export_network(prepared, trained, free, size, modalities, told)
                clock.mark("network")
                limit = clock.share(LEAVING_OUT_SHARE)
                adds = contributions(prepared, free, size, modalities, limit, told)
            clock.mark("leaving columns out")
            judged = judge_candidates(prepared, network, rivals, chosen, size.resamples, told)
            clock.mark("judging")
            told.begin("Asking for evidence")
            free = replace(chosen, threads=asked)
            besides = equipment(prepared, chosen.seed)
            left = refitting_seconds(chosen, network.fit_seconds, clock.until(FINISHING_SECONDS / 2))
            found = findings_of(
                prepared,
                (network, *rivals),
                judged,
                chosen,
                leaks,
                lambda column: refit_of(prepared, free, size, modalities, baselines, column) if left else None,
                left,
                besides,
            )
            told.end(f"{sum(one['answer'] != 'not applicable' for one in found)} questions answered")
            clock.mark("checks")
            files = with_reference(
                bundle_files(
                    prepared, judged.shipped, modalities, {**besides, "scores.json": dump(scores_of(prepared, judged))}
                ),
                reference_of(prepared, judged, besides),
            )
            clock.mark("saving")
            own_look = sealing.look("opened once, to judge the models of this fit")
            looks = [*(sealing.earlier_looks(run.path, prepared.split.fingerprint) if run else []), own_look]
            told.begin("Gathering the evidence")
            result = make_result(
                prepared, network, rivals, judged, chosen, size, looks, adds, found, clock.seconds, command
            )
            model = Model.of(files, None, modalities, threads)
            result |= reasons_of_fit(prepared, model, judged, result["importance"], chosen.seed)
            files = with_card(files, result)
            told.end()
        if run:
            told.begin("Writing")
            run.write({"bundle/" + name: content for name, content in files.items()})
            run.write(
                sealing.files(prepared.split.fingerprint, prepared.table.take(prepared.split.rows(TEST)), [own_look])
            )
            run.write({"result.json": dump(result), "report.html": _report(result)})
            run.write({"card.md": _card(result), "findings.json": findings_file(result)})
            run.write({"settings.toml": settings_text(replace(chosen, threads=asked), command).encode()})
            told.end(str(run.path))
    return replace(model, files=files, result=result)


def refitting_seconds(settings: Settings, trained: float, left: float | None) -> float:
    """Return how long checks may fit again, where training took ``trained`` seconds and ``left`` are left; 0 is not at all."""
    share = REFITTING_SHARE[settings.effort] * max(trained, FEWEST_SECONDS)
    share = share if left is None else min(share, left)
    return share if share >= FEWEST_SECONDS else 0.0


def check_log(settings: Settings, out: str | Path | None) -> None:
    """Raise ExtraError or OptionError where the log that was asked for cannot be written."""
    if settings.log is None:
        return
    check_installed(("tensorboard",), "tensorboard")
    if out is None:
        raise OptionError("log='tensorboard' is written into the run folder, and none is named. Give out=FOLDER.")


@contextmanager
def _listeners(run: RunFolder | None, progress: Progress | None, settings: Settings) -> Iterator[Progress]:
    """Yield who is told of the fit. Raises OptionError for one that does not listen to everything."""
    told = progress or Silent()
    if not isinstance(told, Progress):
        raise OptionError(
            f"progress is a {type(told).__name__}, which lacks a method: it needs begin, advance, measure, end and say (fathom.progress.Progress)."
        )
    if settings.log is None or run is None:
        yield told
        return
    with scalars(run.staging / FOLDER) as log:
        yield Several(told, log)


@contextmanager
def _room(run: RunFolder | None) -> Iterator[Path]:
    """Return the folder for what does not fit in memory; nothing is left of it but by a run that may go on."""
    if run is not None:
        yield run.encoded
        return
    with tempfile.TemporaryDirectory(prefix="fathom-") as folder:
        yield Path(folder)


def bundle_files(
    prepared: Prepared, shipped: Candidate, modalities: Sequence[Modality], more: Mapping[str, bytes] | None = None
) -> dict[str, bytes]:
    """Return the bundle of the shipped candidate with ``more`` files, after proving that it answers as it was trained and would be let in again.

    Raises ParityError when it does not.
    """
    rows = _parity_rows(prepared)
    prove_parity(shipped.files(), rows, shipped.trainers, modalities)
    files = shipped.files(samples_of(shipped, rows), more)
    check_contents(files)
    return files


def samples_of(shipped: Candidate, rows: Table) -> list[dict[str, Any]]:
    """Return the first of some rows with what a model answers to them."""
    examples = rows.take(np.arange(min(rows.rows, SAMPLES)))
    answers = predictions(shipped.description, shipped.inference.answer(examples)).to_pylist()
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
    return make_reference(shipped.description, prepared.train, judged.answers[shipped.name], judged.truth, unlike)


def _parity_rows(prepared: Prepared) -> Table:
    """Return rows to compare answers on: training rows spread over the table, in the columns that the model reads."""
    names = [column.name for column in inputs_of(prepared.columns)]
    spread = np.linspace(0, prepared.train.rows - 1, min(prepared.train.rows, PARITY_ROWS)).astype(np.int64)
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
    from fathom.bundle import manifest
    from fathom.report.card import NAME, card

    others = {name: content for name, content in files.items() if name not in (manifest.NAME, manifest.SIGNATURE)}
    others[NAME] = card(dict(result), lasting=True).encode()
    return {**others, manifest.NAME: manifest.make(others)}


def _card(result: Mapping[str, Any]) -> bytes:
    from fathom.report.card import card

    return card(dict(result)).encode()


def _report(result: Mapping[str, Any]) -> bytes:
    from fathom.report import render

    return render(dict(result)).encode()


@contextmanager
def _threads(asked: int | None) -> Iterator[int]:
    """Limit how many cores arithmetic takes while a fit runs; yields the most: ``asked``, or what torch would take.

    Unless they are asked for, OpenMP's threads (torch, scikit-learn's and LightGBM's trees) are as many as are quickest beside whatever else runs: trees
    have the same bits with any number. BLAS, which the linear model needs, has not, so it takes one.
    """
    import sklearn.ensemble  # noqa: F401  (a library that is not loaded yet is not limited)
    import torch
    from threadpoolctl import threadpool_limits

    from fathom.training.threads import Exercise, quickest

    most = asked or torch.get_num_threads()
    with _torch_threads(most):
        own = asked or quickest(Exercise(), most).threads
        with threadpool_limits(own, "openmp"), threadpool_limits(1, "blas"):
            yield most


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Clock:
    """What the stages took, in seconds, and what is left of the minutes that were allowed."""

    def __init__(self, minutes: float | None) -> None:
        self.started = self.last = time.perf_counter()
        self.worked = time.process_time()
        self.limit = None if minutes is None else 60.0 * minutes
        self.seconds: dict[str, float] = {}

    def mark(self, stage: str) -> None:
        """Write down what the stage that has just ended took."""
        now = time.perf_counter()
        self.seconds[stage] = now - self.last
        self.last = now

    def until(self, reserve: float) -> float | None:
        """Return the seconds until as long before the limit as ``reserve`` seconds of work will take, at least one; ``None`` without a limit."""
        if self.limit is None:
            return None
        return max(1.0, self.limit - (time.perf_counter() - self.started) - reserve * self.slowness)

    @property
    def slowness(self) -> float:
        """How many seconds a second of work has taken so far: 1 on a quiet machine, more where others hold the cores."""
        return max(1.0, (time.perf_counter() - self.started) / max(time.process_time() - self.worked, 1e-3))

    def share(self, part: float) -> float | None:
        """Return a share of the seconds that are left; ``None`` without a limit."""
        left = self.until(0.0)
        return None if left is None else part * left


__all__ = ["Clock", "bundle_files", "fit"]
