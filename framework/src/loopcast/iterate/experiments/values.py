"""What each arm of a bandit is worth, from impressions that were not divided evenly."""

from __future__ import annotations

import numpy as np

from loopcast.api import Experiment
from loopcast.develop.inference import Estimate
from loopcast.iterate.experiments.impressions import Impressions
from loopcast.iterate.experiments.offpolicy import Value, earned, snips
from loopcast.iterate.experiments.results import ArmResult, Contrast, arm_result, judge


def arm_values(seen: Impressions, item: Experiment) -> tuple[Value, ...]:
    """Return what each arm would earn if it served everyone (:func:`offpolicy.snips`)."""
    return tuple(
        snips(seen.reward, (seen.arm == arm) / seen.propensity, seen.weight)
        for arm in range(len(item.arms))
    )


def arm_results(seen: Impressions, item: Experiment) -> tuple[ArmResult, ...]:
    """Return each arm's value with its interval."""
    return tuple(
        arm_result(version, value.estimate(seen.entity), int((seen.arm == arm).sum()))
        for arm, (version, value) in enumerate(zip(item.arms, arm_values(seen, item), strict=True))
    )


def contrasts(seen: Impressions, item: Experiment) -> tuple[Contrast, ...]:
    """Compare each arm's value with the champion's."""
    champion, *others = arm_values(seen, item)
    confidence = 1.0 - item.significance / len(others)
    return tuple(
        _contrast(version, (value - champion).estimate(seen.entity), item, confidence)
        for version, value in zip(item.arms[1:], others, strict=True)
    )


def uplift(seen: Impressions, item: Experiment) -> str:
    """Say what the bandit has earned beyond what the champion alone would have; often nothing.

    The empty string where too little is known.
    """
    champion = snips(seen.reward, (seen.arm == 0) / seen.propensity, seen.weight)
    served = earned(seen.reward, seen.weight)
    gain = (served - champion).estimate(seen.entity)
    interval = gain.interval(1.0 - item.significance) if np.isfinite(gain.value) else None
    if interval is None:
        return ""
    low, high = interval
    return (
        f"served as it was, an impression had an {item.metric} of {served.value:.4g}, "
        f"{gain.value:+.4g} ({low:+.4g} to {high:+.4g}) beside the champion alone"
    )


def _contrast(version: str, found: Estimate, item: Experiment, confidence: float) -> Contrast:
    known = bool(np.isfinite(found.value))
    interval = found.interval(confidence) if known else None
    low, high = interval or (None, None)
    return Contrast(
        version=version,
        metric=item.metric,
        difference=found.value if known else None,
        low=low,
        high=high,
        p_value=found.p_value() if interval else None,
        verdict=judge(interval, item.minimum_effect, item.direction),
    )
