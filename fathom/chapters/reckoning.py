"""What asking a model costs, reckoned from the arithmetic of a row: the allowance of the questions that a fit, or `fathom check`, asks.

Arithmetic is counted by torch while the network answers one row, and turned into seconds by what one core of an ordinary processor does. So the allowance hangs on the table, the network and the seed, and on no clock: equal fits ask equal rows. Under ``--minutes``,
which gives that up for a limit, the clock's own seconds a row are taken, and the time that is left.
"""

import warnings
from dataclasses import dataclass, replace
from typing import Any

from fathom.chapters.adopting import FINE_TUNE_EPOCHS
from fathom.chapters.allotting import FINISHING_SECONDS, Clock
from fathom.chapters.candidates import Candidate
from fathom.chapters.judging import Judged
from fathom.chapters.learning import Trained
from fathom.chapters.prepared import Prepared
from fathom.chapters.shipping import FEWEST_PARITY
from fathom.data.encoding import Column, encode_inputs, inputs_of
from fathom.data.table import Table
from fathom.effort import EVIDENCE_FLOOR, EVIDENCE_SHARE, Effort
from fathom.evidence.affording import Allowance
from fathom.settings import Settings
from fathom.shapes import DEEP

OPERATIONS_A_SECOND = 5e10  # additions and multiplications of 32 bits that a core does in large matrix products
FLAT_CELL, DEEP_CELL = 3e-6, 5e-4  # seconds to encode a cell: a number or a category; a text, a picture or the like
BACKWARD = 2  # times the arithmetic of the way forward, that the way back takes
PROVING = 3  # ways in which a bundle's answers are made again, to be held against it
CLOCKED_SHARE = 0.5  # of the time that is left under `--minutes`, that questions may take


@dataclass(frozen=True)
class Price:
    """Seconds that an answer to a row takes, its encoding included: of a new row, and of one whose deep cells have been read before."""

    row: float
    known: float


@dataclass(frozen=True)
class Allowances:
    """What may be asked of the ``network``, and of what is ``shipped``, which may be another model."""

    network: Allowance
    shipped: Allowance


def price(network: Any, columns: tuple[Column, ...], row: Table) -> Price:
    """Return what the answer of a network in memory to a row takes, reckoned from one row of a table; ``row`` may hold more, which are not looked at."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from fathom.networks.encoders.pretrained import frozen_readers
    from fathom.networks.network import Network
    from fathom.training.batching import as_batch

    def counted(inputs: Any) -> float:
        with warnings.catch_warnings(), torch.inference_mode(), FlopCounterMode(display=False) as flops:
            warnings.simplefilter("ignore")  # of accelerators that are not there
            with torch.backends.mkldnn.flags(enabled=False):  # a recurrent layer that oneDNN takes whole is not counted
                network.answer(inputs)
        return float(flops.get_total_flops()) / OPERATIONS_A_SECOND

    network.eval()
    inputs = as_batch(encode_inputs(columns, row.take([0])), {}).inputs
    readers = frozen_readers(network.encoders) if isinstance(network, Network) else {}
    met = {name: torch.zeros(1, 1, reader.body.width) for name, reader in readers.items()}
    encoding = encoding_seconds(columns)
    whole = counted(inputs)
    return Price(encoding + whole, encoding + (counted({**inputs, **met}) if met else whole))


def finishing_seconds(prepared: Prepared, plan: Any) -> float:
    """Return what it takes, as reckoned, until a network of this plan has answered the validation and the test rows, and been proven to answer as it was trained."""
    import torch

    from fathom.networks.committee import built

    with torch.random.fork_rng(devices=[]):
        network = built(plan)
    return price(network, prepared.columns, prepared.train).row * (
        prepared.validation.rows + prepared.sealed.rows + PROVING * FEWEST_PARITY
    )


def encoding_seconds(columns: tuple[Column, ...]) -> float:
    """Return what it takes to encode a row."""
    kinds = [column.kind.SHAPE in DEEP for column in inputs_of(columns) if column.kind is not None]
    return sum(DEEP_CELL if deep else FLAT_CELL for deep in kinds)


def allowances(
    prepared: Prepared, trained: Trained, candidate: Candidate, judged: Judged, settings: Settings, clock: Clock
) -> Allowances:
    """Return what the questions of a fit may cost: a share of what training and judging its network took, as reckoned, and some seconds at least; under ``--minutes`` no more than is left."""
    own = price(trained.network, prepared.columns, prepared.train)
    learned, checked = prepared.epoch_rows(settings.effort), prepared.validation.rows // prepared.fold_count
    looks = (1 + BACKWARD) * learned + checked
    whole = FINE_TUNE_EPOCHS * len(trained.histories) if settings.fine_tune else 0
    epochs = sum(len(history.epochs) for history in trained.histories)
    took = looks * (max(epochs - whole, 0) * own.known + whole * own.row)
    took += (own.row - own.known) * (learned + checked)  # readers that stay as they are read every row once
    took += own.row * (prepared.validation.rows + prepared.sealed.rows)
    seconds = max(EVIDENCE_FLOOR[settings.effort], EVIDENCE_SHARE[settings.effort] * took)
    network = Allowance(seconds, own.row, own.known, "reckoned from its arithmetic")
    if settings.minutes is not None:
        network = by_the_clock(network, judged.seconds_per_row[candidate.name], clock)
    shipped = network
    if judged.shipped.kind != "network":
        # Simpler models read hand-made features, which take as long to make as a network's arrays do, twice over.
        row = 2 * encoding_seconds(prepared.columns)
        shipped = replace(network, row=row, known=row)
        if settings.minutes is not None:
            shipped = by_the_clock(shipped, judged.seconds_per_row[judged.shipped.name], clock)
    return Allowances(network, shipped)


def by_the_clock(reckoned: Allowance, row: float, clock: Clock) -> Allowance:
    """Return the allowance with the seconds that a row took on the clock, and no more than a share of those that are left."""
    left = clock.until(FINISHING_SECONDS / 2)
    seconds = reckoned.seconds if left is None else min(reckoned.seconds, CLOCKED_SHARE * left)
    known = row * reckoned.known / max(reckoned.row, 1e-12)
    return Allowance(seconds, row, known, "by the clock, because of --minutes")


def allowance_of_check(network: Any, columns: tuple[Column, ...], rows: Table, effort: Effort) -> Allowance:
    """Return what `fathom check` may ask of a bundle: of ``network`` as it was trained, or, where that is ``None``, of what reads hand-made features."""
    row = 2 * encoding_seconds(columns)
    own = Price(row, row) if network is None else price(network, columns, rows)
    seconds = max(EVIDENCE_FLOOR[effort], EVIDENCE_SHARE[effort] * rows.rows * own.row)
    return Allowance(seconds, own.row, own.row, "reckoned from its arithmetic")


__all__ = ["Allowances", "Price", "allowance_of_check", "allowances", "price"]
