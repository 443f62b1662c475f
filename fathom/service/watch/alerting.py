"""A look as other programs take it: Prometheus metrics, and the body of a webhook."""

import re
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from fathom.errors import OptionError
from fathom.service.records.recording import Health
from fathom.service.watch.watching import Look, sentence

STATES = ("steady", "too few rows", "alarm", "broken")
_UNITS = {"m": 60.0, "h": 3_600.0, "d": 86_400.0}


def moment(text: str | None, now: float | None = None) -> float | None:
    """Return a moment in seconds since 1970: so long ago (``90m``, ``24h``, ``7d``), or a date or time in ISO 8601, in UTC where it names no zone.

    Raises OptionError for anything else.

    >>> moment("2h", now=10_000.0), moment("1970-01-02"), moment(None)
    (2800.0, 86400.0, None)
    """
    if text is None:
        return None
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([mhd])", text.strip()):
        return (time.time() if now is None else now) - float(found[1]) * _UNITS[found[2]]
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        raise OptionError(
            f"--since {text!r} is no moment. Write how long ago (90m, 24h, 7d), or a date (2026-05-01, 2026-05-01T08:00)."
        ) from None
    return when.replace(tzinfo=when.tzinfo or UTC).timestamp()


def alert(look: Look) -> dict[str, Any]:
    """Return the body of a webhook: ``text`` for people, as chat services read it, and the look for programs."""
    said = [look.headline, *(sentence(one) for one in look.alarms[1:])]
    return {
        "text": f"Fathom, {look.model} ({look.version}): " + "\n".join(said),
        "state": look.state,
        "look": look.as_json(),
    }


def metrics_text(looks: Iterable[Look], health: Mapping[str, Health] | None = None) -> str:
    """Return looks, and how recorders fare, in the text format of Prometheus (version 0.0.4)."""
    samples: dict[str, list[tuple[dict[str, str], float]]] = {name: [] for name in METRICS}
    for look in looks:
        own = {"model": look.model, "version": look.version}
        samples["fathom_watch_state"] += [({**own, "state": state}, float(look.state == state)) for state in STATES]
        samples["fathom_watch_rows"].append((own, look.rows))
        samples["fathom_recorded_rows_total"].append(({"model": look.model}, look.recorded))
        samples["fathom_watch_labelled_rows"].append((own, look.labelled))
        samples["fathom_watch_timestamp_seconds"].append((own, look.when))
        for one in look.drifts:
            labels = {**own, "column": one.column, "about": one.about, "question": one.question}
            samples["fathom_drift_effect"].append((labels, one.effect))
            samples["fathom_drift_alarm"].append((labels, float(one.status == "drift")))
        for target, scores in look.scores.items():
            for metric, entry in scores.items():
                value = entry.get("value")
                samples["fathom_score"].append(
                    ({**own, "target": target, "metric": metric}, float("nan") if value is None else value)
                )
    for name, state in (health or {}).items():
        samples["fathom_recorder_broken"].append(({"model": name}, float(bool(state.broken))))
    lines = []
    for name, (kind, words) in METRICS.items():
        if samples[name]:
            lines += [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
            lines += [f"{name}{{{_labels(labels)}}} {_number(value)}" for labels, value in samples[name]]
    return "".join(line + "\n" for line in lines)


METRICS = {
    "fathom_watch_state": ("gauge", "1 for the state that the latest look found."),
    "fathom_watch_rows": ("gauge", "Rows in the window of the latest look."),
    "fathom_watch_labelled_rows": ("gauge", "Rows of the latest look whose truth is known."),
    "fathom_watch_timestamp_seconds": ("gauge", "When the latest look was taken, in seconds since 1970."),
    "fathom_drift_effect": ("gauge", "How far a column, an answer or a truth lies from the reference: share of rows moved, difference of shares, or standard deviations of loss."),
    "fathom_drift_alarm": ("gauge", "1 where a change is certain after correction and large enough for a word."),
    "fathom_score": ("gauge", "Score of the answers whose truth is known."),
    "fathom_recorded_rows_total": ("counter", "Rows ever written to the store."),
    "fathom_recorder_broken": ("gauge", "1 while the process that tells cannot write to the store."),
}  # fmt: skip


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return "NaN" if value != value else repr(float(value))
