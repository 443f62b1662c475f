"""The models side by side: every metric with its interval, what each model costs, how training went."""

from typing import Any

from fathom.quantities import count, finite, interval, number, seconds, size, together
from fathom.report.glossary import metric_name
from fathom.report.picking import NARROW, WIDE, Figure, at, items, mapping, named, records, words
from fathom.report.plots.curves import Curve, gradients, losses, rates
from fathom.report.plots.intervals import Estimate, rows_of_estimates
from fathom.report.wording import cell, clip, fit, picture, plural, sentence, titled

View = dict[str, Any]

MOST_MODELS_DRAWN = 30
MOST_LAYERS = 400


def scores_of(result: View, model: View, target: str | None) -> View:
    """Return a model's scores of one target: ``{metric: {value, low, high}}``; of the first target without a name."""
    first = at(next(iter(records(result, "targets")), None), "name")
    found = mapping(model, "targets", target) if target is not None else {}
    return found or (mapping(model, "scores") if target in (None, first) else {})


def metrics_of(result: View, target: str | None) -> list[str]:
    """Return the metrics of one target, the one that decides first."""
    scored = {metric for model in records(result, "models") for metric in scores_of(result, model, target)}
    known = [metric for metric in mapping(result, "metrics") if metric in scored]
    ordered = known + sorted(scored - set(known))
    primary = at(result, "verdict", "metric")
    return sorted(ordered, key=lambda metric: metric != primary)


def models(result: View, target: str | None) -> View | None:
    """Return the table of models for one target, best first, and the plot of the metric that decides."""
    found = named(result, "models")
    if not found:
        return None
    metrics = metrics_of(result, target)
    lower = {metric for metric in metrics if at(result, "metrics", metric, "better") == "lower"}
    scored = [(model, scores_of(result, model, target)) for model in found]
    if metrics:
        sign = 1 if metrics[0] in lower else -1
        scored.sort(key=lambda pair: _rank(pair[1], metrics[0], sign))
    best = {metric: _best([scores for _, scores in scored], metric, lower=metric in lower) for metric in metrics}
    return {
        "figure": _figure(result, scored, metrics, lower),
        "metrics": [_metric(result, metric) for metric in metrics],
        "rows": [_row(result, model, scores, metrics, best) for model, scores in scored],
    }


def _rank(scores: View, metric: str, sign: int) -> tuple[bool, float]:
    value = finite(at(scores, metric, "value"))
    return value is None, sign * (value or 0.0)


def _best(scored: list[View], metric: str, *, lower: bool) -> float | None:
    values = [finite(at(scores, metric, "value")) for scores in scored]
    known = [value for value in values if value is not None]
    if not known:
        return None
    return min(known) if lower else max(known)


def _metric(result: View, metric: str) -> View:
    better = words(result, "metrics", metric, "better")
    arrow = {"higher": "↑", "lower": "↓"}.get(better, "")
    return {"name": titled(metric_name(metric)), "better": better, "arrow": arrow}


def _row(result: View, model: View, scores: View, metrics: list[str], best: dict[str, float | None]) -> View:
    return {
        "name": model["name"],
        "network": model.get("kind") == "network",
        "shipped": model["name"] == result.get("shipped"),
        "cells": [_score(mapping(scores, metric), best[metric]) for metric in metrics],
    }


def costs(result: View) -> list[View]:
    """Return what each model is and costs: to train, to ask, to keep."""
    return [
        {
            "name": model["name"],
            "summary": clip(words(model, "summary"), 400),
            "fit": seconds(model.get("fit_seconds")),
            "predict": seconds(model.get("predict_seconds_per_row")),
            "size": size(model.get("bytes")),
            "facts": _facts(result, model),
        }
        for model in named(result, "models")
    ]


def _score(score: View, best: float | None) -> View:
    value, low, high = together([score.get("value"), score.get("low"), score.get("high")], like=best)
    marked = best is not None and finite(score.get("value")) == best
    return {"value": value, "interval": interval(low, high), "best": marked}


def _facts(result: View, model: View) -> list[tuple[str, str]]:
    """The model's scores on the validation rows and the settings that were tried and taken."""
    facts = [
        (f"{metric_name(name) if name in mapping(result, 'metrics') else name}, validation rows", number(value))
        for name, value in mapping(model, "validation").items()  # by metric, or by target
        if finite(value) is not None
    ]
    return facts + [(name.replace("_", " "), cell(value)) for name, value in mapping(model, "notes").items()]


def _figure(result: View, scored: list[tuple[View, View]], metrics: list[str], lower: set[str]) -> Figure | None:
    if not metrics:
        return None
    estimates = []
    for model, scores in scored:
        score = mapping(scores, metrics[0])
        value = finite(score.get("value"))
        if value is not None:
            kind = "network" if model.get("kind") == "network" else "baseline"
            note = "shipped" if model["name"] == result.get("shipped") else ""
            low, high = finite(score.get("low")), finite(score.get("high"))
            estimates.append(Estimate(model["name"], value, low, high, kind, note))
    if len(estimates) < 2:
        return None
    name, side = metric_name(metrics[0]), "left" if metrics[0] in lower else "right"
    drawn = estimates[:MOST_MODELS_DRAWN]
    label = f"{titled(name)}, test rows ({'lower' if metrics[0] in lower else 'higher'} is better)"
    wide, narrow = (rows_of_estimates(drawn, label=label, width=width) for width in (WIDE, NARROW))
    caption = (
        f"{titled(name)} of every model on the test rows with its 95 % interval; further {side} is better. "
        "Filled dots are networks, open ones baselines."
    )
    return Figure(wide, narrow, caption)


