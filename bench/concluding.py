"""How a bench ends: a line a claim, what was measured as JSON, and 1 when a claim fails."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn


def conclude(claims: Mapping[str, bool], measured: Mapping[str, Any], file: Path | None) -> NoReturn:
    """Print each claim and whether it holds, write ``measured`` and the claims to ``file`` if one is named, and end the process."""
    print()
    for claim, holds in claims.items():
        print(f"{'pass' if holds else 'FAIL'}  {claim}")
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({**measured, "claims": claims}, indent=1))
    sys.exit(0 if all(claims.values()) else 1)
