"""Records of the life cycle: logical model, dataset, version, evaluation, gate, release."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from loopcast.api.applicability import Applicability
from loopcast.api.budget import DeviceBudget
from loopcast.api.decision import DecisionSettings
from loopcast.api.events import LogSettings, ReasonSettings
from loopcast.api.record import (
    Digest,
    Name,
    NonNegative,
    Positive,
    Record,
    Segment,
    TemplateName,
    VersionId,
)
from loopcast.api.risk import RiskAnswers
from loopcast.api.schema import ForecastSchema, RankSchema, ScoreSchema, Task

Direction = Literal["lower", "higher"]
Stage = Literal["candidate", "staging", "challenger", "canary", "champion", "retired"]
Switch = Literal["on", "freeze", "off"]


class Kpi(Record, frozen=True):
    """The metric by which the owner of a logical model judges it.

    Attributes
    ----------
    metric
        Name of a metric that a plugin or the core offers.
    direction
        Whether a lower or a higher value is better.
    minimum_effect
        The smallest difference that matters, in the metric's unit.
    """

    metric: Name
    direction: Direction = "lower"
    minimum_effect: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0

    def better(self, value: float, than: float) -> bool:
        """Tell whether ``value`` is better than ``than`` by more than the minimum effect."""
        gain = than - value if self.direction == "lower" else value - than
        return gain > self.minimum_effect


class BusinessKpi(Record, frozen=True):
    """What the business looks at, computed for each day from events and their outcomes.

    Attributes
    ----------
    of
        ``output.NAME`` or ``input.NAME``, ``outcome``, or ``action``. The mean and sum of a score's
        outcome are those of whether the event happened.
    statistic
        ``mean`` or ``sum`` of a number, or the ``share`` of events for which it is as said below.
    above, equal
        Of a share: events whose value is above a number, or equal to a number or text.
    direction
        Whether a lower or a higher value is better.
    registered
        What was agreed on: the last days are compared with it. Where it is left out, they are
        compared with the first days after the release.
    """

    of: Annotated[str, msgspec.Meta(pattern=r"^((output|input)\..+|outcome|action)$")]
    statistic: Literal["mean", "sum", "share"] = "mean"
    above: float | None = None
    equal: float | str | None = None
    direction: Direction = "higher"
    registered: float | None = None

    def check(self) -> None:
        """A share says of what, and nothing else does."""
        said = (self.above is not None) + (self.equal is not None)
        self.require(
            said == (self.statistic == "share"),
            f"a {self.statistic} with {said} of above and equal; a share has one, others none",
        )
        text = isinstance(self.equal, str)
        self.require(
            text or self.of != "action", "an action is a text: the share of those equal to one"
        )


class LogicalModel(Record, frozen=True):
    """A business problem that models solve over time.

    Attributes
    ----------
    name, title, purpose, owner
        What it is called, and who answers for it.
    kpi
        The metric that decides between versions.
    risk
        Answers from which the policy derives the risk class, and with it the gates and
        sign-offs that a move of a version needs.
    schema
        Inputs and outputs; its type says the task: forecast, score or rank.
    assumptions, limits
        What has to hold for its outputs to be right, and what they are not for.
    fallback
        What callers do while it is switched off: ``use naive_week``, ``ask a person``.
    log
        What of its predictions is logged, and which are to be labelled.
    reasons
        Which reasons are given with a score.
    truth_delay_days
        How many days after a prediction its outcome can be known; before that, nothing tells
        whether a version is good.
    decision
        How a score is decided by.
    follows
        The logical model that decides before it: of cases that it refuses, this one is not asked.
    watch
        Business KPIs that are watched while it serves, by name.
    applicability
        What is done with a request that is unlike what the version was trained on.
    device
        What its files may take on a device.
    """

    name: Name
    title: str
    owner: str
    kpi: Kpi
    schema: ForecastSchema | ScoreSchema | RankSchema
    purpose: str = ""
    risk: RiskAnswers = RiskAnswers()
    assumptions: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    fallback: str = ""
    log: LogSettings = LogSettings()
    reasons: ReasonSettings = ReasonSettings()
    truth_delay_days: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0
    decision: DecisionSettings = DecisionSettings()
    follows: Name | None = None
    watch: dict[Name, BusinessKpi] = {}
    applicability: Applicability = Applicability()
    device: DeviceBudget = DeviceBudget()

    def check(self) -> None:
        """Only scores have reasons and decide."""
        self.require(
            self.task == "score" or not self.reasons.most,
            f"reasons are given with scores, and the task is {self.task}; leave reasons out",
        )
        self.require(
            self.task == "score" or self.decision == DecisionSettings(),
            f"a decision is taken by scores, and the task is {self.task}; leave decision out",
        )
        by = self.decision.sets.by if self.decision.sets is not None else None
        if by is not None and isinstance(self.schema, ScoreSchema):
            usable = self.schema.groupings
            self.require(
                by in usable,
                f"decision.sets.by {by!r} is no category that the score uses; it may be one of: "
                f"{', '.join(usable) or 'none'}",
            )

    @property
    def task(self) -> Task:
        """The kind of problem, as the schema tells it."""
        return self.schema.task


class Dataset(Record, frozen=True):
    """Named data with a schema and a content fingerprint.

    Attributes
    ----------
    fingerprint
        SHA-256 over the canonical content, so that the same data in another file format has
        the same fingerprint.
    origin
        Where it came from, for people: a path, a table, a package.
    rows
        Number of observations.
    start, end
        First and last time stamp, where the data has a time axis.
    imputed
        Number of values that were filled in on the way, by configuration.
    """

    name: Name
    fingerprint: Digest
    origin: str
    rows: NonNegative
    start: datetime | None = None
    end: datetime | None = None
    imputed: NonNegative = 0


class Metric(Record, frozen=True):
    """One measured value.

    Attributes
    ----------
    name
        The metric.
    value
        Its value; ``None`` where it is undefined (a percentage error where actuals are zero).
    subset
        The subpopulation it was measured on, as ``attribute=value``; empty for all.
    count
        Number of observations behind it.
    """

    name: Name
    value: float | None
    subset: str = ""
    count: NonNegative = 0

    def check(self) -> None:
        """An undefined value is ``None``; NaN would compare with nothing."""
        known = self.value is None or math.isfinite(self.value)
        self.require(known, f"{self.name} is {self.value}; an undefined value is None")


class Evaluation(Record, frozen=True):
    """Metrics of one contender on one dataset.

    Attributes
    ----------
    contender
        The template's label in the comparison, for example ``gam_arima`` or ``naive_week``.
    dataset
        Fingerprint of the data it was judged on; only equal fingerprints are compared.
    protocol
        How it was judged, for example ``rolling origin, 28 origins, horizon 1D``; part of
        what must be equal for a comparison.
    metrics
        Overall and by subpopulation.
    """

    contender: str
    dataset: Digest
    protocol: str
    metrics: tuple[Metric, ...]

    def value(self, metric: str, subset: str = "") -> float | None:
        """Return one metric's value, or ``None`` where it was not measured."""
        for found in self.metrics:
            if found.name == metric and found.subset == subset:
                return found.value
        return None


