"""The data and the course of a version's training, read again from where its bundle says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loopcast.api import DataError
from loopcast.deploy.region import read_region
from loopcast.develop.source import source_of
from loopcast.iterate.course import course_of
from loopcast.iterate.registering import of_segment
from loopcast.iterate.retrain.treatment import read_retraining, treated_again, treated_course
from loopcast.iterate.tasks import steps_of

if TYPE_CHECKING:
    from loopcast.deploy.bundle import Bundle
    from loopcast.develop.course import Course
    from loopcast.develop.known import Known
    from loopcast.iterate.retrain.treatment import Retraining
    from loopcast.iterate.settings_file import TrainingSettings
    from loopcast.plugins import PluginManager


@dataclass(frozen=True, eq=False, kw_only=True)
class Again:
    """What a version was trained on, and how.

    Attributes
    ----------
    course, known
        As the version was trained: a remedy may have left inputs out, or weighed rows.
    whole_course, whole
        The same without any remedy.
    retraining
        What a remedy did; ``None`` where there was none.
    source
        Where the data comes from, for messages.
    """

    course: Course[Any]
    known: Known[Any]
    whole_course: Course[Any]
    whole: Known[Any]
    retraining: Retraining | None
    source: str


def read_again(
    plugins: PluginManager, bundle: Bundle, settings: TrainingSettings, *, base: Path
) -> Again:
    """Read the training data of a version, which has to be what it was.

    Parameters
    ----------
    base
        Folder that relative paths to data start from.

    Raises
    ------
    DataError
        Where the data is gone, or is not what the version was trained on.
    """
    segment, model = bundle.manifest.segment, settings.logical_model
    source = source_of(settings.data, plugins.reader(settings.data.reader), base)
    table, text = source.segment(segment)
    done = read_retraining(bundle.files)
    know = steps_of(model.task).know
    read = know(table, settings.data, model, text, day=settings.origin, at=None)
    whole = replace(read, since=done.since, tried=done.tried) if done else read
    known = treated_again(whole, bundle.files)
    trained_on = bundle.manifest.datasets[0]
    if known.dataset.fingerprint != trained_on.fingerprint:
        raise DataError(
            f"{text} is not what version {bundle.digest[:16]} was trained on: it has "
            f"{known.dataset.rows:,} rows with the fingerprint {known.dataset.fingerprint[:16]}…, "
            f"and the version {trained_on.rows:,} with {trained_on.fingerprint[:16]}…; restore the "
            "data as it was"
        )
    region = read_region(bundle.files, plugins.template)
    course = of_segment(course_of(settings, plugins, region), segment)
    return Again(
        course=treated_course(course, done.remedy, done.features) if done else course,
        known=known,
        whole_course=course,
        whole=whole,
        retraining=done,
        source=text,
    )
