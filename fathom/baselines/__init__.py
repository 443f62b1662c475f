"""Simpler models on hand-made features, which the network must beat."""

from fathom.baselines import constant, lightgbm_trees, linear, neighbours, trees
from fathom.baselines.contract import Baseline
from fathom.errors import OptionError, suggestion

# From the simplest to the strongest: of equally good models the first is the better choice.
BASELINES: tuple[Baseline, ...] = (constant, linear, neighbours, trees, lightgbm_trees)


def by_name(name: str, baselines: tuple[Baseline, ...] = BASELINES) -> Baseline:
    """Return the baseline that is called ``name``.

    Raises OptionError when there is none.

    >>> by_name("linear").SUMMARY
    'A weighted sum of the columns: ridge regression, or logistic regression for classes.'
    """
    for baseline in baselines:
        if name == baseline.NAME:
            return baseline
    names = [baseline.NAME for baseline in baselines]
    raise OptionError(
        f"There is no baseline {name!r}.{suggestion(name, names)} The baselines are: {', '.join(map(repr, names))}."
    )
