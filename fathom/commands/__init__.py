"""The commands of the command line, one file per verb: an open set. They may print; only cli.py exits."""

from fathom.commands import (
    checking,
    compressing,
    explaining,
    fitting,
    inspecting,
    labelling,
    packing,
    predicting,
    reporting,
    serving,
    tracing,
    updating,
    watching,
)
from fathom.commands.contract import Command

# In the order of a model's life, which is that of `fathom --help`. Each module has a function by its NAME.
COMMANDS: tuple[Command, ...] = (
    fitting,
    predicting,
    reporting,
    checking,
    explaining,
    tracing,
    inspecting,
    compressing,
    packing,
    serving,
    watching,
    updating,
    labelling,
)
