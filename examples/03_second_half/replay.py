"""Do, for each day, what a scheduler would do: type commands, all in one process.

Every day the flights of the day are scored. On Mondays the outcomes that are delivered then are
brought in, and the monitor looks at the last four weeks.

    python replay.py FIRST LAST     first and last day: 2013-04-01 2013-05-12
"""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import pandas as pd

from loopcast.cli import loopcast

MODEL = "late_flights"
FIRST = pd.Timestamp("2013-04-01")
WATCHED = pd.Timedelta(days=28)


def command(*words: str) -> str:
    """Carry a command of loopcast out, and return what it printed."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        loopcast(list(words), standalone_mode=False)
    return said.getvalue()


def score(day: pd.Timestamp) -> None:
    """Score the flights of a day, as they are scheduled in the morning."""
    end = day + pd.Timedelta(days=1)
    window = (f"data.table.since={day:%Y-%m-%d}", f"data.table.until={end:%Y-%m-%d}")
    command("run", f"logical_model={MODEL}", "job=serve", f"job.at={day:%Y-%m-%d}", *window)


def bring_in(file: Path, day: pd.Timestamp) -> str:
    """Bring in what is known of a week since today."""
    columns = ("--key", "flight", "--value", "arrival", "--observed-at", f"{day:%Y-%m-%d}")
    return command("truth", "ingest", str(file), "-m", MODEL, *columns)


def look(day: pd.Timestamp) -> str:
    """Look at the last four weeks."""
    span = ("--since", f"{day - WATCHED:%Y-%m-%d}", "--until", f"{day:%Y-%m-%d}")
    return command("monitor", "-m", MODEL, *span, "--at", f"{day:%Y-%m-%d}")


def monday(day: pd.Timestamp) -> None:
    """Bring in what is delivered, and look at what happened so far."""
    print(f"{day:%A %Y-%m-%d}")
    file = Path("flights/outcomes") / f"{day:%Y-%m-%d}.csv"
    if file.exists():
        print(bring_in(file, day))
    if day > FIRST:
        print(look(day))


def main(first: str, last: str) -> None:
    """Go through the days."""
    days = pd.date_range(first, last)
    for day in days:
        if day.day_of_week == 0:
            monday(day)
        score(day)
    print(f"{len(days)} days of flights are scored")


if __name__ == "__main__":
    main(*sys.argv[1:])
