"""The tables of docs/wire.md, written from the records themselves."""

from __future__ import annotations

import inspect as python
import math
import re
from collections.abc import Callable
from typing import Any, get_args

import msgspec
from msgspec import inspect

from loopcast_edge import wire
from loopcast_edge.wire import Message
from loopcast_edge.wire.recipe import AnyStep

_ENTRY = re.compile(r"^(?P<names>[a-z_]+(?:, [a-z_]+)*)\n(?P<text>(?:    .+\n?)+)", re.MULTILINE)
_ROLE = re.compile(r":(?:class|func|data|mod):`([^`]+)`")
_INFINITE = 1.79e308


def table(kind: type[msgspec.Struct]) -> str:
    """What a record is sent as: each field with its type, its default and its meaning."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    told = meanings(kind)
    rows = [
        f"| `{f.encode_name}` | {_type(f.type)} | {_default(f)} | {told.get(f.name, '')} |"
        for f in info.fields
        if f.name != "v"
    ]
    return "\n".join(
        [_head(kind), "", "| field | type | default | meaning |", "|---|---|---|---|", *rows]
    )


def _head(kind: type[msgspec.Struct]) -> str:
    if issubclass(kind, Message):
        form = f"Kind `{kind.__struct_config__.tag}`, at most {kind.most_bytes} bytes."
    elif kind.__struct_config__.array_like:
        form = "An array of these fields, in this order."
    else:
        form = "A map."
    return f"{summary(kind)} {form}"


def summary(kind: type[msgspec.Struct]) -> str:
    """What the docstring of a record says before its attributes."""
    text, _, _ = python.cleandoc(kind.__doc__ or "").partition("\nAttributes\n")
    return _plain(text)


def _plain(text: str) -> str:
    lines = " ".join(line.strip() for line in text.strip().splitlines())
    return _ROLE.sub(r"`\1`", lines).replace("``", "`").replace("|", "\\|").replace("None", "nil")


def meanings(kind: type[msgspec.Struct]) -> dict[str, str]:
    """What the docstring of a record, and of those it extends, says of each field."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        text = python.cleandoc(base.__dict__.get("__doc__") or "")
        _, _, attributes = text.partition("\nAttributes\n----------\n")
        for entry in _ENTRY.finditer(attributes):
            found |= dict.fromkeys(entry["names"].split(", "), _plain(entry["text"]))
    return found


def _default(field: inspect.Field) -> str:
    if field.required:
        return ""
    default = field.default
    if default is None:
        return "nil"
    if default in ((), ""):
        return "empty"
    if isinstance(default, msgspec.Struct):
        return "all defaults"
    return f"`{default}`"


def _type(kind: Any) -> str:
    return _TYPES[type(kind)](kind)


def _range(low: float | None, high: float | None) -> str:
    ends = [_end(end) for end in (low, high)]
    return "" if ends == ["", ""] else f" {ends[0]}…{ends[1]}"


def _end(end: float | None) -> str:
    if end is None or abs(end) > _INFINITE:
        return ""
    power = math.log2(end) if end > 1e6 else 0.0
    return f"2^{power:.0f}" if power and power == int(power) else f"{end:.15g}"


def _length(kind: Any) -> str:
    if kind.max_length is None:
        return ""
    if kind.min_length == kind.max_length:
        return f" of length {kind.max_length}"
    return f" of {kind.min_length or 0} to {kind.max_length}"


def _text(kind: inspect.StrType) -> str:
    if kind.pattern is None:
        return f"text{_length(kind)}"
    pattern = kind.pattern.removeprefix("^").removesuffix("\\Z").replace("|", "\\|")
    return f"text `{pattern}`"


def _float(kind: inspect.FloatType) -> str:
    low = kind.ge if kind.gt is None else kind.gt
    high = kind.le if kind.lt is None else kind.lt
    return f"number{_range(low, high)}{' (0 excluded)' if kind.gt == 0 else ''}"


def _map(kind: inspect.DictType) -> str:
    return f"map{_length(kind)}: {_type(kind.key_type)} to {_type(kind.value_type)}"


def _union(kind: inspect.UnionType) -> str:
    if len(kind.types) > 4:
        return "one of the steps"
    order = sorted(kind.types, key=lambda each: isinstance(each, inspect.NoneType))
    return " or ".join(map(_type, order))


_TYPES: dict[type, Callable[[Any], str]] = {
    inspect.IntType: lambda kind: f"integer{_range(kind.ge, kind.le)}",
    inspect.FloatType: _float,
    inspect.StrType: _text,
    inspect.BytesType: lambda kind: f"bytes{_length(kind)}",
    inspect.BoolType: lambda _: "boolean",
    inspect.NoneType: lambda _: "nil",
    inspect.LiteralType: lambda kind: " or ".join(f"`{value}`" for value in kind.values),
    inspect.UnionType: _union,
    inspect.StructType: lambda kind: f"[{kind.cls.__name__}](#{kind.cls.__name__.lower()})",
    inspect.VarTupleType: lambda kind: f"array{_length(kind)}: {_type(kind.item_type)}",
    inspect.DictType: _map,
}


def steps() -> str:
    """What each step of a recipe is called, takes and makes."""
    rows = []
    for kind in get_args(AnyStep):
        told = meanings(kind)
        info = inspect.type_info(kind)
        assert isinstance(info, inspect.StructType)
        takes = "<br>".join(
            f"`{f.encode_name}`: {_type(f.type)}{_otherwise(f)}"
            for f in info.fields
            if f.name != "name"
        )
        makes = " ".join([summary(kind), *(told.get(f.name, "") for f in info.fields)]).strip()
        rows.append(f"| `{info.tag}` | {takes} | {makes} |")
    return "\n".join(["| step | takes | makes |", "|---|---|---|", *rows])


def _otherwise(field: inspect.Field) -> str:
    return "" if field.required else f" ({_default(field)})"


def filled(page: str) -> str:
    """The page with the table of each record that it names between its marks."""

    def replaced(found: re.Match[str]) -> str:
        content = steps() if found[1] == "steps" else table(getattr(wire, found[1]))
        return f"<!-- fields: {found[1]} -->\n{content}\n<!-- end -->"

    return re.sub(r"<!-- fields: (\w+) -->\n.*?<!-- end -->", replaced, page, flags=re.DOTALL)


def named(page: str) -> set[str]:
    """The records whose tables are on the page."""
    return set(re.findall(r"<!-- fields: (\w+) -->", page))
