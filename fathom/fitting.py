"""The recipe: split, learn, encode, train, choose, judge; from a table to a model, a report and a bundle. Each line is a chapter of `chapters/`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fathom.baselines import BASELINES
from fathom.baselines.contract import Baseline
from fathom.bundle.answers.inference import cores
from fathom.bundle.graph import drawing
from fathom.chapters import allotting, sealing
from fathom.chapters.allotting import Clock
from fathom.chapters.equipping import equipment
from fathom.chapters.exporting import export_network
from fathom.chapters.judging import check_metric, judge_candidates
from fathom.chapters.learning import train_network
from fathom.chapters.leaving_out import contributions, groups_of
from fathom.chapters.listening import check_log, listeners, room
from fathom.chapters.planning import check_adversary, network_plan
from fathom.chapters.prepared import Prepared, prepared_sizes
from fathom.chapters.preparing import prepare
from fathom.chapters.reasoning import reasons_of_fit
from fathom.chapters.reckoning import allowances, finishing_seconds
from fathom.chapters.refitting import refit_of
from fathom.chapters.results import make_result
from fathom.chapters.rivals import fit_baselines
from fathom.chapters.running import RunFolder
from fathom.chapters.shipping import run_files, whole_bundle, with_card
from fathom.chapters.storing import encode_rows
from fathom.chapters.surveying import open_larger, survey
from fathom.chapters.twin import plain_twin
from fathom.data.files.folders import parted
from fathom.data.modalities import MODALITIES
from fathom.data.modalities.contract import Modality
from fathom.effort import Sizes
from fathom.errors import check_installed
from fathom.evidence.contract import Finding
from fathom.examining import counted, findings_of, look_for_leaks
from fathom.model import Model
from fathom.progress import Progress
from fathom.settings import Settings, names_in
from fathom.settings_files import settings_text


def fit(
    source: Any,
    target: str | int | Sequence[str | int] | None = None,
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
    columns, to predict; a folder of classes needs none, since the folder is the target. ``out`` names a new folder for `result.json`, `report.html` and `bundle/`; without it nothing is written and
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
    named = [target] if isinstance(target, str | int) else target or ()
    names = [str(name) for name in named]  # a frame may number its columns; a table calls them by words
    source, names, test = parted(source, names, test)
    with (
        allotting.rare_collections(),
        RunFolder.reserve(out, resume) as run,
        room(run) as folder,
        listeners(run, progress, chosen) as told,
        drawing.beside(cores()) as draughtsman,
    ):
        prepared, leaks = _understood(source, names, test, chosen, modalities, told, folder)
        if run:
            prepared.readings.keep_in(run.readings)
        clock.mark("preparing")
        with allotting.arithmetic_on(asked := chosen.threads) as threads:
            free, chosen = replace(chosen, threads=asked), replace(chosen, threads=threads)
            size = prepared_sizes(prepared, chosen)
            plan = network_plan(prepared, chosen, size, modalities)  # what cannot be built is said before all training
            if draughtsman:
                draughtsman.begin(replace(plan, margins=True).to_json())
            limit = clock.share(allotting.BASELINE_SHARE)
            rivals = fit_baselines(prepared, chosen, baselines, modalities, limit, told)
            clock.mark("simpler models")
            with allotting.torch_threads(threads):
                limit = _time_to_train(prepared, size, plan, clock)
                place = run.checkpoints if run else None
                trained = train_network(prepared, free, size, modalities, limit, told, place, margins=True)
                network = export_network(prepared, trained, free, size, modalities, told, draughtsman)
                clock.mark("network")
                limit = clock.share(allotting.LEAVING_OUT_SHARE)
                adds = contributions(prepared, free, size, modalities, limit, told)
            clock.mark("leaving columns out")
            judged = judge_candidates(prepared, network, rivals, chosen, size.resamples, told)
            clock.mark("judging")
            other = plain_twin(prepared, free, size, modalities, trained, judged.shipped.name, told)
            told.begin("Asking for evidence")
            besides = equipment(prepared, chosen)
            costs = allowances(prepared, trained, network, judged, chosen, clock)
            refits = allotting.refitting(chosen, network.fit_seconds, clock.until(allotting.FINISHING_SECONDS / 2))
            found = findings_of(
                prepared,
                (network, *rivals),
                judged,
                chosen,
                leaks,
                lambda column: refit_of(prepared, free, size, modalities, baselines, column) if refits.work else None,
                refits,
                besides,
                other,
                costs.shipped,
            )
            told.end(counted(found))
            clock.mark("checks")
            files = whole_bundle(prepared, judged, modalities, besides, costs.shipped)
            clock.mark("saving")
            look = sealing.look("opened once, to judge the models of this fit")
            looks = [*(sealing.earlier_looks(run.path, prepared.split.fingerprint) if run else []), look]
            told.begin("Gathering the evidence")
            result = make_result(
                prepared, network, rivals, judged, chosen, size, looks, adds, found, clock, command, costs
            )
            model = Model.of(files, None, modalities, threads)
            quicker = replace(model, inference=judged.shipped.recalling or model.inference)
            shown, unasked = reasons_of_fit(prepared, quicker, judged, result["importance"], chosen, costs.shipped)
            clock.mark("gathering")
            result |= {**shown, "findings": [*result["findings"], *unasked], **clock.as_json()}
            files = with_card(files, result)
            told.end()
        if run:
            told.begin("Writing")
            run.write(run_files(prepared, files, result, look))
            run.write({"settings.toml": settings_text(free, command).encode()})
            told.end(str(run.path))
    return replace(model, files=files, result=result)


def _understood(
    source: Any,
    target: str | Sequence[str],
    test: Any,
    chosen: Settings,
    modalities: Sequence[Modality],
    told: Progress,
    folder: Path,
) -> tuple[Prepared, list[Finding]]:
    """Return the table understood and parted, in memory or on the disk, and what was found when it was searched for leaks."""
    opened = open_larger(source, chosen, told)
    if opened is None:
        prepared = prepare(source, target, test, chosen, modalities, told, folded=True)
    else:
        prepared = survey(opened, target, test, chosen, modalities, told, folder)
    check_metric(prepared.targets, chosen)
    check_adversary(prepared, chosen)
    for name in (*names_in(chosen.protect), *names_in(chosen.effect), *names_in(chosen.confounders)):
        prepared.table.column(name)  # raises with the nearest name
    leaks = look_for_leaks(prepared, chosen)
    return (prepared if opened is None else encode_rows(prepared, folder, told)), leaks


def _time_to_train(prepared: Prepared, size: Sizes, plan: Any, clock: Clock) -> float | None:
    """Return the seconds that the network may train, so that the rest is done in time; ``None`` without a limit."""
    if clock.limit is None:
        return None
    reserve = allotting.FINISHING_SECONDS + allotting.EXPORTING_SECONDS * (size.folds - 1)
    limit = clock.until(reserve + finishing_seconds(prepared, plan)) or 0.0
    if groups_of(prepared.columns):  # the columns are to be left out in turn
        limit *= 1 - allotting.LEAVING_OUT_SHARE / 2
    return limit
