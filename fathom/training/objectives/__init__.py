"""What training optimises: an open set with one member today, predict."""

from fathom.training.objectives import predict
from fathom.training.objectives.contract import Objective

OBJECTIVES: tuple[Objective, ...] = (predict,)

__all__ = ["OBJECTIVES", "Objective", "predict"]
