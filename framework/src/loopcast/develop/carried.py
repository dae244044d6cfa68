"""How work and results travel between the processes of a run: by files, but for what is small.

A pipe would copy large columns of tables six times on their way, and they would wait in the memory
of who takes them. And whoever writes more into a pipe than it has room for waits for ever where the
process that should read it was killed; a message that names a file fits.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from itertools import accumulate
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

from cloudpickle import dumps, loads

from loopcast.store.files import GRACE

LARGE = 2**16
"""Bytes from which on a column of a table is kept apart from all else."""

SMALL = 2**9
"""Bytes up to which a thing needs no file: a pipe has room for a hundred of them."""

_ALIGNED = 64
"""Bytes of whose multiples Arrow wants columns to begin at one."""

_PREFIX = "loopcast-columns-"


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What is on its way.

    Attributes
    ----------
    content
        The thing, pickled; nothing where there is a file.
    file
        Has all but the large columns of Arrow's tables, pickled, and these one after another, each
        from a multiple of 64 bytes on; it is gone once it is unpacked.
    sizes
        Bytes of each part of the file.
    """

    content: bytes = b""
    file: Path | None = None
    sizes: tuple[int, ...] = ()


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
        For a file, of the run alone. Where it has no room for it, the thing goes without.
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

    content = dumps(thing, buffer_callback=stays)
    if len(content) <= SMALL and not large:
        return Carried(content=content)
    parts = [memoryview(content), *large]
    try:
        file = _written(parts, folder)
    except OSError:
        return Carried(content=dumps(thing))
    return Carried(file=file, sizes=tuple(part.nbytes for part in parts))


def unpacked(found: Carried) -> Any:
    """Return what :func:`packed` was given; a column is read when it is looked at.

    The space of the file is free again once none of its columns is held.
    """
    if found.file is None:
        return loads(found.content)
    content, *columns = _taken(found.file, found.sizes)
    return loads(content, buffers=columns)


def _taken(path: Path, sizes: Sequence[int]) -> Iterator[Any]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:  # which columns outlive; it keeps no file open
        content = file.read_buffer()
    path.unlink()
    starts = accumulate((size + _padding(size) for size in sizes), initial=0)
    return map(content.slice, starts, sizes)


def _written(parts: Sequence[memoryview], folder: Path) -> Path:
    path = folder / uuid4().hex
    try:
        with path.open("xb") as file:
            for part in parts:
                file.write(part)
                file.write(bytes(_padding(part.nbytes)))
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return path


def _padding(size: int) -> int:
    return -size % _ALIGNED
