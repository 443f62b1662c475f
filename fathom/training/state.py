"""Everything that changes while a network learns, in one place, so that it can be put down and taken up again."""

import copy
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from fathom.networks.network import Network
from fathom.training.averaging import RunningMean
from fathom.training.batching import Batch, StoredRows, shuffled
from fathom.training.doctor import Doctor


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training rows came to; losses are means over rows."""

    epoch: int
    train_loss: float
    validation_loss: float
    learning_rate: float
    seconds: float


@dataclass
class State:
    """A network that is learning.

    ``epoch`` is the one under way, from 1, and ``step`` how many of its batches are done; ``order`` is the state of the random numbers from which the epoch's
    order of rows was drawn; ``rate`` is the learning rate of the last step; ``kept`` are the weights of the ``best`` epoch; ``stopped`` says why training ended, once it has.
    """

    network: Network
    optimizer: torch.optim.Optimizer
    average: RunningMean
    generator: torch.Generator
    doctor: Doctor
    epoch: int = 1
    step: int = 0
    order: Tensor | None = None
    losses: list[Tensor] = field(default_factory=list)
    history: list[Epoch] = field(default_factory=list)
    best: int = 0
    best_loss: float = math.inf
    rate: float = 0.0
    kept: dict[str, Tensor] = field(default_factory=dict)
    stopped: str = ""
    started: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        self.kept = self.kept or copy.deepcopy(self.network.state_dict())

    @property
    def seconds(self) -> float:
        """How long the network has been learning, interruptions left out."""
        return time.perf_counter() - self.started

    def batches(self, rows: Batch | StoredRows, size: int) -> Iterator[Batch]:
        """Return the batches of the epoch that are still to come."""
        if self.order is None:  # a new epoch
            self.order = self.generator.get_state()
            return shuffled(rows, size, self.generator)
        own = self.generator.get_state()
        self.generator.set_state(self.order)
        rest = shuffled(rows, size, self.generator, skip=self.step)
        self.generator.set_state(own)
        return rest

    def end_epoch(self, validation_loss: float) -> Epoch:
        """Write the epoch down and turn to the next."""
        train_loss = torch.stack(self.losses).mean().item() if self.losses else math.nan
        done = Epoch(self.epoch, train_loss, validation_loss, self.rate, self.seconds)
        self.history.append(done)
        self.epoch, self.step, self.order, self.losses = self.epoch + 1, 0, None, []
        return done

    def keep(self, loss: float) -> None:
        """Keep the weights if they answer the validation rows better than any before."""
        if loss < self.best_loss:
            self.best, self.best_loss = self.epoch, loss
            self.kept = copy.deepcopy(self.network.state_dict())

    def save(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return everything as tensors and JSON-able notes."""
        tensors = {f"network/{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"kept/{name}": value for name, value in self.kept.items()}
        tensors |= {f"average/{index}": value for index, value in enumerate(self.average.means)}
        for index, memory in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{index}/{name}": value for name, value in memory.items() if value is not None}
        tensors["random/own"] = self.generator.get_state()
        tensors["random/global"] = torch.get_rng_state()
        tensors["best_loss"] = torch.tensor(self.best_loss, dtype=torch.float64)
        if self.order is not None:
            tensors["random/order"] = self.order
        if self.losses:
            tensors["losses"] = torch.stack(self.losses)
        notes = {
            "epoch": self.epoch,
            "step": self.step,
            "best": self.best,
            "rate": self.rate,
            "stopped": self.stopped,
            "seconds": self.seconds,
            "average_steps": self.average.steps,
            "doctor": self.doctor.state(),
            "history": [asdict(epoch) for epoch in self.history],
        }
        return {name: value.contiguous() for name, value in tensors.items()}, notes

    def restore(self, tensors: Mapping[str, Tensor], notes: Mapping[str, Any]) -> None:
        """Take up what `save` returned."""
        self.network.load_state_dict(_under("network/", tensors))
        self.kept = _under("kept/", tensors)
        for index, mean in enumerate(self.average.means):
            mean.copy_(tensors[f"average/{index}"])
        memory: dict[int, dict[str, Tensor]] = {}
        for name, value in _under("optimizer/", tensors).items():
            weight, _, entry = name.partition("/")
            memory.setdefault(int(weight), {})[entry] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": memory})
        self.generator.set_state(tensors["random/own"])
        torch.set_rng_state(tensors["random/global"])
        self.best_loss = tensors["best_loss"].item()
        self.order = tensors.get("random/order")
        self.losses = [*tensors["losses"]] if "losses" in tensors else []
        self.epoch, self.step = notes["epoch"], notes["step"]
        self.best, self.rate, self.stopped = notes["best"], notes["rate"], notes["stopped"]
        self.started = time.perf_counter() - notes["seconds"]
        self.average.steps = notes["average_steps"]
        self.doctor.load(notes["doctor"])
        self.history = [Epoch(**epoch) for epoch in notes["history"]]


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
