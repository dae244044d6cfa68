from __future__ import annotations

import subprocess
import sys


def test_what_was_imported_before_is_not_searched_for_cycles() -> None:
    code = (
        "import decimal, gc\n"
        "before = gc.get_freeze_count()\n"
        "import loopcast.develop.frozen\n"
        "print(before, gc.get_freeze_count() > 1_000, gc.collect())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0 True 0\n"
