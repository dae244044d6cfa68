"""The example of a scorecard: every command of its README, typed as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from .readme import Readme, beside_examples

README = Readme(example="04_scorecard", home="scorecard")
TEMPLATES = {"CHAMPION": "credit.scorecard", "CHALLENGER": "credit.boosted_scorecard"}
"""What the reader puts in place of a word: the id of the version of a template."""

pytestmark = pytest.mark.slow


def versions(folder: Path) -> dict[str, str]:
    listed = json.loads(
        README.start("loopcast models list -m consumer_loans --json", folder).stdout
    )
    ids = {version["template"]: version["id"] for version in listed}
    return {word: ids[name] for word, name in TEMPLATES.items() if name in ids}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return beside_examples(tmp_path_factory.mktemp("scorecard"))


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, str]:
    """What each command printed; one that begins with ``!`` has to be refused in words."""
    found: dict[str, str] = {}
    for line in README.commands:
        command = line
        if any(word in line for word in TEMPLATES):
            for word, version in versions(folder).items():
                command = command.replace(word, version)
        found[line] = README.told(command, folder)
    return found


def of(told: dict[str, str], *words: str) -> str:
    """Return what the one command with these words printed."""
    [said] = [said for line, said in told.items() if all(word in line for word in words)]
    return said


def test_bad_data_is_refused_in_words(told: dict[str, str]) -> None:
    assert "expected thousand a month at least 0 and at most 2000" in of(told, "wrong_unit.csv")
    assert "leakage of Recovered is 1" in of(told, "leaked.csv")


def test_the_card_can_be_read(told: dict[str, str]) -> None:
    card = of(told, "scorecard.md")
    assert "600 points are odds of 50 to 1 against the event" in card
    income = card.split("## Income")[1].split("##")[0]
    points = [float(p) for p in re.findall(r"\| ([\d.]+) \|$", income, re.M)][:-1]
    assert len(points) > 3
    assert points == sorted(points)
    assert "# Consumer loans" in of(told, "documentation.md")


def test_what_is_not_signed_is_not_released(told: dict[str, str]) -> None:
    assert "no sign-off by the role model_owner" in of(told, "! loopcast release")


def test_decisions_are_made_and_some_by_lot(told: dict[str, str], folder: Path) -> None:
    assert "granted at random; the lot is expected to bring" in of(told, "job=serve")
    [file] = folder.glob("loopcast-home/scorecard/runs/consumer_loans/*/scores.parquet")
    scores = pd.read_parquet(file)
    refused = scores["decision"].isin(["refused", "granted at random"])
    lot = (scores["decision"] == "granted at random").sum() / refused.sum()
    assert 0.005 < lot < 0.05
    assert scores["reason_1"].notna().mean() > 0.9


def test_outcomes_of_the_refused_are_not_believed(told: dict[str, str], folder: Path) -> None:
    [file] = folder.glob("loopcast-home/scorecard/runs/consumer_loans/*/scores.parquet")
    granted = int((pd.read_parquet(file)["decision"] != "refused").sum())
    watched = of(told, "loopcast monitor")
    assert f"outcomes of {granted} of {granted} chosen predictions are known" in watched


def test_the_challenger_is_compared_with_the_champion(told: dict[str, str]) -> None:
    assert "undecided" in of(told, "models compare")
    assert "Against the champion" in of(told, "experiment result")


@pytest.mark.parametrize(
    "page",
    [
        "cutoffs.html",
        "explain.html",
        "fairness.html",
        "compare.html",
        "monitor.html",
        "dossier.html",
    ],
)
def test_pages_need_no_network(told: dict[str, str], folder: Path, page: str) -> None:
    html = (folder / page).read_text(encoding="utf-8")
    assert "Consumer loans" in html or "consumer_loans" in html
    assert not re.search(r"(src|href)=[\"']https?:", html)


def test_the_dossier_states_the_lot(told: dict[str, str], folder: Path) -> None:
    page = (folder / "dossier.html").read_text(encoding="utf-8").replace("\u00a0", " ")
    assert "granted below a probability of 9.1 %, and 2.0 % of the others by lot" in page
    assert "largest difference from the model" in of(told, "export")
