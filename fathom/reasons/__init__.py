"""Why a model answers a row as it does: methods that take pieces of the row away, an open set, one file a method; NumPy and ONNX Runtime alone."""

from fathom.reasons import lime, occlusion, shapley
from fathom.reasons.contract import Method

METHODS: tuple[Method, ...] = (shapley, lime, occlusion)

__all__ = ["METHODS", "Method"]
