"""What a dataset must satisfy before anything is trained on it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from loopcast.api import Record, Share


class CheckSettings(Record, frozen=True):
    """What a dataset must satisfy before anything is trained on it; ``null`` leaves a check out.

    Ranges and types are in the schema, and always checked.

    Attributes
    ----------
    rows
        Smallest number of rows.
    missing
        Largest share of missing values in one input.
    duplicates
        Largest share of rows that repeat another one.
    leakage
        Largest strength of one input alone: for a score the Gini coefficient of ranking by it,
        for a forecast the R² of a straight line. What is stronger knows the outcome.
    dominance
        Largest share of one entity in all interactions, of 20 entities or more.
    shift_psi, shift_ks
        Largest difference of one input from the previous training set: population stability
        index and Kolmogorov–Smirnov distance. The defaults let seasons pass and stop another
        unit or another population.
    """

    rows: Annotated[int, msgspec.Meta(ge=1)] | None = 20
    missing: Share | None = 0.8
    duplicates: Share | None = 0.2
    leakage: Share | None = 0.98
    dominance: Share | None = 0.5
    shift_psi: Annotated[float, msgspec.Meta(gt=0.0)] | None = 2.5
    shift_ks: Share | None = 0.6
