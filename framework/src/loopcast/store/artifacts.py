"""Content-addressed files: each is stored under the SHA-256 of its content.

A content may have company: what belongs to it and is read with it, in the same file, whose digests
it names itself. To bring many small files to the disk costs more than all else about them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import TypeAlias

from loopcast.api import Digest, IntegrityError, NotFoundError
from loopcast.store.files import GRACE, Folder, open_folder

_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMPANY = struct.Struct("<16sQ")
_MARK = b"loopcast pack 1\n"
"""Begins a file with company: the mark, the length of the content, it, and what belongs to it."""

_BEGINNING = slice(2**14)
"""What is read of a file first: most contents with company end within it."""

Parts: TypeAlias = Callable[[slice], bytes]
"""Gives parts of some bytes."""


class Artifacts:
    """A store of immutable contents, in a folder or an object store.

    Any number of processes may write at once without coordination, because equal names mean
    equal contents.

    Parameters
    ----------
    url
        A folder, or a URL that fsspec knows.

    Examples
    --------
    >>> artifacts = Artifacts("memory://doctest-artifacts")
    >>> digest = artifacts.put(b"fitted")
    >>> artifacts.get(digest)
    b'fitted'
    """

    def __init__(self, url: str) -> None:
        self._folder: Folder = open_folder(url)

    def put(self, data: bytes) -> Digest:
        """Store a content and return its digest; storing it again changes nothing."""
        return self.put_many([data])[0]

    def put_many(self, contents: Iterable[bytes]) -> tuple[Digest, ...]:
        """Store contents and return their digests, in order.

        A content whose stored bytes were damaged is written anew.

        Raises
        ------
        StoreError
            When they cannot be written; those that were stay, each of them whole.
        """
        found = [(sha256(data).hexdigest(), data) for data in contents]
        self._write(dict(found))
        return tuple(digest for digest, _ in found)

    def put_with_company(
        self, contents: Iterable[tuple[bytes, Iterable[bytes]]]
    ) -> tuple[Digest, ...]:
        """Store contents, each with what belongs to it in one file, and return their digests.

        Parameters
        ----------
        contents
            A content, which names the digests of all that belongs to it, and that, in parts.

        Raises
        ------
        StoreError
            As :meth:`put_many`.
        """
        found = [
            (
                sha256(data).hexdigest(),
                b"".join([_COMPANY.pack(_MARK, len(data)), data, *company]),
            )
            for data, company in contents
        ]
        self._write(dict(found))
        return tuple(digest for digest, _ in found)

    def _write(self, files: Mapping[Digest, bytes]) -> None:
        new = {
            _name(digest): data for digest, data in files.items() if not self._holds(digest, data)
        }
        if new:
            self._folder.write_all(new)

    def get(self, digest: Digest) -> bytes:
        """Return a content, after checking it against its digest.

        Raises as :meth:`get_with_company` does.
        """
        return self.get_with_company(digest)[0]

    def get_with_company(self, digest: Digest) -> tuple[bytes, Parts | None]:
        """Return a content, checked against its digest, and what was stored with it.

        Returns
        -------
        content, company
            The second gives parts of it as they are in the file, for the caller to check, and
            raises as this does; ``None`` where the content is alone.

        Raises
        ------
        NotFoundError
            When it was never stored here.
        IntegrityError
            When the stored bytes are not what was stored.
        """
        name = _name(digest)
        try:
            parts = self._folder.parts(name)
            content, company = _taken_apart(parts)
        except NotFoundError:
            raise NotFoundError(f"artifact {digest} is not in {self._folder.root}") from None
        found = sha256(content).hexdigest()
        if found != digest and company is not None:  # it is alone, and begins as if it were not
            content, company = parts(slice(None)), None
            found = sha256(content).hexdigest()
        if found != digest:
            raise IntegrityError(
                f"artifact {digest} in {self._folder.root} was changed: its {len(content)} bytes "
                f"have the digest {found}. It is not used; restore the file from a backup or train "
                "again"
            )
        return content, company

    def has(self, digest: Digest) -> bool:
        """Tell whether a content is stored, without reading it."""
        return self._folder.exists(_name(digest))

    def sweep(self, older_than: timedelta = GRACE) -> int:
        """Remove temporary files that killed writes left, and count them."""
        folders = self._folder.names("")
        return sum(self._folder.sweep(folder, older_than) for folder in folders)

    def _holds(self, digest: Digest, data: bytes) -> bool:
        return self.has(digest) and self._folder.read(_name(digest)) == data


def _taken_apart(parts: Parts) -> tuple[bytes, Parts | None]:
    """Return the content of a file, and what belongs to it where it has company."""
    head = parts(_BEGINNING)
    if not head.startswith(_MARK) or len(head) < _COMPANY.size:
        return (head if len(head) < _BEGINNING.stop else parts(slice(None))), None
    start, end = _COMPANY.size, _COMPANY.size + _COMPANY.unpack_from(head)[1]
    content = head[start:end] if end <= len(head) else parts(slice(start, end))
    return content, partial(_part_after, parts, head, end)


def _part_after(parts: Parts, head: bytes, start: int, place: slice) -> bytes:
    """Return a part of what follows a place; what the head has is not read again."""
    first, end = start + (place.start or 0), None if place.stop is None else start + place.stop
    return head[first:end] if end is not None and end <= len(head) else parts(slice(first, end))


def _name(digest: Digest) -> str:
    """Spread the files over 256 folders, so that none grows too large to list."""
    if not _DIGEST.fullmatch(digest):
        raise NotFoundError(f"{digest!r} is not a digest: 64 hexadecimal digits in lower case")
    return f"{digest[:2]}/{digest}"
