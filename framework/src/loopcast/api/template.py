"""Template: an algorithm with typed hyperparameters, for one segment or a family of them.

The three tasks share one shape. A template's ``fit`` takes a family, a mapping of segments to
data, and yields an outcome for each segment as it is ready: a model, or the error that stopped
this segment and no other. A single logical model without a family is the family ``{"": data}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import msgspec

from loopcast.api.errors import LoopcastError, ModelError
from loopcast.api.schema import Task

if TYPE_CHECKING:
    import numpy as np

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
        """Apply ``function`` to each item, in parallel, and yield results in order.

        Functions are module-level ones, since they may travel to other processes of the run.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class FitContext:
    """What a template may use while it fits, beside data and hyperparameters.

    Attributes
    ----------
    seed
        The only source of randomness. Where segments draw, each derives its own generator from
        the seed and its name, not from its position in the family.
    engine
        Runs independent pieces in parallel.
    tried
        When a segment was last trained beside the model that it follows, and nothing took the
        place of that, as a time without zone in UTC.
    """

    seed: int
    engine: Engine
    tried: Mapping[str, np.datetime64] = field(default_factory=dict)


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

    @property
    def name(self) -> str:
        """What configuration says."""
        ...

    @property
    def task(self) -> Task:
        """The kind of problem it solves."""
        ...

    @property
    def summary(self) -> str:
        """One sentence for people who choose."""
        ...

    @property
    def hyperparameters(self) -> type[Hyperparameters]:
        """Type of the hyperparameters."""
        ...

    def fit(
        self, family: Mapping[str, DataT_contra], hyperparameters: Any, context: FitContext
    ) -> Iterator[tuple[str, ModelT_co | LoopcastError]]:
        """Fit each segment of a family and yield each outcome as it is ready.

        ``family`` may load a segment's data when it is asked for, so a template does not hold
        on to the data of a segment that it has yielded.
        """
        ...

    def load(self, files: Files) -> ModelT_co:
        """Rebuild a model from what its ``save`` returned."""
        ...


@runtime_checkable
class Refitting(Protocol):
    """A template that tunes itself, and can fit more data with what it chose before.

    The core judges a model on a part of the data and then fits the template to all of it. Such a
    template keeps for the second fit what it chose for the first: what was judged is what serves,
    and the choice is paid for once.
    """

    def refit(
        self,
        models: Mapping[str, Any],
        family: Mapping[str, Any],
        hyperparameters: Any,
        context: FitContext,
    ) -> Iterator[tuple[str, Any | LoopcastError]]:
        """Fit each segment of a family as the model of the same name was, as ``fit`` yields."""
        ...


@runtime_checkable
class Continuing(Protocol):
    """A template that tunes itself, and can begin at what an earlier model was tuned to.

    Where a segment is trained every night, a champion's options are a good place to begin, and not
    to be left for what is better by chance. Of the past it is told that model, and in the
    context when it was last tried to follow it, and nothing else, so that a version is rebuilt.
    """

    def fit_after(
        self,
        models: Mapping[str, Any],
        family: Mapping[str, Any],
        hyperparameters: Any,
        context: FitContext,
    ) -> Iterator[tuple[str, Any | LoopcastError]]:
        """Fit each segment of a family, beginning at the model of its name, as ``fit`` yields.

        Models are of this template, with any hyperparameters. A segment without one is fitted as
        by ``fit``.
        """
        ...


@runtime_checkable
class GivingWay(Refitting, Protocol):
    """A template that answers as a baseline does for a segment where it is not better than that.

    Such a model is as good as the baseline by what it is, and is released as the best there is.

    Attributes
    ----------
    gives_way_to
        Name of the baseline's template.
    """

    gives_way_to: str

    def give_way(self, model: Any) -> Any:
        """Return the model that answers as the baseline does, and is fitted again as such a one.

        One that does so already is returned itself.
        """
        ...


def fit_each(
    family: Mapping[str, ItemT], fit_one: Callable[[ItemT], ResultT]
) -> Iterator[tuple[str, ResultT | LoopcastError]]:
    """Fit segment by segment, for a template that has nothing to share between them.

    What goes wrong in one segment stops no other: an error of loopcast's own is the outcome as
    it is, any other exception becomes the cause of a :class:`ModelError`, which names it.
    """
    for segment, data in family.items():
        outcome: ResultT | LoopcastError
        try:
            outcome = fit_one(data)
        except LoopcastError as error:
            outcome = error
        except Exception as error:
            outcome = ModelError(f"segment {segment!r}: {type(error).__name__}: {error}")
            outcome.__cause__ = error
        yield segment, outcome
