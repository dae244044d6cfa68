"""A target from payments: whether a loan was so many days past due within so many months.

A reader of tables: it joins applications with the status of their payments, month by month, and
gives each application its outcome. The definition is part of where the dataset's record says that
the data comes from, and of the settings that a version's bundle keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import Reader, Record, hookimpl
from loopcast.api.record import Positive
from loopcast.settings.conversion import LocalDate, is_day
from loopcast.store.readers.file import FileOptions
from loopcast.store.readers.parquet import ParquetReader
from loopcast.store.readers.text import CsvOptions, CsvReader

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.develop.columns import Columns


class DelinquencyOptions(Record, frozen=True):
    """Two tables, what their columns are called, and what makes a loan bad.

    Attributes
    ----------
    applications, payments
        Files, Parquet or else CSV: a row for each loan, and one for each loan and month.
    key, opened
        Columns of applications: the loan, which payments name too, and the day it began.
    date, overdue
        Columns of payments: the day of the status, and how many days past due it was.
    days_past_due, months
        A loan is bad that was so many days past due, or more, within so many months.
    indeterminate
        From how many days on a loan that is not bad is not good either; none where ``None``.
    until
        The last day that payments are complete for; that of the newest one where ``None``.
    target
        The column that is added: 1 bad, 0 good, missing where it cannot be told.
    """

    applications: str
    payments: str
    key: str
    opened: str
    date: str
    overdue: str
    days_past_due: Positive = 90
    months: Positive = 12
    indeterminate: Positive | None = None
    until: LocalDate | None = None
    target: str = "bad"

    def check(self) -> None:
        """What is not good either is less than bad."""
        self.require(is_day(self.until), f"until {self.until} is not a day of the calendar")
        self.require(
            self.indeterminate is None or self.indeterminate < self.days_past_due,
            f"indeterminate {self.indeterminate} is not below days_past_due {self.days_past_due}",
        )

    @property
    def definition(self) -> str:
        """What makes a loan bad, in words.

        Examples
        --------
        >>> DelinquencyOptions(
        ...     applications="a", payments="p", key="k", opened="o", date="d", overdue="n"
        ... ).definition
        'bad: 90 or more days past due within 12 months'
        """
        words = f"{self.target}: {self.days_past_due} or more days past due within {self.months}"
        unclear = f", unknown from {self.indeterminate} days on" if self.indeterminate else ""
        ends = f", observed until {self.until}" if self.until else ""
        return f"{words} months{unclear}{ends}"


class DelinquencyReader:
    """Reads applications, with an outcome from their payments."""

    name = "delinquency"
    summary = "applications, with an outcome by days past due from their payments"
    options = DelinquencyOptions

    def read(self, options: DelinquencyOptions, base: Path) -> pd.DataFrame:
        """Read both tables and add the outcome.

        Raises
        ------
        DataError
            Where a file cannot be read, a column is absent or has values that it cannot have, or
            payments are of a loan that is not among the applications, or of before it began.
        """
        from loopcast.develop.columns import Columns

        applications = Columns(_table(options.applications, base), options.applications)
        payments = Columns(_table(options.payments, base), options.payments)
        applications.require([options.key, options.opened])
        payments.require([options.key, options.date, options.overdue])
        outcome = matured_outcome(applications, payments, options)
        return applications.table.assign(**{options.target: outcome})

    def describe(self, options: DelinquencyOptions) -> str:
        """Return both files and the definition of the target."""
        return f"{options.applications} with {options.definition}, by {options.payments}"


def _table(path: str, base: Path) -> pd.DataFrame:
    if Path(path).suffix == ".parquet":
        return ParquetReader().read(FileOptions(path=path), base)
    return CsvReader().read(CsvOptions(path=path), base)


def matured_outcome(
    applications: Columns, payments: Columns, options: DelinquencyOptions
) -> pd.Series:
    """Return 1, 0 or missing for each application.

    Nothing is said of a loan before its window has passed, or of which no payment was seen. That
    a young one is bad is known at once, but not which of those beside it are good: of young loans
    with an outcome, all would be bad.
    """
    import pandas as pd

    from loopcast.develop.columns import texts

    keys = texts(applications.known(options.key))
    repeated = keys.duplicated().to_numpy()
    applications.refuse(options.key, repeated, "repeated keys", "one row for each loan")
    loan = pd.Index(keys).get_indexer(pd.Index(texts(payments.known(options.key))))
    payments.refuse(options.key, loan < 0, "keys of no application", "those of applications")
    opened = pd.DatetimeIndex(applications.moments(options.opened))
    date, overdue = pd.DatetimeIndex(payments.moments(options.date)), _overdue(payments, options)
    early = np.asarray(date < opened[loan])
    payments.refuse(options.date, early, "days before the loan began", "later ones")
    ends = opened + pd.DateOffset(months=options.months)
    until = pd.Timestamp(options.until) if options.until else date.max()
    inside = np.asarray((date <= ends[loan]) & (date <= until))
    worst = np.full(len(keys), np.nan)
    np.fmax.at(worst, loan[inside], overdue[inside])
    return pd.Series(_judged(worst, np.asarray(ends <= until), options), applications.table.index)


def _overdue(payments: Columns, options: DelinquencyOptions) -> NDArray[np.float64]:
    payments.known(options.overdue)
    found = payments.numbers(options.overdue)
    payments.refuse(options.overdue, found < 0.0, "days below 0", "days past due, 0 or more")
    return found


def _judged(
    worst: NDArray[np.float64], mature: NDArray[np.bool_], options: DelinquencyOptions
) -> NDArray[np.float64]:
    bad = worst >= options.days_past_due
    good = worst < (options.indeterminate or options.days_past_due)
    return np.where(mature & bad, 1.0, np.where(mature & good, 0.0, np.nan))


@hookimpl
def loopcast_readers() -> Sequence[Reader]:
    """Offer the reader of targets from payments."""
    readers: list[Any] = [DelinquencyReader()]
    return readers
