"""Records of governance: the policy, what it demands, and what people did about it."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Literal, get_args

import msgspec

from loopcast.api.errors import ConfigurationError
from loopcast.api.formats import json_bytes
from loopcast.api.models import GateResult, LogicalModel, Switch
from loopcast.api.record import Digest, Name, Positive, Record, Segment, VersionId, place_name
from loopcast.api.risk import (
    Audience,
    Impact,
    Lifetime,
    PersonalData,
    Reversibility,
    RiskAnswers,
    RiskClass,
)

Goal = Literal["staging", "challenger", "canary", "champion"]
"""A stage that a version can be released to."""

Document = Literal["purpose", "assumptions", "limits", "fallback"]
"""A part of a logical model's record that the policy can demand to be filled in."""

Act = Literal[
    "upgrade",
    "describe",
    "policy",
    "register",
    "validate",
    "sign",
    "release",
    "rollback",
    "switch",
    "export",
    "declare",
    "begin",
    "stop",
    "conclude",
    "invite",
    "enrol",
    "renew",
    "label",
    "revoke",
    "package",
    "plan",
    "roll",
]
"""What the audit log records."""

_CLASSES: tuple[RiskClass, ...] = get_args(RiskClass)


class Monitoring(Record, frozen=True):
    """One thing to watch while a version serves.

    Attributes
    ----------
    measure
        Name of the measure: ``psi``, ``mape``.
    threshold
        From where on someone is told.
    every_days
        How often it is measured.
    tell
        The role that is told.
    """

    measure: Name
    threshold: float
    tell: Name
    every_days: Positive = 1


class PolicyRow(Record, frozen=True):
    """What the policy demands of a logical model of one risk class.

    Attributes
    ----------
    gates
        Gates that a version has to pass before it leaves the candidates, with their options.
    sign_offs
        Roles that have to sign before a version enters a stage.
    four_eyes
        Whether those who sign a move must be different people, none of whom releases.
    documentation
        Parts of the logical model's record that must be filled in.
    monitoring
        What is watched while a version serves, by name.
    release
        ``automatic``: training releases a version that has earned it; ``proposal``: a version
        stays in staging until a person releases it.
    """

    gates: dict[Name, dict[str, object]] = {}
    sign_offs: dict[Goal, tuple[Name, ...]] = {}
    four_eyes: bool = False
    documentation: tuple[Document, ...] = ()
    monitoring: dict[Name, Monitoring] = {}
    release: Literal["automatic", "proposal"] = "proposal"

    @property
    def digest(self) -> Digest:
        """Digest of the gates and their options: a validation holds while it stays the same."""
        return sha256(json_bytes(self.gates)).hexdigest()


class Questionnaire(Record, frozen=True):
    """The risk class that each answer leads to by itself."""

    audience: dict[Audience, RiskClass]
    impact: dict[Impact, RiskClass]
    lifetime: dict[Lifetime, RiskClass]
    reversibility: dict[Reversibility, RiskClass]
    personal_data: dict[PersonalData, RiskClass]

    def check(self) -> None:
        """Each possible answer leads to a class."""
        kinds = (Audience, Impact, Lifetime, Reversibility, PersonalData)
        for question, kind in zip(self.__struct_fields__, kinds, strict=True):
            open_ = sorted(set(get_args(kind)) - getattr(self, question).keys())
            self.require(not open_, f"{question} says no class for {', '.join(open_)}")


