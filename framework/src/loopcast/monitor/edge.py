"""The reference of a version as devices count in it, so that their days add up with ours."""

from __future__ import annotations

import numpy as np

from loopcast.monitor.bins import Bins
from loopcast.monitor.reference import Reference
from loopcast_edge.wire import DriftReference, ReferenceColumn


def drift_reference(reference: Reference) -> DriftReference:
    """Return the bins of a version's inputs and outputs for its manifest."""
    bins = reference.bins
    return DriftReference(digest=bins.digest, columns=(*_numbers(bins), *_categories(bins)))


def _numbers(bins: Bins) -> list[ReferenceColumn]:
    names = bins.names[: bins.numeric]
    return [
        ReferenceColumn(name=name, edges=tuple(row[np.isfinite(row)].tolist()), centre=centre)
        for name, row, centre in zip(names, bins.edges, bins.centres.tolist(), strict=True)
    ]


def _categories(bins: Bins) -> list[ReferenceColumn]:
    return [
        ReferenceColumn(name=name, kind="category", known=known)
        for name, known in zip(bins.names[bins.numeric :], bins.categories, strict=True)
    ]
