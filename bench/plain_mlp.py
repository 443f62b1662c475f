"""The bare torch loop that Fathom's network must not lose to: z-scored and one-hot columns, three layers, ten epochs.

What a careful person writes in an afternoon, and nothing more: numbers z-scored (a missing one becomes the mean), categories
one-hot, a date as one number, three ReLU layers of 256, an epoch that slices shuffled tensors, fused Adam, a one-cycle
learning rate up to 4e-3 (Smith and Topin 2018, arXiv:1708.07120), ten epochs. Small tables get more epochs, so that there
are at least ``LEAST_STEPS`` steps, and the epoch that is best on the validation rows is kept; without these two the loop
would lose to anything on a table of 2,000 rows.
"""

import itertools
import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Array = npt.NDArray[Any]
Task = Literal["regression", "classification"]

WIDTH, DEPTH, EPOCHS, BATCH, PEAK_RATE = 256, 3, 10, 256, 4e-3
LEAST_STEPS = 1_000
LEVELS = 256  # one-hot columns per category at most: the most frequent levels of the training rows


@dataclass(frozen=True)
class Answer:
    """Predictions for the test rows: values ``(row,)``, or probabilities ``(row, class)`` in the order of ``classes``."""

    prediction: Array
    classes: tuple[str, ...]
    fit_seconds: float
    parameters: int


@dataclass(frozen=True)
class Scaler:
    """How one column becomes numbers: ``levels`` for a category, otherwise ``mean`` and ``spread``."""

    levels: pa.Array | None = None
    mean: float = 0.0
    spread: float = 1.0

    @classmethod
    def learn(cls, values: pa.ChunkedArray) -> "Scaler":
        """Learn from the training rows: the most frequent levels, or the mean and the spread."""
        if is_text(values.type):
            counts = pc.value_counts(values.drop_null())
            frequent = pc.sort_indices(counts.field("counts"), sort_keys=[("", "descending")])[:LEVELS]
            return cls(levels=counts.field("values").take(frequent))
        numbers = as_numbers(values)
        return cls(mean=float(np.nanmean(numbers)), spread=float(np.nanstd(numbers)) or 1.0)

    def encode(self, values: pa.ChunkedArray) -> Array:
        """Return ``(row, column)`` float32; a missing number is the mean, an unseen level is all zeros."""
        if self.levels is None:
            return np.nan_to_num((as_numbers(values) - self.mean) / self.spread).astype(np.float32)[:, None]
        codes = pc.fill_null(pc.index_in(values, value_set=self.levels), len(self.levels)).to_numpy()
        return np.eye(len(self.levels) + 1, dtype=np.float32)[codes][:, : len(self.levels)]


def is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind)


def as_numbers(values: pa.ChunkedArray) -> Array:
    if pa.types.is_temporal(values.type):
        values = values.cast(pa.timestamp("s")).cast(pa.int64())
    numbers: Array = values.cast(pa.float64()).to_numpy()  # missing becomes NaN
    return numbers


def fit_predict(
    train: pa.Table, validation: pa.Table, test: pa.Table, target: str, task: Task, *, seed: int = 0
) -> Answer:
    """Fit on the training rows, keep the epoch best on the validation rows, answer the test rows.

    The tables hold the same columns, typed as ``pyarrow.csv`` reads them. Sets torch's global seed.
    """
    started = time.perf_counter()
    scalers = {name: Scaler.learn(train[name]) for name in train.column_names if name != target}

    def inputs(table: pa.Table) -> Array:
        return np.concatenate([scaler.encode(table[name]) for name, scaler in scalers.items()], axis=1)

    if task == "classification":
        levels = pc.unique(train[target].cast(pa.string()))
        classes = tuple(sorted(levels.to_pylist()))

        def truth(table: pa.Table) -> Array:
            return pc.index_in(table[target].cast(pa.string()), value_set=pa.array(classes)).to_numpy().astype(np.int64)

        logits, parameters = train_network(
            inputs(train), truth(train), inputs(validation), truth(validation), inputs(test), len(classes), seed
        )
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        prediction = odds / odds.sum(axis=1, keepdims=True)
    else:
        classes = ()
        scale = Scaler.learn(train[target])
        output, parameters = train_network(
            inputs(train),
            scale.encode(train[target]),
            inputs(validation),
            scale.encode(validation[target]),
            inputs(test),
            1,
            seed,
        )
        prediction = output[:, 0].astype(np.float64) * scale.spread + scale.mean
    return Answer(prediction, classes, time.perf_counter() - started, parameters)


def train_network(
    inputs: Array,
    truth: Array,
    check_inputs: Array,
    check_truth: Array,
    asked: Array,
    outputs: int,
    seed: int,
    *,
    width: int = WIDTH,
    depth: int = DEPTH,
) -> tuple[Array, int]:
    """The loop itself. Returns the raw outputs ``(row, output)`` for ``asked`` and the number of parameters.

    ``truth`` is ``(row,)`` int64 class numbers, or ``(row, 1)`` float32 for a regression.
    """
    import torch
    from torch import nn

    torch.manual_seed(seed)
    sizes = [inputs.shape[1], *([width] * depth)]
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Linear(width, outputs))
    loss_of = nn.MSELoss() if truth.dtype == np.float32 else nn.CrossEntropyLoss()
    x, y, check_x, check_y = map(torch.from_numpy, (inputs, truth, check_inputs, check_truth))
    steps_per_epoch = -(-len(x) // BATCH)
    epochs = max(EPOCHS, -(-LEAST_STEPS // steps_per_epoch))
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=epochs * steps_per_epoch)
    best, kept = float("inf"), {name: value.clone() for name, value in network.state_dict().items()}
    for _ in range(epochs):
        network.train()
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            loss_of(network(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
        network.eval()
        with torch.inference_mode():
            check = float(loss_of(network(check_x), check_y))
        if check < best:
            best, kept = check, {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(kept)
    with torch.inference_mode():
        answers: Array = network(torch.from_numpy(asked)).numpy()
    return answers, sum(parameter.numel() for parameter in network.parameters())
