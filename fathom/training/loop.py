"""Forward, loss, backward, step: the loop in which every network of this project learns.

Source: mini-batch gradient descent with early stopping, Goodfellow, Bengio and Courville, "Deep Learning", 2016, algorithms 8.1 and 7.1.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from fathom.networks.network import Network
from fathom.training.averaging import RunningMean
from fathom.training.batching import Batch, shuffled
from fathom.training.objectives.contract import Objective


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast to learn.

    ``learning_rate`` is the highest, reached after the first ``warm_up`` share of all steps and lowered to zero along a half cosine
    (Loshchilov and Hutter, ICLR 2017, https://arxiv.org/abs/1608.03983). Training stops early when the validation rows have not been
    predicted better for ``patience`` epochs, or after ``seconds``. ``clip_norm`` bounds the length of the gradient (Pascanu, Mikolov
    and Bengio, ICML 2013, https://arxiv.org/abs/1211.5063). ``averaging`` is the decay a step of a running mean of the weights, which is
    what is judged and kept (Polyak and Juditsky, 1992); 0 keeps the last weights.
    """

    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    momentum: float = 0.9
    batch_rows: int = 256
    epochs: int = 40
    patience: int = 10
    warm_up: float = 0.05
    clip_norm: float = 1.0
    averaging: float = 0.0
    seconds: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training rows came to; losses are means over rows."""

    epoch: int
    train_loss: float
    validation_loss: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class History:
    """All epochs, the one whose weights were kept (from 1), and why training ended."""

    epochs: tuple[Epoch, ...]
    best_epoch: int
    stopped: str


def make_optimizer(network: Network, plan: TrainingPlan) -> torch.optim.Optimizer:
    """Return the optimiser; weight decay holds for matrices and not for offsets and scales."""
    matrices = [
        p for name, p in network.named_parameters() if p.ndim > 1 and not name.endswith(("offset", "scale_out"))
    ]
    kept = {id(p) for p in matrices}
    groups = [
        {"params": matrices, "weight_decay": plan.weight_decay},
        {"params": [p for p in network.parameters() if id(p) not in kept], "weight_decay": 0.0},
    ]
    if plan.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=plan.learning_rate, momentum=plan.momentum, nesterov=plan.momentum > 0)
    return torch.optim.AdamW(groups, lr=plan.learning_rate, fused=True)


def rate_at(progress: float, plan: TrainingPlan) -> float:
    """Return the learning rate after a share of all steps, 0 to 1.

    >>> rate_at(0.025, TrainingPlan(learning_rate=1.0)), rate_at(0.05, TrainingPlan(learning_rate=1.0)), rate_at(1.0, TrainingPlan())
    (0.5, 1.0, 0.0)
    """
    if progress < plan.warm_up:
        return plan.learning_rate * progress / plan.warm_up
    return plan.learning_rate * 0.5 * (1 + math.cos(math.pi * (progress - plan.warm_up) / (1 - plan.warm_up)))


@torch.inference_mode()
def validation_loss(
    network: Network, rows: Batch, objective: Objective, generator: torch.Generator, size: int = 4096
) -> float:
    """Return the mean loss over rows with the network as it answers: nothing left out, nothing learned."""
    network.eval()
    total = 0.0
    for start in range(0, rows.rows, size):
        batch = rows.take(torch.arange(start, min(start + size, rows.rows)))
        total += objective.loss(network, batch, generator)[0].item() * batch.rows
    network.train()
    return total / rows.rows


def train(
    network: Network,
    train_rows: Batch,
    validation_rows: Batch,
    plan: TrainingPlan,
    objective: Objective,
    on_epoch: Callable[[Epoch, int], None] = lambda epoch, epochs: None,
) -> History:
    """Teach the network, and leave it with the weights of its best epoch on the validation rows.

    ``on_epoch`` is told of each epoch and how many are planned. Same network, rows and plan (without ``seconds``), same weights.
    """
    generator = torch.Generator().manual_seed(plan.seed)
    optimizer = make_optimizer(network, plan)
    average = RunningMean(network, plan.averaging)
    started, out_of_time = time.perf_counter(), False
    history: list[Epoch] = []
    best, best_loss, stopped = 0, math.inf, "all epochs were used"
    kept = copy.deepcopy(network.state_dict())
    rate = 0.0
    steps_an_epoch = max(1, round(train_rows.rows / plan.batch_rows))
    network.train()
    for epoch in range(1, plan.epochs + 1):
        losses: list[Tensor] = []
        for step, batch in enumerate(shuffled(train_rows, plan.batch_rows, generator)):
            progress = ((epoch - 1) * steps_an_epoch + step + 1) / (plan.epochs * steps_an_epoch + 1)
            if plan.seconds is not None:  # with a clock, the rate falls with the time that is left
                progress = max(progress, (time.perf_counter() - started) / plan.seconds)
                out_of_time = progress >= 1.0
            if out_of_time:
                break
            rate = rate_at(progress, plan)
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss, _ = objective.loss(network, batch, generator)  # forward, and how wrong it was
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # backward: how each weight should change
            torch.nn.utils.clip_grad_norm_(network.parameters(), plan.clip_norm)
            optimizer.step()
            average.update()
            losses.append(loss.detach())
        with average.in_place():
            now = validation_loss(network, validation_rows, objective, generator)
            if now < best_loss:
                best, best_loss, kept = epoch, now, copy.deepcopy(network.state_dict())
        elapsed = time.perf_counter() - started
        train_loss = torch.stack(losses).mean().item() if losses else math.nan
        history.append(Epoch(epoch, train_loss, now, rate, elapsed))
        on_epoch(history[-1], plan.epochs)
        if epoch - best >= plan.patience:
            stopped = f"no better on the validation rows for {plan.patience} epochs"
            break
        if out_of_time:
            stopped = f"the time for training, {plan.seconds:.0f} s, was used up"
            break
    network.load_state_dict(kept)
    network.eval()
    return History(tuple(history), best, stopped)
