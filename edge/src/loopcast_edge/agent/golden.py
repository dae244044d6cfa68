"""Proves a package in a process of its own: a model that crashes the interpreter harms nobody.

``python -m loopcast_edge.agent.golden DIGEST FOLDER`` ends with 0 if the package in the folder
answers its golden vectors as it should, and otherwise prints why not and ends with 3.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Optional

from loopcast_edge.agent.errors import ModelError
from loopcast_edge.agent.package import whole, wrong
from loopcast_edge.agent.runtime import Model
from loopcast_edge.agent.slots import Package, read_package

WRONG = 3
LONGEST_S = 120.0


class Verdict(NamedTuple):
    """What the golden vectors said of a package."""

    manifest: str
    reason: Optional[str]


def verdict(package: Package, digest: str) -> Verdict:
    """Prove a package in this process."""
    try:
        return Verdict(digest, wrong(whole(package, digest), Model(package.model)))
    except ModelError as error:
        return Verdict(digest, str(error))


class Child:
    """A process that proves one package.

    Parameters
    ----------
    digest
        Of the package.
    folder
        Where it is.
    clock
        Seconds, which do not step.
    """

    def __init__(self, digest: str, folder: Path, clock: Callable[[], float]) -> None:
        self._digest, self._clock, self._started = digest, clock, clock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, digest, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def verdict(self) -> Optional[Verdict]:
        """Return the verdict, or ``None`` while there is none yet."""
        code = self._process.poll()
        if code is None and self._clock() - self._started > LONGEST_S:
            self.stop()
            return Verdict(self._digest, f"the model was not done after {LONGEST_S:g} s")
        if code is None:
            return None
        assert self._process.stdout is not None
        with self._process.stdout as output:
            said = output.read().strip()
        return Verdict(self._digest, _reason(code, said))

    def stop(self) -> None:
        """End the process, if it has not ended."""
        self._process.kill()
        self._process.communicate()


def _reason(code: int, said: str) -> Optional[str]:
    if code == 0:
        return None
    if code == WRONG and said:
        return said
    how = f"by signal {-code}" if code < 0 else f"with code {code}"
    return f"the runtime died {how} at the golden vectors"


def main(digest: str, folder: str) -> int:
    """Prove the package in a folder; return the exit code."""
    package = read_package(Path(folder))
    reason = "the package is gone" if package is None else verdict(package, digest).reason
    if reason is None:
        return 0
    sys.stdout.write(f"{reason}\n")
    return WRONG


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
