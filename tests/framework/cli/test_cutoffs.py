"""``loopcast models cutoffs``: on a trained version, in words, as JSON and as a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from loopcast.api import ConfigurationError, ModelError
from loopcast.cli.cutoffs import cutoffs
from loopcast.store.home import Home

from ..examples import applications, sales

PROFITS = "+logical_model.decision.profits={granted_event: -9.0, granted_other: 2.0, unit: EUR}"


def trained(run: Any, table: Any, tmp_path: Path, *overrides: str) -> str:
    table.to_csv(tmp_path / "applications.csv", index=False)
    [segment] = run("job=train", *overrides)["training"]["segments"]
    return str(segment["version"])


def ask(home: Home, *arguments: str) -> str:
    place = ["--home", str(home.folder)]
    result = CliRunner().invoke(cutoffs, [*arguments, *place], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_choices_are_told_in_words_as_json_and_on_a_page(
    tmp_path: Path, run: Any, home: Home
) -> None:
    version = trained(run, applications(2000, seed=1), tmp_path, PROFITS)
    page = tmp_path / "cutoffs.html"
    told = ask(home, version, "--event-rate", "0.1", "--granted", "0.5", "--page", str(page))
    for words in ("as configured", "the most profit", "events up to 10 %", "50 % granted", "sex=f"):
        assert words in told
    found = json.loads(ask(home, version, "--json"))
    assert found["configured"]["cutoff"] == pytest.approx(2.0 / 11.0)
    best = found["choices"][0]["at"]["profit"]["value"]
    assert best >= found["configured"]["profit"]["value"]
    assert best >= max(at["profit"]["value"] for at in found["curve"]) - 1e-9
    assert {"sex=f", "sex=m"} == found["by"].keys()
    html = page.read_text()
    assert "4. 50 % granted" in html
    assert "profit a case, EUR" in html


def test_amounts_are_told_beside_cases_and_a_version_without_them_is_refused(
    tmp_path: Path, run: Any, home: Home
) -> None:
    table = applications(2000, seed=1)
    table["income"] = table["income"].clip(lower=0.0)
    before = trained(run, table, tmp_path, PROFITS)
    bounds = "logical_model.schema.features.income.minimum=0.0"
    version = trained(run, table, tmp_path, PROFITS, bounds, "+logical_model.schema.amount=income")
    page = tmp_path / "cutoffs.html"
    told = ask(home, version, "--page", str(page))
    for text in (told, page.read_text()):
        assert "of amounts granted" in text
        assert "events among these" in text
    found = json.loads(ask(home, version, "--json"))["configured"]
    metrics = {
        m.name: m.value for m in home.catalog.evaluations(version)[0].metrics if not m.subset
    }
    assert metrics["profit"] == pytest.approx(found["profit"]["value"])
    assert metrics["granted_amount"] == pytest.approx(found["granted_amount"]["value"])
    assert metrics["events_granted_amount"] == pytest.approx(found["events_amount"]["value"])
    assert abs(found["profit"]["value"]) > 100.0  # incomes are thousands
    with pytest.raises(ModelError, match="was judged before credit said the amount 'income'"):
        ask(home, before)


def test_a_cutoff_needs_a_purpose_and_a_score(tmp_path: Path, run: Any, home: Home) -> None:
    version = trained(run, applications(400, seed=1), tmp_path)
    with pytest.raises(ConfigurationError, match="nothing says what a cut-off of credit is for"):
        ask(home, version)
    assert "50 % granted" in ask(home, version, "--granted", "0.5")
    sales(2000, seed=1).to_csv(tmp_path / "sales.csv", index=False)
    [segment] = run("logical_model=shop", "job=train")["training"]["segments"]
    with pytest.raises(ModelError, match="only scores have cut-offs"):
        ask(home, segment["version"])
