"""How gates word what they found."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from loopcast.api import GateResult

Say = Callable[..., GateResult]


def say(gate: str) -> Say:
    """Return a function that makes results of one gate: test, passed, expectation, measured."""
    return partial(_result, gate)


def _result(gate: str, test: str, passed: bool, expectation: str, measured: str) -> GateResult:
    return GateResult(
        gate=gate, test=test, passed=bool(passed), expectation=expectation, measured=measured
    )


def shown(value: float | None) -> str:
    """Return a number in four digits.

    Examples
    --------
    >>> shown(2.83049), shown(None)
    ('2.83', 'undefined')
    """
    return "undefined" if value is None else f"{value:.4g}"


def between(low: float | None, high: float | None) -> str:
    """Return an interval in words."""
    if low is None or high is None:
        return "too few independent blocks for an interval"
    return f"interval {low:.4g} to {high:.4g}"
