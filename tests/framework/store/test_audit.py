"""The audit log: every act in it, and nothing that was changed afterwards stays hidden."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from loopcast.api import (
    GateResult,
    IntegrityError,
    InvalidRecordError,
    NotFoundError,
    SignOff,
    SwitchError,
    Validation,
)
from loopcast.store import database
from loopcast.store.audit import GENESIS
from loopcast.store.catalog import AuditFilter, Catalog, Move

from ..deploy.versions import FREE, STRICT, policy
from .builders import NOON, logical_model, registrations, version


def validation(number: int = 1, *, passed: bool = True) -> Validation:
    results = tuple(
        GateResult(gate="size", test=name, passed=passed, expectation="e", measured="m")
        for name in ("bundle", "memory")
    )
    return Validation(
        version=version(number).id, at=NOON, by="ann", policy=STRICT.digest, results=results
    )


def sign_off(number: int = 1, role: str = "owner") -> SignOff:
    return SignOff(
        version=version(number).id, move="champion", role=role, by="bob", at=NOON, statement="fine"
    )


def fill(catalog: Catalog) -> None:
    """Do one of everything, and some of it twice."""
    catalog.put_policy(policy(STRICT), by="ann")
    catalog.register(registrations(3), by="ann")
    catalog.put_validations([validation(0), validation(1)])
    catalog.sign([sign_off(0), sign_off(1)])
    for number in (0, 1):
        catalog.release(
            "demand", "", version(number).id, stage="champion", by="cid", reason="better"
        )
    reign = catalog.reigns("demand")[""]
    assert reign == (version(1).id, version(0).id)
    catalog.release("demand", "", version(2).id, stage="canary", by="cid", reason="r", share=0.1)
    catalog.set_switch("demand", [""], "freeze", by="dan", reason="audit")
    catalog.set_switch("demand", [""], "on", by="dan", reason="over")


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    fill(catalog)
    return catalog


def execute(catalog: Catalog, *statements: str) -> None:
    """What someone with a database client does."""
    with database.writing(catalog._engine) as connection:
        for statement in statements:
            connection.execute(text(statement))


class TestLog:
    def test_every_act_is_an_entry(self, filled: Catalog) -> None:
        entries = filled.audit_log()[::-1]
        assert [(entry.act, entry.by) for entry in entries] == [
            ("describe", "loopcast"), ("policy", "ann"), ("register", "ann"), ("validate", "ann"),
            ("sign", "bob"), ("release", "cid"), ("release", "cid"), ("release", "cid"),
            ("switch", "dan"), ("switch", "dan"),
        ]  # fmt: skip
        assert [entry.number for entry in entries] == list(range(1, 11))
        assert entries[0].previous == GENESIS
        assert all(b.previous == a.digest for a, b in pairwise(entries))
        assert entries[7].details["which"] == [
            {"logical_model": "demand", "segment": "", "version": version(2).id,
             "stage": "canary", "by": "cid", "reason": "r", "share": 0.1}
        ]  # fmt: skip
        assert filled.audit_head() == filled.verify_audit() == (10, entries[-1].digest)

    def test_what_changes_nothing_is_no_act(self, filled: Catalog) -> None:
        before = filled.audit_head()
        filled.put_logical_model(logical_model())
        filled.put_policy(policy(STRICT), by="bob")
        filled.register(registrations(3))
        filled.release("demand", "", version(1).id, stage="champion", by="bob", reason="again")
        filled.set_switch("demand", [""], "on", by="bob", reason="again")
        for nothing in (filled.put_validations, filled.sign, filled.release_all):
            nothing([])
        assert filled.audit_head() == before

    def test_what_fails_is_no_act(self, filled: Catalog) -> None:
        before = filled.audit_head()
        for refused in (
            lambda: filled.sign([sign_off(1), sign_off(99)]),
            lambda: filled.put_validations([validation(1), validation(99)]),
            lambda: filled.standings([version(99).id]),
        ):
            with pytest.raises(NotFoundError, match="is not in the catalog"):
                refused()
        assert filled.audit_head() == before
        assert len(filled.sign_offs(version(1).id)) == 1

    def test_who_acts_has_a_name_of_one_line(self, filled: Catalog) -> None:
        before = filled.audit_head()
        for by in ("eve\ncid", "eve\r", "\x1b[2Keve", "eve\u2028cid"):
            for refused in (
                partial(filled.sign, [replace(sign_off(1, "validator"), by=by)]),
                partial(filled.put_validations, [replace(validation(1), by=by)]),
                partial(filled.set_switch, "demand", [""], "off", by=by, reason="r"),
                partial(
                    filled.release,
                    *("demand", "", version(0).id), stage="champion", by=by, reason="r",
                ),
                partial(filled.put_policy, policy(FREE), by=by),
            ):  # fmt: skip
                with pytest.raises(InvalidRecordError, match="control character"):
                    refused()
        assert filled.audit_head() == before
        filled.set_switch("demand", [""], "off", by="Zoë d’Été-Łuk 山田", reason="r")

    def test_a_release_names_the_policy_that_let_it(self, filled: Catalog) -> None:
        move = Move(
            logical_model="demand", segment="", version=version(0).id, stage="champion",
            by="cid", reason="r",
        )  # fmt: skip
        filled.release_all([move], policy="lenient")
        (entry, *older) = filled.audit_log()
        assert entry.details["policy"] == "lenient"
        assert all("policy" not in entry.details for entry in older)
        filled.verify_audit()

    def test_it_can_be_filtered(self, filled: Catalog) -> None:
        def acts(**which: str) -> list[str]:
            return [entry.act for entry in filled.audit_log(AuditFilter(**which))]  # type: ignore[arg-type]

        assert acts(by="dan") == ["switch", "switch"]
        assert acts(act="register") == ["register"]
        assert acts(version=version(2).id) == ["release", "register"]
        assert acts(version=version(0).id) == ["release", "release", "sign", "validate", "register"]
        assert "policy" not in acts(logical_model="demand")
        assert acts(logical_model="deman") == []
        assert len(filled.audit_log(limit=2)) == 2

    def test_a_large_act_is_one_entry_with_a_digest(self, catalog: Catalog) -> None:
        catalog.register(registrations(500))
        (entry, _) = catalog.audit_log()
        assert entry.details.keys() == {"rows", "content"}
        assert entry.details["rows"] == 500
        catalog.verify_audit()

    def test_an_act_that_is_dated_back_says_when_it_was_written(self, catalog: Catalog) -> None:
        catalog.register(registrations(1))
        catalog.set_switch("demand", [""], "freeze", by="dan", reason="r", at=NOON)
        catalog.set_switch("demand", [""], "on", by="dan", reason="r")
        now, dated = catalog.audit_log(limit=2)
        assert dated.at == NOON
        written = datetime.fromisoformat(str(dated.details["written"]))
        assert abs(now.at - written) < timedelta(minutes=5)
        assert "written" not in now.details
        catalog.verify_audit()

    def test_an_empty_log_is_a_log(self, catalog_url: str) -> None:
        with Catalog(catalog_url) as catalog:
            assert catalog.verify_audit() == (0, GENESIS)

    def test_the_record_of_a_logical_model_may_change_by_an_act_only(self, filled: Catalog) -> None:
        filled.put_logical_model(replace(logical_model(), owner="someone else"), by="ann")
        assert filled.audit_log()[0].act == "describe"
        filled.verify_audit()
        execute(filled, "UPDATE logical_models SET record = replace(record, 'someone', 'no one')")
        with pytest.raises(IntegrityError, match="record of demand is not the one"):
            filled.verify_audit()


CHANGED = [
    ("UPDATE audit SET \"by\" = 'eve' WHERE number = 5", "entry 5 .*was changed"),
    ("UPDATE audit SET act = 'release' WHERE number = 5", "entry 5 .*was changed"),
    ("UPDATE audit SET act = 'nonsense' WHERE number = 5", "entry 5 was changed"),
    ("UPDATE audit SET subject = 'credit' WHERE number = 4", "entry 4 .*was changed"),
    ("UPDATE audit SET details = replace(details, 'bob', 'eve') WHERE number = 5", "entry 5"),
    ("UPDATE audit SET details = details || ' ' WHERE number = 5", "entry 5 .*was changed"),
    ("UPDATE audit SET details = '{' WHERE number = 5", "entry 5 was changed"),
    ("DELETE FROM audit WHERE number = 1", "entry 1 is missing"),
    ("DELETE FROM audit WHERE number = 5", "entry 5 is missing"),
    ("DELETE FROM audit WHERE number = 10", "switches of audit entry 10 are not those"),
    (
        'INSERT INTO audit SELECT number + 1, at, "by", act, subject, details, previous, digest '
        "FROM audit WHERE number = 10",
        "entry 11 does not follow",
    ),
    ("UPDATE releases SET \"by\" = 'eve' WHERE number = 2", "releases of audit entry 7 are not"),
    ("UPDATE releases SET reason = '' WHERE number = 1", "releases of audit entry 6 are not"),
    ("UPDATE releases SET share = 0.9 WHERE share IS NOT NULL", "releases of audit entry 8"),
    ("DELETE FROM releases WHERE stage = 'retired'", "releases of audit entry 7 are not"),
    (
        'INSERT INTO releases (logical_model, segment, version, stage, since, "by", reason, until) '
        "SELECT logical_model, 'x', version, 'staging', since, \"by\", reason, since FROM releases "
        "WHERE number = 1",
        "1 releases are in no entry of the audit log, and 0 are older",
    ),
    ("UPDATE releases SET until = since WHERE number = 1", "intervals of releases"),
    ("UPDATE sign_offs SET role = 'validator'", "sign-offs of audit entry 5 are not"),
    ("DELETE FROM sign_offs", "sign-offs of audit entry 5 are not"),
    (
        'INSERT INTO sign_offs (version, move, role, "by", at, statement, entry) '
        "SELECT version, move, 'validator', \"by\", at, statement, entry FROM sign_offs "
        "WHERE version = 1",
        "sign-offs of audit entry 5 are not",
    ),
    ("UPDATE validation_results SET passed = NOT passed", "validation results of audit entry 4"),
    ("DELETE FROM validation_results WHERE position = 1", "validation results of audit entry 4"),
    ("UPDATE validations SET policy = 'f'", "validations of audit entry 4 are not"),
    ("UPDATE versions SET template = 'other.template'", "versions of audit entry 3 are not"),
    ("UPDATE versions SET entry = NULL", "3 versions are in no entry of the audit log"),
    ("UPDATE switches SET switch = 'off' WHERE switch = 'freeze'", "switches of audit entry 9"),
    ("UPDATE policies SET record = replace(record, 'owner', 'x')", "policies of audit entry 2"),
]


@pytest.fixture(scope="module")
def filled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog to copy and tamper with, which is quicker than to fill one each time."""
    file = tmp_path_factory.mktemp("filled") / "catalog.db"
    with Catalog(str(file)) as catalog:
        catalog.put_logical_model(logical_model())
        fill(catalog)
    return file


