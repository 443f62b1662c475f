"""How a run looks in a terminal: bars with time left, tables that fit the width, plain lines when nobody watches."""

from fathom.terminal.bundles import show_bundle, show_prices
from fathom.terminal.console import PlainProgress, console, progress
from fathom.terminal.explanations import show_explanation, show_reasons, show_stations
from fathom.terminal.findings import show_findings, show_look
from fathom.terminal.fits import show_result
from fathom.terminal.shelves import show_log, show_shelf, show_update

__all__ = [
    "PlainProgress",
    "console",
    "progress",
    "show_bundle",
    "show_explanation",
    "show_findings",
    "show_log",
    "show_look",
    "show_prices",
    "show_reasons",
    "show_result",
    "show_shelf",
    "show_stations",
    "show_update",
]
