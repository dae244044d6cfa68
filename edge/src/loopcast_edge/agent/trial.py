"""The verdict on a package on trial, from its health and from errors that have come true."""

from __future__ import annotations

from typing import NamedTuple, Optional

from loopcast_edge.agent.tally import Tally, mean_absolute
from loopcast_edge.wire import Errors, Paired, Trial


class Verdict(NamedTuple):
    """Whether a package is kept, and why not."""

    good: bool
    reason: str = ""


def judge(
    trial: Trial,
    healthy_s: float,
    tally: Tally,
    beside: Optional[Paired],
    *,
    alone: bool = False,
) -> Optional[Verdict]:
    """Return the verdict, or ``None`` as long as it is open.

    A package is returned from as soon as it breaks a limit on enough predictions, and kept when its
    time is over and it has made enough predictions, of which enough have an outcome.

    Without a package before, to go back for answers that were not given would leave the device with
    none at all, and what was missing may have been the measurements: the trial stays open then.

    Parameters
    ----------
    trial
        Of its manifest.
    healthy_s
        Seconds since the switch, by a clock that does not step.
    beside
        Its errors beside those of the package before, on the same predictions.
    alone
        Whether there is no package before.

    Examples
    --------
    >>> tally = Tally()
    >>> judge(Trial(seconds=60, predictions=1), 61.0, tally, None)
    >>> tally.answered(True, latency_us=100)
    >>> judge(Trial(seconds=60, predictions=1), 61.0, tally, None)
    Verdict(good=True, reason='')
    """
    unhealthy = _unhealthy(trial, tally)
    reason = ("" if alone else unhealthy) or _too_wrong(trial, tally.errors, beside)
    if reason:
        return Verdict(False, reason)
    enough = (
        not unhealthy
        and tally.predictions >= trial.predictions
        and tally.errors.n >= trial.outcomes
    )
    return Verdict(True) if enough and healthy_s >= trial.seconds else None


def _unhealthy(trial: Trial, tally: Tally) -> str:
    if tally.predictions < max(trial.predictions, 1):
        return ""
    share = tally.fallbacks / tally.predictions
    if share <= trial.fallback_share:
        return ""
    return f"it did not answer {share:.0%} of {tally.predictions} times"


def _too_wrong(trial: Trial, errors: Errors, beside: Optional[Paired]) -> str:
    """Compare realised errors with the limits, once there are enough outcomes."""
    own = mean_absolute(errors)
    if not trial.outcomes or errors.n < trial.outcomes or own is None:
        return ""
    if trial.error_limit is not None and own > trial.error_limit:
        return f"its mean absolute error is {own:.4g}, above {trial.error_limit:.4g}"
    if trial.error_ratio is None or beside is None or beside.mine.n < trial.outcomes:
        return ""
    mine, others = beside.mine.absolute, beside.others.absolute
    if mine <= trial.error_ratio * others:
        return ""
    n = beside.mine.n
    return (
        f"its mean absolute error is {mine / n:.4g}, and that of the package before "
        f"{others / n:.4g} on the same {n} predictions; at most {trial.error_ratio:g} times is kept"
    )
