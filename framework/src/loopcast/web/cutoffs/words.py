"""Words of the page of cut-offs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopcast.web import formats

if TYPE_CHECKING:
    from loopcast.develop.fairness.intervals import Interval
    from loopcast.develop.score.cutoffs import Goal


AMOUNTS = ("of amounts granted", "events among these")
"""The two shares of what is at stake in the cases."""


def goal_words(goal: Goal) -> str:
    """Say what a cut-off is chosen for.

    Examples
    --------
    >>> from loopcast.develop.score.cutoffs import Goal
    >>> goal_words(Goal(kind="events", target=0.05))
    'events up to 5 %'
    """
    if goal.kind == "profit":
        return "the most profit"
    target = f"{100 * goal.target:g} %"
    return f"events up to {target}" if goal.kind == "events" else f"{target} granted"


def share(rate: Interval) -> str:
    """Return a share with its interval."""
    ends = formats.interval(100 * rate.low, 100 * rate.high, "%", 1)
    return f"{formats.percent(rate.value)} ({ends})"


def amount(rate: Interval | None) -> str:
    """Return an amount with its interval; a dash where there is none."""
    if rate is None:
        return formats.MISSING
    places = formats.decimals([rate.value, rate.low, rate.high], significant=3)
    ends = formats.interval(rate.low, rate.high, places=places)
    return f"{formats.number(rate.value, places)} ({ends})"
