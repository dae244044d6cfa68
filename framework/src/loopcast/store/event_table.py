"""Tables of events: their columns, made from arrays or from records one by one.

Inputs and outputs differ between logical models, so they are maps rather than columns. Numbers
and texts have a map each: a map has one type of value, and with numbers apart the usual
question, one output over many events, reads doubles and no text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, get_args

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import DataError, Event, Role

_NUMBERS = pa.map_(pa.string(), pa.float64())
_TEXTS = pa.map_(pa.string(), pa.string())

EVENT_SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("time", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("logical_model", pa.string(), nullable=False),
        pa.field("segment", pa.string(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("role", pa.string(), nullable=False),
        pa.field("outputs", _NUMBERS, nullable=False),
        pa.field("output_texts", _TEXTS, nullable=False),
        pa.field("inputs", _NUMBERS, nullable=False),
        pa.field("input_texts", _TEXTS, nullable=False),
        pa.field("action", pa.string(), nullable=False),
        pa.field("explanation", _NUMBERS, nullable=False),
        pa.field("latency_ms", pa.float64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("inclusion", pa.float64(), nullable=False),
        pa.field("labelling", pa.float64(), nullable=False),
        pa.field("propensity", pa.float64()),
    ]
)
"""Columns of the event log. A missing number is null in its map, as is ``None``.