@pytest.mark.parametrize(("statement", "message"), CHANGED)
def test_tampering_is_found(
    filled_file: Path, tmp_path: Path, statement: str, message: str
) -> None:
    file = shutil.copy(filled_file, tmp_path / "catalog.db")
    with Catalog(str(file)) as catalog:
        catalog.verify_audit()
        execute(catalog, statement)
        with pytest.raises(IntegrityError, match=message):
            catalog.verify_audit()


def test_exchanged_entries_are_found(filled: Catalog) -> None:
    execute(
        filled,
        "UPDATE audit SET number = 99 WHERE number = 5",
        "UPDATE audit SET number = 5 WHERE number = 6",
        "UPDATE audit SET number = 6 WHERE number = 99",
    )
    with pytest.raises(IntegrityError, match="entry 5 does not follow the one before it"):
        filled.verify_audit()


class TestCutOff:
    """The end of the log, cut off with everything that it told of, shows against a kept head."""

    def cut(self, filled: Catalog) -> None:
        execute(
            filled,
            "DELETE FROM audit WHERE number > 8",
            "DELETE FROM switches WHERE entry > 8",
        )

    def test_it_shows(self, filled: Catalog) -> None:
        head = filled.audit_head()
        filled.sign([sign_off(2)])
        filled.verify_audit(head)
        execute(
            filled, "DELETE FROM audit WHERE number > 10", "DELETE FROM sign_offs WHERE entry > 10"
        )
        filled.verify_audit(head)
        self.cut(filled)
        filled.verify_audit()
        with pytest.raises(IntegrityError, match=r"entry 10 is not .*; the log was cut off"):
            filled.verify_audit(head)

    def test_a_log_that_was_written_anew_shows(self, filled: Catalog) -> None:
        head = filled.audit_head()
        self.cut(filled)
        for switch in ("off", "on"):
            filled.set_switch("demand", [""], switch, by="eve", reason="r")
        assert filled.verify_audit()[0] == head[0]
        with pytest.raises(IntegrityError, match="was cut off or rewritten"):
            filled.verify_audit(head)


