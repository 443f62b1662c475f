"""Every choice that a fit can be told, with its default; the same names on the command line, in Python and in the report."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from numbers import Integral, Real
from typing import Any, Literal, get_args, get_origin, get_type_hints

from fathom.effort import EFFORTS, TRUNKS, Effort
from fathom.errors import OptionError, suggestion

Keep = Literal["network", "baseline"]


@dataclass(frozen=True)
class Settings:
    """Everything that may be chosen. ``None`` means: let Fathom choose.

    ``group`` names the column whose equal values stay in one part, ``time`` the column whose latest rows become the test rows, ``weight`` the column
    that says how much each row counts in training (0 or more; scores count every row alike); ``columns`` says what a
    column is (``number``, ``category``, …, or ``skip``); ``series`` names the column whose equal values make many rows one series, and that of the time (``"machine,hour"``); ``metric`` judges (`fathom.scoring.METRICS`); ``effort`` and ``minutes`` say how much work is put in,
    ``minutes`` as a hard limit for the whole fit; ``trunk`` and ``encoder`` choose the network, ``layers`` how many hidden layers its trunk has (none makes ``mlp`` a perceptron) and
    ``skip`` whether each adds to a normalised copy of what came before, which lets hundreds of them learn (more than eight do unless told otherwise); ``pretrained`` gives a kind or a column a reader that was taught elsewhere, a folder or a name (`fathom.data.pretrained`), which stays as it
    is unless ``fine_tune``; ``augment`` varies what is learned from (``"auto"``, ``"off"``, or ``"flip=1,shift=0.1"``); ``adversarial`` pushes numbers and pixels while the network learns, so that small pushes hurt less (``"off"``, ``"auto"``, or ``"number=0.1,image=4"``: standard deviations, and steps of 255); ``class_weights`` makes rare classes count as much as
    frequent ones; ``keep`` ships the network or the best baseline whatever the verdict; ``bad_rows`` says what happens to rows that cannot be used;
    ``delimiter``, ``encoding`` and ``header`` say how text files are written, where that is recognised wrongly; ``threads`` is how many cores arithmetic may take;
    ``memory`` is how many GB of it the fit may take, on which it hangs whether a table is read whole; ``checkpoint_seconds`` lie between two checkpoints, which is the most work that a fit can lose;
    ``log`` writes what training measures into the run folder too, for TensorBoard; ``allow_leakage`` goes on where a column gives the target away; ``protect`` names columns, with
    commas between, whose groups are compared for fairness; ``requests_per_day`` is how many answers a year's cost is reckoned for; ``effect`` names a column whose effect on the target is estimated, ``confounders`` those, with commas between, that may
    cause both (all other inputs unless told otherwise); ``goal`` is a score for which the rows that it takes are reckoned.
    """

    group: str | None = None
    time: str | None = None
    weight: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    series: str | None = None
    metric: str | None = None
    effort: Effort = "standard"
    minutes: float | None = None
    trunk: str = "tabm"
    layers: int | None = None
    skip: bool | None = None
    encoder: Mapping[str, str] = field(default_factory=dict)
    pretrained: Mapping[str, str] = field(default_factory=dict)
    fine_tune: bool = False
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float | None = None
    epochs: int | None = None
    batch_rows: int | None = None
    augment: str = "auto"
    adversarial: str = "off"
    class_weights: bool = False
    keep: Keep | None = None
    bad_rows: Literal["error", "skip"] = "error"
    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None
    seed: int = 0
    threads: int | None = None
    memory: float | None = None
    checkpoint_seconds: float = 30.0
    log: Literal["tensorboard"] | None = None
    allow_leakage: bool = False
    protect: str | None = None
    requests_per_day: float = 10_000.0
    effect: str | None = None
    confounders: str | None = None
    goal: float | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Settings":
        """Make settings from values by name and check them. Raises OptionError for a name or a value that cannot be."""
        for name, value in values.items():
            check_setting(name, value)
        settings = replace(cls(), **values)
        if settings.layers is not None and settings.layers < (fewest := 0 if settings.trunk == "mlp" else 1):
            raise OptionError(
                f"--layers is {settings.layers}, and must be at least {fewest} for --trunk {settings.trunk}; --trunk mlp --layers 0 is a perceptron, without a hidden layer."
            )
        if settings.skip is not None and settings.trunk == "transformer":
            raise OptionError(
                "--skip and --no-skip are for the trunks tabm and mlp; a transformer always has them. Leave them out, or choose --trunk mlp."
            )
        if settings.skip is not None and settings.layers == 0:
            raise OptionError(
                "--skip and --no-skip say how layers follow each other, and with --layers 0 there are none. Leave them out."
            )
        if settings.fine_tune and not settings.pretrained:
            raise OptionError(
                "--fine-tune goes on teaching what --pretrained names, and it names nothing. Give both, or neither."
            )
        if both := sorted(set(settings.encoder) & set(settings.pretrained)):
            raise OptionError(f"--encoder and --pretrained both say what reads {both[0]!r}. Leave one of them out.")
        if settings.group is not None and settings.time is not None:
            raise OptionError("--group and --time each part the rows their own way. Choose one of them.")
        if settings.weight is not None and settings.weight in (settings.group, settings.time):
            raise OptionError(
                f"Column {settings.weight!r} cannot both weigh and part the rows. Name another for --weight."
            )
        return settings

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON-able values."""
        return asdict(self)


