"""Results of checks."""

from __future__ import annotations

from collections.abc import Iterable

from loopcast.api import DataError, Record


class CheckResult(Record, frozen=True):
    """What one check measured of one subject.

    Attributes
    ----------
    name
        Name of its setting in ``checks``.
    subject
        The input it is about; empty for the dataset.
    """

    name: str
    subject: str
    passed: bool
    measured: float
    limit: float

    def __str__(self) -> str:
        about = f" of {self.subject}" if self.subject else ""
        return f"{self.name}{about} is {self.measured:.4g} (checks.{self.name}: {self.limit:g})"


def at_most(name: str, subject: str, measured: float, limit: float) -> CheckResult:
    """Return a result that passes up to a limit."""
    return CheckResult(
        name=name,
        subject=subject,
        passed=bool(measured <= limit),
        measured=float(measured),
        limit=float(limit),
    )


def require_passed(results: Iterable[CheckResult], source: str) -> None:
    """Refuse data that failed a check.

    Raises
    ------
    DataError
        Listing every failure.
    """
    failed = [result for result in results if not result.passed]
    if failed:
        raise DataError(
            f"{source}: the data fails {len(failed)} of its checks, and nothing was trained: "
            f"{'; '.join(map(str, failed))}. Mend the data, or set the limit to null if it is right"
        )
