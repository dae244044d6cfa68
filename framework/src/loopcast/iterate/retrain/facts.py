"""What is known about the segments of a logical model, in a few questions whatever their number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from loopcast.iterate.retrain.decision import Facts
from loopcast.monitor.alerts import AlertBook

if TYPE_CHECKING:
    from loopcast.api import Alert, LogicalModel, Segment, Version
    from loopcast.iterate.past import Past
    from loopcast.settings.retrain import RetrainSettings
    from loopcast.store.home import Home


def facts_of(
    home: Home, model: LogicalModel, settings: RetrainSettings, now: datetime, past: Past
) -> dict[Segment, Facts]:
    """Return what is known about each segment that was trained, or has a switch.

    Parameters
    ----------
    now
        Outcomes that were observed later are not known.
    """
    trained, champions = _trained(past), past.champions
    switches = home.catalog.switches(model.name)
    alerts = _alerts(home, model.name)
    outcomes = _outcomes(home, model.name, trained, now) if settings.outcomes is not None else {}
    return {
        segment: Facts(
            segment=segment,
            trained=trained.get(segment),
            champion=champions[segment].id if segment in champions else None,
            switch=switches.get(segment),
            alerts=_of(alerts.get(segment, []), champions.get(segment)),
            outcomes=outcomes.get(segment, 0),
            truth_delay=timedelta(days=model.truth_delay_days),
        )
        for segment in trained.keys() | switches.keys()
    }


def _trained(past: Past) -> dict[Segment, datetime]:
    """Return when each segment was last trained, whether a version came of it or not."""
    made = {segment: version.created for segment, version in past.newest.items()}
    tried = {segment: attempt.at for segment, attempt in past.attempts.items()}
    return {
        segment: max(moments[segment] for moments in (made, tried) if segment in moments)
        for segment in made.keys() | tried.keys()
    }


def _alerts(home: Home, name: str) -> Mapping[Segment, list[Alert]]:
    found: dict[Segment, list[Alert]] = defaultdict(list)
    for alert in AlertBook(f"{home.folder}/alerts").open(name):
        found[alert.segment].append(alert)
    return found


def _of(alerts: list[Alert], champion: Version | None) -> tuple[Alert, ...]:
    """Leave out alerts about versions that serve no more."""
    return tuple(a for a in alerts if a.version is None or (champion and a.version == champion.id))


def _outcomes(
    home: Home, name: str, trained: Mapping[Segment, datetime], now: datetime
) -> dict[Segment, int]:
    """Count the outcomes that became known after the last training, by segment."""
    import pandas as pd

    known = home.truth.latest(name).select(["segment", "observed"]).to_pandas()
    last = known["segment"].map(pd.Series(dict(trained), dtype="O"))
    since = pd.to_datetime(last, utc=True)
    new = (known["observed"] > since) & (known["observed"] <= pd.Timestamp(now))
    return {str(s): int(n) for s, n in known.loc[new, "segment"].value_counts().items()}
