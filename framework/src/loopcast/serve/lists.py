"""The lists of segments as texts: whose they are, what is on them, and what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api.rank import run_starts
from loopcast.serve.under_rules import ruled_actions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import Segment
    from loopcast.serve.listed import Listed
    from loopcast.serve.places import Places


@dataclass(frozen=True, eq=False, kw_only=True)
class Lists:
    """A list for each of n entities; a place is one item of one list, and lists follow each other.

    Attributes
    ----------
    segment, entity : StringArray, shape (n,)
        Whose; the last entity of a segment is :data:`~loopcast.serve.lookup.NEWCOMER`.
    items : StringArray, shape (n,)
        All of a list, an item a line; missing where there is no answer.
    counts : ndarray, shape (n,)
        Places of each list.
    scores : ndarray, shape (places,), float32
    pinned : ndarray, shape (places,), bool
        Whether a rule put an item there; ``None`` where it did nowhere.
    version, action, reason : StringArray, shape (n,)
        No reason where the version answers as ever.
    """

    segment: pa.Array
    entity: pa.Array
    items: pa.Array
    counts: NDArray[np.intp]
    scores: NDArray[np.float32]
    version: pa.Array
    action: pa.Array
    reason: pa.Array
    pinned: NDArray[np.bool_] | None = None

    @property
    def best(self) -> NDArray[np.float64]:
        """Return the score of the first place of each list; NaN where there is none."""
        found = np.full(len(self.counts), np.nan)
        there = self.counts > 0
        found[there] = self.scores[(np.cumsum(self.counts) - self.counts)[there]]
        return found


def as_texts(listed: Listed, segments: Sequence[Segment]) -> Lists:
    """Write lists out.

    Parameters
    ----------
    segments
        Their names.
    """
    found, count = listed.found, len(listed.entity)
    first, filled = np.flatnonzero(run_starts(found.row)), found.place > 0
    row, there = found.row[first], filled[first]
    counts, refused = np.zeros(count, dtype=np.intp), np.zeros(count, dtype=bool)
    counts[row] = there * np.diff(first, append=len(filled))
    refused[row] = ~there
    actions = taken([said.action for said in listed.said], listed.code)
    return Lists(
        segment=taken(segments, listed.segment),
        entity=listed.entity,
        items=lines(found.names, found.item[filled], counts, refused),
        counts=counts,
        scores=found.score[filled],
        version=taken(listed.versions, listed.version),
        action=ruled_actions(actions, found.row, listed.effects),
        reason=taken([said.reason for said in listed.said], listed.code),
        pinned=_pinned(found, filled),
    )


def _pinned(found: Places, filled: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    rule = found.more.get("rule")
    if rule is None or rule.null_count == len(rule):
        return None
    there: NDArray[np.bool_] = rule.is_valid().to_numpy(zero_copy_only=False)[filled]
    return there


def taken(names: Sequence[str | None], codes: NDArray[np.intp]) -> pa.Array:
    """Return names by their codes."""
    return pa.array(names, pa.large_string()).take(pa.array(codes))


def lines(
    names: pa.Array,
    codes: NDArray[np.integer[Any]],
    counts: NDArray[np.intp],
    missing: NDArray[np.bool_],
) -> pa.Array:
    """Return the items of each list as one text, an item a line.

    All but the first of a list bring a line break along, so that one after the other they are the
    texts already.

    Parameters
    ----------
    names : LargeStringArray
        Of the items.
    codes : ndarray, shape (places,)
        Which of them is in each place.
    missing : ndarray, shape (n,), bool
        Which lists are missing, rather than empty.
    """
    ends = np.append(0, np.cumsum(counts))
    later = np.full(len(codes), len(names), dtype=np.int32)
    later[ends[:-1][counts > 0]] = 0
    nothing, newline = (pa.scalar(text, names.type) for text in ("", "\n"))
    broken = pc.binary_join_element_wise(nothing, names, newline)
    _, offsets, texts = pa.concat_arrays([names, broken]).take(pa.array(codes + later)).buffers()
    known = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    starts = pa.py_buffer(np.frombuffer(offsets, np.int64)[ends])
    return pa.Array.from_buffers(names.type, len(counts), [known, starts, texts])
