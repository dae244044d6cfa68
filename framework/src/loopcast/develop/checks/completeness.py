"""Enough rows, with values in them, that do not repeat each other, of more than one entity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from loopcast.develop.checks.inputs import Inputs, missing
from loopcast.develop.checks.results import CheckResult, at_most

if TYPE_CHECKING:
    from loopcast.settings import CheckSettings

ENTITIES = 20
"""With fewer entities, one of them may well have most of the interactions."""


def completeness(inputs: Inputs, limits: CheckSettings) -> Iterator[CheckResult]:
    """Check the number of rows, missing values, repeated rows and the largest entity."""
    if limits.rows is not None:
        yield CheckResult(
            name="rows",
            subject="",
            passed=inputs.rows >= limits.rows,
            measured=float(inputs.rows),
            limit=float(limits.rows),
        )
    if limits.missing is not None:
        for name, column in inputs.columns.items():
            share = float(missing(column).mean()) if len(column) else 0.0
            yield at_most("missing", name, share, limits.missing)
    if limits.duplicates is not None and inputs.repeated is not None:
        share = inputs.repeated / max(inputs.rows, 1)
        yield at_most("duplicates", "", share, limits.duplicates)
    if limits.dominance is not None and np.count_nonzero(inputs.counts) >= ENTITIES:
        share = float(inputs.counts.max() / inputs.counts.sum())
        yield at_most("dominance", "", share, limits.dominance)
