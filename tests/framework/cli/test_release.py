"""``loopcast release``, ``sign``, ``rollback``, ``switch``, ``audit``, and who was champion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from loopcast import config
from loopcast.api import (
    ConfigurationError,
    GateError,
    IntegrityError,
    NotFoundError,
    Policy,
    RiskAnswers,
    SwitchError,
    VersionId,
)
from loopcast.cli import loopcast, plugin_manager
from loopcast.store.home import Home

from ..deploy.versions import ANSWERS, MODEL, add, damage, make_home, validated

MEDIUM = replace(
    MODEL, risk=replace(ANSWERS, impact="moderate"), assumptions=("it stays as it was",)
)
WHO = ["--by", "ann", "--reason", "better in the morning"]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return config.compose_policy(plugins=plugin_manager())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home", model=MEDIUM)


def run(home: Home, *arguments: str) -> str:
    """Run a command, which gets a catalog of its own; errors of ours come as they are."""
    found = CliRunner().invoke(
        loopcast, [*arguments, "--home", str(home.folder)], catch_exceptions=False
    )
    assert found.exit_code == 0, found.output
    return found.output


def approve(home: Home, policy: Policy, *versions: VersionId) -> None:
    """Validate versions by the gates of their class."""
    row = policy.classes["medium"]
    home.catalog.put_validations([validated(version, row) for version in versions])


def sign(home: Home, *which: str) -> str:
    return run(home, "sign", *which, "--role", "model_owner", "--for", "champion", "--by", "bob",
               "--statement", "looked at the worst days")  # fmt: skip


def test_a_role_that_the_policy_does_not_know_signs_nothing(home: Home) -> None:
    version = add(home, 1)
    said = ("--for", "champion", "--by", "bob", "--statement", "fine")
    known = "no role 'owner' that signs; it knows model_owner, risk_officer, validator"
    with pytest.raises(ConfigurationError, match=known):
        run(home, "sign", version, "--role", "owner", *said)
    assert home.catalog.sign_offs(version) == ()


def test_a_turn_of_the_loop(home: Home, policy: Policy) -> None:
    first, second = add(home, 1), add(home, 2)
    with pytest.raises(GateError, match="no validation of the gates base_case, baselines, "):
        run(home, "release", first, *WHO)
    approve(home, policy, first, second)
    assert "demand: " + first + " candidate -> staging\n" == run(home, "release", first[:6], *WHO)
    with pytest.raises(GateError, match="no sign-off by the role model_owner"):
        run(home, "release", first, *WHO)
    assert "signed for champion by bob, model_owner" in sign(home, first)
    assert "staging -> champion" in run(home, "release", first, *WHO)

    run(home, "release", second, *WHO)
    assert "staging -> canary (25%)" in run(
        home, "release", second, "--to", "canary", "--share", "0.25", *WHO
    )
    sign(home, second)
    assert f"canary -> champion, after {first}" in run(home, "release", second, *WHO)

    back = run(home, "rollback", "demand", "--by", "cid", "--reason", "wrong on Sunday")
    assert back == f"demand: {first} is champion again, after {second}\n"
    champion = run(home, "models", "champion", "demand")
    assert first in champion
    assert "wrong on Sunday" in champion
    shown = run(home, "models", "history", "demand")
    assert "canary 25%" in shown
    assert "champion, rolled back" in shown
    assert run(home, "audit", "verify").startswith("13 entries are as they were written; head 13:")


def test_who_comes_second_is_told_that_nothing_was_changed(home: Home, policy: Policy) -> None:
    version = add(home, 1)
    approve(home, policy, version)
    run(home, "release", version, "--to", "staging", *WHO)
    again = run(home, "release", version, "--to", "staging", *WHO)
    assert again == f"demand: {version} is in staging already; nothing was changed\n"
    assert len(home.catalog.history("demand")) == 1


def test_who_was_champion_at_a_moment(home: Home, policy: Policy) -> None:
    first, second = add(home, 1), add(home, 2)
    release = home.catalog.release
    release("demand", "", first, stage="champion", by="ann", reason="first")
    middle = home.catalog.history("demand")[0].since
    release("demand", "", second, stage="champion", by="bob", reason="second")

    def at(moment: str) -> list[str]:
        found = run(home, "models", "champion", "demand", "--at", moment, "--json")
        return [entry["version"] for entry in json.loads(found)]

    assert at(middle.isoformat()) == [first]
    assert at("2126-01-01") == [second]
    assert at("2014-12-31") == []
    wrong = CliRunner().invoke(loopcast, ["models", "champion", "demand", "--at", "noon"])
    assert "is no moment such as 2014-12-31" in wrong.output


def test_open_questions_refuse_a_release(tmp_path: Path) -> None:
    home = make_home(tmp_path, model=replace(MODEL, risk=RiskAnswers()))
    with pytest.raises(Exception, match="no answer to audience, impact, lifetime, reversibility"):
        run(home, "release", add(home, 1), *WHO)


def test_a_damaged_version_is_not_released(home: Home, policy: Policy) -> None:
    version = add(home, 1)
    approve(home, policy, version)
    damage(home, version)
    with pytest.raises(IntegrityError, match="is not intact"):
        run(home, "release", version, *WHO)


def test_what_was_done_for_a_version_is_shown_with_it(home: Home, policy: Policy) -> None:
    version = add(home, 1)
    approve(home, policy, version)
    sign(home, version)
    shown = run(home, "models", "show", version)
    for words in ("by loopcast", "at most 10 MB", "model_owner", "looked at the worst days"):
        assert words in shown
    found = json.loads(run(home, "models", "show", version, "--json"))
    assert [item["role"] for item in found["sign_offs"]] == ["model_owner"]
    assert found["validations"][0]["results"][0]["test"] == "bundle"


class TestFamily:
    @pytest.fixture
    def family(self, home: Home, policy: Policy) -> list[VersionId]:
        ids = [add(home, 1, segment) for segment in ("north-1", "north-2", "south-1")]
        approve(home, policy, *ids)
        return ids

    def test_all_at_once(self, home: Home, family: list[VersionId]) -> None:
        everyone = ["-m", "demand", "--all-segments"]
        moved = run(home, "release", *everyone, "--in", "candidate", *WHO)
        assert moved.splitlines()[0] == f"demand/north-1: {family[0]} candidate -> staging"
        assert len(sign(home, *everyone).splitlines()) == 3
        run(home, "release", "-m", "demand", "-s", "north-*", *WHO)
        assert home.catalog.champions("demand").keys() == {"north-1", "north-2"}
        acts = [entry.act for entry in home.catalog.audit_log(limit=4)]
        assert acts == ["release", "sign", "release", "policy"]

    def test_members_have_to_be_named(self, home: Home, family: list[VersionId]) -> None:
        with pytest.raises(Exception, match="is a family of 3 segments"):
            run(home, "switch", "demand", "off", *WHO)
        shown = run(home, "switch", "demand", "off", "--segment", "north-*", *WHO)
        assert shown.splitlines() == [
            "demand/north-1 is off, and predicts nothing",
            "demand/north-2 is off, and predicts nothing",
            "fallback: ask a person",
        ]

    @pytest.mark.parametrize("which", [[], ["abc", "-m", "demand"]])
    def test_a_version_or_a_family(self, home: Home, which: list[str]) -> None:
        found = CliRunner().invoke(loopcast, ["release", *which, *WHO])
        assert found.exit_code == 2
        assert "give a VERSION, or --logical-model with --segment or --all-segm" in found.output


class TestSwitch:
    def test_frozen_and_on_again(self, home: Home, policy: Policy) -> None:
        version = add(home, 1)
        approve(home, policy, version)
        shown = run(home, "switch", "demand", "freeze", *WHO)
        assert shown == "demand is frozen: the champion serves, nothing is trained or released\n"
        with pytest.raises(SwitchError, match=r"is frozen since .* by ann \(better in the morning"):
            run(home, "release", version, *WHO)
        run(home, "switch", "demand", "on", *WHO)
        run(home, "release", version, *WHO)

    def test_an_unknown_logical_model(self, home: Home) -> None:
        with pytest.raises(NotFoundError, match=r"no logical model 'deman'.*nearest is 'demand'"):
            run(home, "switch", "deman", "off", *WHO)


class TestAudit:
    def test_list(self, home: Home) -> None:
        version = add(home, 1)
        home.catalog.release("demand", "", version, stage="staging", by="bob", reason="ready")
        shown = run(home, "audit", "list", "--by", "bob")
        assert f"reason ready, stage staging, version {version}" in shown
        assert "describe" not in shown
        (entry,) = json.loads(run(home, "audit", "list", "--act", "register", "--json"))
        assert entry["details"]["which"] == [{"version": version}]
        shown = run(home, "audit", "list", "--version", version[:5])
        assert "release" in shown
        assert "describe" not in shown

    def test_a_kept_head(self, home: Home) -> None:
        head = run(home, "audit", "head").strip()
        add(home, 1)
        assert run(home, "audit", "verify", "--expect", head).startswith("2 entries are as they")
        with pytest.raises(IntegrityError, match="the log was cut off or rewritten"):
            run(home, "audit", "verify", "--expect", f"7:{head[2:]}")
        wrong = CliRunner().invoke(loopcast, ["audit", "verify", "--expect", "7", "--home",
                                              str(home.folder)])  # fmt: skip
        assert "give NUMBER:DIGEST" in wrong.output
