#!/bin/sh
# Make .venv with everything that development needs. uv is quicker; pip does it too. Which torch comes (CPU, CUDA) is up to the index in use.
set -eu
python=${PYTHON:-python3}
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/pip install -q --disable-pip-version-check 'pip>=25.1' || true
if .venv/bin/pip install -q --disable-pip-version-check 'uv>=0.9'; then
    # uv does not read pip's settings: hand on where local wheels lie.
    UV_FIND_LINKS="${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}" UV_COMPILE_BYTECODE=1 VIRTUAL_ENV="$PWD/.venv" \
        .venv/bin/uv pip install -q --link-mode=copy -c constraints.txt -e '.[all]' --group dev --group bench
else
    .venv/bin/pip install -q -c constraints.txt -e '.[all]' --group dev --group bench
fi
.venv/bin/python -c 'import importlib.metadata as m; assert m.version("torch").startswith("2.13."), m.version("torch")'
