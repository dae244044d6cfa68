"""Template: an algorithm with typed hyperparameters, for one segment or a family of them.

The three tasks share one shape. A template's ``fit`` takes a family, a mapping of segments to
data, and yields an outcome for each segment as it is ready: a model, or the error that stopped
this segment and no other. A single logical model without a family is the family ``{"": data}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec

from loopcast.api.errors import LoopcastError
from loopcast.api.schema import Task

Files = Mapping[str, bytes]
"""Content of a bundle's files by name, in formats that cannot run code."""

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
DataT_contra = TypeVar("DataT_contra", contravariant=True)
ModelT_co = TypeVar("ModelT_co", covariant=True)


class Hyperparameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a template's hyperparameters: typed, immutable, with a default for each field.

    Its fields become the template's configuration, with their defaults; there is no second
    place to write them down. Constrain fields with ``typing.Annotated`` and ``msgspec.Meta``.
    """


class Engine(Protocol):
    """Where work runs: on local cores, or on a cluster, by configuration alone."""

    def map(
        self, function: Callable[[ItemT], ResultT], items: Iterable[ItemT]
    ) -> Iterator[ResultT]:
        """Apply ``function`` to each item, in parallel, and yield results in order."""
        ...


@dataclass(frozen=True, kw_only=True)
class FitContext:
    """What a template may use while it fits, beside data and hyperparameters.

    Attributes
    ----------
    seed
        The only source of randomness.
    engine
        Runs independent pieces in parallel.
    """

    seed: int
    engine: Engine


class Template(Protocol[DataT_contra, ModelT_co]):
    """An algorithm that a plugin provides.

    The type parameters are :class:`ForecastData` and :class:`Forecaster`,
    :class:`ScoreData` and :class:`Scorer`, or :class:`RankData` and :class:`Ranker`.

    Attributes
    ----------
    name
        ``domain.algorithm``; what configuration says.
    task
        The kind of problem it solves.
    summary
        One sentence for people who choose.
    hyperparameters
        Their type, a subclass of :class:`Hyperparameters`.
    """

    name: str
    task: Task
    summary: str
    hyperparameters: type[Hyperparameters]

    def fit(
        self, family: Mapping[str, DataT_contra], hyperparameters: Any, context: FitContext
    ) -> Iterator[tuple[str, ModelT_co | LoopcastError]]:
        """Fit each segment of a family and yield each outcome as it is ready."""
        ...

    def load(self, files: Files) -> ModelT_co:
        """Rebuild a model from what its ``save`` returned."""
        ...


def fit_each(
    family: Mapping[str, ItemT], fit_one: Callable[[ItemT], ResultT]
) -> Iterator[tuple[str, ResultT | LoopcastError]]:
    """Fit segment by segment, for a template that has nothing to share between them.

    An error of loopcast's own stops its segment only; any other exception is a bug and is
    raised.
    """
    for segment, data in family.items():
        outcome: ResultT | LoopcastError
        try:
            outcome = fit_one(data)
        except LoopcastError as error:
            outcome = error
        yield segment, outcome
