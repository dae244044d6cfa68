"""The champion on new data: judged beside the version that would follow it, on the same rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from loopcast.api import GivingWay, IntegrityError, LoopcastError, PluginError, Version, VersionId
from loopcast.deploy.bundle import StoredBundle, find_bundle
from loopcast.deploy.loaded import load_model, names_of
from loopcast.develop.baselines import better
from loopcast.develop.compare import compare
from loopcast.develop.documentation import ALTERNATIVE_FILE
from loopcast.develop.engine import LocalEngine
from loopcast.develop.judged import champion_label
from loopcast.develop.known import Known
from loopcast.develop.pairing import pair
from loopcast.iterate.tasks import Champion, Contest, steps_of
from loopcast.iterate.verdict import Verdict, chosen, not_judged, verdict_beside

if TYPE_CHECKING:
    from datetime import datetime

    from loopcast.api import Dataset, Task, Template
    from loopcast.develop.course import Course
    from loopcast.plugins import PluginManager
    from loopcast.store.artifacts import Artifacts
    from loopcast.store.home import Home

KnownT = TypeVar("KnownT", bound=Known[Any])


@dataclass(frozen=True, eq=False, kw_only=True)
class Champions:
    """Those who serve, and the templates that load them; they may travel to other processes.

    Attributes
    ----------
    versions
        By segment.
    templates
        By name: all that are installed, since a forecast has a fallback too.
    """

    versions: Mapping[str, Version]
    templates: Mapping[str, Template[Any, Any]]

    def among(self, segments: Collection[str]) -> Champions:
        """Return those of some segments."""
        return replace(self, versions={s: self.versions[s] for s in segments if s in self.versions})

    def bundle(self, segment: str, artifacts: Artifacts) -> StoredBundle | LoopcastError | None:
        """Open the bundle of the one of a segment, if it has one, or say why it cannot be."""
        version = self.versions.get(segment)
        return None if version is None else find_bundle(artifacts, version.manifest)

    def load(
        self, segment: str, bundle: StoredBundle | LoopcastError | None, task: Task
    ) -> Champion | Verdict | None:
        """Load the one of a segment, to be judged and to be followed.

        Parameters
        ----------
        bundle
            As :meth:`bundle` returns it.

        Returns
        -------
        Champion, Verdict or None
            The verdict on a version beside one that cannot be loaded; ``None`` where the segment
            has none.
        """
        if bundle is None:
            return None
        version = self.versions[segment]
        if isinstance(bundle, LoopcastError):
            return not_judged(version.id, bundle)
        try:
            return _load(version, self.templates, bundle, task)
        except LoopcastError as error:
            return not_judged(version.id, error)


def champions_of(home: Home, plugins: PluginManager, ids: Sequence[VersionId]) -> Champions:
    """Return some versions as those who serve."""
    versions = home.catalog.versions_of(ids).values()
    return Champions(
        versions={version.segment: version for version in versions},
        templates=plugins.templates(),
    )


def judged_since(
    champion: StoredBundle | LoopcastError | None, task: Task, dataset: Dataset
) -> datetime | None:
    """Return until when a champion was trained, where it is judged on what came after."""
    if not isinstance(champion, StoredBundle) or task == "forecast":
        return None
    until, end = champion.manifest.datasets[0].end, dataset.end
    if task == "score" and until is not None and end is not None and end <= until:
        return None  # other rows of the same time
    return until


def followed(known: KnownT, course: Course[Any], champion: Champion | Verdict | None) -> KnownT:
    """Let a training begin at the champion's model, where that is of the same template."""
    if not isinstance(champion, Champion) or champion.template != course.candidate.template.name:
        return known
    return replace(known, champion=champion.model)


def beside_champion(
    contest: Contest,
    course: Course[Any],
    known: Known[Any],
    champion: Champion | Verdict | None,
) -> Contest:
    """Judge the champion of a segment on what a training was judged on.

    Parameters
    ----------
    course
        Of the segment, with all inputs.
    known
        The training data with all inputs: the champion may need one that the version lacks.
    champion
        As :meth:`Champions.load` returns it.

    Returns
    -------
    Contest
        With what the champion said among its judged rows and evaluations, and the verdict.
    """
    if champion is None:
        return contest
    if isinstance(champion, Verdict):
        return replace(contest, verdict=champion)
    try:
        return _judged_beside(contest, course, known, champion)
    except LoopcastError as error:
        return replace(contest, verdict=not_judged(champion.name, error))


def _judged_beside(
    contest: Contest, course: Course[Any], known: Known[Any], champion: Champion
) -> Contest:
    own, label = contest.judged, champion_label(champion.name)
    steps, first = steps_of(course.logical_model.task), contest.evaluations[0]
    theirs, evaluation = steps.judge(course, known, champion, contest, LocalEngine())
    rival = pair(theirs, own, (champion.name, "the new one"))  # refuses other rows
    if evaluation.protocol != first.protocol:
        raise IntegrityError(f"it was judged {evaluation.protocol}, not {first.protocol}")
    [outcome] = theirs.outcomes.values()
    alternative = champion.files.get(ALTERNATIVE_FILE, b"").decode()
    evaluation = msgspec.structs.replace(evaluation, contender=label, dataset=first.dataset)
    found = replace(
        contest,
        judged=replace(own, outcomes={**own.outcomes, label: outcome}),
        evaluations=(*contest.evaluations, evaluation),
    )
    if alternative:
        return replace(found, verdict=chosen(champion.name, alternative))
    floor = _clearly_above(found, label, course, champion)
    return replace(found, verdict=verdict_beside(rival, champion.name, course, floor))


def _floor(course: Course[Any], champion: Champion) -> str:
    """Return the label of the baseline that the candidate gives way to; empty without one.

    A champion that answers as that does, from older data, is left by the usual rule.
    """
    name, template = course.candidate.template.name, course.candidate.template
    if not isinstance(template, GivingWay) or champion.template == template.gives_way_to:
        return ""
    if champion.template == name and template.give_way(champion.model) is champion.model:
        return ""
    labels = (c.label for c in course.baselines if c.template.name == template.gives_way_to)
    return next(labels, "")


def _clearly_above(contest: Contest, label: str, course: Course[Any], champion: Champion) -> str:
    """Return the label of a baseline that is better than the champion; empty where it is not."""
    kpi = course.logical_model.kpi
    values = {own.contender: own.value(kpi.metric) for own in contest.evaluations}
    above = [c.label for c in course.baselines if better(values[c.label], values[label], kpi)]
    floor = _floor(course, champion) if above else ""  # to ask takes longer than to compare
    if floor not in above:
        return ""
    [found, *_] = compare(contest.judged, label, floor, [course.deciding], kpi, by=())
    return floor if found.verdict == "better" else ""


def _load(
    version: Version, templates: Mapping[str, Template[Any, Any]], bundle: StoredBundle, task: Task
) -> Champion:
    def template(name: str) -> Template[Any, Any]:
        if name not in templates:
            raise PluginError(f"its template {name} is not installed")
        return templates[name]

    files = bundle.files
    return Champion(
        name=version.id,
        template=version.template,
        files=files,
        model=load_model(task, files, template(version.template), template),
        names=names_of(task, files),
    )
