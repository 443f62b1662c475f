"""A model becomes the files of a bundle, and saving refuses unless all of them give the same answers."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fathom.bundle import manifest, packing
from fathom.bundle.answers.inference import Answers, Inference
from fathom.bundle.answers.tempering import temper
from fathom.bundle.description import Description
from fathom.bundle.guard.strict_json import dump
from fathom.data.files.writing import cannot_write, sync_folder
from fathom.data.modalities.contract import Modality
from fathom.data.table import Table
from fathom.errors import OutputError

TOLERANCE = 1e-5  # of an answer in encoded units: standard deviations of a number, probabilities of a class
TOLERANCE_BESIDE = 1e-3  # of how far an answer may be off and how far members are apart, read from hundreds of numbers that differ by little: nothing hangs on their last digits
SAMPLES = 8


class ParityError(RuntimeError):
    """The saved model would not answer as the trained one does: our mistake, never the user's."""


def assemble(
    description: Description,
    weights: bytes | None,
    graph: bytes,
    samples: Sequence[Mapping[str, Any]],
    more: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """Return the files of a bundle, the manifest among them; ``more`` are files of `manifest.OPTIONAL`, ``weights`` may be ``None``."""
    name = "network.onnx" if description.kind == "network" else "baseline.onnx"
    files = {
        "model.json": description.to_bytes(),
        name: graph,
        "samples.json": dump(list(samples)),
        **({} if weights is None else {manifest.WEIGHTS: weights}),
        **(more or {}),
    }
    return {**files, manifest.NAME: manifest.make(files)}


def prove_parity(
    files: Mapping[str, bytes],
    rows: Table,
    answerers: Mapping[str, Callable[[Table], Answers]],
    modalities: Sequence[Modality],
) -> float:
    """Return the largest difference between ONNX Runtime's answers for ``rows`` and those of each named answerer.

    Raises ParityError above ``TOLERANCE``, relative to answers larger than 1, or where the likeliest class is another; and above ``TOLERANCE_BESIDE`` for what is told beside answers.
    """
    inference = Inference.open(files, modalities)
    served = inference.tell(rows)
    targets = {column.name for column in inference.description.targets}
    largest = 0.0
    for who, answerer in answerers.items():
        told = temper(answerer(rows), inference.description.temperatures)
        for name in served:
            scale = np.maximum(1.0, np.abs(told[name]))
            difference = float((np.abs(served[name] - told[name]) / scale).max(initial=0.0))
            answered = name in targets
            allowed = TOLERANCE if answered else TOLERANCE_BESIDE
            if answered:
                largest = max(largest, difference)
            if not difference <= allowed or (answered and not _same_class(served[name], told[name])):
                raise ParityError(
                    f"The {who} and ONNX Runtime differ by {difference:.2g} in {name!r}, where {allowed:g} is allowed. "
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


def write_file(path: Path, content: bytes) -> None:
    """Write a new file to the disk, which only its owner may change whatever the umask says. Raises OSError, of which FileExistsError is one."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def save(files: Mapping[str, bytes], path: str | Path) -> Path:
    """Write a bundle as a new folder, or, where the path ends in ``.fathom``, as one file; whole or not at all.

    Raises OutputError when something is there already, or the disk does not take it.
    """
    path = Path(path)
    if path.suffix != packing.ENDING:
        return write_folder(files, path)
    content = packing.packed(files)
    if path.exists():
        raise OutputError(f"{path} is there already. Name another file, or remove it.", file=str(path))
    staging = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_file(staging, content)
            os.link(staging, path)  # unlike renaming, it never takes the place of what another has just written
        finally:
            staging.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error, len(content)) from None
    return path


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
            write_file(staging / name, content)
        staging.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        staging.rename(folder)
    except OSError as error:
        raise cannot_write(folder, error, sum(map(len, files.values()))) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return folder
