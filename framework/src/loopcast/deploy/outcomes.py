"""How many outcomes, and events among them, a score was trained and judged on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from loopcast.api import NonNegative, Record, ScoreOutcome
from loopcast.api.formats import read_json
from loopcast.deploy.bundle import read_file
from loopcast.develop.judged import JUDGED_FILE, read_judged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import Version
    from loopcast.store.home import Home


class Outcomes(Record, frozen=True):
    """What is known of the outcomes of rows.

    Attributes
    ----------
    known
        Rows whose outcome is known.
    events
        Of these, rows that have the event.
    """

    known: NonNegative
    events: NonNegative


def outcomes_of(target: NDArray[np.float64]) -> Outcomes:
    """Count outcomes, of which 1 is the event and NaN is unknown.

    Examples
    --------
    >>> outcomes_of(np.array([1.0, 0.0, np.nan]))
    Outcomes(known=2, events=1)
    """
    return Outcomes(known=int((~np.isnan(target)).sum()), events=int((target == 1.0).sum()))


def trained_on(home: Home, version: Version) -> Outcomes | None:
    """Return what a score was trained on; ``None`` where its bundle does not say."""
    said = read_json(read_file(home.artifacts, version.manifest, "schema.json") or b"{}")
    return msgspec.convert(said["outcomes"], Outcomes) if "outcomes" in said else None


def judged_on(home: Home, version: Version) -> Outcomes | None:
    """Return what a score was judged on; ``None`` where its bundle keeps no judged rows."""
    content = read_file(home.artifacts, version.manifest, JUDGED_FILE)
    if content is None:
        return None
    judged = read_judged(content, "score")
    outcome = next(iter(judged.outcomes.values()))
    assert isinstance(outcome, ScoreOutcome)
    return outcomes_of(outcome.actual[judged.overall])
