"""From plain data to typed records, with errors that name the exact key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import date
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from loopcast.api import ConfigurationError

LocalDate = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]


def is_day(text: str | None) -> bool:
    """Tell whether a text is a day of the calendar, as 2014-12-31; ``None`` is no wrong one."""
    try:
        return text is None or date.fromisoformat(text) is not None
    except ValueError:
        return False


class SettingError(ConfigurationError):
    """A setting that does not exist, is missing, or has a value that it cannot take.

    Attributes
    ----------
    key
        The setting, dotted: ``backtest.origins``.
    problem
        What was wrong, and what would be right.
    """

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}" if key else problem)
        self.key = key
        self.problem = problem


def convert(value: Any, kind: Any, key: str = "") -> Any:
    """Convert plain data to a type; unlike ``msgspec.convert``, an error names the exact key.

    Parameters
    ----------
    value
        Mappings, sequences, strings, numbers, booleans and ``None``.
    kind
        A struct, a union of tagged structs, or any type that msgspec knows.
    key
        Dotted key of the value, for messages.

    Raises
    ------
    SettingError
        Naming the key, what was expected, and the nearest valid name.

    Examples
    --------
    >>> class Backtest(msgspec.Struct):
    ...     origins: int = 28
    ...     every: int = 3
    >>> convert({"origins": 7}, Backtest)
    Backtest(origins=7, every=3)
    >>> convert({"orgins": 7}, Backtest, "backtest")
    Traceback (most recent call last):
    ...
    loopcast.settings.conversion.SettingError: backtest.orgins: unknown key;\
 did you mean 'origins'? Valid: every, origins
    """
    structs = _structs(kind)
    if structs and not (value is None and NoneType in get_args(kind)):
        return _convert_struct(_mapping(value, key), structs, key)
    if get_origin(kind) is dict:
        name_kind, item_kind = get_args(kind)
        return {
            _leaf(name, name_kind, f"{key}.{name}"): convert(item, item_kind, f"{key}.{name}")
            for name, item in _mapping(value, key).items()
        }
    return _leaf(value, kind, key)


def unknown(what: str, name: object, valid: Iterable[str]) -> str:
    """Say that a name is not valid, which one is nearest, and which there are.

    Examples
    --------
    >>> unknown("unknown key", "orgins", ["origins", "seed"])
    "unknown key; did you mean 'origins'? Valid: origins, seed"
    """
    names = sorted(valid)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{what}; {hint}Valid: {', '.join(names) or 'none'}"


def _structs(kind: Any) -> list[Any]:
    """Return the record that a type is, or those that it may be."""
    options = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return [option for option in options if _is_struct(option)]


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _mapping(value: Any, key: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingError(key, f"expected keys with values, got {_shown(value)}")
    return dict(value)


def _convert_struct(given: dict[str, Any], structs: list[Any], key: str) -> Any:
    struct = _tagged(given, structs, key)
    given.pop(struct.__struct_config__.tag_field, None)
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for name in given:
        if name not in fields:
            raise SettingError(_join(key, name), unknown("unknown key", name, fields))
    for name, field in fields.items():
        if field.required and name not in given:
            raise SettingError(_join(key, name), f"missing; expected {_expected(field.type)}")
    values = {
        fields[name].name: convert(item, fields[name].type, _join(key, name))
        for name, item in given.items()
    }
    try:
        return struct(**values)
    except (ValueError, TypeError) as error:
        raise SettingError(key, str(error)) from None


def _tagged(given: Mapping[str, Any], structs: list[Any], key: str) -> Any:
    """The struct that the tag selects, where structs have one."""
    tag_field = structs[0].__struct_config__.tag_field
    if tag_field is None:
        return structs[0]
    by_tag = {struct.__struct_config__.tag: struct for struct in structs}
    tag = given.get(tag_field)
    if tag not in by_tag:
        problem = "missing" if tag is None else f"got {_shown(tag)}"
        raise SettingError(_join(key, tag_field), unknown(problem, tag, by_tag))
    return by_tag[tag]


def _leaf(value: Any, kind: Any, key: str) -> Any:
    choices = _choices(kind)
    if choices and value not in choices:
        valid = [choice for choice in choices if choice is not None]
        raise SettingError(key, unknown(f"got {_shown(value)}", value, valid))
    if isinstance(value, str) and kind in (LocalDate, LocalDate | None):
        return _date(value, key)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        raise SettingError(
            key + path.rstrip("`"), f"{_lower(problem)}, got {_shown(value)}"
        ) from None


def _choices(kind: Any) -> tuple[Any, ...]:
    """The values of a literal, or of one that may be left out."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    literal, *others = get_args(kind) or (None,)
    optional = others == [NoneType] and get_origin(literal) is Literal
    return (*get_args(literal), None) if optional else ()


def _date(value: str, key: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        problem = f"expected a date such as 2014-12-31, got {_shown(value)}"
        raise SettingError(key, problem) from None


def _expected(kind: Any) -> str:
    """Say what a type takes: the keys of a record, or in msgspec's words anything else."""
    structs = _structs(kind)
    if structs:
        fields = msgspec.structs.fields(structs[0])
        needed = [field.encode_name for field in fields if field.required]
        tag = structs[0].__struct_config__.tag_field
        return f"keys with values: {', '.join([*([tag] if tag else []), *needed])}"
    try:  # to convert what never fits
        msgspec.convert(object(), kind)
    except msgspec.ValidationError as error:
        found = re.search(r"Expected (.*), got", str(error))
        return found[1] if found else "a value"
    return "a value"


def _join(key: str, name: object) -> str:
    return f"{key}.{name}" if key else str(name)


def _shown(value: object) -> str:
    return "nothing" if value is None else f"{value!r:.60}"


def _lower(problem: str) -> str:
    return problem[:1].lower() + problem[1:].partition(", got")[0]
