"""Files that are absent or whole, never half-written: on a local disk or in an object store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any
from uuid import uuid4

from loopcast.api import NotFoundError, StoreError

GRACE = timedelta(hours=1)
"""How long temporary files, and files that others stand for, are left to writers and readers."""

_SYNCS = 16
"""Files that are brought to the disk at once: it takes many together almost as fast as one."""

_PIECE = 2**30
"""Bytes that are read at once: systems give up to 2 GB."""


def write_atomically(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a local file so that readers see the old content or the new, at any moment.

    The data goes to a temporary name first, reaches the disk, and is then renamed. Folders are
    made as needed. A failure leaves nothing behind.

    Parameters
    ----------
    mode
        Who may read and write it, as ``open`` takes it.

    Raises
    ------
    OSError
        As the operating system reports it: a full disk, no permission.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "a" / "b.txt", b"whole")
    ...     (Path(folder) / "a" / "b.txt").read_bytes()
    b'whole'
    """
    write_all_atomically({path: data}, mode)


def write_all_atomically(contents: Mapping[Path, bytes], mode: int = 0o666) -> None:
    """Write several local files, each atomically, with one pass over the folders.

    Files appear in the order given, all of them after all data is on the disk.
    """
    temporaries = {path: path.parent / f".{path.name}.{uuid4().hex}.tmp" for path in contents}
    try:
        for folder in {path.parent for path in contents}:
            make_folder(folder)
        with ThreadPoolExecutor(_SYNCS) as pool:
            list(pool.map(_write_synced, temporaries.values(), contents.values(), repeat(mode)))
            for path, temporary in temporaries.items():
                temporary.replace(path)
            list(pool.map(sync_folder, {path.parent for path in contents}))
    except BaseException:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)
        raise


