"""The journal of a round, which several processes keep and one of them finishes first."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from loopcast.iterate.retrain import journal
from loopcast.iterate.retrain.journal import Journal, Round
from loopcast.iterate.retrain.report import Retrained

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = "0" * 64
DONE = [Retrained(segment="north", result="released", why="due")]


@pytest.fixture
def begun(tmp_path: Path) -> Round:
    return Journal(tmp_path).begin(NOW, SETTINGS, ())


def test_what_was_done_is_found_again_until_the_round_is_finished(
    tmp_path: Path, begun: Round
) -> None:
    Journal(tmp_path).note(begun, DONE)
    assert Journal(tmp_path).unfinished(SETTINGS) == begun
    assert Journal(tmp_path).tried(begun) == {"north": DONE[0]}
    Journal(tmp_path).finish(begun)
    assert Journal(tmp_path).unfinished(SETTINGS) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("attempt", range(4))
def test_what_failed_at_first_counts_no_more_when_it_went_well(
    tmp_path: Path, begun: Round, attempt: int
) -> None:
    """Attempts are named by their content, so that they are read in any order."""
    failed = Retrained(segment="north", result="failed", why="due", reason=f"attempt {attempt}")
    Journal(tmp_path).note(begun, [failed])
    assert Journal(tmp_path).tried(begun) == {"north": failed}
    Journal(tmp_path).note(begun, DONE)
    assert Journal(tmp_path).tried(begun) == {"north": DONE[0]}


@pytest.mark.parametrize("finished", [True, False])
def test_another_process_may_take_the_folder_away_while_it_is_written_to(
    tmp_path: Path, begun: Round, monkeypatch: pytest.MonkeyPatch, finished: bool
) -> None:
    def too_late(path: Path, data: bytes) -> None:
        if finished:
            Journal(tmp_path).finish(begun)
        raise FileNotFoundError(path)

    monkeypatch.setattr(journal, "write_atomically", too_late)
    if finished:
        Journal(tmp_path).note(begun, DONE)
    else:
        with pytest.raises(FileNotFoundError):
            Journal(tmp_path).note(begun, DONE)
    assert Journal(tmp_path).tried(begun) == {}


def test_notes_that_are_removed_while_they_are_read_are_no_error(
    tmp_path: Path, begun: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    Journal(tmp_path).note(begun, DONE)
    listed = list((tmp_path / begun.id).glob("*.json"))
    Journal(tmp_path).finish(begun)
    monkeypatch.setattr(Path, "glob", lambda *_: iter(listed))
    assert Journal(tmp_path).tried(begun) == {}
