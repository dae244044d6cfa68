"""Gates on how well a version did: thresholds, baselines, the champion, recent rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from loopcast.api import GateDefinition, GateResult, Hyperparameters, Name, ScoreOutcome, Subject
from loopcast.validate.results import between, say, shown

if TYPE_CHECKING:
    from loopcast.api import Judged, MetricDefinition, Task
    from loopcast.develop.compare import Difference

OpenShare = Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)]
Amount = Annotated[float, msgspec.Meta(ge=0.0)]
Need = Literal["better", "not_worse"]

BASE_RATE = "the base rate"
"""The baseline of a score for which none is configured: the share of events, for every row."""


class Thresholds(Hyperparameters, frozen=True):
    """Limits of metrics.

    Attributes
    ----------
    at_most, at_least
        By metric.
    by
        Attributes each of whose subpopulations has to keep the limits too.
    """

    at_most: dict[Name, float] = {}
    at_least: dict[Name, float] = {}
    by: tuple[str, ...] = ()


class AgainstBaselines(Hyperparameters, frozen=True):
    """``better`` asks that the whole interval of the difference lies beyond the minimum effect."""

    need: Need = "better"
    confidence: OpenShare = 0.95


class AgainstChampion(Hyperparameters, frozen=True):
    """``not_worse`` fails where the version is worse for certain."""

    need: Need = "not_worse"
    confidence: OpenShare = 0.95


class Variation(Hyperparameters, frozen=True):
    """How far predictions may be from the champion's, row by row.

    A forecast's distance is relative to its size, a score's is between probabilities, a list's
    is the share of places with an item of its own.

    Attributes
    ----------
    median, p95
        Limits of the median and of the 95th percentile; by task where ``None``.
    """

    median: Amount | None = None
    p95: Amount | None = None


def _kpi(subject: Subject) -> MetricDefinition:
    return subject.metrics[subject.logical_model.kpi.metric]


def _difference(
    subject: Subject, judged: Judged, first: str, second: str, confidence: float
) -> Difference:
    from loopcast.develop.compare import compare

    kpi = subject.logical_model.kpi
    return compare(judged, first, second, [_kpi(subject)], kpi, by=(), confidence=confidence)[0]


def check_thresholds(subject: Subject, options: Thresholds) -> Iterator[GateResult]:
    """Measure each metric that has a limit."""
    from loopcast.develop.metrics import measure

    result = say("metrics")
    limits = [("at most", *item) for item in options.at_most.items()]
    limits += [("at least", *item) for item in options.at_least.items()]
    if not limits:
        yield result("", False, "a threshold for at least one metric", "the policy sets none")
    subsets = dict(subject.judged.subsets(options.by))
    for word, name, limit in limits:
        outcome = subject.judged.outcomes[subject.label]
        for found in measure(outcome, subject.metrics[name], subsets):
            kept = found.value is not None and (
                found.value <= limit if word == "at most" else found.value >= limit
            )
            test = f"{name} of {found.subset}" if found.subset else name
            yield result(test, kept, f"{name} {word} {limit:g}", f"{name} {shown(found.value)}")


def check_baselines(subject: Subject, options: AgainstBaselines) -> Iterator[GateResult]:
    """Compare the version with each baseline, row by row; a score without any with a constant."""
    from loopcast.develop.judged import CHAMPION

    others = list(subject.judged.outcomes)[1:]
    baselines = [label for label in others if not label.startswith(CHAMPION)]
    own = subject.judged.outcomes[subject.label]
    if not baselines and isinstance(own, ScoreOutcome):
        yield _against_base_rate(subject, own, options.confidence)
    elif not baselines:
        yield say("baselines")(
            "", True, "better than every baseline", "the logical model has no baseline"
        )
    for label in baselines:
        found = _difference(subject, subject.judged, label, subject.label, options.confidence)
        yield say("baselines")(label, *_judgement(subject, found, label, options.need))


def _against_base_rate(subject: Subject, own: ScoreOutcome, confidence: float) -> GateResult:
    """Ask that a score is better for certain than the constant that fits the judged rows best.

    One that knows nothing is as good or as bad as that by chance, so that "not worse" says nothing.
    """
    import numpy as np

    rate = np.full(len(own.actual), np.average(own.actual, weights=own.weight))
    constant = replace(own, probability=rate, sets=None)
    judged = replace(subject.judged, outcomes={BASE_RATE: constant, subject.label: own})
    found = _difference(subject, judged, BASE_RATE, subject.label, confidence)
    result = partial(say("baselines"), BASE_RATE)
    if found.first is None and found.second is not None:
        metric = subject.logical_model.kpi.metric
        return result(True, f"{metric} better than {BASE_RATE}'s", f"a constant has no {metric}")
    return result(*_judgement(subject, found, BASE_RATE, "better"))


def check_champion(subject: Subject, options: AgainstChampion) -> Iterator[GateResult]:
    """Compare the version with the champion, row by row."""
    if subject.rival is None:
        yield say("champion")("", True, "not worse than the champion", subject.rival_note)
        return
    champion, own = subject.rival.outcomes
    found = _difference(subject, subject.rival, champion, own, options.confidence)
    yield say("champion")("", *_judgement(subject, found, f"champion {champion}", options.need))


def _judgement(
    subject: Subject, found: Difference, rival: str, need: Need
) -> tuple[bool, str, str]:
    """Return whether the need is met, what was expected, and what was measured."""
    metric = subject.logical_model.kpi.metric
    beyond = f" by more than {found.minimum_effect:g}" if found.minimum_effect else ""
    met = found.verdict == "better" if need == "better" else found.verdict != "worse"
    return (
        met and found.difference is not None,
        f"{metric} {'better' if need == 'better' else 'not worse'} than {rival}'s{beyond}",
        f"{metric} {shown(found.second)} against {shown(found.first)}, difference "
        f"{shown(found.difference)}, {between(found.low, found.high)}: {found.verdict}",
    )


_VARIATION = {"forecast": (0.1, 0.3), "score": (0.05, 0.2), "rank": (0.5, 0.9)}


def check_variation(subject: Subject, options: Variation) -> Iterator[GateResult]:
    """Measure how far predictions are from the champion's."""
    if subject.rival is None:
        told = "predictions close to the champion's"
        yield say("variation")("", True, told, subject.rival_note)
    else:
        yield from measure_variation(subject.rival, subject.logical_model.task, options)


