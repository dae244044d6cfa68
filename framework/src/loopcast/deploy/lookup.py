"""Lookup: which version answers for a logical model, a segment and an entity, and who listens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopcast.api import (
    NotFoundError,
    Role,
    Segment,
    Switch,
    SwitchError,
    SwitchSetting,
    VersionId,
    place_name,
)
from loopcast.deploy import assignment

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.store.catalog import Catalog
    from loopcast.store.trials import Trial


@dataclass(frozen=True, kw_only=True)
class Part:
    """A version that may answer, as what, and for which share of the entities.

    The share is the probability with which it was to answer, for an entity that it answered.
    """

    version: VersionId
    role: Role
    share: float


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
    trial
        The experiment that runs here, whose arms stand where they have to.
    """

    logical_model: str
    segment: Segment
    champion: VersionId | None = None
    canary: VersionId | None = None
    share: float = 0.0
    setting: SwitchSetting | None = None
    fallback: str = ""
    trial: Trial | None = None

    @property
    def switch(self) -> Switch:
        """The switch: on, freeze or off."""
        return self.setting.switch if self.setting else "on"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The versions that may answer, in the order of their entities' places."""
        if self.champion is None:
            return ()
        trial = self._division
        if trial is not None:
            arms = zip(trial.experiment.arms, trial.shares, strict=True)
            return tuple(
                Part(version=v, role="champion" if v == self.champion else "challenger", share=s)
                for v, s in arms
            )
        rest = Part(version=self.champion, role="champion", share=1.0 - self.share)
        if self.canary is None:
            return (rest,)
        # The canary has the first places, so that a larger share keeps those that are in.
        return Part(version=self.canary, role="canary", share=self.share), rest

    @property
    def candidates(self) -> tuple[VersionId, ...]:
        """The versions that may answer."""
        return tuple(part.version for part in self.parts)

    @property
    def shadows(self) -> tuple[VersionId, ...]:
        """The versions that answer beside the champion and are not served."""
        trial = self._trial
        return trial.experiment.arms[1:] if trial and trial.experiment.kind == "shadow" else ()

    def alone(self, version: VersionId) -> Serving:
        """Return the same place where one version answers for everyone."""
        return Serving(logical_model=self.logical_model, segment=self.segment, champion=version)

    @property
    def place(self) -> str:
        """Logical model and segment, for messages."""
        return place_name(self.logical_model, self.segment)

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
        if entity is None or len(self.parts) == 1:
            return champion
        shares = [part.share for part in self.parts]
        return self.parts[assignment.arm(entity, self._salt, shares)].version

    def versions(self, entities: Sequence[str] | pd.Index) -> NDArray[np.str_]:
        """Return the version that answers for each of ``n`` entities, shape ``(n,)``.

        An entity stays where it is as long as the experiment or the canary does; the next one
        divides the entities anew.

        Raises
        ------
        SwitchError, NotFoundError
            As :meth:`version`.
        """
        import numpy as np

        return np.array(self.candidates)[self.arms(entities)]

    def arms(self, entities: Sequence[str] | pd.Index) -> NDArray[np.intp]:
        """Return the place in ``candidates`` of what :meth:`versions` does, and raise likewise."""
        import numpy as np

        self._champion()
        shares = [part.share for part in self.parts]
        if len(shares) == 1:
            return np.zeros(len(entities), dtype=np.intp)
        return assignment.arms(entities, self._salt, shares)

    @property
    def _trial(self) -> Trial | None:
        """The experiment, where the switch lets it take part."""
        return self.trial if self.switch == "on" else None

    @property
    def _division(self) -> Trial | None:
        """The experiment whose arms all serve."""
        trial = self._trial
        return trial if trial is not None and trial.experiment.kind != "shadow" else None

    @property
    def _salt(self) -> str:
        return self._division.salt if self._division else str(self.canary)

    def _champion(self) -> VersionId:
        if self.switch == "off":
            raise SwitchError(self._off())
        if self.champion is None:
            raise NotFoundError(f"{self.place} has no champion; release a version first")
        return self.champion

    def _off(self) -> str:
        setting = self.setting
        assert setting is not None
        return (
            f"{self.place} is switched off {setting.circumstances} and predicts nothing; "
            f"{instead_of(self.fallback)}"
        )


def instead_of(fallback: str) -> str:
    """Say what a logical model wants done while it is off, in words of its own."""
    if fallback:
        return f"fallback: {fallback}"
    return "logical_model.fallback, which says what to do instead, is empty"


def look_up(catalog: Catalog, logical_model: str, segment: Segment = "") -> Serving:
    """Return who answers for one segment of a logical model."""
    return look_up_all(catalog, logical_model, [segment])[segment]


def look_up_all(
    catalog: Catalog, logical_model: str, segments: Sequence[Segment] | None = None
) -> Mapping[Segment, Serving]:
    """Return who answers for each segment; for every segment that has a version by default.

    It takes few statements, whatever the number of segments.

    Raises
    ------
    NotFoundError
        When the logical model is unknown.
    """
    fallback = catalog.logical_model(logical_model).fallback
    names = catalog.segments(logical_model) if segments is None else segments
    stages = {(r.segment, r.stage): r for r in catalog.serving(logical_model, segments)}
    switches = catalog.switches(logical_model, segments)
    trials = catalog.active_experiments(logical_model, segments)

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
            trial=trials.get(segment),
        )

    return {segment: serving(segment) for segment in names}
