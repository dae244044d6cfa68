"""Tables of a dossier."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import msgspec

from loopcast.api import Dataset, Evaluation
from loopcast.web import formats
from loopcast.web.dossier.words import moment, policy_of
from loopcast.web.page import Cell, Table, cells

if TYPE_CHECKING:
    from loopcast.deploy.dossier import Dossier
    from loopcast.deploy.outcomes import Outcomes

MOST_SUBSETS = 40
"""Rows of subpopulations; the largest differences from the whole come first."""


def data(dossier: Dossier) -> Table:
    """Return the datasets and where they came from, of a score with the outcomes in them."""
    datasets, score = dossier.manifest.datasets, dossier.logical_model.task == "score"
    known = (dossier.trained, dossier.judged)[: len(datasets)] if score else ()
    return Table(
        prose=True,
        caption="Datasets, the one it learned from first.",
        columns=(
            *("name", "origin", "rows"),
            *(("known outcomes", "events") if score else ()),
            *("from", "to", "imputed", "fingerprint"),
        ),
        rows=tuple(
            _dataset(item, _outcomes(found) if score else ())
            for item, found in zip_longest(datasets, known)
        ),
    )


def _outcomes(found: Outcomes | None) -> tuple[str, str]:
    if found is None:
        return formats.MISSING, formats.MISSING
    return f"{found.known:,}", f"{found.events:,}"


def _dataset(item: Dataset, outcomes: tuple[str, ...]) -> tuple[Cell, ...]:
    return cells(
        item.name,
        item.origin,
        f"{item.rows:,}",
        *outcomes,
        f"{item.start:%Y-%m-%d}" if item.start else "",
        f"{item.end:%Y-%m-%d}" if item.end else "",
        f"{item.imputed:,}",
        item.fingerprint[:12],
    )


def hyperparameters(dossier: Dossier) -> Table | None:
    """Return every hyperparameter."""
    values = dossier.manifest.hyperparameters
    if not values:
        return None
    rows = tuple(cells(name, _plain(value)) for name, value in values.items())
    return Table(caption="Hyperparameters", columns=("name", "value"), rows=rows, prose=True)


def environment(dossier: Dossier) -> Table:
    """Return the packages that it was made with."""
    packages = sorted(dossier.manifest.environment.items())
    rows = tuple(cells(name, version) for name, version in packages)
    return Table(caption="Packages", columns=("package", "version"), rows=rows, prose=True)


def metrics(dossier: Dossier) -> Table | None:
    """Return overall metrics beside those of the baselines and the champion before."""
    if not dossier.evaluations:
        return None
    own = dossier.evaluations[0]
    others = [*dossier.baselines, *_before(dossier, own)]
    alike = [o for o in others if (o.dataset, o.protocol) == (own.dataset, own.protocol)]
    names = [m.name for m in own.metrics if not m.subset and m.value is not None]
    places = {name: formats.decimals([e.value(name) for e in (own, *alike)]) for name in names}
    return Table(
        caption=f"{own.protocol}; dataset {own.dataset[:12]}.",
        columns=("", *names),
        rows=tuple(
            cells(e.contender, *(formats.number(e.value(name), places[name]) for name in names))
            for e in (own, *alike)
        ),
        emphasis=(0,),
    )


def _before(dossier: Dossier, own: Evaluation) -> Sequence[Evaluation]:
    """Return how the champion before did on the same data, under its id."""
    if dossier.predecessor is None:
        return ()
    version = dossier.predecessor.version.id
    return [
        msgspec.structs.replace(evaluation, contender=f"{version}, the champion before")
        for evaluation in dossier.predecessor.evaluations
        if (evaluation.dataset, evaluation.protocol) == (own.dataset, own.protocol)
    ]


def subpopulations(dossier: Dossier) -> Table | None:
    """Return the KPI by subpopulation, the farthest from the whole first."""
    if not dossier.evaluations:
        return None
    own, kpi = dossier.evaluations[0], dossier.logical_model.kpi.metric
    whole = own.value(kpi)
    found = [m for m in own.metrics if m.name == kpi and m.subset]
    if not found or whole is None:
        return None
    found.sort(key=lambda m: -abs(m.value - whole) if m.value is not None else 0.0)
    shown = found[:MOST_SUBSETS]
    places = formats.decimals([whole, *(m.value for m in shown)])
    left_out = len(found) - len(shown)
    more = f"; left out: {left_out} nearer" if left_out else ""
    return Table(
        caption=f"{kpi} by subpopulation, the farthest from {formats.number(whole, places)} of the "
        f"whole first{more}.",
        columns=("subpopulation", kpi, "difference", "observations"),
        rows=tuple(
            cells(
                m.subset.replace("=", ": "),
                formats.number(m.value, places),
                formats.number(None if m.value is None else m.value - whole, places),
                f"{m.count:,}",
            )
            for m in shown
        ),
    )


def gates(dossier: Dossier) -> Table | None:
    """Return every test of the newest validation."""
    if not dossier.validations:
        return None
    newest = dossier.validations[-1]
    failed = [i for i, result in enumerate(newest.results) if not result.passed]
    return Table(
        prose=True,
        caption=f"Validated {moment(newest.at)} by {newest.by}; "
        f"{len(dossier.validations)} in all. Gates of the policy {newest.policy[:12]}.",
        columns=("gate", "test", "result", "expected", "measured"),
        rows=tuple(
            cells(r.gate, r.test, "passed" if r.passed else "failed", r.expectation, r.measured)
            for r in newest.results
        ),
        emphasis=tuple(failed),
    )


def sign_offs(dossier: Dossier) -> Table | None:
    """Return who vouched for what."""
    if not dossier.sign_offs:
        return None
    return Table(
        prose=True,
        caption="Who signed, in which role, for which move.",
        columns=("who", "role", "may be", "when", "statement"),
        rows=tuple(
            cells(s.by, s.role, s.move, moment(s.at), s.statement) for s in dossier.sign_offs
        ),
    )


def monitoring(dossier: Dossier) -> Table | None:
    """Return the monitoring plan of the policy."""
    plan = dossier.row.monitoring
    if not plan:
        return None
    kpi = dossier.logical_model.kpi.metric
    return Table(
        prose=True,
        caption=f"What the policy {dossier.policy.name} has watched while the version serves.",
        columns=("what", "measure", "threshold", "every", "who is told"),
        rows=tuple(
            cells(
                name,
                kpi if item.measure == "kpi" else item.measure,
                f"{item.threshold:g}",
                formats.days(item.every_days),
                item.tell,
            )
            for name, item in plan.items()
        ),
    )


def changed_settings(dossier: Dossier) -> Table | None:
    """Return what differs from the champion before."""
    before = dossier.predecessor
    if before is None or not before.settings:
        return None
    return Table(
        prose=True,
        caption="What is not the same",
        columns=("setting", "before", "now"),
        rows=tuple(cells(*row) for row in before.settings),
    )


def lineage(dossier: Dossier) -> Table:
    """Return the way from the data to the decision, in the order of time."""
    version, outputs = dossier.version, dossier.outputs
    steps = [
        (version.created, "trained", f"{version.id} from {_names(dossier)}", "loopcast"),
        *(
            (
                v.at,
                "validated",
                f"{'passed' if v.passed else 'failed'}, {len(v.results)} tests",
                v.by,
            )
            for v in dossier.validations
        ),
        *(
            (s.at, f"signed for {s.move}", f"{s.role}: {s.statement}", s.by)
            for s in dossier.sign_offs
        ),
        *(
            (r.since, f"rolled back: {r.stage}" if r.rollback else r.stage, r.reason, r.by)
            for r in dossier.history
        ),
        *((s.since, f"switched to {s.switch}", s.reason, s.by) for s in dossier.switches),
        *(
            [
                (outputs.first, "first prediction", "", ""),
                (outputs.last, "last prediction", f"{outputs.count:,} recorded in all", ""),
            ]
            if outputs.first is not None and outputs.last is not None
            else []
        ),
    ]
    steps.sort(key=lambda step: step[0])
    return Table(
        prose=True,
        caption="From the dataset to the decision, in the order of time.",
        columns=("when", "what", "details", "by"),
        rows=tuple(cells(moment(at), what, details, by) for at, what, details, by in steps),
    )


def _names(dossier: Dossier) -> str:
    first = dossier.manifest.datasets[0]
    return f"{first.name} ({first.fingerprint[:12]})"


def audit(dossier: Dossier) -> Table | None:
    """Return the entries of the audit log that concern the version."""
    if not dossier.entries:
        return None
    return Table(
        prose=True,
        caption="Entries of the audit log; each carries the digest of the one before.",
        columns=("entry", "when", "act", "policy", "by", "digest"),
        rows=tuple(
            cells(str(e.number), moment(e.at), e.act, policy_of(e), e.by, e.digest[:16])
            for e in dossier.entries
        ),
    )


def _plain(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
