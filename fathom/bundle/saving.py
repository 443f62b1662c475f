"""A model becomes the files of a bundle, and saving refuses unless all of them give the same answers."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fathom.bundle import manifest
from fathom.bundle.description import Description
from fathom.bundle.inference import Answers, Inference
from fathom.bundle.tempering import temper
from fathom.data.modalities.contract import Modality
from fathom.data.table import Table
from fathom.data.writing import cannot_write
from fathom.errors import OutputError

TOLERANCE = 1e-5  # of an answer in encoded units: standard deviations of a number, probabilities of a class
SAMPLES = 8


class ParityError(RuntimeError):
    """The saved model would not answer as the trained one does: our mistake, never the user's."""


def assemble(
    description: Description, weights: bytes, graph: bytes, samples: Sequence[Mapping[str, Any]]
) -> dict[str, bytes]:
    """Return the files of a bundle, the manifest among them."""
    name = "network.onnx" if description.kind == "network" else "baseline.onnx"
    files = {
        "model.json": description.to_bytes(),
        "weights.safetensors": weights,
        name: graph,
        "samples.json": manifest.dump(list(samples)),
    }
    return {**files, manifest.NAME: manifest.make(files)}


def prove_parity(
    files: Mapping[str, bytes],
    rows: Table,
    answerers: Mapping[str, Callable[[Table], Answers]],
    modalities: Sequence[Modality],
) -> float:
    """Return the largest difference between ONNX Runtime's answers for ``rows`` and those of each named answerer.

    Raises ParityError above ``TOLERANCE``, relative to answers larger than 1, or where the likeliest class is another.
    """
    inference = Inference.open(files, modalities)
    served = inference.answer(rows)
    largest = 0.0
    for who, answerer in answerers.items():
        for target, answer in temper(answerer(rows), inference.description.temperatures).items():
            scale = np.maximum(1.0, np.abs(answer))
            difference = float((np.abs(served[target] - answer) / scale).max(initial=0.0))
            largest = max(largest, difference)
            if not difference <= TOLERANCE or not _same_class(served[target], answer):
                raise ParityError(
                    f"The {who} and ONNX Runtime differ by {difference:.2g} in {target!r}, where {TOLERANCE:g} is allowed. "
                    "Nothing was saved. Please report this with the command that led here."
                )
    return largest


def _same_class(served: Any, answer: Any) -> bool:
    """Say whether the likeliest class is the same on every row but those where two are level within the tolerance."""
    if answer.ndim == 1 or not len(answer):
        return True
    two = np.sort(answer, axis=1)[:, -2:]
    clear = two[:, 1] - two[:, 0] > 2 * TOLERANCE
    return bool((served.argmax(axis=1) == answer.argmax(axis=1))[clear].all())


def write_folder(files: Mapping[str, bytes], folder: str | Path) -> Path:
    """Write files into a new folder, whole or not at all.

    Raises OutputError when the folder is there already and not empty, or the disk does not take it.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} is there already. Name another folder, or remove it.", file=str(folder))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise cannot_write(folder, error) from None
    try:
        for name, content in files.items():
            with (staging / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        staging.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        staging.rename(folder)
    except OSError as error:
        raise cannot_write(folder, error, sum(map(len, files.values()))) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return folder
