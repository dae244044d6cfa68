"""Gate on fairness: no subpopulation is served much worse than the others, for certain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import isfinite
from typing import TYPE_CHECKING, Annotated

import msgspec

from loopcast.api import (
    GateDefinition,
    GateResult,
    Hyperparameters,
    ScoreOutcome,
    ScoreSchema,
    Share,
    Subject,
)
from loopcast.validate.results import between, say, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Groups = dict[str, NDArray[np.intp]]


class Fairness(Hyperparameters, frozen=True):
    """What differences between subpopulations are allowed.

    A test fails where its whole interval lies beyond the limit; a group of few rows has a wide
    interval.

    Attributes
    ----------
    attributes
        By which subpopulations are told apart; the schema's protected ones of a score, else all
        that rows were judged by, where empty.
    crossed
        Whether scores are also compared between the groups of each pair of attributes.
    ratio
        Smallest ratio of a group's share of favourable scores to that of the group with the
        largest: four fifths.
    cutoff
        Of the decisions; the logical model's, or one half, where ``None``.
    worse_by
        How much worse the KPI of a group may be than that of all others, relative to theirs.
    minimum_rows
        Groups with fewer rows are not tested.
    most_groups
        Attributes that tell more groups apart, as thousands of series do, are not tested.

    Notes
    -----
    Source of the four-fifths rule: US Equal Employment Opportunity Commission (1978), Uniform
    Guidelines on Employee Selection Procedures, section 4 D.
    """

    attributes: tuple[str, ...] = ()
    crossed: bool = True
    ratio: Share = 0.8
    cutoff: Share | None = None
    worse_by: Annotated[float, msgspec.Meta(ge=0.0)] = 0.5
    minimum_rows: Annotated[int, msgspec.Meta(ge=2)] = 30
    most_groups: Annotated[int, msgspec.Meta(ge=2)] = 50
    confidence: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.95


def check_fairness(subject: Subject, options: Fairness) -> Iterator[GateResult]:
    """Compare the groups of each attribute."""
    result = say("fairness")
    attributes = options.attributes or _attributes(subject)
    if not attributes:
        yield result("", True, "no group is served worse", "no attribute is declared as protected")
    for attribute in attributes:
        if attribute not in subject.judged.attributes:
            known = ", ".join(subject.judged.attributes) or "none"
            yield result(
                attribute, False, f"rows judged by {attribute}", f"they were judged by: {known}"
            )
            continue
        groups = _groups(subject, attribute, options.minimum_rows)
        reason = _untested(groups, options)
        if reason:
            yield result(attribute, True, f"no group of {attribute} is served worse", reason)
            continue
        if subject.logical_model.task == "score":
            yield from _four_fifths(subject, attribute, groups, options)
        yield from _kpi_by_group(subject, attribute, groups, options)
    if options.crossed and subject.logical_model.task == "score":
        yield from _crossed(subject, attributes, options)


def _crossed(
    subject: Subject, attributes: tuple[str, ...], options: Fairness
) -> Iterator[GateResult]:
    """Compare the groups of each pair of attributes that rows were judged by."""
    from loopcast.develop.fairness.groups import CROSS, groups_of

    judged_by = [name for name in attributes if name in subject.judged.attributes]
    for pair in combinations(judged_by, 2):
        found = groups_of(subject.judged, pair)
        groups = {n: rows for n, rows in found.items() if len(rows) >= options.minimum_rows}
        if not _untested(groups, options):
            yield from _four_fifths(subject, CROSS.join(pair), groups, options)


def _attributes(subject: Subject) -> tuple[str, ...]:
    schema = subject.logical_model.schema
    if isinstance(schema, ScoreSchema):
        return tuple(name for name, feature in schema.features.items() if feature.protected)
    return tuple(subject.judged.attributes)


def _groups(subject: Subject, attribute: str, minimum_rows: int) -> Groups:
    prefix = f"{attribute}="
    return {
        name.removeprefix(prefix): rows
        for name, rows in subject.judged.subsets((attribute,))
        if name and len(rows) >= minimum_rows
    }


def _untested(groups: Groups, options: Fairness) -> str:
    """Say why groups are not tested; the empty string where they are."""
    if len(groups) < 2:
        return f"fewer than two groups of at least {options.minimum_rows} rows"
    if len(groups) > options.most_groups:
        return f"not tested: {len(groups)} groups, more than most_groups {options.most_groups}"
    return ""


def _four_fifths(
    subject: Subject, attribute: str, groups: Groups, options: Fairness
) -> Iterator[GateResult]:
    from loopcast.develop.decision import decision_for
    from loopcast.develop.fairness.measures import Plan, decided, fairness_of

    outcome = subject.judged.outcomes[subject.label]
    assert isinstance(outcome, ScoreOutcome)
    decision = decision_for(subject.logical_model, options.cutoff)
    plan = Plan(confidence=options.confidence, fewest=options.minimum_rows)
    found = fairness_of(attribute, groups, decided(subject.judged, outcome, decision), plan)
    if _undecided(subject, options, [one.granted.value for one in found.groups]):
        yield say("fairness")(
            f"{attribute}: favourable scores",
            False,
            "a cut-off that somebody chose: logical_model.decision, or cutoff of the gate",
            f"nobody chose one, and at {decision.cutoff:g} nothing is decided: all scores are on "
            "the same side",
        )
        return
    shares = {one.group: one.granted.value for one in found.groups}
    for one in found.groups:
        if not isfinite(one.ratio.value):
            continue
        yield say("fairness")(
            f"{attribute}={one.group}: favourable scores",
            one.ratio.high >= options.ratio,
            f"at least {options.ratio:g} times as many as {attribute}={found.best}",
            f"{shares[one.group]:.1%} against {shares[found.best]:.1%}, ratio "
            f"{shown(one.ratio.value)}, {between(one.ratio.low, one.ratio.high)}",
        )


def _undecided(subject: Subject, options: Fairness, granted: Sequence[float]) -> bool:
    """Tell whether a cut-off that nobody chose divides nobody, so that all look served alike."""
    chosen = options.cutoff is not None or subject.logical_model.decision.threshold is not None
    return not chosen and (min(granted) == 1.0 or max(granted) == 0.0)


def _kpi_by_group(
    subject: Subject, attribute: str, groups: Groups, options: Fairness
) -> Iterator[GateResult]:
    import numpy as np

    from loopcast.develop.groups import difference_of_groups

    kpi, judged = subject.logical_model.kpi, subject.judged
    sign = 1.0 if kpi.direction == "lower" else -1.0
    for name, rows in groups.items():
        others = np.concatenate([group for other, group in groups.items() if other != name])
        found = difference_of_groups(
            judged, subject.label, subject.metrics[kpi.metric], rows, others
        )
        interval = found.difference.interval(options.confidence)
        allowed = options.worse_by * abs(found.second)
        # Undefined for a group, as an AUC where only one outcome occurred, tells nothing, and
        # neither does one without an interval, as where it occurred once.
        fair = interval is None or min(sign * end for end in interval) <= allowed
        yield say("fairness")(
            f"{attribute}={name}: {kpi.metric}",
            fair,
            f"{kpi.metric} at most {options.worse_by:.0%} worse than of all others",
            f"{shown(found.first)} against {shown(found.second)}, "
            f"{between(*(interval or (None, None)))} of the difference",
        )


GATES: Sequence[GateDefinition] = (
    GateDefinition(
        name="fairness",
        title="no subpopulation is served much worse than the others",
        options=Fairness,
        run=check_fairness,
    ),
)
