"""Files in chunks: each has a digest of its own, so that a bad one is noticed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, BinaryIO, ClassVar, Optional

import msgspec

from loopcast_edge.wire.codec import Count, Digest, Message, WireError, digest_of
from loopcast_edge.wire.delta import apply_delta, make_delta

CHUNK_SIZE = 16_384
"""Fits the smallest limit of a broker that we know, 20 KB, with room for what a chunk says."""

Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class FileIndex(Message, frozen=True, tag="index"):
    """What chunks a file, or its difference from another, comes in.

    Attributes
    ----------
    file, size
        Digest of the file, and its size in bytes.
    base
        Digest of the file that the device must have; ``None`` where the chunks are the file.
    body, body_size
        Digest and size of all chunks put together: the file itself where there is no base.
    chunk_size
        Bytes of each chunk but the last.
    chunks
        SHA-256 of each chunk, in their order.
    """

    most_bytes: ClassVar[int] = 262_144

    file: Digest
    size: Count
    body: Digest
    body_size: Count
    chunk_size: Annotated[int, msgspec.Meta(ge=512, le=65_536)]
    chunks: Annotated[tuple[Bytes32, ...], msgspec.Meta(max_length=4096)]
    base: Optional[Digest] = None

    def __post_init__(self) -> None:
        needed = -(-self.body_size // self.chunk_size)
        if needed != len(self.chunks):
            raise ValueError(f"{len(self.chunks)} chunks; {self.body_size} bytes are {needed}")
        if self.base is None and (self.file, self.size) != (self.body, self.body_size):
            raise ValueError("without a base, the chunks have to be the file")


class Chunk(Message, frozen=True, tag="chunk"):
    """A chunk of a file.

    Attributes
    ----------
    body
        Digest of all chunks put together.
    number
        From 0.
    """

    most_bytes: ClassVar[int] = 66_048

    body: Digest
    number: Count
    data: Annotated[bytes, msgspec.Meta(min_length=1, max_length=65_536)]


@dataclass(frozen=True)
class Published:
    """What is published of a file: its index and its chunks."""

    index: FileIndex
    chunks: tuple[Chunk, ...]


def publish_file(content: bytes, chunk_size: int = CHUNK_SIZE) -> Published:
    """Return the index and the chunks of a file.

    Examples
    --------
    >>> [len(chunk.data) for chunk in publish_file(bytes(1000), chunk_size=512).chunks]
    [512, 488]
    """
    return _published(content, content, None, chunk_size)


def publish_delta(content: bytes, base: bytes) -> Optional[Published]:
    """Return index and chunks of the difference from a base, where it is smaller than the file."""
    delta = make_delta(base, content)
    if len(delta) >= len(content):
        return None
    return _published(content, delta, digest_of(base), CHUNK_SIZE)


def _published(content: bytes, body: bytes, base: Optional[str], chunk_size: int) -> Published:
    parts = [body[start : start + chunk_size] for start in range(0, len(body), chunk_size)]
    digest = digest_of(body)
    index = FileIndex(
        file=digest_of(content),
        size=len(content),
        body=digest,
        body_size=len(body),
        chunk_size=chunk_size,
        chunks=tuple(sha256(part).digest() for part in parts),
        base=base,
    )
    chunks = (Chunk(body=digest, number=n, data=part) for n, part in enumerate(parts))
    return Published(index, tuple(chunks))


class Assembler:
    """Puts a file together from chunks that come in any order, again, damaged, or after a restart.

    What is there is in a file of its own and is recognised by its digests, so that nothing else
    has to be kept over a power cut. While it gathers, one chunk at a time is in memory.

    Parameters
    ----------
    path
        The file for what is there so far. One that exists is taken up where it ends being right.
    index
        Of the file.
    """

    def __init__(self, path: Path, index: FileIndex) -> None:
        self._path, self._index = path, index
        self._missing = set(range(len(index.chunks)))
        with self._opened() as file:
            file.truncate(index.body_size)
            for number, part in enumerate(_parts(file, index.chunk_size)):
                self._look(number, part)

    @property
    def missing(self) -> tuple[int, ...]:
        """Numbers of the chunks that are not there yet, in order."""
        return tuple(sorted(self._missing))

    @property
    def complete(self) -> bool:
        """Whether all chunks are there."""
        return not self._missing

    def _opened(self) -> BinaryIO:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        return os.fdopen(descriptor, "r+b")

    def _look(self, number: int, part: bytes) -> None:
        if sha256(part).digest() == self._index.chunks[number]:
            self._missing.discard(number)

    def add(self, chunk: Chunk) -> bool:
        """Take a chunk; return whether it was still missing.

        Raises
        ------
        WireError
            When it is of another file, or damaged. What is there stays.
        """
        index = self._index
        if chunk.body != index.body or chunk.number >= len(index.chunks):
            raise WireError(f"chunk {chunk.number} of {chunk.body[:16]}… is not of this file")
        if sha256(chunk.data).digest() != index.chunks[chunk.number]:
            raise WireError(f"chunk {chunk.number} of {chunk.body[:16]}… is damaged")
        if chunk.number not in self._missing:
            return False
        with self._opened() as file:
            file.seek(chunk.number * index.chunk_size)
            file.write(chunk.data)
        self._missing.discard(chunk.number)
        return True

    def finish(self, target: Path, base: Optional[Path] = None) -> None:
        """Move the whole file to where it belongs, in one step, once it is on the disk.

        Parameters
        ----------
        target
            In the same file system.
        base
            The file that the chunks are the difference from.

        Raises
        ------
        WireError
            When chunks are missing, or the file or its base have another digest than the index
            says. What came is thrown away then, since it cannot become right.
        """
        if self._missing:
            raise WireError(f"{len(self._missing)} of {len(self._index.chunks)} chunks are missing")
        try:
            if self._index.base is not None:
                self._apply(base)
            self._check(self._path, self._index.file)
        except WireError:
            self._path.unlink()
            raise
        _to_disk(self._path)
        self._path.replace(target)
        _to_disk(target.parent)

    def _apply(self, base: Optional[Path]) -> None:
        if base is None:
            raise WireError(f"the difference needs its base {self._index.base}")
        self._check(base, str(self._index.base))
        made = apply_delta(base.read_bytes(), self._path.read_bytes(), self._index.size)
        self._path.write_bytes(made)

    def _check(self, path: Path, digest: str) -> None:
        found = sha256()
        with path.open("rb") as file:
            for part in _parts(file, self._index.chunk_size):
                found.update(part)
        if found.hexdigest() != digest:
            raise WireError(
                f"{path.name}: digest {found.hexdigest()[:16]}…; expected {digest[:16]}…"
            )


def _parts(file: BinaryIO, size: int) -> Iterator[bytes]:
    while part := file.read(size):
        yield part


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
