"""One common cause is one alert: what befalls a large share of a family is told once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from loopcast.api import Alert
from loopcast.monitor.drift import P_VALUES

SHARE = 0.2
FEWEST = 10
"""So large a share of the segments, and so many of them, have a common cause."""

_SEVERITY = {"critical": 0, "warning": 1, "notice": 2}


def gathered(alerts: Sequence[Alert], segments: int) -> tuple[tuple[Alert, ...], tuple[Alert, ...]]:
    """Return an alert of the family for each common cause, and the given ones as parts of these.

    The same kind of alert about the same subject, such as one feature that drifts, has a common
    cause where a fifth of the segments have it, and at least ten. Its parts are evidence that
    the segments keep; only the whole is delivered.

    Parameters
    ----------
    segments
        How many the family has.
    """
    alike = defaultdict[tuple[str, str], list[Alert]](list)
    for alert in alerts:
        alike[alert.kind, alert.subject].append(alert)
    least = max(FEWEST, SHARE * segments)
    common = {key: _whole(own, segments) for key, own in alike.items() if len(own) >= least}
    parts = tuple(
        msgspec.structs.replace(alert, part_of=common[key].id) if key in common else alert
        for alert in alerts
        for key in [(alert.kind, alert.subject)]
    )
    return tuple(common.values()), parts


def _whole(own: Sequence[Alert], segments: int) -> Alert:
    """Return the alert of the family, which names the share and the worst segment."""
    worst = min(own, key=lambda alert: (_SEVERITY[alert.severity], -_size(alert), alert.segment))
    share = len(own) / segments
    return msgspec.structs.replace(
        worst,
        segment="",
        version=None,
        cause=f"{len(own):,} of {segments:,} segments ({share:.0%}), the worst is "
        f"{worst.segment}: {worst.cause}",
        evidence={"segments": float(len(own)), "share": share, "worst": worst.segment},
    )


def _size(alert: Alert) -> float:
    """Return how far beyond its threshold a drift is; of what is silent, how much is usual.

    Of whatever befalls a share of the events, that share.
    """
    numbers = {name: value for name, value in alert.evidence.items() if isinstance(value, float)}
    found = max(
        (numbers[name] for name in (*P_VALUES, "usual", "share") if name in numbers), default=0.0
    )
    return found / numbers.get("threshold", 1.0)
