"""What the network would have become without an adversary: trained once more as it was, but on rows that nobody pushes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from fathom.bundle.description import Description
from fathom.chapters.candidates import in_units
from fathom.chapters.exporting import network_answers
from fathom.chapters.learning import Trained, train_network
from fathom.chapters.prepared import Prepared
from fathom.data.encoding import Column
from fathom.data.modalities.contract import Modality
from fathom.effort import Sizes
from fathom.evidence.contract import Twin, Weights
from fathom.progress import Progress, Silent
from fathom.settings import Settings


def plain_twin(
    prepared: Prepared,
    settings: Settings,
    size: Sizes,
    modalities: Sequence[Modality],
    trained: Trained,
    shipped: str,
    told: Progress,
) -> Callable[[Column], Twin] | None:
    """Return the twin of a target, or ``None`` where the network was not pushed or does not ship, and where minutes are counted."""
    if settings.adversarial == "off" or shipped != "network" or settings.minutes is not None:
        return None
    from fathom.bundle.loading import network_weights

    told.begin("Training without an adversary")
    started = time.perf_counter()
    plain = train_network(prepared, replace(settings, adversarial="off"), size, modalities, None, Silent())
    seconds = time.perf_counter() - started
    description = Description("network", "network", prepared.columns, plan=plain.plan.to_json())
    model = Weights(description, network_weights(plain.network))
    told.end("to compare with")
    return lambda column: Twin(
        model,
        lambda table: in_units(column, network_answers(plain.network, prepared.columns, table)[column.name]),
        seconds,
        trained.seconds,
    )
