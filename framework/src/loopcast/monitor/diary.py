"""When each kind of alert was last looked for, so that a rule of every seven days waits seven."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

import msgspec

from loopcast.api import Alert, IntegrityError, NotFoundError, Segment
from loopcast.monitor.alerts import AlertBook
from loopcast.monitor.plan import Plan
from loopcast.store.files import open_folder

Looked = dict[str, dict[Segment, date]]


class Diary:
    """When what was looked for, by logical model, kind and segment.

    Parameters
    ----------
    url
        The folder of the alerts.
    """

    def __init__(self, url: str) -> None:
        self._folder = open_folder(url)

    def read(self, logical_model: str) -> Looked:
        """Return the last day of each kind and segment.

        Raises
        ------
        IntegrityError
            When the file is damaged.
        """
        name = _name(logical_model)
        try:
            return msgspec.json.decode(self._folder.read(name), type=Looked)
        except NotFoundError:
            return {}
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            path = self._folder.path(name)
            raise IntegrityError(f"{path} is no diary: {error}; remove the file") from None

    def note(
        self, logical_model: str, looked: Mapping[str, Collection[Segment]], day: date
    ) -> None:
        """Note that kinds were looked for in segments."""
        before = self.read(logical_model)
        noted = {kind: before.get(kind, {}) | dict.fromkeys(s, day) for kind, s in looked.items()}
        content = msgspec.json.encode(before | noted)
        self._folder.write_all({_name(logical_model): content})


def _name(logical_model: str) -> str:
    return f"logical_model={logical_model}/looked.json"


def due(
    plan: Plan, segments: Collection[Segment], looked: Looked, day: date
) -> dict[str, set[Segment]]:
    """Return the segments in which each kind of alert is to be looked for on a day."""
    return {
        kind: {
            segment
            for segment in segments
            if (last := looked.get(kind, {}).get(segment)) is None
            or (day - last).days >= rule.every_days
            or rule.every_days == 1
        }
        for kind, rule in plan.rules.items()
    }


def bring_in(
    found: Mapping[Segment, Sequence[Alert]],
    *,
    book: AlertBook,
    diary: Diary,
    plan: Plan,
    logical_model: str,
    day: date,
) -> tuple[Alert, ...]:
    """Bring what was found into the book, where it is due to be looked for.

    Parameters
    ----------
    found
        Alerts of each segment that was looked at.

    Returns
    -------
    tuple of Alert
        Open alerts of these segments that nobody has acknowledged and that are no part of
        another: those to deliver.
    """
    wanted = due(plan, found.keys(), diary.read(logical_model), day)
    for segments in {frozenset(segments) for segments in wanted.values()}:
        kinds = {kind for kind, own in wanted.items() if own == segments}
        alerts = [a for segment in segments for a in found[segment] if a.kind in kinds]
        book.update_all(logical_model, segments, kinds, alerts)
    diary.note(logical_model, wanted, day)
    return tuple(
        alert
        for alert in book.open(logical_model)
        if alert.segment in found and not (alert.acknowledged_by or alert.part_of)
    )
