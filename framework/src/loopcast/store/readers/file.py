"""A table in a file: where it is, and that it is there."""

from __future__ import annotations

from pathlib import Path

from loopcast.api import DataError, Record


class FileOptions(Record, frozen=True):
    """Where a file is; relative to the folder that the run was started in."""

    path: str


def existing(path: str, base: Path) -> Path:
    """Return a file; raise ``DataError`` where there is none, or an empty one."""
    found = base / Path(path).expanduser()
    if not found.is_file():
        raise DataError(
            f"data file {found} does not exist; set data.options.path, or the environment "
            "variable that the data's configuration reads"
        )
    if found.stat().st_size == 0:
        raise DataError(f"data file {found} is empty (0 bytes); expected a table")
    return found
