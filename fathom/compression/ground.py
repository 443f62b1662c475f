"""Which rows a smaller bundle is judged on, and which of its fits answer them.

Of a small table (`fathom.data.rows.folding`) every row has taught all fits of a bundle but one. A way that keeps the weights is therefore judged, and its intervals learned, by letting each fit apart answer the fold that
it left out, as the fit of the bundle did: cross-conformal prediction, Vovk, Ann. Math. Artif. Intell. 74, 2015. Whoever has learned from a row answers it too well, and so promises too much of others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from fathom.bundle import manifest
from fathom.bundle.answers.inference import Answers, Inference
from fathom.bundle.description import Description
from fathom.bundle.saving import assemble
from fathom.chapters.candidates import Unseen, by_fold
from fathom.chapters.prepared import Prepared
from fathom.data.modalities.contract import Modality
from fathom.data.rows.folding import Folds
from fathom.data.table import Table
from fathom.model import Model


@dataclass(frozen=True)
class Ground:
    """What ways are judged on.

    ``whole`` are the rows as the fit parted them; ``first`` are those that whatever learns anew learns from and all are scored on, which is the same or, of folded rows, all without the first fold
    and that fold. ``graphs`` are those of the bundle's fits, one a fold; none where it is one fit, or where its fits cannot be told apart. ``met`` says that its fits have learned from rows that they are judged on.
    """

    whole: Prepared
    first: Prepared
    graphs: tuple[bytes, ...] = ()
    met: bool = False

    @classmethod
    def of(cls, model: Model, whole: Prepared) -> "Ground":
        """Look at a bundle and the rows of its fit."""
        count = fit_count(model.description)
        apart = count > 1 and count == whole.fold_count and manifest.WEIGHTS in model.files
        graphs = graphs_apart(model, whole) if apart else ()
        return cls(whole, whole.fits()[0], graphs, not apart and max(count, whole.fold_count) > 1)

    def scored(self, unseen: Unseen | None) -> Answers | None:
        """Return the answers to the rows of the score by fits that have not learned from them; ``None`` where those of the bundle are such, or there are none."""
        rows = self.first.validation
        return None if unseen is None else unseen(rows, np.zeros(rows.rows, np.int64))

    @property
    def kept_on(self) -> str:
        """What the score of the bundle, and of a way that keeps its weights, stands on."""
        if self.graphs:
            return f"{self._rows}, answered by the one of its {len(self.graphs)} fits that has not learned from them"
        if self.met:
            return f"{self._rows}, from which it has learned: the score is too good, and how sure it is was not learned anew"
        return self._rows

    @property
    def taught_on(self) -> str:
        """What the score of a way that learns anew stands on."""
        met = self.graphs or self.met
        return f"{self._rows}, from which it has not learned itself; what taught it has" if met else self._rows

    @property
    def _rows(self) -> str:
        rows, folds = self.first.validation.rows, self.whole.fold_count
        return f"{rows:,} {'validation rows' if folds == 1 else f'rows, one of {folds} folds'}"


def fit_count(description: Description) -> int:
    """Return how many fits answer together."""
    if description.kind == "network":
        return int((description.plan or {}).get("networks", 1))
    return max(len(one["settings"]) for one in description.baselines.values())


def graphs_apart(model: Model, prepared: Prepared) -> tuple[bytes, ...]:
    """Return the graph of each fit of a bundle that is the mean of several."""
    description, weights = model.description, model.files[manifest.WEIGHTS]
    if description.kind == "network":
        from fathom.bundle.graph.exporting import network_onnx
        from fathom.bundle.loading import reload_network

        return tuple(network_onnx(network) for network in reload_network(description, weights).networks)
    from fathom.baselines import by_name
    from fathom.bundle.loading import reload_baselines
    from fathom.chapters.rivals import graph_of

    baseline = by_name(next(iter(description.baselines.values()))["name"])
    return tuple(graph_of(baseline, [fit], prepared) for fit in reload_baselines(description, weights))


def unseen_by(description: Description, graphs: Sequence[bytes], modalities: Sequence[Modality]) -> Unseen:
    """Return what lets each graph answer the rows of its fold, in encoded units and as sure as it is of itself."""
    bare = description.uncalibrated()
    every = [Inference.open(assemble(bare, None, graph, []), modalities, 1) for graph in graphs]

    def unseen(table: Table, folds: Folds) -> Answers:
        return by_fold([partial(_some, one, table) for one in every], folds)

    return unseen


def _some(inference: Inference, table: Table, rows: Folds) -> Answers:
    return inference.tell(table.take(rows))
