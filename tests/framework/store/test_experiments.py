"""Experiments in the catalog: declared, begun, ended, and never two on one population."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from loopcast.api import (
    BanditSettings,
    BanditState,
    ConflictError,
    Experiment,
    ExperimentStep,
    IntegrityError,
    NotFoundError,
    StepName,
    StoreError,
    SwitchError,
)
from loopcast.store import database
from loopcast.store.catalog import Catalog

from .builders import NOON, registrations, version


def experiment(name: str = "spring", segment: str = "", **fields: Any) -> Experiment:
    common: dict[str, Any] = {
        "name": name, "logical_model": "demand", "segment": segment, "kind": "ab",
        "arms": (version(0, segment=segment).id, version(1, segment=segment).id),
        "metric": "outcome", "declared": NOON, "by": "ann", "minimum_effect": 0.01,
        "sample_size": 400,
    }  # fmt: skip
    return Experiment(**(common | fields))


def step(name: StepName, hours: int = 1, reason: str = "r") -> ExperimentStep:
    return ExperimentStep(step=name, at=NOON + timedelta(hours=hours), by="bob", reason=reason)


def release(catalog: Catalog, number: int, stage: Any, segment: str = "") -> None:
    identifier = version(number, segment=segment).id
    share = 0.1 if stage == "canary" else None
    catalog.release("demand", segment, identifier, stage=stage, by="cid", reason="r", share=share)


@pytest.fixture
def ready(catalog: Catalog) -> Catalog:
    """A catalog whose champion has a challenger, and a candidate beside them."""
    catalog.register(registrations(3))
    release(catalog, 0, "champion")
    release(catalog, 1, "challenger")
    return catalog


def test_from_declaration_to_conclusion(ready: Catalog) -> None:
    wanted = experiment()
    ready.declare([wanted])
    assert ready.experiment("demand", "", "spring").state == "declared"
    assert ready.active_experiments("demand") == {}
    ready.take_step([wanted], step("begun"))
    found = ready.active_experiments("demand")[""]
    assert (found.experiment, found.begun, found.ended) == (wanted, step("begun").at, None)
    ready.take_step([wanted], step("concluded", 9, "the second is better"))
    found = ready.experiment("demand", "", "spring")
    assert (found.state, found.ended) == ("concluded", step("concluded", 9).at)
    assert ready.active_experiments("demand") == {}
    acts = [entry.act for entry in ready.audit_log(limit=3)]
    assert acts == ["conclude", "begin", "declare"]
    assert ready.audit_log()[0].details["reason"] == "the second is better"
    ready.verify_audit()


def test_a_declaration_may_change_until_it_has_begun(ready: Catalog) -> None:
    first, second = experiment(), experiment(sample_size=500)
    ready.declare([first])
    ready.declare([second])
    with pytest.raises(ConflictError, match="declared anew"):
        ready.take_step([first], step("begun"))
    ready.take_step([second], step("begun"))
    for end in ("running", "stopped"):
        if end == "stopped":
            ready.take_step([second], step("stopped"))
        with pytest.raises(StoreError, match="has begun and cannot be declared anew"):
            ready.declare([experiment(sample_size=600)])
    [trial] = ready.experiments("demand")
    assert trial.experiment == second


@pytest.mark.parametrize(
    ("steps", "refused"),
    [
        (("begun",), "begun"),
        ((), "stopped"),
        (("begun", "stopped"), "concluded"),
        (("begun", "concluded"), "begun"),
    ],
)
def test_steps_come_in_order(
    ready: Catalog, steps: tuple[StepName, ...], refused: StepName
) -> None:
    wanted = experiment()
    ready.declare([wanted])
    for name in steps:
        ready.take_step([wanted], step(name))
    before = ready.audit_head()
    with pytest.raises(StoreError, match=f"can be {refused}"):
        ready.take_step([wanted], step(refused))
    assert ready.audit_head() == before


def test_one_at_a_time(ready: Catalog) -> None:
    one, two = experiment(), experiment("summer")
    ready.declare([one, two])
    with pytest.raises(ConflictError, match="population of the experiment spring"):
        ready.take_step([one, two], step("begun"))
    assert ready.active_experiments("demand") == {}
    ready.take_step([one], step("begun"))
    with pytest.raises(ConflictError, match="population of the experiment spring"):
        ready.take_step([two], step("begun"))
    ready.take_step([one], step("stopped"))
    ready.take_step([two], step("begun"))
    assert ready.active_experiments("demand")[""].experiment == two


def test_arms_stand_where_they_have_to(ready: Catalog) -> None:
    champion, challenger, candidate = (version(n).id for n in range(3))
    swapped = experiment("swapped", arms=(challenger, champion))
    early = experiment("early", arms=(champion, candidate))
    shadow = experiment("shadow", kind="shadow", arms=(champion, candidate))
    ready.declare([swapped, early, shadow])
    with pytest.raises(StoreError, match=r"first arm .* is challenger, not champion"):
        ready.take_step([swapped], step("begun"))
    with pytest.raises(StoreError, match="is candidate; an arm that serves is a challenger"):
        ready.take_step([early], step("begun"))
    ready.take_step([shadow], step("begun"))
    assert ready.active_experiments("demand").keys() == {""}


def test_a_canary_takes_no_entities_from_the_arms(ready: Catalog) -> None:
    release(ready, 2, "canary")
    ready.declare([experiment()])
    with pytest.raises(StoreError, match="has a canary"):
        ready.take_step([experiment()], step("begun"))


def test_what_is_frozen_begins_nothing(ready: Catalog) -> None:
    ready.declare([experiment()])
    ready.set_switch("demand", [""], "freeze", by="dan", reason="audit")
    with pytest.raises(SwitchError, match="is frozen"):
        ready.take_step([experiment()], step("begun"))


def test_a_release_ends_what_is_compared(ready: Catalog) -> None:
    ready.declare([experiment()])
    ready.take_step([experiment()], step("begun"))
    release(ready, 1, "champion")
    assert ready.active_experiments("demand") == {}
    assert ready.experiment("demand", "", "spring").state == "running"


def test_unknown_and_foreign_arms(ready: Catalog) -> None:
    ready.register(registrations(1, segment="north"))
    before = ready.audit_head()
    with pytest.raises(NotFoundError, match=r"f{16} is not in the catalog"):
        ready.declare([experiment(arms=(version(0).id, "f" * 16))])
    foreign = (version(0).id, version(0, segment="north").id)
    with pytest.raises(StoreError, match="is one of demand/north, not of demand"):
        ready.declare([experiment(arms=foreign)])
    with pytest.raises(NotFoundError, match="has no experiment 'autumn'; there are: none"):
        ready.experiment("demand", "", "autumn")
    assert ready.audit_head() == before


def test_bandits_of_many_segments_learn_at_once(catalog: Catalog) -> None:
    segments = [f"t{number}" for number in range(30)]
    wanted = [
        experiment("night", name, kind="bandit", sample_size=None, bandit=BanditSettings())
        for name in segments
    ]
    for name in segments:
        catalog.register(registrations(2, segment=name))
        release(catalog, 0, "champion", name)
        release(catalog, 1, "challenger", name)
    catalog.declare(wanted)
    catalog.take_step(wanted, step("begun"))
    state = BanditState(
        updated=NOON,
        updates=1,
        until=NOON,
        successes=(1.0, 2.0),
        failures=(9.0, 9.0),
        shares=(0.25, 0.75),
    )
    for updates in (1, 2):
        changed = replace(state, updates=updates)
        catalog.put_bandits("demand", dict.fromkeys(segments, changed))
    found = catalog.active_experiments("demand")
    assert {name: trial.bandit for name, trial in found.items()} == dict.fromkeys(segments, changed)
    catalog.take_step(wanted[:1], step("stopped"))
    kept = catalog.put_bandits("demand", {"t0": state, "t1": state})
    assert kept == ("t1",), "the bandit of t0 was stopped meanwhile"
    assert catalog.audit_log(limit=2)[1].details["rows"] == 30
    catalog.verify_audit()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE experiments SET record = replace(record, '400', '40')", "the experiments of"),
        ("DELETE FROM experiment_steps WHERE step = 'stopped'", "experiment steps of audit entry"),
        ("UPDATE experiment_steps SET \"by\" = 'eve'", "experiment steps of audit entry"),
    ],
)
def test_a_changed_declaration_does_not_stay_hidden(
    ready: Catalog, statement: str, message: str
) -> None:
    ready.declare([experiment()])
    ready.take_step([experiment()], step("begun"))
    ready.take_step([experiment()], step("stopped"))
    with database.writing(ready._engine) as connection:
        connection.execute(text(statement))
    with pytest.raises(IntegrityError, match=message):
        ready.verify_audit()
