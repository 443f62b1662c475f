"""What does each column add: the network is trained again without it, and answers the validation rows beside one that was trained with all."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fathom.chapters.candidates import in_units, truth_in_units
from fathom.chapters.exporting import network_answers
from fathom.chapters.learning import train_network
from fathom.chapters.prepared import Prepared
from fathom.data.encoding import Column, inputs_of, target_classes
from fathom.data.modalities.contract import Modality
from fathom.effort import Sizes
from fathom.progress import Progress, Silent
from fathom.resampling import Resamples
from fathom.scoring import row_losses
from fathom.settings import Settings
from fathom.shapes import DEEP

PATIENCE = 3  # times fewer epochs than the network that is shipped: both sides of each comparison have as many
MOST_GROUPS = 5


def groups_of(columns: Sequence[Column]) -> list[tuple[str, ...]]:
    """Return what is left out, one after the other: every deep column, and all the other inputs together; nothing for a table without a deep column or with that alone."""
    deep = [column.name for column in inputs_of(columns) if column.kind is not None and column.kind.SHAPE in DEEP]
    flat = tuple(column.name for column in inputs_of(columns) if column.name not in deep)
    groups = [(name,) for name in deep] + ([flat] if flat else [])
    return groups if deep and 1 < len(groups) <= MOST_GROUPS else []


def contributions(
    prepared: Prepared,
    settings: Settings,
    sizes: Sizes,
    modalities: Sequence[Modality],
    seconds: float | None,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Return what each group of columns adds: ``{columns, value, low, high, unit}``, the growth of the mean loss on the validation rows without it, with its 95 % interval.

    Every network is trained as the one that is shipped, for a third of its epochs; all of it ends after ``seconds`` at the latest. Empty where there is
    nothing to compare, and at quick effort. The intervals are over validation rows, not over trainings: a difference near zero may be either.
    """
    groups = groups_of(prepared.columns)
    if not groups or settings.effort == "quick":
        return []
    shorter = replace(settings, epochs=max(1, (settings.epochs or sizes.epochs) // PATIENCE))
    share = None if seconds is None else seconds / (len(groups) + 1)
    target = prepared.targets[0]
    truth = truth_in_units(target, prepared.validation)
    progress.begin("Training without columns", len(groups) + 1)

    def losses(left_out: tuple[str, ...]) -> Any:
        columns = tuple(
            replace(column, role="left_out", kind=None) if column.name in left_out else column
            for column in prepared.columns
        )
        fewer = replace(prepared, columns=columns)
        left = {name for column in inputs_of(columns) for name in (column.name, column.modality)}
        own = replace(
            shorter,
            encoder={name: reader for name, reader in shorter.encoder.items() if name in left},
            pretrained={name: reader for name, reader in shorter.pretrained.items() if name in left},
            fine_tune=False,
        )
        network = train_network(fewer, own, sizes, modalities, share, Silent()).network
        answer = network_answers(network, columns, prepared.validation)[target.name]
        return row_losses(truth, in_units(target, answer))

    everything = losses(())
    resamples = Resamples.draw(prepared.validation.rows, seed=settings.seed, groups=prepared.validation_groups)
    found = []
    for done, group in enumerate(groups, start=1):
        progress.advance(done, f"without {', '.join(group)[:40]}")
        interval = resamples.interval(resamples.means(losses(group) - everything))
        unit = "nats" if target_classes(target) else "in the target's unit"
        found.append({"columns": list(group), **interval.as_json(), "unit": unit})
    progress.end(f"{len(found)} compared")
    return found
