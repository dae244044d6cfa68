"""What a batch of segments was answered, as tables that are ready to be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from loopcast.api import RankSchema, Segment
from loopcast.serve.answer_events import batch_events
from loopcast.serve.answer_files import answer_table, ruled_table
from loopcast.serve.list_file import Entries, entries
from loopcast.serve.overview import Overview, overview
from loopcast.serve.treatment import work_list

if TYPE_CHECKING:
    import pyarrow as pa

    from loopcast.api import LogicalModel
    from loopcast.serve.answers import SegmentAnswers


@dataclass(frozen=True, kw_only=True)
class Answered:
    """How many rows of a segment were answered, by which versions, or why none was.

    Attributes
    ----------
    about
        What its task says of the answers.
    """

    segment: Segment
    rows: int = 0
    versions: tuple[str, ...] = ()
    reason: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class AnsweredBatch:
    """What the segments of a batch were answered, as one; it travels between processes.

    Attributes
    ----------
    segments
        What the summary says of each.
    table
        For people and systems; ``None`` where no segment was answered.
    for_people
        Rows of it that a person has to decide on.
    ruled
        What rules did to lists.
    events
        For the event log.
    lists
        Of a ranking, for look-up.
    seen
        For the page.
    """

    segments: Sequence[Answered]
    table: pa.Table | None = None
    for_people: pa.Table | None = None
    ruled: pa.Table | None = None
    events: pa.Table | None = None
    lists: Entries | None = None
    seen: Overview | None = None


def answered_batch(
    batch: Sequence[SegmentAnswers], model: LogicalModel, made: datetime
) -> AnsweredBatch:
    """Put together what segments were answered, those without answers too."""
    segments = tuple(map(_answered, batch))
    lists = entries(batch, made) if isinstance(model.schema, RankSchema) else None
    table = answer_table(batch)
    if table is None:
        return AnsweredBatch(segments=segments, lists=lists)
    return AnsweredBatch(
        segments=segments,
        table=table,
        for_people=work_list(table),
        ruled=ruled_table(batch),
        events=batch_events(batch, model.name, made),
        lists=lists,
        seen=overview(table, model) if table.num_rows else None,
    )


def _answered(item: SegmentAnswers) -> Answered:
    if item.answers is None:
        return Answered(segment=item.segment, reason=item.reason)
    return Answered(
        segment=item.segment,
        rows=len(item.answers.key),
        versions=tuple(sorted(set(item.answers.version.tolist()))),
        about={**item.answers.about, **_heard(item)},
    )


def _heard(item: SegmentAnswers) -> dict[str, Any]:
    """Return how many rows each shadow answered, or why it did not; nothing without shadows."""
    said = {version: len(own.key) for version, own in item.heard.answers.items()}
    return {"shadows": {**said, **item.heard.silent}} if said or item.heard.silent else {}
