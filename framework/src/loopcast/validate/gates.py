"""The core's gates, offered like a plugin's."""

from __future__ import annotations

from collections.abc import Sequence

from loopcast.api import GateDefinition, hookimpl
from loopcast.validate import (
    calibration,
    cases,
    fairness,
    performance,
    recent,
    resources,
    robustness,
)


@hookimpl
def loopcast_gates() -> Sequence[GateDefinition]:
    """Offer the gates that every policy can demand."""
    return [
        *performance.GATES,
        *recent.GATES,
        *cases.GATES,
        *resources.GATES,
        *calibration.GATES,
        *fairness.GATES,
        *robustness.GATES,
    ]
