"""What the lists of a batch of segments are written as: a table, events, and entries to look up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from loopcast.api import RankSchema
from loopcast.deploy.lookup import Part
from loopcast.serve import places
from loopcast.serve.answer_files import Written, ruled_table
from loopcast.serve.folded import Folded
from loopcast.serve.list_file import entries
from loopcast.serve.listed import Listed, joined
from loopcast.serve.lists import Lists, as_texts, taken
from loopcast.serve.overview import Overview, overview
from loopcast.serve.places import Places
from loopcast.serve.shadow import WITHHELD
from loopcast.serve.treatment import work_list
from loopcast.store.event_table import event_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import LogicalModel
    from loopcast.serve.answers import SegmentAnswers
    from loopcast.serve.listed import ListAnswers


def written_lists(
    batch: Sequence[SegmentAnswers[ListAnswers]],
    model: LogicalModel,
    made: datetime,
    *,
    table: bool,
) -> Written:
    """Put the lists of segments together, those of shadows as events only.

    Parameters
    ----------
    table
        Whether they are a table, too.
    """
    assert isinstance(model.schema, RankSchema)
    unanswered = {item.segment: item.reason for item in batch if item.answers is None}
    served = [(item, item.answers) for item in batch if item.answers is not None]
    if not served:
        return Written(lists=entries(None, made, unanswered))
    names = [item.segment for item, _ in served]
    listed = joined([answers.listed for _, answers in served])
    lists = as_texts(listed, names)
    events = _events(
        listed,
        lists,
        [part for item, _ in served if item.serving for part in item.serving.parts],
        latency=[1000.0 * item.seconds / max(answers.rows, 1) for item, answers in served],
        action=lists.action.filter(pa.array(~listed.newcomer)),
        logical_model=model.name,
        time=made,
    )
    heard = _heard_events(batch, logical_model=model.name, time=made)
    waiting = any(listed.said[code].action == "person" for code in np.unique(listed.code))
    rows = _table(listed, names, model.schema) if table or waiting else None
    return Written(
        table=rows if table else None,
        for_people=work_list(rows) if rows and waiting else None,
        events=pa.concat_tables([events, *heard]),
        ruled=ruled_table([(item.segment, answers.ruled) for item, answers in served]),
        lists=entries(lists, made, unanswered),
        seen=_seen(listed, lists, names, model),
    )


def _heard_events(batch: Sequence[SegmentAnswers[ListAnswers]], **common: Any) -> list[pa.Table]:
    """Return the events of shadows, whose lists nobody was shown."""
    heard = [
        (item.segment, version, answers.listed)
        for item in batch
        for version, answers in item.heard.answers.items()
    ]
    if not heard:
        return []
    listed = joined([own for _, _, own in heard])
    lists = as_texts(listed, [segment for segment, _, _ in heard])
    parts = [Part(version=version, role="shadow", share=1.0) for _, version, _ in heard]
    return [_events(listed, lists, parts, latency=[0.0] * len(heard), action=WITHHELD, **common)]


def _events(
    listed: Listed,
    lists: Lists,
    parts: Sequence[Part],
    *,
    latency: Sequence[float],
    action: Any,
    **common: Any,
) -> pa.Table:
    """Return an event for each list but those of newcomers.

    Parameters
    ----------
    parts
        What each of the versions answers as.
    latency
        Of each segment.
    """
    own = ~listed.newcomer
    kept, version = pa.array(own), listed.version[own]
    return event_table(
        key=lists.entity.filter(kept),
        segment=lists.segment.filter(kept),
        version=lists.version.filter(kept),
        role=taken([part.role for part in parts], version),
        propensity=np.array([part.share for part in parts])[version],
        action=action,
        outputs={"items": lists.items.filter(kept), "score": lists.best[own]},
        latency_ms=np.array(latency)[listed.segment[own]],
        **common,
    )


def _seen(
    listed: Listed, lists: Lists, segments: Sequence[str], model: LogicalModel
) -> Overview | None:
    """Look at all lists but those of newcomers."""
    own = ~listed.newcomer
    if not own.any():
        return None
    rows = pa.table({**_told(listed, segments, own), "score": lists.best[own]})
    return overview(rows, model, _recommended(listed.found, own))


def _told(
    listed: Listed, segments: Sequence[str], own: NDArray[np.bool_]
) -> dict[str, pa.DictionaryArray]:
    """Return by codes what is the same for a whole list, of some of them."""
    said = listed.said
    of_list = {
        "version": (listed.versions, listed.version),
        "action": ([each.action for each in said], listed.code),
        "reason": ([each.reason for each in said], listed.code),
        "segment": (segments, listed.segment),
    }
    return {
        column: places.coded(pa.array(names, pa.large_string()), pa.array(codes[own]))
        for column, (names, codes) in of_list.items()
    }


def _recommended(found: Places, own: NDArray[np.bool_]) -> dict[str, int]:
    """Return in how many of some lists each item is."""
    counts = np.bincount(found.item[own[found.row] & (found.item >= 0)], minlength=len(found.names))
    once = found.names.dictionary_encode()  # segments may have the same items
    total = np.bincount(once.indices, weights=counts, minlength=len(once.dictionary)).astype(int)
    named = zip(once.dictionary.to_pylist(), total.tolist(), strict=True)
    return {name: count for name, count in named if count}


def _with_empty(found: Places, lists: int) -> tuple[Places, NDArray[np.intp]]:
    """Return places with one of place 0 for each list that has none, and how many each has."""
    counts = np.bincount(found.row, minlength=lists)
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        none = places.unanswered(empty)
        found = places.joined([found, none.untouched() if found.more else none])
    return found, np.maximum(counts, 1)


def _table(listed: Listed, segments: Sequence[str], schema: RankSchema) -> Folded:
    """Return all lists but those of newcomers, for people and systems: whose, and what was done.

    Of an empty list it tells a place 0 without an item. What is the same for a whole list is told
    once, and texts by codes, until they are written: a place takes a few bytes between processes.
    """
    own = ~listed.newcomer
    found, counts = _with_empty(listed.found, len(own))
    kept = np.repeat(own, counts)
    return Folded(
        shared={
            schema.entity: listed.entity.filter(pa.array(own)).dictionary_encode(),
            **_told(listed, segments, own),
        },
        own={
            "place": pa.array(found.place[kept]),
            schema.item: found.items().filter(pa.array(kept)),
            "score": pa.array(found.score[kept]),
            **{name: column.filter(pa.array(kept)) for name, column in found.more.items()},
        },
        counts=counts[own],
        known=(schema.entity, "place", "version", "action", "segment"),
    )
