"""Whether a version may follow the champion: judged on the same rows, by the KPI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loopcast.api import VersionId
from loopcast.develop.compare import compare
from loopcast.develop.judged import CHAMPION
from loopcast.validate.performance import Variation, measure_variation
from loopcast.validate.results import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loopcast.api import Evaluation, GateResult, Judged
    from loopcast.develop.course import Course

LIMITS = Variation()
"""How far the predictions of a version that is released unasked may be from the champion's."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a version may follow the champion, and why.

    Attributes
    ----------
    champion
        Whom it would follow; ``None`` where nobody serves.
    better
        Whether it may without being asked for.
    improved
        Whether its KPI is better; a person may have to decide all the same.
    doubtful
        Whether only a person can decide, whatever the KPI says.
    """

    champion: VersionId | None
    reason: str
    better: bool = False
    improved: bool = False
    doubtful: bool = False

    @property
    def worth(self) -> bool:
        """Whether the version is worth having: it may follow, or a person may want it to."""
        return self.better or self.improved or self.doubtful


def failures(gates: Iterable[GateResult]) -> str:
    """Say which gates of its training a version failed; empty where it passed them."""
    return "; ".join(
        f"{gate.gate}: expected {gate.expectation}, measured {gate.measured}"
        for gate in gates
        if not gate.passed
    )


def kpi_of_champion(evaluations: Iterable[Evaluation], metric: str) -> float | None:
    """Return the KPI of the champion that was judged beside a version, where one was."""
    beside = (e for e in evaluations if e.contender.startswith(CHAMPION))
    champion = next(beside, None)
    return champion.value(metric) if champion else None


def verdict_beside(
    rival: Judged, champion: VersionId, course: Course[Any], floor: str = ""
) -> Verdict:
    """Compare a version with the champion, row by row.

    Parameters
    ----------
    rival
        The outcomes of the champion and of the version, in this order.
    floor
        A baseline that the version is as good as, and that is better than the champion, which
        would not be released today, and holds off nothing that would.
    """
    kpi = course.logical_model.kpi
    first, second = rival.outcomes
    [found, *_] = compare(rival, first, second, [course.deciding], kpi, by=())
    reason = (
        f"{kpi.metric} {shown(found.second)} against {shown(found.first)} of champion "
        f"{champion}: {found.verdict}"
    )
    if floor:
        told = f"{reason}, but {floor} is better than that champion"
        return Verdict(champion=champion, reason=told, better=True)
    if found.verdict != "better":
        return Verdict(champion=champion, reason=reason)
    tests = measure_variation(rival, course.logical_model.task, LIMITS)
    far = [test for test in tests if not test.passed]
    if far:
        told = "; ".join(f"{t.expectation}, measured {t.measured}" for t in far)
        reason = f"{reason}; a person has to decide, since {told}"
        return Verdict(champion=champion, reason=reason, improved=True)
    return Verdict(champion=champion, reason=reason, better=True)


def not_judged(champion: VersionId, why: object) -> Verdict:
    """Say that the champion could not be judged on the new data."""
    reason = f"champion {champion} could not be judged on the new data: {why}"
    return Verdict(champion=champion, reason=reason, doubtful=True)


def chosen(champion: VersionId, label: str) -> Verdict:
    """Say that a person chose the champion, an alternative, which nothing replaces unasked."""
    reason = f"a person chose champion {champion}, an alternative ({label})"
    return Verdict(champion=champion, reason=reason, doubtful=True)


def released_since(champion: VersionId) -> Verdict:
    """Say that another champion serves by now than the one beside whom a version was judged."""
    reason = f"champion {champion} was released since, and it was not judged beside that"
    return Verdict(champion=champion, reason=reason, doubtful=True)
