"""The dossier of a version: everything about it that an auditor asks for, gathered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from loopcast.api import (
    AuditEntry,
    Digest,
    Effect,
    Evaluation,
    IntegrityError,
    LogicalModel,
    Manifest,
    NotFoundError,
    PluginError,
    Policy,
    PolicyRow,
    Release,
    RiskClass,
    ScoreSchema,
    SignOff,
    Stage,
    SwitchSetting,
    Validation,
    Version,
)
from loopcast.api.formats import read_json
from loopcast.deploy.bundle import read_file, read_manifest
from loopcast.deploy.comparison import settings_that_differ
from loopcast.deploy.explained import Explained, explain_version
from loopcast.deploy.fairness import FairnessReport, fairness_report
from loopcast.deploy.learned import effects_of
from loopcast.deploy.loaded import load_version
from loopcast.deploy.outcomes import Outcomes, judged_on, trained_on
from loopcast.deploy.releases import label_of
from loopcast.develop.decision import decision_for
from loopcast.develop.documentation import PREPARATION_FILE
from loopcast.store.catalog import AuditFilter

if TYPE_CHECKING:
    from loopcast.deploy.loaded import LoadedVersion
    from loopcast.develop.explain.importance import Importance
    from loopcast.plugins import PluginManager
    from loopcast.store.catalog import Catalog
    from loopcast.store.home import Home


@dataclass(frozen=True, kw_only=True)
class Predecessor:
    """The version that a version followed, and what changed.

    Attributes
    ----------
    settings
        Name, value before, value now, of what is not the same.
    evaluations
        Its own evaluations, to be set beside those on the same data.
    """

    version: Version
    settings: Sequence[tuple[str, str, str]]
    evaluations: tuple[Evaluation, ...]


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a version has predicted, as far as the event log tells.

    Attributes
    ----------
    count
        Recorded predictions.
    first, last
        When the first and the last were made.
    """

    count: int
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Learned:
    """What a version learned.

    Attributes
    ----------
    method
        In words.
    effects, note
        Of a forecast's inputs, or why they cannot be shown.
    explained
        How a score moves with its inputs, and how robust it is.
    losses, losses_note
        How much worse a score is judged without each input, or why that was not measured.
    fairness, fairness_note
        How groups are treated, or why that was not measured.
    """

    method: str = ""
    effects: tuple[Effect, ...] = ()
    note: str = ""
    explained: Explained | None = None
    losses: tuple[Importance, ...] = ()
    losses_note: str = ""
    fairness: FairnessReport | None = None
    fairness_note: str = ""


@dataclass(frozen=True, kw_only=True)
class Dossier:
    """Everything about one version.

    Attributes
    ----------
    kpi
        What its KPI is called.
    policy, risk_class, row
        What was demanded of it, and why.
    history
        Every stage it was in.
    switches
        How its segment was switched over time.
    entries
        Of the audit log that concern it, the oldest first.
    head
        Number and digest that stand for the whole audit log.
    trained, judged
        Outcomes that a score was trained and judged on, where its bundle says so.
    alternative
        What it is labelled as, where it is an alternative beside unconstrained versions.
    learned
        What it learned, as far as it can be asked.
    preparation
        What training rows have passed, in sentences.
    """

    made: datetime
    version: Version
    stage: Stage
    logical_model: LogicalModel
    kpi: str
    manifest: Manifest
    policy: Policy
    risk_class: RiskClass
    row: PolicyRow
    evaluations: tuple[Evaluation, ...]
    baselines: tuple[Evaluation, ...]
    validations: tuple[Validation, ...]
    sign_offs: tuple[SignOff, ...]
    history: tuple[Release, ...]
    switches: tuple[SwitchSetting, ...]
    predecessor: Predecessor | None
    outputs: Outputs
    trained: Outcomes | None
    judged: Outcomes | None
    alternative: str
    learned: Learned
    preparation: tuple[str, ...]
    entries: tuple[AuditEntry, ...]
    head: tuple[int, Digest]