class TestSwitch:
    def test_on_until_it_is_set(self, catalog: Catalog) -> None:
        catalog.register(registrations(1))
        assert catalog.switches("demand") == {}
        assert catalog.standings([version(0).id])[version(0).id].switch is None

    def test_who_when_and_why_at_any_moment(self, catalog: Catalog) -> None:
        moments = [NOON + timedelta(hours=number) for number in range(3)]
        for moment, switch in zip(moments, ("off", "freeze", "on"), strict=True):
            catalog.set_switch("demand", ["n"], switch, by="ann", reason=f"to {switch}", at=moment)  # type: ignore[arg-type]
        at = [catalog.switches("demand", ["n"], at=moment)["n"].switch for moment in moments]
        assert at == ["off", "freeze", "on"]
        assert catalog.switches("demand", at=NOON - timedelta(hours=1)) == {}
        first, second, third = catalog.switch_history("demand", "n")
        assert (first.until, second.until, third.until) == (moments[1], moments[2], None)
        assert first.reason == "to off"

    def test_thousands_at_once(self, catalog: Catalog) -> None:
        segments = [f"s{number}" for number in range(3000)]
        catalog.set_switch("demand", segments, "off", by="ann", reason="storm")
        assert len(catalog.switches("demand")) == 3000
        assert len(catalog.audit_log()) == 2
        catalog.verify_audit()

    def test_frozen_moves_nothing(self, catalog: Catalog) -> None:
        catalog.register(registrations(2))
        catalog.release("demand", "", version(0).id, stage="champion", by="a", reason="r")
        catalog.set_switch("demand", [""], "freeze", by="ann", reason="audit")
        with pytest.raises(SwitchError, match=r"is frozen since .*Z by ann \(audit\)"):
            catalog.release("demand", "", version(1).id, stage="champion", by="a", reason="r")
        catalog.set_switch("demand", [""], "on", by="ann", reason="over")
        catalog.release("demand", "", version(1).id, stage="champion", by="a", reason="r")


