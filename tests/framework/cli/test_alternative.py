"""A mitigated version is an alternative: no run releases it, and nobody without a signature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from loopcast.api import ConfigurationError, GateError
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


def test_no_run_replaces_what_a_person_chose(
    alternative: str, run: Any, home: Home, tmp_path: Path
) -> None:
    signed = ("--role", "risk_officer", "--for", "champion", "--statement", "I choose it.")
    ask(home, "sign", alternative, *signed, "--by", "bob")
    for goal in ("staging", "champion"):
        ask(home, "release", alternative, "--to", goal, "--by", "ann", "--reason", "fairer")
    applications(1200, seed=2).to_csv(tmp_path / "applications.csv", index=False)
    run("job=train")
    assert home.catalog.champion("credit").id == alternative  # type: ignore[union-attr]
    newest = home.catalog.versions(limit=1)[0].version.id
    assert home.catalog.stage(newest) == "challenger"
    said = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert "a person chose champion" in json.dumps(said)


def test_a_constraint_is_settled_by_trials_and_documented(
    tmp_path: Path, run: Any, home: Home
) -> None:
    from loopcast.deploy.bundle import read_bundle

    table = applications(900, seed=1)
    poor = table["sex"] == "f"
    table.loc[poor, "income"] -= 700.0
    table.to_csv(tmp_path / "applications.csv", index=False)
    run("job=train", "preparation=fairness.constraint", "preparation.options.bound=0.1",
        "preparation.options.strongest=2", "calibration=none",
        "+logical_model.decision.cutoff=0.3")  # fmt: skip
    version = home.catalog.versions(limit=1)[0].version
    [evaluation] = home.catalog.evaluations(version.id)
    assert (
        evaluation.contender == "logistic, constrained to even selection by the protected attribute"
    )
    assert home.catalog.stage(version.id) == "candidate"
    files = read_bundle(home.artifacts, version.manifest).files
    settled = json.loads(files["preparation_settled.json"])
    assert settled["options"]["multiplier"] != 0.0
    assert settled["options"]["cutoff"] == 0.3
    text = files["documentation.md"].decode()
    assert "which costs least among those that keep 10.0%" in text
    assert "Its scores are no probabilities of the event" in text
    assert ask(home, "models", "rebuild", version.id).exit_code == 0


def test_a_constraint_is_not_calibrated_away(tmp_path: Path, run: Any, home: Home) -> None:
    applications(300, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    with pytest.raises(ConfigurationError, match="set calibration=none"):
        run("job=train", "preparation=fairness.constraint")


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
