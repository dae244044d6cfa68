"""The example of a turn of the loop: every command of its README, typed as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .readme import Readme, beside_examples

README = Readme(example="02_turn_of_the_loop", home="turn")
SAID = {"CHAMPION": "champion", "CHALLENGER": "staging"}
"""What the reader puts in place of a word: the id of the version that stands in a stage."""

pytestmark = pytest.mark.slow


def version_in(stage: str, folder: Path) -> str:
    done = README.start(f"loopcast models list -m victoria_reserve --stage {stage} --json", folder)
    [version] = json.loads(done.stdout)
    return str(version["id"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return beside_examples(tmp_path_factory.mktemp("turn"))


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, str]:
    """What each command printed; one that begins with ``!`` has to be refused in words."""
    found: dict[str, str] = {}
    known: dict[str, str] = {}
    for line in README.commands:
        for word in SAID.keys() - known.keys():
            if word in line:
                known[word] = version_in(SAID[word], folder)
        command = line
        for word, version in known.items():
            command = command.replace(word, version)
        found[line] = found.get(line, "") + README.told(command, folder)
    return found


def of(told: dict[str, str], *words: str) -> str:
    """Return what the one command with these words printed."""
    [said] = [said for line, said in told.items() if all(word in line for word in words)]
    return said


def test_what_is_missing_is_listed(told: dict[str, str]) -> None:
    assert "no sign-off by the role model_owner" in of(told, "! loopcast release")


def test_versions_on_the_same_rows_are_compared(told: dict[str, str]) -> None:
    assert "undecided" in of(told, "models board")
    assert "hour" in of(told, "models compare")


def test_what_is_frozen_is_not_trained_and_what_is_off_does_not_answer(
    told: dict[str, str],
) -> None:
    assert "frozen" in of(told, "! loopcast run", "seed=1")
    assert "buy what the same day of last week took" in of(told, "! loopcast run", "job=serve")


def test_one_command_returns_to_the_last_good_champion(told: dict[str, str]) -> None:
    assert "is champion again" in of(told, "rollback")
    assert "Ben Cole" in of(told, "models champion")
    assert of(told, "models history").count("champion") >= 3


def test_a_version_is_rebuilt_to_the_last_bit(told: dict[str, str]) -> None:
    assert "identical" in of(told, "models rebuild")


def test_tampering_is_found(told: dict[str, str]) -> None:
    assert "as they were written" in told["loopcast audit verify"]
    assert "releases" in told["! loopcast audit verify"]


@pytest.mark.parametrize("page", ["board.html", "compare.html", "dossier.html"])
def test_pages_need_no_network(told: dict[str, str], folder: Path, page: str) -> None:
    html = (folder / page).read_text(encoding="utf-8")
    assert "Reserve for tomorrow" in html or "victoria_reserve" in html
    assert not re.search(r"(src|href)=[\"']https?:", html)


def test_the_dossier_of_a_forecast_tells_of_no_prepared_rows(
    told: dict[str, str], folder: Path
) -> None:
    html = (folder / "dossier.html").read_text(encoding="utf-8")
    assert "Data and its origin" in html
    assert "What training rows have passed" not in html
