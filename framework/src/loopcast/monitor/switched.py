"""How many segments were frozen or switched off: what those who are served think, in one number."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from loopcast.monitor.signals import Subject

if TYPE_CHECKING:
    from loopcast.api import Alert
    from loopcast.deploy.lookup import Serving

FEWEST = 3
"""So many that were switched may have a common cause."""


def of_switches(
    of: Subject, serving: Collection[Serving], since: datetime, share: float
) -> Iterator[Alert]:
    """Yield an alert where a share of a family's segments left *on* since a moment."""
    settings = [each.setting for each in serving if each.setting and each.switch != "on"]
    new = [setting for setting in settings if setting.since >= since]
    if len(new) < FEWEST or len(new) < share * len(serving):
        return
    off = sum(setting.switch == "off" for setting in new)
    last = max(new, key=lambda setting: setting.since)
    yield of.alert(
        "switches",
        "",
        f"{len(new):,} of {len(serving):,} segments were frozen or switched off since "
        f"{since:%Y-%m-%d}, {off:,} of them off; the last is {last.segment}, {last.circumstances}",
        evidence={
            "share": len(new) / len(serving),
            "frozen": float(len(new) - off),
            "off": float(off),
            "standing": float(len(settings)),
        },
        remedy="ask_a_person",
    )
