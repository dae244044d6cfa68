"""All checks of a dataset, and what a bundle keeps of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from loopcast.api import GateResult
from loopcast.api.formats import json_bytes
from loopcast.develop.checks.completeness import completeness
from loopcast.develop.checks.leakage import leakage
from loopcast.develop.checks.results import CheckResult, require_passed
from loopcast.develop.checks.shift import PROFILE_FILE, Profile, profile, shift

if TYPE_CHECKING:
    from loopcast.develop.checks.inputs import Inputs
    from loopcast.settings import CheckSettings

CHECKS_FILE = "checks.json"
"""Its name in a bundle."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Checked:
    """A dataset that passed its checks.

    Attributes
    ----------
    inputs
        What was looked at.
    results
        Of the checks that depend on the data alone.
    gates
        The largest difference from the previous training set, which depends on what was trained
        before and is therefore no part of the bundle.
    """

    inputs: Inputs
    results: tuple[CheckResult, ...]
    gates: tuple[GateResult, ...]

    def files(self) -> dict[str, bytes]:
        """Return what a bundle keeps: the results, and the profile of the data."""
        return {
            CHECKS_FILE: json_bytes(msgspec.to_builtins(self.results)),
            PROFILE_FILE: json_bytes(msgspec.to_builtins(profile(self.inputs))),
        }


def check_data(
    inputs: Inputs, limits: CheckSettings, source: str, before: Profile | None
) -> Checked:
    """Check a dataset.

    Parameters
    ----------
    source
        Where it came from, for messages.
    before
        Of the previous training set of the same logical model and segment, if there is one.

    Raises
    ------
    DataError
        Listing every check that failed.
    """
    own = (*completeness(inputs, limits), *leakage(inputs, limits))
    moved = [] if before is None else list(shift(inputs, before, limits))
    require_passed([*own, *moved], source)
    return Checked(inputs=inputs, results=own, gates=_largest(moved))


def _largest(moved: list[CheckResult]) -> tuple[GateResult, ...]:
    """Return the largest difference of each kind."""
    names = dict.fromkeys(result.name for result in moved)
    largest = [max((r for r in moved if r.name == n), key=lambda r: r.measured) for n in names]
    return tuple(
        GateResult(
            gate="data_shift",
            test=result.name,
            passed=True,
            expectation=f"{result.name} of each input up to {result.limit:g}, or what chance "
            "alone gives",
            measured=f"{result.subject}: {result.measured:.4g}",
        )
        for result in largest
    )
