from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = (
    "import sys, loopcast.{module}; print(sorted({{'sqlalchemy', 'scipy'}} & set(sys.modules)))"
)


@pytest.mark.parametrize("module", ["iterate.family", "serve.family"])
def test_a_process_that_works_on_batches_loads_no_database(module: str) -> None:
    command = [sys.executable, "-c", LOADED.format(module=module)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
