"""What a cell falls into when it is asked which part of it mattered: words, patches, stretches, and the cell without some of them."""

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Gone = npt.NDArray[np.bool_]  # (cell, piece): whether the piece is left out
Bytes = npt.NDArray[np.uint8]

MOST_WORDS, MOST_STRETCHES, PATCHES = (
    48,
    24,
    7,
)  # pieces of a text, of a series or a recording, and along each side of a picture
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]{1,2}|[^\s\u3040-\u30ff\u3400-\u9fff]{1,24}")


@dataclass(frozen=True)
class Piece:
    """A part of a cell: what it is called, and where it is.

    ``place`` is first and last character of a text (the last one not in it), top, left, bottom and right of a picture as shares of its sides, or start and end of
    a series or a recording as shares of its steps.
    """

    name: str
    place: tuple[float, ...]


def words(text: str, most: int = MOST_WORDS) -> tuple[Piece, ...]:
    """Return the words of a text, where they are more than ``most`` so many neighbours together; a script without blanks falls into two characters each.

    >>> [(piece.name, piece.place) for piece in words("a fine day")]
    [('a', (0, 1)), ('fine', (2, 6)), ('day', (7, 10))]
    >>> [piece.name for piece in words("one two three four five", most=2)]
    ['one two three', 'four five']
    """
    found = [match.span() for match in WORD.finditer(text)]
    together = -(-len(found) // most) if found else 1
    groups = [found[start : start + together] for start in range(0, len(found), together)]
    return tuple(Piece(text[group[0][0] : group[-1][1]], (group[0][0], group[-1][1])) for group in groups)


def without_words(text: str, pieces: tuple[Piece, ...], gone: Gone) -> list[str | None]:
    """Return the text without the words that are gone, a row of ``gone`` after the other; ``None`` where nothing is left.

    >>> without_words("a fine day", words("a fine day"), np.array([[False, True, False], [True, True, True]]))
    ['a day', None]
    """
    starts = [0.0, *(piece.place[1] for piece in pieces)]
    glued = [
        " " * bool(text[int(end) : int(piece.place[0])]) + piece.name
        for end, piece in zip(starts, pieces, strict=False)
    ]
    return ["".join(word for word, out in zip(glued, row, strict=True) if not out).strip() or None for row in gone]


def patches(height: int, width: int, sides: int = PATCHES) -> tuple[Piece, ...]:
    """Return the patches of a picture of so many pixels, ``sides`` by ``sides``, row by row, each with its row and its place in it; fewer where it has fewer pixels.

    >>> [piece.name for piece in patches(4, 4, 2)], patches(4, 4, 2)[1].place
    (['top left (1, 1)', 'top right (1, 2)', 'bottom left (2, 1)', 'bottom right (2, 2)'], (0.0, 0.5, 0.5, 1.0))
    """
    rows, columns = min(sides, height), min(sides, width)
    return tuple(
        Piece(
            f"{_where((row + 0.5) / rows, (column + 0.5) / columns)} ({row + 1}, {column + 1})",
            (row / rows, column / columns, (row + 1) / rows, (column + 1) / columns),
        )
        for row in range(rows)
        for column in range(columns)
    )


def _where(down: float, across: float) -> str:
    high = "top" if down < 0.4 else "bottom" if down > 0.6 else ""
    side = "left" if across < 0.4 else "right" if across > 0.6 else ""
    return " ".join(filter(None, (high, side))) or "middle"


def without_patches(grid: Bytes, pieces: tuple[Piece, ...], gone: Gone) -> Bytes:
    """Return the picture ``(channel, height, width)`` once for each row of ``gone``, the patches that are gone painted in its median colour.

    Pixels where nothing is stay so.

    >>> grid = np.array([[[9, 9], [9, 5]]], np.uint8)
    >>> without_patches(grid, patches(2, 2, 2), np.array([[False, False, False, True]]))[0, 0].tolist()
    [[9, 9], [9, 9]]
    """
    height, width = grid.shape[1:]
    there = (grid > 0).any(axis=0)
    colour = np.median(grid[:, there], axis=1) if there.any() else np.zeros(len(grid))
    owner = np.zeros((height, width), np.int64)
    for number, piece in enumerate(pieces):
        top, left, bottom, right = piece.place
        owner[round(top * height) : round(bottom * height), round(left * width) : round(right * width)] = number
    painted = gone[:, owner] & there  # (cell, height, width)
    whole = np.where(painted[:, None], np.maximum(np.round(colour), 1)[None, :, None, None], grid[None])
    return np.asarray(whole, np.uint8)


def stretches(steps: int, most: int = MOST_STRETCHES) -> tuple[Piece, ...]:
    """Return the stretches of a row of so many steps, each as long as the other to a step.

    >>> [(piece.name, piece.place) for piece in stretches(4, 2)]
    [('steps 1 to 2', (0.0, 0.5)), ('steps 3 to 4', (0.5, 1.0))]
    """
    count = max(1, min(most, steps))
    bounds = [round(steps * number / count) for number in range(count + 1)]
    return tuple(
        Piece(
            f"steps {start + 1:,} to {end:,}" if end - start > 1 else f"step {end:,}",
            (start / max(steps, 1), end / max(steps, 1)),
        )
        for start, end in pairwise(bounds)
    )


def gone_steps(steps: int, pieces: tuple[Piece, ...], gone: Gone) -> Gone:
    """Return which steps are gone ``(cell, step)``.

    >>> gone_steps(4, stretches(4, 2), np.array([[True, False]])).tolist()
    [[True, True, False, False]]
    """
    owner = np.zeros(steps, np.int64)
    for number, piece in enumerate(pieces):
        owner[round(piece.place[0] * steps) : round(piece.place[1] * steps)] = number
    return np.asarray(gone[:, owner])


def without_steps(steps: Bytes, pieces: tuple[Piece, ...], gone: Gone) -> list[Bytes]:
    """Return steps ``(step, byte)`` once for each row of ``gone``, those that are gone put to the mean of all steps."""
    lost = gone_steps(len(steps), pieces, gone)
    mean = np.round(steps.mean(axis=0)) if len(steps) else np.zeros(steps.shape[1])
    return list(np.where(lost[:, :, None], mean[None, None], steps[None]).astype(np.uint8))


__all__ = [
    "Gone",
    "Piece",
    "gone_steps",
    "patches",
    "stretches",
    "without_patches",
    "without_steps",
    "without_words",
    "words",
]
