"""The slots of a place on the disk, and what a device has to remember outside them.

A state folder holds::

    trust                          keys, and the highest accepted sequence of each place
    outbox.sqlite                  what goes home
    places/MODEL@SEGMENT/pointer   which package is in which slot: replaced at one moment
    places/MODEL@SEGMENT/DIGEST/   a package: its signed manifest and its file

A package is written beside its name and renamed when the disk has all of it; it is in a slot when
the pointer says so, and deleted when it is in none.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Optional

import msgspec

from loopcast_edge.agent import files
from loopcast_edge.agent.machine import Place

POINTER, MANIFEST, MODEL = "pointer", "manifest", "model.tflite"


class Package(NamedTuple):
    """A package as it was fetched: the envelope of its manifest, and its file."""

    envelope: bytes
    model: bytes


class Slots:
    """The slots of one logical model and segment.

    Parameters
    ----------
    folder
        Of its own; made when something is first kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self) -> Place:
        """Return what the pointer says; an empty place where there is none that can be read."""
        try:
            return msgspec.msgpack.decode((self._folder / POINTER).read_bytes(), type=Place)
        except (FileNotFoundError, msgspec.MsgspecError):
            return Place()

    def point(self, place: Place) -> None:
        """Make the switch: from now on :meth:`place` returns this one, whatever happens."""
        self._folder.mkdir(parents=True, exist_ok=True)
        files.write(self._folder / POINTER, msgspec.msgpack.encode(place))

    def put(self, digest: str, package: Package) -> None:
        """Keep a package under the digest of its manifest.

        Raises
        ------
        OSError
            If the disk is full or cannot be written; nothing of it is left.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._folder / digest
        beside = self._folder / f"{digest}.new"
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(target, ignore_errors=True)
        try:
            beside.mkdir()
            files.fill(beside / MANIFEST, package.envelope)
            files.fill(beside / MODEL, package.model)
            files.sync(beside)
            beside.rename(target)
        except OSError:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        files.sync(self._folder)

    def package(self, digest: str) -> Optional[Package]:
        """Return a package as it is on the disk, to be checked anew; ``None`` where it is not."""
        return read_package(self.path(digest))

    def path(self, digest: str) -> Path:
        """Return the folder of a package."""
        return self._folder / digest

    def clean(self, keep: Iterable[Optional[str]]) -> None:
        """Delete all packages but these."""
        kept = set(keep)
        if not self._folder.is_dir():
            return
        for each in self._folder.iterdir():
            if each.is_dir() and each.name not in kept:
                shutil.rmtree(each)


def read_package(folder: Path) -> Optional[Package]:
    """Return the package in a folder; ``None`` where there is none."""
    try:
        return Package((folder / MANIFEST).read_bytes(), (folder / MODEL).read_bytes())
    except FileNotFoundError:
        return None
