"""The folders that commands are given: a run, and the bundle in it."""

import json
from pathlib import Path
from typing import Any

from fathom.errors import OutputError


def run_of(bundle: Path) -> Path:
    """Return the run around a bundle, or the run itself."""
    return bundle if (bundle / "result.json").is_file() else bundle.parent


def result_of(run: Path) -> dict[str, Any]:
    """Return what a run's result.json holds. Raises OutputError where there is none that can be read."""
    path = run / "result.json"
    try:
        result: dict[str, Any] = json.loads(path.read_bytes())
        if result["format"] != 1:
            raise OutputError(
                f"{path} has format {result['format']!r}, and this Fathom reads format 1. Use the Fathom that wrote it, or fit again."
            )
    except FileNotFoundError:
        raise OutputError(
            f"There is no {path}. Name a folder that fathom fit wrote, for example runs/homes-1.", file=str(path)
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{path} cannot be read as the result of a fit ({type(error).__name__}). Fit again.", file=str(path)
        ) from None
    return result