Files that are older than ``propensity`` lack it; :meth:`EventLog.read` fills in 1.
"""

ONE_EVENT = ("segment", "version", "role", "key", "time")
"""Events that agree in these are one: the same answer was logged twice."""


def utc_day(moment: datetime | None) -> date | None:
    """Return the day in UTC of a moment.

    Raises
    ------
    DataError
        When it has no time zone.
    """
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise DataError(f"{moment} has no time zone, so it could mean two moments; give it one")
    return moment.astimezone(UTC).date()


def refuse_unknown(names: Sequence[str]) -> None:
    """Raise :class:`DataError` for a column that events do not have."""
    for name in names:
        if name not in EVENT_SCHEMA.names:
            known = ", ".join(EVENT_SCHEMA.names)
            raise DataError(f"events have no column {name!r}; they have {known}")


def conform(table: pa.Table) -> pa.Table:
    """Return the table with the schema's columns, in its order and of its types.

    Raises
    ------
    DataError
        When columns are missing, unknown or of another type, or a value cannot be right.
    """
    refuse_unknown(table.column_names)
    missing = [name for name in EVENT_SCHEMA.names if name not in table.column_names]
    if missing:
        raise DataError(f"events lack the columns {', '.join(missing)}; event_table makes them all")
    try:
        table = table.select(EVENT_SCHEMA.names).cast(EVENT_SCHEMA)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise DataError(f"events do not have the event log's types: {error}") from None
    _refuse_roles(table["role"])
    return table


def _refuse_roles(roles: pa.ChunkedArray) -> None:
    unknown = set(pc.unique(roles).to_pylist()) - set(get_args(Role))
    if unknown:
        known = ", ".join(get_args(Role))
        raise DataError(f"role {sorted(unknown)[0]!r} of an event is none of {known}")


def event_table(
    *,
    key: Any,
    time: Any,
    logical_model: Any,
    segment: Any,
    version: Any,
    role: Any,
    outputs: Mapping[str, Any],
    inputs: Mapping[str, Any] | None = None,
    explanation: Mapping[str, Any] | None = None,
    action: Any = "served",
    latency_ms: Any = 0.0,
    source: Any = "batch",
    inclusion: Any = 1.0,
    labelling: Any = 1.0,
    propensity: Any = 1.0,
) -> pa.Table:
    """Make a table of events from columns, without a Python object for each event.

    Parameters
    ----------
    key : sequence of str, shape (n,)
        A list, an array or a Series; its length is the number of events.
    time : array of moments with a time zone, shape (n,), or one datetime for all
    logical_model, segment, version, role, action, source : str, or array of shape (n,)
    outputs, inputs : mapping of str to array, shape (n,)
        By name. Numbers, where NaN means missing, or texts.
    explanation : mapping of str to array, shape (n,), float64
    latency_ms, inclusion, labelling, propensity : float, or array of shape (n,)

    Raises
    ------
    DataError
        When a column is too short, of the wrong type, or a time has no zone.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> table = event_table(
    ...     key=["NSW|08:00", "NSW|08:30"], time=datetime(2014, 1, 1, tzinfo=UTC),
    ...     logical_model="nem_demand", segment="", version="0123456789abcdef",
    ...     role="champion", outputs={"mean": [7100.0, 7250.0]})
    >>> table.num_rows
    2
    """
    count = len(key)
    plain = {
        "key": key,
        "time": time,
        "logical_model": logical_model,
        "segment": segment,
        "version": version,
        "role": role,
        "action": action,
        "latency_ms": latency_ms,
        "source": source,
        "inclusion": inclusion,
        "labelling": labelling,
        "propensity": propensity,
    }
    columns = {name: event_column(name, values, count) for name, values in plain.items()}
    columns["outputs"], columns["output_texts"] = _maps("outputs", outputs, count)
    columns["inputs"], columns["input_texts"] = _maps("inputs", inputs or {}, count)
    columns["explanation"] = _map("explanation", explanation or {}, count, pa.float64())
    return pa.table([columns[name] for name in EVENT_SCHEMA.names], schema=EVENT_SCHEMA)


def event_column(name: str, values: Any, count: int) -> pa.Array:
    """Return one value for all events, or an array of them, as the column of the log.

    Raises
    ------
    DataError
        As :func:`event_table`.
    """
    wanted = EVENT_SCHEMA.field(name).type
    if isinstance(values, str | float | int | datetime):
        _ = utc_day(values) if isinstance(values, datetime) else None
        return pa.repeat(pa.scalar(values, wanted), count)
    return _array(name, values, count, wanted)


def _array(name: str, values: Any, count: int, wanted: pa.DataType) -> pa.Array:
    try:
        array = values if isinstance(values, pa.Array) else pa.array(values, from_pandas=True)
        if pa.types.is_timestamp(wanted) and getattr(array.type, "tz", None) is None:
            raise DataError(f"event column {name!r} has no time zone; give moments in UTC")
        array = array.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise DataError(f"event column {name!r} is not {wanted}: {error}") from None
    if len(array) != count:
        raise DataError(f"event column {name!r} has {len(array)} values for {count} events")
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _maps(name: str, columns: Mapping[str, Any], count: int) -> tuple[pa.Array, pa.Array]:
    """Return the map of the numeric columns and the map of the others."""
    arrays = {entry: pa.array(values, from_pandas=True) for entry, values in columns.items()}
    texts = {entry: array for entry, array in arrays.items() if not is_number(array.type)}
    numbers = {entry: array for entry, array in arrays.items() if entry not in texts}
    return _map(name, numbers, count, pa.float64()), _map(name, texts, count, pa.string())


def is_number(kind: pa.DataType) -> bool:
    """Tell whether an output or input of this type is a number to the log, and no text."""
    checks = (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean, pa.types.is_null)
    return any(check(kind) for check in checks)


def _map(name: str, columns: Mapping[str, Any], count: int, values: pa.DataType) -> pa.MapArray:
    """Lay columns out as one map for each event, by index arithmetic only."""
    width = len(columns)
    arrays = [_array(f"{name}.{entry}", column, count, values) for entry, column in columns.items()]
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * width)
    names = pa.array(list(columns), pa.string()).take(np.tile(np.arange(width), count))
    if width == 1:  # nothing to interleave: the texts of all lists would be copied twice
        return pa.MapArray.from_arrays(offsets, names, arrays[0])
    order = np.arange(width * count).reshape(width, count).T.ravel()
    stacked = pa.concat_arrays(arrays) if arrays else pa.array([], values)
    return pa.MapArray.from_arrays(offsets, names, stacked.take(pa.array(order)))


def once(events: pa.Table) -> pa.Table:
    """Return the events without those that repeat another, in their order.

    Parameters
    ----------
    events
        With the columns :data:`ONE_EVENT` at least.
    """
    numbered = events.select(list(ONE_EVENT)).append_column(
        "row", pa.array(np.arange(events.num_rows))
    )
    first = numbered.group_by(list(ONE_EVENT)).aggregate([("row", "min")])["row_min"]
    if len(first) == events.num_rows:
        return events
    return events.take(pa.array(np.sort(first.to_numpy())))


def table_of(events: Sequence[Event]) -> pa.Table:
    """Make a table from events one by one, for callers that have a few."""
    columns: dict[str, list[Any]] = {name: [] for name in EVENT_SCHEMA.names}
    for event in events:
        row = msgspec.structs.asdict(event)
        row["outputs"], row["output_texts"] = _split(event.outputs)
        row["inputs"], row["input_texts"] = _split(event.inputs)
        row["explanation"] = list(event.explanation.items())
        for name, values in columns.items():
            values.append(row[name])
    return pa.table(columns, schema=EVENT_SCHEMA)


def _split(values: Mapping[str, float | str | None]) -> tuple[list[Any], list[Any]]:
    texts = [(name, value) for name, value in values.items() if isinstance(value, str)]
    numbers = [(name, value) for name, value in values.items() if not isinstance(value, str)]
    return numbers, texts


def events_of(table: pa.Table) -> list[Event]:
    """Return the rows of a table as events, the inverse of :func:`table_of`."""
    return [
        Event(
            **{name: row[name] for name in Event.__struct_fields__ if name in _PLAIN},
            outputs=dict(row["outputs"] + row["output_texts"]),
            inputs=dict(row["inputs"] + row["input_texts"]),
            explanation=dict(row["explanation"]),
        )
        for row in table.to_pylist()
    ]


_PLAIN = {field.name for field in EVENT_SCHEMA if not pa.types.is_map(field.type)}
