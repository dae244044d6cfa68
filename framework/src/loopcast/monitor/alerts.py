"""The alerts that are open: found once, delivered once, quiet while nothing changes.

An alert is a JSON file named by what it is about. Whoever creates it first raises it; finding it
again only notes when. It closes when it is looked for and not found any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC
from typing import get_args

import msgspec

from loopcast.api import Alert, IntegrityError, NotFoundError, Severity
from loopcast.api.record import require_person
from loopcast.store.files import open_folder

_RANK = {severity: rank for rank, severity in enumerate(get_args(Severity))}


class AlertBook:
    """The alerts of every logical model.

    Parameters
    ----------
    url
        A folder, or a URL that fsspec knows.
    """

    def __init__(self, url: str) -> None:
        self._folder = open_folder(url)

    def update(
        self, logical_model: str, segment: str, kinds: Collection[str], found: Sequence[Alert]
    ) -> tuple[Alert, ...]:
        """Raise what is new of a segment, note what is still there, and close what is not."""
        return self.update_all(logical_model, {segment}, kinds, found)

    def update_all(
        self,
        logical_model: str,
        segments: Collection[str],
        kinds: Collection[str],
        found: Sequence[Alert],
    ) -> tuple[Alert, ...]:
        """Do the same for many segments at once.

        Parameters
        ----------
        segments
            Those that were looked at: open alerts of others stay as they are.
        kinds
            What was looked for: open alerts of other kinds stay as they are.

        Returns
        -------
        tuple of Alert
            Those that are to be delivered: new, more severe than before, or not delivered yet.
        """
        for alert in found:
            self._note(alert)
        ids = {alert.id for alert in found}
        for alert in self.open(logical_model):
            if alert.segment in segments and alert.kind in kinds and alert.id not in ids:
                self._close(alert)
        return tuple(a for a in self.open(logical_model) if a.id in ids and not a.acknowledged_by)

    def open(self, logical_model: str) -> tuple[Alert, ...]:
        """Return the open alerts, the most severe first, then the oldest."""
        folder = f"logical_model={logical_model}/open"
        alerts = [a for name in self._folder.names(folder) for a in self._read(f"{folder}/{name}")]
        return tuple(sorted(alerts, key=lambda a: (-_RANK[a.severity], a.raised, a.id)))

    def acknowledge(self, logical_model: str, prefix: str, by: str) -> Alert:
        """Note that somebody knows of an open alert, given by its id or the beginning of it.

        Raises
        ------
        NotFoundError
            When none or several begin like this.
        InvalidRecordError
            When the name of who knows has control characters.
        """
        require_person(by)
        matching = [a for a in self.open(logical_model) if a.id.startswith(prefix)]
        if len(matching) != 1:
            known = ", ".join(a.id for a in self.open(logical_model)) or "none"
            raise NotFoundError(
                f"{len(matching)} open alerts of {logical_model} begin with {prefix!r}; "
                f"there are: {known}"
            )
        acknowledged = msgspec.structs.replace(matching[0], acknowledged_by=by)
        self._write(acknowledged)
        return acknowledged

    def delivered(self, alert: Alert, channel: str) -> Alert:
        """Note that a channel has taken an alert, and return the alert with the note."""
        noted = msgspec.structs.replace(alert, delivered=(*alert.delivered, channel))
        self._write(noted)
        return noted

    def _note(self, alert: Alert) -> None:
        if self._folder.create(_name(alert), msgspec.json.encode(alert)):
            return
        for before in self._read(_name(alert)):
            worse = _RANK[alert.severity] > _RANK[before.severity]
            self._write(
                msgspec.structs.replace(
                    alert,
                    raised=before.raised,
                    acknowledged_by="" if worse else before.acknowledged_by,
                    delivered=() if worse else before.delivered,
                )
            )

    def _close(self, alert: Alert) -> None:
        stamp = alert.raised.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        name = f"logical_model={alert.logical_model}/closed/{stamp}-{alert.id}.json"
        self._folder.write_all({name: msgspec.json.encode(alert)})
        self._folder.remove([_name(alert)])

    def _write(self, alert: Alert) -> None:
        self._folder.write_all({_name(alert): msgspec.json.encode(alert)})

    def _read(self, name: str) -> Iterator[Alert]:
        """Yield the alert in a file; none where another process has closed it meanwhile."""
        try:
            yield msgspec.json.decode(self._folder.read(name), type=Alert)
        except NotFoundError:
            return
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            path = self._folder.path(name)
            raise IntegrityError(f"{path} is no alert: {error}; remove the file") from None


def _name(alert: Alert) -> str:
    return f"logical_model={alert.logical_model}/open/{alert.id}.json"
