"""Forward, loss, backward, step: the loop in which every network of this project learns.

Source: mini-batch gradient descent with early stopping, Goodfellow, Bengio and Courville, "Deep Learning", 2016, algorithms 8.1 and 7.1.
"""

import contextlib
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch

from fathom.networks.network import Network
from fathom.training.augmentations import augmented
from fathom.training.averaging import RunningMean
from fathom.training.batching import Batch, StoredRows
from fathom.training.checkpointing import Checkpoints
from fathom.training.diagnosing import Diagnosis, Norms
from fathom.training.doctor import Doctor
from fathom.training.hardening import pushed
from fathom.training.objectives.contract import Objective
from fathom.training.state import Epoch, State
from fathom.training.threads import Choice, NetworkRehearsal, Pace

NUMBERS_AT_ONCE = 1 << 20  # of the inputs, that an evaluation reads together
RISEN = 1.02  # times the lowest loss on the validation rows: a rise that a lower rate will not undo


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast to learn.

    ``learning_rate`` is the highest, reached after the first ``warm_up`` share of all steps and lowered to zero along a half cosine
    (Loshchilov and Hutter, ICLR 2017, https://arxiv.org/abs/1608.03983). Training stops early when the validation rows have not been
    predicted better for ``patience`` epochs, when their loss has risen ``rises`` epochs in a row and well above its lowest (Prechelt, "Early Stopping -- But
    When?", 1998, section 2.2, criteria UP and GL, https://doi.org/10.1007/3-540-49430-8_3; 0 is never), or after ``seconds``. ``clip_norm`` bounds the length of the gradient (Pascanu, Mikolov
    and Bengio, ICML 2013, https://arxiv.org/abs/1211.5063). ``averaging`` is the decay a step of a running mean of the weights, which is
    what is judged and kept (Polyak and Juditsky, 1992); 0 keeps the last weights. ``threads`` cores are taken, or, where it is ``None``, as many
    of those that torch has as is quickest; the weights do not depend on what is found (`fathom.training.threads`). ``augment`` holds the options of the variation of
    every array that is varied (`fathom.training.augmentations`), ``adversary`` how far those are pushed that are attacked (`fathom.training.hardening`).
    """

    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    momentum: float = 0.9
    batch_rows: int = 256
    epochs: int = 40
    patience: int = 10
    rises: int = 0
    warm_up: float = 0.05
    clip_norm: float = 1.0
    averaging: float = 0.0
    seconds: float | None = None
    seed: int = 0
    threads: int | None = None
    augment: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    adversary: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """All epochs, the one whose weights were kept (from 1), why training ended, and what the doctor found.

    ``gradients`` holds the length of the gradient of every layer at the first step of the first and of one of the last epochs, by epoch;
    ``threads`` every number of threads that was chosen.
    """

    epochs: tuple[Epoch, ...]
    best_epoch: int
    stopped: str
    findings: tuple[Diagnosis, ...] = ()
    gradients: dict[int, Norms] = field(default_factory=dict)
    threads: tuple[Choice, ...] = ()


def make_optimizer(network: Network, plan: TrainingPlan) -> torch.optim.Optimizer:
    """Return the optimiser; weight decay holds for matrices and not for offsets and scales."""
    matrices = [
        p
        for name, p in network.named_parameters()
        if p.requires_grad and p.ndim > 1 and not name.endswith(("offset", "scale_out"))
    ]
    kept = {id(p) for p in matrices}
    groups = [
        {"params": matrices, "weight_decay": plan.weight_decay},
        {"params": [p for p in network.parameters() if p.requires_grad and id(p) not in kept], "weight_decay": 0.0},
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


def rows_at_once(row_numbers: int) -> int:
    """Return how many rows are evaluated together: fewer, the more numbers a row has.

    >>> rows_at_once(20), rows_at_once(3 * 64 * 64)
    (4096, 85)
    """
    return max(1, min(4_096, NUMBERS_AT_ONCE // row_numbers))


@torch.inference_mode()
def validation_loss(
    network: Network, rows: Batch, objective: Objective, generator: torch.Generator, plan: TrainingPlan | None = None
) -> float:
    """Return the mean loss over rows with the network as it answers: nothing left out, nothing learned. With a ``plan`` that pushes rows, they are pushed."""
    network.eval()
    total, size = 0.0, rows_at_once(rows.row_numbers)
    for start in range(0, rows.rows, size):
        batch = rows.slice(start, min(size, rows.rows - start)).trimmed()
        if plan is not None:
            batch = pushed(network, batch, plan.adversary, objective, (plan.seed, 0, start))
        total += objective.loss(network, batch, generator)[0].item() * batch.rows
    network.train()
    return total / rows.rows


def train(
    network: Network,
    train_rows: Batch | StoredRows,
    validation_rows: Batch,
    plan: TrainingPlan,
    objective: Objective,
    on_epoch: Callable[[Epoch, int], None] = lambda epoch, epochs: None,
    checkpoints: Checkpoints | None = None,
) -> History:
    """Teach the network, and leave it with the weights of its best epoch on the validation rows. They are always finite.

    ``on_epoch`` is told of each epoch and how many are planned. Same network, rows and plan (without ``seconds``), same weights; also when it was
    interrupted and goes on from ``checkpoints``. Raises TrainingError when the doctor cannot mend what goes wrong.
    """
    state = State(
        network,
        optimizer := make_optimizer(network, plan),
        average := RunningMean(network, plan.averaging),
        generator := torch.Generator().manual_seed(plan.seed),
        doctor := Doctor(network, optimizer, average, train_rows.sample, plan.clip_norm),
    )
    if checkpoints and (saved := checkpoints.read()):
        state.restore(*saved)
        checkpoints.told(f"Going on from epoch {state.epoch}, step {state.step}.")
    weights = [
        p for p in network.parameters() if p.requires_grad
    ]  # listed once: to walk through the modules takes longer than to cut the gradient
    steps_an_epoch = max(1, round(train_rows.rows / plan.batch_rows))
    network.train()
    rehearsal = partial(NetworkRehearsal, network, train_rows.sample, validation_rows, objective, plan.batch_rows)
    with Pace(rehearsal, plan.threads) as pace, checkpoints.listening() if checkpoints else contextlib.nullcontext():
        while not state.stopped:
            for batch in state.batches(train_rows, plan.batch_rows):
                progress = ((state.epoch - 1) * steps_an_epoch + state.step + 1) / (plan.epochs * steps_an_epoch + 1)
                if plan.seconds is not None:  # with a clock, the rate falls with the time that is left
                    progress = max(progress, state.seconds / plan.seconds)
                if progress >= 1.0:
                    state.stopped = f"the time for training, {plan.seconds:.0f} s, was used up"
                    break
                state.rate = rate_at(progress, plan) * doctor.rate_share
                for group in optimizer.param_groups:
                    group["lr"] = state.rate
                batch = augmented(batch, plan.augment, plan.seed, state.epoch, state.step)
                batch = pushed(network, batch, plan.adversary, objective, (plan.seed, state.epoch, state.step))
                loss, _ = objective.loss(network, batch, generator)  # forward, and how wrong it was
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # backward: how each weight should change
                length = torch.nn.utils.clip_grad_norm_(weights, plan.clip_norm)
                optimizer.step()
                average.update()
                if doctor.approves(state.epoch, state.step, loss, length, batch):  # if not, it has undone the step
                    state.losses.append(loss.detach())
                state.step += 1
                pace.tick()
                if checkpoints and checkpoints.due():
                    checkpoints.write(*state.save())
            with average.in_place(train_rows.sample, plan.batch_rows):
                now = validation_loss(network, validation_rows, objective, generator, plan)
                state.keep(now)
            doctor.approves_validation(state.epoch, now)
            on_epoch(state.end_epoch(now), plan.epochs)
            state.stopped = state.stopped or _reason_to_stop(state, plan)
            if checkpoints and (checkpoints.due() or state.stopped):
                checkpoints.write(*state.save())
    network.load_state_dict(state.kept)
    network.eval()
    found = doctor.findings([epoch.train_loss for epoch in state.history], state.best, validation_rows, objective)
    return History(tuple(state.history), state.best, state.stopped, found, doctor.gradients, tuple(pace.choices))


def _reason_to_stop(state: State, plan: TrainingPlan) -> str:
    done = len(state.history)
    if done >= plan.epochs:
        return "all epochs were used"
    if done - state.best >= plan.patience:
        return f"no better on the validation rows for {plan.patience} epochs"
    if plan.rises and _is_rising([epoch.validation_loss for epoch in state.history[-plan.rises - 1 :]], plan, state):
        return f"ever worse on the validation rows for {plan.rises} epochs"
    return ""


def _is_rising(losses: list[float], plan: TrainingPlan, state: State) -> bool:
    enough = len(losses) > plan.rises and losses[-1] > RISEN * state.best_loss
    return enough and all(before < after for before, after in itertools.pairwise(losses))
