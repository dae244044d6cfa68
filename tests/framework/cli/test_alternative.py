"""A mitigated version is an alternative: no run releases it, and nobody without a signature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from loopcast.api import GateError
from loopcast.cli import loopcast
from loopcast.store.home import Home

from ..examples import applications

REWEIGHED = ("job=train", "preparation=fairness.reweighing")


@pytest.fixture
def alternative(tmp_path: Path, run: Any, home: Home) -> str:
    applications(600, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    run(*REWEIGHED)
    return home.catalog.versions(limit=1)[0].version.id


def ask(home: Home, *arguments: str) -> Result:
    return CliRunner().invoke(
        loopcast, [*arguments, "--home", str(home.folder)], catch_exceptions=False
    )


def test_no_run_releases_it_though_the_policy_would(
    alternative: str, run: Any, home: Home, tmp_path: Path
) -> None:
    assert home.catalog.stage(alternative) == "candidate"
    assert home.catalog.champion("credit") is None
    [evaluation] = home.catalog.evaluations(alternative)
    assert evaluation.contender == "logistic, reweighed by all protected attributes"
    run("job=train")
    plain = home.catalog.champion("credit")
    assert plain is not None
    assert plain.id != alternative
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["training"]["counts"]


def test_nobody_releases_it_without_a_signature(alternative: str, home: Home) -> None:
    person = ("--by", "ann", "--reason", "fairer")
    ask(home, "release", alternative, "--to", "staging", *person)
    with pytest.raises(GateError, match=r"is an alternative .reweighed by all protected"):
        ask(home, "release", alternative, "--to", "champion", *person)
    signed = ("--role", "risk_officer", "--for", "champion", "--statement", "I choose it.")
    ask(home, "sign", alternative, *signed, "--by", "bob")
    ask(home, "release", alternative, "--to", "champion", *person)
    champion = home.catalog.champion("credit")
    assert champion is not None
    assert champion.id == alternative


def test_it_is_shown_beside_the_unconstrained_version(
    alternative: str, run: Any, home: Home
) -> None:
    run("job=train")
    found = json.loads(ask(home, "fairness", alternative, "--json").output)
    assert [one["label"] for one in found["beside"]] == [
        "logistic", "logistic, reweighed by all protected attributes"
    ]  # fmt: skip
    assert "versions that were judged on the same rows" in ask(home, "fairness", alternative).output


def test_its_dossier_says_so_first(alternative: str, home: Home, tmp_path: Path) -> None:
    page = tmp_path / "dossier.html"
    ask(home, "models", "dossier", alternative, "--output", str(page))
    assert "It is an alternative (reweighed by all protected attributes)" in page.read_text()


def test_its_documentation_says_what_that_assumes(alternative: str, home: Home) -> None:
    from loopcast.deploy.bundle import read_bundle

    files = read_bundle(home.artifacts, home.catalog.version(alternative).manifest).files
    text = files["documentation.md"].decode()
    assert "to choose it is a decision that a person signs" in text
    assert "Outcomes that depend on all protected attributes" in text
