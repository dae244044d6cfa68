"""Tables of fairness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from loopcast.web import formats
from loopcast.web.page import Table, cells

if TYPE_CHECKING:
    from loopcast.deploy.fairness import FairnessReport
    from loopcast.develop.fairness.intervals import Interval
    from loopcast.develop.fairness.measures import Fairness, GroupFairness

FOUR_FIFTHS = 0.8

MOST_DRAWN = 8
"""Groups that are all drawn; of more, only those that are large enough to compare."""


def ratios(found: Fairness) -> Table:
    """Return each group beside the one that is granted most, and beside all others.

    Of many groups, those that are too small are named above the table only.
    """
    small = [one for one in found.groups if not one.enough]
    named = small if len(found.groups) > MOST_DRAWN else []
    return Table(
        caption=f"By {found.attribute}, with 95 % intervals, each by itself: of many, some miss by "
        "chance."
        + ("" if found.best else " Fewer than two groups are large enough to compare.")
        + (f" Too few rows to tell: {_sizes(named)}." if named else ""),
        columns=(
            "group",
            "rows",
            f"ratio to {found.best or 'the most granted'}",
            "four fifths",
            "opportunity, against others",
            "parity, against others",
        ),
        rows=tuple(
            cells(
                one.group,
                f"{one.rows:,}",
                _ratio(found, one),
                verdict(one.ratio) if one.enough and one.group != found.best else "",
                _points(one.opportunity_gap),
                _points(one.parity_gap),
            )
            for one in found.groups
            if one not in named
        ),
        prose=True,
    )


def _sizes(groups: Sequence[GroupFairness]) -> str:
    return ", ".join(f"{one.group} ({one.rows})" for one in groups)


def _ratio(found: Fairness, one: GroupFairness) -> str:
    if not one.enough:
        return "too few rows to tell"
    if one.group == found.best:
        return "is granted most"
    if not np.isfinite(one.ratio.value):
        return formats.MISSING
    ends = formats.interval(one.ratio.low, one.ratio.high, places=2)
    return f"{formats.number(one.ratio.value, 2)} ({ends})"


def verdict(found: Interval) -> str:
    """Say whether a ratio keeps four fifths, for certain or not.

    Examples
    --------
    >>> from loopcast.develop.fairness.intervals import Interval
    >>> verdict(Interval(value=0.7, low=0.6, high=0.9))
    'missed, not for certain'
    """
    if not np.isfinite(found.value):
        return ""
    kept = found.value >= FOUR_FIFTHS
    certain = found.low >= FOUR_FIFTHS if kept else found.high < FOUR_FIFTHS
    return ("kept" if kept else "missed") + ("" if certain else ", not for certain")


def _points(found: Interval) -> str:
    if not np.isfinite(found.value):
        return ""
    ends = formats.interval(100.0 * found.low, 100.0 * found.high, places=1)
    return f"{formats.quantity(100.0 * found.value, 'points', 1)} ({ends})"


def alternatives(report: FairnessReport) -> Table | None:
    """Return rules with a cut-off for each group beside the one that is measured."""
    rows = tuple(
        cells(
            f"{attribute}: {one.label}",
            ", ".join(f"{g} {formats.percent(value)}" for g, value in one.cutoffs.items()),
            formats.number(one.fairness.worst_ratio.value, 2),
            formats.quantity(100.0 * abs(one.fairness.largest_gap.value), "points", 1),
            f"{formats.percent(one.correct)} against {formats.percent(one.correct_before)}",
            f"{formats.number(one.profit)} against {formats.number(one.profit_before)}"
            if np.isfinite(one.profit)
            else "",
            formats.percent(one.changed),
        )
        for attribute, found in report.alternatives.items()
        for one in found
    )
    if not rows:
        return None
    return Table(
        caption="Alternatives to the one cut-off, measured on rows that they were not found on. "
        "Nobody has chosen them: to choose one is a decision that a person signs, and the law may "
        "forbid a rule that looks at the attribute.",
        columns=(
            "rule",
            "cut-offs",
            "smallest ratio",
            "largest gap in opportunity",
            "correct decisions",
            "profit a case",
            "decisions that change",
        ),
        rows=rows,
        prose=True,
    )


def beside(report: FairnessReport) -> Table | None:
    """Return the versions that were judged on the same rows, alternatives labelled as such."""
    if len(report.beside) < 2:
        return None
    return Table(
        caption="Versions that were judged on the same rows, decided at the same cut-off.",
        columns=("version", "what it is", "smallest ratio", "correct decisions", "profit a case"),
        rows=tuple(
            cells(
                one.version,
                one.label,
                ", ".join(f"{f.attribute} {_worst(f)}" for f in one.decisions),
                formats.percent(one.correct),
                formats.number(one.profit) if np.isfinite(one.profit) else "",
            )
            for one in report.beside
        ),
        prose=True,
    )


def _worst(found: Fairness) -> str:
    worst = found.worst_ratio
    if not np.isfinite(worst.value):
        return formats.MISSING
    return f"{worst.value:.2f} ({formats.interval(worst.low, worst.high, places=2)})"


def kpi(report: FairnessReport, name: str) -> Table | None:
    """Return the KPI of each group beside that of all others."""
    if not report.kpi:
        return None
    values = [each for one in report.kpi for each in (one.found.first, one.found.second)]
    places = formats.decimals(values)
    rows = []
    for one in report.kpi:
        low, high = one.found.difference.interval(report.plan.confidence) or (None, None)
        rows.append(
            cells(
                f"{one.attribute}: {one.group}",
                f"{one.rows:,}",
                formats.number(one.found.first, places),
                formats.number(one.found.second, places),
                formats.number(one.found.difference.value, places),
                formats.interval(low, high, places=places),
            )
        )
    return Table(
        caption=f"Each group beside all others: {name}, and the difference with its 95 % interval.",
        columns=("group", "rows", name, "of all others", "difference", "interval"),
        rows=tuple(rows),
    )
