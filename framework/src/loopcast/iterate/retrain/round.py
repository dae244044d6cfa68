"""A round of retraining: decide for every segment, train what is due, and keep a journal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from loopcast.api import ConfigurationError, Segment
from loopcast.deploy.region import find_region
from loopcast.develop.source import Batch
from loopcast.iterate.batch import Again, Work
from loopcast.iterate.course import course_of
from loopcast.iterate.family import Training, train_works, training_of
from loopcast.iterate.past import Past, past_of
from loopcast.iterate.retrain.champion import Champions
from loopcast.iterate.retrain.decision import Decision, Facts, triggers
from loopcast.iterate.retrain.facts import facts_of
from loopcast.iterate.retrain.journal import Journal, Round
from loopcast.iterate.retrain.recent import recent_inputs
from loopcast.iterate.retrain.report import Retrained, retrained, undone
from loopcast.iterate.retrain.treatment import Treatment, treated_course
from loopcast.iterate.settings_file import SETTINGS_FILE, settings_bytes

if TYPE_CHECKING:
    from loopcast.api import Engine
    from loopcast.develop.course import Course
    from loopcast.iterate.family import SegmentReport
    from loopcast.iterate.releasing import Rules
    from loopcast.settings import RunSettings
    from loopcast.store.home import Home

SAME_NIGHT = timedelta(hours=12)
"""How long a round that was killed when all was trained waits to be told by the same command.

A night may go past midnight, so that the date does not say which one it is.
"""

_Kind = tuple[Any, tuple[str, ...]]
_Way: TypeAlias = "tuple[Course[Any], Again, Mapping[str, bytes]]"


@dataclass(frozen=True, eq=False, kw_only=True)
class Asked:
    """What a round works with.

    Attributes
    ----------
    batches
        All segments of the data.
    moment
        Now, or the moment of a replay.
    """

    settings: RunSettings
    batches: Sequence[Batch]
    home: Home
    rules: Rules
    moment: datetime

    @property
    def name(self) -> str:
        """The logical model's."""
        return self.settings.logical_model.name


@dataclass(frozen=True, eq=False, kw_only=True)
class Outlook:
    """What is decided for every segment, before anything is done.

    Attributes
    ----------
    past
        What it is decided by, and trained by.
    round
        The one that is gone on with; ``None`` for a new one.
    done
        What became of segments that were done before it was interrupted.
    """

    past: Past
    batches: Sequence[Batch]
    decisions: Mapping[Segment, Decision]
    round: Round | None
    done: Mapping[Segment, Retrained]

    @property
    def due(self) -> tuple[Decision, ...]:
        """What is still to be trained."""
        return tuple(
            d for s, d in self.decisions.items() if d.status == "due" and s not in self.done
        )

    def untouched(self) -> Iterator[Retrained]:
        """Yield what is said of segments that are not to be trained, or were before."""
        yield from self.done.values()
        for segment, decision in self.decisions.items():
            if decision.status != "due" and segment not in self.done:
                yield undone(decision)


def look_ahead(asked: Asked) -> Outlook:
    """Decide for every segment that the data or the catalog has.

    A round of another night of which all was tried is forgotten: it was killed before it was told,
    and what is begun now has a day of its own to do.
    """
    settings, model = asked.settings, asked.settings.logical_model
    past = past_of(asked.home.catalog, asked.name)
    facts = facts_of(asked.home, model, settings.retrain, asked.moment, past)
    batches = asked.batches
    named = [segment for batch in batches for segment in batch.segments]
    delay = timedelta(days=model.truth_delay_days)
    decisions = {
        segment: triggers(
            facts.get(segment) or Facts(segment=segment, truth_delay=delay),
            settings.retrain,
            asked.moment,
        )
        for segment in named
    }
    decisions |= {segment: _gone(segment) for segment in sorted(facts.keys() - set(named))}
    outlook = Outlook(past=past, batches=batches, decisions=decisions, round=None, done={})
    return _going_on(asked, outlook, set(named)) if settings.retrain.train else outlook


def _going_on(asked: Asked, outlook: Outlook, named: Collection[Segment]) -> Outlook:
    """Return the outlook of the round that was begun and not finished, if there is one."""
    journal = _journal(asked)
    begun = journal.unfinished(_digest(asked.settings))
    if begun is None:
        return outlook
    still, tried = _still_due(begun, outlook.decisions, named), journal.tried(begun)
    if still.keys() <= tried.keys() and abs(asked.moment - begun.moment) >= SAME_NIGHT:
        journal.finish(begun)
        return outlook
    return replace(
        outlook,
        decisions={**outlook.decisions, **still},
        round=begun,
        done={s: item for s, item in tried.items() if item.result != "failed"},
    )


def _still_due(
    begun: Round, now: Mapping[Segment, Decision], named: Collection[Segment]
) -> dict[Segment, Decision]:
    """Return what a round has decided to train, and is there, and nobody has held since."""
    held = ("frozen", "off")
    return {
        d.segment: d for d in begun.due if d.segment in named and now[d.segment].status not in held
    }


def _gone(segment: str) -> Decision:
    return Decision(segment=segment, status="not due", reason="the data has no rows of it")


