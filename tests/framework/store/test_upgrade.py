"""A catalog that an older loopcast wrote, with data in it, becomes one of today's."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import msgspec
import pytest
from alembic import command
from sqlalchemy import bindparam, text

from loopcast.api import RiskAnswers, StoreError
from loopcast.store import database, upgrade
from loopcast.store.catalog import Catalog

from .builders import NOON, dataset, logical_model, registration, version

MODEL: dict[str, Any] = msgspec.to_builtins(logical_model(), order="sorted")
ROWS: dict[str, list[dict[str, Any]]] = {
    "logical_models": [
        {"name": "demand", "record": json.dumps(
            {k: v for k, v in MODEL.items() if k not in {"risk", "assumptions", "limits",
                                                         "fallback"}}
            | {"risk_class": "medium"})}
    ],
    "datasets": [
        {"name": "data", "fingerprint": dataset().fingerprint, "origin": "data.csv",
         "rows": 17_520, "imputed": 0}
    ],
    "comparisons": [{"dataset": 1, "protocol": "rolling origin, 28 origins"}],
    "versions": [
        {"id": version(number).id, "logical_model": "demand", "segment": "",
         "template": "forecasting.gam_arima", "recipe": version(number).recipe,
         "manifest": version(number).manifest, "dataset": 1, "created": NOON}
        for number in (1, 2)
    ],
    "version_datasets": [
        {"version": number, "position": 0, "dataset": 1} for number in (1, 2)
    ],
    "evaluations": [
        {"version": 1, "position": 0, "contender": "gam_arima", "baseline": False, "comparison": 1}
    ],
    "metrics": [
        {"version": 1, "evaluation": 0, "metric": "mape", "subset": "", "position": 0,
         "comparison": 1, "baseline": False, "value": 3.5, "count": 1344}
    ],
    "gate_results": [
        {"version": 1, "position": 0, "gate": "coherence", "passed": True,
         "expectation": "below 1e-9", "measured": "3e-16"}
    ],
    "releases": [
        {"logical_model": "demand", "segment": "", "version": number,
         "stage": stage, "since": NOON, "until": None, "by": "ann", "reason": "first"}
        for number, stage in ((1, "champion"), (2, "canary"))
    ],
}  # fmt: skip


@pytest.fixture
def old_url(catalog_url: str) -> str:
    """A catalog as revision r0001 wrote it."""
    engine = database.open_engine(catalog_url, create=True)
    sqlite = engine.dialect.name == "sqlite"
    with database.writing(engine) as connection:
        command.upgrade(upgrade.alembic_config(connection), "r0001")
        for table, rows in ROWS.items():
            names = list(rows[0])
            columns = ", ".join(f'"{name}"' for name in names)
            values = ", ".join(f":{name}" for name in names)
            statement = text(f"INSERT INTO {table} ({columns}) VALUES ({values})")
            for row in rows:
                bound = {
                    key: value.strftime("%Y-%m-%d %H:%M:%S.%f")
                    if sqlite and key in {"created", "since"}
                    else value
                    for key, value in row.items()
                }
                connection.execute(statement.bindparams(*map(bindparam, names)), bound)
    engine.dispose()
    return catalog_url


def test_an_older_catalog_is_refused_until_it_is_upgraded(old_url: str) -> None:
    with pytest.raises(StoreError, match=r"older loopcast.*run `loopcast database upgrade`"):
        Catalog(old_url)
    assert upgrade.upgrade(old_url) == "older"
    assert upgrade.check(old_url) == "current"
    assert upgrade.upgrade(old_url) == "current"


def test_of_two_at_once_one_upgrades(old_url: str) -> None:
    engine = database.open_engine(old_url, create=False)
    with ThreadPoolExecutor(2) as pool:
        with database.writing(engine):
            told = [pool.submit(upgrade.upgrade, old_url) for _ in range(2)]
            wait(told, timeout=0.5)  # both have begun, and neither can go on
        assert sorted(each.result() for each in told) == ["current", "older"]
    engine.dispose()


def test_everything_is_still_there(old_url: str) -> None:
    upgrade.upgrade(old_url)
    with Catalog(old_url, create=False) as catalog:
        assert catalog.logical_model("demand") == logical_model()
        assert catalog.logical_model("demand").risk == RiskAnswers()
        one = version(1).id
        assert catalog.champion("demand") == msgspec.structs.replace(version(1), created=NOON)
        assert catalog.stage(version(2).id) == "canary"
        assert catalog.history("demand", version=one)[0].by == "ann"
        assert catalog.evaluations(one)[0].value("mape") == 3.5
        assert catalog.gates(one)[0].measured == "3e-16"
        assert catalog.datasets(one) == (dataset(),)
        assert catalog.reigns("demand") == {"": (one,)}


def test_its_log_begins_with_what_was_there_before(old_url: str) -> None:
    upgrade.upgrade(old_url)
    with Catalog(old_url, create=False) as catalog:
        assert catalog.verify_audit()[0] == 1
        (entry,) = catalog.audit_log()
        assert entry.act == "upgrade"
        assert entry.details == {"before": {"releases": 2, "versions": 2}, "from": "r0001"}
        catalog.register([registration(version(3))])
        catalog.release("demand", "", version(3).id, stage="champion", by="ann", reason="better")
        assert catalog.verify_audit()[0] == 3
        assert catalog.reigns("demand") == {"": (version(3).id, version(1).id)}
