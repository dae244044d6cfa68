"""What came of recommendations: feedback by list, outcomes that bandits learn from, and revenue.

Feedback names the list by the id that it was looked up with, which says the event that it belongs
to. Whatever an entity does to an item of a list counts once, apart from purchases, which count once
each: one customer with a million clicks is a customer who has clicked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from loopcast.api import DataError, LogicalModel, RankSchema
from loopcast.iterate.experiments.offpolicy import Value, earned, snips
from loopcast.serve.list_file import MADE
from loopcast.store.event_table import ONE_EVENT, once
from loopcast.store.feedback import FEEDBACK, FEEDBACK_SCHEMA
from loopcast.store.recording import keyed
from loopcast.store.truth import Ingestion, truth_table

if TYPE_CHECKING:
    from loopcast.store.home import Home

KINDS = ("shown", "clicked", "bought")
COLUMNS = ("id", "item", "kind", "time")
"""Columns of a delivery; ``value`` is the revenue of a purchase."""

Outcome = Literal["clicked", "revenue"]
SHOWN = ("champion", "challenger", "canary")
"""Roles whose answers somebody was given."""

_LIST = ["segment", "key", "made"]
_TICK = timedelta(microseconds=1)
_EXAMPLES = 3


def deliver_feedback(frame: pd.DataFrame, model: LogicalModel, home: Home) -> pa.Table:
    """Check a delivery, log it, and return it as it was logged.

    Parameters
    ----------
    frame
        Columns ``id``, ``item``, ``kind``, ``time`` and, where something was bought, ``value``.

    Raises
    ------
    DataError
        Where the delivery is wrong; then nothing of it is logged.
    """
    rows = _checked(frame, model)
    keys = pa.array(rows["key"], pa.string())
    if isinstance(model.schema, RankSchema) and model.schema.private_key:
        keys = keyed(keys, "key", home.privacy_key)
    columns = [keys if name == "key" else pa.array(rows[name]) for name in FEEDBACK_SCHEMA.names]
    table = pa.table(columns, names=FEEDBACK_SCHEMA.names).cast(FEEDBACK_SCHEMA)
    home.feedback.add(model.name, table)
    return table


def _checked(frame: pd.DataFrame, model: LogicalModel) -> pd.DataFrame:
    missing = [name for name in COLUMNS if name not in frame]
    if missing:
        there = ", ".join(map(str, frame.columns))
        raise DataError(f"the feedback has no column {missing[0]!r}; it has {there}")
    if model.task != "rank":
        raise DataError(f"{model.name} is no ranking; feedback on lists is for rankings")
    parts = frame["id"].astype("str").str.split("/", n=2, expand=True).reindex(columns=range(3))
    made = pd.to_datetime(parts[0], format=MADE, errors="coerce", utc=True)
    _refuse(frame["id"], made.isna() | parts[2].isna(), "is no id of a recommendation")
    _refuse(frame["kind"], ~frame["kind"].isin(KINDS), f"is none of {', '.join(KINDS)}")
    _refuse(frame["item"], frame["item"].isna(), "is no item")
    time = pd.to_datetime(frame["time"], format="ISO8601", errors="coerce", utc=True)
    _refuse(frame["time"], time.isna() | (time < made), "is no moment after its list was made")
    given = frame["value"] if "value" in frame else pd.Series(np.nan, frame.index, name="value")
    value = pd.to_numeric(given, errors="coerce").where(frame["kind"] == "bought", 0.0)
    _refuse(given, ~np.isfinite(value) | (value < 0.0), "is no revenue of a purchase")
    return pd.DataFrame(
        {
            "segment": parts[1], "key": parts[2], "made": made, "item": frame["item"].astype("str"),
            "kind": frame["kind"].astype("str"), "time": time, "value": value,
        }
    )  # fmt: skip


def _refuse(column: pd.Series[Any], bad: pd.Series[bool], what: str) -> None:
    """Raise where a row is bad, naming the first."""
    if bad.any():
        row = int(np.argmax(bad.to_numpy()))
        raise DataError(
            f"{column.name} of the feedback: {column.tolist()[row]!r} {what} "
            f"(row {row + 1}; {int(bad.sum())} such rows)"
        )


def came_of_lists(feedback: pa.Table, days: int) -> pd.DataFrame:
    """Return what each list has led to, one row a list that anything was heard of.

    Columns are segment, key and made; ``clicked``, whether any item was; ``revenue`` of what was
    bought; and ``last``, when something was heard last. What came later than so many days after
    the list was made is not its doing.
    """
    rows = feedback.to_pandas()
    rows = rows[rows["time"] <= rows["made"] + timedelta(days=days)]
    found: pd.DataFrame = (
        rows.assign(clicked=rows["kind"] == "clicked")
        .groupby(_LIST, as_index=False)
        .agg(clicked=("clicked", "max"), revenue=("value", "sum"), last=("time", "max"))
    )
    return found


@dataclass(frozen=True, kw_only=True)
class Heard:
    """Of which lists a delivery tells.

    Attributes
    ----------
    lists
        How many.
    unlogged
        Those of which the log has no event: it teaches nothing what came of them.
    examples
        Ids of some of these.
    """

    lists: int
    unlogged: int
    examples: tuple[str, ...]


def heard_of(rows: pa.Table, model: LogicalModel, home: Home) -> Heard:
    """Count the lists that a delivery tells of, and those that nobody logged.

    Parameters
    ----------
    rows
        As :func:`deliver_feedback` returns them.
    """
    told = rows.select(_LIST).group_by(_LIST).aggregate([]).sort_by("made").to_pandas()
    logged = pd.MultiIndex.from_frame(_logged(model, home, *_span(told["made"]))[_LIST])
    unknown = told[~pd.MultiIndex.from_frame(told).isin(logged)]
    some = unknown.head(_EXAMPLES).itertuples(index=False)
    ids = tuple(f"{made:{MADE}}/{segment}/{key}" for segment, key, made in some)
    return Heard(lists=len(told), unlogged=len(unknown), examples=ids)


def _span(made: pd.Series[pd.Timestamp]) -> tuple[datetime, datetime] | tuple[None, None]:
    """Return the first moment, and the one after the last, if there is any."""
    if made.empty:
        return None, None
    return made.min().to_pydatetime(), made.max().to_pydatetime() + _TICK


def _logged(
    model: LogicalModel, home: Home, start: datetime | None = None, end: datetime | None = None
) -> pd.DataFrame:
    """Return segment, key and moment of each list in the log."""
    columns = ["segment", "key", "time"]
    lists = home.events.read(model.name, start, end, columns=columns).to_pandas()
    found: pd.DataFrame = lists.drop_duplicates().rename(columns={"time": "made"})
    return found


def learn_outcomes(model: LogicalModel, home: Home, outcome: Outcome, days: int) -> Ingestion:
    """Bring what came of lists in as their ground truth, for experiments, bandits and monitoring.

    A list that was shown has an outcome, zero or more, which grows with what is delivered later.
    It is observed before the entity's next list was made, so that it is counted as this one's.
    """
    found = came_of_lists(home.feedback.read(model.name), days)
    lists = _logged(model, home).sort_values("made")
    lists["next"] = lists.groupby(["segment", "key"])["made"].shift(-1)
    known = found.merge(lists, on=_LIST)
    observed = known["last"].where(
        known["next"].isna(), np.minimum(known["last"], known["next"] - _TICK)
    )
    table = truth_table(
        key=known["key"],
        value=known[outcome].astype(np.float64),
        observed=observed.dt.tz_convert("UTC"),
        segment=known["segment"],
        source=FEEDBACK,
    )
    return home.truth.add(model.name, table)


@dataclass(frozen=True, kw_only=True)
class Amount:
    """Revenue of a list, with its interval; ``None`` where too little is known."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What the lists of a ranking have earned, and what they would have without experiments.

    Attributes
    ----------
    lists
        How many are old enough to be counted.
    young
        Those that are not yet.
    heard
        Counted lists that anything was heard of.
    served
        Revenue of a list, as versions served.
    champion
        The same, had the champions alone served; from logged propensities.
    uplift
        The difference.
    """

    days: int
    lists: int
    young: int
    heard: int
    served: Amount
    champion: Amount
    uplift: Amount


def worth(
    model: LogicalModel, home: Home, now: datetime, *, days: int = 14, confidence: float = 0.95
) -> Worth:
    """Estimate the revenue of a list within some days after it was made.

    The champions' value is that of :func:`~loopcast.iterate.experiments.offpolicy.snips`; lists of
    one entity depend on each other, and errors are by entity. A list that nothing was heard of has
    earned nothing.
    """
    columns = [*ONE_EVENT, "propensity", "inclusion"]
    events = once(home.events.read(model.name, columns=columns)).to_pandas()
    events = events[events["role"].isin(SHOWN)].rename(columns={"time": "made"})
    old = events["made"] + timedelta(days=days) <= pd.Timestamp(now)
    came = came_of_lists(home.feedback.read(model.name), days)
    lists = events[old].merge(came, on=_LIST, how="left")
    reward = lists["revenue"].fillna(0.0).to_numpy(np.float64)
    weight = 1.0 / lists["inclusion"].to_numpy()
    ratio = (lists["role"] == "champion").to_numpy() / lists["propensity"].to_numpy()
    entity = lists.groupby(["segment", "key"], sort=False).ngroup().to_numpy(np.int64)
    served, champion = earned(reward, weight), snips(reward, ratio, weight)

    def amount(value: Value) -> Amount:
        estimate = value.estimate(entity)
        low, high = estimate.interval(confidence) or (None, None)
        return Amount(value=estimate.value, low=low, high=high)

    return Worth(
        days=days,
        lists=len(lists),
        young=int((~old).sum()),
        heard=int(lists["last"].notna().sum()),
        served=amount(served),
        champion=amount(champion),
        uplift=amount(served - champion),
    )
