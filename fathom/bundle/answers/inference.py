"""A bundle answers rows with NumPy and ONNX Runtime alone: the column code of training, then one graph."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from fathom.bundle.answers.tempering import temper, tempered_row
from fathom.bundle.description import Description
from fathom.data.encoding import encode_inputs, hand_made_features, input_parts, target_classes
from fathom.data.modalities.contract import Modality
from fathom.data.table import Table
from fathom.errors import BundleError
from fathom.shapes import Arrays, arrays_of, margins_of, outputs_of, row_size

# Both bound the memory of a prediction whatever the table's size: rows that are encoded together, and rows that go through the
# graph together, few enough for what lies between its nodes to stay in the processor's cache (`make bench-scale`).
ROWS_AT_ONCE = 16_384
ROWS_A_RUN = 512
LARGE_GRAPH = 8_000_000  # bytes, beyond which fewer rows go through together: its layers are wide, and what lies between them is many times what it reads
NUMBERS_A_RUN = 1 << 18  # that a run reads at most, unless one row has more: deep columns are large

Answers = dict[str, npt.NDArray[np.float64]]


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Inference:
    """A description and the ONNX Runtime session that answers for it, of a graph of ``graph_bytes``, on ``threads`` pieces of a table at a time.

    ``told`` are the names under which answers hold the graph's outputs; ``run_rows`` go through it together; 0 is as many as suit the graph.
    """

    description: Description
    session: Any
    told: tuple[str, ...]
    threads: int = 1
    graph_bytes: int = 0
    run_rows: int = 0

    @classmethod
    def open(cls, files: Mapping[str, bytes], modalities: Sequence[Modality], threads: int = 0) -> "Inference":
        """Open a bundle's files, which `manifest.read` has checked; ``threads`` 0 takes every core.

        Raises BundleError when a file does not hold what it should.
        """
        description = Description.from_bytes(files["model.json"], modalities)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = (
            1  # cores share out rows, which costs less than sharing out every node of the graph
        )
        options.log_severity_level = 4  # what goes wrong is raised; nothing else is for the user
        name = "network.onnx" if description.kind == "network" else "baseline.onnx"
        if name not in files:
            raise BundleError(
                f"model.json says that a {description.kind} answers, and there is no {name}. Fit again.", file=name
            )
        try:
            session = onnxruntime.InferenceSession(files[name], options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises classes of its own, all of them for a graph it cannot run
            raise BundleError(
                f"{name} cannot be run by ONNX Runtime {onnxruntime.__version__}: {error}", file=name
            ) from None
        told = _told(description, session, name)
        return cls(description, session, told, threads or cores(), len(files[name]))

    def answer(self, table: Table) -> Answers:
        """Answer every row: ``{target: (row,) scalars or (row, class) probabilities}``, in encoded units."""
        told = self.tell(table)
        return {name: told[name] for name in self._targets}

    def tell(self, table: Table) -> Answers:
        """Answer every row as `answer` does, and tell beside it how sure the network is, where it says so, under the names of `fathom.shapes.outputs_of`."""
        run = self.rows_a_run
        size = min(ROWS_AT_ONCE * run // ROWS_A_RUN, max(run, -(-table.rows // self.threads)))
        pieces = [table]  # as it is, where it is answered at once: it may remember what its columns were made into
        if table.rows > size:
            starts = range(0, table.rows, size)
            pieces = [Table(table.arrow.slice(start, size), name=table.name) for start in starts]
        if len(pieces) == 1 or self.threads == 1:
            answers = [self._piece(piece) for piece in pieces]
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                answers = list(pool.map(self._piece, pieces))
        return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}

    @cached_property
    def rows_a_run(self) -> int:
        """How many rows go through the graph together: fewer, the more numbers a row has and the larger the graph is."""
        if self.run_rows or self.description.kind == "baseline":
            return self.run_rows or ROWS_A_RUN
        sizes = (prod(row_size(parts)) for parts in arrays_of(input_parts(self.description.columns)).values())
        most = ROWS_A_RUN * LARGE_GRAPH // max(self.graph_bytes, LARGE_GRAPH)
        return max(1, min(most, NUMBERS_A_RUN // sum(sizes)))

    def _piece(self, piece: Table) -> Answers:
        inputs = self.inputs(piece)
        if not piece.rows:  # ONNX Runtime 1.31 divides by the number of rows in some kernels, and the process would end
            inputs = {name: np.zeros((1, *array.shape[1:]), array.dtype) for name, array in inputs.items()}
        return {name: answer[: piece.rows] for name, answer in self.run(inputs).items()}

    def run(self, inputs: Arrays) -> Answers:
        """Answer rows that are encoded, one or more of them: what `inputs` returns, or `fathom.bundle.answers.quick`."""
        size = self.rows_a_run
        count = len(next(iter(inputs.values())))
        if count <= size:
            found = self.session.run(None, inputs)
        else:
            runs = [
                self.session.run(None, {name: array[start : start + size] for name, array in inputs.items()})
                for start in range(0, count, size)
            ]
            found = [np.concatenate(pieces) for pieces in zip(*runs, strict=True)]
        answers = {name: answer.astype(np.float64) for name, answer in zip(self.told, found, strict=True)}
        return temper(answers, self.description.temperatures) if self.description.temperatures else answers

    def run_one(self, inputs: Arrays) -> dict[str, Any]:
        """Answer one row that is encoded with plain Python numbers, a list of them where there are classes; they are those of `run`, and for one row NumPy's calls cost more than what they compute."""
        found = self.session.run(self._outputs, inputs)
        answers = {name: answer[0].tolist() for name, answer in zip(self.told, found, strict=True)}
        for name, temperature in self.description.temperatures.items():
            answers[name] = tempered_row(answers[name], temperature)
        return answers

    @cached_property
    def _outputs(self) -> list[str]:
        return [output.name for output in self.session.get_outputs()]

    @cached_property
    def _targets(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.description.targets)

    def inputs(self, table: Table) -> dict[str, npt.NDArray[np.generic]]:
        """Return what the graph reads for these rows."""
        columns = self.description.columns
        if self.description.kind == "baseline":
            return {"features": hand_made_features(columns, table).matrix}
        assert input_parts(columns)
        return dict(encode_inputs(columns, table))