NAMED_BESIDE = ("target", "test", "out")  # of a fit, and no settings of it
WORDS: dict[str, tuple[str, ...]] = {
    "effort": EFFORTS,
    "trunk": tuple(TRUNKS),
    "optimizer": ("adamw", "sgd"),
    "bad_rows": ("error", "skip"),
    "log": ("tensorboard",),
    "keep": get_args(Keep),
}
MORE_THAN_NOTHING = (
    "minutes",
    "learning_rate",
    "epochs",
    "batch_rows",
    "threads",
    "memory",
    "checkpoint_seconds",
    "requests_per_day",
)


def check_setting(name: str, value: Any) -> None:
    """Raise OptionError where there is no such setting, or where it cannot have the value, whatever the others are.

    >>> check_setting("epochs", 3)
    """
    known = [entry.name for entry in fields(Settings)]
    if name in NAMED_BESIDE:
        raise OptionError(
            f"{name!r} is no setting: which table is read, what is predicted and where the run goes is said anew for each fit. "
            f"Name it on the command line with --{name}, or in Python as fit(..., {name}=...)."
        )
    if name not in known:
        raise OptionError(f"There is no setting {name!r}.{suggestion(name, known)} There are: {', '.join(known)}.")
    _check_kind(name, value, get_type_hints(Settings)[name])
    if value is None:
        return
    if name in WORDS and value not in WORDS[name]:
        known = list(WORDS[name])
        raise OptionError(f"{_flag(name)} is {value!r}.{suggestion(value, known)} It can be: {', '.join(known)}.")
    if name in MORE_THAN_NOTHING and not value > 0:
        raise OptionError(f"{_flag(name)} is {value}, and must be more than 0.")
    if name == "seed" and not 0 <= value < 2**63:
        raise OptionError(f"--seed is {value}, and must be from 0 to 2**63 - 1.")


def names_in(value: str | None) -> tuple[str, ...]:
    """Return the names in a text, which stand with commas between.

    >>> names_in("sex, race"), names_in(None)
    (('sex', 'race'), ())
    """
    return tuple(name.strip() for name in (value or "").split(",") if name.strip())


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _check_kind(name: str, value: object, hint: Any) -> None:
    """Raise OptionError for a value of another kind than the field's; which words there are is asked later."""
    allowed = get_args(hint) or (hint,)
    if value is None and type(None) in allowed:
        return
    if get_origin(hint) is Mapping:
        fits = isinstance(value, Mapping) and all(isinstance(word, str) for pair in value.items() for word in pair)
        wanted = 'names with a word each, for example {"zip": "category"}'
    elif bool in allowed:
        fits, wanted = isinstance(value, bool), "true or false"
    elif int in allowed:
        fits, wanted = isinstance(value, Integral) and not isinstance(value, bool), "a whole number"
    elif float in allowed:
        fits, wanted = isinstance(value, Real) and not isinstance(value, bool), "a number"
    else:
        fits, wanted = isinstance(value, str), "a word"
    if not fits:
        raise OptionError(f"{_flag(name)} is {value!r}, where {wanted} is expected.")
