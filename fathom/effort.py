"""The one dial: quick, standard or thorough, or a number of minutes, becomes every size of a run, here and nowhere else."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from fathom.errors import OptionError, suggestion

if TYPE_CHECKING:  # the command line asks for the words of efforts before NumPy is loaded
    from fathom.shapes import Shape

Effort = Literal["quick", "standard", "thorough"]
EFFORTS: tuple[Effort, ...] = ("quick", "standard", "thorough")


def effort_named(word: str) -> Effort:
    """Return the effort that goes by a word. Raises OptionError where none does.

    >>> effort_named("quick")
    'quick'
    """
    for effort in EFFORTS:
        if word == effort:
            return effort
    raise OptionError(f"--effort is {word!r}.{suggestion(word, EFFORTS)} It can be: {', '.join(EFFORTS)}.")


@dataclass(frozen=True)
class Sizes:
    """Every size of a run.

    ``folds`` is how many fits a model is, each without one fold of the rows. ``token_width``, ``trunk_options`` and ``encoder_options`` (by the encoder's name) make the network; ``batch_rows``, ``epochs``, ``patience``, ``rises``, ``learning_rate``, ``weight_decay`` and
    ``averaging`` (decay of the running mean of the weights, a step) train it; ``resamples`` are drawn for every interval; ``importance_rows`` rows
    are shuffled ``importance_repeats`` times to see what a column is worth.
    """

    token_width: int
    trunk_options: dict[str, Any]
    batch_rows: int
    epochs: int
    patience: int
    learning_rate: float
    weight_decay: float
    averaging: float
    resamples: int
    importance_rows: int
    importance_repeats: int
    folds: int = 1
    rises: int = 0
    encoder_options: dict[str, dict[str, Any]] = field(default_factory=dict)


DEEP: frozenset["Shape"] = frozenset({"codes", "vectors", "grid"})
# Rows that training may look at in all (epochs x training rows), and the fewest and most epochs, by effort.
LOOKS = {"quick": 300_000, "standard": 800_000, "thorough": 4_000_000}
EPOCHS = {"quick": (3, 60), "standard": (4, 120), "thorough": (10, 250)}
# The most epochs of rows of flat columns alone, if there are so many: a rate that falls to zero over twice as many gains nothing (docs/log.md).
FLAT_ROWS = 1_500
FLAT_EPOCHS: dict[Effort, int] = {"quick": 30, "standard": 60, "thorough": 250}
FLAT_RISES = 5  # epochs in a row of a rising loss, after which a network of flat columns has learned its rows by heart
# Rows an epoch has at most where the table is larger than memory, by effort: each is drawn anew from all training rows.
LARGEST_EPOCH: dict[Effort, int] = {"quick": 300_000, "standard": 1_500_000, "thorough": 10_000_000}
FEW_ROWS = 10_000
# The same for rows with a picture: each is worth more looks, since every look varies it, and small batches.
GRID_LOOKS = {"quick": 150_000, "standard": 800_000, "thorough": 3_000_000}
GRID_BATCH_ROWS, GRID_LAYERS = 128, 1  # at most; one layer where no numbers stand beside the picture
# The same for rows with a text: they are learned by heart in a few passes, and read out with much left out (docs/log.md, "What reads a text").
CODES_EPOCHS = {"quick": 16, "standard": 24, "thorough": 48}  # at most
CODES_DROPOUT, CODES_LAYERS = 0.3, 1  # one layer where no numbers stand beside the text
# The same for few rows with a series or a sound: small batches for enough steps, and patience, since few rows to choose by say little.
FEW_SERIES, FEW_SERIES_BATCH = 800, 16
# Rows, test rows left out, below which a model is several fits, each without one fold of the rows, and how many, by effort.
SMALL_TABLE = 2_000
SHORTEST_FOLDED = (
    2.0  # minutes; with fewer allowed, several networks would not have the time to learn and to be exported
)
FOLDS: dict[Effort, int] = {"quick": 1, "standard": 5, "thorough": 10}
# What suits a network of a small table; tuned on seven of them, confirmed on seven others (docs/log.md).
SMALL_BINS, SMALL_LAYERS, SMALL_WIDTH = 8, 1, 64
SMALL_EPOCHS, SMALL_PATIENCE, SMALL_DECAY, SMALL_HURRY = 100, 12, 0.1, 2.0
# Checks that a fit leaves out, by effort: they fit again, or attack. `fathom check` runs them all.
CHECKS_LEFT_OUT: dict[Effort, frozenset[str]] = {
    "quick": frozenset({"scaling", "adversarial"}),
    "standard": frozenset({"adversarial"}),
    "thorough": frozenset(),
}
# What checks may take to fit models again, in times of what a model's own fit was planned to take.
REFITTING_SHARE: dict[Effort, float] = {"quick": 0.0, "standard": 0.5, "thorough": 3.0}
# Seconds, as they are reckoned (`fathom.chapters.reckoning`), that questions may ask the model for: so many at least, and in times of what the network took to train and to be judged.
EVIDENCE_FLOOR: dict[Effort, float] = {"quick": 40.0, "standard": 60.0, "thorough": 300.0}
EVIDENCE_SHARE: dict[Effort, float] = {"quick": 0.5, "standard": 1.0, "thorough": 3.0}
TRUNKS: dict[str, dict[Effort, dict[str, Any]]] = {
    "tabm": {
        "quick": {"members": 8, "layers": 2, "width": 128},
        "standard": {"members": 8, "layers": 2, "width": 192},
        "thorough": {"members": 16, "layers": 3, "width": 256},
    },
    "mlp": {
        "quick": {"layers": 2, "width": 128},
        "standard": {"layers": 2, "width": 192},
        "thorough": {"layers": 3, "width": 384},
    },
    "transformer": {
        "quick": {"layers": 2, "width": 64},
        "standard": {"layers": 3, "width": 96},
        "thorough": {"layers": 4, "width": 128},
    },
}


def batch_rows_for(rows: int) -> int:
    """Return how many rows a step sees: about a hundred steps an epoch, from 32 to 1,024 rows, a power of two.

    >>> batch_rows_for(1_000), batch_rows_for(34_000), batch_rows_for(1_000_000)
    (32, 256, 1024)
    """
    size = 32
    while size < 1_024 and size * 150 < rows:
        size *= 2
    return size


def folds_for(effort: Effort, rows: int, minutes: float | None = None) -> int:
    """Return in how many folds a table of ``rows`` rows, test rows left out, is trained on, where ``minutes`` are allowed; 1 is not at all.

    >>> folds_for("standard", 500), folds_for("standard", 5_000), folds_for("quick", 500), folds_for("standard", 500, 0.5)
    (5, 1, 1, 1)
    """
    hurried = minutes is not None and minutes < SHORTEST_FOLDED
    return FOLDS[effort] if rows < SMALL_TABLE and not hurried else 1


def sizes(
    effort: Effort,
    trunk: str,
    train_rows: int,
    layers: int | None = None,
    skip: bool | None = None,
    shapes: "frozenset[Shape] | set[Shape]" = frozenset(),
    folds: int = 1,
) -> Sizes:
    """Return the sizes for an effort, a trunk and a number of training rows; ``layers`` and ``skip`` are the user's choices, if any, ``shapes`` those of the inputs.

    Rows of a small table are in ``folds``; ``train_rows`` are then those of all folds but one.

    >>> sizes("quick", "tabm", 1_000).epochs > sizes("quick", "tabm", 100_000).epochs
    True
    >>> sizes("standard", "tabm", 5_000).epochs, sizes("standard", "tabm", 5_000, shapes={"grid"}).epochs
    (60, 120)
    >>> sizes("quick", "mlp", 1_000, layers=150).trunk_options["layers"]
    150
    """
    fewest, most = EPOCHS[effort]
    flat = not shapes & DEEP
    if flat and train_rows >= FLAT_ROWS and folds == 1:
        most = FLAT_EPOCHS[effort]
    # Few rows are learned by heart sooner; for many, leaving units out only costs accuracy (docs/log.md).
    dropout = 0.1 if train_rows < FEW_ROWS else 0.0
    told = {name: value for name, value in (("layers", layers), ("skip", skip)) if value is not None}
    epochs = max(fewest, min(most, LOOKS[effort] // max(train_rows, 1)))
    batch_rows = batch_rows_for(train_rows)
    chosen = Sizes(
        token_width=16,
        trunk_options={**TRUNKS[trunk][effort], "dropout": dropout},
        batch_rows=batch_rows,
        epochs=epochs,
        patience=max(4, epochs // 4),
        rises=FLAT_RISES if flat else 0,
        learning_rate=1e-3 if trunk == "transformer" else 4e-3,
        weight_decay=1e-2,
        averaging=_averaging(epochs, train_rows, batch_rows),
        resamples=1_000,
        importance_rows=2_000 if effort == "thorough" else 1_000,
        importance_repeats=5 if effort == "thorough" else 3,
    )
    if not flat:
        chosen = _for_deep_columns(chosen, effort, trunk, train_rows, shapes)
    chosen = replace(chosen, trunk_options={**chosen.trunk_options, **told})
    return chosen if folds == 1 else _for_few_rows(chosen, trunk, train_rows, folds, layers)


def shortened(sizes: Sizes, epochs: int, train_rows: int) -> Sizes:
    """Return the sizes with so many epochs at most, over which the rate falls.

    >>> shortened(sizes("quick", "tabm", 1_000), 8, 1_000).epochs
    8
    """
    if epochs >= sizes.epochs:
        return sizes
    averaging = _averaging(epochs, train_rows, sizes.batch_rows)
    return replace(sizes, epochs=epochs, patience=min(sizes.patience, max(4, epochs // 4)), averaging=averaging)


def _for_deep_columns(
    chosen: Sizes, effort: Effort, trunk: str, train_rows: int, shapes: "frozenset[Shape] | set[Shape]"
) -> Sizes:
    """Return the sizes where a column is of a deep shape: what suits pictures, texts, or few series (docs/log.md)."""
    epochs, batch_rows, patience = chosen.epochs, chosen.batch_rows, chosen.patience
    fewest, most = EPOCHS[effort]
    reading: dict[str, Any] = {}
    if "grid" in shapes:
        epochs = max(fewest, min(most, GRID_LOOKS[effort] // max(train_rows, 1)))
        batch_rows, patience = min(batch_rows, GRID_BATCH_ROWS), max(4, epochs // 2)
        rate = chosen.learning_rate if trunk == "transformer" else 3e-3
        chosen = replace(chosen, learning_rate=rate, weight_decay=5e-2)
        reading = {} if "scalar" in shapes else {"layers": GRID_LAYERS}
    elif "codes" in shapes:
        epochs = max(fewest, min(epochs, CODES_EPOCHS[effort]))
        patience = max(4, epochs // 4)
        reading = {"dropout": CODES_DROPOUT} | ({} if "scalar" in shapes else {"layers": CODES_LAYERS})
    if "vectors" in shapes and train_rows < FEW_SERIES:
        batch_rows, patience = min(batch_rows, FEW_SERIES_BATCH), max(4, epochs // 2)
    return replace(
        chosen,
        trunk_options={**chosen.trunk_options, **reading},
        epochs=epochs,
        batch_rows=batch_rows,
        patience=patience,
        averaging=_averaging(epochs, train_rows, batch_rows),
    )


def _for_few_rows(chosen: Sizes, trunk: str, train_rows: int, folds: int, layers: int | None) -> Sizes:
    """Return the sizes for a small table: fewer bins, one narrower layer, stronger decay, and larger steps (docs/log.md)."""
    epochs = min(chosen.epochs, SMALL_EPOCHS)
    batch_rows = max(size for size in (16, 32, 64) if size == 16 or 4 * size <= train_rows)  # four steps an epoch
    perceptron = {} if trunk == "transformer" or layers is not None else {"layers": SMALL_LAYERS}
    width = min(chosen.trunk_options["width"], SMALL_WIDTH)
    return replace(
        chosen,
        folds=folds,
        trunk_options={**chosen.trunk_options, **perceptron, "width": width},
        encoder_options={"piecewise": {"most_bins": SMALL_BINS}},
        batch_rows=batch_rows,
        epochs=epochs,
        patience=SMALL_PATIENCE,
        learning_rate=chosen.learning_rate * SMALL_HURRY,
        weight_decay=SMALL_DECAY,
        averaging=_averaging(epochs, train_rows, batch_rows),
    )


def _averaging(epochs: int, train_rows: int, batch_rows: int) -> float:
    """Return the decay of the running mean of the weights, which then spans about a twentieth of all steps."""
    steps = epochs * max(1, train_rows // batch_rows)
    return min(0.998, 1 - 20 / (steps + 20))