class GateResult(Record, frozen=True):
    """What one named check expected and what it measured.

    Attributes
    ----------
    test
        Which of a gate's tests it was, where the gate has several.
    """

    gate: Name
    passed: bool
    expectation: str
    measured: str
    test: str = ""


class PluginOrigin(Record, frozen=True):
    """The package that provides a template."""

    plugin: str
    package: str
    package_version: str


class BundleFile(Record, frozen=True):
    """One file of a bundle, addressed by its content."""

    sha256: Digest
    size: NonNegative


class Manifest(Record, frozen=True):
    """The table of contents of a bundle; a version's identity is its digest.

    Nothing in it depends on the clock or on the machine's name, so that training again with
    the same data, configuration, seed and environment gives the same version.
    """

    logical_model: Name
    segment: Segment
    template: TemplateName
    plugin: PluginOrigin
    hyperparameters: dict[str, object]
    recipe: Digest
    seed: NonNegative
    datasets: tuple[Dataset, ...]
    environment: dict[str, str]
    files: dict[str, BundleFile]
    bundle_format: Positive = 1


class Version(Record, frozen=True):
    """A template trained on a dataset; immutable.

    Attributes
    ----------
    id
        First 16 hexadecimal digits of the manifest's digest.
    recipe
        Digest of everything that decides what training gives (template, hyperparameters,
        data, evaluation plan, seed, plugin version), but for a champion that it was judged
        beside, which its bundle names: a run that finds its recipe in the catalog does not
        train.
    manifest
        Digest of the manifest, which is stored as an artifact.
    """

    id: VersionId
    logical_model: Name
    segment: Segment
    template: TemplateName
    recipe: Digest
    manifest: Digest
    dataset: Digest
    created: datetime

    def check(self) -> None:
        """The id is derived from the manifest."""
        self.require(
            self.manifest.startswith(self.id),
            f"id {self.id} is not the beginning of the manifest's digest {self.manifest}",
        )


class Release(Record, frozen=True):
    """One entry of the history of a logical model and segment: a version entered a stage.

    Attributes
    ----------
    share
        The share of entities that a canary serves.
    rollback
        Whether the entry was made by a rollback: the champion that came back, and the one
        that went.
    """

    logical_model: Name
    segment: Segment
    version: VersionId
    stage: Stage
    since: datetime
    by: str
    reason: str
    until: datetime | None = None
    share: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] | None = None
    rollback: bool = False

    def check(self) -> None:
        """An interval does not end before it begins, and only a canary has a share."""
        self.require(
            self.until is None or self.until >= self.since,
            f"until ({self.until}) is before since ({self.since})",
        )
        self.require(
            self.share is None or self.stage == "canary",
            f"share {self.share} of the stage {self.stage}; only a canary has one",
        )
