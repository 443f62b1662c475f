"""A smaller model learns to answer as a large one does: a narrower network by the same training loop, boosted trees or a linear model from its answers."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.baselines.contract import Baseline, Fitted, Truth
from fathom.bundle.description import Description
from fathom.chapters.candidates import Candidate, as_candidate
from fathom.chapters.prepared import Prepared
from fathom.chapters.rivals import candidate_of
from fathom.data.encoding import encode_inputs, encode_targets, hand_made_features, inputs_of, target_classes
from fathom.data.modalities.contract import Features, Modality
from fathom.model import Model
from fathom.settings import Settings

SHARES = {"half": 0.5, "quarter": 0.25}  # of a network's widths
NARROWED = ("width", "filters", "body", "inner")  # options of an encoder that say how wide it is
BINS = {"half": 24, "quarter": 12}  # of a number
LIKELY = 2  # classes of a row that trees learn of, the likeliest
MOST_ROWS = 200_000  # that trees learn from
TREE_FEATURES = 256  # that trees look at: of a text's thousands, most say next to nothing


def narrower(plan: Any, name: str) -> Any:
    """Return the plan of a smaller network for the same columns: one network with a plain trunk, its widths a share of the old ones."""
    from fathom.networks.encoders import default_encoder, encoder_named
    from fathom.shapes import arrays_of

    share = SHARES[name]
    options: dict[str, dict[str, Any]] = {}
    for array, parts in arrays_of(plan.inputs).items():
        shape = parts[0].shape
        encoder = encoder_named(plan.encoders[array], shape) if array in plan.encoders else default_encoder(shape)
        own = asdict(encoder.Options(**plan.encoder_options.get(array, {})))
        told = {key: max(8, int(own[key] * share)) for key in NARROWED if key in own}
        if "most_bins" in own:
            told["most_bins"] = min(own["most_bins"] or BINS[name], BINS[name])
        options[array] = {**plan.encoder_options.get(array, {}), **told}
    width = max(16, int(plan.trunk_options["width"] * share))
    trunk = {"layers": min(2, plan.trunk_options["layers"]), "width": width, "dropout": 0.0}
    return replace(
        plan,
        trunk="mlp",
        trunk_options=trunk,
        width=max(8, int(plan.width * share)),
        encoder_options=options,
        networks=1,
    )


def teach(network: Any, prepared: Prepared, teacher: Model, training: Any, settings: Settings) -> Any:
    """Train a network on the truth and the teacher's answers, and return it with the weights of its best epoch."""
    import torch

    from fathom.training import hardening, margins
    from fathom.training.augmentations import planned
    from fathom.training.batching import as_batch
    from fathom.training.loop import train
    from fathom.training.objectives import distil

    columns = prepared.columns
    known = encode_targets(columns, prepared.train)
    answers = teacher.answer(prepared.train)
    soft = {distil.taught(name): answer.astype(np.float32) for name, answer in answers.items()}
    rows = as_batch(encode_inputs(columns, prepared.train), {**known, **soft})
    check = as_batch(encode_inputs(columns, prepared.validation), encode_targets(columns, prepared.validation))
    plain = replace(rows, truth={name: rows.truth[name] for name in known})
    kinds = {column.name: column.modality for column in inputs_of(columns)}
    adversary = hardening.planned(settings.adversarial, network.plan.inputs, kinds)
    augment = planned(settings.augment, network.plan.inputs, plain, check)
    training = replace(training, augment=augment, adversary=adversary)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        train(network, rows, check, training, distil)
        margins.learn(network, plain, training.seed)
    return network.eval()


def as_network_candidate(
    name: str, network: Any, prepared: Prepared, modalities: Sequence[Modality], threads: int | None
) -> Candidate:
    """Return a network as it would be shipped, its intervals and temperatures learned from the validation rows."""
    from fathom.bundle.graph.exporting import network_onnx
    from fathom.bundle.loading import network_weights, reload_network
    from fathom.chapters.exporting import network_answers

    description = Description("network", "network", prepared.columns, plan=network.plan.to_json())
    weights = network_weights(network)
    return replace(
        as_candidate(
            prepared,
            description,
            weights=weights,
            graph=network_onnx(network),
            summary=name,
            fit_seconds=0.0,
            trainers={
                "trainer": lambda table: network_answers(network, prepared.columns, table),
                "reloaded bundle": lambda table: network_answers(
                    reload_network(description, weights), prepared.columns, table
                ),
            },
            notes={},
            modalities=modalities,
            threads=threads,
            unseen=None,
        ),
        name=name,
    )


def taught_baseline(
    baseline: Baseline,
    prepared: Prepared,
    teacher: Model,
    settings: Settings,
    modalities: Sequence[Modality],
    most_features: int | None = None,
) -> Candidate:
    """Fit a simpler model to the teacher's answers: each row once for each of its likeliest classes, weighing what that is likely; it reads the ``most_features`` that tell most."""
    columns = prepared.columns
    step = max(1, -(-prepared.train.rows * LIKELY // MOST_ROWS))
    rows = prepared.train.take(np.arange(0, prepared.train.rows, step))
    features, answers = hand_made_features(columns, rows), teacher.answer(rows)
    asked, known = hand_made_features(columns, prepared.validation), encode_targets(columns, prepared.validation)
    fits: dict[str, Fitted] = {}
    for column in prepared.targets:
        classes, answer = target_classes(column), answers[column.name]
        place = np.arange(rows.rows)
        if classes:
            likely = min(LIKELY, classes)
            codes = np.argsort(-answer, axis=1, kind="stable")[:, :likely]
            weights = np.take_along_axis(answer, codes, axis=1)
            weights = (weights / weights.sum(axis=1, keepdims=True)).reshape(-1)
            place = np.repeat(place, likely)
            truth = Truth(codes.reshape(-1).astype(np.int64), classes, np.maximum(weights / weights.mean(), 1e-6))
            check = Truth(known[column.name].astype(np.int64), classes)
        else:
            truth, check = Truth(answer.astype(np.float64)), Truth(known[column.name].astype(np.float64))
        taught = Features(telling(features.matrix, answer, most_features)[place], features.names, features.sizes)
        fits[column.name] = baseline.fit(taught, truth, asked, check, seed=settings.seed, seconds=None)
    return candidate_of(prepared, baseline, [fits], 0.0, settings, modalities)


def telling(matrix: npt.NDArray[np.float64], answer: npt.NDArray[Any], most: int | None) -> npt.NDArray[np.float64]:
    """Return ``(row, feature)`` with all but the ``most`` features that tell of the answers blanked, where there are more.

    A feature tells as much as its highest squared correlation with the answer of one class, or with the number.
    """
    if most is None or matrix.shape[1] <= most:
        return matrix
    known = np.nan_to_num(matrix) - np.nan_to_num(matrix).mean(axis=0)
    apart = answer.reshape(len(answer), -1) - answer.reshape(len(answer), -1).mean(axis=0)
    spread = np.sqrt((known**2).sum(axis=0))[:, None] * np.sqrt((apart**2).sum(axis=0))
    told = np.abs(known.T @ apart / np.maximum(spread, 1e-12)).max(axis=1)
    kept = np.sort(np.argsort(-told, kind="stable")[:most])
    chosen = np.zeros_like(matrix)
    chosen[:, kept] = matrix[:, kept]
    return chosen
