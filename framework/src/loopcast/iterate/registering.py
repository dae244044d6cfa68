"""From what trainings gave to registered versions: bundles first, then one transaction for all.

A version is encoded and examined where it was trained, which may be another process. What comes
back from there is what is stored, not the model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from loopcast.api import (
    Dataset,
    GateResult,
    Manifest,
    Segment,
    Template,
    Version,
    VersionId,
)
from loopcast.api.formats import json_bytes
from loopcast.deploy.bundle import EncodedBundle, encode_bundle, version_of, write_bundles
from loopcast.deploy.examination import Examination, examine
from loopcast.deploy.loaded import LoadedVersion
from loopcast.deploy.validation import demanded
from loopcast.develop.course import Course
from loopcast.develop.documentation import ALTERNATIVE_FILE, PREPARATION_FILE, document
from loopcast.develop.environment import package_versions
from loopcast.develop.judged import JUDGED_FILE, judged_bytes
from loopcast.develop.score.finished import calibration_of
from loopcast.iterate.new_version import NewVersion

if TYPE_CHECKING:
    from loopcast.develop.checks.run import Checked
    from loopcast.develop.known import Known
    from loopcast.iterate.releasing import Rules
    from loopcast.iterate.tasks import Made
    from loopcast.store.home import Home
    from loopcast.validate.run import Demand

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
    gates
        Of the contest, and of the checks of its data.
    files
        All of the bundle.
    """

    manifest: Manifest
    made: Made
    gates: tuple[GateResult, ...]
    files: Mapping[str, bytes]


@dataclass(frozen=True, eq=False, kw_only=True)
class Examiner:
    """What examines new versions where they were trained; it may travel to other processes.

    Attributes
    ----------
    demanded
        The gates of the policy.
    templates
        By name: all that are installed, since a stand-in may be of any.
    serving
        The champions, by segment.
    """

    demanded: tuple[Demand, ...]
    templates: Mapping[str, Template[Any, Any]]
    serving: Mapping[Segment, VersionId]

    def among(self, segments: Collection[Segment]) -> Examiner:
        """Return the same for some segments."""
        return replace(self, serving={s: self.serving[s] for s in segments if s in self.serving})

    def examine(
        self, course: Course[Any], made: Made, version: Version, bundle: EncodedBundle
    ) -> Examination | None:
        """Run the gates on a version that passed those of its training, if its model is here."""
        contest = made.contest
        if made.model is None or not all(gate.passed for gate in contest.gates):
            return None
        loaded = LoadedVersion(
            version=version,
            bundle=bundle,
            logical_model=course.logical_model,
            template=self.templates[version.template],
            models={"": made.model},
            contest=contest.judged,
            scenario=made.scenario,
        )
        return examine(
            loaded,
            self.demanded,
            self.serving.get(version.segment),
            metrics=course.metrics,
            find=self.templates.__getitem__,
        )


def examiner_for(
    course: Course[Any], rules: Rules, champions: Mapping[Segment, Version]
) -> Examiner:
    """Return what examines versions of a logical model, beside those who serve now.

    Raises
    ------
    ConfigurationError, PluginError
        Where the policy demands what a gate does not have, or a gate that is not installed.
    """
    plugins = rules.plugins
    return Examiner(
        demanded=demanded(rules.policy.row(course.logical_model), plugins),
        templates=plugins.templates(),
        serving={segment: version.id for segment, version in champions.items()},
    )


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
    preparation, chosen = _preparation(course, known, made), course.preparation
    manifest = _manifest(course, known.dataset, made.datasets)
    files = {
        **made.files,
        JUDGED_FILE: judged_bytes(made.contest.judged),
        **extra,
        **(course.region.files if course.region else {}),
        **checked.files(),
        "documentation.md": _documentation(course, made, manifest, preparation),
    }
    if preparation:
        files[PREPARATION_FILE] = json_bytes(list(preparation))
    if chosen and chosen.alternative:
        files[ALTERNATIVE_FILE] = chosen.alternative.encode()
    return Ready(
        manifest=manifest,
        made=made,
        gates=(*made.contest.gates, *checked.gates),
        files=files,
    )


def _preparation(course: Course[Any], known: Known[Any], made: Made) -> tuple[str, ...]:
    """Say what its rows went through before anything was learned from them."""
    region, chosen, rows = course.region, course.preparation, known.training
    said: tuple[str, ...] = ()
    if region:
        said, rows = region.statements(rows), region.outside(rows)
    if chosen:
        said += chosen.statements(rows, course.seed, made.files)
    if chosen and course.calibration.method != "none":
        said += (CALIBRATED,)
    return said


def _manifest(course: Course[Any], known: Dataset, datasets: tuple[Dataset, ...]) -> Manifest:
    return Manifest(
        logical_model=course.logical_model.name,
        segment=course.segment,
        template=course.candidate.template.name,
        plugin=course.origin,
        hyperparameters=msgspec.to_builtins(course.candidate.hyperparameters),
        recipe=course.recipe(known),
        seed=course.seed,
        datasets=datasets,
        environment=package_versions("loopcast", course.origin.package),
        files={},
    )


def _documentation(
    course: Course[Any], made: Made, manifest: Manifest, preparation: tuple[str, ...]
) -> bytes:
    calibration = calibration_of(made.files)
    return document(
        course.logical_model,
        template=manifest.template,
        summary=course.candidate.template.summary,
        hyperparameters=manifest.hyperparameters,
        datasets=manifest.datasets,
        evaluations=made.contest.evaluations,
        gates=made.contest.gates,
        preparation=preparation,
        calibration=calibration.statement if calibration else "",
    )


def new_version(
    course: Course[Any],
    item: Ready,
    examiner: Examiner,
    at: datetime | None = None,
    *,
    note: str = "",
) -> NewVersion:
    """Encode what a version's bundle holds, and examine it.

    Parameters
    ----------
    at
        The moment of the training; now by default.
    note
        What a remedy did to its data, for the report.
    """
    bundle, made = encode_bundle(item.manifest, item.files), item.made
    version = version_of(bundle.manifest, bundle.digest, at or datetime.now(UTC))
    return NewVersion(
        version=version,
        bundle=bundle,
        datasets=made.datasets,
        evaluations=made.contest.evaluations,
        gates=item.gates,
        verdict=made.contest.verdict,
        note=note,
        examination=examiner.examine(course, made, version, bundle),
    )


def register(course: Course[Any], items: Sequence[NewVersion], home: Home) -> Collection[VersionId]:
    """Store the bundles of many segments and register their versions, all or none.

    Returns
    -------
    collection of VersionId
        Those that were not there before; training that gives the same bits gives the same version.
    """
    from loopcast.store.registration import Registration  # SQL, which no worker needs

    write_bundles(home.artifacts, [item.bundle for item in items])
    home.catalog.put_logical_model(course.logical_model)
    return home.catalog.register(
        [
            Registration(
                version=item.version,
                datasets=item.datasets,
                evaluations=item.evaluations[:1],
                baselines=item.evaluations[1:],
                gates=item.gates,
            )
            for item in items
        ]
    )


def of_segment(course: Course[Any], segment: str) -> Course[Any]:
    """Return the course of one segment of a family."""
    return course if course.segment == segment else replace(course, segment=segment)
