"""What the reports of devices say about a rollout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loopcast.api import DeviceName, Digest, Observed
from loopcast.store.devices import DeviceState, Enrolled
from loopcast_edge.wire import PackageState, Reported, WireError, decode

_WAITING = Observed(health="waiting")


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Manifests that are compared: the package of a rollout, and the champion before it."""

    package: Digest
    before: Digest | None


def report_of(state: DeviceState | None) -> Reported | None:
    """Return a device's last report; ``None`` where it has sent none that can be read."""
    if state is None or state.report is None:
        return None
    try:
        return decode(state.report, Reported)
    except WireError:  # of another version of the protocol, from before an upgrade
        return None


def observe(
    enrolled: Mapping[DeviceName, Enrolled], contests: Mapping[DeviceName, Contest]
) -> list[Observed]:
    """Return what is known of each device of a rollout."""
    return [observed(report_of(enrolled[name].state), contests[name]) for name in contests]


def observed(report: Reported | None, contest: Contest) -> Observed:
    """Return what a report says about a package."""
    own = _champion(report, contest.package)
    if own is None:
        return _WAITING
    if own.stage in {"refused", "returned"}:
        return Observed(health="failed", reason=own.reason or own.stage)
    if own.stage != "running":
        return _WAITING
    pairs, mine, others = _errors(report, own, contest)
    return Observed(health="healthy", pairs=pairs, error=mine, champion_error=others)


def _champion(report: Reported | None, manifest: Digest) -> PackageState | None:
    found = (p for p in report.packages if p.manifest == manifest) if report else ()
    return next((p for p in found if p.role == "champion"), None)


def _errors(
    report: Reported | None, own: PackageState, contest: Contest
) -> tuple[int, float, float]:
    """Return the number of paired outcomes, and the sums of absolute errors of both packages.

    Either package may say it: the new one beside the old, or the shadow beside the champion.
    """
    for state in report.packages if report else ():
        paired = state.paired
        if paired is None:
            continue
        if (state.manifest, paired.other) == (own.manifest, contest.before):
            return paired.mine.n, paired.mine.absolute, paired.others.absolute
        if (state.manifest, paired.other) == (contest.before, own.manifest):
            return paired.mine.n, paired.others.absolute, paired.mine.absolute
    return 0, 0.0, 0.0