def _seen(found: View) -> list[View]:
    """Return the sheets of what the network saw: a line a row, the row as it is in front."""
    sheets = []
    for page in records(found, "seen"):
        lines = [[url for url in line if picture(url)] for line in items(page, "rows") if isinstance(line, list)]
        varied = {name: number(value, 2) for name, value in mapping(page, "varied").items() if finite(value)}
        how = ", ".join(f"{clip(name, 20)} {value}" for name, value in varied.items())
        sheets.append(
            {"column": clip(words(page, "column"), 80), "how": how, "lines": [line for line in lines if line]}
        )
    return [page for page in sheets if page["lines"]]


def training(result: View) -> View | None:
    """Return how training went: a sentence and the curves."""
    found = mapping(result, "training")
    epochs = [epoch for epoch in records(found, "epochs") if finite(epoch.get("epoch")) is not None]
    facts = []
    if finite(found.get("parameters")) is not None:
        facts.append(("Parameters", count(found["parameters"])))
    folds = records(found, "folds")
    if folds:
        facts.append(("Networks", f"{count(len(folds))}, each without one fold of the rows; their mean answers"))
        facts.append(("Best epochs", ", ".join(count(fold.get("best_epoch")) for fold in folds)))
    first = "first network, " if folds else ""
    if epochs:
        facts.append((titled(f"{first}epochs"), count(len(epochs))))
    best = finite(found.get("best_epoch"))
    if best is not None:
        facts.append((titled(f"{first}best epoch"), count(best)))
        at_best = next((epoch for epoch in epochs if finite(epoch["epoch"]) == best), {})
        if finite(at_best.get("validation_loss")) is not None:
            facts.append(("Validation loss there", number(at_best.get("validation_loss"))))
    passes = [known for known in (finite(epoch.get("seconds")) for epoch in epochs) if known is not None]
    if passes:
        facts.append(("Time per epoch", seconds(sum(passes) / len(passes))))
    findings = [
        {"sentence": clip(words(item, "sentence"), 600), "remedy": clip(words(item, "remedy"), 600)}
        for item in records(found, "doctor")
        if words(item, "sentence")
    ]
    layers = [layer for layer in records(found, "gradients", "layers") if words(layer, "layer")]
    if not facts and not words(found, "stopped") and not findings:
        return None
    return {
        "facts": facts,
        "stopped": _ending(found),
        "findings": findings,
        "seen": _seen(found),
        "figures": _curves(epochs, best) + _gradients(found, layers),
        "layers": [_layer(place, layer) for place, layer in enumerate(layers[:MOST_LAYERS], start=1)],
        "gradient_epochs": [count(epoch) for epoch in items(found, "gradients", "epochs")[:2]] or ["first", "last"],
    }


def _gradients(found: View, layers: list[View]) -> list[Figure]:
    """Draw the gradient of every layer at the first epoch that was looked at, and at the last."""
    epochs = items(found, "gradients", "epochs")
    curves = []
    for side, epoch, kind in zip(("first", "last"), epochs, ("quiet", "validation"), strict=False):
        pairs = [(float(place), finite(layer.get(side))) for place, layer in enumerate(layers, start=1)]
        known = [(place, value) for place, value in pairs if value is not None and value >= 0]
        if len(known) > 1 and (side == "first" or epoch != epochs[0]):
            xs, values = zip(*known, strict=True)
            curves.append(Curve(f"epoch {count(epoch)}", xs, values, kind))
    if not curves:
        return []
    nothing = sum(value == 0 for value in curves[-1].values)
    caption = (
        f"How long the gradient of each layer’s weights was, from layer 1, {fit(layers[0]['layer'], 40)}, to layer {count(len(layers))}, "
        f"{fit(layers[-1]['layer'], 40)}. A layer far below the others hardly learns."
    )
    if nothing:
        caption += f" That of {plural(nothing, 'layer')} was 0, drawn at the lower edge."
    return [Figure(gradients(curves, width=WIDE), gradients(curves, width=NARROW), caption)]


def _layer(place: int, layer: View) -> View:
    """Write a line of the table of layers."""
    return {
        "place": count(place),
        "name": fit(layer["layer"], 48),
        "first": number(layer.get("first"), 3),
        "last": number(layer.get("last"), 3),
    }


def _ending(found: View) -> str:
    """Say why training ended; a clause becomes a sentence."""
    reason = words(found, "stopped")
    return sentence(f"training ended: {reason}" if reason[:1].islower() else reason)


def _curves(epochs: list[View], best: float | None) -> list[Figure]:
    shown = [
        curve
        for curve in (
            _curve(epochs, "train_loss", "train", "train"),
            _curve(epochs, "validation_loss", "validation", "validation"),
        )
        if curve is not None
    ]
    figures = []
    if shown:
        wide, narrow = (losses(shown, best_epoch=best, label="loss", width=width) for width in (WIDE, NARROW))
        caption = (
            f"Loss after each of {plural(len(epochs), 'epoch')}, on the training and on the validation rows. Where the "
            "validation line rises while the training line falls, the network begins to learn its rows by heart."
        )
        figures.append(Figure(wide, narrow, caption))
    rate = _curve(epochs, "learning_rate", "", "quiet")
    if rate is not None:
        figures.append(Figure(rates(rate, width=WIDE), rates(rate, width=NARROW)))
    return figures


def _curve(epochs: list[View], field: str, name: str, kind: str) -> Curve | None:
    pairs = [(float(epoch["epoch"]), finite(epoch.get(field))) for epoch in epochs]
    known = [(epoch, value) for epoch, value in pairs if value is not None]
    if len(known) < 2:
        return None
    return Curve(name, tuple(epoch for epoch, _ in known), tuple(value for _, value in known), kind)