def gather(
    home: Home,
    plugins: PluginManager,
    version: Version,
    policy: Policy,
    *,
    losses: Sequence[Importance] = (),
    losses_note: str = "",
) -> Dossier:
    """Read a version's dossier from the stores.

    Parameters
    ----------
    losses, losses_note
        The importance of a score's inputs, for which its data is read, or why it is not there.

    Raises
    ------
    IntegrityError
        When its manifest is damaged, or the audit log was tampered with.
    ConfigurationError
        When the risk questionnaire of its logical model is not complete.
    """
    catalog = home.catalog
    head = catalog.verify_audit()
    model = catalog.logical_model(version.logical_model)
    manifest = read_manifest(home.artifacts, version.manifest)
    learned = _learned(home, plugins, version)
    return Dossier(
        made=datetime.now(UTC),
        version=version,
        stage=catalog.stage(version.id),
        logical_model=model,
        kpi=plugins.kpi_title(model),
        manifest=manifest,
        policy=policy,
        risk_class=policy.risk_class(model.risk),
        row=policy.row(model),
        evaluations=catalog.evaluations(version.id),
        baselines=catalog.baselines(version.id),
        validations=catalog.validations(version.id),
        sign_offs=catalog.sign_offs(version.id),
        history=catalog.history(model.name, version.segment, version=version.id),
        switches=catalog.switch_history(model.name, version.segment),
        predecessor=_predecessor(home, version, manifest),
        outputs=_outputs(home, version),
        trained=trained_on(home, version) if model.task == "score" else None,
        judged=judged_on(home, version) if model.task == "score" else None,
        alternative=label_of(home, version),
        learned=replace(learned, losses=tuple(losses), losses_note=losses_note),
        preparation=_preparation(home, version),
        entries=catalog.audit_log(AuditFilter(version=version.id))[::-1],
        head=head,
    )


def _learned(home: Home, plugins: PluginManager, version: Version) -> Learned:
    try:
        loaded = load_version(home, plugins, version)
    except PluginError as error:
        return Learned(note=f"The model cannot be asked: {error}.")
    fairness, why = _fairness(home, loaded, plugins)
    method = loaded.template.summary
    if isinstance(loaded.schema, ScoreSchema):
        explained = explain_version(loaded, decision_for(loaded.logical_model))
        return Learned(method=method, explained=explained, fairness=fairness, fairness_note=why)
    effects = tuple(effects_of(loaded))
    note = "" if effects else f"{version.template} does not show what it learned of an input."
    return Learned(method=method, effects=effects, note=note, fairness=fairness, fairness_note=why)


def _fairness(
    home: Home, loaded: LoadedVersion, plugins: PluginManager
) -> tuple[FairnessReport | None, str]:
    try:
        return fairness_report(home, loaded, plugins, decision_for(loaded.logical_model)), ""
    except (IntegrityError, NotFoundError) as error:
        return None, f"Fairness was not measured: {error}."


def _preparation(home: Home, version: Version) -> tuple[str, ...]:
    content = read_file(home.artifacts, version.manifest, PREPARATION_FILE)
    return () if content is None else tuple(read_json(content))


def _predecessor(home: Home, version: Version, manifest: Manifest) -> Predecessor | None:
    before = _champion_before(home.catalog, version)
    if before is None:
        return None
    return Predecessor(
        version=before,
        settings=settings_that_differ(read_manifest(home.artifacts, before.manifest), manifest),
        evaluations=home.catalog.evaluations(before.id),
    )


def _champion_before(catalog: Catalog, version: Version) -> Version | None:
    """Return the champion that a version followed, or that it would follow."""
    reign = [
        entry.version
        for entry in catalog.history(version.logical_model, version.segment)
        if entry.stage == "champion"
    ]
    if version.id in reign:
        reign = reign[: reign.index(version.id)]
    return catalog.version(reign[-1]) if reign else None


def _outputs(home: Home, version: Version) -> Outputs:
    """Count what was recorded of a version's predictions."""
    import pyarrow.compute as pc

    from loopcast.store.event_table import ONE_EVENT, once

    events = home.events.read(version.logical_model, version=version.id, columns=ONE_EVENT)
    times = once(events)["time"]
    if not len(times):
        return Outputs(count=0)
    ends = pc.min_max(times).as_py()
    return Outputs(count=len(times), first=ends["min"], last=ends["max"])
