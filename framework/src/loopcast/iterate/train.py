"""Deciding whether a version has to be trained, and carrying a new one to its release.

A recipe is everything that decides what training gives. Where the catalog holds a version with
the recipe of a run, that version is used; otherwise one is trained, judged, registered and, if
it passes its gates and the champion on the same data, released.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from loopcast.api import Stage, SwitchError, SwitchSetting, Version
from loopcast.deploy.bundle import read_bundle
from loopcast.deploy.lookup import look_up
from loopcast.develop.course import Advance, Course
from loopcast.iterate.checking import check, previous_bundle
from loopcast.iterate.registering import examiner_for, new_version, ready, register
from loopcast.iterate.releasing import Rules, release_by_policy
from loopcast.iterate.tasks import alone, steps_of

if TYPE_CHECKING:
    from loopcast.api import Dataset, Engine
    from loopcast.deploy.bundle import Bundle
    from loopcast.develop.known import Known
    from loopcast.store.home import Home


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedVersion:
    """A registered version, with its bundle.

    Attributes
    ----------
    stage
        Where it stands in its life.
    fresh
        Whether this run trained it.
    repeated
        Whether training gave a version that was registered before, to the last bit.
    reason
        Why a version that was trained now is not champion.
    """

    version: Version
    bundle: Bundle
    stage: Stage
    fresh: bool
    repeated: bool = False
    reason: str = ""


def find_version(course: Course[Any], dataset: Dataset, home: Home) -> TrainedVersion | None:
    """Return the version that was trained by the same recipe, if there is one."""
    recipes = {course.segment: course.recipe(dataset)}
    version = home.catalog.find(course.logical_model.name, recipes).get(course.segment)
    if version is None:
        return None
    return TrainedVersion(
        version=version,
        bundle=read_bundle(home.artifacts, version.manifest),
        stage=home.catalog.stage(version.id),
        fresh=False,
    )


def released_version(course: Course[Any], home: Home) -> TrainedVersion:
    """Return the version that answers for a segment, whatever it was trained on.

    Raises
    ------
    SwitchError
        Where it is switched off.
    NotFoundError
        Where nothing was released.
    """
    serving = look_up(home.catalog, course.logical_model.name, course.segment)
    version = home.catalog.version(serving.version())
    return TrainedVersion(
        version=version,
        bundle=read_bundle(home.artifacts, version.manifest),
        stage=home.catalog.stage(version.id),
        fresh=False,
    )


def held(course: Course[Any], home: Home) -> SwitchSetting | None:
    """Return how a segment is switched, where that forbids to train it."""
    setting = home.catalog.switches(course.logical_model.name, [course.segment]).get(course.segment)
    return setting if setting is not None and setting.switch != "on" else None


def refuse_held(course: Course[Any], home: Home) -> None:
    """Refuse to train what is frozen or off.

    Raises
    ------
    SwitchError
        Saying who switched it, when and why.
    """
    setting = held(course, home)
    if setting is not None:
        state = "frozen" if setting.switch == "freeze" else "switched off"
        raise SwitchError(
            f"{setting.place} is {state} {setting.circumstances}, and nothing is trained; "
            f"'loopcast switch {setting.logical_model} on' allows it again"
        )


def train_version(
    course: Course[Any],
    known: Known[Any],
    home: Home,
    engine: Engine,
    rules: Rules,
    *,
    extra: Mapping[str, bytes] | None = None,
    advance: Advance = lambda _: None,
    at: datetime | None = None,
) -> TrainedVersion:
    """Train, judge, register and, where it has earned it, release a version of one segment.

    Parameters
    ----------
    rules
        By what it is released.
    extra
        Further files of its bundle.
    at
        The moment of the training; now by default.

    Raises
    ------
    LoopcastError
        What stopped the training; nothing was registered then.
    """
    steps = steps_of(course.logical_model.task)
    name, segment = course.logical_model.name, course.segment
    previous = home.catalog.newest(name, [segment]).get(segment)
    before = previous_bundle(previous, None, home.artifacts)
    checked = check(course, known, known.dataset.origin, before)
    contest = alone(steps.contest(course, {segment: known}, engine, advance))
    made = alone(steps.finish(course, {segment: contest}, engine, advance))
    examiner = examiner_for(course, rules, home.catalog.champions(name, [segment]))
    item = new_version(course, ready(course, known, made, checked, extra or {}), examiner, at)
    new = register(course, [item], home)
    released = release_by_policy(course, [item], home, rules, at=at)[item.version.id]
    return TrainedVersion(
        version=item.version,
        bundle=read_bundle(home.artifacts, item.version.manifest),
        stage=released.stage,
        reason=released.reason,
        fresh=True,
        repeated=item.version.id not in new,
    )
