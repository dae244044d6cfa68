"""Content-addressed files: each is stored under the SHA-256 of its content."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256

from loopcast.api import Digest, IntegrityError, NotFoundError
from loopcast.store.files import Folder, open_folder

_DIGEST = re.compile(r"[0-9a-f]{64}")


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
        by_digest: dict[Digest, bytes] = {}
        digests = []
        for data in contents:
            digest = sha256(data).hexdigest()
            digests.append(digest)
            by_digest[digest] = data
        new = {
            _name(digest): data
            for digest, data in by_digest.items()
            if not self._holds(digest, data)
        }
        if new:
            self._folder.write_all(new)
        return tuple(digests)

    def get(self, digest: Digest) -> bytes:
        """Return a content, after checking it against its digest.

        Raises
        ------
        NotFoundError
            When it was never stored here.
        IntegrityError
            When the stored bytes are not what was stored.
        """
        name = _name(digest)
        try:
            data = self._folder.read(name)
        except NotFoundError:
            raise NotFoundError(f"artifact {digest} is not in {self._folder.root}") from None
        found = sha256(data).hexdigest()
        if found != digest:
            raise IntegrityError(
                f"artifact {digest} in {self._folder.root} was changed: its {len(data)} bytes have "
                f"the digest {found}. It is not used; restore the file from a backup or train again"
            )
        return data

    def get_many(self, digests: Iterable[Digest]) -> tuple[bytes, ...]:
        """Return contents, in order, each checked against its digest."""
        return tuple(self.get(digest) for digest in digests)

    def has(self, digest: Digest) -> bool:
        """Tell whether a content is stored, without reading it."""
        return self._folder.exists(_name(digest))

    def sweep(self, older_than: timedelta) -> int:
        """Remove temporary files that killed writes left, and count them."""
        folders = self._folder.names("")
        return sum(self._folder.sweep(folder, older_than) for folder in folders)

    def _holds(self, digest: Digest, data: bytes) -> bool:
        return self.has(digest) and self._folder.read(_name(digest)) == data


def _name(digest: Digest) -> str:
    """Spread the files over 256 folders, so that none grows too large to list."""
    if not _DIGEST.fullmatch(digest):
        raise NotFoundError(f"{digest!r} is not a digest: 64 hexadecimal digits in lower case")
    return f"{digest[:2]}/{digest}"