def retrain(
    asked: Asked,
    outlook: Outlook,
    progress: Progress | None,
    engine: Engine,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> Iterator[Retrained]:
    """Train what is due, and yield what became of every segment.

    What is killed at any moment is gone on with by the next call with the same settings.

    Parameters
    ----------
    progress
        What :func:`begin` returned, to be finished when all is written.
    advance
        Called with the number of segments of a batch when it is done.
    """
    yield from outlook.untouched()
    if progress is None:
        return
    training = training_for(asked, outlook)
    for reports in train_works(training, chain.from_iterable(progress.works), engine):
        yield from progress.note(reports)
        advance(len(reports))


def training_for(asked: Asked, outlook: Outlook) -> Training:
    """Return by what the segments of a round are trained."""
    return training_of(
        _course(asked, asked.settings),
        asked.home,
        asked.rules,
        outlook.past,
        day=asked.settings.job.origin,
        at=asked.moment,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Progress:
    """A round that is going on, and the journal that is kept of it.

    Attributes
    ----------
    works
        What is to be trained of each batch.
    """

    journal: Journal
    round: Round
    due: Mapping[Segment, Decision]
    works: Sequence[tuple[Work, ...]]

    def note(self, reports: Sequence[SegmentReport]) -> tuple[Retrained, ...]:
        """Keep what became of some segments, and return it; what failed is tried again."""
        items = tuple(retrained(self.due[report.segment], report) for report in reports)
        self.journal.note(self.round, items)
        return items

    def finish(self) -> None:
        """Forget the round, of which all is done, written and published."""
        self.journal.finish(self.round)


def begin(asked: Asked, outlook: Outlook) -> Progress | None:
    """Begin a round, or go on with the one of the outlook; ``None`` where nothing is due.

    Raises
    ------
    ConfigurationError
        Where a remedy was asked for that the task or the configuration does not have; no round is
        begun then.
    """
    works = _works_of(asked, outlook)
    # A description that changed, such as a business KPI to watch, waits for no training.
    asked.home.catalog.put_logical_model(asked.settings.logical_model)
    due = {decision.segment: decision for decision in outlook.due}
    if not due and outlook.round is None:
        return None
    journal = _journal(asked)
    begun = outlook.round or journal.begin(asked.moment, _digest(asked.settings), due.values())
    return Progress(journal=journal, round=begun, due=due, works=works)


def _works_of(asked: Asked, outlook: Outlook) -> tuple[tuple[Work, ...], ...]:
    """Return what is to be trained of each batch, apart by what is done to the data."""
    kinds: dict[_Kind, set[Segment]] = defaultdict(set)
    for decision in outlook.due:
        kinds[decision.remedy, decision.features].add(decision.segment)
    champions = Champions(
        versions=outlook.past.champions, templates=asked.rules.plugins.templates()
    )
    ways = [(members, _way(asked, champions, members, *kind)) for kind, members in kinds.items()]
    return tuple(
        tuple(_work(batch, own, way) for members, way in ways if (own := members & names))
        for batch in outlook.batches
        for names in [set(batch.segments)]
    )


def _work(batch: Batch, members: Collection[Segment], way: _Way) -> Work:
    """Return what is done to some segments of a batch."""
    course, again, extra = way
    return Work(
        course=course,
        batch=batch.without(set(batch.segments) - set(members)),
        extra=extra,
        again=again.among(members),
    )


def _way(
    asked: Asked,
    champions: Champions,
    members: Collection[Segment],
    remedy: Any,
    features: tuple[str, ...],
) -> _Way:
    """Return the course of a remedy, what it does, and the settings that the bundle keeps."""
    settings = asked.settings
    if remedy == "fall_back":
        settings = _with_fallback(settings)
    whole = _course(asked, settings)
    recent = {}
    if remedy == "reweight":
        since = asked.moment - timedelta(days=settings.retrain.recent_days)
        recent = recent_inputs(asked.home, settings.logical_model, since, asked.moment, members)
    again = Again(
        whole=whole,
        treatment=Treatment(
            remedy=remedy,
            features=features,
            recent=recent,
            bound=settings.retrain.weight_bound,
        ),
        champions=champions,
        keep=settings.retrain.keep,
    )
    extra = {SETTINGS_FILE: settings_bytes(settings)}
    return treated_course(whole, remedy, features), again, extra


def _course(asked: Asked, settings: RunSettings) -> Course[Any]:
    plugins = asked.rules.plugins
    return course_of(settings, plugins, find_region(asked.home, plugins, settings.logical_model))


def _with_fallback(settings: RunSettings) -> RunSettings:
    if settings.fallback is None:
        raise ConfigurationError(
            "retrain.remedy fall_back trains the template that fallback names, and none is named; "
            "say it with +fallback={name: TEMPLATE}, or as fallback: {name: TEMPLATE} in a file"
        )
    return msgspec.structs.replace(settings, template=settings.fallback)


def _journal(asked: Asked) -> Journal:
    return Journal(asked.home.folder / "retrain" / asked.name)


def _digest(settings: RunSettings) -> str:
    """Return the digest of what decides the trainings and what is due."""
    kept = settings_bytes(settings) + msgspec.json.encode(settings.retrain)
    return sha256(kept).hexdigest()
