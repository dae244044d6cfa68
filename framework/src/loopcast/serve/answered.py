"""What a batch of segments was answered, as tables that are ready to be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from loopcast.api import RankSchema, Segment
from loopcast.serve.answer_events import batch_events
from loopcast.serve.answer_files import Written, answer_table
from loopcast.serve.list_batch import written_lists
from loopcast.serve.overview import Overview, overview
from loopcast.serve.treatment import work_list

if TYPE_CHECKING:
    import pyarrow as pa

    from loopcast.api import LogicalModel
    from loopcast.serve.answers import Answers, SegmentAnswers


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
    written
        The tables of all.
    for_people
        Rows of the answers that a person has to decide on.
    seen
        For the page; ``None`` where no row was answered.
    """

    segments: Sequence[Answered]
    written: Written
    for_people: pa.Table | None = None
    seen: Overview | None = None


def answered_batch(
    batch: Sequence[SegmentAnswers[Any]], model: LogicalModel, made: datetime
) -> AnsweredBatch:
    """Put together what segments were answered, those without answers too."""
    segments = tuple(map(_answered, batch))
    ranks = isinstance(model.schema, RankSchema)
    written = (written_lists if ranks else _written)(batch, model, made)
    if written.table is None:
        return AnsweredBatch(segments=segments, written=written)
    return AnsweredBatch(
        segments=segments,
        written=written,
        for_people=work_list(written.table),
        seen=overview(written.table, model) if len(written.table) else None,
    )


def _written(
    batch: Sequence[SegmentAnswers[Answers]], model: LogicalModel, made: datetime
) -> Written:
    return Written(table=answer_table(batch), events=batch_events(batch, model.name, made))


def _answered(item: SegmentAnswers[Any]) -> Answered:
    if item.answers is None:
        return Answered(segment=item.segment, reason=item.reason)
    return Answered(
        segment=item.segment,
        rows=item.answers.rows,
        versions=item.answers.versions,
        about={**item.answers.about, **_heard(item)},
    )


def _heard(item: SegmentAnswers[Any]) -> dict[str, Any]:
    """Return how many rows each shadow answered, or why it did not; nothing without shadows."""
    said = {version: own.rows for version, own in item.heard.answers.items()}
    return {"shadows": {**said, **item.heard.silent}} if said or item.heard.silent else {}
