"""What an experiment has come to: counts while it is sealed, effects with intervals after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np

from loopcast.api import Direction, Experiment, VersionId
from loopcast.develop.compare import Difference, Verdict, verdict
from loopcast.develop.inference import Estimate


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an experiment has come; it says nothing about which arm is better.

    Attributes
    ----------
    enrolled, known
        Entities (pairs of a shadow) of each arm, and those of them whose outcome is known.
    needed
        How many known ones each arm needs; ``None`` for a bandit.
    mismatch
        The p-value of an equal division; ``None`` where none is meant to be.
    crossed
        Entities that another arm has served as well.
    interrupted
        Why the arms are not served as declared; empty where they are.
    """

    state: str
    begun: datetime | None
    ended: datetime | None
    planned: datetime | None
    enrolled: Mapping[VersionId, int]
    known: Mapping[VersionId, int]
    needed: int | None
    mismatch: float | None = None
    crossed: int = 0
    interrupted: str = ""

    @property
    def complete(self) -> bool:
        """Whether every arm has as many outcomes as it needs."""
        needed = self.needed
        return needed is not None and all(count >= needed for count in self.known.values())


@dataclass(frozen=True, kw_only=True)
class ArmResult:
    """The metric of one arm, with its 95 % interval."""

    version: VersionId
    count: int
    value: float | None
    low: float | None
    high: float | None


def arm_result(version: VersionId, found: Estimate, count: int) -> ArmResult:
    """Return what was estimated of an arm from so many entities."""
    known = bool(np.isfinite(found.value))
    low, high = (found.interval(0.95) if known else None) or (None, None)
    value = found.value if known else None
    return ArmResult(version=version, count=count, value=value, low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """An arm against the champion; the difference is the arm's value minus the champion's.

    Attributes
    ----------
    low, high
        Interval with the confidence of the experiment, divided among its comparisons.
    verdict
        Of the metric: ``better`` or ``worse`` where the interval excludes zero, ``same`` where
        it lies within the minimum effect, else ``undecided``. Of a guardrail: ``worse`` where
        the whole interval lies beyond what is tolerated.
    """

    version: VersionId
    metric: str
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Look:
    """The difference of an arm from the champion by the outcomes of entities until a moment."""

    time: datetime
    count: int
    difference: float | None
    low: float | None
    high: float | None


Validity = Literal["fixed", "always", "adaptive", "none"]

VALIDITY: Mapping[Validity, str] = {
    "fixed": "The declared sample is complete; the intervals hold for this one look.",
    "always": "The intervals hold whenever and as often as they are looked at.",
    "adaptive": "The arms were served the more the better they seemed; the intervals hold roughly.",
    "none": "It was stopped early: the intervals do not account for when it was stopped.",
}
"""What intervals are worth, for people."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of an experiment.

    Attributes
    ----------
    arms
        The champion first.
    contrasts, guardrails
        Of each other arm, and of each guardrail of it.
    course
        How the difference developed, by version.
    others
        Other metrics of each shadow, which decide nothing.
    validity
        ``fixed``: the declared sample is complete, and was looked at once. ``always``: the
        intervals hold at any time. ``adaptive``: a bandit's, which served the more what seemed the
        better; they hold roughly. ``none``: it was stopped early, and its end was no part of the
        declaration.
    winner
        The arm to release, or ``None``.
    doubts
        What forbids to trust it.
    notes
        What else there is to know.
    """

    experiment: Experiment
    progress: Progress
    arms: tuple[ArmResult, ...]
    contrasts: tuple[Contrast, ...]
    validity: Validity
    winner: VersionId | None
    guardrails: tuple[Contrast, ...] = ()
    course: Mapping[VersionId, tuple[Look, ...]] = field(default_factory=dict)
    others: Mapping[VersionId, tuple[Difference, ...]] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The result in a sentence, for the log and for people."""
        if self.doubts:
            return f"no arm is to be released: {self.doubts[0]}"
        if self.winner is None:
            said = "; ".join(_said(found, self.guardrails) for found in self.contrasts)
            return f"no arm is to be released: {said}"
        won = next(c for c in self.contrasts if c.version == self.winner)
        return f"{self.winner} is to be released: {_said(won, self.guardrails)}"


def _said(contrast: Contrast, guardrails: tuple[Contrast, ...]) -> str:
    if contrast.difference is None or contrast.low is None or contrast.high is None:
        return f"{contrast.version} cannot be told from the champion yet"
    names = [g.metric for g in guardrails if g.version == contrast.version and g.verdict == "worse"]
    broken = f", but breaks the guardrail {', '.join(names)}" if names else ""
    return (
        f"{contrast.metric} of {contrast.version} differs from the champion's by "
        f"{contrast.difference:+.4g} ({contrast.low:+.4g} to {contrast.high:+.4g}), "
        f"{contrast.verdict}{broken}"
    )


def judge(
    interval: tuple[float, float] | None, minimum_effect: float, direction: Direction
) -> Verdict:
    """Say what the interval of a difference means for a release.

    Examples
    --------
    >>> judge((0.01, 0.03), 0.02, "higher"), judge((0.01, 0.03), 0.02, "lower")
    ('better', 'worse')
    >>> judge((-0.01, 0.01), 0.02, "higher"), judge((-0.01, 0.03), 0.02, "higher")
    ('same', 'undecided')
    """
    found = verdict(interval, 0.0, direction)
    return verdict(interval, minimum_effect, direction) if found == "undecided" else found


def winner_of(
    contrasts: tuple[Contrast, ...], guardrails: tuple[Contrast, ...], direction: Direction
) -> VersionId | None:
    """Return the best of the arms that are better and break no guardrail."""
    broken = {found.version for found in guardrails if found.verdict == "worse"}
    better = [c for c in contrasts if c.verdict == "better" and c.version not in broken]
    sign = 1.0 if direction == "higher" else -1.0
    best = max(better, key=lambda c: sign * (c.difference or 0.0), default=None)
    return best.version if best else None
