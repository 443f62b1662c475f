"""Questions asked of a fitted model, each answered with numbers and a sentence: an open set, one file a check."""

from types import ModuleType

from fathom.evidence import calibration, importance, verdict, worst_rows

CHECKS: tuple[ModuleType, ...] = (verdict, calibration, importance, worst_rows)

__all__ = ["CHECKS"]
