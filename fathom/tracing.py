"""One row through every station, with the shapes and values that the real functions give it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fathom.chapters.candidates import in_units
from fathom.chapters.prepared import Prepared, prepared_sizes
from fathom.chapters.preparing import prepare
from fathom.data.encoding import (
    encode_inputs,
    encode_targets,
    hand_made_features,
    inputs_of,
    target_classes,
)
from fathom.data.modalities import MODALITIES
from fathom.data.modalities.contract import Modality
from fathom.data.rows.splitting import PARTS, TRAIN
from fathom.errors import OptionError, check_installed
from fathom.progress import Silent
from fathom.settings import Settings
from fathom.shapes import DEEP


@dataclass(frozen=True)
class Station:
    """A place that a row passes: the function's home, what it says of the row, and the row as it is now."""

    name: str
    what: str
    lines: tuple[str, ...]


def trace(
    source: Any,
    target: str | Sequence[str],
    *,
    row: int = 1,
    modalities: Sequence[Modality] = MODALITIES,
    **settings: Any,
) -> tuple[Station, ...]:
    """Follow one row, counted from 1, from the file to the first step of training.

    The network is the one that `fit` would build, before it has learned. ``settings`` are those of `fit`.

    Raises what `fit` raises, and OptionError when there is no such row.

    >>> table = {"x": [x / 8 for x in range(50)], "y": [2.5 * x for x in range(50)]}
    >>> [station.name for station in trace(table, "y", row=7)][:3]
    ['reading', 'splitting', 'encoding → modalities/number']
    """
    check_installed(("torch",), "train")
    chosen = Settings.of(settings)
    prepared = prepare(source, target, None, chosen, modalities, Silent(), folded=True)
    if not 1 <= row <= prepared.table.rows:
        raise OptionError(f"There is no row {row}: the table has rows 1 to {prepared.table.rows:,}.")
    here = row - 1
    return (
        _reading(prepared, here),
        _splitting(prepared, here),
        *_encoding(prepared, here),
        _features(prepared, here),
        *_network(prepared, here, chosen, modalities),
    )


def _reading(prepared: Prepared, row: int) -> Station:
    one = prepared.table.take([row])
    cells = one.to_pylist()[0]
    lines = [
        f"{column.name} = {_shortened(cells[column.name])}: {column.modality or 'left out'} ({column.reason})"
        for column in prepared.columns
    ]
    return Station("reading", f"{prepared.table.where(row)}; every column is claimed by a modality", tuple(lines))


def _shortened(cell: Any) -> str:
    text = repr(cell)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _splitting(prepared: Prepared, row: int) -> Station:
    part = prepared.split.part[row]
    lines = [f"this row is a {PARTS[part]} row"]
    if prepared.folds is not None and part == TRAIN:
        fold = prepared.folds[(prepared.split.part[:row] == TRAIN).sum()]
        lines.append(f"it checks network {fold + 1} of {prepared.fold_count} and teaches the others")
    return Station("splitting", prepared.split.how, tuple(lines))


def _encoding(prepared: Prepared, row: int) -> list[Station]:
    one = prepared.table.take([row])
    stations = []
    for column in (*inputs_of(prepared.columns), *prepared.targets):
        assert column.kind is not None
        encoded = column.kind.encode(column.state, one.column(column.name))[0]
        if column.kind.SHAPE in DEEP:
            lines = [
                f"{column.name} = {column.kind.SHAPE} {encoded.shape} {encoded.dtype}, {np.count_nonzero(encoded):,} not zero"
            ]
        else:
            lines = [
                f"{part.label} = {value:.4g} (scalar, {len(part.knots)} knots)"
                if part.shape == "scalar"
                else f"{part.label} = {value} (code, 1 of {part.codes})"
                for part, value in zip(column.parts, encoded, strict=True)
            ]
        stations.append(
            Station(
                f"encoding → modalities/{column.modality.replace('/', '_')}",
                f"{column.name} as {'a target' if column.role == 'target' else 'an input'}",
                tuple(lines),
            )
        )
    return stations


def _features(prepared: Prepared, row: int) -> Station:
    made = hand_made_features(prepared.columns, prepared.table.take([row]))
    shown = [f"{name} = {value:.5g}" for name, value in zip(made.names[:12], made.matrix[0][:12], strict=True)]
    more = [f"… and {len(made.names) - 12} more"] if len(made.names) > 12 else []
    return Station("baselines", f"hand-made features {made.matrix.shape}", (*shown, *more))


def _network(prepared: Prepared, row: int, settings: Settings, modalities: Sequence[Modality]) -> list[Station]:
    import torch

    from fathom.chapters.planning import network_plan, training_plan
    from fathom.networks.heads import head_for
    from fathom.networks.network import Network
    from fathom.training.batching import as_batch
    from fathom.training.loop import make_optimizer
    from fathom.training.objectives import predict

    size = prepared_sizes(prepared, settings)
    parts = tuple(column.parts[0] for column in prepared.targets)
    one = prepared.table.take([row])
    inputs = encode_inputs(prepared.columns, one)
    batch = as_batch(inputs, encode_targets(prepared.columns, one))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = Network(network_plan(prepared, settings, size, modalities))
        stations = [
            Station(
                "encoding",
                "the arrays that the network reads, (row, part)",
                tuple(f"{name} {array.shape} {array.dtype}" for name, array in inputs.items()),
            )
        ]
        network.eval()
        with torch.no_grad():
            for array, module in network.encoders.items():
                tokens = module(batch.inputs[array]).tokens
                name = type(getattr(module, "encoder", module)).__name__
                stations.append(
                    Station(
                        f"network → encoders ({name})",
                        f"{array} becomes tokens, (row, token, width)",
                        (f"tokens {tuple(tokens.shape)}",),
                    )
                )
            summary = network.summary(batch.inputs)
            answers = network.answer(batch.inputs)
        stations.append(
            Station(
                f"→ trunks/{settings.trunk}",
                "all tokens become one summary, (row, member, width)",
                (f"vector {tuple(summary.vector.shape)}",),
            )
        )
        for column, part in zip(prepared.targets, parts, strict=True):
            head = head_for(part.shape)
            stations.append(
                Station(
                    f"→ heads/{head.NAME}",
                    f"the summary becomes {head.SUMMARY}; nothing is learned yet",
                    (_answer_line(column, answers[column.name].numpy()),),
                )
            )
        network.train()
        optimizer = make_optimizer(network, training_plan(settings, size, None))
        before, _ = predict.loss(network, batch, torch.Generator())
        before.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        network.eval()
        with torch.no_grad():
            after, _ = predict.loss(network, batch, torch.Generator())
    lines = (
        f"loss {before.item():.4f}, gradient of length {norm.item():.4f} over {network.parameter_count:,} weights",
        f"loss after one step on this row alone: {after.item():.4f}",
    )
    return [*stations, Station("training", "forward, loss, backward, step", lines)]


def _answer_line(column: Any, answer: Any) -> str:
    if target_classes(column):
        shown = ", ".join(f"{value:.3f}" for value in answer[0][:6])
        return f"{column.name}: probabilities {answer.shape} [{shown}{', …' if answer.shape[1] > 6 else ''}]"
    number = float(np.asarray(in_units(column, answer))[0])
    return f"{column.name}: {number:.5g} {answer.shape}, {float(answer[0]):.4f} in encoded units"


__all__ = ["Station", "trace"]
