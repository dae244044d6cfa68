"""Settings: plain data becomes typed records, and an error names the exact key."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import ConfigurationError
from loopcast.settings import (
    BacktestSettings,
    ForecastTable,
    RunSettings,
    SettingError,
    convert,
    parse,
)

PLAIN: dict[str, Any] = {
    "job": {"name": "predict"},
    "logical_model": {
        "name": "town",
        "title": "Demand of the town",
        "owner": "grid",
        "kpi": {"metric": "mape"},
        "schema": {
            "task": "forecast",
            "unit": "MW",
            "step": "30min",
            "timezone": "Europe/Paris",
            "sites": {"here": {"timezone": "Europe/Paris"}},
        },
    },
    "data": {"name": "town", "reader": "csv", "table": {"time": "at", "target": "load"}},
    "template": {"name": "acme.mean"},
    "engine": {"name": "local", "workers": 2},
    "store": {"home": "h", "catalog": "sqlite:///c", "artifacts": "a", "events": "e"},
    "policy": msgspec.yaml.decode(
        (Path(__file__).resolve().parents[2] / "conf/policy/default.yaml").read_bytes()
    ),
}


def changed(key: str, value: object) -> dict[str, Any]:
    plain = copy.deepcopy(PLAIN)
    *parents, last = key.split(".")
    node = plain
    for parent in parents:
        node = node.setdefault(parent, {})
    node[last] = value
    return plain


def test_a_table_is_laid_out_for_the_task_of_the_logical_model() -> None:
    assert isinstance(parse(PLAIN).data.table, ForecastTable)
    plain = copy.deepcopy(PLAIN)
    plain["data"]["table"] = {"task": "score", "segment": "region"}
    with pytest.raises(SettingError, match="town is for the task forecast, and"):
        parse(plain)


def test_what_is_not_said_has_a_default() -> None:
    settings = parse(PLAIN)
    assert settings.backtest == BacktestSettings()
    assert isinstance(settings.data.table, ForecastTable)
    assert settings.data.table.gaps == "refuse"
    assert settings.baselines == {}
    assert settings.seed == 0
    assert settings.plugins.disable == ()


def test_settings_survive_json() -> None:
    settings = parse(changed("baselines", {"naive": {"name": "acme.naive"}}))
    assert parse(msgspec.json.decode(msgspec.json.encode(settings))) == settings


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (
            "job.name",
            "prdict",
            "job.name: got 'prdict'; did you mean 'predict'? "
            "Valid: night, predict, retrain, serve, train",
        ),
        ("job.name", None, "job.name: got nothing; Valid: night, predict, retrain, serve, train"),
        (
            "job.origin",
            "2014-13-01",
            "job.origin: expected a date such as 2014-12-31, got '2014-13-01'",
        ),
        ("engine.workers", "two", "engine.workers: expected `int`, got 'two'"),
        ("engine.workers", True, "engine.workers: expected `int`, got True"),
        ("engine.workers", 0, "engine.workers: expected `int` >= 1, got 0"),
        (
            "engine.wrokers",
            2,
            "engine.wrokers: unknown key; did you mean 'workers'? "
            "Valid: address, name, timeout, workers",
        ),
        ("engine.name", "dusk", "engine.name: got 'dusk'; did you mean 'dask'? Valid: dask, local"),
        (
            "engine.address",
            "tcp://host:8786",
            "engine: EngineSettings: address is for engine=dask, not local",
        ),
        (
            "engine",
            {"name": "dask", "workers": 1, "address": "host:8786"},
            "engine: EngineSettings: address host:8786 does not look like tcp://host:8786",
        ),
        ("engine.timeout", 0, "engine.timeout: expected `float` > 0.0, got 0"),
        ("engine", {"name": "local"}, "engine.workers: missing; expected `int`"),
        (
            "logical_model",
            {"name": "town", "title": "x", "purpose": "x", "owner": "x"},
            "logical_model.kpi: missing; expected keys with values: metric",
        ),
        ("engine", 3, "engine: expected keys with values, got 3"),
        ("backtest", None, "backtest: expected keys with values, got nothing"),
        ("seed", -1, "seed: expected `int` >= 0, got -1"),
        ("store.home", "", "store.home: expected `str` of length >= 1, got ''"),
        ("data.table.scale", 0, "data.table.scale: expected `float` > 0.0, got 0"),
        (
            "data.table.time",
            None,
            "data.table: ForecastTable: set time (a column) or start (of the first row), "
            "and not both",
        ),
        (
            "data.table.since",
            "2014-02-30",
            "data.table.since: expected a date such as 2014-12-31, got '2014-02-30'",
        ),
        (
            "logical_model.schema.task",
            "forcast",
            "logical_model.schema.task: got 'forcast'; did you mean 'forecast'? "
            "Valid: forecast, rank, score",
        ),
        (
            "logical_model.schema.sites.here.timezone",
            3,
            "logical_model.schema.sites.here.timezone: expected `str`, got 3",
        ),
        (
            "logical_model.schema.sites.Here",
            {"timezone": "UTC"},
            r"logical_model.schema.sites.Here: expected `str` matching regex "
            r"'^[a-z][a-z0-9_]{0,62}$', got 'Here'",
        ),
        (
            "logical_model.schema.resolutions",
            ["30min", "one"],
            r"logical_model.schema.resolutions[1]: expected `str` matching regex "
            r"'^([1-9]\\d*)(min|h|D)$', got ['30min', 'one']",
        ),
        (
            "logical_model.schema.sites",
            {},
            "logical_model.schema: ForecastSchema: sites is empty; name at least one place",
        ),
        (
            "logical_model.schema.covariates",
            {"temperature": {}},
            "RunSettings: logical model town needs the covariates temperature, for which "
            "data.table.covariates names no column",
        ),
        (
            "logical_model.schema.series",
            {"A": "here", "B": "here"},
            "RunSettings: logical model town has 2 series, and data.table.series names no column "
            "that tells them apart",
        ),
    ],
)
def test_an_error_names_the_key_and_what_would_be_right(
    key: str, value: object, expected: str
) -> None:
    with pytest.raises(SettingError) as caught:
        parse(changed(key, value))
    assert str(caught.value) == expected
    assert isinstance(caught.value, ConfigurationError)


class Knobs(msgspec.Struct, forbid_unknown_fields=True):
    """Types that a plugin may use."""

    size: int = 1
    names: tuple[str, ...] = ()
    by_name: dict[str, float] = {}
    inner: BacktestSettings | None = None


@given(
    st.builds(
        Knobs,
        size=st.integers(-(2**60), 2**60),
        names=st.lists(st.text(max_size=5), max_size=3).map(tuple),
        by_name=st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False), max_size=3),
        inner=st.none() | st.builds(BacktestSettings, origins=st.integers(1, 99)),
    )
)
def test_conversion_agrees_with_msgspec(knobs: Knobs) -> None:
    plain = msgspec.to_builtins(knobs)
    assert convert(plain, Knobs) == msgspec.convert(plain, Knobs) == knobs


@given(st.sampled_from(["size", "names", "by_name", "inner"]), st.just(object()) | st.binary())
def test_conversion_refuses_what_msgspec_refuses(name: str, value: object) -> None:
    with pytest.raises(SettingError, match=f"^knobs.{name}: expected "):
        convert({name: value}, Knobs, "knobs")


def test_settings_are_immutable() -> None:
    settings = parse(PLAIN)
    assert isinstance(settings, RunSettings)
    with pytest.raises(AttributeError):
        settings.seed = 3  # type: ignore[misc]