class TestRecords:
    def test_validations_and_sign_offs_come_back(self, catalog: Catalog) -> None:
        catalog.register(registrations(2))
        first, second = validation(1), validation(1, passed=False)
        catalog.put_validations([first])
        catalog.put_validations([second])
        assert catalog.validations(version(1).id) == (first, second)
        catalog.sign([sign_off(1), sign_off(1, "validator")])
        assert catalog.sign_offs(version(1).id) == (sign_off(1), sign_off(1, "validator"))
        standing = catalog.standings([version(1).id])[version(1).id]
        assert standing.validation == second
        assert [item.role for item in standing.sign_offs] == ["owner", "validator"]
        assert catalog.validations(version(0).id) == ()
        assert catalog.sign_offs(version(0).id) == ()

    def test_the_policy_that_was_applied_last(self, catalog: Catalog) -> None:
        assert catalog.policy() is None
        for row in (STRICT, FREE):
            catalog.put_policy(policy(row))
            assert catalog.policy() == policy(row)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"by": " "}, "by is empty"),
            ({"statement": ""}, "statement is empty"),
            ({"at": datetime(2026, 1, 1)}, "has no time zone"),
            ({"move": "lunch"}, "SignOff.move"),
        ],
    )
    def test_no_one_signs_for_nothing(self, change: dict[str, object], message: str) -> None:
        with pytest.raises(InvalidRecordError, match=message):
            replace(sign_off(), **change)


def test_digests_stand_for_gates_alone() -> None:
    assert replace(STRICT, sign_offs={}).digest == STRICT.digest
    assert replace(STRICT, gates={"size": {"megabytes": 11}}).digest != STRICT.digest
