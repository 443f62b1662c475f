#!/bin/sh
# Make .venv-peers with the models that `bench/frontier.py` compares Fathom's with; Fathom itself needs none of them.
# dev/peers.txt pins every package; constraints.txt is the same for both environments, so that torch is the same build.
set -eu
python=${PYTHON:-python3}
[ -x .venv-peers/bin/python ] || "$python" -m venv .venv-peers
.venv-peers/bin/pip install -q --disable-pip-version-check 'pip>=25.1' || true
if .venv-peers/bin/pip install -q --disable-pip-version-check 'uv>=0.9'; then
    # uv does not read pip's settings: hand on where local wheels lie.
    UV_FIND_LINKS="${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}" UV_COMPILE_BYTECODE=1 VIRTUAL_ENV="$PWD/.venv-peers" \
        .venv-peers/bin/uv pip install -q --link-mode=copy -c constraints.txt -r dev/peers.txt
else
    .venv-peers/bin/pip install -q -c constraints.txt -r dev/peers.txt
fi
.venv-peers/bin/python -c 'import importlib.metadata as m; assert m.version("torch").startswith("2.13."), m.version("torch")'
