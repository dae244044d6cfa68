"""Events as rows of sketches: which of them count, for which version, and in which group."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loopcast.api import ForecastSchema, LogicalModel
from loopcast.monitor.observed import answered, column, numbers
from loopcast.monitor.reference import OUTPUT, Reference
from loopcast.monitor.sketch import Sketch
from loopcast.monitor.stack import Chosen, Places, sketch_stacked, stack_bins
from loopcast.store.event_keys import forecast_keys


def used(events: pa.Table) -> pa.Table:
    """Return the events whose answers were used, in their order.

    A challenger's were where entities are divided between versions; a forecast is not.
    """
    role = events["role"]
    divided = pc.and_(pc.equal(role, "challenger"), pc.less(events["propensity"], 1.0))
    return events.filter(pc.or_(pc.is_in(role, pa.array(("champion", "canary"))), divided))


def on_day_before(events: pa.Table, midnight: datetime) -> pa.Table:
    """Return the events of the day that ends at a moment."""
    time, kind = events["time"], events["time"].type
    since = pa.scalar(midnight - timedelta(days=1), kind)
    inside = pc.and_(pc.greater_equal(time, since), pc.less(time, pa.scalar(midnight, kind)))
    return events.filter(inside)


def chosen_rows(events: pa.Table, version: Places, group: Places) -> Chosen:
    """Return that all events count, each by the inverse of the probability of being logged."""
    weight = 1.0 / events["inclusion"].to_numpy()
    return Chosen(row=np.arange(events.num_rows), version=version, group=group, weight=weight)


@dataclass(frozen=True, eq=False, kw_only=True)
class Subsets:
    """Subpopulations of events.

    Attributes
    ----------
    names
        Position of the version, and ``attribute=value``, of each group.
    chosen
        The events of each, their groups numbered from 0.
    """

    names: tuple[tuple[int, str], ...]
    chosen: Chosen


def subsets_of(events: pa.Table, references: Sequence[Reference], base: Chosen) -> Subsets:
    """Return the subpopulations that the reference of an event's version knows."""
    names = tuple((v, name) for v, each in enumerate(references) for name in each.subsets)
    number = {key: place for place, key in enumerate(names)}
    parts = [base.where(np.zeros(events.num_rows, dtype=bool))]
    for attribute in dict.fromkeys(name.partition("=")[0] for _, name in names):
        texts = column(events["input_texts"], attribute).dictionary_encode()
        values = [*texts.dictionary.to_pylist(), None]
        table = np.array(
            [
                [number.get((v, f"{attribute}={value}"), -1) for value in values]
                for v in range(len(references))
            ]
        )
        place = texts.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)
        group = table[base.version, place]
        inside = Chosen(row=base.row, version=base.version, group=group, weight=base.weight)
        parts.append(inside.where(group >= 0))
    return Subsets(names=names, chosen=joined(parts))


def joined(parts: Sequence[Chosen]) -> Chosen:
    """Return the rows of all parts one after the other."""
    return Chosen(
        row=np.concatenate([part.row for part in parts]),
        version=np.concatenate([part.version for part in parts]),
        group=np.concatenate([part.group for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
    )


def count_rows(
    events: pa.Table,
    model: LogicalModel,
    references: Sequence[Reference],
    base: Chosen,
    groups: int,
    *,
    inputs: Chosen | None = None,
) -> Sketch:
    """Count events in the bins of their versions, which have the same inputs.

    Parameters
    ----------
    base
        Each event once; outputs are counted of these.
    inputs
        Of which the inputs are counted; ``base`` where it is left out.
    """
    bins = stack_bins([each.bins for each in references])
    of_inputs, of_outputs = counting_rows(events, model, references, base)
    both = (inputs or base).where(of_inputs), base.where(of_outputs)
    return sketch_stacked(
        columns_of(events, bins.names, bins.numeric),
        bins,
        {name: both[name.startswith(OUTPUT)] for name in bins.names},
        groups,
    )


def counting_rows(
    events: pa.Table, model: LogicalModel, references: Sequence[Reference], base: Chosen
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which events have inputs, and which outputs are those of the reference.

    Of a forecast, the inputs of series with a site, and the outputs of the series that the
    overall metrics are about, both at the finest step. What has no answer has no outputs, and an
    event whose key cannot be read neither.
    """
    schema, has_outputs = model.schema, answered(events, model).to_numpy(zero_copy_only=False)
    if not isinstance(schema, ForecastSchema):
        return np.ones(events.num_rows, dtype=bool), has_outputs
    keys = forecast_keys(events["key"])
    finest = (keys["step"] == schema.step).to_numpy()
    names, code = keys["series"].cat.categories, keys["series"].cat.codes.to_numpy()

    def among(series: Collection[str]) -> NDArray[np.bool_]:
        return np.append(names.isin(series), False)  # the last place is that of −1: no series

    heads = np.array([among(each.series) for each in references])
    aggregate = among(list(schema.aggregates))
    return finest & ~aggregate[code], finest & heads[base.version, code] & has_outputs


def columns_of(events: pa.Table, names: Sequence[str], numeric: int) -> Mapping[str, Any]:
    """Return the values of inputs and outputs by their name in a reference."""
    found: dict[str, Any] = {}
    for place, name in enumerate(names):
        source = "output" if name.startswith(OUTPUT) else "input"
        plain = name.removeprefix(OUTPUT)
        if place < numeric:
            found[name] = numbers(events[f"{source}s"], plain)
        else:
            found[name] = column(events[f"{source}_texts"], plain)
    return found
