"""How work and results travel between the processes of a run: large columns of tables by files.

A pipe would copy them six times on their way, and they would wait in the memory of who takes them.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

from cloudpickle import dumps, loads

from loopcast.store.files import GRACE

LARGE = 2**17
"""Bytes from which on a column goes by a file."""

_PREFIX = "loopcast-columns-"


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What is on its way.

    Attributes
    ----------
    rest
        All but the large columns of Arrow's tables.
    files
        One for each of these, gone once it is unpacked.
    """

    rest: bytes
    files: tuple[Path, ...] = ()


@contextmanager
def folder_of_columns() -> Iterator[Path]:
    """Provide a temporary folder for what this process sends and receives, which ends with it.

    Those of runs that were killed with all of their processes are removed on the way: nobody has
    locked them any more.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError), _opened(left) as descriptor:
            flock(descriptor, LOCK_EX | LOCK_NB)
            if left.stat().st_mtime < time.time() - GRACE.total_seconds():  # not just being made
                rmtree(left)
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name, _opened(Path(name)) as descriptor:
        with suppress(OSError):  # where nothing can be locked, nothing is removed either
            flock(descriptor, LOCK_EX)
        yield Path(name)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def packed(thing: Any, folder: Path) -> Carried:
    """Put a thing of any kind, functions included, on its way to a process of the same run.

    Parameters
    ----------
    folder
        For files, of the run alone. Where it has no room for them, columns go with the rest.
    """
    import pyarrow as pa

    large: list[memoryview] = []

    def stays(buffer: Any) -> bool:
        content = buffer.raw()
        # Nobody changes what Arrow holds; an array of NumPy has to arrive as one's own.
        if content.nbytes < LARGE or not isinstance(content.obj, pa.Buffer):
            return True
        large.append(content)
        return False

    rest = dumps(thing, buffer_callback=stays)
    try:
        return Carried(rest=rest, files=_written(large, folder))
    except OSError:
        return Carried(rest=dumps(thing))


def unpacked(found: Carried) -> Any:
    """Return what :func:`packed` was given; a column is read when it is looked at."""
    return loads(found.rest, buffers=map(_taken, found.files))


def _taken(path: Path) -> Any:
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:  # which the column outlives; it keeps no file open
        content = file.read_buffer()
    path.unlink()
    return content


def _written(columns: Sequence[memoryview], folder: Path) -> tuple[Path, ...]:
    files = tuple(folder / uuid4().hex for _ in columns)
    try:
        for file, column in zip(files, columns, strict=True):
            file.write_bytes(column)
    except OSError:
        for file in files:
            file.unlink(missing_ok=True)
        raise
    return files
