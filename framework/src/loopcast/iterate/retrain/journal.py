"""The journal of a round of retraining: what was decided, and what is done of it.

A round that was killed is gone on with: its decisions hold, and segments that are done stay done.
It is open until all is told of it, so that what is killed before can be told by the next call.
Any number of processes may work on one round; what two of them train comes out the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from shutil import rmtree

import msgspec

from loopcast.api import Digest, IntegrityError, Record, Segment
from loopcast.iterate.retrain.decision import Decision
from loopcast.iterate.retrain.report import Retrained
from loopcast.store.files import create_atomically, write_atomically

_ROUND = "round.json"


class Round(Record, frozen=True):
    """What was decided, once for all who work on it.

    Attributes
    ----------
    settings
        Digest of all that decides the trainings; a round of other settings is not gone on with.
    due
        What is to be trained.
    """

    id: str
    moment: datetime
    settings: Digest
    due: tuple[Decision, ...]


class Journal:
    """The rounds of one logical model.

    Parameters
    ----------
    folder
        Of the logical model.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def unfinished(self, settings: Digest) -> Round | None:
        """Return the round that was begun with these settings and not finished.

        Raises
        ------
        IntegrityError
            Where the file of the round is none.
        """
        path = self._folder / _ROUND
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Round)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, ValueError) as error:
            raise IntegrityError(f"{path} is no round: {error}; remove the file") from None
        return found if found.settings == settings else None

    def begin(self, moment: datetime, settings: Digest, due: Iterable[Decision]) -> Round:
        """Begin a round, or join the one that another process has just begun."""
        begun = Round(id=secrets.token_hex(8), moment=moment, settings=settings, due=tuple(due))
        path = self._folder / _ROUND
        content = msgspec.json.encode(begun)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and self.unfinished(settings) is None:
            write_atomically(path, content)  # that of other settings is given up
            return begun
        create_atomically(path, content)
        return self.unfinished(settings) or begun

    def note(self, round_: Round, tried: Sequence[Retrained]) -> None:
        """Keep what became of some segments, whole or not at all.

        Nothing is kept of a round that another process has finished, and removed, meanwhile.
        """
        content = msgspec.json.encode(tried)
        name = f"{sha256(content).hexdigest()[:16]}.json"
        try:
            write_atomically(self._folder / round_.id / name, content)
        except FileNotFoundError:
            if self._is_open(round_):
                raise

    def tried(self, round_: Round) -> Mapping[Segment, Retrained]:
        """Return what became of the segments that were tried; at last, where one failed before."""
        found: dict[Segment, Retrained] = {}
        for file in sorted((self._folder / round_.id).glob("*.json")):
            with suppress(FileNotFoundError):  # another process has just finished the round
                part = msgspec.json.decode(file.read_bytes(), type=list[Retrained])
                found |= {i.segment: i for i in part if _counts(i, found.get(i.segment))}
        return found

    def finish(self, round_: Round) -> None:
        """Forget a round that is told."""
        if self._is_open(round_):
            (self._folder / _ROUND).unlink(missing_ok=True)
        rmtree(self._folder / round_.id, ignore_errors=True)

    def _is_open(self, round_: Round) -> bool:
        begun = self.unfinished(round_.settings)
        return begun is not None and begun.id == round_.id


def _counts(item: Retrained, other: Retrained | None) -> bool:
    """Say whether of two attempts at a segment, in whatever order, this is the one to tell."""
    return other is None or item.result != "failed"
