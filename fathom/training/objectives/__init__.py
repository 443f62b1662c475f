"""What training optimises: an open set; predict learns from the truth, distil from a teacher too."""

from fathom.training.objectives import distil, predict
from fathom.training.objectives.contract import Objective

OBJECTIVES: tuple[Objective, ...] = (predict, distil)

__all__ = ["OBJECTIVES", "Objective", "distil", "predict"]
