"""The entities of an experiment, one row each: which arm served them, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loopcast.api import DataError
from loopcast.iterate.experiments.told import with_outcomes
from loopcast.iterate.feedback import SHOWN

if TYPE_CHECKING:
    from loopcast.api import LogicalModel
    from loopcast.store.home import Home
    from loopcast.store.trials import Trial

COLUMNS = (
    "key", "time", "segment", "version", "role", "outputs", "output_texts", "action",
    "inclusion", "labelling", "propensity",
)  # fmt: skip
SERVED = ("champion", "challenger")


@dataclass(frozen=True, eq=False, kw_only=True)
class Units:
    """Entities in the order in which they were enrolled.

    Attributes
    ----------
    rows
        The first event of each, joined with its outcome.
    arm : ndarray, shape (n,)
        Which arm served it.
    known : ndarray, shape (n,)
        Whether its outcome counts: it has come in, or its silence says enough.
    silent : ndarray, shape (n,)
        Whether it is its silence that counts.
    weight : ndarray, shape (n,)
        Inverse of the probability that it was logged and chosen to be labelled; that it was
        logged, where it was not chosen.
    crossed
        How many entities were served by another arm later.
    """

    rows: pa.Table
    arm: NDArray[np.intp]
    known: NDArray[np.bool_]
    silent: NDArray[np.bool_]
    weight: NDArray[np.float64]
    crossed: int

    @property
    def time(self) -> pd.Series[pd.Timestamp]:
        """When each entity was enrolled."""
        time: pd.Series[pd.Timestamp] = self.rows["time"].to_pandas()
        return time

    def take(self, places: NDArray[np.intp]) -> Units:
        """Return some of the entities."""
        return Units(
            rows=self.rows.take(pa.array(places)),
            arm=self.arm[places],
            known=self.known[places],
            silent=self.silent[places],
            weight=self.weight[places],
            crossed=self.crossed,
        )


def begin_of(trial: Trial) -> datetime:
    """Return when a trial began.

    Raises
    ------
    DataError
        When it has not.
    """
    if trial.begun is None:
        item = trial.experiment
        raise DataError(f"experiment {item.name} of {item.place} has not begun")
    return trial.begun


def logged(trial: Trial, home: Home, now: datetime) -> pa.Table:
    """Return the events of a trial's arms from its begin until its end, in the order of time.

    Raises
    ------
    DataError
        When it has not begun.
    """
    experiment = trial.experiment
    events = home.events.read(
        experiment.logical_model,
        begin_of(trial),
        trial.ended or now,
        segment=experiment.segment,
        columns=COLUMNS,
    )
    ours = pc.is_in(events["version"], pa.array(experiment.arms))
    return events.filter(ours).sort_by([("time", "ascending"), ("key", "ascending")])


def enrolled(trial: Trial, home: Home, now: datetime) -> Units:
    """Return the entities that the arms of an A/B test have served, with what is known of them.

    An entity belongs to the arm that served it first, whoever served it later: what is compared is
    being assigned to an arm. Events that no experiment assigned have a propensity of 1 and stay
    out.
    """
    item = trial.experiment
    model = home.catalog.logical_model(item.logical_model)
    wait = item.wait_days if item.silence_counts else 0
    events = assigned(with_outcomes(_shown(trial, model, home, now), home, model, wait), item.arms)
    if trial.ended:
        events = events.filter(pc.less(events["time"], pa.scalar(trial.ended)))
    key, _ = pd.factorize(events["key"].to_pandas())
    arm = arms_of(events, item.arms)
    first = np.flatnonzero(~pd.Series(key).duplicated())
    rows = events.take(pa.array(first))
    crossed = len(np.unique(key[arm != arm[first][key]]))
    waited = waited_for(rows, now, item.wait_days) & item.silence_counts
    return units_of(rows, arm[first], waited=waited, crossed=crossed)


def _shown(trial: Trial, model: LogicalModel, home: Home, now: datetime) -> pa.Table:
    """Return what the entities of a trial were answered since its begin, in the order of time.

    What came of a list ends with the next one, which may be made when the trial is over.
    """
    end = now if model.task == "rank" else trial.ended or now
    events = home.events.read(
        model.name, begin_of(trial), end, segment=trial.experiment.segment, columns=COLUMNS
    )
    shown = events.filter(pc.is_in(events["role"], pa.array(SHOWN)))
    return shown.sort_by([("time", "ascending"), ("key", "ascending")])


def assigned(events: pa.Table, arms: Sequence[str]) -> pa.Table:
    """Return the answers of arms to entities that an experiment assigned to them."""
    by_lot = pc.and_(pc.is_in(events["role"], pa.array(SERVED)), pc.less(events["propensity"], 1.0))
    return events.filter(pc.and_(by_lot, pc.is_in(events["version"], pa.array(list(arms)))))


def waited_for(rows: pa.Table, now: datetime, days: int) -> NDArray[np.bool_]:
    """Tell which entities were served so many days ago or earlier."""
    last = pd.Timestamp(now) - timedelta(days=days)
    return np.asarray((rows["time"].to_pandas() <= last).to_numpy(), dtype=bool)


def arms_of(events: pa.Table, arms: Sequence[str]) -> NDArray[np.intp]:
    """Return the number of the arm of each event."""
    found = pc.index_in(events["version"], value_set=pa.array(arms))
    return np.asarray(found.to_numpy(), dtype=np.intp)


def units_of(
    rows: pa.Table, arm: NDArray[np.intp], *, waited: NDArray[np.bool_], crossed: int = 0
) -> Units:
    """Lay out events that were joined with their outcomes, one of each entity.

    Parameters
    ----------
    waited : ndarray, shape (n,)
        Entities that count as zero where nothing was heard of them.
    """
    has = pc.or_(pc.is_valid(rows["value"]), pc.is_valid(rows["text"])).to_numpy()
    chosen = rows["labelling"].to_numpy() > 0.0
    silent = ~has & chosen & waited
    if silent.any():
        filled = pc.if_else(pa.array(silent), 0.0, rows["value"])
        rows = rows.set_column(rows.column_names.index("value"), "value", filled)
    labelling = np.where(chosen, rows["labelling"].to_numpy(), 1.0)
    return Units(
        rows=rows,
        arm=arm,
        known=(has & chosen) | silent,
        silent=silent,
        weight=1.0 / (rows["inclusion"].to_numpy() * labelling),
        crossed=crossed,
    )
