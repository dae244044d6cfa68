"""Messages as hypothesis draws them, by the annotations of their kinds."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import msgspec
from hypothesis import reject
from hypothesis import strategies as st
from msgspec import inspect

from loopcast_edge.wire import Message


def everything(kind: type[Message]) -> st.SearchStrategy[Message]:
    """All that the annotations of a kind allow, and its own checks do not refuse."""
    return cast("st.SearchStrategy[Message]", _values(inspect.type_info(kind)))


def _values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    return _VALUES[type(kind)](kind)


def _structs(kind: Any) -> st.SearchStrategy[Any]:
    fields = {field.name: _values(field.type) for field in kind.fields if field.name != "v"}
    return st.fixed_dictionaries(fields).map(partial(_built, kind.cls))


def _built(kind: type[msgspec.Struct], fields: dict[str, Any]) -> msgspec.Struct:
    try:
        return kind(**fields)
    except ValueError:
        reject()


def _texts(kind: Any) -> st.SearchStrategy[str]:
    if kind.pattern:
        return st.sampled_from([text for text in TEXTS if re.search(kind.pattern, text)])
    return st.text(min_size=kind.min_length or 0, max_size=8)


TEXTS = ["", "demand", "credit_2", "north", "North-1.b", *(d * n for d in "0f" for n in (16, 64))]

_VALUES: dict[type[inspect.Type], Callable[[Any], st.SearchStrategy[Any]]] = {
    inspect.StructType: _structs,
    inspect.VarTupleType: lambda kind: st.lists(
        _values(kind.item_type), min_size=kind.min_length or 0, max_size=3
    ).map(tuple),
    inspect.UnionType: lambda kind: st.one_of(*map(_values, kind.types)),
    inspect.LiteralType: lambda kind: st.sampled_from(kind.values),
    inspect.StrType: _texts,
    inspect.IntType: lambda kind: st.integers(kind.ge, kind.le),
    inspect.FloatType: lambda kind: st.floats(kind.ge, kind.le, allow_nan=False),
    inspect.BytesType: lambda kind: st.binary(
        min_size=kind.min_length or 0, max_size=kind.max_length or 8
    ),
    inspect.BoolType: lambda kind: st.booleans(),
    inspect.NoneType: lambda kind: st.none(),
}
