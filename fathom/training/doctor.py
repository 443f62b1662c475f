"""Notices what goes wrong in training on the same step, names it, and mends it.

A loss, a gradient or a weight that is not finite, or a loss a thousand times that of a constant, sends the network back to the last good state
at half the learning rate: three times, then training ends with a lesson. The good state is a copy in memory, taken at every epoch's start and every few dozen steps, and
trusted once the loss of a further step has shown that the weights in it answer.

Other frameworks stop at such a step (Lightning's ``detect_anomaly``, Keras's ``TerminateOnNaN``); going back and on at a lower rate is what Chowdhery et
al. did by hand for PaLM (JMLR 24, 2023, section 5.1, https://arxiv.org/abs/2204.02311). What has no cure on the spot is found at the end, in `diagnosing`.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from fathom.errors import TrainingError
from fathom.networks.network import Network
from fathom.training import diagnosing
from fathom.training.averaging import RunningMean
from fathom.training.batching import Batch
from fathom.training.diagnosing import Diagnosis, Norms, Statistics
from fathom.training.objectives.contract import Objective

TRIES = 3
STEPS_BETWEEN_COPIES = 50
STEPS_BETWEEN_NORMS = 50  # at least; they are taken at the first step of an epoch
EXPLODED = 1_000.0  # times the loss of a constant
EXTREME = (
    1e6  # an encoded input or truth beyond this is named as the likely cause; encoded values are of the order of 1
)
CHECKED_ROWS = 1_024


@dataclass
class Record:
    """What the doctor has seen so far: JSON-able, so that it can be put down and taken up again with the rest of training.

    ``rate_share`` is what is left of the learning rate; ``lengths`` sums the logarithms of how many times its bound the gradient was, over ``steps`` good ones; ``norms_step`` is the one
    at which the gradient of every layer was looked at last.
    """

    rate_share: float = 1.0
    steps: int = 0
    clipped: int = 0
    lengths: float = 0.0
    mended: list[Diagnosis] = field(default_factory=list)
    first_norms: Norms = field(default_factory=dict)
    last_norms: Norms = field(default_factory=dict)
    first_epoch: int = 0
    last_epoch: int = 0
    norms_step: int = 0
    statistics_before: Statistics = field(default_factory=dict)
    statistics: Statistics = field(default_factory=dict)


class Doctor:
    """Watches one network while it learns.

    ``train_rows`` say what a constant would lose, against which a loss is judged; ``clip_norm`` is the bound of the gradient's length.
    """

    def __init__(
        self,
        network: Network,
        optimizer: torch.optim.Optimizer,
        average: RunningMean,
        train_rows: Batch,
        clip_norm: float,
    ) -> None:
        self.network, self.train_rows, self.clip_norm, self.average = network, train_rows, clip_norm, average
        self.weights = [weight.detach() for weight in network.parameters() if weight.requires_grad]
        self.good, self.newest = _Copy(network, optimizer, average), _Copy(network, optimizer, average)
        self.unproven = False  # whether `newest` still waits for a good step
        self.constant = diagnosing.constant_loss(network.plan.targets, train_rows, train_rows)
        known = self.constant is not None and math.isfinite(self.constant)
        self.highest_loss = EXPLODED * max(self.constant if known and self.constant else 0.0, 1.0)
        self.record = Record()
        self.good.take()

    @property
    def rate_share(self) -> float:
        """What share of the planned learning rate is to be used: 1, and half as much after every return."""
        return self.record.rate_share

    @property
    def gradients(self) -> dict[int, Norms]:
        """The length of the gradient of every layer at the first step of the first and of one of the last epochs, by epoch."""
        seen = self.record
        return {seen.first_epoch: seen.first_norms, seen.last_epoch: seen.last_norms} if seen.last_norms else {}

    def approves(self, epoch: int, step: int, loss: Tensor, length: Tensor, batch: Batch) -> bool:
        """Look at a step that was just taken: ``loss``, and the ``length`` of its gradient before it was cut.

        Returns whether all is well. If not, everything is as it was at the last good state, and the learning rate is to be halved.
        Raises TrainingError when three returns were in vain.
        """
        loss_now, length_now, *weights_now = _numbers(loss, length, *torch._foreach_norm(self.weights))
        if not math.isfinite(loss_now):
            return self._mend(epoch, step, "the loss", "not finite", _cause(self.network, batch))
        if not math.isfinite(length_now):
            return self._mend(epoch, step, "the gradient", "not finite", _cause(self.network, batch))
        if not math.isfinite(sum(weights_now)):
            return self._mend(epoch, step, "a weight", "not finite", self._broken_layers())
        if loss_now > self.highest_loss and self._exploded(loss_now, batch):
            what = f"{loss_now:.2g}, against {self.constant or 1.0:.2g} for a constant answer"
            return self._mend(epoch, step, "the loss", what, _cause(self.network, batch))
        self._note(epoch, step, length_now)
        return True

    def approves_validation(self, epoch: int, loss: float) -> bool:
        """Look at the loss on the validation rows at the end of an epoch; else as `approves`."""
        if not self.average.steps:  # for the mean of the weights, they are measured anew
            self.record.statistics_before, self.record.statistics = (
                self.record.statistics,
                diagnosing.running_statistics(self.network),
            )
        return math.isfinite(loss) or self._mend(epoch, None, "the loss on the validation rows", "not finite", "")

    def findings(
        self, losses: Sequence[float], best_epoch: int, rows: Batch, objective: Objective
    ) -> tuple[Diagnosis, ...]:
        """Say what was mended and what is wrong with the network that was kept, judged by the ``losses`` of its epochs and some ``rows``.

        Raises TrainingError when no epoch could be kept.
        """
        seen = self.record
        if not best_epoch:
            raise TrainingError(
                "Training ended without one epoch whose loss on the validation rows was finite. " + _advice("")
            )
        sample = rows.take(torch.arange(min(rows.rows, CHECKED_ROWS)))
        silent = diagnosing.silent_units(self.network, lambda: objective.loss(self.network, sample, torch.Generator()))
        steps = max(seen.steps, 1)
        found = (
            diagnosing.unhelpful_loss(losses, self.constant) if self.constant is not None else None,
            diagnosing.vanishing(seen.last_norms, seen.last_epoch),
            diagnosing.exploding(seen.clipped / steps, math.exp(seen.lengths / steps)),
            diagnosing.dead_units(silent, sample.rows),
            diagnosing.unsettled(seen.statistics_before, seen.statistics, len(losses)),
        )
        return (*seen.mended, *(diagnosis for diagnosis in found if diagnosis))

    def state(self) -> dict[str, Any]:
        """Return what the doctor has seen so far, JSON-able. The copies are left out: `load` takes one of what it finds."""
        return asdict(self.record)

    def load(self, state: dict[str, Any]) -> None:
        """Take up what `state` returned, after network, optimiser and running mean are back in their state."""
        self.record = Record(**{**state, "mended": [Diagnosis(**values) for values in state["mended"]]})
        self.good.take()
        self.unproven = False

    def _note(self, epoch: int, step: int, length: float) -> None:
        """Count a good step, and take a copy of the weights it led to when it is time."""
        seen = self.record
        seen.steps += 1
        seen.clipped += length > self.clip_norm
        seen.lengths += math.log(max(length / self.clip_norm, 1e-30))
        if self.unproven:  # the loss of this step was that of the weights in the newest copy
            self.good, self.newest, self.unproven = self.newest, self.good, False
        if step % STEPS_BETWEEN_COPIES == 0:
            self.newest.take()
            self.unproven = True
        if step == 0 and (not seen.norms_step or seen.steps - seen.norms_step >= STEPS_BETWEEN_NORMS):
            uncut = max(length / self.clip_norm, 1.0)
            seen.last_norms = {name: uncut * norm for name, norm in diagnosing.gradient_norms(self.network).items()}
            seen.last_epoch, seen.norms_step = epoch, seen.steps
            if not seen.first_norms:
                seen.first_norms, seen.first_epoch = seen.last_norms, epoch

    def _exploded(self, loss: float, batch: Batch) -> bool:
        """Say whether a constant would have done better by far on these rows too; if not, the rows are extreme and not the network."""
        constant = diagnosing.constant_loss(self.network.plan.targets, self.train_rows, batch)
        return constant is None or not loss <= EXPLODED * constant

    def _broken_layers(self) -> str:
        broken = {
            name.rpartition(".")[0]
            for name, weight in self.network.named_parameters()
            if not torch.isfinite(weight).all()
        }
        return f" in the layer {min(broken)}" if len(broken) == 1 else ""

    def _mend(self, epoch: int, step: int | None, what: str, how: str, cause: str) -> bool:
        """Go back to the last good state at half the learning rate; always ``False``."""
        self.good.put_back()
        self.unproven = False
        seen = self.record
        place = f"epoch {epoch}" if step is None else f"step {step + 1} of epoch {epoch}"
        if len(seen.mended) == TRIES:
            raise TrainingError(
                f"Training goes wrong again and again: in {place} {what} was {how}{cause}. Going back and halving the learning rate {TRIES} times did not help. "
                + _advice(cause)
            )
        seen.rate_share /= 2
        self.record.mended.append(
            Diagnosis(
                "rolled back",
                f"In {place} {what} was {how}{cause}. Training went back to the last good weights, and on at {seen.rate_share:.3g} of the learning rate.",
                _advice(cause),
                epoch=epoch,
                step=None if step is None else step + 1,
                numbers={"rate_share": seen.rate_share},
            )
        )
        return False


class _Copy:
    """A copy of everything that a step changes: weights, buffers, running mean, the optimiser's memory."""

    def __init__(self, network: Network, optimizer: torch.optim.Optimizer, average: RunningMean) -> None:
        self.network, self.optimizer, self.average = network, optimizer, average
        self.copies: list[Tensor] = []
        self.steps = 0

    def take(self) -> None:
        live = self._live()
        if len(live) == len(self.copies):
            torch._foreach_copy_(self.copies, live)
        else:
            self.copies = [tensor.clone() for tensor in live]
        self.steps = self.average.steps

    def put_back(self) -> None:
        live = self._live()
        if len(live) > len(self.copies):  # the optimiser had no memory yet: it stands last
            self.optimizer.state.clear()
        torch._foreach_copy_(live[: len(self.copies)], self.copies)
        self.average.steps = self.steps

    def _live(self) -> list[Tensor]:
        learning = (weight for weight in self.network.parameters() if weight.requires_grad)
        tensors = [*learning, *self.network.buffers(), *self.average.means]
        memory = [
            value
            for entries in self.optimizer.state.values()
            for value in entries.values()
            if isinstance(value, Tensor)
        ]
        return [tensor.detach() for tensor in (*tensors, *memory)]


