"""How training went, as JSON for `result.json`: epochs, what the doctor found, gradients, threads; of one network or of each of several."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any


def training_json(histories: Sequence[Any], plan: Any, parameters: int) -> dict[str, Any]:
    """Return how training went; ``parameters`` weights in all.

    Of several networks, epochs, gradients and threads are those of the first, ``folds`` says how each fared, and ``doctor`` what was found in any,
    each finding once.
    """
    first = histories[0]
    found = {finding.name: finding for history in reversed(histories) for finding in reversed(history.findings)}
    findings = first.findings if len(histories) == 1 else [*found.values()][::-1]
    return {
        "parameters": parameters,
        "epochs": [
            _epoch_json(epoch, before) for epoch, before in zip(first.epochs, (None, *first.epochs), strict=False)
        ],
        "best_epoch": first.best_epoch,
        "stopped": first.stopped,
        "folds": [] if len(histories) == 1 else [_fold_json(history) for history in histories],
        "doctor": [asdict(finding) for finding in findings],
        "gradients": _gradients_json(first.gradients),
        "threads": [_choice_json(choice) for choice in first.threads],
        "plan": asdict(plan),
    }


def _fold_json(history: Any) -> dict[str, Any]:
    best = history.epochs[history.best_epoch - 1].validation_loss if history.best_epoch else None
    return {
        "epochs": len(history.epochs),
        "best_epoch": history.best_epoch,
        "validation_loss": best,
        "stopped": history.stopped,
    }


def _choice_json(choice: Any) -> dict[str, Any]:
    return {**asdict(choice), "milliseconds": {str(count): took for count, took in choice.milliseconds.items()}}


def _gradients_json(gradients: Mapping[int, Mapping[str, float]]) -> dict[str, Any]:
    first, last = ([*gradients.values()] or [{}])[0], ([*gradients.values()] or [{}])[-1]
    layers = [{"layer": layer, "first": norm, "last": last[layer]} for layer, norm in first.items()]
    return {"epochs": [*gradients], "layers": layers}


def _epoch_json(epoch: Any, before: Any) -> dict[str, Any]:
    values = asdict(epoch)
    values["seconds"] = epoch.seconds - (before.seconds if before else 0.0)
    return {name: None if value != value else value for name, value in values.items()}
