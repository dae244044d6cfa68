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
from loopcast.serve.overview import overview
from loopcast.serve.treatment import work_list

if TYPE_CHECKING:
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
        What is left of the answers of all.
    """

    segments: Sequence[Answered]
    written: Written


def answered_batch(
    batch: Sequence[SegmentAnswers[Any]], model: LogicalModel, made: datetime, *, table: bool
) -> AnsweredBatch:
    """Put together what segments were answered, those without answers too.

    Parameters
    ----------
    table
        Whether lists are a table, too.
    """
    if isinstance(model.schema, RankSchema):
        written = written_lists(batch, model, made, table=table)
    else:
        written = _written(batch, model, made)
    return AnsweredBatch(segments=tuple(map(_answered, batch)), written=written)


def _written(
    batch: Sequence[SegmentAnswers[Answers]], model: LogicalModel, made: datetime
) -> Written:
    table = answer_table(batch)
    if table is None:
        return Written()
    return Written(
        table=table,
        for_people=work_list(table),
        events=batch_events(batch, model.name, made),
        seen=overview(table, model) if len(table) else None,
    )


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