def _numbers(*tensors: Tensor) -> list[float]:
    """Read numbers off a device with one wait for it; a processor's own memory is read number by number, which is quicker."""
    if tensors[0].device.type == "cpu":
        return [tensor.item() for tensor in tensors]
    values: list[float] = torch.stack([tensor.detach() for tensor in tensors]).tolist()
    return values


def _cause(network: Network, batch: Batch) -> str:
    """Name the column of these rows that holds a value which no network can read, if there is one."""
    for shape, values in batch.inputs.items():
        if values.is_floating_point() and values.ndim == 2:
            sizes = values.abs().nan_to_num(nan=math.inf).amax(dim=0)
            if sizes.max() > EXTREME:
                labels = [part.column for part in network.plan.inputs if part.shape == shape]
                return _holds(labels[int(sizes.argmax())], values[:, int(sizes.argmax())])
    for column, values in batch.truth.items():
        if values.is_floating_point() and not values.abs().max() <= EXTREME:
            return _holds(column, values)
    return ""


def _holds(column: str, values: Tensor) -> str:
    extreme = values[values.abs().nan_to_num(nan=math.inf).argmax()].item()
    return f"; these rows hold {extreme:.3g} (encoded) in the column {column!r}"


def _advice(cause: str) -> str:
    if cause.startswith("; these rows"):
        return "Correct that value, or leave the column out with --columns NAME=skip."
    return (
        "Lower --learning-rate, ten times to begin with; if that does not help, look for extreme values in the columns."
    )
