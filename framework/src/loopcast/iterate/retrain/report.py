"""What a round of retraining did, segment by segment and in sum."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from loopcast.api import PolicyRow, Record, Stage, VersionId
from loopcast.iterate.family import SegmentReport
from loopcast.iterate.retrain.decision import Decision
from loopcast.settings.retrain import Remedy

Result = Literal[
    "released",
    "proposed",
    "not better",
    "held back",
    "kept",
    "failed",
    "due",
    "not due",
    "frozen",
    "off",
]
RETRAINED: tuple[Result, ...] = ("released", "proposed", "not better", "held back")
"""Results of a training, whether a version came of it or not."""


class Retrained(Record, frozen=True):
    """What became of one segment.

    Attributes
    ----------
    segment
        As the data has it, which may be no name of a segment; then that is why it failed.
    result
        ``released``: its new version serves; ``proposed``: it passed its gates, and a person
        decides; ``not better``: what was trained is not better than the champion; ``held back``: a
        gate stopped it, whatever its KPI; ``kept``: the data is that of its last training;
        ``failed``: see the reason; ``due``: it would have been trained; ``not due``, ``frozen``,
        ``off``: nothing was to be done.
    why
        Why it was to be trained, or not.
    version
        The new one, or of a segment that is kept the newest; ``None`` where none was made.
    better
        Whether it passed its gates and its KPI is better than the champion's, beyond chance.
    reason
        What became of it, where there is more to say.
    kpi, champion_kpi
        Of what was trained and of the champion, on the same rows.
    """

    segment: str
    result: Result
    why: str
    remedy: Remedy | None = None
    version: VersionId | None = None
    stage: Stage | None = None
    better: bool = False
    reason: str = ""
    kpi: float | None = None
    champion_kpi: float | None = None

    @property
    def new(self) -> bool:
        """Whether there is a new version."""
        return self.result in RETRAINED and self.version is not None


def undone(decision: Decision) -> Retrained:
    """Return what is said of a segment that is not trained."""
    return Retrained(
        segment=decision.segment,
        result=decision.status,
        why=decision.reason,
        remedy=decision.remedy if decision.status == "due" else None,
    )


def retrained(decision: Decision, report: SegmentReport) -> Retrained:
    """Return what is said of a segment that was trained."""
    return Retrained(
        segment=decision.segment,
        result=_result(report),
        why=decision.reason,
        remedy=decision.remedy,
        version=report.version,
        stage=report.stage,
        better=report.better,
        reason=report.reason,
        kpi=report.kpi,
        champion_kpi=report.champion_kpi,
    )


def _result(report: SegmentReport) -> Result:
    if report.status in ("kept", "failed", "frozen"):
        return report.status
    if report.stage == "champion":
        return "released"
    if report.stage == "candidate" or report.stopped:
        return "held back"
    return "proposed" if report.status == "waiting" else "not better"


def counts(items: Sequence[Retrained]) -> dict[str, int]:
    """Count segments by result, and those trained, those with a new version, those better."""
    found = Counter(item.result for item in items)
    return {
        "retrained": sum(found[name] for name in RETRAINED),
        "new versions": sum(item.new for item in items),
        "better": sum(item.better for item in items),
        **{name: found[name] for name in get_args(Result)},
    }


def commands(row: PolicyRow, items: Iterable[Retrained]) -> tuple[str, ...]:
    """Return what a person types to release what is proposed, by what the policy demands.

    Versions are named: others of the family stand in the same stage, and are not proposed.
    """
    waiting = defaultdict[Stage, list[VersionId]](list)
    for item in items:
        if item.result == "proposed" and item.version is not None and item.stage is not None:
            waiting[item.stage].append(item.version)
    return tuple(
        line
        for stage, versions in waiting.items()
        for line in _commands(row, " ".join(versions), stage)
    )


def _commands(row: PolicyRow, which: str, stage: Stage) -> Iterator[str]:
    for goal in ("challenger", "champion"):
        if goal == stage:
            continue
        for role in row.sign_offs.get(goal, ()):
            yield f"loopcast sign {which} --role {role} --for {goal} --by NAME --statement TEXT"
        yield f"loopcast release {which} --to {goal} --by NAME --reason TEXT"


@dataclass(frozen=True, kw_only=True)
class Why:
    """A reason, and the segments that it is the reason of, in their order."""

    reason: str
    segments: tuple[str, ...]


def reasons(items: Iterable[Retrained], *, result: Result) -> list[Why]:
    """Return why segments have a result, the reason of most of them first.

    Of a reason that several segments have, what differs between them is left out.
    """
    kinds = defaultdict[str, list[Retrained]](list)
    for item in items:
        if item.result == result:
            kinds[_kind(_reason(item))].append(item)
    found = [
        Why(
            reason=_reason(own[0]) if len(own) == 1 else kind,
            segments=tuple(item.segment for item in own),
        )
        for kind, own in kinds.items()
    ]
    return sorted(found, key=lambda why: -len(why.segments))


def _reason(item: Retrained) -> str:
    return item.reason or item.why


def _kind(text: str) -> str:
    """Return a sentence without the numbers and ids that differ between segments."""
    return re.sub(r"\b[0-9a-f]{16}\b|\d[\d.,:\-]*", "…", text)
