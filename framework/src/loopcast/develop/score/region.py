"""The region that an earlier logical model refuses, of whose cases a later one is never asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.api import DataError, Name, ScoreData, VersionId
from loopcast.develop.decision import Decision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import Scorer


@dataclass(frozen=True, eq=False, kw_only=True)
class Region:
    """What an earlier logical model refuses.

    Attributes
    ----------
    logical_model, version
        Whose decision it is.
    decision
        By which scores are granted; the others are the region.
    drawn
        Which keys its lot lets through all the same.
    features
        What the model needs to know of a case.
    model
        The version's scorer.
    files
        All of it, as the bundle of the later version keeps it.
    """

    logical_model: Name
    version: VersionId
    decision: Decision
    drawn: Callable[[pd.Index], NDArray[np.bool_]]
    features: tuple[str, ...]
    model: Scorer
    files: Mapping[str, bytes]

    def refused(self, data: ScoreData) -> NDArray[np.bool_]:
        """Return which rows are in the region, shape (rows,).

        Raises
        ------
        DataError
            Where rows lack a feature that the earlier model needs.
        """
        known = [frame for frame in (data.features, data.attributes) if frame is not None]
        rows = pd.concat(known, axis=1)
        for name in self.features:
            if name not in rows.columns:
                raise DataError(f"no column {name!r}, by which {self.logical_model} decides before")
        probability = self.model.predict(rows[list(self.features)]).probability
        granted = self.decision.granted(np.asarray(probability, np.float64))
        return ~(granted | self.drawn(data.features.index))

    def outside(self, data: ScoreData) -> ScoreData:
        """Return the rows that the earlier model lets through.

        Raises
        ------
        DataError
            Where it refuses all of them, or rows lack what it needs.
        """
        through = np.flatnonzero(~self.refused(data))
        if not len(through):
            raise DataError(f"all {len(data.target)} rows are refused by {self.logical_model}")
        return data.take(through)

    def statements(self, data: ScoreData) -> tuple[str, ...]:
        """Say in sentences what the region is, and what was done with the rows in it."""
        side = "or more" if self.decision.favourable == "low" else "or less"
        inside = int(self.refused(data).sum())
        return (
            f"{self.logical_model} decides before, by {', '.join(self.features)}: cases with a "
            f"probability of {self.decision.cutoff:.4g} {side} by its version {self.version} are "
            "refused there, but for those that its lot grants.",
            f"{inside} of {len(data.target)} rows are such cases. They were left out of training "
            "and judgement, and no answer is given for cases like them.",
        )

    def described(self) -> list[object]:
        """Return what identifies it, as plain values."""
        return [self.logical_model, self.version, self.decision.cutoff, self.decision.favourable]
