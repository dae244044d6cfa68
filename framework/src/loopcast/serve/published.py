"""Blue and green: consumers read the last whole batch, whatever happens to the next one.

A batch is a folder that is complete before it gets its name. ``current`` is a symbolic link to the
one that consumers read; it is moved by one rename. A consumer that reads several files of a batch
resolves the link once, as :func:`published` does, and keeps reading that batch: the batch before
the current one stays.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from hashlib import file_digest, sha256
from pathlib import Path
from uuid import uuid4

import msgspec

from loopcast.api import BundleFile, IntegrityError, NotFoundError, Record, StoreError, VersionId
from loopcast.store.files import make_folder, sync_folder, write_atomically

CURRENT = "current"
ABOUT = "batch.json"
_STALE_SECONDS = 24 * 3600.0
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")


class Batch(Record, frozen=True):
    """What a published batch is, written beside its files.

    Attributes
    ----------
    made
        When, with a time zone.
    versions
        The versions that predicted it, by segment; empty where the files say it.
    files
        Digest and size of each file.
    """

    logical_model: str
    made: datetime
    versions: dict[str, VersionId]
    files: dict[str, BundleFile]


@dataclass(frozen=True)
class Published:
    """A batch as a consumer finds it.

    Attributes
    ----------
    folder
        Its own folder, not the link: it stays the same while others are published.
    """

    folder: Path
    batch: Batch

    def read(self, name: str) -> bytes:
        """Return a file, checked against its digest.

        Raises
        ------
        NotFoundError
            When the batch has no such file, or two batches were published since.
        IntegrityError
            When its bytes are not those that were published.
        """
        expected = self.batch.files.get(name)
        if expected is None:
            raise NotFoundError(
                f"{self.folder} has no {name}; it has {', '.join(self.batch.files)}"
            )
        try:
            data = (self.folder / name).read_bytes()
        except FileNotFoundError:
            raise NotFoundError(
                f"{self.folder} is gone: two batches were published since"
            ) from None
        if sha256(data).hexdigest() != expected.sha256:
            raise IntegrityError(f"{self.folder / name} is not the file that was published")
        return data


def publish(
    folder: Path,
    files: Mapping[str, Path],
    *,
    logical_model: str,
    made: datetime,
    versions: Mapping[str, VersionId] | None = None,
) -> Path:
    """Write a batch beside the current one, and make it current in one step.

    Killed at any moment, consumers see the batch before or the new one, whole.

    Parameters
    ----------
    folder
        As :func:`served_folder` says, on a local disk.
    files
        Files that nobody changes any more, by their plain name in the batch.

    Returns
    -------
    Path
        The batch's own folder.

    Raises
    ------
    StoreError
        When the disk refuses; consumers see what they saw before.
    """
    wrong = [name for name in files if not _FILE_NAME.fullmatch(name) or name == ABOUT]
    if wrong:
        raise StoreError(f"{wrong[0]!r} cannot be a file of a batch; use letters, digits, _ - .")
    with ThreadPoolExecutor() as pool:
        described = pool.map(_described, files.values())
        batch = Batch(
            logical_model=logical_model,
            made=made,
            versions=dict(versions or {}),
            files=dict(zip(files, described, strict=True)),
        )
    try:
        return _publish(folder, files, batch)
    except OSError as error:
        raise StoreError(
            f"could not publish in {folder}: {error.strerror}; consumers see what they saw before"
        ) from error


def _described(path: Path) -> BundleFile:
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return BundleFile(sha256=digest, size=path.stat().st_size)


def _publish(folder: Path, files: Mapping[str, Path], batch: Batch) -> Path:
    make_folder(folder)
    name = f"{batch.made:%Y%m%dT%H%M%S%f}-{uuid4().hex[:8]}"
    hidden, whole, before = folder / f".{name}", folder / name, _pointed(folder)
    try:
        hidden.mkdir()
        for file, source in files.items():
            _take(source, hidden / file)
        write_atomically(hidden / ABOUT, msgspec.json.format(msgspec.json.encode(batch), indent=2))
        hidden.rename(whole)
        _point(folder, name)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    _tidy(folder, keep={name, before})
    return whole


def _pointed(folder: Path) -> str:
    """Return the name of the batch that is current, which consumers may be reading for long."""
    link = folder / CURRENT
    return link.readlink().name if link.is_symlink() else ""


def _take(source: Path, target: Path) -> None:
    """Give a file of a run a name in a batch: by a link, or by a copy where there can be none.

    A run puts new files in the place of old ones and changes none, so that a link is as good.
    """
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _point(folder: Path, name: str) -> None:
    """Let ``current`` point to a batch, by one rename."""
    link = folder / f".{CURRENT}-{uuid4().hex[:8]}"
    link.symlink_to(name)
    link.replace(folder / CURRENT)
    sync_folder(folder)


def _tidy(folder: Path, keep: Set[str]) -> None:
    """Remove all other batches, and what a killed publisher left behind a day ago.

    Their names do not say which was current last: a night may be repeated, or be of an earlier day.
    """
    batches = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    for path in batches:
        if not path.name.startswith(".") and path.name not in keep:
            shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob(".*"):
        if time.time() - path.lstat().st_mtime > _STALE_SECONDS:
            path.unlink() if path.is_symlink() else shutil.rmtree(path, ignore_errors=True)


def served_folder(home: Path, logical_model: str, segment: str = "") -> Path:
    """Return where consumers find what was published of a logical model, or of a segment."""
    return home / "served" / logical_model / segment


def published(folder: Path) -> Published:
    """Return the batch that is current.

    Raises
    ------
    NotFoundError
        When nothing was published.
    IntegrityError
        When its description cannot be read.
    """
    while True:
        try:
            name = (folder / CURRENT).readlink()
        except FileNotFoundError:
            raise NotFoundError(f"nothing was published in {folder}") from None
        own = folder / name
        try:
            data = (own / ABOUT).read_bytes()
            break
        except FileNotFoundError:
            if (folder / CURRENT).readlink() == name:
                raise IntegrityError(f"{own}, which is current, has no {ABOUT}") from None
            # Two others were published between the two lines above: look again.
    try:
        return Published(own, msgspec.json.decode(data, type=Batch))
    except (msgspec.DecodeError, ValueError) as error:
        raise IntegrityError(f"{own / ABOUT} is not the description of a batch: {error}") from None
