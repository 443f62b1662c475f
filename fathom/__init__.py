"""Turn a table into a deep network that can be trusted.

>>> import fathom
>>> model = fathom.fit("homes.csv", target="price")  # doctest: +SKIP
>>> model.predict("new_homes.csv")                    # doctest: +SKIP
>>> model.save("homes-bundle")                        # doctest: +SKIP

Names are imported when they are first used, so that ``import fathom`` is quick and loads neither torch nor scikit-learn.
"""

import os
from typing import TYPE_CHECKING, Any

# ONNX Runtime from 1.29 on tells its maker of every session, and keeps an identifier of the device, unless this is set before it is loaded
# (https://github.com/microsoft/onnxruntime/pull/27379). What a model is asked is nobody else's business; who wants it sets the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"

if TYPE_CHECKING:
    from fathom.data.files.reading import read
    from fathom.data.modalities import MODALITIES
    from fathom.data.table import Table
    from fathom.errors import FathomError
    from fathom.explaining import explain
    from fathom.fitting import fit
    from fathom.model import Model, load
    from fathom.settings_files import settings_from
    from fathom.tracing import trace

_HOMES = {
    "FathomError": "fathom.errors",
    "MODALITIES": "fathom.data.modalities",
    "Model": "fathom.model",
    "Table": "fathom.data.table",
    "explain": "fathom.explaining",
    "fit": "fathom.fitting",
    "load": "fathom.model",
    "read": "fathom.data.files.reading",
    "settings_from": "fathom.settings_files",
    "trace": "fathom.tracing",
}

__all__ = ["MODALITIES", "FathomError", "Model", "Table", "explain", "fit", "load", "read", "settings_from", "trace"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fathom' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
