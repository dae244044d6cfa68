"""Serving by look-up: the list of an entity, from what a night has published, in microseconds.

A night publishes one file for all segments (:mod:`loopcast.serve.list_file`), which any number of
processes map into their memory. Each finds the next night's file by itself and goes over to it in
one step: an answer is of one night or of another, never of both, and none fails meanwhile.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Self
from weakref import WeakValueDictionary

import lmdb

from loopcast.api import IntegrityError, NotFoundError, RankSchema, Segment, place_name
from loopcast.deploy.lookup import Serving
from loopcast.serve.published import published, served_folder
from loopcast.serve.suggestion import Suggestion
from loopcast.serve.withdrawn import Withdrawn, withdrawn

if TYPE_CHECKING:
    from loopcast.serve.rules import RuleBook
    from loopcast.store.home import Home

LISTS = "lists.mdb"
"""The file of a published batch."""

NEWCOMER = ""
"""The entity under whose name a segment's list for those is kept who were never seen."""

UNANSWERED = "unanswered"
"""The action of a segment that has no lists; its reason says why."""

FIELD, ITEM, SEPARATOR = b"\x1e", b"\n", b"\x1f"
"""What stands between the fields of an entry, between its items, and in its key."""

MAP_BYTES = 2**38
"""Of address space; the file is as large as what is in it."""

KEY_BYTES = 511
"""The longest key that LMDB takes."""

# A process may map a file once, whatever its names: who looks up beside others shares it, until the
# last one lets go. What is mapped is not deleted, so that no other file has its device and number.
_mapped: WeakValueDictionary[tuple[int, int], lmdb.Environment] = WeakValueDictionary()
_opening = Lock()


@dataclass(frozen=True, eq=False)
class _Night:
    """What is served from: the lists of one night, who is switched off, and what is withdrawn."""

    folder: Path
    lists: lmdb.Environment
    off: Mapping[Segment, Serving]
    withdrawn: Withdrawn


class LookUp:
    """The lists that are published of one ranking; for all threads of a process.

    Each process opens its own, after it was forked. A thread looks for the next night, for
    switches that were set, and for rules. *freeze* keeps the champion, whose lists are served as
    ever; *off* is an error from the next look on, and an item that a rule hides is in no list.

    Parameters
    ----------
    seconds
        Between two looks.
    rules
        Reads the rules over lists as they are now, such as
        :func:`loopcast.serve.rules.current_rules` of a run's settings; see
        :func:`loopcast.serve.withdrawn.withdrawn` for what they do to lists that are made.

    Raises
    ------
    NotFoundError
        When no lists were published.
    DataError
        When the rules cannot be read.
    """

    def __init__(
        self,
        home: Home,
        logical_model: str,
        *,
        seconds: float = 1.0,
        rules: Callable[[], RuleBook] | None = None,
    ) -> None:
        self._home = home
        self._rules = rules
        self._logical_model = logical_model
        self._folder = served_folder(home.folder, logical_model)
        self._model = home.catalog.logical_model(logical_model)
        self._night = self._look(None, self._book())
        self._trouble = ""
        self._closed = Event()
        self._watcher = Thread(target=self._watch, args=(seconds,), daemon=True)
        self._watcher.start()

    @property
    def trouble(self) -> str:
        """Why the last look failed, and what was known before is served; empty if it did not."""
        return self._trouble

    def ask(self, segment: Segment, entity: str) -> Suggestion:
        """Return the list of an entity, or the segment's list for newcomers.

        Raises
        ------
        SwitchError
            When the segment is switched off, with what to do instead.
        NotFoundError
            When the segment has no lists, and why.
        """
        night = self._night
        if segment in night.off:
            night.off[segment].version()
        with night.lists.begin() as reading:
            entry = reading.get(key(segment, entity))
            personal = entry is not None and entity != NEWCOMER
            if entry is None:
                entry = reading.get(key(segment, NEWCOMER))
        if entry is None:
            raise NotFoundError(
                f"{self._place(segment)} is not among the segments of {night.folder}"
            )
        made, version, action, reason, items, scores = entry.split(FIELD, 5)
        if action == UNANSWERED.encode():
            raise NotFoundError(f"{self._place(segment)} has no lists: {reason.decode()}")
        found = Suggestion(
            id=f"{made.decode()}/{segment}/{entity}",
            segment=segment,
            entity=entity,
            personal=personal,
            version=version.decode(),
            action=action.decode(),
            reason=reason.decode(),
            items=tuple(items.decode().split("\n")) if items else (),
            scores=struct.unpack(f"<{len(scores) // 4}f", scores),
        )
        return night.withdrawn.without(found) if night.withdrawn.items else found

    def refresh(self) -> None:
        """Look for a new night, for switches and for rules now.

        Raises
        ------
        DataError
            When the rules cannot be read, and those that were known hold; or when a row is no
            rule, and all others hold.
        LoopcastError
            When a store does not answer; what was known before is served.
        """
        book = self._book()
        self._night = self._look(self._night, book)
        if book is not None and isinstance(self._model.schema, RankSchema):
            book.check(self._model.schema)

    def close(self) -> None:
        """Look for nothing any more."""
        self._closed.set()
        self._watcher.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _watch(self, seconds: float) -> None:
        while not self._closed.wait(seconds):
            try:
                self.refresh()
            except Exception as error:  # of whatever reads the rules: it is told, and looked again
                self._trouble = str(error) or type(error).__name__
            else:
                self._trouble = ""

    def _book(self) -> RuleBook | None:
        return None if self._rules is None else self._rules()

    def _look(self, before: _Night | None, book: RuleBook | None) -> _Night:
        settings = self._home.catalog.switches(self._logical_model)
        off = {
            segment: Serving(
                logical_model=self._logical_model,
                segment=segment,
                setting=setting,
                fallback=self._model.fallback,
            )
            for segment, setting in settings.items()
            if setting.switch == "off"
        }
        gone = Withdrawn() if book is None else withdrawn(book)
        while True:
            folder = published(self._folder).folder
            if before is not None and folder == before.folder:
                return _Night(folder, before.lists, off, gone)
            if (lists := _open(folder)) is not None:
                return _Night(folder, lists, off, gone)

    def _place(self, segment: Segment) -> str:
        return place_name(self._logical_model, segment)


def _open(folder: Path) -> lmdb.Environment | None:
    """Return the lists of a batch; ``None`` where it has gone since it was current."""
    path = folder / LISTS
    try:
        with _opening:
            about = path.stat()
            file = (about.st_dev, about.st_ino)
            found = _mapped.get(file)
            if found is None:
                found = _mapped[file] = _map(path)
            return found
    except (FileNotFoundError, lmdb.Error) as error:
        if not folder.exists():
            return None
        if not path.exists():
            raise NotFoundError(f"{folder} has no {LISTS}; a ranking publishes one") from None
        raise IntegrityError(f"{path} is not a file of lists: {error}") from None


def _map(path: Path) -> lmdb.Environment:
    return lmdb.open(
        str(path), map_size=MAP_BYTES, subdir=False, readonly=True, lock=False, readahead=False
    )


def key(segment: Segment, entity: str) -> bytes:
    """Return the key of an entry; a digest where the names are longer than a key may be."""
    name = SEPARATOR.join((segment.encode(), entity.encode()))
    return name if len(name) <= KEY_BYTES else blake2b(name, digest_size=32).digest()
