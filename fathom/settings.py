"""Every choice that a fit can be told, with its default; the same names on the command line, in Python and in the report."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args

from fathom.effort import EFFORTS, TRUNKS, Effort
from fathom.errors import OptionError, suggestion

Keep = Literal["network", "baseline"]


@dataclass(frozen=True)
class Settings:
    """Everything that may be chosen. ``None`` means: let Fathom choose.

    ``group`` names the column whose equal values stay in one part, ``time`` the column whose latest rows become the test rows; ``columns`` says what a
    column is (``number``, ``category``, …, or ``skip``); ``metric`` judges (`fathom.scoring.METRICS`); ``effort`` and ``minutes`` say how much work is put in,
    ``minutes`` as a hard limit for the whole fit; ``trunk`` and ``encoder`` choose the network; ``class_weights`` makes rare classes count as much as
    frequent ones; ``keep`` ships the network or the best baseline whatever the verdict; ``bad_rows`` says what happens to rows that cannot be used;
    ``delimiter``, ``encoding`` and ``header`` say how text files are written, where that is recognised wrongly; ``threads`` is how many cores arithmetic may take.
    """

    group: str | None = None
    time: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    metric: str | None = None
    effort: Effort = "standard"
    minutes: float | None = None
    trunk: str = "tabm"
    encoder: Mapping[str, str] = field(default_factory=dict)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float | None = None
    epochs: int | None = None
    batch_rows: int | None = None
    class_weights: bool = False
    keep: Keep | None = None
    bad_rows: Literal["error", "skip"] = "error"
    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None
    seed: int = 0
    threads: int | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Settings":
        """Make settings from values by name and check them. Raises OptionError for a name or a value that cannot be."""
        known = [entry.name for entry in fields(cls)]
        for name in values:
            if name not in known:
                raise OptionError(
                    f"There is no setting {name!r}.{suggestion(name, known)} There are: {', '.join(known)}."
                )
        settings = replace(cls(), **values)
        _one_of("effort", settings.effort, EFFORTS)
        _one_of("trunk", settings.trunk, tuple(TRUNKS))
        _one_of("optimizer", settings.optimizer, ("adamw", "sgd"))
        _one_of("bad_rows", settings.bad_rows, ("error", "skip"))
        if settings.keep is not None:
            _one_of("keep", settings.keep, get_args(Keep))
        for name in ("minutes", "learning_rate", "epochs", "batch_rows", "threads"):
            value = getattr(settings, name)
            if value is not None and not value > 0:
                raise OptionError(f"{_flag(name)} is {value}, and must be more than 0.")
        if settings.group is not None and settings.time is not None:
            raise OptionError("--group and --time each part the rows their own way. Choose one of them.")
        if not 0 <= settings.seed < 2**63:
            raise OptionError(f"--seed is {settings.seed}, and must be from 0 to 2**63 - 1.")
        return settings

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON-able values."""
        return asdict(self)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise OptionError(f"{_flag(name)} is {value!r}.{suggestion(str(value), known)} It can be: {', '.join(known)}.")
