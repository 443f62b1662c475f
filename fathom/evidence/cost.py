"""What will it cost in a year: core-hours, energy, carbon and money of answering and of training again, beside a simpler model.

The energy is an estimate, not a measurement: seconds times the power of a core in use, 12 W, and 1.67 times that for the building around it, and 475 g of carbon dioxide
a kWh are the defaults of Lannelongue, Grealey and Inouye, "Green Algorithms: Quantifying the Carbon Footprint of Computation", Advanced Science 8, 2021, methods
(https://doi.org/10.1002/advs.202100707). The price of a core-hour is a round number for rented machines: put in your own.
"""

from dataclasses import asdict, dataclass
from typing import Any

from fathom.evidence.contract import TASKS, Case, Cost, Finding, not_applicable

NAME = "cost"
QUESTION = "What will it cost in a year?"
SOURCE = "Lannelongue, Grealey and Inouye, Advanced Science 8, 2021, https://doi.org/10.1002/advs.202100707"
SERVES = TASKS

DAYS = 365


@dataclass(frozen=True)
class Assumptions:
    """Everything that is assumed: what is not measured here.

    ``watts_a_core`` of a core in use; ``building`` times as much is drawn from the mains; ``grams_a_kwh`` of carbon dioxide; ``price_a_core_hour`` and ``price_a_kwh`` in
    euros, the latter 0 where the machine is rented with its power; ``trainings_a_year`` on rows as many as now.
    """

    requests_per_day: float = 10_000.0
    trainings_a_year: float = 12.0
    watts_a_core: float = 12.0
    building: float = 1.67
    grams_a_kwh: float = 475.0
    price_a_core_hour: float = 0.04
    price_a_kwh: float = 0.0


def year(cost: Cost, assumed: Assumptions) -> dict[str, float]:
    """Return a year of one model: ``core_hours``, ``kwh``, ``kilograms`` of carbon dioxide and ``euros``.

    >>> found = year(Cost("trees", 36.0, 0.001, 1e5), Assumptions(requests_per_day=86_400, trainings_a_year=10))
    >>> {name: round(value, 3) for name, value in found.items()}
    {'core_hours': 8.86, 'kwh': 0.178, 'kilograms': 0.084, 'euros': 0.354}
    """
    seconds = (
        DAYS * assumed.requests_per_day * cost.predict_seconds_per_row + assumed.trainings_a_year * cost.fit_seconds
    )
    hours = seconds / 3600
    kwh = hours * assumed.watts_a_core * assumed.building / 1000
    return {
        "core_hours": hours,
        "kwh": kwh,
        "kilograms": kwh * assumed.grams_a_kwh / 1000,
        "euros": hours * assumed.price_a_core_hour + kwh * assumed.price_a_kwh,
    }


def run(case: Case) -> Finding:
    """Reckon a year of every model, the first of which is the one that ships."""
    if not case.costs:
        import sys

        return not_applicable(sys.modules[__name__], "A bundle does not know what its training took.")
    assumed = Assumptions(requests_per_day=case.requests_per_day)
    years = {cost.name: year(cost, assumed) for cost in case.costs}
    shipped, *others = case.costs
    own = years[shipped.name]
    sentence = (
        f"{assumed.requests_per_day:,.0f} answers a day and {assumed.trainings_a_year:.0f} trainings a year by the model that is shipped ({shipped.name}) take about {_round(own['core_hours'])} core-hours, "
        f"{_round(own['kwh'])} kWh, {_round(own['kilograms'])} kg of carbon dioxide and {_round(own['euros'])} euros a year"
    )
    if others:
        least = min(others, key=lambda cost: years[cost.name]["core_hours"])
        sentence += f"; by {least.name} they would take {_round(years[least.name]['core_hours'])} core-hours."
    else:
        sentence += "."
    rows: list[dict[str, Any]] = [{"model": name, **found} for name, found in years.items()]
    return Finding(
        NAME,
        QUESTION,
        f"about {_round(own['euros'])} euros",
        sentence + " Energy is estimated, not measured.",
        own["core_hours"],
        unit="core-hours a year",
        rows=rows,
        plot={"assumptions": asdict(assumed)},
        source=SOURCE,
    )


def _round(value: float) -> str:
    """Write an amount with two telling digits.

    >>> _round(0.01234), _round(1234.0)
    ('0.012', '1,200')
    """
    return f"{float(f'{value:.2g}'):,g}"
