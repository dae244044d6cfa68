"""What a dossier says in sentences and facts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from loopcast.api import place_name
from loopcast.web import formats
from loopcast.web.page import Finding, KeyFigure

if TYPE_CHECKING:
    from loopcast.api import AuditEntry, DecisionSettings
    from loopcast.deploy.dossier import Dossier

Facts = list[tuple[str, str]]


def moment(time: datetime | None) -> str:
    """Return a moment to the minute, in UTC."""
    return f"{time:%Y-%m-%d %H:%M}{formats.NBSP}UTC" if time else ""


def title(dossier: Dossier) -> str:
    """Return the heading."""
    return f"Dossier: {dossier.logical_model.title}"


def place(dossier: Dossier) -> str:
    """Name the logical model and segment."""
    return place_name(dossier.logical_model.name, dossier.version.segment)


def lead(dossier: Dossier) -> str:
    """Return what the page is about in one sentence."""
    version = dossier.version
    return (
        f"Version {version.id} of {place(dossier)}, made {moment(version.created)} with "
        f"{version.template}; its stage is {dossier.stage}."
    )


def key_figures(dossier: Dossier) -> list[KeyFigure]:
    """Return risk, validation, sign-offs and use at one glance."""
    newest = dossier.validations[-1] if dossier.validations else None
    passed = f"{sum(r.passed for r in newest.results)} of {len(newest.results)}" if newest else "–"
    kpi = dossier.logical_model.kpi.metric
    value = dossier.evaluations[0].value(kpi) if dossier.evaluations else None
    return [
        KeyFigure(label="Risk class", value=dossier.risk_class, detail=_release(dossier)),
        KeyFigure(label=dossier.kpi, value=formats.number(value), detail=_against(dossier)),
        KeyFigure(
            label="Tests of gates passed",
            value=passed,
            detail=moment(newest.at) if newest else "never validated",
        ),
        KeyFigure(
            label="Recorded predictions",
            value=f"{dossier.outputs.count:,}",
            detail=f"the last {moment(dossier.outputs.last)}" if dossier.outputs.last else "",
        ),
    ]


def _release(dossier: Dossier) -> str:
    automatic = dossier.row.release == "automatic"
    return "released by the run that trains it" if automatic else "released by a person"


def _against(dossier: Dossier) -> str:
    kpi = dossier.logical_model.kpi
    known = [
        (value, other.contender)
        for other in dossier.baselines
        if (value := other.value(kpi.metric)) is not None
    ]
    if not known:
        return "no baseline"
    value, name = (min if kpi.direction == "lower" else max)(known)
    return f"{name}, the best baseline: {formats.number(value)}"


def findings(dossier: Dossier) -> list[Finding]:
    """Return what an auditor should see first."""
    return [
        *_alternative(dossier),
        _validated(dossier),
        *_signed(dossier),
        *_documented(dossier),
        *_other_policies(dossier),
        _log(dossier),
    ]


def _alternative(dossier: Dossier) -> list[Finding]:
    if not dossier.alternative:
        return []
    text = (
        f"It is an alternative ({dossier.alternative}) beside the unconstrained version: to choose "
        "it is a decision that a person signs."
    )
    return [Finding(verdict="open", text=text)]


def _validated(dossier: Dossier) -> Finding:
    if not dossier.validations:
        return Finding(verdict="bad", text="It was never validated by the gates of a policy.")
    newest = dossier.validations[-1]
    if newest.policy != dossier.row.digest:
        return Finding(verdict="open", text="The gates of the policy changed since its validation.")
    if newest.failed:
        names = ", ".join(sorted({result.gate for result in newest.failed}))
        return Finding(verdict="bad", text=f"It did not pass its gates: {names}.")
    return Finding(verdict="good", text=f"It passed every gate of the class {dossier.risk_class}.")


def _signed(dossier: Dossier) -> list[Finding]:
    signed = {(item.move, item.role) for item in dossier.sign_offs}
    found = []
    for move, roles in dossier.row.sign_offs.items():
        missing = [role for role in roles if (move, role) not in signed]
        if missing:
            text = f"To be {move}, it lacks the signature of {', '.join(missing)}."
            found.append(Finding(verdict="open", text=text))
        elif roles:
            text = f"Every role signed that it may be {move}: {', '.join(roles)}."
            found.append(Finding(verdict="good", text=text))
    return found


def _documented(dossier: Dossier) -> list[Finding]:
    empty = [name for name in dossier.row.documentation if not getattr(dossier.logical_model, name)]
    if not empty:
        return []
    return [Finding(verdict="bad", text=f"The logical model does not say: {', '.join(empty)}.")]


def policies(dossier: Dossier) -> tuple[str, ...]:
    """Return the policies that let the version into its stages, as the audit log names them."""
    entered = {entry.since for entry in dossier.history if entry.stage != "retired"}
    named = [policy_of(entry) for entry in dossier.entries if entry.at in entered]
    return tuple(dict.fromkeys(filter(None, named)))


def policy_of(entry: AuditEntry) -> str:
    """Return the policy that let a release; empty of other acts, and where none was asked."""
    return str(entry.details.get("policy", "")) if entry.act == "release" else ""


def _other_policies(dossier: Dossier) -> list[Finding]:
    standing = dossier.policy.name
    others = [name for name in policies(dossier) if name != standing]
    if not others:
        return []
    text = f"It was released by the policy {', '.join(others)}; {standing} is the one that stands."
    return [Finding(verdict="bad", text=text)]


def _log(dossier: Dossier) -> Finding:
    number, digest = dossier.head
    return Finding(
        verdict="good",
        text=f"The audit log and all that it tells of are as they were written: {number:,} "
        f"entries, head {digest[:12]}…",
    )


def purpose(dossier: Dossier) -> Facts:
    """Return what the logical model is for, and who answers for it."""
    model = dossier.logical_model
    kpi = model.kpi
    effect = f"; a difference below {kpi.minimum_effect:g} does not matter"
    return _said(
        [
            ("Logical model", model.name),
            ("Segment", dossier.version.segment),
            ("Purpose", model.purpose),
            ("Owner", model.owner),
            ("Task", model.task),
            (
                "Judged by",
                f"{kpi.metric}, {kpi.direction} is better" + (effect if kpi.minimum_effect else ""),
            ),
            ("Follows", model.follows or ""),
            ("Decision", _decision(model.decision)),
            ("Assumptions", " ".join(model.assumptions)),
            ("Limits", " ".join(model.limits)),
            ("While switched off", model.fallback),
        ]
    )


def _decision(settings: DecisionSettings) -> str:
    if settings.threshold is None:
        return ""
    side = "below" if settings.favourable == "low" else "from"
    lot = settings.accept_at_random
    others = f", and {formats.percent(lot)} of the others by lot" if lot else ""
    return f"granted {side} a probability of {formats.percent(settings.threshold)}{others}"


def risk(dossier: Dossier) -> Facts:
    """Return the answers and what follows from them."""
    answers = dossier.logical_model.risk
    questions = [
        (name.replace("_", " ").capitalize(), str(getattr(answers, name)))
        for name in answers.__struct_fields__
    ]
    row = dossier.row
    signed = "; ".join(f"{move}: {', '.join(roles)}" for move, roles in row.sign_offs.items())
    return _said(
        [
            *questions,
            ("Risk class", f"{dossier.risk_class}, by the policy {dossier.policy.name}"),
            ("Released by the policy", ", ".join(policies(dossier))),
            ("Gates demanded", ", ".join(row.gates)),
            ("Sign-offs demanded", signed or "none"),
            ("Signed by", "different people, none of whom releases" if row.four_eyes else ""),
            ("Release", _release(dossier)),
        ]
    )


def method(dossier: Dossier) -> Facts:
    """Return how the version was made."""
    manifest = dossier.manifest
    plugin = manifest.plugin
    return _said(
        [
            ("Method", dossier.learned.method),
            ("Template", f"{manifest.template} of {plugin.package} {plugin.package_version}"),
            ("Seed", str(manifest.seed)),
            ("Recipe (SHA-256)", manifest.recipe),
            ("Manifest (SHA-256)", dossier.version.manifest),
            ("Files", f"{len(manifest.files)}, {_megabytes(dossier)}"),
        ]
    )


def _megabytes(dossier: Dossier) -> str:
    size = sum(file.size for file in dossier.manifest.files.values()) / 1e6
    return formats.quantity(size, "MB", 2 if size < 10 else 0)


def changes(dossier: Dossier) -> str:
    """Say which version it followed."""
    before = dossier.predecessor
    if before is None:
        return "There was no champion before it."
    what = f"Compared with {before.version.id}, the champion before it,"
    return (
        f"{what} nothing differs in how it was made."
        if not before.settings
        else f"{what} made {moment(before.version.created)}."
    )


def head(dossier: Dossier) -> Facts:
    """Return what stands for the whole audit log."""
    number, digest = dossier.head
    return [
        ("Head of the audit log", f"{number}:{digest}"),
        ("Checked", moment(dossier.made)),
        ("Check again", f"loopcast audit verify --expect {number}:{digest}"),
    ]


def _said(facts: Facts) -> Facts:
    return [(label, text) for label, text in facts if text]
