"""Questions asked of a fitted model, each answered with numbers and a sentence: an open set, one file a check."""

from types import ModuleType

from fathom.evidence import (
    abstaining,
    adversarial,
    calibration,
    causes,
    cost,
    dependence,
    fairness,
    faithfulness,
    importance,
    layers,
    leakage,
    memorising,
    robustness,
    scaling,
    slices,
    suspects,
    unlike,
    verdict,
    worst_rows,
)
from fathom.evidence.contract import Check

# What every fit measures, each by a function of its own, for a place of its own in the report.
MEASURES: tuple[ModuleType, ...] = (verdict, calibration, importance, dependence, layers, worst_rows)

# What answers by `run`, in the order in which it is asked.
CHECKS: tuple[Check, ...] = (
    leakage,
    abstaining,
    unlike,
    faithfulness,
    robustness,
    adversarial,
    slices,
    fairness,
    suspects,
    memorising,
    scaling,
    causes,
    cost,
)

__all__ = ["CHECKS", "MEASURES", "Check"]
