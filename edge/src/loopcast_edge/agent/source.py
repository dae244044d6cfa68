"""Where measurements come from, and where predictions go beside home."""

from __future__ import annotations

import json
import logging
import os
import select
import sys
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from io import FileIO
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, Optional, Union

from loopcast_edge.agent.link import Local
from loopcast_edge.agent.serving import Line
from loopcast_edge.agent.settings import Sink
from loopcast_edge.wire import LATEST

LOG = logging.getLogger(__name__)
LONGEST_QUEUE = 2000
TOO_LATE = LATEST - 366 * 86_400_000
"""A forecast may be of a later interval, which has to be within the year 9999."""
LOOK_S = 0.2  # how often a reader looks whether it is to stop


class Measured(NamedTuple):
    """A line that was read; see ``Agent.measured``."""

    line: dict[str, Any]


class Ended(NamedTuple):
    """The source has no more."""

    reason: str = ""


def parsed(text: Union[str, bytes]) -> dict[str, Any]:
    """Return a measurement from a line of JSON.

    A ``time`` is milliseconds since 1970-01-01 in UTC, or a text in ISO 8601 with its offset, not
    after the year 9998; numbers become floats, and lists of texts tuples.

    Raises
    ------
    ValueError
        If it is not that.

    Examples
    --------
    >>> parsed('{"time": "2026-01-01T00:00Z", "load": 5, "chosen": ["a"]}')
    {'time': 1767225600000, 'load': 5.0, 'chosen': ('a',)}
    """
    try:
        content = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("expected an object with names and values")
    return {name: _value(name, value) for name, value in content.items() if value is not None}


def _value(name: str, value: Any) -> Any:
    if name == "time":
        return _time(value)
    if isinstance(value, (bool, int, float)):
        return _number(name, value)
    if isinstance(value, str):
        return _text(name, value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(_text(name, each) for each in value)
    raise ValueError(f"{name}: expected a number, a text, or a list of texts")


def _number(name: str, value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name}: too large for a number") from None


def _text(name: str, value: str) -> str:
    """Return a text; JSON can spell halves of characters, which nothing could store."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name}: {value[:40]!a} is no text") from None
    return value


def _time(value: Any) -> int:
    moment = _moment(value) if isinstance(value, str) else value
    if not isinstance(moment, (int, float)) or not 0 <= moment < TOO_LATE:
        raise ValueError(
            f"time: {value!r:.40} is neither milliseconds since 1970 nor ISO 8601 with its offset"
        )
    return int(moment)


def _moment(text: str) -> Optional[float]:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return None if moment.tzinfo is None else moment.timestamp() * 1000


class Lines:
    """A thread that reads JSON lines from standard input, a pipe or a file into a queue.

    Parameters
    ----------
    path
        Standard input where it is ``None``. A named pipe is opened again when its writer leaves.
    """

    def __init__(self, path: Optional[Path], queue: SimpleQueue[Any]) -> None:
        self._path, self._queue = path, queue
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more lines; what was not read stays for another reader."""
        self._closed.set()
        self._thread.join(2 * LOOK_S)

    def _run(self) -> None:
        reason = ""
        try:
            self._read()
        except OSError as error:
            reason = f"{self._path}: {error.strerror}"
        if not self._closed.is_set():
            self._put(Ended(reason))

    def _read(self) -> None:
        if self._path is None:
            self._take(sys.stdin.fileno())
            return
        while not self._closed.is_set():
            with self._path.open("rb", buffering=0) as file:
                self._take(file.fileno())
            if not self._path.is_fifo():
                return

    def _take(self, handle: int) -> None:
        for number, text in enumerate(self._split(handle), 1):
            if text.strip():
                self._put_line(text, number)

    def _split(self, handle: int) -> Iterator[bytes]:
        """Give the lines of a file, without a buffer whose lock would outlive the thread."""
        rest = b""
        while not self._closed.is_set():
            if not select.select([handle], [], [], LOOK_S)[0]:
                continue
            part = os.read(handle, 65_536)
            if not part:
                break
            *lines, rest = (rest + part).split(b"\n")
            yield from lines
        if rest:
            yield rest

    def _put_line(self, text: bytes, number: int) -> None:
        try:
            self._put(Measured(parsed(text)))
        except ValueError as error:
            LOG.warning("line %d of %s is ignored: %s", number, self._path or "stdin", error)

    def _put(self, item: Any) -> None:
        """Put an item into the queue, waiting while it is long."""
        while self._queue.qsize() > LONGEST_QUEUE and not self._closed.is_set():
            self._closed.wait(0.01)
        self._queue.put(item)


class Writer:
    """Appends predictions to a file of JSON lines, or writes them to standard output.

    Parameters
    ----------
    sink
        Where they go; a file that has grown too long is renamed to ``PATH.1``.
    local
        The broker beside the device, for a topic.
    """

    def __init__(self, sink: Sink, local: Optional[Local]) -> None:
        self._sink, self._local = sink, local
        self._file = None if sink.path is None else _appending(sink.path)

    def write(self, predictions: Iterable[Line]) -> None:
        """Write predictions, each a line, and flush.

        Raises
        ------
        OSError
            If the disk is full; the file ends with a whole line all the same.
        """
        texts = [json.dumps(each, separators=(",", ":")) for each in predictions]
        if not texts:
            return
        if self._local is not None and self._sink.topic is not None:
            for text in texts:
                self._local.publish(self._sink.topic, text.encode())
        content = "\n".join(texts) + "\n"
        if self._file is not None:
            self._append(self._file, content.encode())
            self._turn()
        elif self._sink.topic is None:
            sys.stdout.write(content)
            sys.stdout.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    @staticmethod
    def _append(file: FileIO, content: bytes) -> None:
        end = file.tell()
        written = 0
        try:
            while written < len(content):
                written += file.write(content[written:])
        except OSError:
            file.truncate(end)
            file.seek(end)
            raise

    def _turn(self) -> None:
        path = self._sink.path
        if (
            self._file is not None
            and path is not None
            and self._file.tell() > self._sink.most_bytes
        ):
            self._file.close()
            path.replace(path.with_name(path.name + ".1"))
            self._file = _appending(path)


def _appending(path: Path) -> FileIO:
    """Open a file without a buffer, which would be lost, or written twice, on a full disk."""
    file = FileIO(path, "a")
    file.seek(0, os.SEEK_END)
    return file
