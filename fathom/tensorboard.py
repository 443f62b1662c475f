"""What training measures, written for TensorBoard: one scalar each, an epoch after the other.

The files are those of TensorBoard's own writer (https://www.tensorflow.org/tensorboard, Apache-2.0), with neither TensorFlow nor torch. Look at them with
``tensorboard --logdir RUN/tensorboard``, or, while the fit still runs, in the folder beside RUN that it is made in.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fathom.data.files.writing import cannot_write
from fathom.errors import require

FOLDER = "tensorboard"  # in the run folder


class Scalars:
    """A `fathom.progress.Progress` that writes what is measured, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.writer = require("tensorboard.summary.writer.event_file_writer", "tensorboard").EventFileWriter(
            str(folder)
        )

    def begin(self, stage: str, total: int | None = None) -> None:
        """Do nothing."""

    def advance(self, done: int, note: str = "") -> None:
        """Do nothing."""

    def measure(self, step: int, values: Mapping[str, float]) -> None:
        """Write the values as scalars of this step."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        scalars = Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in values.items()])
        self.writer.add_event(Event(wall_time=time.time(), step=step, summary=scalars))

    def end(self, note: str = "") -> None:
        """Have on the disk what the stage measured."""
        self.writer.flush()

    def say(self, sentence: str) -> None:
        """Do nothing."""


@contextmanager
def scalars(folder: Path) -> Iterator[Scalars]:
    """Write scalars into a folder until the work is over. Raises ExtraError without TensorBoard, OutputError when the disk does not take them."""
    try:
        log = Scalars(folder)
    except OSError as error:
        raise cannot_write(folder, error) from None
    try:
        yield log
    finally:
        log.writer.close()
