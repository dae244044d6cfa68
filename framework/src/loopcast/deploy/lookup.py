"""Lookup: which version answers for a logical model, a segment and an entity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopcast.api import NotFoundError, Segment, Switch, SwitchError, SwitchSetting, VersionId
from loopcast.store.catalog import Catalog

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Serving:
    """Who answers for one segment.

    Attributes
    ----------
    champion, canary
        Versions; ``None`` where there is none.
    share
        The share of entities that the canary answers for.
    setting
        The switch as it was set; ``None`` where it never was, which means on.
    fallback
        What callers do while it is off, as the logical model says.
    """

    logical_model: str
    segment: Segment
    champion: VersionId | None = None
    canary: VersionId | None = None
    share: float = 0.0
    setting: SwitchSetting | None = None
    fallback: str = ""

    @property
    def switch(self) -> Switch:
        """The switch: on, freeze or off."""
        return self.setting.switch if self.setting else "on"

    @property
    def candidates(self) -> tuple[VersionId, ...]:
        """The versions that may answer: the champion, then the canary."""
        return tuple(v for v in (self.champion, self.canary) if v is not None)

    @property
    def place(self) -> str:
        """Logical model and segment, for messages."""
        return f"{self.logical_model}/{self.segment}" if self.segment else self.logical_model

    def version(self, entity: str | None = None) -> VersionId:
        """Return the version that answers, for an entity where one is named.

        Raises
        ------
        SwitchError
            When it is switched off, with what to do instead.
        NotFoundError
            When nothing was released.
        """
        champion = self._champion()
        if entity is not None and self.canary is not None and self.in_canary([entity])[0]:
            return self.canary
        return champion

    def versions(self, entities: Sequence[str]) -> NDArray[np.str_]:
        """Return the version that answers for each of ``n`` entities, shape ``(n,)``.

        Raises
        ------
        SwitchError, NotFoundError
            As :meth:`version`.
        """
        import numpy as np

        champion = self._champion()
        if self.canary is None:
            return np.full(len(entities), champion)
        return np.where(self.in_canary(entities), self.canary, champion)

    def in_canary(self, entities: Sequence[str]) -> NDArray[np.bool_]:
        """Tell which of ``n`` entities the canary answers for, shape ``(n,)``.

        Each entity's place between 0 and 1 is pandas' keyed hash of its name, with the canary's
        id as the key: it stays where it is as long as the canary does, a larger share keeps
        those that are in, and the next canary meets other entities.
        """
        import numpy as np
        import pandas as pd

        if self.canary is None:
            return np.zeros(len(entities), dtype=bool)
        names = np.asarray(entities, dtype=object)
        hashed = pd.util.hash_array(names, hash_key=self.canary, categorize=False)
        return np.asarray(hashed / 2.0**64 < self.share)

    def _champion(self) -> VersionId:
        if self.switch == "off":
            raise SwitchError(self._off())
        if self.champion is None:
            raise NotFoundError(f"{self.place} has no champion; release a version first")
        return self.champion

    def _off(self) -> str:
        setting = self.setting
        assert setting is not None
        instead = f"fallback: {self.fallback}" if self.fallback else "no fallback is configured"
        return (
            f"{self.place} is switched off {setting.circumstances} and predicts nothing; {instead}"
        )


def look_up(catalog: Catalog, logical_model: str, segment: Segment = "") -> Serving:
    """Return who answers for one segment of a logical model."""
    return look_up_all(catalog, logical_model, [segment])[segment]


def look_up_all(
    catalog: Catalog, logical_model: str, segments: Sequence[Segment] | None = None
) -> Mapping[Segment, Serving]:
    """Return who answers for each segment; for every segment that has a version by default.

    It takes four statements, whatever the number of segments.

    Raises
    ------
    NotFoundError
        When the logical model is unknown.
    """
    fallback = catalog.logical_model(logical_model).fallback
    names = catalog.segments(logical_model) if segments is None else segments
    stages = {(r.segment, r.stage): r for r in catalog.serving(logical_model, segments)}
    switches = catalog.switches(logical_model, segments)

    def serving(segment: Segment) -> Serving:
        champion = stages.get((segment, "champion"))
        canary = stages.get((segment, "canary"))
        return Serving(
            logical_model=logical_model,
            segment=segment,
            champion=champion.version if champion else None,
            canary=canary.version if canary else None,
            share=(canary.share or 0.0) if canary else 0.0,
            setting=switches.get(segment),
            fallback=fallback,
        )

    return {segment: serving(segment) for segment in names}
