"""The settings of a run as typed records, and the conversion that makes them from plain data.

Nothing here knows where the data comes from; ``config.py`` composes it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import date
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from loopcast.api import (
    ConfigurationError,
    ForecastSchema,
    LogicalModel,
    Name,
    Record,
    TemplateName,
)

Days = Annotated[int, msgspec.Meta(ge=1)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
LocalDate = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]


def _is_day(text: str | None) -> bool:
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


class JobSettings(Record, frozen=True):
    """What to do.

    Attributes
    ----------
    name
        ``predict`` trains only where no version was trained on the same data with the same
        settings; ``train`` always trains.
    origin
        The first local day to forecast; the last one whose covariates are known where it is
        ``None``.
    """

    name: Literal["predict", "train"]
    origin: LocalDate | None = None

    def check(self) -> None:
        """The origin is a day of the calendar."""
        self.require(_is_day(self.origin), f"origin {self.origin} is not a day of the calendar")


class ForecastTable(Record, frozen=True):
    """What the columns of a table mean for the task *forecast*.

    Attributes
    ----------
    time
        Column of interval starts, with a time zone; ``None`` where rows are regular from
        ``start`` on.
    start
        First interval start of a table without a time column: ``2013-12-31T14:00:00Z``.
    series
        Column that names the series of a row; ``None`` where the table is one series.
    target
        Column of actuals.
    covariates
        Column of each covariate, by the name that the schema gives it.
    scale
        Factor from the column's unit to the schema's: 1000 from GW to MW.
    since, until
        Use rows from (inclusive) and to (exclusive) these local dates only.
    gaps
        ``refuse`` missing observations, or ``impute`` and count them.
    """

    target: Text
    time: Text | None = None
    start: Text | None = None
    series: Text | None = None
    covariates: dict[Name, Text] = {}
    scale: Annotated[float, msgspec.Meta(gt=0.0)] = 1.0
    since: LocalDate | None = None
    until: LocalDate | None = None
    gaps: Literal["refuse", "impute"] = "refuse"

    def check(self) -> None:
        """Rows get their time in one way."""
        self.require(
            (self.time is None) != (self.start is None),
            "set time (a column) or start (of the first row), and not both",
        )
        for name, day in (("since", self.since), ("until", self.until)):
            self.require(_is_day(day), f"{name} {day} is not a day of the calendar")
        if self.since is not None and self.until is not None:
            self.require(self.since < self.until, f"since {self.since} is not before {self.until}")


class DataSettings(Record, frozen=True):
    """Where data comes from: a reader with its options, and what the table's columns mean."""

    name: Name
    reader: Name
    table: ForecastTable
    options: dict[str, object] = {}


class TemplateSettings(Record, frozen=True):
    """A template by its name, with hyperparameters as plain data.

    After :func:`loopcast.config.compose`, they are complete and of the template's types.
    """

    name: TemplateName
    hyperparameters: dict[str, object] = {}


class BacktestSettings(Record, frozen=True):
    """How contenders are judged.

    Attributes
    ----------
    origins
        Rolling origins to judge on, up to the end of the actuals.
    calibration
        Origins before them whose errors calibrate the first intervals.
    every
        Days between origins. Three days meet every weekday in turn and, with the same number
        of origins, three times as much of the year.
    refit_every
        Origins between refits; models between refits see new actuals without a refit.
    """

    origins: Days = 28
    calibration: Days = 28
    every: Days = 3
    refit_every: Days = 10


class EngineSettings(Record, frozen=True):
    """Where work runs, and on how many workers.

    Attributes
    ----------
    name
        ``local``: processes of this machine; ``dask``: a Dask cluster.
    workers
        Processes to start, of one thread each; an existing scheduler brings its own.
    address
        An existing Dask scheduler; with ``None``, a cluster is started here for the run.
    timeout
        Seconds to wait for an existing scheduler, and for its first worker.
    """

    name: Literal["local", "dask"]
    workers: Annotated[int, msgspec.Meta(ge=1)]
    address: Text | None = None
    timeout: Annotated[float, msgspec.Meta(gt=0.0)] = 30.0

    def check(self) -> None:
        """An address is one of a Dask scheduler."""
        if self.address is not None:
            self.require(self.name == "dask", f"address is for engine=dask, not {self.name}")
            fits = "://" in self.address
            self.require(fits, f"address {self.address} does not look like tcp://host:8786")


class StoreSettings(Record, frozen=True):
    """Where state lives: the home folder of runs, and the URL of each store."""

    home: Text
    catalog: Text
    artifacts: Text
    events: Text


class PluginSettings(Record, frozen=True):
    """Plugins that are not imported at all, by name."""

    disable: tuple[str, ...] = ()


class RunSettings(Record, frozen=True):
    """Everything that one run was told.

    Attributes
    ----------
    baselines
        Templates that the champion is compared with, by their label in the comparison.
    reconciliation
        Name of the reconciler that makes forecasts add up; empty for none.
    seed
        The only source of randomness.
    """

    job: JobSettings
    logical_model: LogicalModel
    data: DataSettings
    template: TemplateSettings
    engine: EngineSettings
    store: StoreSettings
    baselines: dict[Name, TemplateSettings] = {}
    backtest: BacktestSettings = BacktestSettings()
    reconciliation: str = ""
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0
    plugins: PluginSettings = PluginSettings()

    def check(self) -> None:
        """The table has what the schema asks for."""
        schema = self.logical_model.schema
        if isinstance(schema, ForecastSchema):
            table = self.data.table
            absent = sorted(set(schema.covariates) - set(table.covariates))
            self.require(
                not absent,
                f"logical model {self.logical_model.name} needs the covariates "
                f"{', '.join(absent)}, for which data.table.covariates names no column",
            )
            self.require(
                len(schema.series) < 2 or table.series is not None,
                f"logical model {self.logical_model.name} has {len(schema.series)} series, and "
                "data.table.series names no column that tells them apart",
            )


def parse(config: Mapping[str, object]) -> RunSettings:
    """Make the settings of a run from plain data.

    Raises
    ------
    SettingError
        For the first key that does not exist, is missing or has a value it cannot take.
    """
    settings: RunSettings = convert(config, RunSettings)
    return settings


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
    >>> convert({"origins": 7}, BacktestSettings)
    BacktestSettings(origins=7, calibration=28, every=3, refit_every=10)
    >>> convert({"orgins": 7}, BacktestSettings, "backtest")
    Traceback (most recent call last):
    ...
    loopcast.settings.SettingError: backtest.orgins: unknown key; did you mean 'origins'?\
 Valid: calibration, every, origins, refit_every
    """
    options = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    structs = [option for option in options if _is_struct(option)]
    if structs and not (value is None and NoneType in options):
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
    if get_origin(kind) is Literal and value not in get_args(kind):
        raise SettingError(key, unknown(f"got {_shown(value)}", value, get_args(kind)))
    if isinstance(value, str) and kind in (LocalDate, LocalDate | None):
        return _date(value, key)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        raise SettingError(
            key + path.rstrip("`"), f"{_lower(problem)}, got {_shown(value)}"
        ) from None


def _date(value: str, key: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        problem = f"expected a date such as 2014-12-31, got {_shown(value)}"
        raise SettingError(key, problem) from None


def _expected(kind: Any) -> str:
    """Say in msgspec's words what a type takes: it is asked to convert what never fits."""
    try:
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
