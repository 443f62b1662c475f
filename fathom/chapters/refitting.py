"""The models of a fit are fitted again, on fewer rows or on rows that count otherwise: for checks that ask what rows are worth."""

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
from fathom.chapters.prepared import Prepared
from fathom.data.encoding import Column, encode_targets, hand_made_features, target_classes
from fathom.data.modalities.contract import Features, Modality
from fathom.data.table import Table
from fathom.effort import Sizes, sizes
from fathom.evidence.contract import Answerer, Refit, Rows
from fathom.progress import Silent
from fathom.settings import Settings
from fathom.shapes import Arrays

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

    def baseline(name: str, rows: Rows, weights: Weighing, seconds: float | None) -> Answerer:
        features, known, asked, check = sides()
        own = _weights(training_weights(first, settings, known).get(target.name), weights, rows)
        truth = part(Truth(_plain(known[target.name]), target_classes(target)), rows)
        fitted = rivals[name].fit(
            Features(features.matrix[rows], features.names, features.sizes),
            replace(truth, weights=own),
            asked,
            check,
            seed=settings.seed,
            seconds=seconds,
        )
        answer = fitted.estimator or (lambda matrix: rivals[name].predict(fitted, matrix))
        return lambda table: in_units(target, answer(hand_made_features(prepared.columns, table).matrix))

    def network(rows: Rows, weights: Weighing, seconds: float | None) -> Answerer:
        fewer = replace(
            first,
            columns=tuple(one for one in prepared.columns if one.role != "target" or one.name == target.name),
            train=first.train.take(rows),
            weights=_weights(first.weights, weights, rows),
        )
        small = sizes(settings.effort, settings.trunk, len(rows), settings.layers, settings.skip, _shapes(fewer))
        if size.folds > 1:
            small = replace(size, folds=1)
        trained = train_network(fewer, settings, small, modalities, seconds, Silent()).network
        return lambda table: in_units(target, network_answers(trained, fewer.columns, table)[target.name])

    def fit(name: str, rows: Rows, weights: Weighing, seconds: float | None) -> Answerer:
        return network(rows, weights, seconds) if name == "network" else baseline(name, rows, weights, seconds)

    def taught(name: str, table: Table, seconds: float | None) -> Answerer:
        other = refit_of(
            replace(prepared, train=table, validation=first.validation, folds=None, larger=None),
            settings,
            replace(size, folds=1),
            modalities,
            baselines,
            target,
        )
        return other.fit(name, np.arange(table.rows), None, seconds)

    return Refit(first.train, truth_in_units(target, first.train), ("network", *rivals), fit, taught)


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
