"""The dossier: everything an auditor asks for, from a version that went round the loop."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from sqlalchemy import text

from loopcast import config
from loopcast.api import IntegrityError, Policy, PolicyRow, Version
from loopcast.cli import loopcast
from loopcast.deploy.dossier import Dossier, gather
from loopcast.deploy.releases import release, roll_back
from loopcast.plugins import PluginManager
from loopcast.store import database
from loopcast.store.events import event_table
from loopcast.store.home import Home
from loopcast.web.dossier import tables, words
from loopcast.web.dossier.page import render

from ..deploy.versions import signed, validated
from ..examples import applications

SECTIONS = (
    "Purpose and owner", "Risk, and what follows from it", "Data and its origin", "Method",
    "Subpopulations", "What it learned", "How robust it is", "Whom it serves how well", "Gates",
    "Sign-offs", "Monitoring plan",
    "Changes since the last version", "Lineage", "Audit",
)  # fmt: skip


@pytest.fixture
def policy(plugins: PluginManager) -> Policy:
    return config.compose_policy(plugins=plugins)


@pytest.fixture
def second(tmp_path: Path, run: Any, home: Home, policy: Policy) -> Version:
    """A second champion that was validated, signed, and rolled back from."""
    applications(400, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    run("job=train")
    run("job=train", "seed=5")
    newest = home.catalog.versions(limit=1)[0].version
    if home.catalog.stage(newest.id) != "champion":
        home.catalog.release(
            "credit", "", newest.id, stage="champion", by="cid", reason="<b>better</b>"
        )
    home.catalog.put_validations([validated(newest.id, policy.row(_model(home)))])
    home.catalog.sign([signed(newest.id, "model_owner", "ann")])
    roll_back(home, "credit", [""], by="bob", reason="wrong on Sunday")
    for keys in (["a1", "a2"], ["a1"]):  # one of them is logged again
        home.events.append(
            event_table(
                key=keys, time=newest.created, logical_model="credit", segment="",
                version=newest.id, role="champion", outputs={"probability": [0.1] * len(keys)},
            )
        )  # fmt: skip
    return newest


def _before(dossier: Dossier) -> Dossier:
    """Return a dossier without the last act."""
    return replace(dossier, entries=dossier.entries[:-1])


def _model(home: Home) -> Any:
    return home.catalog.logical_model("credit")


@pytest.fixture
def dossier(home: Home, plugins: PluginManager, second: Version, policy: Policy) -> Dossier:
    return gather(home, plugins, second, policy)


def test_it_tells_the_whole_story(dossier: Dossier, home: Home, second: Version) -> None:
    page = render(dossier)
    for section in SECTIONS:
        assert f">{section}</h" in page
    for told in (second.id, "wrong on Sunday", "looked at it", "rolled back: retired"):
        assert told in page
    assert f"loopcast audit verify --expect {home.catalog.audit_head()[0]}:" in page
    before = dossier.predecessor
    assert before is not None
    assert before.version == home.catalog.champion("credit")
    assert [name for name, *_ in before.settings] == ["seed"]
    assert dossier.stage == "retired"
    assert dossier.outputs.count == 2
    explained = dossier.learned.explained
    assert explained is not None
    assert {one.feature for one in explained.dependences} == {"income", "debt"}
    assert dossier.learned.fairness is not None
    assert [one.attribute for one in dossier.learned.fairness.decisions] == ["sex"]
    assert [entry.act for entry in dossier.entries][-3:] == ["validate", "sign", "rollback"]


def test_the_page_needs_nothing_else_and_escapes(dossier: Dossier) -> None:
    page = render(dossier)
    assert not re.search(r"(src|href)=\"(?!#|data:)", page)
    assert "<b>" not in page


def test_lineage_is_in_the_order_of_time(dossier: Dossier) -> None:
    rows = tables.lineage(dossier).rows
    moments = [row[0].text for row in rows]
    assert moments == sorted(moments)
    what = [row[1].text for row in rows]
    assert what[0] == "trained"
    assert what[-1] == "rolled back: retired"
    assert "signed for champion" in what


def test_what_an_auditor_should_see_first(
    dossier: Dossier, home: Home, plugins: PluginManager, policy: Policy
) -> None:
    said = {finding.text: finding.verdict for finding in words.findings(dossier)}
    assert any("It passed every gate" in text for text in said)
    champion = home.catalog.champion("credit")
    assert champion is not None
    other = replace(gather(home, plugins, champion, policy), validations=())
    assert ("It was never validated by the gates of a policy.", "bad") in {
        (finding.text, finding.verdict) for finding in words.findings(other)
    }
    assert words.changes(other) == "There was no champion before it."
    assert "It was never validated." in render(other)


def test_how_many_events_it_was_trained_and_judged_on(dossier: Dossier, tmp_path: Path) -> None:
    trained, judged = tables.data(dossier).rows
    given = applications(400, seed=1)["outcome"]
    assert [cell.text for cell in trained[2:5]] == ["400", "400", str((given == "bad").sum())]
    contest = dossier.evaluations[0].metrics[0]
    assert judged[3].text == str(contest.count)
    assert 0 < int(judged[4].text) < contest.count
    silent = tables.data(replace(dossier, trained=None)).rows[0]
    assert [cell.text for cell in silent[3:5]] == ["–", "–"]


def test_a_release_under_another_policy_is_found(
    home: Home, plugins: PluginManager, second: Version, policy: Policy
) -> None:
    lenient = msgspec.structs.replace(
        policy, name="lenient", classes=dict.fromkeys(policy.classes, PolicyRow())
    )
    (standing,) = home.catalog.standings([second.id]).values()
    release(home, [standing], "staging", lenient, by="cid", reason="in a hurry")
    found = gather(home, plugins, second, policy)
    (finding,) = [f for f in words.findings(found) if "lenient" in f.text]
    assert finding.verdict == "bad"
    assert "default is the one that stands" in finding.text
    assert "lenient" in [row[3].text for row in tables.audit(found).rows]  # type: ignore[union-attr]
    assert dict(words.risk(found))["Released by the policy"] == "default, lenient"
    assert not any("stands" in f.text for f in words.findings(_before(found)))


def test_the_command_writes_a_file(home: Home, second: Version, tmp_path: Path) -> None:
    file = tmp_path / "dossier.html"
    arguments = ["models", "dossier", second.id[:8], "-o", str(file), "--home", str(home.folder)]
    found = CliRunner().invoke(loopcast, arguments, catch_exceptions=False)
    assert found.output == f"{file} holds the dossier of {second.id}\n"
    assert second.manifest in file.read_text()


def test_there_is_none_from_a_log_that_was_tampered_with(
    home: Home, plugins: PluginManager, second: Version, policy: Policy
) -> None:
    with database.writing(home.catalog._engine) as connection:
        connection.execute(text("UPDATE sign_offs SET role = 'validator'"))
    with pytest.raises(IntegrityError, match="sign-offs of audit entry"):
        gather(home, plugins, second, policy)
