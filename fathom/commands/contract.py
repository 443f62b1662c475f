"""What a command is: a module with a verb, an example, and a function by the verb's name whose options typer reads."""

from typing import Protocol


class Command(Protocol):
    """The contract. ``NAME`` is the verb, and the module's function of that name does it; its docstring and options are what ``--help`` shows, with ``EXAMPLE`` below them."""

    NAME: str
    EXAMPLE: str
