"""The plan by which scores and rankings are judged: a part of the data that training never saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

DataT = TypeVar("DataT")


@dataclass(frozen=True, kw_only=True)
class Holdout:
    """Which part is held out; see :class:`loopcast.settings.HoldoutSettings`.

    Attributes
    ----------
    since
        Hold out the later half of what came after this moment instead, as where a champion that
        was trained until then is judged too. From the other half the candidate learns what the
        champion cannot know; were all of it judged, no newer data would ever show its worth.
    """

    method: Literal["time", "random", "last"]
    share: float
    count: int
    since: datetime | None = None

    def after(self, since: datetime | None) -> Holdout:
        """Return the plan that holds out what came after a moment, where there is one."""
        return self if since is None else replace(self, since=since)


@dataclass(frozen=True, eq=False, kw_only=True)
class Split(Generic[DataT]):
    """Data cut in two.

    Attributes
    ----------
    training
        What contenders learn from.
    judged
        What they are judged on, in the form that the task judges by.
    protocol
        How it was cut, in words; equal words are a condition for comparing versions.
    digest
        Returns the :attr:`fingerprint`.
    rows
        Number of its observations.
    """

    training: DataT
    judged: Any
    protocol: str
    digest: Callable[[], str]
    rows: int

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the content of the judged part, which only what becomes a version needs."""
        return self.digest()


def percent(share: float) -> str:
    """Say a share in per cent."""
    return f"{100 * share:g} %"