def create_atomically(path: Path, data: bytes, mode: int = 0o666) -> bool:
    """Write a local file unless it is there, and tell whether it was written.

    Raises
    ------
    OSError
        As the operating system reports it.
    """
    temporary = path.parent / f".{path.name}.{uuid4().hex}.tmp"
    make_folder(path.parent)
    try:
        _write_synced(temporary, data, mode)
        os.link(temporary, path)  # unlike a rename, it fails where the name is taken
        sync_folder(path.parent)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _write_synced(path: Path, data: bytes, mode: int) -> None:
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _part_of(descriptor: int, place: slice) -> bytes:
    """Read a part of an open file."""
    start, end, _ = place.indices(os.fstat(descriptor).st_size)
    pieces = []
    while start < end and (piece := os.pread(descriptor, min(end - start, _PIECE), start)):
        pieces.append(piece)
        start += len(piece)
    return b"".join(pieces)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents so that they survive a power cut."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Folder:
    """A folder of files that are written once, local or in an object store.

    On a local disk each write goes through a temporary file and a rename. An object store shows
    an object when its upload is complete, which is the same promise.

    Attributes
    ----------
    filesystem
        The fsspec file system.
    root
        The folder's path in it.
    local
        Whether it is on a local disk.
    """

    filesystem: Any
    root: str
    local: bool

    def path(self, name: str) -> str:
        """Return the full path of a file."""
        return f"{self.root}/{name}"

    def read(self, name: str) -> bytes:
        """Return a file's content.

        Raises
        ------
        NotFoundError
            When there is no such file.
        StoreError
            When it cannot be read.
        """
        if self.local:
            return self._part(name, slice(None))
        with self._explained("read", self.path(name)):
            return bytes(self.filesystem.cat_file(self.path(name)))

    def parts(self, name: str) -> Callable[[slice], bytes]:
        """Return what gives parts of a file; raises as :meth:`read` does, also when it is asked.

        Parts of a local file are read when they are asked for. Any other is read whole and at
        once, since a request takes longer than what it brings.
        """
        return partial(self._part, name) if self.local else self.read(name).__getitem__

    def _part(self, name: str, place: slice) -> bytes:
        path = self.path(name)
        with self._explained("read", path):
            descriptor = os.open(path, os.O_RDONLY)  # a file object takes longer than a small part
            try:
                return _part_of(descriptor, place)
            finally:
                os.close(descriptor)

    def exists(self, name: str) -> bool:
        """Tell whether a file is there."""
        with self._explained("look for", self.path(name)):
            return bool(self.filesystem.exists(self.path(name)))

    def write_all(self, contents: Mapping[str, bytes]) -> None:
        """Write files, each atomically.

        Raises
        ------
        StoreError
            When they cannot be written; what was complete stays, nothing is half-written.
        """
        with self._explained("write to", self.root):
            if self.local:
                write_all_atomically({Path(self.path(name)): contents[name] for name in contents})
            else:
                self.filesystem.pipe({self.path(name): contents[name] for name in contents})

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless it is there, and tell whether it was written.

        Of several processes that create the same file, exactly one is told that it did.

        Raises
        ------
        StoreError
            When it cannot be written; then nothing is.
        """
        path = self.path(name)
        with self._explained("write", path):
            if self.local:
                return create_atomically(Path(path), data)
            try:
                self.filesystem.pipe_file(path, data, mode="create")
            except FileExistsError:
                return False
            return True

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; those that are gone already are none to worry about."""
        for name in names:
            with self._explained("remove", self.path(name)), suppress(FileNotFoundError):
                self.filesystem.rm_file(self.path(name))

    def age(self, name: str) -> timedelta:
        """Return how long ago a file was written.

        Raises
        ------
        NotFoundError
            When there is no such file.
        """
        with self._explained("look at", self.path(name)):
            written: datetime = self.filesystem.modified(self.path(name))
        return datetime.now(UTC) - written.astimezone(UTC)

    def size(self, folder: str) -> int:
        """Return how many bytes the files below a subfolder take; 0 where there is none."""
        path = self.path(folder)
        with self._explained("measure", path):
            try:
                return int(self.filesystem.du(path))
            except FileNotFoundError:
                return 0

    def sweep(self, folder: str, older_than: timedelta) -> int:
        """Remove temporary files that killed writes left in a subfolder, and count them.

        A write that is still under way after so long a time fails, and nothing is lost silently.
        """
        if not self.local:
            return 0
        left = [f"{folder}/{path.name}" for path in Path(self.path(folder)).glob(".*.tmp")]
        old = [name for name in left if self._is_older(name, older_than)]
        self.remove(old)
        return len(old)

    def _is_older(self, name: str, than: timedelta) -> bool:
        try:
            return self.age(name) >= than
        except NotFoundError:  # its writer has just finished
            return False

    def names(self, folder: str) -> list[str]:
        """Return the sorted names in a subfolder; empty where there is none.

        Names that start with a dot are writes under way or given up, and are left out.
        """
        path = self.path(folder)
        with self._explained("list", path):
            try:
                found = self.filesystem.ls(path, detail=False, refresh=True)
            except FileNotFoundError:
                return []
        names = (entry.rstrip("/").rsplit("/", 1)[-1] for entry in found)
        return sorted(name for name in names if not name.startswith("."))

    @contextmanager
    def _explained(self, action: str, path: str) -> Iterator[None]:
        """Say what the file system says, in one sentence.

        Clients of object stores raise errors of their own, such as botocore's, for a server that
        is not reached or credentials that are none.
        """
        try:
            yield
        except FileNotFoundError:
            raise NotFoundError(f"{path} does not exist") from None
        except Exception as error:
            if self.local and not isinstance(error, OSError):
                raise
            reason = getattr(error, "strerror", None) or str(error)
            raise StoreError(f"could not {action} {path}: {reason}; nothing was changed") from error


def open_folder(url: str) -> Folder:
    """Return the folder at a path or fsspec URL, such as ``s3://bucket/artifacts``.

    Raises
    ------
    StoreError
        When the URL's protocol is unknown or its package is not installed.
    """
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem

    try:
        filesystem, root = url_to_fs(str(url))
    except (ImportError, ValueError) as error:
        raise StoreError(f"{url}: {error}; use a folder or a URL that fsspec knows") from None
    return Folder(filesystem, root.rstrip("/"), isinstance(filesystem, LocalFileSystem))