class Policy(Record, frozen=True):
    """The policy matrix: from answers to a risk class, from the class to what it demands.

    Attributes
    ----------
    questions
        The class that each answer leads to; the highest of them counts.
    classes
        The row of each class.
    """

    name: Name
    questions: Questionnaire
    classes: dict[RiskClass, PolicyRow]

    def check(self) -> None:
        """Each class has its row."""
        absent = [name for name in _CLASSES if name not in self.classes]
        self.require(not absent, f"classes has no row for {', '.join(absent)}")

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles that sign for some move in some class, in alphabetical order."""
        named = (roles for row in self.classes.values() for roles in row.sign_offs.values())
        return tuple(sorted({role for roles in named for role in roles}))

    def require_role(self, role: str) -> None:
        """Check that the policy knows a role.

        Raises
        ------
        ConfigurationError
            Naming those that it knows.
        """
        if role not in self.roles:
            known = ", ".join(self.roles) or "none"
            raise ConfigurationError(
                f"the policy {self.name} knows no role {role!r} that signs; it knows {known}"
            )

    def risk_class(self, answers: RiskAnswers) -> RiskClass:
        """Return the highest class that an answer leads to.

        Raises
        ------
        ConfigurationError
            Naming the questions without an answer.
        """
        if answers.missing:
            raise ConfigurationError(
                f"no answer to {', '.join(answers.missing)}: the risk class follows from all five"
            )
        questions = self.questions.__struct_fields__
        found = [getattr(self.questions, name)[getattr(answers, name)] for name in questions]
        return max(found, key=_CLASSES.index)

    def row(self, model: LogicalModel) -> PolicyRow:
        """Return what is demanded of a logical model.

        Raises
        ------
        ConfigurationError
            When its questionnaire is not complete.
        """
        try:
            return self.classes[self.risk_class(model.risk)]
        except ConfigurationError as error:
            raise ConfigurationError(f"logical_model.risk of {model.name}: {error}") from None


class Validation(Record, frozen=True):
    """What the gates of a policy measured of a version.

    Attributes
    ----------
    policy
        :attr:`PolicyRow.digest` of the gates that were run.
    results
        Of each test of each gate.
    """

    version: VersionId
    at: datetime
    by: str
    policy: Digest
    results: tuple[GateResult, ...]

    def check(self) -> None:
        """A time without a zone could mean two different moments; someone answers for it."""
        _require_moment(self, "at", self.at)
        _require_said(self, "by")

    @property
    def failed(self) -> tuple[GateResult, ...]:
        """The tests that did not pass."""
        return tuple(result for result in self.results if not result.passed)

    @property
    def passed(self) -> bool:
        """Whether every test passed."""
        return not self.failed


class SignOff(Record, frozen=True):
    """A named person signs, in a role, that a version may enter a stage.

    Attributes
    ----------
    move
        The stage that it may enter.
    statement
        What the person vouches for.
    """

    version: VersionId
    move: Goal
    role: Name
    by: str
    at: datetime
    statement: str

    def check(self) -> None:
        """Who signs says what for, at one moment."""
        _require_moment(self, "at", self.at)
        _require_said(self, "by")
        _require_said(self, "statement")


class SwitchSetting(Record, frozen=True):
    """How the switch of a logical model and segment stood from one moment to another."""

    logical_model: Name
    segment: Segment
    switch: Switch
    by: str
    reason: str
    since: datetime
    until: datetime | None = None

    def check(self) -> None:
        """Someone answers for it."""
        _require_said(self, "by")

    @property
    def place(self) -> str:
        """Logical model and segment, for messages."""
        return place_name(self.logical_model, self.segment)

    @property
    def circumstances(self) -> str:
        """Since when, by whom and why, for messages."""
        return f"since {self.since:%Y-%m-%d %H:%M}Z by {self.by} ({self.reason})"


class AuditEntry(Record, frozen=True):
    """One act, chained to the one before.

    Attributes
    ----------
    subject
        The logical models that it concerned, separated by commas.
    details
        What was done; ``content`` is the digest of the rows that it wrote, ``written`` the moment
        by the clock where ``at`` is another one.
    previous
        The digest of the entry before; zeros for the first.
    digest
        SHA-256 over the canonical JSON of all other fields.
    """

    number: Positive
    at: datetime
    by: str
    act: Act
    subject: str
    details: Annotated[dict[str, object], msgspec.Meta(description="plain data")]
    previous: Digest
    digest: Digest

    @property
    def expected(self) -> Digest:
        """The digest that the other fields give."""
        fields = msgspec.to_builtins(self)
        del fields["digest"]
        return sha256(json_bytes(fields)).hexdigest()


def _require_moment(record: Record, name: str, moment: datetime) -> None:
    record.require(moment.tzinfo is not None, f"{name} {moment} has no time zone")


def _require_said(record: Record, name: str) -> None:
    record.require(bool(getattr(record, name).strip()), f"{name} is empty; say it")
