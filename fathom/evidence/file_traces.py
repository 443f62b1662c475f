"""What files say of themselves beside what they show: their names, numbers in the names, sizes and dates."""

import re
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.cells.media import is_media

Floats = npt.NDArray[np.float64]


def words_in(values: pa.Array, classes: tuple[str, ...] = ()) -> list[str]:
    """Return what the name of each file says but for its number, and but for the name of a class: that is how people call pictures of it.

    >>> from fathom.data.cells.media import cells
    >>> words_in(cells(["cat/IMG_7-b.JPG", "dog/dog.12.png"], "photos"), ("cat", "dog"))
    ['img b jpg', 'png']
    """
    own = {word.casefold() for word in classes}
    named = [re.findall(r"[^\W\d_]+", PurePosixPath(_path(cell)).name.casefold()) for cell in values.to_pylist()]
    return [" ".join(word for word in words if word not in own) for words in named]


def numbers_in(values: pa.Array) -> Floats:
    """Return the last number in the name of each file ``(row,)``, NaN where there is none.

    >>> from fathom.data.cells.media import cells
    >>> numbers_in(cells(["cat/7-b12.jpg", "x.png"], "photos")).tolist()
    [12.0, nan]
    """
    found = [re.findall(r"\d{1,15}", PurePosixPath(_path(cell)).stem) for cell in values.to_pylist()]
    return np.array([float(numbers[-1]) if numbers else np.nan for numbers in found])


def sizes_and_dates(values: pa.Array) -> tuple[Floats, Floats]:
    """Return how many bytes each file has and when it was written last ``(row,)``; NaN where that is not to be seen, as inside an archive."""
    sizes, dates = np.full(len(values), np.nan), np.full(len(values), np.nan)
    for place, cell in enumerate(values.to_pylist()):
        if isinstance(cell, bytes):
            sizes[place] = len(cell)
        elif isinstance(cell, dict) and cell.get("path"):
            try:
                told = (Path(cell["folder"]) / cell["path"]).stat()
            except (OSError, ValueError, TypeError):
                continue
            sizes[place], dates[place] = told.st_size, told.st_mtime
    return sizes, dates


def has_files(values: pa.Array) -> bool:
    """Say whether cells stand for files, or hold their bytes."""
    return is_media(values.type) or pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type)


def _path(cell: object) -> str:
    return str(cell.get("path") or "") if isinstance(cell, dict) else ""
