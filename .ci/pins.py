"""Pin the whole resolved set of dependencies, without a lock file that names a package index.

The pins are the list `constraint-dependencies` of `[tool.uv]` in the root pyproject.toml. To move
to newer versions, in a clone whose tests you then run:

    uv run --no-sync python .ci/pins.py clear    # no constraints
    uv lock --upgrade                            # resolve anew; uv.lock itself is not committed
    uv run --no-sync python .ci/pins.py write    # the versions in uv.lock become constraints
    uv sync --all-groups && uv run pytest

`python .ci/pins.py list` prints them, one a line. Where a package resolves to several versions for
several Pythons, the one for the oldest Python is taken for all, so that all compute the same.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "pyproject.toml"
LOCK = ROOT / "uv.lock"
BLOCK = re.compile(r"^constraint-dependencies = \[\n.*?^\]\n", re.MULTILINE | re.DOTALL)


def resolved(lock: str) -> list[str]:
    """Return `name==version` of each package of a lock file that is not of this workspace."""
    pins: dict[str, tuple[tuple[int, ...], str]] = {}
    for package in tomllib.loads(lock)["package"]:
        if "registry" in package["source"]:
            key = tuple(int(part) for part in re.findall(r"\d+", package["version"]))
            found = pins.get(package["name"])
            if found is None or key < found[0]:
                pins[package["name"]] = (key, package["version"])
    return [f"{name}=={version}" for name, (_, version) in sorted(pins.items())]


def write(pins: list[str]) -> None:
    """Replace the list in pyproject.toml."""
    lines = "".join(f'    "{pin}",\n' for pin in pins)
    text, count = BLOCK.subn(f"constraint-dependencies = [\n{lines}]\n", PROJECT.read_text())
    if count != 1:
        sys.exit(f"{PROJECT}: expected one list constraint-dependencies in [tool.uv], got {count}")
    PROJECT.write_text(text)


def main(command: str) -> None:
    """Run one of the commands that the module's docstring shows."""
    if command == "write":
        write(resolved(LOCK.read_text()))
    elif command == "clear":
        write([])
    elif command == "list":
        settings = tomllib.loads(PROJECT.read_text())["tool"]["uv"]
        print(*settings["constraint-dependencies"], sep="\n")
    else:
        sys.exit("usage: python .ci/pins.py write | clear | list")


if __name__ == "__main__":
    main(*sys.argv[1:2] or [""])
