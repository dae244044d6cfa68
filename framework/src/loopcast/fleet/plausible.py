"""Which answers a device believes.

A graph of splines, levels and intervals has a domain, and what a file says all over it is known
before any device asks. What lies further outside than that range is wide comes of an input that
was never meant, such as the code of a broken sensor, or of a state that was damaged: a device falls
back then. An unusual year stays far within.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast.deploy.compress.domain import answers_to, domain_rows
from loopcast.deploy.compress.rewrite import sums_of
from loopcast.deploy.export.tflite.runtimes import sessions
from loopcast_edge.wire import Output

if TYPE_CHECKING:
    from loopcast.deploy.export.tflite.exportable import Exportable

BEYOND = 1.0
"""How far outside an answer may be, as a multiple of the range of the answers."""

PROBABILITY = "probability"


def outputs_of(found: Exportable, model: bytes, beyond: float = BEYOND) -> tuple[Output, ...]:
    """Return the outputs of a file, with bounds where it has a domain.

    A probability is between 0 and 1 whatever the file. Lists, and files that others have made,
    have no bounds.

    Parameters
    ----------
    model
        The file.
    beyond
        As `BEYOND`.
    """
    series = found.recipe.target or ""
    bounds = _bounds(found, model, beyond) | {PROBABILITY: (0.0, 1.0)}
    nothing = (None, None)
    return tuple(
        Output(name=name, series=series, minimum=low, maximum=high)
        for name in found.outputs
        for low, high in [bounds.get(name, nothing)]
    )


def _bounds(found: Exportable, model: bytes, beyond: float) -> dict[str, tuple[float, float]]:
    sums = [] if found.graph is None else sums_of(found.graph)
    if not sums:
        return {}
    rows = domain_rows(sums, found.vectors.features)
    elsewhere = answers_to(next(sessions(model)), found.vectors, rows)
    said = np.vstack([elsewhere, found.vectors.expected])
    low, high = said.min(axis=0), said.max(axis=0)
    room = beyond * (high - low)
    pairs = zip((low - room).tolist(), (high + room).tolist(), strict=True)
    return dict(zip(found.outputs, pairs, strict=True))
