"""Settings of data: where it comes from, and what the columns of a table mean for each task."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from loopcast.api import Name, Record, Task
from loopcast.api.schema import check_zone
from loopcast.settings.conversion import LocalDate, is_day

Text = Annotated[str, msgspec.Meta(min_length=1)]
TimeUnit = Literal["D", "s", "ms", "us", "ns"]


def _check_days(table: Record, since: str | None, until: str | None) -> None:
    for name, day in (("since", since), ("until", until)):
        table.require(is_day(day), f"{name} {day} is not a day of the calendar")
    if since is not None and until is not None:
        table.require(since < until, f"since {since} is not before {until}")


class ForecastTable(Record, frozen=True, tag_field="task", tag="forecast"):
    """What the columns of a table mean for the task *forecast*.

    Attributes
    ----------
    time
        Column of interval starts; ``None`` where rows are regular from ``start`` on.
    time_format
        Of time stamps that are texts, as ``strptime`` has it: ``%d.%m.%Y %H:%M``; ISO 8601
        where ``None``.
    timezone
        Zone of the clock of time stamps that have none. Where clocks go back, the rows of a
        series say by their order which of two equal times was the first.
    start
        First interval start of a table without a time column: ``2013-12-31T14:00:00Z``.
    series
        Column that names the series of a row; ``None`` where the table is one series.
    segment
        Column that names the segment of a row; ``None`` where there is no family.
    target
        Column of actuals.
    covariates
        Column of each covariate, by the name that the schema gives it.
    scale
        Factor from the column's unit to the schema's: 1000 from GW to MW.
    since, until
        Use rows from (inclusive) and to (exclusive) these local dates only.
    gaps
        ``refuse`` missing observations, ``impute`` and count them, or ``tolerate``: impute what
        can be, and leave missing what cannot, as the actuals of a meter that never reported.
    """

    target: Text
    time: Text | None = None
    time_format: Text | None = None
    timezone: Text | None = None
    start: Text | None = None
    series: Text | None = None
    segment: Text | None = None
    covariates: dict[Name, Text] = {}
    scale: Annotated[float, msgspec.Meta(gt=0.0)] = 1.0
    since: LocalDate | None = None
    until: LocalDate | None = None
    gaps: Literal["refuse", "impute", "tolerate"] = "refuse"

    def check(self) -> None:
        """Rows get their time in one way."""
        self.require(
            (self.time is None) != (self.start is None),
            "set time (a column) or start (of the first row), and not both",
        )
        if self.timezone is not None:
            check_zone(self, self.timezone)
        _check_days(self, self.since, self.until)


class ScoreTable(Record, frozen=True, tag_field="task", tag="score"):
    """What the columns of a table mean for the task *score*.

    Attributes
    ----------
    columns
        Column of the table by the name that the schema gives it, where the two differ.
    segment
        Column that names the segment of a row; ``None`` where there is no family.
    time_unit
        Of a time column of numbers, which count from 1970 on in UTC.
    since, until
        Use rows from (inclusive) and to (exclusive) these days in UTC only, by the time column.
    """

    columns: dict[Text, Text] = {}
    segment: Text | None = None
    time_unit: TimeUnit | None = None
    since: LocalDate | None = None
    until: LocalDate | None = None

    def check(self) -> None:
        """The days are some, in order."""
        _check_days(self, self.since, self.until)


class RankTable(Record, frozen=True, tag_field="task", tag="rank"):
    """What the columns of a table mean for the task *rank*: one row for each interaction.

    Attributes
    ----------
    columns, segment, time_unit
        As :class:`ScoreTable` has them.
    minimum_value
        Interactions below it are no choice (a returned purchase, a bad rating): they are left
        out, and counted.
    """

    columns: dict[Text, Text] = {}
    segment: Text | None = None
    time_unit: TimeUnit | None = None
    minimum_value: float | None = None
    anonymous: Literal["refuse", "drop"] = "refuse"


class DataSettings(Record, frozen=True):
    """Where data comes from: a reader with its options, and what the table's columns mean."""

    name: Name
    reader: Name
    table: ForecastTable | ScoreTable | RankTable
    options: dict[str, object] = {}

    @property
    def task(self) -> Task:
        """The task that the table is laid out for."""
        tags: dict[type, Task] = {
            ForecastTable: "forecast",
            ScoreTable: "score",
            RankTable: "rank",
        }
        return tags[type(self.table)]
