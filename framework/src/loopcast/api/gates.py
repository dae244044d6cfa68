"""Gates: named checks that a version has to pass before it moves along."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loopcast.api.forecast import Forecast
from loopcast.api.judged import Judged
from loopcast.api.models import GateResult, LogicalModel, Manifest
from loopcast.api.rank import Ranking, RankQuery
from loopcast.api.record import VersionId
from loopcast.api.schema import Task
from loopcast.api.score import Scores
from loopcast.api.template import Hyperparameters

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.api.forecast import ForecastData
    from loopcast.api.metrics import MetricDefinition

ALL_TASKS: tuple[Task, ...] = ("forecast", "score", "rank")


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastQuery:
    """What a forecaster is asked: the horizon that follows what is known."""

    known: ForecastData
    horizon: pd.DatetimeIndex


@dataclass(frozen=True, eq=False, kw_only=True)
class Scenario:
    """Inputs that a version was tried on when it was trained, and its answer.

    Attributes
    ----------
    name
        The part of the version that answers: the step of a forecast; empty where it is one model.
    inputs : ForecastQuery, DataFrame or RankQuery
        By task; rows of used features for a score.
    answer
        What the model answered when it was fitted.
    again
        What the one that was loaded from the version's own files answered, where it was asked
        already.
    """

    name: str
    inputs: ForecastQuery | pd.DataFrame | RankQuery
    answer: Forecast | Scores | Ranking
    again: Forecast | Scores | Ranking | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Production:
    """What a scorer was asked lately.

    Attributes
    ----------
    rows : DataFrame, shape (n, features)
        Used features, indexed by key, the newest first.
    actual : ndarray, shape (n,)
        1 where the event happened since, 0 where it did not, NaN where it is not known.
    """

    rows: pd.DataFrame
    actual: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DomainVerdict:
    """What is done with inputs by the domain of applicability.

    Attributes
    ----------
    rows
        How many inputs there are: rows of a score; intervals and sites of a forecast.
    flagged
        Those that are answered with a warning.
    withheld
        Those that the version is never asked about: they are refused, or left to another.
    reason
        Why, for most of them; empty where all are like the training.
    """

    rows: int
    flagged: int = 0
    withheld: int = 0
    reason: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Subject:
    """The version that a gate examines, and what there is to compare it with.

    Attributes
    ----------
    models
        The fitted models, by the name of the scenario that tries each.
    judged
        The contest of its training: its own outcome first, then the baselines'.
    rival
        The champion and the version on the same rows, in this order, if there is another
        champion that was judged on the same data.
    rival_note
        Why there is no rival: there is no champion, it is this version, or it was judged on
        other data.
    metrics
        All metrics of the task by name.
    production
        The newest requests to a score's logical model; ``None`` where there were none, or where
        no gate looks at them.
    domain
        Says what is done with inputs by the domain of applicability; ``None`` where the version
        knows none.
    """

    version: VersionId
    logical_model: LogicalModel
    manifest: Manifest
    models: Mapping[str, Any]
    scenarios: Sequence[Scenario]
    judged: Judged
    metrics: Mapping[str, MetricDefinition]
    rival: Judged | None = None
    rival_note: str = "there is no champion"
    production: Production | None = None
    domain: Callable[[ForecastQuery | pd.DataFrame], DomainVerdict] | None = None

    @property
    def label(self) -> str:
        """The version's label among the contenders it was judged with."""
        return next(iter(self.judged.outcomes))

    def answer(
        self, name: str, inputs: ForecastQuery | pd.DataFrame | RankQuery
    ) -> Forecast | Scores | Ranking:
        """Ask the model of a scenario."""
        model = self.models[name]
        if isinstance(inputs, ForecastQuery):
            return Forecast(mean=model.predict(inputs.known, inputs.horizon).mean)
        other: Scores | Ranking = model.predict(inputs)
        return other


@dataclass(frozen=True, kw_only=True)
class GateDefinition:
    """A gate by name.

    Attributes
    ----------
    name
        What the policy says.
    title
        What it checks, for people.
    tasks
        The tasks that it makes sense for; elsewhere it passes and says so.
    options
        Type of its options in the policy, with a default for each.
    run
        Takes the subject and the options, and returns or yields a result for each test; a
        module-level function, since it may run in another process. What it raises is a failed gate.
    alone
        Whether nothing else may run meanwhile, since it measures time.
    production
        Whether it looks at :attr:`Subject.production`, which is read for such gates only.
    """

    name: str
    title: str
    options: type[Hyperparameters]
    run: Callable[[Subject, Any], Iterable[GateResult]]
    tasks: tuple[Task, ...] = ALL_TASKS
    alone: bool = False
    production: bool = False
