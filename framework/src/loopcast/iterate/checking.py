"""Checks of training data against its limits and the previous training set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loopcast.develop.checks.run import Checked, check_data
from loopcast.develop.checks.shift import PROFILE_FILE, Profile, read_profile, tracked
from loopcast.iterate.tasks import steps_of

if TYPE_CHECKING:
    from loopcast.deploy.bundle import StoredBundle
    from loopcast.develop.course import Course
    from loopcast.develop.known import Known


def check(
    course: Course[Any], known: Known[Any], source: str, previous: StoredBundle | None
) -> Checked:
    """Check training data before anything is learned from it.

    Parameters
    ----------
    source
        Where it came from, for messages.
    previous
        Of the newest version, if there is one.

    Raises
    ------
    DataError
        Listing every check that failed; nothing is left behind.
    """
    inputs = steps_of(course.logical_model.task).inputs(known.training)
    before = _profile(previous) if previous is not None and tracked(inputs) else None
    return check_data(inputs, course.checks, source, before)


def _profile(bundle: StoredBundle) -> Profile | None:
    """Return the profile of a version's training data; none for a version from before profiles."""
    content = bundle.file(PROFILE_FILE)
    return None if content is None else read_profile(content)
