"""The list of an entity, as whoever shows it gets it."""

from __future__ import annotations

import msgspec

from loopcast.api import Segment


class Suggestion(msgspec.Struct, frozen=True):
    """The list of an entity.

    Attributes
    ----------
    id
        Of this recommendation: what is heard of it later comes with its id.
    personal
        Whether the list was made for this entity; it is the segment's for newcomers otherwise.
    action, reason
        What was done, as the event log has it: ``served``, ``flagged``, ``refused``, ….
    items, scores
        The best first; empty where nothing is recommended. What a rule has pinned has the score
        NaN, and the place that the rule says.
    """

    id: str
    segment: Segment
    entity: str
    personal: bool
    version: str
    action: str
    reason: str
    items: tuple[str, ...]
    scores: tuple[float, ...]
