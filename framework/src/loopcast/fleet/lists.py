"""The lists of devices as `loopcast.serve` writes those of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from loopcast.api import DataError
from loopcast.deploy.export.tflite.list_names import BEST, items_among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopcast_edge.wire import DriftReference, EdgeEvent
    from loopcast_edge.wire.batches import Value

SERVED = ("items", "score")
"""What the outputs of a ranking's events are called: all of a list, and the score of its first."""

SEPARATORS = "\n\x1e"
"""No name of an item has one of these; see `loopcast.serve.rank`."""


def as_served(names: Sequence[str], events: Sequence[EdgeEvent]) -> list[tuple[Value, ...]]:
    """Return the outputs of a ranking's events as `serve` writes them, by the names of `SERVED`.

    Parameters
    ----------
    names
        Of the outputs that devices send: the items and scores of all places.

    Raises
    ------
    DataError
        Where these are no lists, or an item is no text, or none that a list by lines can hold.
    """
    places = [names.index(name) for name in items_among(names)]
    if not places or BEST not in names:
        raise DataError(f"a ranking says items and scores, not {', '.join(names) or 'nothing'}")
    best = names.index(BEST)
    return [
        (_lines(event, [event.outputs[place] for place in places]), event.outputs[best])
        for event in events
    ]


def _lines(event: EdgeEvent, items: Sequence[Value]) -> str | None:
    """Return a list, an item a line: empty if there was nothing to recommend, or missing."""
    texts = [item for item in items if isinstance(item, str)]
    if len(texts) < sum(item is not None for item in items):
        raise DataError(
            f"the list of {event.key!r} holds numbers; a package that is published anew says the "
            "names of items"
        )
    if any(mark in text for text in texts for mark in SEPARATORS):
        raise DataError(f"an item of {event.key!r} has a line break or a record separator in it")
    answered = texts or event.action in ("served", "fallback")
    return "\n".join(texts) if answered else None


def as_named(reference: DriftReference) -> DriftReference:
    """Return the bins of a ranking under the name that its best score has on devices."""
    columns = tuple(
        replace(each, name=f"output.{BEST}") if each.name == "output.score" else each
        for each in reference.columns
    )
    return replace(reference, columns=columns)
