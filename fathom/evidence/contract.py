"""What a check is: a module that asks one question of a fitted model and answers with a Finding."""

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Finding:
    """One piece of evidence: a question, an answer, a number with its interval and unit, a sentence, the data of a plot.

    ``answer`` ``"not applicable"`` is an answer, with its reason in ``sentence``.
    """

    name: str
    question: str
    answer: str
    sentence: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    status: Literal["good", "warning", "bad", "neutral"] = "neutral"
    plot: dict[str, Any] = field(default_factory=dict)
