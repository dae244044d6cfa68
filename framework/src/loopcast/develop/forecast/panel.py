"""A panel at every level: aggregates over series, and coarser steps over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from loopcast.api import ForecastData, ForecastSchema, InvalidRecordError, Site, step_minutes

VALUES_AT_ONCE = 2**22

Numbers = NDArray[np.floating[Any]]
Members = Mapping[str, tuple[str, ...]]
"""The bottom series of each aggregate."""


def bottom_members(schema: ForecastSchema, bottom: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Resolve aggregates of aggregates to bottom series.

    Parameters
    ----------
    bottom
        Names of the bottom series.

    Raises
    ------
    InvalidRecordError
        Where an aggregate names itself or something that does not exist.
    """
    known_series = frozenset(bottom)

    def resolve(name: str, path: tuple[str, ...]) -> tuple[str, ...]:
        if name in known_series:
            return (name,)
        if name in path or name not in schema.aggregates:
            known = ", ".join([*bottom, *schema.aggregates])
            problem = "contains itself" if name in path else f"is no series or aggregate ({known})"
            raise InvalidRecordError(f"aggregates: {' > '.join([*path, name])}: {name} {problem}")
        members = [
            found for member in schema.aggregates[name] for found in resolve(member, (*path, name))
        ]
        return tuple(dict.fromkeys(members))

    return {name: resolve(name, ()) for name in schema.aggregates}


def members_of(schema: ForecastSchema) -> dict[str, tuple[str, ...]]:
    """Return the bottom series of each aggregate of a schema: what is no aggregate itself."""
    parts = {part for summed in schema.aggregates.values() for part in summed}
    return bottom_members(schema, tuple(sorted(parts - set(schema.aggregates))))


def heads_of(members: Members) -> tuple[str, ...]:
    """Return the aggregates whose series are not all in a larger one."""
    sets = {name: set(bottom) for name, bottom in members.items()}
    inner = {a for a in sets for b in sets if sets[a] < sets[b]}
    return tuple(name for name in sets if name not in inner)


def site_weights(data: ForecastData, members: Members) -> dict[str, dict[str, float]]:
    """Weigh the sites of each aggregate by the mean size of their series.

    The weather of an aggregate is the mean of its sites' weather under these weights, which
    belong to the version: they are computed from training data only.
    """
    size = dict(zip(data.series, mean_size(data.target.to_numpy()).tolist(), strict=True))
    weights: dict[str, dict[str, float]] = {}
    for aggregate, bottom in members.items():
        by_site: dict[str, float] = {}
        for name in bottom:
            site = data.site_of[name]
            by_site[site] = by_site.get(site, 0.0) + size[name]
        total = sum(by_site.values()) or 1.0
        weights[aggregate] = {site: value / total for site, value in by_site.items()}
    return weights


def mean_size(values: Numbers) -> NDArray[np.float64]:
    """Return the mean absolute value of each column, 0 where there is none."""
    total, count = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for rows in row_blocks(values):
        part = values[rows]
        total += np.nansum(np.abs(part), axis=0, dtype=np.float64)
        count += np.count_nonzero(~np.isnan(part), axis=0)
    return np.asarray(total / np.maximum(count, 1))


