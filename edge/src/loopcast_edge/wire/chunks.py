"""Files in chunks: each has a digest of its own, so that a bad one is noticed."""

from __future__ import annotations

from typing import Annotated, ClassVar, Optional

import msgspec

from loopcast_edge.wire.codec import Count, Digest, Message

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