def _told(description: Description, session: Any, name: str) -> tuple[str, ...]:
    """Return the names of what a graph tells, in its order. Raise BundleError unless it reads the arrays that the columns make, and answers each target in its shape."""
    arrays = arrays_of(input_parts(description.columns))
    network = description.kind == "network"
    expected = {array: row_size(parts) for array, parts in arrays.items()} if network else {"features": (None,)}
    found = {each.name: tuple(each.shape[1:]) for each in session.get_inputs()}
    fits = set(found) == set(expected) and all(
        len(found[each]) == len(size)
        and all(
            not isinstance(own, int) or wanted is None or own == wanted
            for own, wanted in zip(found[each], size, strict=True)
        )
        for each, size in expected.items()
    )
    answers = {each.name: tuple(each.shape[1:]) for each in session.get_outputs()}
    names = outputs_of([target.name for target in description.targets])
    sizes: dict[str, tuple[int, ...]] = {}
    for number, target in enumerate(description.targets):
        classes = target_classes(target)
        sizes |= {f"answer_{number}": (classes,) if classes else (), f"spread_{number}": ()}
        sizes |= {} if classes else {f"margins_{number}": (2,)}
    needed = [output for output in names if output.startswith("answer_")]
    in_order = [output for output in names if output in answers]
    needed += [output for output, told in names.items() if told in {margins_of(name) for name in description.factors}]
    fits &= in_order == list(answers) and set(needed) <= set(in_order)
    if not fits or any(size != sizes.get(output) for output, size in answers.items()):
        raise BundleError(
            f"{name} reads {found} and answers in the sizes {answers}, where model.json has {expected} and {sizes}. Copy the bundle again, whole.",
            file=name,
        )
    return tuple(names[output] for output in in_order)
