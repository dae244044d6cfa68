"""Which measurements and answers a device believes.

A graph of splines, levels and intervals has a domain, and what a file says all over it is known
before any device asks. What lies further outside than that range is wide comes of an input that
was never meant, or of a state that was damaged: a device falls back then. An unusual year stays far
within. A covariate of a forecast that is as far beyond what training has seen, such as the code of
a broken sensor, counts as missing, so that it is not in smoothed values for days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from loopcast.deploy.compress.domain import answers_to, domain_rows
from loopcast.deploy.compress.rewrite import sums_of
from loopcast.deploy.export.tflite.runtimes import sessions
from loopcast_edge.wire import Measurement, Output, Recipe

if TYPE_CHECKING:
    from loopcast.deploy.export.tflite.exportable import Exportable
    from loopcast.develop.applicability import Domain, NumberDomain

BEYOND = 1.0
"""How far outside a value may be, as a multiple of the range of those that are known."""

PROBABILITY = "probability"


def believed(recipe: Recipe, domain: Domain, beyond: float = BEYOND) -> Recipe:
    """Return a recipe with bounds of the covariates of a forecast.

    Parameters
    ----------
    domain
        Of the site of the series.
    beyond
        As `BEYOND`.
    """
    return replace(
        recipe,
        measurements=tuple(
            _within(each, domain.numbers.get(each.name), beyond) for each in recipe.measurements
        ),
    )


def _within(what: Measurement, seen: NumberDomain | None, beyond: float) -> Measurement:
    if seen is None or seen.low is None or seen.high is None:
        return what
    room = beyond * (seen.high - seen.low)
    return replace(what, minimum=seen.low - room, maximum=seen.high + room)


def outputs_of(found: Exportable, model: bytes, beyond: float = BEYOND) -> tuple[Output, ...]:
    """Return the outputs of a file, with bounds where it has a domain.

    A probability is between 0 and 1 whatever the file. The items of a list are those that its
    recipe knows; its scores, and files that others have made, have no bounds.

    Parameters
    ----------
    model
        The file.
    beyond
        As `BEYOND`.
    """
    if found.items:
        return _listed(found)
    series = found.recipe.target or ""
    bounds = _bounds(found, model, beyond) | {PROBABILITY: (0.0, 1.0)}
    nothing = (None, None)
    return tuple(
        Output(name=name, series=series, minimum=low, maximum=high)
        for name in found.outputs
        for low, high in [bounds.get(name, nothing)]
    )


def _listed(found: Exportable) -> tuple[Output, ...]:
    """Return the outputs of a list: places of items, and the score of each."""
    items = found.outputs[: found.vectors.codes]
    scores = found.outputs[found.vectors.codes :]
    last = len(found.recipe.known(found.items)) - 1
    return (
        *(Output(name=name, place_in=found.items, minimum=-1, maximum=last) for name in items),
        *(Output(name=name, beside=item) for name, item in zip(scores, items, strict=True)),
    )


def _bounds(found: Exportable, model: bytes, beyond: float) -> dict[str, tuple[float, float]]:
    sums = [] if found.graph is None else sums_of(found.graph)
    if not sums:
        return {}
    rows = domain_rows(sums, found.vectors.features)
    elsewhere = answers_to(next(sessions(model)), found.vectors, rows)
    said = np.vstack([elsewhere, found.vectors.expected])
    columns = zip(found.outputs, said.T, strict=True)
    return {name: _bounds_of(float(c.min()), float(c.max()), beyond) for name, c in columns}


def _bounds_of(low: float, high: float, beyond: float) -> tuple[float, float]:
    """Return bounds of answers; what was always positive has a lower one in proportion.

    Zero is below a demand by no more than the demand's range, and absurd.

    Examples
    --------
    >>> _bounds_of(-10.0, 20.0, 1.0), _bounds_of(2000.0, 8000.0, 1.0)
    ((-40.0, 50.0), (500.0, 14000.0))
    """
    room = beyond * (high - low)
    lowest = low * (low / high) ** beyond if low > 0.0 else low - room
    return lowest, high + room
