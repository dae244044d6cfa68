"""A round of retraining: decide for every segment, train what is due, and keep a journal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from loopcast.api import ConfigurationError, Segment
from loopcast.deploy.region import find_region
from loopcast.develop.source import Batch, Source
from loopcast.iterate.batch import Again, Work
from loopcast.iterate.course import course_of
from loopcast.iterate.family import train_works
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
    from loopcast.iterate.releasing import Rules
    from loopcast.settings import RunSettings
    from loopcast.store.home import Home

_Kind = tuple[Any, tuple[str, ...]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Asked:
    """What a round works with.

    Attributes
    ----------
    moment
        Now, or the moment of a replay.
    """

    settings: RunSettings
    source: Source
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
    going_on
        When the round was begun that is gone on with; ``None`` for a new one.
    done
        What became of segments that were done before it was interrupted.
    """

    batches: Sequence[Batch]
    decisions: Mapping[Segment, Decision]
    round: Round | None
    going_on: datetime | None
    done: Mapping[Segment, Retrained]

    @property
    def due(self) -> tuple[Decision, ...]:
        """What is still to be trained."""
        return tuple(
            d for s, d in self.decisions.items() if d.status == "due" and s not in self.done
        )


def look_ahead(asked: Asked) -> Outlook:
    """Decide for every segment that the data or the catalog has."""
    settings, model = asked.settings, asked.settings.logical_model
    facts = facts_of(asked.home, model, settings.retrain, asked.moment)
    batches = list(asked.source.batches())
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
    begun = _journal(asked).unfinished(_digest(settings)) if settings.retrain.train else None
    if begun is None:
        return Outlook(batches=batches, decisions=decisions, round=None, going_on=None, done={})
    return Outlook(
        batches=batches,
        decisions=decisions | {d.segment: d for d in begun.due if d.segment in decisions},
        round=begun,
        going_on=begun.moment,
        done=_journal(asked).done(begun),
    )


def _gone(segment: str) -> Decision:
    return Decision(segment=segment, status="not due", reason="the data has no rows of it")


def retrain(
    asked: Asked,
    outlook: Outlook,
    engine: Engine,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> Iterator[Retrained]:
    """Train what is due, and yield what became of every segment.

    What is killed at any moment is gone on with by the next call with the same settings.

    Raises
    ------
    ConfigurationError
        Where a remedy was asked for that the task or the configuration does not have.
    """
    due = {decision.segment: decision for decision in outlook.due}
    yield from outlook.done.values()
    for segment, decision in outlook.decisions.items():
        if segment not in due and segment not in outlook.done:
            yield undone(decision)
    works = list(_works(asked, outlook.batches, due))
    # A description that changed, such as a business KPI to watch, waits for no training.
    asked.home.catalog.put_logical_model(asked.settings.logical_model)
    if not due:
        return
    journal = _journal(asked)
    begun = outlook.round or journal.begin(asked.moment, _digest(asked.settings), due.values())
    batch: list[Retrained] = []

    def note(count: int) -> None:
        journal.note(begun, [item for item in batch if item.result != "failed"])
        batch.clear()
        advance(count)

    reports = train_works(
        _course(asked, asked.settings),
        works,
        asked.home,
        engine,
        asked.rules,
        day=asked.settings.job.origin,
        at=asked.moment,
        advance=note,
    )
    for report in reports:
        batch.append(retrained(due[report.segment], report))
        yield batch[-1]
    journal.finish(begun)


def _works(
    asked: Asked, batches: Sequence[Batch], due: Mapping[Segment, Decision]
) -> Iterator[Work]:
    """Yield the segments of each batch that are due, apart by what is done to them."""
    ways: dict[_Kind, tuple[Course[Any], Again, dict[str, bytes]]] = {}
    for batch in batches:
        kinds: dict[_Kind, set[Segment]] = defaultdict(set)
        for segment in batch.segments:
            if segment in due:
                kinds[due[segment].remedy, due[segment].features].add(segment)
        for kind, members in kinds.items():
            if kind not in ways:
                ways[kind] = _way(asked, due, *kind)
            course, again, extra = ways[kind]
            others = set(batch.segments) - members
            own = again.among(members)
            yield Work(course=course, batch=batch.without(others), extra=extra, again=own)


def _way(
    asked: Asked, due: Mapping[Segment, Decision], remedy: Any, features: tuple[str, ...]
) -> tuple[Course[Any], Again, dict[str, bytes]]:
    """Return the course of a remedy, what it does, and the settings that the bundle keeps."""
    settings, plugins = asked.settings, asked.rules.plugins
    if remedy == "fall_back":
        settings = _with_fallback(settings)
    whole = _course(asked, settings)
    members = [s for s, decision in due.items() if decision.remedy == remedy]
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
        champions=Champions(
            versions=asked.home.catalog.champions(asked.name),
            templates=plugins.templates(),
        ),
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
