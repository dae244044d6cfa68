"""What pages say is there: files that they link to, commands, options, and settings of runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from loopcast.cli import loopcast, plugin_manager
from loopcast.config import compose

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "examples/*/README.md", "plugins/*/README.md")
    for page in ROOT.glob(pattern)
)
TOLD = [page for page in PAGES if page.parent.parent.name != "examples"]
"""Pages whose commands no test types one by one."""

LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
DECISION = re.compile(r"\[ADR (\d+)\]\(([^)]+)\)")
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"--?[a-z]")
PROGRAM = re.compile(r"(?:.*?\s)?loopcast (?P<words>[a-z].*)")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands(page: Path) -> Iterator[list[str]]:
    """The words after ``loopcast`` of each command on a page, as a shell reads them."""
    for block in SHELL.findall(page.read_text()):
        for line in re.sub(r"\\\n|\$\([^)]*\)", " ", block).splitlines():
            said = PROGRAM.fullmatch(line)
            if said:
                words = shlex.split(said["words"], comments=True)
                ends = [i for i, word in enumerate(words) if word in {">", "|", "||", "&", "&&"}]
                yield words[: min(ends, default=len(words))]


def strange(words: list[str]) -> list[str]:
    """Words that name no command, and options that their command does not have."""
    command: click.Command = loopcast
    context = click.Context(command)
    while isinstance(command, click.Group) and words and words[0] != "--help":
        part = command.get_command(context, words[0])
        if part is None:
            return words[:1]
        command, words, context = part, words[1:], click.Context(part, parent=context)
    if command.name == "run":
        return []
    known = {option for each in command.get_params(context) for option in each.opts}
    return [word for word in words if OPTION.match(word) and word not in known]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files(page: Path) -> None:
    text = page.read_text()
    assert [to for to in LINK.findall(text) if not (page.parent / to).exists()] == []
    assert [
        n for n, to in DECISION.findall(text) if not Path(to).name.startswith(f"{n:0>4}-")
    ] == []


def test_every_decision_is_in_the_list() -> None:
    listed = LINK.findall((ROOT / "docs" / "adr" / "README.md").read_text())
    assert [path.name for path in sorted((ROOT / "docs" / "adr").glob("0*.md"))] == listed


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_take_what_they_are_given(page: Path) -> None:
    assert [words for words in commands(page) if strange(words)] == []


def test_a_command_or_an_option_that_is_not_there_is_noticed() -> None:
    assert strange(["models", "lst"]) == ["lst"]
    assert strange(["models", "list", "-m", "credit", "--pge", "x"]) == ["--pge"]


@pytest.mark.parametrize("page", TOLD, ids=name)
def test_settings_of_runs_compose(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOOPCAST_NEM_DATA", "LOOPCAST_CATALOG_URL"):
        monkeypatch.setenv(variable, "anywhere")
    plugins = plugin_manager()
    for words in commands(page):
        overrides = [word for word in words if "=" in word]
        if words[0] == "run" and overrides:
            swept = "--multirun" in words
            compose([o.split(",")[0] if swept else o for o in overrides], plugins=plugins)
