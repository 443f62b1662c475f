"""The recipe: split, learn, encode, train, choose, judge; from a table to a model, a report and a bundle."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fathom import sealing
from fathom.baselines import BASELINES
from fathom.baselines.contract import Baseline
from fathom.bundle import manifest
from fathom.bundle.saving import SAMPLES, prove_parity
from fathom.candidates import Candidate, fit_baselines, fit_network, network_plan
from fathom.data.encoding import inputs_of
from fathom.data.modalities import MODALITIES
from fathom.data.modalities.contract import Modality
from fathom.data.table import Table
from fathom.effort import sizes
from fathom.errors import check_installed
from fathom.judging import check_metric, judge_candidates
from fathom.model import Model, predictions
from fathom.preparing import Prepared, prepare
from fathom.progress import Progress, Silent
from fathom.results import make_result
from fathom.running import RunFolder
from fathom.settings import Settings

PARITY_ROWS = 512
FINISHING_SECONDS = 9.0  # what exporting, judging, explaining and saving take after training, for `--minutes`
BASELINE_SHARE = 0.15  # of the time that is left when the simpler models start


def fit(
    source: Any,
    target: str | Sequence[str],
    *,
    test: Any = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
    modalities: Sequence[Modality] = MODALITIES,
    baselines: Sequence[Baseline] = BASELINES,
    command: str = "",
    **settings: Any,
) -> Model:
    """Train a network on a table, judge it against simpler models on rows that none has seen, and return the winner.

    ``source`` and ``test`` are anything that `fathom.read` takes: files, a glob, a pandas, polars or Arrow frame. ``target`` names the column, or
    columns, to predict. ``out`` names a new folder for `result.json`, `report.html` and `bundle/`; without it nothing is written and
    ``Model.save`` and ``Model.report`` write them later. ``settings`` are the fields of `fathom.settings.Settings`, by name. ``modalities`` and ``baselines`` may
    be extended by your own.

    Raises TableError, OptionError, OutputError or ExtraError, each saying what to do.

    >>> table = {"x": [x / 8 for x in range(200)], "y": [3.0 * (x % 7) + 0.25 * x for x in range(200)]}
    >>> model = fit(table, target="y", effort="quick", epochs=2)
    >>> model.result["verdict"]["answer"] in ("worth it", "not worth it", "cannot tell yet")
    True
    """
    check_installed(("torch", "sklearn", "safetensors", "onnx", "onnxscript", "jinja2"), "train")
    chosen = Settings.of(settings)
    told = progress or Silent()
    clock = Clock(chosen.minutes)
    with RunFolder.reserve(out) as run:
        prepared = prepare(source, target, test, chosen, modalities, told)
        check_metric(prepared.targets, chosen)
        clock.mark("preparing")
        with _threads(chosen.threads) as threads:
            chosen = replace(chosen, threads=threads)
            size = sizes(chosen.effort, chosen.trunk, prepared.train.rows)
            network_plan(prepared, chosen, size, modalities)  # what cannot be built is said before anything is trained
            rivals = fit_baselines(prepared, chosen, baselines, modalities, clock.share(BASELINE_SHARE), told)
            clock.mark("simpler models")
            network = fit_network(prepared, chosen, size, modalities, clock.until(FINISHING_SECONDS), told)
            clock.mark("network")
            judged = judge_candidates(prepared, network, rivals, chosen, size.resamples, told)
            clock.mark("judging")
            files = bundle_files(prepared, judged.shipped, modalities)
            clock.mark("saving")
            own_look = sealing.look("opened once, to judge the models of this fit")
            looks = [*(sealing.earlier_looks(run.path, prepared.split.fingerprint) if run else []), own_look]
            told.begin("Gathering the evidence")
            result = make_result(prepared, network, rivals, judged, chosen, size, looks, clock.seconds, command)
            told.end()
        if run:
            told.begin("Writing")
            run.write({"bundle/" + name: content for name, content in files.items()})
            run.write(sealing.files(prepared.split.fingerprint, prepared.sealed, [own_look]))
            run.write({"result.json": manifest.dump(result), "report.html": _report(result)})
            told.end(str(run.path))
    return Model.of(files, result, modalities, threads)


def bundle_files(prepared: Prepared, shipped: Candidate, modalities: Sequence[Modality]) -> dict[str, bytes]:
    """Return the bundle of the shipped candidate, after proving that it answers as it was trained.

    Raises ParityError when it does not.
    """
    rows = _parity_rows(prepared)
    prove_parity(shipped.files(), rows, shipped.trainers, modalities)
    examples = rows.take(np.arange(min(rows.rows, SAMPLES)))
    answers = predictions(shipped.description, shipped.inference.answer(examples)).to_pylist()
    samples = [
        {"row": _plain_row(row), "answer": _plain_row(answer)}
        for row, answer in zip(examples.to_pylist(), answers, strict=True)
    ]
    return shipped.files(samples)


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
        if value is None
        else str(value)
        for name, value in row.items()
    }


def _report(result: Mapping[str, Any]) -> bytes:
    from fathom.report import render

    return render(dict(result)).encode()


@contextmanager
def _threads(wanted: int | None) -> Iterator[int]:
    """Set how many cores torch takes while a fit runs; scikit-learn's and LightGBM's follow the same limit."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(wanted or before)
    try:
        with threadpool_limits(wanted or before):
            yield wanted or before
    finally:
        torch.set_num_threads(before)


class Clock:
    """What the stages took, in seconds, and what is left of the minutes that were allowed."""

    def __init__(self, minutes: float | None) -> None:
        self.started = self.last = time.perf_counter()
        self.limit = None if minutes is None else 60.0 * minutes
        self.seconds: dict[str, float] = {}

    def mark(self, stage: str) -> None:
        """Write down what the stage that has just ended took."""
        now = time.perf_counter()
        self.seconds[stage] = now - self.last
        self.last = now

    def until(self, reserve: float) -> float | None:
        """Return the seconds until ``reserve`` seconds before the limit, at least one; ``None`` without a limit."""
        if self.limit is None:
            return None
        return max(1.0, self.limit - (time.perf_counter() - self.started) - reserve)

    def share(self, part: float) -> float | None:
        """Return a share of the seconds that are left; ``None`` without a limit."""
        left = self.until(0.0)
        return None if left is None else part * left


__all__ = ["Clock", "bundle_files", "fit"]
