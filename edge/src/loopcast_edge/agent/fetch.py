"""Fetching: the manifest of a package, then its file by chunks, taken up where it ended.

What is awaited follows from what is there, so that nothing but the chunks themselves has to survive
a power cut. Retained messages come at once when they are subscribed to; where one is awaited
for too long, or came damaged, it is subscribed to again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple, Optional, Protocol, Union

from loopcast_edge.agent.backoff import delay
from loopcast_edge.wire import (
    Assembler,
    Chunk,
    FileIndex,
    Manifest,
    Signed,
    WireError,
    decode,
    topics,
)

WINDOW = 16
MOST_IDLE = 64
PATIENCE_S = 20.0
LONGEST_WAITS = 30.0


class Subscriber(Protocol):
    """What subscribes at the broker; without a connection it does nothing."""

    def subscribe(self, names: Sequence[str]) -> None:
        """Subscribe to topics."""

    def unsubscribe(self, names: Sequence[str]) -> None:
        """Subscribe to topics no more."""


class Come(NamedTuple):
    """A package that is there."""

    manifest: str
    envelope: bytes
    file: Path


class Failed(NamedTuple):
    """What came of a package was not what it should be."""

    manifest: str
    error: WireError


class Progress(NamedTuple):
    """Chunks of a file that are there, and that there are."""

    received: int
    chunks: int


class Download:
    """One package on its way.

    Parameters
    ----------
    digest
        Of its manifest.
    folder
        For what is there so far.
    examine
        Returns the manifest of an envelope that may be activated here, or raises.
    bases
        Files that are there already, by their digest: another package's, from which the difference
        may be smaller, or the very same.
    """

    def __init__(
        self,
        digest: str,
        folder: Path,
        examine: Callable[[Signed], Manifest],
        bases: Callable[[], dict[str, Path]],
    ) -> None:
        self.digest = digest
        self._folder, self._examine, self._bases = folder, examine, bases
        self._envelope: Optional[bytes] = None
        self._manifest: Optional[Manifest] = None
        self._index: Optional[FileIndex] = None
        self._assembler: Optional[Assembler] = None
        self._without: set[str] = set()
        self._early: Optional[Chunk] = None
        self.came: Optional[Come] = None

    @property
    def progress(self) -> Progress:
        """How much of the file is there."""
        if self._assembler is None or self._index is None:
            return Progress(0, 0)
        total = len(self._index.chunks)
        return Progress(total - len(self._assembler.missing), total)

    def awaited(self) -> list[str]:
        """Return the topics on which the next messages come."""
        if self.came is not None:
            return []
        if self._manifest is None:
            return [topics.manifest(self.digest)]
        file = self._manifest.file
        if self._index is None or self._assembler is None:
            bases = [each for each in self._bases() if each not in self._without]
            differences = [topics.index(file, base) for base in bases]
            return [*differences, topics.index(file), topics.chunk(file, 0)]
        missing = self._assembler.missing[:WINDOW]
        return [topics.chunk(file, number, self._index.base) for number in missing]

    def receive(self, topic: str, payload: bytes) -> None:
        """Take a message.

        Raises
        ------
        WireError
            If it is not what is awaited, damaged, or must not be activated here.
        """
        if self._manifest is None:
            self._examined(payload)
        elif topic.endswith("/index"):
            self._indexed(decode(payload, FileIndex))
        elif self._assembler is None:
            self._early = decode(payload, Chunk)
        else:
            self._assembler.add(decode(payload, Chunk))
            self._finish()

    def _examined(self, payload: bytes) -> None:
        envelope = decode(payload, Signed)
        if envelope.digest != self.digest:
            raise WireError(f"manifest: digest {envelope.digest[:16]}…, not {self.digest[:16]}…")
        self._manifest = self._examine(envelope)
        self._envelope = payload
        present = self._bases().get(self._manifest.file)
        if present is not None:
            self.came = Come(self.digest, payload, present)

    def _indexed(self, index: FileIndex) -> None:
        manifest = self._manifest
        if manifest is None or self._index is not None:
            return
        if (index.file, index.size) != (manifest.file, manifest.size):
            raise WireError(
                f"index: of a file of {index.size} bytes that the manifest does not name"
            )
        if index.base is not None and index.base not in self._bases():
            raise WireError(f"index: the base {index.base[:16]}… is not here")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._assembler = Assembler(self._folder / index.body, index)
        self._index = index
        if self._early is not None and self._early.body == index.body:
            self._assembler.add(self._early)
        self._finish()

    def _finish(self) -> None:
        """Put the file together, if all chunks are there."""
        assembler, index, manifest = self._assembler, self._index, self._manifest
        if assembler is None or index is None or manifest is None or not assembler.complete:
            return
        target = self._folder / f"{manifest.file}.tflite"
        base = None if index.base is None else self._bases().get(index.base)
        try:
            assembler.finish(target, base)
        except (WireError, OSError) as error:
            self._index = self._assembler = None
            if index.base is not None and isinstance(error, WireError):
                self._without.add(index.base)
            raise
        self.came = Come(self.digest, self._envelope or b"", target)


class Fetcher:
    """All downloads of a device.

    Parameters
    ----------
    subscriber
        Of the link to the centre.
    clock
        Seconds, which do not step.
    patience_s
        How long a message may be awaited before it is asked for again.
    """

    def __init__(
        self,
        subscriber: Subscriber,
        clock: Callable[[], float],
        random: Random,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._subscriber, self._clock, self._random = subscriber, clock, random
        self._patience_s = patience_s
        self._downloads: dict[str, Download] = {}
        self._awaited: dict[str, Download] = {}
        self._subscribed: set[str] = set()
        self._retry_at = 0.0
        self._failures = 0

    def begin(self, download: Download) -> None:
        """Fetch a package, in place of an earlier attempt at it."""
        self._downloads[download.digest] = download
        self._follow()

    def keep(self, digests: Iterable[str]) -> None:
        """Give up all downloads but these."""
        kept = set(digests)
        self._downloads = {d: each for d, each in self._downloads.items() if d in kept}
        self._follow()

    def drop(self, digest: str) -> None:
        """Give up one download."""
        self._downloads.pop(digest, None)
        self._follow()

    def progress(self, digest: str) -> Progress:
        """Return how much of a package's file is there."""
        download = self._downloads.get(digest)
        return Progress(0, 0) if download is None else download.progress

    def connected(self) -> None:
        """Subscribe anew: the broker has forgotten what was subscribed to."""
        self._subscribed.clear()
        self._follow()

    def receive(self, topic: str, payload: bytes) -> Union[Come, Failed, None]:
        """Take a message; return the package that it completes, or what is wrong with it."""
        download = self._awaited.get(topic)
        return None if download is None else self._advance(download, topic, payload)

    def _advance(self, download: Download, topic: str, payload: bytes) -> Union[Come, Failed, None]:
        failed = None
        try:
            download.receive(topic, payload)
            self._failures = 0
        except WireError as error:
            self._failures += 1
            failed = Failed(download.digest, error)
        self._retry_at = self._clock() + self._patience()
        if download.came is not None:
            del self._downloads[download.digest]
        self._follow()
        return failed or download.came

    def hurry(self) -> None:
        """Ask again at once for what is awaited: something has changed."""
        self._retry_at = self._clock()

    def tick(self) -> None:
        """Subscribe again to what has not come for too long."""
        if self._downloads and self._clock() >= self._retry_at:
            self._failures += 1
            self._retry_at = self._clock() + self._patience()
            self._subscriber.unsubscribe(sorted(self._subscribed))
            self._subscribed.clear()
            self._follow()

    def _patience(self) -> float:
        return self._patience_s * (1 + delay(self._failures, self._random, LONGEST_WAITS))

    def _follow(self) -> None:
        """Subscribe to what is awaited, and no more to what is not, by few messages."""
        downloads = self._downloads.values()
        awaited = {name: each for each in downloads for name in each.awaited()}
        self._awaited = awaited
        idle = self._subscribed - set(awaited)
        if idle and (not awaited or len(idle) > MOST_IDLE):
            self._subscriber.unsubscribe(sorted(idle))
            self._subscribed -= idle
        fresh = [name for name in awaited if name not in self._subscribed]
        if fresh:
            self._subscriber.subscribe(fresh)
            self._subscribed.update(fresh)