def row_blocks(values: Numbers) -> Iterator[slice]:
    """Cut the rows of an array into parts that need little memory at once."""
    rows = max(1, VALUES_AT_ONCE // max(1, values.shape[1]))
    for start in range(0, len(values), rows):
        yield slice(start, start + rows)


def with_aggregates(
    data: ForecastData, members: Members, weights: Mapping[str, Mapping[str, float]]
) -> ForecastData:
    """Add a series for each aggregate, with a site of its own where its parts have several.

    A flag of such a site (a holiday) is set where it is for more than half the weight. An
    aggregate is missing where none of its parts is known; a part that is missing counts as zero.
    """
    if not members:
        return data
    mixed = {name: f"{name}_sites" for name in members if len(weights[name]) > 1}
    covariates = {
        name: pd.concat(
            [frame, *(_weighted(frame, weights[agg], site) for agg, site in mixed.items())], axis=1
        )
        for name, frame in data.covariates.items()
    }
    own = {name: mixed.get(name) or next(iter(weights[name])) for name in members}
    return replace(
        data,
        target=_with_sums(data.target, members),
        covariates=covariates,
        sites={**data.sites, **{site: Site(timezone=data.timezone) for site in mixed.values()}},
        site_of={**data.site_of, **own},
    )


def _with_sums(target: pd.DataFrame, members: Members) -> pd.DataFrame:
    """Add a column for each aggregate, summed in double precision."""
    values = target.to_numpy()
    columns = {str(name): k for k, name in enumerate(target.columns)}
    n, total = values.shape[1], values.shape[1] + len(members)
    whole = np.empty((len(values), total), dtype=values.dtype)
    chosen = [[columns[name] for name in bottom] for bottom in members.values()]
    indicator = sparse.csr_array(
        (
            np.ones(sum(map(len, chosen))),
            np.concatenate(chosen),
            np.cumsum([0, *map(len, chosen)]),
        ),
        shape=(len(members), n),
    )
    for rows in row_blocks(values):
        part, into = values[rows], whole[rows]
        missing = np.isnan(part)
        into[:, :n] = part
        into[:, n:] = (indicator @ np.where(missing, 0.0, part).astype(np.float64).T).T
        if missing.any():
            unknown = (indicator @ (~missing).T.astype(np.float64)).T == 0
            into[:, n:][unknown] = np.nan
    names = [*target.columns, *members]
    return pd.DataFrame(whole, index=target.index, columns=names, copy=False)


def _weighted(frame: pd.DataFrame, weights: Mapping[str, float], name: str) -> pd.Series:
    mean = frame[list(weights)].to_numpy() @ np.array(list(weights.values()))
    if _is_flag(frame):
        mean = (mean > 0.5).astype(np.float64)
    return pd.Series(mean, index=frame.index, name=name)


def _is_flag(frame: pd.DataFrame) -> bool:
    return bool(np.isin(frame.to_numpy(), (0.0, 1.0)).all())


def at_step(data: ForecastData, step: str, over_time: str) -> ForecastData:
    """Return the panel at a coarser step, from its first to its last whole interval.

    Intervals are counted from local midnight, so that a local day is one interval of 46, 48 or
    50 half-hours, and an hour is two half-hours on every day.

    Parameters
    ----------
    step
        A multiple of the panel's step.
    over_time
        ``mean`` or ``sum``: how the target adds up. Covariates are averaged; flags are set
        where they are for more than half the interval.
    """
    if step == data.step:
        return data
    target = _resample(data.target, data, step, over_time)
    covariates = {
        name: (mean > 0.5).astype(np.float64) if _is_flag(frame) else mean
        for name, frame in data.covariates.items()
        for mean in [_resample(frame, data, step, "mean")]
    }
    first = target.index[0]
    covariates = {name: frame.loc[frame.index >= first] for name, frame in covariates.items()}
    return replace(data, target=target, covariates=covariates, step=step)


def _resample(frame: pd.DataFrame, data: ForecastData, step: str, how: str) -> pd.DataFrame:
    assert isinstance(frame.index, pd.DatetimeIndex)
    starts = interval_starts(frame.index, step)
    grouped = frame.groupby(starts)
    values: pd.DataFrame = grouped.mean() if how == "mean" else grouped.sum(min_count=1)
    expected = interval_lengths(pd.DatetimeIndex(values.index), data.step, step)
    whole = grouped.size().to_numpy() == expected
    complete: pd.DataFrame = values.loc[whole]
    return complete.rename_axis("time")


def interval_starts(index: pd.DatetimeIndex, coarse: str) -> pd.DatetimeIndex:
    """Return, for each fine interval, the start of the coarse interval that it lies in."""
    midnight = index.normalize()
    minutes = step_minutes(coarse)
    if minutes == 1440:
        return midnight
    elapsed = (index - midnight) // pd.Timedelta(minutes=minutes)
    return midnight + elapsed * pd.Timedelta(minutes=minutes)


def interval_lengths(starts: pd.DatetimeIndex, fine: str, coarse: str) -> NDArray[np.int64]:
    """Return how many fine intervals each coarse interval has; fewer or more on clock changes."""
    ends = add_steps(starts, coarse, 1)
    fine_length = pd.Timedelta(minutes=step_minutes(fine))
    return np.asarray((ends - starts) // fine_length, dtype=np.int64)


def add_steps(times: pd.DatetimeIndex, step: str, count: int) -> pd.DatetimeIndex:
    """Move local times by steps; days are calendar days, shorter steps are absolute."""
    minutes = step_minutes(step) * count
    if step.endswith("D"):
        return times + pd.DateOffset(days=minutes // 1440)
    return times + pd.Timedelta(minutes=minutes)