def measure_variation(rival: Judged, task: Task, options: Variation) -> Iterator[GateResult]:
    """Measure how far predictions are from the champion's, on rows that both were judged on.

    Parameters
    ----------
    rival
        The outcomes of the champion and of the version, in this order.
    """
    import numpy as np

    from loopcast.develop.compare import change_of_predictions

    result = say("variation")
    change = change_of_predictions(*rival.outcomes.values())
    defaults = _VARIATION[task]
    for name, share, limit, default in (
        ("median", 0.5, options.median, defaults[0]),
        ("95th percentile", 0.95, options.p95, defaults[1]),
    ):
        most = default if limit is None else limit
        found = float(np.quantile(change, share))
        yield result(
            name,
            found <= most,
            f"{name} of the distance from the champion's predictions at most {most:g}",
            f"{shown(found)} over {len(change):,} rows",
        )


GATES: Sequence[GateDefinition] = (
    GateDefinition(
        name="metrics",
        title="metrics keep their thresholds",
        options=Thresholds,
        run=check_thresholds,
    ),
    GateDefinition(
        name="baselines",
        title="better than every baseline",
        options=AgainstBaselines,
        run=check_baselines,
    ),
    GateDefinition(
        name="champion",
        title="not worse than the champion",
        options=AgainstChampion,
        run=check_champion,
    ),
    GateDefinition(
        name="variation",
        title="predictions close to the champion's",
        options=Variation,
        run=check_variation,
    ),
)
