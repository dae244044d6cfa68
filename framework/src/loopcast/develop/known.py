"""What the data of one segment says, in the same shape for every task."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from loopcast.api import Dataset

DataT = TypeVar("DataT")


@dataclass(frozen=True, eq=False, kw_only=True)
class Known(Generic[DataT]):
    """Data that satisfies its schema.

    Attributes
    ----------
    data
        Everything that is known.
    training
        The part of it to learn from.
    dataset
        Describes the training data.
    since
        Until when a champion was trained that is judged beside the version: rankings and scores
        are judged on the later half of what came after, which neither has seen.
    champion
        Its model, where a search of the candidate's template may begin at that.
    tried
        When there was last a training beside it that gave nothing in its place.
    """

    data: DataT
    training: DataT
    dataset: Dataset
    since: datetime | None = None
    champion: Any = None
    tried: datetime | None = None
