"""The ways of making a bundle smaller: eight bits, fewer units, a student of half or a quarter of the width, a simpler model that learned from the answers, and combinations."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from fathom.bundle import manifest
from fathom.bundle.description import Description
from fathom.bundle.guard.checking import check_contents
from fathom.bundle.guard.strict_json import dump_tight, parse
from fathom.bundle.saving import prove_parity
from fathom.chapters.candidates import Candidate, Unseen, as_candidate
from fathom.chapters.prepared import Prepared, prepared_sizes
from fathom.compression.ground import Ground, unseen_by
from fathom.data.encoding import encode_inputs, inputs_of
from fathom.data.modalities.contract import Modality
from fathom.errors import OptionError
from fathom.model import Model
from fathom.renewal.origins import Origin

WAYS = ("int8", "prune", "distil", "linear", "trees")
CALIBRATION_ROWS, CALIBRATION_BATCH = 512, 32
PARITY_ROWS = 256
PRUNED_SHARE = 0.5  # of the hidden units that stay
FINE_TUNING = 0.3  # of the epochs and of the learning rate of a fit


@dataclass(frozen=True)
class Made:
    """What a way has made: the files of a bundle; what its score stands on, in words; and what answers rows by those of its fits that have not learned from them, where that is not the bundle itself."""

    files: Mapping[str, bytes] = field(repr=False)
    judged_on: str
    unseen: Unseen | None = field(default=None, repr=False)


def ways_of(
    model: Model,
    ground: Ground,
    origin: Origin,
    ways: Sequence[str],
    epochs: int | None,
    modalities: Sequence[Modality],
) -> Iterator[tuple[str, str, Callable[[], Made]]]:
    """Yield the name of each way, what it is in words, and what makes its bundle."""
    network = model.description.kind == "network"
    prepared = ground.first
    made: dict[str, Candidate] = {}

    def whole(name: str, make: Callable[[], Candidate]) -> Callable[[], Made]:
        def work() -> Made:
            made[name] = make()
            proven = made[name].files()
            prove_parity(proven, some_rows(prepared), made[name].trainers, modalities)
            return Made(_bundle(model, made[name], prepared), ground.taught_on)

        return work

    def eight(name: str, how: Any) -> Callable[[], Made]:
        def work() -> Made:
            if not name:
                small = _in_eight_bits(model.files["network.onnx"], model.description, ground, how, modalities)
                return Made(_bundle(model, small, prepared), ground.kept_on, small.unseen)
            if name not in made:
                raise OptionError(f"{name} was not made.")
            own = Ground(prepared, prepared)
            small = _in_eight_bits(made[name].graph, made[name].description, own, how, modalities)
            return Made(_bundle(model, small, prepared), ground.taught_on)

        return work

    if network and "int8" in ways:
        yield "int8, weights", "weights in eight bits, arithmetic as it was", eight("", "weights")
        yield "int8, dynamic", "weights in eight bits, the rest as it comes", eight("", "dynamic")
        yield "int8, static", "weights and what flows between them in eight bits", eight("", "static")
    if network and "prune" in ways:
        from fathom.networks.network import NetworkPlan
        from fathom.networks.pruning import can_prune

        if can_prune(NetworkPlan.from_json(model.description.plan or {})) and manifest.WEIGHTS in model.files:
            name = "pruned"
            told = f"{1 - PRUNED_SHARE:.0%} of the hidden units gone, the others fine-tuned"
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
        from fathom.compression.distilling import TREE_FEATURES, taught_baseline

        wanted = [baseline for way, baseline in (("linear", linear), ("trees", trees)) if way in ways]
        for baseline in wanted:
            name = f"distilled, {baseline.NAME}"
            most = TREE_FEATURES if baseline is trees else None
            learned = partial(taught_baseline, baseline, prepared, model, origin.settings, modalities, most)
            yield name, f"{baseline.NAME} that learned from the answers", whole(name, learned)


def why_not_pruned(model: Model, ways: Sequence[str]) -> list[str]:
    """Return in sentences which parts of a network pruning leaves as they are, and why."""
    if "prune" not in ways or model.description.kind != "network":
        return []
    from fathom.networks.network import NetworkPlan
    from fathom.networks.pruning import left_whole

    plan = NetworkPlan.from_json(model.description.plan or {})
    return [f"Pruning leaves {name} whole: {why}." for name, why in left_whole(plan).items()]


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
    graph: bytes, description: Description, ground: Ground, how: Any, modalities: Sequence[Modality]
) -> Candidate:
    """Return the graph in eight bits, and how sure it is by the answers of fits that have not learned from the rows; where all have, as sure as the original says it is."""
    from fathom.bundle.graph.quantising import quantised

    prepared = ground.whole
    rows = prepared.train.take(_spread(prepared.train.rows, CALIBRATION_ROWS))
    arrays = encode_inputs(description.columns, rows)
    batches = [
        {name: values[start : start + CALIBRATION_BATCH] for name, values in arrays.items()}
        for start in range(0, rows.rows, CALIBRATION_BATCH)
    ]
    apart = [quantised(each, how, batches) for each in ground.graphs]
    small = as_candidate(
        prepared,
        description,
        weights=b"",
        graph=quantised(graph, how, batches),
        summary=f"int8, {how}",
        fit_seconds=0.0,
        trainers={},
        notes={},
        modalities=modalities,
        threads=1,
        unseen=unseen_by(description, apart, modalities) if apart else None,
    )
    if not ground.met:
        return small
    return replace(small, description=description, inference=replace(small.inference, description=description))


def _bundle(model: Model, candidate: Candidate, prepared: Prepared) -> dict[str, bytes]:
    """Return a candidate as a bundle, without weights to go on from, with the samples of the original answered anew."""
    from fathom.chapters.shipping import samples_of

    more = {
        name: model.files[name]
        for name in ("reference.json", "background.json", "unlike.safetensors")
        if name in model.files
    }
    files = _tight(replace(candidate, weights=b"").files(samples_of(candidate, some_rows(prepared)), more))
    check_contents(files)
    return files


def _tight(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a bundle with its JSON as short as it can be written: of a small bundle, blanks are a tenth."""
    own = {
        name: dump_tight(parse(content, name)) if name.endswith(".json") else content
        for name, content in files.items()
        if name not in (manifest.NAME, manifest.SIGNATURE)
    }
    return {**own, manifest.NAME: manifest.make(own)}


def some_rows(prepared: Prepared) -> Any:
    """Return rows enough to tell whether two models answer alike."""
    names = [column.name for column in inputs_of(prepared.columns)]
    return prepared.train.select(names).take(_spread(prepared.train.rows, PARITY_ROWS))


def _spread(rows: int, count: int) -> Any:
    return np.linspace(0, rows - 1, min(rows, count)).astype(np.int64)
