"""How the body of a reader that stays as it is reads rows: by torch, or, where they are many and of one size, by ONNX Runtime in a third of the time.

Convolutions of few numbers each, of which such bodies are made, are bound by memory: ONNX Runtime takes a convolution, its normalisation and its bend as one, torch each for itself (docs/log.md). Rows go through a few at a time,
so that what lies between two layers stays in the processor's cache, and always as many, so that their bits hang on no number of cores.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.chapters.remembering import Made, Readings

FEWEST_EXPORTED = 2_000  # rows; to export a body takes some seconds
MOST_AT_ONCE = 64  # rows

Rows = npt.NDArray[Any]


def reading(
    reader: Any, readings: Readings, rows: Rows, wanted: int, advance: Callable[[int], None]
) -> Callable[[Rows], Made]:
    """Return what maps rows like ``rows (row, …)`` to what the body makes of them ``(row, width)``, zero for a row of nothing; ``wanted`` are to be read, and ``advance`` hears how many more were."""
    from fathom.training.loop import rows_at_once

    at_once = min(MOST_AT_ONCE, rows_at_once(reader.body.numbers_of(rows.shape[1:])))
    body = f"{reader.fingerprint} {rows.shape[1:]}"
    if rows.ndim == 4 and wanted >= FEWEST_EXPORTED and body not in readings.graphs:
        readings.graphs[body] = _exported(reader.body, rows[:1])
    if body in readings.graphs:
        return lambda some: _by_graph(readings.graphs[body], some, at_once, advance)
    return lambda some: _by_torch(reader, some, at_once, advance)


def _exported(body: Any, row: Rows) -> Any:
    """Return the session of a body, for rows like that of ``row (1, …)``."""
    import onnxruntime
    import torch

    from fathom.bundle.graph.exporting import body_onnx

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # cores share out rows
    options.log_severity_level = 4  # what goes wrong is raised
    example = torch.zeros(3, *row.shape[1:], dtype=torch.from_numpy(row).dtype)
    return onnxruntime.InferenceSession(body_onnx(body, example), options, providers=["CPUExecutionProvider"])


def _by_graph(session: Any, rows: Rows, at_once: int, advance: Callable[[int], None]) -> Made:
    import torch

    pieces = [rows[start : start + at_once] for start in range(0, len(rows), at_once)]

    def made(piece: Rows) -> Made:
        some: Made = session.run(None, {"rows": piece})[0]
        some[~piece.any(axis=tuple(range(1, piece.ndim)))] = 0.0
        return some

    def told(found: Iterator[Made]) -> Iterator[Made]:
        for piece in found:
            yield piece
            advance(len(piece))

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return np.concatenate([*told(pool.map(made, pieces))])


def _by_torch(reader: Any, rows: Rows, at_once: int, advance: Callable[[int], None]) -> Made:
    import torch

    from fathom.networks.encoders.pretrained import read_once

    found: Made = read_once(reader, torch.from_numpy(rows), at_once, advance)[:, 0].numpy()
    return found


__all__ = ["reading"]
