"""What a plugin sees: complete, documented, and cheap to import."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pluggy
import pytest

from loopcast import api
from loopcast.api import hooks

HEAVY = {"numpy", "pandas", "scipy", "pyarrow", "sqlalchemy", "hydra", "omegaconf"}


def test_importing_it_imports_nothing_heavy() -> None:
    command = "import sys, json, loopcast.api; print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(json.loads(result.stdout))


def test_all_names_exactly_what_is_imported() -> None:
    tree = ast.parse(Path(inspect.getfile(api)).read_text())
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == set(api.__all__)


def test_everything_public_is_documented() -> None:
    undocumented = [
        f"{kind.__name__}.{name}"
        for kind in map(vars(api).get, api.__all__)
        if inspect.isclass(kind)
        for name, member in [("", kind), *inspect.getmembers(kind, inspect.isfunction)]
        if not name.startswith("_") and not inspect.getdoc(member)
    ]
    assert not undocumented


def test_every_hook_is_a_specification() -> None:
    manager = pluggy.PluginManager("loopcast")
    manager.add_hookspecs(api.Hooks)
    declared = [name for name in vars(api.Hooks) if name.startswith("loopcast_")]
    assert declared
    for name in declared:
        assert getattr(manager.hook, name).spec is not None
        assert inspect.getdoc(getattr(api.Hooks, name))


def test_a_misspelt_hook_is_noticed() -> None:
    class Plugin:
        @hooks.hookimpl
        def loopcast_template(self) -> list[object]:
            return []

    manager = pluggy.PluginManager("loopcast")
    manager.add_hookspecs(api.Hooks)
    manager.register(Plugin())
    with pytest.raises(pluggy.PluginValidationError, match="loopcast_template"):
        manager.check_pending()
