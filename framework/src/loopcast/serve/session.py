"""Lists adjusted to what an entity is looking at now, by the item model that made them.

Only the order of a list changes: what is in it has passed the rules of the night, and what is not
has not. What a rule has pinned stays in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from loopcast.api import SessionRanker
from loopcast.deploy.loaded import load_version
from loopcast.deploy.rank_bundle import read_names

if TYPE_CHECKING:
    from loopcast.api import VersionId
    from loopcast.plugins import PluginManager
    from loopcast.serve.suggestion import Suggestion
    from loopcast.store.home import Home

Model = tuple[SessionRanker, Mapping[str, int]]


class Sessions:
    """The item models behind lists, each read when it is first needed.

    Parameters
    ----------
    kept
        Models in memory; of more, those that were not needed for longest are read again.
    """

    def __init__(self, home: Home, plugins: PluginManager, *, kept: int = 256) -> None:
        self._home = home
        self._plugins = plugins
        self._model = lru_cache(kept)(self._read)

    def adjust(
        self, found: Suggestion, viewed: Sequence[str], *, weight: float = 1.0
    ) -> Suggestion:
        """Return a list in the order of its scores and what is viewed, without what is viewed.

        A list that its version's fallback has made, and one of a version whose template is no
        :class:`~loopcast.api.SessionRanker`, keeps its order.

        Parameters
        ----------
        viewed
            Items that the entity is looking at; those that training never saw say nothing.
        weight
            Of looking at an item, beside having chosen it.

        Raises
        ------
        IntegrityError, NotFoundError, PluginError
            Where the version cannot be read.
        """
        model = self._model(found.version) if found.items and found.action != "fallback" else None
        scores, seen = np.array(found.scores, dtype=np.float32), set(viewed)
        pinned = np.isnan(scores)
        if model is not None:
            ranker, codes = model
            known = [codes[item] for item in viewed if item in codes]
            added = ranker.session_scores(np.array(known, dtype=np.int32))
            free = np.flatnonzero(~pinned)
            scores[free] += np.float32(weight) * added[[codes[found.items[n]] for n in free]]
        left = np.array([item not in seen for item in found.items], dtype=bool)
        order = [n for n in np.argsort(-scores, kind="stable") if left[n] and not pinned[n]]
        for place in np.flatnonzero(pinned & left):
            order.insert(place, place)
        return msgspec.structs.replace(
            found,
            items=tuple(found.items[n] for n in order),
            scores=tuple(scores[order].tolist()),
        )

    def _read(self, version: VersionId) -> Model | None:
        loaded = load_version(self._home, self._plugins, self._home.catalog.version(version))
        if not isinstance(loaded.model, SessionRanker):
            return None
        return loaded.model, {
            name: n for n, name in enumerate(read_names(loaded.bundle.files).items.to_pylist())
        }
