"""The example of the second half of the loop: every command of its README, typed as it stands."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

from .readme import Readme, beside_examples

README = Readme(example="03_second_half", home="flights")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return beside_examples(tmp_path_factory.mktemp("flights"))


@pytest.fixture(scope="module")
def told(folder: Path) -> list[tuple[str, str]]:
    """What each command printed; one that begins with ``!`` has to be refused in words."""
    return [(line, README.told(line, folder)) for line in README.commands]


def of(told: list[tuple[str, str]], *words: str) -> str:
    """Return what the one command with these words printed."""
    [said] = [said for line, said in told if all(word in line for word in words)]
    return said


def test_the_drift_is_noticed_before_the_outcomes_are_known(told: list[tuple[str, str]]) -> None:
    said = of(told, "replay.py 2013-04-01")
    weeks = re.split(r"^Monday ", said, flags=re.M)
    april = next(week for week in weeks if week.startswith("2013-04-15"))
    assert "outcomes of 0 of" in april
    assert re.search(r"critical\s+input temperature", april)
    end = next(week for week in weeks if week.startswith("2013-04-29"))
    assert re.search(r"warning\s+brier is 0\.1\d+, and was 0\.156", end)


def test_retraining_says_why_and_what_a_person_types(told: list[tuple[str, str]]) -> None:
    assert "1: 1 due" in of(told, "retrain.train=false")
    [said] = [s for line, s in told if "job=retrain" in line and "train=false" not in line]
    assert "1 retrained, 1 new version, 1 better, 1 proposed" in said
    assert "input temperature" in said
    assert "--role model_owner --for champion" in said


def test_the_challenger_is_better_in_the_shadow(told: list[tuple[str, str]]) -> None:
    said = of(told, "result warm_shadow")
    assert "better" in said
    assert "6,000" in said


def test_the_test_is_sealed_until_it_is_complete(told: list[tuple[str, str]]) -> None:
    assert "is sealed until the outcomes of" in of(told, "! loopcast experiment result")
    assert "better" in of(told, "result warm_test", "2013-07-01")


def test_the_winner_serves_from_the_day_of_the_replay(
    told: list[tuple[str, str]], folder: Path
) -> None:
    history = json.loads(README.start("loopcast models history late_flights --json", folder).stdout)
    champions = [entry for entry in history["releases"] if entry["stage"] == "champion"]
    assert [entry["since"][:10] for entry in champions] == ["2013-04-01", "2013-07-01"]
    with sqlite3.connect(folder / "loopcast-home" / "flights" / "catalog.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert "as they were written" in README.start("loopcast audit verify", folder).stdout


def test_the_page_shows_all_of_it_and_needs_no_network(
    told: list[tuple[str, str]], folder: Path
) -> None:
    html = (folder / "monitor.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=[\"']https?:", html)
    for words in ("Predictions a day", "brier, the KPI", "temperature", "brier by", "champion"):
        assert words in html, words
