"""Groups beside their references: by chance, days that are alike within themselves do not drift."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from loopcast.api import Feature, Kpi, LogicalModel, ScoreSchema
from loopcast.monitor.compare import Compared, compare
from loopcast.monitor.counting import count_day
from loopcast.monitor.drift import P_VALUES, Limits, Measured, exceeded, studentised
from loopcast.monitor.plan import usual_plan
from loopcast.monitor.reference import Reference, fit_reference
from loopcast.monitor.totals import Total, totals
from loopcast.store.events import event_table

START = datetime(2026, 1, 5, tzinfo=UTC)
FAMILIES, SEGMENTS, DAYS, ROWS = 16, 10, 21, 10
ALIKE = 0.3
"""Share of the variance that is between days."""
CHANCE = usual_plan().limits.significance
MODEL = LogicalModel(
    name="grid",
    title="Grid",
    owner="owner",
    kpi=Kpi(metric="brier"),
    schema=ScoreSchema(
        key="id",
        target="bad",
        event=1,
        features={
            "load": Feature(kind="numeric"),
            "weekday": Feature(kind="category"),
            "town": Feature(kind="category"),
        },
    ),
)


def rows(noise: np.random.Generator, day: NDArray[np.int64], shift: float = 0.0) -> dict[str, Any]:
    """Return a load that is alike within a day, and moves on Mondays by a shift."""
    _, place = np.unique(day, return_inverse=True)
    common = noise.normal(size=int(place.max()) + 1)[place]
    load = np.sqrt(ALIKE) * common + np.sqrt(1.0 - ALIKE) * noise.normal(size=len(day))
    return {
        "load": load + np.where(day % 7 == 0, shift, 0.0),
        "weekday": np.array([f"d{number % 7}" for number in day]),
        "town": noise.choice(list("ab"), len(day)),
    }


def trained(noise: np.random.Generator, *, days: bool) -> Reference:
    """Return a reference of whole days, or of rows that were drawn one by one."""
    day = np.repeat(np.arange(140), ROWS) if days else np.arange(1400)
    return fit_reference(rows(noise, day), {}, day if days else None, subsets=["weekday", "town"])


@cache
def counted(*, days: bool, shift: float = 0.0) -> tuple[Total, dict[str, Reference]]:
    """Return three weeks of segments, and the references of their versions."""
    noise = np.random.default_rng(int(days))
    names = [f"{number:016x}" for number in range(FAMILIES * SEGMENTS if not shift else 1)]
    known = {name: trained(noise, days=days) for name in names}
    day = np.repeat(np.arange(DAYS), ROWS)
    inputs = [rows(noise, day, shift) for _ in names]
    of_day = []
    for number in range(DAYS):
        now = np.flatnonzero(np.tile(day, len(names)) == number)
        whole = {k: np.concatenate([each[k] for each in inputs])[now] for k in inputs[0]}
        events = event_table(
            key=[str(row) for row in now],
            time=START + timedelta(days=number, hours=9),
            logical_model=MODEL.name,
            segment=np.repeat(names, ROWS),
            version=np.repeat(names, ROWS),
            role="champion",
            outputs={"probability": np.full(len(now), np.nan)},
            inputs=whole,
            latency_ms=1.0,
        )
        of_day.append(
            (START.date() + timedelta(days=number), count_day(events, MODEL, lambda _: known))
        )
    [total] = totals(of_day, of_day[0][0], of_day[-1][0])
    return total, known


def least(found: list[Compared]) -> float:
    """Return the least p-value of all groups, inputs and tests."""
    return min(
        float(np.nanmin(getattr(each.measured, kind)))
        for each in found
        for kind in set(P_VALUES.values())
    )


@pytest.mark.parametrize("days", [True, False])
def test_in_families_of_alike_days_hardly_a_p_value_is_small_by_chance(days: bool) -> None:
    """Whether or not the training shows that days are alike, a weekday has three of them.

    A look at an unchanged family has any p-value below the significance as often as that says.
    """
    total, known = counted(days=days)
    alarms = 0
    for first in range(0, len(known), SEGMENTS):
        family = sorted(known)[first : first + SEGMENTS]
        own = [n for n, group in enumerate(total.groups) if group.segment in family]
        alarms += least(compare([total.take(own)], known, [0] * DAYS)) <= CHANCE
    assert stats.binom.sf(alarms - 1, FAMILIES, CHANCE) > 0.01


@pytest.mark.parametrize(("kind", "limit"), [("ks", 0.1), ("psi", 0.2)])
def test_one_weekday_that_has_moved_is_named(kind: str, limit: float) -> None:
    total, known = counted(days=True, shift=4.0)
    [found] = compare([total], known, [0] * DAYS)
    place = found.measured.names.index("load")
    limits = Limits(inputs={kind: limit}, outputs={}, significance=CHANCE)
    counts = exceeded(found.measured, place, kind, limits)
    assert [g.subset for g, said in zip(found.groups, counts, strict=True) if said] == [
        "weekday=d0"
    ]


def test_an_error_that_is_estimated_makes_a_students_deviate() -> None:
    p_values = np.array([[0.5, 1e-3, 1e-12, np.nan, 1.0]])
    found = Measured(
        names=tuple("abcde"), **dict.fromkeys(set(Measured.__annotations__) - {"names"}, p_values)
    )
    freedom = np.array([[7.0, 7.0, np.inf, 7.0, 3.0]])
    wide = studentised(found, freedom)
    expected = 2.0 * stats.t.sf(stats.norm.isf(p_values / 2.0), freedom)
    for kind in set(P_VALUES.values()):
        np.testing.assert_allclose(getattr(wide, kind), expected, rtol=1e-6)
    assert wide.ks is found.ks
