"""Tables of explanations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from loopcast.web import formats
from loopcast.web.explain.words import change_text, title_of
from loopcast.web.page import Table, cells

if TYPE_CHECKING:
    from loopcast.api import Feature
    from loopcast.deploy.explained import Explained, ExplainedRow


def parts(whole: Explained) -> Table | None:
    """Return what each part of the scorer contributes over typical rows."""
    if not whole.parts:
        return None
    places = formats.decimals([one.size for one in whole.parts], significant=3)
    return Table(
        caption=f"Contributions to the log-odds: {whole.method}.",
        columns=("part", "moves the log-odds by, on average", "is the first reason against"),
        rows=tuple(
            cells(
                title_of(one.part, whole.schema.features),
                formats.number(one.size, places),
                formats.percent(one.first, 0),
            )
            for one in whole.parts
        ),
    )


def robustness(whole: Explained) -> Table | None:
    """Return how far scores and decisions are moved by all small changes together."""
    probed = whole.probed
    if not probed.slack:
        return None
    middle, high, most = np.quantile(probed.move, [0.5, 0.95, 1.0])
    granted = [whole.decision.granted(p) for p in (probed.lowest, probed.highest)]
    flipped = float(np.mean(granted[0] != granted[1]))
    points = [f"{100.0 * move:.1f}{formats.NBSP}points" for move in (middle, high, most)]
    return Table(
        caption=f"Probed by search on {whole.rows} rows, all numbers within their slack.",
        columns=("half of the rows", "19 of 20 rows", "the farthest", "decisions that it can flip"),
        rows=(
            cells(
                f"moved by at most {points[0]}",
                points[1],
                points[2],
                f"{formats.percent(flipped)} at a cut-off of "
                f"{formats.percent(whole.decision.cutoff)}",
            ),
        ),
        prose=True,
    )


def whatif(one: ExplainedRow, features: Mapping[str, Feature]) -> Table | None:
    """Return the nearest changes that flip the decision about a row."""
    if not one.whatif:
        return None
    return Table(
        caption=f"The nearest changes that would decide "
        f"{'against' if one.granted else 'in favour of'} {one.row.index[0]}.",
        columns=("", "change", "distance"),
        rows=tuple(
            cells(str(number + 1), change_text(found, features), f"{found.distance:.2f}")
            for number, found in enumerate(one.whatif)
        ),
        prose=True,
    )
