"""What the segments of a family ask, who answers for each, and what it was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from loopcast.api import Segment, VersionId
from loopcast.deploy.limits import Limits
from loopcast.deploy.loaded import Opened
from loopcast.deploy.lookup import Serving
from loopcast.develop.applicability import beyond
from loopcast.develop.beyond import Beyond, Reason
from loopcast.serve.shadow import Heard
from loopcast.serve.treatment import Treated, treat

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from loopcast.api import Applicability
    from loopcast.develop.checks.inputs import Column
    from loopcast.develop.course import Course
    from loopcast.develop.score.region import Region
    from loopcast.serve.rules import RuleBook
    from loopcast.settings import DataSettings


AnswersT = TypeVar("AnswersT")


@dataclass(frozen=True, eq=False, kw_only=True)
class Answers:
    """What one segment was answered, row by row.

    Attributes
    ----------
    table
        For people and systems; each row says which version answered.
    key : sequence of str, shape (n,)
        Of each event.
    version : ndarray, shape (n,)
        Which version answered.
    action : sequence of str, shape (n,)
        What was done, as the event log has it.
    outputs, inputs, explanation : mapping of str to array, shape (n,)
        As the event log has them.
    labelling : ndarray, shape (n,), or 1
        Probability with which the outcome of each row will be known.
    about
        What the summary says of them, ready for JSON.
    """

    table: pa.Table
    key: Any
    version: NDArray[np.str_]
    action: Any
    outputs: Mapping[str, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    explanation: Mapping[str, Any] = field(default_factory=dict)
    labelling: Any = 1.0
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows were answered, or told why they were not."""
        return len(self.key)

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that answered, sorted."""
        return tuple(sorted(set(self.version.tolist())))


@dataclass(frozen=True, eq=False, kw_only=True)
class Responsible:
    """The versions that answer for one segment.

    Attributes
    ----------
    opened
        By version: the champion, and the canary if there is one and the task is not *forecast*.
    limits
        Of each version; those of a forecast are part of its models.
    regions
        What an earlier logical model refuses, of versions that were trained behind one.
    """

    serving: Serving
    opened: Mapping[VersionId, Opened]
    limits: Mapping[VersionId, Limits]
    regions: Mapping[VersionId, Region] = field(default_factory=dict)

    def treat(
        self,
        version: VersionId,
        columns: Mapping[str, Column],
        rules: Applicability,
        others: Sequence[tuple[Reason, NDArray[np.bool_]]] = (),
    ) -> Treated:
        """Decide on rows by the domain of a version, and by other reasons."""
        domain = self.limits[version].domains.get("")
        if domain is None:
            return treat(Beyond.nowhere(len(next(iter(columns.values()), ()))), rules)
        return treat(beyond(domain, columns, rules.share, others), rules)

    @property
    def models(self) -> Mapping[VersionId, Any]:
        """What answers of each version."""
        return {version: own.model for version, own in self.opened.items()}

    @property
    def stand_ins(self) -> Mapping[VersionId, Any]:
        """Fitted fallback of each version that has one."""
        found = ((version, own.stand_ins) for version, own in self.limits.items())
        return {version: models[""] for version, models in found if "" in models}

    def versions(self, entities: pd.Index) -> NDArray[np.str_]:
        """Return which version answers for each entity, shape ``(n,)``."""
        return self.serving.versions(entities)


@dataclass(frozen=True, eq=False, kw_only=True)
class Question:
    """What one segment asks.

    Attributes
    ----------
    table, source
        Its rows as they were read, and where they come from, for messages.
    day
        The first day to forecast; the next one where ``None``.
    made
        The moment of the answers.
    rules
        Over the lists of a ranking, those of this segment; ``None`` where there are none.
    """

    table: pd.DataFrame
    source: str
    settings: DataSettings
    course: Course[Any]
    day: str | None
    made: datetime
    rules: RuleBook | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Posed:
    """A question with all that it takes to answer it.

    Attributes
    ----------
    data
        What the task prepares of the table.
    """

    question: Question
    data: Any
    responsible: Responsible


@dataclass(frozen=True, eq=False, kw_only=True)
class SegmentAnswers(Generic[AnswersT]):
    """The answers of one segment, or why there are none.

    Attributes
    ----------
    seconds
        How long the answers took, from reading the versions on.
    heard
        What shadows answered, who are not served.
    """

    segment: Segment
    serving: Serving | None
    answers: AnswersT | None = None
    reason: str = ""
    seconds: float = 0.0
    heard: Heard[AnswersT] = field(default_factory=Heard)
