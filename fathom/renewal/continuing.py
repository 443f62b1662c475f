"""A model is fitted again on rows that are parted: from its old weights, where they fit the rows, or anew.

A *warm start* goes on from the old weights, with the columns as they were learned, at a share of the learning rate for half of the epochs at most. It is quicker and moves the
answers less; fitted *anew*, a network can become better than from old weights (Ash and Adams, "On Warm-Starting Neural Network Training", NeurIPS 2020, figure 1,
https://arxiv.org/abs/1910.08475).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fathom.baselines import BASELINES
from fathom.baselines import by_name as baseline_named
from fathom.bundle.description import Description
from fathom.chapters.candidates import Candidate
from fathom.chapters.exporting import export_network
from fathom.chapters.learning import Start, train_network
from fathom.chapters.prepared import Prepared, prepared_sizes
from fathom.chapters.preparing import decoded, understand
from fathom.chapters.rivals import fit_baselines
from fathom.data.encoding import Column
from fathom.data.modalities.contract import Modality
from fathom.data.recognising import recognise_target
from fathom.data.rows.splitting import (
    TEST,
    TRAIN,
    VALIDATION,
)
from fathom.data.rows.weighing import row_weights, weights_of_parts
from fathom.model import Model
from fathom.progress import Progress
from fathom.renewal.origins import Origin
from fathom.renewal.renewing import Renewal
from fathom.settings import Settings

WARM_RATE = 0.3  # of the learning rate of a fit from the start
WARM_EPOCHS = 0.5  # of its epochs
MOST_UNSEEN = 0.05  # of a column's new cells: above, its words are learned anew


def why_not_warm(description: Description, renewal: Renewal) -> str:
    """Say why a model cannot go on from its old weights with these rows, or return an empty string."""
    if description.kind != "network":
        return "a simpler model has no weights to go on from"
    fresh = renewal.table.take(np.flatnonzero(~renewal.old))
    for column in description.columns:
        kind = column.kind
        if kind is None or kind.SHAPE != "code" or column.role not in ("input", "time", "target"):
            continue
        values = fresh.column(column.name)
        codes, known = kind.encode(column.state, values)[:, 0], ~kind.missing(values)
        unseen = known & (codes < 0 if column.role == "target" else codes == 1)
        if column.role == "target" and unseen.any():
            return f"{column.name!r} has a class that the old model does not know"
        words = len(getattr(column.state, "words", ()))
        if (
            words
            and known.any()
            and unseen.sum() > MOST_UNSEEN * known.sum() + (1 - getattr(column.state, "kept_share", 1.0)) * known.sum()
        ):
            return f"{unseen.sum() / known.sum():.0%} of the new cells of {column.name!r} hold a word that the old model does not know"
    return ""


def prepared_of(
    renewal: Renewal,
    origin: Origin,
    columns: Sequence[Column],
    warm: bool,
    modalities: Sequence[Modality],
    progress: Progress,
) -> Prepared:
    """Make rows ready to learn from, with the old ``columns`` as they were learned when ``warm``, or learned anew from all training rows."""
    table, settings, parts = renewal.table, origin.settings, renewal.split
    if not warm:
        gathered = {column.name: column.gathered for column in columns if column.gathered is not None}
        kinds = {column.name: column.modality for column in columns if column.name in gathered and column.kind}
        settings = replace(settings, columns={**settings.columns, **kinds})
        predicted = {name: recognise_target(table, name, settings.columns, modalities) for name in origin.targets}
        prepared = understand(table, origin.targets, predicted, parts, settings, modalities, ())
        known = tuple(replace(column, gathered=gathered.get(column.name)) for column in prepared.columns)
        prepared = replace(prepared, columns=known)
    else:
        train, validation, sealed = (table.take(parts.rows(part)) for part in (TRAIN, VALIDATION, TEST))
        prepared = Prepared(table, tuple(columns), parts, train, validation, sealed, ())
    if settings.weight:
        # the rows that are no test rows have weights; the others need none
        weights = np.ones(table.rows)
        taught = np.flatnonzero(parts.part != TEST)
        weights[taught] = row_weights(table.take(taught), settings.weight, len(taught))
        own, other = weights_of_parts(weights, parts, settings.weight)
        prepared = replace(prepared, weights=own, validation_weights=other)
    prepared = decoded(prepared, settings, progress)
    if renewal.folds is not None:
        prepared = replace(
            prepared, validation=prepared.train, validation_weights=prepared.weights, folds=renewal.folds
        )
    return prepared


def fit_again(
    model: Model, prepared: Prepared, settings: Settings, warm: bool, modalities: Sequence[Modality], progress: Progress
) -> Candidate:
    """Fit a model of the same kind on prepared rows: a network, from its old weights when ``warm``, or the same simpler model.

    Raises TrainingError when a network cannot be taught.
    """
    description = model.description
    size = prepared_sizes(prepared, settings)
    if description.kind == "baseline":
        name = next(iter(description.baselines.values()))["name"]
        return fit_baselines(prepared, settings, (baseline_named(name, BASELINES),), modalities, None, progress)[0]
    start = None
    if warm:
        from fathom.bundle.loading import reload_network
        from fathom.networks.committee import Committee

        network = reload_network(description, model.files["weights.safetensors"])
        every = [*network.networks] if isinstance(network, Committee) else [network]
        start = Start(network.plan, tuple(one.state_dict() for one in every), WARM_RATE, WARM_EPOCHS)
    seconds = None if settings.minutes is None else 60.0 * settings.minutes
    trained = train_network(prepared, settings, size, modalities, seconds, progress, start=start, margins=True)
    return export_network(prepared, trained, settings, size, modalities, progress)
