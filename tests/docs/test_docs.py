"""The code in the documentation runs, says what it is said to say, and has the types it claims."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "docs" / "tasks.md", ROOT / "docs" / "validation.md"]
BLOCK = re.compile(r"^```(python|pycon)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> Iterator[tuple[str, str, int]]:
    """Language, text and first line of each block of Python."""
    text = page.read_text()
    for found in BLOCK.finditer(text):
        yield found[1], found[2], text.count("\n", 0, found.start()) + 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scope: dict[str, object] = {"__name__": page.stem}
    monkeypatch.setitem(sys.modules, page.stem, ModuleType(page.stem))  # dataclasses ask for it
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    for language, text, line in blocks(page):
        if language == "python":
            exec(compile("\n" * line + text, str(page), "exec"), scope)
        else:
            example = parser.get_doctest(text, scope, page.name, str(page), line)
            assert runner.run(example, clear_globs=False).failed == 0
            scope.update(example.globs)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_has_the_types_it_claims(page: Path, tmp_path: Path) -> None:
    module = tmp_path / f"{page.stem}.py"
    module.write_text("".join(text for language, text, _ in blocks(page) if language == "python"))
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", module],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, textwrap.indent(result.stdout, "  ")
