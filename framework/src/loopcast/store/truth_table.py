"""Tables of ground truth, made from columns."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import DataError

TRUTH_SCHEMA = pa.schema(
    [
        pa.field("segment", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("observed", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("text", pa.string()),
        pa.field("source", pa.string(), nullable=False),
    ]
)
"""Columns of ground truth; an outcome is a ``value`` or a ``text``, and the other one is null."""


def truth_table(
    *, key: Any, value: Any, observed: Any, segment: Any = "", source: str = ""
) -> pa.Table:
    """Make a table of outcomes from columns.

    Parameters
    ----------
    key : sequence of str, shape (n,)
    value : sequence of numbers, truth values or texts, shape (n,)
        Missing where the outcome is not known yet.
    observed : array of moments with a time zone, shape (n,), or one datetime for all
    segment : str, or sequence of str, shape (n,)
    source
        Which system knows it.

    Raises
    ------
    DataError
        For a missing key, a moment without a zone, or an infinite value.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> table = truth_table(key=["a", "b"], value=[1, None], observed=noon)
    >>> table["value"].to_pylist()
    [1.0, None]
    """
    columns = {
        "segment": segment,
        "key": key,
        "observed": observed,
        **_outcome(value),
        "source": source,
    }
    count = len(key)
    arrays = [_array(field, columns[field.name], count) for field in TRUTH_SCHEMA]
    return pa.table(arrays, schema=TRUTH_SCHEMA)


def _outcome(value: Any) -> dict[str, Any]:
    values = pa.array(value, from_pandas=True)
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    is_text = not (
        pa.types.is_floating(values.type)
        or pa.types.is_integer(values.type)
        or pa.types.is_null(values.type)
    )
    if not is_text and len(values) and pc.any(pc.is_inf(values.cast(pa.float64()))).as_py():
        raise DataError("a value of the ground truth is infinite; leave it out where it is unknown")
    return {"value": None, "text": values} if is_text else {"value": values, "text": None}


def _array(field: pa.Field, values: Any, count: int) -> pa.Array:
    try:
        if values is None or not hasattr(values, "__len__") or isinstance(values, str):
            array = pa.repeat(pa.scalar(values), count)
        else:
            array = values if isinstance(values, pa.Array) else pa.array(values, from_pandas=True)
        if pa.types.is_timestamp(field.type) and getattr(array.type, "tz", None) is None:
            raise DataError(f"{field.name} of the ground truth has no time zone; give it one")
        array = array.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{field.name} of the ground truth is not {field.type}: {error}") from None
    if len(array) != count:
        raise DataError(f"{field.name} of the ground truth has {len(array)} values, not {count}")
    if array.null_count and not field.nullable:
        first = pc.index(array.is_null(), True).as_py()
        raise DataError(
            f"{field.name} of the ground truth is missing in {array.null_count} rows, "
            f"the first of them row {first}; every row needs one"
        )
    return array
