"""The commands of an example's README, typed one by one as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Readme:
    """An example, by the name of its folder, and where its README says that state lives."""

    example: str
    home: str

    @property
    def commands(self) -> list[str]:
        """The commands in order, without those that prepare the shell."""
        text = (ROOT / "examples" / self.example / "README.md").read_text()
        blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
        lines = [line for block in blocks for line in block.splitlines()]
        return [line for line in lines if not line.startswith("export ")]

    @property
    def _configuration(self) -> dict[str, str]:
        """Where the example has a configuration of its own."""
        folder = f"examples/{self.example}/conf"
        return {"LOOPCAST_CONFIG_DIR": folder} if (ROOT / folder).is_dir() else {}

    def start(self, command: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Type a command in a folder in which ``examples`` can be found."""
        env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            **self._configuration,
            "LOOPCAST_HOME": f"loopcast-home/{self.home}",
            "COLUMNS": "200",
        }
        return subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    def told(self, command: str, folder: Path) -> str:
        """Type a command and return what it printed; one with ``!`` is refused in words."""
        done = self.start(command, folder)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert ("loopcast: error: " in done.stderr) == command.startswith("!"), done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr


def beside_examples(folder: Path) -> Path:
    """Let a folder find the examples, as a clone of the repository does."""
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder
