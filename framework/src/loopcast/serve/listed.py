"""The lists of segments in codes, before those of a batch become one table and texts at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from loopcast.serve import places
from loopcast.serve.places import Places
from loopcast.serve.treatment import Said

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.intp]


@dataclass(frozen=True, eq=False, kw_only=True)
class Listed:
    """A list for each of n entities, those of one segment after those of another.

    Attributes
    ----------
    sizes
        Lists of each segment; the last one is that of
        :data:`~loopcast.serve.lookup.NEWCOMER`.
    entity : LargeStringArray, shape (n,)
    versions
        Who may answer.
    version : ndarray, shape (n,)
        Who answers each entity.
    said
        What may be done with an entity, and why.
    code : ndarray, shape (n,)
        Which of it is done.
    found
        The places of all lists.
    effects
        What rules did to them, by row of the entity; empty where there is no rule.
    """

    sizes: tuple[int, ...]
    entity: pa.Array
    versions: tuple[str, ...]
    version: Codes
    said: tuple[Said, ...]
    code: Codes
    found: Places
    effects: pd.DataFrame

    @property
    def segment(self) -> Codes:
        """The place of each entity's segment among the segments, shape (n,)."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def newcomer(self) -> NDArray[np.bool_]:
        """Whose lists are for those who were never seen, shape (n,)."""
        flags = np.zeros(sum(self.sizes), dtype=bool)
        flags[np.cumsum(self.sizes) - 1] = True
        return flags


@dataclass(frozen=True, eq=False, kw_only=True)
class ListAnswers:
    """What one segment was answered where lists are asked for.

    Attributes
    ----------
    ruled
        What rules did to the lists: entity, item, place, rule and effect; ``None`` for nothing.
    about
        What the summary says of them, ready for JSON.
    """

    listed: Listed
    ruled: pd.DataFrame | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many entities were answered, or told why they were not."""
        return len(self.listed.entity) - 1

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that answered, sorted."""
        used = np.flatnonzero(np.bincount(self.listed.version[:-1]))
        return tuple(sorted(self.listed.versions[code] for code in used))


def joined(parts: Sequence[Listed]) -> Listed:
    """Put the lists of segments together."""
    sizes = [sum(part.sizes) for part in parts]
    starts = np.cumsum([0, *sizes[:-1]])
    found = (replace(p.found, row=p.found.row + s) for p, s in zip(parts, starts, strict=True))
    return Listed(
        sizes=tuple(size for part in parts for size in part.sizes),
        entity=pa.concat_arrays([part.entity for part in parts]),
        versions=tuple(name for part in parts for name in part.versions),
        version=_codes([(part.version, len(part.versions)) for part in parts]),
        said=tuple(said for part in parts for said in part.said),
        code=_codes([(part.code, len(part.said)) for part in parts]),
        found=places.stacked(list(found)),
        effects=_effects([part.effects for part in parts], starts),
    )


def _codes(parts: Sequence[tuple[Codes, int]]) -> Codes:
    """Join codes, each with the number of what it is a code of."""
    starts = np.cumsum([0, *(count for _, count in parts[:-1])])
    return np.concatenate([own + start for (own, _), start in zip(parts, starts, strict=True)])


def _effects(parts: Sequence[pd.DataFrame], starts: NDArray[np.intp]) -> pd.DataFrame:
    own = zip(parts, starts, strict=True)
    done = [part.assign(row=part["row"] + start) for part, start in own if len(part)]
    return pd.concat(done, ignore_index=True) if done else parts[0]
