"""What a training hands over to whoever registers and releases, maybe in another process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopcast.api import Dataset, Evaluation, GateResult, Version
    from loopcast.deploy.bundle import EncodedBundle
    from loopcast.deploy.examination import Examination
    from loopcast.iterate.verdict import Verdict


@dataclass(frozen=True, eq=False, kw_only=True)
class NewVersion:
    """A version that is ready to be stored and registered.

    Attributes
    ----------
    datasets
        As :class:`~loopcast.iterate.tasks.Made` has them.
    evaluations, verdict
        As :class:`~loopcast.iterate.tasks.Contest` has them.
    gates
        Of the contest, and of the checks of its data.
    note
        What a remedy did to its data, for the report.
    examination
        What the gates of the policy found of it; ``None`` where only the stores can tell.
    """

    version: Version
    bundle: EncodedBundle
    datasets: tuple[Dataset, ...]
    evaluations: tuple[Evaluation, ...]
    gates: tuple[GateResult, ...]
    verdict: Verdict | None
    note: str
    examination: Examination | None
