"""Checks of training data against its limits and the previous training set."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from loopcast.api import GateResult, IntegrityError, LoopcastError
from loopcast.deploy.bundle import StoredBundle, find_bundle
from loopcast.develop.checks.run import Checked, check_data
from loopcast.develop.checks.shift import PROFILE_FILE, Profile, read_profile, tracked
from loopcast.iterate.tasks import steps_of

if TYPE_CHECKING:
    from loopcast.api import Version
    from loopcast.develop.course import Course
    from loopcast.develop.known import Known
    from loopcast.store.artifacts import Artifacts


def check(
    course: Course[Any],
    known: Known[Any],
    source: str,
    previous: StoredBundle | LoopcastError | None,
) -> Checked:
    """Check training data before anything is learned from it.

    Parameters
    ----------
    source
        Where it came from, for messages.
    previous
        Of the newest version, if there is one, or why it cannot be read: a gate says then that
        the data was compared with no other.

    Raises
    ------
    DataError
        Listing every check that failed; nothing is left behind.
    """
    inputs = steps_of(course.logical_model.task).inputs(known.training)
    before = _profile(previous) if tracked(inputs) else None
    if isinstance(before, LoopcastError):
        checked = check_data(inputs, course.checks, source, None)
        return replace(checked, gates=(_not_compared(before),))
    return check_data(inputs, course.checks, source, before)


def previous_bundle(
    newest: Version | None, champion: StoredBundle | LoopcastError | None, artifacts: Artifacts
) -> StoredBundle | LoopcastError | None:
    """Open the bundle of the newest version, which often is the champion."""
    if newest is None:
        return None
    if isinstance(champion, StoredBundle) and champion.digest == newest.manifest:
        return champion
    return find_bundle(artifacts, newest.manifest)


def is_whole(previous: StoredBundle | LoopcastError | None) -> bool:
    """Tell whether the bundle of the newest version can be read to its last file."""
    try:
        return isinstance(previous, StoredBundle) and previous.whole() is not None
    except IntegrityError:
        return False


def _profile(previous: StoredBundle | LoopcastError | None) -> Profile | LoopcastError | None:
    """Return the profile of a version's training data; none for a version from before profiles."""
    if not isinstance(previous, StoredBundle):
        return previous
    try:
        content = previous.file(PROFILE_FILE)
    except IntegrityError as error:
        return error
    return None if content is None else read_profile(content)


def _not_compared(why: LoopcastError) -> GateResult:
    return GateResult(
        gate="data_shift",
        passed=True,
        expectation="inputs like those of the previous training, where its version can be read",
        measured=f"not compared: {why}",
    )
