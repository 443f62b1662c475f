"""The closed tables in which the words of `model.json` are looked up: what they name is there, or the bundle is refused.

A bundle is read where there is no torch, so the names of networks stand here once more; ``tests/bundle/test_schema.py`` keeps them equal to the modules that bear them.
"""

from typing import get_args

from fathom.bundle.guard import schema
from fathom.bundle.guard.schema import Check
from fathom.data.cells import calendars
from fathom.data.encoding import ColumnRole
from fathom.shapes import Shape

ROLES = get_args(ColumnRole)
SHAPES = get_args(Shape)
TRUNKS = ("tabm", "mlp", "transformer")
ENCODERS = (
    "piecewise", "periodic", "embedding", "bag", "tcn", "resnet", "vgg", "vit", "cnn", "rnn", "gru", "lstm", "transformer", "spiking", "bert", "efficientnet_lite",
)  # fmt: skip
OPTIONS = (
    "between", "blocks", "body", "codes", "dropout", "filters", "frequencies", "heads", "inner", "kernel", "kernels", "kinds", "layers", "leak", "members", "moments", "most_bins",
    "pairs", "per_step", "places", "side", "skip", "spread", "stages", "state", "stretches", "tokens", "width",
)  # fmt: skip
# What a column has learned that names something, by its kind and the field.
WORDS = {
    ("date", "formats"): tuple(calendars.FORMATS),
    ("date", "cycles"): ("year", "weekday", "hour"),
    ("date", "varying"): ("year", "month", "day", "weekday", "hour"),
}
ARROW_TYPE = (
    r"[a-z][a-z0-9_]*(\([0-9]+(, -?[0-9]+)?\))?(\[[a-z0-9]+(, tz=[A-Za-z0-9_+:/-]+)?\])?(<[A-Za-z0-9_ :<>\[\]-]*>)?"
)

_OPTION = schema.any_of(
    [
        schema.whole(0, 1 << 20),
        schema.number(-1e6, 1e6),
        schema.truth,
        schema.maybe(schema.items(schema.whole(1, 1 << 16), 64)),
    ]
)
OPTION_VALUES: Check = schema.mapping(_OPTION, schema.one_of(OPTIONS))
ARRAY = schema.pattern(r"scalar|code|(codes|vectors|grid|boxes)_[0-9]{1,5}", "the name of an array")
