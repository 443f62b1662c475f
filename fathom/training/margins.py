"""Learns how far below and above a network's answer the truth may lie, when the network itself has learned.

Two quantiles of what an answer is off by are linear, through a softplus, in what `fathom.networks.margins` reads; their loss is the pinball loss, whose lowest value is at the quantile (Koenker and
Bassett, Econometrica 46, 1978, section 3; Steinwart and Christmann, Bernoulli 17, 2011). The rows are those that the network has learned from, on which it is off by less than on others: what is
learned is which rows are harder than which, and how far an interval must reach is set right on validation rows. Measured on five tables (``docs/benchmarks.md``).
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fathom.networks.margins import ENDS, OWN, Margins, read
from fathom.networks.network import Network
from fathom.training.batching import Batch

LEVEL = 0.9  # of the interval whose two ends are learned
ROWS = 8_192  # that are learned from, drawn by chance: 500 weights ask for no more
FEWEST_ROWS = 100
LEAST = 1e-6  # deviation, that something may be divided by
CONSTANT = 1e-2  # of the length of a number that is read, below which it differs by little more than it is rounded: a plain network of 150 layers tells all rows the same but for that
ROWS_AT_ONCE = 1_024
RIDGE = 1e-2  # times the squared weights of the summary: chosen among 0.001, 0.01, 0.05 and 0.2 by the interval score on five tables
STEPS = 30  # of L-BFGS (Liu and Nocedal, Mathematical Programming 45, 1989)


def learn(network: Network, rows: Batch, seed: int) -> None:
    """Give the margins of a trained network their weights, from the rows that it has learned from, its readers' own readings among them or not. Same network, rows and seed, same weights.

    Rows that count nothing are left out; margins stay as wide for every row where there are fewer than a hundred.
    """
    if not network.margins:
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # what is added up by several threads is added in another order, and has other bits
    try:
        order = np.random.default_rng(seed).permutation(rows.rows)
        for place, module in network.margins.items():
            assert isinstance(module, Margins)
            part = network.plan.targets[int(place)]
            counting = (
                rows.weights[part.column].numpy() > 0 if part.column in rows.weights else np.ones(rows.rows, bool)
            )
            drawn = rows.take(torch.from_numpy(np.sort(order[counting[order]][:ROWS])))
            if drawn.rows >= FEWEST_ROWS:
                _learn(network, int(place), module, drawn)
    finally:
        torch.set_num_threads(before)


def _learn(network: Network, place: int, module: Margins, rows: Batch) -> None:
    network.eval()
    with torch.no_grad():
        pieces = [
            _read(network, place, rows.slice(start, min(ROWS_AT_ONCE, rows.rows - start)))
            for start in range(0, rows.rows, ROWS_AT_ONCE)
        ]
    features = torch.cat(pieces).double()
    off = rows.truth[network.plan.targets[place].column].double() - features[:, -OWN]
    scale = off.abs().quantile(LEVEL).clamp_min(LEAST)
    middle, length = features.mean(dim=0), features.square().mean(dim=0).sqrt()
    deviation = features.std(dim=0).maximum(CONSTANT * length).clamp_min(LEAST)
    weight, offset = _quantiles((features - middle) / deviation, off / scale)
    weight = weight / deviation.unsqueeze(1)
    learned = {"weight": weight, "offset": offset - middle @ weight, "scale": scale.reshape(1)}
    module.load_state_dict({name: values.float() for name, values in learned.items()})


def _read(network: Network, place: int, rows: Batch) -> Tensor:
    summary = network.summary(rows.inputs)
    return read(summary, network.heads[place](summary))


def _quantiles(features: Tensor, off: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weights ``(feature, 2)`` and the offsets ``(2,)`` of the margins below and above, where the truth is ``off (row,)`` the answer."""
    weight = torch.zeros(features.shape[1], ENDS, dtype=torch.float64, requires_grad=True)
    offset = torch.full((ENDS,), 0.5, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, offset], max_iter=STEPS, line_search_fn="strong_wolfe")
    beyond = torch.stack((-off, off), dim=1)  # how far the truth is below the answer, and above it
    share = 0.5 + LEVEL / 2  # of the rows that each end holds

    def closure() -> Tensor:
        optimizer.zero_grad()
        over = beyond - functional.softplus(features @ weight + offset)
        lost = torch.maximum(share * over, (share - 1) * over).sum(dim=1).mean()
        lost = lost + RIDGE * weight[:-OWN].square().sum()
        lost.backward()  # type: ignore[no-untyped-call]
        return lost

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach(), offset.detach()
