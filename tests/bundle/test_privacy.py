"""Who answers with a bundle tells nobody: neither Fathom nor a library beneath it keeps an identifier or calls home."""

import os
import subprocess
import sys

from tests.conftest import ROOT

BUNDLE = ROOT / "tests" / "bundles" / "format-2" / "table-trees"


def files_after(home, code):
    """Run code in a fresh interpreter with a home folder of its own, as on a user's machine; return what it left there."""
    told = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "CI", "GITHUB_ACTIONS")
    own = {name: value for name, value in os.environ.items() if name not in told}
    home.mkdir()
    subprocess.run([sys.executable, "-c", code], env={**own, "HOME": str(home)}, check=True, timeout=120, cwd=ROOT)
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def test_answering_leaves_no_identifier_and_no_record_behind(tmp_path):
    rows = {"airline": ["Envoy Air"], "departure": ["2013-01-01 07:10"], "holiday": ["yes"], "late": ["yes"]}
    ask = f"import fathom; fathom.load({str(BUNDLE)!r}).predict({rows})"
    assert files_after(tmp_path / "home", "import fathom, onnxruntime") == []
    assert files_after(tmp_path / "other", ask) == []
