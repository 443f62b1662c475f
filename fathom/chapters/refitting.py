"""The models of a fit are fitted again, on fewer rows or on rows that count otherwise: for checks that ask what rows are worth.

How long a network may learn then is reckoned in rows that it looks at, so that the same seed finds the same on every machine; the clock cuts nothing short but under ``--minutes``.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.baselines.choosing import part
from fathom.baselines.contract import Baseline, Truth
from fathom.chapters.candidates import in_units, training_weights, truth_in_units
from fathom.chapters.exporting import network_answers
from fathom.chapters.learning import train_network
from fathom.chapters.planning import training_plan
from fathom.chapters.prepared import Prepared
from fathom.chapters.reckoning import BACKWARD
from fathom.data.encoding import Column, encode_targets, hand_made_features, target_classes
from fathom.data.modalities.contract import Features, Modality
from fathom.data.rows.splitting import drawn
from fathom.data.table import Table
from fathom.effort import Sizes, shortened, sizes
from fathom.evidence.affording import Bound
from fathom.evidence.contract import Answerer, Refit, Rows
from fathom.progress import Silent
from fathom.settings import Settings
from fathom.shapes import Arrays

FEWEST_CHECKED = (
    1_000  # validation rows, by which a network that is fitted again chooses its epoch, where there are so many
)
STEP_ROWS = 256  # that a network answers in the time that a step takes whatever its rows

Weighing = npt.NDArray[np.float64] | None


def refit_of(
    prepared: Prepared,
    settings: Settings,
    size: Sizes,
    modalities: Sequence[Modality],
    baselines: Sequence[Baseline],
    target: Column,
) -> Refit:
    """Return what fits the network and every baseline again on rows of ``prepared.train``, each choosing by the validation rows.

    Of folded rows, the first fold stands for the validation rows, and the others for the training rows. Of a table larger than memory it is the sample.
    """
    first = replace(prepared.fits()[0], larger=None)
    rivals = {one.NAME: one for one in baselines if one.available()}

    @cache
    def sides() -> tuple[Features, Arrays, Features, Truth]:
        known, check = (encode_targets(prepared.columns, table) for table in (first.train, first.validation))
        return (
            hand_made_features(prepared.columns, first.train),
            known,
            hand_made_features(prepared.columns, first.validation),
            Truth(_plain(check[target.name]), target_classes(target)),
        )

    def baseline(name: str, rows: Rows, weights: Weighing, within: Bound) -> Answerer:
        features, known, asked, check = sides()
        own = _weights(training_weights(first, settings, known).get(target.name), weights, rows)
        truth = part(Truth(_plain(known[target.name]), target_classes(target)), rows)
        fitted = rivals[name].fit(
            Features(features.matrix[rows], features.names, features.sizes),
            replace(truth, weights=own),
            asked,
            check,
            seed=settings.seed,
            seconds=within.seconds,
        )
        answer = fitted.estimator or (lambda matrix: rivals[name].predict(fitted, matrix))
        return lambda table: in_units(target, answer(hand_made_features(prepared.columns, table).matrix))

    def network(rows: Rows, weights: Weighing, within: Bound) -> Answerer:
        fewer = replace(
            _checked_by(first, max(FEWEST_CHECKED, len(rows))),
            columns=tuple(one for one in prepared.columns if one.role != "target" or one.name == target.name),
            train=first.train.take(rows),
            weights=_weights(first.weights, weights, rows),
        )
        small = sizes(settings.effort, settings.trunk, len(rows), settings.layers, settings.skip, _shapes(fewer))
        if size.folds > 1:
            small = replace(size, folds=1)
        planned = training_plan(settings, small, None)
        own = training_plan(settings, size, None)
        whole = own.epochs * epoch_work(first.train.rows, first.validation.rows, own.batch_rows)
        each = epoch_work(len(rows), fewer.validation.rows, planned.batch_rows)
        epochs = max(1, int(min(planned.epochs, within.work * whole / each)))
        small, told = shortened(small, epochs, len(rows)), replace(settings, epochs=settings.epochs and epochs)
        trained = train_network(fewer, told, small, modalities, within.seconds, Silent()).network
        return lambda table: in_units(target, network_answers(trained, fewer.columns, table)[target.name])

    def fit(name: str, rows: Rows, weights: Weighing, within: Bound) -> Answerer:
        return network(rows, weights, within) if name == "network" else baseline(name, rows, weights, within)

    def taught(name: str, table: Table, within: Bound) -> Answerer:
        other = refit_of(
            replace(prepared, train=table, validation=first.validation, folds=None, larger=None),
            settings,
            replace(size, folds=1),
            modalities,
            baselines,
            target,
        )
        return other.fit(name, np.arange(table.rows), None, within)

    return Refit(first.train, truth_in_units(target, first.train), ("network", *rivals), fit, taught)


def epoch_work(train_rows: int, checked_rows: int, batch_rows: int) -> int:
    """Return what an epoch takes, in rows that a network answers: three times each row that it learns from, for the way there and back, and what a step takes whatever its rows.

    >>> epoch_work(train_rows=1_000, checked_rows=200, batch_rows=100)
    5760
    """
    return (1 + BACKWARD) * train_rows + checked_rows + STEP_ROWS * -(-train_rows // batch_rows)


def _checked_by(prepared: Prepared, most: int) -> Prepared:
    """Return what is learned from with at most so many validation rows, drawn by what they hold: of few rows to learn from, checking would cost more than learning."""
    if prepared.validation.rows <= most:
        return prepared
    rows = np.sort(drawn(prepared.validation, most))
    weights = None if prepared.validation_weights is None else _mean_one(prepared.validation_weights[rows])
    return replace(prepared, validation=prepared.validation.take(rows), validation_weights=weights)


def _mean_one(weights: npt.NDArray[np.float64]) -> Weighing:
    return np.asarray(weights / weights.mean()) if weights.any() else None


def _weights(own: Weighing, told: Weighing, rows: Rows) -> Weighing:
    """Return the weights of some rows, with mean 1: their ``own`` weights times those that a check has ``told``."""
    if own is None and told is None:
        return None
    both = (np.ones(len(rows)) if own is None else own[rows]) * (1.0 if told is None else told)
    return np.asarray(both / both.mean())


def _shapes(prepared: Prepared) -> Any:
    from fathom.data.encoding import input_parts

    return {one.shape for one in input_parts(prepared.columns)}


def _plain(values: Any) -> Any:
    return values.astype(np.int64) if values.dtype.kind == "i" else values.astype(np.float64)
