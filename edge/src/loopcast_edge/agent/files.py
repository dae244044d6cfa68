"""Files that a power cut leaves whole: the old content or the new one, never a part."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, content: bytes, *, private: bool = False) -> None:
    """Replace a file at one moment, and return when the disk has it.

    The content goes into a file beside it, which is synced and renamed over the old one; then the
    folder is synced, so that the new name survives too.

    Parameters
    ----------
    private
        Whether its owner alone may read it, at any moment.

    Raises
    ------
    OSError
        If the disk is full or cannot be written; the old content is still there.
    """
    beside = path.with_name(path.name + ".new")
    try:
        if private:
            beside.unlink(missing_ok=True)
            beside.touch(0o600)
        fill(beside, content)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync(path.parent)


def fill(path: Path, content: bytes) -> None:
    """Write a file that nobody looks at before it is whole, and return when the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync(folder: Path) -> None:
    """Have the disk keep the names in a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
