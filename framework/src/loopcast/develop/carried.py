"""How work and results travel between the processes of a run: large arrays by files.

A pipe would copy them six times on their way, and they would wait in the memory of who takes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from mmap import ACCESS_COPY, mmap
from pathlib import Path
from typing import Any
from uuid import uuid4

from cloudpickle import dumps, loads

LARGE = 2**17
"""Bytes from which on an array goes by a file."""


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What is on its way.

    Attributes
    ----------
    rest
        All but its large arrays.
    files
        One for each of these, gone once it is unpacked.
    """

    rest: bytes
    files: tuple[Path, ...] = ()


def packed(thing: Any, folder: Path) -> Packed:
    """Put a thing of any kind, functions included, on its way to a process of the same run.

    Parameters
    ----------
    folder
        For files, of the run alone. Where it has no room for them, arrays go with the rest.
    """
    large: list[memoryview] = []

    def stays(buffer: Any) -> bool:
        content = buffer.raw()
        if content.nbytes < LARGE:
            return True
        large.append(content)
        return False

    rest = dumps(thing, buffer_callback=stays)
    try:
        return Packed(rest=rest, files=_written(large, folder))
    except OSError:
        return Packed(rest=dumps(thing))


def unpacked(found: Packed) -> Any:
    """Return what :func:`packed` was given; an array is read when it is looked at."""
    return loads(found.rest, buffers=map(_taken, found.files))


def _taken(path: Path) -> memoryview:
    with path.open("rb") as file:
        content = memoryview(mmap(file.fileno(), 0, access=ACCESS_COPY))
    path.unlink()  # its content is there as long as the array is
    return content


def _written(arrays: Sequence[memoryview], folder: Path) -> tuple[Path, ...]:
    files = tuple(folder / uuid4().hex for _ in arrays)
    try:
        for file, array in zip(files, arrays, strict=True):
            file.write_bytes(array)
    except OSError:
        for file in files:
            file.unlink(missing_ok=True)
        raise
    return files
