"""``loopcast plugins``: everything that is installed is listed, broken ones with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from loopcast.cli import loopcast as program

from ..distributions import forget_fakes, install, offering


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A sound and a broken plugin beside the first-party ones."""
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path, "acme", offering("acme.mean"))
    install(tmp_path, "wrong", "import no_such_module")
    with forget_fakes():
        yield tmp_path


def listed(*arguments: str) -> str:
    result = CliRunner().invoke(program, ["plugins", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_it_says_where_each_comes_from_and_what_it_offers(site: Path) -> None:
    assert site.is_dir()
    lines = [re.sub(" {3,}", "  ", line) for line in listed().splitlines()]
    at = lines.index("acme  loaded  loopcast-acme 1.2.3")
    assert lines[at + 1] == "  template  acme.mean"
    at = lines.index("wrong  broken  loopcast-wrong 1.2.3")
    assert lines[at + 1] == (
        "  import of fake_loopcast_wrong failed: ModuleNotFoundError: "
        "No module named 'no_such_module'"
    )
    assert any(line.startswith("loopcast.store.readers  loaded") for line in lines)


def test_as_json(site: Path) -> None:
    assert site.is_dir()
    plugins = {entry["name"]: entry for entry in msgspec.json.decode(listed("--json"))}
    assert plugins["acme"] == {
        "name": "acme",
        "package": "loopcast-acme",
        "version": "1.2.3",
        "status": "loaded",
        "reason": "",
        "offers": {"template": ["acme.mean"]},
    }
    assert plugins["wrong"]["status"] == "broken"


def test_disabled_by_flag_and_by_environment(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site.is_dir()
    monkeypatch.setenv("LOOPCAST_DISABLE_PLUGINS", "wrong")
    plugins = {e["name"]: e for e in msgspec.json.decode(listed("--json", "--disable", "acme"))}
    assert (plugins["acme"]["status"], plugins["wrong"]["status"]) == ("disabled", "disabled")
