"""What the core offers to train labelled alternatives by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loopcast.api import Preparation, hookimpl
from loopcast.develop.fairness.constraint import Constraint
from loopcast.develop.fairness.reweighing import Reweighing


@hookimpl
def loopcast_preparations() -> Sequence[Preparation]:
    """Offer the core's preparations."""
    offered: list[Any] = [Constraint(), Reweighing()]
    return offered
