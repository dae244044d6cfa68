from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from loopcast.api import Task
from loopcast.cli.context import Run


@pytest.mark.parametrize("job", ["predict", "train", "serve", "retrain", "night"])
@pytest.mark.parametrize("task", get_args(Task))
def test_what_processes_import_for_all_of_them_is_there(task: str, job: str) -> None:
    # The process that does so passes over what it does not find.
    logical_model, named = SimpleNamespace(task=task), SimpleNamespace(name=job)
    settings: Any = SimpleNamespace(logical_model=logical_model, job=named)
    others: Any = dict.fromkeys(set(Run.__dataclass_fields__) - {"settings"})
    modules = Run(settings=settings, **others).modules
    assert "loopcast.cli" in modules
    assert [name for name in modules if find_spec(name) is None] == []
