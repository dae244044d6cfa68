"""How work and results travel between the processes of a run: large columns of tables by files.

A pipe would copy them six times on their way, and they would wait in the memory of who takes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from cloudpickle import dumps, loads

LARGE = 2**17
"""Bytes from which on a column goes by a file."""


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
