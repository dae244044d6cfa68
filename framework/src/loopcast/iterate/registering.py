"""From what trainings gave to registered versions: bundles first, then one transaction for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from loopcast.api import Manifest, Version
from loopcast.api.formats import json_bytes
from loopcast.deploy.bundle import Bundle, version_of, write_bundles
from loopcast.develop.course import Course
from loopcast.develop.documentation import ALTERNATIVE_FILE, PREPARATION_FILE, document
from loopcast.develop.environment import package_versions
from loopcast.develop.judged import JUDGED_FILE, judged_bytes
from loopcast.develop.score.finished import calibration_of
from loopcast.store.registration import Registration

if TYPE_CHECKING:
    from loopcast.develop.checks.run import Checked
    from loopcast.develop.known import Known
    from loopcast.iterate.tasks import Made
    from loopcast.store.home import Home

CALIBRATED = (
    "Probabilities were then calibrated on rows whose outcome was seen, and have their level; "
    "calibration=none keeps the level that was inferred."
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Ready:
    """A version that is ready to be bundled and registered.

    Attributes
    ----------
    manifest
        Without the files.
    files
        All of the bundle.
    """

    manifest: Manifest
    made: Made
    files: Mapping[str, bytes]


@dataclass(frozen=True, eq=False, kw_only=True)
class Registered:
    """A version that is in the catalog.

    Attributes
    ----------
    new
        Whether it was not there before; training that gives the same bits gives the same version.
    """

    version: Version
    bundle: Bundle
    made: Made
    new: bool


def ready(
    course: Course[Any],
    known: Known[Any],
    made: Made,
    checked: Checked,
    extra: Mapping[str, bytes],
) -> Ready:
    """Put together what a version's bundle holds.

    Parameters
    ----------
    course
        Of the segment.
    checked
        What the checks of the data have measured.
    extra
        Further files: the settings of the run.
    """
    candidate, chosen = course.candidate, course.preparation
    rows = known.training
    preparation: tuple[str, ...] = ()
    if course.region:
        preparation = course.region.statements(rows)
        rows, extra = course.region.outside(rows), {**extra, **course.region.files}
    if chosen:
        preparation += chosen.statements(rows, course.seed, made.files)
    if chosen and course.calibration.method != "none":
        preparation += (CALIBRATED,)
    manifest = Manifest(
        logical_model=course.logical_model.name,
        segment=course.segment,
        template=candidate.template.name,
        plugin=course.origin,
        hyperparameters=msgspec.to_builtins(candidate.hyperparameters),
        recipe=course.recipe(known.dataset),
        seed=course.seed,
        datasets=made.datasets,
        environment=package_versions("loopcast", course.origin.package),
        files={},
    )
    calibration = calibration_of(made.files)
    documentation = document(
        course.logical_model,
        template=candidate.template.name,
        summary=candidate.template.summary,
        hyperparameters=manifest.hyperparameters,
        datasets=made.datasets,
        evaluations=made.evaluations,
        gates=made.gates,
        preparation=preparation,
        calibration=calibration.statement if calibration else "",
    )
    files = {
        **made.files,
        JUDGED_FILE: judged_bytes(made.contest.judged),
        **extra,
        **checked.files,
        "documentation.md": documentation,
    }
    if preparation:
        files[PREPARATION_FILE] = json_bytes(list(preparation))
    if chosen and chosen.alternative:
        files[ALTERNATIVE_FILE] = chosen.alternative.encode()
    return Ready(manifest=manifest, made=made.after(checked), files=files)


def register(
    course: Course[Any], items: Sequence[Ready], home: Home, *, at: datetime | None = None
) -> list[Registered]:
    """Store the bundles of many segments and register their versions, all or none.

    Parameters
    ----------
    at
        The moment of the training; now by default.
    """
    written = write_bundles(home.artifacts, [(item.manifest, item.files) for item in items])
    moment = at or datetime.now(UTC)
    versions = [version_of(manifest, digest, moment) for manifest, digest in written]
    bundles = [
        Bundle(digest, manifest, item.files)
        for (manifest, digest), item in zip(written, items, strict=True)
    ]
    home.catalog.put_logical_model(course.logical_model)
    new = home.catalog.register(
        [
            Registration(
                version=version,
                datasets=item.made.datasets,
                evaluations=item.made.evaluations[:1],
                baselines=item.made.evaluations[1:],
                gates=item.made.gates,
            )
            for version, item in zip(versions, items, strict=True)
        ]
    )
    return [
        Registered(version=version, bundle=bundle, made=item.made, new=version.id in new)
        for version, bundle, item in zip(versions, bundles, items, strict=True)
    ]


def of_segment(course: Course[Any], segment: str) -> Course[Any]:
    """Return the course of one segment of a family."""
    return course if course.segment == segment else replace(course, segment=segment)
