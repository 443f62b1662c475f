"""The network as it would be shipped: a candidate that answers through its exported graph, with what it costs and how it is built."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fathom.bundle.answers.inference import Answers, Inference
from fathom.bundle.description import Description
from fathom.bundle.graph.drawing import Draughtsman
from fathom.chapters.candidates import Candidate, as_candidate, by_fold
from fathom.chapters.histories import training_json
from fathom.chapters.learning import Trained
from fathom.chapters.planning import told_readers
from fathom.chapters.prepared import Prepared
from fathom.chapters.remembering import Recalling
from fathom.data.encoding import Column, encode_inputs
from fathom.data.modalities.contract import Modality
from fathom.data.rows.folding import Folds
from fathom.data.table import Table
from fathom.effort import Sizes
from fathom.progress import Progress
from fathom.settings import Settings
from fathom.shapes import Arrays

SPIKING_ROWS = 128  # that spikes are counted on
RECALLED_AT_ONCE = 1_024  # rows that are answered together where readers remember


def export_network(
    prepared: Prepared,
    trained: Trained,
    settings: Settings,
    sizes: Sizes,
    modalities: Sequence[Modality],
    progress: Progress,
    draughtsman: Draughtsman | None = None,
) -> Candidate:
    """Turn a trained network into a candidate that answers as a server would; a ``draughtsman`` who was told its plan draws its graph."""
    import torch

    from fathom.bundle.graph.exporting import network_onnx
    from fathom.bundle.loading import network_weights, reload_network
    from fathom.networks.trunks import trunk_named
    from fathom.networks.trunks.residual import is_residual

    network = trained.network
    layers = sizes.trunk_options["layers"]
    residual = settings.trunk == "transformer" or is_residual(layers, settings.skip)
    blocks = f"{layers or 'no'} {'residual' if residual else 'plain' if layers else 'hidden'} layer{'' if layers == 1 else 's'}"
    several = f"{trained.plan.networks} networks, each an " if trained.plan.networks > 1 else ""

    progress.begin("Exporting the network")
    description = Description("network", "network", prepared.columns, plan=trained.plan.to_json())
    saved = network_weights(network)
    graph = draughtsman.graph(trained.plan.to_json(), saved) if draughtsman else None

    def unseen(table: Table, folds: Folds) -> Answers:
        arrays = encode_inputs(prepared.columns, table)
        every = [partial(_answers_of, one, arrays) for one in network.networks]
        return by_fold(every, folds)

    candidate = as_candidate(
        prepared,
        description,
        weights=saved,
        graph=graph or network_onnx(network),
        summary=f"deep network: {several}{trunk_named(settings.trunk).SUMMARY}, {blocks}, {network.parameter_count:,} weights",
        fit_seconds=trained.seconds,
        trainers={
            "trainer": lambda table: network_answers(network, prepared.columns, table),
            "reloaded bundle": lambda table: network_answers(
                reload_network(description, saved), prepared.columns, table
            ),
        },
        notes={
            "trunk": settings.trunk,
            **sizes.trunk_options,
            "blocks": blocks,
            "networks": trained.plan.networks,
            **told_readers(prepared, settings, modalities),
            **_told_spikes(network, prepared),
        },
        modalities=modalities,
        threads=settings.threads or torch.get_num_threads(),
        unseen=unseen if trained.plan.networks > 1 else None,
    )
    progress.end(f"{candidate.size / 1e6:.1f} MB")
    return replace(
        candidate,
        recalling=recalling(candidate.inference, trained, prepared),
        training={
            **training_json(trained.histories, trained.training, network.parameter_count),
            "seen": list(trained.seen),
        },
    )


def recalling(inference: Inference, trained: Trained, prepared: Prepared) -> Inference | None:
    """Return what answers as ``inference`` does with what frozen readers have made of rows before; ``None`` where no reader is frozen."""
    from fathom.networks.encoders.pretrained import frozen_readers
    from fathom.networks.network import Network

    if not isinstance(trained.network, Network) or not frozen_readers(trained.network.encoders):
        return None
    targets = [column.name for column in prepared.targets]
    session = Recalling(trained.network, prepared.readings, targets)
    return replace(inference, session=session, threads=1, run_rows=RECALLED_AT_ONCE)


def network_answers(network: Any, columns: Sequence[Column], table: Table) -> Answers:
    """Answer rows with a network in memory, in encoded units and in the precision of its weights, and tell how sure the answers are."""
    import torch

    from fathom.training.batching import as_batch
    from fathom.training.loop import rows_at_once

    precision = next(network.parameters()).dtype
    rows = as_batch(encode_inputs(columns, table), {})
    if "scalar" in rows.inputs:
        rows = replace(rows, inputs={**rows.inputs, "scalar": rows.inputs["scalar"].to(precision)})
    size = rows_at_once(rows.row_numbers)
    with torch.inference_mode():
        answers = [
            network.tell(rows.slice(start, min(size, table.rows - start)).inputs)
            for start in range(0, table.rows, size)
        ]
    return {name: torch.cat([each[name] for each in answers]).double().numpy() for name in answers[0]}


def _answers_of(network: Any, arrays: Arrays, rows: Any) -> Answers:
    """Answer some of the encoded rows with one network of a committee."""
    import torch

    inputs = {shape: torch.from_numpy(array[rows]) for shape, array in arrays.items()}
    with torch.inference_mode():
        return {name: answer.double().numpy() for name, answer in network.tell(inputs).items()}


def _told_spikes(network: Any, prepared: Prepared) -> dict[str, str]:
    """Return what spiking layers send for a validation row and what that would take, beside the same layers without spikes; nothing where there are none."""
    import torch

    from fathom.networks.spikes import Synapses, counted
    from fathom.training.batching import as_batch

    if not any(isinstance(module, Synapses) for module in network.modules()):
        return {}
    rows = prepared.validation.take(range(min(prepared.validation.rows, SPIKING_ROWS)))
    inputs = as_batch(encode_inputs(prepared.columns, rows), {}).inputs
    network.eval()
    with counted(network) as traffic, torch.inference_mode():
        network.answer(inputs)
    traffic.rows = rows.rows
    return {
        "spikes a row": f"{traffic.spikes / rows.rows:,.0f}",
        "energy of the spiking layers": f"{1e6 * traffic.joules:.3g} µJ a row on a chip for spikes, {1e6 * traffic.dense_joules:.3g} µJ for the same layers without spikes "
        "(0.9 pJ an addition, 4.6 pJ a multiplication with its addition, 45 nm, memory not counted: Horowitz, ISSCC 2014)",
    }
