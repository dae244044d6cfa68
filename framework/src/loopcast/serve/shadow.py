"""Shadows: versions that answer beside the champion, are logged, and are not served."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from loopcast.api import VersionId

AnswersT = TypeVar("AnswersT")

WITHHELD = "withheld"
"""The action of a shadow's event."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Heard(Generic[AnswersT]):
    """What shadows answered.

    Attributes
    ----------
    answers
        Of each shadow that answered.
    silent
        Why each of the others did not.
    """

    answers: dict[VersionId, AnswersT] = field(default_factory=dict)
    silent: dict[VersionId, str] = field(default_factory=dict)


def listen(shadows: Iterable[VersionId], ask: Callable[[VersionId], AnswersT]) -> Heard[AnswersT]:
    """Ask each shadow, and go on without those that fail, however they do.

    Whatever a version does that nobody is served by, it must not keep the champion's answers from
    those who are.
    """
    heard: Heard[AnswersT] = Heard()
    for version in shadows:
        try:
            heard.answers[version] = ask(version)
        except Exception as error:
            heard.silent[version] = f"{type(error).__name__}: {error}"
    return heard
