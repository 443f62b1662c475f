"""`bench` is a folder of scripts, not an installed package: the root of the repository is put on the path."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
