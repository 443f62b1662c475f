"""A bundle answers rows with NumPy and ONNX Runtime alone: the column code of training, then one graph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from fathom.bundle.description import Description
from fathom.data.encoding import encode_inputs, hand_made_features, input_parts
from fathom.data.modalities.contract import Modality
from fathom.data.table import Table
from fathom.errors import BundleError

ROWS_AT_ONCE = 16_384  # bounds the memory of a prediction whatever the table's size

Answers = dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Inference:
    """A description and the ONNX Runtime session that answers for it."""

    description: Description
    session: Any

    @classmethod
    def open(cls, files: Mapping[str, bytes], modalities: Sequence[Modality], threads: int = 0) -> "Inference":
        """Open a bundle's files, which `manifest.read` has checked; ``threads`` 0 takes every core.

        Raises BundleError when a file does not hold what it should.
        """
        description = Description.from_bytes(files["model.json"], modalities)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # what goes wrong is raised; nothing else is for the user
        name = "network.onnx" if description.kind == "network" else "baseline.onnx"
        try:
            session = onnxruntime.InferenceSession(files[name], options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises classes of its own, all of them for a graph it cannot run
            raise BundleError(
                f"{name} cannot be run by ONNX Runtime {onnxruntime.__version__}: {error}", file=name
            ) from None
        return cls(description, session)

    def answer(self, table: Table) -> Answers:
        """Answer every row: ``{target: (row,) scalars or (row, class) probabilities}``, in encoded units."""
        slices = [self._slice(table, start) for start in range(0, max(table.rows, 1), ROWS_AT_ONCE)]
        return {name: np.concatenate([answers[name] for answers in slices]) for name in slices[0]}

    def _slice(self, table: Table, start: int) -> Answers:
        piece = Table(table.arrow.slice(start, ROWS_AT_ONCE), name=table.name)
        inputs = self.inputs(piece)
        if not piece.rows:  # ONNX Runtime 1.31 divides by the number of rows in some kernels, and the process would end
            inputs = {name: np.zeros((1, *array.shape[1:]), array.dtype) for name, array in inputs.items()}
        answers = self.session.run(None, inputs)
        names = [column.name for column in self.description.targets]
        return {name: np.asarray(answer, np.float64)[: piece.rows] for name, answer in zip(names, answers, strict=True)}

    def inputs(self, table: Table) -> dict[str, npt.NDArray[np.generic]]:
        """Return what the graph reads for these rows."""
        columns = self.description.columns
        if self.description.kind == "baseline":
            return {"features": hand_made_features(columns, table).matrix}
        assert input_parts(columns)
        return dict(encode_inputs(columns, table))
